"""Error 2: a potential that grows at infinity, printed as growing at zero."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.integrate import quad

from thalweg._core.arrays import real
from thalweg._core.papers import CHITOUR2023
from thalweg._core.source import Source
from thalweg.experiments._base import AbstractExperiment, Finding, Table, Workplace
from thalweg.experiments.source_errors._telling import as_printed, corrected
from thalweg.problem.activations import AbstractActivation, Arctan, Logistic, Tanh
from thalweg.report import look

SIGMOIDS: dict[str, AbstractActivation] = {
    "tanh": Tanh(),
    "arctan": Arctan(),
    "logistic": Logistic(),
}


@dataclass(frozen=True)
class SigmaAtInfinity(AbstractExperiment):
    r"""The potential $\int_0^x \sigma / \sigma'$ of three sigmoids, small and large."""

    source: ClassVar[Source] = CHITOUR2023.at("Lemma 3")
    title: ClassVar[str] = "The potential of a sigmoid, at zero and at infinity"
    claim: ClassVar[str] = (
        "The integral Sigma(x) of sigma/sigma' from 0 to x tends to infinity as |x| "
        "tends to zero."
    )
    seconds: ClassVar[dict[str, float]] = {"tiny": 1.2, "paper": 1.5}
    size: ClassVar[tuple[float, float]] = (8.0, 3.3)

    def settings(self, scale: str) -> dict[str, Any]:
        """Return the range of x and the points where quadrature checks."""
        count = 401 if scale == "paper" else 81
        return {
            "least": 1e-4,
            "most": 50.0,
            "points": count,
            "checked": [0.3, 1.0, 3.0],
        }

    def measure(self, settings: dict[str, Any], work: Workplace) -> dict[str, Table]:
        """Return the potentials, and how far quadrature is from them."""
        x = np.geomspace(settings["least"], settings["most"], settings["points"])
        points = np.array(settings["checked"])
        both = real("x", np.concatenate([x, points]))
        known = {name: np.asarray(s.potential(both)) for name, s in SIGMOIDS.items()}
        return {
            "potentials": {
                "x": x,
                **{name: values[: x.size] for name, values in known.items()},
            },
            "quadrature": {
                "x": points,
                **{
                    name: _error(name, points, values[x.size :])
                    for name, values in known.items()
                },
            },
        }

    def findings(
        self, settings: dict[str, Any], tables: dict[str, Table]
    ) -> list[Finding]:
        """Return the values at both ends."""
        table, errors = tables["potentials"], tables["quadrature"]
        x = table["x"]
        at_zero = max(float(table[name][0]) for name in SIGMOIDS)
        ratios = {name: float(table[name][-1] / x[-1] ** 2) for name in SIGMOIDS}
        apart = max(float(errors[name].max()) for name in SIGMOIDS)
        return [
            as_printed(
                "Sigma tends to infinity as |x| tends to zero.",
                "infinity",
                at_zero,
                all(table[name][0] > table[name][1] for name in SIGMOIDS),
                f"the largest of three sigmoids at x = {x[0]:g}: Sigma tends to zero "
                "there, like x^2/2; to infinity it tends as |x| does, which is what "
                "the proof shows",
            ),
            corrected(
                "Sigma tends to infinity as |x| does, and the lower limit of "
                "Sigma/x^2 is at least 1.",
                min(ratios.values()),
                min(ratios.values()) >= 1,
                f"the smallest Sigma/x^2 at x = {x[-1]:g}, that of the "
                f"{min(ratios, key=lambda name: ratios[name])}",
                1.0,
            ),
            corrected(
                "the closed forms are the integrals.",
                apart,
                apart < 1e-10,
                "the largest relative difference from quadrature",
            ),
        ]

    def draw_on(
        self, figure: Any, settings: dict[str, Any], tables: dict[str, Table]
    ) -> None:
        """Draw the potentials, and their ratio to the square."""
        left, right = figure.subplots(1, 2)
        table = tables["potentials"]
        x = table["x"]
        for place, name in enumerate(SIGMOIDS):
            colour = look.CURVES[place]
            left.plot(x, table[name], color=colour, label=name)
            right.plot(x, table[name] / x**2, color=colour, label=name)
        left.set(xscale="log", yscale="log", ylim=(1e-9, 1e9), xlabel="$x$")
        left.set_ylabel(r"$\Sigma(x) = \int_0^x \sigma / \sigma'$")
        left.legend(loc="upper left")
        right.axhline(1, color=look.BOUND, linestyle=look.PROMISED)
        right.text(2e-4, 1.15, "bound of the limit at infinity", color=look.BOUND)
        right.set(xscale="log", yscale="log", ylim=(0.3, 100), xlabel="$x$")
        right.set_ylabel(r"$\Sigma(x) / x^2$")


def _error(name: str, points: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return by how much quadrature differs from the closed form, relatively."""
    found = [quad(_RATIOS[name], 0, x, epsabs=0, epsrel=1e-12)[0] for x in points]
    return np.abs(np.array(found) / known - 1)


_RATIOS: dict[str, Any] = {
    "tanh": lambda w: np.tanh(w) * np.cosh(w) ** 2,
    "arctan": lambda w: np.arctan(w) * (1 + w * w),
    "logistic": lambda w: np.tanh(w / 2) * 2 * np.cosh(w / 2) ** 2,
}
