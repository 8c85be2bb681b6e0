"""The contract of a start: a card, fields, and the verb `draw`."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import jax

from thalweg._core.arrays import Array, Float, Key, Weights, split
from thalweg._core.errors import DomainError, ShapeError, at_least_zero
from thalweg._core.source import Source
from thalweg.linalg.spectra import numerical_rank
from thalweg.problem.nets import LinearNet


@dataclass(frozen=True, eq=False)
class AbstractInit:
    """A way to start.

    A leaf is a frozen dataclass; its fields are its parameters.
    """

    balanced: ClassVar[bool] = False
    source: ClassVar[Source]

    @abstractmethod
    def draw(self, key: Key, net: LinearNet) -> Weights:
        """Return weights for `net`; the same key gives the same weights.

        Args:
            key: A JAX random key.
            net: The network.

        Returns:
            One matrix a layer, of the net's shapes, float64.
        """


def check_std(std: Any) -> None:
    """Raise unless a standard deviation is a finite number of at least zero.

    Args:
        std: The standard deviation.

    """
    at_least_zero("std", std)


def check_matrix(name: str, matrix: Any, net: LinearNet, *, passes: bool) -> None:
    """Raise unless a given end-to-end matrix fits a net.

    Args:
        name: The field it came in.
        matrix: The matrix.
        net: The network.
        passes: Whether its whole rank must pass through the narrowest layer.

    Raises:
        ShapeError: If its shape is not the net's.
        DomainError: If its rank is more than the net can pass.
    """
    ends = (net.widths[-1], net.widths[0])
    if matrix.shape != ends:
        raise ShapeError(
            f"{name} has shape {tuple(matrix.shape)}; widths {net.widths} need {ends}."
        )
    if passes and net.has_bottleneck and numerical_rank(matrix) > net.largest_rank:
        raise DomainError(
            f"{name} has rank {numerical_rank(matrix)} but the net passes rank "
            f"{net.largest_rank} at most; widen the narrowest layer."
        )


def gaussian_layers(key: Key, net: LinearNet, stds: list[float]) -> Weights:
    """Return Gaussian layers, layer `j` of standard deviation `stds[j - 1]`."""
    keys = split(key, net.depth)
    return tuple(
        std * jax.random.normal(k, shape, dtype=float)
        for k, shape, std in zip(keys, net.shapes, stds, strict=True)
    )


def random_rotations(key: Key, net: LinearNet) -> list[Float[Array, "_ _"]]:
    """Return one uniformly random orthogonal matrix per hidden space."""
    keys = split(key, net.depth)
    return [
        jax.random.orthogonal(k, width, dtype=float)
        for k, width in zip(keys, net.widths[1:-1], strict=False)
    ]
