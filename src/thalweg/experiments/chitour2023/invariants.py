"""What neighbouring layers differ by: kept by the flow, nearly so by descent."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
from scipy.integrate import solve_ivp

from thalweg._core.papers import CHITOUR2023
from thalweg._core.source import Source
from thalweg.experiments._base import AbstractExperiment, Finding, Table, Workplace
from thalweg.experiments._chains import gradient, invariants, step
from thalweg.experiments._columns import columns
from thalweg.report import look

TOLERANCE = 1e-12
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
    seconds: ClassVar[dict[str, float]] = {"tiny": 0.5, "paper": 8.0}
    size: ClassVar[tuple[float, float]] = (9.0, 3.6)

    def settings(self, scale: str) -> dict[str, Any]:
        """Return the net, its start, the horizon and the step sizes."""
        exponents = [-3, -4] if scale == "tiny" else [-2.5, -3, -3.5, -4, -4.5, -5]
        return {
            "widths": [5, 4, 3, 2],
            "target": [2.0, 1.0],
            "std": 0.5,
            "seed": 1,
            "horizon": 2.0,
            "step_sizes": [10.0**exponent for exponent in exponents],
            "records": 100,
        }

    def measure(self, settings: dict[str, Any], work: Workplace) -> dict[str, Table]:
        """Return the drifts in time, and of each step size at the horizon."""
        target, start = _posed(settings)
        horizon, records = settings["horizon"], settings["records"]
        times = np.linspace(0, horizon, records + 1)
        drifts = _drifts(start, _flow(target, start, times))
        rows = [(0.0, *row) for row in zip(times, drifts, strict=True)]
        ends, sizes = [], settings["step_sizes"]
        for place, size in enumerate(sizes):
            work.say(f"descent with step {size:.2g}", place / len(sizes))
            kept = np.linspace(0, round(horizon / size), records + 1).round()
            drifts = _drifts(start, _descent(target, start, size, kept))
            rows += [(size, *row) for row in zip(kept * size, drifts, strict=True)]
            ends.append((size, drifts[-1]))
        one = _one_step(target, start, sizes[0])
        return {
            "drifts": columns(("step_size", "time", "drift"), rows),
            "ends": columns(("step_size", "drift"), ends),
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
        share = ends["drift"][-1] / ends["step_size"][-1]
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
                f"drift over step size there: {share:.4g}",
            ),
        ]

    def draw_on(
        self, figure: Any, settings: dict[str, Any], tables: dict[str, Table]
    ) -> None:
        """Draw the drift in time, and at the horizon against the step size."""
        left, right = figure.subplots(1, 2)
        drifts, ends = tables["drifts"], tables["ends"]
        for place, size in enumerate(np.unique(drifts["step_size"])[::-1]):
            rows = (drifts["step_size"] == size) & (drifts["drift"] > 0)
            left.plot(
                drifts["time"][rows],
                drifts["drift"][rows],
                color=look.INK if size == 0 else look.CURVES[place],
                label="the flow" if size == 0 else f"step {size:.2g}",
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


def _posed(settings: dict[str, Any]) -> tuple[np.ndarray, list[np.ndarray]]:
    widths = settings["widths"]
    target = np.zeros((widths[-1], widths[0]))
    np.fill_diagonal(target, settings["target"])
    draw = np.random.default_rng(settings["seed"]).standard_normal
    shapes = zip(widths[1:], widths[:-1], strict=True)
    return target, [settings["std"] * draw(shape) for shape in shapes]


def _flow(
    target: np.ndarray, start: list[np.ndarray], times: np.ndarray
) -> Iterator[list[np.ndarray]]:
    """Yield the layers of the gradient flow at the times."""
    shapes = [layer.shape for layer in start]
    cuts = np.cumsum([layer.size for layer in start])[:-1]

    def layers_of(state: np.ndarray) -> list[np.ndarray]:
        parts = zip(np.split(state, cuts), shapes, strict=True)
        return [part.reshape(shape) for part, shape in parts]

    def speed(_time: float, state: np.ndarray) -> np.ndarray:
        slopes = gradient(target, layers_of(state))
        return -np.concatenate([slope.ravel() for slope in slopes])

    path = solve_ivp(
        speed,
        (0, times[-1]),
        np.concatenate([layer.ravel() for layer in start]),
        "DOP853",
        t_eval=times,
        rtol=TOLERANCE,
        atol=TOLERANCE / 100,
    )
    yield from map(layers_of, path.y.T)


def _descent(
    target: np.ndarray, start: list[np.ndarray], size: float, kept: np.ndarray
) -> Iterator[list[np.ndarray]]:
    """Yield the layers of a descent at the iterations."""
    layers = start
    yield layers
    for earlier, later in pairwise(kept.astype(int)):
        for _ in range(later - earlier):
            layers = step(target, layers, size)
        yield layers


def _drifts(start: list[np.ndarray], states: Iterable[list[np.ndarray]]) -> list[float]:
    """Return the largest change of an invariant since the start, state by state."""
    first = invariants(start)
    return [
        _largest([a - b for a, b in zip(invariants(layers), first, strict=True)])
        for layers in states
    ]


def _one_step(
    target: np.ndarray, start: list[np.ndarray], size: float
) -> tuple[float, float, float]:
    """Return the change of one step, what the formula gives, and the gap between."""
    after = invariants(step(target, start, size))
    changes = [a - b for a, b in zip(after, invariants(start), strict=True)]
    formula = [size**2 * gap for gap in invariants(gradient(target, start))]
    gaps = [a - b for a, b in zip(changes, formula, strict=True)]
    return _largest(changes), _largest(formula), _largest(gaps)


def _largest(matrices: list[np.ndarray]) -> float:
    return float(max(np.linalg.norm(matrix) for matrix in matrices))
