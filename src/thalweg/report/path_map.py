"""A path in the plane in which it moves most, over the contours of the loss."""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from thalweg.report import look
from thalweg.report.staircase import told

LEVELS = 14
"""Contours of the loss, evenly spaced in its logarithm."""


def path_map(plane: Any, plateaus: Sequence[Any] = ()) -> Figure:
    """Draw a path over the loss, and where it rests.

    Args:
        plane: A `PathPlane`.
        plateaus: Where the path rests: `modes`, `start`, `end`.

    Returns:
        A matplotlib figure, free of any global state.
    """
    with mpl.rc_context(look.RC):
        drawn = Figure(figsize=(look.WIDTH, look.HEIGHT * 1.2), layout="constrained")
        axes = drawn.add_subplot()
        axes.grid(visible=False)
        height = np.log10(np.maximum(plane.excess, 1e-16))
        low, high = np.quantile(height, [0.01, 0.99])
        shown = axes.contourf(
            plane.first,
            plane.second,
            np.clip(height, low, high),
            levels=np.linspace(low, high + 1e-12, LEVELS),
            cmap="Greys",
            alpha=0.75,
        )
        bar = drawn.colorbar(shown, ax=axes, shrink=0.85, format="%.1f")
        bar.set_label("log10 of the excess loss")
        axes.plot(*plane.along.T, look.MEASURED, color=look.CURVES[0])
        axes.plot(*plane.along[0], "o", color=look.CURVES[1], label="start")
        axes.plot(*plane.along[-1], "*", color=look.GOOD, markersize=10, label="end")
        for rest in plateaus:
            middle = (rest.start + rest.end) / 2
            place = plane.along[np.argmin(np.abs(plane.clock - middle))]
            axes.plot(*place, "D", color=look.CURVES[1], markersize=4)
            axes.annotate(
                told(rest.modes), place, xytext=(5, 5), textcoords="offset points"
            )
        axes.set_xlabel("first principal direction of the path")
        axes.set_ylabel("second")
        axes.set_title(f"{plane.share:.0%} of the path's spread", loc="left")
        axes.legend(loc="best", frameon=True, facecolor=look.PAPER, framealpha=0.9)
    return drawn
