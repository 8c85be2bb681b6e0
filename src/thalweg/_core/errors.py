"""Every exception Thalweg raises, in one family.

An exception means that the caller made a mistake, before anything ran. A run
that ends badly is an `Outcome`; a hypothesis that fails is a `Verdict`.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any


class ThalwegError(Exception):
    """Base of every exception of the package; its text is one clear sentence."""

    def __str__(self) -> str:
        """Return the message without the quotes that `KeyError` would add."""
        return str(self.args[0]) if self.args else ""


class ShapeError(ThalwegError, ValueError):
    """Arrays that do not fit together."""


class DomainError(ThalwegError, ValueError):
    """A number, word or combination outside what is meaningful."""


class UnknownName(ThalwegError, KeyError):
    """A name that stands on no shelf."""


class DataError(ThalwegError, ValueError):
    """A data file or array that cannot be used as it is."""


class StoreError(ThalwegError, OSError):
    """A saved result that is missing, half written or altered."""


class ConfigError(ThalwegError, ValueError):
    """Faults of a settings file, all of them at once."""


class RunFailed(ThalwegError, RuntimeError):
    """A single run that did not end well, raised only where `throw=True`."""


def unknown(name: str, known: Iterable[str], what: str) -> UnknownName:
    """Return the error for `name`, with the nearest of the `known` names.

    Args:
        name: What came.
        known: Every name that would have been accepted.
        what: Where it was looked for, as in "the shelf measures".

    Returns:
        The exception, to be raised by the caller.

    Example:
        >>> str(unknown("los", ["loss", "imbalance"], "the shelf measures"))
        "no entry 'los' on the shelf measures. Did you mean 'loss'?"
    """
    known = sorted(known)
    spelled = {entry.lower(): entry for entry in known}
    near = get_close_matches(name.lower(), list(spelled), n=1, cutoff=0.5)
    hint = (
        f"Did you mean '{spelled[near[0]]}'?"
        if near
        else f"It holds: {', '.join(known)}."
    )
    return UnknownName(f"no entry '{name}' on {what}. {hint}")


def positive(name: str, value: Any, remedy: str = "") -> float:
    """Return `value`, or raise if it is not a finite number above zero.

    Args:
        name: The argument's name, for the message.
        value: Must be a number, `> 0` and finite.
        remedy: What to do instead, appended to the message.

    Returns:
        The value as a float.

    Raises:
        DomainError: If it is no number, zero, negative, infinite or NaN.
    """
    if not _is_number(value) or not 0 < value < float("inf"):
        tail = f" {remedy}" if remedy else ""
        raise DomainError(
            f"{name} is {_told(value)}; it must be positive and finite.{tail}"
        )
    return float(value)


def at_least_zero(name: str, value: Any) -> float:
    """Return `value`, or raise if it is not a finite number of at least zero.

    Args:
        name: The argument's name, for the message.
        value: Must be a number, `>= 0` and finite.

    Returns:
        The value as a float.

    Raises:
        DomainError: If it is no number, negative, infinite or NaN.
    """
    if not _is_number(value) or not 0 <= value < float("inf"):
        raise DomainError(f"{name} is {_told(value)}; it must be a finite number >= 0.")
    return float(value)


def whole(name: str, value: Any, least: int = 0) -> int:
    """Return `value` as an integer, or raise if it is not a whole number.

    Args:
        name: The argument's name, for the message.
        value: Must be a whole number, as `3` or `3.0`.
        least: The smallest allowed.

    Returns:
        The integer.

    Raises:
        DomainError: If it is no whole number, or below `least`.
    """
    if not _is_number(value) or value % 1 != 0 or value < least:
        raise DomainError(
            f"{name} is {_told(value)}; it must be a whole number >= {least}."
        )
    return int(value)


def _told(value: Any) -> str:
    return repr(value) if isinstance(value, str) else str(value)


def _is_number(value: Any) -> bool:
    """Return whether a value compares with numbers, and is not a truth value."""
    return hasattr(value, "__float__") and not isinstance(value, bool | str)
