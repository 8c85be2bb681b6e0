"""Files read into named columns: CSV, Parquet, NPZ."""

import csv
import os
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import numpy as np

from thalweg._core.errors import DataError

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "?", "-"})
"""Cells that stand for a missing number, in lower case."""


DAMAGE = (OSError, EOFError, ValueError, csv.Error, zipfile.BadZipFile, zlib.error)
"""What the readers raise on files that are not what they should be."""


@dataclass(frozen=True, eq=False)
class Column:
    """One column of a file.

    Attributes:
        values: The numbers; NaN where there is none.
        numbers: How many cells hold a number.
        text: First row, from 1, that holds something else, and what; or `None`.
    """

    values: np.ndarray
    numbers: int
    text: tuple[int, str] | None = None


@dataclass(frozen=True, eq=False)
class Columns:
    """What a file holds.

    Attributes:
        each: Columns by name, in the order of the file.
        groups: Arrays of several columns by name.
        unusable: Arrays that are no columns, and why.
    """

    each: dict[str, Column]
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)
    unusable: dict[str, str] = field(default_factory=dict)


def read_columns(path: str | os.PathLike[str]) -> Columns:
    """Read a file, by its suffix.

    Args:
        path: A `.csv`, `.tsv`, `.parquet` or `.npz` file.

    Returns:
        Its columns.

    Raises:
        DataError: If it is missing, empty, damaged or of another kind.
    """
    file = Path(path)
    if not file.exists():
        raise DataError(f"there is no file {file}; check the path.")
    if file.is_dir():
        raise DataError(f"{file} is a folder; pass a file.")
    reader = READERS.get(file.suffix.lower())
    if reader is None:
        raise DataError(
            f"{file.name} ends in '{file.suffix}'; files that can be read end in "
            f"{', '.join(READERS)}."
        )
    if file.stat().st_size == 0:
        raise DataError(f"{file.name} is empty; it must hold columns of numbers.")
    try:
        return reader(file)
    except DataError:
        raise
    except UnicodeDecodeError as error:
        raise DataError(f"{file.name} is not UTF-8 text; save it as UTF-8.") from error
    except DAMAGE as error:
        raise DataError(
            f"{file.name} cannot be read as {file.suffix}: {_short(error)}; it is "
            "damaged or not what its name says."
        ) from error


def _csv(file: Path) -> Columns:
    with open(file, encoding="utf-8-sig", newline="") as stream:
        first = stream.readline()
        delimiter = max(",;\t", key=first.count)
        stream.seek(0)
        reader = csv.reader(stream, delimiter=delimiter, strict=True)
        header = [name.strip() for name in next(reader, [])]
        _check_header(file.name, header)
        rows: list[list[str]] = []
        for row in reader:
            if not row:
                continue
            if len(row) != len(header):
                raise DataError(
                    f"{file.name}: row {len(rows) + 1} (line {reader.line_num}) has "
                    f"{len(row)} cells, the header {len(header)}; they must be as "
                    "many in every row."
                )
            rows.append(row)
    if not rows:
        raise DataError(f"{file.name} holds a header but no rows; it needs samples.")
    cells = zip(*rows, strict=True)
    named = zip(header, cells, strict=True)
    return Columns({name: _parsed(column) for name, column in named})


def _check_header(file: str, header: list[str]) -> None:
    if not any(header):
        raise DataError(f"{file} is empty; its first line must name the columns.")
    if "" in header:
        raise DataError(
            f"{file}: column {header.index('') + 1} has no name; name it in the first "
            "line (pandas writes such an index column unless told index=False)."
        )
    _check_names(file, header)
    counted = header == [str(position) for position in range(len(header))]
    if not counted and all(_number(name) is not None for name in header):
        raise DataError(
            f"{file}: the first line holds numbers only; it must name the columns."
        )


def _check_names(file: str, names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise DataError(
                f"{file} has {names.count(name)} columns named '{name}'; names must "
                "differ."
            )


def _number(cell: str) -> float | None:
    if "_" in cell:
        return None
    try:
        return float(cell)
    except ValueError:
        return None


def _parsed(cells: Sequence[str]) -> Column:
    values = np.full(len(cells), np.nan)
    numbers, text = 0, None
    for row, cell in enumerate(cells):
        if cell.strip().lower() in MISSING:
            continue
        number = _number(cell)
        if number is not None:
            values[row] = number
            numbers += 1
        elif text is None:
            text = (row + 1, cell)
    return Column(values, numbers, text)


def _parquet(file: Path) -> Columns:
    import pyarrow.parquet as parquet  # noqa: PLC0415  (heavy, and seldom needed)

    table = parquet.read_table(file)
    names = [str(name) for name in table.column_names]
    if not names or table.num_rows == 0:
        raise DataError(f"{file.name} holds no rows; it needs samples.")
    _check_names(file.name, names)
    columns = [table.column(position) for position in range(len(names))]
    named = zip(names, columns, strict=True)
    return Columns({name: _cells(column.to_numpy()) for name, column in named})


def _cells(array: np.ndarray) -> Column:
    if array.dtype.kind in "biuf":
        values = array.astype(np.float64)
        return Column(values, int(np.sum(~np.isnan(values))))
    if array.dtype.kind != "O":
        return _parsed([str(cell) for cell in array])
    values = np.full(len(array), np.nan)
    numbers, text = 0, None
    for row, cell in enumerate(array):
        if cell is None:
            continue
        if isinstance(cell, bool | int | float | Decimal):
            values[row] = float(cell)
            numbers += 1
        elif text is None:
            text = (row + 1, str(cell))
    return Column(values, numbers, text)


def _npz(file: Path) -> Columns:
    found = Columns({})
    with open(file, "rb") as stream:
        archive = np.load(stream, allow_pickle=False)
        if isinstance(archive, np.ndarray):
            raise DataError(
                f"{file.name} is a single array; save several with np.savez."
            )
        keys = list(archive.files)
        for key in keys:
            if key.endswith("_names") and key.removesuffix("_names") in keys:
                continue
            try:
                array = np.asarray(archive[key])
                labels = f"{key}_names"
                names = archive[labels] if labels in keys else None
            except ValueError:
                found.unusable[key] = "holds Python objects; save it as plain numbers"
                continue
            _add(found, key, array, names)
    if not found.each and not found.unusable:
        raise DataError(f"{file.name} holds no arrays; it needs samples.")
    return found


def _add(found: Columns, key: str, array: np.ndarray, names: np.ndarray | None) -> None:
    if array.ndim not in (1, 2):
        found.unusable[key] = (
            f"has shape {array.shape}; columns need one axis (sample) or two (sample, "
            "feature)"
        )
        return
    if array.dtype.kind not in "biufUS":
        found.unusable[key] = f"holds entries of type {array.dtype}, not numbers"
        return
    if array.ndim == 1:
        found.each[key] = _cells(array)
        return
    width = array.shape[1]
    if names is not None and names.shape != (width,):
        found.unusable[key] = (
            f"has {width} columns but {key}_names is of shape {names.shape}"
        )
        return
    labels = names if names is not None else [f"{key}[{k}]" for k in range(width)]
    group = tuple(str(label) for label in labels)
    for position, label in enumerate(group):
        if label in found.each:
            raise DataError(f"two columns are named '{label}'; names must differ.")
        found.each[label] = _cells(array[:, position])
    found.groups[key] = group


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:120].rstrip(".") or type(error).__name__


READERS: dict[str, Callable[[Path], Columns]] = {
    ".csv": _csv,
    ".tsv": _csv,
    ".parquet": _parquet,
    ".npz": _npz,
}
