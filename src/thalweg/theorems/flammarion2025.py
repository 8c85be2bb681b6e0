r"""Lecture 6 of EPFL CS-439: gradient descent on $\tfrac12(\prod_k x_k - 1)^2$."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from thalweg._core.papers import CS439
from thalweg._core.source import Source
from thalweg.linalg import balls
from thalweg.measures.spread import spread
from thalweg.problem.scalar import Playground
from thalweg.theorems._base import (
    AbstractTheorem,
    Ball,
    Case,
    Example,
    Guarantee,
    Hypothesis,
    Printed,
    certainly_positive,
    inward,
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

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return positivity, the start below one, and the step rule."""
        if not case.is_playground:
            return [Hypothesis("the problem is the playground", fact=False)]
        x = case.balls
        positive = Hypothesis("x > 0", balls.smallest(x), mend="start from |x|")
        below = Hypothesis("prod x < 1", 1 - balls.prod(x), mend="scale the start down")
        if not certainly_positive(balls.smallest(x)):
            return [positive, below]
        step = Hypothesis(
            "step <= 1/(3 d c^2)",
            _largest_step(case) - case.step,
            strict=False,
            mend="take the theorem's safe_step",
        )
        return [positive, below, step]

    def guarantee(self, case: Case) -> Guarantee:
        """Return the linear rate."""
        x = case.balls
        c, delta = spread(x, balls), balls.prod(x)
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
        if not case.is_playground or not certainly_positive(balls.smallest(case.balls)):
            return None
        return inward(_largest_step(case))

    def witnesses(self) -> Iterator[Example]:
        """Yield the lecture's start and an uneven one."""
        for start in ([0.5, 0.5], [0.5] * 4, [0.4, 0.8, 1.2]):
            case = Case(*_posed(start))
            yield Example(case.problem, case.start, self.safe_step(case))

    def counterexamples(self) -> Iterator[Example]:
        """Yield a negative start, one above the hyperbola, and too large a step."""
        yield Example(*_posed([-1.0, 1.0]), 0.1, refuted="x > 0")
        yield Example(*_posed([2.0, 1.5]), 0.001, refuted="prod x < 1")
        yield Example(*_posed([0.5, 0.5]), 0.17, refuted="step <= 1/(3 d c^2)")

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
                f"iterations from {start}", text, lambda s=start: self._count(s)
            )

    def _count(self, start: list[float]) -> float:
        case = Case(*_posed(start))
        stepped = Case(case.problem, case.start, self.safe_step(case))
        return self.guarantee(stepped).time_to(1e-6) or 0.0


def _posed(start: list[float]) -> tuple[Playground, object]:
    toy = Playground(len(start))
    return toy, toy.check(start)


def _largest_step(case: Case) -> Ball:
    return 1 / (3 * case.depth * spread(case.balls, balls) ** 2)
