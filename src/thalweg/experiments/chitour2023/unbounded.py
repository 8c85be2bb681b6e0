"""A flow that was said to run off to infinity and does not, and one that does."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.integrate import solve_ivp

from thalweg._core.papers import CHITOUR2023
from thalweg._core.source import Source
from thalweg.experiments._base import AbstractExperiment, Finding, Table, Workplace
from thalweg.experiments._columns import columns
from thalweg.landscape.unbounded import is_unbounded, limit, printed_limit
from thalweg.report import look

THRESHOLD = float(np.sqrt(2 * np.pi))
"""The start z from x = 0 beyond which the corrected example is unbounded."""

REACHED = 3.0
"""Limits of x below this are reached within the time a flow is followed."""

AT_REST = 1e-6
"""A flow that is so near to its limit has come to rest."""

LIMITS = {
    (0.5, 0.5, 1.0): ("0.47047", "0.73213"),
    (0.5, 0.5, 5.0): ("0.20959", "4.55198"),
    (0.5, 0.5, 30.0): ("0.0334465", "29.865"),
    (0.9, 0.9, 5.0): ("0.2038", "4.6940"),
}
"""Where the flow of the example as printed rests, to the digits given."""


@dataclass(frozen=True)
class Unbounded(AbstractExperiment):
    r"""Flows of the example of an unbounded trajectory, as printed and corrected.

    As printed, $f = z^2 (\tfrac12 x^2 + \tfrac12 (1 - x y)^2)$: every flow comes to
    rest, though at $y$ near its first $z$, which may look like an escape. Corrected,
    $f = z^2 e^{-x - x^3/3}$: the flow keeps $I = z^2 + 4 \arctan x$ and is unbounded
    exactly if $I \ge 2\pi$ (and $z \ne 0$), with $x$ like $(3 \ln t)^{1/3}$.
    """

    source: ClassVar[Source] = CHITOUR2023.at("equation (1)")
    title: ClassVar[str] = "An unbounded flow of an analytic loss"
    claim: ClassVar[str] = (
        "There is a non-negative analytic function, its critical points all global "
        "minima, whose gradient flow is unbounded from an open set of starts."
    )
    seconds: ClassVar[dict[str, float]] = {"tiny": 0.2, "paper": 0.5}
    size: ClassVar[tuple[float, float]] = (9.0, 3.8)

    def settings(self, scale: str) -> dict[str, Any]:
        """Return the starts and the times they are followed to."""
        printed = [list(start) for start in LIMITS]
        near = [1.0, 2.0, 2.2, 2.4, 2.6, 3.0]
        return {
            "printed": printed[:2] if scale == "tiny" else printed,
            "printed_until": 1e9,
            "corrected": [2.0, 3.0] if scale == "tiny" else near,
            "corrected_until": 1e12,
            "records": 60 if scale == "tiny" else 300,
        }

    def measure(self, settings: dict[str, Any], work: Workplace) -> dict[str, Table]:
        """Return the flows in time, and where they should go."""
        literal, rests, mended, aims = [], [], [], []
        for start in settings["printed"]:
            times, path = _follow(_printed, start, settings["printed_until"], settings)
            literal += [
                (start[2], start[0], *row) for row in zip(times, *path, strict=True)
            ]
            rests.append((*start, *path[:, -1], *printed_limit(*start)[:2]))
        for z in settings["corrected"]:
            until = settings["corrected_until"]
            times, path = _follow(_corrected, [0.0, z], until, settings)
            mended += [(z, *row) for row in zip(times, *path, strict=True)]
            goal, depth = limit(0.0, z)
            away = bool(is_unbounded(0.0, z))
            aims.append((z, *path[:, -1], float(goal), float(depth), away))
        return {
            "printed": columns(("z0", "x0", "time", "x", "y", "z"), literal),
            "printed_ends": columns(
                ("x0", "y0", "z0", "x", "y", "z", "limit_x", "limit_y"), rests
            ),
            "corrected": columns(("z0", "time", "x", "z"), mended),
            "corrected_ends": columns(
                ("z0", "x", "z", "limit_x", "limit_z", "unbounded"), aims
            ),
        }

    def findings(
        self, settings: dict[str, Any], tables: dict[str, Table]
    ) -> list[Finding]:
        """Tell what the example printed does, and what the corrected one."""
        rests, aims = tables["printed_ends"], tables["corrected_ends"]
        gap = _gap(rests, ("x", "y"))
        still = aims["limit_x"] < REACHED
        bounded = float(np.abs(aims["x"] - aims["limit_x"])[still].max())
        found = [
            Finding(
                "As printed: the flow of z^2 (x^2 + (1 - x y)^2) / 2 is unbounded from "
                "0 < x, y < 1, z not 0.",
                "unbounded",
                f"y at rest at {', '.join(f'{y:.5g}' for y in rests['limit_y'])}",
                gap > AT_REST,
                "it converges to a point of the plane z = 0; followed to time "
                f"{settings['printed_until']:g} the flow is {gap:.1g} from there",
            ),
            Finding(
                "Where it rests: largest gap to the limits on record.",
                0.0,
                _off_record(rests),
                _off_record(rests) <= 1.0,
                "in half units of the last digit on record",
            ),
            Finding(
                "Corrected: the flow of z^2 exp(-x - x^3/3) converges from x = 0 and "
                "0 < z < sqrt(2 pi), to x = tan(z^2 / 4): largest gap.",
                0.0,
                bounded,
                bounded <= AT_REST,
                f"followed to time {settings['corrected_until']:g}, limits below "
                f"{REACHED:g}: others are not reached by then; sqrt(2 pi) = "
                f"{THRESHOLD:.6g}",
            ),
        ]
        return [*found, *_escapes(aims)]

    def draw_on(
        self, figure: Any, settings: dict[str, Any], tables: dict[str, Table]
    ) -> None:
        """Draw y of the one and x of the other in time."""
        left, right = figure.subplots(1, 2)
        printed, ends = tables["printed"], tables["printed_ends"]
        for place, (x0, z0) in enumerate(zip(ends["x0"], ends["z0"], strict=True)):
            rows = (printed["x0"] == x0) & (printed["z0"] == z0)
            left.plot(printed["time"][rows], printed["y"][rows],
                      color=look.CURVES[place],
                      label=f"from ({x0:g}, {x0:g}, {z0:g})")  # fmt: skip
            left.axhline(ends["limit_y"][place], color=look.BOUND, ls=look.PROMISED,
                         lw=0.9)  # fmt: skip
        left.set(xscale="log", yscale="log", xlabel="flow time", ylabel="y")
        left.set_title("as printed: comes to rest (dashed)", loc="left")
        left.legend(loc="upper right", bbox_to_anchor=(1, 0.85))
        mended, aims = tables["corrected"], tables["corrected_ends"]
        for place, z0 in enumerate(aims["z0"]):
            rows = mended["z0"] == z0
            goal = aims["limit_x"][place]
            later = f", limit {goal:.2g}" if REACHED < goal < np.inf else ""
            right.plot(
                mended["time"][rows],
                mended["x"][rows],
                color=look.CURVES[place],
                label=f"z from {z0:g}{later}",
            )
            if goal < REACHED:
                right.axhline(aims["limit_x"][place], color=look.BOUND,
                              ls=look.PROMISED, lw=0.9)  # fmt: skip
        times = np.geomspace(30, mended["time"].max(), 100)
        right.plot(times, np.cbrt(3 * np.log(times)), color=look.INK, ls=":",
                   label=r"$(3 \ln t)^{1/3}$")  # fmt: skip
        right.set(xscale="log", xlabel="flow time", ylabel="x", ylim=(0, 6.5))
        right.set_title(r"corrected: escapes for z > $\sqrt{2\pi}$", loc="left")
        right.legend(loc="upper left", ncols=2)


def _printed(state: np.ndarray) -> list[float]:
    x, y, z = state
    gap = 1 - x * y
    height = (x * x + gap * gap) / 2
    return [z * z * (y * gap - x), z * z * x * gap, -2 * z * height]


def _corrected(state: np.ndarray) -> list[float]:
    x, z = state
    height = np.exp(-x - x**3 / 3)
    return [z * z * (1 + x * x) * height, -2 * z * height]


def _follow(
    speed: Any, start: list[float], until: float, settings: dict[str, Any]
) -> tuple[np.ndarray, np.ndarray]:
    """Follow a flow in the logarithm of time, after a first stretch in time itself."""
    first = 1e-4
    options: Any = {"method": "LSODA", "rtol": 1e-11, "atol": 1e-14}
    begun = solve_ivp(lambda _t, s: speed(s), (0, first), start, **options).y[:, -1]

    def slowed(clock: float, state: np.ndarray) -> list[float]:
        return [np.exp(clock) * part for part in speed(state)]

    clock = np.linspace(np.log(first), np.log(until), settings["records"])
    path = solve_ivp(slowed, clock[[0, -1]], begun, t_eval=clock, **options)
    return np.exp(clock), path.y


def _gap(ends: Table, names: tuple[str, ...]) -> float:
    return float(max(np.abs(ends[n] - ends[f"limit_{n}"]).max() for n in names))


def _off_record(rests: Table) -> float:
    """Return the largest gap to the limits on record, in half units of a digit."""
    worst = 0.0
    starts = zip(rests["x0"], rests["y0"], rests["z0"], strict=True)
    for place, (x0, y0, z0) in enumerate(starts):
        for name, text in zip(
            ("x", "y"), LIMITS[float(x0), float(y0), float(z0)], strict=True
        ):
            half = 0.5 * 10.0 ** -len(text.partition(".")[2])
            worst = max(worst, abs(float(rests[name][place]) - float(text)) / half)
    return worst


def _escapes(aims: Table) -> list[Finding]:
    """Tell where the flow from x = 0, z = 3 has come at time 1e12."""
    rows = np.flatnonzero(aims["z0"] == 3.0)
    if not rows.size:
        return []
    x, z = float(aims["x"][rows[0]]), float(aims["z"][rows[0]])
    return [
        Finding(
            "Corrected: beyond sqrt(2 pi) it is unbounded; from z = 3, x at time 1e12.",
            4.5053,
            x,
            abs(x - 4.5053) <= 5e-5,
            "growing like (3 ln t)^(1/3), so no run shows the escape: it is the "
            f"invariant that proves it; z^2 there is {z * z:.4f}, its limit 2.7168",
        )
    ]
