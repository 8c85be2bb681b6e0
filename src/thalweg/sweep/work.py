"""A task of a sweep: runs carried out to their ends, a row each."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache, partial
from typing import Any

import jax
import numpy as np

from thalweg._core.errors import ThalwegError
from thalweg._core.outcome import CODES
from thalweg.inits import shelf
from thalweg.motion._posed import bare
from thalweg.motion.ends import descend_to_ends
from thalweg.request.moving import mover
from thalweg.request.posing import Posed, step_of
from thalweg.request.settings import Settings
from thalweg.sweep.problems import shared_problem
from thalweg.sweep.reading import certified, read_measures
from thalweg.sweep.saving import path_files
from thalweg.sweep.starting import starts_of
from thalweg.sweep.turn import Stopped, turn

FAILED = "failed"
"""Status of a run that could not be carried out."""

FEW_RECORDS = 3
"""Of runs of which only the end is kept."""

LITTLE = 2**12
"""Entries of a target that every run may have for itself."""

VARIED = ("seed", "step_size", "iterations")
"""Settings in which most runs of a task differ."""


@dataclass
class Run:
    """A run on its way through a task.

    Attributes:
        key: Its key.
        settings: What is asked for.
        problem: What is minimised.
        sources: What to cite for the data.
        start: Where it starts.
        step: Its step size; `None` for a flow.
        weights: Where it ended.
        row: What is known of it.
    """

    key: str
    settings: Settings
    problem: Any = None
    sources: tuple[Any, ...] = ()
    start: Any = None
    step: float | None = None
    weights: Any = None
    row: dict[str, Any] = field(default_factory=dict)

    @property
    def posed(self) -> Posed:
        """Return the problem and the start."""
        return Posed(self.problem, self.start, str(self.settings.init), self.sources)

    @property
    def plain(self) -> bool:
        """Return whether it is a plain descent, of which many go side by side."""
        asked = self.settings
        return not (asked.flow or asked.leap or asked.optimizer is not None)

    @property
    def beside_others(self) -> bool:
        """Return whether it descends beside runs of other problems, each its own.

        The program for one problem rounds a loss otherwise than that for many, so this
        must not depend on what else the task holds.
        """
        data = self.settings.data
        target = None if data is None else data.target
        return target is not None and len(target) * len(target[0]) <= LITTLE

    @property
    def failed(self) -> bool:
        """Return whether it could not be carried out."""
        return self.row.get("status") == FAILED

    def fail(self, error: ThalwegError) -> None:
        """Note why it could not be carried out."""
        self.row = {"status": FAILED, "error": str(error)}


def carry_out(task: dict[str, Any]) -> dict[str, Any]:
    """Carry out a task of a sweep; what a run gives depends on its settings alone.

    Args:
        task: As `Plan.chunks` gives them: `runs`, each with its `key` and `settings`,
            and `recording`, what a kept trajectory records, or `None`.

    Returns:
        `columns` by name, an entry a run: key, status, iterations, time, loss,
        excess_loss, step_size, error, measures at the end, `verdict.` and
        `promised.` of theorems; `paths`, the files of trajectories by key; `sources`,
        what to cite.

    Raises:
        Stopped: If the turn was told to.
    """
    runs = [Run(each["key"], _settings(each["settings"])) for each in task["runs"]]
    known: dict[Any, Any] = {}
    for run in runs:
        _attempt(run, partial(_pose, known))
    for run, start in zip(_going(runs), _starts(_going(runs)), strict=True):
        run.fail(start) if isinstance(start, ThalwegError) else _begin(run, start)
    for group in _batches([run for run in _going(runs) if run.plain]):
        _descend(group)
    for run in _going(runs):
        if not run.plain:
            _attempt(run, _move)
    for run in _going(runs):
        _attempt(run, _look)
    recording = task.get("recording")
    paths: dict[str, dict[str, bytes]] = {}
    if recording is not None:
        paths = {
            run.key: path_files(run.settings, run.step, recording)
            for run in _going(runs)
        }
    return {"columns": _columns(runs), "paths": paths, "sources": _sources(runs)}


def _settings(unit: dict[str, Any]) -> Settings:
    """Return the settings of a run; what the plan has checked is not checked again."""
    varied = {name: unit[name] for name in VARIED if name in unit}
    rest = {name: value for name, value in unit.items() if name not in varied}
    return _base(json.dumps(rest)).model_copy(update=varied)


@lru_cache(maxsize=64)
def _base(told: str) -> Settings:
    return Settings.model_validate_json(told)


def _going(runs: Sequence[Run]) -> list[Run]:
    return [run for run in runs if not run.failed]


def _attempt(run: Run, step: Callable[[Run], None]) -> None:
    """Take a step of a run; if it cannot be taken, the run has failed."""
    turn().check()
    try:
        step(run)
    except ThalwegError as error:
        run.fail(error)


def _pose(known: dict[Any, Any], run: Run) -> None:
    """Give a run its problem; `known` are those of the task, by what decides them."""
    asked = run.settings
    place = (id(asked.data), asked.hidden, asked.playground)
    if place not in known:
        known[place] = shared_problem(asked)
    run.problem, run.sources = known[place]


def _starts(runs: list[Run]) -> list[Any]:
    return starts_of([run.settings for run in runs], [run.problem for run in runs])


def _begin(run: Run, start: Any) -> None:
    run.start = start
    _attempt(run, _choose_step)


def _choose_step(run: Run) -> None:
    run.step = step_of(run.settings, run.posed)


def _batches(runs: list[Run]) -> Iterator[list[Run]]:
    """Yield the runs that can go side by side."""
    groups: dict[Any, list[Run]] = {}
    shapes: dict[int, Any] = {}
    for run in runs:
        asked, problem = run.settings, run.problem
        if id(problem) not in shapes:
            shapes[id(problem)] = _shape(problem)
        alike: tuple[Any, ...] = (
            asked.gradient_tolerance,
            asked.compress,
            bool(asked.momentum),
            None if run.beside_others else id(problem),
        )
        groups.setdefault((*alike, shapes[id(problem)]), []).append(run)
    yield from groups.values()


def _shape(problem: Any) -> Any:
    """Return what problems of runs that go side by side have in common."""
    leaves, structure = jax.tree.flatten(bare(problem))
    return structure, tuple(np.shape(leaf) for leaf in leaves)


def _descend(runs: list[Run]) -> None:
    """Descend to the ends of runs; where that fails, to those of each half."""
    asked = [run.settings for run in runs]
    each = runs[0].beside_others
    mine = turn()
    try:
        ends = descend_to_ends(
            [run.problem for run in runs] if each else runs[0].problem,
            jax.tree.map(
                lambda *leaves: np.stack(leaves), *(run.start for run in runs)
            ),
            step_size=[run.step for run in runs],
            iterations=[settings.iterations for settings in asked],
            accuracy=[settings.accuracy for settings in asked],
            momentum=[settings.momentum or 0.0 for settings in asked],
            gradient_tolerance=asked[0].gradient_tolerance or 0.0,
            compress=asked[0].compress,
            threads=mine.threads,
            stop=mine.stop,
        )
    except ThalwegError as error:
        if len(runs) == 1:
            runs[0].fail(error)
            return
        half = len(runs) // 2
        _descend(runs[:half])
        _descend(runs[half:])
        return
    if ends is None:
        raise Stopped
    for place, run in enumerate(runs):
        run.weights = jax.tree.map(lambda leaf, at=place: leaf[at], ends.weights)
        run.row = {
            "status": str(CODES[ends.status[place]]),
            "iterations": int(ends.iterations[place]),
            "time": None,
            "loss": float(ends.loss[place]),
            "excess_loss": float(ends.excess_loss[place]),
        }


def _move(run: Run) -> None:
    """Carry out a run that is not a plain descent."""
    few = run.settings.model_copy(
        update={"records": FEW_RECORDS, "every": None, "measures": ()}
    )
    path = mover(few, run.posed, run.step)(on_progress=turn().check)
    ended = path.outcome
    run.weights = path.weights
    run.row = {
        "status": str(ended.status),
        "iterations": int(ended.iteration),
        "time": None if ended.time is None else float(ended.time),
        "loss": float(ended.loss),
        "excess_loss": float(ended.excess_loss),
    }


def _look(run: Run) -> None:
    """Read measures at the end, and certify."""
    run.row["step_size"] = run.step
    run.row |= read_measures(run.settings, run.problem, run.weights)
    run.row |= certified(run.settings, run.problem, run.start, run.step)


FIRST = ("status", "iterations", "time", "loss", "excess_loss", "step_size", "error")
"""Columns that every table has."""


def _columns(runs: list[Run]) -> dict[str, list[Any]]:
    names = dict.fromkeys([*FIRST, *(name for run in runs for name in run.row)])
    return {
        "key": [run.key for run in runs],
        **{name: [run.row.get(name) for run in runs] for name in names},
    }


def _sources(runs: list[Run]) -> list[dict[str, Any]]:
    """Return what to cite for the data and the starts, each once."""
    found = [source for run in runs for source in run.sources]
    names = {run.settings.init.name for run in runs if run.settings.init is not None}
    kinds: list[Any] = [shelf.entry(name) for name in sorted(names)]
    found += [kind.source for kind in kinds]
    return [asdict(source) for source in dict.fromkeys(found)]
