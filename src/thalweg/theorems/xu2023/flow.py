r"""How fast the flow of two layers converges."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp

from thalweg._core.source import Source
from thalweg.problem.nets import LinearNet
from thalweg.problem.problem import Problem
from thalweg.theorems._base import (
    AbstractTheorem,
    Case,
    Example,
    Guarantee,
    Hypothesis,
    Printed,
)
from thalweg.theorems.xu2023._setting import (
    ALPHA,
    TWO,
    XU2023,
    Constants,
    has_rate,
    near,
    told,
    unbalanced,
)


@dataclass(frozen=True)
class TwoLayerFlow(AbstractTheorem):
    r"""The flow of two layers converges at a rate set by imbalance and margin.

    Notation: $L = \tfrac12 \|Y - XW\|_F^2$ with $W = W_1 W_2$, the transposed layers,
    of shapes $(n, h)$, $(h, m)$; $E = Y - XW$, $\mu$ and $K$ are the extreme squared
    singular values of $X$, of rank $r$; the eigenvalues of
    $D = W_1^\top W_1 - W_2 W_2^\top$ descend, $[x]_+ = \max(x, 0)$,
    $\bar\lambda_\pm = [\lambda_1(\pm D)]_+$, $\underline\lambda_+ = [\lambda_n(D)]_+$,
    $\underline\lambda_- = [\lambda_m(-D)]_+$ (zero beyond $h$),
    $p_1 = [\sigma_{\min}(Y) - \|E_0\|_F]_+ / \sqrt K$, and

    $$2\alpha_0 = \underline\lambda_+ - \bar\lambda_- + \sqrt{(\bar\lambda_- +
    \underline\lambda_+)^2 + 4 p_n^2} + \underline\lambda_- - \bar\lambda_+ +
    \sqrt{(\bar\lambda_+ + \underline\lambda_-)^2 + 4 p_m^2}.$$

    If $\alpha_0 > 0$ then $L(t) \le e^{-2\mu\alpha_0 t} L(0)$. The source prints $p_1$
    in both roots; that is right for $n = m$ only. They bound $\sigma_n(W)$ and
    $\sigma_m(W)$, and $p_1$ bounds $\sigma_k(W)$ for $k \le \min(r, m)$: here
    $p_k = p_1$ for those $k$ and 0 beyond.
    """

    source: ClassVar[Source] = XU2023.at("Section 2, after Min et al.; Table 2")
    clock: ClassVar[str] = "flow time"
    status: ClassVar[str] = "read in the source; alpha_0 corrected for unequal ends"

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return two layers, and enough imbalance or margin."""
        if case.depth != 2:
            return [Hypothesis(TWO, fact=False)]
        return [Hypothesis(TWO, fact=True), has_rate(Constants(case))]

    def guarantee(self, case: Case) -> Guarantee:
        """Return the exponential rate, and that alpha_0 bounds the spectrum of tau."""
        known = Constants(case)
        return Guarantee(
            statement=(
                "excess loss <= exp(-2 mu alpha_0 t) times that at the start, with mu "
                f"= {told(known.mu)} and alpha_0 = {told(known.alpha)}"
            ),
            clock=self.clock,
            start=known.loss,
            rate=2 * known.mu * known.alpha,
            conclusions=known.spectrum_claims,
            values={"mu": known.mu, "alpha_0": known.alpha},
        )

    def witnesses(self) -> Iterator[Example]:
        """Yield a balanced start near the target, and unbalanced ones far from it."""
        yield Example(*near())
        yield from (Example(*unbalanced(*ends)) for ends in ((3, 3), (2, 3), (3, 2)))

    def counterexamples(self) -> Iterator[Example]:
        """Yield a balanced start at zero, and three layers."""
        problem, _ = near()
        one = jnp.eye(4) / 8
        yield Example(problem, (one.at[0, 0].set(-1.0), one), refuted=ALPHA)
        deep = Problem(LinearNet((4,) * 4), problem.data)
        yield Example(deep, (one,) * 3, refuted=TWO)

    def printed_values(self) -> Iterator[Printed]:
        """Yield alpha_0 of the diagonal start."""
        known = Constants(Case(*near()))
        yield Printed("alpha_0", "1.5", lambda: float(known.alpha.mid()))
