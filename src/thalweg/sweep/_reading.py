"""The table `sweep` of a file, checked: its structure, not yet the runs' settings."""

import difflib
from collections.abc import Collection
from typing import Any

from thalweg.request.checking import looked_at
from thalweg.request.faults import no_such_key, shown
from thalweg.request.settings import Settings
from thalweg.sweep.axes import KEYS, Axis, Listed, Ranged, is_number, read_axis

DESIGNS = ("grid", "random", "latin_hypercube")
GOALS = ("iterations", "loss")
METHODS = ("bracket", "exhaustive")
DERIVED = ("depth", "width")
"""Fields of a design that write others: `hidden`, or `playground`."""

IDLE = ("out", "page", "figures", "records", "every")
"""Keys of a run that no number of a row depends on."""

TABLES = ("data", "init")
"""Keys of a run with keys of their own."""

SWEEP_KEYS = ("design", "points", "seed", "over", "search", "keep", "without")
SEARCH_KEYS = ("field", "from", "to", "points", "spacing", "goal", "method")


def path_of(name: str) -> str:
    """Return where a field stands in the file: `sweep.over."init.std"`."""
    return f'sweep.over."{name}"' if "." in name else f"sweep.over.{name}"


def flat(table: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the fields of a table under dotted names, and what came twice.

    TOML reads `init.std = [...]` as a table in a table; a range is no such table.
    """
    found: dict[str, Any] = {}
    faults = []
    for key, value in table.items():
        inner = {key: value}
        if isinstance(value, dict) and value and not set(value) & set(KEYS):
            below, more = flat(value)
            faults += more
            inner = {f"{key}.{name}": each for name, each in below.items()}
        for name, each in inner.items():
            if name in found:
                faults.append(f"{path_of(name)}: came twice; leave one of them out.")
            found[name] = each
    return found, faults


def structure_faults(
    base: dict[str, Any],
    over: dict[str, Any],
    *,
    design: Any,
    points: Any,
    seed: Any,
    search: Any,
    without: Any,
) -> list[str]:
    """Return what is wrong with the parts of a design, each and together.

    Args:
        base: The keys of a run.
        over: What varies, by dotted name.
        design: The kind of design.
        points: Its number of points.
        seed: Its seed.
        search: The table of the search.
        without: The combinations left out.

    Returns:
        One sentence a fault, each with its place in the file.
    """
    faults = _kind_faults(design, points, seed)
    random = design in DESIGNS[1:]
    if not over and search is None:
        faults.append("sweep.over: is missing; name at least one field that varies.")
    for name, raw in over.items():
        told = [*_name_faults(name), *read_axis(raw, random=random)[1]]
        axis = read_axis(raw, random=random)[0]
        if name in (*DERIVED, "playground") and axis is not None:
            told += _counts_faults(axis)
        faults += [f"{path_of(name)}: {text}" for text in told]
    faults += _together_faults(base, over)
    if search is not None:
        faults += _search_faults(search, over)
    for entry in without if isinstance(without, list | tuple) else [without]:
        faults += _without_faults(entry, over)
    return faults


def base_faults(base: dict[str, Any], over: Collection[str]) -> list[str]:
    """Return the faults of the base that no value of an axis can mend."""
    told = looked_at({"theorems": [], **base})[1]
    return [
        line
        for line in told
        if ": is missing" not in line and " came with " not in line
        if not any(_same_branch(line.partition(": ")[0], name) for name in over)
    ]


def _same_branch(path: str, name: str) -> bool:
    return f"{path}.".startswith(f"{name}.") or f"{name}.".startswith(f"{path}.")


def _kind_faults(design: Any, points: Any, seed: Any) -> list[str]:
    faults = []
    if design not in DESIGNS:
        near = difflib.get_close_matches(str(design), DESIGNS, n=1, cutoff=0.4)
        hint = f"did you mean '{near[0]}'?" if near else f"take {', '.join(DESIGNS)}."
        faults.append(f"sweep.design: {shown(design)} came; {hint}")
    elif design == "grid" and points is not None:
        faults.append(
            "sweep.points: belongs to random and latin_hypercube; on a grid every "
            "range has points of its own."
        )
    elif design != "grid" and points is None:
        faults.append(f"sweep.points: is missing; '{design}' needs their number.")
    if points is not None and not _whole(points, 1):
        faults.append(f"sweep.points: {shown(points)} came; it must be at least 1.")
    if not _whole(seed, 0):
        faults.append(f"sweep.seed: {shown(seed)} came; it must be a whole number.")
    return faults


def _name_faults(name: str) -> list[str]:
    top, dot, _ = name.partition(".")
    known = [key for key in Settings.model_fields if key not in IDLE]
    if top in IDLE:
        return ["no number of a row depends on it; set it above, for all runs."]
    if top not in known and name not in DERIVED:
        return [no_such_key(top, [*known, *DERIVED])]
    if dot and top not in TABLES:
        return [f"'{top}' is no table; only {' and '.join(TABLES)} have fields."]
    return []


def _counts_faults(axis: Axis) -> list[str]:
    ends = [axis.low, axis.high] if isinstance(axis, Ranged) else axis.values
    return [
        f"{shown(value)} came; it must be a whole number >= 1."
        for value in ends
        if not _whole(value, 1)
    ]


def _together_faults(base: dict[str, Any], over: dict[str, Any]) -> list[str]:
    """Return the fields that write the same, or have nothing to write."""
    faults = []
    played = "playground" in base or "playground" in over
    for name in DERIVED:
        if name in over and "hidden" in over:
            faults.append(
                f"{path_of(name)}: came with sweep.over.hidden, which it would write; "
                "leave one of them out."
            )
    if "depth" in over and "playground" in over:
        faults.append(
            "sweep.over.depth: came with sweep.over.playground, which it would write; "
            "leave one of them out."
        )
    if "width" in over and played:
        faults.append(
            "sweep.over.width: came with playground, whose widths are one; leave one "
            "of them out."
        )
    hidden = base.get("hidden", [32])
    if played or "hidden" in over or not isinstance(hidden, list):
        return faults
    if "depth" in over and "width" not in over and len(set(map(str, hidden))) != 1:
        faults.append(
            f"sweep.over.depth: hidden is {hidden}, which names no one width for "
            "other depths; give equal widths, or sweep.over.width."
        )
    return faults


def _search_faults(search: Any, over: dict[str, Any]) -> list[str]:
    if not isinstance(search, dict):
        return [f"sweep.search: {shown(search)} came; it must be a table."]
    faults = [
        f"sweep.search.{key}: {no_such_key(key, SEARCH_KEYS)}"
        for key in search
        if key not in SEARCH_KEYS
    ]
    for key, words in (("goal", GOALS), ("method", METHODS)):
        if search.get(key, words[0]) not in words:
            told = " or ".join(f"'{word}'" for word in words)
            faults.append(
                f"sweep.search.{key}: {shown(search[key])} came; it must be {told}."
            )
    field = search.get("field")
    if not isinstance(field, str):
        return [*faults, "sweep.search.field: is missing; name a field of a run."]
    wrong = _name_faults(field)
    if field in (*DERIVED, "playground"):
        wrong = [f"{field} is no number to search; vary it."]
    if field in over:
        wrong.append("came in sweep.over as well; leave it out of one of them.")
    faults += [f"sweep.search.field: {text}" for text in wrong]
    if "points" not in search:
        return [*faults, "sweep.search.points: is missing; give their number."]
    return [*faults, *(f"sweep.search: {text}" for text in read_search(search)[1])]


def read_search(search: dict[str, Any]) -> tuple[Axis | None, list[str]]:
    """Return the grid of a search, logarithmic unless it says otherwise."""
    kept = {key: search[key] for key in KEYS if key in search}
    if not set(kept) & {"from", "to"}:
        return None, ["from and to are missing; a search has a smallest and a largest."]
    return read_axis({"spacing": "log", **kept}, random=False)


def _without_faults(entry: Any, over: dict[str, Any]) -> list[str]:
    if not isinstance(entry, dict) or not entry:
        return [f"sweep.without: {shown(entry)} came; it must be a table with fields."]
    fields, faults = flat(entry)
    return faults + [
        f'sweep.without."{name}": {no_such_key(name, over)}'
        for name in fields
        if name not in over
    ]


def plain_values(value: Any) -> Any:
    """Return arrays and tuples of any depth as lists, paths as text."""
    if isinstance(value, dict):
        return {str(key): plain_values(each) for key, each in value.items()}
    if hasattr(value, "tolist"):
        return plain_values(value.tolist())
    if isinstance(value, list | tuple | range):
        return [plain_values(each) for each in value]
    if isinstance(value, int | float | str | bool | None):
        return value
    return value if isinstance(value, Listed) else str(value)


def _whole(value: Any, least: int) -> bool:
    return is_number(value) and value % 1 == 0 and value >= least
