r"""A count of iterations from gains that depend on how large the residual is.

Where the residual $e_t$ lies between two levels, one step is known to bring
$e_{t+1} \le (1 - g) e_t$ with that stair's gain $g$. Gains need not be monotone: from
$e_t \le \hat e_t$ on stair $i$ follows $e_{t+1} \le \max\{(1 - g_i) \hat e_t,\
\max_{j > i} (1 - g_j) \ell_j\}$ with the levels $\ell_j$ below, and that is what is
iterated, a whole stair at a time.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from thalweg.linalg import balls
from thalweg.theorems._base import Ball

_ROUNDED_UP = 1 + 1e-14
_NO_GAIN = 1e-280
_LEAST = 1e-306
_FAINT = 1e-150
Reals = Float[np.ndarray, " level"]


@runtime_checkable
class Companion(Protocol):
    """A second bound on the residual that runs beside the staircase."""

    def began(self) -> Any:
        """Return its state at the start."""
        ...

    def stepped(
        self, state: Any, stair: int, bound: float, target: float, most: float
    ) -> tuple[float, float, Any]:
        """Take some steps on a stair.

        Args:
            state: Before them.
            stair: Which stair.
            bound: Of the residual, before them.
            target: The residual to reach.
            most: The steps after which the staircase reaches it.

        Returns:
            Steps, at most so many, and fewer only if its own bound is at the target
            after them; its bound on the residual after them; its state.
        """
        ...


@dataclass(frozen=True)
class Flight:
    """Some iterations on one stair.

    Attributes:
        first: The iteration it begins with.
        start: Bound on the residual there.
        gain: The stair's gain.
        floor: What the bound does not fall below on this stair.
    """

    first: float
    start: float
    gain: float
    floor: float


@dataclass(frozen=True, eq=False)
class Staircase:
    """A bound on the residual after every number of iterations.

    Attributes:
        start: Upper bound on the residual at the start.
        levels: Descending, the first at least `start`; stair `i` reaches from
            `levels[i]` down to the next level, the last one to zero.
        gains: Lower bounds of the gains, between 0 and 1, one a level.
        beside: A second bound, if there is one.
    """

    start: float
    levels: Reals
    gains: Reals
    beside: Companion | None = None

    @cached_property
    def flights(self) -> list[Flight]:
        """Return the iterations stair by stair, the last without end."""
        levels, gains = self.levels.tolist(), self.gains.tolist()
        reach = [(1 - g) * level for g, level in zip(gains, levels, strict=True)]
        floors = [0.0] * len(levels)
        for i in range(len(levels) - 2, -1, -1):
            floors[i] = max(floors[i + 1], reach[i + 1]) * _ROUNDED_UP
        found: list[Flight] = []
        first, bound = 0.0, self.start
        state = None if self.beside is None else self.beside.began()
        for i, gain in enumerate(gains):
            last = i + 1 == len(levels)
            if not last and bound <= levels[i + 1]:
                continue
            found.append(Flight(first, bound, gain, floors[i]))
            if last or gain < _NO_GAIN:
                break
            steps = _steps(bound, levels[i + 1], gain)
            other = math.inf
            if self.beside is not None:
                steps, other, state = self.beside.stepped(
                    state, i, bound, levels[i + 1], steps
                )
            bound = max(_after(bound, gain, steps), min(floors[i], levels[i + 1]))
            first, bound = first + steps, min(bound, other)
        return found

    @property
    def worst_gain(self) -> float:
        """Return a gain that every iteration has."""
        return float(self.gains.min())

    @property
    def last_gain(self) -> float:
        """Return the gain of every iteration from some time on."""
        return self.flights[-1].gain

    def loss_at(self, clock: np.ndarray) -> np.ndarray:
        """Return bounds on the excess loss at iterations, rounded up."""
        flights = self.flights
        firsts = np.array([flight.first for flight in flights])
        which = np.maximum(np.searchsorted(firsts, clock, side="right") - 1, 0)
        start, gain, floor = (
            np.array([getattr(flight, name) for flight in flights])[which]
            for name in ("start", "gain", "floor")
        )
        steps = np.maximum(np.floor(clock) - firsts[which], 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            exponent = np.where(steps == 0, 0.0, steps * np.log1p(-gain))
        bound = np.maximum(start * _exponential(exponent), floor)
        return np.maximum(0.5 * bound * bound * _ROUNDED_UP, np.finfo(np.float64).tiny)

    def count(self, accuracy: Ball) -> Ball:
        """Return the iterations to an excess loss, as a ball of a whole number."""
        target = balls.bounds(balls.sqrt(2 * accuracy))[0]
        ends = [flight.first for flight in self.flights[1:]] + [math.inf]
        for flight, end in zip(self.flights, ends, strict=True):
            if flight.start <= target:
                return balls.scalar(flight.first)
            if flight.floor <= target and flight.gain >= _NO_GAIN:
                total = flight.first + _steps(flight.start, target, flight.gain)
                if total <= end and math.isfinite(total):
                    return balls.scalar(total if total < 2.0**53 else 1.000001 * total)
        return balls.interval(0.0, math.inf)


def levels_below(start: float, ratio: float = 0.985, span: float = 1e-4) -> Reals:
    """Return geometric levels from a residual down to `span` of it."""
    if not start > _FAINT:
        return np.array([max(start, 0.0)])
    return start * ratio ** np.arange(math.ceil(math.log(span) / math.log(ratio)))


def gains_of(step: float, low: Reals, high: Reals, bend: Reals, at: Reals) -> Reals:
    r"""Return lower bounds of the gain of one step.

    $g = \max\{\min(\eta s^2, 2 - \eta S^2) - \tfrac12 H \eta^2 S^2 e,\
    \eta s^2 (1 - \tfrac12 \eta S^2 - \tfrac12 \eta H e)\}$.

    Args:
        step: The step $\eta$.
        low: Lower bounds $s \ge 0$ of the smallest singular value.
        high: Upper bounds $S$ of the largest one.
        bend: Upper bounds $H$ of the curvature.
        at: Upper bounds of the residual $e$.

    Returns:
        The gains, not below zero.
    """
    slow, fast, bent = step * low * low, step * high * high, step * bend * at
    # No term is above 4 where a gain is positive, and there are ten roundings.
    one = np.minimum(slow, 2 - fast) - 0.5 * bent * fast
    one = one - 16 * 2.0**-53 * (slow + fast + bent * fast)
    other = slow * (1 - 0.5 * fast - 0.5 * bent - 8 * 2.0**-53) * (1 - 16 * 2.0**-53)
    gains = np.where((fast < 2) & (bent < 2), np.maximum(one, other), 0.0)
    return np.clip(np.nan_to_num(gains), 0.0, 1.0)


def _steps(start: float, target: float, gain: float) -> float:
    """Return steps that surely lead from one bound to another."""
    if gain >= 1:
        return 1.0
    if target <= 0:
        return math.inf
    steps = max(1.0, float(math.ceil(math.log(start / target) / -math.log1p(-gain))))
    while _after(start, gain, steps) > target:
        steps = max(steps + 1, steps * (1 + 1e-12))
    return steps


def _after(start: float, gain: float, steps: float) -> float:
    if gain >= 1 or not math.isfinite(steps):
        return 0.0
    exponent = np.float64(steps * math.log1p(-gain))
    return max(float(start * _exponential(exponent)), _LEAST)


def _exponential(exponent: Any) -> Any:
    """Return exponentials of nonpositive numbers that are a little off, rounded up."""
    held = np.maximum(exponent, -1500.0)
    return np.exp(held) * (1 + 1e-14 - 1e-15 * held)
