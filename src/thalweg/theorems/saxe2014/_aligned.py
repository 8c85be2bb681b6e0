"""Starts whose layers and target are diagonal, so that modes never meet."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np

from thalweg._core.arrays import Weights
from thalweg.linalg import balls
from thalweg.problem.moments import Moments
from thalweg.problem.nets import LinearNet
from thalweg.problem.problem import Problem
from thalweg.theorems._base import Case, Hypothesis
from thalweg.theorems.saxe2014._course import Mode, strength

_Array = np.ndarray


def facts(case: Case, *, least: int = 1, most: int | None = None) -> list[Hypothesis]:
    """Return that the data are white and the depth is in a range."""
    white = Hypothesis(
        "the data are white", fact=case.is_whitened, mend="whiten the data"
    )
    if most == least:
        return [white, Hypothesis(f"N = {least}", fact=case.depth == least)]
    return [white, Hypothesis(f"N >= {least}", fact=case.depth >= least)]


def diagonal(case: Case) -> Hypothesis:
    """Return that nothing stands off the diagonals of target and layers."""
    parts = [np.asarray(case.problem.target), *_layers(case)]
    sizes = [case.la.norm(case.la.matrix(_off(part))) for part in parts]
    if case.radius:
        sizes.append(balls.interval(0.0, case.radius))
    return Hypothesis(
        "target and layers are diagonal",
        -balls.largest(sizes),
        strict=False,
        mend="start along the target's own modes, in coordinates where it is diagonal",
    )


def even(case: Case) -> Hypothesis:
    """Return that every mode is equally strong in every layer."""
    spread = balls.largest(
        balls.absolute(balls.absolute(x) - balls.absolute(row[0]))
        for row in _strengths(case)
        for x in row
    )
    if case.radius:
        spread = balls.largest([spread + balls.interval(0.0, 2 * case.radius)])
    return Hypothesis(
        "every mode is equally strong in every layer",
        -spread,
        strict=False,
        mend="take a balanced start",
    )


def modes(case: Case) -> list[Mode]:
    """Return the modes, one for each place on the target's diagonal."""
    target = np.asarray(case.problem.target)
    strengths = _strengths(case)
    return [
        Mode(tuple(strengths[i]), float(target[i, i])) for i in range(min(target.shape))
    ]


def predictions(case: Case) -> dict[str, Callable[[_Array], _Array]]:
    """Return the courses of the end-to-end matrix and of its modes' strengths."""
    problem, moving = case.problem, modes(case)
    left, right = np.asarray(problem.left_modes), np.asarray(problem.right_modes)
    shape = np.asarray(problem.target).shape
    return {
        "end_to_end": partial(_end_to_end, moving, shape),
        "singular_modes": lambda times: np.einsum(
            "oi,toj,ji->ti", left, _end_to_end(moving, shape, times), right
        ),
    }


def posed(target: Any, strengths: Any, widths: tuple[int, ...]) -> tuple[Any, Weights]:
    """Return a diagonal problem and start.

    Args:
        target: Its diagonal.
        strengths: The diagonal of every layer, `"layer mode"`.
        widths: Of the net.

    Returns:
        The problem and the weights.
    """
    goal = _diagonal((widths[-1], widths[0]), target)
    net = LinearNet(widths)
    start = tuple(
        jnp.asarray(_diagonal(shape, row))
        for shape, row in zip(net.shapes, strengths, strict=True)
    )
    return Problem(net, Moments.whitened(goal)), start


def _end_to_end(moving: list[Mode], shape: tuple[int, int], times: _Array) -> _Array:
    times = np.asarray(times, dtype=np.float64)
    found = np.zeros((times.size, *shape))
    for index, mode in enumerate(moving):
        found[:, index, index] = strength(mode, times)
    return found


def _layers(case: Case) -> list[_Array]:
    return [np.asarray(layer) for layer in case.problem.chain(case.start)]


def _strengths(case: Case) -> list[list[float]]:
    """Return the diagonals of the layers, zero where one is shorter, by mode."""
    layers = _layers(case)
    longest = max(min(layer.shape) for layer in layers)
    rows = [np.zeros(longest) for _ in layers]
    for row, layer in zip(rows, layers, strict=True):
        row[: min(layer.shape)] = np.diagonal(layer)
    return np.stack(rows, axis=1).tolist() + _idle(case, longest)


def _idle(case: Case, longest: int) -> list[list[float]]:
    ends = min(case.widths[0], case.widths[-1])
    return [[0.0] * case.depth for _ in range(ends - longest)]


def _off(matrix: _Array) -> _Array:
    rest = matrix.copy()
    np.fill_diagonal(rest, 0.0)
    return rest


def _diagonal(shape: tuple[int, int], values: Any) -> _Array:
    matrix = np.zeros(shape)
    values = np.asarray(values, dtype=np.float64)
    matrix[range(values.size), range(values.size)] = values
    return matrix
