r"""The flow's counterpart of a staircase: decay rates by how large the residual is.

Where the residual $e(t)$ lies between two levels, $\dot e \le -r e$ with that stair's
rate. Time on a stair is then at most $\ln(\ell_i/\ell_{i+1})/r_i$.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from thalweg.linalg import balls
from thalweg.theorems._base import Ball

Reals = Float[np.ndarray, " level"]


@dataclass(frozen=True, eq=False)
class Slide:
    """A bound on the residual at every time.

    Attributes:
        levels: Descending from an upper bound on the residual at the start; stair `i`
            reaches down to the next level, the last one to zero.
        rates: Lower bounds of the rates, `> 0`, one a level.
    """

    levels: Reals
    rates: Reals

    @cached_property
    def times(self) -> Reals:
        """Return upper bounds of the times at which the levels are reached."""
        drops = np.log(self.levels[:-1] / self.levels[1:])
        spent = np.cumsum(drops / self.rates[:-1]) * (1 + 1e-12)
        return np.append(0.0, spent)

    def loss_at(self, clock: np.ndarray) -> np.ndarray:
        """Return bounds on the excess loss at times, rounded up."""
        stair = np.maximum(np.searchsorted(self.times, clock, side="right") - 1, 0)
        spent = self.rates[stair] * (clock - self.times[stair])
        # Subtracting times that are rounded up can lose their last digits only.
        spent = np.maximum(spent - 1e-12 * self.rates[stair] * np.abs(clock), 0.0)
        bound = self.levels[stair] * np.exp(-spent) * (1 + 1e-12)
        return np.maximum(0.5 * bound * bound, np.finfo(np.float64).tiny)

    def time_to(self, accuracy: Ball) -> Ball:
        """Return a ball above which the excess loss is at most `accuracy`."""
        target = balls.bounds(balls.sqrt(2 * accuracy))[0]
        last = len(self.levels) - 1
        stair = min(int(np.searchsorted(-self.levels, -target, side="right")), last + 1)
        stair = max(stair - 1, 0)
        level, rate = float(self.levels[stair]), float(self.rates[stair])
        if target <= 0 or level <= target:
            return balls.scalar(float(self.times[stair]))
        left = balls.log(balls.scalar(level) / target) / rate
        return balls.scalar(float(self.times[stair])) + left
