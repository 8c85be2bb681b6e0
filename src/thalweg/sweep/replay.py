"""From a row of a sweep back to the settings of a run."""

import json
import math
from collections.abc import Mapping
from typing import Any

from thalweg.sweep.design import Design
from thalweg.sweep.plan import plan
from thalweg.sweep.search import Request

DEFAULTED = ("measures", "theorems")
"""Settings that a sweep leaves empty, and a run fills in."""


def settings_of(design: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a row.

    Args:
        design: The design, as plain values.
        row: The row's values by column.

    Returns:
        The keys and values of a file for `thalweg run`; of a search those of its best
        run, or where nothing was found those of its point.
    """
    asked = Design.from_json(dict(design))
    planned, place = plan(asked), int(row["run"])
    best = None if asked.search is None else row.get(asked.search.field)
    if best is None or math.isnan(best):
        unit = planned.units[place]
    else:
        unit = planned.candidates([Request(place, 0, best, None)]).units[0]
    return {k: v for k, v in unit.items() if v or k not in DEFAULTED}


def toml_of(settings: Mapping[str, Any]) -> str:
    """Return plain settings as TOML.

    Args:
        settings: Keys and values; tables may lie in tables.

    Returns:
        The text.

    Example:
        >>> print(toml_of({"hidden": [2], "init": {"name": "he"}, "leap": False}))
        hidden = [2]
        leap = false
        init = {"name" = "he"}
        <BLANKLINE>
    """
    tables = [key for key, value in settings.items() if isinstance(value, dict)]
    order = [key for key in settings if key not in tables] + tables
    return "".join(f"{key} = {_toml(settings[key])}\n" for key in order)


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        inner = ", ".join(f"{_toml(key)} = {_toml(v)}" for key, v in value.items())
        return f"{{{inner}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value)
