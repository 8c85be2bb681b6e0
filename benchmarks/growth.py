"""How cost grows: slopes of log seconds over the log of a size."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import thalweg as tw
from benchmarks.problems import balanced_start, gaussian_start, gaussian_target, problem
from benchmarks.timing import Row, Table, clocked

STEP = 1e-6
"""So small that no run comes to rest while it is timed."""

ROUNDS = 3

Sized = Callable[[int], Callable[[int], Any]]
"""From a size to a run of so many steps."""


def slopes(quick: bool) -> Table:
    """Fit the growth of cost with every size."""
    kept = 2 if quick else 4
    least = 0.005 if quick else 0.1
    wide, long = (64, 128, 256, 512), (16, 64, 256, 1024)
    rows = [
        _fitted(name, sized, sizes[:kept], least, expected)
        for name, sized, sizes, expected in (
            ("depth, layers of width 16", _depth, (4, 8, 16, 32), "1"),
            ("width w of w-w-w-w", _width, (32, 64, 128, 256), "to 3"),
            ("width w of 10-w-w-10", partial(_hidden, False), wide, "2"),
            ("the same, compressed", partial(_hidden, True), wide, "0"),
            ("nets 10-32-32-10", _batch, (16, 64, 256, 1024), "1"),
            ("inputs d of d-32-1, white", _inputs, long, "1"),
            ("inputs d of d-32-1, data", _data, long, "to 2"),
        )
    ]
    thousands = tuple(1000 * 10**power for power in range(0, 8, 2))
    rows += [
        _fitted(name, sized, sizes[:kept], None, expected)
        for name, sized, sizes, expected in (
            ("iterations", _iterations, (10_000, 30_000, 100_000, 300_000), "1"),
            ("iterations of leaps, to time 20", _leaps, thousands, "0"),
            ("iterations of leaps, step 1e-8", _tiny_leaps, thousands, "below 1"),
        )
    ]
    return Table(
        "How cost grows",
        "Slope of log seconds over log size, by least squares: seconds a step, the "
        "difference of two runs, or of a whole run; 10-32-32-10 and `compress=False` "
        "unless said. What is expected holds for large sizes; small ones are partly "
        "overhead.",
        rows,
    )


def _fitted(
    name: str, sized: Sized, sizes: Sequence[int], least: float | None, expected: str
) -> Row:
    first, seconds = [], []
    jax.clear_caches()
    for size in sizes:
        run = sized(size)
        if least is None:
            first.append(clocked(partial(run, size))[0])
            seconds.append(_best(partial(run, size)))
        else:
            first.append(clocked(partial(run, 100))[0])
            seconds.append(_a_step(run, least))
    return {
        "grows": name,
        "from": sizes[0],
        "to": sizes[-1],
        "seconds of": "a run" if least is None else "a step",
        "at the first": seconds[0],
        "at the last": seconds[-1],
        "first call": max(first),
        "slope": float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0]),
        "expected": expected,
    }


def _a_step(run: Callable[[int], Any], least: float) -> float:
    """Return seconds a step, from runs that differ by at least so many seconds."""
    steps = 100
    while (taken := _best(partial(run, 2 * steps))) < 2 * least:
        steps = int(steps * max(1.5, min(20.0, 2.2 * least / taken)))
    return (taken - _best(partial(run, steps))) / steps


def _best(run: Callable[[], Any]) -> float:
    return min(clocked(run)[0] for _ in range(ROUNDS))


def _descents(posed: tw.Problem, start: Any, compress: bool = False) -> Any:
    given = tuple(map(jnp.asarray, start))
    asked = {"step_size": STEP, "records": 2, "compress": compress}
    return lambda steps: tw.descend(posed, given, iterations=steps, **asked).weights


def _iterations(_size: int) -> Any:
    return _descents(problem(), gaussian_start())


def _depth(depth: int) -> Any:
    widths = (16,) * (depth + 1)
    return _descents(problem(widths), gaussian_start(widths, std=0.2))


def _width(width: int) -> Any:
    widths = (width,) * 4
    return _descents(problem(widths), gaussian_start(widths, std=0.5 * width**-0.5))


def _hidden(compress: bool, width: int) -> Any:
    widths = (10, width, width, 10)
    start = balanced_start(widths, 0.5 * gaussian_target())
    return _descents(problem(widths), start, compress)


def _batch(runs: int) -> Any:
    return _descents(problem(), gaussian_start(runs=runs))


def _inputs(inputs: int) -> Any:
    widths = (inputs, 32, 1)
    return _descents(problem(widths), gaussian_start(widths, std=0.05))


def _data(inputs: int) -> Any:
    widths, draw = (inputs, 32, 1), np.random.default_rng(2)
    samples = draw.standard_normal((2 * inputs, inputs))
    labels = samples @ gaussian_target(1, inputs).T
    posed = tw.Problem(tw.LinearNet(widths), tw.Moments.from_data(samples, labels))
    return _descents(posed, gaussian_start(widths, std=0.05))


def _leaps(iterations: int) -> Any:
    return _leapt(20 / iterations)


def _tiny_leaps(_iterations: int) -> Any:
    return _leapt(1e-8)


def _leapt(step: float) -> Any:
    posed, given = problem(), tuple(map(jnp.asarray, gaussian_start(std=0.2)))
    asked = {"step_size": step, "records": 2, "compress": False}
    return lambda steps: tw.leap(posed, given, iterations=steps, **asked).weights
