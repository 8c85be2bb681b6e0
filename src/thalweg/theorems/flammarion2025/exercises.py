"""The lecture's exercises: even depth fails, norms compare, iterates converge."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp
import numpy as np

from thalweg._core.papers import CS439
from thalweg._core.source import Source
from thalweg.linalg import balls
from thalweg.problem.moments import Moments
from thalweg.problem.nets import LinearNet
from thalweg.problem.problem import Problem
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
    Setting,
    certainly_positive,
    inward,
)
from thalweg.theorems._shared.playground import (
    below,
    factors,
    is_exact,
    posed,
    positive,
    step_at_most,
    widest,
)


@dataclass(frozen=True)
class EqualMagnitudes(AbstractTheorem):
    r"""At even depth, equal magnitudes of negative product never reach a minimum.

    Notation: $d$ is the even depth, $|x_k| = \alpha$ for all $k$, an odd number of
    factors is negative. A step of any size multiplies every factor by the same
    $1 - \gamma (1 + \alpha^d) \alpha^{d-2}$, so magnitudes stay equal and the product
    stays at most zero: the loss never falls below $\tfrac12$.
    """

    source: ClassVar[Source] = CS439.at("Lecture 6, Exercise 42 and its solution")
    setting: ClassVar[Setting] = SCALAR
    kind: ClassVar[Kind] = Kind.FAILURE

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return even depth, exactly equal magnitudes, and the sign."""
        x = factors(case)
        equal = is_exact(case) and bool(np.all(np.abs(x) == np.abs(x[0])))
        odd = int(np.sum(x < 0)) % 2 == 1
        return [
            Hypothesis("d is even", fact=case.depth % 2 == 0),
            Hypothesis("all |x_k| are exactly equal", fact=equal),
            Hypothesis("an odd number of factors is negative", fact=odd),
        ]

    def guarantee(self, case: Case) -> Guarantee:
        """Return the floor, and the saddle at zero where the step is small."""
        size, half = abs(case.balls[0]), balls.scalar(1) / 2
        pull = (1 + size**case.depth) * size ** (case.depth - 2)
        small = case.step_size is not None and bool(case.step * pull <= 1)
        return Guarantee(
            statement=(
                "at any step size all |x_k| stay equal and the product stays at most "
                "0: no minimum is ever reached"
            ),
            floor=half,
            limit="the saddle at zero" if small else "never a global minimum",
            values={"magnitude": size},
        )

    def witnesses(self) -> Iterator[Example]:
        """Yield the exercise's starts, with a small and a huge step."""
        yield Example(*posed([-1.0, 1.0]), 0.1)
        yield Example(*posed([-1.0, 1.0, 1.0, 1.0]), 0.05)
        yield Example(*posed([-0.5, -0.5, -0.5, 0.5]), 3.0)

    def counterexamples(self) -> Iterator[Example]:
        """Yield odd depth, unequal magnitudes, and an even number of signs."""
        yield Example(*posed([-1.0, 1.0, 1.0]), 0.1, refuted="d is even")
        yield Example(
            *posed([-1.0, 1.0 + 2**-52]), 0.1, refuted="all |x_k| are exactly equal"
        )
        yield Example(
            *posed([-1.0, -1.0]), 0.1, refuted="an odd number of factors is negative"
        )


@dataclass(frozen=True)
class NormInequality(AbstractTheorem):
    r"""A matrix's spectral norm is at most its Frobenius norm.

    Notation: $\sigma_1 \ge \sigma_2 \ge \dots$ are the singular values of $A$.
    $\|A\|_2^2 = \sigma_1^2 \le \sum_i \sigma_i^2 = \|A\|_F^2$, with equality exactly
    for rank at most one; asked of layers, one of which has a second singular value
    above zero.
    """

    source: ClassVar[Source] = CS439.at("Lecture 6, Exercise 43")
    kind: ClassVar[Kind] = Kind.BOUND
    bounds: ClassVar[str] = ""

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return that some layer has rank two or more."""
        broad = Hypothesis(
            "a layer has two rows and two columns",
            fact=any(min(layer.shape) >= 2 for layer in case.weights),
        )
        if not broad.fact:
            return [broad]
        second = balls.largest(
            case.la.singular_values(layer)[1]
            for layer in case.weights
            if min(layer.shape) >= 2
        )
        return [
            broad,
            Hypothesis("sigma_2 > 0 in some layer", second, mend="take a fuller start"),
        ]

    def guarantee(self, case: Case) -> Guarantee:
        """Return the inequality for every layer."""
        la, names = case.la, range(1, case.depth + 1)
        pairs = [(la.spectral_norm(w), la.norm(w)) for w in case.weights]
        return Guarantee(
            statement="|W_j|_2 <= |W_j|_F for every layer",
            conclusions=tuple(
                Hypothesis(f"|W_{j}|_2 <= |W_{j}|_F", size - top, strict=False)
                for j, (top, size) in zip(names, pairs, strict=True)
            ),
            values={
                f"|W_{j}|_2": top for j, (top, _) in zip(names, pairs, strict=True)
            },
        )

    def witnesses(self) -> Iterator[Example]:
        """Yield layers of rank two, and a layer of rank one among them."""
        for last in ([[1.0, 0.0], [0.0, 0.5]], [[1.0, 2.0], [2.0, 4.0]]):
            yield Example(_square(), (jnp.eye(2), jnp.array(last)))

    def counterexamples(self) -> Iterator[Example]:
        """Yield the playground, whose layers are numbers."""
        broad = "a layer has two rows and two columns"
        yield Example(*posed([0.5, 0.5]), refuted=broad)


@dataclass(frozen=True)
class IteratesConverge(AbstractTheorem):
    r"""Below the hyperbola the iterates themselves converge; their path is short.

    Notation: $c$ is the spread and $\delta$ the product of the start, $d$ the depth,
    $L = 3dc^2$, $\nu \le 1/L$ the step and $q = 1 - \nu d \delta^2 / c^2$. Since
    $\|\nabla f\| \le \sqrt{2Lf}$, the path is at most
    $\nu \sqrt{2 L f(x_0)} / (1 - \sqrt q)$ long, so the iterates are Cauchy. Since all
    factors rise and none exceeds $c$ (the smallest is at most one), it is also at
    most $\sum_k (c - x_k)$ long. The limit is a minimum that close to the start.
    """

    source: ClassVar[Source] = CS439.at("Lecture 6, Exercise 44")
    setting: ClassVar[Setting] = SCALAR
    bounds: ClassVar[str] = ""

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return positivity, the start below one, and the step rule."""
        first = [positive(case), below(case)]
        if not certainly_positive(balls.smallest(case.balls)):
            return first
        limit = 1 / (3 * case.depth * widest(case) ** 2)
        return [*first, step_at_most("1/(3 d c^2)", limit, case)]

    def guarantee(self, case: Case) -> Guarantee:
        """Return both bounds on the length of the path."""
        summed, risen = _lengths(case)
        length = balls.smallest([summed, risen])
        return Guarantee(
            statement=(
                "the iterates converge to a minimum along a path of length at most "
                f"{balls.bounds(length)[1]:.6g}"
            ),
            limit="a global minimum",
            kept=(Kept("spread", at_most=widest(case)),),
            values={
                "length": length,
                "length by summing gradients": summed,
                "length by monotone factors": risen,
            },
        )

    def safe_step(self, case: Case) -> float | None:
        """Return 1/(3 d c^2), rounded down; `None` unless the start is positive."""
        if not certainly_positive(balls.smallest(case.balls)):
            return None
        return inward(1 / (3 * case.depth * widest(case) ** 2))

    def witnesses(self) -> Iterator[Example]:
        """Yield the lecture's start and an uneven one."""
        for start in ([0.5, 0.5], [0.4, 0.8, 1.2]):
            case = Case(*posed(start))
            yield Example(case.problem, case.start, self.safe_step(case))

    def counterexamples(self) -> Iterator[Example]:
        """Yield a negative start, one on the hyperbola, and too large a step."""
        yield Example(*posed([-0.5, 0.5]), 0.01, refuted="x > 0")
        yield Example(*posed([2.0, 0.5]), 0.001, refuted="prod x < 1")
        yield Example(*posed([0.5, 0.5]), 0.17, refuted="step <= 1/(3 d c^2)")


def _lengths(case: Case) -> tuple[Ball, Ball]:
    """Return the length by the exercise's sum, and by monotone factors."""
    c, d = widest(case), case.depth
    gain = case.step * d * balls.prod(case.balls) ** 2 / c**2
    smoothness = 3 * d * c**2
    # 1 - sqrt(q) without cancellation.
    room = gain / (1 + balls.sqrt(1 - gain))
    summed = case.step * balls.sqrt(2 * smoothness * case.excess_loss) / room
    return summed, balls.total(c - factor for factor in case.balls)


def _square() -> Problem:
    return Problem(LinearNet((2, 2, 2)), Moments.whitened(jnp.eye(2)))
