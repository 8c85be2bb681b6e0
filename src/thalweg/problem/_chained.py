"""What every problem of a chain of layers does alike, whatever it minimises."""

from abc import abstractmethod
from typing import Any

import equinox as eqx
import jax

from thalweg._core.arrays import Scalar, Weights, real
from thalweg._core.errors import ShapeError
from thalweg.linalg.association import lay, stand
from thalweg.linalg.chain import check_chain
from thalweg.problem.nets import LinearNet


class AbstractChained(eqx.Module):
    """A loss of a chain of layers, known by `evaluate` and `pull`."""

    net: eqx.AbstractVar[LinearNet]

    @abstractmethod
    def evaluate(self, packed: Weights) -> tuple[Scalar, Any]:
        """Return the excess loss and what `pull` needs to go on from it."""

    @abstractmethod
    def pull(self, packed: Weights, cache: Any) -> Weights:
        """Return the gradient from what `evaluate` kept, packed as the layers are."""

    def check(self, weights: Any) -> Weights:
        """Return `weights` as a chain of float64 matrices that fit the net.

        Args:
            weights: A sequence of matrices, first-applied first.

        Returns:
            The same as a tuple of arrays.

        Raises:
            ShapeError: If the number of layers or a shape is not the net's.
        """
        chain = tuple(
            real(f"layer {layer}", weight) for layer, weight in enumerate(weights, 1)
        )
        check_chain([weight.shape for weight in chain])
        shapes = tuple(weight.shape for weight in chain)
        if shapes != self.net.shapes:
            raise ShapeError(
                f"the weights have shapes {list(shapes)}; a net of widths "
                f"{self.net.widths} needs {list(self.net.shapes)}."
            )
        return chain

    def chain(self, weights: Weights) -> Weights:
        """Return the weights as a chain of matrices."""
        return weights

    def pack(self, weights: Weights) -> Weights:
        """Return the layers as a descent keeps them: lying, long side contiguous."""
        return tuple(lay(layer) for layer in weights)

    def unpack(self, packed: Weights) -> Weights:
        """Return packed layers in their own shapes."""
        return tuple(
            stand(layer, shape)
            for layer, shape in zip(packed, self.net.shapes, strict=True)
        )

    def excess_loss(self, weights: Weights) -> Scalar:
        """Return the loss above its infimum."""
        return self.evaluate(self.pack(weights))[0]

    def gradient(self, weights: Weights) -> Weights:
        """Return the gradient by every layer, in the cheapest association order.

        Args:
            weights: The chain.

        Returns:
            One array a layer, of the layers' shapes.
        """
        packed = self.pack(weights)
        return self.unpack(self.pull(packed, self.evaluate(packed)[1]))

    def hessian_vector(self, weights: Weights, direction: Weights) -> Weights:
        """Return the Hessian applied to a direction.

        Args:
            weights: The chain.
            direction: One array a layer, of the layers' shapes.

        Returns:
            The derivative of the gradient along `direction`, exact, at about three
            times a gradient's cost.
        """
        return jax.jvp(self.gradient, (weights,), (direction,))[1]
