"""How steep the loss is."""

from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from thalweg._core.arrays import Scalar
from thalweg._core.papers import CS439
from thalweg._core.source import Source
from thalweg.measures._base import AbstractMeasure, Dependence


@dataclass(frozen=True)
class GradientNorm(AbstractMeasure):
    """Euclidean norm of the gradient by all weights; zero at critical points."""

    symbol: ClassVar[str] = r"\|\nabla L\|"
    log_scale: ClassVar[bool] = True
    invariant_under: ClassVar[tuple[str, ...]] = (
        "rotations of hidden spaces",
        "rotations of both ends",
    )
    depends_on: ClassVar[Dependence] = "moving parts"
    says: ClassVar[str] = "It vanishes at critical points only: minima and saddles."
    source: ClassVar[Source] = CS439.at("Lecture 6, slide The gradient")

    def read(self, problem: Any, weights: Any) -> Scalar:
        """Return the norm."""
        parts = jax.tree.leaves(problem.gradient(weights))
        return jnp.sqrt(sum(jnp.sum(part * part) for part in parts))
