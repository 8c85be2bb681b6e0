"""The two starts of the source's figures, drawn in NumPy."""

from collections.abc import Callable

import numpy as np

Draw = Callable[[np.random.Generator, float, tuple[int, ...]], list[np.ndarray]]


def independent(
    draws: np.random.Generator, std: float, widths: tuple[int, ...]
) -> list[np.ndarray]:
    """Return layers with independent Gaussian entries.

    Args:
        draws: Where numbers come from.
        std: Of every entry.
        widths: Of the net, inputs first.

    Returns:
        The layers, first-applied first.
    """
    pairs = zip(widths[1:], widths[:-1], strict=True)
    return [std * draws.standard_normal(shape) for shape in pairs]


def balanced(
    draws: np.random.Generator, std: float, widths: tuple[int, ...]
) -> list[np.ndarray]:
    """Return the factors of a Gaussian end-to-end matrix that Procedure 1 gives.

    Args:
        draws: Where numbers come from.
        std: Of the entries of the end-to-end matrix.
        widths: Of the net; no hidden one below both ends.

    Returns:
        The layers, first-applied first.
    """
    matrix = std * draws.standard_normal((widths[-1], widths[0]))
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    roots = np.diag(values ** (1 / (len(widths) - 1)))
    count = len(values)
    layers = [np.zeros(shape) for shape in zip(widths[1:], widths[:-1], strict=True)]
    for layer in layers[1:-1]:
        layer[:count, :count] = roots
    layers[0][:count] = roots @ right
    layers[-1][:, :count] = left @ roots
    return layers


def mixed(draws: np.random.Generator, layers: list[np.ndarray]) -> list[np.ndarray]:
    """Return layers with every hidden space turned by a random rotation.

    Product and balance stay. The source prints the rotation on the outer sides,
    where it would change the product.

    Args:
        draws: Where numbers come from.
        layers: A chain.

    Returns:
        The turned chain.
    """
    turned = list(layers)
    for place in range(len(layers) - 1):
        width = len(turned[place])
        basis, triangle = np.linalg.qr(draws.standard_normal((width, width)))
        basis = basis * np.sign(np.diag(triangle))
        turned[place] = basis @ turned[place]
        turned[place + 1] = turned[place + 1] @ basis.T
    return turned
