r"""Shamir: descent on deep chains of numbers takes exponentially many iterations."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from thalweg._core.errors import DomainError
from thalweg._core.source import Source
from thalweg.linalg import balls
from thalweg.problem.scalar import Playground
from thalweg.theorems._base import (
    PRECISION,
    SCALAR,
    AbstractTheorem,
    Ball,
    Case,
    Example,
    Guarantee,
    Hypothesis,
    Kind,
    Setting,
    inward,
)
from thalweg.theorems._shared.playground import factors, posed

SHAMIR2019 = Source(
    "shamir2019",
    "O. Shamir",
    "Exponential convergence time of gradient descent for one-dimensional deep linear "
    "neural networks",
    "COLT, PMLR 99",
    2019,
    "arXiv:1809.08587",
    beyond=True,
)

STATUS = "statement read in the source; constants derived here, proof in the statement"

RADII = np.geomspace(1e-12, 1.0, 49)
"""Sizes of the neighbourhoods tried; the best of them is taken."""


@dataclass(frozen=True)
class SlowChain(AbstractTheorem):
    r"""A chain whose product is small stays near its start for a proven time.

    Notation: $x$ is the start, $d$ the depth, $\gamma$ the step, $s > 0$ a size chosen
    by the theorem, $r_k = (\sqrt{x_k^2 + 4s} - |x_k|)/2$, so that
    $r_k (|x_k| + r_k) = s$, and $P = \prod_k (|x_k| + r_k)$. If $P \le a < 1$ and
    $\gamma \le s / (P (1 + P))$, then for $T = \lfloor s / (\gamma P (1+P)) \rfloor$
    iterations no factor moves by more than $r_k$ and the loss is at least
    $(1 - P)^2 / 2$.

    Proof. While all factors are that near, $|p| \le P$, and one step moves $x_k$ by
    $\gamma |p - 1| |p_{\setminus k}| \le \gamma (1 + P) P / (|x_k| + r_k)
    = r_k \gamma P (1 + P) / s$. So $t$ steps move it by at most $r_k$ as long as
    $t \le T$. If moreover $p < 0$ at the start and $r_k < |x_k|$ for all $k$, no sign
    changes and the loss is at least $(1 + \prod_k (|x_k| - r_k))^2 / 2$.

    For factors drawn with $\mathrm E \ln |x_k| < 0$, as Gaussian ones of unit
    variance, a small enough $s$ keeps $\ln P \approx -\kappa d$ with a $\kappa > 0$:
    then $T$ is $e^{\kappa d}$ up to constants, the source's $e^{\Omega(d)}$, whose own
    constants are not explicit. The source's near-identity starts need a target of
    the other sign; here the target is one.

    Attributes:
        ceiling: The bound $a$ on the product, `> 0`, `< 1`.
    """

    ceiling: float = 0.5

    source: ClassVar[Source] = SHAMIR2019.at("the lower bound, made explicit")
    setting: ClassVar[Setting] = SCALAR
    kind: ClassVar[Kind] = Kind.BOUND
    status: ClassVar[str] = STATUS

    def __post_init__(self) -> None:
        """Check the field."""
        _between("ceiling", self.ceiling)

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return that the product is small all around the start, and the step rule."""
        nearby = _Nearby(case, _best(case, self.ceiling))
        return [
            Hypothesis(
                f"prod (|x_k| + r_k) <= {self.ceiling:g}",
                balls.scalar(self.ceiling) - nearby.product,
                strict=False,
                mend="scale the start down",
            ),
            Hypothesis(
                "step <= s / (P (1 + P))",
                nearby.room - case.step,
                strict=False,
                mend="take the theorem's safe_step",
            ),
        ]

    def guarantee(self, case: Case) -> Guarantee:
        """Return the number of iterations, and the loss until then."""
        size = _best(case, self.ceiling)
        nearby = _Nearby(case, size)
        count = (nearby.room / case.step).floor()
        return Guarantee(
            statement=(
                f"for {_told(count)} iterations the loss stays at least "
                f"{float(nearby.loss.mid()):.6g}"
            ),
            start=case.excess_loss,
            lower=_Stays(case, size).lower,
            values={
                "iterations": count,
                "loss": nearby.loss,
                "product": nearby.product,
            },
        )

    def safe_step(self, case: Case) -> float | None:
        """Return s / (P (1 + P)), rounded down: of one iteration only."""
        return inward(_Nearby(case, _best(case, self.ceiling)).room)

    def witnesses(self) -> Iterator[Example]:
        """Yield chains of 0.8, a Gaussian one, and one of negative product."""
        yield Example(*posed([0.8] * 40), 0.1)
        yield Example(*posed(_gaussian(60)), 1.0)
        yield Example(*posed([-0.7] + [0.7] * 29), 0.1)

    def counterexamples(self) -> Iterator[Example]:
        """Yield a product of one, and too large a step."""
        yield Example(*posed([1.0] * 4), 0.1, refuted="prod (|x_k| + r_k) <= 0.5")
        yield Example(*posed([0.5] * 4), 1e6, refuted="step <= s / (P (1 + P))")


@dataclass(frozen=True)
class SlowDraw(AbstractTheorem):
    r"""A deep chain of Gaussian numbers is almost surely stuck for very long.

    Notation: $d$ factors are drawn from $\mathcal N(0, 1)$, as Xavier's rule does at
    width one; $\gamma$ is the step, $q$ the chance of failure,
    $\phi = \mathrm E |x|^{1/2} + s^{1/4}$ with
    $\mathrm E |x|^{1/2} = 2^{1/4} \Gamma(3/4) / \sqrt\pi < 0.8222$, and
    $s^{1/4} = 1.644/(d - 2)$. Put $Q = \phi^{2d} / q^2$. If $Q \le \tfrac12$ and
    $\gamma \le s / (Q (1 + Q))$, then with probability at least $1 - q$ the loss is
    at least $(1 - Q)^2/2$ for $\lfloor s / (\gamma Q (1 + Q)) \rfloor$ iterations:
    $e^{\Omega(d)}$, for steps up to $e^{\Omega(d)}$.

    Proof. In the terms of `SlowChain`, $r_k \le \sqrt s$, so
    $\mathrm E \sqrt P \le \prod_k \mathrm E (|x_k|^{1/2} + s^{1/4}) = \phi^d$; by
    Markov $P > Q$ with probability at most $q$. The promise is about the draw, so the
    start itself is not looked at.

    Attributes:
        failure: The chance $q$, `> 0`, `< 1`.
    """

    failure: float = 0.05

    about_draws: ClassVar[bool] = True
    source: ClassVar[Source] = SHAMIR2019.at("the lower bound, made explicit")
    setting: ClassVar[Setting] = SCALAR
    kind: ClassVar[Kind] = Kind.CHANCE
    status: ClassVar[str] = STATUS

    def __post_init__(self) -> None:
        """Check the field."""
        _between("failure", self.failure)

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return that the chain is deep, and the step rule."""
        deep = Hypothesis("d >= 3", fact=case.depth >= 3)
        if not deep.fact:
            return [deep]
        return [
            deep,
            Hypothesis(
                "phi^(2d) / q^2 <= 1/2",
                0.5 - self._product(case),
                strict=False,
                mend="take a deeper chain",
            ),
            Hypothesis(
                "step <= s / (Q (1 + Q))",
                self._room(case) - case.step,
                strict=False,
                mend="take the theorem's safe_step",
            ),
        ]

    def guarantee(self, case: Case) -> Guarantee:
        """Return the iterations, the loss until then, and the probability."""
        product = self._product(case)
        count = (self._room(case) / case.step).floor()
        loss = (1 - product) ** 2 / 2
        return Guarantee(
            statement=(
                f"with probability at least {1 - self.failure:.4g} over the draw the "
                f"loss stays at least {float(loss.mid()):.6g} for {_told(count)} "
                "iterations"
            ),
            probability=1 - balls.scalar(self.failure),
            values={"iterations": count, "loss": loss},
        )

    def safe_step(self, case: Case) -> float | None:
        """Return s / (Q (1 + Q)), rounded down: of one iteration only."""
        return inward(self._room(case)) if case.depth >= 3 else None

    def succeeds(self, case: Case, seed: int) -> bool:
        """Draw a chain and follow it as long as promised, at most 1000 iterations."""
        promise = self.guarantee(case)
        # Where nothing is promised the count has no bound: only the draw is looked at.
        count = min(max(balls.bounds(promise.values["iterations"])[0], 0.0), 1000.0)
        least = balls.bounds(promise.values["loss"])[0]
        x = np.random.default_rng(seed).standard_normal(case.depth)
        for _ in range(int(count) + 1):
            product = float(np.prod(x))
            if 0.5 * (product - 1) ** 2 < least:
                return False
            x = x - (case.step_size or 0.0) * (product - 1) * product / x
        return True

    def witnesses(self) -> Iterator[Example]:
        """Yield depths 60 and 200."""
        yield Example(Playground(60), None, 1e-6)
        yield Example(Playground(200), None, 1.0)

    def counterexamples(self) -> Iterator[Example]:
        """Yield chains too shallow, and too large a step."""
        yield Example(Playground(2), None, 0.1, refuted="d >= 3")
        yield Example(Playground(10), None, 0.1, refuted="phi^(2d) / q^2 <= 1/2")
        yield Example(Playground(60), None, 1e9, refuted="step <= s / (Q (1 + Q))")

    def _size(self, case: Case) -> Ball:
        r"""Return $s^{1/4}$, near the best of all for a deep chain."""
        return balls.scalar(1.644) / (case.depth - 2)

    def _product(self, case: Case) -> Ball:
        three = balls.scalar(3) / 4
        root = balls.power(balls.scalar(2), 1, 4) * three.gamma()
        mean = root / balls.sqrt(three.pi())
        phi = mean + self._size(case)
        return phi ** (2 * case.depth) / balls.scalar(self.failure) ** 2

    def _room(self, case: Case) -> Ball:
        product = self._product(case)
        return self._size(case) ** 4 / (product * (1 + product))


@dataclass(frozen=True)
class _Nearby:
    """The factors within their radii of a start, at one size."""

    case: Case
    size: float

    @cached_property
    def far(self) -> list[Ball]:
        r"""Return $|x_k| + r_k$."""
        four = 4 * balls.scalar(self.size)
        sizes = [abs(x) for x in self.case.balls]
        return [(x + balls.sqrt(x * x + four)) / 2 for x in sizes]

    @cached_property
    def product(self) -> Ball:
        """Return the bound on the product."""
        return balls.prod(self.far)

    @property
    def room(self) -> Ball:
        """Return iterations times step."""
        return balls.scalar(self.size) / (self.product * (1 + self.product))

    @property
    def loss(self) -> Ball:
        """Return what the loss is at least; a product above one promises nothing."""
        near = balls.prod(
            # |x| - r, where r = s / (|x| + r).
            balls.positive_part(abs(x) - self.size / far)
            for x, far in zip(self.case.balls, self.far, strict=True)
        )
        negative = int(np.sum(factors(self.case) < 0)) % 2 == 1
        if negative and near > 0:
            return (1 + near) ** 2 / 2
        return balls.positive_part(1 - self.product) ** 2 / 2


@dataclass(frozen=True)
class _Stays:
    """Losses that are surely not left before certain iterations.

    Attributes:
        case: The case.
        size: The largest size of a neighbourhood that is looked at.
    """

    case: Case
    size: float

    def lower(self, clock: np.ndarray) -> np.ndarray:
        """Return bounds at iterations, rounded down; zero when all is passed."""
        until, losses = self._steps
        index = np.searchsorted(until, np.asarray(clock, dtype=np.float64))
        return np.append(losses, 0.0)[index]

    @cached_property
    def _steps(self) -> tuple[np.ndarray, np.ndarray]:
        """Return iterations, ascending, and what the loss is at least until then."""
        found = []
        with balls.working_precision(PRECISION):
            for size in filter(lambda size: size <= self.size, RADII.tolist()):
                nearby = _Nearby(self.case, size)
                until = balls.bounds(nearby.room / self.case.step)[0]
                found.append((max(until, 0.0), max(balls.bounds(nearby.loss)[0], 0.0)))
        until, losses = np.array(found, dtype=np.float64).T
        # A smaller neighbourhood that lasts longer is the better one.
        return np.maximum.accumulate(until), losses


def _best(case: Case, ceiling: float) -> float:
    """Return the size that promises most iterations; any size would be sound."""
    x = np.abs(factors(case))
    far = (x + np.hypot(x, 2 * np.sqrt(RADII)[:, None])) / 2
    with np.errstate(over="ignore", under="ignore"):
        logs = np.sum(np.log(far), axis=1)
        # ln(P (1 + P)) without overflow.
        rooms = np.log(RADII) - logs - np.logaddexp(0.0, logs)
    allowed = logs <= np.log(ceiling)
    if not allowed.any():
        return float(RADII[0])
    return float(RADII[np.argmax(np.where(allowed, rooms, -np.inf))])


def _between(name: str, value: float) -> None:
    if not 0 < value < 1:
        raise DomainError(f"{name} is {value}; it must be above 0 and below 1.")


def _gaussian(depth: int) -> list[float]:
    return np.random.default_rng(0).standard_normal(depth).tolist()


def _told(count: Ball) -> str:
    low = float(count.mid())
    return f"{low:,.0f}" if low < 1e15 else f"{low:.6g}"
