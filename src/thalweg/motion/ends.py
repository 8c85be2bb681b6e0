"""Thousands of descents to their ends, at the cost of their sum.

Nothing is recorded on the way. Runs share lanes of a compiled program; where one ends
the next begins, on every core.
"""

import time
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from threading import Event
from typing import Any

import jax
import numpy as np

from thalweg._core.errors import ShapeError, whole
from thalweg._core.outcome import CODES, Status
from thalweg.motion._blocks import cores
from thalweg.motion._crew import Group, lanes_of, work_off
from thalweg.motion._narrow import Narrowed, narrowed
from thalweg.motion._orders import Orders
from thalweg.motion._posed import Posed, posed
from thalweg.motion.starts import stacked

TOLD_EVERY = 0.25
"""Seconds between two calls of a progress callback."""

PROGRAMS_BYTES = 2**27
"""What compiled programs take."""


@dataclass(frozen=True)
class Ends:
    """How many descents ended: an entry, or a row, per run.

    Attributes:
        status: Codes of `CODES`, `"run"`.
        iterations: Steps taken, `"run"`; of a diverged run until its loss blew up.
        excess_loss: Loss above its infimum at the end, `"run"`; `inf` beyond float64.
        loss: The loss itself, `"run"`.
        weights: Where they ended, stacked, as the problem keeps weights; of a diverged
            run the last iterate before its loss blew up.
    """

    status: np.ndarray
    iterations: np.ndarray
    excess_loss: np.ndarray
    loss: np.ndarray
    weights: Any

    @property
    def statuses(self) -> tuple[Status, ...]:
        """Return every run's status."""
        return tuple(CODES[code] for code in self.status)

    def __len__(self) -> int:
        """Return the number of runs."""
        return self.status.size

    def to_json(self) -> dict[str, Any]:
        """Return all but the weights as plain values."""
        return {
            "status": [str(status) for status in self.statuses],
            "iterations": self.iterations.tolist(),
            "excess_loss": self.excess_loss.tolist(),
            "loss": self.loss.tolist(),
        }


@dataclass(frozen=True)
class Ended:
    """What a progress callback is told.

    Attributes:
        done: Runs that have ended.
        total: Runs in all.
        seconds: Time since the start.
    """

    done: int
    total: int
    seconds: float


def descend_to_ends(
    problem: Any,
    weights: Any,
    *,
    step_size: Any,
    iterations: Any,
    accuracy: Any = None,
    momentum: Any = 0.0,
    gradient_tolerance: float = 0.0,
    compress: bool = True,
    threads: int | None = None,
    on_progress: Callable[[Ended], None] | None = None,
    stop: Event | None = None,
) -> Ends | None:
    r"""Run many plain gradient descents of which only the ends matter.

    $W \leftarrow W - \eta \nabla L(W)$, or with momentum, as in `descend`; with the
    same four endings. Rest is looked for at the start and every 1024 iterations, and
    with a `gradient_tolerance` when the iterations are spent.

    A run that ends makes room for the next, so a batch costs the sum of its runs. How
    a run ends is the same to the last bit whatever runs beside it: another order,
    number or mixture of runs, other threads. (One problem for all runs and a sequence
    of that problem are two programs, which may differ in rounding.)

    Args:
        problem: A `Problem`, `SampleProblem` or `Playground` for all runs, or a
            sequence with one per run: of one net, one loss and data of equal sizes.
        weights: The starts, stacked along a leading axis of runs.
        step_size: A number `> 0`, or one per run.
        iterations: Most steps to take, at least 0, or one number per run.
        accuracy: Excess loss at which to stop, `>= 0`, or one per run; `None` never
            stops for it.
        momentum: Heavy-ball coefficient, from 0 to below 1, or one per run.
        gradient_tolerance: Gradient norm that counts as rest, `>= 0`.
        compress: Move the smallest net with the same trajectory, of every run by
            itself.
        threads: How many crews work side by side; one a core unless given.
        on_progress: Called about four times a second with an `Ended`.
        stop: Set it from anywhere to give up.

    Returns:
        The ends; `None` if it was stopped.

    Raises:
        ShapeError: If starts, problems and numbers do not fit together.
        DomainError: If a number is out of its domain, or a start's loss beyond float64.
        KeyboardInterrupt: On Ctrl-C, once all crews have stopped.

    Example:
        >>> from thalweg.problem.scalar import Playground
        >>> starts = np.array([[0.5, 0.5], [3.0, 2.0]])
        >>> ends = descend_to_ends(Playground(2), starts, step_size=[1 / 6, 1.0],
        ...                        iterations=1000, accuracy=1e-6)
        >>> ends.iterations.tolist(), [str(status) for status in ends.statuses]
        ([21, 3], ['converged', 'diverged'])

    Source:
        EPFL CS-439, Lecture 6; Arora, Cohen, Golowich, Hu, Section 2.
    """
    laid = posed(problem)
    starts = _starts(laid.first, weights)
    runs = len(jax.tree.leaves(starts)[0])
    if laid.stacked and len(laid.floors) != runs:
        raise ShapeError(
            f"{len(laid.floors)} problems came with {runs} starts; pass one problem, "
            "or one per run."
        )
    orders = Orders.checked(
        runs, step_size, iterations, accuracy, momentum, gradient_tolerance
    )
    crews = cores() if threads is None else whole("threads", threads, least=1)
    parts = _parts(laid, starts, orders, compress)
    groups = [group for _, group in parts]
    if not _worked_off(groups, crews, on_progress, stop or Event()):
        return None
    return _gathered(parts, starts, laid.floors)


def memory_of(problem: Any, runs: int) -> int:
    """Return how many bytes `descend_to_ends` needs, starts and ends included.

    Args:
        problem: What the runs minimise.
        runs: How many there are, at least 1.

    Returns:
        An estimate, good to a factor of two; the compiled programs are part of it.

    Raises:
        DomainError: If `runs` is not a whole number of at least one.

    Example:
        >>> from thalweg.problem.scalar import Playground
        >>> memory_of(Playground(2), 2_000_000) < 2**30
        True
    """
    runs = whole("runs", runs, least=1)
    net = problem.net
    # Starts as given, checked, moved and ended; and, if nets narrow, their bases.
    row = 8 * (5 * net.parameters + 32)
    block = 8 * lanes_of(net) * 12 * net.parameters
    return runs * row + cores() * block + PROGRAMS_BYTES


def _starts(problem: Any, weights: Any) -> Any:
    """Return checked starts, stacked."""
    starts, several = stacked(problem, weights)
    if not several:
        raise ShapeError(
            "the weights are a single start; stack the starts along a leading axis of "
            "runs, or use descend."
        )
    return jax.tree.map(np.asarray, starts)


def _parts(
    laid: Posed, starts: Any, orders: Orders, compress: bool
) -> list[tuple[Narrowed, Group]]:
    """Return the runs by the programs that move them."""
    parts = []
    for some in narrowed(laid.problem, laid.stacked, starts, allowed=compress):
        heavy = orders.momentum[some.runs] > 0
        for chosen in (np.flatnonzero(~heavy), np.flatnonzero(heavy)):
            if chosen.size:
                part = some.of(chosen)
                own = orders.of(part.runs)
                group = Group.of(
                    part.problem, part.stacked, part.runs, own, part.starts
                )
                parts.append((part, group))
    return parts


def _worked_off(
    groups: list[Group],
    crews: int,
    on_progress: Callable[[Ended], None] | None,
    stop: Event,
) -> bool:
    """Let crews follow all runs; return whether they came to all ends."""
    begun, total = time.perf_counter(), sum(group.runs.size for group in groups)
    halt = Event()
    with ThreadPoolExecutor(crews) as pool:
        working = {pool.submit(work_off, groups, halt) for _ in range(crews)}
        try:
            while working:
                over, working = wait(working, TOLD_EVERY, FIRST_EXCEPTION)
                for crew in over:
                    crew.result()
                if on_progress is not None:
                    done = sum(group.ended for group in groups)
                    spent = time.perf_counter() - begun
                    on_progress(Ended(done, total, spent))
                if stop.is_set():
                    halt.set()
        finally:
            halt.set()
    return sum(group.ended for group in groups) == total


def _gathered(
    parts: list[tuple[Narrowed, Group]], starts: Any, floors: np.ndarray
) -> Ends:
    """Bring the runs of all groups together in their order."""
    runs = sum(group.runs.size for _, group in parts)
    status, iterations = np.zeros(runs, dtype=np.int64), np.zeros(runs, dtype=np.int64)
    excess = np.zeros(runs)
    alone = len(parts) == 1 and parts[0][0].whole
    weights = None if alone else jax.tree.map(np.empty_like, starts)
    for part, group in parts:
        status[group.runs], iterations[group.runs] = group.status, group.iteration
        excess[group.runs] = group.excess
        full = part.lift(group.weights, starts)
        weights = full if alone else weights
        for kept, leaf in zip(
            jax.tree.leaves(weights), jax.tree.leaves(full), strict=True
        ):
            kept[group.runs] = leaf
    return Ends(status, iterations, excess, excess + floors, weights)
