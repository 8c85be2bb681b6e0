"""Layers with orthonormal rows or columns."""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp

from thalweg._core.arrays import Array, Key, Weights, split
from thalweg._core.papers import SAXE2014
from thalweg._core.source import Source
from thalweg.inits._base import AbstractInit, check_std
from thalweg.problem.nets import LinearNet


@dataclass(frozen=True, eq=False)
class Orthogonal(AbstractInit):
    """Uniformly random layers all of whose singular values are `gain`.

    Attributes:
        gain: The common singular value, at least 0.
    """

    gain: float = 1.0

    source: ClassVar[Source] = SAXE2014.at(
        "Section 3, random orthogonal initial conditions"
    )

    def __post_init__(self) -> None:
        """Check the field."""
        check_std(self.gain)

    def draw(self, key: Key, net: LinearNet) -> Weights:
        """Return a chain of scaled partial isometries."""
        keys = split(key, net.depth)
        return tuple(
            self.gain * _isometry(k, shape)
            for k, shape in zip(keys, net.shapes, strict=True)
        )


def _isometry(key: Key, shape: tuple[int, int]) -> Array:
    tall = (max(shape), min(shape))
    basis, upper = jnp.linalg.qr(jax.random.normal(key, tall, dtype=float))
    # With these signs the law does not depend on how QR chooses them.
    basis = basis * jnp.where(jnp.diag(upper) < 0, -1.0, 1.0)
    return basis if shape[0] >= shape[1] else basis.T
