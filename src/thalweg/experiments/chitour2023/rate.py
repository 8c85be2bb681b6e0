"""An unbalanced start learns at least at the rate its invariants promise."""

import itertools
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.integrate import solve_ivp

from thalweg._core.papers import CHITOUR2023
from thalweg._core.source import Source
from thalweg.experiments._base import AbstractExperiment, Finding, Table, Workplace
from thalweg.experiments._chains import gradient, invariants, product
from thalweg.experiments._columns import columns
from thalweg.report import look

SIZES = (0.2, 1.0, 3.0)
"""Standard deviations of the layers of the example, first-applied first."""

LEARNT = 1e-10
"""Share of the first loss down to which a flow is followed."""

Layers = list[np.ndarray]


@dataclass(frozen=True)
class Remark2Rate(AbstractExperiment):
    r"""Promised and observed exponential rates of flows from unbalanced starts.

    The promise is $L(t) \le e^{-2 \alpha t} L(0)$ with $\alpha$ the product over the
    hidden spaces of the $d_{j+1}$-th largest eigenvalue of
    $C_j = W_{j+1}^\top W_{j+1} - W_j W_j^\top$. Observed is the largest $\alpha$ for
    which that holds at every time of the run.
    """

    source: ClassVar[Source] = CHITOUR2023.at("Remark 2")
    title: ClassVar[str] = "Exponential rate from unbalanced starts"
    claim: ClassVar[str] = (
        "If widths do not grow and every invariant C_j has at least d_(j+1) positive "
        "eigenvalues, the flow converges to a global minimum with L(t) <= "
        "exp(-2 alpha t) L(0), alpha the product of the d_(j+1)-th largest of them."
    )
    seconds: ClassVar[dict[str, float]] = {"tiny": 0.5, "paper": 6.0}
    size: ClassVar[tuple[float, float]] = (9.0, 3.8)

    def settings(self, scale: str) -> dict[str, Any]:
        """Return the nets, how many starts each, and the seed of the example."""
        nets = [[5, 4, 3, 2], [5, 4, 2], [4, 3, 3, 2, 2]]
        return {
            "nets": nets[:1] if scale == "tiny" else nets,
            "starts": 6 if scale == "tiny" else 60,
            "target": [2.0, 1.0],
            "example_seed": 1,
            "seed": 0,
        }

    def measure(self, settings: dict[str, Any], work: Workplace) -> dict[str, Table]:
        """Return the example's curve, and promised and observed rates of draws."""
        draw = np.random.default_rng(settings["example_seed"]).standard_normal
        widths = settings["nets"][0]
        start = [
            size * draw(shape)
            for size, shape in zip(SIZES, _shapes(widths), strict=True)
        ]
        target = _target(widths, settings["target"])
        times, losses = _flow(target, start)
        rows, draws = [], np.random.default_rng(settings["seed"])
        for place, net in enumerate(settings["nets"]):
            for index in range(settings["starts"]):
                share = (place + index / settings["starts"]) / len(settings["nets"])
                work.say(f"starts of widths {net}", share)
                layers = _unbalanced(net, draws)
                path = _flow(_target(net, settings["target"]), layers)
                rows.append((len(net) - 1, _alpha(layers), _observed(*path)))
        return {
            "example": {"time": times, "loss": losses},
            "promise": {"alpha": np.array([_alpha(start)])},
            "starts": columns(("depth", "promised", "observed"), rows),
        }

    def findings(
        self, settings: dict[str, Any], tables: dict[str, Table]
    ) -> list[Finding]:
        """Hold observed rates against promised ones."""
        example, starts = tables["example"], tables["starts"]
        alpha = float(tables["promise"]["alpha"][0])
        observed = _observed(example["time"], example["loss"])
        ratios = starts["observed"] / starts["promised"]
        return [
            Finding(
                "The example (widths 5, 4, 3, 2; layers of standard deviations 0.2, 1, "
                "3): the rate alpha its invariants promise.",
                13.05065,
                alpha,
                abs(alpha - 13.05065) < 5e-6,
                "the number is the project's own, not the paper's",
            ),
            Finding(
                "The example's loss stays below exp(-2 alpha t) L(0): largest rate "
                "that does bound it.",
                f">= {alpha:.5g}",
                observed,
                observed >= alpha,
            ),
            Finding(
                "From every start with the property the loss falls at the promised "
                "rate at least: smallest observed over promised.",
                ">= 1",
                float(ratios.min()),
                bool(ratios.min() >= 1),
                f"{len(ratios)} random starts; median ratio {np.median(ratios):.3g}",
            ),
        ]

    def draw_on(
        self, figure: Any, settings: dict[str, Any], tables: dict[str, Table]
    ) -> None:
        """Draw the example under its bound, and the rates of all starts."""
        left, right = figure.subplots(1, 2)
        example, starts = tables["example"], tables["starts"]
        alpha = float(tables["promise"]["alpha"][0])
        bound = example["loss"][0] * np.exp(-2 * alpha * example["time"])
        left.semilogy(example["time"], example["loss"], color=look.CURVES[0],
                      label="observed")  # fmt: skip
        left.semilogy(example["time"], bound, color=look.BOUND, ls=look.PROMISED,
                      label=rf"promised, $\alpha$ = {alpha:.4g}")  # fmt: skip
        left.set_title("widths 5, 4, 3, 2", loc="left")
        left.set_xlabel("flow time")
        left.set_ylabel("loss")
        left.legend(loc="lower left")
        marks = "osv^D"
        for place, depth in enumerate(np.unique(starts["depth"])):
            here = starts["depth"] == depth
            right.loglog(
                starts["promised"][here],
                starts["observed"][here],
                marks[place],
                ms=4,
                color=look.CURVES[place],
                label=f"{int(depth)} layers",
            )
        ends = np.array([starts["promised"].min(), starts["promised"].max()])
        right.loglog(ends, ends, color=look.BOUND, ls=look.PROMISED, label="promise")
        right.set_title("random starts", loc="left")
        right.set_xlabel(r"promised rate $\alpha$")
        right.set_ylabel("observed rate")
        right.legend(loc="lower right")


def _shapes(widths: list[int]) -> list[tuple[int, int]]:
    return [(out, into) for into, out in itertools.pairwise(widths)]


def _target(widths: list[int], values: list[float]) -> np.ndarray:
    target = np.zeros((widths[-1], widths[0]))
    np.fill_diagonal(target, values)
    return target


def _unbalanced(widths: list[int], draws: np.random.Generator) -> Layers:
    """Draw layers that grow towards the output until the promise holds."""
    while True:
        growth = np.exp(draws.uniform(0.3, 1.5))
        first = np.exp(draws.uniform(-2, 0))
        layers = [
            first * growth**place * draws.standard_normal(shape)
            for place, shape in enumerate(_shapes(widths))
        ]
        if min(_deciding(layers)) > 0:
            return layers


def _deciding(layers: Layers) -> list[float]:
    """Return of each invariant the eigenvalue that its rate rests on."""
    sizes = [len(layer) for layer in layers]
    return [
        float(np.linalg.eigvalsh(gap)[below - above])
        for gap, below, above in zip(
            invariants(layers), sizes[:-1], sizes[1:], strict=True
        )
    ]


def _alpha(layers: Layers) -> float:
    return float(np.prod(_deciding(layers)))


def _flow(target: np.ndarray, start: Layers) -> tuple[np.ndarray, np.ndarray]:
    """Return the losses of a flow at the solver's times, until it has learnt."""
    shapes = [layer.shape for layer in start]
    cuts = np.cumsum([layer.size for layer in start])[:-1]

    def layers_of(state: np.ndarray) -> Layers:
        parts = zip(np.split(state, cuts), shapes, strict=True)
        return [part.reshape(shape) for part, shape in parts]

    def speed(_time: float, state: np.ndarray) -> np.ndarray:
        slopes = gradient(target, layers_of(state))
        return -np.concatenate([slope.ravel() for slope in slopes])

    def loss(state: np.ndarray) -> float:
        return float(np.sum((target - product(layers_of(state))) ** 2) / 2)

    state = np.concatenate([layer.ravel() for layer in start])
    goal = LEARNT * loss(state)

    def learnt(_time: float, state: np.ndarray) -> float:
        return float(np.log(loss(state) / goal))

    learnt.terminal = True  # type: ignore[attr-defined]
    path = solve_ivp(
        speed, (0, 1e4), state, "LSODA", events=learnt, rtol=1e-9, atol=1e-12
    )
    return path.t, np.array([loss(column) for column in path.y.T])


def _observed(times: np.ndarray, losses: np.ndarray) -> float:
    """Return the largest rate whose exponential bounds the whole curve."""
    return float(np.min(np.log(losses[0] / losses[1:]) / (2 * times[1:])))
