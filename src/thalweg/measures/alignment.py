"""How well neighbouring layers pass on to each other."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import jax.numpy as jnp

from thalweg._core.arrays import Array, Float
from thalweg._core.papers import ARORA2019
from thalweg._core.source import Source
from thalweg.measures._base import AbstractMeasure, Dependence


@dataclass(frozen=True)
class Alignment(AbstractMeasure):
    """Cosine between what a layer puts out and what the next one takes in.

    For every hidden space, the cosine between the matrices `W_j W_j'` and
    `W_(j+1)' W_(j+1)`. It lies in [0, 1]: 1 where the output directions of a layer,
    with their strengths, are the input directions of the next (as in a balanced
    chain), 0 where nothing is passed on, and by convention where a layer vanishes.
    """

    symbol: ClassVar[str] = r"\cos(W_{j+1}^\top W_{j+1},\, W_j W_j^\top)"
    axes: ClassVar[tuple[str, ...]] = ("layer",)
    invariant_under: ClassVar[tuple[str, ...]] = (
        "rotations of hidden spaces",
        "rotations of both ends",
    )
    depends_on: ClassVar[Dependence] = "layers"
    says: ClassVar[str] = "It is 1 throughout from a balanced start under the flow."
    source: ClassVar[Source] = ARORA2019.at(
        "Section 3.2, singular vectors of neighbours"
    )

    def read(self, problem: Any, weights: Any) -> Float[Array, " layer"]:
        """Return one cosine per hidden space, of shape `(depth - 1,)`."""
        layers = problem.chain(weights)
        pairs = pairwise(layers)
        cosines = [_cosine(above.T @ above, below @ below.T) for below, above in pairs]
        return jnp.stack(cosines) if cosines else jnp.zeros(0)


def _cosine(one: Array, other: Array) -> Array:
    # Scaled first: the squares of small weights would underflow.
    one, other = (
        m / jnp.where(jnp.max(m) > 0, jnp.max(jnp.abs(m)), 1.0) for m in (one, other)
    )
    norms = jnp.sqrt(jnp.sum(one * one) * jnp.sum(other * other))
    return jnp.sum(one * other) / jnp.where(norms > 0, norms, 1.0)
