r"""Two functions of the source's introduction: does the flow run off to infinity?

Of $f = z^2 h$ the gradient flow with the clock $d\tau = z^2 dt$ is the flow of $h$ in
the other variables, while $z^2$ falls at the rate $4h$. The function printed, with
$h = \tfrac12 x^2 + \tfrac12 (1 - x y)^2$, has none of the unbounded trajectories it is
said to have: $z$ comes to zero first. With $h = e^{-x - x^3/3}$ the flow keeps
$I = z^2 + 4 \arctan x$, and is unbounded exactly for $I > 2\pi$.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.integrate import quad, solve_ivp

from thalweg._core.errors import DomainError, whole
from thalweg._core.papers import CHITOUR2023
from thalweg._core.source import Source
from thalweg.landscape.wilson import Share, wilson

SOURCES: tuple[Source, ...] = (CHITOUR2023.at("equation (1), and its correction"),)

Box = tuple[tuple[float, float], tuple[float, float]]

BOX: Box = ((-2.0, 2.0), (0.0, 4.0))
"""Starts $(x, z)$ that are measured, where nothing else is said."""


def printed_limit(x: float, y: float, z: float) -> tuple[float, float, float]:
    r"""Return where the flow of the printed function comes to rest.

    With $s = z^2$, falling, as the clock: $dx/ds = (x - y (1 - x y)) / 4h$ and
    $dy/ds = -x (1 - x y) / 4h$; $h$ is positive everywhere, so $s$ reaches zero.

    Args:
        x: Start.
        y: Start.
        z: Start.

    Returns:
        The limits of $x$ and $y$ (that of $z$ is zero), and $\int_0^\infty z^2 dt$.

    Raises:
        DomainError: If a number is not finite.

    Example:
        >>> [round(value, 5) for value in printed_limit(0.5, 0.5, 1.0)]
        [0.47047, 0.73213, 0.68939]

    Source:
        Chitour, Liao, Couillet, equation (1); the limits are derived here.
    """
    start = [float(x), float(y), 0.0]
    if not all(map(math.isfinite, [*start, z])):
        raise DomainError(f"the start is {x}, {y}, {z}; its numbers must be finite.")
    if z == 0:
        return start[0], start[1], 0.0

    def speed(_square: float, state: Any) -> list[float]:
        gap = 1 - state[0] * state[1]
        four = 2 * (state[0] ** 2 + gap**2)
        return [
            (state[0] - state[1] * gap) / four,
            -state[0] * gap / four,
            -1 / four,
        ]

    path = solve_ivp(
        speed, (float(z) ** 2, 0.0), start, "LSODA", rtol=1e-11, atol=1e-13
    )
    ended = path.y[:, -1]
    return float(ended[0]), float(ended[1]), float(ended[2])


def invariant(x: Any, z: Any) -> Any:
    r"""Return $I = z^2 + 4 \arctan x$, which the flow of $z^2 e^{-x-x^3/3}$ keeps."""
    return np.square(z) + 4 * np.arctan(x)


def is_unbounded(x: Any, z: Any) -> Any:
    r"""Return whether the flow of $z^2 e^{-x - x^3/3}$ runs off to infinity.

    Args:
        x: Starts, of any shape.
        z: Starts, of a shape that goes with it.

    Returns:
        Whether $z^2 + 4 \arctan x \ge 2\pi$ and $z \ne 0$: up to its edge an open set.

    Example:
        >>> is_unbounded(0.0, [2.5, 2.51]).tolist()
        [False, True]

    Source:
        Chitour, Liao, Couillet, equation (1), corrected.
    """
    return (invariant(x, z) >= 2 * np.pi) & (np.asarray(z) != 0)


def limit(x: Any, z: Any) -> tuple[Any, Any]:
    r"""Return where the flow of $z^2 e^{-x - x^3/3}$ goes.

    Args:
        x: Starts, of any shape.
        z: Starts, of a shape that goes with it.

    Returns:
        The limits of $x$ and $z$: $(\tan(I/4), 0)$ if $I < 2\pi$; else $x \to \infty$,
        $z^2 \to I - 2\pi$ (at $I = 2\pi$ that is zero, and $x$ still grows).

    Example:
        >>> x, z = limit([0.0, 0.0], [2.0, 3.0])
        >>> x.round(7).tolist(), (z**2).round(4).tolist()
        ([1.5574077, inf], [0.0, 2.7168])

    Source:
        Chitour, Liao, Couillet, equation (1), corrected.
    """
    kept = np.asarray(invariant(x, z))
    resting = np.asarray(z) == 0
    away = (kept >= 2 * np.pi) & ~resting
    inside = np.where(away, 0.0, kept)
    ended = np.where(away, np.inf, np.tan(inside / 4))
    ended = np.where(resting, x, ended)
    depth = np.sqrt(np.where(away, np.maximum(kept - 2 * np.pi, 0.0), 0.0))
    return ended, np.copysign(depth, z)


def area_unbounded(box: Any = BOX) -> float:
    """Return the share of a box from which the flow is unbounded, by quadrature.

    Args:
        box: The ranges of x and z.

    Returns:
        The share, to about 1e-12.

    Raises:
        DomainError: If a range is empty or not finite.

    Example:
        >>> round(area_unbounded(), 6)
        0.394991

    Source:
        Chitour, Liao, Couillet, equation (1), corrected.
    """
    (left, right), (low, high) = _checked(box)

    def length(x: float) -> float:
        bar = math.sqrt(2 * math.pi - 4 * math.atan(x))
        above = max(0.0, high - max(low, bar))
        return above + max(0.0, min(high, -bar) - low)

    # The length bends where the boundary leaves the box.
    bends = [
        math.tan((2 * math.pi - edge * edge) / 4)
        for edge in (low, high)
        if edge * edge < 4 * math.pi
    ]
    inside = sorted({left, right, *(b for b in bends if left < b < right)})
    total = sum(
        quad(length, a, b, epsabs=1e-13, epsrel=1e-13)[0] for a, b in pairwise(inside)
    )
    return float(total / ((right - left) * (high - low)))


@dataclass(frozen=True)
class Measured:
    """How many of a box's starts lead to infinity.

    Attributes:
        share: Of the starts drawn.
        exact: Of the box, by quadrature.
        box: The ranges of x and z.
        seed: Of the draw.
    """

    share: Share
    exact: float
    box: Box
    seed: int

    def lines(self) -> list[str]:
        """Return it in words, one line each."""
        (left, right), (low, high) = self.box
        return [
            f"x from {left:g} to {right:g}, z from {low:g} to {high:g}",
            f"unbounded: {self.share}",
            f"share of the box, exactly: {self.exact:.6g}",
        ]

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return {
            "unbounded": self.share.to_json(),
            "exact": self.exact,
            "box": [list(side) for side in self.box],
            "seed": self.seed,
        }


def measure_unbounded(
    box: Any = BOX, *, runs: int = 10_000, seed: int = 0, confidence: float = 0.95
) -> Measured:
    r"""Draw starts and count those from which the flow runs off to infinity.

    The flow of $z^2 e^{-x - x^3/3}$ is decided by its invariant, not followed: $x$
    grows like $(3 \ln t)^{1/3}$, and no run is long enough to see it.

    Args:
        box: The ranges of x and z, from which starts are drawn evenly.
        runs: How many, at least 1.
        seed: Of the draw.
        confidence: Of the interval.

    Returns:
        The share with its interval, beside the exact one.

    Raises:
        DomainError: If a range is empty or a number out of its domain.

    Example:
        >>> found = measure_unbounded(runs=2000)
        >>> found.share.low < found.exact < found.share.high
        True

    Source:
        Chitour, Liao, Couillet, equation (1), corrected.
    """
    (left, right), (low, high) = sides = _checked(box)
    count = whole("runs", runs, least=1)
    generator = np.random.default_rng(whole("seed", seed))
    away = 0
    for first in range(0, count, 2**20):
        size = min(2**20, count - first)
        drawn = generator.random((2, size))
        x = left + (right - left) * drawn[0]
        z = low + (high - low) * drawn[1]
        away += int(np.count_nonzero(is_unbounded(x, z)))
    share = wilson(away, count, confidence)
    return Measured(share, area_unbounded(sides), sides, int(seed))


def _checked(box: Any) -> Box:
    sides = np.asarray(box, dtype=float)
    if sides.shape != (2, 2) or not np.all(np.isfinite(sides)):
        raise DomainError(f"box is {box}; it must be two ranges of finite numbers.")
    if not np.all(sides[:, 0] < sides[:, 1]):
        raise DomainError(f"box is {box}; each range must go from less to more.")
    return (
        (float(sides[0, 0]), float(sides[0, 1])),
        (float(sides[1, 0]), float(sides[1, 1])),
    )
