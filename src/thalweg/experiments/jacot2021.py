r"""From saddle to saddle: Jacot et al., 2021.

Gradient flow from $\alpha \vartheta$, with $\vartheta$ fixed and $\alpha \to 0$, stays
longer and longer near saddles of rising rank. Near the origin the flow is that of a
homogeneous polynomial of degree $N$, the depth: the time to leave it grows like
$\ln(1/\alpha)$ for two layers and like $\alpha^{-(N-2)}$ for more. Target, widths and
seed are ours.
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
from thalweg.motion.flow import flow
from thalweg.problem.moments import Moments
from thalweg.problem.nets import LinearNet
from thalweg.problem.problem import Problem
from thalweg.report.look import CURVES, FAINT, INK, PROMISED

JACOT2021 = Source(
    "jacot2021",
    "A. Jacot, F. Ged, B. Simsek, C. Hongler, F. Gabriel",
    "Saddle-to-saddle dynamics in deep linear networks: small initialization "
    "training, symmetry, and sparsity",
    "arXiv",
    2021,
    "arXiv:2106.15933",
    beyond=True,
)


class SaddleToSaddle(AbstractExperiment):
    """Losses of flows from smaller and smaller starts, and when they fall."""

    source: ClassVar[Source] = JACOT2021.at("saddle-to-saddle figure and conjecture")
    title: ClassVar[str] = "Smaller starts stay longer at saddles of rising rank"
    claim: ClassVar[str] = (
        "As starts shrink, flow visits saddles of rank 0, 1, 2, ...; the time to leave "
        "the first grows like the logarithm of the start's inverse for two layers, "
        "and like its power N - 2 for N layers."
    )
    seconds: ClassVar[dict[str, float]] = {"tiny": 8, "paper": 20}
    size: ClassVar[tuple[float, float]] = (9.6, 3.4)

    def settings(self, scale: str) -> dict[str, Any]:
        """Return target, depths, and the sizes of the starts for each."""
        paper = scale == "paper"
        alphas = {
            "2": [10.0**-k for k in range(1, 9)],
            "3": [10.0 ** (-k / 2) for k in range(1, 7)],
            "4": [10.0 ** (-k / 4) for k in range(1, 9)],
        }
        return {
            "target": [3.0, 2.0, 1.0],
            "width": 3,
            "seed": 1,
            "alphas": alphas if paper else {"2": [1e-2, 1e-4, 1e-6], "3": [1e-1, 1e-2]},
            "records": 600 if paper else 300,
            "rtol": 1e-8,
            "accuracy": 1e-6,
        }

    def measure(self, settings: dict[str, Any], work: Workplace) -> dict[str, Table]:
        """Return the loss along every flow, and when each level is crossed."""
        curves, escapes = [], []
        for depth, alphas in settings["alphas"].items():
            problem, direction = posed(settings, int(depth))
            for place, alpha in enumerate(alphas):
                work.say(f"depth {depth}, alpha {alpha:g}", place / len(alphas))
                times = _times(int(depth), alpha, settings)
                path = flow(
                    problem,
                    [alpha * layer for layer in direction],
                    times=times,
                    accuracy=settings["accuracy"],
                    gradient_tolerance=0.0,
                    rtol=settings["rtol"],
                    atol=settings["rtol"] * alpha / 100,
                )
                loss = np.asarray(path["loss"])
                curves.append((int(depth), alpha, path.clock, loss))
                escapes.append((int(depth), alpha, *_crossings(settings, curves[-1])))
        counts = [len(curve[2]) for curve in curves]
        names = ("depth", "alpha", *(f"escape_{k}" for k in range(_rank(settings))))
        return {
            "curves": {
                "depth": np.repeat([curve[0] for curve in curves], counts),
                "alpha": np.repeat([curve[1] for curve in curves], counts),
                "time": np.concatenate([curve[2] for curve in curves]),
                "loss": np.concatenate([curve[3] for curve in curves]),
            },
            "escapes": {
                name: np.array(column)
                for name, column in zip(names, zip(*escapes, strict=True), strict=True)
            },
        }

    def findings(
        self, settings: dict[str, Any], tables: dict[str, Table]
    ) -> list[Finding]:
        """Return the growth of escape times, and how flat the plateaus are."""
        found = [
            _growth(int(depth), settings["target"][0], tables["escapes"])
            for depth in settings["alphas"]
        ]
        return found + _plateaus(settings, tables)

    def draw_on(
        self, figure: Any, settings: dict[str, Any], tables: dict[str, Table]
    ) -> None:
        """Draw losses with the saddles' dashed, and escape times against starts."""
        panels = figure.subplots(1, 3)
        for panel, depth in zip(panels, (2, 3), strict=False):
            self._draw_losses(panel, depth, settings, tables["curves"])
        panels[0].set_ylabel("loss")
        table, last = tables["escapes"], panels[2]
        for color, depth in zip(CURVES, settings["alphas"], strict=False):
            rows = table["depth"] == int(depth)
            small, when = 1 / table["alpha"][rows], table["escape_0"][rows]
            last.loglog(
                small, when, "o-", markersize=4, color=color, label=f"N = {depth}"
            )
            last.plot(
                small,
                when[-1] * _law(int(depth), small) / _law(int(depth), small[-1]),
                color=INK,
                linestyle=PROMISED,
                linewidth=0.9,
            )
        last.set_title("first escape; promised growth dashed", loc="left")
        last.set_xlabel("1 / alpha")
        last.set_ylabel("flow time")
        last.legend()

    def _draw_losses(
        self, panel: Any, depth: int, settings: dict[str, Any], table: Table
    ) -> None:
        alphas = settings["alphas"][str(depth)]
        for color, alpha in zip(CURVES, alphas, strict=False):
            rows = (table["depth"] == depth) & (table["alpha"] == alpha)
            rows &= table["time"] > 0
            panel.plot(
                table["time"][rows],
                table["loss"][rows],
                color=color,
                label=f"{alpha:.1g}",
            )
        for level in saddle_losses(settings["target"]):
            panel.axhline(level, color=FAINT, linestyle=PROMISED, linewidth=0.9)
        if depth > 2:
            panel.set_xscale("log")
        panel.set_title(f"{depth} layers; losses of saddles dashed", loc="left")
        panel.set_xlabel("flow time")
        place = "center left" if depth > 2 else "upper right"
        panel.legend(
            title="alpha",
            title_fontsize=8,
            fontsize=7,
            ncols=1 if depth > 2 else 2,
            loc=place,
        )


def posed(settings: dict[str, Any], depth: int) -> tuple[Problem, list[np.ndarray]]:
    """Return the problem and the direction of its starts.

    Args:
        settings: From `SaddleToSaddle.settings`.
        depth: Number of layers.

    Returns:
        Least squares on white data, and Gaussian layers of unit variance.
    """
    target = np.diag(settings["target"])
    outer, width = len(target), settings["width"]
    net = LinearNet((outer, *(width,) * (depth - 1), outer))
    random = np.random.default_rng([settings["seed"], depth])
    direction = [random.normal(size=shape) for shape in net.shapes]
    return Problem(net, Moments.whitened(target)), direction


def saddle_losses(target: list[float]) -> np.ndarray:
    r"""Return the losses of the saddles that have learnt the strongest modes.

    Args:
        target: Singular values, descending.

    Returns:
        $\tfrac12 \sum_{i > k} s_i^2$ for $k = 0, \dots$, with 0 as the last.

    Example:
        >>> saddle_losses([3.0, 2.0, 1.0]).tolist()
        [7.0, 2.5, 0.5, 0.0]
    """
    return np.cumsum(np.array([*target, 0.0])[::-1] ** 2)[::-1] / 2


def _times(depth: int, alpha: float, settings: dict[str, Any]) -> np.ndarray:
    """Return when to record: until the weakest mode is learnt, with room to spare."""
    weakest, count = settings["target"][-1], settings["records"]
    if depth == 2:
        return np.linspace(0, (np.log(1 / alpha) + 8) / weakest, count)
    horizon = 4 * (1 + alpha ** (2 - depth)) / weakest
    return np.concatenate(([0.0], np.geomspace(1e-4 * horizon, horizon, count)))


def _rank(settings: dict[str, Any]) -> int:
    return len(settings["target"])


def _crossings(settings: dict[str, Any], curve: Any) -> list[float]:
    """Return when the loss crosses halfway between one saddle's and the next's."""
    times, loss = curve[2:]
    levels = saddle_losses(settings["target"])
    found = []
    for level in (levels[:-1] + levels[1:]) / 2:
        after = int(np.argmax(loss < level))
        if not loss[after] < level:
            found.append(np.nan)
            continue
        pair = slice(after - 1, after + 1)
        found.append(float(np.interp(-level, -loss[pair], times[pair])))
    return found


def _law(depth: int, small: Any) -> Any:
    """Return what the escape time is said to grow like, by the start's inverse."""
    return np.log(small) if depth == 2 else small ** (depth - 2)


def _growth(depth: int, strongest: float, table: Table) -> Finding:
    rows = table["depth"] == depth
    small, when = np.log(1 / table["alpha"][rows][-2:]), table["escape_0"][rows][-2:]
    if depth == 2:
        slope = float(np.diff(when)[0] / np.diff(small)[0])
        return Finding(
            claim="Two layers: the first escape takes ln(1/alpha) over the largest "
            "singular value, and a constant.",
            stated=1 / strongest,
            ours=slope,
            holds=abs(slope * strongest - 1) <= 0.01,
            note="Slope between the two smallest starts.",
        )
    slope = float(np.diff(np.log(when))[0] / np.diff(small)[0])
    return Finding(
        claim=f"{depth} layers: the first escape time grows like alpha to the "
        f"-{depth - 2}.",
        stated=float(depth - 2),
        ours=slope,
        holds=abs(slope - (depth - 2)) <= 0.05,
        note="Exponent between the two smallest starts.",
    )


def _plateaus(settings: dict[str, Any], tables: dict[str, Table]) -> list[Finding]:
    """Return how near the loss of the smallest start comes to rest at each saddle's."""
    table, found = tables["curves"], []
    for depth, alphas in settings["alphas"].items():
        rows = (table["depth"] == int(depth)) & (table["alpha"] == alphas[-1])
        times, loss = table["time"][rows][1:], table["loss"][rows][1:]
        levels = saddle_losses(settings["target"])
        edges = (levels[:-1] + levels[1:]) / 2
        clock = times if depth == "2" else np.log(times)
        slowness = np.gradient(loss, clock)
        seen = []
        for high, low in pairwise(edges):
            inside = (loss < high) & (loss > low)
            flattest = np.argmax(np.where(inside, slowness, -np.inf))
            seen.append(float(loss[flattest]))
        gap = float(np.max(np.abs(seen / levels[1:-1] - 1)))
        found.append(
            Finding(
                claim=f"{depth} layers: between its falls the loss rests at those of "
                "saddles of rank 1, 2, ...",
                stated=", ".join(f"{level:g}" for level in levels[1:-1]),
                ours=", ".join(f"{one:.4g}" for one in seen),
                holds=gap <= 0.05,
                note=f"Where the loss is flattest, for alpha = {alphas[-1]:.1g}.",
            )
        )
    return found
