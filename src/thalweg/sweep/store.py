"""The folder of a sweep: rows kept as they come, found again by their keys.

A row is written in a part, whole or not at all, and a part's name is the hash of its
bytes: a kill at any moment loses what was not yet written and harms nothing that was.
Rows stay when the design changes: a key says everything that decides them.
"""

import hashlib
import io
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from thalweg._core.errors import StoreError
from thalweg._core.store import write_whole
from thalweg._core.version import VERSION
from thalweg.sweep import parquet
from thalweg.sweep.design import Design
from thalweg.sweep.folder import (
    CARD,
    LOCK,
    PARTS,
    PATHS,
    PLAN,
    TABLE,
    check_ours,
    kept_plan,
    read_card,
    write_card,
)
from thalweg.sweep.kept import Kept
from thalweg.sweep.lock import held
from thalweg.sweep.plan import Plan, plan
from thalweg.sweep.table import Table


@dataclass
class Store:
    """A folder that is ours while a sweep is at work in it.

    Attributes:
        folder: The folder.
        kept: The rows.
        damaged: Names of parts that did not hold what was written.
        card: What the card says beside the outcome.
    """

    folder: Path
    kept: Kept = field(default_factory=Kept)
    damaged: list[str] = field(default_factory=list)
    card: dict[str, Any] = field(default_factory=dict)
    _names: list[str] = field(default_factory=list)

    @classmethod
    @contextmanager
    def opened(cls, folder: Path) -> Iterator["Store"]:
        """Hold a folder; made if need be, and left if nothing came to lie in it.

        Args:
            folder: The folder.

        Yields:
            The store.

        Raises:
            StoreError: If it holds something else, cannot be written, or another
                process is at work in it.
        """
        check_ours(folder)
        made = not folder.exists()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"{folder} cannot be made: {error.strerror or error}."
            ) from error
        try:
            with held(folder / LOCK):
                yield cls(folder)
        finally:
            if made and not (folder / CARD).exists():
                (folder / LOCK).unlink(missing_ok=True)
                folder.rmdir()

    @property
    def remarks(self) -> tuple[str, ...]:
        """Return what should be told of damage."""
        return tuple(
            f"{TABLE} was damaged: it was made again from its rows."
            if name == TABLE
            else f"{PARTS}/{name} was damaged: it was set aside as .damaged, and its "
            "rows were computed again."
            for name in self.damaged
        )

    def finished(self, digest: str) -> Table | None:
        """Return the whole table of a design, if it lies here undamaged.

        Args:
            digest: Of the design.

        Returns:
            The table; `None` also where a row failed, for it is tried again.
        """
        card = read_card(self.folder) or {}
        same = card.get("digest") == digest
        if not same or not card.get("whole") or card.get("failed"):
            return None
        try:
            data = (self.folder / TABLE).read_bytes()
        except OSError:
            return None
        if _hash(data) != card.get("table"):
            self.damaged.append(TABLE)
            return None
        return Table.load(self.folder / TABLE)

    def read(self) -> None:
        """Read every part; one that is damaged is named and set aside."""
        for file in sorted((self.folder / PARTS).glob("*.parquet")):
            try:
                data = file.read_bytes()
                rows = parquet.unpacked(data) if _hash(data) == file.stem else None
            except OSError:
                rows = None
            if rows is None:
                self.damaged.append(file.name)
                file.replace(file.with_suffix(".damaged"))
                continue
            about = json.loads(rows.schema.metadata[b"thalweg.sources"])
            self.kept.add(rows.replace_schema_metadata(None), about)
            self._names.append(file.name)

    def planned(self, design: Design) -> Plan:
        """Return the plan of a design: kept from an earlier call, or made and kept.

        Args:
            design: The design.

        Returns:
            Its plan; the card that names the design is written before it.
        """
        digest = design.digest
        found = kept_plan(self.folder, design, digest)
        planned = plan(design) if found is None else found
        self.card = {
            "digest": digest,
            "design": design.to_json(),
            "total": len(planned),
        }
        write_card(self.folder, **self.card, whole=False)
        if found is None:
            sink = io.BytesIO()
            np.savez(sink, digest=np.asarray(digest), **planned.to_arrays())  # type: ignore[arg-type]
            write_whole(self.folder / PLAN, sink.getvalue())
        return planned

    def present(self, keys: Collection[str], paths: bool) -> set[str]:
        """Return the keys that need not be carried out.

        Args:
            keys: What is wanted.
            paths: Whether their trajectories are wanted too.

        Returns:
            Those that have what is wanted.
        """
        rows = self.kept.done & set(keys)
        if not paths:
            return rows
        place = self.folder / PATHS
        return {key for key in rows if (place / key / "card.json").is_file()}

    def add(
        self, columns: Mapping[str, Sequence[Any]], sources: Sequence[Mapping[str, Any]]
    ) -> None:
        """Keep rows, on the disk first.

        Args:
            columns: Their columns, one of them the key.
            sources: What to cite for them.
        """
        rows = parquet.rows_of(columns)
        self._names.append(self._write(rows, sources))
        self.kept.add(rows, sources)

    def add_paths(self, paths: Mapping[str, Mapping[str, bytes]]) -> None:
        """Keep trajectories, before the rows that they belong to.

        Args:
            paths: Files by name, the card the last, by key.
        """
        for key, files in paths.items():
            for name, data in files.items():
                write_whole(self.folder / PATHS / key / name, data)

    def finish(self, table: Table, failed: int) -> None:
        """Write the table, then the card that vouches for it; join the parts.

        Args:
            table: What came out, whole or not.
            failed: How many runs failed; of a search not all are rows of the table.
        """
        data = table.to_bytes()
        write_whole(self.folder / TABLE, data)
        counts = table.counts()
        write_card(
            self.folder,
            **self.card,
            done=len(table),
            counts=counts,
            failed=failed,
            damaged=self.damaged,
            whole=table.whole,
            table=_hash(data),
        )
        if len(self._names) > 1:
            joined = self._write(self.kept.once(), self.kept.sources)
            for name in set(self._names) - {joined}:
                (self.folder / PARTS / name).unlink(missing_ok=True)
            self._names = [joined]

    def _write(self, rows: Any, sources: Sequence[Mapping[str, Any]]) -> str:
        about = {
            "thalweg.sources": json.dumps(list(sources)),
            "thalweg.version": VERSION,
        }
        data = parquet.packed(rows, about)
        name = f"{_hash(data)}.parquet"
        write_whole(self.folder / PARTS / name, data)
        return name


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]
