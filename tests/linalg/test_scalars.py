"""A ball of a single number holds it, and says when it knows nothing."""

import math
from fractions import Fraction

import exact_oracles as oracle
import mpmath
import numpy as np
import pytest
from flint import arb
from hypothesis import given
from hypothesis import strategies as st

from thalweg._core.errors import DataError, DomainError
from thalweg.linalg import balls
from thalweg.linalg.balls import bounds


@pytest.mark.parametrize(
    ("lo", "hi"),
    [(0.1, 0.2), (-1.0, 5e-324), (0.3, 0.3), (-1e308, 1.7e308), (0.0, 1e-320)],
)
def test_an_interval_holds_its_ends(lo, hi):
    ball = balls.interval(lo, hi)
    assert ball.contains(arb(lo))
    assert ball.contains(arb(hi))


@pytest.mark.parametrize(("lo", "hi"), [(-math.inf, 0.0), (1.0, math.inf)])
def test_an_endless_interval_is_no_bound(lo, hi):
    assert bounds(balls.interval(lo, hi)) == (-math.inf, math.inf)


@pytest.mark.parametrize(("lo", "hi"), [(1.0, 0.0), (math.nan, 1.0)])
def test_an_interval_has_ordered_ends(lo, hi):
    with pytest.raises(DomainError, match="order its ends"):
        balls.interval(lo, hi)


@given(st.fractions())
def test_bounds_lie_outside_by_at_most_a_few_roundings(exact):
    lo, hi = bounds(balls.scalar(exact))
    assert Fraction(lo) <= exact <= Fraction(hi)
    assert hi - lo <= 4 * 2.0**-52 * abs(hi) + 1e-322


@pytest.mark.parametrize(
    ("ball", "expected"),
    [
        (arb(1e308) * 100, (np.finfo(float).max, math.inf)),
        (-arb(1e308) * 100, (-math.inf, -np.finfo(float).max)),
        (arb(2) ** -5000, (0.0, 5e-324)),
        (arb("nan"), (-math.inf, math.inf)),
        (arb(0, math.inf), (-math.inf, math.inf)),
        (arb(1), (1.0, 1.0)),
    ],
    ids=["huge", "hugely negative", "tiny", "nan", "infinite", "exact"],
)
def test_bounds_are_rounded_outward(ball, expected):
    assert bounds(ball) == expected


@pytest.mark.parametrize("value", [math.nan, math.inf, 1j, "x", None])
def test_what_is_no_real_number_is_no_scalar(value):
    with pytest.raises(DataError, match="finite real number"):
        balls.scalar(value)


@given(
    st.lists(st.tuples(st.floats(-9, 9), st.floats(0, 5)), min_size=1, max_size=4),
    st.floats(0, 1),
)
def test_extrema_hold_the_extremum_of_every_choice(pairs, share):
    each = [balls.interval(middle - width, middle + width) for middle, width in pairs]
    chosen = [
        Fraction(middle - width) * (1 - Fraction(share))
        + Fraction(middle + width) * Fraction(share)
        for middle, width in pairs
    ]
    assert oracle.holds(balls.largest(each), max(chosen))
    assert oracle.holds(balls.smallest(each), min(chosen))


def test_the_largest_is_at_least_what_is_surely_there():
    # `arb.max` would answer with the union, down to one half.
    assert balls.largest([balls.interval(0.5, 1.5), arb(1)]) > 0.999


@given(st.floats(-5, 5), st.floats(0, 3), st.floats(-1, 1))
def test_absolute_value_and_positive_part_hold_those_of_every_choice(middle, width, at):
    ball = balls.interval(middle - width, middle + width)
    exact = Fraction(middle) + Fraction(at) * Fraction(width) * Fraction(999, 1000)
    if not Fraction(middle - width) <= exact <= Fraction(middle + width):
        exact = Fraction(middle - width)
    assert oracle.holds(balls.absolute(ball), abs(exact))
    assert oracle.holds(balls.positive_part(ball), max(exact, Fraction(0)))


@pytest.mark.parametrize("wide", [0, 1e-3, 0.4])
@pytest.mark.parametrize(
    ("p", "q"), [(1, 2), (2, 3), (7, 1), (0, 3), (-1, 2), (6, 4), (1, 64)]
)
def test_a_power_holds_that_of_either_end(p, q, wide):
    ball = balls.interval(0.5 - wide, 0.5 + wide)
    with mpmath.workdps(40):
        ends = [mpmath.mpf(x) ** (mpmath.mpf(p) / q) for x in (0.5 - wide, 0.5 + wide)]
    found = balls.power(ball, p, q)
    assert all(oracle.holds(found, end, Fraction(1, 10**30)) for end in ends)
    assert found.is_finite()


@pytest.mark.parametrize(("p", "q"), [(1, 2), (2, 3), (3, 1), (1, 7)])
def test_a_power_of_a_ball_around_zero_starts_at_zero(p, q):
    found = balls.power(arb(0, 1), p, q)
    lo, hi = bounds(found)
    assert lo == pytest.approx(0, abs=1e-8)
    assert hi == pytest.approx(1)
    assert hi >= 1


@pytest.mark.parametrize(("p", "q"), [(1, 2), (2, 3), (3, 1), (1, 7)])
def test_a_power_of_zero_is_zero(p, q):
    assert balls.power(arb(0), p, q) == 0


@pytest.mark.parametrize(("p", "q", "root"), [(1, 2, 3), (3, 2, 27)])
def test_the_root_of_a_square_is_exact(p, q, root):
    assert balls.power(arb(9), p, q) == root


@pytest.mark.parametrize(
    "lost",
    [
        lambda: balls.sqrt(arb(-1)),
        lambda: balls.power(arb(0, 1), -1),
        lambda: balls.power(arb(0), -1, 2),
        lambda: balls.log(arb(0, 1)),
        lambda: balls.log(0),
        lambda: balls.log(-1),
        lambda: balls.sqrt(arb("nan")),
        lambda: balls.absolute(arb("nan")),
        lambda: balls.total([arb("nan"), 1]),
        lambda: balls.prod([arb(0, math.inf), 0]),
        lambda: balls.largest([arb("nan"), 1]),
        lambda: balls.positive_part(arb(0, math.inf)),
    ],
)
def test_where_nothing_can_be_said_the_ball_is_infinite(lost):
    ball = lost()
    assert bounds(ball) == (-math.inf, math.inf)
    assert not ball.is_nan()


@given(st.floats(1e-300, 1e300))
def test_a_logarithm_holds_the_exact_one(value):
    with mpmath.workdps(40):
        exact = mpmath.log(mpmath.mpf(value))
    assert oracle.holds(balls.log(value), exact, Fraction(1, 10**30))
