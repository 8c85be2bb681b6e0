r"""Sums of Kronecker products, rigorously: $\sum_j P_j \otimes Q_j$."""

from collections.abc import Sequence

import numpy as np
from flint import arb

from thalweg.linalg._rounding import TINY, UNIT
from thalweg.linalg._scalars import ZERO, upper
from thalweg.linalg.enclose import Enclosed


def kronecker_sum(lefts: Sequence[Enclosed], rights: Sequence[Enclosed]) -> Enclosed:
    r"""Return $\sum_j P_j \otimes Q_j$ with a bound on all that was rounded.

    Args:
        lefts: The $P_j$, of one shape.
        rights: The $Q_j$, as many, of one shape.

    Returns:
        The sum, assembled in place: memory of two such matrices.

    Example:
        >>> from thalweg.linalg import enclose
        >>> one, two = enclose.matrix([[1.0, 2.0]]), enclose.matrix([[3.0], [4.0]])
        >>> kronecker_sum([one], [two]).midpoint.tolist()
        [[3.0, 6.0], [4.0, 8.0]]
    """
    rows, columns = (
        a * b for a, b in zip(lefts[0].shape, rights[0].shape, strict=True)
    )
    middle = np.zeros((rows, columns))
    error, scale = ZERO, ZERO
    for p, q in zip(lefts, rights, strict=True):
        with np.errstate(all="ignore"):
            middle += np.kron(p.midpoint, q.midpoint)
        # One rounding a product and one a sum, relative to what is there by then.
        scale += 2 * p.size * q.size
        error += p.size * q.radius + q.size * p.radius + arb(p.radius) * q.radius
        error += 2 * UNIT * scale + rows * columns * TINY
    return Enclosed(middle, upper(error) if np.isfinite(middle).all() else np.inf)
