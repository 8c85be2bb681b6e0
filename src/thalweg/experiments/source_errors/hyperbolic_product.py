r"""Error 10: a factor of two in the product of a hyperbolic cosine and sine."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.integrate import solve_ivp

from thalweg._core.papers import SAXE2014
from thalweg._core.source import Source
from thalweg.experiments._base import AbstractExperiment, Finding, Table, Workplace
from thalweg.experiments.source_errors._telling import as_printed, corrected
from thalweg.report import look


@dataclass(frozen=True)
class HyperbolicProduct(AbstractExperiment):
    r"""One mode of two unequal layers: followed, by (26), and by (26) with $2s$.

    Notation: $a = \sqrt{c} \cosh\tfrac\theta2$, $b = \sqrt{c} \sinh\tfrac\theta2$ are
    the layers' strengths, $s$ the target's, $\tau = 1$.
    """

    source: ClassVar[Source] = SAXE2014.at("Appendix A, equations (25) and (26)")
    title: ClassVar[str] = "Two unequal layers: a factor of two in the closed form"
    claim: ClassVar[str] = (
        "With a = sqrt(c) cosh(theta/2) and b = sqrt(c) sinh(theta/2) the product is "
        "c sinh(theta), and the time to a strength follows with s."
    )
    seconds: ClassVar[dict[str, float]] = {"tiny": 0.1, "paper": 0.1}

    def settings(self, scale: str) -> dict[str, Any]:
        """Return the layers' strengths at the start, the target, and the times."""
        return {
            "layers": [1.2, 0.1],
            "target": 1.5,
            "horizon": 3.0,
            "records": 301 if scale == "paper" else 61,
            "time": 1.0,
        }

    def measure(self, settings: dict[str, Any], work: Workplace) -> dict[str, Table]:
        """Return the product by time, and times back from it, each way."""
        (a, b), s = settings["layers"], settings["target"]
        times = np.linspace(0, settings["horizon"], settings["records"])
        gap, turn = a * a - b * b, 2 * np.arctanh(b / a)
        seen = _followed(a, b, s, np.unique([*times, settings["time"]]))
        reached = seen(settings["time"])
        return {
            "course": {
                "time": times,
                "followed": seen(times),
                "corrected": 0.5 * gap * np.sinh(_course(times, turn, gap, 2 * s)),
                "printed_layers": 0.5 * gap * np.sinh(_course(times, turn, gap, s)),
                "printed_product": gap
                * np.sinh(_course(times, np.arcsinh(a * b / gap), gap, s)),
            },
            "times": {
                "product": np.array([reached]),
                "true": np.array([settings["time"]]),
                "corrected": _times(turn, np.arcsinh(2 * reached / gap), gap, 2 * s),
                "printed_layers": _times(turn, np.arcsinh(2 * reached / gap), gap, s),
                "printed_product": _times(
                    np.arcsinh(a * b / gap), np.arcsinh(reached / gap), gap, s
                ),
            },
        }

    def findings(
        self, settings: dict[str, Any], tables: dict[str, Table]
    ) -> list[Finding]:
        """Return the product, the times back, and the strength at time one."""
        (a, b), course, times = settings["layers"], *tables.values()
        gap, turn = a * a - b * b, 2 * np.arctanh(b / a)
        apart = float(np.max(np.abs(course["corrected"] - course["followed"])))
        lost = bool(np.isnan(times["printed_layers"][0]))
        return [
            as_printed(
                "the product of the layers is c sinh(theta).",
                float(gap * np.sinh(turn)),
                a * b,
                abs(gap * np.sinh(turn) - a * b) < 1e-9,
                "2 sinh(theta/2) cosh(theta/2) = sinh(theta), so it is half of that",
            ),
            as_printed(
                "(26) is the time to reach a strength.",
                float(times["printed_product"][0]),
                float(times["true"][0]),
                abs(times["printed_product"][0] - times["true"][0]) < 1e-9,
                f"to {times['product'][0]:.11f}, with c sinh(theta) for the product; "
                "with theta of the layers themselves (26) "
                + ("is the logarithm of a negative number" if lost else "is real")
                + f", as its course ends at s/2 = {settings['target'] / 2:g}",
            ),
            corrected(
                "(26) with 2 s in place of s is that time.",
                float(times["corrected"][0]),
                abs(times["corrected"][0] - times["true"][0]) < 1e-9,
                f"to a strength of {times['product'][0]:.11f}",
                float(times["true"][0]),
            ),
            corrected(
                "with 2 s the closed form is the course.",
                apart,
                apart < 1e-9,
                "the largest difference from the layers' own equations, followed",
                0.0,
            ),
        ]

    def draw_on(
        self, figure: Any, settings: dict[str, Any], tables: dict[str, Table]
    ) -> None:
        """Draw the strength by time, followed and by each formula."""
        table, axes = tables["course"], figure.add_subplot()
        axes.plot(
            table["time"],
            table["followed"],
            color=look.CURVES[0],
            linewidth=4,
            alpha=0.5,
            label="the layers, followed",
        )
        axes.plot(
            table["time"],
            table["corrected"],
            ":",
            color=look.INK,
            label="corrected, with $2s$",
        )
        axes.plot(
            table["time"],
            table["printed_product"],
            color=look.BAD,
            label=r"as printed, $ab = c\,\sinh\theta$",
        )
        axes.plot(
            table["time"],
            table["printed_layers"],
            color=look.CURVES[1],
            label=r"as printed, $\theta$ of the layers",
        )
        axes.axhline(settings["target"], color=look.FAINT, linestyle=look.PROMISED)
        axes.text(0.02, settings["target"] + 0.03, "target $s$")
        axes.axhline(settings["target"] / 2, color=look.FAINT, linestyle=look.PROMISED)
        axes.text(0.02, settings["target"] / 2 + 0.03, "$s/2$")
        axes.set(xlabel=r"time $t / \tau$", ylabel="strength $ab$ of the mode")
        axes.set_ylim(0, 1.12 * settings["target"])
        axes.legend(loc="lower right")


def _followed(a: float, b: float, s: float, times: np.ndarray) -> Any:
    """Return the product as a function of time, by an ODE solver."""

    def speed(_time: float, state: np.ndarray) -> list[float]:
        pull = s - state[0] * state[1]
        return [state[1] * pull, state[0] * pull]

    found = solve_ivp(
        speed, (0, times[-1]), [a, b], "DOP853", times, rtol=1e-13, atol=1e-14
    )
    product = found.y[0] * found.y[1]
    return lambda at: product[np.searchsorted(times, at)]


def _course(times: np.ndarray, turn: float, gap: float, s: float) -> np.ndarray:
    r"""Return $\theta(t)$ of $\dot\theta = s - c \sinh\theta$."""
    rate = np.hypot(gap, s)
    high, low = (rate - gap) / s, (-rate - gap) / s
    begun = np.tanh(turn / 2)
    fading = (begun - high) / (begun - low) * np.exp(-rate * times)
    return 2 * np.arctanh((high - low * fading) / (1 - fading))


def _times(start: float, end: float, gap: float, s: float) -> np.ndarray:
    r"""Return the time between two angles by (26); not a number where it is none."""
    rate = np.hypot(gap, s)

    def height(turn: float) -> float:
        slope = gap + s * np.tanh(turn / 2)
        ratio = (rate + slope) / (rate - slope)
        return float(np.log(ratio)) if ratio > 0 else float("nan")

    return np.array([(height(end) - height(start)) / rate])
