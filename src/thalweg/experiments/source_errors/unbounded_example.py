"""Error 1: an example said to have unbounded trajectories, which are bounded."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.integrate import solve_ivp

from thalweg._core.papers import CHITOUR2023
from thalweg._core.source import Source
from thalweg.experiments._base import AbstractExperiment, Finding, Table, Workplace
from thalweg.experiments.source_errors._telling import as_printed, corrected
from thalweg.landscape.unbounded import invariant, limit, printed_limit
from thalweg.report import look


@dataclass(frozen=True)
class UnboundedExample(AbstractExperiment):
    r"""The printed $z^2 (\tfrac12 x^2 + \tfrac12 (1 - xy)^2)$, and one that runs off.

    Along the flow of the first $z^2 + y^2 - x^2$ never rises, so nothing runs off;
    $z^2 e^{-x - x^3/3}$ does, from an open set.
    """

    source: ClassVar[Source] = CHITOUR2023.at("equation (1) and the lines below it")
    title: ClassVar[str] = "The example of unbounded trajectories is bounded"
    claim: ClassVar[str] = (
        "The flow of z^2 (x^2/2 + (1 - x y)^2/2) from x and y in (0, 1) and z other "
        "than 0 is unbounded."
    )
    seconds: ClassVar[dict[str, float]] = {"tiny": 0.2, "paper": 0.4}
    size: ClassVar[tuple[float, float]] = (8.0, 3.5)

    def settings(self, scale: str) -> dict[str, Any]:
        """Return the starts, how long to follow them, and the times to record."""
        return {
            "printed": [
                [0.5, 0.5, 1.0],
                [0.5, 0.5, 5.0],
                [0.9, 0.9, 5.0],
                [0.5, 0.5, 30.0],
            ],
            "printed_end": 1e4,
            "corrected": [[0.0, 2.0], [0.5, 1.0], [0.0, 3.0]],
            "corrected_end": 1e12,
            "records": 241 if scale == "paper" else 61,
        }

    def measure(self, settings: dict[str, Any], work: Workplace) -> dict[str, Table]:
        """Return where the flows go, and the largest number on the way."""
        count = settings["records"]
        early = np.geomspace(1e-4, settings["printed_end"], count)
        late = np.geomspace(1e-3, settings["corrected_end"], count)
        runs = [_printed(start, early) for start in settings["printed"]]
        ends = [printed_limit(*start) for start in settings["printed"]]
        others = [_corrected(start, late) for start in settings["corrected"]]
        starts = np.array(settings["printed"], dtype=float)
        moved = np.array(settings["corrected"], dtype=float)
        x, z = limit(moved[:, 0], moved[:, 1])
        return {
            "printed": _columns(early, runs, "xyz"),
            "corrected": _columns(late, others, "xz"),
            "printed_limits": {
                **dict(zip(("x0", "y0", "z0"), starts.T, strict=True)),
                "x": np.array([end[0] for end in ends]),
                "y": np.array([end[1] for end in ends]),
                "bound": np.array([_bound(*start) for start in settings["printed"]]),
            },
            "corrected_limits": {
                "x0": moved[:, 0],
                "z0": moved[:, 1],
                "kept": invariant(moved[:, 0], moved[:, 1]),
                "x": x,
                "z": z,
            },
        }

    def findings(
        self, settings: dict[str, Any], tables: dict[str, Table]
    ) -> list[Finding]:
        """Return that the printed flow is bounded, and the other one is not."""
        runs, ends = tables["printed"], tables["printed_limits"]
        largest = np.max(np.abs([runs["x"], runs["y"], runs["z"]]), axis=0)
        highest = [
            max(float(largest[runs["start"] == k].max()), *map(abs, start))
            for k, start in enumerate(settings["printed"])
        ]
        last = _last(runs)
        gaps = np.abs([last["x"] - ends["x"], last["y"] - ends["y"]])
        others, limits = tables["corrected"], tables["corrected_limits"]
        tails, away = _last(others), ~np.isfinite(limits["x"])
        near = np.abs(tails["x"] - limits["x"])[~away]
        far = float(tails["x"][away][-1])
        told = ", ".join(
            f"({x:.5f}, {y:.5f}, 0)" for x, y in zip(ends["x"], ends["y"], strict=True)
        )
        return [
            as_printed(
                "trajectories from x and y in (0, 1) and z other than 0 are not "
                "bounded.",
                "unbounded",
                f"at most {', '.join(f'{value:.4g}' for value in highest)}",
                bool(np.any(np.array(highest) > ends["bound"])),
                "z^2 + y^2 - x^2 never rises and x^2/2 + (1 - x y)^2/2 falls, so "
                "y^2 + z^2 <= z0^2 + y0^2 - x0^2 + 2 h0; ours are the largest "
                "coordinates on the way",
            ),
            corrected(
                "they converge to a point of the plane z = 0.",
                told,
                gaps.max() < 1e-6 and np.all(np.array(highest) <= ends["bound"]),
                f"limits from the clock z^2; the flow at time "
                f"{settings['printed_end']:g} is within {gaps.max():.1g} of them",
            ),
            corrected(
                "the flow of z^2 e^(-x - x^3/3) is unbounded where "
                "z^2 + 4 arctan x exceeds 2 pi.",
                far,
                abs(far - 4.5053) < 5e-5,
                f"x at time {settings['corrected_end']:g} from (0, 3), still growing "
                "like (3 ln t)^(1/3); the reduction to one integral gives 4.5053",
                4.5053,
            ),
            corrected(
                "below 2 pi it converges to (tan(I/4), 0), I = z^2 + 4 arctan x.",
                ", ".join(f"{x:.7f}" for x in limits["x"][~away]),
                near.max() < 1e-6,
                f"the flow followed is within {near.max():.1g}",
            ),
        ]

    def draw_on(
        self, figure: Any, settings: dict[str, Any], tables: dict[str, Table]
    ) -> None:
        """Draw y and z of the printed flows, x of the corrected ones."""
        left, right = figure.subplots(1, 2)
        runs, others = tables["printed"], tables["corrected"]
        for place, start in enumerate(settings["printed"]):
            here = runs["start"] == place
            colour = look.CURVES[place]
            told = ", ".join(f"{value:g}" for value in start)
            left.plot(runs["time"][here], runs["y"][here], color=colour, label=told)
            left.plot(runs["time"][here], runs["z"][here], ":", color=colour)
        left.set(xscale="log", yscale="log", xlabel="flow time", ylim=(3e-3, 100))
        left.set(ylabel="$y$ (solid), $z$ (dotted)", title="as printed: it stops")
        left.legend(title="from $x, y, z$", loc="lower left")
        for place, start in enumerate(settings["corrected"]):
            here = others["start"] == place
            right.plot(
                others["time"][here],
                others["x"][here],
                color=look.CURVES[place],
                label=", ".join(f"{value:g}" for value in start),
            )
        growth = np.cbrt(3 * np.log(np.maximum(others["time"], 1)))
        right.plot(
            others["time"][here],
            growth[here],
            color=look.FAINT,
            linestyle=look.PROMISED,
            label=r"$(3 \ln t)^{1/3}$",
        )
        right.set(xscale="log", xlabel="flow time", ylabel="$x$")
        right.set_title(r"$z^2 e^{-x - x^3/3}$: above $2\pi$ it never stops")
        right.legend(title="from $x, z$", loc="upper left")


def _printed(start: list[float], times: np.ndarray) -> np.ndarray:
    """Return the flow of the printed function at the times, a row a coordinate."""

    def speed(_time: float, state: np.ndarray) -> list[float]:
        x, y, z = state
        gap, square = 1 - x * y, z * z
        return [
            -square * (x - y * gap),
            square * x * gap,
            -z * (x * x + gap * gap),
        ]

    return _followed(speed, start, np.array([0.0, *times]))[:, 1:]


def _corrected(start: list[float], times: np.ndarray) -> np.ndarray:
    """Return the flow of the corrected function, in the logarithm of time."""

    def speed(_time: float, state: np.ndarray) -> np.ndarray:
        x, z = state
        pull = np.exp(-x - x**3 / 3) * z
        return np.array([pull * z * (1 + x * x), -2 * pull])

    def logarithmic(clock: float, state: np.ndarray) -> np.ndarray:
        return np.exp(clock) * speed(0.0, state)

    first = _followed(speed, start, np.array([0.0, times[0]]))[:, -1]
    return _followed(logarithmic, first, np.log(times))


def _followed(speed: Any, start: Any, times: np.ndarray) -> np.ndarray:
    """Return the states at the times, from that of the start at the first."""
    found = solve_ivp(
        speed,
        (times[0], times[-1]),
        np.array(start, dtype=float),
        "LSODA",
        t_eval=times,
        rtol=1e-10,
        atol=1e-12,
    )
    return found.y


def _bound(x: float, y: float, z: float) -> float:
    """Return what no coordinate exceeds."""
    height = 0.5 * x * x + 0.5 * (1 - x * y) ** 2
    return float(np.sqrt(max(z * z + y * y - x * x + 2 * height, 2 * height)))


def _columns(times: np.ndarray, runs: list[np.ndarray], names: str) -> Table:
    count = len(runs)
    return {
        "start": np.repeat(np.arange(count), times.size),
        "time": np.tile(times, count),
        **{name: np.concatenate([r[k] for r in runs]) for k, name in enumerate(names)},
    }


def _last(table: Table) -> Table:
    """Return the last row of every start."""
    ends = np.flatnonzero(np.diff(table["start"], append=-1))
    return {name: column[ends] for name, column in table.items()}
