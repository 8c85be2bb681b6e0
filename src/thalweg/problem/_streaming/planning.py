"""The work, from the footers of the files alone: which columns, in which pieces."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from thalweg.problem._streaming.choosing import (
    Chosen,
    check_same,
    chosen,
    precision,
)
from thalweg.problem._streaming.files import File, described, found, located
from thalweg.problem._streaming.pieces import CELLS, Fragment, Task

ROWS_OF_COLUMN = 4
"""Rows of a piece for each column, at least."""


def planned(
    shown: str, targets: Sequence[str], features: Sequence[str] | None
) -> tuple[Any, list[File], Chosen]:
    """Return the files and the columns, from the footers alone."""
    system, inside = located(shown)
    (info, name), *others = found(system, inside, shown)
    first, schema = described(system, info, name)
    columns = chosen(name, schema, targets, features)
    files = [first]
    for info, name in others:
        file, schema = described(system, info, name)
        check_same(first.name, columns, name, schema)
        also = precision(schema, columns.features)
        columns = replace(columns, precision=tuple(map(max, columns.precision, also)))
        files.append(file)
    return system, files, columns


def tasks_of(
    system: Any, files: Sequence[File], columns: Chosen, method: str
) -> list[Task]:
    """Return the pieces: neighbouring row groups of about the same number of cells.

    Of wide tables they have several rows for each column, or what is known of a piece
    would take more room than the piece.
    """
    width = len(columns.names)
    most = max(2 * CELLS // width, ROWS_OF_COLUMN * width)
    tasks: list[Task] = []
    held: list[Fragment] = []
    rows = 0

    def close() -> None:
        nonlocal rows
        if held:
            tasks.append(Task(system, tuple(held), columns.names, method == "qr"))
        held.clear()
        rows = 0

    for file in files:
        groups: list[int] = []
        for number, count in enumerate(file.groups):
            if rows and rows + count > most:
                if groups:
                    held.append(Fragment(file, tuple(groups)))
                close()
                groups = []
            groups.append(number)
            rows += count
        if groups:
            held.append(Fragment(file, tuple(groups)))
    close()
    return tasks
