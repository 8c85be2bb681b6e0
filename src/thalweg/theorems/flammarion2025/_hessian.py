r"""The Hessian of $\tfrac12(\prod_k x_k - 1)^2$ in balls, also along a segment."""

from collections.abc import Sequence

from flint import arb_mat

from thalweg.linalg import balls
from thalweg.theorems._base import Ball

Rows = list[list[Ball]]


def products(x: Sequence[Ball]) -> Rows:
    r"""Return $p_{\setminus ij}$; on the diagonal $p_{\setminus i}$; for `x > 0`."""
    p = balls.prod(x)
    alone = [p / factor for factor in x]
    return [
        [one if i == j else one / x[j] for j in range(len(x))]
        for i, one in enumerate(alone)
    ]


def hessian(left_out: Rows) -> Rows:
    r"""Return the Hessian.

    On the diagonal $p_{\setminus i}^2$, off it
    $2 p_{\setminus i} p_{\setminus j} - p_{\setminus ij}$.

    Args:
        left_out: As `products` returns it, or balls that hold several such.

    Returns:
        The rows.
    """
    alone = [row[i] for i, row in enumerate(left_out)]
    return [
        [a * a if i == j else 2 * a * b - left_out[i][j] for j, b in enumerate(alone)]
        for i, a in enumerate(alone)
    ]


def along(first: Rows, last: Rows) -> Rows:
    """Return balls that hold all that lies between two tables, entry by entry."""
    return [
        [a.union(b) for a, b in zip(one, other, strict=True)]
        for one, other in zip(first, last, strict=True)
    ]


def frobenius(rows: Rows) -> Ball:
    """Return the Frobenius norm."""
    return balls.sqrt(balls.total(entry**2 for row in rows for entry in row))


def spectral(rows: Rows) -> Ball:
    """Return the largest singular value; cost of an eigendecomposition in balls."""
    return balls.spectral_norm(balls.BallMatrix(arb_mat(rows)))


def gradient(x: Sequence[Ball]) -> list[Ball]:
    """Return the gradient at a positive point."""
    p = balls.prod(x)
    return [(p - 1) * p / factor for factor in x]


def stepped(x: Sequence[Ball], step: Ball) -> list[Ball]:
    """Return the next iterate of a positive point."""
    return [a - step * g for a, g in zip(x, gradient(x), strict=True)]


def loss(x: Sequence[Ball]) -> Ball:
    """Return the loss."""
    gap = balls.prod(x) - 1
    return gap * gap / 2
