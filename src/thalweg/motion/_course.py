r"""The course of an aligned mode through any number of layers, by one integral.

Every $a_j^2 - a_k^2$ is constant, so all layers are functions of the smallest, and
time is an integral over the product $u$:

$$\dot u = (s - u)\, u^2 \sum_j a_j^{-2}.$$

It is taken along the logit of $u/s$ (towards $s$) or the logarithm of $u$ (towards
zero), on which its integrand is smooth whatever the depth, and inverted by Newton's
method: both to rounding. For equal layers it is a hypergeometric function of $u/s$.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from thalweg._core.arrays import EPS

_Array = np.ndarray

NODES, WEIGHTS = np.polynomial.legendre.leggauss(16)
SATURATED = 40.0
"""Logit from which a strength equals its limit in float64."""
VANISHED = 740.0
"""Minus the logarithm at which a strength leaves float64."""
CROSSING = 1e-9
"""Of the next layer's strength: so near zero a crossing layer moves linearly."""
FOREVER = 1e300
"""A time at which nothing moves any more, in place of infinity."""


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
        over = np.logaddexp(square[..., None], np.log(self.squares))
        share = np.exp(square[..., None] - over)
        return log_product - square + np.log(self.ties + share @ self.counts)


@dataclass(frozen=True)
class _Leg:
    """A stretch on which a strength keeps its sign and moves one way.

    Attributes:
        shape: How the layers hang together.
        goal: Size of the target.
        toward: What the strength moves to: the goal from `above` or `below`, or
            `zero`, where target and strength have different signs.
        side: Sign of the strength, beside that of the start.
        begin: Time at which it begins.
        edges: Panels of the variable.
    """

    shape: _Shape
    goal: float
    toward: str
    side: float
    begin: float
    edges: _Array

    @cached_property
    def clock(self) -> _Array:
        """Return the times at the edges."""
        passed = np.cumsum(self._spent(self.edges[:-1], self.edges[1:]))
        return self.begin + np.concatenate([[0.0], passed])

    @property
    def end(self) -> float:
        """Return the time at which it ends."""
        return float(self.clock[-1])

    @property
    def limit(self) -> float:
        """Return the smallest layer it tends to, beside its sign at the start."""
        if self.toward == "zero":
            return 0.0
        (square,) = self.shape.log_square(np.log([self.goal]))
        return float(self.side * np.exp(square / 2))

    def time(self, strengths: _Array) -> _Array:
        """Return when the product has these strengths; NaN outside."""
        sizes = self.side * strengths
        with np.errstate(divide="ignore", invalid="ignore"):
            if self.toward == "zero":
                variable = -np.log(sizes)
            else:
                sign = 1 if self.toward == "below" else -1
                variable = np.log(sizes / (sign * (self.goal - sizes)))
            inside = (variable >= self.edges[0]) & (variable <= self.edges[-1])
        near = np.where(inside, variable, self.edges[0])
        panel = np.searchsorted(self.edges[1:-1], near, side="right")
        times = self.clock[panel] + self._spent(self.edges[panel], near)
        return np.where(inside, times, np.nan)

    def smallest_at(self, times: _Array) -> _Array:
        """Return the smallest layer, beside its sign at the start."""
        panel = np.searchsorted(self.clock[1:-1], times, side="right")
        left, right = self.edges[panel], self.edges[panel + 1]
        passed = times - self.clock[panel]
        found = left + (right - left) * passed / np.diff(self.clock)[panel]
        for _ in range(60):
            step = (self._spent(left, found) - passed) / self._slowness(found)
            after = np.clip(found - step, left, right)
            moved, found = np.abs(after - found), after
            if np.all(moved <= 2 * EPS * (1 + np.abs(found))):
                break
        return self.side * np.exp(self.shape.log_square(self._log_size(found)) / 2)

    def _log_size(self, variable: _Array) -> _Array:
        if self.toward == "zero":
            return -variable
        if self.toward == "below":
            return np.log(self.goal) - np.logaddexp(0, -variable)
        return np.log(self.goal) - np.log(-np.expm1(-variable))

    def _slowness(self, variable: _Array) -> _Array:
        """Return time by the variable."""
        log_size = self._log_size(variable)
        pull = self.goal + (np.exp(log_size) if self.toward == "zero" else 0.0)
        return np.exp(-self.shape.log_pace(log_size)) / pull

    def _spent(self, left: _Array, right: _Array) -> _Array:
        """Return the time from one value of the variable to another."""
        half = (right - left) / 2
        inner = left[..., None] + half[..., None] * (NODES + 1)
        return half * (self._slowness(inner) @ WEIGHTS)


@dataclass(frozen=True)
class _Crossing:
    """The moment in which the smallest layer passes zero, or leaves it.

    So near to zero the other layers stand still, and it moves by a linear equation.

    Attributes:
        goal: Size of the target.
        others: Product of the other layers.
        side: Sign of the target, beside that of the start.
        first: Strength at its begin, in the target's sign; at most 0.
        last: Strength at its end.
        begin: Time at which it begins.
    """

    goal: float
    others: float
    side: float
    first: float
    last: float
    begin: float

    @property
    def end(self) -> float:
        """Return the time at which it ends."""
        return float(self.time(np.array([self.side * self.last]))[0])

    def time(self, strengths: _Array) -> _Array:
        """Return when the product has these strengths; NaN outside."""
        strengths = self.side * strengths
        inside = (strengths >= self.first) & (strengths <= self.last)
        near = np.where(inside, strengths, self.first)
        passed = np.log1p((near - self.first) / (self.goal - near)) / self.others**2
        return np.where(inside, self.begin + passed, np.nan)

    def smallest_at(self, times: _Array) -> _Array:
        """Return the smallest layer, beside its sign at the start."""
        passed = (times - self.begin) * self.others**2
        strength = self.first * np.exp(-passed) - self.goal * np.expm1(-passed)
        return self.side * strength / self.others


class Course:
    """One aligned mode, laid out in legs.

    Inside, the product and the smallest layer are taken beside their signs at the
    start; a layer that starts at zero has the sign with which it leaves.
    """

    def __init__(self, layers: _Array, target: float, noise: _Array) -> None:
        sizes = np.abs(layers)
        self.place = int(np.argmin(sizes))
        self.least = float(sizes[self.place])
        level = sizes - self.least <= noise + noise[self.place]
        excess = (sizes - self.least) * (sizes + self.least)
        self.squares = np.where(level, 0.0, excess)
        squares, counts = np.unique(self.squares[~level], return_counts=True)
        self.shape = _Shape(int(level.sum()), squares, counts.astype(float))
        self.signs = np.where(layers < 0, -1.0, 1.0)
        if self.least == 0 and np.prod(self.signs) * target < 0:
            self.signs[self.place] *= -1
        self.sign = float(np.prod(self.signs))
        self.target = self.sign * target
        self.start = float(self._product(np.array([self.least]))[0])

    @cached_property
    def legs(self) -> list[_Leg | _Crossing]:
        """Return the legs in order; none for a mode at rest."""
        goal, start, ties = abs(self.target), self.start, self.shape.ties
        if self.target > 0 and 0 < start != goal:
            return [self._approach(start, 0.0)]
        others = float(np.sqrt(np.prod(self.squares[self.squares > 0])))
        if start == self.target or (start == 0 and (ties > 1 or others * goal == 0)):
            return []
        if goal == 0 or ties > 1:
            return [self._decay(start, VANISHED)]
        near = others * float(np.sqrt(self.shape.squares.min(initial=goal**2)))
        near = min(CROSSING * near, goal / 2)
        legs: list[_Leg | _Crossing] = []
        if near < start:
            legs = [self._decay(start, -np.log(near))]
        begin, side = legs[0].end if legs else 0.0, float(np.sign(self.target))
        crossing = _Crossing(goal, others, side, -min(near, start), near, begin)
        return [*legs, crossing, self._approach(near, crossing.end)]

    def time(self, strengths: _Array) -> _Array:
        """Return when the product has these strengths."""
        beside = self.sign * strengths
        found = np.where(beside == self.start, 0.0, np.nan)
        for leg in self.legs:
            found = np.where(np.isnan(found), leg.time(beside), found)
        limit = self.target if self._limit else 0.0
        return np.where(np.isnan(found) & (beside == limit), np.inf, found)

    def strength(self, times: _Array) -> _Array:
        """Return the product at these times."""
        return self.sign * self._product(self._smallest_at(times))

    def layers(self, times: _Array) -> _Array:
        """Return every layer at these times, `"time layer"`."""
        return self.signs * self._layers(self._smallest_at(times))

    @property
    def _limit(self) -> float:
        last = self.legs[-1] if self.legs else None
        return last.limit if isinstance(last, _Leg) else self.least

    def _smallest_at(self, times: _Array) -> _Array:
        found = np.full(times.shape, self._limit)
        for leg in self.legs:
            now = (times >= leg.begin) & (times < leg.end)
            found[now] = leg.smallest_at(times[now])
        return found

    def _layers(self, smallest: _Array) -> _Array:
        layers = np.sqrt(smallest[..., None] ** 2 + self.squares)
        layers[..., self.place] = smallest
        return layers

    def _product(self, smallest: _Array) -> _Array:
        return np.prod(self._layers(smallest), axis=-1)

    def _approach(self, size: float, begin: float) -> _Leg:
        goal, side = abs(self.target), float(np.sign(self.target))
        edges = [float(np.log(size / abs(goal - size)))]
        while edges[-1] < SATURATED:
            edges.append(edges[-1] + (min(1.0, edges[-1]) if size > goal else 1.0))
        toward = "above" if size > goal else "below"
        return _Leg(self.shape, goal, toward, side, begin, np.asarray(edges))

    def _decay(self, size: float, last: float) -> _Leg:
        first = -float(np.log(size))
        edges = np.linspace(first, last, max(1, int(np.ceil(last - first))) + 1)
        leg = _Leg(self.shape, abs(self.target), "zero", 1.0, 0.0, edges)
        with np.errstate(over="ignore"):
            kept = max(2, int(np.sum(leg.clock < FOREVER)))
        return replace(leg, edges=edges[:kept])
