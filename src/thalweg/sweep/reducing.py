"""Columns brought together: combinations of values, reductions, phase diagrams."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from thalweg._core.errors import unknown
from thalweg.sweep.parquet import plain

NOT_A_NUMBER = float("nan")
"""The one that a dictionary finds again."""

REDUCTIONS: dict[str, Callable[[np.ndarray], float]] = {
    "median": lambda values: float(np.median(values)),
    "mean": lambda values: float(np.mean(values)),
    "min": lambda values: float(np.min(values)),
    "max": lambda values: float(np.max(values)),
    "sum": lambda values: float(np.sum(values)),
    "count": lambda values: float(values.size),
}
"""What makes one number of many."""


def reduction(name: str) -> Callable[[np.ndarray], float]:
    """Return a reduction by name; of no numbers it gives NaN, or a count of zero.

    Args:
        name: One of `REDUCTIONS`.

    Returns:
        The function.

    Raises:
        UnknownName: If there is none.

    Example:
        >>> reduction("median")(np.array([3.0, 1.0, 2.0]))
        2.0
    """  # noqa: DOC501
    if name not in REDUCTIONS:
        raise unknown(name, REDUCTIONS, "the list of reductions")
    chosen, empty = REDUCTIONS[name], 0.0 if name == "count" else float("nan")
    return lambda values: chosen(values) if values.size else empty


def combinations(columns: Sequence[np.ndarray]) -> tuple[list[int], np.ndarray]:
    """Return the first row of every combination, and each row's number of it.

    Args:
        columns: Equally long columns; at least one.

    Returns:
        Places of first rows, in order of appearance; numbers of combinations.

    Example:
        >>> firsts, codes = combinations([np.array([5, 5, 7, 5])])
        >>> firsts, codes.tolist()
        ([0, 2], [0, 0, 1, 0])
    """
    seen: dict[tuple[Any, ...], int] = {}
    firsts: list[int] = []
    rows = list(zip(*(entries(column) for column in columns), strict=True))
    codes = np.zeros(len(rows), dtype=np.int64)
    for row, here in enumerate(rows):
        if here not in seen:
            seen[here] = len(seen)
            firsts.append(row)
        codes[row] = seen[here]
    return firsts, codes


def members(codes: np.ndarray, counted: np.ndarray, count: int) -> list[np.ndarray]:
    """Return the rows of every combination, ascending, of those that count.

    Args:
        codes: Each row's number of its combination.
        counted: Which rows count.
        count: How many combinations there are.

    Returns:
        Places of rows, an array a combination.

    Example:
        >>> several = members(np.array([0, 1, 0]), np.array([True, False, True]), 2)
        >>> [places.tolist() for places in several]
        [[0, 2], []]
    """
    rows = np.flatnonzero(counted)
    order = rows[np.argsort(codes[rows], kind="stable")]
    return np.split(order, np.searchsorted(codes[order], np.arange(1, count)))[:count]


def levels(values: np.ndarray) -> list[Any]:
    """Return the different values: numbers ascending, NaN last; words as they come."""
    different = list(dict.fromkeys(entries(values)))
    if values.dtype == object:
        return different
    return sorted(different, key=lambda value: (value != value, value))


def entries(values: np.ndarray) -> list[Any]:
    """Return a column as values a dictionary can tell apart; NaN is one of them."""
    found: list[Any] = words(values).tolist()
    if values.dtype.kind == "f":
        return [NOT_A_NUMBER if value != value else value for value in found]
    return found


def words(values: np.ndarray) -> np.ndarray:
    """Return a column of lists as one of words, which a hash can tell apart."""
    if values.dtype != object:
        return values
    told = [v if isinstance(v, str | None) else json.dumps(plain(v)) for v in values]
    return np.array(told, dtype=object)


def matrix(
    across: np.ndarray, down: np.ndarray, values: np.ndarray
) -> tuple[list[Any], list[Any], np.ndarray]:
    """Return values laid out over two columns.

    Args:
        across: The column along the rows of the matrix.
        down: The column down them.
        values: A number for every pair; no pair twice.

    Returns:
        The levels of both, and the matrix, NaN where there is no pair.
    """
    xs, ys = levels(across), levels(down)
    right = {level: place for place, level in enumerate(xs)}
    below = {level: place for place, level in enumerate(ys)}
    found = np.full((len(ys), len(xs)), np.nan)
    pairs = zip(entries(across), entries(down), values, strict=True)
    for x, y, value in pairs:
        found[below[y], right[x]] = value
    return xs, ys, found


def laid(
    columns: Sequence[np.ndarray], rows: int
) -> tuple[list[list[Any]], np.ndarray]:
    """Return the levels of columns, and the place of each row on their grid.

    Args:
        columns: The axes of the grid.
        rows: How many rows there are.

    Returns:
        The levels of each, and places counted with the last axis the fastest.

    Example:
        >>> laid([np.array([1, 1, 2]), np.array([5, 7, 7])], 3)[1].tolist()
        [0, 1, 3]
    """
    ticks, flat = [levels(column) for column in columns], np.zeros(rows, np.int64)
    for column, tick in zip(columns, ticks, strict=True):
        place = {level: at for at, level in enumerate(tick)}
        at = np.array([place[value] for value in entries(column)], np.int64)
        flat = flat * len(tick) + at
    return ticks, flat
