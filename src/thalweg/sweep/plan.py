"""From a design to runs: columns, keys, settings, groups, chunks."""

import json
import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from thalweg._core.errors import ConfigError
from thalweg.request.checking import in_one
from thalweg.sweep._fits import Fits
from thalweg.sweep._layout import Layout, lay_out
from thalweg.sweep._telling import faults_of
from thalweg.sweep._units import Class, Units, classes_of, filled, kind_of, learn
from thalweg.sweep.design import Design
from thalweg.sweep.grouping import Group, bytes_per_run, grouped
from thalweg.sweep.keys import canonical, key_of
from thalweg.sweep.search import Request

__all__ = ["Group", "Plan", "bytes_per_run", "plan"]


@dataclass(frozen=True)
class Plan:
    """The runs of a design, in its order.

    Of a design with a search these are its points (the searched field at the smallest
    of its grid); `candidates` gives the runs of a round.

    Attributes:
        design: The design.
        columns: Value of every axis, one a run, by the axis' name; tables and lists
            as compact JSON text.
        keys: Key of every run (of a point, with the search in it). Runs that are the
            same have one key.
        left_out: Runs of the design that `sweep.without` leaves out.
        made: Settings that are known already; otherwise they are planned when asked
            for.
    """

    design: Design
    columns: dict[str, list[Any]]
    keys: tuple[str, ...]
    left_out: int = 0
    made: Sequence[dict[str, Any]] | None = field(
        default=None, repr=False, compare=False
    )

    def __len__(self) -> int:
        """Return the number of runs."""
        return len(self.keys)

    @cached_property
    def units(self) -> Sequence[dict[str, Any]]:
        """Return the plain settings of every run, made when asked for.

        `Settings.model_validate` accepts each. They hold everything that decides the
        numbers and nothing else: no out, page, figures, records, every; `measures` and
        `theorems` are empty unless the base asks for some.
        """
        return plan(self.design).units if self.made is None else self.made

    @property
    def recording(self) -> dict[str, Any]:
        """Return what kept trajectories record: measures, and records or every.

        What the base says of them; what it does not say is left to `thalweg run`'s own
        defaults.
        """
        wanted = ("measures", "records", "every")
        return {key: self.design.base[key] for key in wanted if key in self.design.base}

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """Return the runs by compiled program, in the order of their first run."""
        return grouped(self.units)

    def chunks(
        self,
        *,
        most: int = 1024,
        memory: int | None = None,
        per_run: Callable[[dict[str, Any]], int] = bytes_per_run,
        missing: Collection[str] | None = None,
    ) -> list[dict[str, Any]]:
        """Return tasks `{"group", "runs": [{"key", "settings"}, ...], "recording"}`.

        Equal keys come once; a task holds runs of one group, in the order of the plan.
        `recording` is `None` unless trajectories are kept.

        Args:
            most: Most runs of a task.
            memory: Most bytes of a task; a task has at least one run.
            per_run: Bytes a run of given settings holds; asked once a group.
            missing: Keys that are wanted; all by default.

        Returns:
            The tasks, as values that `json` can write.
        """
        wanted = set(self.keys if missing is None else missing)
        recording = self.recording if self.design.trajectories else None
        tasks = []
        for group in self.groups:
            runs = [run for run in group.runs if self.keys[run] in wanted]
            firsts = list({self.keys[run]: run for run in reversed(runs)}.values())
            firsts.reverse()
            wanted.difference_update(self.keys[run] for run in firsts)
            size = most
            if memory is not None and firsts:
                each = max(1, per_run(self.units[firsts[0]]))
                size = max(1, min(most, memory // each))
            for start in range(0, len(firsts), size):
                part = [
                    {"key": self.keys[run], "settings": self.units[run]}
                    for run in firsts[start : start + size]
                ]
                tasks.append(
                    {"group": group.label, "runs": part, "recording": recording}
                )
        return tasks

    def candidates(self, requests: Iterable[Request]) -> "Plan":
        """Return the plan of a search's round: one run a request, in their order.

        Args:
            requests: What `Search.requests` asks for.

        Returns:
            A plan whose columns are those of the points, `point` and the searched
            field; a budget is the run's `iterations`.

        Raises:
            ConfigError: If the design has no search.
        """
        if self.design.search is None:
            raise ConfigError("the design has no search; there are no candidates.")
        asked = list(requests)
        name = self.design.search.field
        units = [_candidate(self.units, name, request) for request in asked]
        columns = {
            axis: [values[request.point] for request in asked]
            for axis, values in self.columns.items()
        }
        columns["point"] = [request.point for request in asked]
        columns[name] = [request.value for request in asked]
        keys = tuple(key_of(unit) for unit in units)
        return Plan(self.design, columns, keys, made=units)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return columns and keys as arrays, for `np.savez`."""
        arrays = {"keys": np.array(self.keys, dtype="S64")}
        arrays["left_out"] = np.array(self.left_out)
        for place, (name, values) in enumerate(self.columns.items()):
            kinds = {type(value) for value in values}
            if kinds == {float} or (kinds == {int} and _small(values)):
                arrays[f"{place:04d} number {name}"] = np.array(values)
                continue
            # Words may be long, and are few: each is kept once.
            known: dict[Any, int] = {}
            codes = [known.setdefault(_told_apart(v), len(known)) for v in values]
            told = [json.dumps(word) for _, word in known]
            arrays[f"{place:04d} word {name}"] = np.array(codes)
            arrays[f"{place:04d} spelling {name}"] = np.array(told)
        return arrays

    @classmethod
    def from_arrays(cls, design: Design, arrays: Any) -> "Plan":
        """Return the plan that `to_arrays` described, without planning it again.

        Args:
            design: The design it is of.
            arrays: A mapping of names to arrays, as `np.load` gives.

        Returns:
            The plan; settings and groups are planned should they be asked for.
        """
        columns = {}
        for label in sorted(name for name in arrays if " " in name):
            place, kind, name = label.split(" ", 2)
            if kind == "number":
                columns[name] = arrays[label].tolist()
            elif kind == "word":
                told = arrays[f"{place} spelling {name}"].tolist()
                words = list(map(json.loads, told))
                columns[name] = [words[code] for code in arrays[label].tolist()]
        keys = tuple(key.decode() for key in arrays["keys"].tolist())
        return cls(design, columns, keys, int(arrays["left_out"]))


def plan(design: Design) -> Plan:
    """Return the runs of a design, every setting and every combination checked.

    Values that no run can have, and combinations that cannot go together, are all
    named in one error; none is dropped. What is validated, and why that is enough, is
    said in `_units`.

    Args:
        design: The design.

    Returns:
        Its runs. Ten thousand take about a second once JAX is there.

    Raises:
        ConfigError: If the settings of any run are not as they must be, if a start
            refuses its net, or if data are not there.

    Example:
        >>> base = {"data": {"target": [[2.0, 0.0], [0.0, 1.0]]}, "iterations": 500}
        >>> runs = plan(Design.of(base, {"depth": [2, 3], "init.std": [0.1, 0.2]}))
        >>> len(runs), runs.columns["depth"], runs.units[3]["hidden"]
        (4, [2, 2, 3, 3], [32, 32])
        >>> [group.runs for group in runs.groups]
        [(0, 1), (2, 3)]
    """
    layout = lay_out(design)
    units = Units(layout, _checked(design, layout))
    cells = replace(layout, pools=tuple(list(map(_cell, p)) for p in layout.pools))
    columns = {name: cells.column(axis) for axis, name in enumerate(cells.names)}
    if design.search is None:
        keys = tuple(key_of(unit) for unit in units)
    else:
        search = design.search.to_json()
        keys = tuple(
            key_of(_without(unit, design.search.field), search=search) for unit in units
        )
    return Plan(design, columns, keys, layout.left_out, units)


def _checked(design: Design, layout: Layout) -> list[Class]:
    """Return the classes of a design's runs, or raise with all that is wrong."""
    search = None
    if design.search is not None:
        search = (design.search.field, design.search.grid)
    parts: list[Class] = []
    wanting: list[dict[str, Any]] = []
    fits = Fits()
    for runs, ends in classes_of(layout, search):
        part = learn(design, runs, ends)
        if not isinstance(part, Class):
            wanting += ends
            continue
        parts.append(part)
        tried = _nets(layout, part)
        wanting += [each for each in tried if fits.faults(filled(part, each))]
    told = faults_of(design, layout, wanting) if wanting else []
    if design.search is not None and design.search.goal == "iterations":
        flows = any(part.template.get("flow") for part in parts)
        told += [
            "sweep.search.goal: 'iterations' is of descents, and a flow has none; take "
            "'loss'."
        ] * flows
    if told:
        raise ConfigError(in_one(told, design.place))
    return parts


def _nets(layout: Layout, part: Class) -> Iterable[dict[str, Any]]:
    """Yield the ends of a class at each of its widths."""
    if "width" not in layout.names:
        yield from part.ends
        return
    axis = layout.names.index("width")
    pool = layout.pools[axis]
    widths = {pool[place] for place in layout.places[part.runs, axis].tolist()}
    for width in sorted(widths):
        for chosen in part.ends:
            yield {**chosen, "width": width}


def _candidate(
    units: Sequence[dict[str, Any]], name: str, request: Request
) -> dict[str, Any]:
    """Return the settings of a requested run."""
    unit = dict(units[request.point])
    value: Any = request.value
    if isinstance(units, Units):
        value = units.part(request.point).kinds[name, kind_of(value)](value)
    table, dot, key = name.partition(".")
    unit[table] = {**unit[table], key: value} if dot else value
    if request.budget is not None and "iterations" in unit:
        unit["iterations"] = min(unit["iterations"], request.budget)
    return unit


def _without(unit: dict[str, Any], name: str) -> dict[str, Any]:
    table, dot, key = name.partition(".")
    if not dot:
        return {kept: value for kept, value in unit.items() if kept != table}
    return {**unit, table: {k: v for k, v in unit[table].items() if k != key}}


def _cell(value: Any) -> Any:
    return canonical(value) if isinstance(value, dict | list) else value


def _told_apart(value: Any) -> tuple[Any, Any]:
    """Return what two cells share only if they are the same: 1 is not true."""
    kind = (type(value), math.copysign(1.0, value)) if value == 0 else type(value)
    return kind, value


def _small(values: list[Any]) -> bool:
    return all(-(2**63) <= value < 2**63 for value in values)
