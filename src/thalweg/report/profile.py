"""The loss along ways out of a critical point, beside what they promise."""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from thalweg.report import look

POINTS = 201
"""Points of a curve."""


def profile(problem: Any, weights: Any, ways: Sequence[Any]) -> Figure:
    """Draw the loss along ways out; what is promised of it is dashed.

    Args:
        problem: What is minimised.
        weights: The critical point.
        ways: Straight ways, with `direction` (one array a layer), `curvature` and
            `case`, drawn at unit length; or curves, with `curve`, `coefficient`,
            `order` and `case`.

    Returns:
        A matplotlib figure, free of any global state.
    """
    at = float(problem.excess_loss(problem.check(weights)))
    with mpl.rc_context(look.RC):
        drawn = Figure(figsize=(look.WIDTH, look.HEIGHT), layout="constrained")
        axes = drawn.add_subplot()
        for place, way in enumerate(ways):
            colour = look.CURVES[place % len(look.CURVES)]
            if hasattr(way, "curve"):
                _draw_curve(axes, problem, at, way, colour)
            else:
                _draw_line(axes, problem, weights, at, way, colour)
        axes.set_ylim(*_window(axes))
        axes.set_xlabel("t along the way out")
        axes.set_title("loss minus that of the saddle", loc="left")
        axes.legend(loc="upper center")
    return drawn


def _draw_line(
    axes: Axes, problem: Any, weights: Any, at: float, way: Any, colour: str
) -> None:
    chain = problem.chain(problem.check(weights))
    parts = problem.chain(problem.check(way.direction))
    length = np.sqrt(sum(float(np.sum(np.square(part))) for part in parts))
    reach = 1.5 * _reach(-way.curvature / 2, 2, at)
    steps = np.linspace(-reach, reach, POINTS)
    points = (
        tuple(w + step / length * part for w, part in zip(chain, parts, strict=True))
        for step in steps
    )
    losses = _losses(problem, points) - at
    _draw(axes, steps, losses, 0.5 * way.curvature * steps**2, way.case, colour)


def _draw_curve(axes: Axes, problem: Any, at: float, way: Any, colour: str) -> None:
    reach = 1.2 * _reach(-way.coefficient, way.order, at)
    steps = np.linspace(0, reach, POINTS)
    losses = _losses(problem, map(way.curve, steps)) - at
    promised = way.coefficient * steps**way.order
    _draw(axes, steps, losses, promised, f"{way.case}: t^{way.order}", colour)


def _draw(
    axes: Axes, steps: Any, losses: Any, promised: Any, name: str, colour: str
) -> None:
    axes.plot(steps, losses, look.MEASURED, color=colour, label=name)
    axes.plot(steps, promised, linestyle=look.PROMISED, color=colour, linewidth=1)


def _losses(problem: Any, points: Any) -> np.ndarray:
    return np.array([float(problem.excess_loss(problem.check(p))) for p in points])


def _reach(coefficient: float, order: int, loss: float) -> float:
    """Return how far the promised fall alone would take to use up the loss."""
    return float((max(loss, 1e-12) / max(coefficient, 1e-12)) ** (1 / order))


def _window(axes: Axes) -> tuple[float, float]:
    """Return limits that show where the loss falls, not how steeply it rises later."""
    curves = [np.asarray(line.get_ydata(), dtype=float) for line in axes.get_lines()]
    lowest = min(float(np.min(curve)) for curve in curves[::2])
    return 1.15 * min(lowest, -1e-12), 0.3 * abs(lowest) + 1e-12
