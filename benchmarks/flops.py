"""Achieved flop rates of batched descent, beside the machine's products."""

import statistics
from functools import cache, partial
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from threadpoolctl import threadpool_limits

import thalweg as tw
from benchmarks.layouts import DEPTH, LAYOUTS
from benchmarks.problems import STEP, gaussian_start, gaussian_target, problem
from benchmarks.timing import Row, Table, agree, clocked, cores

LARGEST = 2**31
COPIES = 6
"""A batch is held about so many times: weights, gradients, products, old and new."""
ROUNDS = 3


@cache
def products(quick: bool) -> Table:
    """Measure the machine's matrix products."""
    size = 64 if quick else 2048
    rows = []
    for kind in (np.float64, np.float32):
        square = np.random.default_rng(0).standard_normal((size, size)).astype(kind)
        given = jnp.asarray(square)
        for few in (True, False):
            options = {"xla_cpu_multi_thread_eigen": False} if few else None
            compiled = jax.jit(jnp.matmul, compiler_options=options)
            with threadpool_limits(1 if few else None):
                numpy, _ = _best(lambda: square @ square)  # noqa: B023
            ours, first = _best(lambda: compiled(given, given))  # noqa: B023
            rows.append(
                {
                    "numbers": kind.__name__,
                    "cores": 1 if few else cores(),
                    "NumPy, Gflop/s": 2e-9 * size**3 / numpy,
                    "JAX, Gflop/s": 2e-9 * size**3 / ours,
                    "first call": first,
                }
            )
    return Table(f"Matrix products of size {size}", "The best of three.", rows)


def rates(quick: bool) -> Table:
    """Compare descent and bare steps in several layouts by their flop rates."""
    widths, batches = (2, 4, 8, 32, 128, 512), (1, 100, 10_000)
    work = 1e6 if quick else 3e9
    peaks = [
        (row["numbers"], row[name])
        for row in products(quick).rows
        for name in ("NumPy, Gflop/s", "JAX, Gflop/s")
    ]
    rows = []
    for width, batch in product(widths[:2] if quick else widths, batches):
        if COPIES * DEPTH * 8 * width**2 * batch <= (2**22 if quick else LARGEST):
            rows += _race(width, batch, work, peaks)
            jax.clear_caches()
    return Table(
        "Flop rates: three square layers",
        f"Gflop/s in {cores()} cores, at 12 width^3 a step and net. `descend` is the "
        "difference of two runs of different length. The others are bare steps that "
        "look at no loss and no end, timed in turn; the gain is that of the fastest "
        "over the first. They are: blocks of lying matrices under `vmap`, as in "
        "`descend`; the whole batch in one einsum; blocks of 64 nets with the nets "
        "along the last axis; and net by net.",
        rows,
    )


def _race(
    width: int, batch: int, work: float, peaks: list[tuple[str, float]]
) -> list[Row]:
    flops = 12 * width**3 * batch
    steps = int(np.clip(work / flops, 4, 20_000))
    start = gaussian_start((width,) * (DEPTH + 1), batch, std=0.3 * width**-0.5)
    target = gaussian_target(width, width)
    seconds, first = _descend(start, target, steps)
    rows = [_bare(start, target, steps, kind) for kind in (np.float64, np.float32)]
    rows[0] |= {"descend": seconds, "first call": first}
    names = ("descend", *(layout.name for layout in LAYOUTS))
    found = []
    for row in rows:
        rates = {name: 1e-9 * flops / row.pop(name) for name in names if name in row}
        best = max(peak for kind, peak in peaks if kind == row["numbers"])
        share = f"{rates['descend'] / best:.1%}" if "descend" in rates else None
        shape = {"width": width, "nets": batch, "numbers": row.pop("numbers")}
        blank = dict.fromkeys(names)
        found.append({**shape, **blank, **rates, "descend / product": share, **row})
    return found


def _descend(start: Any, target: np.ndarray, steps: int) -> tuple[float, float]:
    """Return seconds a step of `descend`, and those of its first call."""
    posed = problem((target.shape[0],) * (DEPTH + 1), target)
    given = tuple(map(jnp.asarray, start))
    short = max(1, steps // 4)

    def run(count: int) -> Any:
        return tw.descend(
            posed, given, step_size=STEP, iterations=count, records=2, compress=False
        ).weights

    first, _ = clocked(partial(run, short))
    near, _ = _best(partial(run, short))
    far, _ = _best(partial(run, short + steps))
    return (far - near) / steps, first


def _bare(start: Any, target: np.ndarray, steps: int, kind: Any) -> Row:
    """Time bare steps in every layout, in turn."""
    lanes, width = start[0].shape[:2]
    layers, goal = [layer.astype(kind) for layer in start], jnp.asarray(target, kind)
    runs, first, ends = {}, 0.0, []
    for layout in LAYOUTS:
        if width <= layout.widest and lanes >= layout.fewest:
            run, parts = layout.compiled(goal), layout.pack(layers, cores())
            seconds, end = clocked(partial(run, parts, min(steps, 8)))
            first += seconds
            ends.append(layout.unpack(end, lanes))
            runs[layout.name] = partial(run, parts, steps)
    agree(*ends, within=1e-12 if kind is np.float64 else 1e-5)
    del ends, end
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, run in runs.items():
            taken[name].append(clocked(run)[0])
    own = taken[LAYOUTS[0].name]
    gains = {
        name: statistics.median(a / b for a, b in zip(own, theirs, strict=True))
        for name, theirs in taken.items()
    }
    best = max(gains, key=lambda name: gains[name])
    return {
        "numbers": kind.__name__,
        **{name: statistics.median(times) / steps for name, times in taken.items()},
        "fastest": best,
        "gain": gains[best],
        "first calls, all bare": first,
    }


def _best(run: Any) -> tuple[float, float]:
    first, _ = clocked(run)
    return min(clocked(run)[0] for _ in range(ROUNDS)), first
