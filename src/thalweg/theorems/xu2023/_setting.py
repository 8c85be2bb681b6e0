r"""What the theorems of the paper need to know of a case of two layers.

Notation, for the paper's $\ell = \tfrac12\|Y - XW\|_F^2$, $W = W_1 W_2$
with $W_1$ of shape $(n, h)$, $W_2$ of shape $(h, m)$ and $X$ of shape $(r, n)$: in
Thalweg's convention $X$ is the transposed inputs factor, $W_1$ the transposed first
and $W_2$ the transposed last layer. $\mu$ and $K$ are the smallest and largest squared
singular values of $X$, $E = Y - XW$, $D = W_1^\top W_1 - W_2 W_2^\top$ (minus
Thalweg's invariant), $\tau(G) = G W_2^\top W_2 + W_1 W_1^\top G$.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax.numpy as jnp
import numpy as np

from thalweg._core.source import Source
from thalweg.linalg import balls
from thalweg.linalg.chain import end_to_end, invariants
from thalweg.problem.moments import Moments
from thalweg.problem.nets import LinearNet
from thalweg.problem.problem import Problem
from thalweg.theorems._base import Ball, Case, Hypothesis

XU2023 = Source(
    "xu2023",
    "Z. Xu, H. Min, S. Tarmoun, E. Mallada, R. Vidal",
    "Linear convergence of gradient descent for finite width over-parametrized "
    "linear networks with general initialization",
    "AISTATS (PMLR 206)",
    2023,
    beyond=True,
)
TWO = "N = 2"
ALPHA = "alpha_0 > 0"


@dataclass(frozen=True)
class Constants:
    """What the theorems need to know of a case of two layers.

    Attributes:
        case: The case.
    """

    case: Case

    @cached_property
    def mu(self) -> Ball:
        """Smallest squared singular value of the inputs."""
        return inputs_spectrum(self.case)[-1] ** 2

    @cached_property
    def K(self) -> Ball:  # noqa: N802
        """Largest squared singular value of the inputs."""
        return inputs_spectrum(self.case)[0] ** 2

    @cached_property
    def loss(self) -> Ball:
        """Excess loss at the start."""
        return self.case.excess_loss

    @cached_property
    def error(self) -> Ball:
        """Norm of the residual at the start."""
        return balls.sqrt(2 * self.loss)

    @cached_property
    def p1(self) -> Ball:
        """Bound from below on singular values, while the loss does not rise."""
        least = self.case.la.smallest_singular_value(labels_of(self.case))
        return balls.positive_part(least - self.error) / balls.sqrt(self.K)

    @cached_property
    def p2(self) -> Ball:
        """Bound from above on the Frobenius norm, for inputs of full rank."""
        labels = self.case.la.norm(labels_of(self.case))
        return (labels + self.error) / balls.sqrt(self.mu)

    @cached_property
    def imbalance(self) -> list[Ball]:
        """Eigenvalues of D, descending."""
        found = self.case.la.eigenvalues(invariants(self.case.weights)[0])
        return [-value for value in found]

    @cached_property
    def tops(self) -> tuple[Ball, Ball]:
        """Largest eigenvalues of D and -D, or zero."""
        eigenvalues = self.imbalance
        return tuple(map(balls.positive_part, (eigenvalues[0], -eigenvalues[-1])))

    @cached_property
    def alpha(self) -> Ball:
        """Bound from below on the spectrum of tau; corrected for unequal ends."""
        n, h, m = self.case.widths
        zero, reached = balls.scalar(0), min(inputs_rank(self.case), h, m)
        high, low = self.tops
        up = balls.positive_part(self.imbalance[n - 1]) if n <= h else zero
        down = balls.positive_part(-self.imbalance[h - m]) if m <= h else zero
        seen, made = (self.p1 if k <= reached else zero for k in (n, m))
        first = up - low + balls.sqrt((low + up) ** 2 + 4 * seen**2)
        last = down - high + balls.sqrt((high + down) ** 2 + 4 * made**2)
        return (first + last) / 2

    @cached_property
    def beta(self) -> Ball:
        """Bound from above on the spectrum of tau."""
        return balls.total(
            (top + balls.sqrt(top**2 + 4 * self.p2**2)) / 2 for top in self.tops
        )

    @cached_property
    def spectrum(self) -> tuple[Ball, Ball]:
        """The extreme eigenvalues of tau at the start."""
        la, (first, last) = self.case.la, self.case.weights
        n, h, m = self.case.widths
        one, two = la.singular_values(first), la.singular_values(last)
        low = [ends[-1] ** 2 for ends, k in ((one, n), (two, m)) if k <= h]
        return balls.total(low), one[0] ** 2 + two[0] ** 2

    @property
    def spectrum_claims(self) -> tuple[Hypothesis, ...]:
        """What both bounds say of the start itself."""
        low, high = self.spectrum
        claims = [
            Hypothesis("alpha_0 <= lambda_min(tau)", low - self.alpha, strict=False)
        ]
        if inputs_rank(self.case) == self.case.widths[0]:
            name = "lambda_max(tau) <= beta_0"
            claims.append(Hypothesis(name, self.beta - high, strict=False))
        return tuple(claims)


def has_rate(known: Constants) -> Hypothesis:
    """Return that there is imbalance or margin enough for a rate."""
    return Hypothesis(
        ALPHA,
        known.alpha,
        mend="start closer to the target, or less balanced",
    )


def inputs_rank(case: Case) -> int:
    """Return the rank of the inputs."""
    if case.is_whitened:
        return case.widths[0]
    return int(case.problem.data.inputs_factor.shape[1])


def inputs_spectrum(case: Case) -> list[Ball]:
    """Return the singular values of the inputs, the repeated one of white data once."""
    if case.is_whitened:
        return [balls.scalar(1)]
    return case.la.singular_values(case.inputs_factor)


def labels_of(case: Case) -> Any:
    """Return the labels in the directions of the inputs."""
    if case.is_whitened:
        return case.target
    return case.la.matrix(np.asarray(case.problem.data.labels_factor))


def map_gradient(case: Case) -> Any:
    """Return the gradient by the end-to-end matrix."""
    product, labels = end_to_end(case.weights), labels_of(case)
    if case.is_whitened:
        return product - labels
    return (product @ case.inputs_factor - labels) @ case.inputs_factor.T


def told(ball: Ball) -> str:
    """Return a ball to six digits."""
    return f"{float(ball.mid()):.6g}"


def near() -> tuple[Problem, object]:
    """Return a diagonal target with a balanced start near it."""
    target = jnp.diag(jnp.array([2.0, 1.5, 1.2, 1.0]))
    layer = jnp.sqrt(jnp.diag(jnp.array([1.8, 1.4, 1.1, 0.95])))
    return Problem(LinearNet((4, 4, 4)), Moments.whitened(target)), (layer, layer)


def unbalanced(inputs: int, outputs: int) -> tuple[Problem, object]:
    """Return a wide net whose first layer is large and whose last is small."""
    rng = np.random.default_rng(5)
    target = rng.standard_normal((outputs, inputs))
    hidden = 2 * max(inputs, outputs)
    first = 3 * np.eye(hidden, inputs) + 0.1 * rng.standard_normal((hidden, inputs))
    last = np.eye(outputs, hidden, hidden - outputs) / 4
    if outputs > inputs:
        last = 12 * last
    net = LinearNet((inputs, hidden, outputs))
    start = jnp.asarray(first), jnp.asarray(last)
    return Problem(net, Moments.whitened(jnp.asarray(target))), start
