r"""How long descent takes below the hyperbola: both sides, from one number.

On $\tfrac12(\prod_k x_k - 1)^2$ with $x > 0$, $p = \prod_k x_k < 1$ and a step
$\gamma \le 1/(dc^2)$ the product rises, never above one, and with $e = 1 - p$

$$e_{t+1} \le e_t (1 - \gamma d\, p_t^{2-2/d}), \qquad
  p_{t+1}^{-\beta} \ge p_t^{-\beta} - (d - 2) \gamma c^2, \quad \beta = 1 - 2/d.$$

The first recursion, taken with equality, is monotone, so its iterates bound $e_t$. A
billion of them are leapt in blocks: for $P_{t+1} = P_t (1 + a_t P_t^\beta)$ with
$a_t = \gamma d (1 - P_t)$, convexity of $P \mapsto P^{-\beta}$ gives

$$P_{t+1}^{-\beta} \le P_t^{-\beta} - \beta a_t (1 - \tfrac{1+\beta}2 a_t P_t^\beta),$$

so that $P$ has risen to $g$ after at most
$(P^{-\beta} - g^{-\beta}) / (\beta \gamma d (1 - g) (1 - \tfrac{1+\beta}2 \gamma d
g^\beta))$ iterations, rounded up.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from thalweg.linalg import balls
from thalweg.theorems._base import Ball

BITS = 96
EXACT = 2000
"""Iterations taken one by one before blocks begin."""

LAST = 2.0**-40
"""Gap below which the rate is constant to twelve digits: the last block."""

MOST = 1 - 2.0**-52

FLOATS = 1e-12
"""Covers the few units of rounding of a power, a product and a square."""


@dataclass(frozen=True)
class Stair:
    """From an iteration on, the gap is at most `gap * (1 - gain) ** age`.

    Attributes:
        iteration: Where it begins.
        gap: Upper bound on `1 - p` there.
        gain: Lower bound on what one iteration takes off, relative to the gap.
    """

    iteration: int
    gap: Ball
    gain: Ball

    @property
    def rate(self) -> Ball:
        """Return the decay per iteration as an exponent."""
        return -(-self.gain).log1p()


@dataclass(frozen=True)
class Rise:
    r"""The recursion $e \leftarrow e (1 - \gamma d (1-e)^{2-2/d})$, leapt.

    Attributes:
        product: Ball of the first product, `> 0`, `< 1`.
        gain: Ball of $\gamma d$, at most 1.
        depth: The number of factors.
    """

    product: Ball
    gain: Ball
    depth: int

    @cached_property
    def stairs(self) -> list[Stair]:
        """Return bounds on the gap, from the start to the last block."""
        with balls.working_precision(BITS):
            t, p, e = 0, self.product.lower(), (1 - self.product).upper()
            stairs = [Stair(t, e, self._gain(p))]
            while e > LAST and self.depth > 1:
                t, p, e = self._next(t, p, e)
                stairs.append(Stair(t, e, self._gain(p)))
        return stairs

    def count(self, accuracy: Ball) -> Ball:
        """Return iterations after which the excess loss is surely at most this."""
        with balls.working_precision(BITS):
            goal = balls.sqrt(2 * accuracy).lower()
            if self.stairs[0].gap <= goal:
                return balls.scalar(0)
            for stair, later in pairwise(self.stairs):
                if later.gap <= goal:
                    wait = stair.iteration + _wait(stair, goal)
                    return balls.scalar(min(wait, later.iteration))
            last = self.stairs[-1]
            return balls.scalar(last.iteration + _wait(last, goal))

    def curve(self, clock: np.ndarray) -> np.ndarray:
        """Return bounds on the excess loss at iterations, in floats rounded up."""
        begin, gaps, rates = self._floats
        clock = np.asarray(clock, dtype=np.float64)
        index = np.maximum(np.searchsorted(begin, clock, side="right") - 1, 0)
        with np.errstate(over="ignore", under="ignore"):
            fallen = np.minimum(rates[index] * (clock - begin[index]), 700.0)
            gap = gaps[index] * np.exp(-fallen)
            bound = 0.5 * gap * gap * (1 + FLOATS)
        return np.maximum(bound, np.finfo(np.float64).tiny)

    @cached_property
    def _floats(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        with balls.working_precision(BITS):
            rows = [
                (
                    balls.bounds(balls.scalar(stair.iteration))[1],
                    balls.bounds(stair.gap)[1],
                    balls.bounds(stair.rate)[0],
                )
                for stair in self.stairs
            ]
        begin, gaps, rates = np.array(rows, dtype=np.float64).T
        return begin, gaps, rates

    def _gain(self, p: Ball) -> Ball:
        power = balls.power(p, 2 * self.depth - 2, self.depth)
        # A gain of one has no finite rate; a little less is as true.
        return min((self.gain * power).lower(), balls.scalar(MOST))

    def _next(self, t: int, p: Ball, e: Ball) -> tuple[int, Ball, Ball]:
        """Return the next iteration with bounds on the product and the gap there."""
        if t >= EXACT and p < 0.5:
            return self._leap(t, p)
        rate = Stair(t, e, self._gain(p)).rate
        span = 1 / balls.scalar(32) if e > 2**-10 else balls.scalar(1)
        ages = 1 if t < EXACT else max(1, _whole((span / rate).lower().floor()))
        lost = -(-rate * ages).expm1()
        return t + ages, (p + (1 - p) * lost).lower(), (e * (1 - lost)).upper()

    def _leap(self, t: int, p: Ball) -> tuple[int, Ball, Ball]:
        """Leap to a larger product, the further the smaller it is."""
        # What a leap overstates is about its goal, relative to the whole.
        if p < 2**-40:
            goal = balls.sqrt(p).lower()
        else:
            goal = (p + (p if p < 2**-6 else balls.scalar(2) ** -6)).lower()
        n = self.depth
        room = _fallen(p, goal, n)
        late = balls.power(goal, n - 2, n) * self.gain * (n - 1) / n
        ages = room / (self.gain * (1 - goal) * (1 - late))
        return t + _whole(ages.upper().ceil()), goal, (1 - goal).upper()


@dataclass(frozen=True)
class Plateau:
    r"""What the loss is at least, while the product is still small.

    Attributes:
        product: Ball of the first product, `> 0`, `< 1`.
        speed: Ball of $\gamma c^2$.
        depth: The number of factors, at least 2.
    """

    product: Ball
    speed: Ball
    depth: int

    def least(self, accuracy: Ball) -> Ball:
        """Return iterations before which the excess loss is above an accuracy."""
        goal = 1 - balls.sqrt(2 * accuracy)
        if not goal > self.product:
            return balls.scalar(0)
        return _fallen(self.product, goal, self.depth) / (self.depth * self.speed)

    def lower(self, clock: np.ndarray) -> np.ndarray:
        """Return bounds on the excess loss at iterations, in floats rounded down."""
        clock, n = np.asarray(clock, dtype=np.float64), self.depth
        with np.errstate(all="ignore"):
            if n == 2:
                speed = balls.bounds(2 * self.speed)[1]
                first = balls.bounds(self.product)[1]
                product = first * np.exp(np.minimum(speed * clock, 700.0))
            else:
                high = balls.power(self.product, 2 - n, n)
                top = balls.bounds(high)[0]
                lost = balls.bounds((n - 2) * self.speed)[1] * clock
                left = top - lost - 4e-16 * (top + lost)
                product = np.where(left > 1, left, 1.0) ** (-n / (n - 2))
            product = product * (1 + FLOATS)
            gap = np.where(product < 1, 1 - product, 0.0)
            return 0.5 * gap * gap * (1 - FLOATS)


def _fallen(p: Ball, goal: Ball, depth: int) -> Ball:
    r"""Return $(p^{-\beta} - g^{-\beta}) / \beta$, its limit $\ln(g/p)$ for depth 2."""
    if depth == 2:
        return balls.log(goal / p)
    fall = balls.power(p, 2 - depth, depth) - balls.power(goal, 2 - depth, depth)
    return fall * depth / (depth - 2)


def _wait(stair: Stair, goal: Ball) -> int:
    return _whole((balls.log(stair.gap / goal) / stair.rate).upper().ceil())


def _whole(ball: Ball) -> int:
    return int(ball.unique_fmpz())
