"""A plane of starts, coloured by where they lead and how long they take."""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from thalweg.problem.scalar import Playground
from thalweg.report import look

TINTS = {
    "global minimum": look.CURVES[2],
    "saddle": look.CURVES[1],
    "diverged": look.FAINT,
    "undecided": look.LINE,
}
"""Colour of a limit; further saddles take the next of the curves', while any last."""

PALE = {"global minimum": " (the slower, the paler)"}
"""What the legend adds to a limit."""

LEVELS = 9
"""Contours of the starts' loss."""

PALEST = 0.75
"""Share of white in the colour of the slowest starts that end at a minimum."""


def basin_map(plane: Any, paths: Sequence[Any] = ()) -> Figure:
    """Draw where the starts of a plane lead; those to a minimum paler if slower.

    Args:
        plane: A `Slice`.
        paths: Chains of weights along trajectories, each a sequence of chains; they
            are projected on the plane.

    Returns:
        A matplotlib figure, free of any global state.
    """
    low, high = float(plane.axis[0]), float(plane.axis[-1])
    with mpl.rc_context(look.RC):
        drawn = Figure(figsize=(look.WIDTH, look.WIDTH), layout="constrained")
        axes = drawn.add_subplot()
        axes.grid(visible=False)
        colours = _colours(plane.limits)
        axes.imshow(
            _image(plane, colours),
            origin="lower",
            extent=(low, high, low, high),
            interpolation="nearest",
        )
        _contours(axes, plane)
        for path in paths:
            along = projected(plane, path)
            axes.plot(along[:, 0], along[:, 1], color=look.INK, linewidth=1)
            axes.plot(*along[0], "o", color=look.INK, markersize=3)
        axes.set_xlim(low, high)
        axes.set_ylim(low, high)
        if isinstance(plane.problem, Playground) and plane.problem.depth == 2:
            _hyperbola(axes, high)
        else:
            axes.set_xlabel("first direction")
            axes.set_ylabel("second direction")
        handles = [
            Patch(color=colour, label=str(limit) + PALE.get(limit.verdict, ""))
            for limit, colour in zip(plane.limits, colours, strict=True)
        ]
        drawn.legend(handles=handles, loc="outside lower center", ncols=1)
    return drawn


def _hyperbola(axes: Axes, extent: float) -> None:
    """Draw the lecture's minima, the curve where the product is one."""
    along = np.geomspace(1 / extent, extent, 200)
    for sign in (1, -1):
        axes.plot(sign * along, sign / along, color=look.INK, linewidth=1.6)
    axes.set_xlabel("$x_1$")
    axes.set_ylabel("$x_2$")


def projected(plane: Any, path: Any) -> np.ndarray:
    """Return chains as coordinates of the plane, `"time 2"`: what lies across is lost.

    Args:
        plane: A `Slice`.
        path: A sequence of chains.

    Returns:
        The coordinates along the two directions.
    """

    def along(chain: Any, direction: Any) -> float:
        parts = zip(chain, plane.center, direction, strict=True)
        length = sum(float(np.sum(np.square(layer))) for layer in direction)
        return sum(float(np.sum((np.asarray(w) - c) * d)) for w, c, d in parts) / length

    return np.array([[along(w, plane.first), along(w, plane.second)] for w in path])


def _colours(limits: Sequence[Any]) -> list[str]:
    found: list[str] = []
    spare = [colour for colour in look.CURVES if colour not in TINTS.values()]
    for limit in limits:
        colour = TINTS[limit.verdict]
        if colour in found and spare:
            colour = spare.pop(0)
        found.append(colour)
    return found


def _image(plane: Any, colours: Sequence[str]) -> np.ndarray:
    """Return red, green and blue: the limit's colour, a minimum's paler if slower."""
    table = np.array([to_rgb(colour) for colour in [*colours, look.PAPER]])
    image = table[plane.codes]
    arrives = [limit.verdict in PALE for limit in plane.limits]
    reached = np.array([*arrives, False])[plane.codes]
    slow = np.where(reached, np.log1p(plane.iterations.astype(float)), 0.0)
    top = float(slow.max()) or 1.0
    pale = PALEST * (slow / top)[..., None] ** 2
    return image * (1 - pale) + pale


def _contours(axes: Axes, plane: Any) -> None:
    """Draw contours of the starts' loss, evenly spaced in its logarithm."""
    height = np.log10(np.maximum(plane.excess, 1e-300))
    low, high = np.quantile(height, [0.02, 0.98])
    if high > low:
        axes.contour(
            plane.axis,
            plane.axis,
            height,
            levels=np.linspace(low, high, LEVELS),
            colors=look.INK,
            linewidths=0.4,
            linestyles="solid",
            alpha=0.5,
        )
