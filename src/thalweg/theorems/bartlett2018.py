r"""Bartlett, Helmbold, Long: descent from identity layers.

The source's own theorems could not be read. What stands here is the exact analysis
of the same starts: for a symmetric target all layers stay
$U \mathrm{diag}(a_i) U^\top$ with the target's eigenvectors, and each mode follows
$a \mapsto a - \eta a^{N-1} (a^N - \lambda)$ on its own.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from thalweg._core.arrays import Weights
from thalweg._core.papers import BARTLETT2018
from thalweg._core.source import Source
from thalweg.linalg import balls
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
    Verdict,
    certainly_positive,
    inward,
)
from thalweg.theorems._shared.margin import allowed_step, gain, margin
from thalweg.theorems._shared.symmetric import (
    identity_layers,
    missed,
    negative_eigenvalue,
    symmetric_target,
)


@dataclass(frozen=True)
class PositiveDefinite(AbstractTheorem):
    r"""Identity layers learn a symmetric positive definite target, mode by mode.

    Notation: $\lambda$ are the eigenvalues of the target, $N$ the depth, $\eta$ the
    step, $a_* = \lambda^{1/N}$. If
    $\eta \max(N \lambda^{2-2/N}, \sum_{i<N} \lambda^{i/N}) \le 1$ for all $\lambda$,
    every mode goes from 1 to $a_*$ without overshoot and
    $|a_t - a_*| \le (1 - \rho)^t |1 - a_*|$ with
    $\rho = \eta N \min(1, \lambda^{2-2/N})$, so that
    $|a_t^N - \lambda| \le N \max(1, a_*)^{N-1} |a_t - a_*|$ bounds the loss.

    Proof: $a' - a_* = (a - a_*)(1 - \eta g(a))$ with
    $g(a) = a^{N-1} \sum_{i<N} a^{N-1-i} a_*^i$ increasing. Between 1 and $a_*$ it lies
    between $g$ at the lower end, at least $N \min(1, \lambda^{2-2/N})$, and at the
    upper, which is $N \lambda^{2-2/N}$ for $\lambda \ge 1$ and
    $\sum_{i<N} \lambda^{i/N}$ for $\lambda < 1$.
    """

    source: ClassVar[Source] = BARTLETT2018.at("positive definite targets")
    status: ClassVar[str] = "derived here, proof in the docstring"

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return target, start and step."""
        facts = _facts(case)
        if not all(hypothesis.fact for hypothesis in facts):
            return facts
        values = case.la.eigenvalues(case.target)
        positive = Hypothesis("the target is positive definite", values[0])
        if positive.verdict is Verdict.REFUTED:
            return [*facts, positive]
        return [
            *facts,
            positive,
            Hypothesis(
                "step max(N lambda^(2-2/N), sum_(i<N) lambda^(i/N)) <= 1",
                1 / _steepest(values, case.depth) - case.step,
                strict=False,
                mend="take the theorem's safe_step",
            ),
        ]

    def guarantee(self, case: Case) -> Guarantee:
        """Return the sum over modes, and the iterations the slowest needs."""
        values, n = case.la.eigenvalues(case.target), case.depth
        speeds = [case.step * _slowest([value], n) for value in values]
        sizes = [_reach(value, n) for value in values]
        slowest = case.step * _slowest(values, n)
        energy = balls.total(size * size for size in sizes)
        start = case.excess_loss
        return Guarantee(
            statement=(
                "excess loss <= 1/2 sum of (N max(1, a)^(N-1) |1 - a| (1 - rho)^T)^2 "
                f"over the modes, the slowest with rho = {float(slowest.mid()):.6g}"
            ),
            start=start,
            curve=_curve(start, sizes, [1 - speed for speed in speeds]),
            count=lambda accuracy: (
                balls.log(energy / (2 * accuracy)) / (-2 * balls.log(1 - slowest))
            ),
            values={"slowest contraction": slowest},
        )

    def safe_step(self, case: Case) -> float | None:
        """Return the largest step allowed, rounded down; `None` without one."""
        if not all(hypothesis.fact for hypothesis in _facts(case)):
            return None
        values = case.la.eigenvalues(case.target)
        if not certainly_positive(values[0]):
            return None
        return inward(1 / _steepest(values, case.depth))

    def witnesses(self) -> Iterator[Example]:
        """Yield scalar targets below and above one, and a rotated one."""
        for depth, value in ((4, 0.25), (4, 2.0), (2, 0.05)):
            yield self._example(*_scalar(value, depth))
        yield self._example(*_posed([[2.0, 0.5], [0.5, 0.75]], 3))

    def counterexamples(self) -> Iterator[Example]:
        """Yield other starts and targets, and too large a step."""
        problem, start = _posed([[1.0, 0.5], [0.25, 1.0]], 3)
        yield Example(problem, start, 0.1, refuted="the target is symmetric")
        problem, start = _posed([[1.0, 2.0], [2.0, 1.0]], 3)
        yield Example(problem, start, 0.1, refuted="the target is positive definite")
        problem, start = _scalar(2.0, 3)
        half = tuple(layer / 2 for layer in start)
        yield Example(problem, half, 0.1, refuted="all layers are the identity")
        yield Example(
            problem,
            start,
            1.0,
            refuted="step max(N lambda^(2-2/N), sum_(i<N) lambda^(i/N)) <= 1",
        )

    def printed_values(self) -> Iterator[Printed]:
        """Yield the iterations certified for three scalar targets, and a step."""
        for depth, value, step, count in (
            (4, 0.25, 0.16, "81"),
            (4, 2.0, None, "16"),
            (8, 0.05, 1 / 14.65, "2587"),
        ):
            case = Case(*_scalar(value, depth))
            stepped = Case(
                case.problem, case.start, step or self.safe_step(case), balls
            )
            yield Printed(
                f"N = {depth}, lambda = {value}, iterations to 1e-6",
                count,
                lambda s=stepped: self.guarantee(s).time_to(1e-6) or 0.0,
            )
        case = Case(*_scalar(2.0, 4))
        yield Printed(
            "N = 4, lambda = 2, step", "0.08839", lambda: self.safe_step(case) or 0.0
        )

    def _example(self, problem: Problem, start: Weights) -> Example:
        return Example(problem, start, self.safe_step(Case(problem, start)))


@dataclass(frozen=True)
class NegativeEigenvalue(AbstractTheorem):
    r"""Identity layers never learn the negative eigenvalues of a symmetric target.

    Notation: $\lambda$ are the eigenvalues of the target, $N \ge 2$ the depth, $\eta$
    the step. If $N$ is even, at any step, or if $N$ is odd and
    $\eta (1 + |\lambda|) < 1$ for the lowest one,
    $\ell(t) \ge \tfrac12 \sum_{\lambda < 0} \lambda^2$ for ever. Proof: $a^N \ge 0$ for
    even $N$; for odd $N$ the mode keeps
    $a' = a (1 - \eta a^{N-2} (a^N + |\lambda|)) \in (0, a]$, so it tends to zero. With
    odd depth a larger step may jump over zero and succeed.
    """

    kind: ClassVar[Kind] = Kind.FAILURE
    source: ClassVar[Source] = BARTLETT2018.at("Theorem 4")
    status: ClassVar[str] = "derived here, proof in the docstring"

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return target, start and, for odd depth, the step."""
        facts = [*_facts(case), Hypothesis("N >= 2", fact=case.depth >= 2)]
        if not all(hypothesis.fact for hypothesis in facts):
            return facts
        negative = negative_eigenvalue(case)
        if case.depth % 2 == 0 or negative.verdict is Verdict.REFUTED:
            return [*facts, negative]
        return [
            *facts,
            negative,
            Hypothesis(
                "step (1 + |lambda|) < 1",
                1 - case.step * _pull(case),
                mend="take the theorem's safe_step",
            ),
        ]

    def guarantee(self, case: Case) -> Guarantee:
        """Return what the loss never falls below."""
        floor, odd = missed(case), case.depth % 2
        return Guarantee(
            statement=(
                f"the loss never falls below {float(floor.mid()):.6g}"
                + ("" if odd else ", at any step")
            ),
            start=case.excess_loss,
            floor=floor,
            limit="the modes of negative eigenvalues tend to zero" if odd else "",
            conclusions=(
                Hypothesis("l(0) >= floor", case.excess_loss - floor, strict=False),
            ),
        )

    def safe_step(self, case: Case) -> float | None:
        """Return the largest step allowed at odd depth; `None` at even, any will do."""
        if case.depth % 2 == 0 or not all(h.fact for h in _facts(case)):
            return None
        if not certainly_positive(-case.la.eigenvalues(case.target)[0]):
            return None
        limit = inward(1 / _pull(case))
        return None if limit is None else float(np.nextafter(limit, 0.0))

    def witnesses(self) -> Iterator[Example]:
        """Yield odd depths at the step allowed, and even ones at large steps."""
        for problem, start in (
            _scalar(-1.0, 3),
            _posed([[-0.25, 0.75], [0.75, -0.25]], 5),
        ):
            yield Example(problem, start, self.safe_step(Case(problem, start)))
        yield Example(*_scalar(-1.0, 2), 0.5)
        yield Example(*_posed([[-0.25, 0.75], [0.75, -0.25]], 4), 0.1)

    def counterexamples(self) -> Iterator[Example]:
        """Yield a positive target, another start, and a step that may jump over."""
        yield Example(*_scalar(1.0, 3), 0.1, refuted="the target has an eigenvalue < 0")
        problem, start = _scalar(-1.0, 3)
        yield Example(problem, start, 0.6, refuted="step (1 + |lambda|) < 1")
        other = tuple(-layer for layer in start)
        yield Example(problem, other, 0.1, refuted="all layers are the identity")

    def printed_values(self) -> Iterator[Printed]:
        """Yield what the loss tends to at depth 3, target -1."""
        case = Case(*_scalar(-1.0, 3), 0.1)
        yield Printed("N = 3, lambda = -1", "0.5", lambda: float(missed(case).mid()))


@dataclass(frozen=True)
class NearIdentity(AbstractTheorem):
    r"""Identity layers learn a target near the identity.

    Notation: $\Phi$ is the target, $N$ the depth, $\eta$ the step. If
    $\|\Phi - I\|_F < \tfrac12$, identity layers have a deficiency margin of at least
    $c = 1 - 2\|\Phi - I\|_F$ and are balanced, so Theorem 1 of Arora, Cohen, Golowich
    and Hu promises $\ell(t) \le (1 - \eta c^{2(N-1)/N})^t \ell(0)$ for
    $\eta \le c^{(4N-2)/N} / (6144 N^3 \|\Phi\|_F^{(6N-4)/N})$.
    """

    source: ClassVar[Source] = BARTLETT2018.at("targets near the identity")
    status: ClassVar[str] = (
        "via Arora et al. 2019; the paper's own constants were not accessible"
    )

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return start, depth, distance and step."""
        facts = [*symmetric_target(case)[:2], identity_layers(case)]
        facts.append(Hypothesis("N >= 2", fact=case.depth >= 2))
        if not all(hypothesis.fact for hypothesis in facts):
            return facts
        c = _near_margin(case)
        near = Hypothesis("|Phi - I| < 1/2", c / 2)
        if near.verdict is Verdict.REFUTED:
            return [*facts, near]
        return [
            *facts,
            near,
            Hypothesis(
                "step <= c^((4N-2)/N) / (6144 N^3 |Phi|^((6N-4)/N))",
                allowed_step(case, balls.positive_part(c)) - case.step,
                strict=False,
                mend="take the theorem's safe_step",
            ),
        ]

    def guarantee(self, case: Case) -> Guarantee:
        """Return the linear rate."""
        c = _near_margin(case)
        rate = case.step * gain(case, c)
        return Guarantee(
            statement=(
                f"excess loss <= (1 - {float(rate.mid()):.6g})^T times that at the "
                f"start, with margin at least {float(c.mid()):.6g}"
            ),
            start=case.excess_loss,
            factor=1 - rate,
            conclusions=(
                Hypothesis(
                    "the deficiency margin is at least 1 - 2 |Phi - I|",
                    margin(case) - c,
                    strict=False,
                ),
            ),
            values={"margin": c},
        )

    def safe_step(self, case: Case) -> float | None:
        """Return the largest step allowed, rounded down; `None` too far away."""
        square = len({*case.widths}) == 1
        if not case.is_whitened or not square or case.depth < 2:
            return None
        return inward(allowed_step(case, balls.positive_part(_near_margin(case))))

    def witnesses(self) -> Iterator[Example]:
        """Yield a target that is not symmetric, depths 2 and 3."""
        for depth in (2, 3):
            problem, start = _posed([[1.1, 0.2], [-0.1, 0.9]], depth)
            yield Example(problem, start, self.safe_step(Case(problem, start)))

    def counterexamples(self) -> Iterator[Example]:
        """Yield a target too far, another start, and too large a step."""
        yield Example(*_posed([[1.0, 0.6], [0.0, 1.0]], 2), 1e-9,
                      refuted="|Phi - I| < 1/2")  # fmt: skip
        problem, start = _posed([[1.1, 0.0], [0.0, 1.0]], 2)
        yield Example(
            problem,
            (start[0] / 2, 2 * start[1]),
            1e-9,
            refuted="all layers are the identity",
        )
        yield Example(
            problem,
            start,
            0.1,
            refuted="step <= c^((4N-2)/N) / (6144 N^3 |Phi|^((6N-4)/N))",
        )


def _facts(case: Case) -> list[Hypothesis]:
    """Return the facts of an exact reduction to modes."""
    return [*symmetric_target(case), identity_layers(case)]


def _steepest(values: Sequence[Ball], depth: int) -> Ball:
    """Return the largest slope of a mode on its way: what the step must not exceed."""
    top = values[-1]
    above = depth * balls.power(top, 2 * depth - 2, depth)
    below = balls.total(balls.power(top, i, depth) for i in range(depth))
    return balls.largest([above, below])


def _slowest(values: Sequence[Ball], depth: int) -> Ball:
    """Return the smallest slope of a mode on its way, over the modes."""
    lowest = balls.power(values[0], 2 * depth - 2, depth)
    return depth * balls.smallest([balls.scalar(1), lowest])


def _reach(value: Ball, depth: int) -> Ball:
    """Return the bound at the start on what a mode contributes to the residual."""
    goal = balls.power(value, 1, depth)
    steep = balls.power(balls.largest([balls.scalar(1), goal]), depth - 1)
    return depth * steep * balls.absolute(1 - goal)


def _curve(
    start: Ball, sizes: Sequence[Ball], shrinks: Sequence[Ball]
) -> Callable[[np.ndarray], np.ndarray]:
    """Return the sum over modes as a function of iterations, rounded up."""
    top = balls.bounds(start)[1]
    reach = np.array([balls.bounds(size)[1] for size in sizes])
    factor = np.array([max(balls.bounds(shrink)[1], 0.0) for shrink in shrinks])

    def bound(clock: np.ndarray) -> np.ndarray:
        residuals = reach * np.power(factor, np.asarray(clock)[..., None])
        # Powers, squares and sums are off by a few units of rounding each.
        total = 0.5 * np.sum(residuals**2, axis=-1) * (1 + 1e-12)
        return np.maximum(np.minimum(total, top), np.finfo(np.float64).tiny)

    return bound


def _pull(case: Case) -> Ball:
    """Return one plus the size of the lowest eigenvalue, known to be negative."""
    return 1 - case.la.eigenvalues(case.target)[0]


def _near_margin(case: Case) -> Ball:
    gap = case.la.norm(case.target - case.la.identity(case.widths[0]))
    return 1 - 2 * gap


def _scalar(value: float, depth: int) -> tuple[Problem, Weights]:
    return _posed([[value]], depth)


def _posed(target: Any, depth: int) -> tuple[Problem, Weights]:
    """Return a square target with identity layers."""
    goal = jnp.asarray(target, dtype=jnp.float64)
    size = goal.shape[0]
    problem = Problem(LinearNet((size,) * (depth + 1)), Moments.whitened(goal))
    return problem, (jnp.eye(size),) * depth
