"""The singular values of every layer."""

from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp

from thalweg._core.arrays import Array, Float
from thalweg._core.papers import ARORA2019
from thalweg._core.source import Source
from thalweg.linalg.spectra import singular_values
from thalweg.measures._base import AbstractMeasure


@dataclass(frozen=True)
class LayerSingularValues(AbstractMeasure):
    """Singular values of each layer, descending; zero beyond a layer's own number.

    In a balanced chain all layers share theirs. One SVD a layer per recorded state.
    """

    symbol: ClassVar[str] = r"\sigma_i(W_j)"
    axes: ClassVar[tuple[str, ...]] = ("layer", "mode")
    log_scale: ClassVar[bool] = True
    invariant_under: ClassVar[tuple[str, ...]] = (
        "rotations of hidden spaces",
        "rotations of both ends",
    )
    says: ClassVar[str] = (
        "In a balanced chain all layers share the N-th roots of the end-to-"
        "end singular values."
    )
    source: ClassVar[Source] = ARORA2019.at("Appendix, balanced weights share spectra")

    def read(self, problem: Any, weights: Any) -> Float[Array, "layer mode"]:
        """Return the values, of shape `(depth, largest number of them)`."""
        spectra = [singular_values(layer) for layer in problem.chain(weights)]
        most = max(values.shape[0] for values in spectra)
        return jnp.stack(
            [jnp.pad(values, (0, most - values.shape[0])) for values in spectra]
        )
