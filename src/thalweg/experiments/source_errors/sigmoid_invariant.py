"""Error 3: a law of sigmoid units that only orthonormal samples keep."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from thalweg._core.papers import CHITOUR2023
from thalweg._core.source import Source
from thalweg.experiments._base import AbstractExperiment, Finding, Table, Workplace
from thalweg.experiments.source_errors import _chains as chains
from thalweg.experiments.source_errors._telling import as_read, corrected
from thalweg.report import look

KEPT = ("identity", "orthonormal")
"""Inputs with $X^T X = I$."""

KEPT_TO = 1e-7
"""A law that changes less than this is kept."""

LABELS = {
    "identity": r"$X = I$",
    "orthonormal": r"$X^\top X = I$",
    "white": r"$X X^\top = I$, $m > d$",
    "generic": "Gaussian $X$",
}


@dataclass(frozen=True)
class SigmoidInvariant(AbstractExperiment):
    r"""How $\|W_2 e_l\|^2 - 2 \sum_k \Sigma((W_1 X)_{lk})$ drifts along the flow."""

    source: ClassVar[Source] = CHITOUR2023.at("Lemma 5 and Remark 4")
    title: ClassVar[str] = "The law of a sigmoid unit needs orthonormal samples"
    claim: ClassVar[str] = (
        "Of a net with one hidden layer of sigmoids, whose loss (28) has no inputs, "
        "every unit keeps (W_2'W_2)_ll - 2 sum_k Sigma((W_1)_lk)."
    )
    seconds: ClassVar[dict[str, float]] = {"tiny": 0.4, "paper": 3.0}
    size: ClassVar[tuple[float, float]] = (8.0, 3.5)

    def settings(self, scale: str) -> dict[str, Any]:
        """Return widths, seed, horizon, and the steps for the rectifier."""
        paper = scale == "paper"
        return {
            "widths": [5, 4, 3],
            "samples": 8,
            "fewer_samples": 3,
            "std": 0.5,
            "horizon": 5.0,
            "records": 101 if paper else 21,
            "rtol": 1e-11,
            "seed": 5,
            "rectifier_steps": [1e-3, 1e-4, 1e-5][: 3 if paper else 2],
            "rectifier_horizon": 1.0,
        }

    def measure(self, settings: dict[str, Any], work: Workplace) -> dict[str, Table]:
        """Return the drift by time for four kinds of inputs, and a rectifier's."""
        times = np.linspace(0, settings["horizon"], settings["records"])
        drift = {name: _drift(settings, name, times) for name in LABELS}
        steps = settings["rectifier_steps"]
        return {
            "sigmoid": {"time": times, **drift},
            "rectifier": {
                "step_size": np.array(steps),
                "drift": np.array([_rectified(settings, step) for step in steps]),
            },
        }

    def findings(
        self, settings: dict[str, Any], tables: dict[str, Table]
    ) -> list[Finding]:
        """Return the drifts for each kind of inputs."""
        table, steps = tables["sigmoid"], tables["rectifier"]
        ends = {name: float(table[name].max()) for name in LABELS}
        order = np.polyfit(np.log(steps["step_size"]), np.log(steps["drift"]), 1)[0]
        kept = max(ends[name] for name in KEPT)
        return [
            as_read(
                "the law is kept whatever the inputs, as a loss (28) that is written "
                "without them suggests.",
                0.0,
                ends["generic"],
                ends["generic"] < KEPT_TO,
                "the largest change of a unit's law to time "
                f"{settings['horizon']:g} for Gaussian inputs; the law needs "
                "X'X = I, with W_1 X in place of W_1",
            ),
            as_read(
                "data reduced to white ones will do, as they do for linear layers.",
                0.0,
                ends["white"],
                ends["white"] < KEPT_TO,
                "white inputs (X X' = I) with more samples than features do not keep "
                "it either",
            ),
            corrected(
                "with X'X = I every sigmoid unit keeps (W_2'W_2)_ll - "
                "2 sum_k Sigma((W_1 X)_lk).",
                kept,
                kept < KEPT_TO,
                "the largest change for X = I and for orthonormal samples; the "
                f"solver's relative tolerance is {settings['rtol']:g}",
                0.0,
            ),
            corrected(
                "a ReLU unit keeps its difference of squared norms for every X "
                "(Remark 4).",
                float(order),
                abs(order - 1) < 0.1,
                "the order, in the step, of the drift of Euler's method, which "
                "vanishes with the step: "
                + ", ".join(f"{drift:.2g}" for drift in steps["drift"]),
                1.0,
            ),
        ]

    def draw_on(
        self, figure: Any, settings: dict[str, Any], tables: dict[str, Table]
    ) -> None:
        """Draw the drift by time, and a rectifier's by step size."""
        left, right = figure.subplots(1, 2, width_ratios=[1.4, 1])
        table, steps = tables["sigmoid"], tables["rectifier"]
        for place, (name, label) in enumerate(LABELS.items()):
            left.plot(
                table["time"][1:],
                np.maximum(table[name][1:], 1e-16),
                color=look.CURVES[place],
                label=label,
            )
        left.set(yscale="log", xlabel="flow time", ylabel="change of the law")
        left.set_title("tanh units")
        left.legend(loc="center right")
        right.plot(steps["step_size"], steps["drift"], "o-", color=look.CURVES[0])
        right.set(xscale="log", yscale="log", xlabel="step of Euler's method")
        right.set(ylabel="change of the law", title="ReLU units, Gaussian $X$")


def _drawn(settings: dict[str, Any], name: str) -> tuple[Any, Any, chains.Chain]:
    """Return inputs of a kind, labels, and a start."""
    rng = np.random.default_rng(settings["seed"])
    d, h, o = settings["widths"]
    start = [settings["std"] * rng.standard_normal(s) for s in ((h, d), (o, h))]
    gauss = rng.standard_normal((d, settings["samples"]))
    turned = np.linalg.qr(gauss.T)[0].T
    inputs = {
        "identity": np.eye(d),
        "orthonormal": np.linalg.qr(gauss[:, : settings["fewer_samples"]])[0],
        "white": turned,
        "generic": gauss,
    }[name]
    labels = rng.uniform(-0.9, 0.9, (o, settings["samples"]))
    return inputs, labels[:, : inputs.shape[1]], start


def _drift(settings: dict[str, Any], name: str, times: np.ndarray) -> np.ndarray:
    """Return the largest change of a unit's law by time; both activations tanh."""
    x, y, start = _drawn(settings, name)

    def speed(layers: chains.Chain) -> chains.Chain:
        hidden = np.tanh(layers[0] @ x)
        made = np.tanh(layers[1] @ hidden)
        pull = (y - made) * (1 - made**2)
        back = (1 - hidden**2) * (layers[1].T @ pull)
        return [back @ x.T, pull @ hidden.T]

    def law(layers: chains.Chain) -> np.ndarray:
        return np.sum(layers[1] ** 2, axis=0) - np.sum(np.sinh(layers[0] @ x) ** 2, 1)

    path = chains.flow(speed, start, times, settings["rtol"])
    return np.array([np.max(np.abs(law(at) - law(start))) for at in path])


def _rectified(settings: dict[str, Any], step: float) -> float:
    """Return the largest change of a ReLU unit's law under Euler's method."""
    x, y, (first, last) = _drawn(settings, "generic")

    def law(first: np.ndarray, last: np.ndarray) -> np.ndarray:
        return np.sum(last**2, axis=0) - np.sum(first**2, axis=1)

    before = law(first, last)
    for _ in range(round(settings["rectifier_horizon"] / step)):
        inner = first @ x
        hidden = np.maximum(inner, 0)
        pull = y - last @ hidden
        back = (inner > 0) * (last.T @ pull)
        first, last = first + step * back @ x.T, last + step * pull @ hidden.T
    return float(np.max(np.abs(law(first, last) - before)))
