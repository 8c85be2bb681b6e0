r"""A critical point looked at once: what it has learnt, and when a number is zero.

At a critical point $W = \Pi_{h} W_h$ is $P Y$, with $P$ the orthogonal projection on a
span of left singular vectors of $Y$: the learnt modes. Stored weights are critical up
to rounding at best. Two numbers say how far that reaches.

*Units.* With $c = (\sigma_1(Y) / \|X_r\|)^{1/N}$ a layer's unit is the larger of its
spectral norm and $c$, for the first $c \|X_r\|$; so multiplied data multiply it. The
unit of a product is the product of units, $u$ that of the whole chain. Gradients are
measured by $\eta = \max_j \|\nabla_j\|_F\, u_j / u^2$, that is against what layers of
this size and an error of the size of $u$ could have.

*Threshold.* Let $R = W_N \cdots W_2$ have a singular value $\rho$ with left vector $p$.
Then $\|p^\top E\| \le \|\nabla_1\| / \rho$, and $\|p^\top W\| \le \rho \|\bar W_1\|$: a
large $\rho$ makes the prediction along $p$ that of the labels, a small one makes it
none. The two bounds are equal at $\rho = \sqrt{\|\nabla_1\| / \|\bar W_1\|}$, in units
$\sqrt\eta$. So singular values below $\sqrt\eta$ count as zero, and below
$2^{-26} = \sqrt{2^{-52}}$ always, the root of rounding. A point counts as critical
where $\sqrt\eta$ is at most the tolerance; a tolerance above the usual is the
threshold, as at a plateau where the modes to come are small, not zero. Near points
where many layers vanish together gradients are of higher order than the distance, and
no threshold of this kind is safe: the gap of the decision is therefore reported.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from thalweg._core.arrays import EPS
from thalweg._core.errors import DomainError, positive
from thalweg.landscape.nearest import nearest_snap
from thalweg.landscape.reduced import Matrix, Modes, Reduced, check_range, reduced

TOLERANCE = 1e-4
"""Largest root of a relative gradient that counts as none."""

SURE = 1 / EPS
"""The gap of what could not be clearer."""

_ROUNDING = 2.0**-26
_CRISP = 0.25


@dataclass(frozen=True)
class Standing:
    """A critical point with its units, threshold and modes.

    Attributes:
        problem: The problem.
        at: The point in reduced coordinates.
        units: Every layer's unit.
        gradient_norm: Of the gradient in the problem's own coordinates.
        relative_gradient: The gradient in units.
        threshold: Relative size below which a singular value counts as zero.
        left: Left singular vectors of the labels, turned within equal singular values
            so that each is learnt or not.
        right: The right ones.
        values: The singular values, descending.
        groups: Modes, from one, of singular values that count as equal.
        learnt: The learnt modes, from one.
        shares: How much of every mode is learnt, near 0 or 1.
    """

    problem: Any
    at: Reduced
    units: tuple[float, ...]
    gradient_norm: float
    relative_gradient: float
    threshold: float
    left: Matrix
    right: Matrix
    values: Matrix
    groups: tuple[tuple[int, ...], ...]
    learnt: tuple[int, ...]
    shares: Matrix

    @property
    def depth(self) -> int:
        """Return the number of layers."""
        return self.at.depth

    @property
    def largest_rank(self) -> int:
        """Return the largest rank the prediction can have."""
        return min(self.at.widths)

    def unit(self, first: int, last: int) -> float:
        """Return the unit of the product of layers `first` to `last`."""
        return float(math.prod(self.units[first - 1 : last]))

    @property
    def reach(self) -> float:
        """Return the largest unit of a layer in the problem's own coordinates."""
        first, *rest = self.units
        return max(first / (self.at.inputs_norm or 1.0), *rest, 0.0)

    @cached_property
    def missing(self) -> tuple[int, ...]:
        """Return the modes of positive singular value that are not learnt."""
        known = set(self.learnt)
        return tuple(
            m for m, s in enumerate(self.values, 1) if s > 0 and m not in known
        )

    @cached_property
    def pull(self) -> Matrix:
        """Return labels minus prediction with the learnt modes removed exactly."""
        places = [mode - 1 for mode in self.missing]
        return (self.left[:, places] * self.values[places]) @ self.right[:, places].T

    @cached_property
    def swaps(self) -> tuple[tuple[int, int], ...]:
        """Return the pairs of a mode not learnt and a smaller one that is."""
        group = {m: place for place, g in enumerate(self.groups) for m in g}
        return tuple(
            (q, s) for q in self.missing for s in self.learnt if group[q] < group[s]
        )

    @property
    def is_minimum(self) -> bool:
        """Return whether nothing that the widths let through is missing."""
        full = len(self.learnt) == self.largest_rank
        return not self.missing or (full and not self.swaps)

    @property
    def value(self) -> float:
        """Return half the sum of squares of what is not learnt."""
        places = [mode - 1 for mode in self.missing]
        return 0.5 * float(np.sum(self.values[places] ** 2))

    @property
    def excess_loss(self) -> float:
        """Return the value above the infimum; zero at a minimum."""
        best = {m for m in range(1, self.largest_rank + 1) if self.values[m - 1] > 0}
        lost = [m - 1 for m in self.missing if m in best]
        kept = [m - 1 for m in self.learnt if m not in best]
        if self.is_minimum:
            return 0.0
        squares = self.values**2
        return 0.5 * float(np.sum(squares[lost]) - np.sum(squares[kept]))

    def inputs(self) -> Matrix:
        """Return the inputs' factor; the identity for white data."""
        if self.at.inputs is None:
            return np.eye(self.at.widths[0])
        return self.at.inputs

    def below(self, layer: int) -> Matrix:
        """Return the product before a layer in the problem's coordinates, fed."""
        return self.inputs() if layer == 1 else self.at.below(layer)


@dataclass(frozen=True)
class Decision:
    """How many singular values count as positive, and whether they are too many.

    Attributes:
        count: The number.
        gap: Factor by which the first one too many would have to change to count
            otherwise.
    """

    count: int
    gap: float


def count_positive(matrix: Matrix, bar: float, known: int = 0) -> Decision:
    """Return the rank of a matrix and how clear it is whether it exceeds one known.

    Args:
        matrix: The matrix.
        bar: Singular values up to it count as zero.
        known: A rank it has for certain.

    Returns:
        The rank, at least `known`.
    """
    values = np.linalg.svd(matrix, compute_uv=False) if matrix.size else np.zeros(0)
    count = max(known, int(np.count_nonzero(values > bar)))
    if known >= values.size or not bar > 0:
        return Decision(count, SURE)
    next_one = float(values[known])
    ratio = next_one / bar if next_one > bar else bar / max(next_one, bar / SURE)
    return Decision(count, min(ratio, SURE))


def stand(problem: Any, weights: Any, tolerance: float) -> Standing:
    """Return a point with its units and modes, if it is critical.

    Args:
        problem: A `Problem` or a `Playground`.
        weights: The point.
        tolerance: Largest root of the relative gradient that counts as none, `> 0`.

    Returns:
        The point.

    Raises:
        DomainError: If the gradient is not zero to the tolerance.
    """
    if not positive("tolerance", tolerance) < 1:
        raise DomainError(
            f"tolerance is {tolerance}; it must be below 1, where all would be zero."
        )
    at = reduced(problem, weights)
    check_range(at)
    modes = at.modes
    top = float(modes.values[0]) if modes.values.size else 0.0
    least = [at.unit if top else 0.0] * at.depth
    least[0] *= at.inputs_norm
    norms = [float(np.linalg.norm(w, 2)) if w.size else 0.0 for w in at.layers]
    units = tuple(map(max, norms, least))
    size, relative = _gradient(at, units)
    if not math.sqrt(relative) <= tolerance:
        raise DomainError(_not_critical(problem, weights, size, relative, tolerance))
    asked = tolerance if tolerance > TOLERANCE else 0.0
    threshold = max(math.sqrt(relative), _ROUNDING, asked)
    groups, left, right, shares = _aligned(at, modes, threshold, math.prod(units))
    learnt = tuple(mode for mode, share in enumerate(shares, 1) if share > 0.5)
    return Standing(
        problem, at, units, size, relative, threshold,
        left, right, modes.values, groups, learnt, shares,
    )  # fmt: skip


def _gradient(at: Reduced, units: Sequence[float]) -> tuple[float, float]:
    """Return the gradient's norm in the problem's coordinates, and in units."""
    slopes, whole = at.gradient(), math.prod(units)
    relative = max(
        float(np.linalg.norm(slope)) * unit / whole**2 if whole > 0 else 0.0
        for slope, unit in zip(slopes, units, strict=True)
    )
    first = slopes[0] if at.inputs is None else slopes[0] @ at.inputs.T
    squares = [float(np.sum(slope**2)) for slope in (first, *slopes[1:])]
    return math.sqrt(sum(squares)), relative


def _not_critical(
    problem: Any, weights: Any, size: float, relative: float, tolerance: float
) -> str:
    point, distance = nearest_snap(problem, weights)
    learnt = ", ".join(map(str, point.modes)) or "none"
    return (
        f"the weights are not a critical point: the gradient's norm is {size:.3g}, "
        f"{relative:.3g} of what layers of this size can have, and at most "
        f"tolerance**2 = {tolerance**2:.3g} counts as none. The nearest one found is a "
        f"{point.kind} at distance {distance:.3g} (modes learnt: {learnt}); see "
        "nearest_critical_point, descend further, or raise tolerance."
    )


def _aligned(
    at: Reduced, modes: Modes, threshold: float, unit: float
) -> tuple[tuple[tuple[int, ...], ...], Matrix, Matrix, Matrix]:
    """Return groups of equal modes, vectors turned within them, and learnt shares."""
    top = float(modes.values[0]) if modes.values.size else 0.0
    blurred = modes.values <= 4 * threshold * unit
    worst = 0.0
    for groups in (modes.groups, _joined(modes.values, threshold * top)):
        left, right, shares = _turned(at, modes, groups)
        fuzz = np.where(blurred, 0.0, np.abs(shares - (shares > 0.5)))
        worst = float(fuzz.max(initial=0.0))
        if worst <= _CRISP:
            return groups, left, right, shares
    raise DomainError(
        "the weights are not near enough to a critical point: a mode is learnt to "
        f"the share {float(shares[int(fuzz.argmax())]):.3g}, which must be near 0 or "
        "1; descend further, or see nearest_critical_point."
    )


def _joined(values: Matrix, width: float) -> tuple[tuple[int, ...], ...]:
    """Return modes whose singular values follow each other within a width."""
    joined: list[list[int]] = []
    for mode, value in enumerate(values, 1):
        if joined and value > 0 and values[mode - 2] - value <= width:
            joined[-1].append(mode)
        else:
            joined.append([mode])
    return tuple(map(tuple, joined))


def _turned(
    at: Reduced, modes: Modes, groups: Sequence[tuple[int, ...]]
) -> tuple[Matrix, Matrix, Matrix]:
    """Return singular vectors turned within groups to the learnt spans, and shares."""
    left, right = modes.left.copy(), modes.right.copy()
    shares = np.zeros(modes.values.size)
    product = at.segment(1, at.depth)
    for group in groups:
        places = np.array(group) - 1
        root = np.sqrt(modes.values[places])
        if not root.all():
            continue
        block = left[:, places].T @ product @ right[:, places] / np.outer(root, root)
        found, turn = np.linalg.eigh(0.5 * (block + block.T))
        turn = turn[:, ::-1]
        shares[places] = found[::-1]
        left[:, places] = left[:, places] @ turn
        right[:, places] = right[:, places] @ turn
    return left, right, shares
