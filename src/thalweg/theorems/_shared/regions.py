r"""The two local tests: one radius for the whole path, or the path integrated.

Notation: as in `local`. Each test has a slack in floats, of many radii at once, for
the search, and the same number as a ball for the proof.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from thalweg.linalg import balls
from thalweg.theorems._base import Ball
from thalweg.theorems._shared.curvature import Curvature
from thalweg.theorems._shared.gram import Iterate
from thalweg.theorems._shared.radii import Numbers, Reals, Slack
from thalweg.theorems._shared.staircase import Staircase, gains_of, levels_below

CELLS = 48
"""Into how many cells an integrated path is cut."""


@dataclass(frozen=True, eq=False)
class Region:
    r"""What holds within a radius of the start.

    Attributes:
        radius: The radius $R$, exact.
        start: The residual $e_0$.
        bend: The curvature $H(R)$.
        lows: Smallest singular values, at the end of each cell of the path.
        highs: Largest ones.
        shares: The factors $\beta$, at the end of each cell.
        reach: By how much the residual falls before the path has left each cell.
    """

    radius: float
    start: Ball
    bend: Ball
    lows: tuple[Ball, ...]
    highs: tuple[Ball, ...]
    shares: tuple[Ball, ...]
    reach: tuple[Ball, ...]

    @property
    def slack(self) -> Ball:
        """Return by how much more the residual could fall within the radius."""
        return self.reach[-1] - self.start

    @property
    def holds(self) -> bool:
        """Return whether everything is proved."""
        parts = [self.lows[-1], self.shares[-1]]
        return all(part > 0 for part in parts) and bool(self.slack >= 0)

    def stairs(self, step: float) -> Staircase:
        """Return the bound on the residual after every iteration."""
        start = balls.bounds(self.start)[1]
        levels = levels_below(start)
        below = np.append(levels[1:], 0.0)
        fallen = np.array([balls.bounds(ball)[0] for ball in self.reach])
        # By the time the residual is `below`, the path has not left this cell.
        cell = np.searchsorted(fallen, (start - below) * (1 + 1e-14), side="left")
        cell = np.minimum(cell, len(fallen) - 1)
        lows = np.array([balls.bounds(ball)[0] for ball in self.lows])[cell]
        highs = np.array([balls.bounds(ball)[1] for ball in self.highs])[cell]
        bend = np.full(levels.size, balls.bounds(self.bend)[1])
        return Staircase(start, levels, gains_of(step, lows, highs, bend, levels))


def simple(iterate: Iterate, radius: float, step: Ball) -> Region:
    """Return the region of the test with one radius."""
    low, high = iterate.ends
    bend = _curvature(iterate).at(radius)
    s, size = low - bend * radius, high + bend * radius
    share = 1 - step * (size * size + bend * iterate.error) / 2
    reach = radius * s * share
    return Region(radius, iterate.error, bend, (s,), (size,), (share,), (reach,))


def integrated(iterate: Iterate, radius: float, step: Ball) -> Region:
    """Return the region of the path-integrated test."""
    low, high = iterate.ends
    width = balls.scalar(radius) / CELLS
    ends = radius * np.arange(1, CELLS + 1) / CELLS
    bends = _curvature(iterate).enclosed(np.append(ends[:-1], radius))
    lows, highs, shares, reach = [], [], [], []
    moved = fallen = balls.scalar(0)
    for bend in bends:
        moved = moved + bend * width
        s, size = low - moved, high + moved
        share = 1 - step * (size * size + bends[-1] * iterate.error) / 2
        fallen = fallen + share * s * width
        lows.append(s)
        highs.append(size)
        shares.append(share)
        reach.append(fallen)
    return Region(
        radius,
        iterate.error,
        bends[-1],
        tuple(lows),
        tuple(highs),
        tuple(shares),
        tuple(reach),
    )


def simple_slack(n: Numbers) -> Slack:
    """Return the slack of the test with one radius, in floats."""

    def of_radii(radii: Reals) -> Callable[[float], Reals]:
        bend = n.curvature.near(radii)
        s, size = n.low - bend * radii, n.high + bend * radii

        def of_step(step: float) -> Reals:
            share = 1 - 0.5 * step * (size * size + bend * n.error)
            return np.where((s > 0) & (share > 0), radii * s * share - n.error, -np.inf)

        return of_step

    return of_radii


def integrated_slack(n: Numbers) -> Slack:
    """Return the slack of the path-integrated test, in floats."""
    parts = np.arange(1, CELLS + 1) / CELLS

    def of_radii(radii: Reals) -> Callable[[float], Reals]:
        bends = n.curvature.near(np.outer(radii, parts).ravel())
        bends = bends.reshape(radii.size, CELLS)
        moved = np.cumsum(bends, axis=1) * (radii / CELLS)[:, None]
        s, size = n.low - moved, n.high + moved
        last = bends[:, -1:]

        def of_step(step: float) -> Reals:
            share = 1 - 0.5 * step * (size * size + last * n.error)
            fallen = (share * s).sum(axis=1) * radii / CELLS - n.error
            return np.where((s[:, -1] > 0) & (share[:, -1] > 0), fallen, -np.inf)

        return of_step

    return of_radii


def _curvature(iterate: Iterate) -> Curvature:
    return Curvature.of(iterate.norms, iterate.depth)
