"""Error 8: Hessians at minima are positive semidefinite only."""

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

ZERO = 1e-10
"""An eigenvalue this small beside the largest is counted as zero."""


@dataclass(frozen=True)
class Semidefinite(AbstractExperiment):
    r"""The spectrum of the Hessian at global minima, most of it zero.

    Minima are a manifold: $W_1 \to g W_1$, $W_2 \to W_2 g^{-1}$ leaves the loss.
    """

    source: ClassVar[Source] = CHITOUR2023.at("Proposition 3, ii), its proof")
    title: ClassVar[str] = "At minima the Hessian is not positive definite"
    claim: ClassVar[str] = (
        "At critical points of full rank d_y the Hessian becomes positive definite, so "
        "they are minima."
    )
    seconds: ClassVar[dict[str, float]] = {"tiny": 1.0, "paper": 1.0}

    def settings(self, scale: str) -> dict[str, Any]:
        """Return the widths and the seed of the minima drawn."""
        tiny, more = [[5, 4, 4, 3]], [[5, 4, 3], [5, 4, 4, 3], [5, 5, 4, 4, 3]]
        return {"widths": more if scale == "paper" else tiny, "seed": 9}

    def measure(self, settings: dict[str, Any], work: Workplace) -> dict[str, Table]:
        """Return the eigenvalues at a random minimum of every net."""
        rng = np.random.default_rng(settings["seed"])
        values, rows = [], []
        for widths in settings["widths"]:
            spectrum, moved = _at_minimum(tuple(widths), rng)
            values.append(spectrum)
            bar = ZERO * spectrum[-1]
            rows.append(
                (
                    "-".join(map(str, widths)),
                    spectrum.size,
                    int(np.sum(np.abs(spectrum) <= bar)),
                    spectrum.size - widths[0] * widths[-1],
                    int(np.sum(spectrum < -bar)),
                    moved,
                )
            )
        names = ("widths", "parameters", "zero", "predicted", "negative", "loss_moved")
        columns = zip(*rows, strict=True)
        return {
            "spectra": {
                "net": np.repeat(np.arange(len(values)), [v.size for v in values]),
                "eigenvalue": np.concatenate(values),
            },
            "counts": {
                name: np.array(column)
                for name, column in zip(names, columns, strict=True)
            },
        }

    def findings(
        self, settings: dict[str, Any], tables: dict[str, Table]
    ) -> list[Finding]:
        """Return how many eigenvalues are zero, and none negative."""
        counts = tables["counts"]
        zero, size = counts["zero"], counts["parameters"]
        told = ", ".join(f"{z} of {n}" for z, n in zip(zero, size, strict=True))
        moved = float(counts["loss_moved"].max())
        return [
            as_printed(
                "the Hessian becomes positive definite.",
                "no zero eigenvalue",
                told,
                not zero.any(),
                f"zero eigenvalues at a minimum of widths {', '.join(counts['widths'])}"
                ": it is positive semidefinite; that the loss is zero there is what "
                "makes it a minimum",
            ),
            corrected(
                "the Hessian is positive semidefinite, of rank d_x d_y.",
                told,
                np.array_equal(zero, counts["predicted"])
                and not counts["negative"].any(),
                "all other eigenvalues are positive",
            ),
            corrected(
                "minima form manifolds.",
                moved,
                moved < 1e-24,
                "the loss after W_1 -> g W_1, W_2 -> W_2 g^-1 with g far from the "
                "identity",
                0.0,
            ),
        ]

    def draw_on(
        self, figure: Any, settings: dict[str, Any], tables: dict[str, Table]
    ) -> None:
        """Draw the eigenvalues in order, those that are zero at the foot."""
        axes, spectra, counts = figure.add_subplot(), *tables.values()
        for place, name in enumerate(counts["widths"]):
            values = spectra["eigenvalue"][spectra["net"] == place]
            label = (
                f"{name}: {counts['zero'][place]} of "
                f"{counts['parameters'][place]} are zero"
            )
            axes.plot(
                np.arange(1, values.size + 1),
                np.maximum(np.abs(values), 1e-17),
                "o",
                markersize=3,
                color=look.CURVES[place],
                label=label,
            )
        axes.set(yscale="log", ylim=(1e-18, 1e4), xlabel="place, from the smallest")
        axes.set_ylabel("size of the eigenvalue")
        axes.legend(title="widths", loc="center right")


def _at_minimum(
    widths: tuple[int, ...], rng: np.random.Generator
) -> tuple[np.ndarray, float]:
    """Return the spectrum at a random minimum, and the loss after sliding along."""
    target = np.zeros((widths[-1], widths[0]))
    np.fill_diagonal(target, np.arange(widths[-1], 0, -1))
    shapes = list(zip(widths[1:], widths, strict=False))
    layers = [rng.standard_normal(s) / np.sqrt(s[1]) for s in shapes]
    above = chains.product(layers[1:], widths[1])
    unseen = np.eye(widths[1]) - np.linalg.pinv(above) @ above
    layers[0] = np.linalg.pinv(above) @ target + unseen @ layers[0]
    slid = np.eye(widths[1]) + 0.5 * rng.standard_normal((widths[1],) * 2)
    away = [slid @ layers[0], layers[1] @ np.linalg.inv(slid), *layers[2:]]
    problem = Problem(LinearNet(widths), Moments.whitened(target))
    curved = hessian(problem, tuple(jnp.asarray(layer) for layer in layers))
    return np.linalg.eigvalsh(curved), chains.loss(away, np.eye(widths[0]), target)
