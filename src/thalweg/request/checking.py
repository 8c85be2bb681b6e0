"""From the keys of a run to checked settings: defaults, conflicts, all faults."""

from typing import Any

from pydantic import ValidationError

from thalweg._core.errors import ConfigError
from thalweg.request.faults import sentences
from thalweg.request.keys import DESCENT, FLOW, FLOWING, FLOWLESS, LEAP, LINEAR
from thalweg.request.posing import unfitting_theorems
from thalweg.request.settings import Settings


def checked(raw: dict[str, Any], *, runs: bool = True) -> Settings:
    """Return the settings that keys and values describe, defaults filled in.

    Args:
        raw: What a settings file holds, as `tomllib` reads it.
        runs: Whether it is for a run; a certificate needs no horizon.

    Returns:
        The settings.

    Raises:
        ConfigError: If anything is not as it must be; every fault is told.
    """
    settings, told = looked_at(raw, runs=runs)
    if settings is None:
        raise ConfigError(in_one(told))
    return settings


def looked_at(
    raw: dict[str, Any], *, runs: bool = True
) -> tuple[Settings | None, list[str]]:
    """Return the settings, or `None` and what is wrong with them.

    Args:
        raw: What a settings file holds.
        runs: Whether it is for a run.

    Returns:
        The settings and no sentence, or nothing and one sentence a fault.
    """
    told = [f"{path}: {text}" for path, text in _conflicts(raw, runs)]
    try:
        settings = Settings.model_validate(_completed(raw))
    except ValidationError as error:
        return None, [*sentences(error, Settings.model_fields), *told]
    told += [
        f"theorems: {name} is about a random {init} start; take init = "
        f"'{init}' with a std above 0."
        for name, init in unfitting_theorems(settings)
    ]
    return (None if told else settings), told


def in_one(told: list[str], place: str = "") -> str:
    """Return several faults as one message.

    Args:
        told: One sentence a fault.
        place: What they are about, as `run.toml`.

    Returns:
        The message.
    """
    lead = f"{place}: " if place else ""
    if len(told) == 1:
        return lead + told[0]
    lines = "".join(f"\n  {line}" for line in told)
    return f"{lead}{len(told)} faults:{lines}"


def _completed(raw: dict[str, Any]) -> dict[str, Any]:
    """Return the keys with the defaults of this kind of problem and motion."""
    plain = LEAP if raw.get("leap") is True else DESCENT
    full = {**(FLOW if raw.get("flow") is True else plain), **raw}
    if "playground" not in raw:
        full = {**LINEAR, **full}
    elif not {"start", "init"} & raw.keys():
        depth = raw["playground"]
        if isinstance(depth, int) and 1 <= depth <= 10**6:
            full["start"] = [0.5] * depth
    if "every" not in raw:
        full = {"records": 200, **full}
    return full


def _conflicts(raw: dict[str, Any], runs: bool) -> list[tuple[str, str]]:
    """Return the keys that do not go together."""
    return [*_problem_conflicts(raw), *_motion_conflicts(raw, runs)]


def _problem_conflicts(raw: dict[str, Any]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    if "playground" in raw:
        found += [
            (key, "came with playground, which has none; leave one of them out.")
            for key in ("data", "hidden")
            if key in raw
        ]
    elif "data" not in raw:
        found.append(
            (
                "data",
                "is missing; name a data set (as --data diabetes), a file, a target, "
                "or take the playground.",
            )
        )
    start, depth = raw.get("start"), raw.get("playground")
    if start is not None and depth is None:
        found.append(("start", "belongs to the playground; other nets have an init."))
    elif isinstance(start, list) and isinstance(depth, int) and len(start) != depth:
        found.append(
            ("start", f"holds {len(start)} numbers; the playground needs {depth}.")
        )
    if start is not None and "init" in raw:
        found.append(("start", "came with init; leave one of them out."))
    return found


def _motion_conflicts(raw: dict[str, Any], runs: bool) -> list[tuple[str, str]]:
    found = []
    if raw.get("flow") is True:
        found += [
            (key, "belongs to a descent, and flow is true; leave one of them out.")
            for key in FLOWLESS
            if raw.get(key) not in (None, False)
        ]
        if "horizon" not in raw and runs:
            found.append(("horizon", "is missing; a flow needs a time to reach."))
        if isinstance(raw.get("records"), int) and raw["records"] < 3:
            found.append(("records", "must be at least 3 for a flow."))
    else:
        found += [
            (key, "belongs to a flow; set flow = true, or leave it out.")
            for key in FLOWING
            if key in raw
        ]
        if "optimizer" in raw:
            found += [
                (key, "came with optimizer; leave one of them out.")
                for key in ("leap", "momentum", "gradient_tolerance")
                if raw.get(key) not in (None, False)
            ]
        if "tolerance" in raw and raw.get("leap") is not True:
            found.append(("tolerance", "belongs to leaps; set leap = true as well."))
    if "records" in raw and "every" in raw:
        found.append(("records", "came with every; leave one of them out."))
    return found
