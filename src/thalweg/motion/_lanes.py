"""Blocks of runs side by side, in one compiled program.

A lane is one run. Lanes of a block take their steps together; a lane that has
ended is frozen. Blocks are sized to the processor's cache and run one after
another on every core, each until all its lanes have ended, so that a batch costs
about the sum of its runs. On an accelerator there is one block.
"""

import math
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from thalweg._core.arrays import Array
from thalweg._core.outcome import CODES, Outcome, Status
from thalweg.motion.record import Measures, read_all

OUT_OF_BUDGET, CONVERGED, STALLED, DIVERGED = (
    CODES.index(status)
    for status in (
        Status.OUT_OF_BUDGET,
        Status.CONVERGED,
        Status.STALLED,
        Status.DIVERGED,
    )
)
STALL_CHECK = 4096
"""A stall is looked for at records and at multiples of this iteration."""

BLOW_UP = 1e16
"""A run has diverged when its excess loss exceeds its scale by this factor."""

BLOCK_BYTES = 2**20
"""Weights, gradients and products of a block stay within one core's cache."""


class Rules(NamedTuple):
    """What decides a lane's steps and its end; `step_size` is one per lane."""

    step_size: Array
    accuracy: Array
    momentum: Array
    gradient_tolerance: Array


class State(NamedTuple):
    """Everything a block needs to go on.

    Leaves have a leading axis of lanes, but for `iteration` and `slot`, which the
    lanes share, and the columns, whose first axis is the record.
    """

    weights: Any
    velocity: Any
    excess: Array
    previous: Array
    active: Array
    status: Array
    ended: Array
    rewound: Array
    limit: Array
    iteration: Array
    slot: Array
    columns: Any


def _walk(problem: Any, rules: Rules, state: State, stop: Array) -> State:
    """Take steps until `stop`, one per lane, or until every lane has ended."""
    evaluate = jax.vmap(problem.evaluate)
    pull = jax.vmap(problem.pull)

    def lanes_of(leaf: Array, flags: Array) -> Array:
        return flags.reshape(flags.shape + (1,) * (leaf.ndim - 1))

    def going(carry: Any) -> Array:
        state, _ = carry
        return jnp.any(state.active & (state.iteration < stop))

    def step(carry: Any) -> Any:
        state, cache = carry
        moving = state.active & (state.iteration < stop)
        gradient = pull(state.weights, cache)

        def scaled(g: Array) -> Array:
            return lanes_of(g, rules.step_size) * g

        if state.velocity is None:
            velocity = None
            weights = jax.tree.map(
                lambda w, g: w - jnp.where(lanes_of(g, moving), scaled(g), 0.0),
                state.weights,
                gradient,
            )
        else:
            velocity = jax.tree.map(
                lambda v, g: jnp.where(
                    lanes_of(g, moving), rules.momentum * v - scaled(g), v
                ),
                state.velocity,
                gradient,
            )
            weights = jax.tree.map(
                lambda w, v: w + jnp.where(lanes_of(v, moving), v, 0.0),
                state.weights,
                velocity,
            )
        excess, cache = evaluate(weights)
        reached = excess <= rules.accuracy
        bad = ~(excess < state.limit)
        after = state._replace(
            weights=weights,
            velocity=velocity,
            excess=jnp.where(moving, excess, state.excess),
            previous=jnp.where(moving, state.excess, state.previous),
            active=state.active & ~(moving & (reached | bad)),
            ended=jnp.where(moving, state.iteration + 1, state.ended),
            iteration=state.iteration + 1,
        )
        return after, cache

    _, cache = evaluate(state.weights)
    return lax.while_loop(going, step, (state, cache))[0]


def _mark_ends(rules: Rules, before: State, state: State) -> State:
    """Give lanes that just stopped their status; put diverged ones back.

    A diverged lane gets the weights of the stretch's beginning, all finite, and
    `rewound` says which iteration that was; `finish` walks it up to the last
    iterate before the loss blew up.
    """
    stopped = before.active & ~state.active
    diverged = stopped & ~(state.excess <= rules.accuracy)
    status = jnp.where(stopped, jnp.where(diverged, DIVERGED, CONVERGED), state.status)

    def put_back(new: Array, old: Array) -> Array:
        return jnp.where(diverged.reshape((-1,) + (1,) * (new.ndim - 1)), old, new)

    return state._replace(
        weights=jax.tree.map(put_back, state.weights, before.weights),
        velocity=jax.tree.map(put_back, state.velocity, before.velocity),
        status=status,
        rewound=jnp.where(diverged, before.iteration, state.rewound),
    )


def _mark_stalls(problem: Any, rules: Rules, state: State) -> State:
    """End the lanes that no step would move."""

    def at_rest(weights: Any, velocity: Any, step_size: Array) -> Array:
        gradient = problem.gradient(weights)
        leaves = jax.tree.leaves(gradient)
        norm = jnp.sqrt(sum(jnp.sum(leaf * leaf) for leaf in leaves))
        step = jax.tree.map(lambda g: -step_size * g, gradient)
        if velocity is not None:
            step = jax.tree.map(lambda v, s: rules.momentum * v + s, velocity, step)
        still = [
            jnp.all(w + s == w)
            for w, s in zip(
                jax.tree.leaves(weights), jax.tree.leaves(step), strict=True
            )
        ]
        return jnp.all(jnp.stack(still)) | (norm <= rules.gradient_tolerance)

    stalled = state.active & jax.vmap(at_rest)(
        state.weights, state.velocity, rules.step_size
    )
    return state._replace(
        active=state.active & ~stalled,
        status=jnp.where(stalled, STALLED, state.status),
    )


def _record(problem: Any, measures: Measures, state: State) -> State:
    row = jax.vmap(lambda weights: read_all(problem, weights, measures))(state.weights)
    columns = {
        name: lax.dynamic_update_index_in_dim(
            state.columns[name], row[name], state.slot, 0
        )
        for name in row
    }
    return state._replace(columns=columns, slot=state.slot + 1)


@partial(jax.jit, static_argnames=("measures",))
def _advance(
    problem: Any,
    measures: Measures,
    rules: Rules,
    targets: Array,
    states: State,
    budget: Array,
) -> State:
    """Advance every block to `budget`, recording at the targets it passes."""

    def block(rules_and_state: tuple[Array, State]) -> State:
        step_size, state = rules_and_state
        own = rules._replace(step_size=step_size)

        def going(state: State) -> Array:
            due = targets[state.slot]
            return jnp.any(state.active) & (
                (state.iteration < budget) | (due <= state.iteration)
            )

        def stretch(state: State) -> State:
            due = targets[state.slot]
            check = (state.iteration // STALL_CHECK + 1) * STALL_CHECK
            goal = jnp.minimum(jnp.minimum(due, check), budget)
            goal = jnp.maximum(goal, state.iteration)
            stop = jnp.broadcast_to(goal, state.active.shape)
            after = _mark_ends(own, state, _walk(problem, own, state, stop))
            at_record = (after.iteration == due) | ~jnp.any(after.active)
            at_check = at_record | (after.iteration == check)
            after = lax.cond(
                at_check, partial(_mark_stalls, problem, own), lambda s: s, after
            )
            at_record = at_record | ~jnp.any(after.active)
            return lax.cond(
                at_record, partial(_record, problem, measures), lambda s: s, after
            )

        return lax.while_loop(going, stretch, state)

    return lax.map(block, (rules.step_size, states))


@dataclass(frozen=True)
class Ends:
    """What is left when the blocks have run: one entry, or one row, per lane."""

    weights: Any
    velocity: Any
    status: np.ndarray
    iteration: np.ndarray
    excess: np.ndarray
    previous: np.ndarray
    clock: np.ndarray
    columns: dict[str, np.ndarray]


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

        Returns:
            The blocks, ready to advance.
        """
        lanes = rules.step_size.shape[0]
        threads, blocks, width = _layout(lanes, problem.net.parameters)
        index = np.arange(threads * blocks * width)
        real = index < lanes
        index = np.where(real, index, 0).reshape(threads, blocks, width)
        skipped = int(np.searchsorted(targets, iteration, side="left"))
        ahead = targets[skipped:]
        capacity = 1 << max(3, math.ceil(math.log2(len(ahead) + 1)))
        never = np.full(capacity - len(ahead), np.iinfo(np.int64).max)
        full = _first_state(problem, weights, velocity, rules, iteration, ended)
        row = _row_shapes(problem, measures, weights)
        states, own_rules = [], []
        for own in index:
            state = jax.tree.map(lambda leaf: np.asarray(leaf)[own], full)  # noqa: B023
            columns = {
                name: np.zeros((blocks, capacity, width, *shape))
                for name, shape in row.items()
            }
            states.append(
                state._replace(
                    active=state.active & real.reshape(index.shape)[len(states)],
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
            after = _advance(
                self.problem,
                self.measures,
                rules,
                self.padded_targets,
                states,
                jnp.asarray(budget),
            )
            return jax.block_until_ready(after)

        pairs = list(zip(self.rules, self.states, strict=True))
        if len(pairs) == 1:
            return replace(self, states=(one(pairs[0]),))
        with ThreadPoolExecutor(len(pairs)) as pool:
            return replace(self, states=tuple(pool.map(one, pairs)))

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
        if diverged.size or unread.size:
            row = _read_lanes(self.problem, self.measures, weights)
            for lane in (*diverged, *unread):
                since = int(np.searchsorted(clock, kept[lane]))
                for name, values in row.items():
                    columns[name][lane, since:] = values[lane]
        return Ends(
            weights=weights,
            velocity=velocity,
            status=status,
            iteration=ended,
            excess=excess,
            previous=np.array(self._gathered("previous")),
            clock=clock,
            columns=columns,
        )

    def _records(
        self, last: int
    ) -> tuple[np.ndarray, dict[str, np.ndarray], np.ndarray]:
        """Return the clock up to `last`, the columns, and the lanes still to read.

        A lane is still to be read where its block never recorded, or was stopped
        by the end of a budget between two records.
        """
        ahead = self.targets[self.skipped :]
        count = int(np.searchsorted(ahead, last, side="right"))
        extra = not count or ahead[count - 1] < last
        clock = np.append(ahead[:count], last) if extra else ahead[:count]
        parts: dict[str, list[np.ndarray]] = {name: [] for name, _ in self.measures}
        unread: list[np.ndarray] = []
        for state in self.states:
            slots = np.asarray(state.slot)
            open_ended = np.asarray(jnp.any(state.active, axis=1)) & extra
            unread.append(np.repeat(open_ended | (slots == 0), state.active.shape[1]))
            for name, rows in parts.items():
                blocks = np.asarray(state.columns[name])
                rows += [
                    _held(block, int(slot), len(clock))
                    for block, slot in zip(blocks, slots, strict=True)
                ]
        columns = {
            name: np.concatenate(rows)[: self.lanes] for name, rows in parts.items()
        }
        return clock, columns, np.flatnonzero(np.concatenate(unread)[: self.lanes])

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
        after = _walk_alone(self.problem, rules, state, stretch)

        def put(leaf: Array, new: Array) -> Array:
            return leaf.at[diverged].set(new)

        return (
            jax.tree.map(put, weights, after.weights),
            jax.tree.map(put, velocity, after.velocity),
        )

    def _gathered(self, name: str) -> Any:
        """Return one field of all lanes, in their order."""
        parts = [getattr(state, name) for state in self.states]
        return jax.tree.map(
            lambda *leaves: jnp.concatenate(
                [leaf.reshape(-1, *leaf.shape[2:]) for leaf in leaves]
            )[: self.lanes],
            *parts,
        )


_walk_alone = jax.jit(_walk)


def _row_shapes(
    problem: Any, measures: Measures, weights: Any
) -> dict[str, tuple[int, ...]]:
    """Return the shape of every column's entry for one lane."""
    shapes = jax.eval_shape(_read_lanes, problem, measures, weights)
    return {name: shape.shape[1:] for name, shape in shapes.items()}


@partial(jax.jit, static_argnames=("measures",))
def _read_lanes(problem: Any, measures: Measures, weights: Any) -> Any:
    return jax.vmap(lambda one: read_all(problem, one, measures))(weights)


@jax.jit
def _excess_and_limit(problem: Any, weights: Any) -> tuple[Array, Array]:
    excess, _ = jax.vmap(problem.evaluate)(weights)
    nothing = jax.tree.map(lambda leaf: jnp.zeros_like(leaf[0]), weights)
    scale = jnp.maximum(excess, problem.excess_loss(nothing))
    return excess, BLOW_UP * jnp.where(scale > 0, scale, 1.0)


def _first_state(
    problem: Any,
    weights: Any,
    velocity: Any,
    rules: Rules,
    iteration: int,
    ended: list[Outcome] | None,
) -> State:
    """Return the state of all lanes on one axis, before they are laid out."""
    lanes = rules.step_size.shape[0]
    excess, limit = (np.asarray(part) for part in _excess_and_limit(problem, weights))
    status = np.where(excess <= float(rules.accuracy), CONVERGED, OUT_OF_BUDGET)
    at = np.full(lanes, iteration)
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
        previous=excess,
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
    threads = min(lanes, len(os.sched_getaffinity(0)))
    fitting = max(1, BLOCK_BYTES // (24 * parameters))
    width = min(1 << (fitting.bit_length() - 1), 1024, -(-lanes // threads))
    return threads, -(-lanes // (threads * width)), width


def _held(block: np.ndarray, slots: int, length: int) -> np.ndarray:
    """Return a block's column with its last record held to `length`, lanes first."""
    index = np.minimum(np.arange(length), max(slots - 1, 0))
    return np.moveaxis(block[index], 0, 1)
