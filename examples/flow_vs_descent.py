"""Gradient flow against gradient descent, for steps of several sizes.

The flow keeps the invariants of neighbouring layers; descent moves them. Both the
distance of the losses and the drift of the invariants are proportional to the step.
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

HORIZON = 8.0


def drift(path: tw.Path) -> float:
    """Return the largest change of the invariants along a path."""
    change = path["invariants"] - path["invariants"][0]
    return float(np.abs(change).max())


def main() -> None:
    """Print the table and save the figure."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--out", type=Path, default=Path("runs/examples"))
    options.add_argument("--quick", action="store_true", help="fewer steps")
    given = options.parse_args()

    target = jnp.diag(jnp.array([3.0, 2.0, 1.0]))
    problem = tw.Problem(tw.LinearNet((3, 4, 4, 3)), tw.Moments.whitened(target))
    weights = tw.init("gaussian", std=0.3).draw(jax.random.key(3), problem.net)
    times = np.linspace(0, HORIZON, 81).tolist()
    flow = tw.flow(problem, weights, times=times, measures=("invariants",))
    print("   step   gap of the losses   drift of the invariants")
    print(f"   flow   {'':>17}   {drift(flow):23.1e}")

    with mpl.rc_context(look.RC):
        figure = Figure(figsize=(look.WIDTH, look.HEIGHT), layout="constrained")
        axes = figure.add_subplot()
        axes.plot(times, flow["excess_loss"], color=look.INK, label="flow")
        steps = (0.1, 0.05) if given.quick else (0.1, 0.05, 0.02, 0.01, 0.001)
        for colour, step in zip(look.CURVES, steps, strict=False):
            path = tw.descend(
                problem,
                weights,
                step_size=step,
                iterations=round(HORIZON / step),
                at=[round(time / step) for time in times],
                measures=("invariants",),
            )
            gap = float(np.abs(path["loss"] - flow["loss"]).max())
            print(f"{step:7.3f}   {gap:17.2e}   {drift(path):23.1e}")
            if step > 0.01:
                axes.plot(
                    path.times, path["excess_loss"], color=colour, label=f"{step}"
                )
        axes.set(yscale="log", xlabel="flow time", ylabel="excess loss")
        axes.legend(title="step")
    given.out.mkdir(parents=True, exist_ok=True)
    figure.savefig(given.out / "flow_vs_descent.png", dpi=160)
    print(given.out / "flow_vs_descent.png")


if __name__ == "__main__":
    main()
