"""A sweep's design: what varies over which base settings, as a file spells it."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from thalweg._core.errors import ConfigError
from thalweg._core.version import VERSION
from thalweg.request.checking import in_one
from thalweg.request.faults import no_such_key, shown
from thalweg.request.toml import NAMING_FILES, read_toml
from thalweg.sweep._reading import (
    IDLE,
    SWEEP_KEYS,
    base_faults,
    flat,
    plain_values,
    read_search,
    structure_faults,
)
from thalweg.sweep.keys import FORMAT, contents, digest_of

PARTS: dict[str, Any] = {
    "design": "grid",
    "points": None,
    "seed": 0,
    "search": None,
    "without": (),
}
"""Parts of a table `sweep` besides its axes, and what they are if left out."""


@dataclass(frozen=True)
class Searched:
    """A field whose best value is looked for at every point of a design.

    Attributes:
        field: Its dotted name, as `step_size`.
        grid: The values, ascending.
        goal: `iterations` (fewest among runs that converged) or `loss` (smallest
            final excess loss).
        method: `bracket` or `exhaustive`.
    """

    field: str
    grid: tuple[float, ...]
    goal: str = "iterations"
    method: str = "bracket"

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return {**vars(self), "grid": list(self.grid)}


@dataclass(frozen=True)
class Design:
    """What varies over which base settings; its structure is checked, without JAX.

    Make one by `of` or `from_toml`. Whether every run's settings are as they must be
    is looked at by `plan`.

    Attributes:
        base: The keys of a run.
        over: Values or ranges of the fields that vary, by dotted name, in the order
            of the columns; on a grid the last varies fastest.
        design: `grid`, `random` or `latin_hypercube`.
        points: Number of points of the latter two; `None` for a grid.
        seed: Of the latter two.
        search: The search at every point, or `None`.
        trajectories: Whether every run's path is kept.
        without: Combinations left out, by dotted name.
        place: The file it came from, for messages.

    Example:
        >>> base = {"data": {"target": [[2.0, 0.0], [0.0, 1.0]]}, "hidden": [2]}
        >>> design = Design.of(base, {"init.std": [0.1, 0.2], "seed": [0, 1, 2]})
        >>> design.over
        {'init.std': [0.1, 0.2], 'seed': [0, 1, 2]}
        >>> Design.of(base, {"depht": [2, 3]})  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        thalweg._core.errors.ConfigError: sweep.over.depht: no such key. Did you mean...
    """

    base: dict[str, Any]
    over: dict[str, Any]
    design: str = "grid"
    points: int | None = None
    seed: int = 0
    search: Searched | None = None
    trajectories: bool = False
    without: tuple[dict[str, Any], ...] = ()
    place: str = field(default="", compare=False)

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
        without: Sequence[dict[str, Any]] = (),
        place: str = "",
    ) -> "Design":
        """Return a design, its structure checked.

        Args:
            base: The keys of a run, as in its TOML file.
            over: Lists, arrays or ranges by dotted name.
            design: `grid`, `random` or `latin_hypercube`.
            points: Number of points of the latter two.
            seed: Of the latter two.
            search: The table of a search: `field`, `from`, `to`, `points`, `goal`,
                `method`.
            trajectories: Whether every run's path is kept.
            without: Combinations to leave out: values, or lists of values, by name.
            place: The file it came from, for messages.

        Returns:
            The design.

        Raises:
            ConfigError: If anything is not as it must be; every fault is told.
        """
        base, over = plain_values(base), plain_values(over)
        over, faults = flat(over)
        faults += structure_faults(
            base,
            over,
            design=design,
            points=points,
            seed=seed,
            search=search,
            without=without,
        )
        if not isinstance(trajectories, bool):
            faults.append(
                f"sweep.keep.trajectories: {shown(trajectories)} came; it must be true "
                "or false."
            )
        if faults:
            told = [*faults, *base_faults(base, over)]
            raise ConfigError(in_one(told, place))
        return cls(
            base=base,
            over=over,
            design=design,
            points=None if points is None else int(points),
            seed=int(seed),
            search=None if search is None else _searched(search),
            trajectories=trajectories,
            without=tuple(flat(plain_values(entry))[0] for entry in without),
            place=place,
        )

    @classmethod
    def from_toml(cls, file: str | Path) -> "Design":
        """Return the design of a sweep file: the keys of a run, and a table `sweep`.

        Args:
            file: The file; paths it names start from its own folder.

        Returns:
            The design.

        Raises:
            ConfigError: If it cannot be read, or anything in it is not as it must be.
        """
        place = Path(file)
        raw = _absolute(read_toml(place))
        table = raw.pop("sweep", None)
        if not isinstance(table, dict):
            raise ConfigError(
                f"{place} has no table [sweep]; name in [sweep.over] what varies."
            )
        table, faults = _told(table)
        over, twice = flat(table["over"])
        if faults:
            parts = {**PARTS, **{k: v for k, v in table.items() if k in PARTS}}
            known = {fault.partition(": ")[0] for fault in faults}
            more = [*twice, *structure_faults(raw, over, **parts)]
            more = [fault for fault in more if fault.partition(": ")[0] not in known]
            told = [*faults, *more, *base_faults(raw, over)]
            raise ConfigError(in_one(told, str(place)))
        table["over"] = _rooted(over, place.parent.absolute())
        return cls.of(raw, place=str(place), **table)

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the design, of its files' contents, of the version."""
        named = {**self.base, "over": self.over}
        return digest_of([FORMAT, VERSION, self.to_json(), contents(named)])

    def to_json(self) -> dict[str, Any]:
        """Return the design as plain values, without what no number depends on."""
        kept = {key: value for key, value in self.base.items() if key not in IDLE[:3]}
        return {
            "base": kept,
            "over": [[name, values] for name, values in self.over.items()],
            "design": self.design,
            "points": self.points,
            "seed": self.seed,
            "search": None if self.search is None else self.search.to_json(),
            "trajectories": self.trajectories,
            "without": list(self.without),
        }

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> "Design":
        """Return the design that `to_json` described."""
        search = plain["search"]
        if search is not None:
            search = Searched(**{**search, "grid": tuple(search["grid"])})
        kept = {key: plain[key] for key in ("base", "design", "points", "seed")}
        return cls(
            **kept,
            over=dict(plain["over"]),
            search=search,
            trajectories=plain["trajectories"],
            without=tuple(plain["without"]),
        )


def _searched(search: dict[str, Any]) -> Searched:
    axis = read_search(plain_values(search))[0]
    grid = () if axis is None else tuple(map(float, axis.grid(False)))
    words = {key: search[key] for key in ("goal", "method") if key in search}
    return Searched(search["field"], grid, **words)


def _told(table: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the arguments of `Design.of` in a table `sweep`, and its faults."""
    faults = [
        f"sweep.{key}: {no_such_key(key, SWEEP_KEYS)}"
        for key in table
        if key not in SWEEP_KEYS
    ]
    kept = {key: table[key] for key in SWEEP_KEYS if key in table and key != "keep"}
    keep = table.get("keep", {})
    for key, value, kind in (
        ("over", kept.setdefault("over", {}), dict),
        ("keep", keep, dict),
        ("without", kept.get("without", []), list),
    ):
        if not isinstance(value, kind):
            faults.append(f"sweep.{key}: {shown(value)} came; it must be a table.")
            kept["over"] = kept["over"] if isinstance(kept["over"], dict) else {}
            keep = keep if isinstance(keep, dict) else {}
    faults += [
        f"sweep.keep.{key}: {no_such_key(key, ['trajectories'])}"
        for key in keep
        if key != "trajectories"
    ]
    if kept.get("design", "grid") == "grid" and "seed" in kept:
        faults.append(
            "sweep.seed: belongs to random and latin_hypercube; seeds of starts are "
            "varied in sweep.over."
        )
    return {**kept, "trajectories": keep.get("trajectories", False)}, faults


def _absolute(raw: dict[str, Any]) -> dict[str, Any]:
    """Return the keys of a run with its files found from any folder."""
    for table, key in NAMING_FILES:
        below = raw.get(table)
        if isinstance(below, dict) and isinstance(below.get(key), str):
            raw = {**raw, table: {**below, key: os.path.abspath(below[key])}}
    return raw


def _rooted(over: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return axes with the files they name taken from the sweep file's folder."""
    rooted = {}
    for name, values in over.items():
        top, _, key = name.partition(".")
        if isinstance(values, list):
            values = [_moved(top, key, value, folder) for value in values]
        rooted[name] = values
    return rooted


def _moved(table: str, key: str, value: Any, folder: Path) -> Any:
    if isinstance(value, dict) and not key:
        return {k: _moved(table, k, each, folder) for k, each in value.items()}
    if isinstance(value, str) and (table, key) in NAMING_FILES:
        return str(folder / Path(value).expanduser())
    return value
