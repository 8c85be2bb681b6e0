r"""Hu, Xiao, Pennington: orthogonal starts of wide deep linear networks."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from thalweg._core.errors import DomainError
from thalweg._core.source import Source
from thalweg.linalg import balls
from thalweg.linalg.chain import end_to_end
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
    inward,
)

HU2020 = Source(
    "hu2020",
    "W. Hu, L. Xiao, J. Pennington",
    "Provable benefit of orthogonal initialization in optimizing deep linear networks",
    "ICLR",
    2020,
    beyond=True,
)

_Array = np.ndarray

WATCHED = 40
"""Iterations of a draw that are compared with the promise."""


@dataclass(frozen=True)
class OrthogonalStart(AbstractTheorem):
    r"""Wide nets learn at a depth-independent rate from scaled orthogonal layers.

    Notation: the source trains $\alpha W_L \cdots W_1$ with a fixed
    $\alpha = (m^{L-1} d_y)^{-1/2}$ from $W_i$ of singular values $\sqrt m$. That is
    descent on the chain $V_i = \alpha^{1/L} W_i$, of singular values
    $g = (m/d_y)^{1/(2L)}$, with the step $\eta = \alpha^{2/L}$ times the source's;
    so in Thalweg's convention, with $X$ the inputs factor of rank $r$, $\lambda_r$
    the smallest eigenvalue of $X^\top X$, $Y$ the labels factor, $L \ge 2$ layers, all
    hidden widths $m \ge \max(d_x, d_y)$ and uniformly random orthogonal layers of
    gain $g$: if

    $$\sqrt m \ge 22 \sqrt{d_y} \frac{\|X\|}{\lambda_r} \left(\frac{\|X\|_F}
    {\sqrt\delta} + \|Y\|_F\right), \qquad \eta L \|X\|^2 (m/d_y)^{1 - 1/L} \le
    \tfrac12,$$

    then with probability at least $1 - \delta$ the excess loss is at most
    $(1 - x/2)^t$ times that at the start, $x = \eta L \lambda_r (m/d_y)^{1 - 1/L}$.

    The source's width is $C \tilde r \kappa^2 (d_y (1 + \|W^*\|^2) + \ln(r/\delta))$
    with a constant it does not name. The constant here is derived, at the price of
    $1/\delta$ for the logarithm. Proof: $E \|V_{L:1} X\|_F^2 = \|X\|_F^2$ over the
    draw, so by Markov the residual obeys $\|E_0\|_F \le \|X\|_F / \sqrt\delta +
    \|Y\|_F$, and $\psi = \sqrt{d_y/m} \|X\| \|E_0\|_F / \lambda_r \le 1/22$. As long
    as all proper segments have singular values in $[0.9, 1.1] g^k$, the first order
    of a step multiplies $E$ by at most $1 - 0.6561 x$, the higher orders add at most
    $0.49 e^{0.03} \psi x \|E\|_F$, so $\|E_t\|_F \le (1 - 0.6 x)^t \|E_0\|_F$; then no
    layer moves further than $1.21 \psi g / (0.6 L)$, and segments change by at most
    $e^{2.02 \psi} - 1 < 0.1$ of their size.

    Attributes:
        delta: Probability that the draw is bad; in (0, 1).
    """

    delta: float = 0.1

    about_draws: ClassVar[bool] = True
    source: ClassVar[Source] = HU2020.at("Theorem 4.1, with an explicit width")
    kind: ClassVar[Kind] = Kind.CHANCE
    status: ClassVar[str] = (
        "derived here along the source's proof, with constants; proof in the docstring"
    )

    def __post_init__(self) -> None:
        """Check the field.

        Raises:
            DomainError: If it is out of its domain.
        """
        if not 0 < self.delta < 1:
            raise DomainError(f"delta is {self.delta}; it must be above 0 and below 1.")

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return the shape of the net, the width and the step rule."""
        hidden, ends = case.widths[1:-1], (case.widths[0], case.widths[-1])
        facts = [
            Hypothesis("L >= 2", fact=case.depth >= 2),
            Hypothesis("all hidden widths are equal", fact=len(set(hidden)) <= 1),
            Hypothesis(
                "m >= max(d_x, d_y)",
                fact=all(width >= max(ends) for width in hidden),
                mend="widen the hidden layers",
            ),
        ]
        if not all(hypothesis.fact for hypothesis in facts):
            return facts
        return [
            *facts,
            Hypothesis(
                "sqrt(m) >= 22 sqrt(d_y) |X| (|X|_F / sqrt(delta) + |Y|_F) / lambda_r",
                balls.sqrt(balls.scalar(hidden[0])) - self._width(case),
                strict=False,
                mend="widen the hidden layers",
            ),
            Hypothesis(
                "step L |X|^2 (m/d_y)^(1-1/L) <= 1/2",
                _largest_step(case) - case.step,
                strict=False,
                mend="take the theorem's safe_step",
            ),
        ]

    def guarantee(self, case: Case) -> Guarantee:
        """Return the rate, the loss the start has at most, and the probability."""
        factor = _factor(case)
        chance = 1 - balls.scalar(self.delta)
        return Guarantee(
            statement=(
                f"with probability at least {float(chance.mid()):.4g} over orthogonal "
                f"layers of gain {gain(case.widths):.6g}, excess loss <= "
                f"{float(factor.mid()):.6g}^T times that at the start"
            ),
            start=self._start(case),
            factor=factor,
            probability=chance,
        )

    def safe_step(self, case: Case) -> float | None:
        """Return the largest step allowed, rounded down; `None` for one layer."""
        return None if case.depth < 2 else inward(_largest_step(case))

    def succeeds(self, case: Case, seed: int) -> bool:
        """Draw orthogonal layers and descend for a while below the promise.

        Args:
            case: The problem and the step; its start is not used.
            seed: Of the draw, `>= 0`.

        Returns:
            Whether the loss began and stayed below what is promised.
        """
        rng = np.random.default_rng(seed)
        size = gain(case.widths)
        layers = [size * _isometry(rng, shape) for shape in case.problem.net.shapes]
        losses = _descent(case, layers, WATCHED)
        factor = balls.bounds(_factor(case))[1]
        bound = losses[0] * factor ** np.arange(WATCHED + 1)
        noise = 1e-12 * losses[0]
        small = losses[0] <= balls.bounds(self._start(case))[1]
        return bool(small and np.all(losses <= bound + noise))

    def witnesses(self) -> Iterator[Example]:
        """Yield wide nets of two layers, of one number and of two."""
        for target, width in (([0.5], 7_000), ([0.5, 0.25], 30_000)):
            problem = _posed(target, (width,))
            yield Example(problem, None, self.safe_step(Case(problem)))

    def counterexamples(self) -> Iterator[Example]:
        """Yield too narrow a net, unequal widths, a bottleneck, too large a step."""
        problem = _posed([0.5], (100,))
        name = "sqrt(m) >= 22 sqrt(d_y) |X| (|X|_F / sqrt(delta) + |Y|_F) / lambda_r"
        yield Example(problem, None, 1e-9, refuted=name)
        uneven = _posed([0.5], (7_000, 7_001))
        yield Example(uneven, None, 1e-9, refuted="all hidden widths are equal")
        narrow = _posed([0.5, 0.25], (1,))
        yield Example(narrow, None, 1e-9, refuted="m >= max(d_x, d_y)")
        wide = _posed([0.5], (7_000,))
        name = "step L |X|^2 (m/d_y)^(1-1/L) <= 1/2"
        yield Example(wide, None, 0.01, refuted=name)

    def _width(self, case: Case) -> Ball:
        inputs = _inputs(case)
        spread = inputs[0] / (inputs[-1] * inputs[-1])
        return 22 * balls.sqrt(balls.scalar(case.widths[-1])) * spread * self._far(case)

    def _far(self, case: Case) -> Ball:
        """Return what the residual of the draw is at most, with the probability."""
        size = balls.sqrt(balls.total(value * value for value in _inputs(case)))
        labels = case.la.norm(case.la.matrix(_labels(case)))
        return size / balls.sqrt(balls.scalar(self.delta)) + labels

    def _start(self, case: Case) -> Ball:
        far = self._far(case)
        return far * far / 2


def gain(widths: tuple[int, ...]) -> float:
    """Return the singular value of every layer of the start.

    Args:
        widths: Of the net; the hidden ones equal.

    Returns:
        `(m / d_y) ** (1 / (2 L))`, for the field `gain` of the start `orthogonal`.
    """
    return float((widths[1] / widths[-1]) ** (1 / (2 * (len(widths) - 1))))


def _speed(case: Case) -> Ball:
    """Return $L (m/d_y)^{1 - 1/L}$, which multiplies step and inputs."""
    depth, widths = case.depth, case.widths
    ratio = balls.scalar(widths[1]) / widths[-1]
    return depth * balls.power(ratio, depth - 1, depth)


def _largest_step(case: Case) -> Ball:
    top = _inputs(case)[0]
    return 1 / (2 * _speed(case) * top * top)


def _factor(case: Case) -> Ball:
    least = _inputs(case)[-1]
    return 1 - case.step * _speed(case) * least * least / 2


def _inputs(case: Case) -> list[Ball]:
    """Return the singular values of the inputs factor."""
    if case.is_whitened:
        return [balls.scalar(1)] * case.widths[0]
    return case.la.singular_values(case.inputs_factor)


def _labels(case: Case) -> _Array:
    data = case.problem.target if case.is_whitened else case.problem.data.labels_factor
    return np.asarray(data)


def _isometry(rng: Any, shape: tuple[int, int]) -> _Array:
    """Return a uniformly random matrix whose singular values are all one."""
    basis, upper = np.linalg.qr(rng.standard_normal((max(shape), min(shape))))
    # With these signs the law does not depend on how QR chooses them.
    basis = basis * np.where(np.diagonal(upper) < 0, -1.0, 1.0)
    return basis if shape[0] >= shape[1] else basis.T


def _descent(case: Case, layers: list[_Array], iterations: int) -> _Array:
    """Return the losses of descent with the case's step; not a number once lost."""
    step, labels, inputs = float(case.step_size or 0.0), _labels(case), np.eye(1)
    if not case.is_playground:
        inputs = np.asarray(case.problem.data.inputs_factor)
    losses = []
    with np.errstate(all="ignore"):
        for _ in range(iterations + 1):
            error = end_to_end(layers) @ inputs - labels
            losses.append(np.sum(error * error) / 2)
            moves = _gradient(layers, inputs, error)
            layers = [w - step * move for w, move in zip(layers, moves, strict=True)]
    return np.array(losses)


def _gradient(layers: list[_Array], inputs: _Array, error: _Array) -> list[_Array]:
    below, above = [inputs], [np.eye(len(error))]
    for low, high in zip(layers, layers[::-1], strict=True):
        below.append(low @ below[-1])
        above.append(above[-1] @ high)
    pairs = zip(above[-2::-1], below, strict=False)
    return [left.T @ error @ right.T for left, right in pairs]


def _posed(target: list[float], hidden: tuple[int, ...]) -> Problem:
    goal = jnp.diag(jnp.array(target))
    ends = len(target)
    return Problem(LinearNet((ends, *hidden, ends)), Moments.whitened(goal))
