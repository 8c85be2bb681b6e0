"""A chain of matrices: its products, its invariants, its balanced factors.

Layers are counted from one, first-applied first: `weights[layer - 1]`. What is
written with the operators `@`, `-` and `.T` alone serves all three arithmetics.
"""

from collections.abc import Sequence
from functools import reduce
from itertools import pairwise
from typing import Any

import jax.numpy as jnp

from thalweg._core.arrays import Array, Float, Weights
from thalweg._core.errors import DomainError, ShapeError


def check_chain(shapes: Sequence[tuple[int, ...]]) -> None:
    """Raise unless matrices of these shapes can be multiplied in turn.

    Args:
        shapes: Shape of every layer, first-applied first.

    Raises:
        ShapeError: If there is no layer, one is not a matrix, or two neighbours
            do not fit.
    """
    if not shapes:
        raise ShapeError("the chain has no layers; it needs at least one.")
    for layer, shape in enumerate(shapes, 1):
        if len(shape) != 2:
            raise ShapeError(
                f"layer {layer} has shape {tuple(shape)}; a layer is a matrix."
            )
        if layer > 1 and shape[1] != shapes[layer - 2][0]:
            raise ShapeError(
                f"layer {layer} has shape {tuple(shape)} but layer {layer - 1} puts "
                f"out {shapes[layer - 2][0]} numbers; its second size must be "
                f"{shapes[layer - 2][0]}."
            )


def segment(weights: Sequence[Any], first: int, last: int) -> Any:
    r"""Multiply the layers `first`, ..., `last` of a chain.

    $(\Pi W)_j^k = W_k W_{k-1} \cdots W_j$, layers counted from one.

    Args:
        weights: The chain, first-applied layer first; layer `j` has shape
            `(widths[j], widths[j - 1])`. Arrays of any of the three arithmetics.
        first: Lowest layer of the product, from 1.
        last: Highest layer, from `first` to the depth.

    Returns:
        The product, of shape `(widths[last], widths[first - 1])`.

    Raises:
        ShapeError: If two neighbouring layers do not fit.
        IndexError: If the range is empty or leaves the chain.

    Example:
        >>> chain = [jnp.ones((3, 2)), jnp.ones((4, 3)), 2 * jnp.ones((1, 4))]
        >>> segment(chain, 1, 3).tolist()
        [[24.0, 24.0]]

    Source:
        Chitour, Liao, Couillet, Notations 1.
    """
    if not 1 <= first <= last <= len(weights):
        raise IndexError(
            f"layers {first} to {last} of a chain of depth {len(weights)}; the range "
            f"must satisfy 1 <= first <= last <= {len(weights)}."
        )
    check_chain([weight.shape for weight in weights])
    return reduce(lambda product, weight: weight @ product, weights[first - 1 : last])


def end_to_end(weights: Sequence[Any]) -> Any:
    """Return the product of the whole chain, of shape `(widths[-1], widths[0])`."""
    return segment(weights, 1, len(weights))


def invariants(weights: Sequence[Any]) -> list[Any]:
    r"""Return what gradient flow keeps: one symmetric matrix per hidden space.

    $C_j = W_{j+1}^\top W_{j+1} - W_j W_j^\top$ for $j = 1, ..., N - 1$.

    Args:
        weights: The chain, in any of the three arithmetics.

    Returns:
        The matrices, `invariants[j - 1]` of shape `(widths[j], widths[j])`.

    Example:
        >>> [c.tolist() for c in invariants([jnp.eye(2), 2 * jnp.ones((1, 2))])]
        [[[3.0, 4.0], [4.0, 3.0]]]

    Source:
        Chitour, Liao, Couillet, Lemma 1.
    """
    return [above.T @ above - below @ below.T for below, above in pairwise(weights)]


def balanced_factors(
    matrix: Float[Array, "out in"], widths: Sequence[int], exponents: Any = None
) -> Weights:
    r"""Split a matrix into a chain whose invariants all vanish.

    With $A = U \Sigma V^\top$ the last layer is $U \Sigma^{1/N}$, the first
    $\Sigma^{1/N} V^\top$, the others $\Sigma^{1/N}$, padded with zeros.

    Args:
        matrix: The end-to-end matrix, of shape `(widths[-1], widths[0])`. If a
            hidden width is below `min(widths[0], widths[-1])`, its smaller
            singular values do not fit through and are dropped.
        widths: Widths of the chain, `depth + 1` of them.
        exponents: Share of the singular values each layer takes, summing to one;
            equal shares (the balanced ones) if `None`.

    Returns:
        The chain; its product is `matrix` (or its best approximation of the
        smallest width's rank) to rounding. One SVD.

    Raises:
        ShapeError: If `matrix` is not of shape `(widths[-1], widths[0])`.

    Example:
        >>> chain = balanced_factors(jnp.diag(jnp.array([8.0, 1.0])), (2, 3, 4, 2))
        >>> jnp.round(end_to_end(chain), 12).tolist()
        [[8.0, 0.0], [0.0, 1.0]]

    Source:
        Arora, Cohen, Golowich, Hu, Procedure 1.
    """
    widths = tuple(widths)
    if matrix.shape != (widths[-1], widths[0]):
        raise ShapeError(
            f"the end-to-end matrix has shape {matrix.shape}; widths {widths} need "
            f"{(widths[-1], widths[0])}."
        )
    depth = len(widths) - 1
    shares = [1 / depth] * depth if exponents is None else list(exponents)
    left, values, right = jnp.linalg.svd(matrix, full_matrices=False)
    rank = min(widths)
    left, values, right = left[:, :rank], values[:rank], right[:rank]
    cores = [jnp.diag(values**share) for share in shares]
    cores[0] = cores[0] @ right
    cores[-1] = left @ cores[-1]
    return tuple(
        _padded(core, (widths[layer], widths[layer - 1]))
        for layer, core in enumerate(cores, 1)
    )


def rotated(weights: Weights, rotations: Sequence[Float[Array, "_ _"]]) -> Weights:
    """Turn every hidden space by an orthogonal matrix.

    The product and the eigenvalues of the invariants stay as they are.

    Args:
        weights: The chain, of depth `N`.
        rotations: One orthogonal matrix per hidden space, `N - 1` of them.

    Returns:
        The chain `O_1 W_1, O_2 W_2 O_1^T, ..., W_N O_{N-1}^T`.

    Raises:
        DomainError: If there is not one matrix per hidden space.
    """
    if len(rotations) != len(weights) - 1:
        raise DomainError(
            f"{len(rotations)} rotations came for {len(weights) - 1} hidden spaces; "
            "there must be one for each."
        )
    turned = list(weights)
    for layer, rotation in enumerate(rotations):
        turned[layer] = rotation @ turned[layer]
        turned[layer + 1] = turned[layer + 1] @ rotation.T
    return tuple(turned)


def _padded(core: Array, shape: tuple[int, int]) -> Array:
    rows, columns = core.shape
    return jnp.pad(core, ((0, shape[0] - rows), (0, shape[1] - columns)))
