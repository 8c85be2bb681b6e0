"""The contract of a measure: a card, fields, and the verb `read`."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from thalweg._core.arrays import Array
from thalweg._core.errors import DomainError
from thalweg._core.source import Source

Dependence = Literal["moving parts", "layers", "everything"]
"""What of a trajectory a measure looks at."""


@dataclass(frozen=True)
class AbstractMeasure:
    """A number, or an array of numbers, read off one state.

    A leaf is a frozen dataclass; its fields are its parameters, and must be
    hashable. `read` must work under `jax.jit` and `jax.vmap`.

    Attributes:
        symbol: TeX of what is read; the column's name if empty.
        axes: Names of the result's axes; empty for a scalar.
        log_scale: Whether it is best drawn on a logarithmic scale.
        conserved: Whether gradient flow keeps it constant.
        invariant_under: What may be done to the weights without changing it:
            `"rotations of hidden spaces"`, `"rotations of both ends"` (with the
            data turned along).
        depends_on: What it takes to read it off a compressed net (see
            `problem.compress`). `"moving parts"`: the parts of the layers that move
            along a trajectory; `"layers"`: what is inert in them, too, but not
            units without weights, except for `spare_units`; `"everything"`: the
            hidden coordinates, or the widths.
        about: What a net must have for it to be read, if not every net will do.
        shown_on: Widths of a net it can be read on.
        says: What theory says about it, in one sentence.
        source: Where it is defined.
    """

    symbol: ClassVar[str] = ""
    axes: ClassVar[tuple[str, ...]] = ()
    log_scale: ClassVar[bool] = False
    conserved: ClassVar[bool] = False
    invariant_under: ClassVar[tuple[str, ...]] = ()
    depends_on: ClassVar[Dependence] = "everything"
    about: ClassVar[str] = ""
    shown_on: ClassVar[tuple[int, ...]] = (3, 4, 2)
    says: ClassVar[str] = ""
    source: ClassVar[Source | None] = None

    @property
    def spare_units(self) -> int:
        """Return how many units without weights it must see in every hidden space."""
        return 0

    def suits(self, net: Any) -> bool:
        """Return whether it can be read on a net; see `about`."""
        return True

    def check(self, problem: Any) -> None:
        """Refuse a problem on whose net it cannot be read.

        Args:
            problem: A `Problem` or a `Playground`.

        Raises:
            DomainError: If its net does not suit.
        """
        if not self.suits(problem.net):
            raise DomainError(
                f"a net of widths {problem.net.widths} came; the measure "
                f"{type(self).__name__} is about {self.about}."
            )

    def levels(self, problem: Any) -> Any:
        """Return values to compare with, drawn as dashed lines; `None` for none.

        Args:
            problem: A `Problem` or a `Playground`.

        Returns:
            A sequence of numbers, or `None`.
        """
        return None

    @abstractmethod
    def read(self, problem: Any, weights: Any) -> Array:
        """Return the measure of one state.

        Args:
            problem: A `Problem` or a `Playground`.
            weights: Its weights; `problem.chain(weights)` gives them as matrices.

        Returns:
            A float64 array whose axes are those of the card.
        """
