"""Many descents to their ends, beside the recording engine's batch of the same."""

import itertools
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import thalweg as tw
from benchmarks.problems import WIDTHS, gaussian_start, problem
from benchmarks.timing import Row, Table, race
from thalweg.motion.ends import descend_to_ends

ACCURACY = 1e-5


def ends(quick: bool) -> Table:
    """Race ends against `descend` of the same batch, of even and uneven lengths."""
    runs, most = (64, 300) if quick else (10_000, 1500)
    rng = np.random.default_rng(0)
    rows: list[Row] = []
    for what, count in (("even", runs), ("one in 20 is 50 times longer", runs // 5)):
        rounds = 3 if what == "even" and not quick else 1
        rows += _race(what, count, most, rng, rounds)
    small = problem((2, 2, 2), np.diag([2.0, 1.0]))
    given = gaussian_start((2, 2, 2), runs, std=0.5)
    asked = {"step_size": 0.05, "accuracy": ACCURACY}
    rows += race(
        f"{runs:,} runs of 2-2-2",
        {
            "ends": lambda: _ends(small, given, most, asked),
            "descend": lambda: _path(small, given, most, asked),
        },
        rounds=1 if quick else 3,
        within=1e-9,
        goals={"descend": "<= 1.0"},
    )
    return Table(
        "Descents to their ends",
        "To an accuracy of 1e-5, on all cores. Balanced starts of three standard "
        "deviations, three step sizes; Gaussian ones of 2-2-2. `descend` keeps two "
        "records a run.",
        rows,
    )


def _race(
    what: str, runs: int, most: int, rng: np.random.Generator, rounds: int
) -> list[Row]:
    posed = problem(WIDTHS, _target(rng))
    starts = _balanced(rng, rng.choice([0.03, 0.1, 0.3], runs))
    steps = rng.choice([0.1, 0.2, 0.4], runs)
    if what != "even":
        steps = np.where(rng.random(runs) < 0.05, steps / 50, steps)
        most *= 10
    asked = {"step_size": jnp.asarray(steps), "accuracy": ACCURACY}
    return race(
        f"{runs:,} runs of 10-32-32-10, {what}",
        {
            "ends": lambda: _ends(posed, starts, most, asked),
            "descend": lambda: _path(posed, starts, most, asked),
        },
        rounds=rounds,
        within=1e-9,
        goals={"descend": "<= 1.0"},
    )


def swept(quick: bool) -> Table:
    """Race a sweep against the bare engine on the same starts, and ask it again."""
    seeds, most = (16, 300) if quick else (2500, 5000)
    stds = [0.01, 0.03, 0.1, 0.3]
    runs = len(stds) * seeds
    target = _target(np.random.default_rng(0))
    design = tw.Design.of(
        {
            "data": {"target": target.tolist()},
            "hidden": list(WIDTHS[1:-1]),
            "init": "balanced",
            "step_size": 0.2,
            "accuracy": ACCURACY,
            "iterations": most,
        },
        {"init.std": stds, "seed": {"from": 0, "to": seeds - 1}},
    )
    posed = problem(WIDTHS, target)
    starts = _drawn(posed, stds, seeds)
    with tempfile.TemporaryDirectory() as folder:
        fresh = (Path(folder, str(number)) for number in itertools.count())
        rows = race(
            f"{runs:,} runs of 10-32-32-10",
            {
                "sweep": lambda: [_swept(design, next(fresh))],
                "bare engine": lambda: [_bare(posed, starts, most)],
            },
            rounds=1 if quick else 3,
            within=1e-9,
            goals={"bare engine": "<= 1.3"},
        )
        rows.append(_again(runs, Path(folder, "0")))
    return Table(
        "Sweeps",
        "To an accuracy of 1e-5, in process on all cores. The bare engine is "
        "`descend_to_ends` on starts drawn before the clock; the sweep plans, draws, "
        "and writes its Parquet table. Asked again, all is there: seconds of a new "
        "process, Python's start included.",
        rows,
    )


def _drawn(posed: Any, stds: list[float], seeds: int) -> Any:
    keys = jax.vmap(jax.random.key)(jnp.arange(seeds))
    each = [
        jax.vmap(lambda key, s=std: tw.init("balanced", std=s).draw(key, posed.net))(
            keys
        )
        for std in stds
    ]
    return jax.tree.map(lambda *layers: np.concatenate(layers), *each)


def _swept(design: tw.Design, folder: Path) -> np.ndarray:
    return tw.run_sweep(design, out=folder).column("excess_loss")


def _bare(posed: Any, starts: Any, most: int) -> np.ndarray:
    asked = {"step_size": 0.2, "accuracy": ACCURACY}
    return descend_to_ends(posed, starts, iterations=most, **asked).excess_loss


def _again(runs: int, folder: Path) -> Row:
    command = [sys.executable, "-m", "thalweg", "sweep", str(folder)]
    taken = []
    for _ in range(5):
        begun = time.perf_counter()
        subprocess.run(command, capture_output=True, check=True)
        taken.append(time.perf_counter() - begun)
    return {
        "what": f"{runs:,} rows, all there",
        "who": "thalweg sweep FOLDER",
        "seconds": statistics.median(taken),
        "first call": taken[0],
        "ours / theirs": None,
        "goal": "< 1 s",
    }


def _ends(posed: Any, starts: Any, most: int, asked: dict[str, Any]) -> Any:
    return descend_to_ends(posed, starts, iterations=most, **asked).weights


def _path(posed: Any, starts: Any, most: int, asked: dict[str, Any]) -> Any:
    return tw.descend(posed, starts, iterations=most, records=2, **asked).weights


def _target(rng: np.random.Generator) -> np.ndarray:
    """Return a matrix of singular values from a half to one."""
    left, _, right = np.linalg.svd(rng.standard_normal((WIDTHS[-1], WIDTHS[0])))
    return left * np.linspace(1, 0.5, WIDTHS[0]) @ right


def _balanced(rng: np.random.Generator, stds: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return balanced layers of Gaussian products, in turned hidden spaces."""
    inputs, first, second, outputs = WIDTHS
    size = (stds.size, outputs, inputs)
    whole = stds[:, None, None] * rng.standard_normal(size)
    left, values, right = np.linalg.svd(whole, full_matrices=False)
    one = np.linalg.qr(rng.standard_normal((stds.size, first, inputs)))[0]
    two = np.linalg.qr(rng.standard_normal((stds.size, second, inputs)))[0]
    roots = values[:, None, :] ** (1 / 3)
    return one * roots @ right, two * roots @ one.mT, left * roots @ two.mT
