r"""What depth multiplies gradients by: Arora, Cohen, Hazan, 2018, Claim 1.

Balanced layers of product $W$ move it by $-P_W(\nabla L)$, a positive semidefinite
map that depends on $W$ and the depth alone. Its eigenvalues on $u_r v_{r'}^\top$ are
$\sum_{j=1}^N \sigma_r^{2(N-j)/N} \sigma_{r'}^{2(j-1)/N}$.
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
from thalweg.experiments._columns import columns
from thalweg.report.look import CURVES, FAINT, INK, PROMISED
from thalweg.theorems.arora2018 import ARORA2018

ULPS = 64
"""Units of rounding, relative to the largest eigenvalue, that a check may cost."""


class Preconditioner(AbstractExperiment):
    """The preconditioner of a matrix, measured from its layers, beside Claim 1."""

    source: ClassVar[Source] = ARORA2018.at("Claim 1, drawn")
    title: ClassVar[str] = "Depth stretches gradients along what was learnt"
    claim: ClassVar[str] = (
        "For balanced layers the end-to-end matrix moves along its gradient times a "
        "preconditioner, which enlarges directions in which the matrix is already "
        "large, the more so the deeper the net."
    )
    seconds: ClassVar[dict[str, float]] = {"tiny": 1, "paper": 1}
    size: ClassVar[tuple[float, float]] = (9.6, 3.4)

    def settings(self, scale: str) -> dict[str, Any]:
        """Return depths, and singular values from equal to far apart."""
        return {
            "depths": [1, 2, 3, 5],
            "strength": 0.5,
            "values": [2.0, 1.0, 0.5],
            "seed": 0,
            "ratios": np.geomspace(1e-3, 1, 61 if scale == "paper" else 13).tolist(),
            "vector": [0.8, 0.6],
        }

    def measure(self, settings: dict[str, Any], work: Workplace) -> dict[str, Table]:
        """Return measured and claimed eigenvalues, and the images of a circle."""
        return {
            "spectra": _spectra(settings),
            "ratios": _ratios(settings),
            "ellipses": _ellipses(settings),
        }

    def findings(
        self, settings: dict[str, Any], tables: dict[str, Table]
    ) -> list[Finding]:
        """Return how far measured eigenvalues are from the claim, and the stretch."""
        table = tables["spectra"]
        scale = np.max(table["claimed"])
        gap = float(np.max(np.abs(table["measured"] - table["claimed"])) / scale)
        found = [
            Finding(
                claim="The eigenvalues are those of Claim 1.",
                stated=0.0,
                ours=gap,
                holds=bool(gap <= ULPS * np.finfo(float).eps),
                note="Largest difference, relative to the largest eigenvalue; measured "
                "from the derivatives of the product by every weight.",
            )
        ]
        for depth in settings["depths"]:
            rows = tables["ellipses"]["depth"] == depth
            radius = np.hypot(
                tables["ellipses"]["x"][rows], tables["ellipses"]["y"][rows]
            )
            stretch = float(radius.max() / radius.min())
            found.append(
                Finding(
                    claim=f"{depth} layer{'s' * (depth > 1)}, one output: the weights' "
                    "direction is stretched N times as much as the others.",
                    stated=float(depth),
                    ours=stretch,
                    holds=abs(stretch / depth - 1) <= 1e-9,
                )
            )
        return found

    def draw_on(
        self, figure: Any, settings: dict[str, Any], tables: dict[str, Table]
    ) -> None:
        """Draw images of the circle, eigenvalues by strength, and by place."""
        left, middle, right = figure.subplots(1, 3)
        for color, depth in zip(CURVES, settings["depths"], strict=False):
            name = f"N = {depth}"
            table = tables["ellipses"]
            rows = table["depth"] == depth
            left.plot(table["x"][rows], table["y"][rows], color=color, label=name)
            table = tables["ratios"]
            rows = table["depth"] == depth
            middle.loglog(table["ratio"][rows], table["share"][rows], color=color)
            table = tables["spectra"]
            rows = table["depth"] == depth
            place = np.arange(1, rows.sum() + 1)
            right.semilogy(
                place,
                table["claimed"][rows],
                color=INK,
                linewidth=0.8,
                linestyle=PROMISED,
            )
            right.semilogy(
                place, table["measured"][rows], "o", color=color, markersize=4
            )
        vector = settings["strength"] * np.array(settings["vector"])
        left.annotate(
            "", vector, (0, 0), arrowprops={"arrowstyle": "->", "color": FAINT}
        )
        left.set_aspect("equal")
        left.set_title("image of unit gradients; w as arrow", loc="left")
        left.legend(fontsize=7.5, loc="lower right", handlelength=1.2)
        left.set_xlim(-1.5, 1.9)
        middle.set_title("gain of a weak direction", loc="left")
        middle.set_xlabel("its singular value, relative to the largest")
        middle.set_ylabel("eigenvalue, relative to the largest")
        right.set_title("eigenvalues; Claim 1 dashed", loc="left")
        right.set_xlabel("place")


def eigenvalues(values: Any, depth: int) -> np.ndarray:
    r"""Return the eigenvalues of Claim 1.

    Args:
        values: Singular values of the end-to-end matrix, all `> 0`.
        depth: Number of layers.

    Returns:
        $\sum_{j=1}^N \sigma_r^{2(N-j)/N} \sigma_{r'}^{2(j-1)/N}$, `"mode mode"`.

    Example:
        >>> eigenvalues([4.0, 1.0], 2).tolist()
        [[8.0, 5.0], [5.0, 2.0]]
    """
    sizes = np.asarray(values, dtype=np.float64)
    layers = np.arange(1, depth + 1)[:, None]
    left = sizes ** (2 * (depth - layers) / depth)
    right = sizes ** (2 * (layers - 1) / depth)
    return np.einsum("jr,js->rs", left, right)


def preconditioner(layers: list[np.ndarray]) -> np.ndarray:
    r"""Return what the gradient of a product is multiplied by, from its layers.

    Args:
        layers: First-applied first.

    Returns:
        $\sum_j J_j J_j^\top$ with $J_j$ the derivative of the product's entries, row
        by row, by those of layer $j$: $(W_{j-1} \cdots W_1)^\top$ and
        $W_N \cdots W_{j+1}$, multiplied as Kronecker factors.

    Example:
        >>> preconditioner([np.array([[2.0]]), np.array([[3.0]])]).tolist()
        [[13.0]]
    """
    total: Any = 0.0
    for place in range(len(layers)):
        below = np.eye(layers[0].shape[1])
        for layer in layers[:place]:
            below = layer @ below
        above = np.eye(layers[-1].shape[0])
        for layer in layers[:place:-1]:
            above = above @ layer
        total = total + np.kron(above @ above.T, below.T @ below)
    return total


def _balanced(settings: dict[str, Any], depth: int) -> list[np.ndarray]:
    """Return balanced layers of a matrix with the settings' singular values."""
    random = np.random.default_rng([settings["seed"], depth])
    values = np.array(settings["values"])
    size = len(values)
    turns = [
        np.linalg.qr(random.normal(size=(size, size)))[0] for _ in range(depth + 1)
    ]
    root = np.diag(values ** (1 / depth))
    return [turns[j + 1] @ root @ turns[j].T for j in range(depth)]


def _spectra(settings: dict[str, Any]) -> Table:
    rows = []
    for depth in settings["depths"]:
        measured = np.linalg.eigvalsh(preconditioner(_balanced(settings, depth)))
        claimed = np.sort(eigenvalues(settings["values"], depth), axis=None)
        rows += [(depth, *pair) for pair in zip(measured, claimed, strict=True)]
    return columns(("depth", "measured", "claimed"), rows)


def _ratios(settings: dict[str, Any]) -> Table:
    """Return the weakest eigenvalue over the largest, by the ratio of two values."""
    rows = []
    for depth in settings["depths"]:
        for ratio in settings["ratios"]:
            table = eigenvalues([1.0, ratio], depth)
            rows.append((depth, ratio, table[1, 1] / table[0, 0]))
    return columns(("depth", "ratio", "share"), rows)


def _ellipses(settings: dict[str, Any]) -> Table:
    """Return the images of unit gradients for a row vector of the settings' size."""
    direction = np.array(settings["vector"]) / np.linalg.norm(settings["vector"])
    turn = np.linspace(0, 2 * np.pi, 361) + np.arctan2(*direction[::-1])
    circle = np.stack([np.cos(turn), np.sin(turn)])
    rows = []
    for depth in settings["depths"]:
        size = settings["strength"] ** (1 / depth)
        layers = [size * direction[None, :], *[np.full((1, 1), size)] * (depth - 1)]
        image = preconditioner(layers) @ circle
        rows += [(depth, *point) for point in image.T]
    return columns(("depth", "x", "y"), rows)
