"""Timing in turn, so that a drift hits all alike, and the tables it ends in."""

import os
import platform
import resource
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

Row = dict[str, Any]
Run = Callable[[], Any]


@dataclass(frozen=True)
class Table:
    """One section of the record.

    Attributes:
        title: What was measured.
        note: How, in a sentence or two.
        rows: Its lines, by column; a column that a row lacks stays empty.
    """

    title: str
    note: str
    rows: list[Row]

    def markdown(self) -> str:
        """Return the section as Markdown."""
        names = dict.fromkeys(name for row in self.rows for name in row)
        head = [
            name
            for name in names
            if any(row.get(name) is not None for row in self.rows)
        ]
        cells = [[told(row.get(name)) for name in head] for row in self.rows]
        lines = [head, ["---"] * len(head), *cells]
        table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        return f"## {self.title}\n\n{self.note}\n\n{table}\n"


def told(value: Any) -> str:
    """Return a cell as text."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def clocked(run: Run) -> tuple[float, Any]:
    """Return the seconds a run takes, and what it returns."""
    begun = time.perf_counter()
    result = jax.block_until_ready(run())
    return time.perf_counter() - begun, result


def race(
    what: str,
    runners: Mapping[str, Run],
    *,
    rounds: int = 5,
    within: float = 1e-12,
    true: Any = None,
    goals: Mapping[str, str] | None = None,
) -> list[Row]:
    """Run all in turn, the first of them ours, and return the median ratios.

    Args:
        what: What all do.
        runners: Each does it and returns the weights it ends at.
        rounds: How often each is timed, after the first call.
        within: Stop unless all end as close to ours, or to `true`, as that.
        true: Weights to measure errors from.
        goals: What a ratio should be, by runner.

    Returns:
        A row each. First calls compile what no runner before has compiled. A ratio is
        ours over theirs, the median over the rounds of the ratio within a round.
    """
    first, apart, reference = {}, {}, true
    jax.clear_caches()
    for name, run in runners.items():
        first[name], end = clocked(run)
        reference = end if reference is None else reference
        apart[name] = gap(end, reference)
        if not apart[name] <= within:
            raise SystemExit(f"{what}: {name} is {apart[name]:.2g} off")
    taken: dict[str, list[float]] = {name: [] for name in runners}
    for _ in range(rounds):
        for name, run in runners.items():
            taken[name].append(clocked(run)[0])
    ours = taken[next(iter(runners))]
    rows = []
    for name, theirs in taken.items():
        ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)]
        rows.append(
            {
                "what": what,
                "who": name,
                "seconds": statistics.median(theirs),
                "first call": first[name],
                "ours / theirs": None if theirs is ours else statistics.median(ratios),
                "error": None if true is None else apart[name],
                "goal": (goals or {}).get(name),
            }
        )
    return rows


def paced(run: Run, rounds: int = 3) -> tuple[float, float, Any]:
    """Return median and first-call seconds of a run, and what it returns."""
    jax.clear_caches()
    first, result = clocked(run)
    return statistics.median(clocked(run)[0] for _ in range(rounds)), first, result


def gap(one: Iterable[Any], other: Iterable[Any]) -> float:
    """Return the largest difference of a weight."""
    return max(
        float(np.max(np.abs(np.asarray(mine) - np.asarray(theirs))))
        for mine, theirs in zip(one, other, strict=True)
    )


def agree(ours: Any, *others: Any, within: float = 1e-12) -> None:
    """Stop unless all end at the same weights."""
    for other in others:
        apart = gap(ours, other)
        if not apart <= within:
            raise SystemExit(f"the contestants disagree by {apart:.2g}")


def machine() -> str:
    """Return the machine in a line."""
    model = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line for line in file if line.startswith("model name")]
        model = names[0].partition(":")[2].strip()
    except (OSError, IndexError):
        pass
    return f"{model}, {cores()} cores, Python {platform.python_version()}"


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def peak_gigabytes() -> float:
    """Return the most memory this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
