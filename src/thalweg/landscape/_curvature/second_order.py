r"""The products of layers that second derivatives are made of.

Notation: $A_j$ is the product of all layers above layer $j$, $B_j$ of all below with
the inputs' factor, $M_{ij}$ of those strictly between $j < i$; $E$ is prediction minus
labels.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from thalweg._core.arrays import EPS
from thalweg._core.errors import DomainError
from thalweg.landscape.reduced import Chain, Matrix, factors, linear, reduced


@dataclass(frozen=True)
class Products:
    r"""What second derivatives need of a point, in any arithmetic with `@`, `+`, `.T`.

    Attributes:
        layers: The chain, first-applied first.
        below: $B_1, ..., B_N$; the first is `None` for the identity.
        slopes: $A_1^\top E, ..., A_N^\top E$.
    """

    layers: tuple[Any, ...]
    below: tuple[Any, ...]
    slopes: tuple[Any, ...]

    @classmethod
    def of(cls, layers: Sequence[Any], inputs: Any, labels: Any) -> "Products":
        """Return the products of a chain.

        Args:
            layers: The chain, first-applied first.
            inputs: The inputs' factor; `None` for the identity.
            labels: The labels' factor.

        Returns:
            The products. Two products of matrices a layer.
        """
        below = [inputs]
        for layer in layers:
            below.append(layer if below[-1] is None else layer @ below[-1])
        slopes = [below.pop() - labels]
        for layer in reversed(layers[1:]):
            slopes.append(layer.T @ slopes[-1])
        return cls(tuple(layers), tuple(below), tuple(reversed(slopes)))

    def along(self, direction: Sequence[Any]) -> tuple[Any, ...]:
        """Return the Hessian applied to a direction: six products a layer.

        Args:
            direction: One matrix a layer, of the layers' shapes.

        Returns:
            The derivative of the gradient along it, of the same shapes.
        """
        first = self.below[0]
        change = direction[0] if first is None else direction[0] @ first
        changes = [change]
        for layer, below, move in zip(
            self.layers[1:], self.below[1:], direction[1:], strict=True
        ):
            change = move @ below + layer @ change
            changes.append(change)
        bent, turned = changes.pop(), []
        for j in range(len(self.layers) - 1, 0, -1):
            turned.append(bent @ self.below[j].T + self.slopes[j] @ changes[j - 1].T)
            bent = direction[j].T @ self.slopes[j] + self.layers[j].T @ bent
        turned.append(bent if first is None else bent @ first.T)
        return tuple(reversed(turned))


@dataclass(frozen=True)
class Blocks:
    """The factors of all blocks of a Hessian.

    Attributes:
        layers: The chain, first-applied first; of the first only the shape is used.
        above: $A_1, ..., A_N$.
        below: $B_1, ..., B_N$.
        error: $E$, prediction minus labels.
    """

    layers: Chain
    above: Chain
    below: Chain
    error: Matrix

    @classmethod
    def of(cls, layers: Chain, inputs: Matrix | None, labels: Matrix) -> "Blocks":
        """Return the factors at a chain.

        Args:
            layers: The chain, first-applied first.
            inputs: The inputs' factor; `None` for the identity.
            labels: The labels' factor.

        Returns:
            The factors. Two products of matrices a layer; refused with a
            `DomainError` if they leave the range of float64.
        """
        first = np.eye(layers[0].shape[1]) if inputs is None else inputs
        below, above = [first], [np.eye(layers[-1].shape[0])]
        with np.errstate(over="ignore", invalid="ignore"):
            for layer in layers:
                below.append(layer @ below[-1])
            error = below.pop() - labels
            for layer in reversed(layers[1:]):
                above.append(above[-1] @ layer)
            whole = cls(layers, tuple(reversed(above)), tuple(below), error)
            _check_range(whole.trace + np.linalg.norm(error))
        return whole

    @property
    def size(self) -> int:
        """Return the number of weights."""
        return sum(layer.size for layer in self.layers)

    @property
    def trace(self) -> float:
        r"""Return the trace of the Hessian, $\sum_j \|A_j\|_F^2 \|B_j\|_F^2$."""
        pairs = zip(self.above, self.below, strict=True)
        return float(sum(np.vdot(a, a) * np.vdot(b, b) for a, b in pairs))

    def first_order(self, i: int, j: int) -> tuple[Matrix, Matrix]:
        """Return the Kronecker factors of one block's Gauss-Newton part."""
        left, right = self.above[i].T @ self.above[j], self.below[i] @ self.below[j].T
        if i == j:
            left, right = (left + left.T) / 2, (right + right.T) / 2
        return left, right

    def second_order(self) -> Iterator[tuple[int, int, Matrix, Matrix]]:
        r"""Yield $i > j$ from zero with $M_{ij}$ and $B_j E^\top A_i$."""
        for j, below in enumerate(self.below):
            between, seen = np.eye(self.layers[j].shape[0]), below @ self.error.T
            for i in range(j + 1, len(self.layers)):
                yield i, j, between, seen @ self.above[i]
                between = self.layers[i] @ between

    def dense(self, *, second: bool = True) -> Matrix:
        """Return the matrix, without its second-order part if not `second`."""
        shapes = [layer.shape for layer in self.layers]
        ends = np.cumsum([0, *(layer.size for layer in self.layers)])
        whole = np.zeros((self.size, self.size))

        def block(i: int, j: int) -> Matrix:
            part = whole[ends[i] : ends[i + 1], ends[j] : ends[j + 1]]
            return part.reshape(*shapes[i], *shapes[j])

        for i in range(len(shapes)):
            for j in range(i + 1):
                left, right = self.first_order(i, j)
                np.multiply(
                    left[:, None, :, None], right[None, :, None, :], out=block(i, j)
                )
        with np.errstate(over="ignore", invalid="ignore"):
            for i, j, between, seen in self.second_order() if second else ():
                block(i, j)[...] += between[None, :, :, None] * seen.T[:, None, None, :]
        _check_range(whole)
        for i in range(len(shapes)):
            low = whole[ends[i] : ends[i + 1], : ends[i]]
            whole[: ends[i], ends[i] : ends[i + 1]] = low.T
        return whole

    def magnitude(self, other: "Blocks | None" = None) -> float:
        """Return a bound on the Frobenius norm of the sum of its products' sizes.

        Args:
            other: The same with another first layer, which then stands in for this
                one's once in every product.

        Returns:
            The bound.
        """
        pairs = [(self, self)] if other is None else [(self, other), (other, self)]
        squares, last = 0.0, len(self.layers) - 1
        for i in range(last + 1):
            for j in range(i + 1):
                left = self.above[i].T @ self.above[j]
                right = sum(a.below[i] @ b.below[j].T for a, b in pairs)
                size = np.linalg.norm(left) * np.linalg.norm(right)
                squares += float(size**2) * (1 if i == j else 4)
        for i, j, between, _ in self.second_order():
            seen = sum(a.below[j] @ b.error.T for a, b in pairs) @ self.above[i]
            size = np.linalg.norm(between) * np.linalg.norm(seen)
            squares += 4 * float(size**2)
        return squares**0.5


def point(problem: Any, weights: Any) -> tuple[Chain, Matrix | None, Matrix]:
    """Return a chain in the problem's coordinates, the inputs' and labels' factors.

    Args:
        problem: A `Problem` on a deep linear network, or a `Playground`.
        weights: The point.

    Returns:
        Layers, inputs' factor (`None` for white data) and labels' factor.
    """
    first, rest = reduced(problem, weights), linear(problem)
    inputs, labels = factors(rest)
    if inputs is None:
        return first.layers, None, labels
    own = np.asarray(problem.check(weights)[0])
    return (own, *first.layers[1:]), inputs, labels


def rounding(
    layers: Chain,
    inputs: Matrix | None,
    labels: Matrix,
    *,
    first: Matrix | None = None,
    earlier: int = 0,
) -> float:
    r"""Bound what rounding can do to a dense Hessian, in Frobenius norm.

    Every entry is a sum of products of at most $k = 2(\sum_j d_j + r) + 4$ roundings,
    so it is off by at most $\gamma_k$ times the same sum of absolute values.

    Args:
        layers: The chain.
        inputs: The inputs' factor; `None` for the identity.
        labels: The labels' factor.
        first: Sums of the absolute terms that made the first layer, if it was made.
        earlier: Roundings in every such sum.

    Returns:
        The bound, to first order in the rounding unit.

    Source:
        N. J. Higham, Accuracy and Stability of Numerical Algorithms, section 3.5.
    """
    sizes = tuple(np.abs(layer) for layer in layers)
    data = (None if inputs is None else np.abs(inputs), -np.abs(labels))
    whole = Blocks.of(sizes, *data)
    widths = layers[0].shape[1] + sum(layer.shape[0] for layer in layers)
    bound = EPS * (widths + labels.shape[1] + 2) * whole.magnitude()
    if first is not None:
        made = Blocks.of((first, *sizes[1:]), *data)
        bound += EPS * earlier * whole.magnitude(made)
    return bound


def _check_range(numbers: Any) -> None:
    if not np.isfinite(numbers).all():
        raise DomainError(
            "the Hessian at these weights is beyond the range of float64; pass "
            "smaller weights."
        )
