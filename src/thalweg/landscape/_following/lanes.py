"""Thousands of descents of one small net in one compiled program.

A lane is one run with a constant step of its own. Weights keep the lanes on their last
axis, so that a product of small matrices is a handful of long multiplications; from
`WIDE` on the lanes come first and the products are batched ones. A lane that has ended
is frozen, so what it ends with depends on nothing but its start and its step.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from thalweg._core.arrays import Array

RUNNING, ARRIVED, RESTED, SPENT, ROSE, BLOWN = range(6)
"""How a lane stands: ended at the accuracy, at rest, out of budget, with a loss that
rose, beyond float64."""

WIDE = 5
"""From this width on products are batched."""

RISE = 1e-10
"""A loss that rises by less, relative to itself and the labels', rose by rounding."""

BAND = 0.1
"""A run is near a saddle while its loss is the saddle's to this share."""


class Rules(NamedTuple):
    """What all lanes share.

    Attributes:
        inputs: The inputs' factor, `"in rank"`; `None` for white data.
        labels: The labels' factor, `"out rank"`.
        infimum: Infimum of the loss.
        energy: Half the square norm of the labels.
        accuracy: Excess loss at which a lane has arrived.
        budget: Most iterations of a lane.
        guarded: Whether a lane ends where its loss rises.
        levels: Excess losses of the saddles that count as near, `"level"`.
    """

    inputs: Array | None
    labels: Array
    infimum: Array
    energy: Array
    accuracy: Array
    budget: Array
    guarded: Array
    levels: Array


class Lanes(NamedTuple):
    """A block of runs; every leaf has the lanes on its last axis.

    Attributes:
        weights: One array `"out in lane"` a layer.
        step_size: Of every lane.
        excess: Excess loss at the last iterate looked at.
        limit: Excess loss at which the lane has diverged.
        iterations: Steps taken.
        near: Those of them taken near a saddle.
        state: How the lane stands.
    """

    weights: tuple[Any, ...]
    step_size: Any
    excess: Any
    limit: Any
    iterations: Any
    near: Any
    state: Any


class Algebra(NamedTuple):
    """Products of stacks of matrices, lanes last or lanes first."""

    batched: bool

    def times(self, left: Any, right: Any) -> Any:
        """Return the products of two stacks."""
        if self.batched:
            return left @ right
        total = left[:, 0, None, :] * right[None, 0, :, :]
        for k in range(1, left.shape[1]):
            total = total + left[:, k, None, :] * right[None, k, :, :]
        return total

    def flip(self, stack: Any) -> Any:
        """Return the transposes."""
        first, second = (-1, -2) if self.batched else (0, 1)
        return jnp.swapaxes(stack, first, second)

    def fixed(self, matrix: Any) -> Any:
        """Return one matrix as that of every lane."""
        return matrix if self.batched else matrix[:, :, None]

    def spread(self, numbers: Any) -> Any:
        """Return one number a lane, shaped to scale a stack."""
        return numbers[:, None, None] if self.batched else numbers

    def total(self, stack: Any) -> Any:
        """Return the sum of every lane's entries."""
        return jnp.sum(stack, axis=(1, 2) if self.batched else (0, 1))

    def same(self, one: Any, other: Any) -> Any:
        """Return which lanes' matrices are equal to the last bit."""
        return jnp.all(one == other, axis=(1, 2) if self.batched else (0, 1))

    def turn(self, stack: Any, *, back: bool = False) -> Any:
        """Return a stack with lanes last in this layout, or the other way."""
        if not self.batched:
            return stack
        return jnp.moveaxis(stack, 0, 2) if back else jnp.moveaxis(stack, 2, 0)


def algebra(shapes: tuple[tuple[int, ...], ...]) -> Algebra:
    """Return the quicker layout for layers of these shapes."""
    return Algebra(max(map(max, shapes)) >= WIDE)


def below(ops: Algebra, weights: Any, inputs: Array | None) -> list[Any]:
    """Return what every layer is applied to (`None`: the identity), and the whole."""
    parts: list[Any] = [None if inputs is None else ops.fixed(inputs)]
    for layer in weights:
        inner = parts[-1]
        parts.append(layer if inner is None else ops.times(layer, inner))
    return parts


def _step(ops: Algebra, rules: Rules, lanes: Lanes) -> Lanes:
    """Look at every running lane, end it or take its step."""
    inner = below(ops, lanes.weights, rules.inputs)
    error = inner[-1] - ops.fixed(rules.labels)
    excess = 0.5 * ops.total(error * error) - rules.infimum
    running = lanes.state == RUNNING
    allowed = lanes.excess + RISE * (lanes.excess + rules.energy)
    state = lanes.state
    for code, ended in (
        (SPENT, lanes.iterations >= rules.budget),
        (BLOWN, ~(excess < lanes.limit)),
        (ROSE, rules.guarded & ~(excess <= allowed)),
        (ARRIVED, excess <= rules.accuracy),
    ):
        state = jnp.where(running & ended, code, state)
    moving = state == RUNNING
    pace = ops.spread(jnp.where(moving, lanes.step_size, 0.0))
    rest = moving
    changed = []
    back = error
    for layer, under in zip(lanes.weights[::-1], inner[-2::-1], strict=True):
        slope = back if under is None else ops.times(back, ops.flip(under))
        new = layer - pace * slope
        rest = rest & ops.same(new, layer)
        changed.append(new)
        if len(changed) < len(lanes.weights):
            back = ops.times(ops.flip(layer), back)
    near = jnp.any(
        jnp.abs(excess[None] - rules.levels[:, None]) <= BAND * rules.levels[:, None],
        axis=0,
    )
    return lanes._replace(
        weights=tuple(changed[::-1]),
        excess=jnp.where(running, excess, lanes.excess),
        iterations=lanes.iterations + (moving & ~rest),
        near=lanes.near + (moving & ~rest & near),
        state=jnp.where(rest, RESTED, state),
    )


@partial(jax.jit, compiler_options={"xla_cpu_multi_thread_eigen": False})
def advance(rules: Rules, lanes: Lanes, steps: Array) -> Lanes:
    """Return the lanes after up to so many steps each.

    Args:
        rules: What all lanes share.
        lanes: The block.
        steps: How many steps to try.

    Returns:
        The block.
    """
    ops = algebra(tuple(layer.shape[:2] for layer in lanes.weights))
    laid = lanes._replace(weights=tuple(map(ops.turn, lanes.weights)))
    after = lax.fori_loop(0, steps, lambda _, now: _step(ops, rules, now), laid)
    back = tuple(ops.turn(layer, back=True) for layer in after.weights)
    return after._replace(weights=back)


@partial(jax.jit, compiler_options={"xla_cpu_multi_thread_eigen": False})
def first_look(rules: Rules, weights: tuple[Array, ...]) -> tuple[Array, Array]:
    r"""Return the excess loss of starts, and a bound on their sharpness.

    With $A_j$, $B_j$ the products of the layers above and below layer $j$ and $M_{ij}$
    of those between two, the Hessian's norm is at most
    $$\sum_j \|A_j\|^2 \|B_j\|^2
        + \|E\| \Big(2 \sum_{i > j} \|A_i\|^2 \|M_{ij}\|^2 \|B_j\|^2\Big)^{1/2},$$
    by Cauchy and Schwarz; spectral norms are bounded by Schatten's of order 8.

    Args:
        rules: What all lanes share.
        weights: The starts, lanes last.

    Returns:
        Both, one number a lane.
    """
    ops = algebra(tuple(layer.shape[:2] for layer in weights))
    laid = tuple(map(ops.turn, weights))
    depth = len(laid)
    inner = below(ops, laid, rules.inputs)
    error = inner[-1] - ops.fixed(rules.labels)
    excess = 0.5 * ops.total(error * error) - rules.infimum
    under = [1.0 if part is None else _norm(ops, part) for part in inner[:-1]]
    between: dict[tuple[int, int], Any] = {}
    for low in range(depth):
        product = None
        between[low, low + 1] = 1.0
        for high in range(low + 1, depth):
            layer = laid[high]
            product = layer if product is None else ops.times(layer, product)
            between[low, high + 1] = _norm(ops, product)
    over = [between[j, depth] for j in range(depth)]
    curved = sum(over[j] ** 2 * under[j] ** 2 for j in range(depth))
    mixed: Any = 0.0
    for low in range(depth):
        for high in range(low + 1, depth):
            mixed = mixed + (over[high] * between[low, high] * under[low]) ** 2
    bound = curved + _norm(ops, error) * jnp.sqrt(2 * mixed)
    return excess, jnp.broadcast_to(bound, excess.shape)


def _norm(ops: Algebra, stack: Any) -> Any:
    """Return Schatten's norm of order 8, at least the spectral one."""
    rows, columns = stack.shape[-2:] if ops.batched else stack.shape[:2]
    narrow = ops.flip(stack) if rows < columns else stack
    if narrow.ndim < 3:
        narrow = narrow[None]
    gram = ops.times(ops.flip(narrow), narrow)
    square = ops.times(gram, gram)
    return ops.total(square * square) ** 0.125
