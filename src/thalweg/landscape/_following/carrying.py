"""Tasks carried out on all cores, told about, interrupted, kept in folders."""

import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from thalweg._core import store
from thalweg._core.errors import DomainError
from thalweg.landscape._following.parts import Part, forget_parts
from thalweg.landscape._following.task import Task
from thalweg.landscape.tally import Basins
from thalweg.motion._blocks import cores
from thalweg.problem.archive import pack

LOOK_SECONDS = 0.25
"""How often progress is told."""


@dataclass(frozen=True)
class BasinsProgress:
    """What a progress callback is told.

    Attributes:
        done: Runs followed to their end.
        total: Runs asked for.
        counts: How many of them have each verdict.
        seconds: Since the beginning.
    """

    done: int
    total: int
    counts: dict[str, int]
    seconds: float


def carry_out(
    task: Task,
    done: list[Part],
    folder: Path | None,
    on_progress: Callable[[BasinsProgress], None] | None,
) -> list[Part]:
    """Return every chunk that was followed to its end, in order."""
    parts = {part.first: part for part in done}
    left = [chunk for chunk in task.chunks if chunk[0] not in parts]
    stop, begun = Event(), time.perf_counter()

    def work(chunk: tuple[int, int]) -> Part | None:
        part = None if stop.is_set() else task.follow(chunk, stop)
        if part is not None and folder is not None:
            part.save(folder)
        return part

    with ThreadPoolExecutor(min(cores(), max(1, len(left)))) as pool:
        waiting: set[Future[Part | None]] = set()
        try:
            waiting = {pool.submit(work, chunk) for chunk in left}
            while waiting:
                ready, waiting = wait(waiting, LOOK_SECONDS, FIRST_COMPLETED)
                for part in (future.result() for future in ready):
                    if part is not None:
                        parts[part.first] = part
                if on_progress is not None:
                    on_progress(_progress(task, parts, time.perf_counter() - begun))
        except KeyboardInterrupt:
            stop.set()
        except BaseException:
            stop.set()
            raise
    return [parts[first] for first in sorted(parts)]


def _progress(task: Task, parts: dict[int, Part], seconds: float) -> BasinsProgress:
    counts: dict[str, int] = {}
    for part in list(parts.values()):
        for verdict, count in part.counts().items():
            counts[verdict] = counts.get(verdict, 0) + count
    return BasinsProgress(sum(counts.values()), task.settings["runs"], counts, seconds)


def continued(task: Task, folder: Path) -> tuple[Task, list[Part]]:
    """Return the task with a folder's chunks, and those that are whole.

    Args:
        task: What is asked for.
        folder: A result of an earlier call.

    Returns:
        The same task, cut as the earlier one was; the chunks that are done.

    Raises:
        DomainError: If the earlier call was for something else.
    """
    card, _ = store.load(folder, "basins")
    before = card["settings"]
    free = {"runs", "chunk", "confidence"}
    changed = [
        name
        for name, value in task.settings.items()
        if name not in free and before.get(name) != value
    ]
    if changed or task.settings["runs"] < before["runs"]:
        told = ", ".join(changed) or "runs (it must not be less)"
        raise DomainError(
            f"{folder} holds a result of other arguments: {told}; pass the same, or "
            "another folder."
        )
    settings = {**task.settings, "chunk": before["chunk"]}
    task = Task(task.ground, task.starts, settings)
    wanted = {first: last - first for first, last in task.chunks}
    parts = Basins.load(folder).parts()
    done = [part for part in parts if wanted.get(part.first) == part.runs]
    if card["whole"]:
        # From here on the parts are the result: written before its card goes.
        for part in done:
            part.save(folder)
    _write_card(task, folder)
    return task, done


def opened(task: Task, folder: Path) -> None:
    """Begin a result in a folder, in place of an earlier one."""
    # The earlier one's parts go first: a kill must not leave them to the new card.
    if (folder / store.CARD).is_file():
        forget_parts(folder)
    _write_card(task, folder)


def _write_card(task: Task, folder: Path) -> None:
    """Write the card of a result that is under way."""
    problem, arrays = pack(task.ground.problem)
    card = {"problem": problem, "settings": task.settings, "whole": False}
    store.save(folder, "basins", card, arrays)
