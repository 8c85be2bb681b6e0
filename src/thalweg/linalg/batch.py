r"""Proven bounds of singular values for thousands of small matrices at once.

The bounds of `enclose`, in plain float64 with every rounding accounted for, so that
a whole batch costs one decomposition and three products. Every radius is an upper
bound computed by operations each of which is at most $2^{-53}$ off relatively; the
factor `SLACK` covers the few dozen of them.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from thalweg._core.errors import DataError, ShapeError

UNIT = 2.0**-53
TINY = 2.0**-1022
SLACK = 1 + 1e-13
_SAFE = 2.0**200


@dataclass(frozen=True)
class Intervals:
    """Enclosures of many numbers.

    Attributes:
        low: Lower ends.
        high: Upper ends, of the same shape; infinite where there is no bound.
    """

    low: Float[np.ndarray, "..."]
    high: Float[np.ndarray, "..."]


def singular_values(stack: Any) -> Intervals:
    """Enclose every singular value of every matrix of a stack.

    Args:
        stack: Matrices of shape `(run, out, in)`, taken as exact.

    Returns:
        Ends of shape `(run, mode)`, descending, `mode` up to `min(out, in)`. Cost:
            one decomposition and three products a matrix.

    Raises:
        DataError: If a number is NaN or infinite.
        ShapeError: If there are not three axes.

    Example:
        >>> found = singular_values(np.array([[[3.0, 0.0], [0.0, 1.0]]]))
        >>> bool(found.low[0, 1] <= 1 <= found.high[0, 1])
        True
    """
    stack = np.asarray(stack, dtype=np.float64)
    if stack.ndim != 3:
        raise ShapeError(
            f"a stack of matrices has three axes; this one has {stack.ndim}."
        )
    if not np.isfinite(stack).all():
        raise DataError("the stack holds NaN or an infinity; pass finite numbers.")
    runs, rows, columns = stack.shape
    size = min(rows, columns)
    u, strengths, vt = np.linalg.svd(stack, full_matrices=False)
    alpha = _defect(np.swapaxes(u, 1, 2) @ u, rows)
    beta = _defect(vt @ np.swapaxes(vt, 1, 2), columns)
    rho = _remainder(stack, u, strengths, vt)
    shrink = np.sqrt(np.maximum((1 - alpha) * (1 - beta), 0)) / SLACK
    stretch = np.sqrt((1 + alpha) * (1 + beta)) * SLACK
    low = (strengths * shrink[:, None] / SLACK - rho[:, None] * SLACK) / SLACK
    high = (strengths * stretch[:, None] * SLACK + rho[:, None] * SLACK) * SLACK
    lost = ~((alpha < 1) & (beta < 1) & (rho < _SAFE) & (_norms(stack) < _SAFE))
    low = np.where(lost[:, None], 0.0, np.maximum(low, 0.0))
    high = np.where(lost[:, None], np.inf, high)
    return Intervals(low.reshape(runs, size), high.reshape(runs, size))


def norms(stack: Float[np.ndarray, "run out in"]) -> Intervals:
    """Enclose the Frobenius norm of every matrix of a stack.

    Args:
        stack: Matrices of shape `(run, out, in)`, taken as exact.

    Returns:
        Ends of shape `(run,)`.
    """
    size = _norms(np.asarray(stack, dtype=np.float64))
    count = stack.shape[1] * stack.shape[2]
    relative = 2 * (count + 2) * UNIT
    lost = ~(size < _SAFE)
    low = np.maximum(size * (1 - relative) / SLACK - count * 2.0**-500, 0.0)
    high = size * (1 + relative) * SLACK + count * 2.0**-500
    return Intervals(np.where(lost, 0.0, low), np.where(lost, np.inf, high))


def _norms(stack: Float[np.ndarray, "run out in"]) -> Float[np.ndarray, " run"]:
    """Return rounded Frobenius norms: relatively `(count + 2) UNIT` off at most."""
    with np.errstate(over="ignore"):
        return np.sqrt(np.einsum("rij,rij->r", stack, stack))


def _defect(
    gram: Float[np.ndarray, "run mode mode"], inner: int
) -> Float[np.ndarray, " run"]:
    """Return a bound on the distance of `F' F` from one, `gram` being it rounded."""
    size = gram.shape[1]
    off = norms(gram - np.eye(size)).high
    # Columns of F are at most (1 + off) long, so |F|_F^2 <= size (1 + off)^2 twice.
    lost = 2 * inner * UNIT * size * (1 + off) ** 2 + size * UNIT * (1 + off)
    return (off + lost) * SLACK + inner * size**2 * TINY


def _remainder(
    stack: Float[np.ndarray, "run out in"],
    u: Float[np.ndarray, "run out mode"],
    strengths: Float[np.ndarray, "run mode"],
    vt: Float[np.ndarray, "run mode in"],
) -> Float[np.ndarray, " run"]:
    """Return a bound on the Frobenius norm of what the factors miss."""
    scaled = u * strengths[:, None, :]
    back = scaled @ vt
    seen = norms(stack - back).high
    left, right = norms(scaled).high, norms(vt).high
    mode = strengths.shape[1]
    # Rounding of the scaling, of the product, and of the difference.
    rounding = (2 * mode + 4) * UNIT * left * right + UNIT * seen
    return (seen + rounding) * SLACK + stack.shape[1] * stack.shape[2] * mode * TINY
