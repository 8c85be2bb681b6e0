"""Pieces gathered as they come, and what is told of them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from thalweg._core.errors import DataError
from thalweg.problem._streaming.choosing import Chosen
from thalweg.problem._streaming.files import File
from thalweg.problem._streaming.pieces import NAMED, Bad, Piece
from thalweg.problem._streaming.sums import Sums
from thalweg.problem._streaming.tree import Tree


@dataclass(frozen=True)
class StreamProgress:
    """How far the reading is.

    Attributes:
        rows: Rows read.
        total_rows: Rows there are.
        kept_rows: How many of the rows read were known from earlier parts.
        bad_rows: Rows left out.
        changed: Files that have changed since earlier parts were written.
    """

    rows: int
    total_rows: int
    kept_rows: int = 0
    bad_rows: int = 0
    changed: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the record as plain values."""
        return {**asdict(self), "changed": list(self.changed)}


class Gathered:
    """Pieces added up; their order does not matter.

    Args:
        on_bad: Whether bad rows `fail` or are left out.
        total_rows: Rows there are.
        changed: Files that have changed since earlier parts were written.
    """

    def __init__(self, on_bad: str, total_rows: int, changed: tuple[str, ...]) -> None:
        self._on_bad = on_bad
        self._total_rows = total_rows
        self._tree = Tree()
        self._seen: set[int] = set()
        self._bad: dict[int, Piece] = {}
        self.changed = changed
        self.rows = self.kept_rows = self.bad_rows = 0
        self.equal: tuple[int, ...] = ()

    def add(self, place: int, rows: int, piece: Piece, kept: bool) -> None:
        """Add a piece.

        Args:
            place: Where it stands.
            rows: How many rows were read for it.
            piece: What it comes to.
            kept: Whether it was known before.

        Raises:
            DataError: If rows are bad and must not be; the first of all is named.
        """
        self._tree.add(piece.sums, place)
        self._seen.add(place)
        self.rows += rows
        self.kept_rows += rows if kept else 0
        self.bad_rows += piece.bad_rows
        if piece.sums is not None:
            self.equal = _refined(self.equal, piece.equal)
        if piece.bad_rows:
            self._bad[place] = piece
        if self._bad and self._on_bad == "fail":
            first = min(self._bad)
            if all(earlier in self._seen for earlier in range(first)):
                raise DataError(_sentence(self._bad[first]))

    @property
    def sums(self) -> Sums | None:
        """Return the sums of all pieces."""
        return self._tree.total()

    @property
    def named(self) -> tuple[Bad, ...]:
        """Return the first bad rows."""
        named = [bad for place in sorted(self._bad) for bad in self._bad[place].named]
        return tuple(named[:NAMED])

    @property
    def progress(self) -> StreamProgress:
        """Return how far it is."""
        return StreamProgress(
            self.rows, self._total_rows, self.kept_rows, self.bad_rows, self.changed
        )


def note_of(
    shown: str, files: Sequence[File], columns: Chosen, gathered: Gathered
) -> str:
    """Return where the rows come from, and what is worth knowing.

    Args:
        shown: The path as it was given.
        files: The files.
        columns: What was read of them.
        gathered: What became of it.

    Returns:
        Parts of a sentence, with semicolons.
    """
    where = files[0].name if len(files) == 1 else f"{len(files)} files of {shown}"
    told = [f"streamed from {where}"]
    if columns.left_out:
        told.append(f"left out, being no numbers: {', '.join(columns.left_out)}")
    if gathered.bad_rows:
        named = ", ".join(map(str, gathered.named))
        more = gathered.bad_rows - len(gathered.named)
        tail = f", and {more:,} more" if more else ""
        told.append(f"left out {_counted(gathered.bad_rows)}: {named}{tail}")
    if gathered.changed:
        told.append(
            "read again, having changed since the parts were written: "
            + ", ".join(gathered.changed[:NAMED])
        )
    return "; ".join(told)


def _sentence(piece: Piece) -> str:
    return (
        f"{piece.named[0]}; the piece of the file it is in holds "
        f"{_counted(piece.bad_rows)}: mend them, or leave them out with on_bad='skip'."
    )


def _counted(rows: int) -> str:
    return "1 bad row" if rows == 1 else f"{rows:,} bad rows"


def _refined(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    """Return which columns are equal in both; the first stands for its equals."""
    pairs = list(zip(one or other, other, strict=True))
    return tuple(pairs.index(pair) for pair in pairs)
