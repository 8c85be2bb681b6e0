r"""How sure a count makes a share: Wilson's interval, and what no success proves.

Of $n$ independent runs $k$ end in a limit. Wilson's interval holds the shares $p$ that
differ from $k/n$ by at most $z \sqrt{p (1 - p) / n}$; it never leaves $[0, 1]$ and is
sensible at $k = 0$, where the textbook's $\pm z \sqrt{\hat p (1 - \hat p) / n}$ has
length zero. Its coverage is near the confidence, on average; the bound of Clopper and
Pearson has at least that coverage, always.
"""

import math
from dataclasses import dataclass
from typing import Any

from scipy.special import betaincinv, ndtri

from thalweg._core.errors import DomainError, whole


@dataclass(frozen=True)
class Share:
    """A share seen, and between what it lies.

    Attributes:
        successes: Runs that did.
        runs: All runs.
        share: Their ratio.
        low: Lower end of Wilson's interval.
        high: Upper end.
        at_most: Clopper and Pearson's upper bound: the largest share at which so few
            successes, or fewer, are no rarer than one minus the confidence.
        confidence: Of the interval and, by itself, of the bound.
    """

    successes: int
    runs: int
    share: float
    low: float
    high: float
    at_most: float
    confidence: float

    def __str__(self) -> str:
        """Return the count and the interval, or for none the bound."""
        told = f"{self.successes} of {self.runs}"
        if not self.successes:
            return f"{told}, at most {self.at_most:.2g}"
        return f"{told}, {shown(self.low)} to {shown(self.high)}"

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return {
            "successes": self.successes,
            "runs": self.runs,
            "share": self.share,
            "low": self.low,
            "high": self.high,
            "at_most": self.at_most,
            "confidence": self.confidence,
        }


def shown(share: float, digits: int = 4) -> str:
    """Return a share in so many digits, or in as many as tell it from one.

    Args:
        share: From 0 to 1.
        digits: Of it, or if more are needed two of what it lacks.

    Returns:
        It in words.

    Example:
        >>> shown(0.2), shown(0.999961591), shown(1.0)
        ('0.2', '0.999962', '1')
    """
    lacks = 1 - share
    if not 0 < lacks < 0.5 * 10.0**-digits:
        return f"{share:.{digits}g}"
    return f"{share:.{1 - math.floor(math.log10(lacks))}f}"


def wilson(successes: int, runs: int, confidence: float = 0.95) -> Share:
    r"""Return Wilson's interval of a share, and the exact upper bound.

    With $z$ the normal quantile at $(1 + c)/2$ and $\hat p = k/n$ the interval is
    $$\frac{\hat p + z^2/2n \pm z \sqrt{\hat p (1 - \hat p)/n + z^2/4n^2}}{1 + z^2/n}.$$
    The bound is the share at which $k$ or fewer successes have probability $1 - c$;
    with no success it is $1 - (1 - c)^{1/n}$, about $3/n$ at 95 %: the rule of three.

    Args:
        successes: Runs that did, from 0 to `runs`.
        runs: All runs, at least 1.
        confidence: Above 0 and below 1.

    Returns:
        The share with its interval.

    Raises:
        DomainError: If a number is out of its domain.

    Example:
        >>> found = wilson(8, 10)
        >>> round(found.low, 4), round(found.high, 4)
        (0.4902, 0.9433)
        >>> round(wilson(0, 1000).at_most, 6)
        0.002991

    Source:
        E. B. Wilson (1927), Probable inference, JASA 22; C. J. Clopper, E. S. Pearson
        (1934), Biometrika 26.
    """
    total = whole("runs", runs, least=1)
    count = whole("successes", successes)
    if count > total:
        raise DomainError(f"successes is {count}; it must be at most runs = {total}.")
    sure = float(confidence)
    if not 0 < sure < 1:
        raise DomainError(f"confidence is {sure}; it must be above 0 and below 1.")
    z = float(ndtri((1 + sure) / 2))
    seen = count / total
    middle = seen + z * z / (2 * total)
    half = z * (seen * (1 - seen) / total + z * z / (4 * total * total)) ** 0.5
    scale = 1 + z * z / total
    at_most = 1.0
    if count < total:
        at_most = float(betaincinv(count + 1, total - count, sure))
    return Share(
        successes=count,
        runs=total,
        share=seen,
        low=max(0.0, (middle - half) / scale) if count else 0.0,
        high=min(1.0, (middle + half) / scale) if count < total else 1.0,
        at_most=at_most,
        confidence=sure,
    )
