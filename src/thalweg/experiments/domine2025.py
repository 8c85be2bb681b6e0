r"""From rich to lazy by the balance of two layers: Domine et al., 2025.

Two layers with $W_2^\top W_2 - W_1 W_1^\top = \lambda I$ learn white data along a path
known in closed form. Around $\lambda = 0$ a mode grows as a sigmoid and the features
move (rich); for large $\lambda$ it saturates exponentially while the kernel stays what
it was (lazy). Target, widths and seed are ours.
"""

from typing import Any, ClassVar

import jax
import numpy as np

from thalweg._core.papers import DOMINE2025
from thalweg._core.source import Source
from thalweg.experiments._base import (
    AbstractExperiment,
    Finding,
    Table,
    Workplace,
)
from thalweg.inits.lambda_balanced import LambdaBalanced
from thalweg.motion.exact import exact_flow, mode_strength
from thalweg.motion.flow import flow
from thalweg.problem.moments import Moments
from thalweg.problem.nets import LinearNet
from thalweg.problem.problem import Problem
from thalweg.report.look import CURVES, FAINT, INK, PROMISED

LAZY = 10.0
"""From this balance, in units of the target, on laws of large balance are fitted."""


class RichToLazy(AbstractExperiment):
    """Mode curves for several balances, and what moves over all of training."""

    source: ClassVar[Source] = DOMINE2025.at("figures on the balance parameter")
    title: ClassVar[str] = "The balance of two layers takes them from rich to lazy"
    claim: ClassVar[str] = (
        "Balanced layers learn a mode as a sigmoid and change their kernel; the larger "
        "the balance parameter, of either sign, the nearer is learning to an "
        "exponential and the less kernel and weights move."
    )
    seconds: ClassVar[dict[str, float]] = {"tiny": 8, "paper": 12}
    size: ClassVar[tuple[float, float]] = (9.6, 3.4)

    def settings(self, scale: str) -> dict[str, Any]:
        """Return the target, the balances drawn, and those swept over."""
        paper = scale == "paper"
        return {
            "target": [2.0, 1.0, 0.5],
            "strength": 1e-3,
            "balances": [0.0, 0.5, 2.0, 10.0] if paper else [0.0, 10.0],
            "records": 200 if paper else 60,
            "horizon": 5.0,
            "swept": np.geomspace(1e-2, 1e3, 41 if paper else 9).tolist(),
            "signs": [1, -1],
            "std": 0.05,
            "seed": 3,
        }

    def measure(self, settings: dict[str, Any], work: Workplace) -> dict[str, Table]:
        """Return the strongest mode's curves, and total movements by balance."""
        problem = posed(settings)
        work.say("mode curves", 0.0)
        modes = [
            _mode_curve(problem, balance, settings) for balance in settings["balances"]
        ]
        work.say("movements", 0.5)
        swept = np.array([0.0, *settings["swept"]])
        moved = [
            _moved(problem, sign * balance, settings)
            for sign in settings["signs"]
            for balance in swept
        ]
        return {
            "modes": {
                key: np.concatenate([mode[key] for mode in modes]) for key in modes[0]
            },
            "movements": {
                key: np.array([row[key] for row in moved]) for key in moved[0]
            },
        }

    def findings(
        self, settings: dict[str, Any], tables: dict[str, Table]
    ) -> list[Finding]:
        """Return how far curves are from theory, their shapes, and what moves."""
        return [
            _exact(tables["modes"]),
            _sigmoid(settings, tables["modes"]),
            _exponential(settings, tables["modes"]),
            *_kernel(tables["movements"]),
            _distance(settings, tables["movements"]),
        ]

    def draw_on(
        self, figure: Any, settings: dict[str, Any], tables: dict[str, Table]
    ) -> None:
        """Draw the mode's curves, then kernel and weights moved against balance."""
        left, middle, right = figure.subplots(1, 3)
        table = tables["modes"]
        for color, balance in zip(CURVES, settings["balances"], strict=False):
            rows = table["balance"] == balance
            clock = table["time"][rows]
            left.plot(
                clock, table["integrated"][rows], color=color, label=f"{balance:g}"
            )
            left.plot(
                clock,
                table["theory"][rows],
                color=INK,
                linestyle=PROMISED,
                linewidth=0.8,
            )
        left.axhline(settings["target"][0], color=FAINT, linewidth=0.8)
        left.set_title("strongest mode; theory dashed", loc="left")
        left.set_xlabel("flow time")
        left.legend(title="lambda", title_fontsize=8.5)
        table = tables["movements"]
        for color, sign in zip(CURVES, settings["signs"], strict=False):
            rows = table["balance"] * sign > 0
            size = np.abs(table["balance"][rows])
            label = "lambda > 0" if sign > 0 else "lambda < 0"
            style = "-" if sign > 0 else "o"
            options = {"color": color, "label": label, "markersize": 3.5}
            middle.semilogx(size, table["kernel"][rows], style, **options)
            right.loglog(size, table["distance"][rows], style, **options)
        middle.set_title("kernel: 1 - cosine, start to end", loc="left")
        right.set_title("weights moved, relative", loc="left")
        anchor = table["distance"][rows][-1] * size[-1]
        tail = size[size >= 1]
        right.plot(tail, anchor / tail, color=INK, linestyle=PROMISED, linewidth=0.9)
        for panel in (middle, right):
            panel.set_xlabel("size of lambda")
        middle.legend()


def posed(settings: dict[str, Any]) -> Problem:
    """Return least squares on white data with a diagonal target.

    Args:
        settings: From `RichToLazy.settings`.

    Returns:
        The problem of a two-layer net, all widths alike.
    """
    target = np.diag(settings["target"])
    net = LinearNet((len(target),) * 3)
    return Problem(net, Moments.whitened(target))


def _mode_curve(problem: Problem, balance: float, settings: dict[str, Any]) -> Table:
    """Return the strongest mode of an aligned start, integrated and in theory."""
    strength, target = settings["strength"], settings["target"]
    aligned = LambdaBalanced(balance, end_to_end=strength * np.eye(len(target)))
    start = aligned.draw(jax.random.key(0), problem.net)
    times = np.linspace(0, settings["horizon"], settings["records"])
    path = flow(
        problem, start, times=times, gradient_tolerance=0.0, measures=["end_to_end"]
    )
    sizes = [float(np.linalg.norm(layer[0, 0])) for layer in np.asarray(start)]
    return {
        "balance": np.full(len(path.clock), balance),
        "time": path.clock,
        "integrated": np.asarray(path["end_to_end"])[:, 0, 0],
        "theory": mode_strength(path.clock, sizes, target[0]),
    }


def _moved(
    problem: Problem, balance: float, settings: dict[str, Any]
) -> dict[str, float]:
    """Return what moves from a random start to the limit of its flow."""
    init = LambdaBalanced(balance, std=settings["std"])
    start = init.draw(jax.random.key(settings["seed"]), problem.net)
    course = exact_flow(problem, start, [0.0, np.inf])
    kernels = [kernel(*(gram[k] for gram in course.grams)) for k in range(2)]
    cosine = np.sum(kernels[0] * kernels[1]) / np.prod(
        [np.linalg.norm(one) for one in kernels]
    )
    layers = [np.asarray(layer) for layer in course.weights]
    way = np.sqrt(sum(np.sum((layer[1] - layer[0]) ** 2) for layer in layers))
    size = np.sqrt(sum(np.sum(layer[0] ** 2) for layer in layers))
    return {
        "balance": balance,
        "kernel": float(1 - cosine),
        "distance": float(way / size),
    }


def kernel(first: np.ndarray, last: np.ndarray) -> np.ndarray:
    r"""Return the tangent kernel of a two-layer linear net.

    Args:
        first: $W_1^\top W_1$, `"in in"`.
        last: $W_2 W_2^\top$, `"out out"`.

    Returns:
        $I \otimes W_2 W_2^\top + W_1^\top W_1 \otimes I$: the products of the
        derivatives of all entries of $W_2 W_1$ by all weights, columns stacked.

    Example:
        >>> kernel(np.array([[4.0]]), np.array([[9.0]])).tolist()
        [[13.0]]
    """
    return np.kron(np.eye(len(first)), last) + np.kron(first, np.eye(len(last)))


def _exact(table: Table) -> Finding:
    gap = float(np.max(np.abs(table["integrated"] - table["theory"])))
    return Finding(
        claim="The closed form is the flow.",
        stated=0.0,
        ours=gap,
        holds=gap <= 1e-8,
        note="The largest difference of a mode's strength; integrated to 1e-10 a step.",
    )


def _sigmoid(settings: dict[str, Any], table: Table) -> Finding:
    rows = table["balance"] == 0
    steepest = int(
        np.argmax(np.gradient(table["integrated"][rows], table["time"][rows]))
    )
    share = float(table["integrated"][rows][steepest] / settings["target"][0])
    return Finding(
        claim="Balanced layers learn as a sigmoid, steepest at half the target.",
        stated=0.5,
        ours=share,
        holds=abs(share - 0.5) <= 0.15,
        note="To the spacing of the times.",
    )


def _exponential(settings: dict[str, Any], table: Table) -> Finding:
    r"""Return how a mode saturates for the largest balance drawn."""
    balance, target = max(settings["balances"]), settings["target"][0]
    rows = table["balance"] == balance
    rest = 1 - table["integrated"][rows] / target
    seen = (rest > 1e-6) & (rest < 0.99)
    line = np.polyfit(table["time"][rows][seen], np.log(rest[seen]), 1)
    bend = float(
        np.max(np.abs(np.polyval(line, table["time"][rows][seen]) - np.log(rest[seen])))
    )
    rate = float(np.sqrt(balance**2 + 4 * target**2))
    return Finding(
        claim=f"For lambda = {balance:g} what is left of a mode falls exponentially.",
        stated=f"a rate from {balance:g} at first to {rate:.4g} at last",
        ours=float(-line[0]),
        holds=bool(balance <= -line[0] <= rate * 1.001),
        note=f"The logarithm is off a line by {bend:.2g} at most, over six decades.",
    )


def _kernel(table: Table) -> list[Finding]:
    found = []
    for sign, name in ((1, "positive"), (-1, "negative")):
        rows = table["balance"] * sign > 0
        change = table["kernel"][rows]
        zero = float(table["kernel"][table["balance"] == 0][0])
        found.append(
            Finding(
                claim=f"The larger the {name} lambda, the less the kernel turns.",
                stated="from a large change to none",
                ours=f"1 - cosine falls from {zero:.3g} to {change[-1]:.2g}",
                holds=bool(
                    np.all(np.diff(change, prepend=zero) < 0) and change[-1] < 1e-6
                ),
                note=f"Holds if it falls from one of {change.size} lambdas to the next "
                "and ends below 1e-6.",
            )
        )
    return found


def _distance(settings: dict[str, Any], table: Table) -> Finding:
    rows = table["balance"] >= LAZY * settings["target"][0]
    sizes = np.log(table["balance"][rows])
    slope = float(np.polyfit(sizes, np.log(table["distance"][rows]), 1)[0])
    return Finding(
        claim="For large lambda the relative way of the weights is as its inverse.",
        stated=-1.0,
        ours=slope,
        holds=abs(slope + 1) <= 0.02,
        note="Derived here: the thin layer moves by the target's distance over the "
        "root of lambda, in a net of that root's size.",
    )
