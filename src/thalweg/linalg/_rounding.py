r"""What float64 matrix arithmetic can be wrong by, proven.

Assumed of the machine: binary64 rounded to nearest, and matrix products that sum
the classical products in some order, fused or not. Then, with unit roundoff
$u = 2^{-53}$ and $\gamma_k = ku/(1 - ku)$ (Higham, Accuracy and Stability of
Numerical Algorithms, ch. 3),
$\|\mathrm{fl}(AB) - AB\|_F \le \gamma_k \|A\|_F \|B\|_F$ for inner size $k$, plus an
absolute term for products that underflow. That term is written with $2^{-1022}$
rather than $2^{-1074}$, so a kernel that flushes subnormal results is covered too.
Scalars are balls throughout, so none of these formulas rounds or overflows itself.
"""

import math

import numpy as np
from flint import arb
from jaxtyping import Float

from thalweg.linalg._scalars import NO_BOUND, ZERO, Ball, positive_part, sqrt

UNIT = arb(2) ** -53
TINY = arb(2) ** -1022
_COMFORTABLE = 2.0**400


def growth(size: int) -> Ball:
    r"""Return $\gamma_k$, the relative error of a sum of `size` products."""
    return size * UNIT / (1 - size * UNIT)


def frobenius(array: Float[np.ndarray, "out in"]) -> Ball:
    """Return a ball that holds the Frobenius norm of `array`, taken as exact.

    Args:
        array: Float64 numbers of shape `(out, in)`, not all of them finite perhaps.

    Returns:
        The ball, of infinite radius if an entry is NaN or infinite.
    """
    largest = max(float(array.max()), -float(array.min()))
    if largest == 0:
        return ZERO
    if not largest < math.inf:
        return NO_BOUND
    exponent = 0
    if not 1 / _COMFORTABLE < largest < _COMFORTABLE:
        array, exponent = scaled(array)
    flat = array.ravel(order="K")
    lost = array.size * TINY
    squares = (float(flat @ flat) + arb(0, 2 * lost)) / arb(1, growth(array.size))
    size = sqrt(squares) + arb(0, lost if exponent else ZERO)
    return positive_part(size * arb(2) ** exponent)


def scaled(
    array: Float[np.ndarray, "out in"],
) -> tuple[Float[np.ndarray, "out in"], int]:
    """Divide by a power of two so that products of entries stay in range.

    Args:
        array: Finite float64 numbers of shape `(out, in)`.

    Returns:
        The quotient, its largest entry between 2^-75 and 2^25, and the exponent of
            the divisor. It is exact but for entries that become subnormal: the
            error is at most `array.size * TINY` in Frobenius norm.
    """
    largest = max(float(array.max()), -float(array.min()))
    exponent = min(max(math.frexp(largest)[1], -1000), 1000)
    return array * 2.0**-exponent, exponent


def product_error(left: Ball, right: Ball, shape: tuple[int, int], inner: int) -> Ball:
    """Return a bound on the Frobenius norm of what a rounded product is wrong by.

    Args:
        left: Ball of the Frobenius norm of the left factor.
        right: The same of the right factor.
        shape: Shape of the product.
        inner: Number of products summed in each entry.

    Returns:
        The bound, valid if nothing overflows.
    """
    if left == 0 or right == 0:
        return ZERO
    return growth(inner) * left * right + (2 * shape[0] * shape[1] * inner) * TINY
