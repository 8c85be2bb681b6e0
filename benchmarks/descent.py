"""One net, and a thousand, against plain loops."""

import os

import jax.numpy as jnp
import numpy as np

import thalweg as tw
from benchmarks.problems import STEP, problem, start, target
from benchmarks.rivals import jax_scan, numpy_loop, torch_loop
from benchmarks.timing import Row, race

CORES = os.cpu_count() or 1
MEASURES = ("loss", "imbalance", "deficiency_margin", "singular_modes")


def one_net(steps: int = 10_000) -> list[Row]:
    """Race one recorded run against bare loops that record nothing."""
    posed, layers, goal = problem(), start(), target()
    scan = jax_scan(goal, steps)
    given = tuple(map(jnp.asarray, layers))

    def ours() -> tw.Path:
        return tw.descend(
            posed,
            given,
            step_size=STEP,
            iterations=steps,
            measures=MEASURES,
            records=200,
        )

    _agree(ours().weights, scan(given), numpy_loop(layers, goal, steps))
    _agree(ours().weights, torch_loop(layers, goal, steps))
    return race(
        f"10-32-32-10, {steps:,} steps, 4 measures at 200 log-spaced steps",
        ours,
        {
            "bare jitted JAX scan": lambda: scan(given),
            "NumPy loop": lambda: numpy_loop(layers, goal, steps),
            "PyTorch autograd loop": lambda: torch_loop(layers, goal, steps, CORES),
            "PyTorch autograd loop, one thread": lambda: torch_loop(
                layers, goal, steps
            ),
        },
        goals={"bare jitted JAX scan": "<= 1.15", "PyTorch autograd loop": "<= 0.04"},
    )


def many_nets(runs: int = 1000, steps: int = 1000) -> list[Row]:
    """Race a batch of runs against a plain vmapped scan."""
    posed, given = problem(), tuple(map(jnp.asarray, start(runs)))
    scan = jax_scan(target(), steps, batched=True)

    def ours() -> tw.Path:
        return tw.descend(
            posed,
            given,
            step_size=STEP,
            iterations=steps,
            measures=MEASURES,
            records=20,
        )

    _agree(ours().weights, scan(given))
    return race(
        f"{runs:,} nets 10-32-32-10, {steps:,} steps, 4 measures at 20 steps",
        ours,
        {"plain vmapped JAX scan": lambda: scan(given)},
        rounds=3,
        goals={"plain vmapped JAX scan": "<= 1.0"},
    )


def _agree(ours: object, *others: object) -> None:
    """Stop unless all end at the same weights."""
    for other in others:
        for mine, theirs in zip(ours, other, strict=True):  # type: ignore[call-overload]
            gap = np.max(np.abs(np.asarray(mine) - np.asarray(theirs)))
            if gap > 1e-12:
                raise SystemExit(f"the contestants disagree by {gap:.2g}")
