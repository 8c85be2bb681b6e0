"""How many modes the end-to-end matrix really uses."""

from dataclasses import dataclass
from typing import Any, ClassVar

from thalweg._core.arrays import Scalar
from thalweg._core.papers import ROY2007
from thalweg._core.source import Source
from thalweg.linalg.chain import end_to_end
from thalweg.linalg.spectra import effective_rank, singular_values
from thalweg.measures._base import AbstractMeasure, Dependence


@dataclass(frozen=True)
class EffectiveRank(AbstractMeasure):
    """Exponential of the entropy of the end-to-end matrix's singular values."""

    symbol: ClassVar[str] = r"\exp H(\sigma(W))"
    invariant_under: ClassVar[tuple[str, ...]] = (
        "rotations of hidden spaces",
        "rotations of both ends",
    )
    depends_on: ClassVar[Dependence] = "moving parts"
    says: ClassVar[str] = "From small starts it climbs in steps, mode by mode."
    source: ClassVar[Source] = ROY2007.at("Definition 1")

    def read(self, problem: Any, weights: Any) -> Scalar:
        """Return a number from 0 (zero matrix) to the number of modes. One SVD."""
        return effective_rank(singular_values(end_to_end(problem.chain(weights))))
