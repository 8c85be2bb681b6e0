"""The matrices that gradient flow keeps."""

from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp

from thalweg._core.arrays import Array, Float
from thalweg._core.papers import CHITOUR2023
from thalweg._core.source import Source
from thalweg.linalg import chain
from thalweg.measures._base import AbstractMeasure


@dataclass(frozen=True)
class Invariants(AbstractMeasure):
    """What neighbouring layers differ by, one matrix per hidden space.

    The matrices are stacked; rows and columns beyond a width are zero.
    """

    symbol: ClassVar[str] = r"C_j = W_{j+1}^\top W_{j+1} - W_j W_j^\top"
    axes: ClassVar[tuple[str, ...]] = ("layer", "out", "in")
    conserved: ClassVar[bool] = True
    invariant_under: ClassVar[tuple[str, ...]] = ("rotations of both ends",)
    says: ClassVar[str] = (
        "Constant along the flow (Chitour et al., Lemma 1); descent moves "
        "them by a multiple of the step size squared per step."
    )
    source: ClassVar[Source] = CHITOUR2023.at("Lemma 1")

    def read(self, problem: Any, weights: Any) -> Float[Array, "layer out in"]:
        """Return the invariants, of shape `(depth - 1, widest, widest)`."""
        matrices = chain.invariants(problem.chain(weights))
        widest = max((gap.shape[0] for gap in matrices), default=0)
        padded = [jnp.pad(gap, ((0, widest - gap.shape[0]),) * 2) for gap in matrices]
        return jnp.stack(padded) if padded else jnp.zeros((0, 0, 0))
