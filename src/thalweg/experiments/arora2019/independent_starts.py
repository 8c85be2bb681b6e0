"""Independent Gaussian layers: only a window of standard deviations is fast."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from thalweg._core.papers import ARORA2019
from thalweg._core.source import Source
from thalweg.experiments._base import AbstractExperiment, Finding, Table, Workplace
from thalweg.experiments.arora2019._fastest import (
    FEW,
    NEVER,
    band,
    draw_iterations,
    fastest,
    numbers,
    told_band,
    told_data,
)
from thalweg.experiments.arora2019._starts import independent

ORDERS = 100.0
"""Orders of magnitude: at least two."""


@dataclass(frozen=True)
class IndependentStarts(AbstractExperiment):
    """Iterations to convergence against the std of independent Gaussian layers.

    One output, white inputs, all hidden widths equal; at every standard deviation the
    step size that is fastest on a grid.
    """

    source: ClassVar[Source] = ARORA2019.at("Section 4, Figure (a)")
    title: ClassVar[str] = "Iterations from independent layers, against their std"
    claim: ClassVar[str] = (
        "With three layers a wide range of standard deviations takes a few hundred "
        "iterations or less; with eight only a narrow one does, and outside the time "
        "grows by orders of magnitude."
    )
    seconds: ClassVar[dict[str, float]] = {"tiny": 4.0, "paper": 90.0}
    needs: ClassVar[tuple[str, ...]] = ("gas_sensor",)

    def settings(self, scale: str) -> dict[str, Any]:
        """Return data, nets, grids, seeds and the cap on iterations."""
        return numbers(scale)

    def measure(self, settings: dict[str, Any], work: Workplace) -> dict[str, Table]:
        """Return the fastest step and its iterations, start by start."""
        return {"fastest": fastest(settings, independent, work)}

    def findings(
        self, settings: dict[str, Any], tables: dict[str, Table]
    ) -> list[Finding]:
        """Compare the windows of the two depths."""
        table, (shallow, deep) = tables["fastest"], settings["depths"]
        wide, narrow = band(table, shallow), band(table, deep)
        worst = [_worst(settings, table, depth) for depth in (shallow, deep)]
        return [
            Finding(
                f"With {shallow} layers many standard deviations need a few hundred "
                "iterations or less.",
                "a wide range",
                told_band(wide),
                bool(_decades(wide) >= 1),
                f"{told_data(settings)}; few hundred: at most {FEW}, by every seed; "
                "wide: a decade or more",
            ),
            Finding(
                f"With {deep} layers few do.",
                "a narrow range",
                told_band(narrow),
                bool(0 < narrow.size < wide.size and _decades(narrow) < 1),
                "narrow: not empty, and less than a decade; the source's cap is "
                f"1,000,000 iterations, ours {settings['cap']:,}",
            ),
            Finding(
                "Outside, the time grows by orders of magnitude.",
                "orders of magnitude",
                ", ".join(f"{lead}{factor:.3g}" for lead, factor in worst),
                all(factor >= ORDERS for _, factor in worst),
                "most over fewest iterations, by depth; orders: at least "
                f"{ORDERS:g} times; a start that did not converge counts as the cap, "
                f"{settings['cap']:,}, hence at least: {_failures(table)}",
            ),
        ]

    def draw_on(
        self, figure: Any, settings: dict[str, Any], tables: dict[str, Table]
    ) -> None:
        """Draw iterations against std, a curve a depth, axes logarithmic."""
        draw_iterations(figure, settings, tables["fastest"], "independent layers")


def _decades(stds: np.ndarray) -> float:
    return float(np.log10(stds.max() / stds.min())) if stds.size else 0.0


def _failures(table: Table) -> str:
    """Tell how many starts failed, and of how many every step was tried."""
    failed = table["iterations"] == NEVER
    sure = int(np.sum(failed & (table["certain"] == 1)))
    return (
        f"{int(failed.sum())} of {failed.size} starts did not, {sure} of them at any "
        "step of the grid, the others at those the search tried"
    )


def _worst(settings: dict[str, Any], table: Table, depth: int) -> tuple[str, float]:
    """Return most over fewest iterations of a depth, a bound where some fail."""
    counts = table["iterations"][table["depth"] == depth]
    failed = counts == NEVER
    if failed.all():
        return "", 0.0
    most = np.where(failed, settings["cap"], counts).max()
    return "at least " * bool(failed.any()), float(most / counts[~failed].min())
