r"""Certificates that look at one iterate: linear convergence from here on.

Notation: $\theta = (W_1, \dots, W_N)$ are the weights, $E_t$ the residual
$W_N \cdots W_1 X_r - Y_r$ after $t$ steps and $e_t$ its Frobenius norm, so that the
excess loss is $e_t^2/2$; $\sigma_0, S_0$ are the smallest and the largest singular
value of the residual's derivative $J_0$ at the start, $H(R)$ is a Lipschitz constant of
that derivative within the distance $R$ (`_shared.curvature` says which), $\eta$ the
step.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from thalweg._core.source import Source
from thalweg.linalg import balls
from thalweg.theorems._base import (
    AbstractTheorem,
    Ball,
    Case,
    Example,
    Guarantee,
    Hypothesis,
    Printed,
    Verdict,
    certainly_positive,
)
from thalweg.theorems._shared.gram import Iterate, iterate_of
from thalweg.theorems._shared.ours import DERIVED, OURS
from thalweg.theorems._shared.posed import (
    Posed,
    bottleneck,
    near_balanced,
    near_identity,
)
from thalweg.theorems._shared.radii import Numbers, Search, Slack
from thalweg.theorems._shared.regions import (
    Region,
    integrated,
    integrated_slack,
    simple,
    simple_slack,
)

NO_BOTTLENECK = "no hidden layer is narrower than inputs and outputs"
REGULAR = "sigma_0 > 0"
_LATER = "take a smaller step, or a later iterate"


@dataclass(frozen=True)
class Local(AbstractTheorem):
    r"""Linear convergence from any iterate close enough to a minimum.

    Notation: as above, and $s = \sigma_0 - HR$, $S = S_0 + HR$,
    $\beta = 1 - \tfrac12\eta S^2 - \tfrac12\eta H e_0$ for some radius $R$, with
    $H = H(R)$. If $s > 0$, $\beta > 0$ and $R s \beta \ge e_0$, descent stays within
    $R$ of the start, its whole path is at most $e_0/(s\beta)$ long, it converges to a
    global minimum, and $e_{t+1} \le (1 - g) e_t$ with the larger $g$ of
    $\min(\eta s^2, 2 - \eta S^2) - \tfrac12 H\eta^2S^2e_t$ and
    $\eta s^2(1 - \tfrac12\eta S^2 - \tfrac12\eta H e_t)$.

    Proof. Let $G = J_t^* E_t$ be the gradient. Then
    $E_{t+1} = E_t - \eta J_t G + \rho$ with
    $\|\rho\| \le \tfrac12 H\eta^2\|G\|^2$, and
    $\|E_t - \eta J_t G\|^2 \le e_t^2 - \eta(2 - \eta S^2)\|G\|^2$; by
    $\sqrt{a^2 - b} \le a - b/(2a)$,
    $e_t - e_{t+1} \ge \eta\beta\|G\|^2/e_t \ge \beta s\,\eta\|G\|$. So the path is at
    most $(e_0 - e_t)/(\beta s) \le R$; the same of every part of a step, so no segment
    leaves the ball. Of the two $g$ the first is the spectrum of $I - \eta J_tJ_t^*$,
    the second the inequality just used.
    """

    source: ClassVar[Source] = OURS.at("the local certificate")
    status: ClassVar[str] = DERIVED

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return a regular start, and room for the path at the best radius."""
        return _hypotheses(case, _LOCAL, ("s > 0", "beta > 0", "R s beta >= e0"))

    def guarantee(self, case: Case) -> Guarantee:
        """Return the bound on the loss after every iteration, and its numbers."""
        return _guarantee(case, _LOCAL)

    def safe_step(self, case: Case) -> float | None:
        """Return the largest step at which a radius was proved to suffice."""
        return _safe_step(case, _LOCAL)

    def witnesses(self) -> Iterator[Example]:
        """Yield the identity near a diagonal target, and a balanced start."""
        yield Example(*near_identity(), 0.1)
        yield Example(*near_balanced(0.97), 0.02)

    def counterexamples(self) -> Iterator[Example]:
        """Yield a bottleneck, a distant start and too large a step."""
        yield Example(*bottleneck(), 0.1, refuted=NO_BOTTLENECK)
        yield Example(*near_balanced(0.9), 0.05, refuted="R s beta >= e0")
        yield Example(*near_identity(), 1.2, refuted="beta > 0")

    def printed_values(self) -> Iterator[Printed]:
        """Yield the numbers at the identity, target diag(1.1, 0.9), step 0.1."""
        yield from _printed(
            self,
            near_identity(),
            0.1,
            {
                "residual e0": ".1414213562",
                "radius R": ".1255026850",
                "smallest singular value s": "1.2887108774",
                "largest singular value S": "1.5397162474",
                "share beta": ".8743926261",
                "curvature H": "1",
            },
            "26",
        )


@dataclass(frozen=True)
class PathIntegrated(AbstractTheorem):
    r"""Linear convergence from an iterate, with the path integrated cell by cell.

    Notation: as above. With the path's length $p$ from 0 to some $R$,
    $s(p) = \sigma_0 - \int_0^p H$, $S(p) = S_0 + \int_0^p H$ and
    $\beta(p) = 1 - \tfrac12\eta S(p)^2 - \tfrac12\eta H(R)e_0$. If $s(R) > 0$,
    $\beta(R) > 0$ and $\Gamma(R) = \int_0^R \beta s \ge e_0$, descent stays within $R$,
    converges to a global minimum, and when the residual is $e_t$ it shrinks as in
    `Local`, with $s$ and $S$ where $\Gamma = e_0 - e_t$. It is met by residuals twice
    as large. The integrals are sums over 48 cells, each cell's worst end counted.

    Proof. Along the path $J$ changes at the rate $H(p)$ at most, so its singular values
    lie between $s(p)$ and $S(p)$. As in `Local`
    $e_t - e_{t+1} \ge \beta(p_t)s(p_t)(p_{t+1} - p_t)$, and because $\beta s$ falls,
    the sum of the right sides is at least $\Gamma(p_t)$.
    """

    source: ClassVar[Source] = OURS.at("the path-integrated certificate")
    status: ClassVar[str] = DERIVED

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return a regular start, and room for the path at the best radius."""
        return _hypotheses(
            case, _INTEGRATED, ("s(R) > 0", "beta(R) > 0", "Gamma(R) >= e0")
        )

    def guarantee(self, case: Case) -> Guarantee:
        """Return the bound on the loss after every iteration, and its numbers."""
        return _guarantee(case, _INTEGRATED)

    def safe_step(self, case: Case) -> float | None:
        """Return the largest step at which a radius was proved to suffice."""
        return _safe_step(case, _INTEGRATED)

    def witnesses(self) -> Iterator[Example]:
        """Yield the identity near a diagonal target, and a balanced start."""
        yield Example(*near_identity(), 0.1)
        yield Example(*near_balanced(0.9), 0.05)

    def counterexamples(self) -> Iterator[Example]:
        """Yield a bottleneck, a distant start and too large a step."""
        yield Example(*bottleneck(), 0.1, refuted=NO_BOTTLENECK)
        yield Example(*near_balanced(0.5), 0.01, refuted="Gamma(R) >= e0")
        yield Example(*near_identity(), 1.2, refuted="beta(R) > 0")

    def printed_values(self) -> Iterator[Printed]:
        """Yield the numbers of two deterministic starts."""
        yield from _printed(
            self,
            near_identity(),
            0.1,
            {"radius R": ".1181209", "smallest singular value s": "1.2960926"},
            "25",
        )
        yield from _printed(
            self,
            near_balanced(0.9),
            0.05,
            {
                "residual e0": ".2236067977",
                "smallest singular value sigma0 at the start": "1.6145653714",
                "largest singular value S0 at the start": "2.5629627690",
                "radius R": ".2140882",
                "smallest singular value s": "1.0469257",
                "curvature H": "2.8610572",
                "share beta": ".7389894",
            },
            "75",
        )


@dataclass(frozen=True)
class LocalFlow(AbstractTheorem):
    r"""Exponential convergence of the flow from any point close enough to a minimum.

    Notation: as above, $s(p) = \sigma_0 - \int_0^p H$. If $s(R) > 0$ and
    $\int_0^R s \ge e_0$ for some $R$, the flow stays within $R$, converges to a global
    minimum, and $e(t) \le e^{-s(R)^2t}e_0$. (`PathIntegrated` in the limit of small
    steps.)
    """

    source: ClassVar[Source] = OURS.at("the path-integrated certificate, for the flow")
    status: ClassVar[str] = DERIVED
    clock: ClassVar[str] = "flow time"

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return a regular start, and room for the path at the best radius."""
        names = ("s(R) > 0", "integral of s >= e0")
        found = _hypotheses(_flowing(case), _INTEGRATED, (names[0], "beta", names[1]))
        return [hypothesis for hypothesis in found if hypothesis.name != "beta"]

    def guarantee(self, case: Case) -> Guarantee:
        """Return the exponential rate."""
        region = _proved(_flowing(case), _INTEGRATED)
        rate = 2 * region.lows[-1] ** 2
        return Guarantee(
            statement=(
                f"the flow stays within {region.radius:.6g} of the start and excess "
                f"loss <= exp(-{float(rate.mid()):.6g} t) times that at the start"
            ),
            clock=self.clock,
            start=case.excess_loss,
            rate=rate,
            limit="a global minimum",
            values=_values(iterate_of(case), region),
        )

    def witnesses(self) -> Iterator[Example]:
        """Yield the identity near a diagonal target, and a balanced start."""
        yield Example(*near_identity())
        yield Example(*near_balanced(0.9))

    def counterexamples(self) -> Iterator[Example]:
        """Yield a bottleneck and a distant start."""
        yield Example(*bottleneck(), refuted=NO_BOTTLENECK)
        yield Example(*near_balanced(0.5), refuted="integral of s >= e0")


@dataclass(frozen=True)
class _Test:
    """One of the two tests: its slack in floats and its region in balls."""

    slack: Callable[[Numbers], Slack]
    region: Callable[[Iterate, float, Ball], Region]

    def search(self, case: Case) -> Search:
        """Return the search for radii of a case."""
        numbers = Numbers.of(iterate_of(case))
        return Search(numbers, self.slack(numbers))


_LOCAL = _Test(simple_slack, simple)
_INTEGRATED = _Test(integrated_slack, integrated)


def _flowing(case: Case) -> Case:
    """Return a case as that of a descent with step zero."""
    return Case(case.problem, case.start, 0.0, case.la, case.radius)


def _hypotheses(
    case: Case, test: _Test, names: tuple[str, str, str]
) -> list[Hypothesis]:
    iterate = iterate_of(case)
    wide = Hypothesis(
        NO_BOTTLENECK, fact=iterate.is_wide, mend="widen the hidden layers"
    )
    if not wide.fact:
        return [wide]
    regular = Hypothesis(
        REGULAR, iterate.ends[0], mend="start where the layers have full rank"
    )
    if regular.verdict is not Verdict.PROVED:
        return [wide, regular]
    search = test.search(case)
    if not search.numbers.usable:
        return [wide, Hypothesis(REGULAR, balls.interval(-math.inf, math.inf))]
    step = case.step_size if case.step_size is not None else 0.0
    region = test.region(iterate, search.best(step), case.step)
    return [
        wide,
        regular,
        Hypothesis(names[0], region.lows[-1], mend=_LATER),
        Hypothesis(names[1], region.shares[-1], mend="take a smaller step"),
        Hypothesis(names[2], region.slack, strict=False, mend=_LATER),
    ]


def _proved(case: Case, test: _Test) -> Region:
    """Return the region of about the smallest radius that is proved to suffice."""
    search, iterate = test.search(case), iterate_of(case)
    smallest = search.smallest(case.step_size or 0.0)
    for slip in (1e-12, 1e-11, 1e-9, 1e-7, 1e-5):
        if smallest is not None:
            region = test.region(iterate, smallest * (1 + slip), case.step)
            if region.holds:
                return region
    return test.region(iterate, search.best(case.step_size or 0.0), case.step)


def _guarantee(case: Case, test: _Test) -> Guarantee:
    region, iterate = _proved(case, test), iterate_of(case)
    stairs = region.stairs(case.step_size or 0.0)
    worst = 1 - balls.scalar(stairs.worst_gain)
    return Guarantee(
        statement=(
            f"descent stays within {region.radius:.6g} of the start, where the "
            f"singular values lie between {_told(region.lows[-1])} and "
            f"{_told(region.highs[-1])}; the residual shrinks by at least "
            f"{stairs.worst_gain:.4g} of itself an iteration, in the end by "
            f"{stairs.last_gain:.4g}"
        ),
        start=case.excess_loss,
        factor=worst * worst,
        curve=stairs.loss_at,
        count=stairs.count,
        limit="a global minimum",
        values={
            **_values(iterate, region),
            "share beta": region.shares[-1],
            "final gain": balls.scalar(stairs.last_gain),
        },
    )


def _values(iterate: Iterate, region: Region) -> dict[str, Ball]:
    low, high = iterate.ends
    return {
        "radius R": balls.scalar(region.radius),
        "residual e0": region.start,
        "smallest singular value sigma0 at the start": low,
        "largest singular value S0 at the start": high,
        "smallest singular value s": region.lows[-1],
        "largest singular value S": region.highs[-1],
        "curvature H": region.bend,
    }


def _safe_step(case: Case, test: _Test) -> float | None:
    iterate = iterate_of(case)
    if not (iterate.is_wide and certainly_positive(iterate.ends[0])):
        return None
    search = test.search(case)
    if not search.numbers.usable:
        return None
    step = search.largest_step()
    if step is None:
        return None
    for slip in (0.0, 1e-12, 1e-10, 1e-8, 1e-6, 1e-4):
        tried = step * (1 - slip)
        if test.region(iterate, search.best(tried), balls.scalar(tried)).holds:
            return tried
    return None


def _told(ball: Ball) -> str:
    return f"{float(ball.mid()):.6g}"


def _printed(
    theorem: AbstractTheorem,
    posed: Posed,
    step: float,
    texts: dict[str, str],
    count: str,
) -> Iterator[Printed]:
    promise = theorem.guarantee(Case(*posed, step))
    assert promise is not None
    where = f"depth {posed[0].net.depth}, step {step}"
    for name, text in texts.items():
        value = float(promise.values[name].mid())
        yield Printed(f"{name}, {where}", text, lambda v=value: v)
    found = promise.time_to(1e-6) or 0.0
    yield Printed(f"iterations to 1e-6, {where}", count, lambda: found)
