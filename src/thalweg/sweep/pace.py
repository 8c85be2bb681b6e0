"""How far a sweep is, and an honest time to go: by the work done, not by rows."""

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

LATE = 20.0
"""Seconds over which the speed of late is taken."""


@dataclass(frozen=True)
class SweepProgress:
    """What a progress callback is told.

    Attributes:
        done: Runs that have a row, those of earlier calls included.
        total: Runs of the design; of a search, those of its round.
        cached: Runs whose row was there already.
        failed: Runs whose row says `failed`.
        seconds: Since the beginning.
        left: Seconds to go, as far as can be told; `None` before the first chunk.
        round: Round of a search, from 1; `None` without one.
    """

    done: int
    total: int
    cached: int
    failed: int
    seconds: float
    left: float | None
    round: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return {
            "done": self.done,
            "total": self.total,
            "cached": self.cached,
            "failed": self.failed,
            "seconds": self.seconds,
            "left": self.left,
            "round": self.round,
        }


@dataclass
class Pace:
    """The work of the rows done, and how quickly it was done of late.

    The work of a row is its iterations times what an iteration costs in its group.
    Rows still missing are taken to cost what those of their group cost on average;
    where a group has none yet, what an average row makes of the group's cost.

    Attributes:
        clock: Returns seconds.
        costs: Cost of an iteration, by group.
        missing: Rows not done, by group.
    """

    costs: Mapping[str, float]
    missing: dict[str, int]
    clock: Callable[[], float] = time.perf_counter
    _spent: dict[str, float] = field(default_factory=dict)
    _rows: dict[str, int] = field(default_factory=dict)
    _late: deque[tuple[float, float]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        """Start the clock."""
        self._late.append((self.clock(), 0.0))

    def note(self, group: str, rows: int, iterations: float) -> None:
        """Take note of rows that were done.

        Args:
            group: Theirs.
            rows: How many.
            iterations: All they took together.
        """
        work = (iterations + rows) * self.costs.get(group, 1.0)
        self.missing[group] = max(0, self.missing.get(group, 0) - rows)
        self._rows[group] = self._rows.get(group, 0) + rows
        self._spent[group] = self._spent.get(group, 0.0) + work
        now = self.clock()
        self._late.append((now, self._late[-1][1] + work))
        while len(self._late) > 2 and self._late[1][0] < now - LATE:
            self._late.popleft()

    def left(self) -> float | None:
        """Return the seconds to go; `None` if nothing was done yet."""
        if not any(self.missing.values()):
            return 0.0
        done = self._late[-1][1] - self._late[0][1]
        seconds = self._late[-1][0] - self._late[0][0]
        if done <= 0 or seconds <= 0:
            return None
        to_do = sum(rows * self._mean(group) for group, rows in self.missing.items())
        return to_do * seconds / done

    def _mean(self, group: str) -> float:
        """Return the work of a row of a group."""
        if self._rows.get(group):
            return self._spent[group] / self._rows[group]
        turns = sum(
            self._spent[name] / self.costs.get(name, 1.0) for name in self._spent
        )
        rows = max(1, sum(self._rows.values()))
        return turns / rows * self.costs.get(group, 1.0)
