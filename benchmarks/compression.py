"""What compression saves on wide nets, and what it costs."""

import statistics
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

import thalweg as tw
from benchmarks.problems import (
    balanced_start,
    gaussian_start,
    gaussian_target,
    problem,
)
from benchmarks.rivals import jax_scan
from benchmarks.timing import Row, Run, Table, agree, clocked

STEP = 0.001
SLOW = 1e-7
"""A step so small that no run comes to rest while it is timed."""
FEW = 3


def wide_nets(quick: bool) -> Table:
    """Race a step of ours against one of the plain scan on nets of great width."""
    width = 64 if quick else 4096
    lengths = (100, 1_100) if quick else (1_000, 101_000)
    deep, shallow = (10, width, width, 10), (10, width, 10)
    even = balanced_start(deep, 0.5 * gaussian_target())
    drawn = gaussian_start(shallow, std=width**-0.5)
    rows = _race("balanced", deep, even, lengths, ">= 5,000")
    rows += _race("Gaussian", shallow, drawn, lengths, ">= 50")
    return Table(
        f"Compression: nets of width {width:,}",
        f"A step of ours is the difference of two runs, of {lengths[0]:,} and "
        f"{lengths[1]:,} steps, by the difference of their lengths; what a run costs "
        "besides is to compress, to lift and to record the loss. The rival is the "
        f"uncompressed jitted scan over `jax.grad`, {FEW} steps of it.",
        rows,
    )


def _race(
    start: str,
    widths: tuple[int, ...],
    layers: Any,
    lengths: tuple[int, int],
    goal: str,
) -> list[Row]:
    posed, target = problem(widths), gaussian_target()
    given = tuple(map(jnp.asarray, layers))
    scan = jax_scan(target, FEW, STEP)

    def ours(steps: int, step: float = SLOW) -> Any:
        path = tw.descend(posed, given, step_size=step, iterations=steps, records=2)
        if path.outcome.iteration != steps:
            raise SystemExit(f"a timed run ended early: {path.outcome}")
        return path.weights

    jax.clear_caches()
    first, end = clocked(partial(ours, FEW, STEP))
    scan_first, rival_end = clocked(partial(scan, given))
    agree(end, rival_end)
    del end, rival_end
    runs: list[Run] = [
        *(partial(ours, steps) for steps in lengths),
        partial(scan, given),
    ]
    short, long, rival = zip(
        *([clocked(run)[0] for run in runs] for _ in range(4)), strict=True
    )
    # The first round compiles what depends on the number of records.
    apart = [b - a for a, b in zip(short[1:], long[1:], strict=True)]
    each = statistics.median(apart) / (lengths[1] - lengths[0])
    theirs = statistics.median(rival[1:]) / FEW
    net = f"{'-'.join(map(str, widths))}, {start} start"
    return [
        {
            "net": net,
            "who": "thalweg",
            "seconds a step": each,
            "seconds besides": statistics.median(short[1:]) - lengths[0] * each,
            "first call": first,
        },
        {
            "net": net,
            "who": "uncompressed JAX scan",
            "seconds a step": theirs,
            "first call": scan_first,
            "theirs / ours": theirs / each,
            "goal": goal,
        },
    ]
