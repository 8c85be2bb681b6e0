r"""A step at which descent surely comes to rest, whatever the rank of the start.

Notation: $X_r, Y_r$ are the data's factors, $\Phi$ the target,
$e_0 = \|W X_r - Y_r\|_F$ the residual at the start, $N$ the depth,
$D_j = W_{j+1}^\top W_{j+1} - W_jW_j^\top$, $\delta_0$ the largest $\|D_j\|_2$ at the
start, $\eta$ the step.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

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
    Kept,
)
from thalweg.theorems._shared.hull import Numbers, facts_of, least_bound, numbers_of
from thalweg.theorems._shared.ours import DERIVED, OURS
from thalweg.theorems._shared.posed import Posed, bottleneck
from thalweg.theorems._shared.radii import bisected


@dataclass(frozen=True)
class CriticalPoint(AbstractTheorem):
    r"""Descent with a small enough step converges to a critical point.

    Notation: as above. With
    $\bar M = \|\Phi\|_2 + e_0/\sigma_{\min}(X_r)$ and some $\delta$ put
    $m^2 = \bar M^{2/N} + \tfrac32(N-1)\delta$, $S = \sqrt N m^{N-1}\|X_r\|_2$,
    $\hat m = m + \eta S e_0$,
    $L = N\hat m^{2N-2}\|X_r\|_2^2 + (N-1)\hat m^{N-2}\|X_r\|_2 e_0$ and
    $b = 1 - \tfrac12\eta L$. If the inputs have full rank, $b > 0$ and
    $\delta \ge \delta_0 + \eta e_0^2/(2b)$, then every step lowers the loss by at least
    $\eta b$ times the squared gradient, $\|D_j\|_2 \le \delta$ and
    $\|W_j\|_2 \le m$ all the time, and the weights converge to a critical point. No
    rank of any layer is needed, nor any width.

    Proof. By induction the residual is at most $e_0$, so $\|W\|_2 \le \bar M$ and, from
    the top singular vector down the layers, $\|W_j\|_2 \le m$; the gradient is at most
    $S e_0$, so on the segment to the next iterate the layers are at most $\hat m$, and
    there, as long as the residual is at most $e_0$, the Hessian is at most
    $\|J\|^2 + \|D^2E\| e_0 \le L$: the loss falls along the whole segment, and by
    $\eta b\|g\|^2$ at its end. So $\sum_t \eta^2\|g_t\|^2 \le \eta e_0^2/(2b)$, which
    bounds the drift of every $D_j$. The weights are bounded and the loss is analytic,
    so by Lojasiewicz's inequality the path has finite length.
    """

    source: ClassVar[Source] = OURS.at("the step that comes to rest")
    status: ClassVar[str] = DERIVED
    bounds: ClassVar[str] = "gradient_norm"

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return full rank of the data, the step, and the drift of the balance."""
        full = facts_of(case)[0]
        if not full.fact:
            return [full]
        rest = _rest_of(case)
        return [
            full,
            Hypothesis("b > 0", rest.share, mend="take a smaller step"),
            Hypothesis(
                "delta >= delta0 + step e0^2 / (2 b)",
                rest.room,
                strict=False,
                mend="take a smaller step",
            ),
        ]

    def guarantee(self, case: Case) -> Guarantee:
        """Return the descent of the loss, and what stays bounded."""
        rest = _rest_of(case)
        n, gain = rest.numbers, case.step * rest.share
        return Guarantee(
            statement=(
                f"every step lowers the loss by at least {float(gain.mid()):.6g} times "
                "the squared gradient; after T steps some gradient was at most "
                f"{float(balls.sqrt(case.excess_loss / gain).mid()):.6g} / sqrt(T); no "
                f"layer ever exceeds {float(rest.norm.mid()):.6g}"
            ),
            start=case.excess_loss,
            limit="a critical point",
            kept=(
                Kept("imbalance", at_most=n.frobenius + rest.drift),
                Kept("layer_singular_values", at_most=rest.norm),
                Kept("excess_loss", at_most=case.excess_loss),
            ),
            values={
                "residual e0": n.start,
                "imbalance delta0 at the start": n.imbalance,
                "imbalance delta": balls.scalar(rest.delta),
                "largest singular value m of a layer": rest.norm,
                "smoothness L": rest.smoothness,
                "share b": rest.share,
            },
        )

    def safe_step(self, case: Case) -> float | None:
        """Return the largest step at which everything was proved."""
        if not facts_of(case)[0].fact:
            return None
        step = _largest_step(numbers_of(case))
        for slip in (0.0, 1e-12, 1e-10, 1e-8, 1e-6, 1e-4):
            if step is None:
                break
            tried = step * (1 - slip)
            stepped = Case(case.problem, case.start, tried, case.la, case.radius)
            if _rest_of(stepped).holds:
                return tried
        return None

    def witnesses(self) -> Iterator[Example]:
        """Yield a generic start, one of rank one, and a bottleneck."""
        for posed in (_generic(), _rank_one(), bottleneck()):
            step = self.safe_step(Case(*posed)) or 0.0
            yield Example(*posed, 0.5 * step)

    def counterexamples(self) -> Iterator[Example]:
        """Yield redundant inputs, and too large a step."""
        rng = np.random.default_rng(0)
        inputs = rng.standard_normal((2, 3))
        data = Moments.from_data(inputs, rng.standard_normal((2, 1)))
        net = LinearNet((3, 2, 1))
        start = tuple(jnp.ones(shape) for shape in net.shapes)
        yield Example(
            Problem(net, data), start, 1e-3, refuted="the inputs have full rank"
        )
        yield Example(*_generic(), 1.0, refuted="b > 0")


@dataclass(frozen=True, eq=False)
class _Rest:
    r"""What holds of every iterate, if the imbalance stays below a bound.

    Attributes:
        numbers: Of the start.
        step: The step, a ball.
        delta: The bound $\delta$, exact.
    """

    numbers: Numbers
    step: Ball
    delta: float

    @cached_property
    def norm(self) -> Ball:
        """Return $m$."""
        n = self.numbers.depth
        square = balls.power(self.numbers.top, 2, n)
        return balls.sqrt(square + 1.5 * (n - 1) * balls.scalar(self.delta))

    @cached_property
    def smoothness(self) -> Ball:
        """Return $L$."""
        n, size, e = self.numbers.depth, self.numbers.root_high, self.numbers.start
        slope = balls.sqrt(n) * self.norm ** (n - 1) * size
        longest = self.norm + self.step * slope * e
        smooth = n * longest ** (2 * n - 2) * size * size
        return smooth if n == 1 else smooth + (n - 1) * longest ** (n - 2) * size * e

    @cached_property
    def share(self) -> Ball:
        """Return $b$."""
        return 1 - self.step * self.smoothness / 2

    @property
    def drift(self) -> Ball:
        """Return by how much the imbalance can grow."""
        return self.step * self.numbers.start**2 / (2 * self.share)

    @property
    def room(self) -> Ball:
        r"""Return by how much $\delta$ exceeds what the imbalance can become."""
        return balls.scalar(self.delta) - self.numbers.imbalance - self.drift

    @property
    def holds(self) -> bool:
        """Return whether everything is proved."""
        return bool(self.share > 0) and bool(self.room >= 0)


def _rest_of(case: Case) -> _Rest:
    numbers = numbers_of(case)
    step = case.step_size if case.step_size is not None else 0.0
    delta = least_bound(numbers, step, _drift)
    for slip in (0.0, 1e-12, 1e-10, 1e-8, 1e-6):
        rest = _Rest(numbers, case.step, delta * (1 + slip))
        if rest.room >= 0:
            return rest
    return _Rest(numbers, case.step, delta)


def _drift(numbers: Numbers, step: float, delta: Any) -> Any:
    """Return by how much the imbalance can grow, in floats; below 0 for nonsense."""
    n, e = numbers.depth, balls.bounds(numbers.start)[1]
    size = balls.bounds(numbers.root_high)[1]
    m = np.sqrt(balls.bounds(numbers.top)[1] ** (2 / n) + 1.5 * (n - 1) * delta)
    longest = m + step * np.sqrt(n) * m ** (n - 1) * size * e
    smooth = n * longest ** (2 * n - 2) * size**2
    smooth = smooth + (n - 1) * longest ** max(n - 2, 0) * size * e
    share = 1 - 0.5 * step * smooth
    return np.where(share > 0, 0.5 * step * e * e / np.where(share > 0, share, 1), -1.0)


def _largest_step(numbers: Numbers) -> float | None:
    """Return about the largest step that works, in floats."""
    if not numbers.usable:
        return None
    start = 8 / balls.bounds(numbers.top)[1] ** (2 - 2 / numbers.depth)
    start /= numbers.depth * balls.bounds(numbers.root_high)[1] ** 2

    def works(step: float) -> bool:
        delta = least_bound(numbers, step, _drift)
        drift = float(_drift(numbers, step, np.array([delta]))[0])
        return 0 <= drift <= delta - balls.bounds(numbers.imbalance)[1]

    return bisected(works, start)


def _generic() -> Posed:
    rng = np.random.default_rng(0)
    data = Moments.from_data(rng.standard_normal((20, 3)), rng.standard_normal((20, 2)))
    net = LinearNet((3, 4, 3, 2))
    start = tuple(jnp.asarray(0.5 * rng.standard_normal(s)) for s in net.shapes)
    return Problem(net, data), start


def _rank_one() -> Posed:
    target = jnp.diag(jnp.array([2.0, 1.0]))
    start = (jnp.diag(jnp.array([0.5, 0.0])),) * 3
    return Problem(LinearNet((2, 2, 2, 2)), Moments.whitened(target)), start
