r"""Steps at which descent surely leaves for infinity.

Notation: $\eta$ is the step, $N$ the depth, $X_r, Y_r$ the data's factors.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import jax.numpy as jnp
import numpy as np

from thalweg._core.source import Source
from thalweg.linalg import balls, enclose
from thalweg.linalg.enclose import Enclosed
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
)
from thalweg.theorems._shared.gram import Iterate, iterate_of
from thalweg.theorems._shared.ours import DERIVED, OURS

_HUGE = 1e300


@dataclass(frozen=True)
class Divergence(AbstractTheorem):
    r"""Descent on a net of diagonal layers that leaves for infinity.

    Notation: one mode of a net whose layers, target and inputs are all diagonal: its
    factors $x_1, \dots, x_N$ with product $p$, its input $\chi$ and label $y$;
    $c = \min_j \eta\chi p(\chi p - y)/x_j^2$ and $r = |y/(\chi p)|$. If $N \ge 2$,
    $c > 2$, $r < 1$ and $(c - 1)^{2(N-1)}(1 - r) \ge 1 + r$ for some mode, every one of
    its factors grows at least $(c - 1)$-fold at every step, with changing signs, so
    that the loss is at least $\tfrac12(|\chi p|(c - 1)^{Nt} - |y|)^2$ after $t$ steps.

    Proof. The gradient is diagonal, so modes do not mix, and
    $x_j^+ = (1 - c_j)x_j$ with $c_j = \eta\chi p(\chi p - y)/x_j^2$. With
    $\Pi = \prod_i(c_i - 1)$, $|p^+| = \Pi|p|$ and $r^+ = r/\Pi \le r$, so
    $c_j^+/c_j \ge \Pi^2(1 - r)/((1 + r)(c_j - 1)^2) \ge
    (c - 1)^{2(N-1)}(1 - r)/(1 + r) \ge 1$: it is the same at the next step.
    """

    source: ClassVar[Source] = OURS.at("divergence of a diagonal net")
    kind: ClassVar[Kind] = Kind.FAILURE
    status: ClassVar[str] = DERIVED

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return the shape of the case, and that one mode keeps growing."""
        iterate = iterate_of(case)
        facts = [
            Hypothesis("N >= 2", fact=case.depth >= 2),
            Hypothesis("no bottleneck", fact=iterate.is_wide),
            Hypothesis("layers and data are diagonal", fact=_is_diagonal(iterate)),
        ]
        if not all(fact.fact for fact in facts):
            return facts
        mode = _fastest(iterate, case)
        if mode is None:
            return [*facts, Hypothesis("some mode has no factor zero", fact=False)]
        return [
            *facts,
            Hypothesis("some mode has no factor zero", fact=True),
            Hypothesis("c > 2", mode.push - 2, mend="take a larger step"),
            Hypothesis("r < 1", 1 - mode.ratio, mend="start further from the target"),
            Hypothesis(
                "(c - 1)^(2 (N - 1)) (1 - r) >= 1 + r",
                mode.room,
                strict=False,
                mend="take a larger step",
            ),
        ]

    def guarantee(self, case: Case) -> Guarantee | None:
        """Return the growing lower bound on the loss."""
        mode = _fastest(iterate_of(case), case)
        if mode is None:
            return None
        growth, label = (mode.push - 1) ** case.depth, abs(mode.label)
        floor = abs(mode.product) - label
        return Guarantee(
            statement=(
                f"every factor of mode {mode.index + 1} grows at least "
                f"{float((mode.push - 1).mid()):.6g}-fold at every step"
            ),
            start=case.excess_loss,
            floor=floor * floor / 2,
            lower=_growing(abs(mode.product), growth, label),
            limit="infinity",
            values={"push c": mode.push, "ratio r": mode.ratio, "growth": growth},
        )

    def witnesses(self) -> Iterator[Example]:
        """Yield the lecture's playground far out, and a diagonal net."""
        toy = Playground(3)
        yield Example(toy, toy.check([2.0, 2.0, 2.5]), 0.4)
        yield Example(*_diagonal(3.0), 0.5)

    def counterexamples(self) -> Iterator[Example]:
        """Yield a full matrix, too small a step, and a start at the target."""
        problem, start = _diagonal(3.0)
        full = (jnp.ones((2, 2)), start[1])
        yield Example(problem, full, 0.5, refuted="layers and data are diagonal")
        yield Example(problem, start, 0.01, refuted="c > 2")
        yield Example(*_diagonal(0.0), 0.5, refuted="some mode has no factor zero")


@dataclass(frozen=True)
class OneLayerDivergence(AbstractTheorem):
    r"""Descent on one layer whose first step raises the loss raises it for ever.

    Notation: $e_t$ is the residual's norm. If $N = 1$ and $e_1 > e_0$, then
    $e_t^2 \ge (e_1/e_0)^{2t} e_0^2$.

    Proof. $E_t = E_0(I - \eta X_r^\top X_r)^t$, so $e_t^2/e_0^2$ is the mean of
    $\mu^t$ over the numbers $\mu = (1 - \eta\lambda)^2 \ge 0$, weighted by the squares
    of $E_0$'s components; by Jensen it is at least the mean of $\mu$ to the power $t$.
    """

    source: ClassVar[Source] = OURS.at("divergence of one layer")
    kind: ClassVar[Kind] = Kind.FAILURE
    status: ClassVar[str] = DERIVED

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return that there is one layer, and that the first step fails."""
        one = Hypothesis("N = 1", fact=case.depth == 1)
        if not one.fact:
            return [one]
        first, then = _both_residuals(case)
        return [
            one,
            Hypothesis("e1 > e0", then - first, mend="take a larger step"),
        ]

    def guarantee(self, case: Case) -> Guarantee:
        """Return the growing lower bound on the loss."""
        first, then = _both_residuals(case)
        growth = then / first
        return Guarantee(
            statement=(
                "the loss grows at least "
                f"{float((growth * growth).mid()):.6g}-fold at every step"
            ),
            start=case.excess_loss,
            floor=first * first / 2,
            lower=_growing(first, growth, balls.scalar(0)),
            limit="infinity",
            values={"residual e0": first, "residual e1": then, "growth": growth},
        )

    def witnesses(self) -> Iterator[Example]:
        """Yield inputs of condition four and a step a little too large."""
        yield Example(*_one_layer(), 1.1)

    def counterexamples(self) -> Iterator[Example]:
        """Yield two layers, and a step that is small enough."""
        yield Example(*_diagonal(3.0), 0.5, refuted="N = 1")
        yield Example(*_one_layer(), 0.1, refuted="e1 > e0")


@dataclass(frozen=True, eq=False)
class _Mode:
    """One mode of a diagonal net.

    Attributes:
        index: Which, from 0.
        factors: Its weights.
        input: The number the inputs multiply it by.
        label: What it should give.
        step: The step.
    """

    index: int
    factors: list[Ball]
    input: Ball
    label: Ball
    step: Ball

    @cached_property
    def product(self) -> Ball:
        """Return what it gives."""
        return self.input * balls.prod(self.factors)

    @cached_property
    def push(self) -> Ball:
        """Return $c$."""
        size = self.step * self.product * (self.product - self.label)
        return balls.smallest(_over(size, x * x) for x in self.factors)

    @property
    def ratio(self) -> Ball:
        """Return $r$."""
        return _over(abs(self.label), abs(self.product))

    @property
    def room(self) -> Ball:
        """Return by how much the next push exceeds this one, in parts of it."""
        power = (self.push - 1) ** (2 * (len(self.factors) - 1))
        return power * (1 - self.ratio) - (1 + self.ratio)


def _over(a: Ball, b: Ball) -> Ball:
    found = a / b
    return found if found.is_finite() else balls.interval(-np.inf, np.inf)


def _is_diagonal(iterate: Iterate) -> bool:
    parts = [*iterate.layers, iterate.labels]
    parts += [] if iterate.inputs is None else [iterate.inputs]
    return all(
        part.radius == 0
        and np.count_nonzero(part.midpoint) == np.count_nonzero(_diagonal_of(part))
        for part in parts
    )


def _diagonal_of(part: Enclosed) -> np.ndarray:
    return np.asarray(part.midpoint.diagonal())


def _fastest(iterate: Iterate, case: Case) -> _Mode | None:
    """Return the mode of the largest push; `None` if each has a factor zero."""
    modes = [_mode(iterate, case, k) for k in range(min(iterate.labels.shape))]
    alive = [mode for mode in modes if all(x != 0 for x in [*mode.factors, mode.input])]
    return max(alive, key=lambda mode: float(mode.push.mid()), default=None)


def _mode(iterate: Iterate, case: Case, index: int) -> _Mode:
    inputs = None if iterate.inputs is None else _diagonal_of(iterate.inputs)
    return _Mode(
        index=index,
        factors=[balls.scalar(_diagonal_of(w)[index]) for w in iterate.layers],
        input=balls.scalar(1 if inputs is None else inputs[index]),
        label=balls.scalar(_diagonal_of(iterate.labels)[index]),
        step=case.step,
    )


def _both_residuals(case: Case) -> tuple[Ball, Ball]:
    """Return the residual before and after the first step of one layer."""
    iterate = iterate_of(case)
    error = iterate.residual
    pulled = error if iterate.inputs is None else error @ iterate.right(1)
    return enclose.norm(error), enclose.norm(error - pulled * case.step)


def _growing(
    size: Ball, growth: Ball, lost: Ball
) -> Callable[[np.ndarray], np.ndarray]:
    """Return half the square of `size * growth^t - lost`, rounded down and capped."""
    first, factor = balls.bounds(size)[0], balls.bounds(growth)[0]
    less = balls.bounds(lost)[1]

    def lower(clock: np.ndarray) -> np.ndarray:
        exponent = np.minimum(np.floor(clock) * np.log(factor), 600.0)
        grown = first * np.exp(exponent) * (1 - 1e-12) - less * (1 + 1e-12)
        grown = np.clip(grown, 0.0, np.sqrt(_HUGE))
        return np.asarray(0.5 * grown * grown * (1 - 1e-12))

    return lower


def _diagonal(size: float) -> tuple[Problem, tuple[jnp.ndarray, ...]]:
    target = jnp.diag(jnp.array([1.0, 0.5]))
    layer = size * jnp.eye(2)
    problem = Problem(LinearNet((2, 2, 2)), Moments.whitened(target))
    return problem, (layer, layer)


def _one_layer() -> tuple[Problem, tuple[jnp.ndarray, ...]]:
    inputs = np.array([[2.0, 0.0], [-2.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    problem = Problem(LinearNet((2, 1)), Moments.from_data(inputs, inputs[:, :1]))
    return problem, (jnp.array([[2.0, 1.0]]),)
