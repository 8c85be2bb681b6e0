"""Data larger than memory: their second moments, streamed from Parquet files."""

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from thalweg._core.errors import DataError, DomainError
from thalweg.problem._streaming.gathering import Gathered, StreamProgress, note_of
from thalweg.problem._streaming.parts import Parts
from thalweg.problem._streaming.pieces import Bad, Piece, Task, summed
from thalweg.problem._streaming.planning import planned, tasks_of
from thalweg.problem._streaming.sums import SMALLEST_DEVIATION, Sums
from thalweg.problem._streaming.threads import Threads
from thalweg.problem.centred import reduce_sums
from thalweg.problem.recipe import Recipe
from thalweg.problem.whitening import Reduction

__all__ = ["Engine", "StreamProgress", "Streamed", "streamed"]

METHODS = ("moments", "qr")

LARGEST_SIZE = 1e154
"""Roots of sums of squares beyond this have squares that leave float64."""


@runtime_checkable
class Engine(Protocol):
    """What does the work, here or elsewhere."""

    def map(
        self, function: Callable[[Any], Any], tasks: Sequence[Any]
    ) -> Iterator[tuple[int, Any]]:
        """Yield the place and the result of each task as they are finished."""
        ...


@dataclass(frozen=True, eq=False)
class Streamed:
    """What was read.

    Attributes:
        sums: Count, means and centred second moments, features before targets.
        features: Names of the features.
        targets: Names of the targets.
        precision: Relative rounding error of each feature as it is stored.
        equal: For each column the first that equals it in every row.
        bad_rows: Rows left out.
        named: The first of them.
        note: Where the rows come from, and what is worth knowing.
    """

    sums: Sums
    features: tuple[str, ...]
    targets: tuple[str, ...]
    precision: tuple[float, ...]
    equal: tuple[int, ...]
    bad_rows: int
    named: tuple[Bad, ...]
    note: str

    def reduced(self, recipe: Recipe) -> Reduction:
        """Return the canonical factors, prepared by a checked recipe."""
        features = len(self.features)
        found = reduce_sums(self.sums, features, recipe, self.precision)
        constant = found.preparation.constant
        record = found.preparation.noted(self.features, self.targets, self.note)
        groups = self._equal_features(set(constant))
        return replace(found, preparation=replace(record, duplicates=groups))

    def _equal_features(self, constant: set[int]) -> tuple[tuple[int, ...], ...]:
        groups: dict[int, list[int]] = {}
        for place, first in enumerate(self.equal[: len(self.features)]):
            if place not in constant:
                groups.setdefault(first, []).append(place)
        return tuple(tuple(group) for group in groups.values() if len(group) > 1)


def streamed(
    path: str | os.PathLike[str],
    targets: Sequence[str],
    features: Sequence[str] | None = None,
    *,
    method: str = "moments",
    on_bad: str = "fail",
    engine: Engine | None = None,
    parts: str | os.PathLike[str] | None = None,
    on_progress: Callable[[StreamProgress], None] | None = None,
) -> Streamed:
    """Read Parquet files once and return their centred second moments.

    The bits of the result depend on the files alone, not on the engine.

    Args:
        path: A Parquet file, a folder of them, or a URL of either.
        targets: Names of the columns to predict.
        features: Names of the columns to predict from; all others of numbers by
            default.
        method: Sum the products (`moments`), or keep a triangular factor (`qr`).
        on_bad: What to do with rows in which a number is missing, infinite or beyond
            `1e150`: `fail`, or `skip` them.
        engine: Has a verb `map(function, tasks)` that yields places and results;
            threads of this process by default.
        parts: Folder for finished pieces; the same call goes on from there.
        on_progress: Called after every piece.

    Returns:
        What was read.

    Raises:
        DataError: If the files cannot be used as they are.
        DomainError: If `method` or `on_bad` is something else.
    """
    if method not in METHODS:
        raise DomainError(f"method is {method!r}; it must be 'moments' or 'qr'.")
    if on_bad not in ("fail", "skip"):
        raise DomainError(f"on_bad is {on_bad!r}; it must be 'fail' or 'skip'.")
    shown = os.fspath(path)
    system, files, columns = planned(shown, targets, features)
    total = sum(sum(file.groups) for file in files)
    if total == 0:
        raise DataError(f"{shown} holds no rows; it needs samples.")
    tasks = tasks_of(system, files, columns, method)
    keeper = Parts(None if parts is None else Path(parts))
    gathered = Gathered(on_bad, total, keeper.changed(tasks))
    report = on_progress or (lambda _: None)
    with closing(_pieces(tasks, keeper, engine or Threads())) as pieces:
        for place, piece, kept in pieces:
            gathered.add(place, tasks[place].rows, piece, kept)
            report(gathered.progress)
    return Streamed(
        sums=_usable(shown, gathered.sums, columns.names),
        features=columns.features,
        targets=columns.targets,
        precision=columns.precision,
        equal=gathered.equal,
        bad_rows=gathered.bad_rows,
        named=gathered.named,
        note=note_of(shown, files, columns, gathered),
    )


def _usable(shown: str, sums: Sums | None, names: Sequence[str]) -> Sums:
    if sums is None or sums.rows < 2:
        raise DataError(
            f"{shown} holds {0 if sums is None else sums.rows} usable rows; it needs "
            "two or more."
        )
    sizes = sums.sizes
    if not (sizes < LARGEST_SIZE).all():
        raise DataError(
            f"{shown} holds numbers whose squares add up beyond float64; change their "
            "unit."
        )
    small = (sizes > 0) & (sizes < SMALLEST_DEVIATION * sums.rows**0.5)
    if small.any() and not sums.triangular:
        raise DataError(
            f"column '{names[small.argmax()]}' of {shown} deviates from its mean by "
            f"less than {SMALLEST_DEVIATION:g}, whose square leaves float64; change "
            "its unit or pass method='qr'."
        )
    return sums


def _pieces(
    tasks: Sequence[Task], keeper: Parts, engine: Engine
) -> Generator[tuple[int, Piece, bool]]:
    """Yield kept pieces, then new ones; the latter are kept before."""
    missing: list[int] = []
    for place, task in enumerate(tasks):
        piece = keeper.load(task)
        if piece is None:
            missing.append(place)
        else:
            yield place, piece, True
    for index, piece in engine.map(summed, [tasks[place] for place in missing]):
        keeper.save(tasks[missing[index]], piece)
        yield missing[index], piece, False
