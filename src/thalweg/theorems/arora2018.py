r"""Arora, Cohen, Hazan: depth as a preconditioner of the end-to-end matrix.

The source asks for layers that are balanced exactly. Here any start may be asked
about: imbalance moves every formula by the *defect* at most, which is derived in
`_shared.end_to_end` and vanishes for balanced layers.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from thalweg._core.arrays import Weights
from thalweg._core.source import Source
from thalweg.linalg import balls
from thalweg.linalg.chain import balanced_factors, end_to_end
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
)
from thalweg.theorems._shared.end_to_end import (
    defect,
    energy,
    highest_eigenvalue,
    layer_gradients,
    lowest_eigenvalue,
    preconditioned,
    slope,
)
from thalweg.theorems._shared.roots import root_powers

ARORA2018 = Source(
    "arora2018",
    "S. Arora, N. Cohen, E. Hazan",
    "On the optimization of deep networks: implicit acceleration by "
    "overparameterization",
    "ICML",
    2018,
    "arXiv:1802.06509",
    beyond=True,
)

STATUS = "recalled, checked numerically; the bound for imbalance is derived here"


@dataclass(frozen=True)
class EndToEndFlow(AbstractTheorem):
    r"""Balanced layers move as one matrix, by a differential equation of its own.

    Notation: $W$ is the end-to-end matrix, $N$ the depth, $G$ the gradient of the loss
    in $W$. Along the flow of balanced layers
    $\dot W = -\sum_{j=1}^N (W W^\top)^{(N-j)/N} G (W^\top W)^{(j-1)/N}$, for every
    differentiable loss of $W$. For layers that are not balanced the right-hand side is
    off by at most the defect times $\|G\|_F$ at the start.
    """

    kind: ClassVar[Kind] = Kind.PREDICTION
    bounds: ClassVar[str] = ""
    clock: ClassVar[str] = "flow time"
    source: ClassVar[Source] = ARORA2018.at("Theorem 1")
    status: ClassVar[str] = STATUS

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return that there are two layers."""
        return [_deep(case)]

    def guarantee(self, case: Case) -> Guarantee:
        """Return the equation, and how far the start is from it."""
        gradient = slope(case)
        spare = defect(case.weights, case.la)
        return Guarantee(
            statement=(
                "at the start the end-to-end matrix moves by its own equation, but for "
                f"{float(spare.mid()):.6g} times the norm of the gradient; exactly, "
                "and for ever, if the layers are balanced"
            ),
            clock=self.clock,
            conserved=("imbalance",),
            conclusions=(_close(case, gradient, _closed_form(case, gradient), spare),),
            values={"defect": spare},
        )

    def witnesses(self) -> Iterator[Example]:
        """Yield a balanced start, and starts away from balance by more and more."""
        yield Example(*_identities())
        for away in (1e-3, 0.3):
            yield Example(*_near_balance((4, 3, 3, 2), away))

    def counterexamples(self) -> Iterator[Example]:
        """Yield a single layer."""
        yield Example(*_single(), refuted="N >= 2")


@dataclass(frozen=True)
class Preconditioner(AbstractTheorem):
    r"""The spectrum of what depth multiplies the gradient by.

    Notation: $\sigma_r$ are the singular values of the end-to-end matrix $W$, zeros
    included, $N$ the depth. For balanced layers $-\dot W$ is a positive semidefinite
    linear map of the gradient $G$ with the eigenvalues
    $\sum_{j=1}^N \sigma_r^{2(N-j)/N} \sigma_{r'}^{2(j-1)/N}$ ($0^0 = 1$) on the
    directions $u_r v_{r'}^\top$: it enlarges what $W$ is already large in. Imbalance
    moves each eigenvalue by the defect at most.
    """

    kind: ClassVar[Kind] = Kind.BOUND
    bounds: ClassVar[str] = ""
    clock: ClassVar[str] = "flow time"
    source: ClassVar[Source] = ARORA2018.at("Claim 1")
    status: ClassVar[str] = STATUS

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return that there are two layers."""
        return [_deep(case)]

    def guarantee(self, case: Case) -> Guarantee:
        """Return the ends of the spectrum, its sum, and the gradient between them."""
        la, gradient = case.la, slope(case)
        strengths = la.singular_values(end_to_end(case.weights))
        square = case.widths[0] == case.widths[-1]
        low = lowest_eigenvalue(strengths, case.depth, square=square)
        high = highest_eigenvalue(strengths, case.depth)
        spare, steepness = defect(case.weights, la), la.norm(gradient) ** 2
        total = energy(layer_gradients(case.weights, gradient, la), la)
        gap = balls.absolute(_trace(case) - _sum_of_eigenvalues(case, strengths))
        count = case.widths[0] * case.widths[-1]
        return Guarantee(
            statement=(
                "the gradient of the end-to-end matrix is multiplied by between "
                f"{float(low.mid()):.6g} and {float(high.mid()):.6g}, up to "
                f"{float(spare.mid()):.6g} for imbalance"
            ),
            clock=self.clock,
            conclusions=(
                Hypothesis(
                    "<G, P(G)> >= (smallest - defect) |G|^2",
                    total - (low - spare) * steepness,
                    strict=False,
                ),
                Hypothesis(
                    "<G, P(G)> <= (largest + defect) |G|^2",
                    (high + spare) * steepness - total,
                    strict=False,
                ),
                Hypothesis(
                    "the eigenvalues sum to the trace, but for the defect of each",
                    count * spare - gap,
                    strict=False,
                ),
            ),
            values={
                "smallest eigenvalue": low,
                "largest eigenvalue": high,
                "defect": spare,
            },
        )

    def witnesses(self) -> Iterator[Example]:
        """Yield a balanced start, and starts away from balance of two shapes."""
        yield Example(*_identities())
        for widths in ((4, 3, 3, 2), (3, 3, 3, 3)):
            yield Example(*_near_balance(widths, 1e-3))

    def counterexamples(self) -> Iterator[Example]:
        """Yield a single layer."""
        yield Example(*_single(), refuted="N >= 2")


@dataclass(frozen=True)
class SingleOutput(AbstractTheorem):
    r"""With one output, depth acts as momentum and a growing rate.

    Notation: $W \ne 0$ is the end-to-end row, $N$ the depth, $G$ the gradient of the
    loss in it, $\mathrm{Pr}_W(G) = G W^\top W / \|W\|^2$. For balanced layers
    $\dot W = -\|W\|^{2-2/N} (G + (N-1) \mathrm{Pr}_W(G))$: the rate grows with the
    distance from zero, and $N$ times as fast along $W$. Imbalance moves the right-hand
    side by at most the defect times $\|G\|$.
    """

    kind: ClassVar[Kind] = Kind.PREDICTION
    bounds: ClassVar[str] = ""
    clock: ClassVar[str] = "flow time"
    source: ClassVar[Source] = ARORA2018.at("Claim 2")
    status: ClassVar[str] = STATUS

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return depth, one output, and an end-to-end matrix that is not zero."""
        facts = [_deep(case), Hypothesis("one output", fact=case.widths[-1] == 1)]
        if not all(hypothesis.fact for hypothesis in facts):
            return facts
        size = case.la.norm(end_to_end(case.weights))
        return [*facts, Hypothesis("W != 0", size, mend="start away from zero")]

    def guarantee(self, case: Case) -> Guarantee:
        """Return the rate across and along the end-to-end row."""
        row, gradient = end_to_end(case.weights), slope(case)
        size, n = case.la.norm(row), case.depth
        across = balls.power(size, 2 * n - 2, n)
        projected = ((gradient @ row.T) @ row) * (balls.power(size, -2, n) * (n - 1))
        spare = defect(case.weights, case.la)
        return Guarantee(
            statement=(
                f"the end-to-end row moves {float(across.mid()):.6g} times as fast as "
                f"the gradient says, and {n} times that along itself, up to "
                f"{float(spare.mid()):.6g} for imbalance"
            ),
            clock=self.clock,
            conserved=("imbalance",),
            conclusions=(_close(case, gradient, gradient * across + projected, spare),),
            values={"rate across": across, "rate along": n * across, "defect": spare},
        )

    def witnesses(self) -> Iterator[Example]:
        """Yield starts near balance, of depths 2 and 3."""
        yield Example(*_near_balance((3, 2, 1), 1e-3))
        yield Example(*_near_balance((4, 3, 2, 1), 0.1))

    def counterexamples(self) -> Iterator[Example]:
        """Yield a single layer, two outputs, and a start at zero."""
        yield Example(*_single(), refuted="N >= 2")
        yield Example(*_identities(), refuted="one output")
        problem, start = _near_balance((3, 2, 1), 0.0)
        zero = tuple(jnp.zeros_like(layer) for layer in start)
        yield Example(problem, zero, refuted="W != 0")


def _deep(case: Case) -> Hypothesis:
    return Hypothesis("N >= 2", fact=case.depth >= 2)


def _close(case: Case, gradient: Any, formula: Any, spare: Ball) -> Hypothesis:
    """Return that the layers move the matrix by a formula, but for the defect."""
    gap = preconditioned(case.weights, gradient, case.la) - formula
    return Hypothesis(
        "the layers move W by the formula, but for the defect times |G|",
        spare * case.la.norm(gradient) - case.la.norm(gap),
        strict=False,
    )


def _closed_form(case: Case, gradient: Any) -> Any:
    """Return the right-hand side of the end-to-end equation, enclosed."""
    product, n = end_to_end(case.weights), case.depth
    guess = np.asarray(end_to_end(case.problem.chain(case.start)))
    left = root_powers(product, guess, n, case.la)
    right = root_powers(product.T, guess.T, n, case.la)
    terms = [left[n - j] @ gradient @ right[j - 1] for j in range(1, n + 1)]
    return sum(terms[1:], start=terms[0])


def _trace(case: Case) -> Ball:
    """Return the trace of the map by which the layers multiply the gradient."""
    la, weights = case.la, case.weights
    outputs, inputs = case.widths[-1], case.widths[0]
    above, below = [balls.scalar(outputs)], [balls.scalar(inputs)]
    upper, lower = la.identity(outputs), la.identity(inputs)
    for top, bottom in zip(reversed(weights[1:]), weights[:-1], strict=True):
        upper, lower = upper @ top, bottom @ lower
        above.append(la.norm(upper) ** 2)
        below.append(la.norm(lower) ** 2)
    return balls.total(a * b for a, b in zip(reversed(above), below, strict=True))


def _sum_of_eigenvalues(case: Case, strengths: list[Ball]) -> Ball:
    """Return the sum of all eigenvalues as the formula has them."""
    n = case.depth

    def moment(k: int, size: int) -> Ball:
        if k == 0:
            return balls.scalar(size)
        return balls.total(balls.power(value, 2 * k, n) for value in strengths)

    return balls.total(
        moment(n - j, case.widths[-1]) * moment(j - 1, case.widths[0])
        for j in range(1, n + 1)
    )


def _identities() -> tuple[Problem, Weights]:
    """Return three equal diagonal layers, balanced bit for bit."""
    goal = jnp.array([[2.0, 1.0], [0.0, 1.0]])
    problem = Problem(LinearNet((2, 2, 2, 2)), Moments.whitened(goal))
    return problem, (jnp.diag(jnp.array([1.0, 0.5])),) * 3


def _near_balance(widths: tuple[int, ...], away: float) -> tuple[Problem, Weights]:
    """Return a balanced start with noise of a size, from a fixed seed."""
    draw, shape = np.random.default_rng(7).standard_normal, (widths[-1], widths[0])
    problem = Problem(LinearNet(widths), Moments.whitened(draw(shape)))
    chain = balanced_factors(jnp.asarray(draw(shape)), widths)
    return problem, tuple(layer + away * draw(layer.shape) for layer in chain)


def _single() -> tuple[Problem, Weights]:
    problem = Problem(LinearNet((2, 2)), Moments.whitened(jnp.eye(2)))
    return problem, (jnp.eye(2),)
