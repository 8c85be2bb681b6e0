"""Finished pieces on disk, so that an interrupted sum goes on where it stopped."""

import hashlib
import io
import json
from collections.abc import Iterable
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np

from thalweg._core.errors import StoreError
from thalweg._core.store import DAMAGE, content_hash, write_whole
from thalweg.problem._streaming.pieces import Bad, Piece, Task
from thalweg.problem._streaming.sums import Sums, block_rows

FILES = "files.json"
FORMAT = 2


class Parts:
    """A folder of finished pieces.

    A piece is known by the files it was read from as they were then (size, time of
    change, footer), its row groups and its columns; so pieces of changed files are not
    taken for those of the new ones.

    Args:
        folder: Where they are; made if need be. `None` keeps nothing.

    Raises:
        StoreError: If there is something else.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        if folder is not None and folder.exists():
            if not folder.is_dir():
                raise StoreError(f"{folder} is a file; parts need a folder.")
            others = [p for p in folder.iterdir() if not p.name.startswith(".")]
            if others and not self._index.is_file():
                raise StoreError(
                    f"{folder} holds something else than parts; choose another folder."
                )

    @property
    def _index(self) -> Path:
        return (self._folder or Path()) / FILES

    def changed(self, tasks: Iterable[Task]) -> tuple[str, ...]:
        """Note the files as they are, and return those that were different before.

        Args:
            tasks: The work.

        Returns:
            The names of files that were known and have changed.
        """
        if self._folder is None:
            return ()
        files = {f.file.name: f.file.stamp for task in tasks for f in task.fragments}
        try:
            known = json.loads(self._index.read_text(encoding="utf-8"))["files"]
        except (OSError, ValueError, KeyError, TypeError):
            known = {}
        if not isinstance(known, dict):
            known = {}
        card = {"kind": "parts of moments", "format": FORMAT, "files": known | files}
        write_whole(self._index, (json.dumps(card, indent=1) + "\n").encode())
        return tuple(
            name for name, stamp in files.items() if known.get(name, stamp) != stamp
        )

    def load(self, task: Task) -> Piece | None:
        """Return a piece if it is there, whole and unaltered."""
        if self._folder is None:
            return None
        try:
            with open(self._file(task), "rb") as stream:
                file = np.load(stream, allow_pickle=False)
                arrays = {name: file[name] for name in file.files}
            digest = str(arrays.pop("sha256"))
            whole = digest == content_hash(arrays) and arrays["key"] == _key(task)
            return _unpacked(arrays) if whole else None
        except DAMAGE:
            return None

    def save(self, task: Task, piece: Piece) -> None:
        """Keep a piece; nothing is ever seen half written."""
        if self._folder is None:
            return
        arrays = {"key": np.array(_key(task)), **_packed(piece)}
        arrays["sha256"] = np.array(content_hash(arrays))
        held = io.BytesIO()
        np.savez(held, **arrays)  # type: ignore[arg-type]
        write_whole(self._file(task), held.getvalue())

    def _file(self, task: Task) -> Path:
        return (self._folder or Path()) / f"part-{_key(task)}.npz"


def _key(task: Task) -> str:
    known: list[Any] = [FORMAT, task.triangular, block_rows(len(task.names))]
    known.append(task.names)
    for fragment in task.fragments:
        known += [fragment.file.name, fragment.file.stamp, fragment.groups]
    return hashlib.sha256(json.dumps(known).encode()).hexdigest()[:32]


def _packed(piece: Piece) -> dict[str, np.ndarray]:
    named = json.dumps([astuple(bad) for bad in piece.named])
    arrays = {
        "bad_rows": np.array(piece.bad_rows),
        "named": np.array(named),
        "equal": np.array(piece.equal, dtype=np.int64),
    }
    if piece.sums is not None:
        arrays |= {
            "rows": np.array(piece.sums.rows),
            "high": piece.sums.high,
            "low": piece.sums.low,
            "matrix": np.ascontiguousarray(piece.sums.matrix),
            "triangular": np.array(piece.sums.triangular),
        }
    return arrays


def _unpacked(arrays: dict[str, np.ndarray]) -> Piece:
    sums = None
    if "rows" in arrays:
        sums = Sums(
            int(arrays["rows"]),
            arrays["high"],
            arrays["low"],
            arrays["matrix"],
            bool(arrays["triangular"]),
        )
    named = tuple(Bad(*bad) for bad in json.loads(str(arrays["named"])))
    return Piece(sums, int(arrays["bad_rows"]), named, tuple(arrays["equal"].tolist()))
