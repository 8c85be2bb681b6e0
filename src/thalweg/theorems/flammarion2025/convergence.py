"""The lecture's convergence theorem, and its exercise above the hyperbola."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from thalweg._core.papers import CS439
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
    Printed,
    Setting,
    certainly_positive,
    inward,
)
from thalweg.theorems._shared.playground import (
    below,
    largest_product,
    posed,
    positive,
    step_at_most,
    widest,
)


@dataclass(frozen=True)
class Convergence(AbstractTheorem):
    r"""Linear convergence from a positive start below the hyperbola.

    Notation: $c$ is the spread and $\delta$ the product of the start, $d$ the depth.
    A step $\nu \le 1/(3dc^2)$ gives $f(x_T) \le (1 - \nu d \delta^2/c^2)^T f(x_0)$;
    the slide states it for equality, where the factor is $1 - \delta^2/(3c^4)$, and
    smaller steps follow from the slide's own two inequalities.
    """

    source: ClassVar[Source] = CS439.at("Lecture 6, slide Convergence")
    setting: ClassVar[Setting] = SCALAR

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return positivity, the start below one, and the step rule."""
        first = [positive(case), below(case)]
        if not certainly_positive(balls.smallest(case.balls)):
            return first
        return [*first, step_at_most("1/(3 d c^2)", _largest_step(case), case)]

    def guarantee(self, case: Case) -> Guarantee:
        """Return the linear rate."""
        c, delta = widest(case), balls.prod(case.balls)
        gain = case.step * case.depth * delta**2 / c**2
        return Guarantee(
            statement=(
                f"f(x_T) <= (1 - {float(gain.mid()):.6g})^T f(x_0), with spread "
                f"c = {float(c.mid()):.6g} and product {float(delta.mid()):.6g}"
            ),
            start=case.excess_loss,
            factor=1 - gain,
        )

    def safe_step(self, case: Case) -> float | None:
        """Return 1/(3 d c^2), rounded down; `None` unless the start is positive."""
        if not certainly_positive(balls.smallest(case.balls)):
            return None
        return inward(_largest_step(case))

    def witnesses(self) -> Iterator[Example]:
        """Yield the lecture's start and an uneven one."""
        for start in ([0.5, 0.5], [0.5] * 4, [0.4, 0.8, 1.2]):
            case = Case(*posed(start))
            yield Example(case.problem, case.start, self.safe_step(case))

    def counterexamples(self) -> Iterator[Example]:
        """Yield a negative start, one above the hyperbola, and too large a step."""
        yield Example(*posed([-1.0, 1.0]), 0.1, refuted="x > 0")
        yield Example(*posed([2.0, 1.5]), 0.001, refuted="prod x < 1")
        yield Example(*posed([0.5, 0.5]), 0.17, refuted="step <= 1/(3 d c^2)")

    def printed_values(self) -> Iterator[Printed]:
        """Yield the iterations certified to 1e-6."""
        for start, text in (
            ([0.5] * 2, "596"),
            ([0.5] * 4, "9973"),
            ([0.5] * 8, "2578417"),
            ([0.5] * 10, "41273233"),
            ([0.4, 0.8, 1.2], "20023"),
        ):
            yield Printed(
                f"iterations from {start}", text, lambda s=start: _count(self, s)
            )


@dataclass(frozen=True)
class AboveTheHyperbola(AbstractTheorem):
    r"""Linear convergence from a positive start above the hyperbola.

    Notation: $C$ is the largest product of all factors of the start but at most two,
    $d$ the depth, $L = 3dC^2$. If $x_0 > 0$ and $\prod x_0 \ge 1$, descent with a
    step $\nu \le 1/L$ only lowers the factors, never the product below one, and
    $f(x_T) \le (1 - \nu)^T f(x_0)$.

    The exercise's solution takes $\nu = 1/L$. A smaller step decreases $f$ by
    $\tfrac\nu2 \|\nabla f\|^2$, and $\|\nabla f\|^2 \ge 2f$ because the $d$ products
    of all but one factor multiply to $p^{d-1} \ge 1$. The product stays above one
    since $\nabla f$ cannot vanish within less than $1/L$ along the step.
    """

    source: ClassVar[Source] = CS439.at("Lecture 6, Exercise 41 and its solution")
    setting: ClassVar[Setting] = SCALAR

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
        largest = largest_product(case)
        return Guarantee(
            statement=(
                f"f(x_T) <= (1 - {float(case.step.mid()):.6g})^T f(x_0), every factor "
                "falls and the product stays at least one"
            ),
            start=case.excess_loss,
            factor=1 - case.step,
            values={"C": largest},
        )

    def safe_step(self, case: Case) -> float | None:
        """Return 1/(3 d C^2), rounded down; `None` unless the start is positive."""
        if not certainly_positive(balls.smallest(case.balls)):
            return None
        return inward(_step_above(case))

    def witnesses(self) -> Iterator[Example]:
        """Yield uneven starts and an even one."""
        for start in ([2.0, 1.5, 0.5], [1.5, 1.5], [3.0, 0.25, 2.0]):
            case = Case(*posed(start))
            yield Example(case.problem, case.start, self.safe_step(case))

    def counterexamples(self) -> Iterator[Example]:
        """Yield a negative start, one below the hyperbola, and too large a step."""
        yield Example(*posed([-2.0, -1.0]), 0.001, refuted="x > 0")
        yield Example(*posed([0.5, 1.5]), 0.001, refuted="prod x >= 1")
        yield Example(*posed([2.0, 1.5]), 0.1, refuted="step <= 1/(3 d C^2)")

    def printed_values(self) -> Iterator[Printed]:
        """Yield C, the step, the factor and the iterations from (2, 1.5, 0.5)."""
        start = [2.0, 1.5, 0.5]
        case = Case(*posed(start))
        step = self.safe_step(case)
        stepped = Case(case.problem, case.start, step)
        factor = balls.bounds(self.guarantee(stepped).factor)
        yield Printed("C", "3", lambda: float(largest_product(case).mid()))
        yield Printed("factor", "0.98765432", lambda: factor[1])
        yield Printed("iterations to 1e-6", "945", lambda: _count(self, start))


def _count(theorem: AbstractTheorem, start: list[float]) -> float:
    case = Case(*posed(start))
    stepped = Case(case.problem, case.start, theorem.safe_step(case))
    promise = theorem.guarantee(stepped)
    return 0.0 if promise is None else promise.time_to(1e-6) or 0.0


def _largest_step(case: Case) -> Ball:
    return 1 / (3 * case.depth * widest(case) ** 2)


def _step_above(case: Case) -> Ball:
    return 1 / (3 * case.depth * largest_product(case) ** 2)
