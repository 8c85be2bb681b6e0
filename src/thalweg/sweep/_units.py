r"""The settings of every run, validated where validating can tell them apart.

The axes of a design are *words* (names, truth values, lists, tables, the depth) or
*numbers*. Runs that share all words make a class. Of every class the settings are
validated, by the model a single run is validated by, at runs that together take the
smallest and the largest number of every axis, of each kind: written whole, written as a
float with a whole value, with a fractional one. This is enough because

- what a field of the settings, of an init or of a data set accepts is, given the words
  and the kind, an interval of numbers that does not depend on other numbers, so that
  what accepts the ends accepts what lies between;
- what depends on which keys are there, or on their words, is the same in a class.

Starts that may refuse a net (see `_fits`) depend on numbers together, so they are tried
at every net besides. The settings of the other runs of a class are those of its first
with the numbers put in, of the type the model gave them.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np

from thalweg.request.checking import looked_at
from thalweg.sweep._layout import Layout, raw_of
from thalweg.sweep._reading import IDLE
from thalweg.sweep.axes import is_number
from thalweg.sweep.design import Design

WORDS = ("depth", "playground")
"""Axes that count as words although they are numbers: other keys depend on them."""

KINDS = 3
"""Kinds of number: written whole, a whole float, any other float."""


@dataclass(frozen=True)
class Class:
    """Runs that share all words.

    Attributes:
        runs: Their places.
        ends: Values that together take every end of every axis' numbers.
        template: The plain settings of the first of `ends`.
        kinds: By the axis' name and the kind of number, what makes it the model's.
    """

    runs: np.ndarray
    ends: tuple[dict[str, Any], ...]
    template: dict[str, Any]
    kinds: dict[tuple[str, int], Callable[[Any], Any]]


def plain_unit(
    design: Design, chosen: dict[str, Any]
) -> tuple[dict[str, Any] | None, list[str]]:
    """Return the plain settings of a run, or what is wrong with them.

    Args:
        design: The design.
        chosen: The value of every axis.

    Returns:
        What decides its numbers and nothing else, or `None` and the faults.
    """
    raw = raw_of(design.base, chosen)
    for key in IDLE:
        raw.pop(key, None)
    settings, told = looked_at({"measures": [], "theorems": [], **raw})
    if settings is None:
        return None, told
    plain = settings.to_plain()
    return {key: plain[key] for key in plain if key not in IDLE}, []


def kind_of(value: Any) -> int:
    """Return the kind of a number."""
    if isinstance(value, int):
        return 0
    return 1 if value.is_integer() else 2


def classes_of(layout: Layout, search: tuple[str, Sequence[float]] | None) -> list[Any]:
    """Return the runs of every class, and values that take all ends of its numbers.

    Args:
        layout: The points of the design.
        search: A field and the grid that is searched for it, as one more axis.

    Returns:
        A pair a class, in the order of their first runs.
    """
    numbers = [
        _numbers_of(n, p) for n, p in zip(layout.names, layout.pools, strict=True)
    ]
    code = np.zeros(len(layout.places), dtype=np.int64)
    for axis, (numeric, _, _) in enumerate(numbers):
        words = _words_of(layout.pools[axis], numeric)
        code = code * (len(numeric) + 1) + words[layout.places[:, axis]]
        code = np.unique(code, return_inverse=True)[1]
    order = np.argsort(code, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(code[order])) + 1)
    found = []
    for runs in sorted(parts, key=lambda runs: int(runs[0])):
        ends = {
            name: _ends(numbers[axis], layout.places[runs, axis])
            for axis, name in enumerate(layout.names)
        }
        found.append((runs, _together(layout, ends, search)))
    return found


def _numbers_of(name: str, pool: list[Any]) -> tuple[np.ndarray, ...]:
    """Return which values of a pool are numbers, their kinds and values."""
    numeric = np.array([is_number(value) and name not in WORDS for value in pool])
    kinds = np.array(
        [kind_of(v) if n else -1 for v, n in zip(pool, numeric, strict=True)]
    )
    values = np.array(
        [float(v) if n else 0.0 for v, n in zip(pool, numeric, strict=True)]
    )
    return numeric, kinds, values


def _words_of(pool: list[Any], numeric: np.ndarray) -> np.ndarray:
    """Return a number for each word of a pool, and zero for numbers."""
    known: dict[str, int] = {}
    return np.array(
        [
            0 if number else known.setdefault(repr(value), 1 + len(known))
            for value, number in zip(pool, numeric, strict=True)
        ]
    )


def _ends(numbers: tuple[np.ndarray, ...], places: np.ndarray) -> list[int]:
    """Return the places of the smallest and the largest number of each kind."""
    numeric, kinds, values = numbers
    if not numeric[places[0]]:
        return [int(places[0])]
    ends: list[int] = []
    for kind in range(KINDS):
        own = places[kinds[places] == kind]
        if own.size:
            ends += [int(own[np.argmin(values[own])]), int(own[np.argmax(values[own])])]
    return list(dict.fromkeys(ends))


def _together(
    layout: Layout,
    ends: dict[str, list[int]],
    search: tuple[str, Sequence[float]] | None,
) -> tuple[dict[str, Any], ...]:
    """Return as few choices as take every end of every axis once."""
    pools = {
        name: [pool[place] for place in ends[name]]
        for name, pool in zip(layout.names, layout.pools, strict=True)
    }
    if search is not None:
        places = _ends(
            _numbers_of(search[0], list(search[1])), np.arange(len(search[1]))
        )
        pools[search[0]] = [search[1][place] for place in places]
    count = max((len(values) for values in pools.values()), default=1)
    return tuple(
        {name: values[min(k, len(values) - 1)] for name, values in pools.items()}
        for k in range(count)
    )


def learn(design: Design, runs: np.ndarray, ends: tuple[dict[str, Any], ...]) -> Any:
    """Return a class from its validated ends, or the faults of each end.

    Args:
        design: The design.
        runs: The places of its runs.
        ends: Values that take all ends of its numbers.

    Returns:
        The class, or a list of faults, one list an end.
    """
    looked = [plain_unit(design, chosen) for chosen in ends]
    if any(unit is None for unit, _ in looked):
        return [told for _, told in looked]
    units = [unit for unit, _ in looked if unit is not None]
    kinds: dict[tuple[str, int], Callable[[Any], Any]] = {}
    for chosen, unit in zip(ends, units, strict=True):
        for name, value in chosen.items():
            if is_number(value) and name not in (*WORDS, "width"):
                kinds[name, kind_of(value)] = type(_leaf(unit, name))
    return Class(runs, ends, units[0], kinds)


def _leaf(unit: dict[str, Any], name: str) -> Any:
    for key in name.split("."):
        unit = unit[key]
    return unit


def filled(part: Class, chosen: dict[str, Any]) -> dict[str, Any]:
    """Return the plain settings of a run of a class.

    Args:
        part: The class.
        chosen: The value of every axis.

    Returns:
        Settings of its own; tables no number changes are shared.
    """
    unit = dict(part.template)
    for name, value in chosen.items():
        if not is_number(value) or name in WORDS:
            continue
        if name == "width":
            unit["hidden"] = [int(value)] * len(unit["hidden"])
            continue
        value = part.kinds[name, kind_of(value)](value)
        table, dot, key = name.partition(".")
        unit[table] = {**unit[table], key: value} if dot else value
    return unit


class Units(Sequence[dict[str, Any]]):
    """The plain settings of every run, made when asked for.

    Args:
        layout: The points of the design.
        parts: Its classes.
    """

    def __init__(self, layout: Layout, parts: Sequence[Class]) -> None:
        self._layout, self._parts = layout, tuple(parts)
        self._of = np.zeros(len(layout.places), dtype=np.int64)
        for number, part in enumerate(self._parts):
            self._of[part.runs] = number

    def __len__(self) -> int:
        """Return the number of runs."""
        return len(self._layout.places)

    @overload
    def __getitem__(self, run: int) -> dict[str, Any]: ...

    @overload
    def __getitem__(self, run: slice) -> list[dict[str, Any]]: ...

    def __getitem__(self, run: int | slice) -> Any:
        """Return the settings of one run, or of several."""
        if isinstance(run, slice):
            return [self[each] for each in range(*run.indices(len(self)))]
        return filled(self.part(run), self._layout.chosen(run))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Iterate over the runs."""
        return (self[run] for run in range(len(self)))

    def part(self, run: int) -> Class:
        """Return the class of a run."""
        return self._parts[self._of[run]]
