r"""The lecture's way out of the catch: start at $1 - b/d$, and time stays bounded."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from thalweg._core.papers import CS439
from thalweg._core.source import Source
from thalweg.experiments._base import AbstractExperiment, Finding, Table, Workplace
from thalweg.experiments.flammarion2025 import _playground as play
from thalweg.report import look

LOGARITHM = "1 - ln(d)/d"
HALVES = "1/2"

BOUNDED = 2.0
"""From 1 - ln(d)/d the theorem's bound grows like the depth to this power."""


@dataclass(frozen=True)
class NearOne(AbstractExperiment):
    """Iterations from equal factors near one, at growing depth."""

    source: ClassVar[Source] = CS439.at(
        "Lecture 6, slide Discussion: a start at distance O(1/sqrt(d))"
    )
    title: ClassVar[str] = "Polynomial time from starts at 1 - b/d"
    claim: ClassVar[str] = (
        "For a time polynomial in the depth one must start at distance O(1/sqrt(d)) "
        "from optimality, as at x_i = 1 - b/d."
    )
    seconds: ClassVar[dict[str, float]] = {"tiny": 0.4, "paper": 0.5}
    size: ClassVar[tuple[float, float]] = (6.4, 4.0)

    def settings(self, scale: str) -> dict[str, Any]:
        """Return the depths, the numbers b and the accuracy of a scale."""
        last = 14 if scale == "paper" else 9
        return {
            "depths": [2**k for k in range(3, last)],
            "offsets": [0.5, 1.0, 2.0, 4.0],
            "halves_up_to": 16,
            "accuracy": 1e-6,
        }

    def measure(self, settings: dict[str, Any], work: Workplace) -> dict[str, Table]:
        r"""Return a row a depth and offset, $b = \ln d$ and halves among them."""
        rows = [
            (depth, _name(offset), 1 - offset / depth)
            for offset in settings["offsets"]
            for depth in settings["depths"]
        ]
        rows += [(d, LOGARITHM, 1 - np.log(d) / d) for d in settings["depths"]]
        rows += [(d, HALVES, 0.5) for d in range(4, settings["halves_up_to"] + 1)]
        depths, names, factors = (np.array(c) for c in zip(*rows, strict=True))
        goal = settings["accuracy"]
        product = factors**depths
        asked = [
            play.promised(0.5 * (1 - p) ** 2, goal, p, 1.0) for p in product.tolist()
        ]
        return {
            "starts": {
                "depth": depths,
                "start": names,
                "factor": factors,
                "distance": (1 - factors) * np.sqrt(depths),
                "iterations": play.steps_of_equals(factors, depths, np.array(goal)),
                "promised": np.array(asked),
            }
        }

    def findings(
        self, settings: dict[str, Any], tables: dict[str, Table]
    ) -> list[Finding]:
        """Return that time stays bounded, and how far from optimality it may start."""
        table = tables["starts"]
        told = []
        for offset in settings["offsets"]:
            deep = table["start"] == _name(offset)
            last = float(table["iterations"][deep][-1])
            limit = _limit(offset, settings["accuracy"])
            told.append((offset, last, limit))
        largest = max(abs(last / limit - 1) for _, last, limit in told)
        asked = table["iterations"] <= table["promised"]
        slow = table["start"] == LOGARITHM
        power = _power(table["depth"][slow], table["iterations"][slow])
        offsets = ", ".join(f"{offset:g}" for offset, *_ in told)
        return [
            Finding(
                "From x_i = 1 - b/d the time is polynomial in the depth.",
                "polynomial",
                ", ".join(f"{last:.0f}" for _, last, _ in told),
                bool(largest < 0.1),
                f"iterations at depth {settings['depths'][-1]} for b = {offsets}: it "
                "does not grow with the depth at all, but tends to that of p <- p + "
                "p^2 (1 - p)/3 from e^-b",
            ),
            Finding(
                "The theorem's bound holds from all these starts.",
                "at most as promised",
                float(np.max(table["iterations"] / table["promised"])),
                bool(np.all(asked)),
                "the largest iterations over promised",
            ),
            Finding(
                "For polynomial time one must start at distance O(1/sqrt(d)).",
                "needed",
                power,
                power > BOUNDED,
                "it suffices, but a distance of ln(d)/sqrt(d), so x_i = 1 - ln(d)/d, "
                "is polynomial too: ours is the power of d by which iterations grow "
                "(the leading term 3/prod x is 3 d, the theorem's bound of order d^2)",
            ),
        ]

    def draw_on(
        self, figure: Any, settings: dict[str, Any], tables: dict[str, Table]
    ) -> None:
        """Draw iterations against depth, a curve an offset, bounds dashed."""
        table, axes = tables["starts"], figure.add_subplot()
        for place, offset in enumerate(settings["offsets"]):
            here = table["start"] == _name(offset)
            axes.plot(
                table["depth"][here],
                table["iterations"][here],
                "o-",
                markersize=3,
                color=look.CURVES[place],
                label=f"$1 - {offset:g}/d$",
            )
            axes.plot(
                table["depth"][here],
                table["promised"][here],
                linestyle=look.PROMISED,
                linewidth=1,
                color=look.CURVES[place],
            )
        here = table["start"] == LOGARITHM
        axes.plot(
            table["depth"][here],
            table["iterations"][here],
            "s-",
            markersize=3,
            color=look.CURVES[6],
            label=r"$1 - \ln(d)/d$",
        )
        here = table["start"] == HALVES
        axes.plot(
            table["depth"][here],
            table["iterations"][here],
            "^-",
            markersize=3,
            color=look.BAD,
            label="1/2",
        )
        axes.set(xscale="log", yscale="log", ylim=(5, None))
        axes.set(xlabel="depth $d$; dashed: the theorem's bound")
        axes.set_ylabel(f"iterations to a loss of {settings['accuracy']:g}")
        figure.legend(title="all factors start at", ncols=6, loc="outside upper center")


def _name(offset: float) -> str:
    return f"1 - {offset:g}/d"


def _limit(offset: float, goal: float) -> float:
    r"""Return the steps of the limit of infinite depth, $p' = p + p^2 (1 - p)/3$.

    With $x = 1 - b/d$ the product follows $p \exp(\tfrac13 p (1 - p))$ as $d$ grows,
    which is counted here.
    """
    product, count = float(np.exp(-offset)), 0
    while 0.5 * (1 - product) ** 2 > goal:
        product *= float(np.exp(product * (1 - product) / 3))
        count += 1
    return float(count)


def _power(depth: np.ndarray, count: np.ndarray) -> float:
    """Return the power of the deeper half of the depths."""
    half = depth.size // 2
    return float(np.polyfit(np.log(depth[half:]), np.log(count[half:]), 1)[0])
