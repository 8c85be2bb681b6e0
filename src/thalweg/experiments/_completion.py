"""A matrix known at some entries: its loss, and a flow that keeps signs."""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from scipy.integrate import solve_ivp

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


def balanced_flow(
    product: np.ndarray, depth: int, times: np.ndarray
) -> tuple[Any, Any, Any]:
    r"""Return the flow of the completion with ones beside the unknown and a zero below.

    From a symmetric positive definite product of balanced layers the end-to-end
    matrix stays so, and the flow has three coordinates: the logarithms of both
    eigenvalues and the angle of the first eigenvector. So the smaller eigenvalue may
    fall to any size without losing its sign.

    Args:
        product: The start, symmetric and positive definite, of unequal eigenvalues.
        depth: Number of layers, at least 2.
        times: Increasing from 0.

    Returns:
        Entries at these times: the unknown one, those beside it, the one below.
    """
    values, basis = np.linalg.eigh(product)
    angle = np.arctan2(basis[1, 1], basis[0, 1])
    solved = solve_ivp(
        lambda _, state: _slope(state, depth),
        (0.0, times[-1]),
        [*np.log(values[::-1]), angle],
        method="LSODA",
        t_eval=times,
        rtol=1e-10,
        atol=1e-12,
    )
    return _entries(solved.y)


def _entries(state: np.ndarray) -> tuple[Any, Any, Any]:
    """Return the entries of the end-to-end matrix: first, beside, below."""
    large, small = np.exp(state[0]), np.exp(state[1])
    cos, sin = np.cos(state[2]), np.sin(state[2])
    return (
        large * cos**2 + small * sin**2,
        (large - small) * sin * cos,
        large * sin**2 + small * cos**2,
    )


def _slope(state: np.ndarray, depth: int) -> list[float]:
    """Return the derivatives of the logarithms of the singular values, and angle."""
    large, small = np.exp(state[:2])
    cos, sin = np.cos(state[2]), np.sin(state[2])
    _, beside, below = _entries(state)
    beside = beside - 1
    powers = [
        large ** (2 * (depth - j) / depth) * small ** (2 * (j - 1) / depth)
        for j in range(1, depth + 1)
    ]
    along = 2 * beside * sin * cos
    across = beside * (cos**2 - sin**2) + below * sin * cos
    return [
        -depth * large ** (1 - 2 / depth) * (along + below * sin**2),
        -depth * small ** (1 - 2 / depth) * (below * cos**2 - along),
        -across * sum(powers) / (large - small),
    ]
