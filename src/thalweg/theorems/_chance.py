"""How often a promise about chance comes true: Monte Carlo with an interval."""

from dataclasses import dataclass
from typing import Any

from scipy.stats import binomtest

from thalweg._core.errors import DomainError, whole
from thalweg.theorems import shelf
from thalweg.theorems._base import AbstractTheorem, Case, Kind
from thalweg.theorems._certify import certify


@dataclass(frozen=True)
class Frequency:
    """How often a promised event happened.

    Attributes:
        successes: Draws in which it did.
        draws: All draws.
        low: Lower end of the Clopper-Pearson interval of its probability.
        high: Upper end.
        confidence: Of that interval.
        promised: Probability the theorem promises at least; `None` if its
            hypotheses are not proved.
    """

    successes: int
    draws: int
    low: float
    high: float
    confidence: float
    promised: float | None

    @property
    def contradicts(self) -> bool:
        """Return whether the promise lies above the whole interval."""
        return self.promised is not None and self.high < self.promised

    def line(self) -> str:
        """Return it in one line."""
        promised = (
            "nothing is promised"
            if self.promised is None
            else f"promised at least {self.promised:.6g}"
        )
        return (
            f"{self.successes} of {self.draws} draws, so with "
            f"{100 * self.confidence:g} % confidence a probability between "
            f"{self.low:.4g} and {self.high:.4g}; {promised}"
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values with stable keys."""
        return {**self.__dict__, "contradicts": self.contradicts}


def monte_carlo(
    theorem: str | AbstractTheorem,
    problem: Any,
    *,
    draws: int = 1000,
    seed: int = 0,
    step_size: float | None = None,
    confidence: float = 0.99,
    **fields: Any,
) -> Frequency:
    """Draw what a theorem about chance speaks of, and count how often it comes true.

    Args:
        theorem: A name such as `arora2019.RandomBalancedStart`, or a theorem object.
        problem: A `Problem`.
        draws: How many, `>= 1`; draw `i` has the seed `seed + i`.
        seed: Of the first draw, `>= 0`.
        step_size: The step, `> 0`; the theorem's own by default.
        confidence: Of the interval, between 0 and 1.
        **fields: Fields of the theorem, such as `std`.

    Returns:
        The frequency, its exact interval and the promise.

    Raises:
        DomainError: If a number is out of its domain, or the theorem promises
            nothing about chance.

    Example:
        >>> import jax.numpy as jnp
        >>> from thalweg.problem.moments import Moments
        >>> from thalweg.problem.nets import LinearNet
        >>> from thalweg.problem.problem import Problem
        >>> target = jnp.zeros((1, 100)).at[0, 0].set(1.0)
        >>> problem = Problem(LinearNet((100, 4, 1)), Moments.whitened(target))
        >>> found = monte_carlo("arora2019.RandomBalancedStart", problem, draws=200)
        >>> found.contradicts
        False
    """
    whole("draws", draws, least=1)
    whole("seed", seed, least=0)
    if not 0 < confidence < 1:
        raise DomainError(f"confidence is {confidence}; pass a number in (0, 1).")
    chosen = shelf.make(theorem, **fields) if isinstance(theorem, str) else theorem
    if chosen.kind is not Kind.CHANCE:
        raise DomainError(
            f"{type(chosen).__name__} promises nothing about chance; choose a theorem "
            "of that kind."
        )
    certificate = certify(chosen, problem, step_size=step_size)
    case = Case(problem, step_size=certificate.case.step_size)
    successes = sum(chosen.succeeds(case, seed + i) for i in range(draws))
    interval = binomtest(successes, draws).proportion_ci(confidence, method="exact")
    return Frequency(
        successes=successes,
        draws=draws,
        low=float(interval.low),
        high=float(interval.high),
        confidence=confidence,
        promised=certificate.probability,
    )
