"""Iterations to an accuracy at the fastest step size of a grid, start by start."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from thalweg._core.errors import DataError
from thalweg._core.store import write_whole
from thalweg.experiments._base import Table, Workplace
from thalweg.experiments._columns import columns
from thalweg.experiments.arora2019._starts import Draw
from thalweg.motion.ends import descend_to_ends
from thalweg.problem.datasets._load import load
from thalweg.problem.moments import Moments
from thalweg.problem.nets import LinearNet
from thalweg.problem.problem import Problem
from thalweg.report import look
from thalweg.sweep.search import Request, Result, Search

ACCURACY = 1e-5
"""The source's: training stops when the loss is so near to its optimum."""

FEW = 500
"""A few hundred iterations or less: up to so many."""

WIDE = 16
"""Hidden widths from which finding a smaller net with the same trajectory pays."""

NEVER = -1
"""Told as iterations where no step size of the grid converges."""


def numbers(scale: str) -> dict[str, Any]:
    """Return what figures (a) and (b) have in common.

    Args:
        scale: `tiny` or `paper`.

    Returns:
        Data, widths, grids, seeds and the cap, as plain values.
    """
    if scale == "tiny":
        return {
            "data": "unit_phi",
            "inputs": 8,
            "hidden": 4,
            "depths": [3, 6],
            "stds": [0.05, 0.2, 0.5, 1.5],
            "step_sizes": np.geomspace(1e-2, 1, 5).tolist(),
            "accuracy": ACCURACY,
            "cap": 10_000,
            "seeds": [0],
        }
    return {
        "data": "gas_sensor" if gas_is_here() else "unit_phi",
        "inputs": 128,
        "hidden": 32,
        "depths": [3, 8],
        "stds": np.geomspace(1e-3, 1, 13).tolist(),
        "step_sizes": np.geomspace(1e-4, 1, 17).tolist(),
        "accuracy": ACCURACY,
        "cap": 100_000,
        "seeds": [0, 1, 2],
    }


def gas_is_here() -> bool:
    """Return whether the source's own data set can be read."""
    try:
        load("gas_sensor")
    except DataError:
        return False
    return True


def target_of(settings: dict[str, Any]) -> Moments:
    """Return the white data: the source's, or what stands for them."""
    if settings["data"] == "unit_phi":
        return load("unit_phi", width=settings["inputs"])
    return load(settings["data"], labels="unit")


def told_data(settings: dict[str, Any]) -> str:
    """Return the data in words, as they stand on the figures."""
    if settings["data"] == "gas_sensor":
        return "gas sensors, ethanol"
    return f"random unit target of {settings['inputs']} inputs (stand-in, exact in law)"


def net_of(settings: dict[str, Any], depth: int) -> LinearNet:
    """Return the net of a depth: one output, all hidden widths equal."""
    hidden = (settings["hidden"],) * (depth - 1)
    return LinearNet((settings["inputs"], *hidden, 1))


def start_of(
    settings: dict[str, Any], draw: Draw, depth: int, std: float, seed: int
) -> list[np.ndarray]:
    """Return a start; of one seed, starts of all stds are multiples of each other."""
    draws = np.random.default_rng([seed, depth])
    return draw(draws, std, net_of(settings, depth).widths)


def fastest(settings: dict[str, Any], draw: Draw, work: Workplace) -> Table:
    """Return the fastest step size of every depth, std and seed.

    Args:
        settings: From `numbers`.
        draw: How starts are drawn, one of `_starts`.
        work: Where finished runs are kept, and whom to tell.

    Returns:
        Columns `depth`, `std`, `seed`, `step_size`, `iterations` (-1: none tried
        converged), `certain` (whether the search proves it if iterations are unimodal
        in the step size), `evaluations` and `spent` (runs made, and their iterations).
    """
    rows: list[tuple[Any, ...]] = []
    for place, depth in enumerate(settings["depths"]):
        share = place / len(settings["depths"])
        work.say(f"{depth} layers", share)
        room = work.room(f"{draw.__name__}-{depth}.json")
        rows += _depth(settings, draw, depth, _Kept(room), work, share)
    names = ("depth", "std", "seed", "step_size", "iterations", "certain")
    return columns((*names, "evaluations", "spent"), rows)


class _Kept:
    """Runs that have been made, in a file if there is a place for one."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.runs: dict[str, Any] = {}
        if path is not None and path.is_file():
            self.runs = json.loads(path.read_text(encoding="utf-8"))

    def add(self, runs: dict[str, Any]) -> None:
        self.runs |= runs
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self.path, json.dumps(self.runs).encode())


def _depth(
    settings: dict[str, Any],
    draw: Draw,
    depth: int,
    kept: _Kept,
    work: Workplace,
    share: float,
) -> Iterable[tuple[Any, ...]]:
    """Search all starts of a depth side by side."""
    problem = Problem(net_of(settings, depth), target_of(settings))
    points = [(std, seed) for std in settings["stds"] for seed in settings["seeds"]]
    starts = [start_of(settings, draw, depth, std, seed) for std, seed in points]
    search = Search.start(len(points), settings["step_sizes"])
    rounds = 0
    while search.requests:
        new = [one for one in search.requests if _key(one) not in kept.runs]
        if new:
            rounds += 1
            work.say(f"{depth} layers, round {rounds}: {len(new)} runs", share)
            kept.add(_run(problem, starts, new, settings))
        search = search.feed([Result(**kept.runs[_key(o)]) for o in search.requests])
    for (std, seed), found in zip(points, search.found, strict=True):
        converged = found.index is not None
        yield (
            depth,
            std,
            seed,
            found.value if converged else np.nan,
            int(found.cost) if converged else NEVER,
            found.certain,
            found.evaluations,
            found.spent,
        )


def _key(request: Request) -> str:
    return f"{request.point}/{request.index}/{request.budget}"


def _run(
    problem: Problem,
    starts: list[Any],
    requests: list[Request],
    settings: dict[str, Any],
) -> dict[str, Any]:
    """Return how the runs of a round ended, by their keys."""
    cap = settings["cap"]
    chosen = [starts[request.point] for request in requests]
    ends = descend_to_ends(
        problem,
        tuple(np.stack(layer) for layer in zip(*chosen, strict=True)),
        step_size=np.array([request.value for request in requests]),
        iterations=np.array([request.budget or cap for request in requests]),
        accuracy=settings["accuracy"],
        compress=settings["hidden"] >= WIDE,
    )
    assert ends is not None, "nothing was passed that could stop it"
    results = zip(
        requests,
        ends.statuses,
        ends.iterations.tolist(),
        ends.excess_loss.tolist(),
        strict=True,
    )
    return {
        _key(request): asdict(Result(str(status), iterations, excess))
        for request, status, iterations, excess in results
    }


def band(table: Table, depth: int, most: int = FEW) -> np.ndarray:
    """Return the stds from which every seed of a depth takes few iterations."""
    rows = table["depth"] == depth
    stds = np.unique(table["std"][rows])
    taken = [table["iterations"][rows & (table["std"] == std)] for std in stds]
    return np.array(
        [
            std
            for std, counts in zip(stds, taken, strict=True)
            if np.all((counts != NEVER) & (counts <= most))
        ]
    )


def told_band(stds: np.ndarray) -> str:
    """Return a band of stds in words."""
    if not stds.size:
        return "none"
    return f"{stds.size} stds, from {stds.min():.2g} to {stds.max():.2g}"


def draw_iterations(
    figure: Any, settings: dict[str, Any], table: Table, heading: str
) -> None:
    """Draw iterations against std: medians as lines, every seed as a mark.

    Args:
        figure: To draw on.
        settings: From `numbers`.
        table: From `fastest`.
        heading: The figure's title.
    """
    axes = figure.add_subplot()
    for place, depth in enumerate(settings["depths"]):
        rows, colour = table["depth"] == depth, look.CURVES[place]
        counts = np.where(table["iterations"] == NEVER, np.nan, table["iterations"])
        stds = np.unique(table["std"][rows])
        of_std = [counts[rows & (table["std"] == std)] for std in stds]
        middle = np.median(np.array(of_std), axis=1)
        axes.plot(stds, middle, color=colour, label=f"{depth} layers")
        axes.plot(table["std"][rows], counts[rows], "os"[place], ms=4, color=colour,
                  alpha=0.6)  # fmt: skip
        failed = np.unique(table["std"][rows & np.isnan(counts)])
        axes.plot(failed, np.full(failed.size, 1.3 * settings["cap"] * 1.6**place),
                  "x", ms=5, color=colour)  # fmt: skip
    axes.axhline(settings["cap"], color=look.FAINT, ls=look.PROMISED, lw=1)
    axes.set(xscale="log", yscale="log", xlabel="standard deviation of the start")
    axes.set_ylabel(f"iterations to {settings['accuracy']:g} of the optimum")
    axes.set_title(f"{heading}\n{told_data(settings)}", loc="left")
    axes.annotate(
        "x: a seed that did not converge within the cap (dashed) at any step tried",
        (0.02, 0.985),
        xycoords="axes fraction",
        va="top",
        fontsize=look.SMALL,
    )
    axes.margins(y=0.12)
    axes.legend(loc="best")
