"""The table of a sweep: a row for every run that is done, as the design orders."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from thalweg._core.errors import DomainError, StoreError, unknown
from thalweg._core.source import Source, bibliography
from thalweg._core.store import write_whole
from thalweg._core.version import VERSION
from thalweg.sweep import parquet
from thalweg.sweep.reducing import combinations, matrix, members, reduction

RUN = "run"
"""Column of the place in the design, from 0."""

KEY = "key"
"""Column of the hash of a run's settings."""

STATUS = "status"
"""Column of how a run ended: a word of `Status`, or `failed`."""


@dataclass(frozen=True)
class Table:
    """What came out of a sweep.

    Attributes:
        rows: The columns, as an Arrow table.
        axes: Names of the columns that the design varies, in its order.
        design: The design, as plain values.
        whole: Whether every run of the design has its row.
        remarks: What should be told beside the table, a sentence each.
        sources: What to cite, as plain values.

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
    sources: tuple[Mapping[str, Any], ...] = ()

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

        Raises:
            DomainError: If `value` is among `by`.
        """
        names = _several(by)
        if value in names or "rows" in names:
            raise DomainError(
                f"'{value}' cannot be reduced by {', '.join(names)}; take a column "
                "that is not among those it is grouped by, none of them 'rows'."
            )
        firsts, numbers, counts = self._reduced(names, value, reduce, only)
        rows = self.rows.select(names).take(pa.array(firsts, pa.int64()))
        rows = rows.append_column(value, pa.array(numbers, pa.float64()))
        rows = rows.append_column("rows", pa.array(counts, pa.int64()))
        return replace(self, rows=rows, axes=names)

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
        chosen = [
            int(places[np.argmin(values[places])])
            for places in members(codes, counted, len(firsts))
            if places.size
        ]
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
        firsts, numbers, _ = self._reduced((x, y), value, reduce, only)
        return matrix(self.column(x)[firsts], self.column(y)[firsts], numbers)

    def curve(
        self,
        x: str,
        value: str,
        *,
        reduce: str = "median",
        only: str | None = None,
    ) -> tuple[list[Any], np.ndarray]:
        """Return a column as numbers over another.

        Args:
            x: The column they lie over.
            value: The column to reduce; rows where it is NaN do not count.
            reduce: As in `group`.
            only: As in `group`.

        Returns:
            The values of `x`, as in `pivot`, and a number for each, NaN where no row
            counts.
        """
        firsts, numbers, _ = self._reduced((x,), value, reduce, only)
        found = self.column(x)[firsts]
        xs, _, cells = matrix(found, np.zeros(len(firsts)), numbers)
        return xs, cells.reshape(-1)

    def cite(self) -> str:
        """Return the BibTeX of the data and the starts of the runs."""
        return bibliography([Source(**source) for source in self.sources])

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
            The data set; NaN, or `None`, where the design has no row. A `DomainError`
            says so if two rows share a place: the design was no grid.
        """
        from thalweg.sweep.gridded import dataset_of  # noqa: PLC0415  (a heavy guest)

        return dataset_of(self)

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
            "sources": [dict(source) for source in self.sources],
            "version": VERSION,
            "cite": self.cite(),
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
                tuple(about["sources"]),
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

    def _reduced(
        self, names: tuple[str, ...], value: str, reduce: str, only: str | None
    ) -> tuple[list[int], np.ndarray, list[int]]:
        """Return each combination's first row, its number, and how many rows count."""
        reduced, counted = reduction(reduce), self._counted(value, only)
        values = self._numbers(value)
        firsts, codes = self._combinations(names)
        several = members(codes, counted, len(firsts))
        numbers = np.array([reduced(values[places]) for places in several], np.float64)
        return firsts, numbers, [places.size for places in several]

    def _combinations(self, names: tuple[str, ...]) -> tuple[list[int], np.ndarray]:
        if names:
            return combinations([self.column(name) for name in names])
        return [0] if len(self) else [], np.zeros(len(self), dtype=np.int64)


def _several(names: str | Sequence[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(dict.fromkeys(names))
