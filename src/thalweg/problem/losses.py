r"""Losses of one sample: value and derivative by the outputs, in closed form.

Outputs $z$ and labels $y$ are matrices `"out sample"`; a value is one number a
sample, a derivative has the shape of the outputs. Nothing overflows and no digit
is lost where outputs are large: a loss of 1e-300 is as precise as one of 1.
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg._core.arrays import Array, Float
from thalweg._core.errors import DataError, DomainError, ShapeError, positive
from thalweg.problem.columns import matrix_of

Outputs = Float[Array, "out sample"]
Losses = Float[Array, " sample"]


@dataclass(frozen=True)
class AbstractLoss:
    """A convex function of a sample's outputs, given its label."""

    @abstractmethod
    def value(self, outputs: Outputs, labels: Outputs) -> Losses:
        """Return the loss of every sample."""

    @abstractmethod
    def derivative(self, outputs: Outputs, labels: Outputs) -> Outputs:
        """Return its derivative by the outputs."""

    @abstractmethod
    def curvature(self, outputs: Outputs, labels: Outputs) -> Float[Array, "*_ sample"]:
        """Return its second derivative: `"out sample"` if outputs do not interact.

        Otherwise `"out out sample"`.
        """

    def coded(self, labels: Any, outputs: int) -> np.ndarray:
        """Return labels as the numbers the loss compares with outputs.

        Args:
            labels: Of shape `"sample out"`, or one number a sample.
            outputs: How many numbers the network gives.

        Returns:
            A float64 matrix, `"sample out"`.
        """
        return matrix_of("labels", _as_columns(labels))


@dataclass(frozen=True)
class Squared(AbstractLoss):
    r"""Half the squared distance, $\tfrac12 \|z - y\|^2$.

    Example:
        >>> Squared().value(jnp.array([[3.0]]), jnp.array([[1.0]])).tolist()
        [2.0]
    """

    def value(self, outputs: Outputs, labels: Outputs) -> Losses:
        """Return half the squared distances."""
        return 0.5 * jnp.sum((outputs - labels) ** 2, axis=0)

    def derivative(self, outputs: Outputs, labels: Outputs) -> Outputs:
        """Return outputs minus labels."""
        return outputs - labels

    def curvature(self, outputs: Outputs, labels: Outputs) -> Outputs:
        """Return one."""
        return jnp.ones_like(outputs)


@dataclass(frozen=True)
class Power(AbstractLoss):
    r"""The power loss $\tfrac1p \sum_k |z_k - y_k|^p$: absolute deviations for p = 1.

    Where an output meets its label, p = 1 has no derivative; zero is taken, the
    subgradient of least norm. The second derivative is infinite there for
    1 < p < 2, so Hessian-vector products at such a point are not finite.

    Attributes:
        p: The power, `>= 1`.

    Example:
        >>> z, y = jnp.array([[3.0, 1.0]]), jnp.array([[1.0, 1.0]])
        >>> Power(3).value(z, y).round(4).tolist(), Power(1).derivative(z, y).tolist()
        ([2.6667, 0.0], [[1.0, 0.0]])
    """

    p: Any

    def __post_init__(self) -> None:
        """Check the power.

        Raises:
            DomainError: If it is below 1: the loss would not be convex.
        """
        power = positive("p", self.p)
        if power < 1:
            raise DomainError(
                f"p is {power:g}; it must be at least 1, below which the loss is not "
                "convex."
            )
        object.__setattr__(self, "p", power)

    def value(self, outputs: Outputs, labels: Outputs) -> Losses:
        """Return the sums of powers, divided by `p`."""
        return jnp.sum(_power(jnp.abs(outputs - labels), self.p), axis=0) / self.p

    def derivative(self, outputs: Outputs, labels: Outputs) -> Outputs:
        """Return the signed powers of the distances, of exponent `p - 1`."""
        gap = outputs - labels
        if self.p == 1:
            return jnp.sign(gap)
        return jnp.sign(gap) * _power(jnp.abs(gap), self.p - 1)

    def curvature(self, outputs: Outputs, labels: Outputs) -> Outputs:
        """Return the second derivatives, infinite at distance zero if 1 < p < 2."""
        if self.p in (1, 2):
            return jnp.full_like(outputs, self.p - 1)
        return (self.p - 1) * jnp.abs(outputs - labels) ** (self.p - 2)


@dataclass(frozen=True)
class Huber(AbstractLoss):
    r"""Half the square up to a threshold, linear beyond it, output by output.

    $\tfrac12 r^2$ for $|r| \le t$, $t(|r| - \tfrac12 t)$ beyond, with $r = z_k - y_k$.

    Attributes:
        threshold: Distance from which on it is linear, `> 0`.

    Example:
        >>> z, y = jnp.array([[0.5, 4.0]]), jnp.zeros((1, 2))
        >>> Huber(1.0).value(z, y).tolist(), Huber(1.0).derivative(z, y).tolist()
        ([0.125, 3.5], [[0.5, 1.0]])
    """

    threshold: Any

    def __post_init__(self) -> None:
        """Check the threshold."""
        threshold = positive("threshold", self.threshold)
        object.__setattr__(self, "threshold", threshold)

    def value(self, outputs: Outputs, labels: Outputs) -> Losses:
        """Return the losses."""
        size = jnp.abs(outputs - labels)
        near = jnp.minimum(size, self.threshold)
        return jnp.sum(near * (size - 0.5 * near), axis=0)

    def derivative(self, outputs: Outputs, labels: Outputs) -> Outputs:
        """Return the distances, cut off at the threshold."""
        return jnp.clip(outputs - labels, -self.threshold, self.threshold)

    def curvature(self, outputs: Outputs, labels: Outputs) -> Outputs:
        """Return one within the threshold, zero beyond it."""
        return jnp.where(jnp.abs(outputs - labels) <= self.threshold, 1.0, 0.0)


@dataclass(frozen=True)
class Logistic(AbstractLoss):
    r"""Logistic loss of labels -1 and 1, $\sum_k \log(1 + e^{-y_k z_k})$.

    Several outputs are as many yes-or-no questions; for one class out of several
    take `CrossEntropy`.

    Example:
        >>> z, y = jnp.array([[0.0, 800.0]]), jnp.array([[1.0, -1.0]])
        >>> Logistic().value(z, y).round(4).tolist()
        [0.6931, 800.0]
    """

    def value(self, outputs: Outputs, labels: Outputs) -> Losses:
        """Return the losses."""
        return jnp.sum(jnp.logaddexp(0.0, -labels * outputs), axis=0)

    def derivative(self, outputs: Outputs, labels: Outputs) -> Outputs:
        """Return minus the label times the chance given to the other one."""
        return -labels * jax.nn.sigmoid(-labels * outputs)

    def curvature(self, outputs: Outputs, labels: Outputs) -> Outputs:
        """Return the product of the two chances."""
        return jax.nn.sigmoid(outputs) * jax.nn.sigmoid(-outputs)

    def coded(self, labels: Any, outputs: int) -> np.ndarray:
        """Return labels as they are.

        Args:
            labels: -1 and 1, of shape `"sample out"` or one a sample.
            outputs: How many numbers the network gives.

        Returns:
            A float64 matrix, `"sample out"`.

        Raises:
            DataError: If one is neither -1 nor 1.
        """
        signs = super().coded(labels, outputs)
        other = signs[np.abs(signs) != 1]
        if other.size:
            raise DataError(
                f"labels hold {other[0]:g}; the logistic loss takes -1 and 1: from 0 "
                "and 1 pass 2 * labels - 1, for more classes take CrossEntropy."
            )
        return signs


@dataclass(frozen=True)
class CrossEntropy(AbstractLoss):
    r"""Cross-entropy of softmax, $\log \sum_k e^{z_k} - z_c$ for the class $c$.

    Adding a number to all outputs changes nothing.

    Example:
        >>> z = jnp.array([[0.0, 2000.0], [0.0, 0.0]])
        >>> classes = jnp.array([[1.0, 1.0], [0.0, 0.0]])
        >>> CrossEntropy().value(z, classes).round(4).tolist()
        [0.6931, 0.0]
    """

    def value(self, outputs: Outputs, labels: Outputs) -> Losses:
        """Return the losses."""
        top = jnp.max(outputs, axis=0)
        lead = jax.nn.one_hot(jnp.argmax(outputs, axis=0), len(outputs), axis=0)
        # The largest term is exactly one; left out, the rest keeps its digits.
        rest = jnp.sum((1.0 - lead) * jnp.exp(outputs - top), axis=0)
        return jnp.sum(labels * (top - outputs), axis=0) + jnp.log1p(rest)

    def derivative(self, outputs: Outputs, labels: Outputs) -> Outputs:
        """Return the chances given to the classes, minus one at the right class."""
        wrong = (1.0 - labels) * jax.nn.softmax(outputs, axis=0)
        return wrong - labels * jnp.sum(wrong, axis=0)

    def curvature(
        self, outputs: Outputs, labels: Outputs
    ) -> Float[Array, "out out sample"]:
        """Return the covariance of the class that is drawn."""
        chances, same = jax.nn.softmax(outputs, axis=0), jnp.eye(len(outputs))
        crossed = (1.0 - same)[:, :, None] * chances[:, None] * chances[None]
        # Rows add up to zero; one minus a chance near one would lose its digits.
        return same[:, :, None] * jnp.sum(crossed, axis=1) - crossed

    def coded(self, labels: Any, outputs: int) -> np.ndarray:
        """Return classes as one-hot rows.

        Args:
            labels: The number of each sample's class, from 0, or one-hot rows.
            outputs: How many numbers the network gives: the classes.

        Returns:
            A float64 matrix, `"sample out"`.

        Raises:
            ShapeError: If there is a single output.
            DataError: If a label is no class.
        """
        if outputs < 2:
            raise ShapeError(
                "the net gives one number; cross-entropy needs one a class, at least "
                "two. For two classes and one output take Logistic."
            )
        given = super().coded(labels, outputs)
        if given.shape[1] > 1:
            if not np.all((np.sort(given)[:, :-1] == 0) & (np.max(given, 1) == 1)):
                raise DataError(
                    "labels have several columns but are not one-hot; cross-entropy "
                    "takes the number of each sample's class, or one-hot rows."
                )
            return given
        known = np.isin(given, np.arange(outputs))
        if not known.all():
            raise DataError(
                f"labels hold {given[~known][0]:g}; with {outputs} outputs they must "
                f"be class numbers from 0 to {outputs - 1}."
            )
        return np.eye(outputs)[given[:, 0].astype(np.int64)]


LOSSES: dict[str, type[AbstractLoss]] = {
    kind.__name__: kind for kind in (Squared, Power, Huber, Logistic, CrossEntropy)
}
"""The losses by name, as saved results call them."""


def _power(size: Array, exponent: float) -> Array:
    """Return a power of sizes; as they are for one, exact squares for two."""
    if exponent == 1:
        return size
    return size * size if exponent == 2 else size**exponent


def _as_columns(labels: Any) -> Any:
    return np.asarray(labels)[:, None] if np.ndim(labels) == 1 else labels
