"""From a table of your own to certificates: what theory promises, what happens.

Without `--file` a small CSV is made up. The start is balanced, at a chosen share of
the target, so that it has a deficiency margin.
"""

import argparse
from pathlib import Path

import jax
import numpy as np

import thalweg as tw


def made_up(folder: Path) -> Path:
    """Return a CSV of 150 houses, with units that differ widely."""
    draw = np.random.default_rng(0).standard_normal
    area, age, noise = 100 + 30 * draw(150), 40 + 15 * draw(150), 1e-3 * draw(150)
    price = 2000 * area - 500 * age + 3e6 * noise + 5000 * draw(150)
    file = folder / "houses.csv"
    table = np.column_stack([area, age, noise, price])
    np.savetxt(file, table, delimiter=",", header="area,age,noise,price", comments="")
    return file


def main() -> None:
    """Print the certificates and save a figure and a page."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--out", type=Path, default=Path("runs/examples"))
    options.add_argument("--file", type=Path, help="CSV, Parquet or NPZ")
    options.add_argument("--targets", nargs="+", default=["price"])
    options.add_argument("--share", type=float, default=0.9)
    options.add_argument("--step", type=float, default=0.05)
    options.add_argument("--quick", action="store_true", help="fewer iterations")
    given = options.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)

    file = given.file or made_up(given.out)
    data = tw.Moments.from_file(
        file, given.targets, center=True, whiten=True, labels="unit"
    )
    print("\n".join(data.preparation.lines()))

    widths = (data.rank, 16, 16, data.outputs_width)
    problem = tw.Problem(tw.LinearNet(widths), data)
    init = tw.init("balanced", end_to_end=given.share * data.target)
    weights = init.draw(jax.random.key(0), problem.net)
    path = tw.descend(
        problem,
        weights,
        step_size=given.step,
        iterations=50 if given.quick else 5000,
        accuracy=1e-6,
        measures=("imbalance", "deficiency_margin", "singular_modes"),
    )
    print(f"\n{path.outcome}\n")

    print("theorem                      verdict     promised    at its own step")
    certificates = tw.certify_all(problem, weights, step_size=given.step, path=path)
    for one in certificates:
        if one.applies:
            promised, own = one.promised, one.at_safe_step
            print(
                f"{one.theorem:<28} {one.verdict:<10}"
                f"{'-' if promised is None else f'{promised:,.4g}':>10}"
                f"{'-' if own is None else f'{own:,.4g}':>19}"
            )
            for hypothesis in one.hypotheses:
                if hypothesis.verdict != "proved":
                    print(f"    {hypothesis.line()}")

    figure = given.out / "certify_own_data.png"
    tw.figure(path, "excess_loss", certificates).savefig(figure, dpi=160)
    print(figure)
    if not given.quick:
        print(tw.page(path, certificates).save(given.out / "certify_own_data.html"))


if __name__ == "__main__":
    main()
