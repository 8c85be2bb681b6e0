"""One start or many: stacked weights, and one of them."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg._core.arrays import real
from thalweg._core.errors import ShapeError


def stacked(problem: Any, weights: Any) -> tuple[Any, bool]:
    """Return checked starts with a leading axis of runs, and whether they had one.

    Args:
        problem: What they must fit.
        weights: One start, or several stacked along a leading axis of every layer.

    Returns:
        The starts, and whether there were several.

    Raises:
        ShapeError: If they do not fit the problem, or the layers hold different
            numbers of runs.
    """
    if weights is None:
        raise ShapeError("the weights are None; draw a start, or pass arrays.")
    runs = _runs(weights)
    if runs is None:
        return lifted(problem.check(weights)), False
    if runs == 0:
        raise ShapeError("the batch of starts is empty; pass at least one.")
    first = problem.check(lane(weights, 0))
    if isinstance(first, tuple):
        return tuple(real(f"layer {j}", w) for j, w in enumerate(weights, 1)), True
    return real("the starts", weights), True


def lane(tree: Any, index: int) -> Any:
    """Return one run of stacked weights."""
    if isinstance(tree, list):
        tree = tuple(tree)
    # By way of NumPy, which indexes many times faster than JAX outside of `jit`.
    return jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf)[index]), tree)


def unstacked(batched: bool) -> Callable[[Any], Any]:
    """Return what takes the only run out of stacked trees; a batch it leaves whole."""
    return (lambda tree: tree) if batched else (lambda tree: lane(tree, 0))


def lifted(tree: Any) -> Any:
    """Return a tree with a leading axis of one run."""
    return jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf)[None]), tree)


def _runs(weights: Any) -> int | None:
    """Return the number of stacked starts, or `None` for a single start."""
    if not isinstance(weights, tuple | list):
        return np.shape(weights)[0] if np.ndim(weights) == 2 else None
    weights = [real(f"layer {j}", layer) for j, layer in enumerate(weights, 1)]
    if {layer.ndim for layer in weights} != {3}:
        return None
    sizes = {layer.shape[0] for layer in weights}
    if len(sizes) > 1:
        raise ShapeError(
            f"the layers hold {sorted(sizes)} runs; all must hold equally many."
        )
    return sizes.pop()
