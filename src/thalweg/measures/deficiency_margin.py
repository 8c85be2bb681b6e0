"""How safely the end-to-end matrix keeps full rank while the loss decreases."""

from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp

from thalweg._core.arrays import Scalar
from thalweg._core.papers import ARORA2019
from thalweg._core.source import Source
from thalweg.linalg.chain import end_to_end
from thalweg.measures._base import AbstractMeasure, Dependence


@dataclass(frozen=True)
class DeficiencyMargin(AbstractMeasure):
    """Smallest singular value of the target minus the distance to the target.

    Positive: every matrix with a smaller loss has full rank. Negative: nothing is
    promised. It is never positive for a target of deficient rank.
    """

    symbol: ClassVar[str] = r"\sigma_{\min}(\Phi) - \|W - \Phi\|_F"
    invariant_under: ClassVar[tuple[str, ...]] = (
        "rotations of hidden spaces",
        "rotations of both ends",
    )
    depends_on: ClassVar[Dependence] = "moving parts"
    says: ClassVar[str] = (
        "While it is positive, no matrix of smaller loss has lost rank "
        "(Arora et al., Claim 1)."
    )
    source: ClassVar[Source] = ARORA2019.at("Definition 2")

    def read(self, problem: Any, weights: Any) -> Scalar:
        """Return the margin of `weights`."""
        gap = end_to_end(problem.chain(weights)) - problem.target
        return problem.target_singular_values[-1] - jnp.sqrt(jnp.sum(gap * gap))

    def levels(self, problem: Any) -> tuple[float, ...]:
        """Return zero, below which nothing is promised."""
        return (0.0,)
