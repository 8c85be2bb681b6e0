"""How strongly each mode of the target has been learnt."""

from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp

from thalweg._core.arrays import Array, Float
from thalweg._core.papers import SAXE2014
from thalweg._core.source import Source
from thalweg.linalg.chain import end_to_end
from thalweg.measures._base import AbstractMeasure, Dependence


@dataclass(frozen=True)
class SingularModes(AbstractMeasure):
    """Strengths of the end-to-end matrix along the target's modes, in their order.

    At the target they are its singular values. See `layer_singular_values` for
    what each layer contributes.
    """

    symbol: ClassVar[str] = r"u_i^\top W v_i"
    axes: ClassVar[tuple[str, ...]] = ("mode",)
    invariant_under: ClassVar[tuple[str, ...]] = (
        "rotations of hidden spaces",
        "rotations of both ends",
    )
    depends_on: ClassVar[Dependence] = "moving parts"
    says: ClassVar[str] = (
        "From small balanced starts the strong modes are learnt first, each"
        " along a sigmoid (Saxe et al.)."
    )
    source: ClassVar[Source] = SAXE2014.at("Section 1.2")

    def read(self, problem: Any, weights: Any) -> Float[Array, " mode"]:
        """Return one strength per mode of the target."""
        matrix = end_to_end(problem.chain(weights))
        return jnp.sum(problem.left_modes * (matrix @ problem.right_modes), axis=0)

    def levels(self, problem: Any) -> Float[Array, " mode"]:
        """Return the target's singular values."""
        return problem.target_singular_values
