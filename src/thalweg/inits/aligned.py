"""Starts in the target's own singular basis, with chosen mode strengths."""

from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp

from thalweg._core.arrays import Array, Float, Key, Weights, real
from thalweg._core.errors import DomainError
from thalweg._core.papers import SAXE2014
from thalweg._core.source import Source
from thalweg.inits._base import AbstractInit, check_matrix, random_rotations
from thalweg.linalg.chain import balanced_factors, rotated
from thalweg.problem.nets import LinearNet


@dataclass(frozen=True, eq=False)
class Aligned(AbstractInit):
    """A balanced chain whose product is diagonal in the target's modes.

    Under gradient flow on whitened data the modes then never mix, and each
    follows its own scalar equation.

    Attributes:
        target: The target, of shape `(widths[-1], widths[0])`; pass
            `problem.target`.
        strengths: Strength of each mode at the start, each at least 0: one number
            for all modes, or one for each of the net's modes.
        mix: Whether to turn every hidden space by a random orthogonal matrix.
    """

    target: Any
    strengths: Any = 0.01
    mix: bool = False

    balanced: ClassVar[bool] = True
    source: ClassVar[Source] = SAXE2014.at("Section 1.2, decoupled initial conditions")

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            DomainError: If a strength is negative.
        """
        object.__setattr__(self, "target", real("target", self.target))
        object.__setattr__(self, "strengths", real("strengths", self.strengths))
        if bool(jnp.any(self.strengths < 0)):
            raise DomainError(
                f"strengths is {self.strengths.tolist()}; a balanced start needs "
                "every strength >= 0."
            )

    def draw(self, key: Key, net: LinearNet) -> Weights:
        """Return an aligned chain.

        Args:
            key: A JAX random key, used only to mix.
            net: The network.

        Returns:
            The chain.

        Raises:
            DomainError: If there are more strengths than the net has modes.
        """
        check_matrix("target", self.target, net, passes=False)
        left, _, right = jnp.linalg.svd(self.target, full_matrices=False)
        modes = net.largest_rank
        if self.strengths.ndim > 1 or self.strengths.size not in (1, modes):
            raise DomainError(
                f"{self.strengths.size} strengths came; a net of widths {net.widths} "
                f"has {modes} modes, so pass one number or {modes}."
            )
        strengths = jnp.broadcast_to(self.strengths.reshape(-1), (modes,))
        chain = _along(left, right, strengths, net)
        return rotated(chain, random_rotations(key, net)) if self.mix else chain


def _along(
    left: Array, right: Array, strengths: Float[Array, " mode"], net: LinearNet
) -> Weights:
    # Factored in the modes' own coordinates: an SVD of the product would mix
    # modes of equal strength.
    modes = strengths.shape[0]
    inner = (modes, *net.widths[1:-1], modes)
    order = jnp.argsort(-strengths)
    core = balanced_factors(jnp.diag(strengths[order]), inner)
    back = jnp.eye(modes)[order]
    first = core[0] @ back @ right[:modes]
    if net.depth == 1:
        return (left[:, :modes] @ back.T @ first,)
    return (first, *core[1:-1], left[:, :modes] @ back.T @ core[-1])
