"""How far two results may be apart, derived, and what a message looks like."""

import re
from decimal import Decimal

import numpy as np

EPS = float(np.finfo(np.float64).eps)


def norms(weights) -> float:
    """Product of the layers' Frobenius norms: the scale of a chain's rounding."""
    return float(np.prod([np.linalg.norm(np.asarray(w)) for w in weights]))


def close(found, expected, *, ulps, scale) -> None:
    """Compare up to `ulps` units of rounding at `scale`."""
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape
    gap = np.max(np.abs(found - expected), initial=0.0)
    assert gap <= ulps * EPS * scale, f"{gap} exceeds {ulps} ulps of {scale}"


def same_arrays(found, expected) -> None:
    """Compare bit for bit."""
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    assert found.tobytes() == expected.tobytes()


def half_unit(text: str) -> float:
    """Half a unit of the last digit of a number as printed."""
    number = Decimal(text)
    return float(Decimal(5).scaleb(number.as_tuple().exponent - 1))


def printed(found: float, text: str) -> bool:
    """Whether a number prints as `text` at the precision it was printed with."""
    return abs(found - float(text)) <= half_unit(text) * (1 + 1e-9)


def is_a_sentence(error) -> bool:
    """Whether a message says in one line and full sentences what was wrong."""
    text = str(error)
    return (
        "\n" not in text
        and text.endswith((".", "?"))
        and len(text) < 400
        and not re.search(r"\b(invalid|please)\b", text, re.IGNORECASE)
    )
