"""The lecture's Exercise 42: starts from which no step size finds a minimum."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from thalweg._core.papers import CS439
from thalweg._core.source import Source
from thalweg.experiments._base import AbstractExperiment, Finding, Table, Workplace
from thalweg.experiments.flammarion2025 import _playground as play
from thalweg.report import look

LARGEST = 1e30
"""Beyond this a factor only grows, and its run is over."""


@dataclass(frozen=True)
class FailingStarts(AbstractExperiment):
    """Equal magnitudes with an odd number of minus signs, at all step sizes."""

    source: ClassVar[Source] = CS439.at("Lecture 6, Exercise 42")
    title: ClassVar[str] = "Starts from which descent finds no minimum"
    claim: ClassVar[str] = (
        "For even depth, equal magnitudes with an odd number of minus signs never "
        "lead to a global minimum, at any step size."
    )
    seconds: ClassVar[dict[str, float]] = {"tiny": 0.2, "paper": 1.5}
    size: ClassVar[tuple[float, float]] = (8.0, 3.5)

    def settings(self, scale: str) -> dict[str, Any]:
        """Return depths, steps and how long to look."""
        paper = scale == "paper"
        return {
            "step_sizes": np.geomspace(0.01, 10, 61 if paper else 13).tolist(),
            "depths": [2, 3, 4, 6],
            "iterations": 5000 if paper else 500,
            "drawn": [[2, 0.1, 1e-6], [4, 0.05, 0.01]],
            "drawn_iterations": 4000,
        }

    def measure(self, settings: dict[str, Any], work: Workplace) -> dict[str, Table]:
        """Return the lowest loss at every step size, and losses along some runs."""
        steps = np.array(settings["step_sizes"])
        lowest = [
            _lowest(depth, steps, settings["iterations"])
            for depth in settings["depths"]
        ]
        runs = []
        for depth, step, nudge in settings["drawn"]:
            starts = np.stack([_start(depth), _start(depth)])
            starts[1, -1] -= nudge
            runs.append(_losses(starts, step, settings["drawn_iterations"]))
        iteration = np.arange(settings["drawn_iterations"] + 1)
        return {
            "step_sizes": {
                "depth": np.repeat(settings["depths"], steps.size),
                "step_size": np.tile(steps, len(lowest)),
                "lowest_loss": np.concatenate(lowest),
            },
            "runs": {
                "iteration": iteration,
                **{
                    f"loss_depth_{depth}{kind}": found[:, place]
                    for (depth, *_), found in zip(settings["drawn"], runs, strict=True)
                    for place, kind in enumerate(("", "_nudged"))
                },
            },
        }

    def findings(
        self, settings: dict[str, Any], tables: dict[str, Table]
    ) -> list[Finding]:
        """Return that even depths stay above a half, and what odd ones do."""
        table, runs = tables["step_sizes"], tables["runs"]
        even = float(np.min(table["lowest_loss"][table["depth"] % 2 == 0]))
        odd = table["depth"] % 2 == 1
        low = odd & (table["lowest_loss"] < 0.5)
        first = float(np.min(table["step_size"][low])) if low.any() else float("inf")
        depths = [depth for depth, *_ in settings["drawn"]]
        ends = [float(runs[f"loss_depth_{depth}"][-1]) for depth in depths]
        nudged = [float(runs[f"loss_depth_{depth}_nudged"][-1]) for depth in depths]
        return [
            Finding(
                "For even depth the loss never falls below 1/2, at any step size.",
                0.5,
                even,
                even >= 0.5,
                f"the lowest loss of {table['step_size'].size} runs' even depths, "
                f"steps from {table['step_size'].min():g} to "
                f"{table['step_size'].max():g}",
            ),
            Finding(
                "With a small step such a start leads to the saddle at zero.",
                0.5,
                max(ends, key=lambda end: abs(end - 0.5)),
                all(abs(end - 0.5) < 1e-3 for end in ends),
                "the loss at the end",
            ),
            Finding(
                "Even depth is needed (checked here, not claimed).",
                "above 1/2",
                first,
                bool(low.any() and first > 0.5 * (1 - 1e-12)),
                "ours is the smallest step tried at which depth 3 comes below a loss "
                "of 1/2: from step 1/2 on the first step turns all signs",
            ),
            Finding(
                "The failing starts are exceptional: nearby ones lead to a minimum.",
                0.0,
                max(nudged),
                max(nudged) < 1e-9,
                "the loss at the end, one factor made the smallest; the largest of the "
                "runs drawn",
            ),
        ]

    def draw_on(
        self, figure: Any, settings: dict[str, Any], tables: dict[str, Table]
    ) -> None:
        """Draw losses along runs, and the lowest loss against the step size."""
        left, right = figure.subplots(1, 2)
        runs, table = tables["runs"], tables["step_sizes"]
        for place, (depth, step, nudge) in enumerate(settings["drawn"]):
            colour = look.CURVES[place]
            name = f"loss_depth_{depth}"
            left.plot(
                runs["iteration"],
                runs[name],
                color=colour,
                label=f"$d = {depth}$, step {step:g}",
            )
            left.plot(
                runs["iteration"],
                runs[f"{name}_nudged"],
                color=colour,
                alpha=0.45,
                label=f"one factor smaller by {nudge:g}",
            )
        left.set(xlabel="iteration", ylabel="loss", xscale="symlog", xlim=(0, None))
        left.legend(loc="upper right")
        for place, depth in enumerate(settings["depths"]):
            here = table["depth"] == depth
            right.plot(
                table["step_size"][here],
                table["lowest_loss"][here],
                "os^D"[place % 4],
                markersize=9 - 2 * place,
                fillstyle="none",
                color=look.CURVES[place],
                label=f"$d = {depth}$",
            )
        right.axhline(0.5, color=look.BOUND, linestyle=look.PROMISED)
        right.set(xscale="log", xlabel="step size", ylabel="lowest loss of a run")
        right.legend(loc="center left")


def _start(depth: int) -> np.ndarray:
    """Return ones, the first of them negative."""
    return np.array([-1.0] + [1.0] * (depth - 1))


def _lowest(depth: int, steps: np.ndarray, iterations: int) -> np.ndarray:
    """Return the lowest loss at every step size."""
    x = np.tile(_start(depth), (steps.size, 1))
    lowest, alive = play.loss(x), np.ones(steps.size, bool)
    for _ in range(iterations):
        x[alive] -= steps[alive, None] * play.gradient(x[alive])
        alive &= np.max(np.abs(x), axis=1) < LARGEST ** (1 / depth)
        if not alive.any():
            break
        lowest[alive] = np.minimum(lowest[alive], play.loss(x[alive]))
    return lowest


def _losses(x: np.ndarray, step: float, iterations: int) -> np.ndarray:
    """Return the loss of every iterate of both starts."""
    found = [play.loss(x)]
    for _ in range(iterations):
        x = x - step * play.gradient(x)
        found.append(play.loss(x))
    return np.array(found)
