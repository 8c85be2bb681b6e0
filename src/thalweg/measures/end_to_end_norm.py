"""The size of the end-to-end matrix."""

from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp

from thalweg._core.arrays import Scalar
from thalweg._core.papers import ARORA2019
from thalweg._core.source import Source
from thalweg.linalg.chain import end_to_end
from thalweg.measures._base import AbstractMeasure, Dependence


@dataclass(frozen=True)
class EndToEndNorm(AbstractMeasure):
    """Frobenius norm of the end-to-end matrix."""

    symbol: ClassVar[str] = r"\|W_{N:1}\|_F"
    log_scale: ClassVar[bool] = True
    invariant_under: ClassVar[tuple[str, ...]] = (
        "rotations of hidden spaces",
        "rotations of both ends",
    )
    depends_on: ClassVar[Dependence] = "moving parts"
    says: ClassVar[str] = "At a global minimum it is the norm of the target."
    source: ClassVar[Source] = ARORA2019.at("Section 2")

    def read(self, problem: Any, weights: Any) -> Scalar:
        """Return the norm."""
        matrix = end_to_end(problem.chain(weights))
        return jnp.sqrt(jnp.sum(matrix * matrix))

    def levels(self, problem: Any) -> tuple[float, ...]:
        """Return the norm of the target."""
        return (float(jnp.linalg.norm(problem.target)),)
