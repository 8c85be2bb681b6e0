"""Gradient descent: compiled, batched, recorded, stopped, resumed.

The loop knows a problem by two functions, `evaluate` (excess loss, and what the
gradient goes on from) and `pull` (the gradient); neither is differentiated
automatically. `_lanes` runs a block of starts side by side until a budget is spent,
`_blocks` lays them out; this module spends the budget in slices short enough for a
progress bar and Ctrl-C, and gathers what was recorded.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg._core.errors import (
    DomainError,
    whole,
)
from thalweg._core.outcome import Outcome
from thalweg.motion._blocks import Blocks, Ends
from thalweg.motion._endings import outcome_of
from thalweg.motion._lanes import Rules
from thalweg.motion._run import Run, check_numbers, lay_out
from thalweg.motion.path import Path, bundle
from thalweg.motion.record import choose_measures
from thalweg.motion.starts import lane, lifted, unstacked

SLICE_SECONDS = 0.25
"""How long a compiled call should take before control returns to Python."""


@dataclass(frozen=True)
class Progress:
    """What a progress callback is told after every slice.

    Attributes:
        done: Iterations taken by the slowest run still going.
        total: Iterations asked for.
        running: Runs that have not ended.
        excess_loss: Smallest excess loss so far among the runs.
        snapshot: Returns the path so far, as if interrupted now.
    """

    done: int
    total: int
    running: int
    excess_loss: float
    snapshot: Callable[[], Path]


def descend(
    problem: Any,
    weights: Any,
    *,
    step_size: Any,
    iterations: int,
    accuracy: float | None = None,
    momentum: float = 0.0,
    gradient_tolerance: float = 0.0,
    measures: Sequence[Any] = ("loss",),
    every: int | None = None,
    records: int = 200,
    at: Any = None,
    compress: bool = True,
    on_progress: Callable[[Progress], None] | None = None,
    throw: bool = False,
) -> Path:
    r"""Run full-batch gradient descent and record measures on the way.

    $W \leftarrow W - \eta \nabla L(W)$, or with momentum $\mu$
    $V \leftarrow \mu V - \eta \nabla L(W)$, $W \leftarrow W + V$.

    A run ends when the excess loss is at most `accuracy` (converged); when a step
    changes no bit of the weights or the gradient norm is at most
    `gradient_tolerance` (stalled; looked for at the start and every 1024 iterations,
    and at every record if there is a tolerance); when the excess loss exceeds 1e16
    times its scale or leaves float64 (diverged; the path then ends at the last
    iterate before that); or when the iterations are spent. Ctrl-C ends it too and
    keeps what was recorded; `resume` goes on from there, bit for bit.

    Args:
        problem: A `Problem` or a `Playground`.
        weights: One start, or several stacked along a leading axis.
        step_size: A number `> 0`, or one per run.
        iterations: Most steps to take, at least 0.
        accuracy: Excess loss at which to stop, `>= 0`; `None` never stops for it.
        momentum: Heavy-ball coefficient, from 0 to below 1.
        gradient_tolerance: Gradient norm that counts as rest, `>= 0`.
        measures: Names or measure objects to record; `loss` and `excess_loss`
            always are.
        every: Record every so many iterations.
        records: Otherwise record about so many, logarithmically spaced.
        at: Otherwise record exactly at these iterations.
        compress: Move the smallest net with the same trajectory (`problem.compress`);
            what is recorded and returned is the full one's.
        on_progress: Called about four times a second with a `Progress`.
        throw: Raise if a single run diverges or is interrupted.

    Returns:
        The path. With several starts or step sizes every column gets a leading
        axis of runs; a run that has ended holds its last state from there on.

    Raises:
        ShapeError: If the weights do not fit the problem, or batches differ.
        DomainError: If a number is out of its domain.
        RunFailed: With `throw`, if a single run did not end well.

    Example:
        >>> from thalweg.problem.scalar import Playground
        >>> path = descend(Playground(2), [0.5, 0.5], step_size=1 / 6,
        ...                iterations=1000, accuracy=1e-6)
        >>> path.outcome.iteration, str(path.outcome.status)
        (21, 'converged')

    Source:
        EPFL CS-439, Lecture 6; Arora, Cohen, Golowich, Hu, Section 2.
    """
    check_numbers(iterations, accuracy, momentum, gradient_tolerance)
    starts, steps, batched = lay_out(problem, weights, step_size)
    settings = {
        "kind": "descent",
        "iterations": int(iterations),
        "accuracy": None if accuracy is None else float(accuracy),
        "momentum": float(momentum),
        "gradient_tolerance": float(gradient_tolerance),
        "every": None if every is None else whole("every", every, least=1),
        "records": whole("records", records, least=2),
        "at": None if at is None else [whole("at", i) for i in np.ravel(at)],
        "compress": compress,
    }
    run = Run.posed(
        problem, choose_measures(measures, problem), settings, starts, steps, batched
    )
    begun = run.scene.starts
    velocity = jax.tree.map(jnp.zeros_like, begun) if momentum else None
    path = _drive(run, begun, velocity, None, on_progress)
    if throw and isinstance(path.outcome, Outcome):
        path.outcome.raise_if_bad()
    return path


def resume(
    path: Path,
    *,
    iterations: int | None = None,
    on_progress: Callable[[Any], None] | None = None,
) -> Path:
    """Go on with a path that was interrupted, or a descent out of budget.

    Args:
        path: A path from `descend`, `leap`, `train` or `flow` (possibly saved and
            loaded since).
        iterations: New last iteration of a descent; the old one if `None`.
        on_progress: As in the function that made the path.

    Returns:
        The whole path, from the first start. With the old number of iterations it
        equals, bit for bit, the path of a run that was never interrupted. Notes are
        kept. A path of leaps is leapt again from its start: only so is its error
        known.

    Raises:
        DomainError: If a descent already reaches further, or `iterations` is given
            for a flow.
    """
    if path.is_flow:
        if iterations is not None:
            raise DomainError("the path is a flow; it has no iterations to extend.")
        from thalweg.motion.flow import go_on  # noqa: PLC0415  (diffrax is heavy)

        after = go_on(path, on_progress)
        return after.with_notes(**{**path.notes, **after.notes})
    last = path.settings["iterations"]
    if iterations is not None:
        last = whole("iterations", iterations)
    if path.settings["kind"] == "training":
        from thalweg.motion.train import go_on as train_on  # noqa: PLC0415  (as above)

        return train_on(path, iterations, on_progress)
    if path.settings["kind"] == "leap":
        from thalweg.motion.leap import again  # noqa: PLC0415  (it imports this)

        after = again(path, last, on_progress)
        return after.with_notes(**{**path.notes, **after.notes})
    done = int(path.iterations[-1])
    if last < done:
        raise DomainError(
            f"iterations is {last} but the path already reaches {done}; ask for more."
        )
    batched = path.batched
    lift = unstacked(True) if batched else lifted
    run = Run.posed(
        path.problem,
        path.measures,
        {**path.settings, "iterations": last},
        lift(path.start),
        jnp.atleast_1d(jnp.asarray(path.step_size)),
        batched,
    )
    weights, velocity = path.inner or (path.weights, path.velocity)
    velocity = None if velocity is None else lift(velocity)
    after = _drive(run, lift(weights), velocity, path, on_progress)
    return after.with_notes(**path.notes)


def _drive(
    run: Run,
    weights: Any,
    velocity: Any,
    earlier: Path | None,
    on_progress: Callable[[Progress], None] | None,
) -> Path:
    """Spend the budget slice by slice, then gather the path."""
    targets = run.targets
    total = run.settings["iterations"]
    first = 0 if earlier is None else int(earlier.iterations[-1])
    blocks = Blocks.start(
        run.scene.problem,
        run.measures,
        weights,
        velocity,
        rules=_rules(run),
        targets=targets,
        iteration=first,
        ended=_already_ended(earlier),
        starts=None if earlier is None else run.scene.starts,
    )
    interrupted = False
    budget, speed = first, None
    try:
        while budget < total and blocks.running:
            step = _slice(run, speed)
            begun, before = time.perf_counter(), budget
            budget = min(total, budget + step)
            blocks = blocks.advance(budget)
            spent = time.perf_counter() - begun
            if speed is not None or spent > 10 * SLICE_SECONDS:
                speed = (budget - before) / max(spent, 1e-6)
            else:
                speed = step / SLICE_SECONDS
            if on_progress is not None:
                here = blocks
                on_progress(
                    Progress(
                        done=budget,
                        total=total,
                        running=here.running,
                        excess_loss=here.best,
                        snapshot=lambda: _gather(run, here, earlier, True),  # noqa: B023
                    )
                )
    except KeyboardInterrupt:
        interrupted = True
    return _gather(run, blocks, earlier, interrupted)


def _gather(run: Run, blocks: Blocks, earlier: Path | None, interrupted: bool) -> Path:
    """Bring blocks, records and outcomes together in a path."""
    ends = blocks.finish()
    clock, columns = ends.clock, ends.columns
    if earlier is not None:
        clock, columns = _continued(run, earlier, ends)
    last = int(max(int(clock[-1]), 0))
    outcomes = tuple(
        outcome_of(
            run.problem,
            ends,
            index,
            step_size=float(run.step_sizes[index]),
            accuracy=run.settings["accuracy"],
            gradient_tolerance=run.settings["gradient_tolerance"],
            interrupted=interrupted and last < run.settings["iterations"],
            start=None if run.batched else lane(run.starts, 0),
        )
        for index in range(run.lanes)
    )
    one = unstacked(run.batched)
    return Path(
        problem=run.problem,
        measures=run.measures,
        settings=run.settings,
        start=one(run.starts),
        weights=one(run.scene.full(ends.weights)),
        velocity=one(run.scene.full_velocity(ends.velocity)),
        step_size=np.asarray(run.step_sizes)
        if run.batched
        else float(run.step_sizes[0]),
        clock=clock,
        columns=columns if run.batched else {n: c[0] for n, c in columns.items()},
        outcome=bundle(outcomes, run.batched),
        batched=run.batched,
        notes=run.scene.notes,
        inner=run.scene.inner(ends.weights, ends.velocity, run.batched),
    )


def _continued(
    run: Run, earlier: Path, ends: Ends
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Put the earlier records in front of the new ones."""
    before = earlier.clock < ends.clock[0]
    spread = run.settings["every"] is None and run.settings["at"] is None
    if run.settings == earlier.settings or not spread:
        # A record where the earlier part broke off is none of the whole's. (Records
        # spread over a longer run would lie elsewhere: then all are kept.)
        before &= np.isin(earlier.clock, run.targets)
    joined = {}
    for name, column in ends.columns.items():
        old = earlier.columns[name] if run.batched else earlier.columns[name][None]
        column[ends.idle] = old[ends.idle, -1:]
        joined[name] = np.concatenate([old[:, before], column], axis=1)
    return np.concatenate([earlier.clock[before], ends.clock]), joined


def _rules(run: Run) -> Rules:
    accuracy = run.settings["accuracy"]
    return Rules(
        step_size=run.step_sizes,
        accuracy=jnp.asarray(-jnp.inf if accuracy is None else accuracy, dtype=float),
        momentum=jnp.asarray(run.settings["momentum"], dtype=float),
        gradient_tolerance=jnp.asarray(run.settings["gradient_tolerance"], dtype=float),
    )


def _already_ended(earlier: Path | None) -> list[Outcome] | None:
    if earlier is None:
        return None
    each = earlier.outcome
    return [each] if isinstance(each, Outcome) else list(each)


def _slice(run: Run, speed: float | None) -> int:
    """Return how many iterations to spend next."""
    if speed is None:
        samples = getattr(run.scene.problem, "samples", None) or 1
        work = run.lanes * (6 * run.scene.problem.net.parameters * samples + 2000)
        return max(100, int(2e8 / work))
    return max(1, int(speed * SLICE_SECONDS))
