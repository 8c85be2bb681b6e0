"""Whether a recursion of one number falls below a goal in so many steps."""

from collections.abc import Callable
from typing import Any

from flint import arb

FINENESS = (1e-2, 1e-3, 1e-4)
"""How much the gain of a step may change within a leap, relative to itself."""

MOST_LEAPS = 30_000


def reaches(
    factor: Callable[[Any, Any], Any],
    start: Any,
    goal: Any,
    iterations: int,
    *,
    rising: bool = True,
) -> bool:
    """Return whether an error is proved to be at most `goal` after so many steps.

    Args:
        factor: Of `high` and `low`: a step from any error between them multiplies it
            by at most this.
        start: The first error.
        goal: What it is to be at most.
        iterations: Steps, at most.
        rising: Whether larger errors are larger, too, after a step.

    Returns:
        Whether it is.
    """
    single = _rising if rising else _falling
    return any(
        _leap(factor, single, fine, (start, goal, iterations)) for fine in FINENESS
    )


def _leap(
    factor: Callable[[Any, Any], Any],
    single: Callable[[Any, Any], Any],
    fine: float,
    task: tuple[Any, Any, int],
) -> bool:
    start, goal, iterations = task
    high, left, length = start.upper(), iterations, 1
    gain = 1 - factor(high, high)
    for _ in range(MOST_LEAPS):
        if high <= goal:
            return True
        if not left or not 0 < gain <= 1:
            return False
        length = min(length, left)
        ahead = single(factor, high) if length == 1 else _many(factor, high, length)
        next_gain = 1 - factor(ahead, ahead)
        change = abs(next_gain - gain)
        if length > 1 and not change <= fine * gain:
            length //= 2
            continue
        high, gain, left = ahead, next_gain, left - length
        length *= 2 if 4 * change <= fine * gain else 1
    return False


def _many(factor: Callable[[Any, Any], Any], high: Any, length: int) -> Any:
    """Return a bound on the error after many steps from at most `high`."""
    # While the error is above `low` it shrinks by `factor(high, low)`; once it is
    # below it stays there.
    low = (high * factor(high, high) ** length).lower()
    return (high * factor(high, low) ** length).upper().max(low)


def _rising(factor: Callable[[Any, Any], Any], high: Any) -> Any:
    """Return a bound on the error after a step, the largest from the largest."""
    return (high * factor(high, high)).upper()


def _falling(factor: Callable[[Any, Any], Any], high: Any) -> Any:
    """Return a bound on the error after a step, looked for piece by piece."""
    narrow = ((1 - factor(high, high)) / 8).min(arb(0.01)).lower()
    best, top = arb(0), high
    while top > best:
        low = (top * (1 - narrow)).lower()
        best, top = best.max((top * factor(top, low)).upper()), low
    return best
