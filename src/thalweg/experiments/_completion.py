"""A matrix known at some entries, as a loss of a deep linear net."""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from thalweg.problem.losses import AbstractLoss
from thalweg.problem.nets import LinearNet
from thalweg.problem.samples import SampleProblem

UNKNOWN = np.nan
"""Stands for an entry that was not observed."""


@dataclass(frozen=True)
class Observed(AbstractLoss):
    """Half the squared distance at the labels that are known.

    Inputs are the unit vectors, so that a sample's outputs are a column of the
    end-to-end matrix. Labels that are not numbers are not known: the code below must
    not let them meet arithmetic, where they would spread.
    """

    def value(self, outputs: Any, labels: Any) -> Any:
        """Return half the sums of squared distances from known labels."""
        return 0.5 * jnp.sum(self.derivative(outputs, labels) ** 2, axis=0)

    def derivative(self, outputs: Any, labels: Any) -> Any:
        """Return outputs minus labels where these are known, else zero."""
        known = ~jnp.isnan(labels)
        return jnp.where(known, outputs - jnp.where(known, labels, 0.0), 0.0)

    def curvature(self, outputs: Any, labels: Any) -> Any:
        """Return one where labels are known, else zero."""
        return jnp.where(jnp.isnan(labels), 0.0, 1.0) * jnp.ones_like(outputs)

    def coded(self, labels: Any, outputs: int) -> np.ndarray:
        """Return the labels as they are, unknown ones included."""
        return np.asarray(labels, dtype=np.float64)


def completion(matrix: np.ndarray, depth: int) -> SampleProblem:
    """Return the completion of a square matrix by a net of its width.

    Args:
        matrix: Its entries, `UNKNOWN` where they were not observed.
        depth: Number of layers.

    Returns:
        Half the squared distance at observed entries; its infimum is zero.

    Example:
        >>> half = completion(np.array([[UNKNOWN, 1.0], [1.0, 0.0]]), 1)
        >>> float(half.loss((jnp.array([[7.0, 1.0], [3.0, 0.0]]),)))
        2.0
    """
    size = len(matrix)
    net = LinearNet((size,) * (depth + 1))
    return SampleProblem(
        net, np.eye(size), matrix.T, Observed(), scale="sum", infimum=0.0
    )
