"""The folder of a sweep: rows kept as they come, found again by their keys.

A row is written in a part, whole or not at all, and a part's name is the hash of its
bytes: a kill at any moment loses what was not yet written and harms nothing that was.
Rows stay when the design changes: a key says everything that decides them.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import thalweg
from thalweg._core.errors import StoreError
from thalweg._core.store import write_whole
from thalweg.sweep import parquet
from thalweg.sweep.lock import held, holder
from thalweg.sweep.table import KEY, STATUS, Table

CARD = "sweep.json"
PLAN = "plan.npz"
PARTS = "parts"
TABLE = "table.parquet"
PATHS = "paths"
LOCK = "sweep.lock"
FAILED = "failed"
FORMAT = 1


@dataclass
class Store:
    """A folder that is ours while a sweep is at work in it.

    Attributes:
        folder: The folder.
        damaged: Names of parts that did not hold what was written.
    """

    folder: Path
    damaged: list[str] = field(default_factory=list)
    _parts: list[Any] = field(default_factory=list)
    _names: set[str] = field(default_factory=set)

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
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"{folder} cannot be made: {error.strerror or error}."
            ) from error
        with held(folder / LOCK):
            yield cls(folder)

    def card(self) -> dict[str, Any]:
        """Return what the card says; nothing if there is none."""
        return read_card(self.folder) or {}

    def write_card(self, **fields: Any) -> None:
        """Write the card."""
        full = {"format": FORMAT, "kind": "sweep", "version": thalweg.__version__}
        text = json.dumps({**full, **fields}, indent=2, allow_nan=False) + "\n"
        write_whole(self.folder / CARD, text.encode())

    def finished(self, digest: str) -> Table | None:
        """Return the whole table of a design, if it lies here undamaged.

        Args:
            digest: Of the design.

        Returns:
            The table or nothing.
        """
        card = self.card()
        if card.get("digest") != digest or not card.get("whole"):
            return None
        try:
            data = (self.folder / TABLE).read_bytes()
        except OSError:
            return None
        if _hash(data) != card.get("table"):
            return None
        return Table.load(self.folder / TABLE)

    def read(self) -> None:
        """Read every part; one that is damaged is named and set aside."""
        self._parts, self._names = [], set()
        for file in sorted((self.folder / PARTS).glob("*.parquet")):
            try:
                data = file.read_bytes()
                if _hash(data) != file.stem:
                    raise StoreError("it is not what was written.")
                self._parts.append(parquet.unpacked(data))
                self._names.add(file.name)
            except (OSError, ValueError):
                self.damaged.append(file.name)
                file.replace(file.with_suffix(".damaged"))

    def rows(self) -> Any:
        """Return all rows so far as one Arrow table; `None` if there is none."""
        return parquet.joined(self._parts) if self._parts else None

    def add(self, columns: Mapping[str, Sequence[Any]]) -> None:
        """Keep rows.

        Args:
            columns: Their columns, one of them the key.
        """
        rows = parquet.rows_of(columns)
        if rows.num_rows:
            self._write(rows)
            self._parts.append(rows)

    def add_paths(self, paths: Mapping[str, Mapping[str, bytes]]) -> None:
        """Keep trajectories, before the rows that they belong to.

        Args:
            paths: Files by name, the card the last, by key.
        """
        for key, files in paths.items():
            for name, data in files.items():
                write_whole(self.folder / PATHS / key / name, data)

    def has_path(self, key: str) -> bool:
        """Return whether the trajectory of a run lies here."""
        return (self.folder / PATHS / key / "card.json").is_file()

    def finish(self, table: Table, card: Mapping[str, Any]) -> None:
        """Write the table and then the card that vouches for it; join the parts.

        Args:
            table: What came out, whole or not.
            card: What else the card says.
        """
        data = table.to_bytes()
        write_whole(self.folder / TABLE, data)
        self.write_card(
            **card, whole=table.whole, table=_hash(data), damaged=self.damaged
        )
        if len(self._names) > 1:
            before = set(self._names)
            self._write(parquet.joined(self._parts))
            for name in before - {self._latest}:
                (self.folder / PARTS / name).unlink(missing_ok=True)
                self._names.discard(name)

    def _write(self, rows: Any) -> None:
        data = parquet.packed(rows, {"thalweg.version": thalweg.__version__})
        self._latest = f"{_hash(data)}.parquet"
        write_whole(self.folder / PARTS / self._latest, data)
        self._names.add(self._latest)


@dataclass
class Memory:
    """Rows that are kept nowhere: a store without a folder."""

    damaged: tuple[str, ...] = ()
    _parts: list[Any] = field(default_factory=list)

    def rows(self) -> Any:
        """Return all rows so far as one Arrow table; `None` if there is none."""
        return parquet.joined(self._parts) if self._parts else None

    def add(self, columns: Mapping[str, Sequence[Any]]) -> None:
        """Keep rows."""
        rows = parquet.rows_of(columns)
        if rows.num_rows:
            self._parts.append(rows)


def check_ours(folder: Path) -> None:
    """Raise unless a sweep can go on, or begin, in a folder.

    Args:
        folder: The folder.

    Raises:
        StoreError: If it is a file, or holds something that is not a sweep.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise StoreError(f"{folder} is a file; choose a folder.")
    if not (folder / CARD).is_file():
        strange = [f for f in folder.iterdir() if not _left_behind(f)]
        if strange:
            raise StoreError(
                f"{folder} holds {strange[0].name} and is not the folder of a sweep; "
                "choose another folder."
            )


def _left_behind(file: Path) -> bool:
    """Return whether a file is what a kill leaves before the card is written."""
    return file.name == LOCK or file.name == f".{CARD}.part"


def read_card(folder: Path) -> dict[str, Any] | None:
    """Return what the card of a folder says; `None` if there is none.

    Args:
        folder: The folder of a sweep.

    Returns:
        Plain values.

    Raises:
        StoreError: If it cannot be read, or is of a later format.
    """
    try:
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
        if card["kind"] != "sweep":
            raise KeyError("kind")
        number = card["format"]
    except FileNotFoundError:
        return None
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise StoreError(
            f"{folder / CARD} cannot be read back; restore it, or choose another "
            "folder."
        ) from error
    if number != FORMAT:
        raise StoreError(
            f"{folder} has format {number}; this version reads {FORMAT}: choose "
            "another folder."
        )
    return card


def told(folder: Path) -> dict[str, Any]:
    """Return how far the sweep in a folder is, as plain values.

    Args:
        folder: The folder.

    Returns:
        `folder`, `version`, `design`, `points` and `total` (runs of the design; of a
        search those asked for so far), `done`, `missing`, `failed`, `counts` by
        status, `damaged` (names of parts), `whole`, and `running`, the process at
        work or `None`.

    Raises:
        StoreError: If there is no sweep.
    """
    card = read_card(folder)
    if card is None:
        raise StoreError(
            f"{folder} is not the folder of a sweep; pass the one given as --out."
        )
    statuses = _statuses(folder)
    wanted = card.get("keys")
    del wanted
    counts: dict[str, int] = {}
    for word in statuses.values():
        counts[word] = counts.get(word, 0) + 1
    return {
        "folder": str(folder),
        "version": card["version"],
        "design": card.get("design"),
        "total": card.get("total"),
        "done": len(statuses),
        "missing": max(0, int(card.get("total") or 0) - len(statuses)),
        "failed": counts.get(FAILED, 0),
        "counts": counts,
        "damaged": list(card.get("damaged", ())),
        "whole": bool(card.get("whole")),
        "running": holder(folder / LOCK),
    }


def _statuses(folder: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for file in sorted((folder / PARTS).glob("*.parquet")):
        try:
            rows = parquet.unpacked(file.read_bytes())
        except (OSError, ValueError):
            continue
        keys, words = rows.column(KEY), rows.column(STATUS)
        found.update(zip(keys.to_pylist(), words.to_pylist(), strict=True))
    return found


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]
