"""The table of a grid as an `xarray.Dataset`."""

from typing import Any

import numpy as np
import xarray

from thalweg._core.errors import DomainError
from thalweg.sweep.reducing import laid


def dataset_of(table: Any) -> Any:
    """Return the table of a grid with a dimension for every axis.

    Args:
        table: A `Table`.

    Returns:
        The data set; NaN, or `None`, where the design has no row.

    Raises:
        DomainError: If two rows share a place: the design was no grid.
    """
    ticks, flat = laid([table.column(name) for name in table.axes], len(table))
    shape = tuple(map(len, ticks))
    if np.unique(flat).size < len(table):
        raise DomainError(
            "two rows lie at the same place, so the table is no grid; use its "
            "columns, or group it."
        )
    data = {}
    for name in table.columns:
        if name in table.axes:
            continue
        values = table.column(name)
        none: Any = None if values.dtype == object else np.nan
        kind = object if values.dtype == object else np.float64
        full = np.full(int(np.prod(shape)), none, dtype=kind)
        full[flat] = values
        data[name] = (table.axes, full.reshape(shape))
    return xarray.Dataset(data, coords=dict(zip(table.axes, ticks, strict=True)))
