"""Lanczos against dense eigenvalues, and the truth of its residuals."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thalweg._core.errors import DomainError
from thalweg.linalg.krylov import largest_eigenvalues
from tolerances import EPS, close


def symmetric(eigenvalues, seed=0):
    size = len(eigenvalues)
    basis = np.linalg.qr(np.random.default_rng(seed).standard_normal((size, size)))[0]
    return (basis * eigenvalues) @ basis.T


@partial(jax.jit, static_argnames=("top", "rounds"))
def extremes(matrix, top=1, rounds=64):
    like = jnp.zeros(matrix.shape[0])
    return largest_eigenvalues(lambda v: matrix @ v, like, top=top, rounds=rounds)


@given(seed=st.integers(0, 2**32 - 1), power=st.integers(-100, 100))
def test_enough_rounds_give_every_eigenvalue(seed, power):
    eigenvalues = 10.0**power * np.random.default_rng(seed).standard_normal(8)
    matrix = symmetric(eigenvalues, seed)
    found = extremes(matrix, top=8)
    scale = np.abs(eigenvalues).max()
    close(found.values, np.linalg.eigvalsh(matrix)[::-1], ulps=64, scale=scale)
    assert bool(found.converged.all())


@given(seed=st.integers(0, 2**32 - 1), rounds=st.sampled_from([3, 5, 12]))
def test_an_eigenvalue_lies_within_every_residual(seed, rounds):
    eigenvalues = np.random.default_rng(seed).standard_normal(30)
    found = extremes(symmetric(eigenvalues, seed), top=3, rounds=rounds)
    distance = np.abs(eigenvalues[:, None] - np.asarray(found.values)).min(axis=0)
    slack = 64 * EPS * np.abs(eigenvalues).max()
    assert np.all(distance <= np.asarray(found.residuals) + slack)


@pytest.mark.parametrize(
    "eigenvalues",
    [
        [2.0, 2.0, 2.0, 1.0],
        [0.0] * 5,
        [1.0] * 6,
        [3.0, 0.0, 0.0, 0.0],
        [-1.0, -1.0, -2.0],
    ],
)
def test_repeated_eigenvalues_are_all_found(eigenvalues):
    size = len(eigenvalues)
    found = extremes(symmetric(eigenvalues), top=size)
    scale = max(map(abs, eigenvalues)) or 1.0
    close(found.values, sorted(eigenvalues, reverse=True), ulps=64, scale=scale)
    assert bool(found.converged.all())


@pytest.mark.parametrize("top", [1, 3])
def test_a_diagonal_with_repeats_is_found(top):
    found = extremes(np.diag([5.0, 5.0, 5.0, 1.0, 1.0, 0.0, 0.0]), top=top)
    close(found.values, [5.0] * top, ulps=64, scale=5.0)


def test_what_has_not_converged_says_so():
    found = extremes(symmetric(np.linspace(0, 1, 60)), rounds=4)
    assert not bool(found.converged.any())
    assert float(found.residuals[0]) > 1e-3


def test_values_come_in_descending_order_and_never_above_the_largest():
    eigenvalues = np.random.default_rng(0).standard_normal(40)
    found = extremes(symmetric(eigenvalues), top=5, rounds=10)
    assert np.all(np.diff(found.values) <= 0)
    assert float(found.values[0]) <= eigenvalues.max() + 1e-12


def test_an_operator_may_act_on_a_tree():
    matrix = jnp.asarray(symmetric([4.0, 3.0, 2.0, 1.0, 0.5, 0.0]))

    def apply(tree):
        flat = matrix @ jnp.concatenate([tree["a"].ravel(), tree["b"]])
        return {"a": flat[:4].reshape(2, 2), "b": flat[4:]}

    found = largest_eigenvalues(
        apply, {"a": jnp.zeros((2, 2)), "b": jnp.zeros(2)}, top=2
    )
    close(found.values, [4.0, 3.0], ulps=64, scale=4.0)


def test_it_compiles_and_vmaps():
    matrices = jnp.stack([jnp.asarray(symmetric(v)) for v in ([3.0, 1.0], [5.0, -7.0])])
    top = jax.jit(jax.vmap(lambda m: extremes(m).values[0]))(matrices)
    close(top, [3.0, 5.0], ulps=64, scale=7.0)


@pytest.mark.parametrize(("top", "rounds"), [(0, 9), (4, 9), (3, 2), (-1, 9)])
def test_a_number_of_eigenvalues_that_does_not_exist_is_refused(top, rounds):
    with pytest.raises(
        DomainError, match=f"top is {top}; (with 3 weights|it must be a whole)"
    ):
        extremes(np.eye(3), top=top, rounds=rounds)
