"""Leaps and true steps in turn, one lane at a time, in one compiled program.

Where the field of `_logarithm` is smooth over more iterations than it costs gradients,
a lane leaps; elsewhere it walks by true steps, and tries again after a while. Weights
are kept as one vector with the rounding it lost, so that leaps over tiny increments
add up.
"""

from functools import partial
from typing import Any, NamedTuple

import diffrax
import jax
import jax.numpy as jnp
from jax import lax
from jax.flatten_util import ravel_pytree

from thalweg._core.arrays import EPS, Array
from thalweg.motion._lanes import CONVERGED, DIVERGED, STALLED
from thalweg.motion._logarithm import (
    LARGEST_ORDER,
    TINY,
    follow,
    logarithm,
    neglected,
)
from thalweg.motion.record import Measures, read_all

SOLVER = diffrax.Dopri8()
STAGES = 14
PAYS = 3.0
"""A leap must be this many times longer than it costs gradients."""

SHORT, LONG = 64, 16384
"""True steps before leaping is tried again: at first, and after many failures."""

BACK = 4
"""Iterations before an estimated crossing at which true steps begin."""

SHARE = 0.1
"""Share of a leap's tolerance that the neglected terms may take."""


class Rules(NamedTuple):
    """What decides a lane's moves and its end."""

    step_size: Array
    accuracy: Array
    momentum: Array
    gradient_tolerance: Array
    tolerance: Array
    limit: Array
    rest: Array


class Lane(NamedTuple):
    """Everything one run needs to go on; weights and velocity are packed vectors."""

    weights: Any
    lost: Any
    velocity: Any
    terms: Any
    excess: Any
    previous: Any
    active: Any
    status: Any
    iteration: Any
    span: Any
    walk: Any
    patience: Any
    slot: Any
    columns: Any
    kept: Any
    leaps: Any
    failed: Any
    walked: Any
    gradients: Any


class Plan(NamedTuple):
    """Iterations at which to record, and the place each state is kept at, or -1."""

    targets: Array
    places: Array


class _Motion(NamedTuple):
    """One lane's problem and rules, as functions of packed vectors."""

    problem: Any
    rules: Rules
    restore: Any

    def excess(self, weights: Array) -> Array:
        return self.problem.evaluate(self.restore(weights))[0]

    def change(self, weights: Array) -> Array:
        packed = self.restore(weights)
        _, cache = self.problem.evaluate(packed)
        gradient = ravel_pytree(self.problem.pull(packed, cache))[0]
        return -self.rules.step_size * gradient

    @property
    def lag(self) -> Array:
        return self.rules.momentum / (1 - self.rules.momentum)

    def slow(self, lane: Lane) -> Array:
        if lane.velocity is None:
            return lane.weights
        return lane.weights + self.lag * lane.velocity

    def precision(self, slow: Array) -> Array:
        return 1e-2 * self.rules.tolerance * jnp.max(jnp.abs(slow))

    def settled(self, slow: Array, order: Array) -> tuple[Array, Array]:
        """Return weights and velocity that follow a slow state."""
        rules = self.rules
        found = follow(self.change, slow, order, rules.momentum, self.precision(slow))
        return slow - self.lag * found.velocity, found.velocity


def _field(
    motion: _Motion, base: Array, plain: bool, _time: Any, moved: Array, order: Array
) -> Array:
    """Return the field at what has been added to `base`."""
    slow = base + moved
    if plain:
        return logarithm(motion.change, slow, order)
    rules = motion.rules
    precision = motion.precision(slow)
    return follow(motion.change, slow, order, rules.momentum, precision).field


def _leap(motion: _Motion, lane: Lane, length: Array, order: Array) -> Any:
    """Return what one leap adds to the slow state, its error, and the way between."""
    plain = lane.velocity is None
    base = motion.slow(lane)
    field = diffrax.ODETerm(partial(_field, motion, base, plain))
    span = length.astype(float)
    state = SOLVER.init(field, 0.0, span, lane.lost, order)
    added, error, dense, _, _ = SOLVER.step(
        field, 0.0, span, lane.lost, order, state, made_jump=False
    )
    way = SOLVER.interpolation_cls(t0=0.0, t1=span, **dense)
    return base, added, jnp.max(jnp.abs(error)), way


def _try(
    motion: _Motion, measures: Measures, plan: Plan, budget: Array, lane: Lane
) -> Lane:
    """Leap if it pays, else plan a walk; keep the leap if it is accurate."""
    rules = motion.rules
    scale = jnp.max(jnp.abs(lane.weights))
    bound = rules.tolerance * scale
    free = jnp.minimum(lane.span, (budget - lane.iteration).astype(float))
    orders = jnp.arange(LARGEST_ORDER + 1)
    fits = (free * lane.terms <= SHARE * bound) & (orders > 0)
    order = jnp.where(jnp.any(fits), jnp.argmax(fits), LARGEST_ORDER)
    most = SHARE * bound / jnp.maximum(lane.terms[order], TINY)
    length = jnp.floor(jnp.minimum(free, most))
    cost = STAGES * order * (1 if lane.velocity is None else 4)
    pays = (length >= PAYS * cost) & jnp.isfinite(length)

    def stay(lane: Lane) -> Lane:
        return lane._replace(
            walk=lane.patience, patience=jnp.minimum(2 * lane.patience, LONG)
        )

    def go(lane: Lane) -> Lane:
        return _leapt(motion, measures, plan, lane, length, order, bound)

    return lax.cond(pays, go, stay, lane)


def _leapt(
    motion: _Motion,
    measures: Measures,
    plan: Plan,
    lane: Lane,
    length: Array,
    order: Array,
    bound: Array,
) -> Lane:
    """Take a leap and keep it, shorten it, or stop short of the accuracy."""
    rules = motion.rules
    base, added, error, way = _leap(motion, lane, length, order)
    slow = base + added
    lost = added - (slow - base)
    if lane.velocity is None:
        weights, velocity = slow, None
    else:
        weights, velocity = motion.settled(slow, order)
    excess = motion.excess(weights)
    # Terms are asked for as finely as a leap five times as long would need.
    enough = SHARE * bound / (10 * length)
    terms, probes = neglected(motion.change, slow, velocity, rules.momentum, enough)
    amiss = (error + length * terms[order]) / bound
    fine = jnp.isfinite(amiss) & (amiss <= 1) & (excess < rules.limit)
    growth = 0.9 * jnp.maximum(amiss, 1e-30) ** (-1 / 8)
    growth = jnp.where(jnp.isfinite(amiss), jnp.clip(growth, 0.2, 4.0), 0.2)
    spent = lane.gradients + STAGES * order + probes
    crossed = fine & (excess <= rules.accuracy)

    def failed(lane: Lane) -> Lane:
        return lane._replace(
            span=length * jnp.minimum(growth, 0.7),
            failed=lane.failed + 1,
            gradients=spent,
        )

    def stop_short(lane: Lane) -> Lane:
        """Plan a leap to just before the crossing, and true steps through it."""

        def halve(ends: Any) -> Any:
            low, high = ends
            middle = (low + high) // 2
            point = base + way.evaluate(middle.astype(float))
            if velocity is not None:
                point = motion.settled(point, order)[0]
            over = motion.excess(point) > rules.accuracy
            return jnp.where(over, middle, low), jnp.where(over, high, middle)

        ends = (jnp.zeros((), jnp.int64), length.astype(jnp.int64))
        low, _ = lax.while_loop(lambda ends: ends[1] - ends[0] > 1, halve, ends)
        before = jnp.maximum(low - BACK, 0)
        near = before < PAYS * STAGES * order
        return lane._replace(
            span=before.astype(float),
            walk=jnp.where(near, low + SHORT, 0),
            gradients=spent,
        )

    def kept(lane: Lane) -> Lane:
        def at(target: Array) -> Array:
            point = base + way.evaluate((target - lane.iteration).astype(float))
            return point if velocity is None else motion.settled(point, order)[0]

        to = lane.iteration + length.astype(jnp.int64)
        lane = _record(motion, measures, plan, lane, at, to - 1)
        rested = _rested(motion, terms[0], weights, excess)
        return lane._replace(
            weights=weights,
            lost=lost if velocity is None else jnp.zeros_like(lost),
            velocity=velocity,
            terms=terms,
            previous=lane.excess,
            excess=excess,
            active=~rested,
            status=jnp.where(rested, STALLED, lane.status),
            iteration=to,
            span=length * growth,
            patience=jnp.asarray(SHORT),
            leaps=lane.leaps + 1,
            gradients=spent,
        )

    choice = jnp.where(crossed, 1, jnp.where(fine, 2, 0))
    return lax.switch(choice, (failed, stop_short, kept), lane)


def _rested(motion: _Motion, move: Array, weights: Array, excess: Array) -> Array:
    """Return whether nothing moves, or the gradient is as small as was asked for."""
    # Increments below rounding still add up over a leap; only at the rounding level
    # of the loss do they mean nothing.
    rules = motion.rules
    lost = move <= EPS / 4 * jnp.max(jnp.abs(weights))
    still = (move == 0) | (lost & (excess <= rules.rest))

    def measured() -> Array:
        norm = jnp.linalg.norm(motion.change(weights)) / rules.step_size
        return norm <= rules.gradient_tolerance

    least = move * (1 - rules.momentum) / rules.step_size
    near = (rules.gradient_tolerance > 0) & (least <= rules.gradient_tolerance)
    return still | lax.cond(near, measured, lambda: jnp.zeros((), bool))


def _walk(motion: _Motion, plan: Plan, budget: Array, lane: Lane) -> Lane:
    """Take true steps, up to the next record, the budget or the walk's end."""
    rules = motion.rules
    problem = motion.problem
    goal = jnp.minimum(budget, plan.targets[lane.slot])
    goal = jnp.minimum(goal, lane.iteration + lane.walk)
    begun = lane.weights + lane.lost

    def going(carry: Any) -> Array:
        return carry["active"] & (carry["iteration"] < goal)

    def step(carry: Any) -> Any:
        packed, cache, velocity = carry["packed"], carry["cache"], carry["velocity"]
        gradient = problem.pull(packed, cache)
        move = jax.tree.map(lambda g: -rules.step_size * g, gradient)
        if velocity is not None:
            move = jax.tree.map(lambda v, m: rules.momentum * v + m, velocity, move)
        after = jax.tree.map(jnp.add, packed, move)
        excess, cache = problem.evaluate(after)
        broken = ~(excess < rules.limit) & ~(excess <= rules.accuracy)

        def keep(new: Any, old: Any) -> Any:
            return jax.tree.map(lambda n, o: jnp.where(broken, o, n), new, old)

        return {
            "packed": keep(after, packed),
            "velocity": None if velocity is None else keep(move, velocity),
            "cache": cache,
            "previous": carry["excess"],
            "excess": excess,
            "active": ~broken & ~(excess <= rules.accuracy),
            "broken": broken,
            "iteration": carry["iteration"] + 1,
        }

    packed = motion.restore(begun)
    carry = {
        "packed": packed,
        "velocity": None if lane.velocity is None else motion.restore(lane.velocity),
        "cache": problem.evaluate(packed)[1],
        "previous": lane.previous,
        "excess": lane.excess,
        "active": lane.active,
        "broken": jnp.zeros((), bool),
        "iteration": lane.iteration,
    }
    after = lax.while_loop(going, step, carry)
    taken = after["iteration"] - lane.iteration
    weights = ravel_pytree(after["packed"])[0]
    velocity = None if lane.velocity is None else ravel_pytree(after["velocity"])[0]
    ended = jnp.where(after["broken"], DIVERGED, CONVERGED)
    moved = lane._replace(
        weights=weights,
        lost=jnp.zeros_like(lane.lost),
        velocity=velocity,
        previous=after["previous"],
        excess=after["excess"],
        active=after["active"],
        status=jnp.where(after["active"], lane.status, ended),
        iteration=after["iteration"],
        walk=lane.walk - taken,
        walked=lane.walked + taken,
        gradients=lane.gradients + taken,
    )
    ready = (moved.walk <= 0) & moved.active
    return lax.cond(ready, partial(_look, motion), lambda lane: lane, moved)


def _look(motion: _Motion, lane: Lane) -> Lane:
    """Estimate after a walk how long a leap may be."""
    rules = motion.rules
    slow = motion.slow(lane)
    bound = rules.tolerance * jnp.max(jnp.abs(lane.weights))
    terms, probes = neglected(
        motion.change, slow, lane.velocity, rules.momentum, 1e-9 * bound
    )
    # Twice the iterations in which the increments change by as much as they are.
    change = 2 * terms[1] / jnp.maximum(terms[0], TINY)
    span = jnp.clip(2 / jnp.maximum(change, TINY), 1.0, 1e15)
    lane = lane._replace(terms=terms, span=span, gradients=lane.gradients + probes)
    if lane.velocity is not None:
        # The velocity must have settled, or the slow state is not all there is.
        order = jnp.asarray(LARGEST_ORDER - 3)
        velocity = motion.settled(slow, order)[1]
        gap = motion.lag * jnp.max(jnp.abs(velocity - lane.velocity))
        free = gap <= bound
        lane = lane._replace(
            walk=jnp.where(free, 0, lane.patience),
            patience=jnp.where(
                free, lane.patience, jnp.minimum(2 * lane.patience, LONG)
            ),
        )
    rested = _rested(motion, terms[0], lane.weights, lane.excess)
    if lane.velocity is not None:
        rested &= jnp.all(lane.weights + lane.velocity == lane.weights)
    return lane._replace(
        active=lane.active & ~rested,
        status=jnp.where(rested, STALLED, lane.status),
    )


def _record(
    motion: _Motion, measures: Measures, plan: Plan, lane: Lane, at: Any, last: Array
) -> Lane:
    """Record at every target up to `last`."""
    problem = motion.problem

    def due(lane: Lane) -> Array:
        return plan.targets[lane.slot] <= last

    def write(lane: Lane) -> Lane:
        weights = at(plan.targets[lane.slot])
        row = read_all(problem, problem.unpack(motion.restore(weights)), measures)
        columns = {
            name: lane.columns[name].at[lane.slot].set(value)
            for name, value in row.items()
        }
        place = plan.places[lane.slot]
        kept = lax.cond(
            place >= 0,
            lambda kept: kept.at[place].set(weights),
            lambda kept: kept,
            lane.kept,
        )
        return lane._replace(columns=columns, kept=kept, slot=lane.slot + 1)

    return lax.while_loop(due, write, lane)


def _advance(
    problem: Any,
    measures: Measures,
    like: Any,
    plan: Plan,
    rules: Rules,
    lanes: Lane,
    budget: Array,
    effort: Array,
) -> Lane:
    """Carry every lane on to `budget`, or until it has spent `effort` gradients."""
    restore = ravel_pytree(like)[1]

    def one(pair: tuple[Rules, Lane]) -> Lane:
        own, lane = pair
        motion = _Motion(problem, own, restore)
        allowed = lane.gradients + effort

        def going(lane: Lane) -> Array:
            moving = lane.active & (lane.iteration < budget)
            return moving & (lane.gradients < allowed)

        def move(lane: Lane) -> Lane:
            after = lax.cond(
                lane.walk > 0,
                partial(_walk, motion, plan, budget),
                partial(_try, motion, measures, plan, budget),
                lane,
            )
            kept = after.iteration - (after.status == DIVERGED)
            here = after.weights
            return _record(motion, measures, plan, after, lambda _: here, kept)

        here = lane.weights
        lane = _record(motion, measures, plan, lane, lambda _: here, lane.iteration)
        return lax.while_loop(going, move, lane)

    return lax.map(one, (rules, lanes))


advance = jax.jit(_advance, static_argnames=("measures",))
"""`_advance`, compiled; for layers wide enough to be multiplied on several cores."""

advance_on_one_core = jax.jit(
    _advance,
    static_argnames=("measures",),
    compiler_options={"xla_cpu_multi_thread_eigen": False},
)
"""The same for small layers on the CPU."""
