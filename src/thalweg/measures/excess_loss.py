"""The loss above the best the net can reach."""

from dataclasses import dataclass
from typing import Any, ClassVar

from thalweg._core.arrays import Scalar
from thalweg._core.papers import ARORA2019
from thalweg._core.source import Source
from thalweg.measures._base import AbstractMeasure, Dependence


@dataclass(frozen=True)
class ExcessLoss(AbstractMeasure):
    """Loss minus its infimum; computed as a sum of squares without cancellation."""

    symbol: ClassVar[str] = r"L - \inf L"
    log_scale: ClassVar[bool] = True
    invariant_under: ClassVar[tuple[str, ...]] = (
        "rotations of hidden spaces",
        "rotations of both ends",
    )
    depends_on: ClassVar[Dependence] = "moving parts"
    says: ClassVar[str] = (
        "The quantity the convergence theorems bound; a straight line on "
        "this scale is linear convergence."
    )
    source: ClassVar[Source] = ARORA2019.at("Section 2")

    def read(self, problem: Any, weights: Any) -> Scalar:
        """Return the excess loss."""
        return problem.excess_loss(weights)
