"""Both ends of a spectrum against known eigenvalues, repeated ones included."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thalweg._core.errors import DomainError
from thalweg.linalg.extremes import extreme_eigenvalues, lanczos_quadrature
from tolerances import EPS, close


def symmetric(eigenvalues, seed=0):
    size = len(eigenvalues)
    basis = np.linalg.qr(np.random.default_rng(seed).standard_normal((size, size)))[0]
    return (basis * eigenvalues) @ basis.T


def ends(matrix, top=1, bottom=0, **settings):
    like = np.zeros(len(matrix))
    return extreme_eigenvalues(
        lambda v: matrix @ v, like, top=top, bottom=bottom, **settings
    )


SPECTRA = {
    "gaussian": np.random.default_rng(0).standard_normal(300),
    "clustered": np.linspace(0, 1, 400),
    "repeated": np.r_[[5.0] * 4, [4.0] * 3, np.linspace(-1, 1, 300)],
    "a hidden copy": np.r_[5.0, 5.0, np.linspace(-1, 4.99, 400)],
    "one below zeros": np.r_[np.linspace(1, 3, 20), -1e-3, np.zeros(300)],
    "zero": np.zeros(200),
    "identity": np.ones(200),
    "both ends repeated": np.r_[[9.0] * 3, np.linspace(-5, 5, 200), [-9.0] * 3],
    "tiny": 1e-200 * np.linspace(-1, 2, 150),
    "few": np.array([3.0, 3.0, 1.0, -2.0, -2.0]),
}


@pytest.mark.parametrize("name", SPECTRA)
@pytest.mark.parametrize(("top", "bottom"), [(1, 0), (3, 0), (0, 2), (3, 2)])
def test_ends_are_found_as_often_as_they_occur(name, top, bottom):
    eigenvalues = SPECTRA[name]
    matrix = symmetric(eigenvalues)
    found = ends(matrix, top, bottom)
    falling, size = np.sort(eigenvalues)[::-1], len(eigenvalues)
    expected = np.r_[falling[:top], falling[size - bottom :]]
    scale = np.abs(eigenvalues).max()
    # Residuals are counted from the end, so this says that none was passed over.
    assert np.all(np.abs(found.values - expected) <= found.residuals + 64 * EPS * scale)
    assert found.converged.all()
    assert np.all(found.residuals <= 1e-8 * scale)
    scale = scale or 1.0
    rest = (matrix @ found.vectors.T - found.vectors.T * found.values) / scale
    gap = np.abs(np.linalg.norm(rest, axis=0) - found.residuals / scale)
    assert np.all(gap <= 64 * EPS)


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), rounds=st.sampled_from([4, 9, 30]))
def test_an_eigenvalue_lies_within_every_residual(seed, rounds):
    eigenvalues = np.random.default_rng(seed).standard_normal(120)
    found = ends(symmetric(eigenvalues, seed), 2, 2, rounds=rounds)
    distance = np.abs(eigenvalues[:, None] - found.values).min(axis=0)
    assert np.all(distance <= found.residuals + 64 * EPS * np.abs(eigenvalues).max())


def test_what_has_not_converged_says_so():
    found = ends(symmetric(np.linspace(0, 1, 300)), rounds=10)
    assert not found.converged.any()
    assert found.residuals[0] > 1e-3
    assert found.applications == 11


def test_more_rounds_are_taken_until_it_has_converged():
    matrix = symmetric(np.linspace(0, 1, 300))
    assert ends(matrix).converged.all()
    assert ends(matrix).applications > 100


def test_an_operator_may_act_on_a_tree_and_be_compiled():
    matrix = jnp.asarray(symmetric([4.0, 3.0, 2.0, 1.0, 0.5, -6.0]))

    @jax.jit
    def apply(tree):
        image = matrix @ jnp.concatenate([tree["a"].ravel(), tree["b"]])
        return {"a": image[:4].reshape(2, 2), "b": image[4:]}

    like = {"a": np.zeros((2, 2)), "b": np.zeros(2)}
    found = extreme_eigenvalues(apply, like, top=2, bottom=1)
    close(found.values, [4.0, 3.0, -6.0], ulps=64, scale=6.0)


def test_it_is_the_same_every_time():
    matrix = symmetric(SPECTRA["gaussian"])
    one, two = ends(matrix, 2), ends(matrix, 2)
    assert one.values.tobytes() == two.values.tobytes()


@pytest.mark.parametrize(
    ("top", "bottom", "rounds", "told"),
    [
        (0, 0, 9, "top [+] bottom is 0; with 3 weights and 9 rounds"),
        (2, 2, 9, "top [+] bottom is 4"),
        (3, 0, 2, "from 1 to 2"),
        (-1, 0, 9, "top is -1; it must be a whole"),
        (1, 0, 0, "rounds is 0"),
    ],
)
def test_ends_that_do_not_exist_are_refused(top, bottom, rounds, told):
    with pytest.raises(DomainError, match=told):
        ends(np.eye(3), top, bottom, rounds=rounds)


def test_quadrature_has_the_vectors_moments():
    matrix = symmetric(np.random.default_rng(1).standard_normal(60))
    start = np.random.default_rng(2).standard_normal(60)
    nodes, weights = lanczos_quadrature(lambda v: matrix @ v, start, 5)
    unit = start / np.linalg.norm(start)
    for power in range(10):
        moment = unit @ np.linalg.matrix_power(matrix, power) @ unit
        scale = np.linalg.norm(matrix, 2) ** power
        close(weights @ nodes**power, moment, ulps=200, scale=scale)


def test_quadrature_ends_where_the_space_closes():
    nodes, weights = lanczos_quadrature(lambda v: 2 * v, np.ones(7), 5)
    close(nodes, [2.0], ulps=4, scale=2.0)
    close(weights, [1.0], ulps=4, scale=1.0)
