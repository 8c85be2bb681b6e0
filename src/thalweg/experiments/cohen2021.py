r"""The edge of stability of deep linear nets: Cohen et al., 2021.

Descent on a quadratic is stable while step size times sharpness is at most two. Here a
deep linear net learns random labels of random inputs at several step sizes; the paper
does the like for many kinds of nets. Sizes and seed are ours.
"""

from typing import Any, ClassVar

import numpy as np

from thalweg._core.source import Source
from thalweg.experiments._base import (
    AbstractExperiment,
    Finding,
    Table,
    Workplace,
)
from thalweg.measures.sharpness import Sharpness
from thalweg.motion.descend import descend
from thalweg.problem.moments import Moments
from thalweg.problem.nets import LinearNet
from thalweg.problem.problem import Problem
from thalweg.report.look import CURVES, PROMISED

COHEN2021 = Source(
    "cohen2021",
    "J. M. Cohen, S. Kaur, Y. Li, J. Z. Kolter, A. Talwalkar",
    "Gradient descent on neural networks typically occurs at the edge of stability",
    "ICLR",
    2021,
    "arXiv:2103.00065",
    beyond=True,
)

EDGE = 2.0
"""Step size times sharpness above which descent on a quadratic diverges."""

HOVER = 0.1
"""How far from the edge the median may lie to be called hovering: five percent."""


class EdgeOfStability(AbstractExperiment):
    """Sharpness and loss along descents of several step sizes."""

    source: ClassVar[Source] = COHEN2021.at("Figure 1, for a deep linear net")
    title: ClassVar[str] = "Sharpness rises to two over the step size and stays there"
    claim: ClassVar[str] = (
        "Along full-batch descent the sharpness rises until it is two over the step "
        "size and then hovers there; from then on the loss is not monotone from step "
        "to step, but it goes on falling."
    )
    seconds: ClassVar[dict[str, float]] = {"tiny": 9, "paper": 50}
    size: ClassVar[tuple[float, float]] = (9.6, 3.4)

    def settings(self, scale: str) -> dict[str, Any]:
        """Return a net of eight layers and the step sizes."""
        paper = scale == "paper"
        return {
            "width": 20 if paper else 10,
            "depth": 8,
            "samples": 50 if paper else 25,
            "gain": 0.8,
            "seed": 0,
            "step_sizes": [0.01, 0.04, 0.06, 0.08] if paper else [0.01, 0.1],
            "iterations": 6000 if paper else 1000,
            "every": 40 if paper else 100,
            "early": 60 if paper else 30,
        }

    def measure(self, settings: dict[str, Any], work: Workplace) -> dict[str, Table]:
        """Return loss at every step and sharpness at some, a descent a step size."""
        problem, start = posed(settings)
        last, steps = settings["iterations"], settings["step_sizes"]
        options: dict[str, Any] = {"iterations": last, "step_size": None}
        losses, sharp = [], []
        for place, step in enumerate(steps):
            work.say(f"step size {step:g}", place / len(steps))
            options["step_size"] = step
            path = descend(problem, start, every=1, **options)
            losses.append(np.asarray(path["excess_loss"]))
            seen = [Sharpness()]
            path = descend(
                problem, start, at=_watched(settings), measures=seen, **options
            )
            sharp.append((path.iterations, np.asarray(path["sharpness"])[:, 0]))
        return {
            "losses": _long(steps, [np.arange(len(one)) for one in losses], losses),
            "sharpness": _long(steps, *map(list, zip(*sharp, strict=True))),
        }

    def findings(
        self, settings: dict[str, Any], tables: dict[str, Table]
    ) -> list[Finding]:
        """Return, per step size, where the sharpness stays and how the loss falls."""
        found = []
        for step in settings["step_sizes"]:
            at, value = _of(tables["sharpness"], step)
            loss = _of(tables["losses"], step)[1]
            late = float(np.median(step * value[at >= at[-1] / 2]))
            rises = int(np.sum(np.diff(loss) > 0))
            found += (
                _at_edge(step, late, step * value, rises, loss)
                if step * value.max() > EDGE
                else _below(step, late, rises, loss)
            )
        return found

    def draw_on(
        self, figure: Any, settings: dict[str, Any], tables: dict[str, Table]
    ) -> None:
        """Draw the loss beside step size times sharpness, and the edge dashed."""
        left, right = figure.subplots(1, 2)
        for color, step in zip(CURVES, settings["step_sizes"], strict=False):
            at, loss = _of(tables["losses"], step)
            left.plot(at[1:], loss[1:], color=color, linewidth=1.0, label=f"{step:g}")
            at, value = _of(tables["sharpness"], step)
            right.plot(at[1:], step * value[1:], color=color, linewidth=1.2)
        right.axhline(EDGE, color="black", linestyle=PROMISED, linewidth=1.0)
        right.set_ylim(0, None)
        left.set_yscale("log")
        left.set_title("loss above its infimum", loc="left")
        right.set_title("step size times sharpness; the edge dashed", loc="left")
        left.legend(title="step size", title_fontsize=8.5)
        for panel in (left, right):
            panel.set_xscale("log")
            panel.set_xlabel("iteration")


def posed(settings: dict[str, Any]) -> tuple[Problem, list[np.ndarray]]:
    """Return the regression and its start.

    Args:
        settings: From `EdgeOfStability.settings`.

    Returns:
        The problem: random labels of random inputs; and Gaussian layers.
    """
    width, depth = settings["width"], settings["depth"]
    random = np.random.default_rng(settings["seed"])
    inputs, labels = random.normal(size=(2, settings["samples"], width))
    net = LinearNet((width,) * (depth + 1))
    data = Moments.from_data(inputs, labels, center=False, whiten=False)
    layers = random.normal(size=(depth, width, width))
    return Problem(net, data), list(settings["gain"] / np.sqrt(width) * layers)


def _watched(settings: dict[str, Any]) -> np.ndarray:
    """Return where the sharpness is measured: often at first, then evenly."""
    last = settings["iterations"]
    early = np.geomspace(1, last, settings["early"]).round().astype(int)
    return np.union1d(early, np.arange(0, last + 1, settings["every"]))


def _at_edge(
    step: float, late: float, shares: np.ndarray, rises: int, loss: np.ndarray
) -> list[Finding]:
    return [
        Finding(
            claim=f"Step {step:g}: step size times sharpness rises to two and hovers.",
            stated=EDGE,
            ours=late,
            holds=bool(shares[0] < EDGE and abs(late - EDGE) <= HOVER),
            note="The median over the second half of the descent; it starts at "
            f"{shares[0]:.3g} and on its way overshoots to {shares.max():.3g}; "
            f"hovering: within {HOVER:g}.",
        ),
        Finding(
            claim=f"Step {step:g}: the loss rises now and then, and falls over all.",
            stated="not monotone, decreasing",
            ours=f"{rises} of {len(loss) - 1} steps raise it; {loss[0]:.4g} to "
            f"{loss[-1]:.4g}",
            holds=bool(rises > 0 and loss[-1] < loss[0]),
        ),
    ]


def _below(step: float, late: float, rises: int, loss: np.ndarray) -> list[Finding]:
    return [
        Finding(
            claim=f"Step {step:g}: sharpness that never meets the edge leaves the loss "
            "monotone.",
            stated="no step raises the loss",
            ours=f"{rises} steps raise it; step size times sharpness ends near "
            f"{late:.3g}",
            holds=rises == 0,
        )
    ]


def _long(steps: list[float], at: list[np.ndarray], values: list[np.ndarray]) -> Table:
    counts = [len(one) for one in values]
    return {
        "step_size": np.repeat(steps, counts),
        "iteration": np.concatenate(at),
        "value": np.concatenate(values),
    }


def _of(table: Table, step: float) -> tuple[np.ndarray, np.ndarray]:
    rows = table["step_size"] == step
    return table["iteration"][rows], table["value"][rows]
