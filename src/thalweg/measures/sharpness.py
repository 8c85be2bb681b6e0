"""The largest eigenvalues of the Hessian, with a bound on their error."""

from dataclasses import dataclass
from typing import Any, ClassVar

from thalweg._core.arrays import Array, Float
from thalweg._core.papers import SAXE2014
from thalweg._core.source import Source
from thalweg.linalg.krylov import largest_eigenvalues
from thalweg.measures._base import AbstractMeasure, Dependence


@dataclass(frozen=True)
class Sharpness(AbstractMeasure):
    """Largest eigenvalues of the Hessian, descending, by Lanczos.

    Record `sharpness_residual` beside it: every value lies within its residual of
    an eigenvalue. Gradient descent is linearly stable where the first is below
    `2 / step_size`.

    Attributes:
        top: How many eigenvalues.
        rounds: Most Hessian-vector products per recorded state.
    """

    top: int = 1
    rounds: int = 64

    symbol: ClassVar[str] = r"\lambda_i(\nabla^2 L)"
    axes: ClassVar[tuple[str, ...]] = ("mode",)
    invariant_under: ClassVar[tuple[str, ...]] = (
        "rotations of hidden spaces",
        "rotations of both ends",
    )
    depends_on: ClassVar[Dependence] = "layers"
    says: ClassVar[str] = (
        "Descent is linearly stable where it is below 2 over the step size."
    )
    source: ClassVar[Source] = SAXE2014.at(
        "Appendix B, largest eigenvalue of the Hessian"
    )

    @property
    def spare_units(self) -> int:
        """Return `top`: units without weights bring their own, equal eigenvalues."""
        return self.top

    def read(self, problem: Any, weights: Any) -> Float[Array, " mode"]:
        """Return the values, of shape `(top,)`."""
        return largest_eigenvalues(
            lambda direction: problem.hessian_vector(weights, direction),
            weights,
            top=self.top,
            rounds=self.rounds,
        ).values
