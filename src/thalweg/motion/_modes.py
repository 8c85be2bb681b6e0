r"""How an aligned mode moves: its strength in time, and time in its strength.

A mode of a target's singular value $s$ passes through one number a layer, and

$$\dot a_j = (s - u) \prod_{k \ne j} a_k, \qquad u = \prod_k a_k,$$

so every $a_j^2 - a_k^2$ is constant: all layers are functions of the smallest, and
time is an integral over $u$,

$$\dot u = (s - u)\, u^2 \sum_j a_j^{-2}.$$

For one and two layers the solution is written out. Deeper, the integral is taken
along the logit of $u/s$ (towards $s$) or the logarithm of $u$ (towards zero), on
which its integrand is smooth whatever the depth, and inverted by Newton's method:
both to rounding. For equal layers it is the hypergeometric function of the tests.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from thalweg._core.arrays import EPS, real
from thalweg._core.errors import DomainError, positive, whole

NODES, WEIGHTS = np.polynomial.legendre.leggauss(16)
SATURATED = 40.0
"""Logit from which a strength equals its limit in float64."""
VANISHED = 740.0
"""Minus the logarithm at which a strength leaves float64."""
CROSSING = 1e-9
"""Of the next layer's strength: so near zero a crossing layer moves linearly."""
FOREVER = 1e300
"""A time at which nothing moves any more, in place of infinity."""

_Array = np.ndarray


def mode_time(strength: Any, start: Any, target: Any, depth: int | None = None) -> Any:
    r"""Return the flow time at which an aligned mode has a given strength.

    For equal layers $\dot u = N u^{2 - 2/N} (s - u)$. One layer:
    $t = \ln\frac{s - u_0}{s - u}$; two: $t = \frac1{2s} \ln\frac{u (s - u_0)}
    {u_0 (s - u)}$; with $c = |a^2 - b^2|$ and $\kappa = \sqrt{c^2 + 4s^2}$, two
    unequal layers: $t = \frac1\kappa \bigl[\ln\frac{c^2 + 4su + \kappa \sqrt{c^2 +
    4u^2}}{s - u}\bigr]_{u_0}^u$.

    Args:
        strength: The strength $u$ of the product to reach; an array broadcasts.
        start: With `depth`, the product's strength at the start, spread equally over
            the layers; without, the strengths of the layers along the last axis.
        target: The target's singular value $s$; may be zero or negative.
        depth: Number of layers, `>= 1`.

    Returns:
        Flow times: 0 at the start, infinity at the limit, NaN where the mode never
        has that strength after the start.

    Example:
        >>> round(float(mode_time(1.0, 0.01, 2.0, depth=2)), 12)
        1.323326206181
        >>> np.round(mode_time([0.5, 1.9], 0.1, 2.0, depth=3), 9).tolist()
        [0.585188427, 1.138104737]

    Source:
        Saxe, McClelland, Ganguli, equations (10) and (15); appendix A corrected.
    """
    return _each(strength, start, target, depth, lambda mode, u: mode.time(u))


def mode_strength(time: Any, start: Any, target: Any, depth: int | None = None) -> Any:
    r"""Return the strength of an aligned mode at a flow time.

    Two equal layers: $u = s e^{2st} / (e^{2st} - 1 + s/u_0)$.

    Args:
        time: Flow times, `>= 0`; infinity gives the limit; an array broadcasts.
        start: As in `mode_time`.
        target: As in `mode_time`.
        depth: As in `mode_time`.

    Returns:
        The strengths of the product.

    Raises:
        DomainError: If a time is negative or NaN.

    Example:
        >>> np.round(mode_strength([1.0, 2.0, np.inf], 0.01, 2.0, depth=2), 9).tolist()
        [0.430587921, 1.874841114, 2.0]
        >>> round(float(mode_strength(1.0, [1.2, 0.1], 1.5)), 9)
        1.365690962

    Source:
        Saxe, McClelland, Ganguli, equation (9); appendix A corrected.
    """
    times = np.asarray(time, dtype=np.float64)
    if not np.all(times >= 0):
        raise DomainError(f"time is {time}; every flow time must be a number >= 0.")
    return _each(times, start, target, depth, lambda mode, t: mode.strength(t))


def learning_time(
    start: Any, target: Any, depth: int | None = None, fraction: float = 0.5
) -> Any:
    """Return the flow time after which a mode has a fraction of its target.

    Args:
        start: As in `mode_time`.
        target: As in `mode_time`.
        depth: As in `mode_time`.
        fraction: Of the target, above 0 and below 1.

    Returns:
        Flow times; NaN for modes that never get there.

    Raises:
        DomainError: If the fraction is out of its domain.

    Example:
        >>> np.round(learning_time(1e-4, 1.0, depth=3), 2).tolist()
        20.69
    """
    if not 0 < fraction < 1:
        raise DomainError(f"fraction is {fraction}; it must be above 0 and below 1.")
    goal = fraction * np.asarray(target, dtype=np.float64)
    return mode_time(goal, start, target, depth)


def escape_time(start: Any, target: Any, depth: int) -> Any:
    r"""Return what `learning_time` tends to for small equal starts.

    Two layers: $\frac1{2s} \ln\frac s{u_0}$, deeper
    $\frac{u_0^{-(1 - 2/N)}}{(N - 2) s}$: a logarithm of the start for two layers, a
    power of it for more.

    Args:
        start: The product's strength at the start, `> 0`; an array broadcasts.
        target: The target's singular value, `> 0`.
        depth: Number of layers, `>= 2`.

    Returns:
        Flow times, whatever the fraction: the rest is a bounded time.

    Raises:
        DomainError: If a number is out of its domain.

    Example:
        >>> [round(float(escape_time(1e-4, 1.0, depth)), 2) for depth in (2, 3, 4)]
        [4.61, 21.54, 50.0]

    Source:
        Saxe, McClelland, Ganguli, equations (11) and (15).
    """
    depth = whole("depth", depth, least=2)
    small, goal = np.asarray(real("start", start)), np.asarray(real("target", target))
    if not (np.all(small > 0) and np.all(goal > 0)):
        raise DomainError("start and target must be positive; others escape nothing.")
    if depth == 2:
        return np.log(goal / small) / (2 * goal)
    return small ** (2 / depth - 1) / ((depth - 2) * goal)


def move_modes(
    layers: _Array, targets: _Array, times: _Array, noise: _Array
) -> _Array:
    """Return the strength of every layer of every mode at every time.

    Args:
        layers: Strengths at the start, `"layer mode"`, of any sign.
        targets: Singular values of the target, `"mode"`.
        times: Flow times, `>= 0`, infinity among them.
        noise: Rounding of the strengths, `"layer"`; strengths nearer to each other
            count as equal.

    Returns:
        The strengths, `"time layer mode"`.
    """
    clock = np.minimum(times, FOREVER)
    if len(layers) == 1:
        gap = np.exp(-clock)[:, None] * (layers[0] - targets)
        return (targets + gap)[:, None, :]
    if len(layers) == 2:
        return _move_pairs(layers, targets, clock, noise)
    modes = [_Mode(a, float(s), noise) for a, s in zip(layers.T, targets, strict=True)]
    return np.stack([mode.layers(clock) for mode in modes], axis=2)


def _each(
    values: Any,
    start: Any,
    target: Any,
    depth: int | None,
    read: Callable[["_Mode", _Array], _Array],
) -> Any:
    """Read values mode by mode, each mode prepared once."""
    layers, goals = np.asarray(real("start", start)), np.asarray(real("target", target))
    if depth is not None:
        layers = _spread(layers, whole("depth", depth, least=1))
    if layers.ndim == 0 or layers.shape[-1] == 0:
        raise DomainError(
            f"start is {start} without a depth; pass depth, or the strength of each "
            "layer."
        )
    values = np.asarray(values, dtype=np.float64)
    modes = np.broadcast_shapes(layers.shape[:-1], goals.shape)
    shape = np.broadcast_shapes(values.shape, modes)
    which = np.broadcast_to(np.arange(np.prod(modes, dtype=int)).reshape(modes), shape)
    goals = np.broadcast_to(goals, modes).ravel()
    layers = np.broadcast_to(layers, (*modes, layers.shape[-1]))
    layers = layers.reshape(-1, layers.shape[-1])
    values, found = np.broadcast_to(values, shape), np.empty(shape)
    for index, (strengths, goal) in enumerate(zip(layers, goals, strict=True)):
        mode = _Mode(strengths, float(goal), 4 * EPS * np.abs(strengths))
        found[which == index] = read(mode, values[which == index])
    return found[()]


def _spread(products: _Array, depth: int) -> _Array:
    """Spread products equally over layers; the first layer bears the sign."""
    sizes = np.abs(products) ** (1 / depth)
    return np.stack([np.copysign(sizes, products), *[sizes] * (depth - 1)], axis=-1)


def _move_pairs(
    layers: _Array, targets: _Array, clock: _Array, noise: _Array
) -> _Array:
    """Return both layers of two-layer modes: the Riccati solution of width one."""
    first, second = layers
    equal = np.abs(np.abs(first) - np.abs(second)) <= noise.sum()
    second = np.where(equal, np.copysign(first, second), second)
    half_gap = (second - first) * (second + first) / 2
    rate = np.hypot(targets, half_gap)
    # The growing direction of [[-gap, s], [s, gap]], free of cancellation.
    low = np.where(half_gap >= 0, targets, rate - half_gap)
    high = np.where(half_gap >= 0, rate + half_gap, targets)
    size = np.hypot(low, high)
    low = np.divide(low, size, out=np.zeros_like(size), where=size > 0)
    high = np.divide(high, size, out=np.ones_like(size), where=size > 0)
    growing, falling = low * first + high * second, high * first - low * second
    time = clock[:, None]
    with np.errstate(over="ignore", under="ignore"):
        fade = np.exp(-rate * time)
        spent = _saturating(2 * rate, time)
        norm = np.hypot(fade * np.sqrt(1 + spent * falling**2), np.sqrt(spent) * growing)
        zero = np.zeros_like(norm)
        up = np.divide(np.broadcast_to(growing, norm.shape), norm, zero, where=norm > 0)
        down = fade * falling * np.divide(fade, norm, zero.copy(), where=norm > 0)
    return np.stack([low * up + high * down, high * up - low * down], axis=1)


def _saturating(rate: _Array, time: _Array) -> _Array:
    """Return the integral of `exp(-rate t)` from 0 to `time`, for `rate >= 0`."""
    safe = np.where(rate > 0, rate, 1.0)
    return np.where(rate > 0, -np.expm1(-safe * time) / safe, time)


@dataclass(frozen=True)
class _Shape:
    """How the layers of a mode hang together.

    Attributes:
        ties: How many layers are as small as the smallest.
        squares: By how much the squares of others exceed it, each value once.
        counts: How many layers share it.
    """

    ties: int
    squares: _Array
    counts: _Array

    def log_square(self, log_product: _Array) -> _Array:
        """Return the logarithm of the smallest square, from that of the product."""
        wanted = 2 * log_product
        if not self.squares.size:
            return wanted / self.ties
        logs = np.log(self.squares)
        most = (wanted - self.counts @ logs) / self.ties
        found = np.minimum(most, wanted / (self.ties + self.counts.sum()))
        for _ in range(60):
            # Convex, and from the right: Newton's steps never overshoot.
            over = np.logaddexp(found[..., None], logs)
            miss = self.ties * found + over @ self.counts - wanted
            step = miss / (self.ties + np.exp(found[..., None] - over) @ self.counts)
            found = found - step
            if np.all(np.abs(step) <= 2 * EPS * (1 + np.abs(found))):
                break
        return found

    def log_pace(self, log_product: _Array) -> _Array:
        r"""Return the logarithm of $u \sum_j a_j^{-2}$."""
        square = self.log_square(log_product)
        share = 1 / (1 + self.squares * np.exp(-square[..., None]))
        return log_product - square + np.log(self.ties + share @ self.counts)


@dataclass(frozen=True)
class _Leg:
    """A stretch on which a mode's strength moves one way and keeps its sign.

    Attributes:
        shape: How its layers hang together.
        goal: Size of the target.
        toward: What it moves to: `above` or `below` say from where to the goal,
            `zero` that the goal has the other sign.
        sign: Of the strength, beside that of the start.
        begin: Time at which it begins.
        edges: Panels of the variable.
    """

    shape: _Shape
    goal: float
    toward: str
    sign: int
    begin: float
    edges: _Array

    def variable(self, size: _Array) -> _Array:
        """Return the variable of a strength's size."""
        with np.errstate(divide="ignore", invalid="ignore"):
            if self.toward == "zero":
                return -np.log(size)
            return np.log(size / np.abs(self.goal - size))

    def log_size(self, variable: _Array) -> _Array:
        """Return the logarithm of the strength's size."""
        if self.toward == "zero":
            return -variable
        if self.toward == "below":
            return np.log(self.goal) - np.logaddexp(0, -variable)
        return np.log(self.goal) - np.log(-np.expm1(-variable))

    def slowness(self, variable: _Array) -> _Array:
        """Return time by the variable."""
        log_size = self.log_size(variable)
        pull = self.goal + (np.exp(log_size) if self.toward == "zero" else 0.0)
        with np.errstate(over="ignore"):
            return np.exp(-self.shape.log_pace(log_size)) / pull

    def spent(self, left: _Array, right: _Array) -> _Array:
        """Return the time from one value of the variable to another."""
        half = (right - left) / 2
        inner = left[..., None] + half[..., None] * (NODES + 1)
        return half * (self.slowness(inner) @ WEIGHTS)

    @cached_property
    def clock(self) -> _Array:
        """Return the times at the edges."""
        passed = np.cumsum(self.spent(self.edges[:-1], self.edges[1:]))
        return self.begin + np.concatenate([[0.0], passed])

    def time(self, size: _Array) -> _Array:
        """Return the times at which the strength has a size; NaN outside."""
        variable = self.variable(size)
        inside = (variable >= self.edges[0]) & (variable <= self.edges[-1])
        near = np.where(inside, variable, self.edges[0])
        panel = np.searchsorted(self.edges[1:-1], near, side="right")
        times = self.clock[panel] + self.spent(self.edges[panel], near)
        return np.where(inside, times, np.nan)

    def log_size_at(self, times: _Array) -> _Array:
        """Return the logarithm of the size at times of this leg."""
        panel = np.searchsorted(self.clock[1:-1], times, side="right")
        left, right = self.edges[panel], self.edges[panel + 1]
        passed, all_of_it = times - self.clock[panel], np.diff(self.clock)[panel]
        with np.errstate(invalid="ignore"):
            share = np.clip(np.nan_to_num(passed / all_of_it), 0.0, 1.0)
        found = left + share * (right - left)
        for _ in range(60):
            miss = self.spent(left, found) - passed
            step = np.nan_to_num(miss / self.slowness(found))
            after = np.clip(found - step, left, right)
            moved, found = np.abs(after - found), after
            if np.all(moved <= 2 * EPS * (1 + np.abs(found))):
                break
        return self.log_size(found)


@dataclass(frozen=True)
class _Crossing:
    """The moment in which the smallest layer passes zero, or leaves it.

    Attributes:
        goal: Size of the target.
        others: Product of the other layers.
        first: Strength at its begin, at most 0, towards the goal positive.
        last: Strength at its end.
        begin: Time at which it begins.
    """

    goal: float
    others: float
    first: float
    last: float
    begin: float

    def time(self, strength: _Array) -> _Array:
        """Return when a strength is had; NaN outside."""
        inside = (strength >= self.first) & (strength <= self.last)
        near = np.where(inside, strength, self.first)
        passed = np.log1p((near - self.first) / (self.goal - near)) / self.others**2
        return np.where(inside, self.begin + passed, np.nan)

    @property
    def end(self) -> float:
        """Return when it ends."""
        return float(self.time(np.asarray(self.last)))

    def smallest_at(self, times: _Array) -> _Array:
        """Return the smallest layer, towards the goal positive."""
        passed = (times - self.begin) * self.others**2
        strength = self.first * np.exp(-passed) - self.goal * np.expm1(-passed)
        return strength / self.others


class _Mode:
    """One aligned mode of depth two or more, laid out in legs.

    Every size is taken beside the sign of the product at the start (or, from zero,
    of where it goes).
    """

    def __init__(self, layers: _Array, target: float, noise: _Array) -> None:
        sizes = np.abs(layers)
        self.smallest = int(np.argmin(sizes))
        least = sizes[self.smallest]
        level = sizes - least <= noise + noise[self.smallest]
        self.squares = np.where(level, 0.0, (sizes - least) * (sizes + least))
        self.least = float(least)
        values, counts = np.unique(self.squares[~level], return_counts=True)
        self.shape = _Shape(int(level.sum()), values, counts.astype(float))
        self.signs = np.where(layers < 0, -1.0, 1.0)
        if least == 0 and np.prod(self.signs) * target < 0:
            self.signs[self.smallest] *= -1
        self.sign = float(np.prod(self.signs))
        self.target = self.sign * target
        self.start = self.strengths(np.asarray(self.least))

    def strengths(self, smallest: _Array) -> _Array:
        """Return the product, beside its sign at the start."""
        others = np.sqrt(smallest[..., None] ** 2 + self.squares)
        others[..., self.smallest] = smallest
        return np.prod(others, axis=-1)

    @cached_property
    def legs(self) -> list[Any]:
        """Return the legs in order; none for a mode at rest."""
        goal, start, ties = abs(self.target), float(self.start), self.shape.ties
        if self.target > 0 and 0 < start != goal:
            return [self._approach(start, 0.0)]
        others = float(np.sqrt(np.prod(self.squares[self.squares > 0])))
        if start == self.target or start == 0 and (ties > 1 or others * goal == 0):
            return []
        if goal == 0 or ties > 1:
            return [self._decay(start, VANISHED)]
        near = others * float(np.sqrt(self.shape.squares.min(initial=goal**2)))
        near = min(CROSSING * near, goal / 2)
        legs: list[Any] = [self._decay(start, -np.log(near))] if near < start else []
        begin = float(legs[0].clock[-1]) if legs else 0.0
        crossing = _Crossing(goal, others, -min(near, start), near, begin)
        return [*legs, crossing, self._approach(near, crossing.end)]

    def time(self, strength: _Array) -> _Array:
        """Return when the product has these strengths."""
        strength = self.sign * strength
        found = np.where(strength == self.start, 0.0, np.nan)
        limit = float(self.strengths(np.asarray(self._limit)))
        for leg in self.legs:
            side = 1.0 if _keeps_sign(leg) else np.sign(self.target)
            found = np.where(np.isnan(found), leg.time(side * strength), found)
        return np.where((strength == limit) & np.isnan(found), np.inf, found)

    def strength(self, times: _Array) -> _Array:
        """Return the product at these times."""
        return self.sign * self.strengths(self._smallest_at(times))

    def layers(self, times: _Array) -> _Array:
        """Return every layer at these times, `"time layer"`."""
        smallest = self._smallest_at(times)
        sizes = np.sqrt(smallest[:, None] ** 2 + self.squares)
        sizes[:, self.smallest] = smallest
        return self.signs * sizes
