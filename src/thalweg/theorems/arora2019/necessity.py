r"""Why balance and margin are asked for: starts from which descent never succeeds."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp
import numpy as np

from thalweg._core.arrays import Weights
from thalweg._core.papers import ARORA2019
from thalweg._core.source import Source
from thalweg.linalg import balls
from thalweg.problem.moments import Moments
from thalweg.problem.nets import LinearNet
from thalweg.problem.problem import Problem
from thalweg.problem.scalar import Playground
from thalweg.theorems._base import (
    AbstractTheorem,
    Ball,
    Case,
    Example,
    Guarantee,
    Hypothesis,
    Kind,
    Printed,
    certainly_positive,
)
from thalweg.theorems._shared.symmetric import (
    missed,
    negative_eigenvalue,
    symmetric_target,
)

HORIZON = 8
"""Steps within which a start must be caught to be told that it never succeeds."""


@dataclass(frozen=True)
class BalanceNeeded(AbstractTheorem):
    r"""Unbalanced layers can fail at any margin: the loss grows without bound.

    Notation: the target is the identity, half of the $N$ layers are
    $\mathrm{diag}(a, 1, \dots, 1)$, half $\mathrm{diag}(b, 1, \dots, 1)$,
    $n = N/2$, $q = ab$, $S = a^2 + b^2$, $\eta$ the step. Only $a$ and $b$ move, by
    $(a, b) \mapsto (a - rb, b - ra)$ with $r = \eta (q^n - 1) q^{n-1}$. With
    $\rho = |r|$, such a start is *caught* once $|q| \ge 2$ and $\rho |q| \ge 4S$, and
    from then on the loss is at least $\tfrac12$ and grows doubly exponentially.

    Proof: put $\kappa = S/|q| \ge 2$; so $\rho \ge 4\kappa \ge 8$. For $|q| > 1$ a step
    gives $q' = q(1 + \rho^2 - \rho\kappa)$ and
    $\kappa' = (\kappa(1 + \rho^2) - 4\rho)/(1 + \rho^2 - \rho\kappa)$. Hence $q'$ keeps
    its sign, $|q'| \ge \tfrac34 \rho^2 |q| \ge 48|q|$ and
    $\kappa' \le \kappa/(1 - \kappa/\rho) \le \tfrac43 \kappa$, while
    $\rho'/\rho \ge (48|q|^n - 1)/(|q|^n + 1) \ge \tfrac43$: it is caught again. And
    $|q^n - 1| \ge 2^n - 1 \ge 1$.

    At any step and any margin such a start exists. With $0 < p = q^n < 1$ and
    $r_0 = \eta (1 - p) p^{1-2/N}$ it is caught after one step if
    $S \ge 2/r_0$ and $S \ge 8(1 + r_0)^2/(\eta r_0^2)$, for $q_1 \ge r_0 S$ and
    $\kappa_1 \le (1 + r_0)^2/r_0$. Then the loss never falls below its start. (The
    size $a = 2 \max(\eta, 1/\eta)$ alone is not enough: from $p = \tfrac34$, $N = 2$
    the step $\eta = 1.28523614\dots$ ends at the minimum after two steps.)
    """

    kind: ClassVar[Kind] = Kind.FAILURE
    source: ClassVar[Source] = ARORA2019.at("Appendix C, Claim 4")
    status: ClassVar[str] = "explicit start derived here, proof in the docstring"

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return the construction, the margin, and that the start is caught."""
        facts = [
            Hypothesis("the data are white", fact=case.is_whitened),
            Hypothesis("N is even", fact=case.depth % 2 == 0),
        ]
        if not all(hypothesis.fact for hypothesis in facts):
            return facts
        pair = _pair(case)
        shape = Hypothesis(
            "half the layers are diag(a, 1, ..., 1), half diag(b, 1, ..., 1), the "
            "target is I",
            fact=pair is not None,
        )
        if pair is None:
            return [*facts, shape]
        course = _course(case, *pair)
        return [
            *facts,
            shape,
            Hypothesis("deficiency margin c > 0", 1 - balls.absolute(course[0].gap)),
            Hypothesis(
                f"within {HORIZON} steps |q| >= 2 and rho |q| >= 4 S",
                balls.largest([state.caught for state in course]),
                strict=False,
                mend="take a larger against b, or a larger step",
            ),
            Hypothesis("no iterate before is a minimiser", _floor(course)),
        ]

    def guarantee(self, case: Case) -> Guarantee:
        """Return what the loss never falls below, and when the start is caught."""
        course = _course(case, *(_pair(case) or (1.0, 1.0)))
        floor, last = _floor(course), course[-1].gap
        return Guarantee(
            statement=(
                f"the loss never falls below {float(floor.mid()):.6g}, and grows "
                f"doubly exponentially from iteration {len(course) - 1} on"
            ),
            start=case.excess_loss,
            floor=floor,
            limit="the loss tends to infinity",
            conclusions=(
                Hypothesis(
                    "the loss is at least 1/2 once caught",
                    (last * last - 1) / 2,
                    strict=False,
                ),
            ),
            values={f"loss at {t}": state.gap**2 / 2 for t, state in enumerate(course)},
        )

    def witnesses(self) -> Iterator[Example]:
        """Yield the size that fails after one step, and sizes caught later."""
        for depth, step in ((2, 0.1), (4, 0.5), (2, 2.0)):
            large = 2 * _sufficient(depth, step)
            yield Example(*_uneven(depth, large), step)
        yield Example(*_uneven(2, 20.0), 0.1)
        yield Example(*_uneven(4, 200.0, width=3), 0.01)

    def counterexamples(self) -> Iterator[Example]:
        """Yield balanced layers, no margin, odd depth and another target."""
        never = f"within {HORIZON} steps |q| >= 2 and rho |q| >= 4 S"
        yield Example(Playground(2), jnp.full(2, 0.9), 0.1, refuted=never)
        far = jnp.array([200.0, 0.02])
        yield Example(Playground(2), far, 0.1, refuted="deficiency margin c > 0")
        yield Example(Playground(3), jnp.ones(3), 0.1, refuted="N is even")
        other = Problem(LinearNet((1, 1, 1)), Moments.whitened([[2.0]]))
        yield Example(
            other,
            (jnp.ones((1, 1)),) * 2,
            0.1,
            refuted="half the layers are diag(a, 1, ..., 1), half diag(b, 1, ..., 1), "
            "the target is I",
        )

    def printed_values(self) -> Iterator[Printed]:
        """Yield the first losses of two starts of product 3/4."""
        for depth, large, step, losses in (
            (2, 20.0, 0.1, ("0.03125", "47.536", "6.8586e4", "1.1504e11")),
            (4, 200.0, 0.01, ("0.03125", "2.926e7", "8.859e37")),
        ):
            problem, start = _uneven(depth, large)
            case = Case(problem, start, step)
            course = _course(case, *(_pair(case) or (1.0, 1.0)), whole=True)
            for t, text in enumerate(losses):
                yield Printed(
                    f"N = {depth}, A = {large:g}, loss at {t}",
                    text,
                    lambda gap=course[t].gap: float((gap * gap / 2).mid()),
                )


@dataclass(frozen=True)
class MarginNeeded(AbstractTheorem):
    r"""Even depth, equal symmetric layers: negative eigenvalues are never learnt.

    Notation: $\Phi = \Phi^\top$ is the target, $\lambda$ its eigenvalues, $N$ the
    depth. If $N$ is even and all layers are one symmetric matrix that commutes with
    $\Phi$, such as the identity, they stay so at any step: all gradients are
    $S^{N-1}(S^N - \Phi)$. Then $W = S^N$ has no negative eigenvalue and
    $\ell(t) \ge \tfrac12 \sum_{\lambda < 0} \lambda^2$ for ever. The start is balanced
    exactly; what it lacks is the deficiency margin. (In floats a large step can amplify
    rounding until the layers differ: the promise is about exact arithmetic.)
    """

    kind: ClassVar[Kind] = Kind.FAILURE
    source: ClassVar[Source] = ARORA2019.at("Appendix C, Claim 5")
    status: ClassVar[str] = "formulas not re-read; proof in the docstring"

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return even depth, equal symmetric layers, and a negative eigenvalue."""
        layers = [np.asarray(layer) for layer in case.problem.chain(case.start)]
        facts = [
            *symmetric_target(case),
            Hypothesis("N is even", fact=case.depth % 2 == 0),
            Hypothesis(
                "all layers are one symmetric matrix",
                fact=case.radius == 0 and _all_one_symmetric(layers),
                mend="start all layers at the identity",
            ),
        ]
        if not all(hypothesis.fact for hypothesis in facts):
            return facts
        layer, target = case.weights[0], case.target
        return [
            *facts,
            Hypothesis(
                "the layers commute with the target",
                -case.la.norm(layer @ target - target @ layer),
                strict=False,
                mend="start all layers at the identity",
            ),
            negative_eigenvalue(case),
        ]

    def guarantee(self, case: Case) -> Guarantee:
        """Return what the loss never falls below."""
        floor = missed(case)
        return Guarantee(
            statement=(
                f"the loss never falls below {float(floor.mid()):.6g}, at any step"
            ),
            start=case.excess_loss,
            floor=floor,
            conclusions=(
                Hypothesis("l(0) >= floor", case.excess_loss - floor, strict=False),
            ),
        )

    def witnesses(self) -> Iterator[Example]:
        """Yield identity layers, and multiples of a symmetric target itself."""
        for depth, step in ((2, 0.1), (4, 1e-3), (4, 0.5)):
            yield Example(*_signed(depth), step)
        goal = jnp.array([[1.0, 2.0], [2.0, -1.0]])
        problem = Problem(LinearNet((2, 2, 2)), Moments.whitened(goal))
        yield Example(problem, (goal / 4,) * 2, 0.1)

    def counterexamples(self) -> Iterator[Example]:
        """Yield odd depth, a positive target, and layers that differ or turn."""
        yield Example(*_signed(3), 0.1, refuted="N is even")
        positive = Problem(LinearNet((2, 2, 2)), Moments.whitened(jnp.eye(2)))
        unit = (jnp.eye(2),) * 2
        yield Example(positive, unit, 0.1, refuted="the target has an eigenvalue < 0")
        problem, start = _signed(2)
        yield Example(
            problem,
            (start[0], 2 * start[1]),
            0.1,
            refuted="all layers are one symmetric matrix",
        )
        turned = (jnp.array([[1.0, 0.5], [0.5, 1.0]]),) * 2
        yield Example(
            problem, turned, 0.1, refuted="the layers commute with the target"
        )

    def printed_values(self) -> Iterator[Printed]:
        """Yield the floor of the target diag(1/2, -1)."""
        case = Case(*_signed(4))
        yield Printed("floor, diag(.5, -1)", "0.5", lambda: float(missed(case).mid()))


@dataclass(frozen=True)
class _State:
    """An iterate of the pair: the gap of its product to 1, and the slack of a catch."""

    gap: Ball
    caught: Ball


def _pair(case: Case) -> tuple[float, float] | None:
    """Return `a` and `b` of the construction; `None` where it is another start."""
    size, half = case.widths[0], case.depth // 2
    layers = [np.asarray(layer) for layer in case.problem.chain(case.start)]
    target = np.asarray(case.problem.target)
    if case.radius or any(width != size for width in case.widths):
        return None
    corners = sorted(float(layer[0, 0]) for layer in layers)
    rest = [np.where(_corner(size), 1.0, layer) for layer in layers]
    if not all(np.array_equal(matrix, np.eye(size)) for matrix in (target, *rest)):
        return None
    if len({*corners[:half]}) != 1 or len({*corners[half:]}) != 1:
        return None
    return corners[-1], corners[0]


def _corner(size: int) -> np.ndarray:
    """Return which entry of a square matrix is its first."""
    return np.add.outer(np.arange(size), np.arange(size)) == 0


def _course(
    case: Case, first: float, second: float, *, whole: bool = False
) -> list[_State]:
    """Return the iterates up to the first that is caught, at most the horizon's."""
    half, a, b = case.depth // 2, balls.scalar(first), balls.scalar(second)
    states: list[_State] = []
    for _ in range(HORIZON + 1):
        q, energy = a * b, a * a + b * b
        gap = balls.prod([q] * half) - 1
        ratio = case.step * gap * balls.prod([q] * (half - 1))
        size = balls.absolute(q)
        caught = balls.smallest([size - 2, balls.absolute(ratio) * size - 4 * energy])
        states.append(_State(gap, caught))
        if certainly_positive(caught) and not whole:
            break
        a, b = a - ratio * b, b - ratio * a
    return states


def _floor(course: list[_State]) -> Ball:
    """Return what the loss stays above: one half, or less before the catch."""
    before = [state.gap * state.gap / 2 for state in course[:-1]]
    return balls.smallest([balls.scalar(1) / 2, *before])


def _sufficient(depth: int, step: float, product: float = 0.75) -> float:
    """Return a size that is caught after one step, by the closed condition."""
    ratio = step * (1 - product) * product ** (1 - 2 / depth)
    return float(np.sqrt(max(2 / ratio, 8 * (1 + ratio) ** 2 / (step * ratio**2))))


def _uneven(
    depth: int, large: float, product: float = 0.75, width: int = 1
) -> tuple[Problem, Weights]:
    """Return the construction: half of the layers large, half small."""
    problem = Problem(
        LinearNet((width,) * (depth + 1)), Moments.whitened(jnp.eye(width))
    )
    small = product ** (2 / depth) / large
    corners = [large] * (depth // 2) + [small] * (depth // 2)
    return problem, tuple(jnp.eye(width).at[0, 0].set(corner) for corner in corners)


def _signed(depth: int) -> tuple[Problem, Weights]:
    """Return the target diag(1/2, -1) with identity layers."""
    goal = jnp.diag(jnp.array([0.5, -1.0]))
    problem = Problem(LinearNet((2,) * (depth + 1)), Moments.whitened(goal))
    return problem, (jnp.eye(2),) * depth


def _all_one_symmetric(layers: list[np.ndarray]) -> bool:
    first = layers[0]
    return all(np.array_equal(first, other) for other in (*layers, first.T))
