r"""What one step of descent does to the end-to-end matrix."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from thalweg._core.arrays import Weights
from thalweg._core.papers import ARORA2019
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
    certainly_positive,
    inward,
)
from thalweg.theorems._shared.end_to_end import (
    defect,
    energy,
    highest_eigenvalue,
    largest_norm,
    layer_gradients,
    lowest_eigenvalue,
    moved,
    slope,
)


@dataclass(frozen=True)
class EndToEndDynamics(AbstractTheorem):
    r"""A step moves the end-to-end matrix against a preconditioned gradient.

    Notation: $W$ is the end-to-end matrix, $G$ the gradient of the loss in it, $N$ the
    depth, $\eta$ the step, $m$ the largest spectral norm of a layer, $g$ the largest
    Frobenius norm of a layer's gradient, $\mathcal{P}(G) = \sum_j W_{N:j+1}
    W_{N:j+1}^\top G W_{j-1:1}^\top W_{j-1:1}$. If $\eta \le m / (N g)$, then
    $W^+ = W - \eta \mathcal{P}(G) + R$ with
    $\|R\|_F \le \tfrac{N(N-1)}{2} (1 + 1/N)^{N-2} m^{N-2} g^2 \eta^2$: expand the
    product of the $W_j - \eta g_j$; the terms of order two and more sum to at most
    $(m + \eta g)^N - m^N - N m^{N-1} \eta g$.

    For balanced layers the eigenvalues of $\mathcal{P}$ lie between its smallest,
    $N \sigma_{\min}(W)^{2-2/N}$ if $W$ is square and $\sigma_{\min}(W)^{2-2/N}$ if not,
    and its largest, $N \|W\|_2^{2-2/N}$; so the squared norm of the layers' gradients,
    $\langle G, \mathcal{P}(G) \rangle$, lies between these multiples of $\|G\|_F^2$.
    Imbalance moves both ends by the defect at most.
    """

    kind: ClassVar[Kind] = Kind.BOUND
    bounds: ClassVar[str] = ""
    source: ClassVar[Source] = ARORA2019.at("Section 3, discrete end-to-end dynamics")
    status: ClassVar[str] = "constants derived here, proof in the docstring"

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return depth and step."""
        deep = Hypothesis("N >= 2", fact=case.depth >= 2)
        if not deep.fact:
            return [deep]
        m, g = _sizes(case, layer_gradients(case.weights, slope(case), case.la))
        return [
            deep,
            Hypothesis(
                "step <= m / (N g)",
                m - case.depth * g * case.step,
                strict=False,
                mend="take the theorem's safe_step",
            ),
        ]

    def guarantee(self, case: Case) -> Guarantee:
        """Return the bound on the remainder and the ends of the spectrum."""
        la, n, gradient = case.la, case.depth, slope(case)
        gradients = layer_gradients(case.weights, gradient, la)
        m, g = _sizes(case, gradients)
        stretch = balls.scalar(n + 1) / n
        most = (n * (n - 1) // 2) * (g * case.step) ** 2
        most = most * balls.power(stretch * m, n - 2)
        rest = moved(case.weights, [layer * -case.step for layer in gradients])[1]
        low, high = _ends(case)
        spare, steepness = defect(case.weights, la), la.norm(gradient) ** 2
        total = energy(gradients, la)
        return Guarantee(
            statement=(
                "the first step moves the end-to-end matrix by the step times the "
                f"preconditioned gradient, but for at most {float(most.mid()):.6g} in "
                f"Frobenius norm; the preconditioner of balanced layers has its "
                f"eigenvalues in [{float(low.mid()):.6g}, {float(high.mid()):.6g}]"
            ),
            conclusions=(
                Hypothesis(
                    "|R| <= N(N-1)/2 (1+1/N)^(N-2) m^(N-2) g^2 step^2",
                    most - la.norm(rest),
                    strict=False,
                ),
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
            ),
            values={
                "remainder": most,
                "smallest eigenvalue": low,
                "largest eigenvalue": high,
                "defect": spare,
            },
        )

    def safe_step(self, case: Case) -> float | None:
        """Return $m / (N g)$, rounded down; `None` where the gradient vanishes."""
        if case.depth < 2:
            return None
        m, g = _sizes(case, layer_gradients(case.weights, slope(case), case.la))
        return inward(m / (case.depth * g)) if certainly_positive(g) else None

    def witnesses(self) -> Iterator[Example]:
        """Yield a balanced start, a nearly balanced wide one, and raw data."""
        for problem, start in (_balanced(), _nearly_balanced(), _raw()):
            yield Example(problem, start, self.safe_step(Case(problem, start)))

    def counterexamples(self) -> Iterator[Example]:
        """Yield a single layer, and too large a step."""
        flat = Problem(LinearNet((2, 2)), Moments.whitened(jnp.eye(2)))
        yield Example(flat, (jnp.zeros((2, 2)),), 0.1, refuted="N >= 2")
        yield Example(*_balanced(), 10.0, refuted="step <= m / (N g)")


def _sizes(case: Case, gradients: list[Any]) -> tuple[Ball, Ball]:
    """Return the largest norms of a layer and of its gradient."""
    la = case.la
    return largest_norm(case.weights, la), la.largest([la.norm(g) for g in gradients])


def _ends(case: Case) -> tuple[Ball, Ball]:
    """Return the ends of the spectrum of the preconditioner of balanced layers."""
    strengths = case.la.singular_values(end_to_end(case.weights))
    square = case.widths[0] == case.widths[-1]
    low = lowest_eigenvalue(strengths, case.depth, square=square)
    return low, highest_eigenvalue(strengths, case.depth)


def _balanced() -> tuple[Problem, Weights]:
    problem = Problem(
        LinearNet((2, 2, 2)), Moments.whitened(jnp.diag(jnp.arange(1.0, 3)))
    )
    return problem, (jnp.diag(jnp.array([1.0, 0.5])),) * 2


def _nearly_balanced() -> tuple[Problem, Weights]:
    """Return a start of widths (4, 3, 3, 2), a thousandth away from balance."""
    draw, widths = np.random.default_rng(0).standard_normal, (4, 3, 3, 2)
    problem = Problem(LinearNet(widths), Moments.whitened(draw((2, 4))))
    chain = balanced_factors(jnp.asarray(draw((2, 4))), widths)
    return problem, tuple(w + 1e-3 * draw(w.shape) for w in chain)


def _raw() -> tuple[Problem, Weights]:
    draw = np.random.default_rng(1).standard_normal
    data = Moments.from_data(draw((9, 3)), draw((9, 2)))
    problem = Problem(LinearNet((3, 3, 2)), data)
    return problem, tuple(jnp.asarray(draw(shape)) for shape in problem.net.shapes)
