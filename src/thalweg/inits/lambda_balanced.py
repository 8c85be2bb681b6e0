r"""Two-layer starts whose invariant is a multiple of the identity."""

from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from thalweg._core.arrays import Key, Weights, real, split
from thalweg._core.errors import DomainError
from thalweg._core.papers import BRAUN2022
from thalweg._core.source import Source
from thalweg.inits._base import (
    AbstractInit,
    check_matrix,
    check_std,
    random_rotations,
)
from thalweg.linalg.chain import rotated
from thalweg.problem.nets import LinearNet


@dataclass(frozen=True, eq=False)
class LambdaBalanced(AbstractInit):
    r"""Two layers with $W_2^\top W_2 - W_1 W_1^\top = \lambda I$.

    Attributes:
        imbalance: The number $\lambda$, of any sign; 0 is balanced.
        std: Standard deviation of the Gaussian end-to-end matrix, at least 0.
        end_to_end: The end-to-end matrix itself, or `None` for a Gaussian one.
        mix: Whether to turn the hidden space by a random orthogonal matrix.

    Example:
        >>> from thalweg.linalg.chain import invariants
        >>> chain = LambdaBalanced(imbalance=0.5).draw(
        ...     jax.random.key(0), LinearNet((3, 2, 4))
        ... )
        >>> jnp.round(invariants(chain)[0], 12).tolist()
        [[0.5, 0.0], [0.0, 0.5]]
    """

    imbalance: float = 1.0
    std: float = 0.1
    end_to_end: Any = None
    mix: bool = False

    source: ClassVar[Source] = BRAUN2022.at("lambda-balanced initialisation")

    def __post_init__(self) -> None:
        """Check the fields."""
        check_std(self.std)
        real("imbalance", self.imbalance)
        if self.end_to_end is not None:
            object.__setattr__(self, "end_to_end", real("end_to_end", self.end_to_end))

    def draw(self, key: Key, net: LinearNet) -> Weights:
        """Return a two-layer chain.

        Args:
            key: A JAX random key.
            net: A network of depth 2 whose hidden width is at most the output's if
                `imbalance > 0`, at most the input's if it is negative.

        Returns:
            The chain.

        Raises:
            DomainError: If the net has no such start.
        """
        _check_feasible(self.imbalance, net)
        matrix_key, mix_key = split(key)
        inputs, hidden, outputs = net.widths
        matrix = self.end_to_end
        if matrix is None:
            matrix = self.std * jax.random.normal(
                matrix_key, (outputs, inputs), dtype=float
            )
        else:
            check_matrix("end_to_end", matrix, net, passes=True)
        left, values, right = jnp.linalg.svd(matrix, full_matrices=True)
        kept = min(hidden, values.shape[0])
        strengths = jnp.zeros(hidden).at[:kept].set(values[:kept])
        # The smaller of the two squares is taken from the product of both: their
        # difference from the root would cancel.
        larger = (
            jnp.sqrt(self.imbalance**2 + 4 * strengths**2) + abs(self.imbalance)
        ) / 2
        smaller = strengths**2 / jnp.where(larger > 0, larger, 1.0)
        squares = (larger, smaller) if self.imbalance > 0 else (smaller, larger)
        upper, lower = (jnp.sqrt(square) for square in squares)
        last = left[:, : min(hidden, outputs)] @ jnp.eye(min(hidden, outputs), hidden)
        first = jnp.eye(hidden, min(hidden, inputs)) @ right[: min(hidden, inputs)]
        chain = (lower[:, None] * first, last * upper)
        return rotated(chain, random_rotations(mix_key, net)) if self.mix else chain


def _check_feasible(imbalance: float, net: LinearNet) -> None:
    if net.depth != 2:
        raise DomainError(
            f"the net has depth {net.depth}; a lambda-balanced start needs depth 2."
        )
    inputs, hidden, outputs = net.widths
    end, name = (outputs, "output") if imbalance > 0 else (inputs, "input")
    if imbalance != 0 and hidden > end:
        raise DomainError(
            f"imbalance is {imbalance} with hidden width {hidden} and {name} width "
            f"{end}; that sign needs a hidden width of at most {end}."
        )
