"""Spectra of Hessians against hand-sized truths, dense ones and each other."""

import json

import numpy as np
import pytest

import net_oracles
from thalweg._core.errors import DomainError
from thalweg.landscape.hessian import hessian
from thalweg.landscape.spectrum import hessian_spectrum
from thalweg.problem.moments import Moments
from thalweg.problem.nets import LinearNet
from thalweg.problem.problem import Problem
from thalweg.problem.scalar import Playground
from tolerances import close, is_a_sentence, printed

EYE, NONE = np.eye(2), np.zeros((2, 2))
ROOT = 2 ** (1 / 3)


def diagonal(*entries):
    return np.diag(np.array(entries, dtype=float))


# lambda_min, lambda_max, negative, zero.
HAND_SIZED = [
    ((NONE, NONE, NONE), "0", "0", 0, 12),
    ((EYE, NONE, NONE), "-2", "2", 4, 4),
    ((NONE, EYE, NONE), "-2", "2", 4, 4),
    ((NONE, NONE, EYE), "-2", "2", 4, 4),
    ((diagonal(ROOT, 0),) * 3, "0", "7.5595263", 0, 9),
    ((diagonal(1, 0), EYE, diagonal(2, 0)), "-1", "9", 1, 7),
    ((EYE, diagonal(1, 0), diagonal(2, 0)), "-1", "9", 1, 7),
    ((diagonal(0, 1),) * 3, "-1", "3", 1, 9),
    ((diagonal(ROOT, 1),) * 3, "0", "7.5595263", 0, 8),
]


def hand_sized():
    return Problem(LinearNet((2,) * 4), Moments.whitened(diagonal(2, 1)))


@pytest.mark.parametrize(("weights", "least", "most", "negative", "zero"), HAND_SIZED)
def test_achour2024_hand_sized_checks(weights, least, most, negative, zero):
    found = hessian_spectrum(hand_sized(), weights)
    assert printed(float(found.values[-1]), least + ".000000")
    assert printed(float(found.values[0]), most if "." in most else most + ".000000")
    assert (found.positive, found.negative, found.zero) == (
        12 - negative - zero,
        negative,
        zero,
    )


def net(widths, std, seed=0):
    random = np.random.default_rng(seed)
    target = random.standard_normal((widths[-1], widths[0]))
    shapes = zip(widths[1:], widths, strict=False)
    weights = tuple(std * random.standard_normal(shape) for shape in shapes)
    problem = Problem(
        LinearNet(tuple(widths)), Moments.whitened(target / np.linalg.norm(target, 2))
    )
    return problem, weights


@pytest.fixture(scope="module")
def middling():
    """A net of 1664 weights, and its eigenvalues from the formula's own matrix."""
    problem, weights = net((10, 32, 32, 10), 0.3)
    return problem, weights, np.linalg.eigvalsh(hessian(problem, weights))[::-1]


def test_all_values_are_those_of_the_matrix_written_out():
    problem, weights = net((3, 4, 2, 3), 1.0)
    target = np.asarray(problem.target)
    matrix = net_oracles.hessian(weights, np.eye(3), target)
    found = hessian_spectrum(problem, weights)
    gap = np.abs(found.values - np.linalg.eigvalsh(matrix)[::-1])
    assert np.all(gap <= 2 * found.tolerance)
    close(found.trace, np.trace(matrix), ulps=200, scale=np.trace(matrix))


@pytest.mark.parametrize(("top", "bottom"), [(3, None), (5, 2), (None, 3)])
def test_ends_of_a_larger_net_are_the_dense_ones(middling, top, bottom):
    problem, weights, values = middling
    found = hessian_spectrum(problem, weights, top=top, bottom=bottom)
    expected = np.r_[values[: top or 0], values[len(values) - (bottom or 0) :]]
    assert found.method == "Lanczos"
    assert found.converged.all()
    assert np.all(np.abs(found.values - expected) <= found.residuals)
    # Values are second-order accurate: what PyHessian loses to its normalisation
    # would show as 2e-6 here.
    close(found.values, expected, ulps=100, scale=values[0])


def test_few_rounds_do_not_claim_to_have_converged(middling):
    problem, weights, values = middling
    found = hessian_spectrum(problem, weights, top=5, rounds=10)
    assert not found.converged.any()
    assert found.applications == 15
    distance = np.abs(values[:, None] - found.values).min(axis=0)
    assert np.all(distance <= found.residuals)


def test_repeated_eigenvalues_at_a_symmetric_point_are_all_found():
    problem = Problem(LinearNet((15, 15, 15)), Moments.whitened(np.eye(15)))
    weights = (2 * np.eye(15), 2 * np.eye(15))
    dense = hessian_spectrum(problem, weights)
    found = hessian_spectrum(problem, weights, top=4, bottom=3)
    assert found.method == "Lanczos"
    expected = np.r_[dense.values[:4], dense.values[-3:]]
    # One mode gives 2^2 + 2^2 + 3 and two 2^2 + 2^2 + 3, as often as there are.
    close(found.values, expected, ulps=100, scale=11.0)
    close(found.values[:4], [11.0] * 4, ulps=100, scale=11.0)


def test_ends_of_a_small_net_are_certain():
    problem, weights = net((3, 4, 2), 1.0)
    full = hessian_spectrum(problem, weights, vectors=True)
    found = hessian_spectrum(problem, weights, top=2, bottom=1, vectors=True)
    assert found.method == "dense"
    assert not found.is_complete
    assert found.values.tolist() == full.values[[0, 1, -1]].tolist()
    assert found.negative == full.negative
    assert np.array_equal(found.vectors, full.vectors[[0, 1, -1]])


@pytest.mark.parametrize("settings", [{}, {"top": 2}, {"top": 2, "rounds": 20}])
def test_vectors_belong_to_their_values(settings):
    problem, weights = net((3, 4, 2), 1.0, seed=3)
    found = hessian_spectrum(problem, weights, vectors=True, **settings)
    rest = hessian(problem, weights) @ found.vectors.T - found.vectors.T * found.values
    assert np.all(np.linalg.norm(rest, axis=0) <= found.residuals + found.tolerance)


def test_vectors_are_kept_only_where_asked():
    problem, weights = net((3, 4, 2), 1.0)
    assert hessian_spectrum(problem, weights, top=1).vectors is None
    assert hessian_spectrum(problem, weights).vectors is None


@pytest.mark.parametrize(("depth", "top"), [(1, 1.0), (4, 4.0)])
def test_the_playground_at_its_minimum(depth, top):
    found = hessian_spectrum(Playground(depth), np.ones(depth), top=1)
    close(found.values, [top], ulps=16, scale=top)


def test_unwhitened_data_keep_their_own_coordinates():
    random = np.random.default_rng(0)
    inputs = random.standard_normal((40, 3)) * [3.0, 1.0, 0.2]
    data = Moments.from_data(inputs, random.standard_normal((40, 2)))
    problem = Problem(LinearNet((3, 4, 2)), data)
    weights = random.standard_normal((4, 3)), random.standard_normal((2, 4))
    factors = np.asarray(data.inputs_factor), np.asarray(data.labels_factor)
    expected = np.linalg.eigvalsh(net_oracles.hessian(weights, *factors))[::-1]
    found = hessian_spectrum(problem, weights)
    assert np.all(np.abs(found.values - expected) <= 2 * found.tolerance)


def test_it_is_saved_as_plain_values(tmp_path):
    problem, weights = net((3, 4, 2), 1.0)
    found = hessian_spectrum(problem, weights, top=2)
    file = found.save(tmp_path / "spectrum.json")
    read = json.loads(file.read_text())
    assert read == found.to_json()
    assert read["values"] == found.values.tolist()
    assert read["converged"] == [True, True]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"top": 0}, "top and bottom are 0 and 0; of 20 eigenvalues from 1 to 20"),
        ({"top": 15, "bottom": 6}, "top and bottom are 15 and 6"),
        ({"top": -1}, "top is -1"),
        ({"top": 1, "rtol": 0.0}, "rtol is 0.0"),
        ({"top": 1, "rounds": 0}, "rounds is 0"),
        ({"memory": 1e-9}, "GiB"),
    ],
)
def test_what_cannot_be_asked_is_refused(settings, told):
    problem, weights = net((3, 4, 2), 1.0)
    with pytest.raises(DomainError, match=told) as error:
        hessian_spectrum(problem, weights, **settings)
    assert is_a_sentence(error.value)


@pytest.mark.parametrize(
    ("a", "b", "c"), [(2.0, 1.0, 1.0), (1.0, 2.0, 1.0), (4.0, 0.5, 1.0)]
)
def test_chitour2023_a_weaker_mode_learnt_first(a, b, c):
    """Mode 2 of 3, 2, 1 learnt by one unit a layer: the block of modes 1 and 2."""
    target = np.eye(3, 5) * [3.0, 2.0, 1.0, 0.0, 0.0]
    problem = Problem(LinearNet((5, 4, 4, 3)), Moments.whitened(target))
    weights = [np.zeros(shape) for shape in problem.net.shapes]
    weights[0][0, 1], weights[1][0, 0], weights[2][1, 0] = a, b, c
    middle, half = b**2 * (a**2 + c**2) / 2, b**2 * (a**2 - c**2) / 2
    least = middle - (half**2 + (3 * b) ** 2) ** 0.5
    found = hessian_spectrum(problem, tuple(weights))
    assert abs(found.values[-1] - least) <= found.tolerance
    assert found.negative == 1
