r"""Speeds of convergence from starts of different Q: Zhao et al., 2023.

Data, widths, seed, step size and numbers of steps are those of the published code,
moved in float64; what $Q$ is stands beside `conserved_quantities`.
"""

from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from thalweg._core.source import Source
from thalweg.experiments._base import (
    AbstractExperiment,
    Finding,
    Table,
    Workplace,
)
from thalweg.experiments._two_layers import HIDDEN, descend_side_by_side
from thalweg.experiments.zhao2023._published import (
    ZHAO2023,
    joined,
    long,
    published_labels,
    published_start,
    recorded,
)
from thalweg.report.look import CURVES, FAINT


class ConvergenceAgainstQ(AbstractExperiment):
    """Loss along descent from starts of different Q."""

    source: ClassVar[Source] = ZHAO2023.at("figure of convergence for several Q")
    title: ClassVar[str] = "Starts of different Q converge at different speeds"
    claim: ClassVar[str] = (
        "The conserved quantity that a start fixes goes with the rate at which the "
        "loss falls."
    )
    seconds: ClassVar[dict[str, float]] = {"tiny": 2, "paper": 15}
    size: ClassVar[tuple[float, float]] = (9.6, 2.8)

    def settings(self, scale: str) -> dict[str, Any]:
        """Return standard deviations of the starts and the published numbers."""
        shorter = 1 if scale == "paper" else 40
        return {
            "step_size": 0.001 * shorter,
            "stds": [0.01, 0.1, 1.0],
            "iterations": {
                name: (800_000 if name == "sigmoid" else 400_000) // shorter
                for name in HIDDEN
            },
            "records": 120 if scale == "paper" else 40,
            "share": 0.1,
        }

    def measure(self, settings: dict[str, Any], work: Workplace) -> dict[str, Table]:
        """Return loss along every descent, with the Q of its start."""
        starts = [published_start(std) for std in settings["stds"]]
        lanes = (
            np.stack([start[0] for start in starts]),
            np.stack([start[1] for start in starts]),
        )
        steps = np.full(len(starts), settings["step_size"])
        parts = []
        for place, (name, last) in enumerate(settings["iterations"].items()):
            work.say(f"{name}: {len(steps)} x {last:,} steps", place / len(HIDDEN))
            at = recorded(last, settings["records"], steps)
            course = descend_side_by_side(name, lanes, published_labels(), steps, at)
            stds = np.array(settings["stds"])
            parts.append(
                long(name, "std", stds, at)
                | {
                    "start_q": np.repeat(course.conserved[0], len(at)),
                    "loss": course.loss.T.ravel(),
                }
            )
        return {"courses": joined(parts)}

    def findings(
        self, settings: dict[str, Any], tables: dict[str, Table]
    ) -> list[Finding]:
        """Return, per activation, whether a larger start converges sooner."""
        return [
            self._sooner(name, settings, tables["courses"])
            for name in settings["iterations"]
        ]

    def draw_on(
        self, figure: Any, settings: dict[str, Any], tables: dict[str, Table]
    ) -> None:
        """Draw the losses, a panel an activation, a curve a Q."""
        axes = figure.subplots(1, len(HIDDEN), sharey=True)
        table = tables["courses"]
        for panel, name in zip(axes, settings["iterations"], strict=True):
            for color, std in zip(CURVES, settings["stds"], strict=False):
                rows = (table["activation"] == name) & (table["std"] == std)
                rows &= table["iteration"] > 0
                panel.loglog(
                    table["iteration"][rows],
                    table["loss"][rows],
                    color=color,
                    label=f"Q = {table['start_q'][rows][0]:.4g}",
                )
            panel.axhline(
                settings["share"] * np.linalg.norm(published_labels()),
                color=FAINT,
                linewidth=0.8,
            )
            panel.set_title(name, loc="left")
            panel.set_xlabel("step")
            panel.legend(loc="lower left", fontsize=7.5)
        axes[0].set_ylabel("distance from labels")

    def _sooner(self, name: str, settings: dict[str, Any], table: Table) -> Finding:
        """Return when the distance is a share of the labels' norm, by start."""
        goal = settings["share"] * np.linalg.norm(published_labels())
        reached, sizes = [], []
        for std in settings["stds"]:
            rows = (table["activation"] == name) & (table["std"] == std)
            below = table["loss"][rows] <= goal
            at = table["iteration"][rows]
            reached.append(float(at[np.argmax(below)]) if below.any() else np.inf)
            sizes.append(float(table["start_q"][rows][0]))
        told = ", ".join(
            f"Q = {size:.4g}: {when:,.0f}"
            for size, when in zip(sizes, reached, strict=True)
        )
        return Finding(
            claim=f"{name}: the further Q is from that of zero weights, the sooner "
            f"descent comes within {settings['share']:g} of the labels' norm.",
            stated="rates go with Q",
            ours=told.replace("inf", "not in this time"),
            holds=all(later > sooner for later, sooner in pairwise(reached)),
            note="Starts differ in their standard deviation alone, "
            + ", ".join(f"{std:g}" for std in settings["stds"])
            + f": so in Q and in size; step {settings['step_size']:g}.",
        )
