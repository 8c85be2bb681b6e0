"""Columns of samples: checks, means, constant and equal ones, standardising."""

import numpy as np

from thalweg._core.errors import DataError, ShapeError

LARGEST_ENTRY = 1e150
"""Entries beyond this have squares that leave float64."""

EPS = float(np.finfo(np.float64).eps)


def matrix_of(
    name: str, value: object, names: tuple[str, ...] | None = None
) -> np.ndarray:
    """Return `value` as a finite float64 matrix, one sample a row.

    Args:
        name: The argument's name, for the message.
        value: Anything array-like with two axes and real entries.
        names: Names of the columns, for the message.

    Returns:
        The matrix.

    Raises:
        DataError: If it holds text, missing values or numbers beyond `1e150`.
        ShapeError: If it has not two axes, or no row or column.
    """
    array = _real(np.asarray(value))
    if array is None:
        raise DataError(
            f"{name} holds something that is not a real number; code text and classes "
            "as numbers first."
        )
    if array.ndim != 2:
        raise ShapeError(
            f"{name} has shape {array.shape}; it must have two axes, one sample a row"
            + (": reshape it to (samples, 1)." if array.ndim == 1 else ".")
        )
    if 0 in array.shape:
        raise ShapeError(
            f"{name} has shape {array.shape}; it needs at least one sample and one "
            "column."
        )
    _check_finite(name, array, names)
    return array


def _real(array: np.ndarray) -> np.ndarray | None:
    if array.dtype.kind not in "biufO":
        return None
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError):
        return None


def _check_finite(name: str, array: np.ndarray, names: tuple[str, ...] | None) -> None:
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        row, column = bad[0]
        where = f"'{names[column]}'" if names else str(column + 1)
        raise DataError(
            f"{name} holds {len(bad)} values that are missing or infinite, the first "
            f"in row {row + 1}, column {where}; fill them or leave those rows out."
        )
    largest = np.abs(array).max()
    if largest > LARGEST_ENTRY:
        raise DataError(
            f"{name} holds {largest:.3g}, whose square leaves float64; change its unit."
        )


def precision(value: object) -> float:
    """Return the relative rounding error of the entries of `value` as they came."""
    kind = getattr(value, "dtype", None)
    single = isinstance(kind, np.dtype) and kind.kind == "f" and kind.itemsize < 8
    return float(np.finfo(kind).eps) if single else EPS


def centred(array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the column means and the array without them (in two passes)."""
    first = array.mean(axis=0)
    without = array - first
    second = without.mean(axis=0)
    without -= second
    return first + second, without


def constant_columns(array: np.ndarray, by_variation: bool) -> tuple[int, ...]:
    """Return the columns that do not vary, or, without centring, that are zero."""
    size = np.abs(array).max(axis=0)
    flat = size == 0
    if by_variation:
        flat |= np.ptp(array, axis=0) <= 4 * EPS * size
    return tuple(np.flatnonzero(flat).tolist())


def duplicate_columns(
    array: np.ndarray, constant: tuple[int, ...]
) -> tuple[tuple[int, ...], ...]:
    """Return groups of equal columns, those in `constant` left aside."""
    groups: dict[bytes, list[int]] = {}
    for position in sorted(set(range(array.shape[1])) - set(constant)):
        groups.setdefault((array[:, position] + 0.0).tobytes(), []).append(position)
    return tuple(tuple(group) for group in groups.values() if len(group) > 1)


def standardised(
    array: np.ndarray, constant: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Divide the columns by their root mean squares.

    Args:
        array: The inputs, centred if they are to be.
        constant: Columns to leave out.

    Returns:
        The columns that vary, divided; the root mean squares of all columns; and
        which columns vary.
    """
    seen = np.ones(array.shape[1], dtype=bool)
    seen[list(constant)] = False
    size = np.where(seen, np.abs(array).max(axis=0), 1.0)
    scaled = array[:, seen] / size[seen]
    mean_square = np.sqrt(np.mean(scaled**2, axis=0))
    spread = size.copy()
    spread[seen] *= mean_square
    return scaled / mean_square, spread, seen


def offset(mean: np.ndarray, spread: np.ndarray, seen: np.ndarray) -> float:
    """Return the largest distance of a varying column from zero, in its spreads."""
    return float(np.max(1 + np.abs(mean[seen]) / spread[seen], initial=1.0))
