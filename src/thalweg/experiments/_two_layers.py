r"""Gradient descent of small two-layer nets on white inputs, many steps, several nets.

A net takes the $n$ unit vectors to $U \sigma(V^\top)$, $U$ of shape `"out hidden"` and
$V$ `"in hidden"`; the loss is the mean of the squared entries of its distance from
$Y$. The gradient is written by hand, and nets of one activation move side by side in
one compiled loop: a step of a net of widths 10-50-5 costs two microseconds.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg._core.arrays import Array


@dataclass(frozen=True)
class Hidden:
    r"""An activation, and the quantity its two-layer nets conserve on white inputs.

    Attributes:
        value: The activation.
        slope: Its derivative, as a function of its value.
        weight: What half the squared norm of $U$ is multiplied by in the quantity.
        potential: $\int \sigma / \sigma'$, times `weight`.
    """

    value: Callable[[Any], Any]
    slope: Callable[[Any], Any]
    weight: float
    potential: Callable[[Any], Any]


HIDDEN = {
    "linear": Hidden(lambda x: x, jnp.ones_like, 2.0, lambda x: x**2),
    "relu": Hidden(
        lambda x: jnp.maximum(x, 0.0),
        lambda s: jnp.where(s > 0, 1.0, 0.0),
        2.0,
        lambda x: np.maximum(x, 0.0) ** 2,
    ),
    "tanh": Hidden(jnp.tanh, lambda s: 1 - s * s, 2.0, lambda x: np.cosh(x) ** 2),
    "sigmoid": Hidden(
        lambda x: 0.5 + 0.5 * jnp.tanh(0.5 * x),
        lambda s: s * (1 - s),
        1.0,
        lambda x: x + np.exp(x),
    ),
}
"""The activations of the paper's figures, with its normalisation of the quantity."""


@dataclass(frozen=True)
class Course:
    """Nets of one activation, moved.

    Attributes:
        iterations: Where they were recorded, `"time"`.
        loss: Frobenius distance from the labels, `"time run"`.
        conserved: The conserved quantity, `"time run"`.
        scale: The same with a plus for the minus, at the start, `"run"`.
    """

    iterations: np.ndarray
    loss: np.ndarray
    conserved: np.ndarray
    scale: np.ndarray


def descend_side_by_side(
    activation: str,
    start: tuple[np.ndarray, np.ndarray],
    labels: np.ndarray,
    step_sizes: np.ndarray,
    iterations: np.ndarray,
) -> Course:
    """Descend from several starts, one step size each.

    Args:
        activation: One of `HIDDEN`.
        start: $U$, `"run out hidden"`, and $V$, `"run in hidden"`.
        labels: $Y$, `"out in"`.
        step_sizes: One a run, `> 0`.
        iterations: Where to record, increasing from 0.

    Returns:
        The course.
    """
    weights = tuple(jnp.asarray(layer) for layer in start)
    wanted, steps = jnp.asarray(labels), jnp.asarray(step_sizes)[:, None, None]
    kept = [weights]
    for count in np.diff(iterations):
        kept.append(_moved(activation, kept[-1], wanted, steps, int(count)))
    last = np.stack([np.asarray(one[0]) for one in kept])
    first = np.stack([np.asarray(one[1]) for one in kept])
    outer = HIDDEN[activation].weight / 2 * np.sum(last**2, axis=(2, 3))
    inner = np.sum(HIDDEN[activation].potential(first), axis=(2, 3))
    features = np.asarray(HIDDEN[activation].value(jnp.asarray(first)))
    gap = labels - last @ np.swapaxes(features, 2, 3)
    return Course(
        iterations=np.asarray(iterations),
        loss=np.sqrt(np.sum(gap**2, axis=(2, 3))),
        conserved=outer - inner,
        scale=(outer + inner)[0],
    )


def compile_first(activation: str, runs: int, widths: tuple[int, int, int]) -> None:
    """Compile the loop, so that a clock started after it measures steps alone.

    Args:
        activation: One of `HIDDEN`.
        runs: How many nets will move side by side.
        widths: Of input, hidden layer and output.
    """
    inputs, hidden, outputs = widths
    weights = (jnp.zeros((runs, outputs, hidden)), jnp.zeros((runs, inputs, hidden)))
    labels = jnp.zeros((outputs, inputs))
    _moved(activation, weights, labels, jnp.ones((runs, 1, 1)), 0)


@partial(jax.jit, static_argnums=0)
def _moved(
    activation: str,
    weights: tuple[Array, ...],
    labels: Array,
    steps: Array,
    count: Any,
) -> tuple[Array, ...]:
    """Return the weights after so many steps."""
    hidden = HIDDEN[activation]
    share = 2 / labels.size

    def step(_: Any, layers: tuple[Array, ...]) -> tuple[Array, ...]:
        last, first = layers
        features = hidden.value(first)
        outputs = jnp.einsum("rmk,rnk->rmn", last, features)
        pull = share * steps * (outputs - labels)
        back = jnp.einsum("rmn,rmk->rnk", pull, last) * hidden.slope(features)
        return last - jnp.einsum("rmn,rnk->rmk", pull, features), first - back

    return jax.lax.fori_loop(0, count, step, weights)
