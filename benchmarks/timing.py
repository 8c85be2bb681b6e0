"""Timing in pairs: ours and the rivals in turn, so that a drift hits all alike."""

import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One line of the table: what ran, in seconds, beside ours."""

    what: str
    who: str
    seconds: float
    first: float
    ratio: float | None
    goal: str = ""

    def cells(self) -> list[str]:
        """Return the row as text."""
        ratio = "" if self.ratio is None else f"{self.ratio:.3g}"
        return [
            self.what,
            self.who,
            f"{self.seconds:.4g}",
            f"{self.first:.3g}",
            ratio,
            self.goal,
        ]


def race(
    what: str,
    ours: Callable[[], object],
    rivals: dict[str, Callable[[], object]],
    rounds: int = 5,
    goals: dict[str, str] | None = None,
) -> list[Row]:
    """Run ours and every rival in turn and return the median ratios.

    The first call of each, which compiles, is timed apart. A ratio is ours over the
    rival's, the median over the rounds of the ratio within a round.
    """
    runners = {"thalweg": ours, **rivals}
    first = {name: _seconds(run) for name, run in runners.items()}
    taken: dict[str, list[float]] = {name: [] for name in runners}
    for _ in range(rounds):
        for name, run in runners.items():
            taken[name].append(_seconds(run))
    rows = [
        Row(
            what, "thalweg", statistics.median(taken["thalweg"]), first["thalweg"], None
        )
    ]
    for name in rivals:
        ratio = statistics.median(
            mine / theirs
            for mine, theirs in zip(taken["thalweg"], taken[name], strict=True)
        )
        goal = (goals or {}).get(name, "")
        rows.append(
            Row(what, name, statistics.median(taken[name]), first[name], ratio, goal)
        )
    return rows


def machine() -> str:
    """Return the machine in a line."""
    model = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line for line in file if line.startswith("model name")]
        model = names[0].partition(":")[2].strip()
    except (OSError, IndexError):
        pass
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    return f"{model}, {cores} cores, Python {platform.python_version()}"


def _seconds(run: Callable[[], object]) -> float:
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun
