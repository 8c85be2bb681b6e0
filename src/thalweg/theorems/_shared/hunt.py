r"""The search for the radius of an anchored certificate, and its proof in balls."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from thalweg.linalg import balls
from thalweg.theorems._base import Ball
from thalweg.theorems._shared.anchor import Anchor, anchor_of
from thalweg.theorems._shared.curvature import Curvature
from thalweg.theorems._shared.gram import Iterate
from thalweg.theorems._shared.march import Level, March, Near, Turning, march
from thalweg.theorems._shared.staircase import Staircase, gains_of, levels_below

_RATIO, _SPAN = 0.94, 1e-4
_WIDER = 1.3
_TRIES = 14


@dataclass(frozen=True, eq=False)
class Found:
    """A march at some radius.

    Attributes:
        anchor: Of the iterate.
        turning: Of the radius.
        course: The march, in balls.
    """

    anchor: Anchor
    turning: Turning
    course: March

    @property
    def least(self) -> Ball:
        """Return the smallest singular value on the way."""
        return balls.smallest(level.low for level in self._levels)

    @property
    def share(self) -> Ball:
        r"""Return the smallest $\beta$ on the way."""
        return balls.smallest(level.share for level in self._levels)

    @property
    def slack(self) -> Ball:
        """Return what residual could still be shed, or what is left, below zero."""
        if self.course.failed is not None:
            return -balls.scalar(self.course.failed)
        rest = balls.scalar(self.turning.radius) - self.course.levels[-1].path
        return rest * balls.positive_part(self.least * self.share)

    @property
    def _levels(self) -> list[Level]:
        blocked = [] if self.course.blocked is None else [self.course.blocked]
        return [*self.course.levels, *blocked]

    def stairs(self, step: float) -> Staircase:
        """Return the bound on the residual after every iteration."""
        levels, bend = self.course.levels, self.turning.bend
        tops = np.array([level.top for level in levels])
        lows = np.array([balls.bounds(level.low)[0] for level in levels])
        highs = np.array([balls.bounds(level.high)[1] for level in levels])
        gains = gains_of(step, lows, highs, np.full(tops.size, bend), tops)
        spectrum = self.anchor.spectrum
        if balls.bounds(self.anchor.near.reach)[1] > self.turning.radius:
            spectrum = None
        beside = None if spectrum is None else spectrum.beside(levels, bend, step)
        return Staircase(float(tops[0]), tops, gains, beside)


@dataclass(frozen=True, eq=False)
class Hunt:
    """Looks for a radius in floats, and marches there in balls.

    Attributes:
        anchor: Of the iterate.
        floats: The march's numbers on the safe side.
        curvature: The function $H$.
        tops: The levels of the residual.
    """

    anchor: Anchor
    floats: Near
    curvature: Curvature
    tops: list[float]

    @classmethod
    def of(cls, iterate: Iterate) -> "Hunt | None":
        """Return the hunt at an iterate; `None` if it has no anchor."""
        return _hunt(iterate)

    def found(self, step: float, ball: Ball) -> Found:
        """Return the march at the radius found best, in balls.

        Args:
            step: The step.
            ball: The same; unbounded where there is none.

        Returns:
            The march; its slack says whether it got there.
        """
        turning = self.radius(step)[0]
        course = march(self.anchor.near, turning, ball, self.tops, exact=True)
        return Found(self.anchor, turning, course)

    def radius(self, step: float) -> tuple[Turning, March]:
        """Return about the smallest radius that suffices, or one that fails late."""
        n = self.floats
        radius = 1.02 * max(n.reach, n.error / n.low, 1e-150)
        failing: tuple[Turning, March] | None = None
        for _ in range(_TRIES):
            turning, course = self._at(radius, step)
            if course.failed is None:
                low = radius / _WIDER if failing else radius
                return self._narrowed(low, radius, step) or (turning, course)
            if failing is None or course.failed <= (failing[1].failed or 0.0):
                failing = turning, course
            blocked = course.blocked
            if blocked is not None and not (blocked.low > 0 and blocked.share > 0):
                break
            radius *= _WIDER
        assert failing is not None
        return failing

    def largest_step(self) -> float | None:
        """Return about the largest step at which a radius suffices."""
        top = 4 / self.floats.high**2

        def works(step: float) -> bool:
            return self.radius(step)[1].failed is None

        if not works(1e-6 * top):
            return None
        low, high = 1e-6 * top, top
        for _ in range(60):
            if high <= low * (1 + 2e-4):
                break
            middle = np.sqrt(low * high) if high > 4 * low else 0.5 * (low + high)
            low, high = (middle, high) if works(middle) else (low, middle)
        return float(low)

    def _narrowed(
        self, low: float, high: float, step: float
    ) -> tuple[Turning, March] | None:
        best = None
        for _ in range(4):
            if high <= low * 1.01:
                break
            middle = 0.5 * (low + high)
            turning, course = self._at(middle, step)
            if course.failed is None:
                high, best = middle, (turning, course)
            else:
                low = middle
        return best

    def _at(self, radius: float, step: float) -> tuple[Turning, March]:
        turning = Turning.within(radius, self.curvature)
        return turning, march(self.floats, turning, step, self.tops, exact=False)


@lru_cache(maxsize=8)
def _hunt(iterate: Iterate) -> Hunt | None:
    anchor = anchor_of(iterate)
    if anchor is None:
        return None
    floats = anchor.near.floats()
    tops = levels_below(floats.error, _RATIO, _SPAN).tolist()
    curvature = Curvature.of(iterate.norms, iterate.depth)
    if not np.isfinite(curvature.high).all():
        return None
    return Hunt(anchor, floats, curvature, tops)
