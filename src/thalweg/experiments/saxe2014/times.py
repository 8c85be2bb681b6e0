"""How long learning takes against the depth, at the best step size."""

import itertools
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from thalweg._core.papers import SAXE2014
from thalweg._core.source import Source
from thalweg.experiments._base import AbstractExperiment, Finding, Table, Workplace
from thalweg.experiments._chains import product, step
from thalweg.experiments._columns import columns
from thalweg.motion.exact import mode_strength, mode_time
from thalweg.problem.datasets._load import load
from thalweg.report import look


@dataclass(frozen=True)
class LearningTime(AbstractExperiment):
    r"""Iterations to learn against depth, at the step size that is best for it.

    From aligned starts with equal layers every mode moves by itself,
    $a \mapsto a - \eta a^{N-1} (a^N - s)$ with $u = a^N$, exactly; so depths up to a
    hundred matrices cost no more than shallow ones. The singular values are those of
    the whitened digits.
    """

    source: ClassVar[Source] = SAXE2014.at("Section 2, depth figures; Appendix B")
    title: ClassVar[str] = "Learning time against depth"
    claim: ClassVar[str] = (
        "The best step size falls like one over the depth; with it the learning time "
        "stays finite as the depth tends to infinity."
    )
    seconds: ClassVar[dict[str, float]] = {"tiny": 3.0, "paper": 10.0}
    size: ClassVar[tuple[float, float]] = (9.0, 3.8)

    def settings(self, scale: str) -> dict[str, Any]:
        """Return depths, step sizes, the start and when a net has learnt."""
        deep = [2, 3, 4, 5, 6, 8, 11, 16, 23, 32, 45, 64, 99, 200, 400, 800]
        tiny = scale == "tiny"
        return {
            "data": "digits",
            "depths": [2, 4, 8, 100, 200] if tiny else deep,
            "start": 1e-2 if tiny else 1e-3,
            "step_sizes": np.geomspace(1e-2, 30, 80 if tiny else 160).tolist(),
            "learnt": 1e-3,
            "cap": 20_000,
        }

    def measure(self, settings: dict[str, Any], work: Workplace) -> dict[str, Table]:
        """Return the best step and its iterations, depth by depth."""
        target = np.asarray(load(settings["data"]).target)
        values = np.linalg.svd(target, compute_uv=False)
        rows = []
        for place, depth in enumerate(settings["depths"]):
            work.say(f"{depth} layers", place / len(settings["depths"]))
            counts = _iterations(values, depth, settings)
            best = int(np.nanargmin(counts))
            step = settings["step_sizes"][best]
            time = _flow_time(values, depth, settings)
            rows.append((depth, step, counts[best], time / step))
        return {
            "depths": columns(("depth", "step_size", "iterations", "theory"), rows),
            "modes": {"singular_value": values},
            "reduction": {"gap": np.array([_reduction_gap(target, settings)])},
        }

    def findings(
        self, settings: dict[str, Any], tables: dict[str, Table]
    ) -> list[Finding]:
        """Tell how best steps fall, and whether times settle."""
        table, top = tables["depths"], float(tables["modes"]["singular_value"][0])
        n, step = table["depth"], table["step_size"]
        half = np.argmin(np.abs(n - n[-1] / 2))
        slope = float(np.log(step[-1] / step[half]) / np.log(n[-1] / n[half]))
        share = step * n * top ** (2 - 2 / n)
        growth = float(table["iterations"][-1] / table["iterations"][half])
        ratio = table["iterations"] / table["theory"]
        gap = float(tables["reduction"]["gap"][0])
        return [
            Finding(
                "The best step size falls like one over the depth: exponent over the "
                "last doubling.",
                -1.0,
                slope,
                abs(slope + 1) <= 0.2,
                f"{settings['data']}, {len(settings['step_sizes'])} step sizes (the "
                "source: MNIST, widths 1000, 3 to 100 layers of units, 20 step sizes); "
                "as a share of the least step that is unstable, 2 / (N s^(2 - 2/N)), "
                f"it is between {share.min() / 2:.2f} and {share.max() / 2:.2f}; the "
                f"grid's steps are {_spacing(settings):.0%} apart",
            ),
            Finding(
                "With it the learning time stays finite: factor over the last doubling "
                "of the depth.",
                1.0,
                growth,
                abs(growth - 1) <= 0.05,
                f"from {int(table['iterations'][0])} iterations with {int(n[0])} "
                f"matrices to {int(table['iterations'][-1])} with {int(n[-1])}",
            ),
            Finding(
                "The flow's time divided by the step gives it: iterations over theory.",
                1.0,
                f"{ratio.min():.3f} to {ratio.max():.3f}",
                bool(np.abs(ratio - 1).max() <= 0.25),
                "steps near the edge of stability are no flow; a quarter is allowed",
            ),
            Finding(
                "The reduction to modes is exact: gap to descent on a full net of 6 "
                "layers.",
                0.0,
                gap,
                gap <= 1e-12,
                "digits, hidden widths 16 and random rotations",
            ),
        ]

    def draw_on(
        self, figure: Any, settings: dict[str, Any], tables: dict[str, Table]
    ) -> None:
        """Draw learning time, and the best step, against the depth."""
        left, right = figure.subplots(1, 2)
        table = tables["depths"]
        top = float(tables["modes"]["singular_value"][0])
        n = table["depth"]
        left.plot(n, table["iterations"], "o-", ms=4, color=look.CURVES[0],
                  label="descent, best step")  # fmt: skip
        left.plot(n, table["theory"], color=look.BOUND, ls=look.PROMISED,
                  label="flow's time / step")  # fmt: skip
        left.set(xlabel="weight matrices", ylabel="iterations to learn", ylim=(0, None))
        left.legend(loc="lower right")
        right.loglog(n, table["step_size"], "o-", ms=4, color=look.CURVES[0],
                     label="best step")  # fmt: skip
        right.loglog(
            n,
            2 / (n * top ** (2 - 2 / n)),
            color=look.BOUND,
            ls=look.PROMISED,
            label=r"unstable: $2 / (N s^{2 - 2/N})$",
        )
        right.loglog(n, table["step_size"][-1] * n[-1] / n, color=look.FAINT,
                     ls=":", label="1 / N")  # fmt: skip
        right.set(xlabel="weight matrices", ylabel="step size")
        right.legend(loc="upper right")


def _spacing(settings: dict[str, Any]) -> float:
    steps = settings["step_sizes"]
    return float(steps[1] / steps[0] - 1)


def _iterations(values: np.ndarray, depth: int, settings: dict[str, Any]) -> np.ndarray:
    """Return iterations to learn at every step size; NaN where it never does."""
    steps = np.array(settings["step_sizes"])[:, None]
    layer = np.full((len(steps), len(values)), settings["start"] ** (1 / depth))
    goal = settings["learnt"] * np.sum((settings["start"] - values) ** 2)
    counts = np.full(len(steps), np.nan)
    going = np.arange(len(steps))
    for iteration in range(settings["cap"] + 1):
        with np.errstate(over="ignore", invalid="ignore"):
            below = layer ** (depth - 1)
            gap = below * layer - values
            loss = np.sum(gap**2, axis=1)
        counts[going[loss <= goal]] = iteration
        on = (loss > goal) & (loss <= 1e6 * goal)
        if not np.any(on):
            break
        going = going[on]
        layer = layer[on] - steps[going] * below[on] * gap[on]
    return counts


def _flow_time(values: np.ndarray, depth: int, settings: dict[str, Any]) -> float:
    """Return when the flow of all modes has learnt."""
    goal = settings["learnt"] * np.sum((settings["start"] - values) ** 2)
    last = 2 * float(
        mode_time(0.98 * values[-1], settings["start"], float(values[-1]), depth=depth)
    )
    times = np.linspace(0, last, 401)
    strengths = mode_strength(times[:, None], settings["start"], values, depth=depth)
    losses = np.sum((strengths - values) ** 2, axis=1)
    return float(np.interp(-np.log(goal), -np.log(losses), times))


def _reduction_gap(target: np.ndarray, settings: dict[str, Any]) -> float:
    """Return how far descent on a full net is from its modes' own recursions."""
    depth, width, size, iterations = 6, 16, 1.0, 200
    draws = np.random.default_rng(0)
    left, values, right = np.linalg.svd(target, full_matrices=False)
    shape = (width, len(values))
    spaces = [np.linalg.qr(draws.standard_normal(shape))[0] for _ in range(depth - 1)]
    bases = [right.T, *spaces, left]
    strength = np.full(len(values), settings["start"] ** (1 / depth))
    layers = [
        (above * strength) @ below.T for below, above in itertools.pairwise(bases)
    ]
    for _ in range(iterations):
        layers = step(target, layers, size)
        gap = strength**depth - values
        strength = strength - size * strength ** (depth - 1) * gap
    whole = left.T @ product(layers) @ right.T
    return float(np.abs(whole - np.diag(strength**depth)).max())
