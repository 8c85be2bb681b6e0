"""A piece of the work: some row groups read, bad rows aside, and summed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
import pyarrow as pa

from thalweg._core.errors import DataError
from thalweg.problem._streaming.files import File, is_local, opened, told
from thalweg.problem._streaming.sums import Sums, block_rows, is_suspect, sums_of
from thalweg.problem._streaming.tree import Tree
from thalweg.problem.columns import LARGEST_ENTRY

CELLS = 2**23
"""Most numbers held at once: 64 MiB. Larger row groups are read a part at a time."""

NAMED = 5
"""How many bad rows are named."""


@dataclass(frozen=True)
class Fragment:
    """Some row groups of a file; rows are counted from 1 within the file."""

    file: File
    groups: tuple[int, ...]

    @property
    def rows(self) -> int:
        """Return how many rows they have."""
        return sum(self.file.groups[number] for number in self.groups)


@dataclass(frozen=True)
class Task:
    """A piece of the work, as it is sent to a worker.

    Attributes:
        system: The file system of the files.
        fragments: What is read.
        names: The columns that are.
        triangular: Keep a triangular factor instead of products.
    """

    system: Any
    fragments: tuple[Fragment, ...]
    names: tuple[str, ...]
    triangular: bool

    @property
    def rows(self) -> int:
        """Return how many rows are read."""
        return sum(fragment.rows for fragment in self.fragments)


@dataclass(frozen=True)
class Bad:
    """A row that cannot be used: where it is, and what it holds."""

    file: str
    row: int
    column: str
    what: str

    def __str__(self) -> str:
        """Return it as words: `row 7 of column 'x' in a.parquet is missing`."""
        return f"row {self.row} of column '{self.column}' in {self.file} {self.what}"


@dataclass(frozen=True, eq=False)
class Piece:
    """What a task comes to.

    Attributes:
        sums: Of the good rows; `None` if there is none.
        bad_rows: How many rows are bad.
        named: The first of them.
        equal: For each column the first that equals it in every good row.
    """

    sums: Sums | None
    bad_rows: int = 0
    named: tuple[Bad, ...] = ()
    equal: tuple[int, ...] = ()


def summed(task: Task) -> Piece:
    """Read a piece and sum it.

    Args:
        task: What to read.

    Returns:
        The sums, and the bad rows that were left out of them.

    Raises:
        DataError: If a file has changed since it was found, or is damaged.
    """
    tree, bad_rows, named = Tree(), 0, list[Bad]()
    equal = np.zeros(len(task.names), dtype=np.int64)
    for fragment in task.fragments:
        file = fragment.file
        reader, footer = opened(task.system, file.path, file.name)
        with reader:
            _check_same(footer == file.footer, file)
            for row, columns in _batches(reader, fragment, task.names):
                sums = sums_of(columns, task.triangular)
                if is_suspect(sums):
                    columns, wrong, first = _sieved(columns, task.names, file.name, row)
                    bad_rows += wrong
                    named += first[: NAMED - len(named)]
                    if len(columns[0]) == 0:
                        continue
                    sums = sums_of(columns, task.triangular)
                equal = _refined(equal, columns, sums)
                tree.add(sums)
        _check_same(_is_still(task.system, file), file)
    return Piece(tree.total(), bad_rows, tuple(named), tuple(equal.tolist()))


def _is_still(system: Any, file: File) -> bool:
    """Return whether a file is what it was; remote ones tell the time unreliably."""
    info = system.get_file_info(file.path)
    since = info.mtime_ns if is_local(system) else file.modified
    return (info.size, since) == (file.size, file.modified)


def _check_same(same: bool, file: File) -> None:
    if not same:
        raise DataError(
            f"{file.name} changed while it was read; start again when nobody writes to "
            "it."
        )


def _bunches(fragment: Fragment, most: int) -> Iterator[tuple[int, list[int]]]:
    """Yield the row before the first, and neighbouring row groups of so many rows."""
    rows = fragment.file.groups
    before = list(accumulate(rows, initial=0))
    held: list[int] = []
    for number in fragment.groups:
        if held and before[number + 1] - before[held[0]] > most:
            yield before[held[0]], held
            held = []
        held.append(number)
    if held:
        yield before[held[0]], held


def _batches(
    reader: Any, fragment: Fragment, names: Sequence[str]
) -> Iterator[tuple[int, list[np.ndarray]]]:
    """Yield the row before the first, and the columns, of what fits into memory."""
    for row, groups in _bunches(fragment, block_rows(len(names))):
        try:
            for table in _tables(reader, groups, names):
                rows, columns = table.num_rows, [_numbers(c) for c in table.columns]
                del table
                if rows:
                    yield row, columns
                columns.clear()  # before the next are read, or memory doubles
                row += rows
        except (OSError, pa.ArrowException) as error:
            raise DataError(
                f"{fragment.file.name} is damaged in {_called(groups)}: "
                f"{told(error)}; write it again."
            ) from error


def _called(groups: Sequence[int]) -> str:
    first, last = groups[0] + 1, groups[-1] + 1
    return f"row group {first}" if first == last else f"row groups {first} to {last}"


def _tables(reader: Any, groups: list[int], names: Sequence[str]) -> Iterator[Any]:
    """Yield row groups together, or a large one in parts."""
    most = max(CELLS // len(names), 1)
    rows = sum(reader.metadata.row_group(number).num_rows for number in groups)
    if rows <= most:
        whole = reader.read_row_groups(groups, list(names), use_threads=False)
        yield whole.select(list(names))
        return
    parts = reader.iter_batches(
        most, row_groups=groups, columns=list(names), use_threads=False
    )
    for part in parts:
        yield part.select(list(names))


def _numbers(column: Any) -> np.ndarray:
    """Return a column as NumPy numbers; NaN where there is none."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = kind.value_type
    plain = pa.types.is_integer(kind) or pa.types.is_floating(kind)
    if column.null_count or not (plain or pa.types.is_boolean(kind)):
        column = column.cast(pa.float64(), safe=False)
    if isinstance(column, pa.ChunkedArray):
        column = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    array: np.ndarray = column.to_numpy(zero_copy_only=False)
    return array


def _sieved(
    columns: Sequence[np.ndarray], names: Sequence[str], file: str, before: int
) -> tuple[list[np.ndarray], int, list[Bad]]:
    """Return the columns without the bad rows, their number, and the first of them."""
    bad = np.zeros(len(columns[0]), dtype=bool)
    for column in columns:
        bad |= ~_usable(column)
    rows = np.flatnonzero(bad)
    first = []
    for row in rows[:NAMED]:
        place = next(k for k, c in enumerate(columns) if not _usable(c[row]))
        value = float(columns[place][row])
        first.append(Bad(file, before + int(row) + 1, names[place], _what(value)))
    if len(rows):
        columns = [column[~bad] for column in columns]
    return list(columns), len(rows), first


def _usable(values: Any) -> Any:
    with np.errstate(invalid="ignore"):
        return np.abs(np.asarray(values, dtype=np.float64)) <= LARGEST_ENTRY


def _what(value: float) -> str:
    if np.isnan(value):
        return "is missing"
    if np.isinf(value):
        return "is infinite"
    return f"is {value:.3g}, whose square leaves float64"


def _refined(
    equal: np.ndarray, columns: Sequence[np.ndarray], sums: Sums
) -> np.ndarray:
    """Return which columns are equal in these rows too; means sort out most."""
    seen: dict[tuple[int, float, float], list[int]] = {}
    refined = equal.copy()
    for place, column in enumerate(columns):
        key = (int(equal[place]), float(sums.high[place]), float(sums.low[place]))
        others = seen.setdefault(key, [])
        same = (other for other in others if np.array_equal(columns[other], column))
        refined[place] = next(same, place)
        if refined[place] == place:
            others.append(place)
    return refined
