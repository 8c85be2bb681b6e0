"""Numbers in ball arithmetic."""

from collections.abc import Sequence
from functools import reduce
from operator import mul
from typing import Any

from flint import arb

PRECISION = 384
"""Bits in which everything is computed."""

UNKNOWN = arb("nan")
"""A number nothing is known of: no claim about it is proved."""


def product(factors: Sequence[Any]) -> Any:
    """Return the product of numbers or matrices, from left to right."""
    return reduce(mul, factors)


def square(ball: Any) -> Any:
    """Return the square of a ball, never below zero."""
    if not ball.contains(0):
        return ball * ball
    far = abs(ball).upper()
    return arb(0).union(far * far)


def root(ball: Any, order: int = 2) -> Any:
    """Return a root of a number that is at least 0, whatever its ball says."""
    if ball.lower() >= 0:
        return ball.sqrt() if order == 2 else ball.root(order)
    return arb(0).union(root(ball.upper(), order)) if ball.upper() >= 0 else UNKNOWN


def power(ball: Any, top: int, bottom: int = 1) -> Any:
    """Return a number that is at least 0 to the power `top / bottom`."""
    raised = ball**top
    return raised if bottom == 1 else root(raised, bottom)


def max_of(balls: Sequence[Any]) -> Any:
    """Return the ball of the largest of some numbers."""
    return reduce(lambda a, b: a.max(b), balls)


def min_of(balls: Sequence[Any]) -> Any:
    """Return the ball of the smallest of some numbers."""
    return reduce(lambda a, b: a.min(b), balls)


def positive_part(ball: Any) -> Any:
    """Return the ball of the larger of a number and zero."""
    return ball.max(arb(0))
