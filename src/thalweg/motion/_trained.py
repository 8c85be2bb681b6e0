"""A training on its way: its steps spent in slices, its records gathered in a path."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg._core.arrays import Array
from thalweg._core.errors import DomainError
from thalweg._core.outcome import CODES, Outcome
from thalweg.motion._blocks import Ends
from thalweg.motion._endings import outcome_of
from thalweg.motion._lanes import CONVERGED, DIVERGED, OUT_OF_BUDGET, excess_and_limit
from thalweg.motion._training import Course, Plan, State, advance, begin, read_rows
from thalweg.motion.descend import SLICE_SECONDS, Progress
from thalweg.motion.path import Path, bundle
from thalweg.motion.record import kept_iterations
from thalweg.motion.starts import unstacked
from thalweg.problem.samples import SampleProblem

GIVEN = "given"
"""What the settings of a path call an optimizer that came as an object."""


@dataclass(frozen=True)
class Run:
    """What stays the same from the first slice of a training to its last.

    Attributes:
        problem: What is minimised.
        course: What is compiled for.
        settings: What was asked for, as plain values.
        starts: The starts, stacked.
        step_sizes: One step size per run.
        batched: Whether several runs were asked for.
    """

    problem: Any
    course: Course
    settings: dict[str, Any]
    starts: Any
    step_sizes: Array
    batched: bool

    @property
    def lanes(self) -> int:
        """Return how many runs there are."""
        return self.step_sizes.shape[0]

    @property
    def targets(self) -> np.ndarray:
        """Return the iterations to record at."""
        s = self.settings
        return kept_iterations(
            s["iterations"], every=s["every"], records=s["records"], at=s["at"]
        )

    def plan(self, first: int) -> Plan:
        """Return what the compiled loop needs from iteration `first` on."""
        ahead = self.targets[self.targets >= first]
        never = np.iinfo(np.int64).max
        # Padded to a power of two, so that few lengths are compiled for.
        padded = np.full(1 << len(ahead).bit_length(), never)
        padded[: len(ahead)] = ahead
        accuracy = self.settings["accuracy"]
        return Plan(
            targets=jnp.asarray(padded),
            step_sizes=self.step_sizes,
            options={k: jnp.asarray(v) for k, v in self.settings["options"].items()},
            accuracy=jnp.asarray(-jnp.inf if accuracy is None else accuracy),
            key=jnp.asarray(self.settings["key"] or (0, 0), dtype=jnp.uint32),
        )

    def first_state(self) -> State:
        """Return the runs at their starts.

        Raises:
            DomainError: If the loss of a start leaves float64.
        """
        excess, limit = excess_and_limit(self.problem, self.starts)
        beyond = np.flatnonzero(~np.isfinite(np.asarray(excess)))
        if beyond.size:
            which = "the start" if self.lanes == 1 else f"start {beyond[0]}"
            raise DomainError(
                f"{which} has a loss beyond the range of float64; scale it down."
            )
        memory = begin(self.course, self.plan(0), self.starts)
        accuracy = self.settings["accuracy"]
        met = excess <= (-jnp.inf if accuracy is None else accuracy)
        return State(
            weights=self.starts,
            memory=memory,
            value=excess,
            active=~met,
            status=jnp.where(met, CONVERGED, OUT_OF_BUDGET),
            ended=jnp.zeros(self.lanes, dtype=int),
            limit=limit,
            iteration=jnp.asarray(0),
            slot=jnp.asarray(0),
            columns={},
        )

    def later_state(self, path: Path, weights: Any, leaves: Any) -> State:
        """Return the runs where a path left them, its memory leaf by leaf."""
        first = self.first_state()
        each = [path.outcome] if isinstance(path.outcome, Outcome) else path.outcome
        codes = [CODES.index(outcome.status) for outcome in each]
        status = jnp.asarray(
            [code if code in (CONVERGED, DIVERGED) else OUT_OF_BUDGET for code in codes]
        )
        memory = jax.tree.unflatten(jax.tree.structure(first.memory), leaves or ())
        return first._replace(
            weights=weights,
            memory=memory,
            value=jnp.asarray([outcome.excess_loss for outcome in each]),
            active=status == OUT_OF_BUDGET,
            status=status,
            ended=jnp.asarray([outcome.iteration for outcome in each]),
            iteration=jnp.asarray(int(path.clock[-1])),
        )


def drive(
    run: Run,
    state: State,
    earlier: Path | None,
    on_progress: Callable[[Progress], None] | None,
) -> Path:
    """Spend the budget slice by slice, then gather the path.

    Args:
        run: The training.
        state: Where its runs stand.
        earlier: The path that led there, if it began earlier.
        on_progress: Called after every slice.

    Returns:
        The path, from the first start.
    """
    first, total = int(state.iteration), run.settings["iterations"]
    plan = run.plan(first)
    row = jax.eval_shape(
        partial(read_rows, course=run.course), run.problem, plan=plan, state=state
    )
    records = plan.targets.shape[0]
    state = state._replace(
        columns={k: jnp.zeros((records, *v.shape)) for k, v in row.items()}
    )
    speed = None
    interrupted = False
    try:
        budget = first
        while budget < total and bool(state.active.any()):
            begun, before = time.perf_counter(), budget
            budget = min(total, budget + _slice(run, speed))
            state = jax.block_until_ready(  # type: ignore[no-untyped-call]
                advance(run.problem, run.course, plan, state, jnp.asarray(budget))
            )
            spent = time.perf_counter() - begun
            # The first slice is mostly compilation.
            speed = (budget - before) / max(spent if speed else SLICE_SECONDS, 1e-6)
            if on_progress is not None:
                here = state
                on_progress(
                    Progress(
                        done=budget,
                        total=total,
                        running=int(here.active.sum()),
                        excess_loss=float(jnp.nanmin(here.value)),
                        snapshot=lambda: _gather(run, plan, here, earlier, True),  # noqa: B023
                    )
                )
    except KeyboardInterrupt:
        interrupted = True
    return _gather(run, plan, state, earlier, interrupted)


def _gather(
    run: Run, plan: Plan, state: State, earlier: Path | None, interrupted: bool
) -> Path:
    """Bring weights, records and outcomes together in a path."""
    diverged = np.asarray(state.status) == DIVERGED
    last = int(np.max(np.asarray(state.ended) - diverged))
    clock, columns = _recorded(run, plan, state, last)
    excess = columns["excess_loss"][:, -1]
    seen = np.where(diverged | run.course.exact, np.asarray(state.value), excess)
    if earlier is not None:
        clock, columns = _continued(run, earlier, clock, columns)
    ends = Ends(
        weights=state.weights,
        velocity=None,
        status=np.asarray(state.status),
        iteration=np.asarray(state.ended),
        excess=np.where(np.isnan(seen), np.inf, seen),
        previous=excess,
        clock=clock,
        columns=columns,
        idle=np.zeros(run.lanes, dtype=bool),
    )
    outcomes = tuple(
        outcome_of(
            run.problem,
            ends,
            index,
            step_size=float(run.step_sizes[index]),
            accuracy=run.settings["accuracy"],
            gradient_tolerance=0.0,
            interrupted=interrupted and last < run.settings["iterations"],
            start=None,
        )
        for index in range(run.lanes)
    )
    one, given = unstacked(run.batched), run.settings["optimizer"] == GIVEN
    memory = tuple(jax.tree.leaves(state.memory))
    steps = np.where(given, np.nan, np.asarray(run.step_sizes))
    return Path(
        problem=run.problem,
        measures=run.course.measures,
        settings=run.settings,
        start=one(run.starts),
        weights=one(state.weights),
        velocity=one(memory) if memory and not given else None,
        step_size=steps if run.batched else float(steps[0]),
        clock=clock,
        columns=columns if run.batched else {n: c[0] for n, c in columns.items()},
        outcome=bundle(outcomes, run.batched),
        batched=run.batched,
    )


def _recorded(
    run: Run, plan: Plan, state: State, last: int
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return the clock up to `last`, where it is read if need be, and the columns."""
    targets = np.asarray(plan.targets)
    count = min(int(np.searchsorted(targets, last, side="right")), int(state.slot))
    clock = targets[:count]
    columns = {
        name: np.moveaxis(np.asarray(column)[:count], 0, 1)
        for name, column in state.columns.items()
    }
    if not count or clock[-1] < last:
        row = read_rows(run.problem, run.course, plan, state)
        clock = np.append(clock, last)
        columns = {
            name: np.concatenate([column, np.asarray(row[name])[:, None]], axis=1)
            for name, column in columns.items()
        }
    return clock, columns


def _continued(
    run: Run, earlier: Path, clock: np.ndarray, columns: dict[str, np.ndarray]
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Put the earlier records in front of the new ones."""
    before = earlier.clock < clock[0]
    spread = run.settings["every"] is None and run.settings["at"] is None
    if run.settings == earlier.settings or not spread:
        # A record where the earlier part broke off is none of the whole's.
        before &= np.isin(earlier.clock, run.targets)
    each = (
        [earlier.outcome] if isinstance(earlier.outcome, Outcome) else earlier.outcome
    )
    over = [outcome.converged or outcome.diverged for outcome in each]
    joined = {}
    for name, column in columns.items():
        old = earlier[name] if run.batched else earlier[name][None]
        held = column.copy()
        held[over] = old[over, -1:]
        joined[name] = np.concatenate([old[:, before], held], axis=1)
    return np.concatenate([earlier.clock[before], clock]), joined


def _slice(run: Run, speed: float | None) -> int:
    """Return how many iterations to spend next."""
    if speed is None:
        seen = 1
        if isinstance(run.problem, SampleProblem):
            seen = run.course.batch_size or run.problem.samples
        work = run.lanes * (6 * run.problem.net.parameters * seen + 2000)
        return max(10, int(2e8 / work))
    return max(1, int(speed * SLICE_SECONDS))
