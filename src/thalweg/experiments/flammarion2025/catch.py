r"""The lecture's catch: the bound asks for $4^d$ steps, descent takes about $2^d$."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from thalweg._core.outcome import Outcome
from thalweg._core.papers import CS439
from thalweg._core.source import Source
from thalweg.experiments._base import AbstractExperiment, Finding, Table, Workplace
from thalweg.experiments.flammarion2025 import _playground as play
from thalweg.motion.leap import leap
from thalweg.problem.scalar import Playground
from thalweg.report import look


@dataclass(frozen=True)
class Catch(AbstractExperiment):
    r"""Iterations from halves to a small loss, promised and observed, to depth 40.

    Shallow nets are counted step by step, deep ones by leaps, and depths that are
    both must agree.
    """

    source: ClassVar[Source] = CS439.at("Lecture 6, slide Discussion, the catch")
    title: ClassVar[str] = "The catch: promised 4^d iterations, observed about 2^d"
    claim: ClassVar[str] = (
        "From (1/2, ..., 1/2) about 4^d iterations are needed to reduce the error by "
        "a constant factor."
    )
    seconds: ClassVar[dict[str, float]] = {"tiny": 3.0, "paper": 40.0}

    def settings(self, scale: str) -> dict[str, Any]:
        """Return the depths counted by steps and by leaps, and the accuracy."""
        paper = scale == "paper"
        return {
            "steps": list(range(3, 19 if paper else 15)),
            "leaps": list(range(16, 41, 2)) if paper else [14],
            "accuracy": 1e-6,
        }

    def measure(self, settings: dict[str, Any], work: Workplace) -> dict[str, Table]:
        """Return a row a depth and way of counting."""
        goal, slow, quick = settings["accuracy"], settings["steps"], settings["leaps"]
        depths = np.array(slow)
        counted = play.steps_of_equals(
            np.full(depths.size, 0.5), depths, np.array(goal)
        )
        leapt = []
        for number, depth in enumerate(quick):
            work.say(f"leaping at depth {depth}", number / len(quick))
            leapt.append(_by_leaps(depth, goal))
        every = np.array([*slow, *quick])
        asked = [
            play.promised(0.5 * (1 - 0.5**d) ** 2, goal, 0.5**d, 1.0)
            for d in every.tolist()
        ]
        return {
            "depths": {
                "depth": every,
                "by": np.array(["steps"] * len(slow) + ["leaps"] * len(quick)),
                "iterations": np.array([*counted.tolist(), *leapt], dtype=np.int64),
                "promised": np.array(asked),
                "leading_order": np.array([play.leading(d) for d in every.tolist()]),
            }
        }

    def findings(
        self, settings: dict[str, Any], tables: dict[str, Table]
    ) -> list[Finding]:
        """Return the growth by layer, promised and observed, and the closed form."""
        table = tables["depths"]
        depth, seen = table["depth"], table["iterations"]
        deep = depth >= np.max(depth) - 4
        deepest = int(np.argmax(depth))
        off = seen[deepest] / table["leading_order"][deepest] - 1
        asked, taken = (
            _growth(depth[deep], counts[deep]) for counts in (table["promised"], seen)
        )
        return [
            Finding(
                "The bound asks for about 4^d iterations.",
                4.0,
                asked,
                abs(asked - 4) < 1e-3,
                "the factor by which one layer more multiplies the count",
            ),
            Finding(
                "About 4^d iterations are needed.",
                4.0,
                taken,
                abs(taken - 4) < 0.1,
                "what the bound needs is not what descent needs: it takes about 2^d, "
                f"at depth {int(depth[deepest])} {float(seen[deepest]):.4g} iterations "
                f"where the bound asks for {table['promised'][deepest]:.4g}",
            ),
            Finding(
                "Descent takes 3 2^(d-2)/(1 - 2/d) iterations to leading order "
                "(derived here).",
                float(table["leading_order"][deepest]),
                float(seen[deepest]),
                bool(abs(off) < 2 / depth[deepest] ** 2),
                f"at depth {int(depth[deepest])}: {off:.2g} relative; what is left is "
                "the final approach and terms of lower order",
            ),
            _same_count(table),
        ]

    def draw_on(
        self, figure: Any, settings: dict[str, Any], tables: dict[str, Table]
    ) -> None:
        """Draw both counts against depth on a logarithmic axis."""
        table, axes = tables["depths"], figure.add_subplot()
        order = np.argsort(table["depth"], kind="stable")
        axes.plot(
            table["depth"][order],
            table["promised"][order],
            linestyle=look.PROMISED,
            color=look.BOUND,
            label="promised by the theorem: of order $4^d$",
        )
        axes.plot(
            table["depth"][order],
            table["leading_order"][order],
            look.MEASURED,
            color=look.FAINT,
            linewidth=1,
            label=r"$3 \cdot 2^{d-2} / (1 - 2/d)$",
        )
        for way, marker, colour in (("steps", "o", 0), ("leaps", "D", 1)):
            here = table["by"] == way
            axes.plot(
                table["depth"][here],
                table["iterations"][here],
                marker,
                markersize=4.5,
                color=look.CURVES[colour],
                label=f"observed, by {way}",
            )
        axes.set(yscale="log", xlabel="depth $d$, all factors started at 1/2")
        axes.set_ylabel(f"iterations to a loss of {settings['accuracy']:g}")
        axes.legend(loc="upper left")


def _by_leaps(depth: int, goal: float) -> int:
    path = leap(
        Playground(depth),
        [0.5] * depth,
        step_size=1 / (3 * depth),
        iterations=2**53,
        accuracy=goal,
        records=2,
        throw=True,
    )
    assert isinstance(path.outcome, Outcome)
    return int(path.outcome.iteration)


def _growth(depth: np.ndarray, count: np.ndarray) -> float:
    """Return by what one layer more multiplies a count, on average."""
    return float(np.exp(np.polyfit(depth, np.log(count.astype(float)), 1)[0]))


def _same_count(table: Table) -> Finding:
    """Return whether leaps and steps count alike where both were done."""
    counts: dict[str, dict[int, int]] = {"steps": {}, "leaps": {}}
    columns = (table["depth"].tolist(), table["by"].tolist())
    for depth, way, count in zip(*columns, table["iterations"].tolist(), strict=True):
        counts[way][depth] = count
    both = sorted(counts["steps"].keys() & counts["leaps"].keys())
    apart = max(abs(counts["steps"][d] - counts["leaps"][d]) for d in both)
    return Finding(
        "Leaps count the iterations that steps count.",
        0.0,
        float(apart),
        apart == 0,
        f"the largest difference at depths {', '.join(map(str, both))}",
    )
