r"""The residual marched down to zero: what is known at each of its levels.

Notation: $p$ is the path's length so far, $T(p) = \int_0^p H$ how far the derivative
can have turned, $\bar H = H(R)$. Of the start: $e_0, \sigma_0, S_0$; of the anchor, a
point $\hat\theta = \theta_0 + \Delta$ with $\Delta$ in the range of $J_0^*$: its
residual $\hat e$, its distance $\hat r = \|\Delta\|$, its singular values
$\hat\sigma, \hat S$.

The iterate with residual $e$ and path $p$ lies within $d$ of the anchor, where
$d^2 \le ((e + \hat e + \tfrac12(T(\hat r) + T(p))d)/\sigma_0)^2 + q^2$: its part in the
range of $J_0^*$ is what $J_0$ sees of it, and the rest has only been entered as far as
the derivative has turned, $q = \int T/s\,dp$. So
$s = \max\{\sigma_0 - T(p),\ \hat\sigma - \bar H d\}$, and the like for $S$. From one
level to the next the path grows by the difference over the smallest $\beta s$ so far.

The same lines serve floats, for the search, and balls, for the proof.
"""

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from thalweg.linalg import balls
from thalweg.theorems._base import Ball
from thalweg.theorems._shared.curvature import Curvature

_CELLS = 32
_TRIES = 60
Number = Any
"""A float or a ball."""


@dataclass(frozen=True)
class Near:
    """What is known of the start and of the anchor.

    Attributes:
        error: The residual at the start.
        low: The smallest singular value there.
        high: The largest one.
        ahead_error: The residual at the anchor.
        ahead_low: The smallest singular value there.
        ahead_high: The largest one.
        reach: The anchor's distance from the start.
    """

    error: Number
    low: Number
    high: Number
    ahead_error: Number
    ahead_low: Number
    ahead_high: Number
    reach: Number

    def floats(self) -> "Near":
        """Return floats on the safe side."""
        ups = ("error", "high", "ahead_error", "ahead_high", "reach")
        return Near(
            **{
                name: balls.bounds(value)[name in ups]
                for name, value in self.__dict__.items()
            }
        )


@dataclass(frozen=True, eq=False)
class Turning:
    """How far the derivative can turn along a path within a radius.

    Attributes:
        radius: The radius $R$.
        bends: Upper bounds of $H$ at the ends of equal cells.
    """

    radius: float
    bends: tuple[float, ...]

    @classmethod
    def within(cls, radius: float, curvature: Curvature) -> "Turning":
        """Return it for a radius."""
        ends = radius * np.arange(1, _CELLS + 1) / _CELLS
        found = curvature.enclosed(np.append(ends[:-1], radius))
        return cls(radius, tuple(balls.bounds(ball)[1] for ball in found))

    @property
    def bend(self) -> float:
        r"""Return $\bar H$."""
        return self.bends[-1]

    @cached_property
    def _table(self) -> tuple[list[float], list[float]]:
        width = self.radius / _CELLS
        ends = [width * k for k in range(_CELLS)]
        turned = np.append(0.0, np.cumsum(np.array(self.bends) * width))
        return ends, turned.tolist()

    def at(self, path: float) -> float:
        """Return an upper bound of $T$ at a path's length."""
        ends, turned = self._table
        # A cell early at a boundary would undercount: take the later one's bend.
        cell = max(bisect_right(ends, path) - 1, 0)
        more = (path - ends[cell]) * self.bends[cell] * (1 + 1e-12)
        return (turned[cell] + max(more, 0.0)) * (1 + 1e-12)


@dataclass(frozen=True)
class Level:
    """What holds of every iterate with a residual between two levels.

    Attributes:
        top: The upper level.
        path: Bound on the path's length when it has been left, exact.
        low: Lower bound of the smallest singular value.
        high: Upper bound of the largest one.
        share: Lower bound of the factor by which a step lowers the residual.
        apart: Upper bound of the distance from the anchor.
    """

    top: float
    path: float
    low: Number
    high: Number
    share: Number
    apart: Number


@dataclass(frozen=True)
class March:
    """The levels that were proved, from the residual at the start down.

    Attributes:
        levels: The proved ones.
        failed: The residual that could not be brought lower; `None` if it reached
            zero.
        blocked: The level at which it failed, with what is not positive there.
    """

    levels: tuple[Level, ...]
    failed: float | None = None
    blocked: Level | None = None


def march(
    near: Near,
    turning: Turning,
    step: Number,
    tops: list[float],
    exact: bool,
) -> March:
    """Bring the residual down level by level.

    Args:
        near: Start and anchor, in floats or in balls.
        turning: Of the radius.
        step: The step, a float or a ball.
        tops: Descending levels, the first at least the residual at the start.
        exact: Whether in balls.

    Returns:
        What holds at each level.
    """
    one = _Leg(near, turning, step, exact)
    found: list[Level] = []
    for top, bottom in pairwise([*tops, 0.0]):
        level = one.pass_(top, bottom)
        if level is None:
            return March(tuple(found), top, one.last)
        found.append(level)
    return March(tuple(found))


class _Leg:
    """The running quantities of a march."""

    def __init__(self, near: Near, turning: Turning, step: Number, exact: bool) -> None:
        self.near, self.turning, self.step = near, turning, step
        self.root: Callable[[Number], Number] = balls.sqrt if exact else _root
        self.down: Callable[[Number], float] = _lower if exact else float
        self.up: Callable[[Number], float] = _upper if exact else float
        self.number: Callable[[float], Number] = balls.scalar if exact else float
        self.path, self.aside = 0.0, self.number(0.0)
        self.speed: float | None = None
        self.slowest = self.down(near.low)
        self.last: Level | None = None
        ahead = self.up(near.reach)
        self.anchored = ahead <= turning.radius
        self.turned_ahead = turning.at(ahead) if self.anchored else 0.0

    def pass_(self, top: float, bottom: float) -> Level | None:
        """Return what holds on one level; `None` where nothing is proved."""
        drop = (top - bottom) * (1 + 1e-15)
        speed = self.speed if self.speed is not None else self.slowest
        path = self.path + drop / speed * 1.0005
        slowest = self.slowest
        for _ in range(_TRIES):
            if not path <= self.turning.radius:
                return None
            turned = self.turning.at(path)
            entered = (path - self.path) * turned * (1 + 1e-14)
            aside = self.aside + self.number(entered) / slowest
            level = self._level(top, path, turned, aside)
            self.last = level
            if not (level.low > 0 and level.share > 0):
                return None
            low, speed = self.down(level.low), self.down(level.share * level.low)
            speed = speed if self.speed is None else min(speed, self.speed)
            need = (self.path + drop / speed) * (1 + 1e-14)
            if need <= path and low >= slowest:
                self.path, self.aside = path, aside
                self.speed, self.slowest = speed, slowest
                return level
            path = max(path, self.path + (need - self.path) * 1.0005)
            slowest = min(slowest, low * 0.999)
        return None

    def _level(self, top: float, path: float, turned: float, aside: Number) -> Level:
        near, bend = self.near, self.turning.bend
        low, high = near.low - turned, near.high + turned
        apart = near.reach + path
        wide = (self.turned_ahead + turned) / (2 * near.low)
        if self.anchored and wide < 1:
            straight = (top + near.ahead_error) / near.low
            rest = (1 - wide * wide) * (straight * straight + aside * aside)
            found = straight * wide + self.root(straight**2 * wide**2 + rest)
            found = found / (1 - wide * wide)
            apart = found if found < apart else apart
            ahead = near.ahead_low - bend * apart
            low = ahead if ahead > low else low
            beyond = near.ahead_high + bend * apart
            high = beyond if beyond < high else high
        share = 1 - self.step * (high * high + bend * top) / 2
        return Level(top, path, low, high, share, apart)


def _root(value: float) -> float:
    return max(value, 0.0) ** 0.5


def _lower(ball: Ball) -> float:
    return balls.bounds(balls.scalar(ball))[0]


def _upper(ball: Ball) -> float:
    return balls.bounds(balls.scalar(ball))[1]
