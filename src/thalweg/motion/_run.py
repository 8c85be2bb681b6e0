"""What a descent is asked for, checked and laid out; by true steps or by leaps."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg._core.arrays import Array, real
from thalweg._core.errors import (
    DomainError,
    ShapeError,
    at_least_zero,
    positive,
    whole,
)
from thalweg.motion._scene import Scene, scene
from thalweg.motion.record import Measures, kept_iterations
from thalweg.motion.starts import stacked


@dataclass(frozen=True)
class Run:
    """What stays the same from the first slice of a descent to its last.

    Attributes:
        problem: What is minimised.
        measures: What is recorded.
        settings: What was asked for, as plain values.
        starts: The starts, stacked.
        step_sizes: One step size per run.
        batched: Whether several runs were asked for.
        scene: What moves in their stead.
    """

    problem: Any
    measures: Measures
    settings: dict[str, Any]
    starts: Any
    step_sizes: Array
    batched: bool
    scene: Scene

    @classmethod
    def posed(
        cls,
        problem: Any,
        measures: Measures,
        settings: dict[str, Any],
        starts: Any,
        step_sizes: Array,
        batched: bool,
    ) -> "Run":
        """Return a run, compressed if its settings allow."""
        moved = scene(problem, starts, measures, allowed=settings["compress"])
        return cls(problem, measures, settings, starts, step_sizes, batched, moved)

    @property
    def lanes(self) -> int:
        """Return how many runs there are."""
        return self.step_sizes.shape[0]

    @property
    def targets(self) -> np.ndarray:
        """Return the iterations to record at."""
        s = self.settings
        return kept_iterations(
            s["iterations"], every=s["every"], records=s["records"], at=s["at"]
        )


def check_numbers(
    iterations: Any, accuracy: Any, momentum: Any, tolerance: Any
) -> None:
    """Raise unless the numbers of a descent lie in their domains."""
    whole("iterations", iterations)
    if accuracy is not None:
        at_least_zero("accuracy", accuracy)
    if at_least_zero("momentum", momentum) >= 1:
        raise DomainError(f"momentum is {momentum}; it must be from 0 to below 1.")
    at_least_zero("gradient_tolerance", tolerance)


def lay_out(problem: Any, weights: Any, step_size: Any) -> tuple[Any, Array, bool]:
    """Return starts and step sizes with a leading axis of runs, and if they had one."""
    steps = real("step_size", step_size)
    if steps.ndim > 1:
        raise ShapeError(
            f"step_size has shape {steps.shape}; pass one number or one per run."
        )
    for value in np.atleast_1d(np.asarray(steps)):
        positive("step_size", float(value), "To climb, pass the negated loss.")
    starts, several = stacked(problem, weights)
    runs = jax.tree.leaves(starts)[0].shape[0]
    count = max(runs, steps.size)
    if {runs, steps.size} - {1, count}:
        raise ShapeError(
            f"{runs} starts came with {steps.size} step sizes; pass one of either, "
            "or equally many."
        )
    if count > runs:
        starts = jax.tree.map(
            lambda leaf: jnp.broadcast_to(leaf, (count, *leaf.shape[1:])), starts
        )
    batched = several or steps.ndim == 1
    return starts, jnp.broadcast_to(steps.reshape(-1), (count,)), batched
