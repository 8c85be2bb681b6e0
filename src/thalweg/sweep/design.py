"""A sweep's design: what varies over which base settings, as a file spells it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Searched:
    """A field whose best value is looked for at every point of a design.

    Attributes:
        field: Its dotted name, as `step_size`.
        grid: The values, ascending.
        goal: `iterations` or `loss`.
        method: `bracket` or `exhaustive`.
    """

    field: str
    grid: tuple[float, ...]
    goal: str = "iterations"
    method: str = "bracket"


@dataclass(frozen=True)
class Design:
    """What varies over which base settings; structure checked, no JAX needed.

    Attributes:
        base: The keys of a run.
        over: Values or ranges of the fields that vary, by name.
        design: `grid`, `random` or `latin_hypercube`.
        points: Number of points of the latter two; `None` for a grid.
        seed: Of the latter two.
        search: The search at every point, or `None`.
        trajectories: Whether every run's path is kept.
        without: Combinations left out.
    """

    base: dict[str, Any]
    over: dict[str, Any]
    design: str = "grid"
    points: int | None = None
    seed: int = 0
    search: Searched | None = None
    trajectories: bool = False
    without: tuple[dict[str, Any], ...] = ()

    @classmethod
    def of(
        cls,
        base: dict[str, Any],
        over: dict[str, Any],
        *,
        design: str = "grid",
        points: int | None = None,
        seed: int = 0,
        search: dict[str, Any] | None = None,
        trajectories: bool = False,
        without: tuple[dict[str, Any], ...] = (),
    ) -> "Design":
        """Return a checked design (`search` is the table of a file)."""
        raise NotImplementedError

    @classmethod
    def from_toml(cls, file: str | Path) -> "Design":
        """Return the design of a sweep file."""
        raise NotImplementedError

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the design, its files' contents and the version."""
        raise NotImplementedError

    def to_json(self) -> dict[str, Any]:
        """Return the design as plain values; `from_json` reads them."""
        raise NotImplementedError

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> "Design":
        """Return the design that `to_json` described."""
        raise NotImplementedError
