"""The ends of a large symmetric operator's spectrum, with residual bounds."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from thalweg._core.arrays import Array, Float
from thalweg._core.errors import DomainError, whole


class Extremes(NamedTuple):
    """Approximate eigenvalues and how far each can be from a true one.

    Attributes:
        values: Ritz values, descending, `"mode"`.
        residuals: Norm of `A v - value v` for the unit Ritz vector `v`, computed
            with the operator itself; an eigenvalue lies within it of the value.
        converged: Whether each residual is at most `rtol` times the largest
            absolute Ritz value.
    """

    values: Float[Array, " mode"]
    residuals: Float[Array, " mode"]
    converged: Array


def largest_eigenvalues(
    operator: Callable[[Any], Any],
    like: Any,
    *,
    top: int = 1,
    rounds: int = 64,
    rtol: float = 1e-8,
) -> Extremes:
    """Find the largest eigenvalues of a symmetric operator by Lanczos.

    Every new direction is made orthogonal to all earlier ones, twice, so no
    eigenvalue is found again as a ghost; where the Krylov space closes, a fresh
    direction is put in, so repeated eigenvalues are found too.

    Args:
        operator: A symmetric linear map on trees of arrays shaped as `like`.
        like: A tree of arrays that shows the shapes; its values are not used.
        top: How many eigenvalues, at least 1 and at most the dimension.
        rounds: Most applications of the operator before the residuals, at least
            `top`; the dimension suffices for exactness.
        rtol: What counts as converged.

    Returns:
        Values, residual bounds, and whether each has converged.

    Raises:
        DomainError: If `top` is below 1 or exceeds `rounds` or the dimension.

    Example:
        >>> matrix = jnp.diag(jnp.array([3.0, -1.0, 2.0]))
        >>> found = largest_eigenvalues(lambda v: matrix @ v, jnp.zeros(3), top=2)
        >>> jnp.round(found.values, 10).tolist(), bool(found.converged.all())
        ([3.0, 2.0], True)
    """
    flat, restore = ravel_pytree(like)
    size = flat.shape[0]
    rounds = min(whole("rounds", rounds, least=1), size)
    top = whole("top", top, least=1)
    if not 1 <= top <= rounds:
        raise DomainError(
            f"top is {top}; with {size} weights and {rounds} rounds it must be from "
            f"1 to {rounds}."
        )

    def apply(vector: Array) -> Array:
        return ravel_pytree(operator(restore(vector)))[0]

    basis, tridiagonal = _lanczos(apply, size, rounds)
    ritz_values, ritz_vectors = jnp.linalg.eigh(tridiagonal)
    values = ritz_values[::-1][:top]
    vectors = ritz_vectors[:, ::-1][:, :top].T @ basis
    vectors = vectors / jnp.linalg.norm(vectors, axis=1, keepdims=True)
    images = jax.lax.map(apply, vectors)
    residuals = jnp.linalg.norm(images - values[:, None] * vectors, axis=1)
    scale = jnp.max(jnp.abs(ritz_values))
    return Extremes(values, residuals, residuals <= rtol * scale)


def _lanczos(
    apply: Callable[[Array], Array], size: int, rounds: int
) -> tuple[Float[Array, "round size"], Float[Array, "round round"]]:
    starts = jax.random.normal(jax.random.key(0), (rounds, size), dtype=float)

    def orthogonal(vector: Array, basis: Array) -> Array:
        for _ in range(2):
            vector = vector - basis.T @ (basis @ vector)
        return vector

    def step(k: Array, state: tuple[Array, Array, Array, Array]) -> Any:
        basis, diagonal, below, direction = state
        basis = basis.at[k].set(direction)
        image = apply(direction)
        diagonal = diagonal.at[k].set(direction @ image)
        rest = orthogonal(image, basis)
        length = jnp.linalg.norm(rest)
        closed = length <= 1e-14 * jnp.linalg.norm(image)
        below = below.at[k].set(jnp.where(closed, 0.0, length))
        fresh = orthogonal(starts[(k + 1) % rounds], basis)
        chosen = jnp.where(closed, fresh, rest)
        norm = jnp.linalg.norm(chosen)
        following = chosen / jnp.where(norm > 0, norm, 1.0)
        return basis, diagonal, below, following

    first = starts[0] / jnp.linalg.norm(starts[0])
    empty = jnp.zeros((rounds, size)), jnp.zeros(rounds), jnp.zeros(rounds), first
    basis, diagonal, below, _ = jax.lax.fori_loop(0, rounds, step, empty)
    beside = jnp.diag(below[:-1], 1)
    return basis, jnp.diag(diagonal) + beside + beside.T
