r"""A net and its data: value, gradient, Hessian-vector product, optimum.

Everything is written in the canonical reduction: with `inputs_factor` $X_r$ and
`labels_factor` $Y_r$ of the moments, the loss is $\tfrac12\|W X_r - Y_r\\|_F^2$
plus a constant, so the excess loss is a sum of squares without cancellation and
the cost of a step does not depend on the number of samples.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from thalweg._core.arrays import EPS, Array, Float, Scalar, Weights, real
from thalweg._core.errors import ShapeError
from thalweg.linalg.association import (
    cheapest_splits,
    lay,
    products,
    pullback,
    stand,
)
from thalweg.linalg.chain import check_chain, end_to_end
from thalweg.problem.moments import Moments
from thalweg.problem.nets import LinearNet


@dataclass(frozen=True)
class Optimum:
    """The best a net can do.

    Attributes:
        matrix: An end-to-end matrix that attains it, of shape `"out in"`.
        loss: The infimum of the loss, the constant part included.
        constant: The part of the loss no linear map can remove.
        bottleneck_loss: What is lost to the net's rank on top of that.
        rank: Rank of `matrix`.
    """

    matrix: Float[Array, "out in"]
    loss: float
    constant: float
    bottleneck_loss: float
    rank: int


class Problem(eqx.Module):
    r"""Least squares on a deep linear network: $\tfrac12 E\|W_N \cdots W_1 x - y\|^2$.

    Attributes:
        net: The network.
        data: The moments of the data.
        target: Minimiser of the end-to-end loss, `"out in"`.
        left_modes: Left singular vectors of the target, `"out mode"`.
        target_singular_values: Its singular values, descending, `"mode"`.
        right_modes: Its right singular vectors, `"in mode"`.
        infimum: Infimum of the loss above the constant part; zero without a
            bottleneck.

    Example:
        >>> problem = Problem(
        ...     LinearNet((2, 2, 2)), Moments.whitened(jnp.diag(jnp.array([2.0, 1.0])))
        ... )
        >>> weights = (jnp.eye(2), jnp.eye(2))
        >>> float(problem.loss(weights))
        0.5
        >>> problem.gradient(weights)[0].tolist()
        [[-1.0, 0.0], [0.0, 0.0]]
    """

    net: LinearNet = eqx.field(static=True)
    data: Moments
    target: Float[Array, "out in"]
    left_modes: Float[Array, "out mode"]
    target_singular_values: Float[Array, " mode"]
    right_modes: Float[Array, "in mode"]
    infimum: Scalar

    def __init__(self, net: LinearNet, data: Moments) -> None:
        """Bind a net to its data.

        Args:
            net: The network; its first and last widths must be the data's.
            data: The moments.

        Raises:
            ShapeError: If the net's ends do not fit the data.
        """
        ends = (net.widths[0], net.widths[-1])
        sizes = (data.inputs_width, data.outputs_width)
        if ends != sizes:
            fitting = (sizes[0], *net.widths[1:-1], sizes[1])
            raise ShapeError(
                f"the net takes {ends[0]} numbers and gives {ends[1]}, the data have "
                f"{sizes[0]} inputs and {sizes[1]} outputs; widths must be {fitting}."
            )
        self.net = net
        self.data = data
        self.target = data.target
        left, values, right = jnp.linalg.svd(self.target, full_matrices=False)
        self.left_modes, self.target_singular_values = left, values
        self.right_modes = right.T
        tail = jnp.linalg.svd(data.labels_factor, compute_uv=False)[net.largest_rank :]
        self.infimum = 0.5 * jnp.sum(tail**2)

    @property
    def floor(self) -> Scalar:
        """Return the infimum of the loss, its constant part included."""
        return self.infimum + self.data.constant

    def check(self, weights: Any) -> Weights:
        """Return `weights` as a chain of float64 matrices that fit the net.

        Args:
            weights: A sequence of matrices, first-applied first.

        Returns:
            The same as a tuple of arrays.

        Raises:
            ShapeError: If they are no matrices, or not of the net's shapes.
        """
        if not isinstance(weights, Iterable):
            raise ShapeError(
                f"the weights are {weights!r}; pass a sequence of matrices, "
                "first-applied first."
            )
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

    def evaluate(self, packed: Weights) -> tuple[Scalar, Any]:
        """Return the excess loss and what `pull` needs to go on from it.

        Args:
            packed: The layers, from `pack`.

        Returns:
            The loss above its infimum, and the residual with all intermediate
            products.
        """
        factors, sizes = self._factors(packed)
        kept = products(factors, sizes, cheapest_splits(sizes))
        whole = (0, len(factors) - 1)
        product = kept.pop(whole) if kept else factors[0]
        error = product - lay(self.data.labels_factor)
        return 0.5 * jnp.sum(error * error) - self.infimum, (error, kept)

    def pull(self, packed: Weights, cache: Any) -> Weights:
        """Return the gradient from what `evaluate` kept, packed as the layers are."""
        factors, sizes = self._factors(packed)
        error, kept = cache
        gradients = pullback(factors, kept, sizes, cheapest_splits(sizes), error)
        return tuple(gradients[-self.net.depth :])

    def excess_loss(self, weights: Weights) -> Scalar:
        """Return the loss above its infimum; zero to rounding at an optimum."""
        return self.evaluate(self.pack(weights))[0]

    def loss(self, weights: Weights) -> Scalar:
        """Return the loss, its constant part included."""
        return self.excess_loss(weights) + self.floor

    def gradient(self, weights: Weights) -> Weights:
        r"""Return the gradient by every layer, in the cheapest association order.

        Args:
            weights: The chain.

        Returns:
            $\nabla_{W_j} = A_j^\top (W X_r - Y_r) B_j^\top$, one array a layer, of
            the layers' shapes.
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

    def residual(self, weights: Weights) -> Float[Array, "out in"]:
        """Return target minus prediction."""
        return self.target - end_to_end(weights)

    @property
    def optimum(self) -> Optimum:
        """Return the best loss of the net, a matrix that attains it, and its rank.

        Among matrices of the net's largest rank the best is the truncated SVD of
        the labels factor, carried back to the inputs.
        """
        data = self.data
        left, values, right = jnp.linalg.svd(data.labels_factor, full_matrices=False)
        rank = min(self.net.largest_rank, values.shape[0])
        best = (left[:, :rank] * values[:rank]) @ right[:rank]
        floor = values[0] * max(best.shape) * EPS
        matrix = (
            best
            if data.is_whitened
            else jnp.linalg.lstsq(data.inputs_factor.T, best.T)[0].T
        )
        constant, bottleneck = float(data.constant), float(self.infimum)
        return Optimum(
            matrix=matrix,
            loss=constant + bottleneck,
            constant=constant,
            bottleneck_loss=bottleneck,
            rank=int(jnp.sum(values[:rank] > floor)),
        )

    def _factors(self, packed: Weights) -> tuple[Sequence[Array], tuple[int, ...]]:
        """Return the matrices whose product is compared with the labels, and sizes."""
        widths = self.net.widths
        if self.data.is_whitened:
            return packed, widths
        inputs = self.data.inputs_factor
        return (lay(inputs), *packed), (inputs.shape[1], *widths)
