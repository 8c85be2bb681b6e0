"""Identity layers below a last layer of zeros."""

from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp

from thalweg._core.arrays import Key, Weights
from thalweg._core.papers import WU2019
from thalweg._core.source import Source
from thalweg.inits._base import AbstractInit
from thalweg.problem.nets import LinearNet


@dataclass(frozen=True, eq=False)
class ZeroAsymmetric(AbstractInit):
    """Identities everywhere but in the last layer, which is zero.

    No randomness: the key is not used.
    """

    source: ClassVar[Source] = WU2019.at("zero-asymmetric initialisation")

    def draw(self, key: Key, net: LinearNet) -> Weights:
        """Return identities and a zero."""
        below = tuple(jnp.eye(*shape) for shape in net.shapes[:-1])
        return (*below, jnp.zeros(net.shapes[-1]))
