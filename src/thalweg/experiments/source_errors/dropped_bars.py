"""Error 5: after the data are reduced, the flow is another one."""

from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from thalweg._core.papers import CHITOUR2023
from thalweg._core.source import Source
from thalweg.experiments._base import AbstractExperiment, Finding, Table, Workplace
from thalweg.experiments.source_errors import _chains as chains
from thalweg.experiments.source_errors._telling import as_printed, corrected
from thalweg.landscape.hessian import hessian
from thalweg.problem.moments import Moments
from thalweg.problem.nets import LinearNet
from thalweg.problem.problem import Problem
from thalweg.report import look

ZERO = 1e-9
"""An eigenvalue this small beside the largest is counted as zero."""


@dataclass(frozen=True)
class DroppedBars(AbstractExperiment):
    r"""The flow of the data's loss beside that of the loss after their reduction.

    With $\bar W_1 = W_1 U_X S_X V_Y$ the first layer is stretched, so its flow gets a
    factor $V_Y^\top S_X^2 V_Y$ that the reduced flow does not have.
    """

    source: ClassVar[Source] = CHITOUR2023.at("Section 2.1, dropping the bars")
    title: ClassVar[str] = "The flow of the reduced loss is not the data's"
    claim: ClassVar[str] = (
        "After singular value decompositions of the data the bars on the weights are "
        "dropped, as if the gradient flow of the reduced loss were the original one."
    )
    seconds: ClassVar[dict[str, float]] = {"tiny": 1.5, "paper": 3.0}
    size: ClassVar[tuple[float, float]] = (8.0, 3.5)

    def settings(self, scale: str) -> dict[str, Any]:
        """Return widths, samples, seed and horizon."""
        return {
            "widths": [4, 3, 3, 2],
            "samples": 20,
            "stretch": [2.0, 1.0, 0.5, 0.25],
            "std": 0.5,
            "horizon": 10.0 if scale == "paper" else 3.0,
            "records": 201 if scale == "paper" else 41,
            "seed": 7,
        }

    def measure(self, settings: dict[str, Any], work: Workplace) -> dict[str, Table]:
        """Return the losses of both flows, for uneven and for white inputs."""
        times = np.linspace(0, settings["horizon"], settings["records"])
        columns: Table = {"time": times}
        gaps = []
        for name, stretch in (
            ("uneven", settings["stretch"]),
            ("white", [1.0] * settings["widths"][0]),
        ):
            data = _Reduction(settings, stretch)
            columns |= {f"{name}_{k}": v for k, v in data.losses(times).items()}
            gaps.append((name, *data.mismatch()))
        names, without, corrected_gap = zip(*gaps, strict=True)
        learnt, here, there = _signs(_Reduction(settings, settings["stretch"]))
        return {
            "losses": columns,
            "velocity": {
                "inputs": np.array(names),
                "mismatch": np.array(without),
                "mismatch_with_factor": np.array(corrected_gap),
            },
            "signs": {
                "learnt": np.array(learnt),
                **{
                    f"{side}_{sign}": np.array([row[place] for row in rows])
                    for side, rows in (("data", here), ("reduced", there))
                    for place, sign in enumerate(("negative", "zero", "positive"))
                },
            },
        }

    def findings(
        self, settings: dict[str, Any], tables: dict[str, Table]
    ) -> list[Finding]:
        """Return how far the flows are apart, and what stays the same."""
        losses, velocity, signs = (tables[k] for k in ("losses", "velocity", "signs"))
        apart = float(velocity["mismatch"][0])
        fixed = float(velocity["mismatch_with_factor"].max())
        curve = np.max(np.abs(losses["uneven_data"] - losses["uneven_metric"]))
        equal = np.max(np.abs(losses["white_data"] - losses["white_reduced"]))
        same = [
            bool(np.array_equal(signs[f"data_{sign}"], signs[f"reduced_{sign}"]))
            for sign in ("negative", "zero", "positive")
        ]
        end = -1
        return [
            as_printed(
                "the reduced weights follow the gradient flow of the reduced loss.",
                0.0,
                apart,
                apart < 1e-12,
                "the largest difference of their velocities, relative to the largest; "
                "the flow of the data has a factor V_Y'S_X^2 V_Y in the first layer; "
                f"at time {settings['horizon']:g} the losses are "
                f"{losses['uneven_data'][end]:.3g} and "
                f"{losses['uneven_reduced'][end]:.3g}",
            ),
            corrected(
                "with the factor V_Y'S_X^2 V_Y they do.",
                max(fixed, float(curve)),
                fixed < 1e-12 and curve < 1e-7,
                "the larger of the relative difference of velocities and the "
                "difference of losses along the flow",
                0.0,
            ),
            corrected(
                "without it too where X X' is a multiple of the identity.",
                float(equal),
                equal < 1e-7,
                "the largest difference of losses along the flow",
                0.0,
            ),
            corrected(
                "critical points keep the signs of their Hessian.",
                f"{len(signs['learnt'])} of {len(signs['learnt'])} points"
                if all(same)
                else "not all",
                all(same),
                "negative, zero and positive eigenvalues counted in both coordinates",
            ),
        ]

    def draw_on(
        self, figure: Any, settings: dict[str, Any], tables: dict[str, Table]
    ) -> None:
        """Draw the losses by time, uneven inputs left, white ones right."""
        table = tables["losses"]
        panels = figure.subplots(1, 2, sharey=True)
        for axes, name in zip(panels, ("uneven", "white"), strict=True):
            axes.plot(
                table["time"],
                table[f"{name}_data"],
                color=look.CURVES[0],
                linewidth=4,
                alpha=0.5,
                label="the data's flow",
            )
            axes.plot(
                table["time"],
                table[f"{name}_reduced"],
                color=look.BAD,
                label="bars dropped",
            )
            axes.plot(
                table["time"],
                table[f"{name}_metric"],
                ":",
                color=look.INK,
                label=r"with the factor $V_Y^\top S_X^2 V_Y$",
            )
            axes.set(yscale="log", xlabel="flow time")
        panels[0].set(ylabel="effective loss", title="uneven inputs")
        panels[1].set_title(r"$X X^\top = I$")
        panels[0].legend(loc="lower left")


class _Reduction:
    """Data with singular values `stretch`, a start, and both after the reduction."""

    def __init__(self, settings: dict[str, Any], stretch: list[float]) -> None:
        rng, widths = np.random.default_rng(settings["seed"]), settings["widths"]
        turn = np.linalg.qr(rng.standard_normal((widths[0],) * 2))[0]
        rows = np.linalg.qr(rng.standard_normal((settings["samples"], widths[0])))[0]
        self.inputs = turn @ np.diag(stretch) @ rows.T
        self.labels = rng.standard_normal((widths[-1], settings["samples"]))
        self.shapes = list(zip(widths[1:], widths, strict=False))
        self.start = [
            settings["std"] * rng.standard_normal(shape) for shape in self.shapes
        ]
        # In the source's letters: X = U_X S_X V_X', Y V_X = U_Y Sigma_Y V_Y'.
        left, values, right = np.linalg.svd(self.labels @ rows)
        self.sigma = np.zeros((widths[-1], widths[0]))
        np.fill_diagonal(self.sigma, values)
        self.into = turn @ np.diag(stretch) @ right.T
        self.left = left
        self.metric = self.into.T @ self.into

    def barred(self, layers: chains.Chain) -> chains.Chain:
        """Return the layers in reduced coordinates."""
        return [layers[0] @ self.into, *layers[1:-1], self.left.T @ layers[-1]]

    def back(self, layers: chains.Chain) -> chains.Chain:
        """Return reduced layers in the data's coordinates."""
        first = np.linalg.solve(self.into.T, layers[0].T).T
        return [first, *layers[1:-1], self.left @ layers[-1]]

    def reduced_speed(self, layers: chains.Chain, metric: bool) -> chains.Chain:
        """Return the velocity of the reduced flow, with the factor or without."""
        speed = chains.velocity(layers, np.eye(len(self.into)), self.sigma)
        return [speed[0] @ self.metric, *speed[1:]] if metric else speed

    def mismatch(self) -> tuple[float, float]:
        """Return how far the reduced velocities are from the data's, relatively."""
        speed = chains.velocity(self.start, self.inputs, self.labels)
        true = chains.packed(self.barred(speed))
        size = np.max(np.abs(true))
        start = self.barred(self.start)
        gaps = [
            np.max(np.abs(chains.packed(self.reduced_speed(start, metric)) - true))
            for metric in (False, True)
        ]
        return float(gaps[0] / size), float(gaps[1] / size)

    def losses(self, times: np.ndarray) -> Table:
        """Return the effective loss by time, of the data's flow and both others."""
        white = np.eye(len(self.into))
        path = chains.flow(
            lambda layers: chains.velocity(layers, self.inputs, self.labels),
            self.start,
            times,
        )
        ways = {"data": [self.barred(layers) for layers in path]}
        for name, metric in (("reduced", False), ("metric", True)):
            ways[name] = chains.flow(
                lambda layers, metric=metric: self.reduced_speed(layers, metric),
                self.barred(self.start),
                times,
            )
        return {
            name: np.array([chains.loss(layers, white, self.sigma) for layers in way])
            for name, way in ways.items()
        }


def _signs(data: _Reduction) -> tuple[list[str], list[Any], list[Any]]:
    """Return the Hessian's signs at critical points, in both coordinates."""
    net = LinearNet((data.shapes[0][1], *(shape[0] for shape in data.shapes)))
    raw = Moments.from_data(data.inputs.T, data.labels.T, scale="sum")
    problems = Problem(net, raw), Problem(net, Moments.whitened(data.sigma))
    learnt, here, there = [], [], []
    for modes in ((), (0,), (1,), (0, 1)):
        layers = [np.zeros(shape) for shape in data.shapes]
        for mode in modes:
            for layer in layers:
                layer[mode, mode] = np.cbrt(data.sigma[mode, mode])
        learnt.append(" ".join(str(mode + 1) for mode in modes) or "none")
        here.append(_counted(problems[0], data.back(layers)))
        there.append(_counted(problems[1], layers))
    return learnt, here, there


def _counted(problem: Problem, layers: chains.Chain) -> tuple[int, int, int]:
    weights = tuple(jnp.asarray(layer) for layer in layers)
    values = np.linalg.eigvalsh(hessian(problem, weights))
    bar = ZERO * max(1.0, float(np.max(np.abs(values))))
    negative, positive = int(np.sum(values < -bar)), int(np.sum(values > bar))
    return negative, values.size - negative - positive, positive
