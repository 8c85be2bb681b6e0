"""Where a result goes: chosen and made before the work, removed if it fails."""

import os
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from thalweg._core.errors import StoreError

RUNS = Path("runs")
"""Where results go that are given no folder."""


@dataclass(frozen=True)
class Place:
    """The folder of a result.

    Attributes:
        folder: The folder.
        made: It and its parents, as far as they were made for it.
    """

    folder: Path
    made: tuple[Path, ...] = ()

    def leave(self) -> None:
        """Remove what was made, as far as nothing was put there."""
        for folder in self.made:
            try:
                folder.rmdir()
            except OSError:
                return


def check(out: str | None, overwrite: bool, *, resumable: bool = True) -> None:
    """Raise if a result cannot go where it is wanted; nothing is written.

    Args:
        out: The folder; `None` for one of our own choice.
        overwrite: Whether an earlier result may be replaced.
        resumable: Whether the command can go on with an earlier result.

    Raises:
        StoreError: If the folder holds something, or cannot be written.
    """
    folder = RUNS if out is None else Path(out)
    if out is not None:
        _check_free(folder, overwrite, resumable)
    above = next(p for p in (folder, *folder.absolute().parents) if p.exists())
    if not above.is_dir():
        raise StoreError(f"{folder} cannot be made: {above} is not a folder.")
    if not os.access(above, os.W_OK):
        raise StoreError(f"{folder} cannot be made: {above} is not writable.")


def reserve(out: str | None, label: str) -> Place:
    """Make the folder of a result.

    Args:
        out: The folder; `None` takes the next free one in `runs`.
        label: Short name of what is learned.

    Returns:
        The place; an earlier result in it is still there.

    Raises:
        StoreError: If it cannot be made.
    """
    names = [Path(out)] if out else (RUNS / f"{label}-{n}" for n in count(1))
    for folder in names:
        try:
            return _made(folder, again=out is not None)
        except FileExistsError:
            continue
        except OSError as error:
            raise StoreError(
                f"{folder} cannot be made: {error.strerror or error}."
            ) from error
    raise StoreError(f"{out} cannot be made.")


def _made(folder: Path, again: bool) -> Place:
    missing = [
        path
        for path in (folder, *folder.parents)
        if not path.exists() and path != Path()
    ]
    folder.mkdir(parents=True, exist_ok=again)
    return Place(folder, tuple(missing))


def _check_free(folder: Path, overwrite: bool, resumable: bool) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise StoreError(f"{folder} is a file; choose a folder.")
    from thalweg._core.store import CARD

    if (folder / CARD).is_file():
        if not overwrite:
            go_on = f"go on with --resume {folder}, " if resumable else ""
            raise StoreError(
                f"{folder} holds an earlier result; choose another folder, {go_on}"
                "or pass --overwrite."
            )
    elif any(folder.iterdir()):
        raise StoreError(
            f"{folder} exists and is not a saved result; choose another folder."
        )
