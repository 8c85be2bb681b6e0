"""A path in its principal plane, against the loss itself."""

import numpy as np
import pytest

import thalweg as tw
from thalweg._core.errors import DomainError
from thalweg.landscape.path_plane import heights, path_plane, traced
from thalweg.report.path_map import path_map

TARGET = np.diag([2.0, 1.0])


@pytest.fixture(scope="module")
def problem():
    return tw.Problem(tw.LinearNet((2, 3, 2)), tw.Moments.whitened(TARGET))


@pytest.fixture(scope="module")
def path(problem):
    start = tw.init("gaussian", std=0.1).draw(1, problem.net)
    return tw.descend(problem, start, step_size=0.05, iterations=400)


def test_the_trace_ends_where_the_path_does(path):
    clock, states = traced(path, 50)
    end = np.concatenate([np.ravel(w) for w in path.weights])
    start = np.concatenate([np.ravel(w) for w in path.start])
    assert clock[-1] == path.clock[-1]
    np.testing.assert_array_equal(states[-1], end)
    np.testing.assert_array_equal(states[0], start)


def test_a_flow_is_traced_too(problem):
    start = tw.init("gaussian", std=0.3).draw(1, problem.net)
    flowing = tw.flow(problem, start, horizon=2.0)
    clock, states = traced(flowing, 11)
    assert clock.size == 11
    end = np.concatenate([np.ravel(w) for w in flowing.weights])
    np.testing.assert_allclose(states[-1], end, atol=1e-9)


def test_heights_are_the_loss(problem, path):
    _, states = traced(path, 5)
    found = heights(problem, states)
    for state, height in zip(states, found, strict=True):
        first, last = state[:6].reshape(3, 2), state[6:].reshape(2, 3)
        error = last @ first - TARGET
        assert height == pytest.approx(0.5 * np.sum(error**2), abs=1e-14)


def test_a_playground_of_depth_two_lies_in_its_plane_wholly():
    path = tw.descend(tw.Playground(2), [0.1, 1.0], step_size=0.1, iterations=100)
    plane = path_plane(path, size=7)
    assert plane.share == pytest.approx(1.0)
    np.testing.assert_allclose(
        plane.directions @ plane.directions.T, np.eye(2), atol=1e-14
    )
    corner = (
        plane.first[0] * plane.directions[0]
        + plane.second[0] * plane.directions[1]
        + np.asarray(path.weights)
    )
    assert plane.excess[0, 0] == pytest.approx(0.5 * (corner.prod() - 1) ** 2)


def test_the_picture_is_drawn(path, tmp_path):
    file = tmp_path / "path.png"
    path_map(path_plane(path, size=20), tw.mark_plateaus(path)).savefig(file)
    assert file.stat().st_size > 10_000


def test_a_path_that_does_not_move_has_no_plane():
    rest = tw.descend(tw.Playground(2), [1.0, 1.0], step_size=0.1, iterations=3)
    with pytest.raises(DomainError, match="does not move"):
        path_plane(rest)


def test_a_batch_is_refused(problem):
    starts = tw.init("gaussian", std=0.1).draw(1, problem.net)
    stacked = tuple(np.stack([w, w]) for w in starts)
    batch = tw.descend(problem, stacked, step_size=0.05, iterations=5)
    with pytest.raises(DomainError, match="needs a single descent"):
        path_plane(batch)
