"""Any number of runs on a few lanes: where one run ends, the next begins.

A crew is a block of lanes at work in a thread; crews take runs from a common group.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import Any

import jax
import numpy as np

from thalweg._core.errors import DomainError
from thalweg.motion._lanes import CONVERGED, DIVERGED, OUT_OF_BUDGET
from thalweg.motion._orders import Orders
from thalweg.motion._stretch import Lanes, advance, first_look
from thalweg.problem.nets import LinearNet

FEWEST_LANES, MOST_LANES = 4, 256
"""Fewer lanes leave the machine idle between products; more keep too many waiting for
the last run, and are hardly quicker."""

ACCELERATED_LANES = 4096
"""Lanes on an accelerator."""

SLICE_SECONDS = 0.1
"""How long a compiled call should take before a stop is looked for."""

FIRST_STEPS, MOST_STEPS = 256, 2**22

PATIENCE = (4, 512)
"""Fewest and most steps a block's lanes may miss before the next runs are let in."""


def lanes_of(net: LinearNet) -> int:
    """Return how many lanes a block has: a function of the net alone."""
    if jax.default_backend() != "cpu":
        return ACCELERATED_LANES
    # Measured from 2-2-2 to 64-64-64: within a fifth of the quickest width.
    fitting = round(10 - 0.65 * math.log2(net.parameters))
    return max(FEWEST_LANES, min(MOST_LANES, 1 << max(0, fitting)))


@dataclass
class Group:
    """Runs that share one compiled program, and what became of them.

    Attributes:
        problem: One for all, or stacked.
        stacked: Whether every run has data of its own.
        runs: Their numbers in the whole.
        orders: What they are asked for.
        weights: Their starts, stacked; where a run has ended, its end.
        excess: Excess losses, at first of the starts.
        limit: Excess losses at which they have diverged.
        status: How they ended, codes of `CODES`.
        iteration: Iterations taken.
        waiting: The runs that no lane has taken, the next one last.
        ended: How many have ended.
    """

    problem: Any
    stacked: bool
    runs: np.ndarray
    orders: Orders
    weights: Any
    excess: np.ndarray
    limit: np.ndarray
    status: np.ndarray = field(init=False)
    iteration: np.ndarray = field(init=False)
    waiting: list[int] = field(init=False)
    ended: int = field(init=False)
    lock: Lock = field(init=False, default_factory=Lock)
    compiling: Lock = field(init=False, default_factory=Lock)

    def __post_init__(self) -> None:
        """End the runs whose start is good enough."""
        arrived = self.excess <= self.orders.accuracy
        self.status = np.where(arrived, CONVERGED, OUT_OF_BUDGET)
        self.iteration = np.zeros(self.excess.size, dtype=np.int64)
        # The last to begin should not be the longest: those of small steps are long.
        order = np.argsort(-self.orders.step_size, kind="stable")
        self.waiting = order[~arrived[order]].tolist()
        self.ended = int(arrived.sum())

    @classmethod
    def of(
        cls, problem: Any, stacked: bool, runs: np.ndarray, orders: Orders, weights: Any
    ) -> "Group":
        """Return a group whose starts have been evaluated.

        Args:
            problem: One for all runs, or stacked.
            stacked: Whether every run has data of its own.
            runs: The runs' numbers in the whole.
            orders: What they are asked for.
            weights: Their starts, stacked.

        Returns:
            The group.

        Raises:
            DomainError: If a start's loss is beyond float64.
        """
        excess, limit = _evaluated(problem, stacked, weights)
        beyond = np.flatnonzero(~np.isfinite(excess))
        if beyond.size:
            raise DomainError(
                f"start {runs[beyond[0]]} has a loss beyond the range of float64; "
                "scale it down."
            )
        own = jax.tree.map(np.array, weights)
        return cls(problem, stacked, runs, orders, own, excess, limit)

    def take(self, count: int) -> np.ndarray:
        """Return up to so many waiting runs, which wait no longer."""
        with self.lock:
            taken = [self.waiting.pop() for _ in range(min(count, len(self.waiting)))]
        return np.asarray(taken, dtype=np.int64)


@dataclass
class Crew:
    """A block of lanes at work on a group.

    `run` is the run on every lane, -1 where there is none; `blown` the iteration at
    which it diverged, 0 while it has not: such a run goes once more to its last iterate
    before that.
    """

    group: Group
    run: np.ndarray
    blown: np.ndarray
    blown_excess: np.ndarray
    lanes: Lanes
    problem: Any
    patience: int
    steps: int = FIRST_STEPS
    per_step: float = 0.0
    per_change: float = 2e-4

    @classmethod
    def of(cls, group: Group) -> "Crew":
        """Return a block on which the first waiting runs have begun."""
        width = lanes_of(group.problem.net)

        def empty(leaf: Any, fill: Any = 0) -> np.ndarray:
            return np.full((width, *leaf.shape[1:]), fill, dtype=leaf.dtype)

        weights = jax.tree.map(empty, group.weights)
        moving = bool(group.orders.momentum.max(initial=0.0) > 0)
        numbers, counts = empty(group.excess), empty(group.iteration)
        lanes = Lanes(
            weights=weights,
            velocity=jax.tree.map(empty, group.weights) if moving else None,
            excess=numbers,
            limit=empty(group.excess, np.inf),
            accuracy=empty(group.excess, -np.inf),
            step_size=numbers.copy(),
            momentum=numbers.copy(),
            tolerance=numbers.copy(),
            iteration=counts,
            pause=counts.copy(),
            budget=counts.copy(),
            status=counts.copy(),
            active=np.zeros(width, dtype=bool),
        )
        problem = group.problem
        if group.stacked:
            problem = jax.tree.map(
                lambda leaf: np.repeat(leaf[:1], width, axis=0), problem
            )
        crew = cls(
            group=group,
            run=np.full(width, -1),
            blown=counts.copy(),
            blown_excess=numbers.copy(),
            lanes=lanes,
            problem=problem,
            patience=PATIENCE[0] * width,
        )
        crew._fill()
        return crew

    @property
    def busy(self) -> bool:
        """Return whether a run is going on."""
        return bool(np.any(self.run >= 0))

    def work(self, stop: Event) -> None:
        """Follow runs until none is left, or it is stopped."""
        with self.group.compiling:
            self._advance(0)
        while self.busy and not stop.is_set():
            self._stretch()

    def _advance(self, steps: int) -> tuple[Lanes, int]:
        patience = self.patience if self.group.waiting else np.iinfo(np.int64).max
        return advance(
            self.problem, self.lanes, steps, patience, stacked=self.group.stacked
        )

    def _stretch(self) -> None:
        """Take steps, note who has ended, and let the next begin."""
        begun = time.perf_counter()
        before = self.lanes
        self.lanes, done = self._advance(self.steps)
        active = np.asarray(self.lanes.active)
        walked = time.perf_counter()
        ended = np.flatnonzero(~active & (self.run >= 0))
        if ended.size:
            self.lanes = jax.tree.map(np.array, self.lanes)
            self._harvest(ended, before)
            self._fill()
            self.per_change = time.perf_counter() - walked
        # The pace decides how long a call is, never what it computes.
        self.per_step = (walked - begun) / max(done, 1)
        self.steps = int(
            np.clip(SLICE_SECONDS / self.per_step, FIRST_STEPS, MOST_STEPS)
        )
        missed = np.clip(self.per_change / self.per_step, *PATIENCE)
        self.patience = int(self.run.size * missed)

    def _harvest(self, ended: np.ndarray, before: Lanes) -> None:
        """Take down the runs that have ended, or walk them up once more."""
        lanes = self.lanes
        fresh = (lanes.status[ended] == DIVERGED) & (self.blown[ended] == 0)
        again = ended[fresh]
        if again.size:
            self.blown[again] = lanes.iteration[again]
            self.blown_excess[again] = lanes.excess[again]
            self._rewind(again, jax.tree.map(np.asarray, before))
        self._note(ended[~fresh | ~lanes.active[ended]])

    def _rewind(self, again: np.ndarray, old: Lanes) -> None:
        """Put runs back to where the stretch began, to go on to their last iterate."""
        lanes, last = self.lanes, self.blown[again] - 1
        _put((lanes.weights, lanes.velocity), again, (old.weights, old.velocity))
        lanes.iteration[again] = old.iteration[again]
        lanes.pause[again] = np.minimum(old.pause[again], last)
        # A step is judged at the beginning of the next, maybe of the next stretch.
        late = again[old.iteration[again] > last]
        _put(lanes.weights, late, self.group.weights, self.run[late])
        for leaf in jax.tree.leaves(lanes.velocity):
            leaf[late] = 0.0
        lanes.iteration[late] = lanes.pause[late] = 0
        lanes.budget[again] = last
        lanes.accuracy[again], lanes.limit[again] = -np.inf, np.inf
        lanes.active[again] = lanes.iteration[again] < last

    def _note(self, over: np.ndarray) -> None:
        group, lanes, runs = self.group, self.lanes, self.run[over]
        blown = self.blown[over] > 0
        group.status[runs] = np.where(blown, DIVERGED, lanes.status[over])
        group.iteration[runs] = np.where(blown, self.blown[over], lanes.iteration[over])
        excess = np.where(blown, self.blown_excess[over], lanes.excess[over])
        group.excess[runs] = np.where(np.isnan(excess), np.inf, excess)
        for kept, leaf in zip(
            jax.tree.leaves(group.weights), jax.tree.leaves(lanes.weights), strict=True
        ):
            kept[runs] = leaf[over]
        self.run[over] = -1
        with group.lock:
            group.ended += over.size

    def _fill(self) -> None:
        """Put waiting runs on free lanes."""
        free = np.flatnonzero(self.run < 0)
        runs = self.group.take(free.size)
        free, group, lanes = free[: runs.size], self.group, self.lanes
        if not runs.size:
            return
        self.run[free], self.blown[free] = runs, 0
        _put(lanes.weights, free, group.weights, runs)
        for leaf in jax.tree.leaves(lanes.velocity):
            leaf[free] = 0.0
        if group.stacked:
            _put(self.problem, free, group.problem, runs)
        orders = group.orders.of(runs)
        lanes.excess[free], lanes.limit[free] = group.excess[runs], group.limit[runs]
        lanes.accuracy[free], lanes.step_size[free] = orders.accuracy, orders.step_size
        lanes.momentum[free], lanes.tolerance[free] = orders.momentum, orders.tolerance
        lanes.budget[free], lanes.status[free] = orders.iterations, OUT_OF_BUDGET
        lanes.iteration[free] = lanes.pause[free] = 0
        lanes.active[free] = True


def work_off(groups: Sequence[Group], stop: Event) -> None:
    """Join the groups one after another while runs are waiting there."""
    for group in groups:
        while group.waiting and not stop.is_set():
            crew = Crew.of(group)
            if crew.busy:
                crew.work(stop)


def _put(
    tree: Any, places: np.ndarray, source: Any, rows: np.ndarray | None = None
) -> None:
    """Copy rows of a stacked tree to places of another."""
    rows = places if rows is None else rows
    for leaf, new in zip(jax.tree.leaves(tree), jax.tree.leaves(source), strict=True):
        leaf[places] = new[rows]


def _evaluated(
    problem: Any, stacked: bool, weights: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Return all starts' excess losses and limits, so many at a time."""
    runs, block = len(jax.tree.leaves(weights)[0]), 4 * lanes_of(problem.net)
    parts = []
    for first in range(0, runs, block):
        places = np.minimum(np.arange(first, first + block), runs - 1)
        own = problem
        if stacked:
            own = jax.tree.map(lambda leaf: leaf[places], problem)  # noqa: B023
        part = jax.tree.map(lambda leaf: leaf[places], weights)  # noqa: B023
        seen = first_look(own, part, stacked=stacked)
        parts.append([np.asarray(column)[: runs - first] for column in seen])
    excess, limit = (np.concatenate(part) for part in zip(*parts, strict=True))
    return excess, limit
