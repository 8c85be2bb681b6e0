r"""Critical points of a linear network's loss, from the exact values of the weights.

Notation: the data are reduced to $X$, $Y$; $s_1 \ge s_2 \ge \dots$ are the singular
values of $Y$, $d_y$ the output width, $W = W_N \cdots W_1$, $R = W_N \cdots W_2$,
$Z = W_{N-1} \cdots W_2$ (the identity if $N = 2$), $r = \mathrm{rank}\, R$.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar

import jax.numpy as jnp
import numpy as np

from thalweg._core.arrays import Weights
from thalweg._core.papers import CHITOUR2023
from thalweg._core.source import Source
from thalweg.landscape._saddles.exactly import Point
from thalweg.linalg import balls, exact
from thalweg.linalg.exact import ExactMatrix, Rational
from thalweg.problem.moments import Moments
from thalweg.problem.nets import LinearNet
from thalweg.problem.problem import Problem
from thalweg.theorems._base import (
    AbstractTheorem,
    Ball,
    Case,
    Example,
    Guarantee,
    Hypothesis,
    Kind,
    Printed,
)
from thalweg.theorems.chitour2023._critical import (
    critical_facts,
    exactly,
    labels_spectrum,
    learnt_modes,
    still_open,
)


@dataclass(frozen=True)
class CriticalPoints(AbstractTheorem):
    r"""The loss at a critical point is half the squares of the modes not learnt.

    At every critical point $W X$ is the orthogonal projection of $Y$ on the range of
    $R$, a span of left singular vectors of $Y$, so $r = \mathrm{rank}(W X)$,
    $W X Y^\top$ is symmetric, and the excess loss is $\tfrac12 \sum_{i \in Q} s_i^2$
    with $d_y - r$ indices in $Q$. The source also assumes A1, on the hidden widths,
    which this part of the proof does not use: $R^\top E = 0$ makes $W X$ the
    projection, and $E X^\top W^\top = 0$ lets it commute with $Y Y^\top$.
    """

    source: ClassVar[Source] = CHITOUR2023.at("Lemma 2 and Proposition 3, i)")
    kind: ClassVar[Kind] = Kind.LANDSCAPE
    status: ClassVar[str] = "read in the source; proof without A1 in the docstring"
    clock: ClassVar[str] = "flow time"

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return that data have full rank and that the gradient is zero."""
        return critical_facts(case)

    def guarantee(self, case: Case) -> Guarantee:
        """Return the critical value and the modes learnt."""
        point = exactly(case)
        rank, values = exact.rank(point.above), labels_spectrum(point)
        learnt = learnt_modes(point, rank)
        level = _level(values, learnt)
        symmetric = point.prediction @ point.labels.T
        return Guarantee(
            statement=(
                f"a critical point of rank {rank} that has learnt the modes "
                f"{[mode + 1 for mode in learnt]}; its excess loss is "
                f"{float(level.mid()):.9g}"
            ),
            clock=self.clock,
            limit="itself: the flow stays",
            conclusions=(
                Hypothesis(
                    "rank R = rank W X", fact=exact.rank(point.prediction) == rank
                ),
                Hypothesis(
                    "W X Y' is symmetric", fact=exact.is_zero(symmetric - symmetric.T)
                ),
                Hypothesis(
                    "the loss is half a sum of squares of d_y - r singular values",
                    fact=len(learnt) == rank and _loss(point).overlaps(level),
                ),
            ),
            values={"excess loss": level, "rank": balls.scalar(rank)},
        )

    def witnesses(self) -> Iterator[Example]:
        """Yield points of all ranks, depths 2 and 3, and one of a narrow net."""
        for depth, modes in (
            (2, ()),
            (2, (1,)),
            (2, (0, 2)),
            (3, (1,)),
            (3, (0, 1, 2)),
        ):
            yield Example(*_having_learnt(modes, depth))
        target = jnp.diag(jnp.array([3.0, 2.0]))
        narrow = Problem(LinearNet((2, 1, 2)), Moments.whitened(target))
        yield Example(narrow, (jnp.array([[3.0, 0.0]]), jnp.array([[1.0], [0.0]])))

    def counterexamples(self) -> Iterator[Example]:
        """Yield a point with a gradient, and more outputs than inputs."""
        problem, start = _having_learnt((1,), 2)
        moved = (start[0] + 1e-3, start[1])
        yield Example(problem, moved, refuted="the gradient is zero")
        tall = Problem(LinearNet((1, 2, 2)), Moments.whitened(jnp.ones((2, 1))))
        zeros = tuple(jnp.zeros(shape) for shape in tall.net.shapes)
        yield Example(tall, zeros, refuted="no more outputs than inputs")

    def printed_values(self) -> Iterator[Printed]:
        """Yield the critical values of diag(3, 2, 1)."""
        texts = ("7", "2.5", "5", "6.5", "0.5", "2", "4.5", "0")
        subsets = [c for count in range(4) for c in combinations(range(3), count)]
        for text, modes in zip(texts, subsets, strict=True):
            case = Case(*_having_learnt(modes, 2))
            yield Printed(
                f"critical value of diag(3, 2, 1), learnt {[m + 1 for m in modes]}",
                text,
                lambda c=case: float(self.guarantee(c).values["excess loss"].mid()),
            )


@dataclass(frozen=True)
class Saddles(AbstractTheorem):
    r"""A critical point that misses a mode is a saddle: all local minima are global.

    If no hidden layer is smaller than the output and $r < d_y$, a critical point is
    neither a local minimum nor a local maximum. Those with $r = d_y$ are the global
    minima, where the excess loss is zero. How steep the way down is, is not said: see
    `NegativeCurvature`.
    """

    source: ClassVar[Source] = CHITOUR2023.at("Proposition 3, ii) and iii)")
    kind: ClassVar[Kind] = Kind.LANDSCAPE
    status: ClassVar[str] = (
        "read in the source; hidden layers wider than the input are from memory of "
        "Laurent and von Brecht 2018"
    )
    clock: ClassVar[str] = "flow time"

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return wide hidden layers, no gradient, and a missing mode."""
        wide = Hypothesis(
            "no hidden layer is smaller than the output",
            fact=min(case.widths[1:-1], default=0) >= case.widths[-1],
            mend="widen the hidden layers",
        )
        if not wide.fact:
            return [wide]
        known = critical_facts(case)
        return [wide, *known, *([_missing(case)] if still_open(known) else [])]

    def guarantee(self, case: Case) -> Guarantee:
        """Return that it is a saddle, above the infimum."""
        point = exactly(case)
        rank, inner = exact.rank(point.above), exact.rank(point.between)
        strict = (
            "strict: its Hessian has a negative eigenvalue"
            if inner > rank
            else ("of equal rank in its inner layers: strict or not")
        )
        return Guarantee(
            statement=f"a saddle point of rank {rank}, {strict}",
            clock=self.clock,
            limit="itself: the flow stays",
            conclusions=(Hypothesis("the loss is above its infimum", _loss(point)),),
            values={
                "excess loss": _loss(point),
                "rank R": balls.scalar(rank),
                "rank Z": balls.scalar(inner),
            },
        )

    def witnesses(self) -> Iterator[Example]:
        """Yield strict saddles and the origin of a net of depth three."""
        for depth, modes in ((2, ()), (2, (0, 2)), (3, (1,)), (3, ())):
            yield Example(*_having_learnt(modes, depth))

    def counterexamples(self) -> Iterator[Example]:
        """Yield a global minimum and a bottleneck."""
        yield Example(*_having_learnt((0, 1, 2), 2), refuted="rank R < d_y")
        target = jnp.diag(jnp.array([3.0, 2.0]))
        narrow = Problem(LinearNet((2, 1, 2)), Moments.whitened(target))
        yield Example(
            narrow,
            (jnp.array([[3.0, 0.0]]), jnp.array([[1.0], [0.0]])),
            refuted="no hidden layer is smaller than the output",
        )


@dataclass(frozen=True)
class NegativeCurvature(AbstractTheorem):
    r"""If the inner layers keep more than the product, a saddle has a way down.

    At a critical point with $\mathrm{rank}\, Z > r$ and $r < d_y$ take $v$ with
    $R v = 0 \ne Z v$ and $u$ with $R^\top u = 0$. In the direction
    $w_1 X = \lambda\, v\, (Y^\top u)^\top$,
    $w_N = u (Z v)^\top / \|Z v\|^2$, all else zero, the loss changes by
    $(\tfrac12 \kappa \|u\|^2 - \lambda \|Y^\top u\|^2)\, t^2$ to second order, with
    $\kappa = \|(Z v)^\top Z W_1 X\|^2 / \|Z v\|^4$; it is $-t^2$ at
    $\lambda = (\tfrac12 \kappa \|u\|^2 + 1) / \|Y^\top u\|^2$. The source asks for
    $r > 0$ and A1; neither is needed.
    """

    source: ClassVar[Source] = CHITOUR2023.at("Proposition 3, iii)")
    kind: ClassVar[Kind] = Kind.LANDSCAPE
    status: ClassVar[str] = (
        "read in the source; direction in any coordinates derived here"
    )
    clock: ClassVar[str] = "flow time"

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return no gradient, a missing mode, and inner layers of higher rank."""
        known = critical_facts(case)
        if not still_open(known):
            return known
        missing = _missing(case)
        if not missing.fact:
            return [*known, missing]
        point = exactly(case)
        higher = exact.rank(point.between) > exact.rank(point.above)
        return [*known, missing, Hypothesis("rank Z > rank R", fact=higher)]

    def guarantee(self, case: Case) -> Guarantee:
        """Return the direction's curvature, computed exactly from the Hessian."""
        point = exactly(case)
        direction = _way_down(point)
        change = point.second_order(direction)
        length = sum(
            (exact.inner(part, part) for part in direction if part is not None),
            exact.scalar(0),
        )
        curvature = exact.to_ball(2 * change / length)
        return Guarantee(
            statement=(
                "a strict saddle: the Hessian has an eigenvalue of at most "
                f"{float(curvature.mid()):.6g}"
            ),
            clock=self.clock,
            limit="itself: the flow stays",
            conclusions=(Hypothesis("the loss falls along the direction", -curvature),),
            values={"curvature": curvature, "change": exact.to_ball(change)},
        )

    def witnesses(self) -> Iterator[Example]:
        """Yield saddles of two and three layers, and one on data that are not white."""
        for depth, modes in ((2, ()), (2, (0,)), (2, (0, 2))):
            yield Example(*_having_learnt(modes, depth))
        problem, start = _having_learnt((1,), 3)
        yield Example(problem, (start[0], jnp.eye(3), start[2]))
        yield Example(*_source_check())
        zeros = tuple(jnp.zeros(shape) for shape in ((3, 2), (2, 3)))
        moments = Moments.from_moments(
            jnp.diag(jnp.array([4.0, 1.0])), jnp.diag(jnp.array([2.0, 3.0]))
        )
        yield Example(Problem(LinearNet((2, 3, 2)), moments), zeros)

    def counterexamples(self) -> Iterator[Example]:
        """Yield the origin of three layers, a minimum, and a point with a gradient."""
        yield Example(*_having_learnt((), 3), refuted="rank Z > rank R")
        yield Example(*_having_learnt((0, 1, 2), 3), refuted="rank R < d_y")
        problem, start = _having_learnt((1,), 2)
        yield Example(
            problem, (start[0] + 1e-3, start[1]), refuted="the gradient is zero"
        )

    def printed_values(self) -> Iterator[Printed]:
        """Yield changes to second order at a saddle of widths (5, 4, 3)."""
        for mode, text, share in (
            (1, "-2", 1.0),
            (2, "0.425", 0.1),
            (2, "0", 0.3125),
            (2, "-1", 0.8125),
        ):
            yield Printed(
                f"change along e_{mode + 1} at {share}",
                text,
                lambda m=mode, s=share: float(exact.to_ball(_checked(m, s)).mid()),
            )


def _missing(case: Case) -> Hypothesis:
    rank = exact.rank(exactly(case).above)
    return Hypothesis("rank R < d_y", fact=rank < case.widths[-1])


def _level(values: list[Ball], learnt: list[int]) -> Ball:
    """Return half the squares of the singular values that are not learnt."""
    left = [value for mode, value in enumerate(values) if mode not in learnt]
    return balls.total(value * value for value in left) / 2


def _loss(point: Point) -> Ball:
    return exact.to_ball(exact.inner(point.residual, point.residual) / 2)


def _way_down(point: Point) -> list[ExactMatrix | None]:
    """Return the direction of the docstring at a saddle with `rank Z > rank R`."""
    v = next(
        column
        for column in exact.kernel(point.above)
        if not exact.is_zero(point.between @ column)
    )
    u = exact.kernel(point.above.T)[0]
    pull = point.labels.T @ u
    zv = point.between @ v
    size = exact.inner(zv, zv)
    seen = point.fed(zv.T @ point.products[-2])
    kappa = exact.inner(seen, seen) / size**2
    gain = kappa * exact.inner(u, u) / 2 + 1
    return _direction(point, v, u, gain / exact.inner(pull, pull))


def _direction(
    point: Point, v: ExactMatrix, u: ExactMatrix, share: Rational
) -> list[ExactMatrix | None]:
    zv = point.between @ v
    first = v @ (point.labels.T @ u).T * share
    if point.inputs is not None:
        first = exact.solve(point.inputs.T, first.T).T
    last = u @ zv.T * (1 / exact.inner(zv, zv))
    return [first, *[None] * (len(point.weights) - 2), last]


def _having_learnt(modes: tuple[int, ...], depth: int) -> tuple[Problem, Weights]:
    """Return diag(3, 2, 1) and a critical point that has learnt some of its modes."""
    values, known = np.array([3.0, 2.0, 1.0]), np.isin(np.arange(3), modes)
    problem = Problem(
        LinearNet((3,) * (depth + 1)), Moments.whitened(jnp.diag(jnp.asarray(values)))
    )
    keep = jnp.diag(jnp.asarray(known * 1.0))
    first = jnp.diag(jnp.asarray(known * values))
    return problem, (first, *(keep,) * (depth - 1))


def _source_check() -> tuple[Problem, Weights]:
    """Return widths (5, 4, 3), target [diag(3, 2, 1) | 0], one mode learnt."""
    target = (
        jnp.zeros((3, 5)).at[jnp.arange(3), jnp.arange(3)].set(jnp.arange(3, 0, -1))
    )
    first = jnp.zeros((4, 5)).at[0, 0].set(2.0).at[2, 3].set(1.0).at[2, 4].set(-0.5)
    last = jnp.zeros((3, 4)).at[0, 0].set(1.5)
    return Problem(LinearNet((5, 4, 3)), Moments.whitened(target)), (first, last)


def _checked(mode: int, share: float) -> Rational:
    """Return the change along the second label mode, through one hidden unit."""
    point = exactly(Case(*_source_check()))
    v, u = (
        exact.matrix(np.eye(size)[:, [place]]) for size, place in ((4, mode), (3, 1))
    )
    # Here the label mode has the singular value 2, by which Y'u is longer than u.
    return point.second_order(_direction(point, v, u, exact.scalar(share) / 2))
