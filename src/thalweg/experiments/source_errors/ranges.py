"""Error 4: one invariant too many."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from thalweg._core.papers import CHITOUR2023
from thalweg._core.source import Source
from thalweg.experiments._base import AbstractExperiment, Finding, Table, Workplace
from thalweg.experiments.source_errors import _chains as chains
from thalweg.experiments.source_errors._telling import as_printed, corrected
from thalweg.report import look


@dataclass(frozen=True)
class Ranges(AbstractExperiment):
    r"""Of $H + 1$ layers the flow keeps $H$ differences, not $H + 1$."""

    source: ClassVar[Source] = CHITOUR2023.at("Lemma 1, its ranges")
    title: ClassVar[str] = "H layers hidden, H invariants"
    claim: ClassVar[str] = (
        "Along the flow W_{j+1}'W_{j+1} - W_j W_j' is constant for 1 <= j <= H + 1."
    )
    seconds: ClassVar[dict[str, float]] = {"tiny": 0.1, "paper": 0.2}

    def settings(self, scale: str) -> dict[str, Any]:
        """Return widths, seed, horizon and tolerance."""
        return {
            "widths": [4, 3, 3, 2],
            "std": 0.6,
            "horizon": 5.0,
            "records": 201 if scale == "paper" else 41,
            "rtol": 1e-11,
            "seed": 1,
        }

    def measure(self, settings: dict[str, Any], work: Workplace) -> dict[str, Table]:
        """Return by time how far every difference has moved, and the loss."""
        rng, widths = np.random.default_rng(settings["seed"]), settings["widths"]
        shapes = list(zip(widths[1:], widths, strict=False))
        start = [settings["std"] * rng.standard_normal(shape) for shape in shapes]
        target = rng.standard_normal((widths[-1], widths[0]))
        white = np.eye(widths[0])
        times = np.linspace(0, settings["horizon"], settings["records"])
        path = chains.flow(
            lambda layers: chains.velocity(layers, white, target),
            start,
            times,
            settings["rtol"],
        )
        moved = {
            f"change_{j}": [_gap(at, start, j) for at in path]
            for j in range(1, len(widths))
        }
        return {
            "changes": {
                "time": times,
                "loss": np.array([chains.loss(at, white, target) for at in path]),
                **{name: np.array(values) for name, values in moved.items()},
            }
        }

    def findings(
        self, settings: dict[str, Any], tables: dict[str, Table]
    ) -> list[Finding]:
        """Return the largest change of the last, and of all others."""
        table, hidden = tables["changes"], len(settings["widths"]) - 2
        last = float(table[f"change_{hidden + 1}"].max())
        kept = max(float(table[f"change_{j}"].max()) for j in range(1, hidden + 1))
        return [
            as_printed(
                "the difference is constant for 1 <= j <= H + 1.",
                0.0,
                last,
                last <= 100 * settings["rtol"],
                "for j = H + 1 there is no W_{H+2}; with any constant in its place "
                "the difference moves by this much with W_{H+1}: the range is "
                "1 <= j <= H, and (8) is trivial at j = H + 1",
            ),
            corrected(
                "the difference is constant for 1 <= j <= H.",
                kept,
                kept <= 100 * settings["rtol"],
                f"the largest change; the solver's relative tolerance is "
                f"{settings['rtol']:g}",
                0.0,
            ),
        ]

    def draw_on(
        self, figure: Any, settings: dict[str, Any], tables: dict[str, Table]
    ) -> None:
        """Draw every difference's change by time."""
        table, axes = tables["changes"], figure.add_subplot()
        for j in range(1, len(settings["widths"])):
            last = j == len(settings["widths"]) - 1
            axes.plot(
                table["time"][1:],
                np.maximum(table[f"change_{j}"][1:], 1e-17),
                color=look.BAD if last else look.CURVES[j - 1],
                label=f"$j = {j}$" + (" $= H + 1$, $W_{H+2}$ constant" if last else ""),
            )
        axes.set(yscale="log", xlabel="flow time", ylim=(1e-17, 100))
        axes.set_ylabel("change of the difference")
        axes.legend(loc="center right")


def _gap(at: chains.Chain, start: chains.Chain, j: int) -> float:
    """Return how far difference j has moved, a constant standing for no layer."""
    if j < len(at):
        gap = chains.invariant(at, j) - chains.invariant(start, j)
    else:
        gap = start[-1] @ start[-1].T - at[-1] @ at[-1].T
    return float(np.linalg.norm(gap))
