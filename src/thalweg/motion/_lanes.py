"""Runs side by side, in one compiled program.

A lane is one run. Lanes of a block take their steps together; a lane that has
ended is frozen.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from thalweg._core.arrays import Array
from thalweg._core.outcome import CODES, Status
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
STALL_CHECK = 1024
"""A stall is looked for at the start and at multiples of this iteration (and, with a
gradient tolerance, at every record)."""

UNROLL = 4
"""Steps in a row between two looks at whether any lane is still going."""

BLOW_UP = 1e16
"""A run has diverged when its excess loss exceeds its scale by this factor."""


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
    excess: Any
    previous: Any
    active: Any
    status: Any
    ended: Any
    rewound: Any
    limit: Any
    iteration: Any
    slot: Any
    columns: Any


def _walk(problem: Any, rules: Rules, state: State, stop: Array) -> State:
    """Take steps until `stop`, one per lane, or until every lane has ended."""
    # Several steps in a row save the loop's own cost; beyond a lane's end they
    # leave it as it is.
    evaluate = jax.vmap(problem.evaluate)
    packed = state._replace(
        weights=jax.vmap(problem.pack)(state.weights),
        velocity=None
        if state.velocity is None
        else jax.vmap(problem.pack)(state.velocity),
    )
    step = partial(_step, problem, rules, stop)

    def going(carry: Any) -> Array:
        return jnp.any(carry[0].active & (carry[0].iteration < stop))

    def steps(carry: Any) -> Any:
        for _ in range(UNROLL):
            carry = step(carry)
        return carry

    _, cache = evaluate(packed.weights)
    after = lax.while_loop(going, steps, (packed, cache))[0]
    return after._replace(
        weights=jax.vmap(problem.unpack)(after.weights),
        velocity=None
        if state.velocity is None
        else jax.vmap(problem.unpack)(after.velocity),
        iteration=jnp.minimum(after.iteration, jnp.max(stop)),
    )


def _step(problem: Any, rules: Rules, stop: Array, carry: Any) -> Any:
    """Take one step on the lanes that are still moving."""
    state, cache = carry
    moving = state.active & (state.iteration < stop)

    def held(change: Array) -> Array:
        return jnp.where(_lanes_of(change, moving), change, 0.0)

    gradient = jax.vmap(problem.pull)(state.weights, cache)
    step = jax.tree.map(lambda g: _lanes_of(g, rules.step_size) * g, gradient)
    if state.velocity is None:
        velocity = None
        weights = jax.tree.map(lambda w, s: w - held(s), state.weights, step)
    else:
        velocity = jax.tree.map(
            lambda v, s: jnp.where(_lanes_of(v, moving), rules.momentum * v - s, v),
            state.velocity,
            step,
        )
        weights = jax.tree.map(lambda w, v: w + held(v), state.weights, velocity)
    excess, cache = jax.vmap(problem.evaluate)(weights)
    ended = moving & ((excess <= rules.accuracy) | ~(excess < state.limit))
    after = state._replace(
        weights=weights,
        velocity=velocity,
        excess=jnp.where(moving, excess, state.excess),
        previous=jnp.where(moving, state.excess, state.previous),
        active=state.active & ~ended,
        ended=jnp.where(moving, state.iteration + 1, state.ended),
        iteration=state.iteration + 1,
    )
    return after, cache


def _lanes_of(leaf: Array, flags: Array) -> Array:
    """Return one value per lane, shaped to go with a leaf."""
    return flags.reshape(flags.shape + (1,) * (leaf.ndim - 1))


def _mark_ends(rules: Rules, before: State, state: State) -> State:
    """Give lanes that just stopped their status; put diverged ones back."""
    # A diverged lane gets the weights of the stretch's beginning, all finite, and
    # `rewound` says which iteration that was; `Blocks.finish` walks it up to the
    # last iterate before the loss blew up.
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
        last = jax.tree.map(lambda g: -step_size * g / (1 - rules.momentum), gradient)
        moves = [(weights, last)]
        if velocity is not None:
            # Between the next velocity and the one a steady gradient leads to lie all
            # that follow, as long as the weights do not move.
            following = jax.tree.map(
                lambda v, g: rules.momentum * v - step_size * g, velocity, gradient
            )
            moves.append((weights, following))
        still = [
            jnp.all(w + move == w)
            for kept, moved in moves
            for w, move in zip(
                jax.tree.leaves(kept), jax.tree.leaves(moved), strict=True
            )
        ]
        # Without a tolerance a norm that underflows to zero is no rest.
        gentle = (norm <= rules.gradient_tolerance) & (rules.gradient_tolerance > 0)
        return jnp.all(jnp.stack(still)) | gentle

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
            at_check = (
                (after.iteration == check)
                | (after.iteration == 0)
                | ((after.iteration == due) & (own.gradient_tolerance > 0))
            )
            after = lax.cond(
                at_check, partial(_mark_stalls, problem, own), lambda s: s, after
            )
            at_record = (after.iteration == due) | ~jnp.any(after.active)
            return lax.cond(
                at_record, partial(_record, problem, measures), lambda s: s, after
            )

        return lax.while_loop(going, stretch, state)

    return lax.map(block, (rules.step_size, states))


advance = jax.jit(_advance, static_argnames=("measures",))
"""`_advance`, compiled; for layers wide enough to be multiplied on several cores."""

advance_on_one_core = jax.jit(
    _advance,
    static_argnames=("measures",),
    compiler_options={"xla_cpu_multi_thread_eigen": False},
)
"""The same for small layers on the CPU, where waking other cores costs a tenth."""

walk = jax.jit(_walk)


@partial(jax.jit, static_argnames=("measures",))
def read_lanes(problem: Any, measures: Measures, weights: Any) -> Any:
    """Return every measure of every lane, by column name."""
    return jax.vmap(lambda one: read_all(problem, one, measures))(weights)


@jax.jit
def excess_and_limit(problem: Any, weights: Any) -> tuple[Array, Array]:
    """Return the lanes' excess losses, and those at which they have diverged."""
    excess = jax.vmap(problem.excess_loss)(weights)
    nothing = jax.tree.map(lambda leaf: jnp.zeros_like(leaf[0]), weights)
    scale = jnp.maximum(excess, problem.excess_loss(nothing))
    return excess, BLOW_UP * jnp.where(scale > 0, scale, 1.0)
