"""From a small start the loss walks down the critical values like a staircase."""

from dataclasses import dataclass
from itertools import combinations
from typing import Any, ClassVar

import numpy as np

from thalweg._core.papers import CHITOUR2023
from thalweg._core.source import Source
from thalweg.experiments._base import AbstractExperiment, Finding, Table, Workplace
from thalweg.experiments._columns import columns
from thalweg.landscape.itinerary import Itinerary, itinerary
from thalweg.landscape.values import critical_values
from thalweg.problem.moments import Moments
from thalweg.problem.nets import LinearNet
from thalweg.problem.problem import Problem
from thalweg.report import look
from thalweg.report.staircase import told

ON_A_STEP = 0.25
"""A plateau is on a step if it is this much nearer to it than to the next one."""


@dataclass(frozen=True)
class Staircase(AbstractExperiment):
    r"""Loss from small starts, with the critical values $\tfrac12 \sum_Q s_i^2$.

    A Gaussian start of small standard deviation leaves the origin, itself a saddle,
    and passes one saddle after another. Where between two learnt modes it is nearest
    to the saddle, its loss is compared with the saddle's; a smaller start must come
    nearer.
    """

    source: ClassVar[Source] = CHITOUR2023.at("Lemma 2 and Propositions 1 and 3")
    title: ClassVar[str] = "The loss walks down a staircase of saddles"
    claim: ClassVar[str] = (
        "The loss at a critical point is half the sum of the squares of the singular "
        "values it has not learnt; all such points but the global minima are saddles, "
        "and every trajectory of the flow converges to a critical point."
    )
    seconds: ClassVar[dict[str, float]] = {"tiny": 4.0, "paper": 10.0}
    size: ClassVar[tuple[float, float]] = (9.0, 3.8)

    def settings(self, scale: str) -> dict[str, Any]:
        """Return the target's singular values, the nets, stds and the seed."""
        if scale == "tiny":
            nets = {"nets": [[3, 3, 2]], "stds": [[1e-2]]}
            return {"target": [3.0, 1.0], **nets, "seed": 0}
        return {
            "target": [3.0, 2.0, 1.0],
            "nets": [[5, 4, 3], [5, 4, 4, 3]],
            "stds": [[1e-2, 1e-4, 1e-6], [3e-2, 1e-2, 3e-3]],
            "seed": 0,
        }

    def measure(self, settings: dict[str, Any], work: Workplace) -> dict[str, Table]:
        """Return the curves, the saddles visited, and the critical values."""
        curves: list[tuple[Any, ...]] = []
        visits: list[tuple[Any, ...]] = []
        found = np.zeros(0)
        total = sum(map(len, settings["stds"]))
        for net, stds in zip(settings["nets"], settings["stds"], strict=True):
            problem = _problem(net, settings["target"])
            found = np.array([one.value for one in critical_values(problem)])
            for std in stds:
                work.say(f"widths {net}, std {std:g}", len(visits) / (5 * total))
                walk = itinerary(
                    problem, std=std, seed=settings["seed"], iterations=2_000_000
                )
                depth = len(net) - 1
                time = walk.path.clock * float(walk.path.step_size)
                loss = np.asarray(walk.path["loss"])
                curves += [(depth, std, *row) for row in zip(time, loss, strict=True)]
                visits += [(depth, std, *row) for row in _rows(walk)]
        return {
            "curves": columns(("depth", "std", "time", "loss"), curves),
            "visits": columns(
                ("depth", "std", "modes", "value", "loss", "distance", "from", "to"),
                visits,
            ),
            "values": {"value": np.sort(found)},
        }

    def findings(
        self, settings: dict[str, Any], tables: dict[str, Table]
    ) -> list[Finding]:
        """Compare values, plateaus and ends with the statements."""
        by_hand = _levels(settings["target"])
        found, visits = tables["values"]["value"], tables["visits"]
        same = found.shape == by_hand.shape and np.allclose(found, by_hand, rtol=1e-14)
        shares = _misses(visits, by_hand)
        small = float(shares[_smallest(visits)].max())
        ends = visits["value"] == 0
        runs = sum(map(len, settings["stds"]))
        last = float(visits["loss"][ends].max()) if ends.any() else np.inf
        return [
            Finding(
                "A critical value is half a sum of squares of singular values of the "
                "target, one for every set of them.",
                ", ".join(f"{value:g}" for value in by_hand),
                ", ".join(f"{value:g}" for value in found),
                bool(same),
            ),
            Finding(
                "Where the loss of the smallest start rests, it rests on a critical "
                "value.",
                0.0,
                small,
                small <= ON_A_STEP,
                "the largest distance of a plateau's loss from its saddle's value, in "
                f"steps to the next value; at most {ON_A_STEP} counts as on it",
            ),
            *_nearer(visits, shares),
            Finding(
                "Every trajectory ends at a critical point, and these at a global "
                "minimum: loss at the end.",
                0.0,
                str(last) if np.isinf(last) else last,
                bool(ends.sum() == runs and last <= 1e-6),
                f"{ends.sum()} of {runs} descents, followed until the loss is below "
                "1e-6 or two million iterations are over",
            ),
        ]

    def draw_on(
        self, figure: Any, settings: dict[str, Any], tables: dict[str, Table]
    ) -> None:
        """Draw a panel a depth, critical values dashed."""
        curves, visits = tables["curves"], tables["visits"]
        depths = np.unique(curves["depth"])
        panels = figure.subplots(1, len(depths), sharey=True, squeeze=False)[0]
        for panel, depth in zip(panels, depths, strict=True):
            for value in tables["values"]["value"]:
                panel.axhline(value, color=look.BOUND, ls=look.PROMISED, lw=0.8)
            here = curves["depth"] == depth
            for place, std in enumerate(np.unique(curves["std"][here])):
                run = here & (curves["std"] == std) & (curves["time"] > 0)
                panel.plot(
                    curves["time"][run],
                    curves["loss"][run],
                    color=look.CURVES[place],
                    label=f"std {std:g}",
                )
            smallest = curves["std"][here].min()
            _name(panel, visits, (visits["depth"] == depth) & _is(visits, smallest))
            panel.set_xscale("log")
            panel.set_title(f"{int(depth)} layers", loc="left")
            panel.set_xlabel("iterations x step size")
            panel.set_xlim(0.03, None)
            panel.legend(
                loc="center left",
                bbox_to_anchor=(0, 0.56),
                title="start",
                frameon=True,
                facecolor=look.PAPER,
                edgecolor="none",
                framealpha=1,
            )
        panels[0].set_ylabel("loss; dashed: all critical values")


def _problem(net: list[int], singular_values: list[float]) -> Problem:
    target = np.zeros((net[-1], net[0]))
    np.fill_diagonal(target, singular_values)
    return Problem(LinearNet(tuple(net)), Moments.whitened(target))


def _levels(singular_values: list[float]) -> np.ndarray:
    """Return half of every sum of squares, ascending."""
    squares = [value**2 / 2 for value in singular_values]
    sums = {
        float(sum(some))
        for count in range(len(squares) + 1)
        for some in combinations(squares, count)
    }
    return np.array(sorted(sums))


def _rows(walk: Itinerary) -> list[tuple[Any, ...]]:
    """Return a row for every saddle passed; times in units of the flow's."""
    step = float(walk.path.step_size)
    loss = dict(zip(walk.path.clock.tolist(), walk.path["loss"], strict=True))
    return [
        (
            told(visit.modes),
            visit.value,
            float(loss[visit.at_iteration]),
            visit.relative_distance,
            visit.from_iteration * step,
            visit.to_iteration * step,
        )
        for visit in walk
    ]


def _misses(visits: Table, levels: np.ndarray) -> np.ndarray:
    """Return how far each visit's loss is from its value, in steps of the staircase."""
    shares = []
    for value, loss in zip(visits["value"], visits["loss"], strict=True):
        others = levels[np.abs(levels - value) > 1e-9 * levels.max()]
        shares.append(abs(loss - value) / np.abs(others - value).min())
    return np.array(shares)


def _smallest(visits: Table) -> np.ndarray:
    """Return which visits are those of the smallest start of their depth."""
    least = {d: visits["std"][visits["depth"] == d].min() for d in visits["depth"]}
    return visits["std"] == [least[depth] for depth in visits["depth"]]


def _nearer(visits: Table, shares: np.ndarray) -> list[Finding]:
    """Return, for each depth with several stds, whether smaller ones come nearer."""
    found = []
    for depth in np.unique(visits["depth"]):
        here = visits["depth"] == depth
        stds = np.unique(visits["std"][here])
        if len(stds) < 2:
            continue
        worst = [shares[here & _is(visits, std)].max() for std in stds]
        found.append(
            Finding(
                f"The smaller the start, the nearer the saddles, {int(depth)} layers: "
                "distance from largest to smallest start.",
                "falls",
                ", ".join(f"{miss:.2g}" for miss in reversed(worst)),
                bool(np.all(np.diff(worst) > 0)),
                "of the plateaus' losses, in steps of the staircase; stds "
                + ", ".join(f"{std:g}" for std in reversed(stds)),
            )
        )
    return found


def _is(visits: Table, std: float) -> np.ndarray:
    return np.isclose(visits["std"], std, rtol=1e-12)


def _name(panel: Any, visits: Table, rows: np.ndarray) -> None:
    """Write the modes learnt over each plateau of a run."""
    for modes, value, start, end in zip(
        *(visits[name][rows] for name in ("modes", "value", "from", "to")), strict=True
    ):
        if value == 0:
            continue
        panel.annotate(
            f"learnt {modes}" if modes != "{}" else "none learnt",
            (np.sqrt(max(start, 0.05 * end) * end), value),
            xytext=(0, 4),
            textcoords="offset points",
            ha="center",
            fontsize=look.SMALL,
            bbox={"facecolor": look.PAPER, "edgecolor": "none", "pad": 0.5},
        )
