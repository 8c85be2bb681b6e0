"""Gaussian layers scaled by the mean of a layer's two widths."""

from dataclasses import dataclass
from typing import ClassVar

from thalweg._core.arrays import Key, Weights
from thalweg._core.papers import GLOROT2010
from thalweg._core.source import Source
from thalweg.inits._base import AbstractInit, check_std, gaussian_layers
from thalweg.problem.nets import LinearNet


@dataclass(frozen=True, eq=False)
class Xavier(AbstractInit):
    """Gaussian entries of variance `2 gain^2 / (in + out)`, layer by layer.

    Attributes:
        gain: Factor on the standard deviation, at least 0.
    """

    gain: float = 1.0

    source: ClassVar[Source] = GLOROT2010.at("equation (16), normal version")

    def __post_init__(self) -> None:
        """Check the field."""
        check_std(self.gain)

    def draw(self, key: Key, net: LinearNet) -> Weights:
        """Return Gaussian weights."""
        stds = [
            self.gain * (2 / (rows + columns)) ** 0.5 for rows, columns in net.shapes
        ]
        return gaussian_layers(key, net, stds)
