"""How unequal the layers are in size: the lecture's c."""

from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp

from thalweg._core.arrays import Scalar
from thalweg._core.papers import CS439
from thalweg._core.source import Source
from thalweg.linalg import floats
from thalweg.measures._base import AbstractMeasure, Dependence


def spread(factors: Any, la: Any = floats) -> Any:
    """Return the largest over the smallest factor, in arithmetic `la`.

    Args:
        factors: Positive scalars of the arithmetic `la`.
        la: One of `thalweg.linalg.floats`, `enclose`, `balls`.

    Returns:
        A scalar of that arithmetic, at least 1.
    """
    return la.largest(factors) / la.smallest(factors)


@dataclass(frozen=True)
class Spread(AbstractMeasure):
    """Largest over smallest Frobenius norm of a layer; infinite if one vanishes.

    For layers of one weight each it is the smallest `c` for which the absolute
    values are `c`-balanced.
    """

    symbol: ClassVar[str] = r"\max_j \|W_j\|_F / \min_j \|W_j\|_F"
    log_scale: ClassVar[bool] = True
    invariant_under: ClassVar[tuple[str, ...]] = (
        "rotations of hidden spaces",
        "rotations of both ends",
    )
    depends_on: ClassVar[Dependence] = "layers"
    says: ClassVar[str] = (
        "It never grows along descent on the playground below the hyperbola"
        " (CS-439, Lemma on balanced iterates)."
    )
    source: ClassVar[Source] = CS439.at("Lecture 6, slide Main tool: Balanced iterates")

    def read(self, problem: Any, weights: Any) -> Scalar:
        """Return the spread of the layers' norms."""
        norms = [jnp.sqrt(jnp.sum(layer**2)) for layer in problem.chain(weights)]
        smallest = floats.smallest(norms)
        safe = jnp.where(smallest > 0, smallest, 1.0)
        return jnp.where(smallest > 0, floats.largest(norms) / safe, jnp.inf)
