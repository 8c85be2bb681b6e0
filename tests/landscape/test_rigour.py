"""What is proved of stored numbers, against the signs of dense Hessians."""

import re

import numpy as np
import pytest

import thalweg as tw
from saddles import drawn, hessian
from thalweg.landscape._saddles.exactly import Point
from thalweg.landscape.kinds import Kind
from thalweg.landscape.rigour import (
    change_along,
    exact_kind,
    exact_signs,
    is_tightened,
    prove,
)
from thalweg.landscape.strictness import classify
from thalweg.linalg import exact


def square(*values, depth=3):
    data = tw.Moments.whitened(np.diag(np.asarray(values, float)))
    return tw.Problem(tw.LinearNet((len(values),) * (depth + 1)), data)


def chain(*diagonals):
    return tuple(np.diag(np.asarray(d, float)) for d in diagonals)


def diagonal(seed):
    """A critical point of integers: diagonal layers, every mode on its own."""
    rng = np.random.default_rng(seed)
    depth = int(rng.integers(2, 5))
    values = [(2, 1), (2, 2), (1, 2), (3, 0)][seed % 4]
    layers = rng.integers(0, 2, (depth, 2)).astype(float)
    for mode, value in enumerate(values):
        column = layers[:, mode]
        if column.all():
            layers[0, mode] = value
        elif value and np.sum(column == 0) == 1:
            # One zero alone leaves a gradient.
            column[:2] = 0
    return square(*values, depth=depth), tuple(np.diag(row) for row in layers)


@pytest.mark.parametrize("seed", range(80))
def test_fractions_and_floats_come_to_the_same_kind(seed):
    problem, weights = diagonal(seed)
    point = Point.stored(problem, problem.check(weights))
    signs = np.linalg.eigvalsh(hessian(problem, weights))
    negative, zero, positive = exact_signs(point)
    assert negative == np.sum(signs < -1e-12)
    assert zero == np.sum(np.abs(signs) <= 1e-12)
    assert positive == np.sum(signs > 1e-12)
    found = classify(problem, weights, rigorous=True)
    assert found.proof.is_critical
    assert found.proof.kind is found.kind is exact_kind(point)
    assert (found.kind is Kind.STRICT_SADDLE) == (negative > 0)
    assert found.is_tightened == is_tightened(point, exact.rank(point.prediction))


@pytest.mark.parametrize("seed", range(12))
def test_a_proved_curvature_is_one_the_hessian_has(seed):
    problem, weights = drawn(seed, (4, 3, 3, 3), [3.0, 2.0, 1.0], [2], white=False)
    found = classify(problem, weights, rigorous=True)
    assert found.kind is Kind.STRICT_SADDLE
    assert not found.proof.is_critical
    assert found.proof.kind is None
    lowest = np.linalg.eigvalsh(hessian(problem, weights))[0]
    assert lowest <= found.proof.curvature + 1e-13 * 100 < 0
    printed = re.search(r"at most (-[\d.e-]+)", found.proof.statement)
    assert float(printed[1]) >= found.proof.curvature
    assert "not exactly zero" in found.proof.statement


def test_fractions_see_what_floats_count_as_zero():
    # One layer is tiny: exactly a strict saddle, to rounding not.
    weights = chain((0, 0), (2**-40, 2**-40), (0, 0))
    assert classify(square(2, 1), weights).kind is Kind.NON_STRICT_SADDLE
    found = classify(square(2, 1), weights, rigorous=True)
    assert found.kind is found.proof.kind is Kind.STRICT_SADDLE
    assert not found.caveats
    weights = chain((0, 0), (2**-60, 2**-60), (0, 0))
    found = classify(square(2, 1), weights, rigorous=True)
    assert (found.kind, found.proof.kind) == (Kind.NON_STRICT_SADDLE, "strict saddle")
    assert "fractions say it is a strict saddle" in found.caveats[-1]


@pytest.mark.parametrize("value", [2.0, 0.1, 1 / 3, 1e-3])
def test_equal_singular_values_are_equal_as_fractions(value):
    weights = chain((value, 0), (1, 0), (1, 0))
    proof = prove(square(value, value), weights)
    assert proof.kind is Kind.NON_STRICT_SADDLE
    assert proof.statement == (
        "proved: the gradient is exactly zero, and this is a non-strict saddle."
    )


def test_nearly_equal_singular_values_are_told_apart():
    more = float(np.nextafter(1, 2))
    right, wrong = chain((more, 0), (1, 0), (1, 0)), chain((0, 1), (0, 1), (0, 1))
    problem = square(more, 1.0)
    assert prove(problem, right).kind is Kind.NON_STRICT_SADDLE
    assert prove(problem, wrong).kind is Kind.STRICT_SADDLE


def test_equal_singular_values_that_are_no_fractions_have_squares_that_are():
    # Both singular values are the root of two.
    labels = np.array([[1.0, 1.0], [1.0, -1.0]])
    problem = tw.Problem(tw.LinearNet((2, 2, 2, 2)), tw.Moments.whitened(labels))
    keep = np.diag([1.0, 0.0])
    proof = prove(problem, (keep @ labels, keep, keep))
    assert proof.is_critical
    # Its square is a fraction all the same, and that is what is compared.
    assert proof.kind is Kind.NON_STRICT_SADDLE


def test_the_loss_along_a_direction_is_a_fraction():
    toy = tw.Playground(2)
    assert change_along(toy, toy.check([0.0, 0.0]), [0.5, 0.25]) == exact.scalar(-0.125)


def test_nothing_is_claimed_that_is_not_proved():
    root = 2 ** (1 / 3)
    proof = prove(square(2, 1), chain((root, 0), (root, 0), (root, 0)))
    assert (proof.kind, proof.curvature, proof.is_critical) == (None, None, False)
    assert proof.statement.startswith("nothing is proved")
