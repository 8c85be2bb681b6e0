"""The way from raw inputs to the coordinates a network sees."""

import equinox as eqx
import jax.numpy as jnp

from thalweg._core.arrays import Array, Float


class AffineMap(eqx.Module):
    """The way from raw inputs to the coordinates a network sees.

    Attributes:
        mean: What is subtracted, `"feature"`.
        matrix: What is multiplied, `"rank feature"`; `None` for nothing.
        bias: Value of the constant coordinate that is appended; `None` for none.
    """

    mean: Float[Array, " feature"]
    matrix: Float[Array, "rank feature"] | None
    bias: float | None = eqx.field(static=True, default=None)

    def __call__(self, inputs: Float[Array, "sample feature"]) -> Array:
        """Return the coordinates of `inputs`, one sample a row."""
        moved = inputs - self.mean[None, :]
        if self.matrix is not None:
            moved = moved @ self.matrix.T
        if self.bias is not None:
            ones = jnp.full((moved.shape[0], 1), self.bias)
            moved = jnp.concatenate([moved, ones], axis=1)
        return moved
