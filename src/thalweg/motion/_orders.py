"""What each of many descents is asked for: numbers, one a run."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from thalweg._core.arrays import real
from thalweg._core.errors import (
    DomainError,
    ShapeError,
    at_least_zero,
    positive,
    whole,
)


@dataclass(frozen=True)
class Orders:
    """What runs are asked for, one entry a run.

    Attributes:
        step_size: Step sizes.
        iterations: Most steps.
        accuracy: Excess losses to stop at; minus infinity never does.
        momentum: Heavy-ball coefficients.
        tolerance: Gradient norms that count as rest.
    """

    step_size: np.ndarray
    iterations: np.ndarray
    accuracy: np.ndarray
    momentum: np.ndarray
    tolerance: np.ndarray

    @classmethod
    def checked(
        cls,
        runs: int,
        step_size: Any,
        iterations: Any,
        accuracy: Any,
        momentum: Any,
        tolerance: Any,
    ) -> "Orders":
        """Return orders, from a number for all runs or one per run.

        Args:
            runs: How many runs there are.
            step_size: Above zero.
            iterations: Whole numbers of at least zero.
            accuracy: At least zero, or `None`.
            momentum: From zero to below one.
            tolerance: At least zero.

        Returns:
            The orders.

        Raises:
            ShapeError: If there are neither one nor as many as runs.
            DomainError: If a number is out of its domain.
        """
        most = _each("iterations", iterations, runs, whole)
        if most.max(initial=0) >= 2**62:
            raise DomainError(f"iterations is {most.max():g}; it must be below 2**62.")
        stops = np.full(runs, -np.inf)
        if accuracy is not None:
            stops = _each("accuracy", accuracy, runs, at_least_zero)
        return cls(
            step_size=_each("step_size", step_size, runs, _pace),
            iterations=most.astype(np.int64),
            accuracy=stops,
            momentum=_each("momentum", momentum, runs, _inertia),
            tolerance=_each("gradient_tolerance", tolerance, runs, at_least_zero),
        )

    def of(self, runs: np.ndarray) -> "Orders":
        """Return those of some runs."""
        return Orders(*(getattr(self, part.name)[runs] for part in fields(self)))


def _pace(name: str, value: Any) -> float:
    return positive(name, value, "To climb, pass the negated loss.")


def _inertia(name: str, value: Any) -> float:
    if at_least_zero(name, value) >= 1:
        raise DomainError(f"{name} is {value}; it must be from 0 to below 1.")
    return float(value)


def _each(
    name: str, value: Any, runs: int, check: Callable[[str, Any], float]
) -> np.ndarray:
    """Return one checked number per run."""
    if np.ndim(value) == 0:
        return np.full(runs, float(check(name, value)))
    numbers = np.asarray(real(name, value))
    if numbers.shape != (runs,):
        raise ShapeError(
            f"{name} has shape {numbers.shape} but there are {runs} runs; pass one "
            "number or one per run."
        )
    for number in np.unique(numbers):
        check(name, float(number))
    return numbers
