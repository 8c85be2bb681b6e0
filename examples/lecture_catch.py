"""The lecture's catch: how many iterations are promised, and how many are needed.

From (1/2, ..., 1/2) the convergence theorem of CS-439 promises about 4^d iterations;
descent takes about 3 * 2^(d-2) / (1 - 2/d).
"""

import argparse
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

import thalweg as tw
from thalweg.report import look

THEOREM = "flammarion2025.Convergence"
ACCURACY = 1e-6


def row(depth: int) -> tuple[int, float, int]:
    """Return the depth, the iterations promised, and those observed."""
    toy, start = tw.Playground(depth), [0.5] * depth
    certificate = tw.certify(THEOREM, toy, start, accuracy=ACCURACY)
    path = tw.descend(
        toy,
        start,
        step_size=certificate.safe_step,
        iterations=100_000,
        accuracy=ACCURACY,
        records=2,
    )
    return depth, certificate.promised, path.outcome.iteration


def leading(depth: int) -> float:
    """Return the leading term of the iterations needed; infinite at depth two."""
    return 3 * 2 ** (depth - 2) / (1 - 2 / depth) if depth > 2 else float("inf")


def drawn(rows: list[tuple[int, float, int]]) -> Figure:
    """Draw promise (dashed) and observation (solid) against the depth."""
    depths, promised, observed = zip(*rows, strict=True)
    with mpl.rc_context(look.RC):
        figure = Figure(figsize=(look.WIDTH, look.HEIGHT), layout="constrained")
        axes = figure.add_subplot()
        axes.plot(
            depths,
            promised,
            linestyle=look.PROMISED,
            color=look.BOUND,
            label="promised",
        )
        axes.plot(depths, observed, "o-", color=look.CURVES[0], label="observed")
        axes.plot(
            depths[1:],
            [leading(depth) for depth in depths[1:]],
            ":",
            color=look.INK,
            label=r"$3 \cdot 2^{d-2} / (1 - 2/d)$",
        )
        axes.set(yscale="log", xlabel="depth", ylabel="iterations to 1e-6")
        axes.legend()
    return figure


def main() -> None:
    """Print the table and save the figure."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--out", type=Path, default=Path("runs/examples"))
    options.add_argument("--quick", action="store_true", help="fewer depths")
    given = options.parse_args()

    rows = [row(depth) for depth in range(2, 5 if given.quick else 13)]
    print(" d         promised   observed   promised / observed   leading term")
    for depth, promised, observed in rows:
        print(
            f"{depth:2d}  {promised:15,.0f}  {observed:9,}"
            f"  {promised / observed:20,.1f}  {leading(depth):13,.1f}"
        )
    given.out.mkdir(parents=True, exist_ok=True)
    drawn(rows).savefig(given.out / "lecture_catch.png", dpi=160)
    print(given.out / "lecture_catch.png")


if __name__ == "__main__":
    main()
