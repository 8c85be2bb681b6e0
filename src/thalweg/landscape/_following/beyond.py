"""Runs that the budget left undecided, followed on by leaps.

A leap is descent to a tolerance, and a tolerance is enough to leave a saddle that exact
descent would go to. So what leaps say counts only where two of them, of different
tolerance, agree.
"""

from threading import Event
from typing import Any

import numpy as np

from thalweg.landscape._following.lanes import ARRIVED, RESTED, SPENT
from thalweg.landscape._following.pursuit import Ends
from thalweg.landscape._points.ground import Ground
from thalweg.motion.leap import leap

TOGETHER = 64
"""So many runs are leapt with at a time."""


class _Stopped(Exception):
    """Raised inside a leap that is not wanted any more."""


def leap_on(ground: Ground, ends: Ends, settings: dict[str, Any], stop: Event) -> bool:
    """Follow the runs of a chunk that are out of budget, and note how they ended.

    Args:
        ground: The problem.
        ends: How the runs ended; changed in place.
        settings: What was asked for.
        stop: Set from outside to give up.

    Returns:
        Whether it came to its end.
    """
    runs = np.flatnonzero(ends.state == SPENT)
    further = settings["beyond"] - settings["iterations"]
    if further <= 0:
        return True
    for first in range(0, runs.size, TOGETHER):
        try:
            _leap_some(ground, ends, runs[first : first + TOGETHER], settings, stop)
        except _Stopped:
            return False
    return True


def _leap_some(
    ground: Ground, ends: Ends, runs: np.ndarray, settings: dict[str, Any], stop: Event
) -> None:
    def look(_progress: Any) -> None:
        if stop.is_set():
            raise _Stopped

    path = leap(
        ground.posed,
        tuple(np.moveaxis(layer[..., runs], -1, 0) for layer in ends.weights),
        step_size=ends.step_size[runs],
        iterations=settings["beyond"] - settings["iterations"],
        accuracy=settings["accuracy"],
        records=2,
        on_progress=look,
    )
    told = path.notes["leaps"]
    for place, run in enumerate(runs):
        outcome = path.outcome[place]  # type: ignore[index]
        if not (told["agreed"][place] and told["counted"][place]):
            continue
        ends.iterations[run] += outcome.iteration
        ends.excess[run] = outcome.excess_loss
        for kept, layer in zip(ends.weights, path.weights, strict=True):
            kept[..., run] = layer[place]
        if outcome.converged:
            ends.state[run] = ARRIVED
        elif outcome.stalled:
            ends.state[run] = RESTED
