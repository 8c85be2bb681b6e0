"""A small independent start stays balanced while its layers grow."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from thalweg._core.papers import ARORA2019
from thalweg._core.source import Source
from thalweg.experiments._base import AbstractExperiment, Finding, Table, Workplace
from thalweg.experiments._chains import invariants, product, step
from thalweg.experiments._columns import columns
from thalweg.experiments.arora2019._fastest import (
    fastest,
    numbers,
    start_of,
    target_of,
    told_data,
)
from thalweg.experiments.arora2019._starts import independent
from thalweg.report import look

MUCH = 10.0
"""Layers larger than the imbalance by this factor are much larger."""


@dataclass(frozen=True)
class Balancedness(AbstractExperiment):
    r"""Imbalance during training, against the smallest layer.

    Imbalance is $\max_j \|W_{j+1}^\top W_{j+1} - W_j W_j^\top\|_F$, the layers' size
    $\min_j \|W_j W_j^\top\|_F$; the step is the fastest of the grid.
    """

    source: ClassVar[Source] = ARORA2019.at("Section 4, Figure (c)")
    title: ClassVar[str] = "Balancedness during training, against layer norms"
    claim: ClassVar[str] = (
        "Started from small independent layers, a network stays nearly balanced "
        "throughout training: the imbalance soon is, and stays, far below the norms "
        "of its layers."
    )
    seconds: ClassVar[dict[str, float]] = {"tiny": 4.0, "paper": 10.0}
    needs: ClassVar[tuple[str, ...]] = ("gas_sensor",)

    def settings(self, scale: str) -> dict[str, Any]:
        """Return what Figure (a) takes, with one depth, std and seed."""
        std = 0.03 if scale == "tiny" else 1e-3
        return {**numbers(scale), "depths": [3], "stds": [std], "seeds": [0]}

    def measure(self, settings: dict[str, Any], work: Workplace) -> dict[str, Table]:
        """Return imbalance and the layers' norm, iteration by iteration."""
        best = fastest(settings, independent, work)
        size, iterations = float(best["step_size"][0]), int(best["iterations"][0])
        target = np.asarray(target_of(settings).target)
        depth, std, seed = (settings[n][0] for n in ("depths", "stds", "seeds"))
        layers = start_of(settings, independent, depth, std, seed)
        rows = []
        for iteration in range(iterations + 1):
            loss = np.sum((product(layers) - target) ** 2) / 2
            norms = [np.linalg.norm(layer @ layer.T) for layer in layers]
            gaps = [np.linalg.norm(gap) for gap in invariants(layers)]
            rows.append((iteration, max(gaps), min(norms), loss))
            layers = step(target, layers, size)
        return {
            "training": columns(("iteration", "imbalance", "norm", "loss"), rows),
            "run": columns(("step_size", "iterations"), [(size, iterations)]),
        }

    def findings(
        self, settings: dict[str, Any], tables: dict[str, Table]
    ) -> list[Finding]:
        """Compare the imbalance with the layers' norms, and with its first value."""
        table = tables["training"]
        ratio = table["norm"] / table["imbalance"]
        learning = table["loss"] <= 0.5 * table["loss"][0]
        drift = float(np.abs(table["imbalance"] - table["imbalance"][0]).max())
        return [
            Finding(
                "Once half of the loss is gone, the imbalance is far below the norms "
                "of the layers: least norm over imbalance.",
                "much more than 1",
                float(ratio[learning].min()),
                bool(ratio[learning].min() >= MUCH),
                f"{told_data(settings)}; at the start {ratio[0]:.3g}, at the end "
                f"{ratio[-1]:.4g}; much more: {MUCH:g} times",
            ),
            Finding(
                "The imbalance itself hardly grows: largest change over the layers' "
                "norm at the end.",
                "much less than 1",
                drift / float(table["norm"][-1]),
                bool(drift <= float(table["norm"][-1]) / MUCH),
                f"from {table['imbalance'][0]:.3g} to {table['imbalance'][-1]:.3g} at "
                f"step {tables['run']['step_size'][0]:.3g}; along the flow it would "
                "not change at all",
            ),
        ]

    def draw_on(
        self, figure: Any, settings: dict[str, Any], tables: dict[str, Table]
    ) -> None:
        """Draw both against the iteration, logarithmically."""
        table = tables["training"]
        axes = figure.add_subplot()
        axes.semilogy(table["iteration"], table["norm"], color=look.CURVES[0],
                      label=r"$\min_j \|W_j W_j^\top\|_F$")  # fmt: skip
        axes.semilogy(
            table["iteration"],
            table["imbalance"],
            color=look.CURVES[1],
            label=r"$\max_j \|W_{j+1}^\top W_{j+1} - W_j W_j^\top\|_F$",
        )
        axes.semilogy(table["iteration"], table["loss"], color=look.FAINT, lw=1,
                      label="loss above its optimum")  # fmt: skip
        axes.set_xlabel("iteration")
        axes.set_title(
            f"{settings['depths'][0]} layers, std {settings['stds'][0]:g}\n"
            f"{told_data(settings)}",
            loc="left",
        )
        axes.legend(loc="center left", bbox_to_anchor=(0, 0.68))
