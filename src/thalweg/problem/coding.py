"""Classes as numbers: one-hot, orthonormal contrasts, or the class itself."""

from typing import Literal, get_args

import numpy as np

from thalweg._core.errors import DataError, DomainError, unknown

Coding = Literal["contrasts", "one-hot", "number"]


def contrasts(classes: int) -> np.ndarray:
    r"""Return orthonormal contrasts of `classes` classes (Helmert's).

    Row $k$ compares the mean of the first $k$ classes with class $k + 1$. The rows
    are orthonormal and orthogonal to the vector of ones, so the coded labels have
    the same non-zero singular values as centred one-hot labels, without their zero.

    Args:
        classes: Number of classes, `>= 2`.

    Returns:
        The contrasts, of shape `(classes - 1, classes)`.

    Raises:
        DomainError: If there are fewer than two classes.

    Example:
        >>> contrasts(3).round(4).tolist()
        [[0.7071, -0.7071, 0.0], [0.4082, 0.4082, -0.8165]]
    """
    if classes < 2:
        raise DomainError(f"classes is {classes}; contrasts compare at least two.")
    first = np.arange(1.0, classes)[:, None]
    column = np.arange(classes)
    rows = np.where(column < first, 1.0, np.where(column == first, -first, 0.0))
    return rows / np.sqrt(first * (first + 1))


def code(
    numbers: np.ndarray, names: tuple[str, ...], coding: str
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Code class numbers as label columns.

    Args:
        numbers: Class of each sample, integers from 0 to `len(names) - 1`.
        names: Names of the classes.
        coding: `contrasts` (one column fewer than classes), `one-hot` or `number`.

    Returns:
        The labels, of shape `"sample output"`, and the names of the columns.

    Raises:
        UnknownName: If the coding is none of the three.
        DataError: If a class number is out of range.
    """
    _check(coding)
    classes = len(names)
    numbers = np.asarray(numbers).astype(np.int64)
    if numbers.size and not 0 <= numbers.min() <= numbers.max() < classes:
        raise DataError(
            f"class numbers run from {numbers.min()} to {numbers.max()}; "
            f"with {classes} classes they must lie between 0 and {classes - 1}."
        )
    if coding == "number":
        return numbers[:, None].astype(np.float64), ("class",)
    if coding == "one-hot":
        return np.eye(classes)[numbers], names
    columns = tuple(f"contrast {k}" for k in range(1, classes))
    return np.ascontiguousarray(contrasts(classes).T[numbers]), columns


def _check(coding: str) -> None:
    if coding not in get_args(Coding):
        raise unknown(coding, get_args(Coding), "the list of codings")
