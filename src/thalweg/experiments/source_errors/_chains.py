r"""Chains of plain matrices: products, the velocity of the flow, the flow itself.

$\ell = \tfrac12 \|W_N \cdots W_1 X - Y\|_F^2$ with $X$ of shape `"in sample"`; the
layers travel as one vector. Independent of the solvers under test elsewhere.
"""

from collections.abc import Callable, Sequence
from functools import reduce

import numpy as np
from scipy.integrate import solve_ivp

Matrix = np.ndarray
Chain = list[Matrix]


def product(layers: Sequence[Matrix], size: int) -> Matrix:
    """Return the product of layers, first-applied first; of none the identity."""
    return reduce(lambda made, layer: layer @ made, layers, np.eye(size))


def velocity(layers: Chain, inputs: Matrix, labels: Matrix) -> Chain:
    """Return minus the gradient by every layer."""
    widths = [layers[0].shape[1], *(layer.shape[0] for layer in layers)]
    residual = labels - product(layers, widths[0]) @ inputs
    return [
        product(layers[j + 1 :], widths[j + 1]).T
        @ residual
        @ (product(layers[:j], widths[0]) @ inputs).T
        for j in range(len(layers))
    ]


def loss(layers: Chain, inputs: Matrix, labels: Matrix) -> float:
    """Return half the squared residual."""
    made = product(layers, layers[0].shape[1]) @ inputs
    return float(0.5 * np.sum((made - labels) ** 2))


def invariant(layers: Chain, hidden: int) -> Matrix:
    """Return $W_{j+1}^T W_{j+1} - W_j W_j^T$ of hidden space `hidden`, from 1."""
    above, below = layers[hidden], layers[hidden - 1]
    return above.T @ above - below @ below.T


def flow(
    speed: Callable[[Chain], Chain],
    start: Chain,
    times: np.ndarray,
    rtol: float = 1e-10,
) -> list[Chain]:
    """Return the layers at the times, from an ODE solver of order 8.

    Args:
        speed: The velocity of every layer.
        start: The layers at time zero.
        times: Increasing, from zero.
        rtol: Of the solver, which may err a hundredth of it absolutely.

    Returns:
        A chain a time.
    """
    shapes = [layer.shape for layer in start]

    def rate(_time: float, flat: np.ndarray) -> np.ndarray:
        return packed(speed(unpacked(flat, shapes)))

    found = solve_ivp(
        rate,
        (times[0], times[-1]),
        packed(start),
        "DOP853",
        t_eval=times,
        rtol=rtol,
        atol=rtol / 100,
    )
    return [unpacked(column, shapes) for column in found.y.T]


def packed(layers: Chain) -> np.ndarray:
    """Return all entries of the layers, in turn."""
    return np.concatenate([layer.ravel() for layer in layers])


def unpacked(flat: np.ndarray, shapes: Sequence[tuple[int, ...]]) -> Chain:
    """Return the layers of these shapes that hold the entries."""
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    parts = np.split(flat, ends[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
