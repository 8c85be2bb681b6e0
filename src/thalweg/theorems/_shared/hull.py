r"""What the margin certificate knows of all iterates at once, in balls.

Notation: as in `margin`. The one free number is the bound $\delta$ on the imbalance;
it is found in floats, the smallest that bounds its own drift.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from thalweg.linalg import balls, enclose
from thalweg.linalg.chain import invariants
from thalweg.linalg.enclose import Enclosed
from thalweg.theorems._base import Ball, Case, Hypothesis
from thalweg.theorems._shared.gram import Iterate, iterate_of
from thalweg.theorems._shared.radii import bisected
from thalweg.theorems._shared.slide import Slide
from thalweg.theorems._shared.staircase import Staircase, gains_of, levels_below

_TINY = 1e-30
_UP, _DOWN = 1 + 1e-13, 1 - 1e-13
_DRIFTS = np.geomspace(0.25, 1e4, 500)
Drift = Callable[["Numbers", float, Any], Any]


def facts_of(case: Case) -> list[Hypothesis]:
    """Return what data and net must be like."""
    full = case.is_whitened
    if not full:
        rows, columns = case.problem.data.inputs_factor.shape
        full = rows == columns
    widths = case.widths
    return [
        Hypothesis(
            "the inputs have full rank",
            fact=bool(full),
            mend="leave out redundant inputs, or whiten the data",
        ),
        Hypothesis(
            "no layer is narrower than both ends",
            fact=min(widths) >= min(widths[0], widths[-1]),
            mend="widen the hidden layers",
        ),
    ]


@dataclass(frozen=True, eq=False)
class Numbers:
    r"""What is enclosed of a start and its data.

    Attributes:
        depth: The number of layers.
        square: Whether there are as many outputs as inputs.
        start: The residual $e_0$.
        root_low: $\sqrt{\lambda_m}$.
        root_high: $\sqrt{\lambda_M}$.
        target_low: The smallest singular value of the target.
        target_high: The largest one.
        imbalance: The largest $\|D_j\|_2$.
        frobenius: The largest $\|D_j\|_F$.
    """

    depth: int
    square: bool
    start: Ball
    root_low: Ball
    root_high: Ball
    target_low: Ball
    target_high: Ball
    imbalance: Ball
    frobenius: Ball

    def margin(self, residual: Ball) -> Ball:
        """Return by how much the target's smallest singular value is larger."""
        return self.target_low - residual / self.root_low

    @property
    def top(self) -> Ball:
        r"""Return $\bar M$, which bounds the norm of every end-to-end map."""
        return self.target_high + self.start / self.root_low

    @property
    def usable(self) -> bool:
        """Return whether powers of them stay in the range of floats."""
        tops = [self.start, self.root_high, self.top, self.imbalance]
        lows = [self.root_low, self.top]
        return all(balls.bounds(ball)[1] < 1 / _TINY for ball in tops) and all(
            balls.bounds(ball)[0] > _TINY for ball in lows
        )

    def largest_step(self) -> float | None:
        """Return about the largest step that works, in floats."""
        if not (self.usable and balls.bounds(self.margin(self.start))[0] > 0):
            return None
        size = balls.bounds(self.top)[1]
        step = 8 / size ** (2 - 2 / self.depth)
        step /= self.depth * balls.bounds(self.root_high)[1] ** 2
        return bisected(lambda eta: _works(self, eta), step)


@dataclass(frozen=True, eq=False)
class Hull:
    r"""What holds of every iterate, if the imbalance stays below a bound.

    Attributes:
        numbers: Of the start.
        step: The step, a ball; zero for the flow.
        delta: The bound $\delta$, exact.
    """

    numbers: Numbers
    step: Ball
    delta: float

    @cached_property
    def norm(self) -> Ball:
        """Return $m$, which bounds every layer."""
        n = self.numbers.depth
        square = balls.power(self.numbers.top, 2, n)
        return balls.sqrt(square + 1.5 * (n - 1) * balls.scalar(self.delta))

    @cached_property
    def square(self) -> Ball:
        """Return $S^2$."""
        n = self.numbers.depth
        return n * self.numbers.root_high**2 * self.norm ** (2 * (n - 1))

    @cached_property
    def bend(self) -> Ball:
        """Return $H$."""
        n = self.numbers.depth
        if n == 1:
            return balls.scalar(0)
        stretched = self.norm + self.step * balls.sqrt(self.square) * self.numbers.start
        return (n - 1) * stretched ** (n - 2) * self.numbers.root_high

    @cached_property
    def share(self) -> Ball:
        r"""Return $\beta$."""
        return 1 - self.step * (self.square + self.bend * self.numbers.start) / 2

    @cached_property
    def drift(self) -> Ball:
        """Return by how much the imbalance can grow."""
        return self.step * self.numbers.start**2 / self.share

    @property
    def room(self) -> Ball:
        r"""Return by how much $\delta$ exceeds what the imbalance can become."""
        return balls.scalar(self.delta) - self.numbers.imbalance - self.drift

    @property
    def kept_imbalance(self) -> Ball:
        """Return what the largest Frobenius norm of the imbalance stays below."""
        return self.numbers.frobenius + self.drift

    @property
    def holds(self) -> bool:
        """Return whether everything is proved."""
        positive = [self.share, self.signed(self.numbers.start)]
        return all(part > 0 for part in positive) and bool(self.room >= 0)

    def smallest(self, residual: Ball) -> Ball:
        r"""Return $\lambda$ of a residual."""
        n, square = self.numbers.depth, self._below(residual)
        if not square > 0:
            return balls.scalar(0)
        powers = [balls.positive_part(a) for a in self._powers(square)]
        if not self.numbers.square:
            return self.numbers.root_low**2 * powers[n - 1]
        pairs = balls.total(powers[n - j] * powers[j - 1] for j in range(1, n + 1))
        return self.numbers.root_low**2 * pairs

    def signed(self, residual: Ball) -> Ball:
        r"""Return $\lambda$ if it is positive, else what keeps it from being so."""
        value = self.smallest(residual)
        if value > 0:
            return value
        square = self._below(residual)
        if not square > 0:
            return square
        n, powers = self.numbers.depth, self._powers(square)
        if not self.numbers.square:
            return powers[n - 1]
        return balls.largest(
            balls.smallest([powers[n - j], powers[j - 1]]) for j in range(1, n + 1)
        )

    @cached_property
    def stairs(self) -> Staircase:
        """Return the bound on the residual after every iteration of descent."""
        levels, rates = self._levels()
        high = np.full(levels.size, balls.bounds(balls.sqrt(self.square))[1])
        bend = np.full(levels.size, balls.bounds(self.bend)[1])
        step = float(self.step.mid())
        gains = gains_of(step, np.sqrt(rates), high, bend, levels)
        return Staircase(float(levels[0]), levels, gains)

    @cached_property
    def slide(self) -> Slide:
        """Return the bound on the residual at every time of the flow."""
        return Slide(*self._levels())

    @property
    def values(self) -> dict[str, Ball]:
        """Return the numbers by name."""
        n = self.numbers
        return {
            "residual e0": n.start,
            "smallest singular value of the target": n.target_low,
            "imbalance delta0 at the start": n.imbalance,
            "imbalance delta": balls.scalar(self.delta),
            "largest singular value m of a layer": self.norm,
            "squared largest singular value S^2": self.square,
            "curvature H": self.bend,
            "smallest eigenvalue lambda(e0)": self.smallest(n.start),
            "smallest eigenvalue lambda(0)": self.smallest(balls.scalar(0)),
        }

    def _levels(self) -> tuple[np.ndarray, np.ndarray]:
        levels = levels_below(balls.bounds(self.numbers.start)[1], 0.998, 1e-3)
        return levels, self._rates(levels)

    def _rates(self, levels: np.ndarray) -> np.ndarray:
        r"""Return lower bounds of $\lambda$: `smallest` in floats, rounded down."""
        n, depth = self.numbers, self.numbers.depth
        target, root = balls.bounds(n.target_low)[0], balls.bounds(n.root_low)[0]
        away = levels / root * _UP
        nearest = np.maximum((target - away) - 1e-15 * (target + away), 0.0)
        norm = balls.bounds(self.norm)[1]
        lost = [
            0.5 * k * (k - 1) * self.delta * norm ** (2 * (k - 1)) * _UP
            for k in range(depth + 1)
        ]
        square = np.maximum(nearest**2 * _DOWN - lost[depth], 0.0)
        powers = [
            np.maximum(square ** (k / depth) * _DOWN - lost[k], 0.0) * _DOWN
            for k in range(depth)
        ]
        powers[0] = np.ones(levels.size)
        pairs = powers[depth - 1]
        if n.square:
            both = [powers[depth - j] * powers[j - 1] for j in range(1, depth + 1)]
            pairs = np.sum(both, axis=0)
        return np.where(square > 0, root * root * pairs * _DOWN, 0.0)

    def _below(self, residual: Ball) -> Ball:
        """Return $x$."""
        n, a = self.numbers.depth, balls.positive_part(self.numbers.margin(residual))
        delta = balls.scalar(self.delta)
        return a * a - n * (n - 1) * delta * self.norm ** (2 * (n - 1)) / 2

    def _powers(self, square: Ball) -> list[Ball]:
        """Return the $A_k$ with their signs."""
        n, found = self.numbers.depth, [balls.scalar(1)]
        delta = balls.scalar(self.delta)
        for k in range(1, n):
            lost = k * (k - 1) * delta * self.norm ** (2 * (k - 1)) / 2
            found.append(balls.power(square, k, n) - lost)
        return found


def hull_of(case: Case) -> Hull:
    """Return the hull of a case, with the best bound on its imbalance."""
    numbers = numbers_of(case)
    step = case.step_size if case.step_size is not None else 0.0
    delta = least_bound(numbers, step, _drift)
    for slip in (0.0, 1e-12, 1e-10, 1e-8, 1e-6):
        hull = Hull(numbers, case.step, delta * (1 + slip))
        if hull.room >= 0:
            return hull
    return Hull(numbers, case.step, delta)


def numbers_of(case: Case) -> Numbers:
    """Return what is enclosed of the start and the data of a case."""
    iterate = iterate_of(case)
    one = balls.scalar(1)
    roots = [one] if iterate.inputs is None else enclose.singular_values(iterate.inputs)
    target = enclose.singular_values(_target(case, iterate, roots[-1]))
    gaps = invariants(iterate.layers)
    return Numbers(
        depth=iterate.depth,
        square=case.widths[0] == case.widths[-1],
        start=iterate.error,
        root_low=roots[-1],
        root_high=roots[0],
        target_low=target[-1],
        target_high=target[0],
        imbalance=balls.largest([balls.scalar(0), *map(enclose.spectral_norm, gaps)]),
        frobenius=balls.largest([balls.scalar(0), *map(enclose.norm, gaps)]),
    )


def _target(case: Case, iterate: Iterate, root: Ball) -> Enclosed:
    """Return the target, by what its float is off in the normal equations."""
    if iterate.inputs is None:
        return iterate.labels
    guess = enclose.matrix(np.asarray(case.problem.target))
    gap = enclose.norm(guess @ iterate.inputs - iterate.labels) / root
    return enclose.widened(guess, balls.bounds(gap)[1])


def least_bound(numbers: Numbers, step: float, drift: Drift) -> float:
    """Return about the smallest bound on the imbalance that holds itself.

    Args:
        numbers: Of the start.
        step: The step.
        drift: Of numbers, step and bounds: by how much the imbalance can grow below
            each, `-1` where nothing follows.

    Returns:
        The bound; where none does, the one that fails least.
    """
    if not numbers.usable:
        return 0.0
    first = balls.bounds(numbers.imbalance)[1]
    grown = step * balls.bounds(numbers.start)[1] ** 2
    if grown == 0:
        return first

    def slack(delta: Any) -> Any:
        # Far beyond what can hold, numbers overflow: nothing follows there.
        with np.errstate(over="ignore", invalid="ignore"):
            more = drift(numbers, step, delta)
        return np.where(more >= 0, delta - first - more, -np.inf)

    tried = first + grown * _DRIFTS
    found = slack(tried)
    good = np.flatnonzero(found >= 0)
    if not good.size:
        return float(tried[np.argmax(found)])
    high = float(tried[good[0]])
    low = float(tried[good[0] - 1]) if good[0] else first
    for _ in range(80):
        middle = 0.5 * (low + high)
        works = slack(np.array([middle]))[0] >= 0
        low, high = (low, middle) if works else (middle, high)
    return high


def _drift(numbers: Numbers, step: float, delta: Any) -> Any:
    n, e = numbers.depth, balls.bounds(numbers.start)[1]
    root = balls.bounds(numbers.root_high)[1]
    m = np.sqrt(balls.bounds(numbers.top)[1] ** (2 / n) + 1.5 * (n - 1) * delta)
    square = n * root**2 * m ** (2 * (n - 1))
    bend = (n - 1) * (m + step * np.sqrt(square) * e) ** max(n - 2, 0) * root
    share = 1 - 0.5 * step * (square + bend * e)
    return np.where(share > 0, step * e * e / np.where(share > 0, share, 1), -1.0)


def _works(numbers: Numbers, step: float) -> bool:
    delta = least_bound(numbers, step, _drift)
    more = float(_drift(numbers, step, np.array([delta]))[0])
    if not 0 <= more <= delta - balls.bounds(numbers.imbalance)[1]:
        return False
    hull = Hull(numbers, balls.scalar(step), delta)
    return bool(hull.signed(numbers.start) > 0)
