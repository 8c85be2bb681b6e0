"""Counted signs against Sylvester's law, proved ones against exact arithmetic."""

import numpy as np
import pytest
from flint import fmpq_mat
from hypothesis import given, settings
from hypothesis import strategies as st

from thalweg._core.errors import DomainError
from thalweg.landscape._curvature.second_order import Products, point
from thalweg.landscape.hessian import flat, layered
from thalweg.landscape.inertia import (
    form_on,
    inertia,
    proven_negative,
    proven_positive,
)
from thalweg.landscape.spectrum import hessian_spectrum
from thalweg.linalg import exact
from thalweg.problem.moments import Moments
from thalweg.problem.nets import LinearNet
from thalweg.problem.problem import Problem
from thalweg.problem.scalar import Playground

EYE, NONE = np.eye(2), np.zeros((2, 2))


def signs(found):
    return found.positive, found.zero, found.negative


def unwhitened(sizes, widths=(3, 4, 2), seed=0, samples=30):
    random = np.random.default_rng(seed)
    basis = np.linalg.qr(random.standard_normal((samples, widths[0])))[0]
    labels = random.standard_normal((samples, widths[-1]))
    data = Moments.from_data(basis * np.asarray(sizes), labels)
    shapes = zip(widths[1:], widths, strict=False)
    weights = tuple(random.standard_normal(shape) for shape in shapes)
    return Problem(LinearNet(tuple(widths)), data), weights


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ((NONE, NONE, NONE), (0, 12, 0)),
        ((EYE, NONE, NONE), (4, 4, 4)),
        ((np.diag([1.0, 0.0]), EYE, np.diag([2.0, 0.0])), (4, 7, 1)),
        ((np.diag([0.0, 1.0]),) * 3, (2, 9, 1)),
        ((np.diag([2 ** (1 / 3), 1.0]),) * 3, (4, 8, 0)),
    ],
)
def test_achour2024_hand_sized_signs_are_proved(weights, expected):
    problem = Problem(LinearNet((2,) * 4), Moments.whitened(np.diag([2.0, 1.0])))
    assert signs(inertia(problem, weights)) == expected
    assert proven_positive(problem, weights, None).count == expected[0]
    assert proven_negative(problem, weights, None).count == expected[2]


@pytest.mark.parametrize("seed", range(4))
def test_it_counts_as_the_spectrum_does(seed):
    problem, weights = unwhitened([2.0, 1.0, 0.5], seed=seed)
    full = hessian_spectrum(problem, weights)
    assert signs(inertia(problem, weights)) == (
        full.positive,
        full.zero,
        full.negative,
    )


def test_inputs_of_very_different_size_change_no_sign():
    problem, weights = unwhitened([1.0, 1.0, 1.0])
    stretched, _ = unwhitened([1e3, 1.0, 1e-4])
    # The same reduced chain, so by Sylvester's law the same signs.
    moved = (weights[0] / [1e3, 1.0, 1e-4], weights[1])
    assert signs(inertia(stretched, moved)) == signs(inertia(problem, weights))
    assert inertia(stretched, moved).gap > 1e6


def test_inputs_that_never_vary_leave_zeros():
    random = np.random.default_rng(0)
    inputs = random.standard_normal((30, 2)) @ random.standard_normal((2, 4))
    labels = random.standard_normal((30, 3))
    problem = Problem(LinearNet((4, 5, 3)), Moments.from_data(inputs, labels))
    weights = random.standard_normal((5, 4)), random.standard_normal((3, 5))
    found = inertia(problem, weights)
    assert found.zero >= 5 * 2
    assert sum(signs(found)) == 35


def test_a_gap_tells_how_sure_the_counts_are():
    assert inertia(Playground(2), np.zeros(2)).gap == float("inf")
    assert inertia(Playground(2), np.zeros(2)).to_json()["gap"] is None
    problem = Problem(LinearNet((2, 3, 2)), Moments.whitened(np.diag([2.0, 1.0])))
    weights = np.full((3, 2), 0.3), np.full((2, 3), 0.7)
    assert inertia(problem, weights).gap > 100


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1), small=st.sampled_from([1.0, 1e-3, 1e-8]))
def test_never_more_is_proved_than_there_is(seed, small):
    """The exact leading minors of the exact form alternate as Sylvester says."""
    random = np.random.default_rng(seed)
    problem = Problem(
        LinearNet((2, 2, 2)), Moments.whitened(random.standard_normal((2, 2)))
    )
    weights = tuple(small * random.standard_normal((2, 2)) for _ in range(2))
    found = proven_negative(problem, weights, None)
    full = hessian_spectrum(problem, weights)
    assert found.count == full.negative
    form = exact_form(problem, weights, found.directions)
    for size in range(1, found.count + 1):
        minor = exact_minor(form, size)
        assert minor < 0 if size % 2 else minor > 0


def exact_form(problem, weights, directions):
    layers, _, labels = point(problem, weights)
    products = Products.of(tuple(map(exact.matrix, layers)), None, exact.matrix(labels))
    rows = []
    for right in directions:
        image = products.along(tuple(map(exact.matrix, right)))
        rows.append(
            [
                sum(
                    (exact.matrix(w).T @ h).data[i, i]
                    for w, h in zip(left, image, strict=True)
                    for i in range(w.shape[1])
                )
                for left in directions
            ]
        )
    return rows


def exact_minor(rows, size):
    entries = [rows[i][j] for i in range(size) for j in range(size)]
    return fmpq_mat(size, size, entries).det()


def test_a_form_is_enclosed():
    problem, weights = unwhitened([2.0, 1.0, 0.5])
    white = Problem(LinearNet((3, 4, 2)), Moments.whitened(np.eye(2, 3)))
    random = np.random.default_rng(1)
    directions = tuple(layered(problem, random.standard_normal(20)) for _ in range(3))
    form, gram = form_on(white, weights, directions)
    expected = np.array(
        [[float(x) for x in row] for row in exact_form(white, weights, directions)]
    )
    assert np.linalg.norm(form.midpoint - expected) <= form.radius + 1e-15
    assert form.radius < 1e-10
    flattened = np.stack([flat(chain) for chain in directions])
    close_gram = np.linalg.norm(gram.midpoint - flattened @ flattened.T)
    assert close_gram <= 2 * gram.radius


def test_a_count_is_proved_of_data_that_are_not_white():
    problem, weights = unwhitened([2.0, 1.0, 0.5])
    counted = inertia(problem, weights)
    assert proven_negative(problem, weights, None).count == counted.negative
    assert proven_positive(problem, weights, None).count == counted.positive


def test_directions_are_weights_of_the_problem():
    problem, weights = unwhitened([2.0, 1.0, 0.5])
    found = proven_negative(problem, weights)
    assert [part.shape for part in found.directions[0]] == [(4, 3), (2, 4)]
    value = hessian_spectrum(problem, weights, bottom=1).values[0]
    assert 0.999 * -value < found.margin <= -value
    assert found.to_json()["count"] == 1


def test_nothing_is_proved_where_nothing_is_there():
    toy = Playground(3)
    assert proven_negative(toy, np.ones(3)).count == 0
    assert proven_negative(toy, np.ones(3), None).count == 0
    assert proven_positive(toy, np.zeros(3)).count == 0
    assert proven_negative(toy, np.ones(3)).directions == ()


def test_a_larger_net_goes_by_lanczos():
    random = np.random.default_rng(0)
    problem = Problem(
        LinearNet((10, 20, 20, 5)), Moments.whitened(random.standard_normal((5, 10)))
    )
    weights = tuple(0.3 * random.standard_normal(s) for s in problem.net.shapes)
    found = proven_negative(problem, weights, 3)
    assert found.count == found.asked == 3


def test_more_than_there_are_weights_is_refused():
    with pytest.raises(DomainError, match="count is 4; the net has 3 weights"):
        proven_negative(Playground(3), np.ones(3), 4)
    with pytest.raises(DomainError, match="count is 0"):
        proven_negative(Playground(3), np.ones(3), 0)
