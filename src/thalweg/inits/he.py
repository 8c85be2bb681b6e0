"""Gaussian layers scaled by a layer's input width."""

from dataclasses import dataclass
from typing import ClassVar

from thalweg._core.arrays import Key, Weights
from thalweg._core.papers import HE2015
from thalweg._core.source import Source
from thalweg.inits._base import AbstractInit, check_std, gaussian_layers
from thalweg.problem.nets import LinearNet


@dataclass(frozen=True, eq=False)
class He(AbstractInit):
    """Gaussian entries of variance `gain^2 / in`, layer by layer.

    Attributes:
        gain: Factor on the standard deviation, at least 0. `2 ** 0.5` is the
            paper's value for ReLU, 1 keeps the norm through linear layers.
    """

    gain: float = 2**0.5

    source: ClassVar[Source] = HE2015.at("equation (10)")

    def __post_init__(self) -> None:
        """Check the field."""
        check_std(self.gain)

    def draw(self, key: Key, net: LinearNet) -> Weights:
        """Return Gaussian weights."""
        stds = [self.gain / columns**0.5 for _, columns in net.shapes]
        return gaussian_layers(key, net, stds)
