r"""Arora, Cohen, Golowich, Hu: convergence of descent on deep linear networks."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp

from thalweg._core.arrays import Weights
from thalweg._core.errors import positive
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
    Printed,
    Verdict,
    inward,
)


@dataclass(frozen=True)
class Convergence(AbstractTheorem):
    r"""Linear convergence from a balanced start with a deficiency margin.

    Notation: $\Phi$ is the target, $N$ the depth, $c$ the deficiency margin of the
    start, $\delta$ its imbalance, $\eta$ the step. If $c > 0$,
    $\delta \le c^2 / (256 N^3 \|\Phi\|_F^{2(N-1)/N})$ and
    $\eta \le c^{(4N-2)/N} / (6144 N^3 \|\Phi\|_F^{(6N-4)/N})$, the excess loss is at
    most $\epsilon$ after $\ln(\ell(0)/\epsilon) / (\eta c^{2(N-1)/N})$ iterations.
    """

    source: ClassVar[Source] = ARORA2019.at("Theorem 1")
    status: ClassVar[str] = "constants cross-checked, formulas not re-read"

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return white data, depth, margin, imbalance and step."""
        facts = [
            Hypothesis(
                "the data are white",
                fact=case.is_whitened,
                mend="whiten the data",
            ),
            Hypothesis("N >= 2", fact=case.depth >= 2),
        ]
        if not all(hypothesis.fact for hypothesis in facts):
            return facts
        c = margin(case)
        near = Hypothesis(
            "deficiency margin c > 0", c, mend="start closer to the target"
        )
        if near.verdict is Verdict.REFUTED:
            return [*facts, near]
        safe = balls.positive_part(c)
        return [
            *facts,
            near,
            Hypothesis(
                "delta <= c^2 / (256 N^3 |Phi|^(2(N-1)/N))",
                _allowed_imbalance(case, safe) - imbalance(case.weights, case.la),
                strict=False,
                mend="take a balanced start",
            ),
            Hypothesis(
                "step <= c^((4N-2)/N) / (6144 N^3 |Phi|^((6N-4)/N))",
                _allowed_step(case, safe) - case.step,
                strict=False,
                mend="take the theorem's safe_step",
            ),
        ]

    def guarantee(self, case: Case) -> Guarantee:
        """Return the rate and the paper's own count of iterations."""
        n = case.depth
        gain = case.step * balls.power(margin(case), 2 * (n - 1), n)
        start = case.excess_loss
        return Guarantee(
            statement=(
                f"excess loss <= (1 - {float(gain.mid()):.6g})^T times that at the "
                f"start, with margin c = {float(margin(case).mid()):.6g}"
            ),
            start=start,
            factor=1 - gain,
            count=lambda accuracy: balls.log(start / accuracy) / gain,
        )

    def safe_step(self, case: Case) -> float | None:
        """Return the largest step allowed, rounded down; `None` without a margin."""
        if not case.is_whitened or case.depth < 2:
            return None
        return inward(_allowed_step(case, balls.positive_part(margin(case))))

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
            allowed = _allowed_imbalance(case, c)
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
class RandomBalancedStart(AbstractTheorem):
    r"""Convergence with some probability from a random balanced start, one output.

    Notation: $s$ is the standard deviation of the Gaussian end-to-end matrix, $d_0$
    the input width, $a = (\|\Phi\|_2/(s d_0))^2$, $F$ the normal distribution
    function. With probability at least
    $(1 - 2e^{-d_0/16})(3 - 4F(2\sqrt{2/a}))/2$ descent converges, if
    $\eta \le (s^2 d_0)^{4-2/N} / (10^5 N^3 \|\Phi\|_2^{10-6/N})$. The promise is about
    the draw, so the start itself is not looked at.

    Attributes:
        std: The standard deviation $s$, `> 0`.
    """

    std: float = 1e-3

    about_draws: ClassVar[bool] = True
    source: ClassVar[Source] = ARORA2019.at("Theorem 2 and its proof")
    status: ClassVar[str] = "constants cross-checked, formulas not re-read"

    def __post_init__(self) -> None:
        """Check the field."""
        positive("std", self.std)

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return the shape of the net, a positive probability, and the step rule."""
        facts = [
            Hypothesis(
                "the data are white", fact=case.is_whitened, mend="whiten the data"
            ),
            Hypothesis("N >= 2", fact=case.depth >= 2),
            Hypothesis("one output", fact=case.widths[-1] == 1),
        ]
        if not all(hypothesis.fact for hypothesis in facts):
            return facts
        return [
            *facts,
            Hypothesis(
                "2 exp(-d_0/16) < 1", self._width_chance(case), mend="take more inputs"
            ),
            Hypothesis(
                "4 F(2 sqrt(2/a)) < 3",
                self._side_chance(case),
                mend="take a smaller std",
            ),
            Hypothesis(
                "step <= (s^2 d_0)^(4-2/N) / (10^5 N^3 |Phi|^(10-6/N))",
                self._allowed_step(case) - case.step,
                strict=False,
                mend="take the theorem's safe_step",
            ),
        ]

    def guarantee(self, case: Case) -> Guarantee:
        """Return the paper's count of iterations and the probability."""
        n, size = case.depth, case.la.norm(case.target)
        energy = balls.scalar(self.std) * balls.scalar(self.std) * case.widths[0]

        def count(accuracy: Ball) -> Ball:
            climb = balls.log(balls.scalar(4)) * balls.power(
                size / energy, 2 * n - 2, n
            )
            finish = balls.power(1 / size, 2 * n - 2, n) * balls.log(
                size * size / (8 * accuracy)
            )
            return 4 / case.step * (climb + finish)

        chance = self._probability(case)
        return Guarantee(
            statement=(
                f"with probability at least {float(chance.mid()):.4g} over the draw, "
                "any accuracy is reached in the number of iterations below"
            ),
            count=count,
            probability=chance,
        )

    def safe_step(self, case: Case) -> float | None:
        """Return the largest step allowed, rounded down."""
        if not case.is_whitened or case.widths[-1] != 1:
            return None
        return inward(self._allowed_step(case))

    def witnesses(self) -> Iterator[Example]:
        """Yield the poster's setting: 100 inputs, std a thousandth of the target."""
        problem = _unit_target(100, depth=3)
        case = Case(problem)
        yield Example(problem, None, RandomBalancedStart(std=1e-3).safe_step(case))

    def counterexamples(self) -> Iterator[Example]:
        """Yield too few inputs, too short a target, two outputs, too large a step."""
        yield Example(
            _unit_target(4, depth=3),
            None,
            1e-30,
            refuted="2 exp(-d_0/16) < 1",
        )
        for inputs, size in ((100, 0.01), (1, 1e-4)):
            short = _unit_target(inputs, depth=3, size=size)
            yield Example(short, None, 1e-30, refuted="4 F(2 sqrt(2/a)) < 3")
        yield Example(_near(2)[0], None, 1e-30, refuted="one output")
        yield Example(
            _unit_target(100, depth=3),
            None,
            1e-3,
            refuted="step <= (s^2 d_0)^(4-2/N) / (10^5 N^3 |Phi|^(10-6/N))",
        )

    def printed_values(self) -> Iterator[Printed]:
        """Yield the step, the count and the probability of the poster's setting."""
        setting = RandomBalancedStart(std=1e-3)
        problem = _unit_target(100, depth=3)
        step = setting.safe_step(Case(problem)) or 0.0
        stepped = Case(problem, step_size=step)
        yield Printed("step, N = 3, d_0 = 100", "1.7191e-20", lambda: step)
        yield Printed(
            "iterations to 1e-5",
            "6.9496e25",
            lambda: setting.guarantee(stepped).time_to(1e-5) or 0.0,
        )
        yield Printed(
            "probability, d_0 = a = 100",
            "0.27622679",
            lambda: float(setting._probability(stepped).mid()),
        )

    def _probability(self, case: Case) -> Ball:
        # Two negative factors would multiply to a chance that is none.
        wide = balls.positive_part(self._width_chance(case))
        return wide * balls.positive_part(self._side_chance(case)) / 2

    def _width_chance(self, case: Case) -> Ball:
        """Return 1 - 2 exp(-d_0/16): that the draw is about as long as expected."""
        return 1 - 2 * (-balls.scalar(case.widths[0]) / 16).exp()

    def _side_chance(self, case: Case) -> Ball:
        """Return 3 - 4 F(2 sqrt(2/a)), with 1/sqrt(a) = s d_0 / |Phi|."""
        ratio = balls.scalar(self.std) * case.widths[0] / case.la.norm(case.target)
        return 3 - 2 * (1 + (2 * ratio).erf())

    def _allowed_step(self, case: Case) -> Ball:
        n = case.depth
        energy = balls.scalar(self.std) * balls.scalar(self.std) * case.widths[0]
        size = case.la.norm(case.target)
        return balls.power(energy, 4 * n - 2, n) / (
            10**5 * n**3 * balls.power(size, 10 * n - 6, n)
        )


def margin(case: Case) -> Ball:
    r"""Return the deficiency margin of the start, enclosed.

    $\sigma_{\min}(\Phi) - \|W - \Phi\|_F$, with the singular value numbered
    `min(d_0, d_N)`.
    """
    gap = case.la.norm(end_to_end(case.weights) - case.target)
    return case.la.smallest_singular_value(case.target) - gap


def _allowed_imbalance(case: Case, c: Ball) -> Ball:
    n, size = case.depth, case.la.norm(case.target)
    return c * c / (256 * n**3 * balls.power(size, 2 * (n - 1), n))


def _allowed_step(case: Case, c: Ball) -> Ball:
    n, size = case.depth, case.la.norm(case.target)
    return balls.power(c, 4 * n - 2, n) / (
        6144 * n**3 * balls.power(size, 6 * n - 4, n)
    )


def _near(depth: int, share: float = 0.9) -> tuple[Problem, Weights]:
    """Return the target diag(2, 1) with a balanced start at a share of it."""
    target = jnp.diag(jnp.array([2.0, 1.0]))
    widths = (2,) * (depth + 1)
    problem = Problem(LinearNet(widths), Moments.whitened(target))
    return problem, balanced_factors(share * target, widths)


def _unit_target(inputs: int, depth: int, size: float = 1.0) -> Problem:
    target = jnp.zeros((1, inputs)).at[0, 0].set(size)
    return Problem(
        LinearNet((inputs, *(4,) * (depth - 1), 1)), Moments.whitened(target)
    )
