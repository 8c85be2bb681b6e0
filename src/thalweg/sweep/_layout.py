"""The points of a design: which value of every axis each of its runs takes."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from thalweg._core.errors import ConfigError
from thalweg.request.checking import in_one
from thalweg.request.entries import shelf_of
from thalweg.request.settings import Init
from thalweg.sweep._reading import DERIVED, path_of
from thalweg.sweep.axes import MOST, Axis, Ranged, read_axis
from thalweg.sweep.design import Design

WHOLE = ("depth", "width", "playground", "seed", "iterations")
"""Fields of a run that take whole numbers."""

SHELVES = {"init": "inits", "data": "datasets"}


@dataclass(frozen=True)
class Layout:
    """The values of every axis, and which of them each run takes.

    Attributes:
        names: Names of the axes.
        pools: The values of each.
        places: Of every run, the place of its value in each pool: `"run axis"`.
        left_out: Runs of the design that `sweep.without` leaves out.
    """

    names: tuple[str, ...]
    pools: tuple[list[Any], ...]
    places: np.ndarray
    left_out: int

    def chosen(self, run: int) -> dict[str, Any]:
        """Return the values of a run by the names of the axes."""
        row = self.places[run].tolist()
        taken = zip(self.names, self.pools, row, strict=True)
        return {name: pool[place] for name, pool, place in taken}

    def column(self, axis: int) -> list[Any]:
        """Return the values of an axis, one a run."""
        pool = self.pools[axis]
        return [pool[place] for place in self.places[:, axis].tolist()]


def lay_out(design: Design) -> Layout:
    """Return the points of a design.

    A grid takes every combination, the last axis fastest. A random design draws a
    row of independent uniform numbers a run, so that a longer one begins with a
    shorter one. A Latin hypercube puts exactly one run into each of `points` equal
    slices of every axis.

    Args:
        design: The design.

    Returns:
        Its layout.

    Raises:
        ConfigError: If it has too many runs, or none.
    """
    read = {
        name: read_axis(raw, random=design.design != "grid")[0]
        for name, raw in design.over.items()
    }
    axes = {name: axis for name, axis in read.items() if axis is not None}
    whole = {name: _is_whole(name, axis, design) for name, axis in axes.items()}
    faults = [
        f"{path_of(name)}: goes from {axis.low} to {axis.high}; both must be whole."
        for name, axis in axes.items()
        if isinstance(axis, Ranged) and whole[name] and axis.low % 1 + axis.high % 1
    ]
    if faults:
        raise ConfigError(in_one(faults, design.place))
    drawn = _gridded if design.design == "grid" else _sampled
    pools, places = drawn(design, axes, whole)
    kept, faults = _kept(design, tuple(axes), pools, places)
    if not kept.any():
        faults.append("sweep.without: leaves no run; take an entry away.")
    if faults:
        raise ConfigError(in_one(faults, design.place))
    return Layout(tuple(axes), tuple(pools), places[kept], int((~kept).sum()))


def raw_of(base: dict[str, Any], chosen: dict[str, Any]) -> dict[str, Any]:
    """Return the keys of a run: the base with the values of an axis put over it.

    Args:
        base: The keys all runs share.
        chosen: Values by dotted name; tables before their fields, whatever the order.

    Returns:
        Keys as in a run's TOML file; nothing of `base` is changed.

    Example:
        >>> raw_of({"init": "gaussian", "hidden": [8]}, {"init.std": 0.1, "depth": 3})
        {'init': {'name': 'gaussian', 'std': 0.1}, 'hidden': [8, 8]}
    """
    tree = dict(base)
    for name in sorted(chosen, key=lambda name: name.count(".")):
        if name not in DERIVED:
            tree = put(tree, name.split("."), chosen[name])
    if isinstance(tree.get("init"), dict):
        default = Init.model_fields["name"].default
        tree["init"] = {"name": default, **tree["init"]}
    depth = chosen.get("depth")
    if depth is not None and "playground" in tree:
        return tree | {"playground": int(depth)}
    if set(DERIVED) & set(chosen):
        hidden = tree.get("hidden", [32, 32])
        width = int(chosen.get("width", (hidden or [32])[0]))
        layers = len(hidden) if depth is None else int(depth) - 1
        tree["hidden"] = [width] * layers
    return tree


def put(tree: dict[str, Any], path: list[str], value: Any) -> dict[str, Any]:
    """Return a tree of keys with a value at a path, all else shared."""
    key, *rest = path
    if not rest:
        return {**tree, key: value}
    below = tree.get(key)
    table = {"name": below} if isinstance(below, str) else below
    return {**tree, key: put(table if isinstance(table, dict) else {}, rest, value)}


def _is_whole(name: str, axis: Axis, design: Design) -> bool:
    """Return whether a range is of a field that takes whole numbers."""
    if name in WHOLE or not isinstance(axis, Ranged):
        return name in WHOLE
    table, _, key = name.partition(".")
    entries = {str(each) for each in _names(design, table)}
    shelf = shelf_of(SHELVES[table]) if table in SHELVES and entries else None
    hints = [
        str(shelf.entry(entry).__dataclass_fields__[key].type)  # type: ignore[attr-defined]
        for entry in entries
        if shelf is not None and entry in shelf and key in shelf.fields(entry)
    ]
    return bool(hints) and all("int" in hint and "float" not in hint for hint in hints)


def _names(design: Design, table: str) -> Iterable[Any]:
    """Return the names of entries that a design gives a table."""
    listed = design.over.get(f"{table}.name", design.over.get(table))
    given = listed if isinstance(listed, list) else [design.base.get(table)]
    for each in given:
        name = each.get("name") if isinstance(each, dict) else each
        if name is not None:
            yield name


def _gridded(
    design: Design, axes: dict[str, Axis], whole: dict[str, bool]
) -> tuple[list[list[Any]], np.ndarray]:
    pools = [axis.grid(whole[name]) for name, axis in axes.items()]
    sizes = [len(pool) for pool in pools]
    runs = reduce(lambda product, size: product * size, sizes, 1)
    if runs > MOST:
        raise ConfigError(
            f"the grid has {runs} runs ({' x '.join(map(str, sizes))}); {MOST} are the "
            "most, take fewer points or a random design."
        )
    places = np.indices(sizes).reshape(len(sizes), runs).T if sizes else None
    return pools, np.zeros((1, 0), dtype=np.int64) if places is None else places


def _sampled(
    design: Design, axes: dict[str, Axis], whole: dict[str, bool]
) -> tuple[list[list[Any]], np.ndarray]:
    points = design.points or 0
    if points > MOST:
        raise ConfigError(f"points is {points}; {MOST} runs are the most.")
    rng = np.random.default_rng(design.seed)
    drawn = rng.random((points, len(axes)))
    if design.design == "latin_hypercube":
        slices = rng.permuted(np.tile(np.arange(points), (len(axes), 1)), axis=1).T
        drawn = (slices + drawn) / points
    drawn = np.minimum(drawn, np.nextafter(1.0, 0.0))
    taken = [
        axis.at(drawn[:, place], whole[name])
        for place, (name, axis) in enumerate(axes.items())
    ]
    places = [place for _, place in taken]
    stacked = np.stack(places, axis=1) if places else np.zeros((points, 0), np.int64)
    return [pool for pool, _ in taken], stacked


def _kept(
    design: Design, names: tuple[str, ...], pools: list[list[Any]], places: np.ndarray
) -> tuple[np.ndarray, list[str]]:
    """Return which runs are kept, and the combinations that leave nothing out."""
    kept, faults = np.ones(len(places), dtype=bool), []
    for entry in design.without:
        matched = np.ones(len(places), dtype=bool)
        for name, wanted in entry.items():
            axis = names.index(name)
            several = wanted if isinstance(wanted, list) else [wanted]
            listed = np.array([v in several or v == wanted for v in pools[axis]])
            matched &= listed[places[:, axis]]
        if not matched.any():
            told = ", ".join(f"{name} = {value!r}" for name, value in entry.items())
            faults.append(f"sweep.without: no run has {told}; check names and values.")
        kept &= ~matched
    return kept, faults
