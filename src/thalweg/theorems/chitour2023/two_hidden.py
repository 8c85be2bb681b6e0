r"""Chitour, Liao, Couillet: saddles of three layers whose middle is no wider open.

Notation, after the reduction: $X$ and $Y$ are the data, $E$ is prediction minus labels,
$R = W_3 W_2$, $Z = W_2$, $r = \mathrm{rank}\, R$, $r_Z = \mathrm{rank}\, Z$; $d_y$ is
the output width. In the singular vectors of $Y$, learnt modes first, $D_Y$ and $E_Y$
are the singular values learnt and missing, $W_{1,1} = [W_{1,1,1} | W_{1,1,2}]$ and
$W_{1,2}$ the first layer on the data directions of these modes and on all others.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp
import numpy as np

from thalweg._core.arrays import Weights
from thalweg._core.papers import CHITOUR2023
from thalweg._core.source import Source
from thalweg.landscape._saddles.cases import SourceCase
from thalweg.landscape._saddles.exactly import Point
from thalweg.landscape.directions import escape_direction, second_order
from thalweg.landscape.hessian import hessian
from thalweg.landscape.kinds import Kind as Critical
from thalweg.landscape.rigour import change_along, exact_kind, exact_signs
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
from thalweg.theorems.chitour2023._critical import critical_facts, exactly, still_open

SMALL = 40
"""Most weights for which the Hessian's signs are counted, too."""


@dataclass(frozen=True)
class TwoHiddenLayers(AbstractTheorem):
    r"""Of three layers with rank Z = rank R, which saddles have a way down.

    Case 1, $r = 0$, so $W_2 = 0$: the saddle is strict if $W_{1,1} \ne 0$ (1.1a) or
    $W_3 \ne 0$ (1.1b); else its Hessian is zero (1.2), whatever $W_{1,2}$ is. Case 2,
    $r > 0$: strict if $W_1 X E^\top \ne 0$ or $E^\top W_3 \ne 0$ (2.1), which is
    $W_{1,1,2,2} \ne 0$ or $W_{3,2,2} \ne 0$ in the source. Else (2.2) strict if a
    missing singular value is larger than a learnt one; and if none is, the Hessian has
    no negative eigenvalue: the second order of the loss is at least
    $\sum_{i,j} \tfrac12 A_{ji}^2 + \tfrac12 B_{ij}^2 - ([E_Y]_{ii}/[D_Y]_{jj})
    A_{ji} B_{ij}$ (Remark 3). Hidden layers are no smaller than the output.
    """

    source: ClassVar[Source] = CHITOUR2023.at("proof of Proposition 3, Remark 3")
    kind: ClassVar[Kind] = Kind.LANDSCAPE
    status: ClassVar[str] = (
        "read in the source; every direction's curvature is computed exactly"
    )
    bounds: ClassVar[str] = ""
    clock: ClassVar[str] = "flow time"

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return three layers, no gradient, a missing mode and rank Z = rank R."""
        facts = [
            Hypothesis("there are three layers", fact=case.depth == 3),
            Hypothesis(
                "no hidden layer is smaller than the output",
                fact=min(case.widths[1:-1], default=0) >= case.widths[-1],
                mend="widen the hidden layers",
            ),
        ]
        if not still_open(facts):
            return facts
        known = [*facts, *critical_facts(case)]
        if not still_open(known) or case.radius:
            return known
        point = exactly(case)
        rank, inner = exact.rank(point.above), exact.rank(point.between)
        told = exact_kind(point) is not None
        return [
            *known,
            Hypothesis("rank R < d_y", fact=rank < case.widths[-1]),
            Hypothesis("rank Z = rank R", fact=rank == inner),
            Hypothesis("what is learnt and what is missing compare", fact=told),
        ]

    def guarantee(self, case: Case) -> Guarantee:
        """Return the case, and the curvature of its direction."""
        point = exactly(case)
        found = _case(point)
        conclusions = _on_signs(point, found)
        values = {"rank": balls.scalar(exact.rank(point.above))}
        if found.kind is Critical.STRICT_SADDLE:
            values["curvature"] = _curvature(case)
            conclusions.append(
                Hypothesis("the loss falls along the direction", -values["curvature"])
            )
        return Guarantee(
            statement=f"{found}: a {found.kind}",
            clock=self.clock,
            limit="itself: the flow stays",
            conclusions=tuple(conclusions),
            values=values,
        )

    def witnesses(self) -> Iterator[Example]:
        """Yield a saddle of every case."""
        yield Example(*_saddle(learnt=False, loose=(1.0, 0.0)))
        yield Example(*_saddle(learnt=False, loose=(0.0, 1.0)))
        yield Example(*_saddle(learnt=False))
        yield Example(*_saddle(learnt=False, beside=1.5))
        yield Example(*_saddle(loose=(1.0, 0.0)))
        yield Example(*_saddle(loose=(0.0, -0.5)))
        yield Example(*_saddle(mode=1))
        yield Example(*_saddle(beside=1.5))

    def counterexamples(self) -> Iterator[Example]:
        """Yield an open middle, two layers, a minimum and a point with a gradient."""
        problem, start = _saddle()
        wide = start[1].at[1, 1].set(1.0)
        yield Example(problem, (start[0], wide, start[2]), refuted="rank Z = rank R")
        full = (jnp.eye(3, 4) * jnp.array([2.0, 1.0, 0, 0]), jnp.eye(3), jnp.eye(2, 3))
        yield Example(problem, full, refuted="rank R < d_y")
        moved = (start[0] + 1e-3, *start[1:])
        yield Example(problem, moved, refuted="the gradient is zero")
        two = Problem(LinearNet((2, 2, 2)), Moments.whitened(np.diag([2.0, 1.0])))
        zeros = (jnp.zeros((2, 2)),) * 2
        yield Example(two, zeros, refuted="there are three layers")

    def printed_values(self) -> Iterator[Printed]:
        """Yield curvatures at saddles of diag(3, 2, 1), widths (5, 4, 4, 3)."""
        for name, modes, text in (
            ("learnt [1]", (0,), "0"),
            ("learnt [2]", (1,), "-0.7603"),
            ("learnt [1, 2]", (0, 1), "0"),
        ):
            yield Printed(
                f"smallest eigenvalue, {name}", text, lambda m=modes: _smallest(m)
            )
        yield Printed("change along the exchange of 1 and 2", "-0.5", _second_for_first)
        yield Printed("the same of 2 and 3, learnt [1, 3]", "-1", _third_for_second)


def _case(point: Point) -> SourceCase:
    """Return the case of a point that satisfies the hypotheses, in fractions."""
    first = point.fed(point.weights[0])
    last = point.weights[-1]
    if exact.is_zero(point.weights[1]):
        if not exact.is_zero(first @ point.labels.T):
            return SourceCase.CASE_1_1A
        if not exact.is_zero(last):
            return SourceCase.CASE_1_1B
        return SourceCase.CASE_1_2
    loose = (first @ point.residual.T, point.residual.T @ last)
    if not all(map(exact.is_zero, loose)):
        return SourceCase.CASE_2_1
    if exact_kind(point) is Critical.STRICT_SADDLE:
        return SourceCase.WRONG_MODES
    return SourceCase.REMARK_3


def _on_signs(point: Point, found: SourceCase) -> list[Hypothesis]:
    """Return what a case says of the Hessian's signs, counted for few weights only."""
    if sum(w.shape[0] * w.shape[1] for w in point.weights) > SMALL:
        return []
    negative, _, positive = exact_signs(point)
    strict = found.kind is Critical.STRICT_SADDLE
    name = "has a" if strict else "has no"
    told = [
        Hypothesis(
            f"the Hessian {name} negative eigenvalue", fact=(negative > 0) == strict
        )
    ]
    if found is SourceCase.CASE_1_2:
        told.append(Hypothesis("the Hessian is zero", fact=positive == 0))
    return told


def _curvature(case: Case) -> Ball:
    """Return the Hessian's form along the steepest direction of norm one, exactly."""
    way = escape_direction(case.problem, case.start)
    parts = [exact.matrix(np.asarray(layer)) for layer in way.direction]
    length = sum((exact.inner(part, part) for part in parts), exact.scalar(0))
    change = change_along(case.problem, case.start, way.direction)
    return exact.to_ball(2 * change / length)


def _saddle(
    *,
    mode: int = 0,
    learnt: bool = True,
    loose: tuple[float, float] = (0.0, 0.0),
    beside: float = 0.0,
) -> tuple[Problem, Weights]:
    """Return [diag(2, 1) | 0] of widths (4, 3, 3, 2) and a saddle.

    One mode is learnt, or none; the other one's places in the first and the last layer
    may hold a number, and a data direction without labels.
    """
    labels = np.eye(2, 4) * [2.0, 1.0, 0.0, 0.0]
    other = 1 - mode
    first, middle, last = (np.zeros(shape) for shape in ((3, 4), (3, 3), (2, 3)))
    if learnt:
        first[0, mode], middle[0, 0], last[mode, 0] = labels[mode, mode], 1.0, 1.0
    first[1, other], last[other, 1] = loose
    first[2, 3] = beside
    problem = Problem(LinearNet((4, 3, 3, 2)), Moments.whitened(labels))
    return problem, tuple(jnp.asarray(layer) for layer in (first, middle, last))


_STRENGTHS = (1.3, 0.8)
"""Of the third and the second layer along learnt modes, in the printed checks."""


def _checked(modes: tuple[int, ...]) -> tuple[Problem, Weights]:
    """Return widths (5, 4, 4, 3), labels [diag(3, 2, 1) | 0], some modes learnt."""
    values = np.array([3.0, 2.0, 1.0])
    labels = np.zeros((3, 5))
    labels[range(3), range(3)] = values
    layers = [np.zeros(shape) for shape in ((4, 5), (4, 4), (3, 4))]
    last, middle = _STRENGTHS
    for mode in modes:
        layers[0][mode, mode] = values[mode] / (last * middle)
        layers[1][mode, mode] = middle
        layers[2][mode, mode] = last
    problem = Problem(LinearNet((5, 4, 4, 3)), Moments.whitened(labels))
    return problem, tuple(jnp.asarray(layer) for layer in layers)


def _smallest(modes: tuple[int, ...]) -> float:
    """Return the Hessian's smallest eigenvalue; what is rounding of zero is zero."""
    values = np.linalg.eigvalsh(hessian(*_checked(modes)))
    return 0.0 if abs(values[0]) < 1e-13 * values[-1] else float(values[0])


def _exchanged(modes: tuple[int, ...], known: int, missing: int) -> float:
    """Return the change along the source's A = e_j e_i', B = e_i e_j'."""
    problem, start = _checked(modes)
    last, middle = _STRENGTHS
    change = [np.zeros(layer.shape) for layer in start]
    change[0][known, missing] = 1 / (last * middle)
    change[2][missing, known] = 1 / float(
        start[1][known, known] * start[0][known, known]
    )
    return second_order(problem, start, change)


def _second_for_first() -> float:
    return _exchanged((1,), 1, 0)


def _third_for_second() -> float:
    return _exchanged((0, 2), 2, 1)
