r"""The smallest eigenvalue of a large symmetric matrix, proved by one Cholesky factor.

Whatever real matrix $L$ is, $L L^\top$ has no negative eigenvalue. So for any shift
$\mu$, by Weyl,

$$\lambda_{\min}(A) \ge \mu - \|A - \mu I - L L^\top\|_F .$$

The factor comes from LAPACK and is not trusted; the distance is computed from it with
its own error bound. A shift a little below the smallest eigenvalue leaves a distance
of about $n^{3/2} u \|A\|$, as Rump's criterion does, which trusts the factorisation
instead of checking it. The other side is a Rayleigh quotient. One factorisation and
one product, a tenth of a full decomposition, in the memory of two matrices.

Source:
    S. M. Rump, Verification of positive definiteness, BIT 46 (2006).
"""

import math

import numpy as np
from flint import arb
from jaxtyping import Float
from scipy.linalg import LinAlgError, cho_solve, cholesky
from scipy.sparse.linalg import ArpackError, LinearOperator, eigsh

from thalweg.linalg._inputs import square
from thalweg.linalg._rounding import TINY, UNIT, frobenius, growth, scaled
from thalweg.linalg._scalars import NO_BOUND, ZERO, Ball, hull, sqrt, upper
from thalweg.linalg.enclose import Enclosed

__all__ = ["are_definite", "largest_eigenvalue", "smallest_eigenvalue"]

_PANEL = 512
_DENSE = 300
_RETREATS = (1.0, 8.0, 64.0, 1e4, 1e6)
_SMALL = 1e-140


def smallest_eigenvalue(a: Enclosed) -> Ball:
    """Enclose the smallest eigenvalue of a symmetric matrix.

    Args:
        a: Square matrix whose true value is symmetric, of up to 10,000 rows.

    Returns:
        The ball; of infinite radius where nothing is known of the matrix.
    """
    square(a.shape)
    if not (a.is_bounded and a.size.is_finite()):
        return NO_BOUND
    if not np.array_equal(a.midpoint, a.midpoint.T):
        a = 0.5 * (a + a.T)
    core, exponent = a.midpoint, 0
    if not 2.0**-300 < float(np.abs(core).max()) < 2.0**300:
        core, exponent = scaled(core)
    lost = arb(a.radius) * arb(2) ** -exponent
    if exponent:
        lost += core.size * TINY
    try:
        vector, guess = _lowest(core)
    except (LinAlgError, ArpackError):
        return NO_BOUND
    top = _rayleigh(core, vector) + lost.upper()
    low = _proved(core, guess, float(np.linalg.norm(core @ vector - guess * vector)))
    if low is None:
        return NO_BOUND
    return hull(low - lost.upper(), top.upper()) * arb(2) ** exponent


def largest_eigenvalue(a: Enclosed) -> Ball:
    """Enclose the largest eigenvalue of a symmetric matrix; see the smallest."""
    return -smallest_eigenvalue(-a)


def are_definite(
    stack: Float[np.ndarray, "batch out out"], floors: Float[np.ndarray, " batch"]
) -> np.ndarray:
    """Say of many symmetric matrices which surely have no eigenvalue below a floor.

    Args:
        stack: Exactly symmetric matrices, taken as exact.
        floors: What each smallest eigenvalue is compared with.

    Returns:
        For each whether it is proved; one that is not may still be true.
    """
    size = stack.shape[-1]
    unit, eye = float(UNIT), np.eye(size)
    with np.errstate(all="ignore"):
        norms = np.sqrt(np.einsum("bij,bij->b", stack, stack)) + np.abs(floors)
        energy = np.abs(stack.trace(axis1=1, axis2=2)) + norms
        room = 8.0 * (size + 8) * unit * (energy + 2 * size * np.abs(floors))
        shifts = floors + room + _SMALL
        moved = stack - shifts[:, None, None] * eye
        factors = _factors(moved)
        products = factors @ factors.transpose(0, 2, 1)
        rest = moved - products
        # Each entry is off by gamma_n of a product of rows, and by three roundings.
        energy = np.einsum("bij,bij->b", factors, factors)
        errors = (
            np.sqrt(np.einsum("bij,bij->b", rest, rest))
            + 2.0 * (size + 4) * unit * (energy + norms + size * np.abs(shifts))
            + size * 1e-10 * _SMALL
        )
        return np.asarray(errors * (1 + 1e-12 * size) < shifts - floors)


def _factors(stack: Float[np.ndarray, "batch out out"]) -> np.ndarray:
    try:
        return np.linalg.cholesky(stack)
    except np.linalg.LinAlgError:
        single = []
        for matrix in stack:
            try:
                single.append(np.linalg.cholesky(matrix))
            except np.linalg.LinAlgError:
                single.append(np.full_like(matrix, np.nan))
        return np.stack(single)


def _lowest(core: Float[np.ndarray, "out out"]) -> tuple[np.ndarray, float]:
    """Return approximations of the lowest unit eigenvector and its eigenvalue."""
    size = len(core)
    if size <= _DENSE:
        values, vectors = np.linalg.eigh(core)
        return vectors[:, 0], float(values[0])
    start = 1.0 + np.arange(size) % 7 / 7
    try:
        factor = cholesky(core, lower=True, check_finite=False)
    except LinAlgError:
        values, vectors = eigsh(core, k=1, which="SA", v0=start, tol=1e-6)
        return vectors[:, 0], float(values[0])
    inverse = LinearOperator(
        (size, size), lambda v: cho_solve((factor, True), v, check_finite=False)
    )
    values, vectors = eigsh(inverse, k=1, which="LM", v0=start, tol=1e-9)
    return vectors[:, 0], 1 / float(values[0])


def _rayleigh(core: Float[np.ndarray, "out out"], vector: np.ndarray) -> Ball:
    column = Enclosed(vector[:, None] / np.linalg.norm(vector))
    value = column.T @ (Enclosed(core) @ column)
    length = frobenius(column.midpoint)
    return (arb(float(value.midpoint[0, 0])) + arb(0, value.radius)) / length**2


def _proved(
    core: Float[np.ndarray, "out out"], guess: float, doubt: float
) -> Ball | None:
    """Return a number below every eigenvalue, as near the guess as can be proved."""
    size = len(core)
    room = float(UNIT) * size * abs(float(np.trace(core))) + doubt
    room += float(UNIT) * math.sqrt(size) * upper(frobenius(core)) + _SMALL
    for retreat in _RETREATS:
        shift = guess - retreat * room
        factor = core.copy(order="F")
        factor[np.diag_indices(size)] -= shift
        try:
            factor = cholesky(factor, lower=True, overwrite_a=True, check_finite=False)
        except LinAlgError:
            continue
        distance = _distance(core, shift, factor)
        if distance.is_finite():
            return arb(shift) - distance.upper()
    return None


def _distance(
    core: Float[np.ndarray, "out out"], shift: float, factor: np.ndarray
) -> Ball:
    r"""Return a bound on $\|A - \mu I - L L^\top\|_F$ for a lower triangular $L$."""
    size, squares = len(core), ZERO
    for first in range(0, size, _PANEL):
        last = min(first + _PANEL, size)
        rows = factor[first:last, :last]
        rest = core[first:last, :last] - rows @ factor[:last, :last].T
        before = frobenius(rest)
        here = np.arange(first, last)
        rest[here - first, here] -= shift
        after = frobenius(rest)
        panel = after + UNIT * (before + after)
        # The strict upper triangle mirrors what is left of the diagonal block.
        squares += 2 * panel * panel
    energy = frobenius(factor)
    return sqrt(squares) + 2 * growth(size) * energy * energy + 4 * size**3 * TINY
