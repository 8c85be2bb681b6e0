"""Flows on their way: solved from record to record, in chunks, each by itself."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import diffrax
import jax
import jax.numpy as jnp
import numpy as np

from thalweg._core.arrays import Array
from thalweg._core.outcome import Outcome, Status
from thalweg.linalg.chain import invariants
from thalweg.motion._scene import Scene
from thalweg.motion.path import Path, bundle
from thalweg.motion.record import Measures, read_all
from thalweg.motion.starts import lane, unstacked

SOLVERS: dict[str, Callable[[], diffrax.AbstractSolver[Any]]] = {
    "dopri8": diffrax.Dopri8,
    "tsit5": diffrax.Tsit5,
    "kvaerno5": diffrax.Kvaerno5,
}
"""Explicit of order 8 (the default), explicit of order 5, implicit for stiff flows."""

CHUNKS = 25
"""A flow returns to Python about this often, for progress and Ctrl-C."""


@dataclass(frozen=True)
class FlowProgress:
    """What a progress callback is told.

    Attributes:
        time: Flow time reached by every run still going.
        horizon: Flow time asked for.
        running: Runs that have not ended.
        excess_loss: Smallest excess loss among the runs.
        snapshot: Returns the path so far, as if interrupted now.
    """

    time: float
    horizon: float
    running: int
    excess_loss: float
    snapshot: Callable[[], Path]


@dataclass(frozen=True)
class Task:
    """What stays the same from the first chunk to the last."""

    problem: Any
    starts: Any
    clock: np.ndarray
    measures: Measures
    batched: bool
    settings: dict[str, Any]
    scene: Scene

    @property
    def runs(self) -> int:
        return int(jax.tree.leaves(self.starts)[0].shape[0])

    def solve(self, weights: Any, times: np.ndarray) -> Any:
        s = self.settings
        accuracy = -1.0 if s["accuracy"] is None else s["accuracy"]
        numbers = (accuracy, s["gradient_tolerance"], s["rtol"], s["atol"])
        solution = _solve(
            self.scene.problem,
            weights,
            jnp.asarray(times),
            jnp.asarray(numbers),
            s["solver"],
            self.measures,
            s["max_steps"],
        )
        return jax.device_get(solution)


@dataclass
class _Lane:
    """One flow on its way: rows recorded so far, and how it stands."""

    weights: Any
    rows: dict[str, list[Any]]
    time: float = 0.0
    steps: int = 0
    status: Status = Status.OUT_OF_BUDGET
    ended: bool = False


@partial(jax.jit, static_argnames=("solver", "measures", "max_steps"))
def _solve(
    problem: Any,
    weights: Any,
    times: Array,
    numbers: Array,
    solver: str,
    measures: Measures,
    max_steps: int,
) -> Any:
    accuracy, gradient_tolerance, rtol, atol = numbers

    def field(_t: Any, state: Any, _args: Any) -> Any:
        return jax.tree.map(jnp.negative, problem.gradient(state))

    def accurate(_t: Any, state: Any, _args: Any, **_kwargs: Any) -> Array:
        return problem.excess_loss(state) <= accuracy

    def at_rest(_t: Any, state: Any, _args: Any, **_kwargs: Any) -> Array:
        return _slope(problem, state) <= gradient_tolerance

    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(field),
        SOLVERS[solver](),
        t0=times[0],
        t1=times[-1],
        dt0=None,
        y0=weights,
        saveat=diffrax.SaveAt(
            subs=[
                diffrax.SubSaveAt(
                    ts=times[1:],
                    fn=lambda _t, state, _args: read_all(problem, state, measures),
                ),
                diffrax.SubSaveAt(t1=True),
            ]
        ),
        # Steps end at the records, so that no record is interpolated.
        stepsize_controller=diffrax.ClipStepSizeController(
            diffrax.PIDController(rtol=rtol, atol=atol), step_ts=times[1:-1]
        ),
        event=diffrax.Event([accurate, at_rest]),
        max_steps=max_steps,
        throw=False,
    )
    last = jax.tree.map(lambda leaf: leaf[0], solution.ys[1])
    return {
        "rows": solution.ys[0],
        "weights": last,
        "time": solution.ts[1][0],
        "steps": solution.stats["num_steps"],
        "accurate": accurate(0.0, last, None),
        "at_rest": at_rest(0.0, last, None),
        "excess": problem.excess_loss(last),
        "row": read_all(problem, last, measures),
    }


def drive(
    task: Task,
    lanes: list[_Lane],
    on_progress: Callable[[FlowProgress], None] | None,
) -> Path:
    """Carry every run from chunk to chunk of the record times."""
    clock = task.clock
    size = max(2, -(-(clock.size - 1) // CHUNKS))
    try:
        for first in range(0, clock.size - 1, size):
            chunk = clock[first : first + size + 1]
            whole = np.concatenate([chunk, np.full(size + 1 - chunk.size, chunk[-1])])
            for one in (one for one in lanes if not one.ended and one.time == chunk[0]):
                _advance(task, one, chunk, whole)
            running = sum(not one.ended for one in lanes)
            if on_progress is not None:
                best = min(float(one.rows["excess_loss"][-1]) for one in lanes)
                on_progress(
                    FlowProgress(
                        time=float(chunk[-1]),
                        horizon=float(clock[-1]),
                        running=running,
                        excess_loss=best,
                        snapshot=partial(_gather, task, lanes),
                    )
                )
            if not running:
                break
    except KeyboardInterrupt:
        pass  # What was recorded is gathered below; the outcome says so.
    return _gather(task, lanes)


def begin(task: Task, index: int) -> _Lane:
    """Return a run at its start, recorded there."""
    weights = lane(task.scene.starts, index)
    row, norm = jax.device_get(_first_row(task.scene.problem, task.measures, weights))
    one = _Lane(weights, {name: [np.asarray(value)] for name, value in row.items()})
    accuracy = task.settings["accuracy"]
    if accuracy is not None and row["excess_loss"] <= accuracy:
        one.status, one.ended = Status.CONVERGED, True
    elif norm <= task.settings["gradient_tolerance"]:
        one.status, one.ended = Status.STALLED, True
    return one


def taken_up(task: Task, path: Path, index: int) -> _Lane:
    """Return a run where a saved path left it."""
    single = path.run(index) if path.batched else path
    outcome = single.outcome
    assert isinstance(outcome, Outcome)
    time = float(outcome.time or 0.0)
    ended = outcome.status is not Status.INTERRUPTED
    count = single.clock.size
    if not ended:
        count = int(np.searchsorted(task.clock, time, side="right"))
    return _Lane(
        weights=single.weights if single.inner is None else single.inner[0],
        rows={name: list(single.columns[name][:count]) for name, _ in task.measures},
        time=time,
        steps=outcome.iteration,
        status=outcome.status if ended else Status.OUT_OF_BUDGET,
        ended=ended,
    )


@partial(jax.jit, static_argnames=("measures",))
def _first_row(problem: Any, measures: Measures, weights: Any) -> tuple[Any, Array]:
    return read_all(problem, weights, measures), _slope(problem, weights)


def _slope(problem: Any, weights: Any) -> Array:
    """Return the gradient's norm."""
    parts = jax.tree.leaves(problem.gradient(weights))
    return jnp.sqrt(sum(jnp.sum(part * part) for part in parts))


def _advance(task: Task, one: _Lane, chunk: np.ndarray, whole: np.ndarray) -> None:
    """Take one run through one chunk of record times."""
    got = task.solve(one.weights, whole)
    finite = np.isfinite(got["excess"])
    reached = chunk[1:] <= got["time"] if finite else np.zeros(chunk.size - 1, bool)
    for name, column in got["rows"].items():
        one.rows[name] += list(column[: chunk.size - 1][reached])
    one.steps += int(got["steps"])
    if not finite:
        one.status, one.ended = Status.DIVERGED, True
        return
    one.weights, one.time = got["weights"], float(got["time"])
    if got["accurate"] or got["at_rest"]:
        one.status = Status.CONVERGED if got["accurate"] else Status.STALLED
        one.ended = True
    elif not reached.all():
        one.ended = True
    on_record = np.any(chunk[1:][reached] == one.time)
    if one.ended and not on_record:
        for name, value in got["row"].items():
            one.rows[name].append(np.asarray(value))


def _gather(task: Task, lanes: list[_Lane]) -> Path:
    """Bring the runs together in a path; those cut short are interrupted."""
    last = max(one.time for one in lanes)
    times = np.append(task.clock[task.clock < last], last)
    columns = {
        name: np.stack([_held(one.rows[name], times.size) for one in lanes])
        for name, _ in task.measures
    }
    weights = jax.tree.map(
        lambda *leaves: jnp.stack(leaves), *(one.weights for one in lanes)
    )
    moved = task.scene
    drift = [
        _drift(moved.problem, lane(moved.starts, k), lane(weights, k))
        for k in range(len(lanes))
    ]
    steps = [one.steps for one in lanes]
    batched = task.batched
    outcomes = tuple(_outcome(task, each) for each in lanes)
    one = unstacked(batched)
    return Path(
        problem=task.problem,
        measures=task.measures,
        settings=task.settings,
        start=one(task.starts),
        weights=one(moved.full(weights)),
        velocity=None,
        step_size=None,
        clock=times,
        columns=columns if batched else {n: c[0] for n, c in columns.items()},
        outcome=bundle(outcomes, batched),
        batched=batched,
        notes={
            "invariant_drift": drift if batched else drift[0],
            "solver_steps": steps if batched else steps[0],
            **moved.notes,
        },
        inner=moved.inner(weights, None, batched),
    )


def _held(rows: list[Any], length: int) -> np.ndarray:
    """Return rows as one array, the last held to `length`."""
    return np.stack((rows + [rows[-1]] * length)[:length])


def _drift(problem: Any, start: Any, end: Any) -> float:
    """Return the largest change of an entry of an invariant."""
    pairs = zip(
        invariants(problem.chain(start)), invariants(problem.chain(end)), strict=True
    )
    return max((float(jnp.max(jnp.abs(b - a))) for a, b in pairs), default=0.0)


def _outcome(task: Task, one: _Lane) -> Outcome:
    horizon = float(task.clock[-1])
    excess = float(one.rows["excess_loss"][-1])
    at = f"at time {one.time:.6g}: excess loss {excess:.3g}"
    status = one.status
    if not one.ended and one.time < horizon:
        status = Status.INTERRUPTED
    sentence = {
        Status.CONVERGED: f"converged {at} is within the accuracy asked for.",
        Status.STALLED: f"stalled {at}, at a critical point within the tolerance.",
        Status.DIVERGED: f"diverged after time {one.time:.6g}: it left float64.",
        Status.INTERRUPTED: f"interrupted {at}; resume it to go on.",
        Status.OUT_OF_BUDGET: (
            f"out of budget {at}; ask for a longer horizon."
            if one.time >= horizon
            else f"out of budget {at}, after {one.steps} solver steps; raise max_steps "
            "or try the solver 'kvaerno5'."
        ),
    }[status]
    return Outcome(
        status=status,
        iteration=one.steps,
        loss=excess + float(task.problem.floor),
        excess_loss=excess,
        message=sentence,
        time=one.time,
    )
