r"""The field whose flow passes through the iterates of gradient descent.

A step of descent is a map $G$. Where it is close to the identity it is the time-one
map of the field $\log G = \Delta - \Delta^2/2 + \Delta^3/3 - \dots$, with $\Delta$ the
forward difference along the iterates. Cut after `order` terms it costs `order`
gradients and no derivative of one.

With momentum the velocity is a fast variable. In the slow one,
$U = W + \tfrac{\mu}{1-\mu} V$, a step is $U \leftarrow U - \tfrac{\eta}{1-\mu}
\nabla L(W)$, and after a while $V$ follows $U$:
$V = -\tfrac{\eta}{1-\mu} \sum_j (-\tfrac{\Delta}{1-\mu})^j \nabla L$, differences along
the iterates again. `follow` finds that velocity as a fixed point.
"""

from collections.abc import Callable
from math import comb
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax

from thalweg._core.arrays import Array

LARGEST_ORDER = 8
"""Beyond, true steps are cheaper than the series."""

TINY = 1e-300

ROUNDS = 12
"""Most rounds of the fixed point; it gains `step x curvature / (1 - momentum)^2`."""


def _differences(size: int) -> np.ndarray:
    """Return the coefficients of forward differences: row `j` is that of order `j`."""
    rows = [
        [(-1) ** (j - i) * comb(j, i) if i <= j else 0 for i in range(size)]
        for j in range(size)
    ]
    return np.array(rows, dtype=float)


DIFFERENCES = _differences(LARGEST_ORDER)
SERIES = np.array(
    [
        sum(
            ((-1) ** j / (j + 1) * DIFFERENCES[j] for j in range(order)),
            np.zeros(LARGEST_ORDER),
        )
        for order in range(LARGEST_ORDER + 1)
    ]
)
"""Row `order`: what each increment along the iterates weighs in the cut series."""

Change = Callable[[Array], Array]
"""What a step of plain descent adds to the weights: minus step times gradient."""


class Slow(NamedTuple):
    """The field at a slow state, and the velocity that follows it."""

    field: Array
    velocity: Array


def logarithm(change: Change, weights: Array, order: Array) -> Array:
    """Return the field of plain descent, cut after `order` terms."""

    def term(index: Array, carry: Any) -> Any:
        here, total = carry
        move = change(here)
        return here + move, total + jnp.asarray(SERIES)[order, index] * move

    begun = (weights, jnp.zeros_like(weights))
    return lax.fori_loop(0, order, term, begun)[1]


def follow(
    change: Change, slow: Array, order: Array, momentum: Array, precision: Array
) -> Slow:
    """Return the field of descent with momentum, and the velocity it slaves.

    Args:
        change: Minus step times gradient.
        slow: The slow state.
        order: Terms of both series.
        momentum: The coefficient, above 0 and below 1.
        precision: Change of the slow state by which the velocity may still err.

    Returns:
        Both; not a number where the fixed point does not settle.
    """
    lag = momentum / (1 - momentum)
    powers = (-1 / (1 - momentum)) ** jnp.arange(LARGEST_ORDER)
    kept = jnp.where(jnp.arange(LARGEST_ORDER) < order, powers, 0.0)
    slaving = kept @ jnp.asarray(DIFFERENCES)

    def run(velocity: Array) -> Slow:
        def term(index: Array, carry: Any) -> Any:
            here, speed, field, slaved = carry
            move = change(here - lag * speed)
            return (
                here + move / (1 - momentum),
                momentum * speed + move,
                field + jnp.asarray(SERIES)[order, index] * move,
                slaved + slaving[index] * move,
            )

        none = jnp.zeros_like(slow)
        ends = lax.fori_loop(0, order, term, (slow, velocity, none, none))
        return Slow(ends[2] / (1 - momentum), ends[3] / (1 - momentum))

    def unsettled(carry: Any) -> Array:
        _, gap, rounds = carry
        return (lag * gap > precision) & (rounds < ROUNDS)

    def improve(carry: Any) -> Any:
        found, _, rounds = carry
        better = run(found.velocity)
        gap = jnp.max(jnp.abs(better.velocity - found.velocity))
        return better, gap, rounds + 1

    first = run(change(slow) / (1 - momentum))
    found, gap, _ = lax.while_loop(unsettled, improve, (first, jnp.inf, 0))
    settled = lag * gap <= precision
    return Slow(*(jnp.where(settled, part, jnp.nan) for part in found))


def neglected(
    change: Change,
    slow: Array,
    velocity: Array | None,
    momentum: Array,
    enough: Array,
) -> tuple[Array, Array]:
    """Return how large the first neglected term is, for every order.

    Args:
        change: Minus step times gradient.
        slow: The weights, or with momentum the slow state.
        velocity: The velocity there, or `None`.
        momentum: Its coefficient; not used without a velocity.
        enough: Once a term is below this, no later one is computed.

    Returns:
        `LARGEST_ORDER + 1` bounds per iteration, that of order `k` at `k` (order 0
        neglects the increment itself), and how many gradients they took.
    """
    size = LARGEST_ORDER + 1
    lag = 0.0 if velocity is None else momentum / (1 - momentum)
    drag = jnp.ones(()) if velocity is None else 1 - momentum

    def going(carry: Any) -> Array:
        terms, count = carry[0], carry[1]
        return (count < size) & ((count < 2) | (terms[count - 1] > enough))

    def probe(carry: Any) -> Any:
        terms, count, here, speed, table = carry
        move = change(here - lag * speed) / drag

        # Row j of the table: the difference of order j that ends at this increment.
        def difference(order: Array, state: Any) -> Any:
            below, rows = state
            kept = rows[order]
            return below - kept, rows.at[order].set(below)

        top, table = lax.fori_loop(0, count, difference, (move, table))
        table = table.at[count].set(top)
        largest = jnp.max(jnp.abs(top))
        # The slaved velocity errs by more than the series does, but counts for less.
        growth = terms[1] * 2 / jnp.maximum(terms[0], TINY)
        growth = jnp.where(count > 1, growth, 0.0)
        size_here = jnp.maximum(
            largest / (count + 1), lag * growth * largest / drag**count
        )
        return (
            jnp.where(jnp.arange(size) >= count, size_here, terms),
            count + 1,
            here + move,
            momentum * speed + move * drag,
            table,
        )

    speed = jnp.zeros_like(slow) if velocity is None else velocity
    table = jnp.zeros((size, *slow.shape))
    begun = (jnp.zeros(size), jnp.asarray(0), slow, speed, table)
    terms, count, *_ = lax.while_loop(going, probe, begun)
    return terms, count
