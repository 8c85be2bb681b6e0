"""Balanced starts: fast over a wide range of standard deviations, at any depth."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from thalweg._core.papers import ARORA2019
from thalweg._core.source import Source
from thalweg.experiments._base import AbstractExperiment, Finding, Table, Workplace
from thalweg.experiments.arora2019._fastest import (
    FEW,
    band,
    draw_iterations,
    fastest,
    numbers,
    told_band,
    told_data,
)
from thalweg.experiments.arora2019._starts import balanced


@dataclass(frozen=True)
class BalancedStarts(AbstractExperiment):
    """Iterations to convergence against the std of a balanced Gaussian start.

    As in Figure (a), but the end-to-end matrix is Gaussian, and its factors share
    their singular values.
    """

    source: ClassVar[Source] = ARORA2019.at("Section 4, Figure (b)")
    title: ClassVar[str] = "Iterations from balanced starts, against their std"
    claim: ClassVar[str] = (
        "Balanced starts converge fast over a wide range of standard deviations, with "
        "three layers and with eight."
    )
    seconds: ClassVar[dict[str, float]] = {"tiny": 4.0, "paper": 20.0}
    needs: ClassVar[tuple[str, ...]] = ("gas_sensor",)

    def settings(self, scale: str) -> dict[str, Any]:
        """Return data, nets, grids, seeds and the cap on iterations."""
        return numbers(scale)

    def measure(self, settings: dict[str, Any], work: Workplace) -> dict[str, Table]:
        """Return the fastest step and its iterations, start by start."""
        return {"fastest": fastest(settings, balanced, work)}

    def findings(
        self, settings: dict[str, Any], tables: dict[str, Table]
    ) -> list[Finding]:
        """Tell how wide the range of each depth is."""
        table = tables["fastest"]
        found = []
        for depth in settings["depths"]:
            stds = band(table, depth)
            decades = float(np.log10(stds.max() / stds.min())) if stds.size else 0.0
            found.append(
                Finding(
                    f"With {depth} layers a wide range of standard deviations needs a "
                    "few hundred iterations or less.",
                    "a wide range",
                    told_band(stds),
                    decades >= 1,
                    f"{told_data(settings)}; few hundred: at most {FEW}, by every "
                    "seed; wide: a decade or more; the std is that of the end-to-end "
                    "matrix",
                )
            )
        return found

    def draw_on(
        self, figure: Any, settings: dict[str, Any], tables: dict[str, Table]
    ) -> None:
        """Draw iterations against std, a curve a depth, axes logarithmic."""
        draw_iterations(figure, settings, tables["fastest"], "balanced start")
