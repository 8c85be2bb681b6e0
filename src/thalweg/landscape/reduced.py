r"""A point of a linear network in the coordinates in which its landscape is simple.

With the data's factors $X_r$ and $Y_r$ the excess loss is
$\tfrac12\|W_N \cdots W_2 \bar W_1 - Y_r\|_F^2$ in $\bar W_1 = W_1 X_r$. Since $X_r$ has
full column rank, $W_1 \mapsto W_1 X_r$ is onto: critical points, critical values and
the signs of the Hessian's eigenvalues are those of white data. (Trajectories are not:
they are followed in the weights themselves.) All is NumPy: the matrices are small, of
many shapes, and looked at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Any

import numpy as np

from thalweg._core.arrays import EPS
from thalweg._core.errors import DomainError
from thalweg.problem.moments import Moments
from thalweg.problem.problem import Problem
from thalweg.problem.scalar import Playground

Matrix = np.ndarray
Chain = tuple[Matrix, ...]


@dataclass(frozen=True)
class Modes:
    """The singular value decomposition of the labels' factor.

    Modes are counted from one, the largest singular value first.

    Attributes:
        left: All left singular vectors, `"out out"`.
        values: The singular values, descending, `"mode"`; those that are rounding of
            zero are exactly zero.
        right: All right singular vectors, `"rank rank"`.
    """

    left: Matrix
    values: Matrix
    right: Matrix

    @classmethod
    def of(cls, labels: Matrix) -> "Modes":
        """Return the modes of a labels' factor."""
        left, values, right = np.linalg.svd(labels)
        floor = max(labels.shape) * EPS * values[0] if values.size else 0.0
        return cls(left, np.where(values > floor, values, 0.0), right.T)

    @property
    def rank(self) -> int:
        """Return the number of singular values above zero."""
        return int(np.count_nonzero(self.values))

    @cached_property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """Return the modes, from one, of equal singular values together, descending.

        Two values are equal if they differ by no more than rounding of the largest.
        """
        if not self.values.size:
            return ()
        floor = 4 * max(self.left.shape[0], self.right.shape[0]) * EPS * self.values[0]
        joined: list[list[int]] = []
        for mode, value in enumerate(self.values, 1):
            near = joined and self.values[joined[-1][-1] - 1] - value <= floor
            if near and (value > 0) == (self.values[joined[-1][-1] - 1] > 0):
                joined[-1].append(mode)
            else:
                joined.append([mode])
        return tuple(map(tuple, joined))

    @property
    def are_distinct(self) -> bool:
        """Return whether no positive singular value is repeated."""
        return all(
            len(group) == 1 or not self.values[group[0] - 1] for group in self.groups
        )


def spectral_norm(inputs: Matrix | None) -> float:
    """Return the largest singular value of an inputs' factor; one if it is `None`."""
    if inputs is None:
        return 1.0
    return float(np.linalg.norm(inputs, 2)) if inputs.size else 0.0


def unit_of(modes: Modes, inputs_norm: float, depth: int) -> float:
    """Return the size of a layer that others like it take to the largest mode.

    Args:
        modes: Those of the labels.
        inputs_norm: Largest singular value of the inputs' factor.
        depth: Number of layers.

    Returns:
        The unit of weights; one without labels.
    """
    top = float(modes.values[0]) if modes.rank else inputs_norm
    return (top / inputs_norm) ** (1 / depth) if inputs_norm else 1.0


@dataclass(frozen=True)
class Reduced:
    r"""A chain with the inputs' factor multiplied into its first layer.

    Attributes:
        layers: $\bar W_1, W_2, \dots, W_N$, first-applied first.
        labels: $Y_r$, `"out rank"`.
        inputs: $X_r$, `"in rank"`; `None` for white data.
    """

    layers: Chain
    labels: Matrix
    inputs: Matrix | None = None

    @property
    def depth(self) -> int:
        """Return the number of layers."""
        return len(self.layers)

    @property
    def widths(self) -> tuple[int, ...]:
        """Return the widths, that of the inputs replaced by the data's rank."""
        return (self.layers[0].shape[1], *(layer.shape[0] for layer in self.layers))

    @cached_property
    def modes(self) -> Modes:
        """Return the modes of the labels."""
        return Modes.of(self.labels)

    @cached_property
    def inputs_norm(self) -> float:
        """Return the largest singular value of the inputs' factor."""
        return spectral_norm(self.inputs)

    @cached_property
    def unit(self) -> float:
        r"""Return the size of a layer among like ones: $(\sigma_1 / \|X_r\|)^{1/N}$.

        Multiplied data multiply it, and with it everything in these units is the same.
        One without labels.
        """
        return unit_of(self.modes, self.inputs_norm, self.depth)

    @cached_property
    def slope_unit(self) -> float:
        """Return the size of a gradient by such a layer, where nothing is learnt."""
        top = self.inputs_norm * self.unit**self.depth
        return top**2 / self.unit or 1.0

    @cached_property
    def error(self) -> Matrix:
        """Return prediction minus labels, `"out rank"`."""
        return self.segment(1, self.depth) - self.labels

    def segment(self, first: int, last: int) -> Matrix:
        """Return the product of layers `first` to `last`; the identity if none.

        Args:
            first: Lowest layer, from 1 to `last + 1`.
            last: Highest layer, from 0 to the depth.

        Returns:
            The product, of shape `(widths[last], widths[first - 1])`.
        """
        if first > last:
            return np.eye(self.widths[last])
        return reduce(
            lambda product, layer: layer @ product, self.layers[first - 1 : last]
        )

    def above(self, layer: int) -> Matrix:
        """Return the product of all layers after `layer`: A_j."""
        return self.segment(layer + 1, self.depth)

    def below(self, layer: int) -> Matrix:
        """Return the product of all layers before `layer`, inputs included: B_j."""
        return self.segment(1, layer - 1)

    def between(self, upper: int, lower: int) -> Matrix:
        """Return the product of the layers strictly between two."""
        return self.segment(lower + 1, upper - 1)

    def gradient(self) -> Chain:
        r"""Return $A_j^\top E B_j^\top$ by every layer of the reduced chain."""
        return tuple(
            self.above(j).T @ self.error @ self.below(j).T
            for j in range(1, self.depth + 1)
        )

    def lift(self, direction: Sequence[Matrix]) -> Chain:
        """Return weights, or a direction, of the problem from those of this chain.

        Args:
            direction: One matrix a layer, of this chain's shapes.

        Returns:
            The same with the first of the problem's shape: the smallest that gives it.
        """
        first, *rest = direction
        if self.inputs is not None:
            first = np.linalg.lstsq(self.inputs.T, first.T, rcond=None)[0].T
        return (first, *rest)


def linear(problem: Any) -> Problem:
    """Return a problem as one on a deep linear network.

    Args:
        problem: A `Problem`, or a `Playground`, which is one of width one.

    Returns:
        The problem.

    Raises:
        DomainError: If it is neither: its landscape is another.
    """
    if isinstance(problem, Playground):
        return Problem(problem.net, Moments.whitened(np.ones((1, 1))))
    if isinstance(problem, Problem):
        return problem
    raise DomainError(
        f"the landscape of a {type(problem).__name__} is not known; pass a Problem "
        "(a deep linear network with squared loss) or a Playground."
    )


def reduced(problem: Any, weights: Any) -> Reduced:
    """Return a point in reduced coordinates.

    Args:
        problem: A `Problem` or a `Playground`.
        weights: The point: a chain that fits, or a playground's vector.

    Returns:
        The chain in NumPy float64.

    Raises:
        DomainError: If the problem is of another kind, or a weight is not finite.
    """
    posed = linear(problem)
    chain = tuple(np.asarray(layer) for layer in problem.chain(problem.check(weights)))
    if not all(np.isfinite(layer).all() for layer in chain):
        raise DomainError("the weights hold a number that is not finite.")
    inputs, labels = factors(posed)
    if inputs is not None:
        chain = (chain[0] @ inputs, *chain[1:])
    return Reduced(chain, labels, inputs)


def check_range(at: Reduced) -> None:
    """Raise unless products of the layers and their squares are numbers.

    Args:
        at: A point.

    Raises:
        DomainError: If they leave the range of float64.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        squares = [np.sum(part**2) for part in (*at.layers, *at.gradient())]
    if not np.isfinite(squares).all():
        raise DomainError(
            "the loss's gradient at these weights is beyond the range of float64; "
            "pass smaller weights."
        )


def factors(problem: Problem) -> tuple[Matrix | None, Matrix]:
    """Return the inputs' factor, `None` if the data are white, and the labels'."""
    data = problem.data
    inputs = None if data.is_whitened else np.asarray(data.inputs_factor)
    return inputs, np.asarray(data.labels_factor)


def as_weights(problem: Any, chain: Sequence[Any]) -> Any:
    """Return a chain as weights of a problem: a playground's is one vector.

    Args:
        problem: A `Problem` or a `Playground`.
        chain: Matrices of its net's shapes.

    Returns:
        What `problem.check` gives.
    """
    return problem.check(tuple(chain))
