"""Any number of runs on a few lanes: where one run ends, the next begins.

A chunk of runs is followed on one block of lanes by one thread, in an order that
depends on the runs alone; so every number is the same whatever else goes on.
"""

from dataclasses import dataclass, field
from threading import Event
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from thalweg._core.errors import DomainError
from thalweg.landscape._following.drawing import Stack
from thalweg.landscape._following.lanes import (
    ROSE,
    RUNNING,
    SPENT,
    Lanes,
    Rules,
    advance,
    first_look,
)

BLOCK_BYTES = 2**18
"""What a block's weights, products and gradients may fill: half a core's cache."""

MOST_LANES, FEWEST_LANES = 512, 8
"""More lanes are no quicker, and the last runs of a chunk keep them all waiting."""

SHORTEST, LONGEST = 16, 4096
"""Steps between two looks at a block."""

BLOW_UP = 1e16
"""A run has diverged when its excess loss exceeds its scale by this factor."""

MOST_HALVINGS = 60

LOOKED_AT = 4096
"""Starts measured in one call."""


class Pace(NamedTuple):
    """How step sizes are chosen.

    Attributes:
        step_size: That of every run; `None` for one from the sharpness.
        share: Otherwise the step times the bound on the sharpness.
        floor: The least such bound: the sharpness at a balanced minimum.
    """

    step_size: float | None
    share: float
    floor: float


@dataclass
class Ends:
    """How the runs of a chunk ended; a row, or an entry, per run.

    Attributes:
        state: How the lane stood.
        iterations: Steps taken.
        near: Those taken near a saddle.
        excess: Excess loss at the end.
        step_size: The step size.
        halvings: How often the step was halved because the loss rose.
        weights: The weights at the end, runs last.
    """

    state: np.ndarray
    iterations: np.ndarray
    near: np.ndarray
    excess: np.ndarray
    step_size: np.ndarray
    halvings: np.ndarray
    weights: Stack


def lanes_of(parameters: int) -> int:
    """Return how many lanes a block has, for a net of so many weights."""
    fitting = max(1, BLOCK_BYTES // (24 * parameters))
    return max(FEWEST_LANES, min(MOST_LANES, 1 << (fitting.bit_length() - 1)))


def pursue(
    rules: Rules, starts: Stack, pace: Pace, stop: Event, *, first: int = 0
) -> Ends | None:
    """Follow runs until each has ended.

    Args:
        rules: What ends a run.
        starts: The starts, runs last.
        pace: How step sizes are chosen.
        stop: Set from outside to give up.
        first: Number of the first run, for messages.

    Returns:
        The ends; `None` if it was stopped.
    """
    crew = _Crew.of(rules, starts, pace, first)
    while crew.busy:
        if stop.is_set():
            return None
        crew.advance()
    return crew.ends


@dataclass
class _Crew:
    """A block of lanes at work on a chunk.

    `run` is the run on every lane, -1 where none is left; `waiting` the next run that
    no lane has taken.
    """

    rules: Rules
    starts: Stack
    limits: np.ndarray
    ends: Ends
    run: np.ndarray
    lanes: Lanes
    waiting: int = 0
    steps: int = SHORTEST
    total: int = field(init=False)

    def __post_init__(self) -> None:
        self.total = self.starts[0].shape[-1]
        self._fill(np.arange(self.run.size))

    @classmethod
    def of(cls, rules: Rules, starts: Stack, pace: Pace, first: int) -> "_Crew":
        """Return a block on which the first runs have begun."""
        excess, sharpness = _looked_at(rules, starts)
        beyond = np.flatnonzero(~np.isfinite(excess))
        if beyond.size:
            raise DomainError(
                f"run {first + beyond[0]} starts with a loss beyond the range of "
                "float64; scale the starts down."
            )
        runs = excess.size
        steps = np.full(runs, pace.step_size or 0.0)
        if pace.step_size is None:
            bound = np.maximum(sharpness, pace.floor)
            steps = pace.share / np.where(bound > 0, bound, 1.0)
        scale = np.maximum(excess + float(rules.infimum), float(rules.energy))
        count = sum(layer[..., 0].size for layer in starts)
        width = lanes_of(count)
        ends = Ends(
            state=np.full(runs, RUNNING, dtype=np.int8),
            iterations=np.zeros(runs, dtype=np.int64),
            near=np.zeros(runs, dtype=np.int64),
            excess=excess,
            step_size=steps,
            halvings=np.zeros(runs, dtype=np.int8),
            weights=tuple(np.zeros_like(layer) for layer in starts),
        )
        lanes = Lanes(
            weights=tuple(np.zeros((*w.shape[:2], width)) for w in starts),
            step_size=np.zeros(width),
            excess=np.zeros(width),
            limit=np.zeros(width),
            iterations=np.zeros(width, dtype=np.int64),
            near=np.zeros(width, dtype=np.int64),
            state=np.full(width, SPENT, dtype=np.int32),
        )
        limits = BLOW_UP * np.where(scale > 0, scale, 1.0)
        run = np.full(width, -1)
        return cls(rules, starts, limits, ends, run, lanes)

    @property
    def busy(self) -> bool:
        """Return whether a run is going on or waiting."""
        return bool(np.any(self.run >= 0))

    def advance(self) -> None:
        """Take a stretch of steps, note who has ended, and let the next begin."""
        self.lanes = advance(self.rules, self.lanes, jnp.asarray(self.steps))
        state = np.asarray(self.lanes.state)
        ended = np.flatnonzero((state != RUNNING) & (self.run >= 0))
        going = int(np.count_nonzero(self.run >= 0))
        if ended.size > going // 4:
            self.steps = max(SHORTEST, self.steps // 2)
        elif ended.size < going // 10 + 1:
            self.steps = min(LONGEST, self.steps * 2)
        if not ended.size:
            return
        self.lanes = jax.tree.map(np.array, self.lanes)
        self._harvest(ended)
        self._fill(np.flatnonzero(self.run < 0))

    def _harvest(self, ended: np.ndarray) -> None:
        """Take down the runs that have ended, or begin them again at half the step."""
        rose = self.lanes.state[ended] == ROSE
        often = self.ends.halvings[self.run[ended]] >= MOST_HALVINGS
        again, over = ended[rose & ~often], ended[~rose | often]
        runs, ends, lanes = self.run[over], self.ends, self.lanes
        ends.state[runs] = np.where(lanes.state[over] == ROSE, SPENT, lanes.state[over])
        for name in ("iterations", "near", "excess"):
            getattr(ends, name)[runs] = getattr(lanes, name)[over]
        for kept, layer in zip(ends.weights, lanes.weights, strict=True):
            kept[..., runs] = layer[..., over]
        self.run[over] = -1
        lanes.state[over] = SPENT
        ends.step_size[self.run[again]] /= 2
        ends.halvings[self.run[again]] += 1
        self._place(again, self.run[again])

    def _fill(self, free: np.ndarray) -> None:
        """Put waiting runs on free lanes."""
        count = min(free.size, self.total - self.waiting)
        runs = np.arange(self.waiting, self.waiting + count)
        self.waiting += count
        self.run[free[:count]] = runs
        self._place(free[:count], runs)

    def _place(self, places: np.ndarray, runs: np.ndarray) -> None:
        """Let runs begin on lanes."""
        lanes = self.lanes
        for layer, start in zip(lanes.weights, self.starts, strict=True):
            layer[..., places] = start[..., runs]
        lanes.step_size[places] = self.ends.step_size[runs]
        lanes.limit[places] = self.limits[runs]
        lanes.excess[places] = np.inf
        lanes.iterations[places] = 0
        lanes.near[places] = 0
        lanes.state[places] = RUNNING


def _looked_at(rules: Rules, starts: Stack) -> tuple[np.ndarray, np.ndarray]:
    """Return excess losses and bounds on the sharpness of all starts."""
    runs = starts[0].shape[-1]
    block = min(LOOKED_AT, lanes_of(sum(w[..., 0].size for w in starts)))
    parts = []
    for first in range(0, runs, block):
        places = np.minimum(np.arange(first, first + block), runs - 1)
        seen = first_look(rules, tuple(layer[..., places] for layer in starts))
        parts.append([np.asarray(column)[: runs - first] for column in seen])
    excess, sharpness = (np.concatenate(part) for part in zip(*parts, strict=True))
    return excess, sharpness
