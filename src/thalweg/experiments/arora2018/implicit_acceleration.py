r"""Acceleration by depth: Arora, Cohen, Hazan, 2018.

Linear regression by $\ell_p$ loss, $p = 2$ and $4$, as a net of one, two or three
layers with one hidden unit each: the same functions, the same end-to-end start, and
for each the best step size of a grid. The paper does so with gas sensor data.
"""

from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from thalweg._core.errors import DataError
from thalweg._core.outcome import Status
from thalweg._core.source import Source
from thalweg.experiments._base import (
    AbstractExperiment,
    Finding,
    Table,
    Workplace,
)
from thalweg.experiments._columns import columns
from thalweg.motion.descend import descend
from thalweg.problem.datasets.gas_sensor import GasSensor
from thalweg.problem.losses import Power
from thalweg.problem.nets import LinearNet
from thalweg.problem.samples import SampleProblem
from thalweg.report.look import CURVES
from thalweg.theorems.arora2018 import ARORA2018

STAND_IN = "drawn"
"""Random inputs of falling variances, and labels with heavy-tailed noise."""

TOLD = {
    "gas_sensor": "Data: gas sensors, ethanol, every column standardised",
    STAND_IN: "Data: drawn, with heavy-tailed noise, standing in for the gas sensors",
}
SHORT = {"gas_sensor": "gas sensors, ethanol", STAND_IN: "random data (stand-in)"}


class ImplicitAcceleration(AbstractExperiment):
    """Regression by two losses with one, two and three layers."""

    source: ClassVar[Source] = ARORA2018.at("experiments: l2 and l4 regression")
    title: ClassVar[str] = "Depth accelerates l4 regression and not l2"
    claim: ClassVar[str] = (
        "With the best step size for each, deeper nets are no faster for the squared "
        "loss, and faster than one layer for the fourth power."
    )
    needs: ClassVar[tuple[str, ...]] = ("gas_sensor",)
    seconds: ClassVar[dict[str, float]] = {"tiny": 5, "paper": 60}
    size: ClassVar[tuple[float, float]] = (9.0, 3.6)

    def settings(self, scale: str) -> dict[str, Any]:
        """Return data, powers, depths and the grid of step sizes."""
        paper = scale == "paper"
        real = paper and _is_here()
        return {
            "data": "gas_sensor" if real else STAND_IN,
            "samples": 2565 if real else 400 if paper else 100,
            "features": 128 if real else 20 if paper else 10,
            "powers": [2, 4] if paper else [4],
            "depths": [1, 2, 3] if paper else [1, 2],
            "norm": 1e-3,
            "seed": 0,
            "step_sizes": np.geomspace(1e-3, 3e-2 if real else 1.0, 14).tolist()
            if paper
            else np.geomspace(1e-2, 1.0, 7).tolist(),
            "iterations": 5000 if paper else 400,
            "records": 100 if paper else 40,
        }

    def measure(self, settings: dict[str, Any], work: Workplace) -> dict[str, Table]:
        """Return the excess loss along the best descent of every loss and depth."""
        inputs, labels = samples(settings)
        cases = [(p, n) for p in settings["powers"] for n in settings["depths"]]
        curves, best = [], []
        for place, (power, depth) in enumerate(cases):
            work.say(f"p = {power}, {depth} layers", place / len(cases))
            if depth == settings["depths"][0]:
                least = _least(inputs, labels, power)
            steps = np.array(settings["step_sizes"])
            at, losses = _descents(inputs, labels, power, depth, least, settings)
            ends = np.where(np.isfinite(losses).all(axis=1), losses[:, -1], np.inf)
            first = int(np.argmin(ends))
            best.append((power, depth, steps[first], ends[first]))
            rows = zip(at, losses[first], strict=True)
            curves += [(power, depth, *row) for row in rows]
        return {
            "curves": columns(("power", "depth", "iteration", "excess_loss"), curves),
            "best": columns(("power", "depth", "step_size", "excess_loss"), best),
        }

    def findings(
        self, settings: dict[str, Any], tables: dict[str, Table]
    ) -> list[Finding]:
        """Return, by loss, how much sooner deeper nets are where one layer ends."""
        return [
            _sooner(power, depth, settings, tables)
            for power in settings["powers"]
            for depth in settings["depths"][1:]
        ]

    def draw_on(
        self, figure: Any, settings: dict[str, Any], tables: dict[str, Table]
    ) -> None:
        """Draw a panel a loss, a curve a depth."""
        panels = figure.subplots(1, len(settings["powers"]), squeeze=False)[0]
        table = tables["curves"]
        for panel, power in zip(panels, settings["powers"], strict=True):
            for color, depth in zip(CURVES, settings["depths"], strict=False):
                rows = (table["power"] == power) & (table["depth"] == depth)
                label = f"{depth} layer" + "s" * (depth > 1)
                panel.semilogy(
                    table["iteration"][rows],
                    table["excess_loss"][rows],
                    color=color,
                    label=label,
                )
            panel.set_title(f"l{power} loss, {SHORT[settings['data']]}", loc="left")
            panel.set_xlabel("iteration")
        panels[0].set_ylabel("loss above its infimum")
        panels[-1].legend()


def samples(settings: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs and labels of mean zero and unit variance.

    Args:
        settings: From `ImplicitAcceleration.settings`.

    Returns:
        Inputs, `"sample in"`, and labels, `"sample"`.
    """
    if settings["data"] == STAND_IN:
        inputs, labels = _drawn(settings)
    else:
        table = GasSensor().load()
        inputs, labels = np.asarray(table.inputs), np.asarray(table.labels)[:, 0]
    inputs = (inputs - inputs.mean(axis=0)) / inputs.std(axis=0)
    return inputs, (labels - labels.mean()) / labels.std()


def _is_here() -> bool:
    try:
        GasSensor().load()
    except DataError:
        return False
    return True


def _drawn(settings: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    count, size = settings["samples"], settings["features"]
    random = np.random.default_rng(settings["seed"])
    turn = np.linalg.qr(random.normal(size=(size, size)))[0]
    spread = np.geomspace(1, 1e-2, size)
    inputs = (random.normal(size=(count, size)) * spread) @ turn
    slopes = turn.T @ (random.normal(size=size) / np.sqrt(spread))
    return inputs, inputs @ slopes + 0.1 * random.standard_t(5, size=count)


def _least(inputs: np.ndarray, labels: np.ndarray, power: int) -> SampleProblem:
    """Return the regression of one layer, which knows the infimum."""
    net = LinearNet((inputs.shape[1], 1))
    return SampleProblem(net, inputs, labels, Power(power))


def _start(settings: dict[str, Any], width: int, depth: int) -> list[np.ndarray]:
    """Return balanced layers of the same small product, whatever the depth."""
    random = np.random.default_rng(settings["seed"])
    direction = random.normal(size=(1, width))
    direction = direction / np.linalg.norm(direction)
    size = settings["norm"] ** (1 / depth)
    return [size * direction, *[np.full((1, 1), size)] * (depth - 1)]


def _descents(
    inputs: np.ndarray,
    labels: np.ndarray,
    power: int,
    depth: int,
    least: SampleProblem,
    settings: dict[str, Any],
) -> tuple[np.ndarray, np.ndarray]:
    """Return when was recorded, and the excess loss for every step size."""
    width = inputs.shape[1]
    problem = SampleProblem(
        LinearNet((width, *(1,) * depth)),
        inputs,
        labels,
        Power(power),
        infimum=least.infimum,
        target=least.target,
    )
    steps = jnp.asarray(settings["step_sizes"])
    start = [np.stack([layer] * len(steps)) for layer in _start(settings, width, depth)]
    at = np.linspace(0, settings["iterations"], settings["records"] + 1).round()
    path = descend(
        problem,
        start,
        step_size=steps,
        iterations=settings["iterations"],
        at=at.astype(int),
        compress=False,
    )
    losses = np.array(path["excess_loss"])
    for lane in range(len(steps)):
        if path.run(lane).outcome.status == Status.DIVERGED:  # type: ignore[union-attr]
            losses[lane] = np.inf
    return path.iterations, losses


def _sooner(
    power: int, depth: int, settings: dict[str, Any], tables: dict[str, Table]
) -> Finding:
    table = tables["curves"]

    def curve(layers: int) -> tuple[np.ndarray, np.ndarray]:
        rows = (table["power"] == power) & (table["depth"] == layers)
        return table["iteration"][rows], table["excess_loss"][rows]

    at, loss = curve(depth)
    goal = curve(1)[1][-1]
    reached = loss <= goal
    last = settings["iterations"]
    gain = float(last / at[np.argmax(reached)]) if reached.any() else 0.0
    told = f"{gain:.2f} times sooner" if gain else f"later; {loss[-1] / goal:.3g} times"
    steps = tables["best"]["step_size"][tables["best"]["power"] == power]
    spacing = settings["step_sizes"][1] / settings["step_sizes"][0]
    return Finding(
        claim=f"l{power} loss: {depth} layers against one, to the loss that one layer "
        f"has after {last} steps.",
        stated="not faster" if power == 2 else "faster",
        ours=told + ("" if gain else " its loss at the end"),
        holds=gain <= spacing if power == 2 else gain > spacing,
        note="Best steps for 1, 2, ... layers: "
        + ", ".join(f"{step:.2g}" for step in steps)
        + f"; as faster counts more than {spacing:.3g} times, by which the grid's "
        f"steps are apart. {TOLD[settings['data']]}.",
    )
