"""How far the norms of neighbouring layers are apart."""

from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp

from thalweg._core.arrays import Array, Float
from thalweg._core.papers import CHITOUR2023
from thalweg._core.source import Source
from thalweg.measures._base import AbstractMeasure, Dependence


@dataclass(frozen=True)
class NormGaps(AbstractMeasure):
    """Differences of squared Frobenius norms: the traces of the invariants."""

    symbol: ClassVar[str] = r"\|W_{j+1}\|_F^2 - \|W_j\|_F^2"
    axes: ClassVar[tuple[str, ...]] = ("layer",)
    conserved: ClassVar[bool] = True
    invariant_under: ClassVar[tuple[str, ...]] = (
        "rotations of hidden spaces",
        "rotations of both ends",
    )
    depends_on: ClassVar[Dependence] = "layers"
    says: ClassVar[str] = (
        "Constant along the flow, so if one layer stays bounded all do."
    )
    source: ClassVar[Source] = CHITOUR2023.at("Lemma 1, trace of equation (8)")

    def read(self, problem: Any, weights: Any) -> Float[Array, " layer"]:
        """Return one gap per hidden space, of shape `(depth - 1,)`."""
        squares = jnp.stack([jnp.sum(layer**2) for layer in problem.chain(weights)])
        return jnp.diff(squares)
