"""From a design to its table: what is missing is computed, the rest is read."""

import os
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from thalweg.sweep.design import Design
from thalweg.sweep.engines import shelf
from thalweg.sweep.engines._base import AbstractEngine
from thalweg.sweep.fitting import SHARE, Fitting
from thalweg.sweep.folder import keys_in, told
from thalweg.sweep.gathering import FAILED, failures, gathered
from thalweg.sweep.kept import Memory
from thalweg.sweep.pace import Pace, SweepProgress
from thalweg.sweep.plan import Plan, bytes_per_run, plan
from thalweg.sweep.seeking import Seeking
from thalweg.sweep.store import Store
from thalweg.sweep.table import Table

MOST = 512
"""Runs of a task, at most."""

MOST_KEPT = 32
"""And where trajectories are kept."""

Listener = Callable[[SweepProgress], None]


def run_sweep(
    design: Design | str | os.PathLike[str],
    *,
    out: str | os.PathLike[str] | None = None,
    engine: str | AbstractEngine = "inprocess",
    on_progress: Listener | None = None,
    memory: int | None = None,
) -> Table:
    """Carry out every run of a design; with a folder, only those it does not hold.

    Ctrl-C ends it too: the rows so far come back, with `whole` false. So does a kill
    harm nothing: with a folder, the same call goes on where it was. A run that cannot
    be carried out is a row of status `failed` with its `error`, and is tried again by
    the next call. Whatever the engine, the table is the same to the last bit.

    Args:
        design: A design, or the file of one.
        out: Folder of the results; it may hold earlier rows of this design or others.
        engine: A name that stands in `sweep.engines`, or an engine.
        on_progress: Called after every task with a `SweepProgress`.
        memory: Bytes that a task may take; the engine's own ceiling by default.

    Returns:
        The table: a row for every run of the design, or for every point of a search.

    Raises:
        ConfigError: If the design is not as it must be, or a run needs more memory.
        StoreError: If the folder cannot be written, is another process', or holds
            something else.
        UnknownName: If there is no such engine.

    Example:
        >>> from thalweg.sweep.design import Design
        >>> design = Design.of(
        ...     {"playground": 2, "accuracy": 1e-6, "iterations": 1000},
        ...     {"step_size": [1 / 6, 1 / 12]})
        >>> run_sweep(design).column("iterations").tolist()
        [21, 44]
    """
    asked = design if isinstance(design, Design) else Design.from_toml(Path(design))
    chosen: Any = shelf.make(engine) if isinstance(engine, str) else engine
    if out is None:
        return _Sweep(asked, Memory(), chosen, on_progress, memory).carried()
    with Store.opened(Path(out)) as store:
        table = store.finished(asked.digest)
        if table is not None:
            _told(on_progress, _at_rest(len(table)))
            return table
        store.read()
        return _Sweep(asked, store, chosen, on_progress, memory).carried()


def status(out: str | os.PathLike[str]) -> dict[str, Any]:
    """Return how far the sweep in a folder is; nothing is written.

    Args:
        out: The folder.

    Returns:
        Plain values: `folder`, `version`, `design`, `total` (rows of the design),
        `done`, `missing`, `failed`, `counts` by status, `runs` (all runs that the
        folder holds), `damaged` (names of parts), `whole`, and `running`, the id of
        the process at work or `None`.

    Raises:
        StoreError: If there is no sweep.
    """
    return told(Path(out))


def foresee(
    design: Design | str | os.PathLike[str], out: str | os.PathLike[str] | None = None
) -> dict[str, Any]:
    """Return what a sweep would carry out; nothing is written or run.

    Args:
        design: A design, or the file of one.
        out: A folder that may hold rows already.

    Returns:
        Plain values: `runs` of the design (of a search: its points), `cached`,
        `missing`, `groups` (of runs that one compiled program serves), `left_out`
        (combinations), `columns` (the axes). Of a search nothing is known to be
        `missing` before its rounds: `None`.

    Example:
        >>> from thalweg.sweep.design import Design
        >>> design = Design.of({"playground": 2}, {"seed": {"from": 0, "to": 9}})
        >>> foresee(design)["missing"]
        10
    """
    asked = design if isinstance(design, Design) else Design.from_toml(Path(design))
    planned = plan(asked)
    kept = set() if out is None else keys_in(Path(out))
    wanted = set(planned.keys)
    searched = asked.search is not None
    return {
        "runs": len(planned),
        "cached": None if searched else len(wanted & kept),
        "missing": None if searched else len(wanted - kept),
        "groups": len(planned.groups),
        "left_out": planned.left_out,
        "columns": list(planned.columns),
    }


def _told(listener: Listener | None, progress: SweepProgress) -> None:
    if listener is not None:
        listener(progress)


def _at_rest(rows: int) -> SweepProgress:
    return SweepProgress(rows, rows, rows, 0, 0.0, 0.0)


@dataclass
class _Sweep:
    """A sweep at work.

    Attributes:
        design: What is asked for.
        store: Where rows are kept.
        engine: What carries out tasks.
        listener: Is told how far it is.
        memory: Bytes it may take.
    """

    design: Design
    store: Any
    engine: AbstractEngine
    listener: Listener | None
    memory: int | None
    begun: float = field(default_factory=time.perf_counter)

    def carried(self) -> Table:
        """Return the table, of all rows or of those so far."""
        planned = self.store.planned(self.design)
        seeking = None
        if self.design.search is not None:
            seeking = Seeking(planned, self._carry, self.store.kept.rows)
        interrupted = False
        try:
            if seeking is None:
                self._carry(planned, None, self.design.trajectories)
            else:
                seeking.go()
        except KeyboardInterrupt:
            interrupted = True
        keys = planned.keys if seeking is None else seeking.keys
        failed, why = failures(self.store.kept.rows(), keys)
        about = {
            "remarks": self._remarks(planned, failed, why, interrupted),
            "sources": self.store.kept.sources,
        }
        if seeking is None:
            table = gathered(planned, self.store.kept.rows(), **about)
        else:
            table = seeking.table(**about)
        self.store.finish(table, failed)
        return table

    def _remarks(
        self, planned: Plan, failed: int, why: str, interrupted: bool
    ) -> list[str]:
        """Return what should be told beside the table."""
        told = list(self.store.remarks)
        if planned.left_out:
            told.append(f"Combinations left out by the design: {planned.left_out}.")
        if failed:
            runs = "1 run" if failed == 1 else f"{failed:,} runs"
            told.append(f"{runs} failed; the first: {why}")
        if interrupted:
            told.append("The sweep was interrupted; the same call goes on.")
        return told

    def _carry(self, planned: Plan, round_: int | None, paths: bool) -> None:
        """Carry out the runs of a plan that have no row."""
        wanted = set(planned.keys)
        missing = wanted - self.store.present(wanted, paths)
        if not missing:
            return
        tasks = self._tasks(planned, missing, paths)
        meter = _Meter(self, planned, missing, _pace(tasks), round_)
        with closing(self.engine.map(_work(), tasks)) as results:  # type: ignore[type-var]
            for place, result in results:
                self.store.add_paths(result["paths"])
                self.store.add(result["columns"], result["sources"])
                meter.note(str(tasks[place]["group"]), result["columns"])

    def _tasks(
        self, planned: Plan, missing: set[str], paths: bool
    ) -> list[dict[str, Any]]:
        ceiling = self.engine.ceiling() if self.memory is None else self.memory
        tasks = planned.chunks(
            most=MOST_KEPT if paths else MOST,
            memory=ceiling // SHARE,
            per_run=Fitting(ceiling),
            missing=missing,
        )
        recording = planned.recording if paths else None
        return [{**task, "recording": recording} for task in tasks]


@dataclass
class _Meter:
    """Counts what is done, and tells it.

    Attributes:
        sweep: The sweep.
        planned: The runs.
        missing: Keys of those to carry out.
        pace: How quickly that goes.
        round: Of a search.
    """

    sweep: _Sweep
    planned: Plan
    missing: set[str]
    pace: Pace
    round: int | None
    done: int = 0
    failed: int = 0

    def note(self, group: str, columns: Mapping[str, list[Any]]) -> None:
        """Take note of a task's rows."""
        self.done += len(columns["key"])
        self.failed += columns["status"].count(FAILED)
        iterations = float(sum(number or 0 for number in columns["iterations"]))
        self.pace.note(group, len(columns["key"]), iterations)
        total = len(set(self.planned.keys))
        cached = total - len(self.missing)
        _told(
            self.sweep.listener,
            SweepProgress(
                done=cached + self.done,
                total=total,
                cached=cached,
                failed=self.failed,
                seconds=time.perf_counter() - self.sweep.begun,
                left=self.pace.left(),
                round=self.round,
            ),
        )


def _work() -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    from thalweg.sweep.work import carry_out  # noqa: PLC0415  (it needs JAX)

    return carry_out  # type: ignore[return-value]


def _pace(tasks: list[dict[str, Any]]) -> Pace:
    costs: dict[str, float] = {}
    missing: dict[str, int] = {}
    for task in tasks:
        name = str(task["group"])
        if name not in costs:
            costs[name] = float(bytes_per_run(task["runs"][0]["settings"]))
        missing[name] = missing.get(name, 0) + len(task["runs"])
    return Pace(costs, missing)
