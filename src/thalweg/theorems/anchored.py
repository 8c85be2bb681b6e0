r"""The sharpest local certificate: judged from an iterate and from its limit.

Notation: as in `local`; $\hat\theta$ is the anchor, a point about where two Newton
steps lead from the iterate $\theta_0$, $p$ the length of the path so far.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np

from thalweg._core.source import Source
from thalweg.linalg import balls
from thalweg.theorems._base import (
    AbstractTheorem,
    Ball,
    Case,
    Example,
    Guarantee,
    Hypothesis,
    Verdict,
    certainly_positive,
)
from thalweg.theorems._shared.gram import iterate_of
from thalweg.theorems._shared.hunt import Found, Hunt
from thalweg.theorems._shared.ours import DERIVED, OURS
from thalweg.theorems._shared.posed import bottleneck, near_balanced, near_identity

_LATER = "take a smaller step, or a later iterate"
_REGULAR = "sigma_0 > 0"
_WIDE = "no hidden layer is narrower than inputs and outputs"


@dataclass(frozen=True)
class Anchored(AbstractTheorem):
    r"""Linear convergence from an iterate whose limit can be foreseen.

    Notation: as above. Let $J_0$ be surjective, $\Delta$ in the range of $J_0^*$,
    $\hat\theta = \theta_0 + \Delta$ within $R$, and $T(p) = \int_0^p H$. Suppose the
    residual, marched down from $e_0$ to zero, never takes the path beyond $R$, where
    at residual $e$ and path $p$

    $$s = \max\{\sigma_0 - T(p),\ \hat\sigma - H(R) d\}, \quad
    S = \min\{S_0 + T(p),\ \hat S + H(R) d\}, \quad
    \beta = 1 - \tfrac12\eta S^2 - \tfrac12\eta H(R) e,$$

    $$d^2 = \left(\frac{e + \hat e + \tfrac12(T(|\Delta|) + T(p)) d}{\sigma_0}\right)^2
    + \left(\int_0^p T/s\right)^2$$

    are positive and the path grows by at most the fall of the residual over the
    smallest $\beta s$ so far. Then descent stays within $R$, converges to a global
    minimum, and each residual shrinks as in `local.Local` with its own $s$ and $S$.
    Moreover the residual's components along the eigenvectors of the anchor's Gram
    matrix each shrink at their own rate, but for a rest of the size $H(R)d$.

    Proof. As in `local.PathIntegrated`, with two more facts. First,
    $\theta_t - \theta_0$ is a sum of gradients $\eta J_k^*E_k$, whose part outside the
    range of $J_0^*$ is at most $\|J_k - J_0\| \eta e_k \le T(p_k)/s_k$ times the length
    of that step; the part inside is seen by $J_0$, and
    $J_0(\theta_t - \hat\theta) = E_t - \hat E - \rho$ with
    $\|\rho\| \le \tfrac12(T(|\Delta|) + T(p))\|\theta_t - \hat\theta\|$. So iterates
    are within $d$ of the anchor. Second, near the anchor descent is nearly linear: the
    residual is what the anchor's Gram matrix alone would make of it, mode by mode, and
    a rest that grows by $\eta H(R)d$ at most; `_shared.march` and `_shared.modes` say
    how much.
    """

    source: ClassVar[Source] = OURS.at("the anchored certificate")
    status: ClassVar[str] = DERIVED

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return a regular start, and that the residual falls to zero within R."""
        iterate = iterate_of(case)
        wide = Hypothesis(_WIDE, fact=iterate.is_wide, mend="widen the hidden layers")
        if not wide.fact:
            return [wide]
        regular = Hypothesis(
            _REGULAR, iterate.ends[0], mend="start where the layers have full rank"
        )
        if regular.verdict is not Verdict.PROVED:
            return [wide, regular]
        found = _found(case)
        if found is None:
            return [wide, Hypothesis(_REGULAR, balls.interval(-np.inf, np.inf))]
        return [
            wide,
            regular,
            Hypothesis("s > 0", found.least, mend=_LATER),
            Hypothesis("beta > 0", found.share, mend="take a smaller step"),
            Hypothesis(
                "the residual falls to 0 within R",
                found.slack,
                strict=False,
                mend=_LATER,
            ),
        ]

    def guarantee(self, case: Case) -> Guarantee | None:
        """Return the bound on the loss after every iteration, and its numbers."""
        found = _found(case)
        if found is None:
            return None
        stairs = found.stairs(case.step_size or 0.0)
        worst = 1 - balls.scalar(stairs.worst_gain)
        near, last = found.anchor.near, found.course.levels[-1]
        return Guarantee(
            statement=(
                f"descent stays within {found.turning.radius:.6g} of the start and "
                f"ends within {_told(last.apart)} of a point {_told(near.reach)} away; "
                f"the residual shrinks by at least {stairs.worst_gain:.4g} of itself "
                f"an iteration, in the end by {stairs.last_gain:.4g}"
            ),
            start=case.excess_loss,
            factor=worst * worst,
            curve=stairs.loss_at,
            count=stairs.count,
            limit="a global minimum",
            values={
                "radius R": balls.scalar(found.turning.radius),
                "residual e0": near.error,
                "smallest singular value sigma0 at the start": near.low,
                "largest singular value S0 at the start": near.high,
                "distance of the anchor": near.reach,
                "residual at the anchor": near.ahead_error,
                "smallest singular value at the anchor": near.ahead_low,
                "distance from the anchor in the end": last.apart,
                "smallest singular value s": found.least,
                "share beta": found.share,
                "curvature H": balls.scalar(found.turning.bend),
                "final gain": balls.scalar(stairs.last_gain),
            },
        )

    def safe_step(self, case: Case) -> float | None:
        """Return about the largest step at which a radius was proved to suffice."""
        iterate = iterate_of(case)
        if not (iterate.is_wide and certainly_positive(iterate.ends[0])):
            return None
        hunt = Hunt.of(iterate)
        if hunt is None:
            return None
        step = hunt.largest_step()
        for slip in (0.0, 1e-9, 1e-7, 1e-5, 1e-4):
            if step is None:
                return None
            tried = step * (1 - slip)
            if hunt.found(tried, balls.scalar(tried)).slack >= 0:
                return tried
        return None

    def witnesses(self) -> Iterator[Example]:
        """Yield the identity near a diagonal target, and balanced starts."""
        yield Example(*near_identity(), 0.1)
        yield Example(*near_balanced(0.9), 0.05)
        yield Example(*near_balanced(0.8, depth=2), 0.05)

    def counterexamples(self) -> Iterator[Example]:
        """Yield a bottleneck, a distant start and too large a step."""
        yield Example(*bottleneck(), 0.1, refuted=_WIDE)
        yield Example(
            *near_balanced(0.4), 0.01, refuted="the residual falls to 0 within R"
        )
        yield Example(*near_identity(), 1.2, refuted="beta > 0")


def _found(case: Case) -> Found | None:
    """Return what was found of a case; `None` where there is no anchor."""
    hunt = Hunt.of(iterate_of(case))
    return None if hunt is None else _marched(hunt, case.step_size)


@lru_cache(maxsize=8)
def _marched(hunt: Hunt, step: float | None) -> Found:
    # In balls of 53 bits: finer ones would make no promise better.
    with balls.working_precision(53):
        ball = Case(None, step_size=step).step
        return hunt.found(0.0 if step is None else step, ball)


def _told(ball: Ball) -> str:
    return f"{float(ball.mid()):.6g}"
