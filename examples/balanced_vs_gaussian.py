"""Iterations to an accuracy against the standard deviation of the start.

As in the experiments of Arora et al. (2019): for every standard deviation several
starts, each with the fastest of several steps, on a target of unit norm. Layer-wise
Gaussian starts have a window of good values; balanced ones hardly notice.
"""

import argparse
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

import thalweg as tw
from thalweg.report import look

ACCURACY = 1e-5
STEPS = 10.0 ** np.arange(-2.5, 0.1, 0.5)


def fastest(problem: tw.Problem, name: str, std: float, seeds: int, most: int) -> float:
    """Return the median over seeds of the fastest step's iterations."""
    keys = jax.random.split(jax.random.key(0), seeds)
    starts = jax.vmap(lambda key: tw.init(name, std=std).draw(key, problem.net))(keys)
    many = jax.tree.map(lambda w: jnp.repeat(w, STEPS.size, axis=0), starts)
    path = tw.descend(
        problem,
        many,
        step_size=np.tile(STEPS, seeds),
        iterations=most,
        accuracy=ACCURACY,
        records=2,
    )
    taken = [o.iteration if o.converged else np.inf for o in path.outcome]
    return float(np.median(np.min(np.reshape(taken, (seeds, -1)), axis=1)))


def drawn(stds: np.ndarray, columns: dict[str, list[float]], most: int) -> Figure:
    """Draw iterations against the standard deviation."""
    with mpl.rc_context(look.RC):
        figure = Figure(figsize=(look.WIDTH, look.HEIGHT), layout="constrained")
        axes = figure.add_subplot()
        for colour, mark, (name, column) in zip(
            look.CURVES, "os", columns.items(), strict=False
        ):
            seen = np.where(np.isfinite(column), column, np.nan)
            axes.plot(stds, seen, f"{mark}-", color=colour, label=name)
        axes.axhline(most, color=look.FAINT, linestyle=":", label="budget")
        axes.set(xscale="log", yscale="log", xlabel="standard deviation")
        axes.set_ylabel("iterations to 1e-5, fastest step")
        axes.legend()
    return figure


def main() -> None:
    """Print the table and save the figure."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--out", type=Path, default=Path("runs/examples"))
    options.add_argument("--quick", action="store_true", help="fewer runs")
    given = options.parse_args()

    width, seeds, most = (8, 2, 300) if given.quick else (32, 11, 3000)
    stds = np.geomspace(1e-3, 1.0, 3 if given.quick else 10)
    net = tw.LinearNet((width, width, width, 1))
    problem = tw.Problem(net, tw.load("unit_phi", width=width))
    columns = {
        name: [fastest(problem, name, float(std), seeds, most) for std in stds]
        for name in ("gaussian", "balanced")
    }
    print(f"     std   gaussian   balanced   (inf: not within {most} at these steps)")
    for std, *counts in zip(stds, *columns.values(), strict=True):
        print(f"{std:8.4f}" + "".join(f"  {count:9.0f}" for count in counts))
    given.out.mkdir(parents=True, exist_ok=True)
    file = given.out / "balanced_vs_gaussian.png"
    drawn(stds, columns, most).savefig(file, dpi=160)
    print(file)


if __name__ == "__main__":
    main()
