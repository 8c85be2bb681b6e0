r"""A chain and its data in one arithmetic: products, gradient, second order.

Notation, after the reduction: $X$ and $Y$ are the data, $P = W_N \cdots W_1 X$,
$E = P - Y$, $R = W_N \cdots W_2$, $Z = W_{N-1} \cdots W_2$.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from itertools import accumulate
from typing import Any

import numpy as np

from thalweg.landscape.reduced import factors, linear
from thalweg.linalg import exact
from thalweg.linalg.exact import ExactMatrix, Rational


@dataclass(frozen=True)
class Point:
    """Weights and data in one arithmetic.

    Attributes:
        weights: The chain, first-applied first.
        inputs: The inputs' factor; `None` for white data.
        labels: The labels' factor.
        la: The arithmetic.
    """

    weights: Sequence[Any]
    inputs: Any
    labels: Any
    la: Any

    @classmethod
    def stored(cls, problem: Any, weights: Any, la: Any = exact) -> "Point":
        """Return stored numbers, exactly as they are, in an arithmetic."""
        inputs, labels = factors(linear(problem))
        chain = [la.matrix(np.asarray(w)) for w in problem.chain(weights)]
        fed = None if inputs is None else la.matrix(inputs)
        return cls(chain, fed, la.matrix(labels), la)

    def fed(self, matrix: Any) -> Any:
        """Return a matrix applied to the inputs."""
        return matrix if self.inputs is None else matrix @ self.inputs

    @cached_property
    def products(self) -> list[Any]:
        """Return for every layer the product of all layers up to it."""
        return list(accumulate(self.weights, lambda product, w: w @ product))

    @cached_property
    def prediction(self) -> Any:
        """Return P."""
        return self.fed(self.products[-1])

    @cached_property
    def residual(self) -> Any:
        """Return E, prediction minus labels."""
        return self.prediction - self.labels

    def gradient(self) -> Iterator[Any]:
        """Yield the gradient by every layer, the last layer's first."""
        back = self.residual
        if self.inputs is not None:
            back = back @ self.inputs.T
        for place in range(len(self.weights) - 1, 0, -1):
            yield back @ self.products[place - 1].T
            back = self.weights[place].T @ back
        yield back

    @property
    def above(self) -> Any:
        """Return R, the product of all layers but the first."""
        return self.segment(2, len(self.weights))

    @property
    def between(self) -> Any:
        """Return Z, the product of the inner layers; the identity of two."""
        return self.segment(2, len(self.weights) - 1)

    def segment(self, first: int, last: int) -> Any:
        """Return the product of layers `first` to `last`; the identity if none."""
        if first > last:
            after = self.weights[last - 1] if last else self.weights[0].T
            return self.la.identity(after.shape[0])
        return reduce(lambda product, w: w @ product, self.weights[first - 1 : last])

    def around(self, upper: int, lower: int) -> Any:
        """Return the residual between two layers: all before the lower, all after."""
        before = self.inputs if lower == 1 else self.fed(self.products[lower - 2])
        middle = self.residual.T if before is None else before @ self.residual.T
        return middle @ self.segment(upper + 1, len(self.weights))

    def bent(self, direction: Sequence[Any | None]) -> tuple[Any, Any]:
        """Return the prediction's first and second order along a direction.

        Args:
            direction: One matrix a layer, `None` for zero.

        Returns:
            The coefficients of the length and of its square.
        """
        first = direction[0]
        flat = self.weights[0] - self.weights[0]
        terms = (self.weights[0], flat if first is None else first, flat)
        for weight, change in zip(self.weights[1:], direction[1:], strict=True):
            moved = [weight @ term for term in terms]
            if change is not None:
                moved[1] += change @ terms[0]
                moved[2] += change @ terms[1]
            terms = (moved[0], moved[1], moved[2])
        return self.fed(terms[1]), self.fed(terms[2])

    def second_order(self, direction: Sequence[ExactMatrix | None]) -> Rational:
        r"""Return the coefficient of $t^2$ in the loss along a direction, exactly.

        Args:
            direction: One matrix a layer, `None` for zero.

        Returns:
            Half the Hessian's quadratic form.
        """
        slope, bend = self.bent(direction)
        return exact.inner(slope, slope) / 2 + exact.inner(self.residual, bend)
