"""Rows of a sweep and the bytes of Parquet files: the one door to pyarrow."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from thalweg._core.errors import DataError, StoreError


def rows_of(columns: Mapping[str, Sequence[Any]]) -> Any:
    """Return plain columns as an Arrow table.

    Args:
        columns: Values by name, equally many of each: numbers, words, truth values,
            lists of numbers, `None`; anything else is told as JSON.

    Returns:
        The table.

    Raises:
        DataError: If the columns are not equally long.

    Example:
        >>> rows_of({"std": [0.5, 1], "name": ["a", None]}).column("std").to_pylist()
        [0.5, 1.0]
    """
    if len({len(values) for values in columns.values()}) > 1:
        raise DataError("the columns differ in length; give equally many values each.")
    return pa.table({name: _column(values) for name, values in columns.items()})


def _column(values: Sequence[Any]) -> Any:
    if isinstance(values, np.ndarray):
        values = values.tolist()
    kinds = {type(value) for value in values} - {type(None)}
    if kinds == {int, float}:
        return pa.array(values, pa.float64())
    if kinds <= {int} or kinds <= {float} or kinds <= {bool} or kinds <= {str}:
        return pa.array(values)
    if kinds <= {list, tuple} and all(_numeric(v) for v in values if v is not None):
        depth = max(_depth(v) for v in values if v is not None)
        inner: Any = pa.float64()
        for _ in range(depth):
            inner = pa.list_(inner)
        return pa.array(values, inner)
    told = [v if isinstance(v, str | None) else json.dumps(v) for v in values]
    return pa.array(told, pa.string())


def _numeric(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_numeric, value))
    return isinstance(value, int | float) and not isinstance(value, bool)


def _depth(value: Any) -> int:
    if not isinstance(value, list | tuple):
        return 0
    return 1 + max(map(_depth, value), default=0)


def array_of(column: Any) -> np.ndarray:
    """Return an Arrow column as NumPy: NaN, or `None`, where there is no value."""
    kind = column.type
    if pa.types.is_null(kind):
        return np.full(len(column), np.nan)
    if pa.types.is_floating(kind) or (pa.types.is_integer(kind) and column.null_count):
        return column.cast(pa.float64()).to_numpy()
    if pa.types.is_integer(kind) or (
        pa.types.is_boolean(kind) and not column.null_count
    ):
        return column.to_numpy()
    found = np.empty(len(column), dtype=object)
    for place, value in enumerate(column.to_pylist()):
        found[place] = value
    return found


def plain(value: Any) -> Any:
    """Return an entry of a NumPy column as a value of Python's own."""
    return value.item() if isinstance(value, np.generic) else value


def jsonable(value: Any) -> Any:
    """Return a value as JSON can hold it: infinities and NaN as words."""
    if isinstance(value, list):
        return [jsonable(entry) for entry in value]
    if isinstance(value, float) and not np.isfinite(value):
        return str(value)
    return value


def joined(tables: Sequence[Any]) -> Any:
    """Return tables one below the other; a column that one lacks is empty there."""
    if len(tables) == 1:
        return tables[0]
    return pa.concat_tables(tables, promote_options="permissive").combine_chunks()


def filled(rows: Any, name: str, word: str) -> Any:
    """Return rows with a word where a column of words is empty."""
    place = rows.column_names.index(name)
    column = rows.column(place).cast(pa.string()).fill_null(word)
    return rows.set_column(place, name, column)


def packed(rows: Any, about: Mapping[str, str]) -> bytes:
    """Return a table as the bytes of a Parquet file.

    Args:
        rows: The table.
        about: Words to keep beside it.

    Returns:
        The bytes; every page carries its checksum.
    """
    sink = pa.BufferOutputStream()
    pq.write_table(
        rows.replace_schema_metadata(dict(about)),
        sink,
        compression="zstd",
        write_page_checksum=True,
    )
    return sink.getvalue().to_pybytes()


def read(file: Path) -> Any:
    """Return the table of a Parquet file.

    Args:
        file: The file.

    Returns:
        The table, its checksums verified.

    Raises:
        StoreError: If it is missing or damaged.
    """
    try:
        return unpacked(file.read_bytes())
    except FileNotFoundError as error:
        raise StoreError(
            f"there is no {file}; pass the folder of a sweep, or its table."
        ) from error
    except OSError as error:
        raise StoreError(
            f"{file} cannot be read: {error.strerror or 'it is damaged'}; run the "
            "sweep again."
        ) from error
    except (ValueError, pa.ArrowException) as error:
        raise StoreError(
            f"{file} is damaged, or no Parquet file; run the sweep again."
        ) from error


def unpacked(data: bytes) -> Any:
    """Return the table whose Parquet file these bytes are."""
    # `read_table` would import pandas, which takes longer than all else.
    file = pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True)
    return file.read()
