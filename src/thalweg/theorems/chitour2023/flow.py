r"""Chitour, Liao, Couillet: the geometry of gradient flow on linear networks."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import jax.numpy as jnp
import numpy as np

from thalweg._core.papers import CHITOUR2023
from thalweg._core.source import Source
from thalweg.linalg import balls
from thalweg.linalg.chain import invariants
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
    Printed,
)


@dataclass(frozen=True)
class Invariance(AbstractTheorem):
    r"""Gradient flow keeps what neighbouring layers differ by.

    Notation: $W_{j+1}^\top W_{j+1} - W_j W_j^\top$ is constant for every $j$. True
    of every linear network, every start and every data set ($1 \le j \le H$;
    the source prints $H + 1$). Descent with step $\eta$ keeps them up to
    $\eta^2 (g_{j+1}^\top g_{j+1} - g_j g_j^\top)$ a step.
    """

    source: ClassVar[Source] = CHITOUR2023.at("Lemma 1")
    bounds: ClassVar[str] = "invariants"
    clock: ClassVar[str] = "flow time"

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return that there are two layers to compare."""
        return [Hypothesis("at least two layers", fact=case.depth >= 2)]

    def guarantee(self, case: Case) -> Guarantee:
        """Return what is conserved."""
        return Guarantee(
            statement=(
                "every matrix W_(j+1)' W_(j+1) - W_j W_j' stays constant along the "
                f"flow, j = 1 to {case.depth - 1}"
            ),
            clock=self.clock,
            conserved=("invariants", "imbalance", "norm_gaps"),
        )

    def witnesses(self) -> Iterator[Example]:
        """Yield an unbalanced start."""
        yield Example(*_remark_2())

    def counterexamples(self) -> Iterator[Example]:
        """Yield a single layer."""
        problem = Problem(LinearNet((2, 2)), Moments.whitened(jnp.eye(2)))
        yield Example(problem, (jnp.eye(2),), refuted="at least two layers")


@dataclass(frozen=True)
class ExponentialRate(AbstractTheorem):
    r"""Exponential convergence of the flow from a sufficiently unbalanced start.

    Notation: $d_1 \ge \dots \ge d_H \ge d_y$ are the hidden and output widths, $C_j$
    the invariants. If each $C_j$ has at least $d_{j+1}$ positive eigenvalues, the
    excess loss is at most $e^{-2\alpha t}$ times that at the start, with
    $\alpha = \lambda_{\min}(X_r^\top X_r) \prod_j \lambda^{(j)}$ and
    $\lambda^{(j)}$ the $d_{j+1}$-th largest eigenvalue of $C_j$. (The source reduces
    the data first, where the leading factor is one.)
    """

    source: ClassVar[Source] = CHITOUR2023.at("Remark 2")
    clock: ClassVar[str] = "flow time"

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return falling widths and enough positive eigenvalues."""
        widths = case.widths[1:]
        facts = [
            Hypothesis("at least two layers", fact=case.depth >= 2),
            Hypothesis(
                "d_1 >= ... >= d_H >= d_y",
                fact=all(a >= b for a, b in pairwise(widths)),
            ),
        ]
        if not all(hypothesis.fact for hypothesis in facts):
            return facts
        return [
            *facts,
            *(
                Hypothesis(
                    f"C_{j} has at least {case.widths[j + 1]} positive eigenvalues",
                    value,
                    mend=f"enlarge layer {j + 1} against layer {j}",
                )
                for j, value in enumerate(_deciding_eigenvalues(case), 1)
            ),
        ]

    def guarantee(self, case: Case) -> Guarantee:
        """Return the exponential rate."""
        alpha = _alpha(case)
        return Guarantee(
            statement=(
                f"excess loss <= exp(-2 alpha t) times that at the start, with "
                f"alpha = {float(alpha.mid()):.6g}, along the flow"
            ),
            clock=self.clock,
            start=case.excess_loss,
            rate=2 * alpha,
        )

    def witnesses(self) -> Iterator[Example]:
        """Yield a start with growing layers."""
        yield Example(*_remark_2())

    def counterexamples(self) -> Iterator[Example]:
        """Yield widening layers, and a start shrinking towards the output."""
        problem = Problem(LinearNet((2, 2, 3, 2)), Moments.whitened(jnp.eye(2)))
        start = tuple(jnp.eye(*shape) for shape in problem.net.shapes)
        yield Example(problem, start, refuted="d_1 >= ... >= d_H >= d_y")
        problem = Problem(LinearNet((2, 2, 2)), Moments.whitened(jnp.eye(2)))
        yield Example(
            problem,
            (2 * jnp.eye(2), jnp.eye(2)),
            refuted="C_1 has at least 2 positive eigenvalues",
        )

    def printed_values(self) -> Iterator[Printed]:
        """Yield the rate of a seeded start."""
        problem, start = _remark_2()
        case = Case(problem, start)
        yield Printed("alpha", "13.05065", lambda: float(_alpha(case).mid()))


def _deciding_eigenvalues(case: Case) -> list[Ball]:
    """Return for every invariant its `d_{j+1}`-th largest eigenvalue."""
    return [
        case.la.eigenvalues(gap)[case.widths[j] - case.widths[j + 1]]
        for j, gap in enumerate(invariants(case.weights), 1)
    ]


def _alpha(case: Case) -> Ball:
    alpha = balls.prod(_deciding_eigenvalues(case))
    if case.is_whitened:
        return alpha
    return alpha * case.la.smallest_singular_value(case.inputs_factor) ** 2


def _remark_2() -> tuple[Problem, object]:
    """Return widths (5, 4, 3, 2) with layers of growing size, from a fixed seed."""
    draw = np.random.default_rng(1).standard_normal
    start = tuple(
        jnp.asarray(size * draw(shape))
        for size, shape in ((0.2, (4, 5)), (1.0, (3, 4)), (3.0, (2, 3)))
    )
    target = jnp.zeros((2, 5)).at[0, 0].set(2.0).at[1, 1].set(1.0)
    return Problem(LinearNet((5, 4, 3, 2)), Moments.whitened(target)), start
