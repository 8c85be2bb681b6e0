"""Error 11: a constant that is a bound only where both ends are equally wide."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from thalweg._core.source import Source
from thalweg.experiments._base import AbstractExperiment, Finding, Table, Workplace
from thalweg.experiments.source_errors._telling import as_printed, corrected
from thalweg.report import look
from thalweg.theorems.xu2023._setting import XU2023

ROUNDING = 1e-9
"""Bounds may exceed by this, relative to the squares of the layers' norms."""


@dataclass(frozen=True)
class WidthMismatch(AbstractExperiment):
    r"""The bound $\alpha$ on $\lambda_{\min}(\tau)$ of two random layers, both ways.

    Notation: $W = W_1 W_2$ with $W_1$ of shape $(n, h)$ and $W_2$ of shape $(h, m)$;
    the smallest eigenvalue of $\tau$ is the sum of those of $W_1 W_1^\top$ and
    $W_2^\top W_2$.
    """

    source: ClassVar[Source] = XU2023.at("Table 2, alpha_0")
    title: ClassVar[str] = "A rate that is a bound for equal ends only"
    claim: ClassVar[str] = (
        "alpha_0, with the same smallest singular value in both square roots, is at "
        "most the smallest eigenvalue of tau."
    )
    seconds: ClassVar[dict[str, float]] = {"tiny": 0.2, "paper": 2.0}
    size: ClassVar[tuple[float, float]] = (8.0, 4.0)

    def settings(self, scale: str) -> dict[str, Any]:
        """Return how many cases, how wide at most, and the seed."""
        return {
            "cases": 20_000 if scale == "paper" else 2000,
            "kept": 2000 if scale == "paper" else 500,
            "ends": 4,
            "hidden": 6,
            "seed": 11,
        }

    def measure(self, settings: dict[str, Any], work: Workplace) -> dict[str, Table]:
        """Return the eigenvalue and both constants for every case."""
        rng = np.random.default_rng(settings["seed"])
        rows = [_case(settings, rng) for _ in range(settings["cases"])]
        columns = zip(*rows, strict=True)
        names = ["inputs", "hidden", "outputs", "eigenvalue"]
        names += ["printed", "corrected", "scale"]
        cases = {n: np.array(c) for n, c in zip(names, columns, strict=True)}
        uneven = cases["inputs"] != cases["outputs"]
        kept = np.flatnonzero(uneven)[: settings["kept"]]
        return {
            "counts": _counts(cases),
            "cases": {name: column[kept] for name, column in cases.items()},
        }

    def findings(
        self, settings: dict[str, Any], tables: dict[str, Table]
    ) -> list[Finding]:
        """Return how often each constant exceeds the eigenvalue."""
        table = tables["counts"]
        equal, drawn = table["inputs"] == table["outputs"], table["cases"]
        printed, mended = table["printed_above"], table["corrected_above"]
        return [
            as_printed(
                "alpha_0 is at most the smallest eigenvalue of tau.",
                0.0,
                float(printed[~equal].sum()),
                not printed[~equal].any(),
                f"the number of {drawn[~equal].sum()} random cases with n other than m "
                "in which it is larger; sigma_n(W) belongs into the first square root "
                "and sigma_m(W) into the second, zero beyond the rank",
            ),
            corrected(
                "as printed it is a bound where n = m.",
                float(printed[equal].sum()),
                not printed[equal].any(),
                f"the number of {drawn[equal].sum()} cases in which it is larger",
                0.0,
            ),
            corrected(
                "with sigma_n(W) and sigma_m(W) it is a bound for all n and m.",
                float(mended.sum()),
                not mended.any(),
                f"the number of {drawn.sum()} cases in which it is larger",
                0.0,
            ),
        ]

    def draw_on(
        self, figure: Any, settings: dict[str, Any], tables: dict[str, Table]
    ) -> None:
        """Draw each constant against the eigenvalue, those above it in red."""
        table, panels = tables["cases"], figure.subplots(1, 2, sharey=True)
        floor = 1e-4
        for axes, name in zip(panels, ("printed", "corrected"), strict=True):
            over = _exceeds(table, name)
            x = np.maximum(table["eigenvalue"], floor)
            y = np.maximum(table[name], floor)
            axes.plot(x[~over], y[~over], ".", color=look.CURVES[0], markersize=3)
            axes.plot(x[over], y[over], ".", color=look.BAD, markersize=3)
            axes.plot([floor, 100], [floor, 100], look.MEASURED, color=look.INK, lw=0.8)
            axes.set(xscale="log", yscale="log", xlim=(floor / 1.5, 60))
            axes.set(ylim=(floor / 1.5, 60), aspect="equal")
            axes.set_xlabel(r"$\lambda_{\min}(\tau)$, at least 0.0001")
            axes.set_title(f"{name}: above in {over.sum()} of {over.size}")
        panels[0].set_ylabel(r"$\alpha$, at least 0.0001")


def _case(settings: dict[str, Any], rng: np.random.Generator) -> tuple[Any, ...]:
    """Return sizes, the eigenvalue, and both constants of two random layers."""
    n, m = rng.integers(1, settings["ends"] + 1, 2).tolist()
    h = int(rng.integers(min(n, m), settings["hidden"] + 1))
    sizes = np.exp(rng.standard_normal(2) / 2)
    first = sizes[0] * rng.standard_normal((n, h))
    last = sizes[1] * rng.standard_normal((h, m))
    least = _least(first.T) + _least(last)
    whole = np.zeros(max(n, m))
    found = np.linalg.svd(first @ last, compute_uv=False)
    whole[: found.size] = found
    gaps = np.linalg.eigvalsh(first.T @ first - last @ last.T)[::-1]
    printed = _alpha(gaps, n, m, (found[-1], found[-1]))
    mended = _alpha(gaps, n, m, (whole[n - 1], whole[m - 1]))
    scale = float(np.sum(first**2) + np.sum(last**2))
    return n, h, m, least, printed, mended, scale


def _least(tall: np.ndarray) -> float:
    """Return the smallest eigenvalue of the Gram matrix of the columns."""
    rows, columns = tall.shape
    if rows < columns:
        return 0.0
    return float(np.linalg.svd(tall, compute_uv=False)[-1] ** 2)


def _alpha(gaps: np.ndarray, n: int, m: int, seen: tuple[float, float]) -> float:
    r"""Return $\alpha$ from the eigenvalues of the imbalance, descending."""
    high, low = max(gaps[0], 0.0), max(-gaps[-1], 0.0)
    up = max(gaps[n - 1], 0.0) if n <= gaps.size else 0.0
    down = max(-gaps[-m], 0.0) if m <= gaps.size else 0.0
    first = up - low + np.hypot(low + up, 2 * seen[0])
    last = down - high + np.hypot(high + down, 2 * seen[1])
    return float((first + last) / 2)


def _counts(cases: Table) -> Table:
    """Return by widths of both ends how many cases exceed, of how many."""
    above = {name: _exceeds(cases, name) for name in ("printed", "corrected")}
    ends = np.stack([cases["inputs"], cases["outputs"]], axis=1)
    pairs, which = np.unique(ends, axis=0, return_inverse=True)
    which = which.reshape(-1)
    return {
        "inputs": pairs[:, 0],
        "outputs": pairs[:, 1],
        "cases": np.bincount(which),
        **{
            f"{name}_above": np.bincount(which[over], minlength=len(pairs))
            for name, over in above.items()
        },
    }


def _exceeds(table: Table, name: str) -> np.ndarray:
    return table[name] > table["eigenvalue"] + ROUNDING * table["scale"]
