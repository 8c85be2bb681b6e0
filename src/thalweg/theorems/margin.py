r"""Certificates for starts near balance whose map is nearer than any singular one.

Notation: $\lambda_m, \lambda_M$ are the extreme eigenvalues of the inputs' second
moment $\Lambda_{xx}$, $\Phi$ is the target, $\sigma_\star$ its smallest singular value,
$e_t = \|(W - \Phi)\Lambda_{xx}^{1/2}\|_F$ the residual after $t$ steps, so that the
excess loss is $e_t^2/2$; $N$ is the depth, $D_j = W_{j+1}^\top W_{j+1} - W_jW_j^\top$,
$\delta_0$ the largest $\|D_j\|_2$ at the start, $\eta$ the step.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp
import numpy as np

from thalweg._core.source import Source
from thalweg.linalg import balls
from thalweg.linalg.chain import balanced_factors
from thalweg.problem.moments import Moments
from thalweg.problem.nets import LinearNet
from thalweg.problem.problem import Problem
from thalweg.theorems._base import (
    AbstractTheorem,
    Case,
    Example,
    Guarantee,
    Hypothesis,
    Kept,
    Printed,
)
from thalweg.theorems._shared.hull import Hull, facts_of, hull_of, numbers_of
from thalweg.theorems._shared.ours import DERIVED, OURS
from thalweg.theorems._shared.posed import (
    Posed,
    bottleneck,
    near_balanced,
    near_identity,
)

_NEARER = "start closer to the target, or nearer to balance"


@dataclass(frozen=True)
class Margin(AbstractTheorem):
    r"""Linear convergence of descent from a nearly balanced start with a margin.

    Notation: as above. With $\bar M = \|\Phi\|_2 + e_0/\sqrt{\lambda_m}$ and some
    $\delta$ put $m^2 = \bar M^{2/N} + \tfrac32(N-1)\delta$,
    $S^2 = N\lambda_M m^{2(N-1)}$,
    $H = (N-1)(m + \eta S e_0)^{N-2}\sqrt{\lambda_M}$ and
    $\beta = 1 - \tfrac12\eta S^2 - \tfrac12\eta H e_0$; for a residual $e$ put
    $x = (\sigma_\star - e/\sqrt{\lambda_m})_+^2 - \tfrac{N(N-1)}2\delta m^{2(N-1)}$,
    $A_k = (x_+^{k/N} - \tfrac{k(k-1)}2\delta m^{2(k-1)})_+$ with $A_0 = 1$, and
    $\lambda(e) = \lambda_m\sum_j A_{N-j}A_{j-1}$ for as many outputs as inputs,
    $\lambda_m A_{N-1}$ else. If $\Lambda_{xx}$ is invertible, no layer is narrower than
    both ends, $\beta > 0$, $\delta \ge \delta_0 + \eta e_0^2/\beta$ and
    $\lambda(e_0) > 0$, then descent converges to a global minimum,
    $e_{t+1} \le (1 - g)e_t$ with the larger $g$ of
    $\min(\eta\lambda(e_t), 2 - \eta S^2) - \tfrac12H\eta^2S^2e_t$ and
    $\eta\lambda(e_t)(1 - \tfrac12\eta S^2 - \tfrac12\eta He_t)$, and all the time
    $\|D_j\|_2 \le \delta$ and $\|W_j\|_2 \le m$.

    Proof. By induction $e_t \le e_0$, so $\|W\|_2 \le \bar M$; following the top
    singular vector down the layers, each loses at most $\delta$ of its square, so
    $\|W_j\|_2^2 \le \|W\|_2^{2/N} + \tfrac32(N-1)\delta$. Hence $\|J\| \le S$, on the
    segment to the next iterate the layers are at most $m + \eta Se_0$ and $J$ is
    $H$-Lipschitz, and the inequalities of `local.Local` for one step hold. For the
    smallest eigenvalue, $\sigma_{\min}(W) \ge \sigma_\star - e/\sqrt{\lambda_m}$ by
    Weyl, and exchanging neighbours one at a time,
    $\|W_{N:N-k+1}W_{N:N-k+1}^\top - (W_NW_N^\top)^k\|_2
    \le \tfrac{k(k-1)}2\delta m^{2(k-1)}$, from $k = N$ down to $k < N$; the same from
    below. A step changes $D_j$ by $\eta^2(g_{j+1}^\top g_{j+1} - g_jg_j^\top)$ exactly,
    and $\sum_t \eta^2\|g_t\|^2 \le \eta\sum_t e_t(e_t - e_{t+1})/\beta
    \le \eta e_0^2/\beta$.
    """

    source: ClassVar[Source] = OURS.at("the margin certificate")
    status: ClassVar[str] = DERIVED

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return data and net, then the step, the drift of the balance, the margin."""
        facts = facts_of(case)
        if not all(fact.fact for fact in facts):
            return facts
        hull = hull_of(case)
        return [
            *facts,
            *_margins(hull),
            Hypothesis("beta > 0", hull.share, mend="take a smaller step"),
            Hypothesis(
                "delta >= delta0 + step e0^2 / beta",
                hull.room,
                strict=False,
                mend="take a smaller step",
            ),
        ]

    def guarantee(self, case: Case) -> Guarantee:
        """Return the bound on the loss after every iteration, and what is kept."""
        hull = hull_of(case)
        stairs = hull.stairs
        worst = 1 - balls.scalar(stairs.worst_gain)
        return Guarantee(
            statement=(
                f"the residual shrinks by at least {stairs.worst_gain:.4g} of itself "
                f"an iteration, in the end by {stairs.last_gain:.4g}; the imbalance "
                f"stays below {hull.delta:.4g} and every layer below "
                f"{float(hull.norm.mid()):.4g}"
            ),
            start=case.excess_loss,
            factor=worst * worst,
            curve=stairs.loss_at,
            count=stairs.count,
            limit="a global minimum",
            kept=(
                Kept("imbalance", at_most=hull.kept_imbalance),
                Kept("layer_singular_values", at_most=hull.norm),
            ),
            values={
                **hull.values,
                "share beta": hull.share,
                "final gain": balls.scalar(stairs.last_gain),
            },
        )

    def safe_step(self, case: Case) -> float | None:
        """Return the largest step at which everything was proved."""
        if not all(fact.fact for fact in facts_of(case)):
            return None
        step = numbers_of(case).largest_step()
        if step is None:
            return None
        for slip in (0.0, 1e-12, 1e-10, 1e-8, 1e-6, 1e-4):
            tried = step * (1 - slip)
            stepped = Case(case.problem, case.start, tried, case.la, case.radius)
            if hull_of(stepped).holds:
                return tried
        return None

    def witnesses(self) -> Iterator[Example]:
        """Yield identity layers, balanced starts, one output, and raw data."""
        yield Example(*near_identity(), 0.1)
        yield Example(*near_balanced(0.9), 0.05)
        yield Example(*_one_output(), 0.1)
        yield Example(*_raw(), 0.05)

    def counterexamples(self) -> Iterator[Example]:
        """Yield a bottleneck, a distant start, an unbalanced one, too large a step."""
        yield Example(*bottleneck(), 0.1, refuted="no layer is narrower than both ends")
        problem, start = near_identity()
        far = tuple(0.1 * layer for layer in start)
        yield Example(problem, far, 0.01, refuted="sigma_* > e0 / sqrt(lambda_m)")
        tilted = (3 * start[0], start[1] / 3)
        yield Example(problem, tilted, 0.01, refuted="lambda(e0) > 0")
        yield Example(problem, start, 1.0, refuted="beta > 0")

    def printed_values(self) -> Iterator[Printed]:
        """Yield the numbers of two deterministic starts."""
        for posed, step, texts, count in (
            (
                near_identity(),
                0.1,
                {
                    "imbalance delta": ".0023029765",
                    "squared largest singular value S^2": "2.4897516",
                    "share beta": ".8684414",
                    "smallest eigenvalue lambda(e0)": "1.5133732",
                    "smallest eigenvalue lambda(0)": "1.7968117",
                },
                "25",
            ),
            (
                near_balanced(0.9),
                0.05,
                {
                    "imbalance delta": ".0032687955",
                    "squared largest singular value S^2": "8.8074603",
                    "curvature H": "2.6843167",
                    "share beta": ".7648077",
                    "smallest eigenvalue lambda(e0)": "2.0608193",
                },
                "36",
            ),
        ):
            promise = self.guarantee(Case(*posed, step))
            where = f"depth {posed[0].net.depth}, step {step}"
            for name, text in texts.items():
                value = float(promise.values[name].mid())
                yield Printed(f"{name}, {where}", text, lambda v=value: v)
            found = promise.time_to(1e-6) or 0.0
            yield Printed(f"iterations to 1e-6, {where}", count, lambda n=found: n)


@dataclass(frozen=True)
class MarginFlow(AbstractTheorem):
    r"""Exponential convergence of the flow from a nearly balanced start with a margin.

    Notation: as above, $\lambda(e)$ as in `Margin` with $\delta = \delta_0$: the flow
    keeps every $D_j$. If $\Lambda_{xx}$ is invertible, no layer is narrower than both
    ends and $\lambda(e_0) > 0$, then $\dot e \le -\lambda(e) e$, and the flow converges
    to a global minimum. From an exactly balanced start the rate of the loss tends to
    $2\lambda_m N\sigma_\star^{2-2/N}$ (square nets), which is the true one.
    """

    source: ClassVar[Source] = OURS.at("the margin certificate, for the flow")
    status: ClassVar[str] = DERIVED
    clock: ClassVar[str] = "flow time"

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return data and net, and the margin."""
        facts = facts_of(case)
        if not all(fact.fact for fact in facts):
            return facts
        return [*facts, *_margins(hull_of(_flowing(case)))]

    def guarantee(self, case: Case) -> Guarantee:
        """Return the bound on the loss at every time."""
        hull = hull_of(_flowing(case))
        slide = hull.slide
        rate = 2 * hull.smallest(hull.numbers.start)
        return Guarantee(
            statement=(
                f"excess loss <= exp(-{float(rate.mid()):.6g} t) times that at the "
                f"start, in the end falling at the rate {2 * slide.rates[-1]:.6g}"
            ),
            clock=self.clock,
            start=case.excess_loss,
            rate=rate,
            curve=slide.loss_at,
            count=slide.time_to,
            conserved=("imbalance",),
            limit="a global minimum",
            kept=(Kept("layer_singular_values", at_most=hull.norm),),
            values=hull.values,
        )

    def witnesses(self) -> Iterator[Example]:
        """Yield identity layers, balanced starts, one output, and raw data."""
        for posed in (near_identity(), near_balanced(0.9), _one_output(), _raw()):
            yield Example(*posed)

    def counterexamples(self) -> Iterator[Example]:
        """Yield a distant start and an unbalanced one."""
        problem, start = near_identity()
        far = tuple(0.1 * layer for layer in start)
        yield Example(problem, far, refuted="sigma_* > e0 / sqrt(lambda_m)")
        tilted = (3 * start[0], start[1] / 3)
        yield Example(problem, tilted, refuted="lambda(e0) > 0")


def _margins(hull: Hull) -> list[Hypothesis]:
    """Return the margin, first without the imbalance and then with it."""
    return [
        Hypothesis(
            "sigma_* > e0 / sqrt(lambda_m)",
            hull.numbers.margin(hull.numbers.start),
            mend="start closer to the target",
        ),
        Hypothesis("lambda(e0) > 0", hull.signed(hull.numbers.start), mend=_NEARER),
    ]


def _flowing(case: Case) -> Case:
    """Return a case as that of a descent with step zero."""
    return Case(case.problem, case.start, 0.0, case.la, case.radius)


def _one_output() -> Posed:
    target, widths = jnp.array([[0.6, 0.8, 0.0]]), (3, 2, 2, 1)
    problem = Problem(LinearNet(widths), Moments.whitened(target))
    return problem, balanced_factors(0.7 * target, widths)


def _raw() -> Posed:
    """Return inputs of condition two and an identity start."""
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((40, 2)) * np.array([1.0, 1.3])
    labels = inputs @ np.array([[1.1, 0.1], [0.0, 0.9]])
    problem = Problem(LinearNet((2, 2, 2)), Moments.from_data(inputs, labels))
    return problem, (jnp.eye(2),) * 2
