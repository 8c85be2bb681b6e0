"""Many descents to their ends, beside the recording engine's batch of the same."""

from typing import Any

import jax.numpy as jnp
import numpy as np

import thalweg as tw
from benchmarks.problems import WIDTHS, gaussian_start, problem
from benchmarks.timing import Row, Table, race
from thalweg.motion.ends import descend_to_ends

ACCURACY = 1e-5


def ends(quick: bool) -> Table:
    """Race ends against `descend` of the same batch, of even and uneven lengths."""
    runs, most = (64, 300) if quick else (10_000, 5000)
    rng = np.random.default_rng(0)
    posed = problem(WIDTHS, _target(rng))
    starts = _balanced(rng, rng.choice([0.01, 0.03, 0.1], runs))
    even = rng.choice([0.1, 0.2, 0.4], runs)
    uneven = np.where(rng.random(runs) < 0.05, even / 50, even)
    rows: list[Row] = []
    for what, steps in (("even", even), ("one in 20 is 50 times longer", uneven)):
        asked = {"step_size": jnp.asarray(steps), "accuracy": ACCURACY}
        budget = most if what == "even" else 10 * most
        rows += race(
            f"{runs:,} runs of 10-32-32-10, {what}",
            {
                "ends": lambda a=asked, b=budget: _ends(posed, starts, b, a),
                "descend": lambda a=asked, b=budget: _path(posed, starts, b, a),
            },
            rounds=1 if quick else 3,
            within=1e-9,
            goals={"descend": "<= 1.0"},
        )
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
