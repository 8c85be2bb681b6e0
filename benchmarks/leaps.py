"""Leaps: a billion iterations, the lecture's counts, and where a leap meets a step."""

from functools import partial

import jax.numpy as jnp
import numpy as np

import thalweg as tw
from benchmarks.problems import balanced_start, gaussian_start, problem
from benchmarks.rivals import jax_scan
from benchmarks.timing import Row, Table, agree, paced, race

EXTRAPOLATED = "descend, {:,} steps, extrapolated"


def theorem_steps(quick: bool) -> Table:
    """Leap over a billion steps of the size that Theorem 1 allows."""
    far, near = (10**6, 10**3) if quick else (10**9, 10**5)
    rows = []
    for widths in ((10,) * 4, (10, 32, 32, 10))[: 1 if quick else None]:
        rows += _theorem(widths, far, near)
    return Table(
        f"Leaps: {far:,} steps as Arora et al. allow them",
        "Depth 3, target diag(1, ..., 0.8), balanced start at 0.9 of it, the largest "
        "step that Theorem 1 certifies; `compress=False`. Leaps and true steps are "
        f"compared at {near:,} iterations first.",
        rows,
    )


def _theorem(widths: tuple[int, ...], far: int, near: int) -> list[Row]:
    target = np.diag(np.linspace(1, 0.8, 10))
    posed = problem(widths, target)
    weights = tuple(map(jnp.asarray, balanced_start(widths, 0.9 * target)))
    step = tw.certify("arora2019.Convergence", posed, weights).safe_step
    asked = {"step_size": step, "records": 2, "compress": False}
    walk = partial(tw.descend, posed, weights, iterations=near, **asked)
    leap = partial(tw.leap, posed, weights, **asked)
    agree(leap(iterations=near).weights, walk().weights, within=1e-9)
    seconds, first, path = paced(partial(leap, iterations=far))
    walked, walk_first, _ = paced(walk)
    net = f"{'-'.join(map(str, widths))}, step {step:.2g}"
    return [
        {
            "net": net,
            "who": "thalweg",
            "seconds": seconds,
            "first call": first,
            "gradients": path.notes["leaps"]["gradients"],
            "error": path.error,
            "ours / theirs": None,
            "goal": "< 10 s",
        },
        {
            "net": net,
            "who": EXTRAPOLATED.format(near),
            "seconds": walked * far / near,
            "first call": walk_first,
            "gradients": far,
            "ours / theirs": seconds / (walked * far / near),
        },
    ]


def lecture(quick: bool) -> Table:
    """Count the lecture's iterations from (1/2, ..., 1/2) at every depth."""
    depths = (2, 6, 10) if quick else (10, 20, 30, 40)
    rows = []
    for depth in depths:
        rows += _lecture(depth, 1000 if quick else 10**6)
    return Table(
        "Leaps: the lecture's start (1/2, ..., 1/2)",
        "Steps of 1/(3d) until the loss is 1e-6. Counts that true steps reach within "
        "a minute are compared with theirs.",
        rows,
    )


def _lecture(depth: int, near: int) -> list[Row]:
    toy, start = tw.Playground(depth), [0.5] * depth
    asked = {"step_size": 1 / (3 * depth), "accuracy": 1e-6, "records": 2}
    seconds, first, path = paced(
        partial(tw.leap, toy, start, iterations=2**53, **asked)
    )
    count, told = path.outcome.iteration, path.notes["leaps"]
    if not (path.outcome.converged and told["counted"]):
        raise SystemExit(f"depth {depth} is not counted: {path.outcome}")
    walk = partial(tw.descend, toy, start, iterations=near, **asked)
    walked, walk_first, other = paced(walk)
    reached = other.outcome.iteration
    if other.outcome.converged and reached != count:
        raise SystemExit(f"depth {depth} leaps {count} and walks {reached} iterations")
    whole = walked * count / reached
    return [
        {
            "depth": depth,
            "who": "thalweg",
            "iterations": count,
            "seconds": seconds,
            "first call": first,
            "gradients": told["gradients"],
            "ours / theirs": None,
            "goal": "< 10 s" if depth == 40 else None,
        },
        {
            "depth": depth,
            "who": "descend" if reached == count else EXTRAPOLATED.format(reached),
            "iterations": count,
            "seconds": whole,
            "first call": walk_first,
            "gradients": count,
            "ours / theirs": seconds / whole,
        },
    ]


def short_leaps(quick: bool) -> Table:
    """Leap where the steps are not tiny, so that a leap saves little."""
    steps, widths = 2_000 if quick else 200_000, (16,) * 4
    posed = problem(widths)
    weights = tuple(map(jnp.asarray, gaussian_start(widths, std=0.2)))
    end = tw.descend(posed, weights, step_size=0.02, iterations=5_000).weights
    sharpness = float(tw.measure("sharpness").read(posed, end)[0])
    asked = {"step_size": 0.003 / sharpness, "iterations": steps, "records": 2}
    scan = jax_scan(np.asarray(posed.target), steps, asked["step_size"])
    true = tw.descend(posed, weights, **asked).weights
    rows = race(
        "16-16-16-16",
        {
            "thalweg": lambda: tw.leap(posed, weights, **asked).weights,
            "descend": lambda: tw.descend(posed, weights, **asked).weights,
            "plain jitted JAX scan": lambda: scan(weights),
        },
        rounds=3,
        within=2e-9,
        true=true,
    )
    return Table(
        f"Leaps: {steps:,} steps that are not tiny",
        "Gaussian start, step times the sharpness at the minimum 0.003; the error is "
        "the distance from the end of `descend`.",
        rows,
    )
