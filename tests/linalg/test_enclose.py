"""Every rigorous bound holds the exact number, and says so when it knows nothing."""

import math
from fractions import Fraction

import exact_oracles as oracle
import numpy as np
import pytest
from flint import arb
from hypothesis import given
from hypothesis import strategies as st

from thalweg.linalg import balls, enclose
from thalweg.linalg.enclose import Enclosed

RIGOROUS = pytest.mark.parametrize("la", [enclose, balls], ids=["enclose", "balls"])


def gaussian(rows, columns, seed=0):
    return np.random.default_rng(seed).standard_normal((rows, columns))


def hadamard(doublings):
    matrix = np.ones((1, 1))
    for _ in range(doublings):
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    return matrix


MATRICES = {
    "one number": np.array([[-3.7]]),
    "square": gaussian(5, 5),
    "wide": gaussian(3, 7),
    "tall": gaussian(6, 2),
    "one row": gaussian(1, 4),
    "one column": gaussian(4, 1),
    "zero": np.zeros((3, 2)),
    "rank one": np.outer(gaussian(5, 1), gaussian(4, 1)),
    "rank one in integers": np.outer([1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0]),
    "integers": np.random.default_rng(1).integers(-9, 9, (5, 4)).astype(float),
    "vandermonde": np.vander(np.linspace(1, 2, 7)),
    "hilbert": 1 / (np.arange(6)[:, None] + np.arange(6) + 1.0),
    "mixed rows": gaussian(5, 5) * 10.0 ** np.array([[-12], [-6], [0], [3], [8]]),
    "wildly mixed rows": gaussian(3, 3) * np.array([[1e-160], [1.0], [1e140]]),
    "near repeated": np.eye(4) + 1e-14 * gaussian(4, 4),
    "repeated twice": np.diag([2.0, 1.0, 1.0, 2.0])[[2, 0, 3, 1]],
    "scale 1e-300": gaussian(4, 4) * 1e-300,
    "scale 1e-160": gaussian(4, 4) * 1e-160,
    "scale 1e150": gaussian(4, 4) * 1e150,
    "scale 1e307": np.clip(gaussian(4, 4), -1, 1) * 1e307,
    "subnormal": np.array([[3.0, -7.0], [11.0, 2.0]]) * 2.0**-1074,
    "least and greatest": np.array([[2.0**-1074, 0.0], [0.0, np.finfo(float).max]]),
}
ALL = pytest.mark.parametrize("name", MATRICES)
SYMMETRIC = {
    "definite": gaussian(5, 3) @ gaussian(5, 3).T,
    "indefinite": gaussian(5, 5) + gaussian(5, 5).T,
    "integers": np.array([[2.0, -1.0, 0.0], [-1.0, 2.0, -1.0], [0.0, -1.0, 2.0]]),
    "all ones": np.ones((4, 4)),
    "repeated": np.eye(5) - np.full((5, 5), 0.25),
    "near repeated": np.eye(3) + 1e-15 * (gaussian(3, 3) + gaussian(3, 3).T),
    "graded": np.array([[1e16, 1e8, 1.0], [1e8, 3.0, 1e-8], [1.0, 1e-8, 1e-16]]),
    "tiny": np.array([[2.0, 1.0], [1.0, -3.0]]) * 2.0**-1070,
    "huge": np.array([[1.0, 0.5], [0.5, -1.0]]) * 1.7e308,
}


# Containment, against mpmath at 60 digits and exact fractions


@RIGOROUS
@ALL
def test_every_singular_value_lies_in_its_ball(la, name):
    found = la.singular_values(la.matrix(MATRICES[name]))
    expected, doubt = oracle.singular_values(MATRICES[name])
    assert all(
        oracle.holds(ball, value, doubt)
        for ball, value in zip(found, expected, strict=True)
    )


@RIGOROUS
@pytest.mark.parametrize("name", sorted(set(MATRICES) - {"zero"}))
def test_every_ball_of_a_singular_value_is_narrow(la, name):
    found = la.singular_values(la.matrix(MATRICES[name]))
    assert all(ball.rad() <= 1e-13 * found[0].upper() for ball in found)


@RIGOROUS
@pytest.mark.parametrize("name", SYMMETRIC)
def test_every_eigenvalue_lies_in_its_narrow_ball(la, name):
    table = (SYMMETRIC[name] / 2) + (SYMMETRIC[name] / 2).T
    found = la.eigenvalues(la.matrix(table))
    expected, doubt = oracle.eigenvalues(table)
    scale = max(map(abs, expected))
    assert all(
        oracle.holds(ball, value, doubt)
        and oracle.fraction(ball.rad()) <= oracle.fraction(1e-13 * scale)
        for ball, value in zip(found, expected, strict=True)
    )


@RIGOROUS
@ALL
def test_the_square_of_the_norm_is_the_sum_of_squares(la, name):
    square = la.norm(la.matrix(MATRICES[name]))
    lo = max(oracle.fraction(square.lower()), Fraction(0))
    hi = oracle.fraction(square.upper())
    assert lo**2 <= oracle.square_norm(oracle.fractions(MATRICES[name])) <= hi**2


@RIGOROUS
@given(seed=st.integers(0, 10**6), spread=st.integers(0, 150))
def test_singular_values_of_random_products_lie_in_their_balls(la, seed, spread):
    draw = np.random.default_rng(seed)
    left, right = draw.standard_normal((2, 3, 3)) * 10.0 ** draw.uniform(
        -spread, spread / 2, (2, 3, 1)
    )
    found = la.singular_values(la.matrix(left) @ la.matrix(right))
    # 400 digits hold the exact entries of every product drawn here.
    with oracle.mpmath.workdps(800):
        exact = oracle.mpmath.matrix(left.tolist()) * oracle.mpmath.matrix(
            right.tolist()
        )
        expected = oracle.mpmath.svd_r(exact, compute_uv=False)
        doubt = max(expected) * oracle.mpmath.mpf(10) ** -300
        expected = sorted(expected, reverse=True)
    assert all(map(oracle.holds, found, expected, [doubt] * 3))


@RIGOROUS
def test_sixty_four_equal_singular_values_are_all_enclosed(la):
    found = la.singular_values(la.matrix(hadamard(6)))
    assert all(ball.contains(8) and ball.rad() < 1e-11 for ball in found)


@RIGOROUS
def test_eigenvalues_of_a_long_string_lie_in_their_balls(la):
    size = 50
    string = 2 * np.eye(size) - np.eye(size, k=1) - np.eye(size, k=-1)
    found = la.eigenvalues(la.matrix(string))
    with oracle.mpmath.workdps(40):
        angles = [oracle.mpmath.pi * k / (size + 1) for k in range(1, size + 1)]
        expected = [2 - 2 * oracle.mpmath.cos(angle) for angle in angles]
    assert all(map(oracle.holds, found, expected, [Fraction(1, 10**35)] * size))


@RIGOROUS
def test_the_trace_of_tenths_is_not_rounded(la):
    table = np.diag([0.1] * 10)
    assert oracle.holds(la.trace(la.matrix(table)), 10 * Fraction(0.1))


@RIGOROUS
def test_extreme_singular_values_are_the_ends_of_the_list(la):
    a = la.matrix(MATRICES["wide"])
    every = la.singular_values(a)
    ends = la.spectral_norm(a), la.smallest_singular_value(a)
    assert [x.rad() for x in ends] == [every[0].rad(), every[-1].rad()]


# What the matrix itself is wrong by


def perturbed(seed, rows, columns, radius):
    """An `Enclosed` and an exact matrix on the rim of what it holds."""
    draw = np.random.default_rng(seed)
    table = draw.standard_normal((rows, columns))
    exact = oracle.fractions(table)
    # 3/5 and 4/5 of the radius: the Frobenius distance is the radius itself.
    exact[0][0] += Fraction(radius) * Fraction(3, 5)
    exact[-1][-1] -= Fraction(radius) * Fraction(4, 5)
    return Enclosed(table, radius), exact


def distance_square(enclosed, exact):
    midpoint = oracle.fractions(enclosed.midpoint)
    return oracle.square_norm(oracle.difference(midpoint, exact))


RADII = pytest.mark.parametrize(
    "radii",
    [(0.0, 0.0), (1e-300, 1e-16), (1e-3, 0.0), (0.0, 1e-3), (1.0, 1.0), (1e10, 1e9)],
)


@RADII
@given(seed=st.integers(0, 10**6))
def test_a_product_stays_within_its_radius(radii, seed):
    left, exact_left = perturbed(seed, 3, 4, radii[0])
    right, exact_right = perturbed(seed + 1, 4, 2, radii[1])
    found = left @ right
    exact = oracle.product(exact_left, exact_right)
    assert distance_square(found, exact) <= Fraction(found.radius) ** 2


@RADII
@given(seed=st.integers(0, 10**6))
def test_a_difference_stays_within_its_radius(radii, seed):
    left, exact_left = perturbed(seed, 3, 4, radii[0])
    right, exact_right = perturbed(seed + 1, 3, 4, radii[1])
    found = left - right
    exact = oracle.difference(exact_left, exact_right)
    assert distance_square(found, exact) <= Fraction(found.radius) ** 2


@pytest.mark.parametrize("factor", [3, -0.1, 0.5, 0, 1e-310, 2**70 + 1, 1e300])
def test_a_multiple_stays_within_its_radius(factor):
    enclosed, exact = perturbed(5, 3, 3, 1e-9)
    found = factor * enclosed
    exact = [[Fraction(factor) * x for x in row] for row in exact]
    assert distance_square(found, exact) <= Fraction(found.radius) ** 2


def test_a_multiple_by_a_ball_holds_the_exact_multiple():
    table = gaussian(3, 3)
    found = enclose.scalar(Fraction(1, 3)) * enclose.matrix(table)
    exact = [[x / 3 for x in row] for row in oracle.fractions(table)]
    assert distance_square(found, exact) <= Fraction(found.radius) ** 2


def test_subnormal_products_stay_within_their_radius():
    # Forty products of 0.75 * 2^-1074, each rounded to 2^-1074.
    left = np.full((1, 40), 0.75 * 2.0**-537)
    right = np.full((40, 1), 2.0**-537)
    found = enclose.matrix(left) @ enclose.matrix(right)
    exact = oracle.product(oracle.fractions(left), oracle.fractions(right))
    assert distance_square(found, exact) <= Fraction(found.radius) ** 2


@pytest.mark.parametrize("radius", [1e-20, 1e-10, 1e-2])
def test_singular_values_move_no_further_than_the_radius(radius):
    table = MATRICES["square"]
    moved = table + 0.0
    moved[0, 0] += 0.9 * radius
    found = enclose.singular_values(Enclosed(table, radius))
    expected, doubt = oracle.singular_values(moved)
    assert all(map(oracle.holds, found, expected, [doubt] * 5))


def test_a_midpoint_that_is_not_quite_symmetric_still_gives_its_eigenvalues():
    exact = SYMMETRIC["indefinite"]
    skew = np.zeros((5, 5))
    skew[0, 1], skew[1, 0], skew[2, 2] = 1e-6, -2e-6, 3e-6
    found = enclose.eigenvalues(Enclosed(exact + skew, 4e-6))
    expected, doubt = oracle.eigenvalues(exact)
    assert all(map(oracle.holds, found, expected, [doubt] * 5))


def test_the_norm_of_an_uncertain_matrix_reaches_both_ways():
    lo, hi = balls.bounds(enclose.norm(Enclosed(np.array([[3.0, 4.0]]), 1.0)))
    assert (lo, hi) == pytest.approx((4, 6), rel=1e-8)
    assert lo <= 4
    assert hi >= 6


def test_the_trace_of_an_uncertain_matrix_moves_by_the_root_of_its_size():
    lo, hi = balls.bounds(enclose.trace(Enclosed(np.eye(4), 0.5)))
    assert lo <= 3
    assert hi >= 5


@pytest.mark.parametrize("exact", [lambda a: a.T, lambda a: -a, lambda a: 4 * a])
def test_operations_without_rounding_keep_a_matrix_exact(exact):
    assert exact(enclose.matrix(gaussian(2, 3))).radius == 0


# A number exactly at a bound is never proved to lie beyond it


@RIGOROUS
@pytest.mark.parametrize(
    ("name", "slack"),
    [
        ("norm", lambda la: la.norm(la.matrix([[3.0, 4.0]])) - 5),
        (
            "sigma",
            lambda la: la.smallest_singular_value(la.matrix([[1, 0], [0, 2]])) - 1,
        ),
        ("rank", lambda la: la.smallest_singular_value(la.matrix(np.ones((3, 3))))),
        ("eigenvalue", lambda la: la.eigenvalues(la.matrix(np.ones((3, 3))))[0]),
        ("zero", lambda la: la.eigenvalues(la.matrix(np.zeros((2, 2))))[0]),
        ("balance", lambda la: la.norm(la.matrix([[0.1]]) - la.matrix([[0.1]]))),
        ("power", lambda la: la.power(la.scalar(8), 2, 3) - 4),
    ],
)
def test_a_slack_of_zero_is_undecided(la, name, slack):
    ball = slack(la)
    assert not ball > 0
    assert not ball < 0


# No bound, rather than a wrong one or an exception

UNBOUNDED = pytest.mark.parametrize(
    "matrix",
    [
        enclose.matrix([[1e200, 1.0], [1.0, 1e200]])
        @ enclose.matrix(np.eye(2) * 1e200),
        enclose.matrix(np.full((2, 2), 1.7e308))
        + enclose.matrix(np.full((2, 2), 1e308)),
        1e308 * enclose.matrix(np.full((2, 2), 100.0)),
        Enclosed(np.eye(2), math.inf),
        Enclosed(np.array([[math.nan, 0.0], [0.0, 1.0]]), math.inf),
    ],
    ids=["product", "sum", "multiple", "infinite radius", "nan"],
)


@UNBOUNDED
@pytest.mark.parametrize(
    "function",
    [
        enclose.norm,
        enclose.trace,
        enclose.spectral_norm,
        enclose.smallest_singular_value,
        lambda a: enclose.eigenvalues(a)[0],
        lambda a: enclose.norm(a - a),
        lambda a: enclose.norm(a @ a),
        lambda a: enclose.norm(0 * a),
        lambda a: enclose.norm(a.T @ enclose.matrix(np.zeros((2, 2)))),
    ],
)
def test_what_overflowed_has_an_infinite_ball(matrix, function):
    ball = function(matrix)
    assert balls.bounds(ball) == (-math.inf, math.inf)


@pytest.mark.parametrize(
    "overflow",
    [
        lambda: enclose.matrix([[1e155]]) @ enclose.matrix([[1e155]]),
        lambda: enclose.matrix([[1e308]]) - enclose.matrix([[-1e308]]),
        lambda: 1e200 * enclose.matrix([[1e200]]),
        lambda: arb(10) ** 400 * enclose.matrix([[1.0]]),
    ],
)
def test_what_overflowed_has_an_infinite_radius(overflow):
    assert overflow().radius == math.inf


def no_convergence(*_, **__):
    raise np.linalg.LinAlgError


def spoiled(factors):
    left, values, right = factors
    return left * (1 + 1e-5), values / (1 + 1e-5), right + 1e-9


@pytest.mark.parametrize(
    "factors",
    [
        no_convergence,
        lambda a, **_: (a * math.nan, a[0] * math.nan, a * math.nan),
        lambda a, **_: (0 * a, a[0], 0 * a),
        lambda a, **_: (3 * a, a[0], 3 * a),
    ],
    ids=["fails", "nan", "zero", "not orthogonal"],
)
def test_useless_factors_give_no_bound(monkeypatch, factors):
    monkeypatch.setattr(np.linalg, "svd", factors)
    found = enclose.singular_values(enclose.matrix(MATRICES["square"]))
    assert [balls.bounds(ball) for ball in found] == [(-math.inf, math.inf)] * 5


def test_wrong_factors_give_wider_balls_that_still_hold(monkeypatch):
    factors = np.linalg.svd
    monkeypatch.setattr(
        np.linalg, "svd", lambda a, full_matrices: spoiled(factors(a, full_matrices))
    )
    found = enclose.singular_values(enclose.matrix(MATRICES["square"]))
    expected, doubt = oracle.singular_values(MATRICES["square"])
    assert all(ball.is_finite() for ball in found)
    assert all(map(oracle.holds, found, expected, [doubt] * 5))


def test_wrong_eigenvectors_give_wider_balls_that_still_hold(monkeypatch):
    decompose = np.linalg.eigh

    def spoil(a):
        values, vectors = decompose(a)
        return values / (1 + 1e-5) ** 2 + 1e-9, vectors * (1 + 1e-5)

    monkeypatch.setattr(np.linalg, "eigh", spoil)
    found = enclose.eigenvalues(enclose.matrix(SYMMETRIC["indefinite"]))
    expected, doubt = oracle.eigenvalues(SYMMETRIC["indefinite"])
    assert all(ball.is_finite() for ball in found)
    assert all(map(oracle.holds, found, expected, [doubt] * 5))
