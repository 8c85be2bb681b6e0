"""The loss itself."""

from dataclasses import dataclass
from typing import Any, ClassVar

from thalweg._core.arrays import Scalar
from thalweg._core.papers import ARORA2019
from thalweg._core.source import Source
from thalweg.measures._base import AbstractMeasure, Dependence


@dataclass(frozen=True)
class Loss(AbstractMeasure):
    """Half the mean squared error, the part no linear map can remove included."""

    symbol: ClassVar[str] = r"L"
    log_scale: ClassVar[bool] = True
    invariant_under: ClassVar[tuple[str, ...]] = (
        "rotations of hidden spaces",
        "rotations of both ends",
    )
    depends_on: ClassVar[Dependence] = "moving parts"
    says: ClassVar[str] = (
        "Along the flow it never increases; along descent it does not while"
        " the step is below 2 over the sharpness."
    )
    source: ClassVar[Source] = ARORA2019.at("Section 2")

    def read(self, problem: Any, weights: Any) -> Scalar:
        """Return the loss."""
        return problem.loss(weights)
