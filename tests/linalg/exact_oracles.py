"""Oracles for the rigorous arithmetics that use neither flint nor float64."""

from fractions import Fraction

import mpmath
import numpy as np


def fraction(number) -> Fraction:
    """The exact value of a float, an integer, an mpf, or an exact arb."""
    if isinstance(number, mpmath.mpf):
        sign, mantissa, exponent, _ = number._mpf_
        mantissa = -int(mantissa) if sign else int(mantissa)
    elif hasattr(number, "man_exp"):
        mantissa, exponent = map(int, number.man_exp())
    else:
        return Fraction(number)
    return mantissa * Fraction(2) ** int(exponent)


def holds(ball, value, doubt=0) -> bool:
    """Whether `ball` holds a number known up to `doubt`."""
    if not ball.is_finite():
        return True
    distance = abs(fraction(ball.mid()) - fraction(value))
    return distance <= fraction(ball.rad()) + fraction(doubt)


def fractions(array) -> list[list[Fraction]]:
    return [[Fraction(x) for x in row] for row in np.asarray(array).tolist()]


def product(left, right):
    return [
        [sum(map(_times, row, c)) for c in zip(*right, strict=True)] for row in left
    ]


def difference(left, right):
    return [
        [a - b for a, b in zip(*rows, strict=True)]
        for rows in zip(left, right, strict=True)
    ]


def square_norm(table) -> Fraction:
    return sum((x * x for row in table for x in row), Fraction(0))


def singular_values(array, digits=60):
    """Singular values, descending, and how far off they may be."""
    with mpmath.workdps(digits + 20):
        table = mpmath.matrix([list(map(mpmath.mpf, row)) for row in array.tolist()])
        values = sorted(mpmath.svd_r(table, compute_uv=False), reverse=True)
        return values, values[0] * mpmath.mpf(10) ** -digits


def eigenvalues(array, digits=60):
    """Eigenvalues of a symmetric matrix, ascending, and how far off they may be."""
    with mpmath.workdps(digits + 20):
        table = mpmath.matrix([list(map(mpmath.mpf, row)) for row in array.tolist()])
        values = sorted(mpmath.eigsy(table, eigvals_only=True))
        largest = max(abs(values[0]), abs(values[-1]))
        return values, largest * mpmath.mpf(10) ** -digits


def _times(a: Fraction, b: Fraction) -> Fraction:
    return a * b
