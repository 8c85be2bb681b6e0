"""One axis of a design: a list of values, or a range of numbers."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from thalweg.request.faults import no_such_key, shown

KEYS = ("from", "to", "points", "spacing")
"""Keys of a range."""

SPACINGS = ("linear", "log")

DIGITS = 12
"""Significant digits to which inner points of a range are rounded: 1e-2, not
1.0000000000000002e-2, and the same on every machine."""

MOST = 10_000_000
"""Most runs of a design."""


@dataclass(frozen=True)
class Listed:
    """Values one by one.

    Attributes:
        values: The values, in order.
    """

    values: tuple[Any, ...]

    def grid(self, whole: bool) -> list[Any]:
        """Return the values."""
        return list(self.values)

    def at(self, quantiles: np.ndarray, whole: bool) -> tuple[list[Any], np.ndarray]:
        """Return the values, and the place of that at each of `quantiles`."""
        return list(self.values), (quantiles * len(self.values)).astype(np.int64)

    def to_plain(self) -> Any:
        """Return the values as a file spells them."""
        return list(self.values)


@dataclass(frozen=True)
class Ranged:
    """Numbers between two ends, both included.

    Attributes:
        low: The smaller end.
        high: The larger end.
        points: How many on a grid; `None` for every whole number.
        spacing: `linear` or `log`.
    """

    low: int | float
    high: int | float
    points: int | None = None
    spacing: str = "linear"

    def grid(self, whole: bool) -> list[Any]:
        """Return the points of the grid.

        Args:
            whole: Whether the field takes whole numbers: points are then rounded, and
                equal ones come once.

        Returns:
            Ascending numbers, the ends exactly as given.

        Example:
            >>> Ranged(0.01, 1.0, 5, "log").grid(False)
            [0.01, 0.0316227766017, 0.1, 0.316227766017, 1.0]
            >>> Ranged(1, 32, 4, "log").grid(True)
            [1, 3, 10, 32]
        """
        if self.points is None:
            return list(range(int(self.low), int(self.high) + 1))
        inner = [self._between(k / (self.points - 1)) for k in range(self.points)]
        inner[0], inner[-1] = float(self.low), float(self.high)
        return list(dict.fromkeys(map(round, inner))) if whole else inner

    def at(self, quantiles: np.ndarray, whole: bool) -> tuple[list[Any], np.ndarray]:
        """Return one number for each of `quantiles`, and their places in order.

        Args:
            quantiles: Numbers from 0 to below 1.
            whole: Whether the field takes whole numbers; each is then drawn with the
                weight of the interval up to the next.

        Returns:
            The numbers and `0, 1, ...`.
        """
        places = np.arange(len(quantiles))
        if not whole:
            return [self._between(float(u)) for u in quantiles], places
        above = Ranged(self.low, self.high + 1, None, self.spacing)
        drawn = [math.floor(above._between(float(u))) for u in quantiles]
        return [min(max(n, int(self.low)), int(self.high)) for n in drawn], places

    def to_plain(self) -> Any:
        """Return the range as a file spells it."""
        plain: dict[str, Any] = {"from": self.low, "to": self.high}
        if self.points is not None:
            plain["points"] = self.points
        return {**plain, "spacing": self.spacing} if self.spacing != "linear" else plain

    def _between(self, part: float) -> float:
        if self.spacing == "log":
            value = self.low * (self.high / self.low) ** part
        else:
            value = self.low + part * (self.high - self.low)
        rounded = float(f"{value:.{DIGITS}g}")
        return min(max(rounded, float(self.low)), float(self.high))


Axis = Listed | Ranged
"""What a field varies over."""


def read_axis(raw: Any, *, random: bool) -> tuple[Axis | None, list[str]]:
    """Return an axis, or what is wrong with it.

    Args:
        raw: A list, or the table of a range.
        random: Whether the design samples ranges instead of laying a grid.

    Returns:
        The axis and no sentence, or nothing and one sentence a fault.

    Example:
        >>> read_axis({"from": 1.0, "to": 0.1, "points": 3}, random=False)[1]
        ['goes from 1.0 to 0.1; from must be below to.']
    """
    if isinstance(raw, dict) and set(raw) & set(KEYS[:2]):
        return _read_range(raw, random)
    if not isinstance(raw, list):
        return None, [
            f"{shown(raw)} came; give a list of values, or a range as "
            "{ from = 1e-3, to = 1.0, points = 10, spacing = 'log' }."
        ]
    if not raw:
        return None, ["the list is empty; give at least one value."]
    texts = [repr(value) for value in raw]
    twice = (
        next((t for k, t in enumerate(texts) if t in texts[:k]), None)
        if (len(set(texts)) < len(texts))
        else None
    )
    if twice is not None:
        return None, [f"{twice} came twice in the list; name every value once."]
    return Listed(tuple(raw)), []


def _read_range(raw: dict[str, Any], random: bool) -> tuple[Axis | None, list[str]]:
    faults = [no_such_key(key, KEYS) for key in raw if key not in KEYS]
    spacing = raw.get("spacing", "linear")
    for key in KEYS[:2]:
        if key not in raw:
            faults.append(f"'{key}' is missing; a range has both ends.")
        elif not is_number(raw[key]) or not math.isfinite(raw[key]):
            faults.append(f"{key} is {shown(raw[key])}; it must be a finite number.")
    if spacing not in SPACINGS:
        faults.append(f"spacing is {shown(spacing)}; it must be 'linear' or 'log'.")
    if faults:
        return None, faults
    low, high = raw["from"], raw["to"]
    if low >= high:
        return None, [f"goes from {low} to {high}; from must be below to."]
    if spacing == "log" and low <= 0:
        faults.append(f"goes from {low} by spacing 'log'; from must be above 0.")
    faults += _points_faults(raw, random)
    points = raw.get("points")
    return (None, faults) if faults else (Ranged(low, high, points, spacing), [])


def _points_faults(raw: dict[str, Any], random: bool) -> list[str]:
    points, ends = raw.get("points"), (raw["from"], raw["to"])
    if random:
        return ["points belongs to a grid; a sampled range has none."] * (
            points is not None
        )
    if points is None:
        stepped = all(isinstance(end, int) for end in ends)
        if not stepped or raw.get("spacing") == "log":
            return ["points is missing; only whole numbers step by one without it."]
        points = ends[1] - ends[0] + 1
    elif not isinstance(points, int) or isinstance(points, bool) or points < 2:
        return [f"points is {shown(points)}; it must be a whole number >= 2."]
    if points > MOST:
        return [f"holds {points} values; {MOST} are the most."]
    return []


def is_number(value: Any) -> bool:
    """Return whether a value is a number, and not a truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool)
