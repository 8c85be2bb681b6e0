r"""How large the layers can become along the flow, with every constant explicit.

Notation: $W = W_N \cdots W_1$, $D_j = W_{j+1}^\top W_{j+1} - W_j W_j^\top$, which the
flow keeps, and $\delta = \max_j \|D_j\|_2$.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp
import numpy as np

from thalweg._core.arrays import Weights
from thalweg._core.papers import CHITOUR2023
from thalweg._core.source import Source
from thalweg.linalg import balls
from thalweg.linalg.chain import balanced_factors, end_to_end, invariants
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
    Kept,
    Kind,
)
from thalweg.theorems.chitour2023._reduced import (
    full_inputs,
    inputs_factor,
    labels_factor,
)


@dataclass(frozen=True)
class Boundedness(AbstractTheorem):
    r"""Every trajectory of the flow is bounded, and converges to a critical point.

    Notation: $N$ is the depth, $\ell_0$ the excess loss at the start, $W_\star$ the
    minimiser of the end-to-end loss. If the inputs span their space, for every layer
    and all times
    $\|W_j(t)\|_2^2 \le \left(\|W_\star\|_2 + \sqrt{2 \ell_0} / \sigma_{\min}(X_r)
      \right)^{2/N} + \tfrac32 (N - 1) \delta,$
    so by Lojasiewicz, the loss being a polynomial, the flow converges to a critical
    point; which one, and how fast, is not said. The source asks for more (A1 and A2:
    no hidden layer smaller than the output or larger than the input, labels of full
    rank) and gives no constant.

    Proof of the constant: the loss falls, so $\|(W - W_\star) X_r\|_F \le
    \sqrt{2 \ell_0}$ and $\|W\|_2$ is at most the number in brackets. With $u$ the
    leading left singular vector of $W_N$, $v_N = W_N^\top u$ and
    $v_{k-1} = W_{k-1}^\top v_k$, each ratio $\|v_{k-1}\|^2 / \|v_k\|^2$ is at least
    the one before less $\delta$; so $\|W\|_2^2 \ge (\|W_N\|_2^2 - (N-1)\delta)_+^N$,
    and likewise from $W_1$ upwards. Going from the nearer end to layer $j$ costs at
    most $\tfrac12 (N-1) \delta$ more.
    """

    source: ClassVar[Source] = CHITOUR2023.at("Proposition 1")
    kind: ClassVar[Kind] = Kind.BOUND
    status: ClassVar[str] = (
        "statement read in the source; constants derived here, proof in the docstring"
    )
    bounds: ClassVar[str] = "layer_singular_values"
    clock: ClassVar[str] = "flow time"

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return that the inputs span their space."""
        return full_inputs(case)

    def guarantee(self, case: Case) -> Guarantee:
        """Return the bound on every layer."""
        bound = balls.sqrt(_largest_square(case))
        return Guarantee(
            statement=(
                "the flow converges to a critical point, and no layer's singular "
                f"values ever exceed {float(bound.mid()):.6g}"
            ),
            clock=self.clock,
            limit="a critical point",
            kept=(Kept("layer_singular_values", at_most=bound),),
            conclusions=tuple(
                Hypothesis(
                    f"layer {layer} is within the bound at the start",
                    bound - case.la.spectral_norm(weight),
                    strict=False,
                )
                for layer, weight in enumerate(case.weights, 1)
            ),
            values={"bound": bound, "delta": _delta(case)},
        )

    def witnesses(self) -> Iterator[Example]:
        """Yield a narrow unbalanced net, one on raw data, and zero weights."""
        yield Example(*_narrow())
        yield Example(*_raw(samples=20))
        problem = _narrow()[0]
        yield Example(problem, tuple(jnp.zeros(shape) for shape in problem.net.shapes))

    def counterexamples(self) -> Iterator[Example]:
        """Yield fewer samples than features."""
        yield Example(*_raw(samples=2), refuted="the inputs span their space")


@dataclass(frozen=True)
class NormSandwich(AbstractTheorem):
    r"""The last layer's norm and the product's bound each other.

    Notation: $g = \|W_N\|_F^2$, $k$ the smaller size of $W_N$, $d_N$ the output width,
    $c = \max_j (\|W_j\|_F^2 - g)_+$, which the flow keeps. At every point
    $k^{1-N} g^N - P(g) \le \|W\|_F^2 \le g^N + P(g), \qquad
      P(g) = d_N \frac{N (N-1)}2\, \delta\, (g + c)^{N-1}.$
    Since $\delta$ and $c$ are constant along the flow, so are the polynomials.

    Proof: the $p$-th of $N - 1$ steps replaces $(W_{j-1} W_{j-1}^\top)^p$ inside the
    product $W W^\top$ by $(W_j^\top W_j)^p$, an error of at most
    $p\, \delta\, m^{2(N-1)}$ in spectral norm, where $m^2 = g + c$ is at least every
    $\|W_j\|_2^2$. In sum $\|W W^\top - (W_N W_N^\top)^N\|_2 \le
    \tfrac12 N (N-1)\, \delta\, m^{2(N-1)}$, and traces differ by $d_N$ times that.
    At last $k^{1-N} g^N \le \mathrm{tr} (W_N W_N^\top)^N \le g^N$.
    """

    source: ClassVar[Source] = CHITOUR2023.at("inequality (9)")
    kind: ClassVar[Kind] = Kind.LANDSCAPE
    status: ClassVar[str] = (
        "statement read in the source; constants derived here, proof in the docstring"
    )
    bounds: ClassVar[str] = "end_to_end_norm"
    clock: ClassVar[str] = "flow time"

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return that there are two layers to compare."""
        return [Hypothesis("at least two layers", fact=case.depth >= 2)]

    def guarantee(self, case: Case) -> Guarantee:
        """Return the two inequalities at the start."""
        g, low, high = _sandwich(case)
        product = case.la.norm(end_to_end(case.weights))
        square = product * product
        return Guarantee(
            statement=(
                f"with |W_N|^2 = {float(g.mid()):.6g} the squared norm of the product "
                f"lies between {float(low.mid()):.6g} and {float(high.mid()):.6g}"
            ),
            clock=self.clock,
            conclusions=(
                Hypothesis("k^(1-N) g^N - P(g) <= |W|^2", square - low, strict=False),
                Hypothesis("|W|^2 <= g^N + P(g)", high - square, strict=False),
            ),
            values={"g": g, "low": low, "high": high, "delta": _delta(case)},
        )

    def witnesses(self) -> Iterator[Example]:
        """Yield unbalanced layers, balanced ones, and balanced ones of rank one."""
        yield Example(*_narrow())
        for values in ((2.0, 1.0), (2.0, 0.0)):
            target = jnp.diag(jnp.array(values))
            problem = Problem(LinearNet((2, 2, 2, 2)), Moments.whitened(target))
            yield Example(problem, balanced_factors(target, problem.net.widths))

    def counterexamples(self) -> Iterator[Example]:
        """Yield a single layer."""
        problem = Problem(LinearNet((2, 2)), Moments.whitened(jnp.eye(2)))
        yield Example(problem, (jnp.eye(2),), refuted="at least two layers")


def _largest_square(case: Case) -> Ball:
    """Return the bound on the squared spectral norm of every layer."""
    la, n = case.la, case.depth
    x, y = inputs_factor(case, la), labels_factor(case, la)
    reach = balls.sqrt(2 * case.excess_loss)
    if case.is_whitened:
        size = la.spectral_norm(y) + reach
    else:
        # The stored target is rounded; the last term makes up for it.
        stored = case.target
        rest = la.norm(y - stored @ x)
        spread = balls.power(la.smallest_singular_value(x), -1)
        size = la.spectral_norm(stored) + (rest + reach) * spread
    return balls.power(size, 2, n) + (3 * (n - 1) * _delta(case)) / 2


def _delta(case: Case) -> Ball:
    gaps = [case.la.spectral_norm(gap) for gap in invariants(case.weights)]
    return balls.largest(gaps) if gaps else balls.scalar(0)


def _sandwich(case: Case) -> tuple[Ball, Ball, Ball]:
    """Return g, and both bounds on the squared norm of the product."""
    n, last = case.depth, case.weights[-1]
    norms = [case.la.norm(weight) for weight in case.weights]
    squares = [norm * norm for norm in norms]
    g, largest = squares[-1], balls.largest(squares)
    slack = (
        last.shape[0] * (n * (n - 1) // 2) * _delta(case) * balls.power(largest, n - 1)
    )
    low = balls.power(g, n) / min(last.shape) ** (n - 1) - slack
    return g, low, balls.power(g, n) + slack


def _narrow() -> tuple[Problem, Weights]:
    """Return widths (4, 1, 3, 2), outside of A1, with unbalanced layers."""
    draw = np.random.default_rng(3).standard_normal
    shapes = ((1, 4), (3, 1), (2, 3))
    target = jnp.zeros((2, 4)).at[0, 0].set(2.0).at[1, 1].set(1.0)
    problem = Problem(LinearNet((4, 1, 3, 2)), Moments.whitened(target))
    return problem, tuple(jnp.asarray(draw(shape)) for shape in shapes)


def _raw(samples: int) -> tuple[Problem, Weights]:
    """Return a net on samples of three features, with layers drawn from a seed."""
    draw = np.random.default_rng(5).standard_normal
    scales = np.array([1.0, 2.0, 0.5])
    data = Moments.from_data(draw((samples, 3)) * scales, draw((samples, 2)))
    problem = Problem(LinearNet((3, 4, 2)), data)
    return problem, tuple(jnp.asarray(draw(shape)) for shape in problem.net.shapes)
