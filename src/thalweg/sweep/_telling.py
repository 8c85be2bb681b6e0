"""Faults of a design's runs as sentences: which values, or which combinations."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, islice
from typing import Any

import numpy as np

from thalweg.sweep._fits import Fits, is_free
from thalweg.sweep._layout import Layout
from thalweg.sweep._reading import path_of
from thalweg.sweep._units import plain_unit
from thalweg.sweep.axes import is_number
from thalweg.sweep.design import Design

LOOKED = 20_000
"""Most runs that are looked at one by one to say what is wrong."""

TRIED = 400
"""Most starts that are tried for it."""

SHOWN = 4
"""How many combinations are spelled out."""

WRITES = {"depth": ("hidden", "playground", "start"), "width": ("hidden",)}
"""What derived axes write."""


@dataclass(frozen=True)
class Family:
    """Faults that differ in their numbers only.

    Attributes:
        path: The key they are about.
        text: The first of them.
        rows: The rows looked at that have it.
    """

    path: str
    text: str
    rows: list[int]


def faults_of(
    design: Design, layout: Layout, ends: Sequence[dict[str, Any]]
) -> list[str]:
    """Return one sentence for every kind of fault, naming values or combinations.

    Args:
        design: The design.
        layout: Its points.
        ends: Values that were found wanting among others.

    Returns:
        The sentences; none if nothing is wrong.
    """
    count = min(len(layout.places), LOOKED)
    runs = np.unique(np.linspace(0, len(layout.places) - 1, count).astype(int))
    searched: list[dict[str, Any]] = [{}]
    if design.search is not None:
        grid = design.search.grid
        searched = [{design.search.field: value} for value in (grid[0], grid[-1])]
    rows = [layout.chosen(int(run)) | more for more in searched for run in runs]
    rows += list(ends)
    families = _families(design, rows)
    return [_sentence(family, rows, design) for family in families]


def _families(design: Design, rows: list[dict[str, Any]]) -> list[Family]:
    found: dict[tuple[str, str], Family] = {}
    fits, tried = Fits(), 0
    for number, chosen in enumerate(rows):
        unit, told = plain_unit(design, chosen)
        if unit is not None:
            tried += "init" in unit and not is_free(unit["init"])
            told = fits.faults(unit) if tried <= TRIED else []
        for line in told:
            path, _, text = line.partition(": ")
            family = (path, re.sub(r"[-+]?\d[\w.+-]*", "#", text))
            found.setdefault(family, Family(path, text, [])).rows.append(number)
    return list(found.values())


def _sentence(family: Family, rows: list[dict[str, Any]], design: Design) -> str:
    """Return a fault with its place, and the values or combinations it is of."""
    axes = list(rows[0])
    wrong = np.zeros(len(rows), dtype=bool)
    wrong[family.rows] = True
    own = [name for name in axes if _writes(name, family.path)]
    exact = [name for name in own if name == family.path] or own
    if wrong.all():
        return _owned(family, exact[0], design) if own else _plain(family)
    cause = _cause(rows, wrong, axes, own)
    if len(cause) == 1 and cause[0] in exact:
        return _owned(family, cause[0], design)
    named = list(dict.fromkeys(_named(rows[row], cause) for row in family.rows))
    shown = "; ".join(islice(named, SHOWN))
    more = f"; and {len(named) - SHOWN} more" if len(named) > SHOWN else ""
    return (
        f"{family.path}: {family.text} This is so of {len(named)} combination"
        f"{'s' * (len(named) != 1)}: {shown}{more}. Change the lists, or leave them "
        f"out by [[sweep.without]] {named[0]}."
    )


def _plain(family: Family) -> str:
    return f"{family.path}: {family.text}"


def _owned(family: Family, name: str, design: Design) -> str:
    """Return a fault under the axis it is of, with its own key where that differs."""
    told = family.text
    if not f"{name}.".startswith(f"{family.path}."):
        told = _plain(family)
    return f"{_place(name, design)}: {told}"


def _writes(name: str, path: str) -> bool:
    """Return whether an axis writes the key of a fault, or what it is part of."""
    top = re.sub(r"\[\d+\]", "", path)
    return any(
        f"{top}.".startswith(f"{each}.") or f"{each}.".startswith(f"{top}.")
        for each in (name, *WRITES.get(name, ()))
    )


def _place(name: str, design: Design) -> str:
    if design.search is not None and name == design.search.field:
        return "sweep.search"
    return path_of(name)


def _cause(
    rows: list[dict[str, Any]], wrong: np.ndarray, axes: list[str], own: list[str]
) -> list[str]:
    """Return the fewest axes whose values tell the faulty runs from the others.

    Words are asked before numbers, axes that write the faulty key before others; a
    number tells runs apart only if the good ones are an interval of it.
    """
    words = [n for n in axes if not all(is_number(row[n]) for row in rows)]
    ranked = sorted(axes, key=lambda name: (name not in words, name not in own))
    spelled = {name: [repr(row[name]) for row in rows] for name in axes}
    for size in (1, 2, 3):
        for chosen in combinations(ranked, size):
            if _tells(rows, spelled, wrong, chosen, words):
                return list(chosen)
    return [name for name in axes if name in (*words, *own)] or axes


def _tells(
    rows: list[dict[str, Any]],
    spelled: dict[str, list[str]],
    wrong: np.ndarray,
    chosen: tuple[str, ...],
    words: list[str],
) -> bool:
    verdicts: dict[Any, bool] = {}
    for key, bad in zip(
        zip(*(spelled[name] for name in chosen), strict=True), wrong, strict=True
    ):
        if verdicts.setdefault(key, bool(bad)) != bad:
            return False
    if len(chosen) > 1 or chosen[0] in words:
        return True
    values = np.array([float(row[chosen[0]]) for row in rows])
    good, bad_values = values[~wrong], values[wrong]
    return not np.any((bad_values >= good.min()) & (bad_values <= good.max()))


def _named(row: dict[str, Any], cause: list[str]) -> str:
    """Return the values of some axes as a TOML table spells them."""
    inner = ", ".join(
        f"{name if '.' not in name else chr(34) + name + chr(34)} = {_toml(row[name])}"
        for name in cause
    )
    return f"{{ {inner} }}"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{k} = {_toml(v)}' for k, v in value.items())} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return repr(value)
