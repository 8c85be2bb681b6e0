r"""The lecture's picture: where descent goes in the plane, and the hyperbola."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from thalweg._core.papers import CS439
from thalweg._core.source import Source
from thalweg.experiments._base import AbstractExperiment, Finding, Table, Workplace
from thalweg.experiments.flammarion2025 import _playground as play
from thalweg.report import look

AT_MINIMUM = 1e-12
"""A loss below this is at the hyperbola."""


@dataclass(frozen=True)
class Field(AbstractExperiment):
    """Negative gradients of two factors, the hyperbola of minima, and descents."""

    source: ClassVar[Source] = CS439.at(
        "Lecture 6, slide Negative gradient directions, and A simple nonconvex function"
    )
    title: ClassVar[str] = "Negative gradient directions for two factors"
    claim: ClassVar[str] = (
        "Of two factors the critical points are the hyperbola x y = 1, all global "
        "minima, and the origin, a saddle; it is difficult to avoid a minimum, but "
        "possible."
    )
    seconds: ClassVar[dict[str, float]] = {"tiny": 0.1, "paper": 1.0}
    size: ClassVar[tuple[float, float]] = (5.6, 5.2)

    def settings(self, scale: str) -> dict[str, Any]:
        """Return grid, starts, step and number of random starts of a scale."""
        paper = scale == "paper"
        return {
            "reach": 2.5,
            "arrows": 21,
            "starts": [
                [0.3, 0.15],
                [2.2, 0.05],
                [2.1, 1.8],
                [-0.4, 1.9],
                [-1.6, 2.3],
                [-2.0, -0.1],
                [-0.3, -1.7],
                [1.7, -1.2],
                [-1.5, 1.5],
            ],
            "step_size": 0.02,
            "iterations": 4000 if paper else 1500,
            "random_starts": 2000 if paper else 500,
            "seed": 439,
        }

    def measure(self, settings: dict[str, Any], work: Workplace) -> dict[str, Table]:
        """Return the field, the descents drawn, and where random starts end."""
        reach = settings["reach"]
        line = np.linspace(-reach, reach, settings["arrows"])
        points = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
        pull = -play.gradient(points)
        paths = self._descents(settings)
        rng = np.random.default_rng(settings["seed"])
        drawn = rng.uniform(-reach, reach, (settings["random_starts"], 2))
        x = drawn
        for _ in range(settings["iterations"]):
            x = x - settings["step_size"] * play.gradient(x)
        return {
            "field": {
                "x": points[:, 0],
                "y": points[:, 1],
                "pull_x": pull[:, 0],
                "pull_y": pull[:, 1],
            },
            "paths": paths,
            "random": {
                "x": drawn[:, 0],
                "y": drawn[:, 1],
                "end_x": x[:, 0],
                "end_y": x[:, 1],
                "loss": play.loss(x),
            },
        }

    def findings(
        self, settings: dict[str, Any], tables: dict[str, Table]
    ) -> list[Finding]:
        """Return the critical points, the share of starts that reach a minimum."""
        field, random, paths = (tables[k] for k in ("field", "random", "paths"))
        size = np.hypot(field["pull_x"], field["pull_y"])
        factors = np.abs(field["x"] * field["y"] - 1) * np.hypot(field["x"], field["y"])
        apart = float(np.max(np.abs(size - factors)))
        share = float(np.mean(random["loss"] < AT_MINIMUM))
        stuck = paths["loss"][paths["start"] == paths["start"].max()][-1]
        return [
            Finding(
                "The gradient vanishes exactly on x y = 1 and at the origin.",
                "hyperbola and origin",
                apart,
                bool(apart < 1e-13 * float(np.max(size))),
                "ours is the largest difference, over the grid, of the gradient's norm "
                "and |x y - 1| times the distance to the origin, which vanishes there "
                "only",
            ),
            Finding(
                "It is difficult to avoid convergence to a global minimum.",
                "difficult",
                share,
                share == 1.0,
                f"the share of {random['loss'].size} random starts in the square that "
                f"come to a loss below {AT_MINIMUM:g}",
            ),
            Finding(
                "It is possible to avoid a global minimum (Exercise 42).",
                "possible",
                float(stuck),
                bool(abs(stuck - 0.5) < 1e-9),
                "the loss at which the descent from x = -y ends: that of the saddle",
            ),
        ]

    def draw_on(
        self, figure: Any, settings: dict[str, Any], tables: dict[str, Table]
    ) -> None:
        """Draw arrows of one length, the hyperbola, and the descents."""
        axes = figure.add_subplot()
        axes.grid(visible=False)
        field, paths, reach = tables["field"], tables["paths"], settings["reach"]
        size = np.maximum(np.hypot(field["pull_x"], field["pull_y"]), 1e-12)
        axes.quiver(
            field["x"],
            field["y"],
            field["pull_x"] / size,
            field["pull_y"] / size,
            np.log10(size),
            cmap="Greys",
            clim=(-2.5, 2),
            angles="xy",
            scale=30,
            width=0.003,
        )
        branch = np.geomspace(1 / reach, reach, 200)
        for sign in (1, -1):
            axes.plot(
                sign * branch,
                sign / branch,
                color=look.GOOD,
                linewidth=2.5,
                label="minima, x y = 1" if sign == 1 else None,
            )
        starts = np.unique(paths["start"])
        for start in starts:
            here = paths["start"] == start
            fails = start == starts[-1]
            axes.plot(
                paths["x"][here],
                paths["y"][here],
                color=look.BAD if fails else look.CURVES[0],
                label={starts[0]: "descents", starts[-1]: "one that fails"}.get(start),
            )
            axes.plot(
                paths["x"][here][0],
                paths["y"][here][0],
                "o",
                markersize=4,
                color=look.BAD if fails else look.CURVES[0],
            )
        axes.plot(0, 0, "D", color=look.CURVES[1], label="saddle")
        axes.set(
            xlim=(-reach, reach),
            ylim=(-reach, reach),
            xlabel="$x_1$",
            ylabel="$x_2$",
            aspect="equal",
        )
        figure.legend(loc="outside upper center", ncols=4)

    def _descents(self, settings: dict[str, Any]) -> Table:
        """Return the descents from the starts to draw, every tenth iterate."""
        x = np.array(settings["starts"])
        rows = []
        for iteration in range(settings["iterations"] + 1):
            if iteration % 10 == 0 or iteration < 50:
                rows.append((iteration, x, play.loss(x)))
            x = x - settings["step_size"] * play.gradient(x)
        count = len(x)
        return {
            "start": np.tile(np.arange(count), len(rows)),
            "iteration": np.repeat([row[0] for row in rows], count),
            "x": np.concatenate([row[1][:, 0] for row in rows]),
            "y": np.concatenate([row[1][:, 1] for row in rows]),
            "loss": np.concatenate([row[2] for row in rows]),
        }
