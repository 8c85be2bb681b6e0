r"""Leaps: a billion steps of gradient descent at once, with an error bound.

Descent with a constant step is a map $G$; where it is close to the identity it is
the time-one map of the field $\log G$ (see `_logarithm`), whose flow an adaptive
solver of order 8 follows. What comes out is the iterate of the descent, not of the
gradient flow. Everything is run at two tolerances at least: how far they differ is
the error told, and a count of iterations is told once both agree.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from thalweg._core.arrays import Array
from thalweg._core.errors import DomainError, positive, whole
from thalweg._core.outcome import Outcome
from thalweg.motion._blocks import SMALL_WIDTH, Ends, cores
from thalweg.motion._endings import outcome_of
from thalweg.motion._lanes import (
    CONVERGED,
    DIVERGED,
    OUT_OF_BUDGET,
    excess_and_limit,
    read_lanes,
)
from thalweg.motion._leaping import (
    SHORT,
    Lane,
    Plan,
    Rules,
    advance,
    advance_on_one_core,
)
from thalweg.motion._logarithm import LARGEST_ORDER
from thalweg.motion._run import Run, check_numbers, lay_out
from thalweg.motion.descend import Progress
from thalweg.motion.path import Path, bundle
from thalweg.motion.rates import rounding_level
from thalweg.motion.record import choose_measures
from thalweg.motion.starts import lane as one_of
from thalweg.motion.starts import lifted, unstacked

FIRST = 0.1
"""Share of the tolerance that one leap of the first run may take."""

FINER = 1e-2
"""Each further run is this much more accurate than the one before."""

FINEST = 1e-15
"""No run asks for more per leap: float64 resolves no more."""

STRETCH = 1024
"""True steps taken in the middle of a run, to hold leaps against."""

CLOSEST = 1e-13
"""The smallest tolerance: two runs in a row must be left to compare."""

MARKS = 16
MARKED_BYTES = 2**27
"""States kept to compare two runs at: so many, and no more memory than that."""

SLICE_SECONDS = 0.25


def leap(
    problem: Any,
    weights: Any,
    *,
    step_size: Any,
    iterations: int,
    accuracy: float | None = None,
    tolerance: float = 1e-9,
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
    r"""Run gradient descent over any number of iterations, leaping where it can.

    The same path as `descend` gives, to `tolerance`, at a cost that depends on how far
    the weights travel and not on how many steps it takes: with `step_size` times the
    sharpness at 1e-8 and below, a billion iterations take a second. Where the step is
    too large for leaps to pay, true steps are taken; `path.notes["leaps"]` says how
    many. With momentum it leaps once the velocity follows the weights and
    `step_size * sharpness` is well below `(1 - momentum) ** 2`.

    `path.error` is the largest difference of a weight between the run returned and
    one a hundred times less accurate, at up to 16 records and the end: an estimate
    from above as a rule, not a proof, and zero where only true steps were taken
    (what they lose to rounding is not in it). If it exceeds `tolerance` times the
    largest weight, the run is repeated more accurately, to the limit of float64. An
    iteration count (to `accuracy`) is found by true steps through the crossing, and
    accepted when two runs agree on it and neither is closer to the accuracy than to
    the other; `path.notes["leaps"]["counted"]` says whether that was so.

    Args:
        problem: A `Problem` or a `Playground`.
        weights: One start, or several stacked along a leading axis.
        step_size: A number `> 0`, or one per run.
        iterations: Most steps to take, from 0 to `2**53`.
        accuracy: Excess loss at which to stop, `>= 0`; `None` never stops for it.
        tolerance: Error allowed, relative to the largest weight, from 1e-13 to 1e-2.
        momentum: Heavy-ball coefficient, from 0 to below 1.
        gradient_tolerance: Gradient norm that counts as rest, `>= 0`.
        measures: Names or measure objects to record; `loss` and `excess_loss`
            always are.
        every: Record every so many iterations.
        records: Otherwise record about so many, logarithmically spaced.
        at: Otherwise record exactly at these iterations.
        compress: Move the smallest net with the same trajectory, as in `descend`.
        on_progress: Called about four times a second with a `Progress`.
        throw: Raise if a single run diverges or is interrupted.

    Returns:
        The path; iterations on its clock are those of the descent.

    Raises:
        DomainError: If a number is out of its domain.

    Example:
        >>> from thalweg.problem.scalar import Playground
        >>> path = leap(Playground(30), [0.5] * 30, step_size=1 / 90,
        ...             iterations=10**10, accuracy=1e-6)
        >>> path.outcome.iteration
        862828308

    Source:
        EPFL CS-439, Lecture 6, slide "The catch"; Arora, Cohen, Golowich, Hu,
        Theorem 1, for steps that call for it.
    """
    check_numbers(iterations, accuracy, momentum, gradient_tolerance)
    if iterations > 2**53:
        raise DomainError(f"iterations is {iterations}; it must be at most 2**53.")
    if not CLOSEST <= positive("tolerance", tolerance) <= 1e-2:
        raise DomainError(
            f"tolerance is {tolerance:g}; it must be from {CLOSEST:g} to 1e-2."
        )
    starts, steps, batched = lay_out(problem, weights, step_size)
    settings = {
        "kind": "leap",
        "iterations": int(iterations),
        "accuracy": None if accuracy is None else float(accuracy),
        "tolerance": float(tolerance),
        "momentum": float(momentum),
        "gradient_tolerance": float(gradient_tolerance),
        "every": None if every is None else whole("every", every, least=1),
        "records": whole("records", records, least=2),
        "at": None if at is None else [whole("at", i) for i in np.ravel(at)],
        "compress": compress,
    }
    chosen = choose_measures(measures, problem)
    run = Run.posed(problem, chosen, settings, starts, steps, batched)
    path = _drive(run, on_progress)
    if throw and isinstance(path.outcome, Outcome):
        path.outcome.raise_if_bad()
    return path


def again(
    path: Path, iterations: int, on_progress: Callable[[Progress], None] | None = None
) -> Path:
    """Leap once more from a path's start, possibly further.

    Args:
        path: A path from `leap`.
        iterations: New last iteration.
        on_progress: As in `leap`.

    Returns:
        The whole path.
    """
    settings = {**path.settings, "iterations": iterations}
    starts = path.start if path.batched else lifted(path.start)
    steps = jnp.atleast_1d(jnp.asarray(path.step_size))
    run = Run.posed(path.problem, path.measures, settings, starts, steps, path.batched)
    return _drive(run, on_progress)


@dataclass(frozen=True)
class _Course:
    """Where to record and to compare, and where all lanes begin."""

    targets: np.ndarray
    marks: np.ndarray
    plan: Plan
    like: Any
    start: Lane
    rules: Rules

    @classmethod
    def laid(cls, run: Run) -> "_Course":
        """Lay out records, marks and the lanes at their starts."""
        problem, starts, settings = run.scene.problem, run.scene.starts, run.settings
        targets = run.targets
        packed = jax.vmap(problem.pack)(starts)
        like = jax.tree.map(lambda leaf: leaf[0], packed)
        flat = jax.vmap(lambda tree: ravel_pytree(tree)[0])(packed)
        fitting = MARKED_BYTES // (8 * flat.size)
        count = int(np.clip(fitting, 1, min(MARKS, targets.size)))
        marks = np.unique(np.linspace(0, targets.size - 1, count).astype(int))
        capacity = 1 << max(3, int(targets.size).bit_length())
        never = np.full(capacity - targets.size, np.iinfo(np.int64).max)
        places = np.full(capacity, -1)
        places[marks] = np.arange(marks.size)
        excess, limit = excess_and_limit(problem, starts)
        _check_finite(np.asarray(excess))
        each = jnp.ones(run.lanes)
        numbers = (_least(run), settings["momentum"], settings["gradient_tolerance"])
        rules = Rules(
            step_size=run.step_sizes,
            accuracy=numbers[0] * each,
            momentum=numbers[1] * each,
            gradient_tolerance=numbers[2] * each,
            tolerance=settings["tolerance"] * each,
            limit=limit,
            rest=rounding_level(problem) * each,
        )
        row = jax.eval_shape(read_lanes, problem, run.measures, starts)
        none = jnp.zeros(run.lanes, jnp.int64)
        done = excess <= rules.accuracy
        start = Lane(
            weights=flat,
            lost=jnp.zeros_like(flat),
            velocity=jnp.zeros_like(flat) if settings["momentum"] else None,
            terms=jnp.zeros((run.lanes, LARGEST_ORDER + 1)),
            excess=excess,
            previous=excess,
            active=~done,
            status=jnp.where(done, CONVERGED, OUT_OF_BUDGET),
            iteration=none,
            span=each,
            walk=none + 1,
            patience=none + SHORT,
            slot=none,
            columns={
                name: jnp.zeros((run.lanes, capacity, *shape.shape[1:]))
                for name, shape in row.items()
            },
            kept=jnp.zeros((run.lanes, marks.size, flat.shape[1])),
            leaps=none,
            failed=none,
            walked=none,
            gradients=none,
        )
        plan = Plan(jnp.asarray(np.concatenate([targets, never])), jnp.asarray(places))
        return cls(targets, marks, plan, like, start, rules)


class _Trust(NamedTuple):
    """How far each lane is to be trusted.

    `close`: two attempts agree within the tolerance. `counted`: they agree on the
    iteration at which the accuracy was reached, beyond doubt.
    """

    error: np.ndarray
    close: np.ndarray
    counted: np.ndarray
    tolerance: np.ndarray


def _drive(run: Run, on_progress: Callable[[Progress], None] | None) -> Path:
    """Run ever more accurately until two attempts in a row agree."""
    course = _Course.laid(run)
    tolerance = max(FIRST * run.settings["tolerance"], FINEST)
    error = np.full(run.lanes, np.nan)
    close, counted = np.zeros((2, run.lanes), bool)
    used = np.full(run.lanes, tolerance)
    attempt = partial(_attempt, run, course, on_progress)
    best, finished = attempt(course.start, tolerance, np.arange(run.lanes))
    if finished:
        # Lanes that never leapt took nothing but true steps.
        walked = np.asarray(best.leaps) == 0
        error[walked], close[walked], counted[walked] = 0.0, True, True
    while finished and tolerance > FINEST and not (close & counted).all():
        tolerance = max(FINER * tolerance, FINEST)
        left = np.flatnonzero(~(close & counted))
        after, finished = attempt(_picked(course.start, left), tolerance, left)
        if finished:
            before = _picked(best, left)
            found = _compared(run, course, before, after)
            error[left], close[left], counted[left] = found
            used[left] = tolerance
            best = _merged(best, after, left)
    stretch = _stretch(run, course, best) if finished else None
    return _gather(run, course, best, _Trust(error, close, counted, used), stretch)


def _attempt(
    run: Run,
    course: _Course,
    on_progress: Callable[[Progress], None] | None,
    lanes: Lane,
    tolerance: float,
    which: np.ndarray,
) -> tuple[Lane, bool]:
    """Carry lanes to their ends at one tolerance; `False` if interrupted."""
    rules = _picked(course.rules, which)._replace(
        tolerance=jnp.full(which.size, tolerance)
    )
    total = run.settings["iterations"]
    parts = _dealt(lanes, which.size)
    own = _dealt(rules, which.size)
    effort = _first_effort(run)
    try:
        while any(_going(part, total) for part in parts):
            begun = time.perf_counter()
            parts = _advanced(run, course, own, parts, total, effort)
            spent = time.perf_counter() - begun
            effort = int(np.clip(effort * SLICE_SECONDS / max(spent, 1e-6), 1, 2**40))
            if on_progress is not None:
                here = _joined(parts, which.size)
                snapshot = partial(_snapshot, run, course, here, which, tolerance)
                on_progress(_progress(here, total, snapshot))
    except KeyboardInterrupt:
        return _joined(parts, which.size), False
    return _joined(parts, which.size), True


def _advanced(
    run: Run,
    course: _Course,
    rules: list[Rules],
    parts: list[Lane],
    budget: int,
    effort: int,
) -> list[Lane]:
    """Advance every part on a thread of its own."""
    small = len(parts) > 1 or max(run.scene.problem.net.widths) <= SMALL_WIDTH
    on_cpu = jax.default_backend() == "cpu"
    compiled = advance_on_one_core if on_cpu and small else advance

    def one(pair: tuple[Rules, Lane]) -> Lane:
        own, part = pair
        after = compiled(
            run.scene.problem,
            run.measures,
            course.like,
            course.plan,
            own,
            part,
            jnp.asarray(budget),
            jnp.asarray(effort),
        )
        return jax.block_until_ready(after)  # type: ignore[no-untyped-call]

    pairs = list(zip(rules, parts, strict=True))
    if len(pairs) == 1:
        return [one(pairs[0])]
    with ThreadPoolExecutor(len(pairs)) as pool:
        return list(pool.map(one, pairs))


def _stretch(run: Run, course: _Course, lanes: Lane) -> dict[str, Any] | None:
    """Take a stretch in the middle by true steps and by leaps; `None` if it cannot."""
    reached = int(np.searchsorted(course.marks, int(np.min(lanes.slot))))
    if lanes.velocity is not None or reached == 0:
        return None
    place = reached // 2
    first = int(course.targets[course.marks[place]])
    steps = min(STRETCH, _first_effort(run), run.settings["iterations"] - first)
    begun = course.start._replace(
        weights=lanes.kept[:, place],
        active=jnp.ones(run.lanes, bool),
        iteration=jnp.full(run.lanes, first),
        slot=jnp.full(run.lanes, course.marks[place] + 1),
    )
    rules = course.rules._replace(
        accuracy=jnp.full(run.lanes, -jnp.inf),
        tolerance=jnp.full(run.lanes, max(FIRST * run.settings["tolerance"], FINEST)),
    )
    ends = []
    for walk in (steps + 1, 1):
        parts = _dealt(begun._replace(walk=jnp.full(run.lanes, walk)), run.lanes)
        own = _dealt(rules, run.lanes)
        after = _advanced(run, course, own, parts, first + steps, 2**40)
        ends.append(_joined(after, run.lanes))
    walked, leapt = ends
    if not np.any(np.asarray(leapt.leaps)):
        return None
    gap = float(jnp.max(jnp.abs(walked.weights - leapt.weights)))
    return {"iteration": first, "steps": steps, "difference": gap}


def _compared(
    run: Run, course: _Course, rough: Lane, fine: Lane
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return how far two attempts differ, and whether they agree as was asked."""
    slots = np.minimum(np.asarray(rough.slot), np.asarray(fine.slot))
    reached = course.marks[None, :] < slots[:, None]
    gaps = np.max(np.abs(np.asarray(fine.kept) - np.asarray(rough.kept)), axis=2)
    ends = np.max(np.abs(np.asarray(fine.weights) - np.asarray(rough.weights)), axis=1)
    gap = np.maximum(np.max(gaps, axis=1, where=reached, initial=0.0), ends)
    scale = np.max(np.abs(np.asarray(fine.weights)), axis=1)
    close = gap <= run.settings["tolerance"] * scale
    same = np.asarray(fine.status) == np.asarray(rough.status)
    reaching = np.asarray(fine.status) == CONVERGED
    same &= (np.asarray(fine.iteration) == np.asarray(rough.iteration)) | ~reaching
    # Neither loss at the crossing may be as close to the accuracy as the attempts
    # are to each other.
    clear = np.abs(np.asarray(fine.excess) - np.asarray(rough.excess)) < (
        _least(run) - np.asarray(fine.excess)
    )
    clear &= np.abs(np.asarray(fine.previous) - np.asarray(rough.previous)) < (
        np.asarray(fine.previous) - _least(run)
    )
    at_start = np.asarray(fine.iteration) == 0
    return gap, close, same & (clear | ~reaching | at_start)


def _gather(
    run: Run,
    course: _Course,
    lanes: Lane,
    trust: _Trust,
    stretch: dict[str, Any] | None = None,
) -> Path:
    """Bring the lanes together in a path."""
    ends = _ends(run, course, lanes)
    outcomes = tuple(
        outcome_of(
            run.problem,
            ends,
            index,
            step_size=float(run.step_sizes[index]),
            accuracy=run.settings["accuracy"],
            gradient_tolerance=run.settings["gradient_tolerance"],
            interrupted=int(ends.iteration[index]) < run.settings["iterations"],
            start=None if run.batched else one_of(run.starts, 0),
        )
        for index in range(run.lanes)
    )
    counts = {
        "leaps": lanes.leaps,
        "failed": lanes.failed,
        "true_steps": lanes.walked,
        "gradients": lanes.gradients,
        "tolerance": trust.tolerance,
        "agreed": trust.close,
        "counted": trust.counted,
    }
    told = {name: np.asarray(values).tolist() for name, values in counts.items()}
    first = {name: values[0] for name, values in told.items()}
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
        clock=ends.clock,
        columns=ends.columns
        if run.batched
        else {n: c[0] for n, c in ends.columns.items()},
        outcome=bundle(outcomes, run.batched),
        batched=run.batched,
        error=trust.error if run.batched else float(trust.error[0]),
        notes={
            "leaps": {**(told if run.batched else first), "stretch": stretch},
            **run.scene.notes,
        },
    )


def _ends(run: Run, course: _Course, lanes: Lane) -> Ends:
    """Return every lane's end and records; one that ended holds its last state."""
    problem = run.scene.problem
    weights = _unpacked(problem, course.like, lanes.weights + lanes.lost)
    velocity = (
        None
        if lanes.velocity is None
        else _unpacked(problem, course.like, lanes.velocity)
    )
    status, ended = np.asarray(lanes.status), np.asarray(lanes.iteration)
    kept = ended - (status == DIVERGED)
    last = int(kept.max())
    count = int(np.searchsorted(course.targets, last, side="right"))
    clock = course.targets[:count]
    if not count or clock[-1] < last:
        clock = np.append(clock, last)
    row = read_lanes(problem, run.measures, weights)
    slots = np.asarray(lanes.slot)
    recorded = np.arange(clock.size)[None, :] < slots[:, None]
    columns = {}
    for name, values in row.items():
        column = np.asarray(lanes.columns[name])[:, : clock.size]
        lacking = clock.size - column.shape[1]
        column = np.pad(column, [(0, 0), (0, lacking)] + [(0, 0)] * (column.ndim - 2))
        chosen = recorded.reshape(recorded.shape + (1,) * (column.ndim - 2))
        columns[name] = np.where(chosen, column, np.asarray(values)[:, None])
    excess = np.asarray(lanes.excess)
    return Ends(
        weights=weights,
        velocity=velocity,
        status=status,
        iteration=ended,
        excess=np.where(np.isnan(excess), np.inf, excess),
        previous=np.asarray(lanes.previous),
        clock=clock,
        columns=columns,
        idle=np.zeros(run.lanes, bool),
    )


@jax.jit
def _unpacked(problem: Any, like: Any, flat: Array) -> Any:
    """Return packed vectors as weights."""
    restore = ravel_pytree(like)[1]
    return jax.vmap(lambda one: problem.unpack(restore(one)))(flat)


def _snapshot(
    run: Run, course: _Course, lanes: Lane, which: np.ndarray, tolerance: float
) -> Path:
    """Return the path so far, its error not known yet."""
    whole = _merged(course.start, lanes, which)
    unknown = np.full(run.lanes, np.nan)
    used = np.full(run.lanes, tolerance)
    trust = _Trust(unknown, unknown == 0, unknown == 0, used)
    return _gather(run, course, whole, trust)


def _progress(lanes: Lane, total: int, snapshot: Callable[[], Path]) -> Progress:
    running = np.asarray(lanes.active)
    iterations = np.asarray(lanes.iteration)
    return Progress(
        done=int(iterations[running].min(initial=total)),
        total=total,
        running=int(running.sum()),
        excess_loss=float(np.nanmin(np.asarray(lanes.excess))),
        snapshot=snapshot,
    )


def _least(run: Run) -> float:
    """Return the excess loss at which to stop; below everything for never."""
    asked = run.settings["accuracy"]
    return -np.inf if asked is None else float(asked)


def _going(lanes: Lane, total: int) -> bool:
    return bool(
        np.any(np.asarray(lanes.active) & (np.asarray(lanes.iteration) < total))
    )


def _first_effort(run: Run) -> int:
    """Return how many gradients to spend per lane before looking at the clock."""
    samples = getattr(run.scene.problem, "samples", None) or 1
    each = run.lanes * (6 * run.scene.problem.net.parameters * samples + 2000)
    return max(1000, int(2e8 / each))


def _picked(tree: Any, which: np.ndarray) -> Any:
    return jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf)[which]), tree)


def _merged(whole: Any, part: Any, which: np.ndarray) -> Any:
    """Return lanes with some of them replaced."""

    def put(old: Array, new: Array) -> Array:
        changed = np.array(old)
        changed[which] = new
        return jnp.asarray(changed)

    return jax.tree.map(put, whole, part)


def _dealt(tree: Any, count: int) -> list[Any]:
    """Split lanes into equal parts, one a thread; the last lane fills the rest."""
    on_cpu = jax.default_backend() == "cpu"
    parts = min(count, cores()) if on_cpu else 1
    size = -(-count // parts)
    index = np.minimum(np.arange(parts * size), count - 1).reshape(parts, size)
    return [_picked(tree, own) for own in index]


def _joined(parts: list[Any], count: int) -> Any:
    return jax.tree.map(
        lambda *leaves: jnp.concatenate([jnp.asarray(leaf) for leaf in leaves])[:count],
        *parts,
    )


def _check_finite(excess: np.ndarray) -> None:
    beyond = np.flatnonzero(~np.isfinite(excess))
    if beyond.size:
        which = "the start" if excess.size == 1 else f"start {beyond[0]}"
        raise DomainError(
            f"{which} has a loss beyond the range of float64; scale it down."
        )
