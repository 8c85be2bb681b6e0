"""Learning coefficients against integrals over singular values, done by hand."""

from fractions import Fraction
from itertools import permutations, product

import numpy as np
import pytest
from scipy.optimize import linprog

from thalweg._core.errors import DomainError
from thalweg.landscape.coefficient import learning_coefficient
from thalweg.problem.nets import LinearNet


def two_layers(widths):
    r"""Coefficient and multiplicity of `||W_2 W_1||^2`, exactly.

    In singular values $s_i = \beta^{-x_i/2}$ of $W_1$, $x_1 \ge x_2 \ge \dots \ge 0$,
    their density is $\beta$ to minus $\sum_i x_i c_i$ with
    $c_i = (|d_0 - d_1| + 1)/2 + i - 1$, and the integral over $W_2$ of
    $e^{-\beta ||W_2 W_1||^2}$ is $\beta$ to minus $\sum_i (1 - x_i)_+ d_2 / 2$. The
    least exponent is $\lambda$, the dimension of where it is taken $m - 1$.
    """
    first, middle, last = widths
    costs = [
        Fraction(abs(first - middle) + 1, 2) + i for i in range(min(first, middle))
    ]
    half = Fraction(last, 2)
    ties = sum(cost == half for cost in costs)
    return sum(min(cost, half) for cost in costs), 1 + ties


def three_layers(widths):
    r"""The same of `||W_3 W_2 W_1||^2`, singular values at both ends, by a program.

    $W_2$ is turned into both bases; its entries' integral is
    $\sum_{ij} (1 - x_i - z_j)_+ / 2$, a singular value that does not exist being zero.
    """
    d0, d1, d2, d3 = widths
    p, q = min(d0, d1), min(d2, d3)
    pairs = [(i, j) for i in range(d1) for j in range(d2) if i < p and j < q]
    size = p + q + len(pairs)
    cost = np.concatenate(
        [
            [(abs(d0 - d1) + 1) / 2 + i for i in range(p)],
            [(abs(d3 - d2) + 1) / 2 + j for j in range(q)],
            np.full(len(pairs), 0.5),
        ]
    )
    rows, limits = [], []
    for at, (i, j) in enumerate(pairs):
        row = np.zeros(size)
        row[i], row[p + j], row[p + q + at] = -1, -1, -1
        rows.append(row)
        limits.append(-1.0)
    for start, length in ((0, p), (p, q)):
        for i in range(length - 1):
            row = np.zeros(size)
            row[start + i], row[start + i + 1] = -1, 1
            rows.append(row)
            limits.append(0.0)
    best = linprog(cost, rows, limits).fun
    on_face = {"A_ub": np.vstack([rows, cost]), "b_ub": [*limits, best + 1e-9]}
    draws = np.random.default_rng(0).standard_normal((8, p + q))
    corners = []
    for draw, sign in product(draws, (1, -1)):
        aim = np.concatenate([sign * draw, np.zeros(len(pairs))])
        corners.append(linprog(aim, bounds=(0, 9), **on_face).x[: p + q])
    spread = np.array(corners) - corners[0]
    return best, 1 + int(np.linalg.matrix_rank(spread, tol=1e-6))


@pytest.mark.parametrize("depth", range(1, 9))
def test_scalar_nets_are_monomials(depth):
    found = learning_coefficient((1,) * (depth + 1), 0)
    assert (found.value, found.multiplicity) == (Fraction(1, 2), depth)


def test_two_layers_agree_with_the_integral_over_singular_values():
    for widths in product(range(1, 8), repeat=3):
        found = learning_coefficient(widths, 0)
        assert (found.value, found.multiplicity) == two_layers(widths), widths


@pytest.mark.parametrize(
    "widths", sorted({tuple(sorted(w)) for w in product(range(1, 5), repeat=4)})
)
def test_three_layers_agree_with_a_linear_program(widths):
    inner = (widths[1], *widths[2:], widths[0])
    value, multiplicity = three_layers(inner)
    found = learning_coefficient(inner, 0)
    assert float(found.value) == pytest.approx(value, abs=1e-8)
    assert found.multiplicity == multiplicity


@pytest.mark.parametrize("widths", [(2, 1, 2), (1, 2, 1), (2, 2, 2), (3, 2, 1, 4)])
def test_the_order_of_the_widths_does_not_matter_at_rank_zero(widths):
    found = {
        (c.value, c.multiplicity)
        for c in (learning_coefficient(w, 0) for w in permutations(widths))
    }
    assert len(found) == 1


def test_one_layer_is_regular():
    for inputs, outputs in product(range(1, 5), repeat=2):
        for rank in range(min(inputs, outputs) + 1):
            found = learning_coefficient((inputs, outputs), rank)
            assert found.value == Fraction(inputs * outputs, 2)
            assert found.multiplicity == 1


def test_a_full_rank_true_matrix_is_regular():
    found = learning_coefficient(LinearNet((2, 2, 2)), 2)
    assert (found.value, found.multiplicity, found.dimension) == (2, 1, 8)


@pytest.mark.parametrize("widths", [(3, 4, 2), (4, 3, 3, 4), (2, 5, 5, 5, 2)])
def test_a_wider_space_never_makes_it_smaller(widths):
    for rank in range(min(widths) + 1):
        base = learning_coefficient(widths, rank).value
        for place in range(len(widths)):
            wider = tuple(w + (i == place) for i, w in enumerate(widths))
            assert learning_coefficient(wider, rank).value >= base
        assert base <= Fraction(widths[0] * widths[-1], 2)


def test_it_is_bounded_however_deep_the_net():
    values = [learning_coefficient((4,) * n, 0).value for n in range(2, 60)]
    assert values == sorted(values, reverse=True)
    assert values[-1] > 0
    assert values[0] == 8


@pytest.mark.parametrize(
    ("widths", "rank"),
    [((2, 1, 2), 0), ((1, 2, 1), 0), ((2, 2, 2), 0), ((2, 1, 2), 1), ((2, 2, 2), 1)],
)
def test_the_volume_of_nearly_optimal_nets_falls_as_it_says(widths, rank):
    """Slope of the log of the mean of exp(-beta ||W_2 W_1 - target||^2).

    The mean over a Gaussian last layer is a Gaussian integral, done exactly; that
    over the first is sampled. What is left after the first powers of log(beta) makes
    up the tolerance.
    """
    first, middle, last = widths
    draws = np.random.default_rng(7).standard_normal((400_000, middle, first))
    _, values, turns = np.linalg.svd(draws, full_matrices=False)
    seen = turns[:, :, :rank] ** 2 if rank else np.zeros((len(draws), 1, 1))
    unseen = rank - np.sum(seen, axis=(1, 2))
    found = learning_coefficient(widths, rank)
    beta = np.geomspace(1e3, 1e5, 5)
    volume = []
    for b in beta:
        shrunk = 1 / (1 + 2 * b * values**2)
        weight = np.prod(shrunk, axis=1) ** (last / 2)
        misfit = b * (np.sum(seen * shrunk[:, :, None], axis=(1, 2)) + unseen)
        volume.append(np.mean(weight * np.exp(-misfit)))
    corrected = np.log(volume) - (found.multiplicity - 1) * np.log(np.log(beta))
    slope = -np.polyfit(np.log(beta), corrected, 1)[0]
    assert slope == pytest.approx(float(found.value), rel=0.06)


def test_it_tells_what_it_counted():
    found = learning_coefficient((9, 2, 3, 2), 1)
    assert found.chosen == (1, 2, 3)
    assert found.to_json()["value"] == float(found.value)
    assert "regular model of 30 parameters" in str(found)


@pytest.mark.parametrize(
    ("net", "rank", "words"),
    [
        ((2, 2), 3, "ranks from 0 to 2"),
        ((2,), 0, "at least an input and an output"),
        (3, 0, "pass a LinearNet or its widths"),
        ((2, 2), -1, "whole number >= 0"),
    ],
)
def test_what_cannot_be_is_refused(net, rank, words):
    with pytest.raises(DomainError, match=words):
        learning_coefficient(net, rank)
