"""Exact rational matrices against fractions and integers."""

from fractions import Fraction

import mpmath
import numpy as np
import pytest
from exact_oracles import difference, fractions, holds, product
from flint import fmpq
from hypothesis import given
from hypothesis import strategies as st

from thalweg._core.errors import DataError, ShapeError
from thalweg.linalg import balls, exact


def table(matrix):
    return [[Fraction(int(x.p), int(x.q)) for x in row] for row in matrix.data.tolist()]


def drawn(seed, *shape):
    rng = np.random.default_rng(seed)
    return rng.standard_normal(shape) * 10.0 ** rng.integers(-200, 100, shape)


@given(seed=st.integers(0, 2**32 - 1))
def test_sums_and_products_are_those_of_fractions(seed):
    a, b, c = drawn(seed, 3, 4), drawn(seed + 1, 4, 2), drawn(seed + 2, 3, 4)
    left, right, other = (exact.matrix(x) for x in (a, b, c))
    assert table(left @ right) == product(fractions(a), fractions(b))
    assert table(left - other) == difference(fractions(a), fractions(c))
    assert exact.is_zero(left + other - other - left)
    assert exact.is_zero(-left + left)
    assert table(left.T) == fractions(a.T)
    assert exact.is_zero(0.5 * left - left * fmpq(1, 2))
    assert exact.is_zero(3 * left - left - left - left)


@given(seed=st.integers(0, 2**32 - 1), rank=st.integers(0, 3))
def test_the_rank_of_a_product_of_integers_is_known(seed, rank):
    rng = np.random.default_rng(seed)
    left = np.vstack([np.eye(rank), rng.integers(-9, 9, (4 - rank, rank))])
    right = np.hstack([np.eye(rank), rng.integers(-9, 9, (rank, 5 - rank))])
    matrix = exact.matrix(left @ right)
    assert exact.rank(matrix) == rank
    basis = exact.kernel(matrix)
    assert len(basis) == 5 - rank
    assert all(exact.is_zero(matrix @ vector) for vector in basis)
    stacked = np.hstack([np.array(v.data.tolist(), dtype=float) for v in basis])
    assert np.linalg.matrix_rank(stacked) == 5 - rank


def test_a_change_in_the_last_place_raises_the_rank():
    singular = np.array([[0.1, 0.2], [0.2, 0.4]])
    assert exact.rank(exact.matrix(singular)) == 1
    singular[1, 1] = np.nextafter(0.4, 1)
    assert exact.rank(exact.matrix(singular)) == 2
    assert exact.rank(exact.matrix(np.full((2, 2), 5e-324))) == 1


@given(seed=st.integers(0, 2**32 - 1))
def test_solving_undoes_multiplying(seed):
    rng = np.random.default_rng(seed)
    a = exact.matrix(rng.standard_normal((4, 4)))
    x = exact.matrix(rng.standard_normal((4, 2)))
    assert exact.is_zero(exact.solve(a, a @ x) - x)


@given(seed=st.integers(0, 2**32 - 1))
def test_the_inner_product_is_the_trace(seed):
    a, b = (exact.matrix(drawn(seed + k, 3, 2)) for k in range(2))
    trace = (a.T @ b).data
    assert exact.inner(a, b) == trace[0, 0] + trace[1, 1]


def test_balls_hold_what_is_exact():
    value = exact.scalar(0.1) / 3
    with balls.working_precision(100):
        ball = exact.to_ball(value)
        whole = exact.to_balls(exact.matrix([[0.1, 2.0]]) * fmpq(1, 3))
        assert whole.shape == (1, 2)
    with mpmath.workdps(60):
        third = mpmath.mpf(0.1) / 3
        assert holds(ball, third, doubt=Fraction(1, 10**55))
        assert holds(whole.data[0, 0], third, doubt=Fraction(1, 10**55))


def test_integers_beyond_floats_stay_exact():
    assert exact.scalar(2**60 + 1) - exact.scalar(2**60) == 1


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [(lambda m: m @ m, ShapeError), (lambda m: m + m.T, ShapeError),
     (lambda m: m - m.T, ShapeError), (lambda m: exact.inner(m, m.T), ShapeError),
     (lambda _: exact.matrix([[np.nan]]), DataError),
     (lambda m: np.eye(2) @ m, TypeError), (lambda m: m * "a", TypeError)],
)  # fmt: skip
def test_what_does_not_fit_is_refused(wrong, kind):
    with pytest.raises(kind):
        wrong(exact.matrix([[1.0, 2.0]]))


def test_the_identity_changes_nothing():
    matrix = exact.matrix([[0.1, 0.2], [0.3, 0.7]])
    assert exact.is_zero(exact.identity(2) @ matrix - matrix)
