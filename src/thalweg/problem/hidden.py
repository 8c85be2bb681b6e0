r"""A network with one hidden layer and activations, and its samples.

It takes $x$ to $\sigma_2(W_2 \sigma_1(W_1 x))$. Unlike a linear network it cannot be
reduced to moments, so the samples are kept.
"""

from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax.numpy as jnp

from thalweg._core.arrays import Array, Float, Scalar, Weights, real
from thalweg._core.errors import DomainError, ShapeError, whole
from thalweg.linalg.chain import check_chain
from thalweg.problem.activations import AbstractActivation, Linear, Tanh

TANH, LINEAR = Tanh(), Linear()


@dataclass(frozen=True)
class HiddenNet:
    """A network with one hidden layer.

    Attributes:
        widths: Sizes of the input, the hidden layer and the output, each at least 1.
        hidden: Activation of the hidden layer.
        output: Activation of the output.

    Example:
        >>> HiddenNet((5, 4, 3)).shapes
        ((4, 5), (3, 4))
    """

    widths: tuple[int, ...]
    hidden: AbstractActivation = TANH
    output: AbstractActivation = LINEAR

    def __post_init__(self) -> None:
        """Check the widths.

        Raises:
            DomainError: If there are not three, or one is not a whole number above
                zero.
        """
        widths = tuple(
            whole(f"width {place} of {self.widths!r}", width, least=1)
            for place, width in enumerate(self.widths)
        )
        if len(widths) != 3:
            raise DomainError(
                f"widths is {widths}; a net with one hidden layer needs three."
            )
        object.__setattr__(self, "widths", widths)

    @property
    def depth(self) -> int:
        """Return the number of layers of weights: two."""
        return 2

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """Return the shape of every layer, first-applied first."""
        return tuple(zip(self.widths[1:], self.widths[:-1], strict=True))


class HiddenLayer(eqx.Module):
    r"""Least squares: $\tfrac12 \|Y - \sigma_2(W_2 \sigma_1(W_1 X))\|_F^2$.

    The loss is the sum over samples, not their mean.

    Attributes:
        net: The network.
        inputs: $X$, one sample a column, `"in sample"`.
        labels: $Y$, one sample a column, `"out sample"`.

    Example:
        >>> problem = HiddenLayer(HiddenNet((2, 2, 1)), jnp.eye(2), jnp.ones(2))
        >>> weights = (jnp.eye(2), jnp.array([[2.0, 1.0]]))
        >>> round(float(problem.loss(weights)), 12)
        0.165281678098
    """

    net: HiddenNet = eqx.field(static=True)
    inputs: Float[Array, "in sample"]
    labels: Float[Array, "out sample"]

    def __init__(self, net: HiddenNet, inputs: Any, labels: Any) -> None:
        """Bind a net to samples.

        Args:
            net: The network; its ends must fit the samples.
            inputs: Of shape `"sample feature"`.
            labels: Of shape `"sample output"`, or one number a sample.

        Raises:
            ShapeError: If the samples do not fit each other or the net.
        """
        x, y = real("inputs", inputs), real("labels", labels)
        y = y[:, None] if y.ndim == 1 else y
        wanted = (net.widths[0], net.widths[-1])
        fits = x.ndim == y.ndim == 2 and len(x) == len(y) > 0
        if not fits or (x.shape[1], y.shape[1]) != wanted:
            raise ShapeError(
                f"inputs have shape {x.shape} and labels {y.shape}; this net needs as "
                f"many rows of {wanted[0]} numbers as of {wanted[1]}."
            )
        self.net, self.inputs, self.labels = net, x.T, y.T

    def check(self, weights: Any) -> Weights:
        """Return `weights` as two float64 matrices that fit the net.

        Args:
            weights: Two matrices, first-applied first.

        Returns:
            The same as a tuple of arrays.

        Raises:
            ShapeError: If the number of layers or a shape is not the net's.
        """
        layers = tuple(
            real(f"layer {layer}", weight) for layer, weight in enumerate(weights, 1)
        )
        check_chain([layer.shape for layer in layers])
        shapes = tuple(layer.shape for layer in layers)
        if shapes != self.net.shapes:
            raise ShapeError(
                f"the weights have shapes {list(shapes)}; a net of widths "
                f"{self.net.widths} needs {list(self.net.shapes)}."
            )
        return layers

    def chain(self, weights: Weights) -> Weights:
        """Return the weights as a chain of matrices."""
        return weights

    def predictions(self, weights: Weights) -> Float[Array, "out sample"]:
        """Return what the network gives, one sample a column."""
        return self._forward(weights)[-1]

    def loss(self, weights: Weights) -> Scalar:
        """Return half the sum of squared residuals."""
        return 0.5 * jnp.sum((self.labels - self.predictions(weights)) ** 2)

    def gradient(self, weights: Weights) -> Weights:
        r"""Return the gradient by both layers.

        Args:
            weights: The chain.

        Returns:
            With $Z = W_1 X$, $S = \sigma_1(Z)$, $P = W_2 S$ and
            $G = (\sigma_2(P) - Y) \odot \sigma_2'(P)$, the matrices
            $(\sigma_1'(Z) \odot W_2^\top G) X^\top$ and $G S^\top$. Where an
            activation has no derivative, the one from below.
        """
        before, features, sums, given = self._forward(weights)
        pull = (given - self.labels) * self.net.output.derivative(sums)
        back = self.net.hidden.derivative(before) * (weights[1].T @ pull)
        return back @ self.inputs.T, pull @ features.T

    def _forward(self, weights: Weights) -> tuple[Array, Array, Array, Array]:
        """Return the sums and the values of the hidden layer and of the output."""
        before = weights[0] @ self.inputs
        features = self.net.hidden.value(before)
        sums = weights[1] @ features
        return before, features, sums, self.net.output.value(sums)
