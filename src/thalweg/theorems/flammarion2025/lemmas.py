"""The lecture's lemmas on balanced iterates: what its convergence rests on."""

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
    Kind,
    Setting,
    certainly_positive,
    inward,
)
from thalweg.theorems._shared.playground import (
    ascending,
    below,
    posed,
    positive,
    step_at_most,
    widest,
)
from thalweg.theorems.flammarion2025 import _hessian

NORMS, SPECTRA = 256, 32
"""Depths up to which the Hessian's norms are computed; above, they are only said."""


@dataclass(frozen=True)
class BalancedIterates(AbstractTheorem):
    r"""Below the hyperbola a step of any size keeps positive iterates balanced.

    Notation: $c \ge \max x / \min x$, $p$ the product, $\gamma$ the step. If $x > 0$
    and $p \le 1$, then $x' = x - \gamma \nabla f(x)$ has $x'_k = x_k + \Delta / x_k$
    with $\Delta = \gamma (1-p) p \ge 0$, so $x' \ge x$; and $x'_i \le c\, x'_j$ for
    all $i, j$, because $x_i \le c\, x_j$ and $1/x_i \le c/x_j$.
    """

    source: ClassVar[Source] = CS439.at("Lecture 6, Lemma 6.5, balanced iterates")
    setting: ClassVar[Setting] = SCALAR
    kind: ClassVar[Kind] = Kind.BOUND
    bounds: ClassVar[str] = "spread"

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return positivity and the start at most on the hyperbola."""
        return [positive(case), below(case, strict=False)]

    def guarantee(self, case: Case) -> Guarantee:
        """Return that no ratio of the next iterate exceeds the spread."""
        c = widest(case)
        return Guarantee(
            statement=(
                "after one step of any size every factor is at least what it was, and "
                f"no ratio exceeds {float(c.mid()):.6g}"
            ),
            conclusions=_balance(case),
            values={"c": c},
        )

    def witnesses(self) -> Iterator[Example]:
        """Yield an uneven start, an even one, a huge step, and a minimum."""
        yield Example(*posed([0.4, 0.8, 1.2]), 0.01)
        yield Example(*posed([0.5] * 4), 0.1)
        yield Example(*posed([0.3, 0.9]), 1e6)
        yield Example(*posed([2.0, 0.5]), 1.0)

    def counterexamples(self) -> Iterator[Example]:
        """Yield a negative start, and one above the hyperbola."""
        yield Example(*posed([-0.5, 0.5]), 0.1, refuted="x > 0")
        yield Example(*posed([2.0, 1.5]), 0.1, refuted="prod x <= 1")


@dataclass(frozen=True)
class ProductsOverSubsets(AbstractTheorem):
    r"""Products of all but a few balanced factors are near a power of the product.

    Notation: $c \ge \max x / \min x$, $p$ the product of all $d$ factors,
    $p_{\setminus I}$ that of the factors outside $I$. If $x > 0$, then
    $c^{-|I|} p^{1-|I|/d} \le p_{\setminus I} \le c^{|I|} p^{1-|I|/d}$ for every $I$.
    Of the sets of one size, the one of the largest and that of the smallest factors
    are the extremes, so $2d$ products check all $2^d$ sets.
    """

    source: ClassVar[Source] = CS439.at("Lecture 6, Lemma 6.6")
    setting: ClassVar[Setting] = SCALAR
    kind: ClassVar[Kind] = Kind.BOUND
    bounds: ClassVar[str] = ""

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return positivity."""
        return [positive(case)]

    def guarantee(self, case: Case) -> Guarantee:
        """Return both bounds for the extreme sets of every size."""
        return Guarantee(
            statement=(
                "c^-|I| p^(1-|I|/d) <= product outside I <= c^|I| p^(1-|I|/d) for all "
                f"sets I, with c = {float(widest(case).mid()):.6g}"
            ),
            conclusions=_subsets(case),
            values={"c": widest(case), "p": balls.prod(case.balls)},
        )

    def witnesses(self) -> Iterator[Example]:
        """Yield uneven starts on both sides of the hyperbola."""
        for start in ([0.4, 0.8, 1.2], [2.0, 1.5, 0.5], [0.1, 0.2, 3.0, 4.0, 5.0]):
            yield Example(*posed(start))

    def counterexamples(self) -> Iterator[Example]:
        """Yield a start with a negative factor."""
        yield Example(*posed([0.5, -0.5]), refuted="x > 0")


@dataclass(frozen=True)
class HessianBound(AbstractTheorem):
    r"""Below the hyperbola the Hessian at balanced factors is at most $3dc^2$.

    Notation: $c \ge \max x / \min x$, $p$ the product of the $d$ factors. If $x > 0$
    and $p \le 1$, then $\|\nabla^2 f(x)\|_2 \le \|\nabla^2 f(x)\|_F \le 3dc^2$.
    """

    source: ClassVar[Source] = CS439.at("Lecture 6, Lemma 6.7")
    setting: ClassVar[Setting] = SCALAR
    kind: ClassVar[Kind] = Kind.BOUND
    bounds: ClassVar[str] = "sharpness"

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return positivity and the start at most on the hyperbola."""
        return [positive(case), below(case, strict=False)]

    def guarantee(self, case: Case) -> Guarantee:
        """Return the bound, beside both norms where the depth allows them."""
        limit = _smoothness(case)
        claims, values = [], {"3 d c^2": limit}
        if case.depth <= NORMS:
            rows = _hessian.hessian(_hessian.products(case.balls))
            size = _hessian.frobenius(rows)
            values["|H|_F"] = size
            claims.append(_at_most("|H|_F <= 3 d c^2", limit - size))
            if case.depth <= SPECTRA:
                values["|H|_2"] = _hessian.spectral(rows)
                claims.append(_at_most("|H|_2 <= |H|_F", size - values["|H|_2"]))
        return Guarantee(
            statement=f"the Hessian's norm is at most {float(limit.mid()):.6g}",
            conclusions=tuple(claims),
            values=values,
        )

    def witnesses(self) -> Iterator[Example]:
        """Yield uneven starts, an even one, and a minimum."""
        for start in ([0.5, 1.2, 0.8], [0.4, 0.8, 1.2], [0.5] * 8, [2.0, 0.5]):
            yield Example(*posed(start))

    def counterexamples(self) -> Iterator[Example]:
        """Yield a negative start, and one above the hyperbola."""
        yield Example(*posed([-0.5, 0.5]), refuted="x > 0")
        yield Example(*posed([2.0, 1.5]), refuted="prod x <= 1")


@dataclass(frozen=True)
class SmoothnessAlongTheStep(AbstractTheorem):
    r"""A step below the hyperbola never overshoots, and is smooth all along.

    Notation: $c$ is the spread of the start, $p < 1$ its product, $d$ the depth,
    $L = 3dc^2$. If $x > 0$ and $\nu \le 1/L$, then every point between $x$ and
    $x' = x - \nu \nabla f(x)$ is at least $x$, is $c$-balanced, has a product of at
    most one and a Hessian of at most $L$. Hence
    $f(x') \le f(x) - \tfrac\nu2 \|\nabla f(x)\|^2$, and
    $\|\nabla f(x)\|^2 \ge 2 f(x)\, d\, p^{2-2/d} / c^2$: the convergence theorem.
    """

    source: ClassVar[Source] = CS439.at("Lecture 6, Lemma 6.8 and Theorem 6.9")
    setting: ClassVar[Setting] = SCALAR
    kind: ClassVar[Kind] = Kind.BOUND
    bounds: ClassVar[str] = ""

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return positivity, the start below one, and the step rule."""
        first = [positive(case), below(case)]
        if not certainly_positive(balls.smallest(case.balls)):
            return first
        return [*first, step_at_most("1/(3 d c^2)", 1 / _smoothness(case), case)]

    def guarantee(self, case: Case) -> Guarantee:
        """Return every inequality of the chain, for this step."""
        x, limit = case.balls, _smoothness(case)
        new = _hessian.stepped(x, case.step)
        slope = balls.total(g * g for g in _hessian.gradient(x))
        power = balls.power(balls.prod(x), 2 * case.depth - 2, case.depth)
        steep = 2 * case.excess_loss * case.depth * power / widest(case) ** 2
        claims = [
            *_balance(case),
            _at_most("the product stays at most 1", 1 - balls.prod(new)),
            _at_most(
                "f falls by at least step/2 |grad|^2",
                case.excess_loss - _hessian.loss(new) - case.step / 2 * slope,
            ),
            _at_most("|grad|^2 >= 2 f d p^(2-2/d) / c^2", slope - steep),
        ]
        if case.depth <= NORMS:
            # Every product rises along the step, so its ends hold what lies between.
            between = _hessian.along(_hessian.products(x), _hessian.products(new))
            size = _hessian.frobenius(_hessian.hessian(between))
            claims.append(_at_most("|H|_F <= 3 d c^2 on the whole step", limit - size))
        return Guarantee(
            statement=(
                f"the step does not overshoot, and f is {float(limit.mid()):.6g}-"
                "smooth along it"
            ),
            conclusions=tuple(claims),
            values={"3 d c^2": limit},
        )

    def safe_step(self, case: Case) -> float | None:
        """Return 1/(3 d c^2), rounded down; `None` unless the start is positive."""
        if not certainly_positive(balls.smallest(case.balls)):
            return None
        return inward(1 / _smoothness(case))

    def witnesses(self) -> Iterator[Example]:
        """Yield the lecture's start and uneven ones."""
        for start in ([0.5, 0.5], [0.5] * 4, [0.4, 0.8, 1.2], [0.999, 1.0]):
            case = Case(*posed(start))
            yield Example(case.problem, case.start, self.safe_step(case))

    def counterexamples(self) -> Iterator[Example]:
        """Yield a negative start, one on the hyperbola, and too large a step."""
        yield Example(*posed([-0.5, 0.5]), 0.01, refuted="x > 0")
        yield Example(*posed([2.0, 0.5]), 0.001, refuted="prod x < 1")
        yield Example(*posed([0.5, 0.5]), 0.17, refuted="step <= 1/(3 d c^2)")


def _balance(case: Case) -> tuple[Hypothesis, ...]:
    r"""Return that the next iterate is no smaller and no less balanced.

    With $m$ and $M$ the extreme factors, $c\, x'_j - x'_i$ is
    $(M x_j - m x_i)/m + \Delta (M x_i - m x_j)/(m x_i x_j)$; both brackets are exact,
    and $x + \Delta/x$ is convex, so $i$ need only be an extreme.
    """
    x = ascending(case)
    low, high = x[0], x[-1]
    turned = [(high * x[i] - low * b) / (low * x[i] * b) for i in (0, -1) for b in x]
    if case.step_size is None:
        name = "the update's direction 1/x is c-balanced"
        return (_at_most(name, balls.smallest(turned)),)
    p = balls.prod(x)
    delta = case.step * (1 - p) * p
    kept = [(high * b - low * x[i]) / low for i in (0, -1) for b in x]
    slack = balls.smallest(a + delta * b for a, b in zip(kept, turned, strict=True))
    return (
        _at_most("the next iterate is at least x", delta / high),
        _at_most("the next iterate is c-balanced", slack),
    )


def _subsets(case: Case) -> tuple[Hypothesis, ...]:
    x, c, d = ascending(case), widest(case), case.depth
    p = balls.prod(x)
    low, high = [], []
    for size in range(1, d + 1):
        middle, stretch = balls.power(p, d - size, d), c**size
        low.append(balls.prod(x[: d - size]) - middle / stretch)
        high.append(middle * stretch - balls.prod(x[size:]))
    return (
        _at_most("product outside I >= c^-|I| p^(1-|I|/d)", balls.smallest(low)),
        _at_most("product outside I <= c^|I| p^(1-|I|/d)", balls.smallest(high)),
    )


def _smoothness(case: Case) -> Ball:
    return 3 * case.depth * widest(case) ** 2


def _at_most(name: str, slack: Ball) -> Hypothesis:
    return Hypothesis(name, slack, strict=False)
