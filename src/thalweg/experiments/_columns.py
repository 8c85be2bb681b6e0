"""Rows gathered on the way, as the columns of a table."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from thalweg.experiments._base import Table


def columns(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    """Return rows as a table.

    Args:
        names: Of the columns.
        rows: Each with an entry a column.

    Returns:
        The columns by name; empty ones if there are no rows.

    Example:
        >>> columns(("depth", "loss"), [(2, 0.5), (3, 0.25)])["loss"].tolist()
        [0.5, 0.25]
    """
    turned = list(zip(*rows, strict=True)) or [()] * len(names)
    return {name: np.array(one) for name, one in zip(names, turned, strict=True)}
