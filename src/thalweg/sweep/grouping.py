"""Which runs one compiled program serves, and what a run holds in memory."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from thalweg.request.settings import Settings
from thalweg.sweep.keys import canonical
from thalweg.sweep.problems import shared_problem

NUMBER = 8
"""Bytes of a number."""

COPIES = 12
"""How many arrays of the size of its weights a run holds: weights, velocity,
gradient, their predecessors, and what the layers pass on."""


@dataclass(frozen=True)
class Group:
    """Runs that one compiled program serves.

    Attributes:
        label: What they share, in words.
        runs: Their places in the plan, ascending.
    """

    label: str
    runs: tuple[int, ...]


def grouped(units: Iterable[dict[str, Any]]) -> tuple[Group, ...]:
    """Return runs by what a compiled program depends on.

    Net, kind of motion, what is recorded, and the shapes of the data: of a target its
    own, of a data set its recipe but for the seed. Numbers (step sizes, accuracies,
    seeds) and inits are not among them.

    Args:
        units: Plain settings, one a run.

    Returns:
        The groups, in the order of their first run.

    Example:
        >>> one = {"data": {"target": [[1.0, 2.0]]}, "hidden": [3], "step_size": 0.1}
        >>> other = {**one, "data": {"target": [[5.0, 6.0]]}, "step_size": 0.2}
        >>> [group.runs for group in grouped([one, {**one, "hidden": [4]}, other])]
        [(0, 2), (1,)]
    """
    found: dict[str, tuple[str, list[int]]] = {}
    for run, unit in enumerate(units):
        program = canonical([_data(unit), _net(unit), _motion(unit)])
        found.setdefault(program, (_label(unit), []))[1].append(run)
    return tuple(Group(label, tuple(runs)) for label, runs in found.values())


def bytes_per_run(settings: dict[str, Any]) -> int:
    """Return about how many bytes a run holds while it is carried out.

    Args:
        settings: Its plain settings.

    Returns:
        A dozen copies of its weights, and its share of data of its own.
    """
    problem = shared_problem(Settings.model_validate(settings))[0]
    inputs, outputs = problem.net.widths[0], problem.net.widths[-1]
    own = inputs * inputs + 2 * inputs * outputs + outputs * outputs
    return NUMBER * (COPIES * problem.net.parameters + own)


def _data(unit: dict[str, Any]) -> Any:
    data = unit.get("data")
    if data is None:
        return None
    if "target" in data:
        rows = data["target"]
        return [len(rows), len(rows[0]), data.get("scale")]
    return {key: value for key, value in data.items() if key != "seed"}


def _net(unit: dict[str, Any]) -> Any:
    return unit.get("playground") or unit.get("hidden", [])


def _motion(unit: dict[str, Any]) -> list[Any]:
    words = ("flow", "solver", "leap", "optimizer", "compress", "measures", "theorems")
    return [*(unit.get(word) for word in words), bool(unit.get("momentum"))]


def _label(unit: dict[str, Any]) -> str:
    data, hidden = unit.get("data") or {}, unit.get("hidden", [])
    if "playground" in unit:
        what = f"playground of depth {unit['playground']}"
    else:
        ends = _data(unit)[:2] if "target" in data else None
        named = data.get("name") or data.get("file") or data.get("moments")
        what = f"{ends[0]} x {ends[1]} target" if ends else f"{named}"
        what += f", hidden {'-'.join(map(str, hidden)) or 'none'}"
    kinds = [word for word in ("flow", "leap") if unit.get(word)]
    kinds += [unit["optimizer"]] if unit.get("optimizer") else []
    return f"{what}, {kinds[0] if kinds else 'descent'}"
