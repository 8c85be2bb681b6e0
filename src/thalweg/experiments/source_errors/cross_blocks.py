"""Error 12: pivots whose blocks leave the data out call flat saddles strict."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from thalweg._core.papers import ACHOUR2024
from thalweg._core.source import Source
from thalweg.experiments._base import AbstractExperiment, Finding, Table, Workplace
from thalweg.experiments.source_errors import _chains as chains
from thalweg.experiments.source_errors._telling import as_read, corrected
from thalweg.landscape.hessian import hessian
from thalweg.problem.moments import Moments
from thalweg.problem.nets import LinearNet
from thalweg.problem.problem import Problem
from thalweg.report import look

WIDTHS = (5, 4, 4, 3)
MODES = (3.0, 2.0, 1.0)
PATTERNS = {
    "none": "all $Z = 0$",
    "first": "$Z_1$",
    "unseen": r"$Z_1$, $Z_1 \Sigma_{XY} = 0$",
    "second": "$Z_2$",
    "third": "$Z_3$",
}
FLAT = 1e-9
"""A least eigenvalue this small beside the largest is none."""


@dataclass(frozen=True)
class CrossBlocks(AbstractExperiment):
    r"""Critical points of three layers, classified with $\Sigma_{XY}$ and without.

    The paper itself has $\Sigma_{XY}$ in the complementary blocks; what errs is the
    shorter reading, by ranks of products of layers alone.
    """

    source: ClassVar[Source] = ACHOUR2024.at(
        "Definitions 3 to 6 and Theorem 7, read without Sigma_XY"
    )
    title: ClassVar[str] = "Complementary blocks without the data"
    claim: ClassVar[str] = (
        "A saddle with the largest modes is strict unless every pivot has a "
        "complementary block of the rank of the whole."
    )
    seconds: ClassVar[dict[str, float]] = {"tiny": 0.6, "paper": 1.0}
    size: ClassVar[tuple[float, float]] = (6.4, 3.5)

    def settings(self, scale: str) -> dict[str, Any]:
        """Return how many points of every kind, and the seed."""
        return {"points": 12 if scale == "paper" else 2, "seed": 12}

    def measure(self, settings: dict[str, Any], work: Workplace) -> dict[str, Table]:
        """Return the curvature and both readings at every point."""
        rng = np.random.default_rng(settings["seed"])
        target = _sigma().T
        problem = Problem(LinearNet(WIDTHS), Moments.whitened(target))
        rows = []
        for rank, modes, pattern in _kinds():
            for _ in range(settings["points"]):
                layers = _point(modes, pattern, rng)
                weights = tuple(jnp.asarray(layer) for layer in layers)
                values = np.linalg.eigvalsh(hessian(problem, weights))
                speed = chains.velocity(layers, np.eye(WIDTHS[0]), target)
                slope = float(np.max(np.abs(chains.packed(speed))))
                least = float(values[0]) if values[0] < -FLAT * values[-1] else 0.0
                told = " ".join(str(mode + 1) for mode in modes) or "none"
                read = [_strict(layers, modes, data) for data in (True, False)]
                rows.append((pattern, rank, told, slope, least, *read))
        names = ["pattern", "rank", "modes", "gradient", "least_eigenvalue"]
        names += ["strict_with", "strict_without"]
        columns = zip(*rows, strict=True)
        return {"points": {n: np.array(c) for n, c in zip(names, columns, strict=True)}}

    def findings(
        self, settings: dict[str, Any], tables: dict[str, Table]
    ) -> list[Finding]:
        """Return how often each reading agrees with the Hessian."""
        table = tables["points"]
        strict = table["least_eigenvalue"] < 0
        wrong = table["strict_without"] != strict
        flat = (table["pattern"] == "unseen") & (table["rank"] == 0)
        errors = int(np.sum(table["strict_with"] != strict))
        size = strict.size
        return [
            as_read(
                "the blocks are products of layers, without Sigma_XY.",
                0.0,
                float(np.sum(wrong)),
                not wrong.any(),
                f"points of {size} called strict whose Hessian has no negative "
                "eigenvalue: all with a first layer that feeds directions which the "
                "labels do not see; the blocks contain Sigma_XY",
            ),
            corrected(
                "with Sigma_XY in the blocks the classification is that of the "
                "Hessian.",
                float(errors),
                errors == 0 and table["gradient"].max() < 1e-9,
                f"the number of {size} critical points misjudged",
                0.0,
            ),
            corrected(
                "Case 1.2 of Chitour, Liao, Couillet with W_{1,2} other than 0 is not "
                "strict.",
                float(np.abs(table["least_eigenvalue"][flat]).max()),
                not strict[flat].any() and bool(table["strict_without"][flat].all()),
                "the least eigenvalue; without Sigma_XY it would be called strict",
                0.0,
            ),
        ]

    def draw_on(
        self, figure: Any, settings: dict[str, Any], tables: dict[str, Table]
    ) -> None:
        """Draw the curvature by kind of point, the misjudged ones crossed out."""
        table, axes = tables["points"], figure.add_subplot()
        strict = table["least_eigenvalue"] < 0
        wrong = table["strict_without"] != strict
        names = list(PATTERNS)
        place = np.array([names.index(p) for p in table["pattern"]], dtype=float)
        place += 0.5 * (np.argsort(np.argsort(place, kind="stable")) % 20 / 20 - 0.5)
        size = -table["least_eigenvalue"]
        axes.plot(
            size[~wrong],
            place[~wrong],
            "o",
            color=look.CURVES[0],
            markersize=4,
            fillstyle="none",
            label="both readings right",
        )
        axes.plot(
            size[wrong],
            place[wrong],
            "x",
            color=look.BAD,
            label=r"called strict without $\Sigma_{XY}$",
        )
        axes.set_yticks(range(len(names)), [PATTERNS[name] for name in names])
        axes.set_xscale("symlog", linthresh=1e-2)
        axes.set(xlim=(-2e-3, None), xlabel="minus the least eigenvalue of the Hessian")
        axes.set_ylabel("block that is not zero")
        figure.legend(loc="outside upper center", ncols=2)


def _sigma() -> np.ndarray:
    r"""Return $\Sigma_{XY}$: the labels' modes, and directions they do not see."""
    sigma = np.zeros((WIDTHS[0], WIDTHS[-1]))
    np.fill_diagonal(sigma, MODES)
    return sigma


def _kinds() -> Iterator[tuple[int, tuple[int, ...], str]]:
    """Yield every set of modes with every pattern of blocks."""
    for rank in range(len(MODES) + 1):
        for modes in combinations(range(len(MODES)), rank):
            for pattern in PATTERNS:
                if not (pattern == "third" and rank == len(MODES)):
                    yield rank, modes, pattern


def _point(
    modes: tuple[int, ...], pattern: str, rng: np.random.Generator
) -> list[np.ndarray]:
    """Return a critical point in normal form, in random bases of the hidden spaces.

    Source: Achour, Malgouyres, Gerchinovitz, Proposition 10.
    """
    inputs, one, two, outputs = WIDTHS
    rank = len(modes)
    rest = [mode for mode in range(outputs) if mode not in modes]
    free = {
        "first": rng.standard_normal((one - rank, inputs)),
        "second": rng.standard_normal((two - rank, one - rank)),
        "third": rng.standard_normal((outputs - rank, two - rank)),
    }
    free["unseen"] = free["first"] * (np.arange(inputs) >= outputs)
    blocks = {k: v if k == pattern else np.zeros_like(v) for k, v in free.items()}
    labels = np.eye(outputs)
    first = np.vstack([_sigma().T[list(modes)], blocks["first"] + blocks["unseen"]])
    second = np.zeros((two, one))
    second[:rank, :rank] = np.eye(rank)
    second[rank:, rank:] = blocks["second"]
    third = np.hstack([labels[:, list(modes)], labels[:, rest] @ blocks["third"]])
    bases = [np.eye(k) + 0.2 * rng.standard_normal((k, k)) for k in (one, two)]
    return [
        bases[0] @ first,
        bases[1] @ second @ np.linalg.inv(bases[0]),
        third @ np.linalg.inv(bases[1]),
    ]


def _strict(layers: list[np.ndarray], modes: tuple[int, ...], data: bool) -> bool:
    """Return whether a point is a strict saddle by its modes and pivots."""
    rank = len(modes)
    if modes != tuple(range(rank)):
        return True
    if rank == len(MODES):
        return False
    first, second, third = layers
    sigma = _sigma()
    blocks = {
        (2, 1): [sigma @ third if data else third],
        (3, 1): [sigma, second],
        (3, 2): [first @ sigma if data else first],
    }
    return not all(
        any(_rank(block) == rank for block in pair) for pair in blocks.values()
    )


def _rank(matrix: np.ndarray) -> int:
    return int(np.linalg.matrix_rank(matrix, tol=1e-9))
