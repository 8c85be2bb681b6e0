"""Small chains in plain NumPy: where compiling would cost more than the run."""

import itertools
from collections.abc import Sequence
from functools import reduce

import numpy as np

Layers = Sequence[np.ndarray]


def product(layers: Layers) -> np.ndarray:
    """Return the product of a chain, first-applied first.

    Args:
        layers: Its matrices.

    Returns:
        The end-to-end matrix.
    """
    return reduce(np.matmul, layers[::-1])


def gradient(target: np.ndarray, layers: Layers) -> list[np.ndarray]:
    r"""Return the gradient of $\tfrac12 \|W_N \cdots W_1 - \Phi\|_F^2$.

    Args:
        target: The target, `"out in"`.
        layers: The chain.

    Returns:
        A matrix a layer.

    Example:
        >>> [slope.tolist() for slope in gradient(np.eye(1), [np.eye(1) * 2] * 2)]
        [[[6.0]], [[6.0]]]
    """
    below = [np.eye(target.shape[1])]
    for layer in layers:
        below.append(layer @ below[-1])
    pulled, slopes = below.pop() - target, []
    for layer, under in zip(layers[::-1], below[::-1], strict=True):
        slopes.append(pulled @ under.T)
        pulled = layer.T @ pulled
    return slopes[::-1]


def step(target: np.ndarray, layers: Layers, size: float) -> list[np.ndarray]:
    """Return a chain after one step of gradient descent.

    Args:
        target: The target.
        layers: The chain.
        size: The step size.

    Returns:
        The chain.
    """
    slopes = gradient(target, layers)
    return [layer - size * slope for layer, slope in zip(layers, slopes, strict=True)]


def invariants(layers: Layers) -> list[np.ndarray]:
    r"""Return $W_{j+1}^\top W_{j+1} - W_j W_j^\top$ of a chain.

    Args:
        layers: The chain.

    Returns:
        A matrix a hidden space.
    """
    pairs = itertools.pairwise(layers)
    return [above.T @ above - below @ below.T for below, above in pairs]
