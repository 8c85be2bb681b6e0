"""Balls narrow with the precision, and one definition runs in three arithmetics."""

import math
from fractions import Fraction

import exact_oracles as oracle
import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from flint import arb, ctx
from hypothesis import given
from hypothesis import strategies as st

from thalweg._core.errors import DataError, DomainError
from thalweg.linalg import balls, enclose, floats
from thalweg.linalg.balls import bounds, working_precision
from thalweg.linalg.chain import end_to_end, invariants

ARITHMETICS = pytest.mark.parametrize(
    "la", [floats, enclose, balls], ids=["floats", "enclose", "balls"]
)
RIGOROUS = pytest.mark.parametrize("la", [enclose, balls], ids=["enclose", "balls"])


def gaussian(rows, columns, seed=0):
    return np.random.default_rng(seed).standard_normal((rows, columns))


CHAIN = [gaussian(4, 3), gaussian(5, 4, 1), gaussian(2, 5, 2)]


def number(value):
    return float(value.mid()) if isinstance(value, arb) else float(value)


# One definition, three arithmetics


def imbalance(weights, la=floats):
    return la.largest([la.norm(c) for c in invariants(weights)])


def margin(weights, la=floats):
    target = la.identity(2) @ la.matrix(gaussian(2, 3, 3))
    return la.smallest_singular_value(target) - la.norm(end_to_end(weights) - target)


def constant(weights, la=floats):
    norms = [la.spectral_norm(w) for w in weights]
    growth = la.power(la.prod(norms), 2, len(norms))
    curvature = la.eigenvalues(0.5 * (weights[0].T @ weights[0]))
    return la.sqrt(growth) + la.log(la.total(curvature) + la.scalar(Fraction(1, 3)))


def slack(weights, la=floats):
    gaps = [la.trace(-c) for c in invariants(weights)]
    return la.positive_part(la.smallest(gaps)) + la.absolute(la.smallest(gaps))


EXPRESSIONS = pytest.mark.parametrize(
    "expression", [imbalance, margin, constant, slack]
)


@RIGOROUS
@EXPRESSIONS
def test_a_rigorous_arithmetic_agrees_with_the_plain_one(la, expression):
    plain = expression([floats.matrix(w) for w in CHAIN])
    ball = expression([la.matrix(w) for w in CHAIN], la)
    # A hundred roundings of numbers of size 100.
    assert abs(number(ball) - number(plain)) <= 1e4 * 2.0**-52


@EXPRESSIONS
def test_the_two_rigorous_arithmetics_overlap(expression):
    quick, slow = (
        expression([la.matrix(w) for w in CHAIN], la) for la in (enclose, balls)
    )
    assert quick.overlaps(slow)
    assert slow.rad() < quick.rad() < 1e-11


@EXPRESSIONS
def test_the_plain_arithmetic_compiles_and_maps(expression):
    batch = [jnp.stack([jnp.asarray(w), jnp.asarray(2 * w)]) for w in CHAIN]
    mapped = jax.jit(jax.vmap(lambda *weights: expression(weights)))(*batch)
    single = [expression([jnp.asarray(scale * w) for w in CHAIN]) for scale in (1, 2)]
    assert mapped == pytest.approx(jnp.stack(single), rel=1e-12)


@EXPRESSIONS
def test_more_bits_narrow_the_ball_inside_the_wider_one(expression):
    wide = expression([balls.matrix(w) for w in CHAIN], balls)
    with working_precision(256):
        narrow = expression([balls.matrix(w) for w in CHAIN], balls)
        assert wide.contains(narrow)
    assert narrow.rad() < 1e-70


@pytest.mark.parametrize("la", [floats, enclose])
def test_every_arithmetic_has_the_same_names(la):
    ours = {"Ball", "BallMatrix", "bounds", "interval", "working_precision"}
    assert set(balls.__all__) - ours <= set(dir(la))


@ARITHMETICS
@pytest.mark.parametrize("function", ["largest", "smallest"])
def test_nothing_has_no_extremum(la, function):
    with pytest.raises(DomainError, match="no values"):
        getattr(la, function)([])


@ARITHMETICS
def test_an_exponent_has_a_positive_denominator(la):
    with pytest.raises(DomainError, match="q is 0"):
        la.power(la.scalar(2), 1, 0)


@ARITHMETICS
def test_nothing_sums_to_zero_and_multiplies_to_one(la):
    assert number(la.total([])) == 0
    assert number(la.prod([])) == 1


@ARITHMETICS
def test_integers_tenths_and_thirds_are_all_scalars(la):
    found = [la.scalar(x) for x in (3, 0.1, Fraction(1, 3), np.int64(7))]
    assert [number(x) for x in found] == [3, 0.1, 1 / 3, 7]


def test_the_plain_arithmetic_refuses_a_vector():
    with pytest.raises(ValueError, match="two axes"):
        floats.matrix([1.0, 2.0])


# Precision

HARD = {
    "random": gaussian(6, 6),
    "wide": gaussian(3, 6),
    "tall": gaussian(6, 3),
    "rank one": np.outer(np.arange(1.0, 6.0), [1.0, 2.0, 3.0, 4.0]),
    "zero": np.zeros((3, 2)),
    "vandermonde": np.vander(np.linspace(1, 2, 9)),
    "hilbert": 1 / (np.arange(10)[:, None] + np.arange(10) + 1.0),
    "repeated": np.eye(6) - 2 * np.full((6, 6), 1 / 8),
    "nearly repeated": np.eye(6) + 2.0**-50 * np.diag([0, 1, 1, 2, 3, 3.0])[::-1],
    "two near clusters": np.diag([1.0, 1 + 2.0**-52, 1.0, 5.0, 5 + 2.0**-50, 5.0]),
    "graded": np.diag(10.0 ** np.arange(0, -120, -20)) @ gaussian(6, 6),
    "scale 1e-300": gaussian(4, 4) * 1e-300,
    "scale 1e300": gaussian(4, 4) * 1e300,
}


@pytest.mark.parametrize("bits", [24, 53, 256, 700])
@pytest.mark.parametrize("name", HARD)
def test_singular_values_are_as_narrow_as_the_precision(name, bits):
    expected, doubt = oracle.singular_values(HARD[name], digits=240)
    with working_precision(bits):
        found = balls.singular_values(balls.matrix(HARD[name]))
    assert all(map(oracle.holds, found, expected, [doubt] * len(found)))
    assert all(ball.rad() <= 4 * arb(2) ** -bits * found[0].upper() for ball in found)


@pytest.mark.parametrize("bits", [24, 53, 256, 700])
@pytest.mark.parametrize(
    "name", sorted(set(HARD) - {"tall", "wide", "rank one", "zero"})
)
def test_eigenvalues_are_as_narrow_as_the_precision(name, bits):
    table = np.tril(HARD[name]) + np.tril(HARD[name], -1).T
    expected, doubt = oracle.eigenvalues(table, digits=240)
    with working_precision(bits):
        found = balls.eigenvalues(balls.matrix(table))
    scale = max(abs(found[0]).upper(), abs(found[-1]).upper())
    assert all(map(oracle.holds, found, expected, [doubt] * len(found)))
    assert all(ball.rad() <= 4 * arb(2) ** -bits * scale for ball in found)


def test_what_53_bits_leave_undecided_256_bits_decide():
    # The exact least singular value is 1 - 2^-200 to first order.
    skewed = np.array([[1.0, 2.0**-200], [0.0, 1.0]])
    gap = 1 - balls.smallest_singular_value(balls.matrix(skewed))
    assert not gap > 0
    with working_precision(256):
        assert 1 - balls.smallest_singular_value(balls.matrix(skewed)) > 0


def test_eigenvalues_of_a_matrix_of_balls_cover_every_choice():
    table = gaussian(4, 4) + gaussian(4, 4).T
    ball = balls.matrix(table) + balls.BallMatrix(balls.identity(4).data * arb(0, 1e-3))
    found = balls.eigenvalues(ball)
    expected, doubt = oracle.eigenvalues(table + np.diag([1e-3, -1e-3, 5e-4, 0.0]))
    # The moved diagonal is rounded to float64, hence the second doubt.
    assert all(map(oracle.holds, found, expected, [doubt + 1e-15] * 4))
    assert all(b.rad() > 1e-3 for b in found)


def test_singular_values_of_a_matrix_of_balls_cover_every_choice():
    third = balls.scalar(Fraction(1, 3))
    found = balls.singular_values(third * balls.matrix(np.diag([1.0, 2.0, 3.0])))
    assert all(
        oracle.holds(ball, Fraction(k, 3))
        for ball, k in zip(found, (3, 2, 1), strict=True)
    )


@pytest.mark.parametrize("ball", [arb("nan"), arb(0, math.inf)])
@pytest.mark.parametrize(
    "function",
    [
        balls.norm,
        balls.trace,
        balls.smallest_singular_value,
        lambda a: balls.eigenvalues(a)[0],
    ],
)
def test_a_matrix_with_an_unknown_entry_has_no_bound(ball, function):
    a = balls.BallMatrix(balls.identity(2).data * ball)
    assert bounds(function(a)) == (-math.inf, math.inf)


@pytest.mark.parametrize("name", ["svd", "eigh"])
@pytest.mark.parametrize("scale", [0.0, 3.0, math.nan])
def test_useless_factors_give_no_bound(monkeypatch, name, scale):
    monkeypatch.setattr(np.linalg, name, lambda a, **_: (scale * a, scale * a, 0 * a))
    function = {"svd": balls.singular_values, "eigh": balls.eigenvalues}[name]
    found = function(balls.identity(3))
    assert [bounds(ball) for ball in found] == [(-math.inf, math.inf)] * 3


def test_poor_factors_are_refined(monkeypatch):
    decompose = np.linalg.eigh
    monkeypatch.setattr(
        np.linalg,
        "eigh",
        lambda a: (decompose(a)[0], decompose(a)[1] + 1e-4 * gaussian(*a.shape)),
    )
    table = np.diag([1.0, 2.0, 4.0])
    found = balls.eigenvalues(balls.matrix(table))
    assert all(ball.rad() < 1e-15 for ball in found)
    assert all(map(oracle.holds, found, [1, 2, 4]))


def test_the_precision_before_returns_after_an_error():
    before = ctx.prec
    with pytest.raises(RuntimeError, match="inside"), working_precision(99):
        raise RuntimeError("inside")
    assert ctx.prec == before


def test_one_bit_is_not_a_precision():
    with pytest.raises(DomainError, match="bits is 1"), working_precision(1):
        pass


# Single numbers


@pytest.mark.parametrize(
    ("lo", "hi"),
    [(0.1, 0.2), (-1.0, 5e-324), (0.3, 0.3), (-1e308, 1.7e308), (0, 1e-320)],
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
