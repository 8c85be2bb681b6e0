"""Bounds on extreme eigenvalues: held against balls of 200 bits and closed forms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thalweg.linalg import balls, definite, enclose
from thalweg.linalg.enclose import Enclosed
from thalweg.linalg.kronecker import kronecker_sum


def symmetric(seed, size, spread):
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.standard_normal((size, size)))[0]
    matrix = turn @ np.diag(np.geomspace(1, spread, size)) @ turn.T
    return (matrix + matrix.T) / 2


def ends(matrix):
    with balls.working_precision(200):
        found = balls.eigenvalues(balls.matrix(matrix))
        return found[0], found[-1]


@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.sampled_from([1, 2, 5, 12]),
    spread=st.sampled_from([1.0, 1e-3, 1e-12, 1e6]),
    shift=st.sampled_from([0.0, 0.5, 3.0]),
    unit=st.sampled_from([1.0, 1e-150, 1e150]),
)
@settings(max_examples=40)
def test_the_extreme_eigenvalues_are_enclosed(seed, size, spread, shift, unit):
    matrix = unit * (symmetric(seed, size, spread) - shift * np.eye(size))
    low, high = ends(matrix)
    found = enclose.matrix(matrix)
    width = 1e-12 * size**2 * float(abs(matrix).max()) + 1e-139
    for ball, exact in (
        (definite.smallest_eigenvalue(found), low),
        (definite.largest_eigenvalue(found), high),
    ):
        assert ball.contains(exact) or ball.overlaps(exact)
        assert float(ball.rad()) <= width


def test_what_a_matrix_is_wrong_by_is_added():
    ball = definite.smallest_eigenvalue(Enclosed(np.diag([1.0, 2.0]), 0.25))
    low, high = balls.bounds(ball)
    assert low <= 0.75
    assert high >= 1.25
    assert low > 0.7
    assert not definite.smallest_eigenvalue(Enclosed(np.eye(2), np.inf)).is_finite()


@pytest.mark.parametrize("size", [301, 420])
def test_large_matrices_take_the_quick_way(size):
    # A path graph's Laplacian plus a multiple of one: eigenvalues in closed form.
    matrix = 2 * np.eye(size) - np.eye(size, k=1) - np.eye(size, k=-1)
    low = 2 - 2 * np.cos(np.pi / (size + 1)) + 0.1
    high = 2 + 2 * np.cos(np.pi / (size + 1)) + 0.1
    found = enclose.matrix(matrix + 0.1 * np.eye(size))
    for ball, value in (
        (definite.smallest_eigenvalue(found), low),
        (definite.largest_eigenvalue(found), high),
    ):
        down, up = balls.bounds(ball)
        assert down <= value * (1 + 1e-14)
        assert up >= value * (1 - 1e-14)
        assert up - down < 1e-5


@pytest.mark.parametrize("matrix", [np.zeros((3, 3)), np.diag([-1.0, 2.0])])
def test_a_matrix_that_is_not_definite_is_enclosed_too(matrix):
    ball = definite.smallest_eigenvalue(enclose.matrix(matrix))
    assert ball.contains(float(np.linalg.eigvalsh(matrix)[0]))


@given(seed=st.integers(0, 2**32 - 1), size=st.sampled_from([1, 3, 8]))
@settings(max_examples=30)
def test_a_batch_is_proved_where_it_is_true_and_never_else(seed, size):
    rng = np.random.default_rng(seed)
    stack = np.stack(
        [symmetric(seed + k, size, 10.0 ** rng.integers(-6, 6)) for k in range(6)]
    )
    exact = [ends(matrix)[0] for matrix in stack]
    near = np.array([float(low.mid()) for low in exact])
    for slip in (-1e-9, -1e-13, 0.0, 1e-15, 1e-9):
        floors = near + slip * np.abs(stack).max(axis=(1, 2))
        proved = definite.are_definite(stack, floors)
        for k in np.flatnonzero(proved):
            assert exact[k] > float(floors[k])
        if slip == -1e-9:
            assert proved.all()


def test_a_batch_may_hold_what_is_not_definite():
    stack = np.stack([np.eye(2), -np.eye(2), np.full((2, 2), np.nan), 2 * np.eye(2)])
    found = definite.are_definite(stack, np.array([0.5, -2.0, 0.0, 2.5]))
    assert found.tolist() == [True, True, False, False]


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_a_sum_of_kronecker_products_is_enclosed(seed):
    rng = np.random.default_rng(seed)
    lefts, rights = rng.standard_normal((2, 3, 2, 3)), rng.standard_normal((2, 3, 3, 2))
    found = kronecker_sum(
        [enclose.matrix(p) for p in lefts[0]], [enclose.matrix(q) for q in rights[0]]
    )
    with balls.working_precision(200):
        for (i, j), value in np.ndenumerate(found.midpoint):
            (a, b), (c, d) = divmod(i, 3), divmod(j, 2)
            exact = balls.total(
                balls.scalar(p[a, c]) * balls.scalar(q[b, d])
                for p, q in zip(lefts[0], rights[0], strict=True)
            )
            assert abs(exact - float(value)) <= found.radius
    assert found.radius < 1e-13
