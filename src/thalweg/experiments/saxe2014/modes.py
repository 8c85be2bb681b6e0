"""Modes are learnt one by one, each along its own sigmoid."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from thalweg._core.papers import SAXE2014
from thalweg._core.source import Source
from thalweg.experiments._base import AbstractExperiment, Finding, Table, Workplace
from thalweg.experiments._chains import product, step
from thalweg.experiments._columns import columns
from thalweg.motion.descend import descend
from thalweg.motion.exact import learning_time, mode_strength, mode_time
from thalweg.problem.moments import Moments
from thalweg.problem.nets import LinearNet
from thalweg.problem.problem import Problem
from thalweg.report import look

PRINTED = {
    1: 2.944438979,
    2: 1.472219490,
    3: 1.138104737,
    4: 0.954060338,
    5: 0.826151370,
    8: 0.591665605,
}
"""Times in which a mode of target 2 goes from 0.1 to 1.9, by depth."""

LEAST, MOST = 0.1, 1.9


@dataclass(frozen=True)
class ModeCurves(AbstractExperiment):
    r"""Strengths of modes during training, beside $u(t)$ in closed form.

    Two layers from small Gaussian weights, seven modes, hidden width 32, step
    $0.5 \cdot 10^{-3}$ and $u_0 = 10^{-6}$, as in the source's figure; then deeper
    nets from aligned starts, where $\dot u = N u^{2 - 2/N} (s - u)$.
    """

    source: ClassVar[Source] = SAXE2014.at("Section 1.2, left figure; equation (15)")
    title: ClassVar[str] = "Learning curves of modes against theory"
    claim: ClassVar[str] = (
        "Each mode of the labels is learnt along its own sigmoid, stronger modes "
        "first; training from small random weights follows the curves of decoupled "
        "starts closely, and deeper nets those of their own equation."
    )
    seconds: ClassVar[dict[str, float]] = {"tiny": 3.0, "paper": 20.0}
    size: ClassVar[tuple[float, float]] = (9.0, 3.8)

    def settings(self, scale: str) -> dict[str, Any]:
        """Return targets, widths, steps, starts and seeds."""
        tiny = scale == "tiny"
        return {
            "modes": [3, 2, 1] if tiny else [7, 6, 5, 4, 3, 2, 1],
            "hidden": 8 if tiny else 32,
            "step_size": 5e-3 if tiny else 5e-4,
            "start": 1e-6,
            "seeds": 4 if tiny else 100,
            "seed": 0,
            "horizon": 11.0,
            "depths": [3] if tiny else [1, 2, 3, 4, 5, 8],
            "deep_step_sizes": [1e-3] if tiny else [1e-3, 5e-4],
        }

    def measure(self, settings: dict[str, Any], work: Workplace) -> dict[str, Table]:
        """Return curves, half times and the times of deeper nets."""
        work.say("two layers from random starts", 0.0)
        curves, halves = _random_starts(settings)
        rows, deep = [], []
        for place, depth in enumerate(settings["depths"]):
            work.say(f"{depth} layers", 0.5 + place / len(settings["depths"]) / 2)
            for size in settings["deep_step_sizes"]:
                time, strength = _deep(depth, size)
                rows.append((depth, size, float(np.interp(MOST, strength, time))))
            some = np.linspace(0, len(time) - 1, 300).astype(int)
            deep += [
                (depth, *row) for row in zip(time[some], strength[some], strict=True)
            ]
        return {
            "curves": curves,
            "halves": halves,
            "deep": columns(("depth", "time", "strength"), deep),
            "deep_times": columns(("depth", "step_size", "time"), rows),
        }

    def findings(
        self, settings: dict[str, Any], tables: dict[str, Table]
    ) -> list[Finding]:
        """Compare half times and learning times with theory."""
        halves, times = tables["halves"], tables["deep_times"]
        late = halves["simulated"] / halves["theory"] - 1
        means = [late[halves["mode"] == s].mean() for s in np.unique(halves["mode"])]
        order = np.array(settings["modes"])
        first = halves["simulated"].reshape(-1, len(order))
        smallest = times["step_size"] == times["step_size"].min()
        theory = np.array(
            [mode_time(MOST, LEAST, 2.0, depth=int(n)) for n in times["depth"]]
        )
        gaps = np.abs(times["time"] / theory - 1)
        printed = [abs(float(t) - PRINTED[int(n)]) for n, t in
                   zip(times["depth"], theory, strict=True)]  # fmt: skip
        return [
            Finding(
                "Stronger modes are learnt first, from every start.",
                "descending",
                "descending" if np.all(np.diff(first, axis=1) > 0) else "not always",
                bool(np.all(np.diff(first, axis=1) > 0)),
                f"{len(first)} Gaussian starts",
            ),
            Finding(
                "Half-learning times of random starts are close to theory: largest "
                "relative delay, mean over starts.",
                "small",
                float(np.abs(means).max()),
                bool(np.abs(means).max() <= 0.1),
                f"at most a tenth; by mode {', '.join(f'{m:+.2%}' for m in means)}; "
                f"largest standard deviation {_spread(halves, late):.2%}",
            ),
            Finding(
                "A mode of N equal layers takes the time of equation (15): largest "
                "relative gap of descent on full nets at the smallest step.",
                0.0,
                float(gaps[smallest].max()),
                bool(gaps[smallest].max() <= 5e-3),
                f"depths {settings['depths']}; exact times differ from those on record "
                f"by {max(printed):.1g}",
            ),
            *_order(settings, gaps, times),
        ]

    def draw_on(
        self, figure: Any, settings: dict[str, Any], tables: dict[str, Table]
    ) -> None:
        """Draw one start's modes over theory, and the deeper nets'."""
        left, right = figure.subplots(1, 2)
        curves = tables["curves"]
        for place, mode in enumerate(settings["modes"]):
            rows = curves["mode"] == mode
            time = curves["time"][rows]
            left.plot(time, curves["strength"][rows], color=look.CURVES[0],
                      label="" if place else "descent, one start")  # fmt: skip
            theory = mode_strength(time, settings["start"], float(mode), depth=2)
            left.plot(time, theory, color=look.BOUND, ls=look.PROMISED,
                      label="" if place else "theory")  # fmt: skip
        left.set(xlabel="iterations x step size", ylabel="strength of the mode")
        left.set_title("two layers, small random start", loc="left")
        left.legend(loc="center right", bbox_to_anchor=(1, 0.375))
        deep = tables["deep"]
        for place, depth in enumerate(settings["depths"]):
            rows = deep["depth"] == depth
            time = deep["time"][rows]
            right.plot(time, deep["strength"][rows], color=look.CURVES[place],
                       label=f"N = {depth}")  # fmt: skip
            right.plot(time, mode_strength(time, LEAST, 2.0, depth=depth),
                       color=look.BOUND, ls=look.PROMISED, lw=1)  # fmt: skip
        right.set(xlabel="iterations x step size", ylabel="strength of the mode")
        right.set_title("N layers, aligned start; theory dashed", loc="left")
        right.legend(loc="lower right")


def _random_starts(settings: dict[str, Any]) -> tuple[Table, Table]:
    """Return the modes of one random start in time, and the half times of all."""
    modes = np.array(settings["modes"], dtype=float)
    net = LinearNet((len(modes), settings["hidden"], len(modes)))
    problem = Problem(net, Moments.whitened(np.diag(modes)))
    # A mode grows from (W_1 v + W_2' u) / 2, of mean square hidden * std^2 / 2.
    std = np.sqrt(2 * settings["start"] / settings["hidden"])
    draws = np.random.default_rng(settings["seed"])
    starts = [
        std * draws.standard_normal((settings["seeds"], *shape)) for shape in net.shapes
    ]
    size = settings["step_size"]
    iterations = round(settings["horizon"] / size)
    path = descend(
        problem,
        tuple(starts),
        step_size=size,
        iterations=iterations,
        every=max(1, iterations // 1000),
        measures=("end_to_end",),
    )
    time = path.iterations * size
    strengths = np.einsum("rtii->rti", np.asarray(path["end_to_end"]))
    halves = [
        (
            seed,
            s,
            float(np.interp(s / 2, strengths[seed, :, place], time)),
            float(learning_time(settings["start"], s, depth=2)),
        )
        for seed in range(settings["seeds"])
        for place, s in enumerate(modes)
    ]
    curves = [
        (s, *row)
        for place, s in enumerate(modes)
        for row in zip(time, strengths[0, :, place], strict=True)
    ]
    return (
        columns(("mode", "time", "strength"), curves),
        columns(("seed", "mode", "simulated", "theory"), halves),
    )


def _deep(depth: int, size: float) -> tuple[np.ndarray, np.ndarray]:
    """Return times and strengths of the mode 2 in a descent on a full net."""
    target, draws = np.diag([2.0, 1.0]), np.random.default_rng(depth)
    hidden = [np.linalg.qr(draws.standard_normal((4, 2)))[0] for _ in range(depth - 1)]
    bases = [np.eye(2), *hidden, np.eye(2)]
    layers = [
        LEAST ** (1 / depth) * above @ below.T for below, above in pairwise(bases)
    ]
    strengths = [LEAST]
    for _ in range(round(1.2 * PRINTED[depth] / size)):
        layers = step(target, layers, size)
        strengths.append(product(layers)[0, 0])
    return size * np.arange(len(strengths)), np.array(strengths)


def _order(settings: dict[str, Any], gaps: np.ndarray, times: Table) -> list[Finding]:
    """Tell how the gap to the flow falls with the step, if two steps are there."""
    if len(settings["deep_step_sizes"]) < 2:
        return []
    large, small = (gaps[times["step_size"] == s] for s in settings["deep_step_sizes"])
    ratios = large / small
    return [
        Finding(
            "That gap is the step's: what halving the step divides it by.",
            2.0,
            f"{ratios.min():.3f} to {ratios.max():.3f}",
            bool(np.abs(ratios - 2).max() <= 0.1),
        )
    ]


def _spread(halves: Table, late: np.ndarray) -> float:
    return max(
        float(late[halves["mode"] == mode].std()) for mode in np.unique(halves["mode"])
    )
