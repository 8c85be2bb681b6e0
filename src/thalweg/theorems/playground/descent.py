r"""Descent on $\tfrac12(\prod_k x_k - 1)^2$: sharp below, above and below zero."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from thalweg._core.source import Source
from thalweg.linalg import balls
from thalweg.theorems._base import (
    SCALAR,
    AbstractTheorem,
    Ball,
    Case,
    Example,
    Guarantee,
    Hypothesis,
    Kept,
    Kind,
    Printed,
    Setting,
    certainly_positive,
    inward,
)
from thalweg.theorems._shared.hyperbola import Plateau, Rise
from thalweg.theorems._shared.playground import (
    BEYOND,
    below,
    factors,
    is_exact,
    largest_product,
    posed,
    positive,
    step_at_most,
    widest,
)

PROVED = "derived here, proof in the statement, verified numerically"


@dataclass(frozen=True)
class SharpConvergence(AbstractTheorem):
    r"""Descent below the hyperbola, counted by a recursion in its product alone.

    Notation: $p_t$ is the product, $c$ the spread of the start, $d$ the depth,
    $e_t = 1 - p_t$. If $x_0 > 0$, $p_0 < 1$ and $\gamma \le 1/(dc^2)$, then
    $0 \le e_{t+1} \le e_t (1 - \gamma d\, p_t^{2-2/d})$ and $f(x_t) = e_t^2/2$.

    Proof. A step multiplies $x_k$ by $1 + \gamma e p x_k^{-2}$. So
    $p' \le p \exp(\gamma e\, p \sum_k x_k^{-2})$ with
    $p \sum_k x_k^{-2} = \sum_k p_{\setminus k}^2 / p \le dc^2 p^{1-2/d} \le dc^2$ by
    Lemma 6.6 of the lecture (for $d = 1$, $p' = p + \gamma e$), hence
    $p' \le p e^{1-p} \le 1$: no overshoot, and Lemma 6.5 keeps the spread. Also
    $p' \ge p + \gamma e \sum_k p_{\setminus k}^2 \ge p + \gamma e d\, p^{2-2/d}$, the
    last by the means' inequality. The right side rises with $p$ as
    $\gamma d \le 1$, so iterating it bounds every $p_t$.

    In the other direction $\ln p' - \ln p \le \gamma d c^2 p^{1-2/d}$ gives
    $p_t^{-\beta} \ge p_0^{-\beta} - (d-2) \gamma c^2 t$, $\beta = 1 - 2/d$: a loss that
    is surely not left earlier. The step may be three times that of the lecture.
    """

    source: ClassVar[Source] = BEYOND.at("Lecture 6, Theorem 6.9, sharpened")
    setting: ClassVar[Setting] = SCALAR
    status: ClassVar[str] = PROVED

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return positivity, the start below one, and the step rule."""
        first = [positive(case), below(case)]
        if not certainly_positive(balls.smallest(case.balls)):
            return first
        return [*first, step_at_most("1/(d c^2)", _steepest(case), case)]

    def guarantee(self, case: Case) -> Guarantee:
        """Return bounds on the loss from both sides, and the count."""
        p, c, d = balls.prod(case.balls), widest(case), case.depth
        # Of many balls the product's own may reach below zero; its ends do not.
        least = balls.prod(x.lower() for x in case.balls)
        most = balls.prod(x.upper() for x in case.balls)
        rise = Rise(least, case.step * d, d)
        lower = Plateau(most, case.step * c**2, d).lower if d >= 2 else None
        return Guarantee(
            statement=(
                "1 - p falls at least by the factor 1 - step d p^(2-2/d) an "
                f"iteration, from the product p = {float(p.mid()):.6g}"
            ),
            start=case.excess_loss,
            curve=rise.curve,
            count=rise.count,
            lower=lower,
            limit="a global minimum",
            kept=(Kept("spread", at_most=c),),
            values={"c": c, "p": p},
        )

    def safe_step(self, case: Case) -> float | None:
        """Return 1/(d c^2), rounded down; `None` unless the start is positive."""
        if not certainly_positive(balls.smallest(case.balls)):
            return None
        return inward(_steepest(case))

    def witnesses(self) -> Iterator[Example]:
        """Yield the lecture's starts at the lecture's step, and at three times it."""
        for start in ([0.5] * 2, [0.5] * 8, [0.4, 0.8, 1.2], [0.3]):
            case = Case(*posed(start))
            for share in (1, 3):
                step = inward(_steepest(case) / share)
                yield Example(case.problem, case.start, step)

    def counterexamples(self) -> Iterator[Example]:
        """Yield a negative start, one above the hyperbola, and too large a step."""
        yield Example(*posed([-1.0, 1.0]), 0.1, refuted="x > 0")
        yield Example(*posed([2.0, 1.5]), 0.001, refuted="prod x < 1")
        yield Example(*posed([0.5, 0.5]), 0.51, refuted="step <= 1/(d c^2)")

    def printed_values(self) -> Iterator[Printed]:
        """Yield the iterations certified to 1e-6 at the lecture's step."""
        for start, text in (
            ([0.5] * 2, "21"),
            ([0.5] * 4, "40"),
            ([0.5] * 8, "282"),
            ([0.5] * 10, "990"),
            ([0.4, 0.8, 1.2], "200"),
        ):
            yield Printed(
                f"iterations from {start}", text, lambda s=start: self._count(s)
            )

    def _count(self, start: list[float]) -> float:
        case = Case(*posed(start))
        step = inward(_steepest(case) / 3)
        stepped = Case(case.problem, case.start, step)
        return self.guarantee(stepped).time_to(1e-6) or 0.0


@dataclass(frozen=True)
class ConvergenceFromAbove(AbstractTheorem):
    r"""Descent above the hyperbola, at a rate that grows with the depth.

    Notation: $C$ is the largest product of all factors of the start but at most two,
    $d$ the depth. If $x_0 > 0$, $\prod x_0 \ge 1$ and $\gamma \le 1/(3dC^2)$, then
    $f(x_T) \le (1 - \gamma d)^T f(x_0)$: $d$ times the rate of the lecture's
    Exercise 41.

    Proof. As there, $f$ falls by at least $\tfrac\gamma2 \|\nabla f\|^2$ and the
    product stays $p \ge 1$; but $\|\nabla f\|^2 = 2f \sum_k p_{\setminus k}^2
    \ge 2 f d\, p^{2-2/d} \ge 2 f d$ by the means' inequality.
    """

    source: ClassVar[Source] = BEYOND.at("Lecture 6, Exercise 41, sharpened")
    setting: ClassVar[Setting] = SCALAR
    status: ClassVar[str] = PROVED

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return positivity, the start above one, and the step rule."""
        first = [
            positive(case),
            Hypothesis(
                "prod x >= 1",
                balls.prod(case.balls) - 1,
                strict=False,
                mend="scale the start up",
            ),
        ]
        if not certainly_positive(balls.smallest(case.balls)):
            return first
        return [*first, step_at_most("1/(3 d C^2)", _step_above(case), case)]

    def guarantee(self, case: Case) -> Guarantee:
        """Return the linear rate."""
        gain = case.step * case.depth
        return Guarantee(
            statement=f"f(x_T) <= (1 - {float(gain.mid()):.6g})^T f(x_0)",
            start=case.excess_loss,
            factor=1 - gain,
            limit="a global minimum",
            values={"C": largest_product(case)},
        )

    def safe_step(self, case: Case) -> float | None:
        """Return 1/(3 d C^2), rounded down; `None` unless the start is positive."""
        if not certainly_positive(balls.smallest(case.balls)):
            return None
        return inward(_step_above(case))

    def witnesses(self) -> Iterator[Example]:
        """Yield the exercise's start and an even one."""
        for start in ([2.0, 1.5, 0.5], [1.1] * 6):
            case = Case(*posed(start))
            yield Example(case.problem, case.start, self.safe_step(case))

    def counterexamples(self) -> Iterator[Example]:
        """Yield a negative start, one below the hyperbola, and too large a step."""
        yield Example(*posed([-2.0, -1.0]), 0.001, refuted="x > 0")
        yield Example(*posed([0.5, 1.5]), 0.001, refuted="prod x >= 1")
        yield Example(*posed([2.0, 1.5]), 0.1, refuted="step <= 1/(3 d C^2)")


@dataclass(frozen=True)
class BelowZero(AbstractTheorem):
    r"""Descent with tied smallest magnitudes never leaves a negative product.

    Notation: $p < 0$ is the product of the start, $m$ its smallest $|x_k|$, attained
    at least twice, $d$ the depth. If $\gamma \le m^2 / ((1 + |p|) |p|)$, the product
    stays at most zero for ever, so the loss never falls below $\tfrac12$; descent
    goes to a saddle.

    Proof. A step multiplies $x_k$ by $1 - \gamma (1 + |p|) |p| / x_k^2$, the same
    factor for equal magnitudes, so ties last. The step makes every factor at least
    zero: no sign changes, all magnitudes shrink. Then $|p|/m^2$, the product of all
    but two tied factors, shrinks too, and the step stays allowed. Iterates are
    monotone, so they converge, to a critical point of product at most zero. Exercise
    42 of the lecture is the case of all magnitudes equal, where even depth makes
    every step allowed.
    """

    source: ClassVar[Source] = BEYOND.at("Lecture 6, Exercise 42, any depth")
    setting: ClassVar[Setting] = SCALAR
    kind: ClassVar[Kind] = Kind.FAILURE
    status: ClassVar[str] = PROVED

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return the tie, the negative product, and the step rule."""
        size = np.sort(np.abs(factors(case)))
        tie = Hypothesis(
            "the smallest |x_k| is attained at least twice",
            fact=is_exact(case) and size.size >= 2 and bool(size[0] == size[1]),
        )
        if not tie.fact:
            return [tie]
        negative = Hypothesis("prod x < 0", -balls.prod(case.balls))
        if not certainly_positive(negative.slack):
            return [tie, negative]
        name = "m^2 / ((1 + |p|) |p|)"
        return [tie, negative, step_at_most(name, _gentle(case), case)]

    def guarantee(self, case: Case) -> Guarantee:
        """Return the floor."""
        return Guarantee(
            statement=(
                "no factor changes its sign, all shrink, and the product stays at "
                "most 0: descent goes to a saddle of loss 1/2"
            ),
            start=case.excess_loss,
            floor=balls.scalar(1) / 2,
            limit="a saddle",
            kept=(Kept("end_to_end_norm", at_most=abs(balls.prod(case.balls))),),
            values={"p": balls.prod(case.balls)},
        )

    def safe_step(self, case: Case) -> float | None:
        """Return m^2 / ((1 + |p|) |p|), rounded down; `None` without a tie."""
        return inward(_gentle(case)) if case.depth >= 2 else None

    def witnesses(self) -> Iterator[Example]:
        """Yield tied starts at depths 2, 3 and 4."""
        for start in ([-1.0, 1.0], [-0.7, 0.7, 1.1], [-0.5, -0.5, -0.75, 2.0]):
            case = Case(*posed(start))
            yield Example(case.problem, case.start, self.safe_step(case))

    def counterexamples(self) -> Iterator[Example]:
        """Yield no tie, a positive product, and too large a step."""
        tie = "the smallest |x_k| is attained at least twice"
        yield Example(*posed([-0.7, 0.9, 1.1]), 0.1, refuted=tie)
        yield Example(*posed([0.5, 0.5]), 0.1, refuted="prod x < 0")
        limit = "step <= m^2 / ((1 + |p|) |p|)"
        yield Example(*posed([-1.0, 1.0]), 0.6, refuted=limit)


def _steepest(case: Case) -> Ball:
    return 1 / (case.depth * widest(case) ** 2)


def _step_above(case: Case) -> Ball:
    return 1 / (3 * case.depth * largest_product(case) ** 2)


def _gentle(case: Case) -> Ball:
    order = np.argsort(np.abs(factors(case)), kind="stable")
    sizes = [abs(case.balls[i]) for i in order]
    return 1 / ((1 + balls.prod(sizes)) * balls.prod(sizes[2:]))
