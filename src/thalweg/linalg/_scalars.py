"""Single numbers as balls, shared by the two rigorous arithmetics.

A ball is a `flint.arb`: a midpoint and a radius that surely holds the true number.
Nothing here raises because a bound was lost: a ball that says nothing has infinite
radius, and every comparison with it is false.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

import numpy as np
from flint import arb, ctx, fmpq

from thalweg._core.errors import DataError, DomainError

Ball = Any
"""A `flint.arb`; python-flint has no types to name."""

NO_BOUND = arb(0, math.inf)
ZERO = arb(0)


@contextmanager
def working_precision(bits: int) -> Iterator[None]:
    """Compute with balls at another precision inside a `with` block.

    Args:
        bits: Bits of every midpoint, `>= 2`; Python's float has 53.

    Yields:
        Nothing; the precision before is restored on leaving.

    Raises:
        DomainError: If there are fewer than two bits.

    Example:
        >>> with working_precision(200):
        ...     narrow = sqrt(2)
        >>> bool(narrow.rad() < 1e-59)
        True
    """
    if bits < 2:
        raise DomainError(f"bits is {bits}; a ball needs at least 2.")
    before = ctx.prec
    ctx.prec = bits
    try:
        yield
    finally:
        ctx.prec = before


def scalar(value: Any) -> Ball:
    """Return the ball of one number.

    Args:
        value: An integer or float, taken exactly; a `Fraction`, taken exactly up
            to the working precision; or a ball, returned as it is.

    Returns:
        The ball.

    Raises:
        DataError: If it is NaN, infinite or not a real number.
    """
    if isinstance(value, arb):
        return value
    if isinstance(value, int | np.integer):
        return arb(int(value))
    if isinstance(value, Fraction):
        return arb(fmpq(value.numerator, value.denominator))
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise DataError(f"value is {value!r}; it must be a finite real number.")
    return arb(number)


def interval(lo: float, hi: float) -> Ball:
    """Return a ball that holds every number from `lo` to `hi`.

    Args:
        lo: Lower end; may be `-inf`.
        hi: Upper end, `>= lo`; may be `inf`.

    Returns:
        The ball, a little wider than asked; of infinite radius if an end is.

    Raises:
        DomainError: If the ends are NaN or in the wrong order.
    """
    if not lo <= hi:
        raise DomainError(f"the interval goes from {lo} to {hi}; order its ends.")
    return hull(arb(lo), arb(hi))


def hull(lo: Ball, hi: Ball) -> Ball:
    """Return one ball that holds both, of infinite radius if one is not finite."""
    ball = lo.union(hi)
    return ball if ball.is_finite() else NO_BOUND


def upper(ball: Ball) -> float:
    """Return a float that no number of the ball exceeds; `inf` if there is none."""
    if ball.is_nan():
        return math.inf
    top = ball.upper()
    number = float(top)
    while number < math.inf and not arb(number) >= top:
        number = math.nextafter(number, math.inf)
    return number


def bounds(ball: Ball) -> tuple[float, float]:
    """Return the ends of a ball as floats, rounded outward.

    Args:
        ball: Any ball, also NaN.

    Returns:
        A pair `lo`, `hi` such that every number of the ball lies between them;
        infinite where there is no bound.

    Example:
        >>> lo, hi = bounds(scalar(Fraction(1, 3)))
        >>> Fraction(lo) < Fraction(1, 3) < Fraction(hi)
        True
    """
    return -upper(-ball), upper(ball)


def largest(values: Iterable[Ball]) -> Ball:
    """Return a ball that holds the maximum of the true values.

    Args:
        values: At least one ball.

    Returns:
        The ball from the largest lower end to the largest upper end.

    Raises:
        DomainError: If there are no values.
    """
    balls = [scalar(value) for value in values]
    if not balls:
        raise DomainError("the largest of no values was asked for; pass at least one.")
    if not all(ball.is_finite() for ball in balls):
        return NO_BOUND
    return hull(
        max(ball.lower() for ball in balls), max(ball.upper() for ball in balls)
    )


def smallest(values: Iterable[Ball]) -> Ball:
    """Return a ball that holds the minimum of the true values.

    Args:
        values: At least one ball.

    Returns:
        The ball from the smallest lower end to the smallest upper end.

    Raises:
        DomainError: If there are no values.
    """
    balls = [scalar(value) for value in values]
    if not balls:
        raise DomainError("the smallest of no values was asked for; pass at least one.")
    return -largest(-ball for ball in balls)


def total(values: Iterable[Ball]) -> Ball:
    """Return the sum; zero of no values."""
    return _known(sum((scalar(value) for value in values), ZERO))


def prod(values: Iterable[Ball]) -> Ball:
    """Return the product; one of no values."""
    return _known(math.prod((scalar(value) for value in values), start=arb(1)))


def absolute(value: Ball) -> Ball:
    """Return the absolute value."""
    ball = scalar(value)
    return largest([ball, -ball])


def positive_part(value: Ball) -> Ball:
    """Return the larger of the value and zero."""
    ball = scalar(value)
    return ball if ball.is_finite() and ball >= 0 else largest([ball, ZERO])


def sqrt(value: Ball) -> Ball:
    """Return the square root of a number known to be `>= 0`; see `power`."""
    return power(value, 1, 2)


def power(value: Ball, p: int, q: int = 1) -> Ball:
    """Return `value ** (p / q)` of a number that is known to be `>= 0`.

    What lies below zero in the ball is cut off, so the result is right only if
    the true number is not negative. Zero to a positive power is zero.

    Args:
        value: Ball of a nonnegative number.
        p: Numerator of the exponent, any sign.
        q: Denominator of the exponent, `>= 1`.

    Returns:
        The ball; of infinite radius if `value` is surely negative, or may be zero
        while `p` is negative.

    Raises:
        DomainError: If `q` is not positive.

    Example:
        >>> power(scalar(8), 2, 3).contains(4)
        True
    """
    if q < 1:
        raise DomainError(f"q is {q}; the exponent p/q needs q >= 1.")
    exponent = Fraction(p, q)
    p, q = exponent.numerator, exponent.denominator
    if p == 0:
        return arb(1)
    if p < 0:
        return _known(1 / power(value, -p, q))
    return _increasing(scalar(value), lambda x: x.root(q) ** p if x > 0 else ZERO)


def log(value: Ball) -> Ball:
    """Return the natural logarithm; infinite radius unless surely positive."""
    ball = scalar(value)
    return _increasing(ball, lambda x: x.log()) if ball > 0 else NO_BOUND


def _increasing(ball: Ball, function: Callable[[Ball], Ball]) -> Ball:
    if not ball.is_finite() or ball < 0:
        return NO_BOUND
    if ball.is_exact():
        return function(ball)
    return hull(function(ball.lower()), function(ball.upper()))


def _known(ball: Ball) -> Ball:
    return ball if ball.is_finite() else NO_BOUND
