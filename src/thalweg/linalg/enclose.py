r"""Rigorous float64: a matrix and a proven bound on what it is wrong by.

The same names as in `floats` and `balls`. A matrix is an `Enclosed`, a scalar a
ball. Products and sums run in NumPy (never in XLA, which flushes subnormals); the
bounds are those of `_rounding`.

Spectra come from LAPACK factors that are not trusted. With
$\alpha \ge \|U^\top U - I\|_F$, $\beta \ge \|V^\top V - I\|_F$ and
$\rho \ge \|A - U \mathrm{diag}(s) V^\top\|_F$, all three computed with their own
error bounds, for every index $i$

$$s_i \sqrt{(1-\alpha)(1-\beta)} - \rho \le \sigma_i(A)
  \le s_i \sqrt{(1+\alpha)(1+\beta)} + \rho$$

since $\sigma_{\min}(U)\, s_i\, \sigma_{\min}(V) \le \sigma_i(U \mathrm{diag}(s) V^\top)
\le \sigma_{\max}(U)\, s_i\, \sigma_{\max}(V)$, and by Weyl. For symmetric matrices and
square $V$, Ostrowski gives $\lambda_i(V \mathrm{diag}(d) V^\top) = \theta_i d_i$ with
$\theta_i \in [1-\alpha, 1+\alpha]$. What the matrix itself is wrong by adds to $\rho$.
When a bound is lost (overflow, $\alpha \ge 1$, LAPACK fails) the balls are infinite.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from flint import arb
from jaxtyping import Float

from thalweg.linalg._inputs import check_equal, check_inner, exact_floats, square
from thalweg.linalg._rounding import (
    TINY,
    UNIT,
    frobenius,
    product_error,
    scaled,
)
from thalweg.linalg._scalars import (
    NO_BOUND,
    ZERO,
    Ball,
    absolute,
    hull,
    largest,
    log,
    positive_part,
    power,
    prod,
    scalar,
    smallest,
    sqrt,
    total,
    upper,
)

__all__ = [
    "Enclosed",
    "absolute",
    "eigenvalues",
    "identity",
    "largest",
    "log",
    "matrix",
    "norm",
    "positive_part",
    "power",
    "prod",
    "scalar",
    "singular_values",
    "smallest",
    "smallest_singular_value",
    "spectral_norm",
    "sqrt",
    "total",
    "trace",
    "widened",
]

_SAFE = 2.0**1000


@dataclass(frozen=True, eq=False)
class Enclosed:
    """All matrices within `radius` of `midpoint` in Frobenius norm.

    Attributes:
        midpoint: Float64 matrix of shape `(out, in)`; says nothing, and may hold
            NaN, where the radius is infinite.
        radius: Bound on the Frobenius norm of true minus midpoint; `>= 0`, `inf`
            where there is no bound.
    """

    midpoint: Float[np.ndarray, "out in"]
    radius: float = 0.0

    # Makes `array @ enclosed` an error instead of an array of objects.
    __array_ufunc__ = None

    @property
    def shape(self) -> tuple[int, int]:
        """Return the numbers of rows and columns."""
        rows, columns = self.midpoint.shape
        return rows, columns

    @property
    def T(self) -> "Enclosed":  # noqa: N802
        """Return the transpose, exactly."""
        return Enclosed(self.midpoint.T, self.radius)

    @cached_property
    def size(self) -> Ball:
        """Return the Frobenius norm of the midpoint."""
        return frobenius(self.midpoint)

    @property
    def is_bounded(self) -> bool:
        """Return whether anything is known about the matrix."""
        return self.radius < math.inf

    def __matmul__(self, other: object) -> "Enclosed":
        """Return the product."""
        if not isinstance(other, Enclosed):
            return NotImplemented
        check_inner(self.shape, other.shape)
        with np.errstate(all="ignore"):
            midpoint = self.midpoint @ other.midpoint
        error = (
            product_error(self.size, other.size, midpoint.shape, self.shape[1])
            + self.size * other.radius
            + self.radius * other.size
            + arb(self.radius) * other.radius
        )
        if not (self.size * other.size < _SAFE or np.isfinite(midpoint).all()):
            error = NO_BOUND
        return Enclosed(midpoint, upper(error))

    def __add__(self, other: object) -> "Enclosed":
        """Return the sum."""
        if not isinstance(other, Enclosed):
            return NotImplemented
        return self._combined(other, np.add)

    def __sub__(self, other: object) -> "Enclosed":
        """Return the difference."""
        if not isinstance(other, Enclosed):
            return NotImplemented
        return self._combined(other, np.subtract)

    def __neg__(self) -> "Enclosed":
        """Return the negative, exactly."""
        return Enclosed(-self.midpoint, self.radius)

    def __mul__(self, other: object) -> "Enclosed":
        """Return the multiple by an integer, a float or a ball."""
        if not isinstance(other, int | float | np.integer | arb):
            return NotImplemented
        ball = other if isinstance(other, arb) else scalar(other)
        factor = float(ball.mid())
        if not math.isfinite(factor):
            return Enclosed(self.midpoint, math.inf)
        with np.errstate(all="ignore"):
            midpoint = self.midpoint * factor
            exact = factor == 0 or (
                math.frexp(abs(factor))[0] == 0.5
                and np.array_equal(midpoint / factor, self.midpoint)
            )
        result = Enclosed(midpoint)
        lost = ZERO if exact else 2 * UNIT * result.size + midpoint.size * TINY
        error = lost + abs(ball) * self.radius + abs(ball - factor) * self.size
        return Enclosed(midpoint, upper(error))

    __rmul__ = __mul__

    def _combined(self, other: "Enclosed", operation: Any) -> "Enclosed":
        check_equal(self.shape, other.shape)
        with np.errstate(all="ignore"):
            result = Enclosed(operation(self.midpoint, other.midpoint))
        # Sums are exact where they underflow, so a relative error is all there is.
        error = UNIT * result.size + arb(self.radius) + other.radius
        return Enclosed(result.midpoint, upper(error))


def matrix(array: Any) -> Enclosed:
    """Return a float64 array as an exact matrix.

    NaN and infinities are refused with a `DataError`, another number of axes with a
    `ShapeError`.

    Args:
        array: Finite numbers of shape `(out, in)`; copied.

    Returns:
        The matrix, of radius zero.

    Example:
        >>> product = matrix([[0.1, 0.2]]) @ matrix([[0.3], [0.4]])
        >>> product.midpoint.round(3).tolist(), product.radius < 1e-16
        ([[0.11]], True)
    """
    return Enclosed(exact_floats(array))


def widened(a: Enclosed, radius: float) -> Enclosed:
    """Return every matrix within `radius >= 0` of `a` in Frobenius norm."""
    return Enclosed(a.midpoint, upper(arb(a.radius) + arb(radius)))


def identity(size: int) -> Enclosed:
    """Return the identity of shape `(size, size)`, `size >= 1`."""
    return Enclosed(np.eye(size))


def norm(a: Enclosed) -> Ball:
    """Return the Frobenius norm."""
    return positive_part(_widened(a.size, arb(a.radius)))


def spectral_norm(a: Enclosed) -> Ball:
    """Return the largest singular value; one singular value decomposition."""
    return singular_values(a)[0]


def smallest_singular_value(a: Enclosed) -> Ball:
    """Return the last of the `min(a.shape)` singular values; one decomposition."""
    return singular_values(a)[-1]


def singular_values(a: Enclosed) -> list[Ball]:
    """Enclose every singular value.

    Args:
        a: Matrix of shape `(out, in)`.

    Returns:
        The balls of the `min(out, in)` singular values, descending. Cost: one
            decomposition in float64 and three products.
    """
    count = min(a.shape)
    if not (a.is_bounded and a.size.is_finite()):
        return [NO_BOUND] * count
    core, exponent = scaled(a.midpoint)
    try:
        left, strengths, right = np.linalg.svd(core, full_matrices=False)
    except np.linalg.LinAlgError:
        return [NO_BOUND] * count
    u, vt = Enclosed(left), Enclosed(right)
    alpha, beta = _gap(u.T @ u), _gap(vt @ vt.T)
    rest = Enclosed(core) - _columns_scaled(u, strengths) @ vt
    if not (alpha < 1 and beta < 1 and rest.is_bounded):
        return [NO_BOUND] * count
    rho = norm(rest).upper() + core.size * TINY + _ldexp(arb(a.radius), -exponent)
    stretch = hull(
        sqrt((1 - alpha) * (1 - beta)).lower(), sqrt((1 + alpha) * (1 + beta)).upper()
    )
    ordered = np.sort(np.abs(strengths))[::-1].tolist()
    unit = arb(2) ** exponent
    return [positive_part(_widened(s * stretch, rho) * unit) for s in ordered]


def eigenvalues(a: Enclosed) -> list[Ball]:
    """Enclose every eigenvalue of a matrix that is symmetric.

    Args:
        a: Square matrix whose true value is symmetric; its midpoint need not be.

    Returns:
        The balls of the eigenvalues, ascending. Cost: one decomposition in float64
            and two products.
    """
    count = square(a.shape)
    if not (a.is_bounded and a.size.is_finite()):
        return [NO_BOUND] * count
    # Averaging with the transpose moves no matrix further from a symmetric one.
    core, exponent = scaled(a.midpoint)
    middle = Enclosed(core)
    if not np.array_equal(core, core.T):
        middle = 0.5 * (middle + middle.T)
    try:
        values, vectors = np.linalg.eigh(middle.midpoint)
    except np.linalg.LinAlgError:
        return [NO_BOUND] * count
    v = Enclosed(vectors)
    alpha = _gap(v.T @ v)
    rest = middle - _columns_scaled(v, values) @ v.T
    if not (alpha < 1 and rest.is_bounded):
        return [NO_BOUND] * count
    rho = norm(rest).upper() + core.size * TINY + _ldexp(arb(a.radius), -exponent)
    stretch, unit = arb(1, alpha), arb(2) ** exponent
    return [_widened(d * stretch, rho) * unit for d in np.sort(values).tolist()]


def trace(a: Enclosed) -> Ball:
    """Return the sum of the diagonal."""
    middle = a.midpoint.diagonal().tolist()
    if not (a.is_bounded and all(map(math.isfinite, middle))):
        return NO_BOUND
    return _widened(
        sum(map(arb, middle), ZERO), sqrt(arb(square(a.shape))) * arb(a.radius)
    )


def _gap(gram: Enclosed) -> Ball:
    return norm(gram - identity(gram.shape[0])).upper()


def _columns_scaled(a: Enclosed, factors: Float[np.ndarray, " mode"]) -> Enclosed:
    result = Enclosed(a.midpoint * factors)
    error = 2 * UNIT * result.size + result.midpoint.size * TINY
    return Enclosed(result.midpoint, upper(error))


def _widened(ball: Ball, error: Ball) -> Ball:
    return ball + arb(0, error) if error.is_finite() else NO_BOUND


def _ldexp(ball: Ball, exponent: int) -> Ball:
    return ball * arb(2) ** exponent
