"""What neighbouring layers differ by: kept by the flow, nearly so by descent."""

from dataclasses import dataclass
from functools import reduce
from typing import Any, ClassVar

import numpy as np

from thalweg._core.papers import CHITOUR2023
from thalweg._core.source import Source
from thalweg.experiments._base import AbstractExperiment, Finding, Table, Workplace
from thalweg.experiments._columns import columns
from thalweg.motion.descend import descend
from thalweg.motion.flow import flow
from thalweg.problem.moments import Moments
from thalweg.problem.nets import LinearNet
from thalweg.problem.problem import Problem
from thalweg.report import look

TOLERANCE = 1e-10
"""Of a step of the flow's solver, relative."""


@dataclass(frozen=True)
class Invariants(AbstractExperiment):
    r"""Drift of $W_{j+1}^\top W_{j+1} - W_j W_j^\top$ along the flow and descents.

    One step of descent changes an invariant by exactly
    $\eta^2 (g_{j+1}^\top g_{j+1} - g_j g_j^\top)$, $g_j$ the gradient of layer $j$,
    so up to a fixed flow time the drift is proportional to the step size.
    """

    source: ClassVar[Source] = CHITOUR2023.at("Lemma 1")
    title: ClassVar[str] = "Invariants along the flow, and their drift in descent"
    claim: ClassVar[str] = (
        "Along the gradient flow every matrix W_(j+1)' W_(j+1) - W_j W_j' stays as it "
        "was at the start."
    )
    seconds: ClassVar[dict[str, float]] = {"tiny": 4.0, "paper": 6.0}
    size: ClassVar[tuple[float, float]] = (9.0, 3.6)

    def settings(self, scale: str) -> dict[str, Any]:
        """Return the net, its start, the horizon and the step sizes."""
        exponents = [-3, -4] if scale == "tiny" else [-2.5, -3, -3.5, -4, -4.5, -5]
        return {
            "widths": [5, 4, 3, 2],
            "target": [2, 1],
            "std": 0.5,
            "seed": 1,
            "horizon": 2.0,
            "step_sizes": [10.0**exponent for exponent in exponents],
            "records": 100,
        }

    def measure(self, settings: dict[str, Any], work: Workplace) -> dict[str, Table]:
        """Return the drifts in time, and of each step size at the horizon."""
        problem, start = _posed(settings)
        horizon, records = settings["horizon"], settings["records"]
        times = np.linspace(0, horizon, records + 1)
        path = flow(
            problem,
            start,
            times=times,
            rtol=TOLERANCE,
            gradient_tolerance=0.0,
            measures=("invariants",),
        )
        rows = [(0.0, *row) for row in zip(times, _drift(path), strict=True)]
        ends, steps = [], settings["step_sizes"]
        for place, step in enumerate(steps):
            work.say(f"descent with step {step:.2g}", (1 + place) / (1 + len(steps)))
            iterations = round(horizon / step)
            kept = np.unique(np.linspace(0, iterations, records + 1).round())
            run = descend(
                problem,
                start,
                step_size=step,
                iterations=iterations,
                at=kept,
                measures=("invariants",),
            )
            drift = _drift(run)
            rows += [(step, *row) for row in zip(run.clock * step, drift, strict=True)]
            ends.append((step, drift[-1], drift[1]))
        one = _one_step(problem, start, steps[0])
        return {
            "drifts": columns(("step_size", "time", "drift"), rows),
            "ends": columns(("step_size", "drift", "first_record"), ends),
            "one_step": columns(("measured", "formula", "gap"), [one]),
        }

    def findings(
        self, settings: dict[str, Any], tables: dict[str, Table]
    ) -> list[Finding]:
        """Compare drifts with zero, and with the order of the step."""
        drifts, ends = tables["drifts"], tables["ends"]
        still = float(drifts["drift"][drifts["step_size"] == 0].max())
        slopes = np.diff(np.log(ends["drift"])) / np.diff(np.log(ends["step_size"]))
        gap = float(tables["one_step"]["gap"][0])
        order = float(slopes[-1])
        return [
            Finding(
                "The flow keeps the invariants: largest drift up to the horizon.",
                0.0,
                still,
                still <= 20 * TOLERANCE,
                f"the solver's tolerance is {TOLERANCE:g} a step; 20 times that is "
                "allowed",
            ),
            Finding(
                "One step of descent changes an invariant by step^2 (g_(j+1)' g_(j+1) "
                "- g_j g_j') and nothing else: largest gap to that.",
                0.0,
                gap,
                gap <= 1e-14,
                "derived; in float64, invariants of size one",
            ),
            Finding(
                "At a fixed flow time the drift of descent is proportional to the step "
                "size: order observed between the two smallest steps.",
                1.0,
                order,
                abs(order - 1) <= 0.05,
                f"drift over step size there: {ends['drift'][-1] / ends['step_size'][-1]:.4g}",
            ),
        ]

    def draw_on(
        self, figure: Any, settings: dict[str, Any], tables: dict[str, Table]
    ) -> None:
        """Draw the drift in time, and at the horizon against the step size."""
        left, right = figure.subplots(1, 2)
        drifts, ends = tables["drifts"], tables["ends"]
        for place, step in enumerate(np.unique(drifts["step_size"])[::-1]):
            rows = (drifts["step_size"] == step) & (drifts["drift"] > 0)
            left.plot(
                drifts["time"][rows],
                drifts["drift"][rows],
                color=look.INK if step == 0 else look.CURVES[place],
                label="the flow" if step == 0 else f"step {step:.2g}",
            )
        left.set_yscale("log")
        left.set_xlabel("flow time, iterations x step size")
        left.set_ylabel("largest change of an invariant")
        left.legend(ncols=2, loc="center right")
        right.loglog(ends["step_size"], ends["drift"], "o-", color=look.CURVES[0],
                     label="descent")  # fmt: skip
        right.loglog(
            ends["step_size"],
            ends["drift"][-1] * ends["step_size"] / ends["step_size"][-1],
            color=look.BOUND,
            ls=look.PROMISED,
            label="proportional to the step",
        )
        right.set_xlabel("step size")
        right.set_ylabel(f"drift at flow time {settings['horizon']:g}")
        right.legend(loc="upper left")


def _posed(settings: dict[str, Any]) -> tuple[Problem, tuple[np.ndarray, ...]]:
    widths = settings["widths"]
    target = np.zeros((widths[-1], widths[0]))
    np.fill_diagonal(target, settings["target"])
    problem = Problem(LinearNet(tuple(widths)), Moments.whitened(target))
    draw = np.random.default_rng(settings["seed"]).standard_normal
    return problem, tuple(settings["std"] * draw(shape) for shape in problem.net.shapes)


def _drift(path: Any) -> np.ndarray:
    """Return the largest Frobenius norm of a change since the start, in time."""
    column = np.asarray(path["invariants"])
    return np.sqrt(np.sum((column - column[0]) ** 2, axis=(2, 3))).max(axis=1)


def _one_step(
    problem: Problem, start: tuple[np.ndarray, ...], step: float
) -> tuple[float, float, float]:
    """Return the change of one step, what the formula gives, and the gap between."""
    slopes = _gradient(np.asarray(problem.target), start)
    after = [layer - step * slope for layer, slope in zip(start, slopes, strict=True)]
    changes = [
        a - b for a, b in zip(_invariants(after), _invariants(start), strict=True)
    ]
    formula = [step**2 * gap for gap in _invariants(slopes)]
    gaps = [a - b for a, b in zip(changes, formula, strict=True)]
    return _largest(changes), _largest(formula), _largest(gaps)


def _gradient(target: np.ndarray, layers: Any) -> list[np.ndarray]:
    residual = np.linalg.multi_dot(layers[::-1]) - target
    slopes = []
    for place in range(len(layers)):
        above = reduce(np.matmul, layers[:place:-1], np.eye(len(target)))
        below = reduce(np.matmul, layers[:place][::-1], np.eye(layers[place].shape[1]))
        slopes.append(above.T @ residual @ below.T)
    return slopes


def _invariants(layers: Any) -> list[np.ndarray]:
    pairs = zip(layers[:-1], layers[1:], strict=True)
    return [above.T @ above - below @ below.T for below, above in pairs]


def _largest(matrices: list[np.ndarray]) -> float:
    return float(max(np.linalg.norm(matrix) for matrix in matrices))

