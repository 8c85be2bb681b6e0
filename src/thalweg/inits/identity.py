"""Identity layers: a linear residual network at the start of training."""

from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp

from thalweg._core.arrays import Key, Weights
from thalweg._core.papers import BARTLETT2018
from thalweg._core.source import Source
from thalweg.inits._base import AbstractInit, check_std
from thalweg.problem.nets import LinearNet


@dataclass(frozen=True, eq=False)
class Identity(AbstractInit):
    """Every layer `scale` times the identity, padded with zeros if rectangular.

    Square layers make a balanced start; where widths change only the common
    leading block is passed on. No randomness: the key is not used.

    Attributes:
        scale: Factor on the identity, at least 0.
    """

    scale: float = 1.0

    source: ClassVar[Source] = BARTLETT2018

    def __post_init__(self) -> None:
        """Check the field."""
        check_std(self.scale)

    def draw(self, key: Key, net: LinearNet) -> Weights:
        """Return scaled identities."""
        return tuple(self.scale * jnp.eye(*shape) for shape in net.shapes)
