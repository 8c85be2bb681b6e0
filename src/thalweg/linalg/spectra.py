"""Singular values, gaps, numerical rank."""

import jax.numpy as jnp

from thalweg._core.arrays import EPS, Array, Float


def singular_values(matrix: Float[Array, "out in"]) -> Float[Array, " mode"]:
    """Return the singular values, descending."""
    return jnp.linalg.svd(matrix, compute_uv=False)


def numerical_rank(matrix: Float[Array, "out in"]) -> int:
    """Return the number of singular values above rounding.

    The threshold is `max(shape) * eps * largest`, the error LAPACK may make.
    """
    values = singular_values(matrix)
    floor = max(matrix.shape) * EPS * values[0]
    return int(jnp.sum(values > floor))


def effective_rank(values: Float[Array, " mode"]) -> Float[Array, ""]:
    """Return the exponential of the entropy of normalised singular values.

    Args:
        values: Singular values, at least 0.

    Returns:
        A number from 1 to the number of values; 0 if all values are 0.

    Example:
        >>> float(effective_rank(jnp.array([2.0, 2.0, 0.0])))
        2.0

    Source:
        Roy, Vetterli, Definition 1.
    """
    whole = jnp.sum(values)
    share = values / jnp.where(whole > 0, whole, 1.0)
    entropy = -jnp.sum(
        jnp.where(share > 0, share * jnp.log(jnp.where(share > 0, share, 1.0)), 0.0)
    )
    return jnp.where(whole > 0, jnp.exp(entropy), 0.0)
