"""Independent Gaussian layers of one standard deviation."""

from dataclasses import dataclass
from typing import ClassVar

from thalweg._core.arrays import Key, Weights
from thalweg._core.papers import ARORA2019
from thalweg._core.source import Source
from thalweg.inits._base import AbstractInit, check_std, gaussian_layers
from thalweg.problem.nets import LinearNet


@dataclass(frozen=True, eq=False)
class Gaussian(AbstractInit):
    """Independent entries of one standard deviation in every layer.

    Attributes:
        std: Standard deviation of every entry, at least 0.

    Example:
        >>> import jax
        >>> chain = Gaussian(std=0.1).draw(jax.random.key(0), LinearNet((3, 4, 2)))
        >>> [layer.shape for layer in chain]
        [(4, 3), (2, 4)]
    """

    std: float = 0.1

    source: ClassVar[Source] = ARORA2019.at("Section 3.3, layer-wise initialisation")

    def __post_init__(self) -> None:
        """Check the field."""
        check_std(self.std)

    def draw(self, key: Key, net: LinearNet) -> Weights:
        """Return Gaussian weights."""
        return gaussian_layers(key, net, [self.std] * net.depth)
