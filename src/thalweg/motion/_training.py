"""The compiled loop of a training: an optimizer's steps, all runs side by side.

A step's direction comes from the gradient over a batch of samples, or over all of
them; what is tested after a step is the loss over the next batch, whose evaluation
the next gradient goes on from. The angle of a step to the full gradient is read at
the records, for the step about to be taken there.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from thalweg._core.arrays import EPS, Array, Scalar
from thalweg.motion._lanes import CONVERGED, DIVERGED
from thalweg.motion.record import Measures, read_all

RESOLVED = 1e4
"""Roundings of a loss that a difference of losses must exceed to be told."""

LOWEST = float(np.finfo(np.float64).min)
"""What stands for minus infinity in a column: a step that leaves float64."""

Build = Callable[[Any, Any], Any]
"""Returns an optax transformation from a step size and options; hashable."""


class Plan(NamedTuple):
    """What stays the same from the first slice to the last.

    `step_sizes` holds one number a run; `targets` are padded with iterations never
    reached; `key` decides the order of the samples.
    """

    targets: Array
    step_sizes: Array
    options: Any
    accuracy: Array
    key: Array


class State(NamedTuple):
    """Everything needed to go on; leaves have a leading axis of runs.

    But for `iteration` and `slot`, which the runs share, and the columns, whose first
    axis is the record. `value` is the excess loss last tested.
    """

    weights: Any
    memory: Any
    value: Array
    active: Array
    status: Array
    ended: Array
    limit: Array
    iteration: Array
    slot: Array
    columns: Any


class Course(NamedTuple):
    """What is compiled for: hashable, and constant along a path."""

    build: Build
    measures: Measures
    batch_size: int | None
    exact: bool


def begin(course: Course, plan: Plan, weights: Any) -> Any:
    """Return the optimizer's memory at the start of every run."""
    return jax.vmap(
        lambda one, step_size: course.build(step_size, plan.options).init(one)
    )(weights, plan.step_sizes)


@partial(jax.jit, static_argnames=("course",))
def advance(
    problem: Any, course: Course, plan: Plan, state: State, budget: Array
) -> State:
    """Take steps until `budget`, or until every run has ended, recording on the way."""
    step = partial(_step, problem, course, plan)

    def going(carry: Any) -> Array:
        state = carry[0]
        due = plan.targets[state.slot]
        return jnp.any(state.active) & (
            (state.iteration < budget) | (due <= state.iteration)
        )

    def stretch(carry: Any) -> Any:
        due = plan.targets[carry[0].slot]
        goal = jnp.maximum(jnp.minimum(due, budget), carry[0].iteration)
        carry = lax.while_loop(
            lambda c: jnp.any(c[0].active) & (c[0].iteration < goal), step, carry
        )
        state = lax.cond(
            carry[0].iteration == due,
            partial(_record, problem, course, plan, carry[1]),
            lambda state: state,
            carry[0],
        )
        return state, *carry[1:]

    order = _order(problem, course, plan, state.iteration)
    _, cache = _look(problem, course, order, state.iteration, state.weights)
    return lax.while_loop(going, stretch, (state, order, cache))[0]


@partial(jax.jit, static_argnames=("course",))
def read_rows(problem: Any, course: Course, plan: Plan, state: State) -> Any:
    """Return what is recorded of a state, by column name, runs first."""
    order = _order(problem, course, plan, state.iteration)
    return _rows(problem, course, plan, order, state)


def _step(problem: Any, course: Course, plan: Plan, carry: Any) -> Any:
    """Take one step on the runs that are still going."""
    state, order, cache = carry
    part = _part(problem, course, order, state.iteration)
    gradient = jax.vmap(
        lambda weights, kept: problem.unpack(part.pull(problem.pack(weights), kept))
    )(state.weights, cache)
    updates, memory = jax.vmap(partial(_update, course, plan))(
        state.weights, state.memory, gradient, plan.step_sizes
    )
    weights = _added(state.weights, updates)
    after = state.iteration + 1
    order = _next_order(problem, course, plan, after, order)
    value, cache = _look(problem, course, order, after, weights)
    if course.exact and course.batch_size is not None:
        value = jax.vmap(problem.excess_loss)(weights)
    failed = state.active & ~(value < state.limit)
    converged = state.active & (value <= plan.accuracy) & course.exact
    moved = state.active & ~failed

    def kept(new: Array, old: Array) -> Array:
        return jnp.where(moved.reshape((-1,) + (1,) * (new.ndim - 1)), new, old)

    status = jnp.where(failed, DIVERGED, state.status)
    state = state._replace(
        weights=jax.tree.map(kept, weights, state.weights),
        memory=jax.tree.map(kept, memory, state.memory),
        value=jnp.where(state.active, value, state.value),
        active=moved & ~converged,
        status=jnp.where(converged, CONVERGED, status),
        ended=jnp.where(state.active, after, state.ended),
        iteration=after,
    )
    return state, order, cache


def _update(
    course: Course, plan: Plan, weights: Any, memory: Any, gradient: Any, step: Scalar
) -> tuple[Any, Any]:
    """Return one run's step, and the optimizer's memory after it."""
    found: tuple[Any, Any] = course.build(step, plan.options).update(
        gradient, memory, weights
    )
    return found


def _added(weights: Any, updates: Any) -> Any:
    return jax.tree.map(lambda w, u: w + u, weights, updates)


def _look(
    problem: Any, course: Course, order: Any, iteration: Array, weights: Any
) -> tuple[Array, Any]:
    """Return the excess loss over a batch, and what its gradient goes on from."""
    part = _part(problem, course, order, iteration)
    return jax.vmap(lambda one: part.evaluate(problem.pack(one)))(weights)


def _part(problem: Any, course: Course, order: Any, iteration: Array) -> Any:
    """Return the problem on the samples of one step."""
    size = course.batch_size
    if size is None:
        return problem
    place = iteration % (problem.samples // size) * size
    return problem.batch(lax.dynamic_slice(order, (place,), (size,)))


def _order(problem: Any, course: Course, plan: Plan, iteration: Array) -> Any:
    """Return the order of the samples in the epoch of an iteration."""
    if course.batch_size is None:
        return None
    epoch = iteration // (problem.samples // course.batch_size)
    return jax.random.permutation(
        jax.random.fold_in(jax.random.wrap_key_data(plan.key), epoch), problem.samples
    )


def _next_order(
    problem: Any, course: Course, plan: Plan, iteration: Array, order: Any
) -> Any:
    """Return the order of the samples at an iteration, given that before it."""
    if course.batch_size is None:
        return None
    return lax.cond(
        iteration % (problem.samples // course.batch_size) == 0,
        partial(_order, problem, course, plan),
        lambda _: order,
        iteration,
    )


def _record(
    problem: Any, course: Course, plan: Plan, order: Any, state: State
) -> State:
    row = _rows(problem, course, plan, order, state)
    columns = {
        name: lax.dynamic_update_index_in_dim(
            state.columns[name], row[name], state.slot, 0
        )
        for name in row
    }
    return state._replace(columns=columns, slot=state.slot + 1)


def _rows(problem: Any, course: Course, plan: Plan, order: Any, state: State) -> Any:
    part = _part(problem, course, order, state.iteration)

    def one(weights: Any, memory: Any, step_size: Scalar) -> Any:
        full = problem.gradient(weights)
        chosen = full if part is problem else part.gradient(weights)
        step, _ = _update(course, plan, weights, memory, chosen, step_size)
        return {
            **read_all(problem, weights, course.measures),
            **_angle(problem, weights, step, full),
        }

    return jax.vmap(one)(state.weights, state.memory, plan.step_sizes)


def _angle(problem: Any, weights: Any, step: Any, gradient: Any) -> dict[str, Array]:
    """Return how a step goes with the negative gradient, and what it wins."""
    # Scaled first: the squares of small numbers would underflow.
    (slope, steepness), (way, length) = _unit(gradient), _unit(step)
    cosine = -sum(
        jnp.sum(g * s)
        for g, s in zip(jax.tree.leaves(slope), jax.tree.leaves(way), strict=True)
    )
    still = (steepness == 0) | (length == 0)
    here = problem.excess_loss(weights)
    won = here - problem.excess_loss(_added(weights, step))
    ratio = won / jnp.where(still, 1.0, steepness) / jnp.where(still, 1.0, length)
    ratio = jnp.where(jnp.isfinite(ratio), ratio, LOWEST)
    # Losses are known to some units of rounding: of a smaller difference the first
    # order remains.
    hidden = steepness * length < RESOLVED * EPS * (here + problem.infimum)
    return {
        "angle_cosine": jnp.where(still, 1.0, jnp.clip(cosine, -1.0, 1.0)),
        "descent_ratio": jnp.where(still, 1.0, jnp.where(hidden, cosine, ratio)),
    }


def _unit(tree: Any) -> tuple[Any, Scalar]:
    """Return a tree of length one in the same direction, and its length."""
    size = jnp.max(
        jnp.stack([jnp.max(jnp.abs(leaf)) for leaf in jax.tree.leaves(tree)])
    )
    scale = jnp.where(size > 0, size, 1.0)
    scaled = jax.tree.map(lambda leaf: leaf / scale, tree)
    norm = jnp.sqrt(sum(jnp.sum(leaf * leaf) for leaf in jax.tree.leaves(scaled)))
    unit = jax.tree.map(lambda leaf: leaf / jnp.where(norm > 0, norm, 1.0), scaled)
    return unit, norm * scale
