"""Error 7: a condition that the way down from a saddle does not need."""

from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from thalweg._core.papers import CHITOUR2023
from thalweg._core.source import Source
from thalweg.experiments._base import AbstractExperiment, Finding, Table, Workplace
from thalweg.experiments.source_errors import _chains as chains
from thalweg.experiments.source_errors._telling import as_printed, corrected
from thalweg.landscape.directions import second_order
from thalweg.landscape.hessian import hessian
from thalweg.problem.moments import Moments
from thalweg.problem.nets import LinearNet
from thalweg.problem.problem import Problem
from thalweg.report import look

MODES = (3.0, 2.0, 1.0)


@dataclass(frozen=True)
class NegativeDirection(AbstractExperiment):
    r"""Saddles that have learnt nothing, $r = 0$, with inner layers of rank $r_Z > 0$.

    The direction of the source's proof goes down there as well, by
    $-\lambda [E_Y]_{ii} + \kappa / 2$.
    """

    source: ClassVar[Source] = CHITOUR2023.at("Proposition 3, iii)")
    title: ClassVar[str] = "A way down also where nothing is learnt"
    claim: ClassVar[str] = (
        "If the inner product has a rank r_Z above the rank r of the whole, and "
        "r > 0, the Hessian has a negative eigenvalue."
    )
    seconds: ClassVar[dict[str, float]] = {"tiny": 1.2, "paper": 3.0}
    size: ClassVar[tuple[float, float]] = (8.0, 3.5)

    def settings(self, scale: str) -> dict[str, Any]:
        """Return widths, multiples of the direction, and how many random saddles."""
        return {
            "row": [1.0, -0.5],
            "multiples": np.linspace(0, 0.8, 41 if scale == "paper" else 9).tolist(),
            "widths": [[5, 4, 3], [5, 4, 4, 3], [5, 4, 4, 4, 3]],
            "saddles": 30 if scale == "paper" else 5,
            "seed": 8,
        }

    def measure(self, settings: dict[str, Any], work: Workplace) -> dict[str, Table]:
        """Return the change along the directions, and eigenvalues at random saddles."""
        multiples = np.array(settings["multiples"])
        along = [_along(settings["row"], row, multiples) for row in (1, 2)]
        rng = np.random.default_rng(settings["seed"])
        saddles = [
            (len(widths) - 2, rank, *_at_random(tuple(widths), rank, rng))
            for widths in settings["widths"]
            for rank in _ranks(widths)
            for _ in range(settings["saddles"])
        ]
        names = ("hidden_layers", "inner_rank", "least_eigenvalue", "gradient")
        return {
            "directions": {"multiple": multiples, "row_2": along[0], "row_3": along[1]},
            "saddles": {
                name: np.array(column)
                for name, column in zip(names, zip(*saddles, strict=True), strict=True)
            },
        }

    def findings(
        self, settings: dict[str, Any], tables: dict[str, Table]
    ) -> list[Finding]:
        """Return the least curvature at saddles of rank zero, and the formula."""
        saddles, along = tables["saddles"], tables["directions"]
        more = saddles["inner_rank"] > 0
        highest = float(saddles["least_eigenvalue"][more].max())
        critical = saddles["gradient"].max() < 1e-9
        none = np.abs(saddles["least_eigenvalue"][~more])
        square = sum(entry**2 for entry in settings["row"])
        told = MODES[0] * along["multiple"]
        gap = max(
            np.max(np.abs(along["row_2"] + told)),
            np.max(np.abs(along["row_3"] + told - square / 2)),
        )
        return [
            as_printed(
                "r_Z > r > 0 is asked for.",
                "r > 0",
                f"{int(more.sum())} of {int(more.sum())} saddles with r = 0"
                if highest < 0
                else "not all",
                highest >= 0,
                "r_Z > r is enough, r = 0 included: all saddles drawn with r = 0 < r_Z "
                f"have a negative eigenvalue, of at most {highest:.3g}",
            ),
            corrected(
                "the direction of the proof changes the loss by "
                "-lambda E_ii + kappa/2 at r = 0 too.",
                float(gap),
                gap < 1e-12,
                "the largest difference from the formula",
                0.0,
            ),
            corrected(
                "at r_Z = r = 0 there may be none (Case 1.2).",
                float(none.max()),
                none.max() < 1e-12 and critical,
                "the largest size of the least eigenvalue of saddles with all layers "
                "zero but the unseen part of the first",
                0.0,
            ),
        ]

    def draw_on(
        self, figure: Any, settings: dict[str, Any], tables: dict[str, Table]
    ) -> None:
        """Draw the change along directions, and eigenvalues by rank."""
        left, right = figure.subplots(1, 2)
        along, saddles = tables["directions"], tables["saddles"]
        for place, (name, label) in enumerate(
            (("row_2", r"$\kappa = 0$"), ("row_3", r"$\kappa = 1.25$"))
        ):
            left.plot(
                along["multiple"], along[name], color=look.CURVES[place], label=label
            )
        left.axhline(0, color=look.INK, linewidth=0.8)
        left.set(xlabel=r"$\lambda$", ylabel="second-order change of the loss")
        left.set_title("one hidden layer, $r = 0$, $r_Z = 4$")
        left.legend()
        for place, hidden in enumerate(np.unique(saddles["hidden_layers"])):
            here = saddles["hidden_layers"] == hidden
            right.plot(
                saddles["inner_rank"][here] + 0.18 * (place - 1),
                saddles["least_eigenvalue"][here],
                "o^D"[place % 3],
                markersize=4,
                fillstyle="none",
                color=look.CURVES[place],
                label=f"$H = {hidden}$",
            )
        right.axhline(0, color=look.INK, linewidth=0.8)
        right.set(xlabel="$r_Z$, at $r = 0$", ylabel="least eigenvalue")
        right.set_xticks(range(int(saddles["inner_rank"].max()) + 1))
        right.legend(loc="lower right")


def _problem(widths: tuple[int, ...]) -> Problem:
    target = np.zeros((widths[-1], widths[0]))
    np.fill_diagonal(target, MODES)
    return Problem(LinearNet(widths), Moments.whitened(target))


def _along(entries: list[float], row: int, multiples: np.ndarray) -> np.ndarray:
    """Return the change of two layers in the direction through hidden unit `row`."""
    problem = _problem((5, 4, 3))
    first = np.zeros((4, 5))
    first[2, 3:] = entries
    point = first, np.zeros((3, 4))
    found = []
    for multiple in multiples:
        below, above = np.zeros((4, 5)), np.zeros((3, 4))
        below[row, 0], above[0, row] = multiple, 1.0
        found.append(second_order(problem, point, (below, above)))
    return np.array(found)


def _ranks(widths: list[int]) -> list[int]:
    """Return the ranks of the inner product to try: all four of an empty one."""
    return [widths[1]] if len(widths) == 3 else [0, 1, 2, 3]


def _at_random(
    widths: tuple[int, ...], rank: int, rng: np.random.Generator
) -> tuple[float, float]:
    """Return the least eigenvalue and the gradient's size at a saddle with r = 0."""
    shapes = list(zip(widths[1:], widths, strict=False))
    layers = [rng.standard_normal(shape) for shape in shapes]
    layers[0][:, : widths[-1]] = 0
    inner = np.eye(widths[1])
    if len(layers) > 2:
        left, _, right = np.linalg.svd(layers[1])
        layers[1] = left[:, :rank] @ right[:rank]
        for layer in layers[1:-1]:
            inner = layer @ inner
    if rank == 0:
        layers[1:] = [np.zeros(shape) for shape in shapes[1:]]
    else:
        seen = np.linalg.svd(inner)[0][:, : np.linalg.matrix_rank(inner)]
        layers[-1] = layers[-1] - layers[-1] @ seen @ seen.T
    problem, weights = _problem(widths), tuple(jnp.asarray(layer) for layer in layers)
    white, target = np.eye(widths[0]), np.asarray(problem.target)
    slope = np.max(np.abs(chains.packed(chains.velocity(layers, white, target))))
    return float(np.linalg.eigvalsh(hessian(problem, weights))[0]), float(slope)
