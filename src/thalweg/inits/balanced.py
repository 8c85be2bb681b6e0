"""Balanced starts: all layers share their singular values."""

from dataclasses import dataclass
from typing import Any, ClassVar

import jax

from thalweg._core.arrays import Key, Weights, real, split
from thalweg._core.papers import ARORA2019
from thalweg._core.source import Source
from thalweg.inits._base import (
    AbstractInit,
    check_matrix,
    check_std,
    random_rotations,
)
from thalweg.linalg.chain import balanced_factors, rotated
from thalweg.problem.nets import LinearNet


@dataclass(frozen=True, eq=False)
class Balanced(AbstractInit):
    """Factors of one end-to-end matrix whose invariants are all zero.

    The matrix is Gaussian unless given. Through a bottleneck only its best
    approximation of the smallest width's rank passes.

    Attributes:
        std: Standard deviation of the Gaussian end-to-end matrix, at least 0.
        end_to_end: The end-to-end matrix itself, of shape
            `(widths[-1], widths[0])`; then `std` is not used.
        mix: Whether to turn every hidden space by a random orthogonal matrix,
            which keeps product and balance.

    Example:
        >>> import jax
        >>> from thalweg.linalg.chain import invariants
        >>> chain = Balanced(std=0.5, mix=True).draw(
        ...     jax.random.key(0), LinearNet((3, 5, 4, 2))
        ... )
        >>> max(float(abs(c).max()) for c in invariants(chain)) < 1e-15
        True
    """

    std: float = 0.1
    end_to_end: Any = None
    mix: bool = False

    balanced: ClassVar[bool] = True
    source: ClassVar[Source] = ARORA2019.at("Procedure 1")

    def __post_init__(self) -> None:
        """Check the fields."""
        check_std(self.std)
        if self.end_to_end is not None:
            object.__setattr__(self, "end_to_end", real("end_to_end", self.end_to_end))

    def draw(self, key: Key, net: LinearNet) -> Weights:
        """Return a balanced chain; its product is the end-to-end matrix."""
        matrix_key, mix_key = split(key)
        matrix = self.end_to_end
        if matrix is None:
            shape = (net.widths[-1], net.widths[0])
            matrix = self.std * jax.random.normal(matrix_key, shape, dtype=float)
        else:
            check_matrix("end_to_end", matrix, net, passes=True)
        chain = balanced_factors(matrix, net.widths)
        return rotated(chain, random_rotations(mix_key, net)) if self.mix else chain
