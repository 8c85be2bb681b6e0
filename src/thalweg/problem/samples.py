r"""A net, its samples, and a loss that second moments do not determine.

With inputs $x_i$ and labels $y_i$ the loss is the mean of $\ell(W x_i, y_i)$, for a
convex $\ell$ of `losses`. The inputs are the first factor of the chain, so that its
cheapest parenthesisation may multiply the layers first; the gradient is the pullback
of the derivative of $\ell$, written by hand.
"""

from typing import Any, NoReturn

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from thalweg._core.arrays import Array, Float, Int, Scalar, Weights, real
from thalweg._core.errors import DataError, DomainError, ShapeError, at_least_zero
from thalweg.linalg.association import (
    cheapest_splits,
    lay,
    products,
    pullback,
    stand,
)
from thalweg.problem._chained import AbstractChained
from thalweg.problem.columns import matrix_of
from thalweg.problem.infima import least
from thalweg.problem.losses import AbstractLoss
from thalweg.problem.nets import LinearNet
from thalweg.problem.recipe import Recipe


class Target(eqx.Module):
    """An end-to-end matrix of least loss and its singular value decomposition."""

    matrix: Float[Array, "out in"]
    left_modes: Float[Array, "out mode"]
    singular_values: Float[Array, " mode"]
    right_modes: Float[Array, "in mode"]

    def __init__(self, matrix: Float[Array, "out in"]) -> None:
        """Decompose the matrix."""
        left, values, right = jnp.linalg.svd(matrix, full_matrices=False)
        self.matrix, self.left_modes = matrix, left
        self.singular_values, self.right_modes = values, right.T


class SampleProblem(AbstractChained):
    r"""A loss of a deep linear network's outputs: $E\, \ell(W_N \cdots W_1 x, y)$.

    For squares take `Problem`: there a step costs the same for any number of samples,
    and small losses are known to more digits. Here a loss is a sum over the samples;
    above a positive infimum it is known to the rounding of that infimum.

    The infimum is that over all end-to-end matrices, found to rounding when the
    problem is posed: for squares by projection, for absolute deviations at a vertex
    of a linear programme, else by Newton's method. Where some direction tells classes
    apart nothing attains it and there is no target; if it tells all of them apart,
    the infimum is zero. A bottleneck is taken into account for squares only: for
    other losses the infimum is then a lower bound, which no weights may approach.

    Attributes:
        net: The network.
        sample_loss: The loss of a sample.
        scale: Whether losses are divided by the number of samples: `mean`, `sum`.
        samples: How many samples there are.
        inputs: The inputs, `"in sample"`.
        labels: The labels as the loss takes them, `"out sample"`.
        infimum: Infimum of the loss.
        best: What attains it; `None` where nothing does or it is not known.

    Example:
        >>> from thalweg.problem.losses import Power
        >>> problem = SampleProblem(
        ...     LinearNet((1, 2, 1)), [[1.0], [1.0], [2.0]], [0.0, 3.0, 4.0], Power(1)
        ... )
        >>> problem.target.tolist(), float(problem.infimum)
        ([[2.0]], 1.0)
        >>> float(problem.excess_loss((jnp.ones((2, 1)), jnp.ones((1, 2)))))
        0.0
    """

    net: LinearNet = eqx.field(static=True)
    sample_loss: AbstractLoss = eqx.field(static=True)
    scale: str = eqx.field(static=True)
    samples: int = eqx.field(static=True)
    inputs: Float[Array, "in sample"]
    labels: Float[Array, "out sample"]
    infimum: Scalar
    best: Target | None

    def __init__(
        self,
        net: LinearNet,
        inputs: Any,
        labels: Any,
        loss: Any,
        *,
        scale: str = "mean",
        infimum: Any = None,
        target: Any = None,
    ) -> None:
        """Bind a net to samples and a loss.

        Args:
            net: The network; it must take as many numbers as an input has and give
                as many as the loss wants.
            inputs: Of shape `"sample in"`.
            labels: Of shape `"sample out"`, or one number a sample; for class labels
                see the loss.
            loss: One of `losses`, as `Huber(1.0)`.
            scale: Divide the sum of the losses by the number of samples (`mean`) or
                not (`sum`).
            infimum: The infimum, `>= 0`, if it is known or finding it is too dear.
            target: What attains it, `"out in"`, if that is known too.

        Raises:
            DomainError: If the loss is not one, or a target comes without infimum.
            ShapeError: If net, inputs, labels and target do not fit together.
            DataError: If all inputs are zero.
        """
        Recipe(scale=scale).checked()
        if not isinstance(loss, AbstractLoss):
            raise DomainError(
                f"loss is {loss!r}; pass an object of thalweg.problem.losses, as "
                "Huber(1.0) or Logistic()."
            )
        given = matrix_of("inputs", inputs)
        wanted = loss.coded(labels, net.widths[-1])
        _check_fit(net, given, wanted)
        if not given.any():
            raise DataError("all inputs are zero; at least one must not be.")
        self.net, self.sample_loss, self.scale = net, loss, scale
        self.samples = len(given)
        self.inputs, self.labels = jnp.asarray(given.T), jnp.asarray(wanted.T)
        if infimum is None:
            if target is not None:
                raise DomainError("target came without infimum; pass both or neither.")
            found = least(loss, given.T, wanted.T, net.largest_rank)
            infimum, target = found.value * self._share, found.matrix
        self.infimum = jnp.asarray(at_least_zero("infimum", infimum), dtype=float)
        self.best = None if target is None else Target(_fitting(net, target))

    @property
    def floor(self) -> Scalar:
        """Return the infimum of the loss, nothing left out."""
        return self.infimum

    @property
    def target(self) -> Float[Array, "out in"]:
        """Return an end-to-end matrix of least loss."""
        return self._attained.matrix

    @property
    def left_modes(self) -> Float[Array, "out mode"]:
        """Return the left singular vectors of the target."""
        return self._attained.left_modes

    @property
    def target_singular_values(self) -> Float[Array, " mode"]:
        """Return the singular values of the target, descending."""
        return self._attained.singular_values

    @property
    def right_modes(self) -> Float[Array, "in mode"]:
        """Return the right singular vectors of the target."""
        return self._attained.right_modes

    @property
    def data(self) -> NoReturn:
        """Raise: second moments do not determine this loss.

        Raises:
            DomainError: Always.
        """
        raise DomainError(
            "a SampleProblem has no second moments; theorems, pages and what else "
            "builds on them need a Problem."
        )

    def evaluate(self, packed: Weights) -> tuple[Scalar, Any]:
        """Return the excess loss and what `pull` needs to go on from it.

        Args:
            packed: The layers, from `pack`.

        Returns:
            The loss above its infimum; its derivative by the outputs, with all
            intermediate products.
        """
        value, cache = self._evaluated(packed)
        return value - self.infimum, cache

    def pull(self, packed: Weights, cache: Any) -> Weights:
        """Return the gradient from what `evaluate` kept, packed as the layers are."""
        factors, sizes = self._factors(packed)
        slopes, kept = cache
        gradients = pullback(factors, kept, sizes, cheapest_splits(sizes), slopes)
        return tuple(gradients[1:])

    def loss(self, weights: Weights) -> Scalar:
        """Return the loss."""
        return self._evaluated(self.pack(weights))[0]

    def batch(self, rows: Int[Array, " sample"]) -> "SampleProblem":
        """Return the same loss over some of the samples.

        Args:
            rows: Which samples, from 0.

        Returns:
            A problem whose loss and gradient, for rows drawn alike, are this one's on
            average; infimum and target are still this one's.
        """
        chosen = self.inputs[:, rows], self.labels[:, rows]
        return eqx.tree_at(lambda whole: (whole.inputs, whole.labels), self, chosen)

    @property
    def _share(self) -> float:
        """Return what a sample's loss is multiplied by."""
        return (1 if self.scale == "mean" else self.samples) / self.inputs.shape[1]

    @property
    def _attained(self) -> Target:
        if self.best is None:
            raise DomainError(
                "the problem has no target: no matrix attains its infimum, or infimum "
                "came without target; leave out what compares with the target."
            )
        return self.best

    def _evaluated(self, packed: Weights) -> tuple[Scalar, Any]:
        factors, sizes = self._factors(packed)
        kept = products(factors, sizes, cheapest_splits(sizes))
        product = kept.pop((0, len(factors) - 1))
        outputs = stand(product, (sizes[-1], sizes[0]))
        value = self._share * jnp.sum(self.sample_loss.value(outputs, self.labels))
        slopes = self._share * self.sample_loss.derivative(outputs, self.labels)
        return value, (lay(slopes), kept)

    def _factors(self, packed: Weights) -> tuple[tuple[Array, ...], tuple[int, ...]]:
        """Return the matrices whose product are the outputs, and its sizes."""
        sizes = (self.inputs.shape[1], *self.net.widths)
        return (lay(self.inputs), *packed), sizes


def _check_fit(net: LinearNet, inputs: np.ndarray, labels: np.ndarray) -> None:
    if len(inputs) != len(labels):
        raise ShapeError(
            f"inputs hold {len(inputs)} samples and labels {len(labels)}; they must be "
            "as many, one a row."
        )
    ends, sizes = (net.widths[0], net.widths[-1]), (inputs.shape[1], labels.shape[1])
    if ends != sizes:
        fitting = (sizes[0], *net.widths[1:-1], sizes[1])
        raise ShapeError(
            f"the net takes {ends[0]} numbers and gives {ends[1]}, the samples have "
            f"{sizes[0]} inputs and {sizes[1]} labels; widths must be {fitting}."
        )


def _fitting(net: LinearNet, target: Any) -> Array:
    matrix = real("target", target)
    wanted = (net.widths[-1], net.widths[0])
    if matrix.shape != wanted:
        raise ShapeError(
            f"target has shape {matrix.shape}; widths {net.widths} need {wanted}."
        )
    return matrix
