"""The rows of a sweep in memory, found by their keys."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from thalweg._core.errors import ConfigError
from thalweg.sweep import parquet
from thalweg.sweep.design import Design
from thalweg.sweep.gathering import FAILED, places_of
from thalweg.sweep.plan import Plan, plan
from thalweg.sweep.table import KEY, STATUS, Table


@dataclass
class Kept:
    """Rows in the order in which they came.

    Attributes:
        sources: What to cite for them, each once.
        done: Keys of those that did not fail.
    """

    sources: list[Mapping[str, Any]] = field(default_factory=list)
    done: set[str] = field(default_factory=set)
    _parts: list[Any] = field(default_factory=list)

    def add(self, rows: Any, sources: Sequence[Mapping[str, Any]]) -> None:
        """Keep rows.

        Args:
            rows: An Arrow table.
            sources: What to cite for them.
        """
        self._parts.append(rows)
        self.sources += [source for source in sources if source not in self.sources]
        keys, words = rows.column(KEY).to_pylist(), rows.column(STATUS).to_pylist()
        self.done |= {k for k, w in zip(keys, words, strict=True) if w != FAILED}

    def rows(self) -> Any:
        """Return all of them as one Arrow table; `None` if there is none."""
        if len(self._parts) > 1:
            self._parts = [parquet.joined(self._parts)]
        return self._parts[0] if self._parts else None

    def once(self) -> Any:
        """Return every key's row once; one that failed only for want of better."""
        rows = self.rows()
        return rows.take(list(places_of(rows).values()))


@dataclass
class Memory:
    """A store without a folder.

    Attributes:
        kept: The rows.
        remarks: What should be told of it.
    """

    kept: Kept = field(default_factory=Kept)
    remarks: tuple[str, ...] = ()

    def planned(self, design: Design) -> Plan:
        """Return the plan of a design.

        Args:
            design: The design.

        Returns:
            Its plan.

        Raises:
            ConfigError: If it keeps trajectories.
        """
        if design.trajectories:
            raise ConfigError(
                "sweep.keep.trajectories: is true, but there is no folder to keep them "
                "in; pass one as out."
            )
        return plan(design)

    def present(self, keys: Collection[str], paths: bool) -> set[str]:
        """Return the keys that need not be carried out.

        Args:
            keys: What is wanted.
            paths: Whether their trajectories are wanted too.

        Returns:
            Those that have a row.
        """
        del paths
        return self.kept.done & set(keys)

    def add(
        self, columns: Mapping[str, Sequence[Any]], sources: Sequence[Mapping[str, Any]]
    ) -> None:
        """Keep rows.

        Args:
            columns: Their columns, one of them the key.
            sources: What to cite for them.
        """
        self.kept.add(parquet.rows_of(columns), sources)

    def add_paths(self, paths: Mapping[str, Mapping[str, bytes]]) -> None:
        """Keep no trajectories: there are none."""

    def finish(self, table: Table, failed: int) -> None:
        """Write nothing."""
