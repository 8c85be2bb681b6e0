r"""Gradient flow on $\tfrac12(\prod_k x_k - 1)^2$: where every start goes."""

from collections.abc import Iterator, Sequence
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
    Kind,
    Printed,
    Setting,
)
from thalweg.theorems._shared.playground import BEYOND, factors, is_exact, posed, told

HALVINGS = 300
"""Of the bracket of the limit, which is at most one plus a square wide."""


@dataclass(frozen=True)
class FlowDichotomy(AbstractTheorem):
    r"""The flow's limit from any start: one minimum, or one saddle, told exactly.

    Notation: $p$ is the product of the start, $m$ its smallest $|x_k|$, $d$ the depth.

    - $p > 0$: the minimum with the signs of the start, at the rate
      $f(t) \le e^{-2 d \min(p, 1)^{2-2/d} t} f(0)$.
    - $p \le 0$, $m$ attained once: the minimum in which that factor has changed its
      sign.
    - $p < 0$, $m$ attained at least twice: the saddle
      $\mathrm{sign}(x_k) \sqrt{x_k^2 - m^2}$, of loss $\tfrac12$.

    Proof. The flow conserves $x_i^2 - x_j^2$, so $x_k^2 = x_k(0)^2 + s(t)$ for one
    number $s > -m^2$ as long as no factor vanishes. If $p > 0$ it rises or falls
    monotonically to 1, since $\dot p = (1-p) \sum_k p_{\setminus k}^2$ and
    $\sum_k p_{\setminus k}^2 \ge d\, |p|^{2-2/d}$; $s$ is then the root of
    $\prod_k (x_k(0)^2 + s) = 1$. If $p < 0$, $s$ falls towards $-m^2$. A lone smallest
    factor passes zero at a finite speed, as no other vanishes, and then $p > 0$; tied
    ones never reach zero, and keep $p < 0$, because the flow is unique. One zero
    factor moves at once to the sign that makes $p > 0$; two are a saddle already.
    """

    source: ClassVar[Source] = BEYOND.at("Lecture 6, Exercise 42, for the flow")
    setting: ClassVar[Setting] = SCALAR
    kind: ClassVar[Kind] = Kind.PREDICTION
    clock: ClassVar[str] = "flow time"
    status: ClassVar[str] = "derived here, proof in the statement, verified numerically"

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return that ties can be told, and that the start is no saddle."""
        zeros = int(np.sum(factors(case) == 0))
        return [
            Hypothesis("the start is known exactly", fact=is_exact(case)),
            Hypothesis(
                "at most one factor is zero",
                fact=zeros <= 1,
                mend="move all but one factor off zero",
            ),
        ]

    def guarantee(self, case: Case) -> Guarantee:
        """Return the limit, and the rate or the floor that go with it."""
        x = factors(case)
        negative = int(np.sum(x < 0)) % 2 == 1
        if negative and bool(np.all(x != 0)) and np.sum(np.abs(x) == _least(x)) > 1:
            return self._saddle(case)
        signs = np.where(x < 0, -1, 1)
        if negative or np.any(x == 0):
            lone = int(np.argmin(np.abs(x)))
            signs[lone] *= int(np.prod(signs))
        return self._minimum(case, signs.tolist())

    def _minimum(self, case: Case, signs: list[int]) -> Guarantee:
        limit = [a * b for a, b in zip(signs, _hyperbola(case), strict=True)]
        p, d = balls.prod(case.balls), case.depth
        rate = None
        if p > 0:
            least = balls.smallest([p, balls.scalar(1)])
            rate = 2 * d * balls.power(least, 2 * d - 2, d)
        return Guarantee(
            statement=f"the flow goes to the global minimum {told(limit)}",
            clock=self.clock,
            start=case.excess_loss,
            rate=rate,
            limit="a global minimum",
            conserved=("invariants",) if d > 1 else (),
            values=_named(limit),
        )

    def _saddle(self, case: Case) -> Guarantee:
        limit = [
            (1 if x > 0 else -1) * balls.sqrt(gap)
            for x, gap in zip(factors(case), _gaps(case), strict=True)
        ]
        return Guarantee(
            statement=f"the flow goes to the saddle {told(limit)} of loss 1/2",
            clock=self.clock,
            start=case.excess_loss,
            floor=balls.scalar(1) / 2,
            limit="a saddle",
            conserved=("invariants",),
            values=_named(limit),
        )

    def witnesses(self) -> Iterator[Example]:
        """Yield one start of every kind."""
        for start in (
            [0.5, 1.5, 0.8],
            [1.5, -2.0, -0.5, 1.2],
            [-0.7, 0.9, 1.1],
            [-0.7, 0.7, 1.1],
            [-1.0, -1.0, -1.0],
            [0.0, -0.5, 0.8],
            [-0.5],
        ):
            yield Example(*posed(start))

    def counterexamples(self) -> Iterator[Example]:
        """Yield a saddle."""
        yield Example(*posed([0.0, 0.0, 1.0]), refuted="at most one factor is zero")

    def printed_values(self) -> Iterator[Printed]:
        """Yield the limits of (-0.7, 0.9, 1.1) and (-0.7, 0.7, 1.1)."""
        for start, texts in (
            ([-0.7, 0.9, 1.1], ("0.8340163", "1.0077615", "1.1897828")),
            ([-0.7, 0.7, 1.1], ("0", "0", "0.848528137")),
        ):
            values = [*self.guarantee(Case(*posed(start))).values.values()]
            for text, ball in zip(texts, values, strict=True):
                yield Printed(f"limit of {start}", text, lambda b=ball: float(b.mid()))


def _least(x: np.ndarray) -> float:
    return float(np.min(np.abs(x)))


def _gaps(case: Case) -> list[Ball]:
    """Return the squares of the start less the smallest of them."""
    least = abs(case.balls[int(np.argmin(np.abs(factors(case))))])
    return [(abs(x) - least) * (abs(x) + least) for x in case.balls]


def _hyperbola(case: Case) -> list[Ball]:
    r"""Return magnitudes of product one whose squares differ as the start's do.

    They are $\sqrt{g_k + u}$, $g_k$ the gaps and $u$ the root of
    $\prod_k (g_k + u) = 1$, which lies between 0 and $1 + m^2$.
    """
    gaps = _gaps(case)
    low, high = balls.scalar(0), 1 + balls.smallest([x * x for x in case.balls])
    high = high.upper()
    for _ in range(HALVINGS):
        # Thirds, since a half may be the root itself, which no ball decides.
        third = (high - low) / 3
        near, far = (low + third).mid(), (high - third).mid()
        sides = _side(gaps, near), _side(gaps, far)
        if sides == (0, 0):
            break
        low = far if sides[1] < 0 else near if sides[0] < 0 else low
        high = near if sides[0] > 0 else far if sides[1] > 0 else high
    root = low.union(high)
    return [balls.sqrt(gap + root) for gap in gaps]


def _side(gaps: Sequence[Ball], u: Ball) -> int:
    """Return the sign of the product at `u` less one; 0 if undecided."""
    product = balls.prod(gap + u for gap in gaps)
    return (product > 1) - (product < 1)


def _named(limit: Sequence[Ball]) -> dict[str, Ball]:
    return {f"x_{k}": ball for k, ball in enumerate(limit, 1)}
