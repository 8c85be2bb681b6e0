r"""Functions of two and three numbers, whose gradient flows are the examples.

They are problems as far as a certificate needs them: `check` takes a start, `chain`
gives it as matrices of one number. Losses and gradients serve floats and balls.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from thalweg._core.arrays import Array, real
from thalweg._core.errors import ShapeError
from thalweg.problem.nets import LinearNet


@dataclass(frozen=True)
class PrintedSurface:
    r"""The function $z^2 (\tfrac12 x^2 + \tfrac12 (1 - x y)^2)$ of $x$, $y$, $z$."""

    variables: ClassVar[str] = "x, y, z"

    @property
    def net(self) -> LinearNet:
        """Return a net with as many weights, for what asks for widths."""
        return LinearNet((1,) * 4)

    def check(self, weights: Any) -> Array:
        """Return a start as three finite numbers."""
        return _numbers(weights, self.variables, 3)

    def chain(self, weights: Any) -> tuple[Array, ...]:
        """Return the numbers as matrices."""
        return tuple(jnp.reshape(weights, (3, 1, 1)))

    def height(self, x: Any, y: Any) -> Any:
        """Return the factor of the square of z."""
        return (x * x + (1 - x * y) * (1 - x * y)) / 2

    def gradient(self, x: Any, y: Any, z: Any) -> tuple[Any, Any, Any]:
        """Return the three slopes."""
        gap = 1 - x * y
        return z * z * (x - y * gap), -z * z * x * gap, 2 * z * self.height(x, y)


@dataclass(frozen=True)
class UnboundedSurface:
    r"""The function $z^2 e^{-x - x^3/3}$ of $x$ and $z$."""

    variables: ClassVar[str] = "x, z"

    @property
    def net(self) -> LinearNet:
        """Return a net with as many weights, for what asks for widths."""
        return LinearNet((1,) * 3)

    def check(self, weights: Any) -> Array:
        """Return a start as two finite numbers."""
        return _numbers(weights, self.variables, 2)

    def chain(self, weights: Any) -> tuple[Array, ...]:
        """Return the numbers as matrices."""
        return tuple(jnp.reshape(weights, (2, 1, 1)))

    def gradient(self, x: Any, z: Any) -> tuple[Any, Any]:
        """Return both slopes, of balls."""
        height = (-x - x * x * x / 3).exp()
        return -z * z * (1 + x * x) * height, 2 * z * height


def _numbers(weights: Any, variables: str, count: int) -> Array:
    if isinstance(weights, Sequence):
        weights = [np.asarray(real("the start", w)).reshape(-1) for w in weights]
        weights = np.concatenate(weights) if weights else np.zeros(0)
    vector = real("the start", weights)
    if vector.shape != (count,):
        raise ShapeError(
            f"the start has shape {vector.shape}; it must be the numbers {variables}."
        )
    return vector
