"""The plain arithmetic: JAX in float64, for `jit` and `vmap`; no error bounds.

The same names exist in `balls` and `enclose`, so one definition runs in all three.
A matrix is an array, a scalar a 0-d array.
"""

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import jax
import jax.numpy as jnp

from thalweg._core.arrays import Array, Float, Matrix, Scalar
from thalweg._core.errors import DomainError
from thalweg.linalg._inputs import exact_floats


def matrix(array: Any) -> Matrix:
    """Return a float64 array of two axes.

    NaN, infinities and numbers that float64 does not hold are refused with a
    `DataError`, except in what `jit` is tracing, which nobody can look into.

    Args:
        array: Finite numbers of shape `(out, in)`.

    Returns:
        The matrix.
    """
    if isinstance(array, jax.core.Tracer):
        return jnp.asarray(array, dtype=jnp.float64)
    return jnp.asarray(exact_floats(array))


def scalar(value: Any) -> Scalar:
    """Return a 0-d float64 array, rounded to nearest if need be."""
    number = float(value) if isinstance(value, Fraction) else value
    return jnp.asarray(number, dtype=jnp.float64)


def identity(size: int) -> Matrix:
    """Return the identity of shape `(size, size)`, `size >= 1`."""
    return jnp.eye(size)


def norm(a: Matrix) -> Scalar:
    """Return the Frobenius norm."""
    return jnp.linalg.norm(a)


def spectral_norm(a: Matrix) -> Scalar:
    """Return the largest singular value."""
    return singular_values(a)[0]


def singular_values(a: Matrix) -> Float[Array, " mode"]:
    """Return the `min(a.shape)` singular values, descending."""
    return jnp.linalg.svd(a, compute_uv=False)


def smallest_singular_value(a: Matrix) -> Scalar:
    """Return the last of the `min(a.shape)` singular values."""
    return singular_values(a)[-1]


def eigenvalues(a: Float[Array, "out out"]) -> Float[Array, " mode"]:
    """Return the eigenvalues of a symmetric matrix, ascending."""
    return jnp.linalg.eigvalsh(a)


def trace(a: Float[Array, "out out"]) -> Scalar:
    """Return the sum of the diagonal."""
    return jnp.trace(a)


def largest(values: Iterable[Any]) -> Scalar:
    """Return the maximum of at least one value."""
    return jnp.max(_stacked(values))


def smallest(values: Iterable[Any]) -> Scalar:
    """Return the minimum of at least one value."""
    return jnp.min(_stacked(values))


def total(values: Iterable[Any]) -> Scalar:
    """Return the sum; zero of no values."""
    return sum((scalar(value) for value in values), scalar(0))


def prod(values: Iterable[Any]) -> Scalar:
    """Return the product; one of no values."""
    result = scalar(1)
    for value in values:
        result = result * value
    return result


def sqrt(value: Any) -> Scalar:
    """Return the square root of a number `>= 0`."""
    return jnp.sqrt(scalar(value))


def power(value: Any, p: int, q: int = 1) -> Scalar:
    """Return `value ** (p / q)` of a number `>= 0`.

    Args:
        value: Number `>= 0`.
        p: Numerator of the exponent, any sign.
        q: Denominator of the exponent, `>= 1`.

    Returns:
        The power.

    Raises:
        DomainError: If `q` is not positive.
    """
    if q < 1:
        raise DomainError(f"q is {q}; the exponent p/q needs q >= 1.")
    return jnp.power(scalar(value), p / q)


def log(value: Any) -> Scalar:
    """Return the natural logarithm of a number `> 0`."""
    return jnp.log(scalar(value))


def positive_part(value: Any) -> Scalar:
    """Return the larger of the value and zero."""
    return jnp.maximum(scalar(value), 0.0)


def absolute(value: Any) -> Scalar:
    """Return the absolute value."""
    return jnp.abs(scalar(value))


def _stacked(values: Iterable[Any]) -> Float[Array, " mode"]:
    if isinstance(values, jax.Array):
        return values
    numbers = [scalar(value) for value in values]
    if not numbers:
        raise DomainError("an extremum of no values was asked for; pass at least one.")
    return jnp.stack(numbers)
