"""The end-to-end matrix itself."""

from dataclasses import dataclass
from typing import Any, ClassVar

from thalweg._core.arrays import Array, Float
from thalweg._core.papers import ARORA2019
from thalweg._core.source import Source
from thalweg.linalg import chain
from thalweg.measures._base import AbstractMeasure, Dependence


@dataclass(frozen=True)
class EndToEnd(AbstractMeasure):
    """The product of all layers: the linear map the net stands for.

    It is recorded whole, `out * in` numbers a record.
    """

    symbol: ClassVar[str] = r"W_{N:1}"
    axes: ClassVar[tuple[str, ...]] = ("out", "in")
    invariant_under: ClassVar[tuple[str, ...]] = ("rotations of hidden spaces",)
    depends_on: ClassVar[Dependence] = "moving parts"
    says: ClassVar[str] = (
        "From balanced starts it moves by an equation of its own; on white data the"
        " flow towards it is known in closed form for two layers."
    )
    source: ClassVar[Source] = ARORA2019.at("Section 2")

    def read(self, problem: Any, weights: Any) -> Float[Array, "out in"]:
        """Return the product of the layers."""
        return chain.end_to_end(problem.chain(weights))
