r"""How fast descent on two layers converges, step by step and for ever."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp
import numpy as np

from thalweg._core.errors import DomainError
from thalweg._core.source import Source
from thalweg.linalg import balls
from thalweg.linalg.chain import end_to_end, invariants
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
    Kind,
    Printed,
)
from thalweg.theorems.xu2023._course import Course, largest
from thalweg.theorems.xu2023._setting import (
    ALPHA,
    TWO,
    XU2023,
    Constants,
    has_rate,
    inputs_rank,
    labels_of,
    map_gradient,
    near,
    told,
    unbalanced,
)


@dataclass(frozen=True)
class OneStep(AbstractTheorem):
    r"""One step of descent on two layers shrinks the loss by a known factor.

    Notation: $\ell(W) = \tfrac12 \|Y - XW\|_F^2$ with $W = W_1 W_2$, the transposed
    layers; $\mu$ and $K$ are the extreme squared singular values of $X$, $\eta$ is the
    step, $g = \|\nabla \ell(W)\|_F$, $\sigma = \sigma_{\max}(W)$, $\underline\tau$ and
    $\bar\tau$ the extreme eigenvalues of $G \mapsto G W_2^\top W_2 + W_1 W_1^\top G$.
    If $\underline\tau - \eta g \sigma - \frac{K\eta}2 (\bar\tau + \eta g \sigma)^2
    \ge 0$ then $L^+ \le \rho L$ with

    $$\rho = 1 - 2\eta\mu \left(\underline\tau - \eta g \sigma - \tfrac{K\eta}2
    (\bar\tau + \eta g \sigma)^2\right).$$
    """

    source: ClassVar[Source] = XU2023.at("Lemma 3.1")
    kind: ClassVar[Kind] = Kind.BOUND

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return two layers and that the bracket is not negative."""
        if case.depth != 2:
            return [Hypothesis(TWO, fact=False)]
        return [
            Hypothesis(TWO, fact=True),
            Hypothesis(
                "lambda_min(tau) - step g s - K step (lambda_max(tau) + step g s)^2 / 2"
                " >= 0",
                _bracket(case)(case.step),
                strict=False,
                mend="take the theorem's safe_step",
            ),
        ]

    def guarantee(self, case: Case) -> Guarantee:
        """Return the factor, and as a claim that the next loss keeps it."""
        known, after = Constants(case), _next_loss(case)
        factor = 1 - 2 * case.step * known.mu * _bracket(case)(case.step)
        return Guarantee(
            statement=f"one step multiplies the loss by at most {told(factor)}",
            conclusions=(
                Hypothesis(
                    "L(1) <= rho L(0)", factor * known.loss - after, strict=False
                ),
            ),
            values={"rho": factor},
        )

    def safe_step(self, case: Case) -> float | None:
        """Return the step at which the bracket vanishes, rounded down."""
        if case.depth != 2:
            return None
        return largest(_bracket(case))

    def witnesses(self) -> Iterator[Example]:
        """Yield half the largest step, near and far from the target."""
        starts = near(), unbalanced(3, 3), unbalanced(2, 3), unbalanced(3, 2)
        for problem, start in starts:
            step = self.safe_step(Case(problem, start)) or 0.0
            yield Example(problem, start, step / 2)

    def counterexamples(self) -> Iterator[Example]:
        """Yield too large a step, and three layers."""
        problem, start = near()
        name = self.hypotheses(Case(problem, start, 1.0))[1].name
        yield Example(problem, start, 1.0, refuted=name)
        deep = Problem(LinearNet((4,) * 4), problem.data)
        yield Example(deep, (jnp.eye(4),) * 3, 0.1, refuted=TWO)


@dataclass(frozen=True)
class TwoLayerDescent(AbstractTheorem):
    r"""Descent on two layers converges linearly, faster as the loss falls.

    Notation: as for `TwoLayerFlow`, with $p_2 = (\|Y\|_F + \|E_0\|_F)/\sqrt\mu$,
    $\kappa = K/\mu$, $\eta$ the step, $2\beta_0 = \bar\lambda_+ + \sqrt{\bar\lambda_+^2
    + 4 p_2^2} + \bar\lambda_- + \sqrt{\bar\lambda_-^2 + 4 p_2^2}$,
    $0 < c_1 < 1 < c_2$, and $f(\eta, t) = 1 - a_1 \eta + a_2 \eta^2 + a_3 \eta^3 + a_4
    \eta^4$ with $a_1 = 2 c_1 \alpha_0 \mu$, $a_2 = 2 p_2 \sqrt{2\kappa\mu^3 L(t)} +
    \kappa\mu^2 (c_2\beta_0)^2$, $a_3 = 2 c_2 \beta_0 p_2 \sqrt{2\kappa^3\mu^5 L(t)}$,
    $a_4 = 2\kappa^2\mu^3 p_2^2 L(t)$. If $\alpha_0 > 0$ and, at $t = 0$,

    $$a_4\eta^3 + a_3\eta^2 + \left(a_2 + \max\left\{\tfrac{4 c_2 K L(0)}{c_2 - 1},
    \tfrac{8 c_2 \beta_0 K L(0)}{(1 - c_1)\alpha_0}\right\}\right)\eta \le a_1,$$

    then $L(t + 1) \le f(\eta, t) L(t)$ for all $t$, $\sigma(W) \in [p_1, p_2]$ and
    $\|D(t) - D(0)\|_F \le 2 c_2 \beta_0 K L(0) \eta^2 / (1 - f(\eta, 0))$. Besides the
    correction of $\alpha_0$, the inputs must have full rank, $r = n$: the part of $W$
    that no input sees is not bounded by $p_2$.

    Attributes:
        c1: Share of $\alpha_0$ that is kept; in (0, 1).
        c2: Growth of $\beta_0$ that is allowed; above 1.
    """

    c1: float = 0.5
    c2: float = 1.5

    source: ClassVar[Source] = XU2023.at("Theorems 3.1 and 3.2")
    status: ClassVar[str] = "read in the source; alpha_0 corrected for unequal ends"

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            DomainError: If one is out of its domain.
        """
        if not (0 < self.c1 < 1 < self.c2 < float("inf")):
            raise DomainError(
                f"c1 is {self.c1} and c2 is {self.c2}; they need 0 < c1 < 1 < c2."
            )

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return two layers, inputs of full rank, alpha_0 and the step rules."""
        facts = [
            Hypothesis(TWO, fact=case.depth == 2),
            Hypothesis(
                "the inputs have full rank",
                fact=inputs_rank(case) == case.widths[0],
                mend="keep only directions the inputs reach, as whitening does",
            ),
        ]
        if not all(hypothesis.fact for hypothesis in facts):
            return facts
        known = Constants(case)
        return [
            *facts,
            has_rate(known),
            *(
                Hypothesis(
                    f"step <= eta_{i}",
                    slack,
                    strict=False,
                    mend="take the theorem's safe_step",
                )
                for i, slack in enumerate(self._slacks(known, case.step), 1)
            ),
        ]

    def guarantee(self, case: Case) -> Guarantee:
        """Return the time-varying rate, its count, and what stays bounded."""
        known = Constants(case)
        course = Course(known, self.c1, self.c2, case.step)
        gain = course.gain(known.loss)
        drift = self._drive(known) * case.step * case.step / gain
        imbalance = case.la.norm(invariants(case.weights)[0])
        return Guarantee(
            statement=(
                f"L(t+1) <= f(t) L(t) with f(0) = {told(1 - gain)}, falling with the "
                f"loss; alpha_0 = {told(known.alpha)}, beta_0 = {told(known.beta)}"
            ),
            start=known.loss,
            factor=1 - gain,
            curve=course.bound,
            count=course.count,
            kept=(
                Kept("imbalance", imbalance + drift, imbalance - drift),
                Kept("end_to_end_norm", known.p2, known.p1),
            ),
            conclusions=known.spectrum_claims,
            values={"alpha_0": known.alpha, "beta_0": known.beta, "f(0)": 1 - gain},
        )

    def safe_step(self, case: Case) -> float | None:
        """Return the smaller of both roots, rounded down; `None` without alpha_0."""
        if case.depth != 2 or inputs_rank(case) != case.widths[0]:
            return None
        known = Constants(case)
        return largest(lambda step: balls.smallest(self._slacks(known, step)))

    def witnesses(self) -> Iterator[Example]:
        """Yield the start near the target, and unbalanced ones, at their own step."""
        starts = near(), unbalanced(3, 3), unbalanced(2, 3), unbalanced(3, 2)
        for problem, start in starts:
            yield Example(problem, start, self.safe_step(Case(problem, start)))

    def counterexamples(self) -> Iterator[Example]:
        """Yield a start without margin, too large steps, and too few inputs."""
        problem, start = near()
        one = jnp.eye(4) / 8
        lost = (one.at[0, 0].set(-1.0), one)
        yield Example(problem, lost, 1e-6, refuted=ALPHA)
        yield Example(problem, start, 0.016, refuted="step <= eta_2")
        yield Example(problem, start, 0.1, refuted="step <= eta_1")
        few = Moments.from_data(np.eye(1, 4), np.ones((1, 4)))
        narrow = Problem(problem.net, few)
        yield Example(narrow, start, 1e-6, refuted="the inputs have full rank")

    def printed_values(self) -> Iterator[Printed]:
        """Yield constants, step, factor and counts of the diagonal start."""
        problem, start = near()
        case = Case(problem, start, la=balls)
        with balls.working_precision(128):
            known, limit = Constants(case), self.safe_step(case) or 0.0
            promise = self.guarantee(Case(problem, start, 0.0080352751, balls))
            largest = self.guarantee(Case(problem, start, limit, balls)).factor
            fixed = balls.log(promise.start / balls.scalar(1e-6)) / promise.decay
            count = promise.time_to(1e-6) or 0.0
        for where, text, value in (
            ("alpha_0", "1.5", known.alpha),
            ("beta_0", "6.39576118919347", known.beta),
            # Printed to more digits than its root finder had right.
            ("eta_max", "0.015452452196", balls.scalar(limit)),
            ("f(eta_max, 0)", "0.99923641558", largest),
            ("f(0.0080352751, 0)", "0.9940007754", promise.factor),
            ("iterations, f(0)", "1720", fixed),
            ("iterations, f(t)", "1695", balls.scalar(count)),
        ):
            yield Printed(where, text, lambda v=value: float(v.mid()))

    def _slacks(self, known: "Constants", step: Ball) -> tuple[Ball, Ball]:
        gain = Course(known, self.c1, self.c2, step).gain(known.loss)
        c1, c2 = balls.scalar(self.c1), balls.scalar(self.c2)
        drive = 2 * self._drive(known) * step
        return (
            gain / step - drive / ((c2 - 1) * known.beta),
            gain / step - 2 * drive / ((1 - c1) * known.alpha),
        )

    def _drive(self, known: "Constants") -> Ball:
        return 2 * balls.scalar(self.c2) * known.beta * known.K * known.loss


def _bracket(case: Case) -> Callable[[Ball], Ball]:
    """Return the bracket of Lemma 3.1, as a function of the step."""
    known = Constants(case)
    low, high = known.spectrum
    size = case.la.spectral_norm(end_to_end(case.weights))
    drag = case.la.norm(map_gradient(case)) * size
    return lambda step: (
        low - step * drag - known.K * step / 2 * (high + step * drag) ** 2
    )


def _next_loss(case: Case) -> Ball:
    """Return the loss after one step, in the case's arithmetic."""
    first, last = case.weights
    gradient = map_gradient(case)
    product = (last - gradient @ first.T * case.step) @ (
        first - last.T @ gradient * case.step
    )
    if not case.is_whitened:
        product = product @ case.inputs_factor
    size = case.la.norm(product - labels_of(case))
    return size * size / 2
