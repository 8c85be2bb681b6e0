"""Ball arithmetic: matrices of `flint.arb` balls at any working precision.

The same names as in `floats` and `enclose`. A matrix is a `BallMatrix`, a scalar a
ball. Every operation rounds outward at the precision of the moment, 53 bits unless
inside `working_precision`; raising it narrows every result, spectra included.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import arb, arb_mat, ctx
from jaxtyping import Float

from thalweg.linalg._inputs import check_equal, check_inner, exact_floats, square
from thalweg.linalg._refine import frobenius, refined_eigenvalues
from thalweg.linalg._scalars import (
    NO_BOUND,
    Ball,
    absolute,
    bounds,
    interval,
    largest,
    log,
    positive_part,
    power,
    prod,
    scalar,
    smallest,
    sqrt,
    total,
    working_precision,
)

__all__ = [
    "Ball",
    "BallMatrix",
    "absolute",
    "bounds",
    "eigenvalues",
    "identity",
    "interval",
    "largest",
    "log",
    "matrix",
    "norm",
    "positive_part",
    "power",
    "prod",
    "scalar",
    "singular_values",
    "smallest",
    "smallest_singular_value",
    "spectral_norm",
    "sqrt",
    "total",
    "trace",
    "widened",
    "working_precision",
]


@dataclass(frozen=True, eq=False)
class BallMatrix:
    """A matrix whose entries are balls.

    Attributes:
        data: The `flint.arb_mat`, of shape `(out, in)`.
    """

    data: Any

    # Makes `array @ balls` an error instead of an array of objects.
    __array_ufunc__ = None

    @property
    def shape(self) -> tuple[int, int]:
        """Return the numbers of rows and columns."""
        return self.data.nrows(), self.data.ncols()

    @property
    def T(self) -> "BallMatrix":  # noqa: N802
        """Return the transpose, exactly."""
        return BallMatrix(self.data.transpose())

    def __matmul__(self, other: object) -> "BallMatrix":
        """Return the product."""
        if not isinstance(other, BallMatrix):
            return NotImplemented
        check_inner(self.shape, other.shape)
        return BallMatrix(self.data * other.data)

    def __add__(self, other: object) -> "BallMatrix":
        """Return the sum."""
        if not isinstance(other, BallMatrix):
            return NotImplemented
        check_equal(self.shape, other.shape)
        return BallMatrix(self.data + other.data)

    def __sub__(self, other: object) -> "BallMatrix":
        """Return the difference."""
        if not isinstance(other, BallMatrix):
            return NotImplemented
        check_equal(self.shape, other.shape)
        return BallMatrix(self.data - other.data)

    def __neg__(self) -> "BallMatrix":
        """Return the negative, exactly."""
        return BallMatrix(-self.data)

    def __mul__(self, other: object) -> "BallMatrix":
        """Return the multiple by an integer, a float or a ball."""
        if not isinstance(other, int | float | np.integer | arb):
            return NotImplemented
        return BallMatrix(self.data * scalar(other))

    __rmul__ = __mul__


def matrix(array: Any) -> BallMatrix:
    """Return a float64 array as a matrix of exact balls.

    NaN and infinities are refused with a `DataError`, another number of axes with a
    `ShapeError`.

    Args:
        array: Finite numbers of shape `(out, in)`.

    Returns:
        The matrix, every radius zero.

    Example:
        >>> product = matrix([[0.1, 0.2]]) @ matrix([[0.3], [0.4]])
        >>> bool(product.data[0, 0].rad() < 1e-16)
        True
    """
    return BallMatrix(arb_mat(exact_floats(array).tolist()))


def widened(a: BallMatrix, radius: float) -> BallMatrix:
    """Return a matrix that holds all within `radius >= 0` of `a` in Frobenius norm."""
    rows, columns = a.shape
    noise = [[arb(0, radius)] * columns for _ in range(rows)]
    return BallMatrix(a.data + arb_mat(noise))


def identity(size: int) -> BallMatrix:
    """Return the identity of shape `(size, size)`, `size >= 1`."""
    return BallMatrix(arb_mat(size, size, 1))


def norm(a: BallMatrix) -> Ball:
    """Return the Frobenius norm."""
    return positive_part(frobenius(a.data))


def spectral_norm(a: BallMatrix) -> Ball:
    """Return the largest singular value; the cost of `singular_values`."""
    return singular_values(a)[0]


def smallest_singular_value(a: BallMatrix) -> Ball:
    """Return the last of the `min(a.shape)` singular values."""
    return singular_values(a)[-1]


def singular_values(a: BallMatrix) -> list[Ball]:
    r"""Enclose every singular value at the working precision.

    They are square roots of eigenvalues of $A A^\top$, taken at more than twice the
    working precision, so that even a vanishing one has a ball of relative size
    $2^{-\mathrm{bits}}$ of the largest. The radii of `a` are added by Weyl.

    Args:
        a: Matrix of shape `(out, in)`.

    Returns:
        The balls of the `min(out, in)` singular values, descending. Cost: about
            eight products of balls at 53 bits, twenty at 256.
    """
    count = min(a.shape)
    if not frobenius(a.data).is_finite():
        return [NO_BOUND] * count
    exact = a.data.mid()
    radius = frobenius(a.data - exact).upper()
    wide = exact if a.shape[0] <= a.shape[1] else exact.transpose()
    try:
        start, _, _ = np.linalg.svd(_floats(wide), full_matrices=False)
    except np.linalg.LinAlgError:
        return [NO_BOUND] * count

    def congruence(basis: Any) -> Any:
        rows = basis.transpose() * wide
        return rows * rows.transpose()

    squares = refined_eigenvalues(congruence, start, 2 * ctx.prec)
    return [positive_part(sqrt(x) + arb(0, radius)) for x in reversed(squares)]


def eigenvalues(a: BallMatrix) -> list[Ball]:
    """Enclose every eigenvalue of a symmetric matrix at the working precision.

    Args:
        a: Square matrix whose true value is symmetric; its balls need not be.

    Returns:
        The balls of the eigenvalues, ascending. Cost: about eight products of balls
            at 53 bits, twenty at 256.
    """
    rows = square(a.shape)
    if not frobenius(a.data).is_finite():
        return [NO_BOUND] * rows
    exact = ((a.data + a.data.transpose()) * arb(0.5)).mid()
    radius = frobenius(a.data - exact).upper()
    try:
        _, start = np.linalg.eigh(_floats(exact))
    except np.linalg.LinAlgError:
        return [NO_BOUND] * rows
    values = refined_eigenvalues(
        lambda basis: basis.transpose() * (exact * basis), start, ctx.prec
    )
    return [x + arb(0, radius) for x in values]


def trace(a: BallMatrix) -> Ball:
    """Return the sum of the diagonal."""
    return total(a.data[i, i] for i in range(square(a.shape)))


def _floats(exact: Any) -> Float[np.ndarray, "out in"]:
    """Return the matrix divided by a power of two near its norm, rounded."""
    mantissa, exponent = frobenius(exact).upper().man_exp()
    unit = arb(2) ** -(int(mantissa).bit_length() + int(exponent))
    rows = (exact * unit).tolist()
    return np.array([[float(x) for x in row] for row in rows])
