"""Balls narrow with the precision, and one definition runs in three arithmetics."""

import math
from fractions import Fraction

import exact_oracles as oracle
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flint import arb, ctx

from thalweg._core.errors import DomainError
from thalweg.linalg import _refine, balls, enclose, floats
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
    assert np.asarray(mapped) == pytest.approx(np.stack(single), rel=1e-12)


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
    ours |= {"widened"} if la is floats else set()
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
    assert all(ball.rad() <= 8 * arb(2) ** -bits * found[0].upper() for ball in found)


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
    assert all(ball.rad() <= 8 * arb(2) ** -bits * scale for ball in found)


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
    useless = [np.eye(3) * scale] * 3
    monkeypatch.setattr(np.linalg, "svd", lambda a, full_matrices: useless)
    monkeypatch.setattr(np.linalg, "eigh", lambda a: useless[:2])
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


def test_stretched_eigenvectors_are_allowed_for(monkeypatch):
    monkeypatch.setattr(_refine, "_PASSES", 1)
    monkeypatch.setattr(np.linalg, "eigh", lambda a: (None, 1.001 * np.eye(3)))
    found = balls.eigenvalues(balls.matrix(np.diag([1.0, 2.0, 4.0])))
    assert all(map(oracle.holds, found, [1, 2, 4]))
    assert all(ball.rad() < 0.1 for ball in found)


def test_the_precision_before_returns_after_an_error():
    before = ctx.prec
    with pytest.raises(RuntimeError, match="inside"), working_precision(99):
        raise RuntimeError("inside")
    assert ctx.prec == before


def test_one_bit_is_not_a_precision():
    with pytest.raises(DomainError, match="bits is 1"), working_precision(1):
        pass
