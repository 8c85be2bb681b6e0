r"""How many directions all losses together can move the weights in, exactly.

Let $X_E$ be the fields the losses can follow, $E$ any matrix; what they keep is what
the Lie algebra they generate annihilates, so the laws are as many as the weights less
the dimension of that algebra at a generic point. Along a curve $\dot w = X_{E(s)}(w)$
put $y^{(0)} = Y(w)$ for a field $Y$ of the family and

$$y^{(k+1)} = \dot y^{(k)} - DX_{E(s)}(w)\, y^{(k)}.$$

Every $y^{(k)}(0)$ is the value of an iterated bracket. *The first level that adds
nothing is the last*: read $y^{(k)}$ as a rational function of $w$ and of the
coefficients $E_0, E_1, \dots$ of the curve's control. If the span $S$ of the levels
up to $k$, over these functions, contains level $k + 1$, it is kept by the derivation
$\mathrm{ad}_{X_{E_0}} + \sum_i (i+1) E_{i+1} \partial_{E_i}$. The highest coefficient
enters linearly and is free, so $\partial_{E_k}$ keeps $S$, which then has a basis
without $E_k$; so on downwards. Then $S$ depends on $w$ alone and is kept by every
$\mathrm{ad}_{X_E}$: it is the whole algebra.

Ranks are taken at a random whole point modulo a prime: they are never too large, and
too small only where a polynomial happens to vanish.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import nmod_mat

from thalweg.landscape._counting.fields import PRIME, Net, Series, State, mod, random

CURVES = 32
"""The most curves along which brackets are taken at a time."""


def rank(rows: np.ndarray) -> int:
    """Return the rank modulo the prime of a matrix of residues."""
    if not rows.size:
        return 0
    entries = (rows % PRIME).astype(np.int64).ravel().tolist()
    return int(nmod_mat(rows.shape[0], rows.shape[1], entries, PRIME).rank())


@dataclass(frozen=True)
class Flow:
    """Gradient flow: a state is the weights.

    Attributes:
        net: The network.
    """

    net: Net

    @property
    def size(self) -> int:
        """Return the dimension of the space of states."""
        return self.net.parameters

    def draw(self, generator: np.random.Generator) -> State:
        """Return a random state."""
        return self.net.draw(generator)

    def velocity(self, state: State, error: Series) -> State:
        """Return the controlled field along a curve."""
        return self.net.gradient(state, error)

    def fields(self, state: State, errors: Series) -> State:
        """Return the fields in which the control can push."""
        return self.net.gradient(state, errors)

    def slope(self, state: State, error: Series, moves: State) -> State:
        """Return the derivative of the velocity along moves."""
        return self.net.slope(state, error, moves)

    def flat(self, moves: State) -> np.ndarray:
        """Return the moves at the curve's beginning, `"run coordinate"`."""
        return self.net.flat(moves)


@dataclass(frozen=True)
class HeavyBall:
    r"""Momentum, $\ddot w + \dot w = -\nabla L$: weights and velocities.

    Any other friction above zero is this one in another unit of time. Laws may depend
    on time: the clock adds one coordinate, and the drift one direction.

    Attributes:
        net: The network.
    """

    net: Net

    @property
    def size(self) -> int:
        """Return the dimension of the space of states."""
        return 2 * self.net.parameters

    def draw(self, generator: np.random.Generator) -> State:
        """Return a random state."""
        speeds = [random(generator, (1, 1, 1, *s)) for s in self.net.shapes]
        kept = [v * free for v, free in zip(speeds, self.net.free, strict=True)]
        return (*self.net.draw(generator), *kept)

    def velocity(self, state: State, error: Series) -> State:
        """Return the drift and the push along a curve."""
        weights, speeds = _halves(state)
        push = self.net.gradient(weights, error)
        return (*speeds, *(mod(f - v) for f, v in zip(push, speeds, strict=True)))

    def fields(self, state: State, errors: Series) -> State:
        """Return the fields in which the control can push: the velocities'."""
        push = self.net.gradient(_halves(state)[0], errors)
        return (*map(np.zeros_like, push), *push)

    def slope(self, state: State, error: Series, moves: State) -> State:
        """Return the derivative of the velocity along moves."""
        shifts, gains = _halves(moves)
        push = self.net.slope(_halves(state)[0], error, shifts)
        turned = (mod(f - v[: len(f)]) for f, v in zip(push, gains, strict=True))
        return (*gains, *turned)

    def flat(self, moves: State) -> np.ndarray:
        """Return the moves at the curve's beginning, `"run coordinate"`."""
        return np.concatenate([self.net.flat(half) for half in _halves(moves)], axis=1)


@dataclass(frozen=True)
class Span:
    """The directions found at a point.

    Attributes:
        dimension: How many; a lower bound on the Lie algebra's dimension.
        levels: Derivatives along the curve that were taken.
        point: The state they were found at.
    """

    dimension: int
    levels: int
    point: State


def span(system: Flow | HeavyBall, seed: int, target: int | None = None) -> Span:
    """Return the directions the fields generate at a random point.

    Args:
        system: Gradient flow or momentum.
        seed: Of the point and of the curves.
        target: A proven upper bound on the dimension, to stop at: many short curves
            reach it sooner than a long one.

    Returns:
        The first of the levels that reaches the target, or adds nothing.
    """
    if target is not None:
        found = _climb(system, seed, target, curves=_enough(system, target))
        if found.dimension == target:
            return found
    return _climb(system, seed, system.size, curves=1)


def _climb(system: Flow | HeavyBall, seed: int, target: int, *, curves: int) -> Span:
    levels = 1
    while True:
        generator = np.random.default_rng(seed)
        point = system.draw(generator)
        found = 0
        rows = np.empty((0, system.size))
        control = _controls(system, levels, curves, generator)
        for level, more in enumerate(_levels(system, point, *control)):
            rows = np.concatenate([rows, more])
            count = rank(rows)
            rows = mod(random(generator, (count, len(rows))) @ rows)
            if count in (found, target):
                return Span(count, level, point)
            found = count
        levels *= 2


def _runs(system: Any) -> int:
    """Return how many fields span all those of the family at a point."""
    rows, columns = system.net.shapes[-1][0], system.net.shapes[0][1]
    return min(rows * columns, system.net.parameters)


def _enough(system: Any, target: int) -> int:
    """Return a number of curves that a few levels on suffice for a dimension."""
    return max(1, min(CURVES, target // (4 * _runs(system))))


def _controls(
    system: Any, order: int, curves: int, generator: np.random.Generator
) -> tuple[Series, Series]:
    """Return a random control for every curve, and random constant fields."""
    shape = (system.net.shapes[-1][0], system.net.shapes[0][1])
    errors = np.zeros((order + 1, 1, _runs(system), *shape))
    errors[0] = random(generator, errors.shape[1:])
    return random(generator, (order + 1, curves, 1, *shape)), errors


def _levels(
    system: Any, point: State, control: Series, errors: Series
) -> Iterator[np.ndarray]:
    """Yield the values at the point of level after level."""
    curve = _curve(system, point, control)
    moves = system.fields(curve, errors)
    yield system.flat(tuple(x[:, :1] for x in moves))
    for _ in control[1:]:
        slopes = system.slope(curve, control, tuple(x[:-1] for x in moves))
        moves = tuple(
            mod(_derived(x) - slope) for x, slope in zip(moves, slopes, strict=True)
        )
        yield system.flat(moves)


def _curve(system: Any, point: State, control: Series) -> State:
    """Return the solutions from a point under controls, as series."""
    state = tuple(np.repeat(x, control.shape[1], axis=1) for x in point)
    for k in range(len(control) - 1):
        speed = system.velocity(state, control[: k + 1])
        unit = pow(k + 1, -1, PRIME)
        unit -= PRIME * (unit > PRIME // 2)
        state = tuple(
            np.concatenate([x, mod(v[k : k + 1] * float(unit))])
            for x, v in zip(state, speed, strict=True)
        )
    return state


def _derived(series: Series) -> Series:
    orders = np.arange(1, len(series)).reshape(-1, *(1,) * (series.ndim - 1))
    return mod(series[1:] * orders)


def _halves(state: State) -> tuple[State, State]:
    half = len(state) // 2
    return state[:half], state[half:]
