r"""A point about where two Newton steps lead from an iterate.

Notation: as in `_shared.march`. The anchor is $\theta_0 + J_0^* Z$ with a matrix $Z$ of
floats, found by two simplified Newton steps; what it is exactly follows from $Z$.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.sparse.linalg import LinearOperator, cg

from thalweg.linalg import balls, enclose
from thalweg.theorems._base import Ball
from thalweg.theorems._shared.gram import Iterate
from thalweg.theorems._shared.march import Near
from thalweg.theorems._shared.modes import Spectrum, spectrum_of

_DENSE = 400
_STEPS = 2


@dataclass(frozen=True, eq=False)
class Anchor:
    """An iterate's anchor, with what a march needs of both.

    Attributes:
        near: The numbers, in balls.
        spectrum: The residual along the anchor's modes; `None` for large nets.
    """

    near: Near
    spectrum: Spectrum | None


@lru_cache(maxsize=8)
def anchor_of(iterate: Iterate) -> Anchor | None:
    """Return the anchor of an iterate; `None` where none is found.

    Args:
        iterate: With a positive smallest singular value.

    Returns:
        The anchor, everything enclosed.
    """
    low, high = iterate.ends
    ahead, reach = _ahead(iterate)
    if ahead is None:
        return None
    ends = ahead.ends
    near = Near(iterate.error, low, high, ahead.error, *ends, reach)
    finite = all(ball.is_finite() for ball in near.__dict__.values())
    if not finite:
        return None
    small = iterate.rows <= _DENSE
    return Anchor(near, spectrum_of(iterate, ahead) if small else None)


def _ahead(iterate: Iterate) -> tuple[Iterate | None, Ball]:
    """Return the anchor as an iterate, and its distance."""
    weight = np.zeros(iterate.labels.shape)
    ahead, moved = iterate, None
    for _ in range(_STEPS):
        error = ahead.residual.midpoint
        if not np.isfinite(error).all():
            break
        weight = weight - _solved(iterate, error)
        if not np.isfinite(weight).all():
            break
        moved = iterate.pulled(enclose.matrix(weight))
        layers = zip(iterate.layers, moved, strict=True)
        ahead = iterate.moved(tuple(layer + part for layer, part in layers))
    if moved is None:
        return None, balls.scalar(0)
    return ahead, balls.sqrt(balls.total(enclose.norm(part) ** 2 for part in moved))


def _solved(iterate: Iterate, error: np.ndarray) -> np.ndarray:
    """Return about the matrix $K$ takes to another."""
    if iterate.rows <= _DENSE:
        gram = iterate.gram.midpoint
        try:
            found = np.linalg.solve(gram, error.ravel(order="F"))
        except np.linalg.LinAlgError:
            return np.full(error.shape, np.nan)
        return found.reshape(error.shape, order="F")
    pairs = [
        (iterate.right(j).midpoint, iterate.left(j).midpoint)
        for j in range(1, iterate.depth + 1)
    ]

    def gram_of(vector: np.ndarray) -> np.ndarray:
        weight = vector.reshape(error.shape, order="F")
        return sum(q @ weight @ p for p, q in pairs).ravel(order="F")

    operator = LinearOperator((iterate.rows, iterate.rows), gram_of, dtype=float)
    found, _ = cg(operator, error.ravel(order="F"), rtol=1e-8, maxiter=500)
    return np.asarray(found).reshape(error.shape, order="F")
