r"""Linear convergence from balanced starts with a deficiency margin."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp

from thalweg._core.arrays import Weights
from thalweg._core.papers import ARORA2019
from thalweg._core.source import Source
from thalweg.linalg import balls
from thalweg.linalg.chain import balanced_factors, end_to_end
from thalweg.measures.imbalance import imbalance
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
    Kept,
    Printed,
    Verdict,
    inward,
)
from thalweg.theorems._shared.end_to_end import energy, layer_gradients, moved, slope
from thalweg.theorems._shared.margin import (
    allowed_imbalance,
    allowed_step,
    gain,
    margin,
)


@dataclass(frozen=True)
class Convergence(AbstractTheorem):
    r"""Linear convergence from a balanced start with a deficiency margin.

    Notation: $\Phi$ is the target, $N$ the depth, $c$ the deficiency margin of the
    start, $\delta$ its imbalance, $\eta$ the step. If $c > 0$,
    $\delta \le c^2 / (256 N^3 \|\Phi\|_F^{2(N-1)/N})$ and
    $\eta \le c^{(4N-2)/N} / (6144 N^3 \|\Phi\|_F^{(6N-4)/N})$, the excess loss is at
    most $\epsilon$ after $\ln(\ell(0)/\epsilon) / (\eta c^{2(N-1)/N})$ iterations.
    All along, the imbalance is at most twice the bound on $\delta$, no layer has a
    singular value above $(4\|\Phi\|_F)^{1/N}$, and a step from $W$ lowers the loss by
    at least $\tfrac{\eta}{2} \sigma_{\min}(W)^{2(N-1)/N} \|W - \Phi\|_F^2$.
    """

    source: ClassVar[Source] = ARORA2019.at("Theorem 1")
    status: ClassVar[str] = "constants cross-checked, formulas not re-read"

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return white data, depth, margin, imbalance and step."""
        checked = _near_target(case)
        if any(hypothesis.verdict is Verdict.REFUTED for hypothesis in checked):
            return checked
        safe = balls.positive_part(margin(case))
        return [
            *checked,
            Hypothesis(
                "delta <= c^2 / (256 N^3 |Phi|^(2(N-1)/N))",
                allowed_imbalance(case, safe) - imbalance(case.weights, case.la),
                strict=False,
                mend="take a balanced start",
            ),
            Hypothesis(
                "step <= c^((4N-2)/N) / (6144 N^3 |Phi|^((6N-4)/N))",
                allowed_step(case, safe) - case.step,
                strict=False,
                mend="take the theorem's safe_step",
            ),
        ]

    def guarantee(self, case: Case) -> Guarantee:
        """Return the rate, the paper's own count, and what stays bounded."""
        c = margin(case)
        rate, start = case.step * gain(case, c), case.excess_loss
        largest = balls.power(4 * case.la.norm(case.target), 1, case.depth)
        return Guarantee(
            statement=(
                f"excess loss <= (1 - {float(rate.mid()):.6g})^T times that at the "
                f"start, with margin c = {float(c.mid()):.6g}"
            ),
            start=start,
            factor=1 - rate,
            count=lambda accuracy: balls.log(start / accuracy) / rate,
            kept=(
                Kept("deficiency_margin", at_least=c),
                Kept("imbalance", at_most=2 * allowed_imbalance(case, c)),
                Kept("layer_singular_values", at_most=largest),
            ),
            conclusions=(
                Hypothesis(
                    "the first step lowers the loss by step/2 sigma_min^(2(N-1)/N) "
                    "|W - Phi|^2",
                    _spare_decrease(case),
                    strict=False,
                ),
            ),
            values={"margin": c},
        )

    def safe_step(self, case: Case) -> float | None:
        """Return the largest step allowed, rounded down; `None` without a margin."""
        if not case.is_whitened or case.depth < 2:
            return None
        return inward(allowed_step(case, balls.positive_part(margin(case))))

    def witnesses(self) -> Iterator[Example]:
        """Yield balanced starts at 0.9 of diag(2, 1), depths 2 to 4."""
        for depth in (2, 3, 4):
            problem, start = _near(depth)
            yield Example(problem, start, self.safe_step(Case(problem, start)))

    def counterexamples(self) -> Iterator[Example]:
        """Yield a start without margin, an unbalanced one, and too large a step."""
        problem, start = _near(2, share=0.1)
        yield Example(problem, start, 1e-9, refuted="deficiency margin c > 0")
        problem, start = _near(2)
        tilted = (2 * start[0], start[1] / 2)
        yield Example(
            problem, tilted, 1e-9, refuted="delta <= c^2 / (256 N^3 |Phi|^(2(N-1)/N))"
        )
        yield Example(
            problem,
            start,
            0.01,
            refuted="step <= c^((4N-2)/N) / (6144 N^3 |Phi|^((6N-4)/N))",
        )

    def printed_values(self) -> Iterator[Printed]:
        """Yield margin, imbalance, step and count at diag(2, 1), start 0.9 of it."""
        for depth, delta, step, count in (
            (2, "1.3162806e-4", "3.80858778e-7", "3.4246745e7"),
            (3, "2.98249494e-5", "6.06541842e-8", "2.3397094e8"),
        ):
            problem, start = _near(depth)
            case = Case(problem, start, la=balls)
            c = margin(case)
            yield Printed(
                f"N = {depth}, margin", "0.77639320225002", lambda c=c: float(c.mid())
            )
            allowed = allowed_imbalance(case, c)
            yield Printed(
                f"N = {depth}, delta", delta, lambda a=allowed: float(a.mid())
            )
            limit = self.safe_step(case)
            yield Printed(f"N = {depth}, step", step, lambda s=limit: s or 0.0)
            stepped = Case(problem, start, limit, balls)
            yield Printed(
                f"N = {depth}, iterations to 1e-6",
                count,
                lambda s=stepped: self.guarantee(s).time_to(1e-6) or 0.0,
            )


@dataclass(frozen=True)
class FlowConvergence(AbstractTheorem):
    r"""Exponential convergence of the flow from an exactly balanced start.

    Notation: $c$ is the deficiency margin of the start, $N$ the depth. If $c > 0$ and
    neighbouring layers are balanced exactly, the excess loss is at most
    $e^{-2 c^{2(N-1)/N} t}$ times that at the start: balance is kept, so
    $\dot\ell \le -2 \sigma_{\min}(W)^{2(N-1)/N} \ell$, and while the loss falls
    $\sigma_{\min}(W) \ge c$. (For a square target the rate is $N$ times larger, since
    the smallest eigenvalue of the preconditioner is.)
    """

    source: ClassVar[Source] = ARORA2019.at("Section 3, the case of gradient flow")
    clock: ClassVar[str] = "flow time"
    status: ClassVar[str] = "formulas not re-read; proof in the docstring"

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return white data, depth, margin and exact balance."""
        checked = _near_target(case)
        if any(hypothesis.verdict is Verdict.REFUTED for hypothesis in checked):
            return checked
        return [
            *checked,
            Hypothesis(
                "delta = 0",
                -imbalance(case.weights, case.la),
                strict=False,
                mend="take a start that is balanced exactly as stored",
            ),
        ]

    def guarantee(self, case: Case) -> Guarantee:
        """Return the exponential rate; the imbalance stays zero."""
        c = margin(case)
        rate = 2 * gain(case, c)
        terms = case.depth if case.widths[0] == case.widths[-1] else 1
        return Guarantee(
            statement=(
                f"excess loss <= exp(-{float(rate.mid()):.6g} t) times that at the "
                f"start along the flow, with margin c = {float(c.mid()):.6g}"
            ),
            clock=self.clock,
            start=case.excess_loss,
            rate=rate,
            conserved=("invariants", "imbalance"),
            kept=(Kept("deficiency_margin", at_least=c),),
            values={"margin": c, "rate by the exact eigenvalue": terms * rate},
        )

    def witnesses(self) -> Iterator[Example]:
        """Yield diagonal starts at 0.9 of diag(2, 1), balanced bit for bit."""
        for depth in (2, 3):
            yield Example(*_near(depth))

    def counterexamples(self) -> Iterator[Example]:
        """Yield a start without margin and one a rounding away from balance."""
        yield Example(*_near(2, share=0.1), refuted="deficiency margin c > 0")
        problem, start = _near(2)
        yield Example(
            problem, (start[0] * (1 + 2.0**-52), start[1]), refuted="delta = 0"
        )


def _near_target(case: Case) -> list[Hypothesis]:
    """Return white data, depth and, where these hold, the margin."""
    facts = [
        Hypothesis("the data are white", fact=case.is_whitened, mend="whiten the data"),
        Hypothesis("N >= 2", fact=case.depth >= 2),
    ]
    if not all(hypothesis.fact for hypothesis in facts):
        return facts
    near = Hypothesis(
        "deficiency margin c > 0", margin(case), mend="start closer to the target"
    )
    return [*facts, near]


def _spare_decrease(case: Case) -> Ball:
    """Return by how much the first step lowers the loss more than promised."""
    la, gradient = case.la, slope(case)
    gradients = layer_gradients(case.weights, gradient, la)
    first, rest = moved(case.weights, [g * -case.step for g in gradients])
    change = la.norm(first + rest)
    linear = case.step * energy(gradients, la) - la.trace(gradient.T @ rest)
    size = la.norm(gradient)
    lowest = gain(case, la.smallest_singular_value(end_to_end(case.weights)))
    return linear - change * change / 2 - case.step / 2 * lowest * size * size


def _near(depth: int, share: float = 0.9) -> tuple[Problem, Weights]:
    """Return the target diag(2, 1) with a balanced start at a share of it."""
    target = jnp.diag(jnp.array([2.0, 1.0]))
    widths = (2,) * (depth + 1)
    problem = Problem(LinearNet(widths), Moments.whitened(target))
    return problem, balanced_factors(share * target, widths)
