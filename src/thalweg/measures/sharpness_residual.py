"""How far a recorded sharpness can be from an eigenvalue."""

from dataclasses import dataclass
from typing import Any, ClassVar

from thalweg._core.arrays import Array, Float
from thalweg._core.papers import SAXE2014
from thalweg._core.source import Source
from thalweg.linalg.krylov import largest_eigenvalues
from thalweg.measures._base import AbstractMeasure, Dependence


@dataclass(frozen=True)
class SharpnessResidual(AbstractMeasure):
    """Residual norms of the Ritz pairs that `sharpness` reports.

    Attributes:
        top: How many eigenvalues.
        rounds: Most Hessian-vector products per recorded state.
    """

    top: int = 1
    rounds: int = 64

    symbol: ClassVar[str] = r"\|\nabla^2 L\, v_i - \lambda_i v_i\|"
    axes: ClassVar[tuple[str, ...]] = ("mode",)
    log_scale: ClassVar[bool] = True
    depends_on: ClassVar[Dependence] = "layers"
    says: ClassVar[str] = (
        "An eigenvalue of the Hessian lies within it of the recorded sharpness."
    )
    source: ClassVar[Source] = SAXE2014.at(
        "Appendix B, largest eigenvalue of the Hessian"
    )

    @property
    def spare_units(self) -> int:
        """Return `top`: units without weights bring their own, equal eigenvalues."""
        return self.top

    def read(self, problem: Any, weights: Any) -> Float[Array, " mode"]:
        """Return the bounds, of shape `(top,)`."""
        return largest_eigenvalues(
            lambda direction: problem.hessian_vector(weights, direction),
            weights,
            top=self.top,
            rounds=self.rounds,
        ).residuals
