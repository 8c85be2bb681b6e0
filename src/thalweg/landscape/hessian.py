r"""The Hessian of a linear network in closed form: dense, by blocks, or as a map.

Notation: $A_j$ is the product of all layers above layer $j$, $B_j$ of all below with
the inputs' factor, $M_{ij}$ of those strictly between $j < i$; $E$ is prediction minus
labels. The block of layers $i > j$ is the matrix of

$$(v_i, v_j) \mapsto \langle A_i v_i B_i, A_j v_j B_j \rangle
  + \mathrm{tr}(v_i M_{ij} v_j\, B_j E^\top A_i),$$

the first part being that of Gauss and Newton; the loss is quadratic in one layer
alone, so a block on the diagonal has no second part. Rows and columns are the weights
of the layers in turn, each layer row by row.
"""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from thalweg._core.errors import DomainError, ShapeError, positive
from thalweg.landscape._curvature.second_order import Blocks, Products, point
from thalweg.landscape.reduced import Chain, Matrix, linear

_GIBIBYTE = 2.0**30
_COPIES = 4
_MOST = 2 * _GIBIBYTE


def hessian(problem: Any, weights: Any, *, memory: float | None = None) -> Matrix:
    """Return the dense Hessian of the loss, in the problem's own coordinates.

    Args:
        problem: A `Problem` on a deep linear network, or a `Playground`.
        weights: The point.
        memory: Most memory to use, in GiB; the smaller of 2 GiB and a quarter of
            what is free if `None`.

    Returns:
        The matrix, exactly symmetric, of shape `(parameters, parameters)`: layers in
        turn, each row by row.

    Example:
        >>> import jax.numpy as jnp
        >>> from thalweg.problem.scalar import Playground
        >>> hessian(Playground(2), jnp.array([2.0, 1.0])).tolist()
        [[1.0, 3.0], [3.0, 4.0]]

    Source:
        Chitour, Liao, Couillet, Proposition 2.
    """
    return _dense(problem, weights, memory, second=True)


def gauss_newton(problem: Any, weights: Any, *, memory: float | None = None) -> Matrix:
    """Return the Gauss-Newton part of the Hessian: all of it where the error is zero.

    Args:
        problem: A `Problem` on a deep linear network, or a `Playground`.
        weights: The point.
        memory: As for `hessian`.

    Returns:
        The positive semidefinite matrix, as `hessian` in order and shape.

    Example:
        >>> import jax.numpy as jnp
        >>> from thalweg.problem.scalar import Playground
        >>> gauss_newton(Playground(2), jnp.array([2.0, 1.0])).tolist()
        [[1.0, 2.0], [2.0, 4.0]]
    """
    return _dense(problem, weights, memory, second=False)


def hessian_vector(problem: Any, weights: Any, direction: Any) -> Chain:
    """Return the Hessian applied to a direction, without forming it.

    Args:
        problem: A `Problem` on a deep linear network, or a `Playground`.
        weights: The point.
        direction: As the weights.

    Returns:
        One matrix a layer, of the layers' shapes. Six products of matrices a layer.

    Example:
        >>> import jax.numpy as jnp
        >>> from thalweg.problem.scalar import Playground
        >>> x, v = jnp.array([2.0, 1.0]), jnp.array([1.0, 0.0])
        >>> [layer.item() for layer in hessian_vector(Playground(2), x, v)]
        [1.0, 3.0]
    """
    move = tuple(np.asarray(part) for part in problem.chain(problem.check(direction)))
    return Products.of(*point(problem, weights)).along(move)


def hessian_trace(problem: Any, weights: Any) -> float:
    r"""Return the trace of the Hessian, $\sum_j \|A_j\|_F^2 \|B_j\|_F^2$.

    Args:
        problem: A `Problem` on a deep linear network, or a `Playground`.
        weights: The point.

    Returns:
        The trace, without forming the matrix; never negative.

    Example:
        >>> import jax.numpy as jnp
        >>> from thalweg.problem.scalar import Playground
        >>> hessian_trace(Playground(2), jnp.array([2.0, 1.0]))
        5.0
    """
    return Blocks.of(*point(problem, weights)).trace


def flat(direction: Sequence[Any]) -> Matrix:
    """Return a direction as one vector, layers in turn, each row by row."""
    return np.concatenate([np.ravel(layer) for layer in direction])


def layered(problem: Any, vector: Matrix) -> Chain:
    """Return a vector of the Hessian's order as one matrix a layer.

    Args:
        problem: The problem whose net gives the shapes.
        vector: As many numbers as the net has weights.

    Returns:
        The matrices.

    Raises:
        ShapeError: If their number is not the net's.

    Example:
        >>> from thalweg.problem.scalar import Playground
        >>> [part.shape for part in layered(Playground(3), np.arange(3.0))]
        [(1, 1), (1, 1), (1, 1)]
    """
    net = problem.net
    if np.shape(vector) != (net.parameters,):
        raise ShapeError(
            f"the vector has shape {np.shape(vector)}; a net of widths {net.widths} "
            f"has {net.parameters} weights."
        )
    ends = np.cumsum([rows * columns for rows, columns in net.shapes])[:-1]
    parts = zip(np.split(vector, ends), net.shapes, strict=True)
    return tuple(part.reshape(shape) for part, shape in parts)


def check_memory(size: int, memory: float | None) -> None:
    """Raise unless a dense matrix and its decomposition fit into memory.

    Args:
        size: Number of rows.
        memory: Most to use, in GiB; see `hessian`.

    Raises:
        DomainError: If they do not.
    """
    most = _allowed() if memory is None else positive("memory", memory) * _GIBIBYTE
    needed = 8.0 * _COPIES * size**2
    if needed > most:
        raise DomainError(
            f"a dense Hessian of {size:,} weights takes {needed / _GIBIBYTE:.3g} GiB "
            f"with its decomposition and {most / _GIBIBYTE:.3g} GiB are allowed; ask "
            "for its ends with hessian_spectrum(..., top=), or raise memory."
        )


def _dense(problem: Any, weights: Any, memory: float | None, *, second: bool) -> Matrix:
    linear(problem)
    check_memory(problem.net.parameters, memory)
    return Blocks.of(*point(problem, weights)).dense(second=second)


def _allowed() -> float:
    try:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return _MOST
    return min(_MOST, free / 4)
