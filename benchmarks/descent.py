"""One net, and a thousand, against plain loops."""

from typing import Any

import jax.numpy as jnp

import thalweg as tw
from benchmarks.problems import (
    STEP,
    WIDTHS,
    balanced_start,
    gaussian_start,
    gaussian_target,
    problem,
)
from benchmarks.rivals import jax_scan, numpy_loop, torch_batch, torch_loop
from benchmarks.timing import Run, Table, cores, race

MEASURES = ("loss", "imbalance", "deficiency_margin", "singular_modes")


def one_net(quick: bool) -> Table:
    """Race one recorded run against bare loops that record nothing."""
    steps = 100 if quick else 10_000
    target, start = gaussian_target(), gaussian_start()
    scan, given = jax_scan(target, steps), tuple(map(jnp.asarray, start))
    gaussian = race(
        "Gaussian start",
        {
            **_ours(start, steps, records=200),
            "bare jitted JAX scan": lambda: scan(given),
            "NumPy loop": lambda: numpy_loop(start, target, steps),
            "PyTorch autograd loop": lambda: torch_loop(start, target, steps, cores()),
            "PyTorch autograd loop, one thread": lambda: torch_loop(
                start, target, steps
            ),
        },
        goals={"bare jitted JAX scan": "<= 1.15", "PyTorch autograd loop": "<= 0.04"},
    )
    even = balanced_start(WIDTHS, 0.1 * target)
    evenly = tuple(map(jnp.asarray, even))
    balanced = race(
        "balanced start",
        {
            **_ours(even, steps, records=200),
            "bare jitted JAX scan": lambda: scan(evenly),
        },
        goals={"bare jitted JAX scan": "<= 1.15"},
    )
    return Table(
        f"One net 10-32-32-10, {steps:,} steps",
        "Ours records four measures at 200 log-spaced steps, the rivals nothing. A "
        "balanced start compresses to 10-10-10-10, a Gaussian one not at all.",
        gaussian + balanced,
    )


def many_nets(quick: bool) -> Table:
    """Race a batch of runs against plain batched loops."""
    runs, steps = (8, 50) if quick else (1000, 500)
    target, start = gaussian_target(), gaussian_start(runs=runs)
    scan, given = jax_scan(target, steps, batched=True), tuple(map(jnp.asarray, start))
    gaussian = race(
        "Gaussian starts",
        {
            **_ours(start, steps, records=20),
            "plain vmapped JAX scan": lambda: scan(given),
            "torch.bmm, gradient by hand": lambda: torch_batch(
                start, target, steps, cores()
            ),
        },
        rounds=3,
        goals={"plain vmapped JAX scan": "<= 1.0"},
    )
    even = balanced_start(WIDTHS, 0.1 * target, runs)
    balanced = race("balanced starts", _ours(even, steps, records=20), rounds=3)
    return Table(
        f"{runs:,} nets 10-32-32-10, {steps:,} steps",
        "Ours records four measures at 20 log-spaced steps, the rivals nothing.",
        gaussian + balanced,
    )


def _ours(start: Any, steps: int, records: int) -> dict[str, Run]:
    """Return our two ways, with and without leaving out what never moves."""
    posed, given = problem(), tuple(map(jnp.asarray, start))

    def run(compress: bool) -> Any:
        path = tw.descend(
            posed,
            given,
            step_size=STEP,
            iterations=steps,
            measures=MEASURES,
            records=records,
            compress=compress,
        )
        return path.weights

    return {
        "thalweg": lambda: run(True),
        "thalweg, compress=False": lambda: run(False),
    }
