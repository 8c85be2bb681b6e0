"""The table of a sweep: a row for every run that is done, in the order of the design."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from thalweg._core.errors import DomainError, StoreError, unknown
from thalweg._core.store import write_whole
from thalweg.sweep import parquet

RUN = "run"
"""Column of the place in the design, from 0."""

KEY = "key"
"""Column of the hash of a run's settings."""

STATUS = "status"
"""Column of how a run ended: a word of `Status`, or `failed`."""

REDUCTIONS: dict[str, Callable[[np.ndarray], float]] = {
    "median": lambda values: float(np.median(values)),
    "mean": lambda values: float(np.mean(values)),
    "min": lambda values: float(np.min(values)),
    "max": lambda values: float(np.max(values)),
    "sum": lambda values: float(np.sum(values)),
    "count": lambda values: float(values.size),
}


@dataclass(frozen=True)
class Table:
    """What came out of a sweep.

    Attributes:
        rows: The columns, as an Arrow table.
        axes: Names of the columns that the design varies, in its order.
        design: The design, as plain values.
        whole: Whether every run of the design has its row.
        remarks: What should be told beside the table, a sentence each.

    Example:
        >>> table = Table.of(
        ...     {"std": [0.1, 0.1, 0.2, 0.2], "seed": [0, 1, 0, 1],
        ...      "status": ["converged"] * 3 + ["diverged"],
        ...      "iterations": [40, 60, 20, 7]}, axes=("std", "seed"))
        >>> table.counts()
        {'converged': 3, 'diverged': 1}
        >>> table.group("std", "iterations", only="converged").column("iterations")
        array([50., 20.])
    """

    rows: Any
    axes: tuple[str, ...] = ()
    design: Mapping[str, Any] | None = None
    whole: bool = True
    remarks: tuple[str, ...] = ()

    @classmethod
    def of(cls, columns: Mapping[str, Sequence[Any]], **about: Any) -> "Table":
        """Return a table of plain columns.

        Args:
            columns: Values by name, equally many of each.
            **about: The other attributes.

        Returns:
            The table.
        """
        return cls(parquet.rows_of(columns), **about)

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the names of the columns."""
        return tuple(self.rows.column_names)

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.rows.num_rows

    def column(self, name: str) -> np.ndarray:
        """Return a column.

        Args:
            name: One of `columns`.

        Returns:
            An entry a row: numbers, NaN where there is none; words and lists as
            objects, `None` where there is none.

        Raises:
            UnknownName: If there is no such column.
        """  # noqa: DOC501
        if name not in self.columns:
            raise unknown(name, self.columns, "the table of the sweep")
        return parquet.array_of(self.rows.column(name))

    def counts(self) -> dict[str, int]:
        """Return how many rows have each status, the most frequent first."""
        if STATUS not in self.columns:
            return {}
        words, counts = np.unique(self.column(STATUS), return_counts=True)
        order = np.argsort(-counts, kind="stable")
        return {str(words[i]): int(counts[i]) for i in order}

    def where(self, kept: Any) -> "Table":
        """Return the rows chosen by one truth value, or one number, a row.

        Args:
            kept: A mask, or places.

        Returns:
            The smaller table.
        """
        chosen = np.asarray(kept)
        places = np.flatnonzero(chosen) if chosen.dtype == bool else chosen
        return replace(self, rows=self.rows.take(pa.array(places, pa.int64())))

    def group(
        self,
        by: str | Sequence[str],
        value: str,
        *,
        reduce: str = "median",
        only: str | None = None,
    ) -> "Table":
        """Return one row for each combination of some columns.

        Args:
            by: The columns.
            value: The column to reduce; rows where it is NaN do not count.
            reduce: `median`, `mean`, `min`, `max`, `sum` or `count`.
            only: Reduce rows of this status only.

        Returns:
            A table of `by`, of `value` (NaN where no row counts) and of `rows`, how
            many did; in order of appearance.
        """
        names = _several(by)
        reduced, counted = _reduction(reduce), self._counted(value, only)
        values = self._numbers(value)
        firsts, codes = self._combinations(names)
        found: dict[str, Any] = {
            name: [parquet.plain(self.column(name)[i]) for i in firsts]
            for name in names
        }
        groups = [values[counted & (codes == code)] for code in range(len(firsts))]
        empty = 0.0 if reduce == "count" else float("nan")
        found[value] = [reduced(g) if g.size else empty for g in groups]
        found["rows"] = [int(g.size) for g in groups]
        return Table.of(found, axes=names, design=self.design, whole=self.whole)

    def best(
        self,
        by: str | Sequence[str] = (),
        value: str = "iterations",
        *,
        only: str | None = "converged",
    ) -> "Table":
        """Return the row of the smallest value for each combination of some columns.

        Args:
            by: The columns; none for the best row of all.
            value: What is to be small.
            only: Take rows of this status only; `None` takes all.

        Returns:
            Those rows, in order of appearance; none for a combination without a row
            that counts. Of equal rows the first.
        """
        names = _several(by)
        counted, values = self._counted(value, only), self._numbers(value)
        firsts, codes = self._combinations(names)
        chosen = []
        for code in range(len(firsts)):
            places = np.flatnonzero(counted & (codes == code))
            if places.size:
                chosen.append(int(places[np.argmin(values[places])]))
        return self.where(np.array(chosen, dtype=np.int64))

    def pivot(
        self,
        x: str,
        y: str,
        value: str,
        *,
        reduce: str = "median",
        only: str | None = None,
    ) -> tuple[list[Any], list[Any], np.ndarray]:
        """Return a column as a matrix over two others: a phase diagram.

        Args:
            x: The column along the rows of the matrix.
            y: The column down them.
            value: The column to reduce; rows where it is NaN do not count.
            reduce: As in `group`.
            only: As in `group`.

        Returns:
            The values of `x` and of `y` (numbers ascending, words in order of
            appearance), and the matrix of shape `(len(ys), len(xs))`, NaN where no
            row counts.
        """
        cells = self.group((x, y), value, reduce=reduce, only=only)
        xs, ys = _levels(cells.column(x)), _levels(cells.column(y))
        matrix = np.full((len(ys), len(xs)), np.nan)
        across = {level: place for place, level in enumerate(xs)}
        down = {level: place for place, level in enumerate(ys)}
        values = cells.column(value)
        for place, (a, b) in enumerate(
            zip(cells.column(x), cells.column(y), strict=True)
        ):
            matrix[down[parquet.plain(b)], across[parquet.plain(a)]] = values[place]
        return xs, ys, matrix

    def settings(self, index: int) -> dict[str, Any]:
        """Return the settings of a row, as a file of `thalweg run` would hold them.

        Args:
            index: Which row, from 0.

        Returns:
            The keys and values.

        Raises:
            DomainError: If there is no such row, or the table has no design.
        """
        if not -len(self) <= index < len(self):
            raise DomainError(
                f"row {index} of {len(self)}; count from 0 to {len(self) - 1}."
            )
        if self.design is None or RUN not in self.columns:
            raise DomainError(
                "the table was reduced or made by hand; only a row of a sweep has "
                "settings."
            )
        from thalweg.sweep.replay import settings_of  # noqa: PLC0415 (needs pydantic)

        row = {name: parquet.plain(self.column(name)[index]) for name in self.columns}
        return settings_of(self.design, row)

    def to_toml(self, index: int) -> str:
        """Return the settings of a row as the text of a file for `thalweg run`.

        Args:
            index: Which row, from 0.

        Returns:
            The text.
        """
        from thalweg.sweep.replay import toml_of  # noqa: PLC0415 (needs pydantic)

        return toml_of(self.settings(index))

    def to_pandas(self) -> Any:
        """Return a `pandas.DataFrame`.

        Returns:
            The frame.

        Raises:
            DomainError: If pandas is not installed.
        """
        try:
            return self.rows.to_pandas()
        except ImportError as error:
            raise DomainError(
                "to_pandas needs pandas, which is not installed: pip install pandas."
            ) from error

    def to_xarray(self) -> Any:
        """Return a grid as an `xarray.Dataset`, a dimension for every axis.

        Returns:
            The data set; NaN, or `None`, where the design has no row.

        Raises:
            DomainError: If two rows share a place: the design was no grid.
        """
        import xarray  # noqa: PLC0415  (a heavy guest)

        axes = [_words(self.column(name)) for name in self.axes]
        levels = [_levels(axis) for axis in axes]
        shape = tuple(len(level) for level in levels)
        where = [
            np.array([level.index(parquet.plain(v)) for v in axis], dtype=np.int64)
            for axis, level in zip(axes, levels, strict=True)
        ]
        flat = np.ravel_multi_index(where, shape) if shape else np.zeros(len(self), int)
        if np.unique(flat).size < len(self):
            raise DomainError(
                "two rows lie at the same place, so the table is no grid; use its "
                "columns, or group it."
            )
        data = {}
        for name in self.columns:
            if name in self.axes:
                continue
            values = self.column(name)
            none: Any = None if values.dtype == object else np.nan
            kind = object if values.dtype == object else np.float64
            full = np.full(int(np.prod(shape)), none, dtype=kind)
            full[flat] = values
            data[name] = (self.axes, full.reshape(shape))
        return xarray.Dataset(data, coords=dict(zip(self.axes, levels, strict=True)))

    def to_json(self) -> dict[str, Any]:
        """Return the table as plain values, column by column."""
        return {
            "axes": list(self.axes),
            "whole": self.whole,
            "counts": self.counts(),
            "remarks": list(self.remarks),
            "design": None if self.design is None else dict(self.design),
            "columns": {
                name: [parquet.jsonable(value) for value in column.to_pylist()]
                for name, column in zip(self.columns, self.rows.columns, strict=True)
            },
        }

    def save(self, file: str | os.PathLike[str]) -> None:
        """Write the table as one Parquet file, replaced as a whole.

        Args:
            file: Where to.
        """
        write_whole(Path(file), self.to_bytes())

    def to_bytes(self) -> bytes:
        """Return the Parquet file."""
        about = {
            "axes": list(self.axes),
            "design": self.design,
            "whole": self.whole,
            "remarks": list(self.remarks),
        }
        return parquet.packed(self.rows, {"thalweg.sweep": json.dumps(about)})

    @classmethod
    def load(cls, file: str | os.PathLike[str]) -> "Table":
        """Read a table that `save` wrote.

        Args:
            file: The file, or the folder of a sweep.

        Returns:
            The table.

        Raises:
            StoreError: If it is missing, damaged, or no table of a sweep.
        """
        place = Path(file)
        place = place / "table.parquet" if place.is_dir() else place
        rows = parquet.read(place)
        try:
            about = json.loads((rows.schema.metadata or {})[b"thalweg.sweep"])
            return cls(
                rows.replace_schema_metadata(None),
                tuple(about["axes"]),
                about["design"],
                about["whole"],
                tuple(about["remarks"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise StoreError(
                f"{place} is Parquet, but not the table of a sweep; pass one that "
                "`thalweg sweep` wrote."
            ) from error

    def _numbers(self, name: str) -> np.ndarray:
        values = self.column(name)
        if values.dtype == object:
            raise DomainError(
                f"column '{name}' does not hold numbers; reduce one that does."
            )
        return values.astype(np.float64)

    def _counted(self, value: str, only: str | None) -> np.ndarray:
        counted = ~np.isnan(self._numbers(value))
        return counted if only is None else counted & (self.column(STATUS) == only)

    def _combinations(self, names: tuple[str, ...]) -> tuple[list[int], np.ndarray]:
        """Return the first row of every combination, and each row's number of it."""
        seen: dict[tuple[Any, ...], int] = {}
        firsts, codes = [], np.zeros(len(self), dtype=np.int64)
        columns = [_words(self.column(name)) for name in names]
        for row in range(len(self)):
            here = tuple(parquet.plain(column[row]) for column in columns)
            if here not in seen:
                seen[here] = len(seen)
                firsts.append(row)
            codes[row] = seen[here]
        return firsts, codes


def _several(names: str | Sequence[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _reduction(name: str) -> Callable[[np.ndarray], float]:
    if name not in REDUCTIONS:
        raise unknown(name, REDUCTIONS, "the list of reductions")
    return REDUCTIONS[name]


def _words(values: np.ndarray) -> np.ndarray:
    """Return a column of lists as one of words, which can be told apart by a hash."""
    if values.dtype != object:
        return values
    told = [v if isinstance(v, str | None) else json.dumps(list(v)) for v in values]
    return np.array(told, dtype=object)


def _levels(values: np.ndarray) -> list[Any]:
    """Return the different values: numbers ascending, words as they come."""
    plain = list(dict.fromkeys(parquet.plain(value) for value in _words(values)))
    return sorted(plain) if values.dtype != object else plain
