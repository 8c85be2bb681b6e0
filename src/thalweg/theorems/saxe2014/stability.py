r"""The largest step that can settle at a global minimum."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp

from thalweg._core.papers import SAXE2014
from thalweg._core.source import Source
from thalweg.linalg import balls
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


@dataclass(frozen=True)
class StabilityLimit(AbstractTheorem):
    r"""Above a step set by the target and the depth, no global minimum is stable.

    Notation: $s$ is the target's largest singular value, $N$ the depth, $\eta$ the
    step. On white data and without a bottleneck, the Hessian at a balanced global
    minimum has the largest eigenvalue $N s^{2 - 2/N}$ (source, with $n = N$,
    $\tau = 1$). No global minimum has a smaller one: with $W_{N:1} v = s u$,
    $a_j = W_{N:j+1}^\top u$ and $b_j = W_{j:1} v$, every $\langle a_j, b_j \rangle$ is
    $s$, and the second derivative along $v_j \propto a_j b_{j-1}^\top$ is at least

    $$\sum_{j=1}^N \|a_j\|^2 \|b_{j-1}\|^2
    \ge N \left(\prod_{j=1}^{N-1} \|a_j\| \|b_j\|\right)^{2/N} \ge N s^{2 - 2/N}.$$

    So if $\eta > 2 / (N s^{2 - 2/N})$ every global minimum has a direction that
    descent expands, and by the centre-stable manifold theorem the starts from which
    descent converges to one form a null set (descent is a polynomial map whose
    Jacobian determinant does not vanish identically, so preimages of null sets are
    null). Below the limit, balanced minima are linearly stable along their normal
    directions.
    """

    source: ClassVar[Source] = SAXE2014.at("Appendix B, eigenvalue of the Hessian")
    kind: ClassVar[Kind] = Kind.FAILURE
    about_draws: ClassVar[bool] = True
    bounds: ClassVar[str] = "sharpness"
    status: ClassVar[str] = (
        "balanced minima read in the source; all minima derived here, proof in the "
        "docstring"
    )

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return white data, no bottleneck, and a step above the limit."""
        ends = min(case.widths[0], case.widths[-1])
        facts = [
            Hypothesis(
                "the data are white", fact=case.is_whitened, mend="whiten the data"
            ),
            Hypothesis("no bottleneck", fact=min(case.widths) == ends),
        ]
        if not all(hypothesis.fact for hypothesis in facts):
            return facts
        return [
            *facts,
            Hypothesis(
                "step > 2 / (N s^(2-2/N))",
                case.step * least_sharpness(case) - 2,
                mend="smaller steps can settle at balanced minima",
            ),
        ]

    def guarantee(self, case: Case) -> Guarantee:
        """Return that descent ends at no global minimum, and the limit."""
        sharpness = least_sharpness(case)
        limit = 2 / sharpness
        return Guarantee(
            statement=(
                "from almost no start does descent converge to a global minimum: the "
                f"step {float(case.step.mid()):.6g} is above "
                f"{float(limit.mid()):.6g}"
            ),
            limit="no global minimum, but for a null set of starts",
            values={"least sharpness": sharpness, "largest stable step": limit},
        )

    def witnesses(self) -> Iterator[Example]:
        """Yield a step a hundredth above the limit, depths 1 to 4."""
        for depth in (1, 2, 3, 4):
            problem = _posed(depth)
            limit = 2 / least_sharpness(Case(problem))
            yield Example(problem, None, 1.01 * float(limit.mid()))

    def counterexamples(self) -> Iterator[Example]:
        """Yield a step a hundredth below the limit, and a bottleneck."""
        problem = _posed(3)
        limit = 2 / least_sharpness(Case(problem))
        step = 0.99 * float(limit.mid())
        yield Example(problem, None, step, refuted="step > 2 / (N s^(2-2/N))")
        narrow = Problem(LinearNet((2, 1, 2)), problem.data)
        yield Example(narrow, None, 1.0, refuted="no bottleneck")

    def printed_values(self) -> Iterator[Printed]:
        """Yield sharpness and limit for N = 4, s = 2."""
        case = Case(_posed(4))
        yield Printed(
            "largest eigenvalue", "11.3137", lambda: float(least_sharpness(case).mid())
        )
        yield Printed(
            "largest step",
            "0.176777",
            lambda: float((2 / least_sharpness(case)).mid()),
        )


def least_sharpness(case: Case) -> Ball:
    """Return the largest Hessian eigenvalue at a balanced global minimum."""
    size = case.la.spectral_norm(case.target)
    return case.depth * balls.power(size, 2 * case.depth - 2, case.depth)


def _posed(depth: int) -> Problem:
    target = jnp.diag(jnp.array([2.0, 1.0]))
    return Problem(LinearNet((2,) * (depth + 1)), Moments.whitened(target))
