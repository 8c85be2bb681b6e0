"""How far neighbouring layers are from being balanced."""

from dataclasses import dataclass
from typing import Any, ClassVar

from thalweg._core.arrays import Scalar
from thalweg._core.papers import ARORA2019
from thalweg._core.source import Source
from thalweg.linalg import floats
from thalweg.linalg.chain import invariants
from thalweg.measures._base import AbstractMeasure, Dependence


def imbalance(weights: Any, la: Any = floats) -> Any:
    """Return the largest Frobenius norm of an invariant, in arithmetic `la`.

    Args:
        weights: A chain, its matrices in the arithmetic `la`.
        la: One of `thalweg.linalg.floats`, `enclose`, `balls`.

    Returns:
        A scalar of that arithmetic, at least 0; 0 for a single layer.
    """
    if len(weights) < 2:
        return la.scalar(0)
    return la.largest([la.norm(gap) for gap in invariants(weights)])


@dataclass(frozen=True)
class Imbalance(AbstractMeasure):
    """Largest gap between neighbouring layers; constant along the flow."""

    symbol: ClassVar[str] = r"\max_j \|W_{j+1}^\top W_{j+1} - W_j W_j^\top\|_F"
    log_scale: ClassVar[bool] = True
    conserved: ClassVar[bool] = True
    invariant_under: ClassVar[tuple[str, ...]] = (
        "rotations of hidden spaces",
        "rotations of both ends",
    )
    depends_on: ClassVar[Dependence] = "layers"
    says: ClassVar[str] = (
        "Constant along the flow; descent moves it by a multiple of the "
        "step size squared per step."
    )
    source: ClassVar[Source] = ARORA2019.at("Definition 1, delta-balanced")

    def read(self, problem: Any, weights: Any) -> Scalar:
        """Return the imbalance of `weights`."""
        return imbalance(problem.chain(weights))
