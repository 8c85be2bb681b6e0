r"""Achour, Malgouyres, Gerchinovitz: which critical points are strict saddles.

Notation: $W_1, \dots, W_N$ are the layers of the reduced chain, $Y$ its labels, $r$ the
rank of $W = W_N \cdots W_1$; a pivot is a pair $i > j$ of layers, its complementary
blocks are $W_{j-1} \cdots W_1 Y^\top W_N \cdots W_{i+1}$ and $W_{i-1} \cdots W_{j+1}$;
it is tightened if one of them has rank $r$.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp
import numpy as np

from thalweg._core.arrays import Weights
from thalweg._core.errors import DomainError
from thalweg._core.papers import ACHOUR2024
from thalweg._core.source import Source
from thalweg.landscape._saddles.exactly import Point
from thalweg.landscape.directions import escape_direction
from thalweg.landscape.hessian import hessian
from thalweg.landscape.kinds import Kind as Critical
from thalweg.landscape.rigour import (
    change_along,
    exact_kind,
    exact_signs,
    is_tightened,
)
from thalweg.linalg import balls, exact
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
from thalweg.theorems.chitour2023._critical import exactly, is_critical

SMALL = 16
"""Most weights for which the Hessian's signs are counted, too."""


@dataclass(frozen=True)
class Classification(AbstractTheorem):
    r"""A saddle is strict if its modes are the wrong ones or it is not tightened.

    At a critical point $W$ is $Y$ with all but $r$ modes left out. If the $r$ are not
    the largest, it is a strict saddle. If they are, it is a global minimum if $r$ is
    the smallest width or nothing is missing, and else a saddle: strict if some pivot is
    not tightened, not strict, the Hessian without a negative eigenvalue, if every pivot
    is. The source assumes labels of full rank and distinct singular values, and no more
    outputs than inputs; `thalweg.landscape.strictness` proves it without.
    """

    source: ClassVar[Source] = ACHOUR2024.at("Theorem 7")
    kind: ClassVar[Kind] = Kind.LANDSCAPE
    status: ClassVar[str] = (
        "read in the source; derived here without its Assumption 1, proof in "
        "thalweg.landscape.strictness"
    )
    bounds: ClassVar[str] = ""
    clock: ClassVar[str] = "flow time"

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return that the gradient is zero, and that modes can be told apart."""
        critical = is_critical(case)
        if not critical.fact:
            return [critical]
        known = exact_kind(exactly(case)) is not None
        return [
            critical,
            Hypothesis("what is learnt and what is missing compare", fact=known),
        ]

    def guarantee(self, case: Case) -> Guarantee:
        """Return the kind, and what its name says of the Hessian and the loss."""
        point = exactly(case)
        rank, told = exact.rank(point.prediction), exact_kind(point)
        loss = _loss(point)
        conclusions = [*_on_loss(case, point, told), *_on_signs(point, told)]
        values = {"excess loss": loss - _infimum(case, point)}
        if told is Critical.STRICT_SADDLE:
            curvature = _curvature(case)
            if curvature is not None:
                conclusions.append(
                    Hypothesis("the loss falls along the direction", -curvature)
                )
                values["curvature"] = curvature
        return Guarantee(
            statement=f"a {told} of rank {rank}",
            clock=self.clock,
            limit="itself: the flow stays",
            conclusions=tuple(conclusions),
            values=values,
        )

    def witnesses(self) -> Iterator[Example]:
        """Yield all kinds, labels the source excludes among them."""
        for layers in _TABLE.values():
            if all(np.all(layer == np.round(layer)) for layer in layers):
                yield Example(_square(2.0, 1.0), _chain(*layers))
        yield Example(_square(2.0, 2.0), _chain(_diag(2, 0), _diag(1, 0), _diag(1, 0)))
        yield Example(_square(2.0, 0.0), _chain(_diag(1, 1), _diag(0, 1), _diag(0, 0)))
        yield Example(_square(3.0, 0.0), _chain(_diag(3, 1), _diag(1, 0), _diag(1, 0)))
        narrow = Problem(LinearNet((2, 1, 2)), Moments.whitened(_diag(3, 2)))
        yield Example(narrow, _chain([[3, 0]], [[1], [0]]))
        yield Example(narrow, _chain([[0, 2]], [[0], [1]]))
        data = Moments.from_moments(_diag(4, 1), _diag(2, 3))
        start = _chain([[0.5, 0], [0, 0], [0, 0]], np.diag([1.0, 0, 0])[:2])
        yield Example(Problem(LinearNet((2, 3, 2)), data), start)

    def counterexamples(self) -> Iterator[Example]:
        """Yield a point with a gradient."""
        start = _chain(_diag(2, 0), _diag(1, 0), _diag(1, 0.001))
        moved = (start[0] + 1e-3, *start[1:])
        yield Example(_square(2.0, 1.0), moved, refuted="the gradient is zero")

    def printed_values(self) -> Iterator[Printed]:
        """Yield the ends of the Hessian's spectrum at critical points of diag(2, 1)."""
        ends = {
            "all zero": ("0", "0"),
            "the first is I": ("-2", "2"),
            "the second is I": ("-2", "2"),
            "the third is I": ("-2", "2"),
            "the largest mode, balanced": ("0", "7.5595263"),
            "the second layer wide open": ("-1", "9"),
            "the first layer wide open": ("-1", "9"),
            "the smaller mode": ("-1", "3"),
            "both modes": ("0", "7.5595263"),
        }
        for name, texts in ends.items():
            for place, text in zip((0, -1), texts, strict=True):
                yield Printed(
                    f"eigenvalue {place} of the Hessian, {name}",
                    text,
                    lambda n=name, p=place: _eigenvalue(n, p),
                )


@dataclass(frozen=True)
class ThinLayers(AbstractTheorem):
    r"""Three layers of the rank of their product leave no pivot loose.

    If $\mathrm{rank}\, W_h = r$ for three layers $h$, the point is tightened: of the
    three at least one is neither $i$ nor $j$, so a factor of one of the two blocks. So
    every critical point of three layers or more that is balanced exactly, all layers
    having the same singular values, is tightened: if it has learnt the largest modes
    and is no minimum, it is a saddle without negative curvature.
    """

    source: ClassVar[Source] = ACHOUR2024.at("below Definition 6")
    kind: ClassVar[Kind] = Kind.LANDSCAPE
    status: ClassVar[str] = "read in the source; proof in the docstring"
    bounds: ClassVar[str] = ""
    clock: ClassVar[str] = "flow time"

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return no gradient, and three layers of the rank of the product."""
        critical = is_critical(case)
        if not critical.fact:
            return [critical]
        point = exactly(case)
        rank = exact.rank(point.prediction)
        thin = sum(exact.rank(weight) == rank for weight in point.weights)
        name = "three layers have the rank of the product"
        return [critical, Hypothesis(name, fact=thin >= 3)]

    def guarantee(self, case: Case) -> Guarantee:
        """Return that every pivot is tightened."""
        point = exactly(case)
        rank = exact.rank(point.prediction)
        return Guarantee(
            statement=f"a tightened critical point of rank {rank}",
            clock=self.clock,
            limit="itself: the flow stays",
            conclusions=(
                Hypothesis("every pivot is tightened", fact=is_tightened(point, rank)),
            ),
            values={"rank": balls.scalar(rank)},
        )

    def witnesses(self) -> Iterator[Example]:
        """Yield points of all ranks, one of wrong modes, one of four layers."""
        for values in ((0, 0), (1, 0), (0, 1), (1, 1)):
            keep = _diag(*values)
            chain = _chain(_diag(2, 1) @ keep, keep, keep)
            yield Example(_square(2.0, 1.0), chain)
        deep = Problem(LinearNet((2,) * 5), Moments.whitened(_diag(2, 1)))
        keep = _diag(1, 0)
        yield Example(deep, _chain(_diag(2, 0), keep, np.eye(2), keep))

    def counterexamples(self) -> Iterator[Example]:
        """Yield a point with an open layer, and one with a gradient."""
        open_one = _chain(_diag(2, 0), np.eye(2), _diag(1, 0))
        name = "three layers have the rank of the product"
        yield Example(_square(2.0, 1.0), open_one, refuted=name)
        moved = (open_one[0] + 1e-3, *open_one[1:])
        yield Example(_square(2.0, 1.0), moved, refuted="the gradient is zero")


def _on_loss(case: Case, point: Point, told: Critical | None) -> list[Hypothesis]:
    """Return what a kind says of the loss."""
    gap = _loss(point) - _infimum(case, point)
    if told is Critical.GLOBAL_MINIMUM:
        met = bool(gap.overlaps(balls.scalar(0)))
        return [Hypothesis("the loss is its infimum", fact=met)]
    return [Hypothesis("the loss is above its infimum", gap)]


def _on_signs(point: Point, told: Critical | None) -> list[Hypothesis]:
    """Return what a kind says of the Hessian, counted for few weights only."""
    if sum(w.shape[0] * w.shape[1] for w in point.weights) > SMALL:
        return []
    negative, _, _ = exact_signs(point)
    strict = told is Critical.STRICT_SADDLE
    name = "has a" if strict else "has no"
    return [
        Hypothesis(
            f"the Hessian {name} negative eigenvalue", fact=(negative > 0) == strict
        )
    ]


def _loss(point: Point) -> Ball:
    return exact.to_ball(exact.inner(point.residual, point.residual) / 2)


def _infimum(case: Case, point: Point) -> Ball:
    """Return half the squares of the singular values that do not fit the widths."""
    values = balls.singular_values(exact.to_balls(point.labels))
    lost = values[min(case.widths) :]
    return balls.total(value * value for value in lost) / 2


def _curvature(case: Case) -> Ball | None:
    """Return a negative value of the Hessian's form at a unit direction, exactly.

    Where floats see no such direction, `None`.
    """
    try:
        way = escape_direction(case.problem, case.start)
    except DomainError:
        return None
    chain = case.problem.chain(way.direction)
    parts = [exact.matrix(np.asarray(layer)) for layer in chain]
    length = sum((exact.inner(part, part) for part in parts), exact.scalar(0))
    change = change_along(case.problem, case.start, way.direction)
    return exact.to_ball(2 * change / length)


def _diag(*values: int | float) -> np.ndarray:
    return np.diag(np.asarray(values, dtype=float))


def _square(*values: float) -> Problem:
    return Problem(LinearNet((2, 2, 2, 2)), Moments.whitened(_diag(*values)))


def _chain(*layers: object) -> Weights:
    return tuple(jnp.asarray(np.asarray(layer, dtype=float)) for layer in layers)


_ROOT = 2.0 ** (1 / 3)

_TABLE: dict[str, tuple[np.ndarray, ...]] = {
    "all zero": (_diag(0, 0),) * 3,
    "the first is I": (np.eye(2), _diag(0, 0), _diag(0, 0)),
    "the second is I": (_diag(0, 0), np.eye(2), _diag(0, 0)),
    "the third is I": (_diag(0, 0), _diag(0, 0), np.eye(2)),
    "the largest mode, balanced": (_diag(_ROOT, 0),) * 3,
    "the second layer wide open": (_diag(1, 0), np.eye(2), _diag(2, 0)),
    "the first layer wide open": (np.eye(2), _diag(1, 0), _diag(2, 0)),
    "the smaller mode": (_diag(0, 1),) * 3,
    "both modes": (_diag(_ROOT, 1),) * 3,
}


def _eigenvalue(name: str, place: int) -> float:
    """Return an end of the Hessian's spectrum; what is rounding of zero is zero."""
    start = _chain(*_TABLE[name])
    values = np.linalg.eigvalsh(hessian(_square(2.0, 1.0), start))
    found = float(values[place])
    return 0.0 if abs(found) < 1e-14 * max(1.0, float(values[-1])) else found
