r"""Error 9: $4^d$ iterations are what the bound needs, not what descent needs."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from thalweg._core.papers import CS439
from thalweg._core.source import Source
from thalweg.experiments._base import AbstractExperiment, Finding, Table, Workplace
from thalweg.experiments.flammarion2025 import _playground as play
from thalweg.experiments.source_errors._telling import as_printed, corrected
from thalweg.report import look


@dataclass(frozen=True)
class FourToTheD(AbstractExperiment):
    """Iterations from halves until the loss is halved: the slide's own question."""

    source: ClassVar[Source] = CS439.at("Lecture 6, slide Discussion, the catch")
    title: ClassVar[str] = "Halving the loss takes 2^d iterations, not 4^d"
    claim: ClassVar[str] = (
        "From (1/2, ..., 1/2) one needs T of about 4^d to reduce the initial error by "
        "a constant factor that does not depend on d."
    )
    seconds: ClassVar[dict[str, float]] = {"tiny": 0.2, "paper": 2.5}

    def settings(self, scale: str) -> dict[str, Any]:
        """Return the depths and by how much to reduce the loss."""
        return {"depths": list(range(3, 19 if scale == "paper" else 14)), "factor": 0.5}

    def measure(self, settings: dict[str, Any], work: Workplace) -> dict[str, Table]:
        """Return the iterations at every depth, and what the bound asks for."""
        depth = np.array(settings["depths"])
        loss = 0.5 * (1 - 0.5**depth) ** 2
        goal = settings["factor"] * loss
        asked = [
            play.promised(e, g, 0.5**d, 1.0)
            for d, e, g in zip(depth.tolist(), loss, goal, strict=True)
        ]
        return {
            "depths": {
                "depth": depth,
                "iterations": play.steps_of_equals(
                    np.full(depth.size, 0.5), depth, goal
                ),
                "promised": np.array(asked),
                "as_printed": 4.0**depth,
                "leading_order": np.array([play.leading(d) for d in depth.tolist()]),
            }
        }

    def findings(
        self, settings: dict[str, Any], tables: dict[str, Table]
    ) -> list[Finding]:
        """Return the growth by layer, and the closed form."""
        table = tables["depths"]
        deep = slice(-5, None)
        growth = [
            float(
                np.exp(np.polyfit(table["depth"][deep], np.log(table[k][deep]), 1)[0])
            )
            for k in ("iterations", "promised", "leading_order")
        ]
        last = int(table["depth"][-1])
        off = table["iterations"] / table["leading_order"] - 1
        return [
            as_printed(
                "about 4^d iterations are needed to reduce the error by a constant "
                "factor.",
                4.0,
                growth[0],
                abs(growth[0] - 4) < 0.1,
                "the factor a layer; 4^d is what the bound asks for "
                f"({growth[1]:.4f}); at depth {table['depth'][-1]} descent takes "
                f"{table['iterations'][-1]} iterations, 4^d is "
                f"{table['as_printed'][-1]:.3g}",
            ),
            corrected(
                "it takes 3 2^(d-2)/(1 - 2/d) iterations to leading order, so of "
                "order 2^d.",
                float(table["iterations"][-1]),
                abs(off[-1]) < last / 2.0 ** (last - 2),
                f"relative difference {off[-1]:.1g} at depth {last}, below d 2^(2-d)",
                float(table["leading_order"][-1]),
            ),
        ]

    def draw_on(
        self, figure: Any, settings: dict[str, Any], tables: dict[str, Table]
    ) -> None:
        """Draw iterations against depth beside both formulas."""
        table, axes = tables["depths"], figure.add_subplot()
        axes.plot(
            table["depth"],
            table["as_printed"],
            linestyle=look.PROMISED,
            color=look.BOUND,
            label="as printed, $4^d$",
        )
        axes.plot(
            table["depth"],
            table["leading_order"],
            look.MEASURED,
            color=look.FAINT,
            label=r"corrected, $3 \cdot 2^{d-2} / (1 - 2/d)$",
        )
        axes.plot(
            table["depth"],
            table["iterations"],
            "o",
            color=look.CURVES[0],
            label="observed",
        )
        axes.set(yscale="log", xlabel="depth $d$, all factors started at 1/2")
        axes.set_ylabel("iterations until the loss is halved")
        axes.legend(loc="upper left")
