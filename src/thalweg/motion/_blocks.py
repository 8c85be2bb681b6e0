"""Lanes laid out in blocks, the blocks dealt to threads.

Blocks are sized to the processor's cache and run one after another on every core,
each until all its lanes have ended, so that a batch costs about the sum of its runs.
On an accelerator there is one block.
"""

import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg._core.arrays import Array
from thalweg._core.errors import DomainError
from thalweg._core.outcome import CODES, Outcome
from thalweg.motion._lanes import (
    CONVERGED,
    DIVERGED,
    OUT_OF_BUDGET,
    STALLED,
    Rules,
    State,
    advance,
    advance_on_one_core,
    excess_and_limit,
    read_lanes,
    walk,
)
from thalweg.motion.record import Measures

BLOCK_BYTES = 2**20
"""Weights, gradients and products of a block stay within one core's cache."""

SMALL_WIDTH = 128
"""Layers up to this width are multiplied on one core each."""


@dataclass(frozen=True)
class Ends:
    """What is left when the blocks have run: one entry, or one row, per lane.

    `idle` are the lanes whose block had ended before it began.
    """

    weights: Any
    velocity: Any
    status: np.ndarray
    iteration: np.ndarray
    excess: np.ndarray
    previous: np.ndarray
    clock: np.ndarray
    columns: dict[str, np.ndarray]
    idle: np.ndarray


@dataclass(frozen=True)
class Blocks:
    """All lanes of a run, laid out in blocks, the blocks dealt to threads."""

    problem: Any
    measures: Measures
    rules: tuple[Rules, ...]
    states: tuple[State, ...]
    targets: np.ndarray
    padded_targets: Array
    skipped: int
    lanes: int

    @classmethod
    def start(
        cls,
        problem: Any,
        measures: Measures,
        weights: Any,
        velocity: Any,
        *,
        rules: Rules,
        targets: np.ndarray,
        iteration: int,
        ended: list[Outcome] | None,
        starts: Any = None,
    ) -> "Blocks":
        """Lay out the lanes and evaluate their starts.

        Args:
            problem: What is minimised.
            measures: What is recorded.
            weights: The lanes' weights, a leading axis of lanes on every leaf.
            velocity: The same for momentum, or `None`.
            rules: What decides steps and ends.
            targets: Iterations to record at, increasing.
            iteration: Where the lanes stand.
            ended: Outcomes of an earlier part, if any.
            starts: Where the lanes began, if not at `weights`: what counts as
                divergence is measured from there.

        Returns:
            The blocks, ready to advance.
        """
        lanes = rules.step_size.shape[0]
        threads, blocks, width = _layout(lanes, problem.net.parameters)
        index = np.arange(threads * blocks * width)
        real = index < lanes
        dealt = np.where(real, index, 0).reshape(threads, blocks, width)
        skipped = int(np.searchsorted(targets, iteration, side="left"))
        ahead = targets[skipped:]
        capacity = 1 << max(3, math.ceil(math.log2(len(ahead) + 1)))
        never = np.full(capacity - len(ahead), np.iinfo(np.int64).max)
        full = _first_state(
            problem, weights, velocity, rules=rules, iteration=iteration, ended=ended
        )
        if starts is not None:
            limit = np.asarray(excess_and_limit(problem, starts)[1])
            full = full._replace(limit=limit)
        row = _row_shapes(problem, measures, weights)
        states: list[State] = []
        own_rules: list[Rules] = []
        for own in dealt:
            state = jax.tree.map(lambda leaf: np.asarray(leaf)[own], full)  # noqa: B023
            columns = {
                name: np.zeros((blocks, capacity, width, *shape))
                for name, shape in row.items()
            }
            states.append(
                state._replace(
                    active=state.active & real.reshape(dealt.shape)[len(states)],
                    iteration=np.full(blocks, iteration),
                    slot=np.zeros(blocks, dtype=np.int64),
                    columns=columns,
                )
            )
            steps = np.asarray(rules.step_size)[own]
            own_rules.append(rules._replace(step_size=jnp.asarray(steps)))
        return cls(
            problem=problem,
            measures=measures,
            rules=tuple(own_rules),
            states=tuple(states),
            targets=targets,
            padded_targets=jnp.asarray(np.concatenate([ahead, never])),
            skipped=skipped,
            lanes=lanes,
        )

    def advance(self, budget: int) -> "Blocks":
        """Return the blocks moved on to iteration `budget`; these are used up."""

        def one(pair: tuple[Rules, State]) -> State:
            rules, states = pair
            after = self._compiled(
                self.problem,
                self.measures,
                rules,
                self.padded_targets,
                states,
                jnp.asarray(budget),
            )
            return jax.block_until_ready(after)  # type: ignore[no-untyped-call]

        pairs = list(zip(self.rules, self.states, strict=True))
        if len(pairs) == 1:
            return replace(self, states=(one(pairs[0]),))
        with ThreadPoolExecutor(len(pairs)) as pool:
            return replace(self, states=tuple(pool.map(one, pairs)))

    @property
    def _compiled(self) -> Callable[..., State]:
        """Return the program for blocks of this kind."""
        small = len(self.states) > 1 or max(self.problem.net.widths) <= SMALL_WIDTH
        on_cpu = jax.default_backend() == "cpu"
        return advance_on_one_core if on_cpu and small else advance

    @property
    def running(self) -> int:
        """Return the number of lanes that have not ended."""
        return sum(int(np.sum(state.active)) for state in self.states)

    @property
    def best(self) -> float:
        """Return the smallest excess loss among the lanes."""
        return min(float(np.nanmin(state.excess)) for state in self.states)

    def finish(self) -> Ends:
        """Return every lane's end and records, diverged lanes walked up.

        The clock ends at the last iteration any lane reached; a lane that ended
        earlier holds its last state from there on.
        """
        weights = self._gathered("weights")
        velocity = self._gathered("velocity")
        status = np.array(self._gathered("status"))
        ended = np.array(self._gathered("ended"))
        excess = np.array(self._gathered("excess"))
        excess = np.where(np.isnan(excess), np.inf, excess)
        diverged = np.flatnonzero(status == DIVERGED)
        kept = ended.copy()
        kept[diverged] -= 1
        clock, columns, unread = self._records(int(kept.max()))
        if diverged.size:
            weights, velocity = self._walked_up(diverged, weights, velocity)
        idle = np.array([unread.get(lane) == 0 for lane in range(self.lanes)])
        if diverged.size or unread:
            row = read_lanes(self.problem, self.measures, weights)
            for lane in map(int, diverged):
                blown_up = int(np.searchsorted(clock, kept[lane]))
                unread[lane] = min(blown_up, unread.get(lane, blown_up))
            for lane, since in unread.items():
                for name, values in row.items():
                    columns[name][lane, since:] = values[lane]
        return Ends(
            weights=jax.tree.map(jnp.asarray, weights),
            velocity=jax.tree.map(jnp.asarray, velocity),
            status=status,
            iteration=ended,
            excess=excess,
            previous=np.array(self._gathered("previous")),
            clock=clock,
            columns=columns,
            idle=idle,
        )

    def _records(
        self, last: int
    ) -> tuple[np.ndarray, dict[str, np.ndarray], dict[int, int]]:
        """Return the clock up to `last`, the columns, and what is still to be read.

        That is a record by lane, from which on it lacks: all of them where its block
        never recorded, the last where a budget ended between two records.
        """
        ahead = self.targets[self.skipped :]
        count = int(np.searchsorted(ahead, last, side="right"))
        extra = not count or ahead[count - 1] < last
        clock = np.append(ahead[:count], last) if extra else ahead[:count]
        parts: dict[str, list[np.ndarray]] = {name: [] for name, _ in self.measures}
        lacking: list[np.ndarray] = []
        for state in self.states:
            slots = np.asarray(state.slot)
            broken_off = np.any(np.asarray(state.active), axis=1) & extra
            since = np.where(broken_off, len(clock) - 1, len(clock))
            since = np.where(slots == 0, 0, since)
            lacking.append(np.repeat(since, state.active.shape[1]))
            for name, rows in parts.items():
                blocks = np.asarray(state.columns[name])
                rows += [
                    _held(block, int(slot), len(clock))
                    for block, slot in zip(blocks, slots, strict=True)
                ]
        columns = {
            name: np.concatenate(rows)[: self.lanes] for name, rows in parts.items()
        }
        since = np.concatenate(lacking)[: self.lanes]
        unread = {int(k): int(since[k]) for k in np.flatnonzero(since < len(clock))}
        return clock, columns, unread

    def _walked_up(
        self, diverged: np.ndarray, weights: Any, velocity: Any
    ) -> tuple[Any, Any]:
        """Walk diverged lanes to the last iterate before each blew up."""
        picked = {name: self._gathered(name)[diverged] for name in ("ended", "rewound")}
        rest = {
            name: self._gathered(name)[diverged]
            for name in ("excess", "previous", "status", "limit")
        }
        state = State(
            weights=jax.tree.map(lambda leaf: leaf[diverged], weights),
            velocity=jax.tree.map(lambda leaf: leaf[diverged], velocity),
            active=jnp.ones(diverged.size, dtype=bool),
            iteration=jnp.asarray(0),
            slot=jnp.asarray(0),
            columns={},
            **picked,
            **rest,
        )
        steps = jnp.concatenate([rules.step_size.reshape(-1) for rules in self.rules])
        rules = self.rules[0]._replace(step_size=steps[diverged])
        stretch = picked["ended"] - 1 - picked["rewound"]
        after = walk(self.problem, rules, state, stretch)

        def put(leaf: np.ndarray, new: Array) -> np.ndarray:
            changed = leaf.copy()
            changed[diverged] = new
            return changed

        return (
            jax.tree.map(put, weights, after.weights),
            jax.tree.map(put, velocity, after.velocity),
        )

    def _gathered(self, name: str) -> Any:
        """Return one field of all lanes, in their order."""
        parts = [getattr(state, name) for state in self.states]
        return jax.tree.map(
            lambda *leaves: np.concatenate(
                [np.asarray(leaf).reshape(-1, *leaf.shape[2:]) for leaf in leaves]
            )[: self.lanes],
            *parts,
        )


def _row_shapes(
    problem: Any, measures: Measures, weights: Any
) -> dict[str, tuple[int, ...]]:
    """Return the shape of every column's entry for one lane."""
    shapes = jax.eval_shape(read_lanes, problem, measures, weights)
    return {name: shape.shape[1:] for name, shape in shapes.items()}


def _first_state(
    problem: Any,
    weights: Any,
    velocity: Any,
    *,
    rules: Rules,
    iteration: int,
    ended: list[Outcome] | None,
) -> State:
    """Return the state of all lanes on one axis, before they are laid out."""
    lanes = rules.step_size.shape[0]
    excess, limit = (np.asarray(part) for part in excess_and_limit(problem, weights))
    beyond = np.flatnonzero(~np.isfinite(excess))
    if beyond.size:
        which = "the start" if lanes == 1 else f"start {beyond[0]}"
        raise DomainError(
            f"{which} has a loss beyond the range of float64; scale it down."
        )
    status = np.where(excess <= float(rules.accuracy), CONVERGED, OUT_OF_BUDGET)
    at = np.full(lanes, iteration)
    previous = excess
    if ended is not None:
        codes = [CODES.index(outcome.status) for outcome in ended]
        known = [c if c in (CONVERGED, STALLED, DIVERGED) else 0 for c in codes]
        status = np.asarray(known)
        at = np.asarray([outcome.iteration for outcome in ended])
        excess = np.asarray([outcome.excess_loss for outcome in ended])
    return State(
        weights=weights,
        velocity=velocity,
        excess=excess,
        previous=previous,
        active=status == OUT_OF_BUDGET,
        status=status,
        ended=at,
        rewound=at,
        limit=limit,
        iteration=at,
        slot=at,
        columns={},
    )


def _layout(lanes: int, parameters: int) -> tuple[int, int, int]:
    """Return threads, blocks per thread and lanes per block."""
    if lanes == 1 or jax.default_backend() != "cpu":
        return 1, 1, lanes
    threads = min(lanes, cores())
    fitting = max(1, BLOCK_BYTES // (24 * parameters))
    width = min(1 << (fitting.bit_length() - 1), 1024, -(-lanes // threads))
    return threads, -(-lanes // (threads * width)), width


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _held(block: np.ndarray, slots: int, length: int) -> np.ndarray:
    """Return a block's column with its last record held to `length`, lanes first."""
    index = np.minimum(np.arange(length), max(slots - 1, 0))
    return np.moveaxis(block[index], 0, 1)
