"""Runs of one net side by side, each with its own count of iterations.

A lane is one run. Its numbers meet no other lane's, and how many lanes a block has is
a function of the net alone; so how a run ends depends on nothing but the run.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from thalweg._core.arrays import Array
from thalweg.motion._lanes import (
    BLOW_UP,
    CONVERGED,
    DIVERGED,
    OUT_OF_BUDGET,
    STALL_CHECK,
    STALLED,
)

UNROLL = 2
"""Steps in a row between two looks at whether any lane is still going; more compile
for longer and are no quicker. It divides `STALL_CHECK`, so that every iteration of a
run is taken by the same one of them."""

SHORTEST = 32
"""Least steps between two looks at who is at rest or out of budget; a lane that is
due earlier waits."""


class Lanes(NamedTuple):
    """A block of runs; every leaf has a leading axis of lanes.

    Attributes:
        weights: Stacked weights.
        velocity: The same for momentum, or `None`.
        excess: Excess loss of the last iterate.
        limit: Excess loss at which the run has diverged.
        accuracy: Excess loss at which it has converged.
        step_size: Its step size.
        momentum: Its momentum.
        tolerance: Gradient norm that counts as rest.
        iteration: Steps taken.
        pause: Iteration at which it is looked at next.
        budget: Most iterations.
        status: How it ended, a code of `CODES`.
        active: Whether it is still going.
    """

    weights: Any
    velocity: Any
    excess: Any
    limit: Any
    accuracy: Any
    step_size: Any
    momentum: Any
    tolerance: Any
    iteration: Any
    pause: Any
    budget: Any
    status: Any
    active: Any


class Batch(NamedTuple):
    """A problem's functions, for all lanes at once.

    Attributes:
        problem: One for all lanes, or stacked.
        stacked: Whether every lane has data of its own.
    """

    problem: Any
    stacked: bool

    def evaluate(self, packed: Any) -> Any:
        """Return the lanes' excess losses and caches."""
        return self._mapped(lambda problem, w: problem.evaluate(w), packed)

    def pull(self, packed: Any, cache: Any) -> Any:
        """Return the lanes' gradients."""
        return self._mapped(lambda problem, w, c: problem.pull(w, c), packed, cache)

    def pack(self, weights: Any) -> Any:
        """Return packed weights."""
        return jax.vmap(self.problem.pack)(weights)

    def unpack(self, packed: Any) -> Any:
        """Return weights in their own shapes."""
        return jax.vmap(self.problem.unpack)(packed)

    def _mapped(self, function: Any, *parts: Any) -> Any:
        own = 0 if self.stacked else None
        axes = (own, *(0 for _ in parts))
        return jax.vmap(function, in_axes=axes)(self.problem, *parts)


def spread(leaf: Array, numbers: Array) -> Array:
    """Return one number per lane, shaped to go with a leaf."""
    return numbers.reshape(numbers.shape + (1,) * (leaf.ndim - 1))


def _judged(lanes: Lanes, excess: Array, looked_at: Array) -> Lanes:
    """End those of the lanes looked at that have converged or diverged."""
    arrived = excess <= lanes.accuracy
    ended = looked_at & (arrived | ~(excess < lanes.limit))
    return lanes._replace(
        excess=jnp.where(looked_at, excess, lanes.excess),
        status=jnp.where(ended, jnp.where(arrived, CONVERGED, DIVERGED), lanes.status),
        active=lanes.active & ~ended,
    )


def _step(batch: Batch, lanes: Lanes) -> Lanes:
    """Evaluate the lanes and take one step on those that go on."""
    # Nothing computed elsewhere goes into a step: the compiler rounds the same formula
    # differently in another place, and which place that is, chance would decide.
    excess, cache = batch.evaluate(lanes.weights)
    lanes = _judged(lanes, excess, lanes.active & (lanes.iteration < lanes.pause))
    moving = lanes.active & (lanes.iteration < lanes.pause)

    def held(change: Array) -> Array:
        return jnp.where(spread(change, moving), change, 0.0)

    gradient = batch.pull(lanes.weights, cache)
    step = jax.tree.map(lambda g: spread(g, lanes.step_size) * g, gradient)
    if lanes.velocity is None:
        velocity = None
        weights = jax.tree.map(lambda w, s: w - held(s), lanes.weights, step)
    else:
        velocity = jax.tree.map(
            lambda v, s: jnp.where(
                spread(v, moving), spread(v, lanes.momentum) * v - s, v
            ),
            lanes.velocity,
            step,
        )
        weights = jax.tree.map(lambda w, v: w + held(v), lanes.weights, velocity)
    return lanes._replace(
        weights=weights, velocity=velocity, iteration=lanes.iteration + moving
    )


def _look(batch: Batch, lanes: Lanes) -> Lanes:
    """Evaluate the due lanes; end those that no step would move, or without budget."""
    excess, cache = batch.evaluate(lanes.weights)
    lanes = _judged(lanes, excess, lanes.active & (lanes.iteration >= lanes.pause))
    gradient = batch.pull(lanes.weights, cache)
    norm = jnp.sqrt(sum(_totals(leaf * leaf) for leaf in jax.tree.leaves(gradient)))
    share = lanes.step_size / (1 - lanes.momentum)
    moves = [jax.tree.map(lambda g: -spread(g, share) * g, gradient)]
    if lanes.velocity is not None:
        # Between the next velocity and the one a steady gradient leads to lie all that
        # follow, as long as the weights do not move.
        moves.append(
            jax.tree.map(
                lambda v, g: (
                    spread(v, lanes.momentum) * v - spread(g, lanes.step_size) * g
                ),
                lanes.velocity,
                gradient,
            )
        )
    still = jnp.ones_like(lanes.active)
    for move in moves:
        moved = jax.tree.map(lambda w, m: w + m != w, lanes.weights, move)
        for leaf in jax.tree.leaves(moved):
            still = still & (_totals(leaf) == 0)
    # Without a tolerance a norm that underflows to zero is no rest.
    gentle = (lanes.tolerance > 0) & (norm <= lanes.tolerance)
    due = lanes.active & (lanes.iteration >= lanes.pause)
    looked = (lanes.iteration % STALL_CHECK == 0) | (lanes.tolerance > 0)
    stalled = due & looked & (still | gentle)
    spent = due & ~stalled & (lanes.iteration >= lanes.budget)
    following = (lanes.iteration // STALL_CHECK + 1) * STALL_CHECK
    status = jnp.where(spent, OUT_OF_BUDGET, lanes.status)
    return lanes._replace(
        status=jnp.where(stalled, STALLED, status),
        active=lanes.active & ~stalled & ~spent,
        pause=jnp.where(due, jnp.minimum(following, lanes.budget), lanes.pause),
    )


def _totals(leaf: Array) -> Array:
    return jnp.sum(leaf, axis=tuple(range(1, leaf.ndim)))


def _advance(
    problem: Any, lanes: Lanes, steps: Array, patience: Array, *, stacked: bool
) -> tuple[Lanes, Array]:
    batch = Batch(problem, stacked)
    velocity = None if lanes.velocity is None else batch.pack(lanes.velocity)
    lanes = lanes._replace(weights=batch.pack(lanes.weights), velocity=velocity)

    def going(carry: Any) -> Array:
        lanes, done, idle = carry
        return (done < steps) & (idle < patience) & jnp.any(lanes.active)

    def part(carry: Any) -> Any:
        lanes, done, idle = carry
        due = lanes.active & (lanes.iteration >= lanes.pause)
        lanes = lax.cond(jnp.any(due), lambda: _look(batch, lanes), lambda: lanes)
        ahead = jnp.where(lanes.active, lanes.pause - lanes.iteration, STALL_CHECK)
        until = done + jnp.maximum(SHORTEST, jnp.min(ahead))

        def on(carry: Any) -> Array:
            return going(carry) & (carry[1] < until)

        def several(carry: Any) -> Any:
            lanes, done, idle = carry
            for _ in range(UNROLL):
                lanes = _step(batch, lanes)
            return lanes, done + UNROLL, idle + UNROLL * jnp.sum(~lanes.active)

        return lax.while_loop(on, several, (lanes, done, idle))

    nothing = jnp.zeros((), dtype=jnp.int64)
    after, done, _ = lax.while_loop(going, part, (lanes, nothing, nothing))
    velocity = None if lanes.velocity is None else batch.unpack(after.velocity)
    return after._replace(weights=batch.unpack(after.weights), velocity=velocity), done


_OPTIONS = {
    True: {"xla_cpu_multi_thread_eigen": False},
    False: None,
}
_COMPILED = {
    alone: jax.jit(_advance, static_argnames=("stacked",), compiler_options=options)
    for alone, options in _OPTIONS.items()
}


def advance(
    problem: Any, lanes: Lanes, steps: int, patience: int, *, stacked: bool
) -> tuple[Lanes, int]:
    """Return the lanes after so many steps, or when enough of them are idle.

    Args:
        problem: One for all lanes, or stacked.
        lanes: The block.
        steps: How many steps to take at most, but for a few.
        patience: How many steps idle lanes may miss, all together.
        stacked: Whether every lane has data of its own.

    Returns:
        The block, and the steps taken.
    """
    compiled = _COMPILED[jax.default_backend() == "cpu"]
    after, done = compiled(problem, lanes, steps, patience, stacked=stacked)
    return after, int(done)


@partial(jax.jit, static_argnames=("stacked",))
def first_look(problem: Any, weights: Any, *, stacked: bool) -> tuple[Array, Array]:
    """Return the lanes' excess losses, and those at which they have diverged."""
    batch = Batch(problem, stacked)
    packed = batch.pack(weights)
    excess = batch.evaluate(packed)[0]
    nothing = batch.evaluate(jax.tree.map(jnp.zeros_like, packed))[0]
    scale = jnp.maximum(excess, nothing)
    return excess, BLOW_UP * jnp.where(scale > 0, scale, 1.0)
