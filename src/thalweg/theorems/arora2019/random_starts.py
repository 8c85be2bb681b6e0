r"""What random starts promise: convergence, and balance."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp
import numpy as np

from thalweg._core.errors import positive
from thalweg._core.papers import ARORA2019
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
    Kind,
    Printed,
    inward,
)


@dataclass(frozen=True)
class RandomBalancedStart(AbstractTheorem):
    r"""Convergence with some probability from a random balanced start, one output.

    Notation: $s$ is the standard deviation of the Gaussian end-to-end matrix, $d_0$
    the input width, $a = (\|\Phi\|_2/(s d_0))^2$, $F$ the normal distribution
    function. With probability at least
    $(1 - 2e^{-d_0/16})(3 - 4F(2\sqrt{2/a}))/2$ descent converges, if
    $\eta \le (s^2 d_0)^{4-2/N} / (10^5 N^3 \|\Phi\|_2^{10-6/N})$. The promise is about
    the draw, so the start itself is not looked at. What the proof shows of the draw
    is a deficiency margin of $s^2 d_0 / (2\|\Phi\|_2)$; that step is then below the
    one of Theorem 1, because $2^{4-2/N} \cdot 6144 < 10^5$.

    Attributes:
        std: The standard deviation $s$, `> 0`.
    """

    std: float = 1e-3

    kind: ClassVar[Kind] = Kind.CHANCE
    about_draws: ClassVar[bool] = True
    drawn_by: ClassVar[str] = "balanced"
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
            # The first phase ends at |Phi|^2 / 8; to less there is nothing to add.
            rest = balls.positive_part(balls.log(size * size / (8 * accuracy)))
            finish = balls.power(1 / size, 2 * n - 2, n) * rest
            return 4 / case.step * (climb + finish)

        chance = self._probability(case)
        return Guarantee(
            statement=(
                f"with probability at least {float(chance.mid()):.4g} over the draw, "
                "any accuracy is reached in the number of iterations below"
            ),
            count=count,
            probability=chance,
            values={"margin": energy / (2 * size)},
        )

    def safe_step(self, case: Case) -> float | None:
        """Return the largest step allowed, rounded down."""
        if not case.is_whitened or case.widths[-1] != 1:
            return None
        return inward(self._allowed_step(case))

    def succeeds(self, case: Case, seed: int) -> bool:
        r"""Draw an end-to-end matrix, and say whether it has the margin of the proof.

        Theorem 1 then holds of its balanced factors at every step allowed here.

        Args:
            case: The case; its start is not used.
            seed: Of the draw, `>= 0`.

        Returns:
            Whether $\|W - \Phi\| \le \|\Phi\| - s^2 d_0 / (2\|\Phi\|)$.
        """
        target = np.asarray(case.problem.target)
        drawn = np.random.default_rng(seed).normal(0.0, self.std, target.shape)
        size = np.linalg.norm(target)
        wanted = self.std**2 * target.size / (2 * size)
        return bool(size - np.linalg.norm(drawn - target) >= wanted)

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
        square = Problem(LinearNet((2, 2, 2)), Moments.whitened(jnp.eye(2)))
        yield Example(square, None, 1e-30, refuted="one output")
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


@dataclass(frozen=True)
class GaussianImbalance(AbstractTheorem):
    r"""Layers drawn with small Gaussian entries are nearly balanced, most of the time.

    Notation: $s$ is the standard deviation of every entry, $N$ the depth,
    $d_{\max}$ the largest width. The imbalance is at most $\delta$ with probability at
    least $1 - 10 N s^4 d_{\max}^3 / \delta^2$. Proof: a Gram matrix of $n$ Gaussian
    vectors in dimension $d$ is within $s^4 n d (d + 1)$ of $n s^2 I$ in mean square, so
    the difference of two neighbours has mean square
    $s^4 (d_{j+1} + d_{j-1}) d_j (d_j + 1) + s^4 d_j (d_{j+1} - d_{j-1})^2
    \le 5 s^4 d_{\max}^3$; Markov's inequality and the sum over $N - 1$ layers do the
    rest.

    Attributes:
        std: The standard deviation $s$, `> 0`.
        imbalance: The imbalance $\delta$ asked about, `> 0`.
    """

    std: float = 0.05
    imbalance: float = 0.2

    kind: ClassVar[Kind] = Kind.CHANCE
    about_draws: ClassVar[bool] = True
    drawn_by: ClassVar[str] = "gaussian"
    bounds: ClassVar[str] = "imbalance"
    clock: ClassVar[str] = "flow time"
    source: ClassVar[Source] = ARORA2019.at("Appendix B, Claim 2")
    status: ClassVar[str] = "formulas not re-read; proof in the docstring"

    def __post_init__(self) -> None:
        """Check the fields."""
        positive("std", self.std)
        positive("imbalance", self.imbalance)

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return that there are layers to compare, and a positive probability."""
        facts = [Hypothesis("N >= 2", fact=case.depth >= 2)]
        if not facts[0].fact:
            return facts
        return [
            *facts,
            Hypothesis(
                "10 N s^4 d_max^3 < delta^2",
                self._probability(case),
                mend="take a smaller std, or ask for less balance",
            ),
        ]

    def guarantee(self, case: Case) -> Guarantee:
        """Return the probability."""
        chance = self._probability(case)
        return Guarantee(
            statement=(
                f"layers drawn with standard deviation {self.std:g} have an imbalance "
                f"of at most {self.imbalance:g} with probability at least "
                f"{float(chance.mid()):.4g}"
            ),
            clock=self.clock,
            probability=chance,
        )

    def succeeds(self, case: Case, seed: int) -> bool:
        """Draw the layers, and say whether they are as balanced as promised.

        Args:
            case: The case; its start is not used.
            seed: Of the draw, `>= 0`.

        Returns:
            Whether the imbalance is at most the one asked about.
        """
        draw = np.random.default_rng(seed).normal
        chain = [draw(0.0, self.std, shape) for shape in case.problem.net.shapes]
        worst = max((np.linalg.norm(gap) for gap in invariants(chain)), default=0.0)
        return bool(worst <= self.imbalance)

    def witnesses(self) -> Iterator[Example]:
        """Yield three layers of width 4."""
        yield Example(_fours(3), None)

    def counterexamples(self) -> Iterator[Example]:
        """Yield too wide a net, and a single layer."""
        wide = Problem(LinearNet((32, 32, 32)), Moments.whitened(jnp.eye(32)))
        yield Example(wide, None, refuted="10 N s^4 d_max^3 < delta^2")
        yield Example(_fours(1), None, refuted="N >= 2")

    def printed_values(self) -> Iterator[Printed]:
        """Yield the probability for three layers of width 4."""
        asked, case = GaussianImbalance(std=0.05, imbalance=0.2), Case(_fours(3))
        yield Printed(
            "probability, N = 3, widths 4, s = 0.05, delta = 0.2",
            "0.70",
            lambda: float(asked._probability(case).mid()),
        )

    def _probability(self, case: Case) -> Ball:
        std, asked = balls.scalar(self.std), balls.scalar(self.imbalance)
        spread = 10 * case.depth * std**4 * max(case.widths) ** 3
        return 1 - spread / (asked * asked)


def _unit_target(inputs: int, depth: int, size: float = 1.0) -> Problem:
    target = jnp.zeros((1, inputs)).at[0, 0].set(size)
    return Problem(
        LinearNet((inputs, *(4,) * (depth - 1), 1)), Moments.whitened(target)
    )


def _fours(depth: int) -> Problem:
    return Problem(LinearNet((4,) * (depth + 1)), Moments.whitened(jnp.eye(4)))
