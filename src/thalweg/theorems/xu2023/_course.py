"""The loss bounded step by step, and the largest step a condition allows."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from thalweg.linalg import balls
from thalweg.theorems._base import Ball
from thalweg.theorems.xu2023._setting import Constants

MOST = 20_000
"""Iterations of the recursion; from there on its last factor is kept."""


@dataclass(frozen=True)
class Course:
    """The recursion L <- f(eta, L) L, an upper bound of the loss.

    Attributes:
        known: The constants of the start.
        c1: Share of alpha_0 that is kept.
        c2: Growth of beta_0 that is allowed.
        step: The step.
    """

    known: Constants
    c1: float
    c2: float
    step: Ball

    @cached_property
    def parts(self) -> tuple[Ball, Ball, Ball]:
        """What f adds to 1 - gain for each power 0, 1/2, 1 of the loss."""
        known, step = self.known, self.step
        top = balls.scalar(self.c2) * known.beta
        fall = 2 * balls.scalar(self.c1) * known.alpha * known.mu * step
        flat = known.K * known.mu * (top * step) ** 2 - fall
        root = 2 * known.mu * known.p2 * balls.sqrt(2 * known.K) * step**2
        root = root * (1 + known.K * top * step)
        linear = 2 * known.K**2 * known.mu * known.p2**2 * step**4
        return flat, root, linear

    def gain(self, loss: Ball) -> Ball:
        """Return 1 - f at a loss."""
        flat, root, linear = self.parts
        return -(flat + root * balls.sqrt(loss) + linear * loss)

    @cached_property
    def losses(self) -> np.ndarray:
        """Bounds on the loss, until f no longer falls; in floats rounded up."""
        flat, root, linear = (balls.bounds(part)[1] for part in self.parts)
        found = [balls.bounds(self.known.loss)[1]]
        while len(found) < MOST:
            loss = found[-1]
            rest = root * loss**0.5 + linear * loss
            if rest <= 1e-4 * -flat:
                break
            factor = min(1.0, 1 + (flat + rest) * (1 - 1e-15 * np.sign(flat + rest)))
            found.append(loss * factor * (1 + 1e-15))
        return np.array(found)

    @cached_property
    def last_decay(self) -> Ball:
        """What -log f has become at the last of them."""
        last = balls.scalar(float(self.losses[-1]))
        return -balls.log(1 - self.gain(last))

    def bound(self, clock: np.ndarray) -> np.ndarray:
        """Return bounds on the loss at iterations."""
        clock, losses = np.floor(np.asarray(clock, dtype=np.float64)), self.losses
        decay = max(balls.bounds(self.last_decay)[0], 0.0)
        beyond = np.maximum(clock - (losses.size - 1), 0.0)
        index = np.minimum(clock, losses.size - 1).astype(int)
        curve = losses[index] * np.exp(-decay * beyond) * (1 + 1e-12)
        return np.maximum(curve, np.finfo(np.float64).tiny)

    def count(self, accuracy: Ball) -> Ball:
        """Return the iterations to an accuracy."""
        reached = np.flatnonzero(self.losses <= balls.bounds(accuracy)[0])
        if reached.size:
            return balls.scalar(int(reached[0]))
        rest = balls.log(balls.scalar(float(self.losses[-1])) / accuracy)
        return self.losses.size - 1 + rest / self.last_decay


def largest(slack: Callable[[Ball], Ball]) -> float | None:
    """Return the largest step whose slack is certainly not negative, to rounding."""

    def allowed(step: float) -> bool:
        return balls.bounds(slack(balls.scalar(step)))[0] >= 0

    low = next((2.0**-k for k in range(-60, 400) if allowed(2.0**-k)), None)
    if low is None:
        return None
    high = 2 * low
    for _ in range(54):
        middle = (low + high) / 2
        low, high = (middle, high) if allowed(middle) else (low, middle)
    return low
