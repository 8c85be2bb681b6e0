"""The saddles of a problem as a staircase, and a trajectory that walks down it."""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from thalweg.report import look

MARKS = {
    "global minimum": ("o", look.GOOD),
    "strict saddle": ("v", look.CURVES[0]),
    "non-strict saddle": ("D", look.CURVES[1]),
}
"""How a kind of critical point is marked: by shape first, so that grey suffices."""

MOST_NAMED = 24
"""Beyond so many critical values, the values are drawn but not named."""


def staircase(
    strata: Sequence[Any], path: Any = None, plateaus: Sequence[Any] = ()
) -> Figure:
    """Draw critical values by rank, and beside them a loss that walks down them.

    Args:
        strata: Families of critical points, with `rank`, `value`, `kind`, `modes`.
        path: A recorded path of one run; its excess loss is drawn beside the levels.
        plateaus: Where the path rests: `modes`, `value`, `start`, `end`.

    Returns:
        A matplotlib figure, free of any global state.
    """
    with mpl.rc_context(look.RC):
        size = (look.WIDTH * (1 if path is None else 1.7), look.HEIGHT * 1.15)
        drawn = Figure(figsize=size, layout="constrained")
        places = drawn.subplots(1, 1 if path is None else 2, sharey=True, squeeze=False)
        _draw_levels(places[0][0], strata)
        if path is not None:
            _draw_walk(places[0][1], strata, path, plateaus)
    return drawn


def _draw_levels(axes: Axes, strata: Sequence[Any]) -> None:
    """Draw each family at its rank and value, kinds of one place side by side."""
    for kind, (marker, colour) in MARKS.items():
        found = {(one.rank, one.value) for one in strata if str(one.kind) == kind}
        if found:
            ranks, values = map(np.asarray, zip(*sorted(found), strict=True))
            shift = 0.12 * (kind == "non-strict saddle")
            axes.scatter(
                ranks + shift,
                values,
                marker=marker,
                s=34,
                color=colour,
                label=kind,
                zorder=3,
            )
    levels = {(one.rank, one.value): one.modes for one in strata}
    for (rank, value), modes in levels.items():
        axes.plot([rank - 0.3, rank + 0.3], [value, value], color=look.FAINT, lw=1.2)
        if len(levels) <= MOST_NAMED:
            axes.annotate(
                told(modes),
                (rank + 0.32, value),
                fontsize=look.SMALL,
                va="center",
                color=look.INK,
            )
    places = sorted({one.rank for one in strata})
    axes.set_xticks(places)
    axes.set_xlim(min(places) - 0.5, max(places) + 0.9)
    axes.set_xlabel("rank")
    axes.set_ylabel("loss above what no net removes")
    axes.set_title("critical points, by the modes learnt", loc="left")
    axes.legend(loc="upper right")


def _draw_walk(
    axes: Axes, strata: Sequence[Any], path: Any, plateaus: Sequence[Any]
) -> None:
    """Draw the loss over the levels, its rests named."""
    clock = np.asarray(path.clock, dtype=float)
    for value in sorted({one.value for one in strata}):
        axes.axhline(value, color=look.FAINT, linestyle=look.PROMISED, linewidth=1)
    value = np.asarray(path["excess_loss"]) + float(path.problem.infimum)
    axes.plot(clock, value, look.MEASURED, color=look.CURVES[0])
    for rest in plateaus:
        middle = (rest.start + rest.end) / 2
        axes.annotate(
            told(rest.modes),
            (middle, rest.value),
            xytext=(0, 5),
            textcoords="offset points",
            ha="center",
            fontsize=look.SMALL,
        )
    axes.set_xlim(0, float(clock[-1]))
    axes.set_xlabel("flow time" if path.is_flow else "iteration")
    axes.set_title("a trajectory, and where it rests", loc="left")


def told(modes: Sequence[int]) -> str:
    """Return a set of modes as text, three and more in a row as a range.

    Example:
        >>> told((1, 3)), told(()), told((1, 2, 3, 4, 6, 7))
        ('{1, 3}', '{}', '{1-4, 6, 7}')
    """
    runs: list[list[int]] = []
    for mode in modes:
        if runs and mode == runs[-1][-1] + 1:
            runs[-1].append(mode)
        else:
            runs.append([mode])
    parts = [
        [f"{run[0]}-{run[-1]}"] if len(run) > 2 else [str(mode) for mode in run]
        for run in runs
    ]
    return f"{{{', '.join(word for part in parts for word in part)}}}"
