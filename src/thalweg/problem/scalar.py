r"""The lecture's playground: $f(x) = \tfrac12 (\prod_k x_k - 1)^2$.

It is the deep linear network all of whose widths are one, on one sample with input
and label one; its weights are kept as one vector so that thousands of starts are
one array.
"""

from typing import Any

import equinox as eqx
import jax.numpy as jnp

from thalweg._core.arrays import Array, Float, Scalar, Weights, real
from thalweg._core.errors import ShapeError, whole
from thalweg.problem.nets import LinearNet


class Playground(eqx.Module):
    """Half the squared gap between the product of a vector and one.

    Every method takes one vector `"depth"`; `jax.vmap` gives many starts at once.

    Attributes:
        depth: Number of factors, at least 1.

    Example:
        >>> toy = Playground(3)
        >>> x = jnp.array([0.5, 1.2, 0.8])
        >>> round(float(toy.loss(x)), 12)
        0.1352
        >>> jnp.round(toy.gradient(x), 12).tolist()
        [-0.4992, -0.208, -0.312]

    Source:
        EPFL CS-439, Lecture 6, slide "A simple nonconvex function".
    """

    depth: int = eqx.field(static=True)

    def __check_init__(self) -> None:
        """Check the depth."""
        whole("depth", self.depth, least=1)

    @property
    def net(self) -> LinearNet:
        """Return the network of width one it stands for."""
        return LinearNet((1,) * (self.depth + 1))

    @property
    def target(self) -> Float[Array, "out in"]:
        """Return the minimiser of the end-to-end loss: one."""
        return jnp.ones((1, 1))

    @property
    def left_modes(self) -> Float[Array, "out mode"]:
        """Return the target's left singular vector."""
        return jnp.ones((1, 1))

    @property
    def right_modes(self) -> Float[Array, "in mode"]:
        """Return the target's right singular vector."""
        return jnp.ones((1, 1))

    @property
    def target_singular_values(self) -> Float[Array, " mode"]:
        """Return the target's singular value."""
        return jnp.ones(1)

    @property
    def infimum(self) -> Scalar:
        """Return the infimum of the loss: zero."""
        return jnp.zeros(())

    @property
    def floor(self) -> Scalar:
        """Return the infimum of the loss, nothing left out: zero."""
        return jnp.zeros(())

    def check(self, weights: Any) -> Float[Array, " depth"]:
        """Return `weights` as one float64 vector.

        Args:
            weights: A vector of `depth` numbers, or as many 1 by 1 matrices.

        Returns:
            The vector.

        Raises:
            ShapeError: If there are not `depth` numbers.
        """
        if isinstance(weights, tuple | list):
            weights = [jnp.reshape(real("the start", w), (-1,)) for w in weights]
            weights = jnp.concatenate(weights) if weights else jnp.zeros(0)
        vector = real("the start", weights)
        if vector.shape != (self.depth,):
            raise ShapeError(
                f"the start has shape {vector.shape}; a playground of depth "
                f"{self.depth} needs {self.depth} numbers."
            )
        return vector

    def chain(self, weights: Float[Array, " depth"]) -> Weights:
        """Return the vector as a chain of 1 by 1 matrices."""
        return tuple(weights.reshape(self.depth, 1, 1))

    def pack(self, weights: Float[Array, " depth"]) -> Float[Array, " depth"]:
        """Return the weights as a descent keeps them: as they are."""
        return weights

    def unpack(self, packed: Float[Array, " depth"]) -> Float[Array, " depth"]:
        """Return packed weights as they are."""
        return packed

    def evaluate(self, weights: Float[Array, " depth"]) -> tuple[Scalar, Any]:
        """Return the loss and the gap, from which `pull` goes on."""
        gap = jnp.prod(weights) - 1
        return 0.5 * gap * gap, gap

    def pull(
        self, weights: Float[Array, " depth"], cache: Any
    ) -> Float[Array, " depth"]:
        """Return the gradient from what `evaluate` kept."""
        return cache * products_without(weights)

    def loss(self, weights: Float[Array, " depth"]) -> Scalar:
        """Return the loss."""
        return self.evaluate(weights)[0]

    def excess_loss(self, weights: Float[Array, " depth"]) -> Scalar:
        """Return the loss above its infimum, which is the loss."""
        return self.evaluate(weights)[0]

    def gradient(self, weights: Float[Array, " depth"]) -> Float[Array, " depth"]:
        r"""Return $(p - 1)\, p_{\setminus i}$, without dividing by a factor."""
        return self.pull(weights, self.evaluate(weights)[1])

    def hessian(self, weights: Float[Array, " depth"]) -> Float[Array, "depth depth"]:
        r"""Return the Hessian in closed form.

        Args:
            weights: The point.

        Returns:
            The matrix with $p_{\setminus i}^2$ on the diagonal and
            $2 p_{\setminus i} p_{\setminus j} - p_{\setminus ij}$ off it. Cost
            `depth ** 3`, nothing is divided, so zero factors are fine.
        """
        without = products_without(weights)
        same = jnp.eye(self.depth, dtype=bool)
        left_out = same[:, None, :] | same[None, :, :]
        pairs = jnp.prod(jnp.where(left_out, 1.0, weights), axis=2)
        outer = 2 * without[:, None] * without[None, :] - pairs
        return jnp.where(same, jnp.diag(without**2), outer)

    def hessian_vector(
        self, weights: Float[Array, " depth"], direction: Float[Array, " depth"]
    ) -> Float[Array, " depth"]:
        """Return the Hessian applied to a direction."""
        return self.hessian(weights) @ direction


def products_without(weights: Float[Array, " depth"]) -> Float[Array, " depth"]:
    """Return for every factor the product of the others, without division.

    Args:
        weights: The factors.

    Returns:
        The products, by running products from both ends.

    Example:
        >>> products_without(jnp.array([2.0, 0.0, 5.0])).tolist()
        [0.0, 10.0, 0.0]
    """
    one = jnp.ones(1)
    before = jnp.cumprod(jnp.concatenate([one, weights[:-1]]))
    after = jnp.cumprod(jnp.concatenate([one, weights[:0:-1]]))[::-1]
    return before * after
