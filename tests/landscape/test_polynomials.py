"""Polynomial laws against a kernel in fractions, and their number in closed form."""

import itertools
from math import comb

import numpy as np
import pytest
from flint import fmpz_mat

from thalweg import LinearNet
from thalweg._core.errors import DomainError
from thalweg.landscape.polynomials import polynomial_laws


def kernel(widths, degree):
    """The kernel's dimension over the rationals, by values at many whole points."""
    shapes = [(b, a) for a, b in itertools.pairwise(widths)]
    size = sum(a * b for a, b in shapes)
    picks = list(itertools.combinations_with_replacement(range(size), degree))
    draw = np.random.default_rng(0)
    rows = []
    for _ in range(len(picks) + 4):
        point = draw.integers(-5, 6, size)
        parts = np.split(point, np.cumsum([a * b for a, b in shapes])[:-1])
        layers = [p.reshape(s) for p, s in zip(parts, shapes, strict=True)]
        error = draw.integers(-5, 6, (widths[-1], widths[0]))
        slopes = []
        for j in range(len(layers)):
            above, below = np.eye(widths[-1], dtype=int), np.eye(widths[0], dtype=int)
            for layer in layers[:j]:
                below = layer @ below
            for layer in reversed(layers[j + 1 :]):
                above = above @ layer
            slopes.append((above.T @ error @ below.T).ravel())
        slope = np.concatenate(slopes)
        rows.append(
            [
                sum(
                    int(slope[k]) * int(np.prod(point[list(pick[:i] + pick[i + 1 :])]))
                    for i, k in enumerate(pick)
                )
                for pick in picks
            ]
        )
    return len(picks) - fmpz_mat(rows).rank()


@pytest.mark.parametrize(
    ("widths", "degree"),
    [((1, 1, 1), 2), ((2, 1, 2), 2), ((1, 3, 1), 2), ((1, 2, 2, 1), 2), ((2, 2, 2), 3)],
)
def test_the_number_is_that_of_a_kernel_in_whole_numbers(widths, degree):
    assert polynomial_laws(LinearNet(widths), degree).laws == kernel(widths, degree)


@pytest.mark.parametrize(
    "degree",
    [
        1,
        2,
        3,
        4,
        pytest.param(5, marks=pytest.mark.slow),
        pytest.param(6, marks=pytest.mark.slow),
    ],
)
def test_the_seventh_law_of_1_2_2_1_is_no_polynomial(degree):
    # Six independent quadratic forms: all their polynomials, and nothing else.
    found = polynomial_laws(LinearNet((1, 2, 2, 1)), degree)
    wanted = 0 if degree % 2 else comb(degree // 2 + 5, 5)
    assert (found.laws, found.balancedness) == (wanted, wanted)
    assert found.are_balancedness
    assert found.to_json()["are_balancedness"]


def test_angular_momenta_of_1_4_1_are_polynomials_of_their_own():
    # x_i y_j - x_j y_i, six of them, beside the ten entries of y y' - x x'.
    found = polynomial_laws(LinearNet((1, 4, 1)), 2)
    assert (found.laws, found.balancedness) == (16, 10)


def test_a_single_layer_keeps_nothing():
    assert polynomial_laws(LinearNet((2, 2)), 2).laws == 0


@pytest.mark.parametrize(("widths", "degree"), [((3, 3, 3), 4), ((2, 2), 0)])
def test_what_cannot_be_gone_through_is_refused(widths, degree):
    with pytest.raises(DomainError, match=r"at most 2000|whole number >= 1"):
        polynomial_laws(LinearNet(widths), degree)


def test_wide_nets_take_no_more_memory_than_their_equations():
    # x = u + v and y = u - v grow and shrink: all products of their entries are kept.
    found = polynomial_laws(LinearNet((1, 30, 1)), 2)
    assert (found.laws, found.balancedness) == (30 * 30, 30 * 31 // 2)
