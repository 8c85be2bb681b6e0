"""The lecture's theorem beside what descent does: bound and loss, step by step."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from thalweg._core.papers import CS439
from thalweg._core.source import Source
from thalweg.experiments._base import AbstractExperiment, Finding, Table, Workplace
from thalweg.experiments.flammarion2025 import _playground as play
from thalweg.report import look

TINY = [[0.5] * 2, [0.5] * 4, [0.5] * 8, [0.4, 0.8, 1.2]]
PAPER = [[0.5] * 2, [0.5] * 4, [0.5] * 8, [0.5] * 10, [0.4, 0.8, 1.2]]


@dataclass(frozen=True)
class Bound(AbstractExperiment):
    r"""The bound $(1 - \delta^2 / (3 c^4))^T f(x_0)$ against the loss observed."""

    source: ClassVar[Source] = CS439.at("Lecture 6, Theorem 6.9, slide Convergence")
    title: ClassVar[str] = "The convergence theorem's bound, and the loss observed"
    claim: ClassVar[str] = (
        "With step 1/(3 d c^2) the loss after T steps is at most "
        "(1 - delta^2/(3 c^4))^T times that of the start, so it falls exponentially."
    )
    seconds: ClassVar[dict[str, float]] = {"tiny": 0.1, "paper": 0.2}
    size: ClassVar[tuple[float, float]] = (8.0, 3.6)

    def settings(self, scale: str) -> dict[str, Any]:
        """Return the starts and the accuracy of a scale."""
        return {"starts": PAPER if scale == "paper" else TINY, "accuracy": 1e-6}

    def measure(self, settings: dict[str, Any], work: Workplace) -> dict[str, Table]:
        """Return a row a start, and every iterate's loss beside its bound."""
        goal, rows, curves = settings["accuracy"], [], []
        for number, start in enumerate(settings["starts"]):
            depth, spread = len(start), max(start) / min(start)
            product, step = float(np.prod(start)), 1 / (3 * depth * spread**2)
            seen = play.losses(start, step, goal)
            factor = 1 - product**2 / (3 * spread**4)
            bound = seen[0] * factor ** np.arange(seen.size)
            curves.append((number, seen, bound))
            asked = play.promised(seen[0], goal, product, spread)
            sharp = _sharp(product, step, depth, goal)
            name, taken = _name(start), seen.size - 1
            row = (name, depth, spread, step, product, seen[0], taken, asked, sharp)
            rows.append(row)
        columns = list(zip(*rows, strict=True))
        names = ["start", "depth", "spread", "step_size", "start_product", "loss"]
        names += ["iterations", "promised", "promised_sharply"]
        return {
            "starts": {
                name: np.array(column)
                for name, column in zip(names, columns, strict=True)
            },
            "curves": {
                "start": np.concatenate([np.full(s.size, n) for n, s, _ in curves]),
                "iteration": np.concatenate([np.arange(s.size) for _, s, _ in curves]),
                "loss": np.concatenate([seen for _, seen, _ in curves]),
                "bound": np.concatenate([bound for *_, bound in curves]),
            },
        }

    def findings(
        self, settings: dict[str, Any], tables: dict[str, Table]
    ) -> list[Finding]:
        """Return that the bound holds at every step, and how far it is off."""
        starts, curves = tables["starts"], tables["curves"]
        later = curves["iteration"] > 0
        factors = _factors(starts, curves)
        worst = float(np.max(curves["loss"][later] / curves["bound"][later]))
        loose = starts["promised"] / starts["iterations"]
        ratios = starts["promised_sharply"] / starts["iterations"]
        return [
            Finding(
                "The loss is at most the bound after every step, from every start.",
                "at most 1 times the bound",
                worst,
                worst <= 1,
                "the largest loss over bound after the first step",
            ),
            Finding(
                "The error converges to zero exponentially fast: every step multiplies "
                "it by 1 - delta^2/(3 c^4) at most.",
                "at most 1 times that factor",
                float(factors.max()),
                bool(factors.max() <= 1),
                "the largest factor of a step over the promised one",
            ),
            Finding(
                f"A loss of {settings['accuracy']:g} is reached within the iterations "
                "the theorem asks for.",
                ", ".join(f"{count:.0f}" for count in starts["promised"]),
                ", ".join(map(str, starts["iterations"])),
                bool(np.all(loose >= 1)),
                f"{loose.min():.3g} to {loose.max():.3g} times as many as it takes; "
                "the sharper e <- e (1 - step d (1 - e)^(2 - 2/d)) from e = 1 - delta "
                f"asks for {ratios.min():.3f} to {ratios.max():.3f} times as many "
                "(derived here)",
            ),
        ]

    def draw_on(
        self, figure: Any, settings: dict[str, Any], tables: dict[str, Table]
    ) -> None:
        """Draw the losses with their bounds, and the counts side by side."""
        left, right = figure.subplots(1, 2, width_ratios=[1.25, 1])
        starts, curves = tables["starts"], tables["curves"]
        for number, name in enumerate(starts["start"]):
            here, colour = curves["start"] == number, look.CURVES[number]
            after = curves["iteration"][here] + 1
            left.plot(after, curves["loss"][here], color=colour, label=str(name))
            times = np.geomspace(1, starts["promised"][number], 200)
            factor = 1 - starts["start_product"] ** 2 / (3 * starts["spread"] ** 4)
            left.plot(
                times,
                starts["loss"][number] * factor[number] ** times,
                color=colour,
                linestyle=look.PROMISED,
            )
        left.set(xscale="log", yscale="log", ylim=(settings["accuracy"] / 3, 1))
        left.set(xlabel="iteration + 1", ylabel="loss; dashed: the bound")
        places = np.arange(len(starts["start"]))
        shown = [
            ("iterations", "observed", look.CURVES[0], "o"),
            ("promised_sharply", "sharper bound", look.CURVES[2], "_"),
            ("promised", "theorem", look.BOUND, "D"),
        ]
        for column, label, colour, marker in shown:
            right.plot(
                starts[column],
                places,
                marker,
                color=colour,
                label=label,
                markersize=12 if marker == "_" else 6,
                markeredgewidth=2,
            )
        right.set_yticks(places, starts["start"])
        right.set(xscale="log", ylim=(len(places) - 0.5, -0.5))
        right.set_xlabel(f"iterations to a loss of {settings['accuracy']:g}")
        right.legend(loc="upper right")
        figure.legend(
            *left.get_legend_handles_labels(), loc="outside upper left", ncols=5
        )


def _sharp(product: float, step: float, depth: int, goal: float) -> int:
    """Return the count of the recursion that depends on the product alone."""
    gap, count = 1 - product, 0
    while 0.5 * gap * gap > goal:
        gap *= 1 - step * depth * (1 - gap) ** (2 - 2 / depth)
        count += 1
    return count


def _factors(starts: Table, curves: Table) -> np.ndarray:
    """Return each start's largest factor of a step over the promised one."""
    promised = 1 - starts["start_product"] ** 2 / (3 * starts["spread"] ** 4)
    losses = [curves["loss"][curves["start"] == k] for k in range(len(promised))]
    return np.array([np.max(loss[1:] / loss[:-1]) for loss in losses]) / promised


def _name(start: list[float]) -> str:
    if len(set(start)) == 1:
        return f"{len(start)} factors {start[0]:g}"
    return "(" + ", ".join(f"{x:g}" for x in start) + ")"
