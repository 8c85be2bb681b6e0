"""Marcotte, Gribonval, Peyre: the count against ranks taken in other ways."""

import itertools

import numpy as np
import pytest
from flint import fmpz_mat
from hypothesis import given, settings
from hypothesis import strategies as st

import thalweg as tw
from thalweg.theorems._base import Case
from thalweg.theorems.marcotte2023 import number_of_laws, rank_at


def invariants(flat, widths):
    parts = np.split(
        flat, np.cumsum([a * b for a, b in itertools.pairwise(widths)])[:-1]
    )
    shapes = [(b, a) for a, b in itertools.pairwise(widths)]
    layers = [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
    gaps = [
        above.T @ above - below @ below.T for below, above in itertools.pairwise(layers)
    ]
    return np.concatenate([gap.ravel() for gap in gaps])


def exact_rank(flat, widths):
    """The Jacobian's rank in whole numbers: invariants are quadratic forms."""
    units = np.eye(flat.size, dtype=int)
    rows = [invariants(flat + e, widths) - invariants(flat - e, widths) for e in units]
    return fmpz_mat(np.array(rows).tolist()).rank()


ARCHITECTURES = [
    widths
    for layers in (2, 3, 4)
    for widths in itertools.product((1, 2, 3), repeat=layers + 1)
]


@given(widths=st.sampled_from(ARCHITECTURES), seed=st.integers(0, 9))
@settings(max_examples=60)
def test_the_formula_is_the_rank_at_a_random_whole_point(widths, seed):
    size = sum(a * b for a, b in itertools.pairwise(widths))
    flat = np.random.default_rng(seed).integers(-50, 50, size)
    assert exact_rank(flat, widths) <= number_of_laws(widths)
    ranks = {
        exact_rank(np.random.default_rng(seed + k).integers(-50, 50, size), widths)
        for k in (0, 10)
    }
    assert max(ranks) == number_of_laws(widths)


@pytest.mark.parametrize("widths", [(10, 10, 10, 10), (784, 5, 10), (3000, 2, 3)])
def test_the_rank_modulo_a_prime_reaches_the_formula(widths):
    draw = np.random.default_rng(0).standard_normal
    layers = [draw((b, a)) for a, b in itertools.pairwise(widths)]
    laws = number_of_laws(widths)
    assert rank_at(layers, laws + 8) == laws


@given(seed=st.integers(0, 2**32 - 1), widths=st.sampled_from([(2, 2, 2), (2, 3, 2)]))
@settings(max_examples=20)
def test_at_starts_of_few_values_the_rank_is_decided_exactly(seed, widths):
    # Small whole weights, many of them zero: often not generic.
    rng = np.random.default_rng(seed)
    size = sum(a * b for a, b in itertools.pairwise(widths))
    flat = rng.integers(-1, 2, size)
    problem = tw.Problem(
        tw.LinearNet(widths), tw.Moments.whitened(np.eye(widths[-1], widths[0]))
    )
    parts = np.split(flat.astype(float), [widths[0] * widths[1]])
    start = [parts[0].reshape(widths[1], -1), parts[1].reshape(widths[2], -1)]
    told = tw.certify("marcotte2023.NumberOfLaws", problem, start)
    generic = exact_rank(flat, widths) == number_of_laws(widths)
    assert told.verdict == ("proved" if generic else "refuted")
    assert all(c.verdict == "proved" for c in told.conclusions)


def test_wide_nets_are_left_undecided_quickly():
    widths = (60, 60, 60)
    rng = np.random.default_rng(0)
    problem = tw.Problem(tw.LinearNet(widths), tw.Moments.whitened(np.eye(60)))
    start = [rng.standard_normal((60, 60)) for _ in range(2)]
    told = tw.certify("marcotte2023.NumberOfLaws", problem, start)
    assert told.verdict == "undecided"


def test_an_inexact_start_is_undecided():
    problem = tw.Problem(tw.LinearNet((2, 2, 2)), tw.Moments.whitened(np.eye(2)))
    start = problem.check([np.eye(2), 2 * np.eye(2)])
    (_, generic) = tw.theorem("marcotte2023.NumberOfLaws").hypotheses(
        Case(problem, start, radius=1e-9)
    )
    assert generic.verdict == "undecided"


@pytest.mark.parametrize(
    ("widths", "more"),
    [((1, 4, 1), 0), ((1, 1, 1, 1), 0), ((1, 2, 2, 1), 1), ((1, 3, 3, 1), 2)],
)
def test_from_one_number_to_one_some_kept_functions_are_no_balancedness_laws(
    widths, more
):
    # Every loss of the one product moves along its gradient, so all functions but
    # one are kept: MATH F.5 counts 7 for 1-2-2-1 and 14 for 1-3-3-1.
    weights = sum(a * b for a, b in itertools.pairwise(widths))
    assert weights - 1 - number_of_laws(widths) == more
