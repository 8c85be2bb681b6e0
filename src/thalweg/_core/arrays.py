"""Array types and the float64 policy.

Importing this module switches JAX to float64. Every module of ours that uses
JAX imports its array types from here, so no computation starts in float32.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from thalweg._core.errors import DataError

jax.config.update("jax_enable_x64", True)

Matrix = Float[Array, "out in"]
Weights = tuple[Float[Array, "_ _"], ...]
Scalar = Float[Array, ""]
Key = PRNGKeyArray | int
"""A JAX random key, or the seed of one."""

EPS = 2.0**-52
"""Spacing of float64 at one."""

__all__ = [
    "EPS",
    "Array",
    "Float",
    "Int",
    "Key",
    "Matrix",
    "PRNGKeyArray",
    "Scalar",
    "Weights",
    "real",
    "split",
]


def real(name: str, value: Any) -> Array:
    """Return `value` as a finite float64 array.

    Args:
        name: The argument's name, for the message.
        value: Anything array-like with real entries.

    Returns:
        The array, of the shape that came.

    Raises:
        DataError: If it holds text, complex numbers, NaN or infinities.
    """
    if isinstance(value, jax.core.Tracer):
        return jnp.asarray(value, dtype=jnp.float64)
    try:
        array = np.asarray(value)
        complex_entries = np.iscomplexobj(array)
        array = np.real(array).astype(np.float64)
    except (TypeError, ValueError):
        complex_entries = True
    if complex_entries:
        raise DataError(
            f"{name} holds something that is not a real number; "
            "pass an array of numbers."
        )
    count = int(np.sum(~np.isfinite(array)))
    if count:
        raise DataError(
            f"{name} holds {count} entries that are NaN or infinite; "
            "every entry must be a finite number."
        )
    return jnp.asarray(array)


def split(key: Key, count: int = 2) -> Any:
    """Return independent keys; an integer is taken as the seed of a key."""
    return jax.random.split(jax.random.key(key) if isinstance(key, int) else key, count)
