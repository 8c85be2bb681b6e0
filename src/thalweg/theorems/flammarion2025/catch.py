r"""The lecture's catch: the bound needs about $4^d$ iterations, descent $2^d$."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from thalweg._core.errors import positive as checked
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
    Kind,
    Printed,
    Setting,
    inward,
)
from thalweg.theorems._shared.hyperbola import Plateau, Rise
from thalweg.theorems._shared.playground import (
    below,
    factors,
    is_exact,
    posed,
    positive,
    step_at_most,
)


@dataclass(frozen=True)
class Catch(AbstractTheorem):
    r"""From equal factors the bound needs the square of what descent needs.

    Notation: $a < 1$ is every factor of the start, $d \ge 3$ the depth,
    $\nu \le 1/(3d)$ the step, $\epsilon$ the accuracy. The convergence theorem asks
    for about $\ln(f(x_0)/\epsilon) / (\nu d a^{2d})$ iterations, so for $4^d$ times a
    constant from $a = \tfrac12$. Descent itself needs at least
    $(a^{2-d} - (1 - \sqrt{2\epsilon})^{2/d-1}) / ((d - 2) \nu)$, because
    $x \mapsto x^{2-d}$ is convex and loses at most $(d-2)\nu$ a step; and at most what
    $e \leftarrow e(1 - \nu d (1-e)^{2-2/d})$ takes from $e = 1 - a^d$. With
    $\nu = 1/(3d)$ and $a = \tfrac12$ both are $3 \cdot 2^{d-2} / (1 - 2/d)$ to
    leading order: $\Theta(2^d)$.

    Attributes:
        goal: The accuracy $\epsilon$ the counts are for, `> 0`.
    """

    goal: float = 1e-6

    source: ClassVar[Source] = CS439.at("Lecture 6, the catch after Theorem 6.9")
    setting: ClassVar[Setting] = SCALAR
    kind: ClassVar[Kind] = Kind.BOUND
    status: ClassVar[str] = "corrected: the slide's 4^d is the bound's; proof given"

    def __post_init__(self) -> None:
        """Check the field."""
        checked("goal", self.goal)

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return depth, equal factors, their range, and the step rule."""
        x = factors(case)
        equal = is_exact(case) and bool(np.all(x == x[0]))
        facts = [
            Hypothesis("d >= 3", fact=case.depth >= 3),
            Hypothesis("all x_k are exactly equal", fact=equal),
        ]
        if not all(fact.fact for fact in facts):
            return facts
        limit = 1 / balls.scalar(3 * case.depth)
        step = step_at_most("1/(3 d)", limit, case)
        return [*facts, positive(case), below(case), step]

    def guarantee(self, case: Case) -> Guarantee:
        """Return what the theorem needs, and what descent needs, from both sides."""
        p, goal = balls.prod(case.balls), balls.scalar(self.goal)
        gain = case.step * case.depth
        rise = Rise(p, gain, case.depth)
        plateau = Plateau(p, case.step, case.depth)
        least, most = plateau.least(goal), rise.count(goal)
        bound = _theorem(case.excess_loss / goal, gain * p**2)
        return Guarantee(
            statement=(
                f"excess loss {self.goal:.3g} takes between {_told(least)} and "
                f"{_told(most)} iterations; the theorem's bound asks for "
                f"{_told(bound)}"
            ),
            start=case.excess_loss,
            curve=rise.curve,
            count=rise.count,
            lower=plateau.lower,
            conclusions=(
                Hypothesis("at least <= at most", most - least, strict=False),
                Hypothesis("at most <= the theorem's", bound + 1 - most, strict=False),
            ),
            values={"at least": least, "at most": most, "the theorem's": bound},
        )

    def safe_step(self, case: Case) -> float | None:
        """Return 1/(3 d), rounded down."""
        return inward(1 / balls.scalar(3 * case.depth))

    def witnesses(self) -> Iterator[Example]:
        """Yield halves at depths 3, 8 and 20."""
        for depth in (3, 8, 20):
            case = Case(*posed([0.5] * depth))
            yield Example(case.problem, case.start, self.safe_step(case))

    def counterexamples(self) -> Iterator[Example]:
        """Yield a shallow start, an uneven one, ones out of range, a large step."""
        yield Example(*posed([0.5] * 2), 0.1, refuted="d >= 3")
        yield Example(*posed([0.5, 0.5, 0.4]), 0.1, refuted="all x_k are exactly equal")
        yield Example(*posed([-0.5] * 3), 0.1, refuted="x > 0")
        yield Example(*posed([1.0] * 3), 0.1, refuted="prod x < 1")
        yield Example(*posed([0.5] * 3), 0.12, refuted="step <= 1/(3 d)")

    def printed_values(self) -> Iterator[Printed]:
        """Yield the theorem's and the sharp count from halves, and leading terms."""
        for depth, bound, most in ((4, "9973", "40"), (8, "2578417", "282")):
            told = _halves(self, depth)
            where = f"d = {depth}, iterations"
            yield Printed(
                f"{where} of the theorem", bound, lambda t=told: t["the theorem's"]
            )
            yield Printed(f"{where} certified", most, lambda t=told: t["at most"])
        for depth, text in ((8, "256"), (10, "960")):
            leading = 3 * 2 ** (depth - 2) / (1 - 2 / depth)
            yield Printed(f"d = {depth}, leading term", text, lambda v=leading: v)


def _theorem(ratio: Ball, gain: Ball) -> Ball:
    """Return the fewest whole iterations the theorem's factor gives."""
    count = balls.log(ratio) / -(-gain).log1p()
    return balls.scalar(int(balls.positive_part(count).upper().ceil().unique_fmpz()))


def _halves(theorem: Catch, depth: int) -> dict[str, float]:
    case = Case(*posed([0.5] * depth))
    case = Case(case.problem, case.start, theorem.safe_step(case))
    with balls.working_precision(128):
        values = theorem.guarantee(case).values
    return {name: float(ball.mid()) for name, ball in values.items()}


def _told(count: Ball) -> str:
    low = float(count.mid())
    return f"{low:,.0f}" if low < 1e15 else f"{low:.6g}"
