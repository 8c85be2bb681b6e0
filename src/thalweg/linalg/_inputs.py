"""What may become a matrix, and which matrices fit: checks of all arithmetics."""

from typing import Any

import numpy as np
from jaxtyping import Float

from thalweg._core.errors import DataError, ShapeError

Shape = tuple[int, int]
_EXACT_INTEGER = 2**53


def exact_floats(array: Any) -> Float[np.ndarray, "out in"]:
    """Return a private float64 copy that has exactly the values that came.

    Args:
        array: Finite numbers of shape `(out, in)`.

    Returns:
        The copy, read-only.

    Raises:
        DataError: If an entry is NaN, infinite, or not a float64 number.
        ShapeError: If there are not two axes, or one is empty.
    """
    given = np.asarray(array)
    kind = given.dtype.kind
    if kind not in "biuf" or given.dtype.itemsize > 8:
        raise DataError(
            f"array has entries of type {given.dtype}; they must be float64 numbers."
        )
    if given.ndim != 2 or 0 in given.shape:
        raise ShapeError(
            f"array has shape {given.shape}; a matrix needs two axes, none empty."
        )
    if kind in "iu" and not (
        int(given.max()) <= _EXACT_INTEGER and int(given.min()) >= -_EXACT_INTEGER
    ):
        raise DataError("array holds integers beyond 2**53; float64 would round them.")
    copy = np.array(given, dtype=np.float64)
    count = copy.size - int(np.count_nonzero(np.isfinite(copy)))
    if count:
        raise DataError(
            f"array holds {count} entries that are NaN or infinite; "
            "every entry must be a finite number."
        )
    copy.setflags(write=False)
    return copy


def check_inner(left: Shape, right: Shape) -> None:
    """Raise unless matrices of these shapes can be multiplied.

    Args:
        left: Shape of the left factor.
        right: Shape of the right factor.

    Raises:
        ShapeError: If the inner sizes differ.
    """
    if left[1] != right[0]:
        raise ShapeError(
            f"a matrix of shape {left} cannot multiply one of shape {right}; "
            f"{left[1]} rows are needed on the right."
        )


def check_equal(left: Shape, right: Shape) -> None:
    """Raise unless matrices of these shapes can be added.

    Args:
        left: Shape of the first.
        right: Shape of the second.

    Raises:
        ShapeError: If they differ.
    """
    if left != right:
        raise ShapeError(
            f"matrices of shapes {left} and {right} cannot be added; "
            "their shapes must agree."
        )


def square(shape: Shape) -> int:
    """Return the number of rows of a square matrix.

    Args:
        shape: Its shape.

    Returns:
        The number of rows.

    Raises:
        ShapeError: If it is not square.
    """
    if shape[0] != shape[1]:
        raise ShapeError(f"the matrix has shape {shape}; it must be square.")
    return shape[0]
