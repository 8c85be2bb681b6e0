"""Exact rational matrices: what decides that something is zero, or what its rank is.

A float64 number is a rational number, so sums, products and ranks of stored arrays
have exact values. A matrix is an `ExactMatrix`, a scalar a `flint.fmpq`. Entries
grow by some hundred digits a product: for matrices of moderate size only.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import arb, arb_mat, fmpq, fmpq_mat

from thalweg.linalg._inputs import check_equal, check_inner, exact_floats
from thalweg.linalg._scalars import Ball
from thalweg.linalg.balls import BallMatrix

Rational = Any
"""A `flint.fmpq`; python-flint has no types to name."""


@dataclass(frozen=True, eq=False)
class ExactMatrix:
    """A matrix of rational numbers.

    Attributes:
        data: The `flint.fmpq_mat`, of shape `(out, in)`.
    """

    data: Any

    # Makes `array @ exact` an error instead of an array of objects.
    __array_ufunc__ = None

    @property
    def shape(self) -> tuple[int, int]:
        """Return the numbers of rows and columns."""
        return self.data.nrows(), self.data.ncols()

    @property
    def T(self) -> "ExactMatrix":  # noqa: N802
        """Return the transpose."""
        return ExactMatrix(self.data.transpose())

    def __matmul__(self, other: object) -> "ExactMatrix":
        """Return the product."""
        if not isinstance(other, ExactMatrix):
            return NotImplemented
        check_inner(self.shape, other.shape)
        return ExactMatrix(self.data * other.data)

    def __add__(self, other: object) -> "ExactMatrix":
        """Return the sum."""
        if not isinstance(other, ExactMatrix):
            return NotImplemented
        check_equal(self.shape, other.shape)
        return ExactMatrix(self.data + other.data)

    def __sub__(self, other: object) -> "ExactMatrix":
        """Return the difference."""
        if not isinstance(other, ExactMatrix):
            return NotImplemented
        check_equal(self.shape, other.shape)
        return ExactMatrix(self.data - other.data)

    def __neg__(self) -> "ExactMatrix":
        """Return the negative."""
        return ExactMatrix(-self.data)

    def __mul__(self, other: object) -> "ExactMatrix":
        """Return the multiple by an integer, a float or a rational number."""
        if not isinstance(other, int | float | np.integer | fmpq):
            return NotImplemented
        return ExactMatrix(self.data * scalar(other))

    __rmul__ = __mul__


def scalar(value: Any) -> Rational:
    """Return an integer, a finite float or a rational number as a rational number."""
    if isinstance(value, fmpq):
        return value
    if isinstance(value, int | np.integer):
        return fmpq(int(value))
    return fmpq(*map(int, float(value).as_integer_ratio()))


def matrix(array: Any) -> ExactMatrix:
    """Return a float64 array as the rational matrix it is.

    NaN and infinities are refused with a `DataError`, another number of axes with a
    `ShapeError`.

    Args:
        array: Finite numbers of shape `(out, in)`.

    Returns:
        The matrix.

    Example:
        >>> rank(matrix([[0.1, 0.2], [0.2, 0.4]])), rank(matrix([[0.1, 0.3], [1, 3]]))
        (1, 2)
    """
    rows = exact_floats(array).tolist()
    return ExactMatrix(fmpq_mat([[scalar(x) for x in row] for row in rows]))


def identity(size: int) -> ExactMatrix:
    """Return the identity of shape `(size, size)`, `size >= 1`."""
    return matrix(np.eye(size))


def is_zero(a: ExactMatrix) -> bool:
    """Return whether every entry is zero."""
    return all(entry == 0 for entry in a.data.entries())


def rank(a: ExactMatrix) -> int:
    """Return the rank."""
    return int(a.data.rank())


def inner(a: ExactMatrix, b: ExactMatrix) -> Rational:
    """Return the sum of the products of entries.

    Args:
        a: A matrix.
        b: Another of the same shape.

    Returns:
        The inner product of Frobenius.
    """
    check_equal(a.shape, b.shape)
    pairs = zip(a.data.entries(), b.data.entries(), strict=True)
    return sum((x * y for x, y in pairs), fmpq(0))


def kernel(a: ExactMatrix) -> list[ExactMatrix]:
    """Return a basis of the vectors a matrix takes to zero.

    Args:
        a: Matrix of shape `(out, in)`.

    Returns:
        The `in - rank` vectors, as columns of shape `(in, 1)`.

    Example:
        >>> [v.data.tolist() for v in kernel(matrix([[1.0, 2.0]]))]
        [[[-2], [1]]]
    """
    reduced, count = a.data.rref()
    columns = a.shape[1]
    pivots = [_first(reduced, row) for row in range(count)]
    free = [column for column in range(columns) if column not in pivots]
    return [_solution(reduced, pivots, column, columns) for column in free]


def solve(a: ExactMatrix, b: ExactMatrix) -> ExactMatrix:
    """Return `x` with `a @ x = b`.

    Args:
        a: Square matrix of full rank; flint raises `ZeroDivisionError` of another.
        b: Right-hand side, with as many rows.

    Returns:
        The solution, of the shape of `b`.
    """
    check_inner(a.shape, b.shape)
    return ExactMatrix(a.data.solve(b.data))


def to_ball(value: Rational) -> Ball:
    """Return the ball of a rational number, at the working precision."""
    return arb(value)


def to_balls(a: ExactMatrix) -> BallMatrix:
    """Return a matrix as balls, at the working precision."""
    return BallMatrix(arb_mat(a.data))


def _first(reduced: Any, row: int) -> int:
    """Return the column of the first entry of a row that is not zero."""
    return next(j for j in range(reduced.ncols()) if reduced[row, j] != 0)


def _solution(reduced: Any, pivots: list[int], free: int, size: int) -> ExactMatrix:
    vector = fmpq_mat(size, 1)
    vector[free, 0] = 1
    for row, pivot in enumerate(pivots):
        vector[pivot, 0] = -reduced[row, free]
    return ExactMatrix(vector)
