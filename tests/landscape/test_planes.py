"""Planes of starts: the playground's own, and others."""

import numpy as np
import pytest

from thalweg import LinearNet, Moments, Playground, Problem
from thalweg._core.errors import DomainError, ShapeError
from thalweg.landscape.planes import Slice, slice_basins


@pytest.mark.parametrize("method", ["descent", "flow"])
def test_the_playgrounds_plane_is_the_flows(method):
    plane = slice_basins(Playground(2), size=21, extent=1.5, method=method)
    x, y = np.meshgrid(plane.axis, plane.axis)
    # The saddle's stable set is the line x = -y, and nothing else.
    words = np.array([str(limit) for limit in plane.limits])[plane.codes]
    saddle = words == "saddle, modes learnt: none"
    assert np.array_equal(saddle, x == -y)
    assert np.array_equal(words == "global minimum", ~saddle)
    # A product, a gap and a square, all below three: four roundings of them.
    heights = 0.5 * (x * y - 1) ** 2
    assert np.max(np.abs(plane.excess - heights)) <= 4 * np.finfo(float).eps * 3
    assert np.all(plane.known[~saddle] == -1)
    assert np.all(plane.known[saddle] > 0)
    assert plane.shares() == {
        "global minimum": 420 / 441,
        "saddle, modes learnt: none": 21 / 441,
    }
    assert plane.iterations[20, 20] > 0


def test_the_axis_is_symmetric_to_the_last_bit():
    axis = slice_basins(Playground(2), size=12, extent=0.7).axis
    assert np.array_equal(axis, -axis[::-1])
    assert axis[[0, -1]].tolist() == [-0.7, 0.7]


def test_a_drawn_plane_is_orthonormal_and_its_places_are_weights():
    target = Moments.whitened(np.diag([2.0, 1.0]))
    problem = Problem(LinearNet((2, 3, 2)), target)
    plane = slice_basins(problem, size=6, seed=3)
    one, other = (
        np.concatenate([layer.ravel() for layer in chain])
        for chain in (plane.first, plane.second)
    )
    gram = np.array([[one @ one, one @ other], [other @ one, other @ other]])
    assert np.max(np.abs(gram - np.eye(2))) < 1e-14
    weights = plane.weights(4, 1)
    assert float(problem.excess_loss(weights)) == pytest.approx(plane.excess[4, 1])
    again = slice_basins(problem, size=6, seed=3)
    assert again.iterations.tolist() == plane.iterations.tolist()


def test_given_directions_are_used_as_they_are():
    start = [np.array(0.5), np.array(0.25)]
    plane = slice_basins(
        Playground(2), center=start, first=[1.0, 1.0], second=[1.0, -1.0], size=3
    )
    expected = np.array([0.5 + 2 * -1 + 2 * 1, 0.25 + 2 * -1 - 2 * 1])
    assert np.asarray(plane.weights(2, 0)).tolist() == expected.tolist()
    assert plane.excess[2, 0] == 0.5 * (np.prod(expected) - 1) ** 2


def test_a_plane_is_saved_and_read_back(tmp_path):
    plane = slice_basins(Playground(3), size=5)
    plane.save(tmp_path / "a")
    back = Slice.load(tmp_path / "a")
    assert back.to_json() == plane.to_json()
    assert not back.interrupted
    assert back.lines() == plane.lines()


def test_an_interrupted_plane_has_holes():
    def stop(_progress):
        raise KeyboardInterrupt

    plane = slice_basins(Playground(2), size=40, on_progress=stop)
    assert plane.interrupted == bool(np.any(plane.codes == -1))
    assert np.all(plane.excess >= 0)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"first": [1.0, 1.0], "second": [2.0, 2.0]}, "are parallel"),
        ({"first": [0.0, 0.0]}, "first is zero"),
        ({"extent": 0.0}, "extent is 0.0; it must be positive"),
        ({"size": 1}, "size is 1; it must be a whole number >= 2"),
    ],
)
def test_a_plane_needs_two_directions_and_a_size(given, words):
    with pytest.raises(DomainError, match=words):
        slice_basins(Playground(2), **given)


def test_a_center_must_fit():
    with pytest.raises(ShapeError, match="a playground of depth 2 needs 2 numbers"):
        slice_basins(Playground(2), center=[1.0, 2.0, 3.0], size=3)
