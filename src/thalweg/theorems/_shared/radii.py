r"""The search for the radius of a local certificate, in plain floats.

Nothing found here is trusted: it is a candidate, and the theorem proves its
inequality in balls.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from thalweg.linalg import balls
from thalweg.theorems._shared.curvature import Curvature
from thalweg.theorems._shared.gram import Iterate

_GRID = 129
Reals = Float[np.ndarray, " radius"]
Slack = Callable[[Reals], Callable[[float], Reals]]
"""Of radii, and then of a step: by how much each radius more than suffices."""


@dataclass(frozen=True, eq=False)
class Numbers:
    r"""Floats on the safe side of what a local certificate needs.

    Attributes:
        error: The residual $e_0$, rounded up.
        low: The smallest singular value $\sigma_0$, rounded down.
        high: The largest one, $S_0$, rounded up.
        curvature: The function $H$.
    """

    error: float
    low: float
    high: float
    curvature: Curvature

    @classmethod
    def of(cls, iterate: Iterate) -> "Numbers":
        """Return those of an iterate."""
        low, high = iterate.ends
        return cls(
            error=balls.bounds(iterate.error)[1],
            low=balls.bounds(low)[0],
            high=balls.bounds(high)[1],
            curvature=Curvature.of(iterate.norms, iterate.depth),
        )

    @property
    def usable(self) -> bool:
        """Return whether everything is finite and the smallest is positive."""
        finite = np.isfinite([self.error, self.high, self.curvature.high.max()])
        return bool(finite.all()) and self.low > 0


@dataclass(frozen=True, eq=False)
class Search:
    """Looks for radii at which a slack is not negative.

    Attributes:
        numbers: The numbers.
        slack: The slack; minus infinity where it makes no sense.
    """

    numbers: Numbers
    slack: Slack

    def grid(self, step: float) -> Reals:
        """Return radii to begin with, from too small to too large."""
        n = self.numbers
        bend = float(n.curvature.near(np.zeros(1))[0])
        room = 1 - 0.5 * step * (n.high**2 + bend * n.error)
        least = n.error / n.low
        top = 64 * least / max(room, 1e-9)
        if bend > 0:
            top = min(top, n.low / bend) if top > 0 else n.low / bend
        top = max(top, 1e-150)
        return np.geomspace(max(min(least, top / 8), 1e-12 * top), top, _GRID)

    def best(self, step: float) -> float:
        """Return about the radius of the largest slack."""
        radii = self.grid(step)
        for _ in range(3):
            where = int(np.argmax(self.slack(radii)(step)))
            best = radii[where]
            ends = radii[max(where - 1, 0)], radii[min(where + 1, radii.size - 1)]
            radii = np.linspace(*ends, 33)
        return float(best)

    def smallest(self, step: float) -> float | None:
        """Return about the smallest radius of no negative slack."""
        radii = self.grid(step)
        good = np.flatnonzero(self.slack(radii)(step) >= 0)
        if not good.size:
            return None
        low, high = float(radii[max(good[0] - 1, 0)]), float(radii[good[0]])
        for _ in range(60):
            middle = 0.5 * (low + high)
            if not low < middle < high:
                break
            works = self.slack(np.array([middle]))(step)[0] >= 0
            low, high = (low, middle) if works else (middle, high)
        return high

    def largest_step(self) -> float | None:
        """Return about the largest step at which a radius suffices."""
        n = self.numbers
        top = 4 / n.high**2 if n.high > 0 else 1.0
        radii, step = self.grid(0.0), None
        for _ in range(3):
            slack = self.slack(radii)
            step = bisected(lambda eta, f=slack: bool((f(eta) >= 0).any()), top)
            if step is None:
                return None
            where = int(np.argmax(slack(step)))
            ends = radii[max(where - 1, 0)], radii[min(where + 1, radii.size - 1)]
            radii = np.linspace(*ends, 33)
        return step


def bisected(works: Callable[[float], bool], top: float) -> float | None:
    """Return about the largest step that works, if those below one that does do."""
    low = top
    for _ in range(60):
        if works(low):
            break
        low /= 4
    else:
        return None
    high = 4 * low
    for _ in range(50):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if works(middle) else (low, middle)
    return low
