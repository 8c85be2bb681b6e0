"""What would make a theorem apply: a smaller step, a balanced or a rescaled start."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

from thalweg.linalg.chain import balanced_factors, end_to_end
from thalweg.problem.scalar import Playground
from thalweg.theorems._base import Verdict
from thalweg.theorems._certificate import Certificate, count, unit
from thalweg.theorems._certify import certify

SCALES = tuple(2.0 ** (power / 4) for power in (-1, 1, -2, 2, -4, 4, -8, 8, -16, 16))
"""Factors tried for all layers, the mildest first."""


@dataclass(frozen=True)
class Mend:
    """A change of the case that makes a theorem apply.

    Attributes:
        words: What to change.
        start: The weights then.
        step_size: The step then; `None` for a theorem about the flow.
        certificate: The theorem proved for the changed case.
    """

    words: str
    start: Any
    step_size: float | None
    certificate: Certificate

    def line(self) -> str:
        """Return the change and what it buys in one line."""
        promised = self.certificate.promised
        bought = (
            ""
            if promised is None
            else f": excess loss {self.certificate.accuracy:.3g} within "
            f"{count(promised)} {unit(self.certificate.clock)}"
        )
        return f"{self.words}{bought}"

    def to_json(self) -> dict[str, Any]:
        """Return the change as plain values with stable keys."""
        return {
            "words": self.words,
            "step_size": self.step_size,
            "promised": self.certificate.to_json()["promised"],
        }


def mends(certificate: Certificate) -> list[Mend]:
    """Return changes of a case that make a theorem apply, the mildest first.

    A step the theorem allows, if that is all it lacks. Else, each with that step, the
    same end-to-end matrix in balanced layers, and every layer multiplied by one
    factor; both together if neither helps. Each is proved, not guessed.

    Args:
        certificate: One that is not proved.

    Returns:
        At most one change of every sort; none if the theorem is proved already, is
        about another kind of problem, or needs a change of another sort.

    Example:
        >>> toy = Playground(2)
        >>> name = "flammarion2025.Convergence"
        >>> large = certify(name, toy, [0.5, 0.5], step_size=1.0)
        >>> mends(large)[0].words
        'take the step 0.166667 or a smaller one'
    """
    if certificate.verdict is Verdict.PROVED or not certificate.applies:
        return []
    step = _mend(certificate, "", certificate.case.start)
    if step is not None:
        return [step]
    single = [_first(certificate, changes) for changes in _changes(certificate)]
    found = [mend for mend in single if mend is not None]
    return found or list(filter(None, [_first(certificate, _both(certificate))]))


def _first(certificate: Certificate, changes: Iterator[tuple[str, Any]]) -> Mend | None:
    """Return the first of some changes that helps."""
    return next(filter(None, (_mend(certificate, *one) for one in changes)), None)


def _changes(certificate: Certificate) -> Iterator[Iterator[tuple[str, Any]]]:
    """Yield the sorts of change, each as its words and starts, the mildest first."""
    start = certificate.case.start
    if start is None:
        return
    even = _balanced(certificate)
    if even is not None:
        yield iter([("balance the start", even)])
    yield _rescaled("", start)


def _both(certificate: Certificate) -> Iterator[tuple[str, Any]]:
    even = None if certificate.case.start is None else _balanced(certificate)
    return iter(()) if even is None else _rescaled("balance the start and ", even)


def _rescaled(before: str, start: Any) -> Iterator[tuple[str, Any]]:
    return (
        (f"{before}multiply every layer by {factor:.3g}", _scaled(start, factor))
        for factor in SCALES
    )


def _mend(certificate: Certificate, words: str, start: Any) -> Mend | None:
    """Return the change to a start, with the theorem's own step, if it helps."""
    if not all(bool(jnp.isfinite(leaf).all()) for leaf in _leaves(start)):
        return None
    case = certificate.case
    found = certify(
        certificate.subject,
        case.problem,
        start,
        accuracy=certificate.accuracy,
        radius=case.radius,
    )
    if found.verdict is not Verdict.PROVED:
        return None
    told = [words] if words else []
    if found.step_size is not None and found.step_size != case.step_size:
        told.append(f"take the step {found.step_size:.6g} or a smaller one")
    return Mend(", ".join(told), start, found.step_size, found)


def _balanced(certificate: Certificate) -> Any:
    """Return the same end-to-end map in balanced layers; `None` if it has none."""
    problem, start = certificate.case.problem, certificate.case.start
    chain = [jnp.asarray(layer) for layer in problem.chain(start)]
    product = end_to_end(chain)
    if isinstance(problem, Playground):
        sign = float(product[0, 0])
        return start * 0 + sign ** (1 / len(chain)) if sign > 0 else None
    if min(problem.net.widths) < min(product.shape):
        return None
    return balanced_factors(product, problem.net.widths)


def _leaves(start: Any) -> tuple[Any, ...]:
    if start is None:
        return ()
    return start if isinstance(start, tuple) else (start,)


def _scaled(start: Any, factor: float) -> Any:
    if isinstance(start, tuple):
        return tuple(layer * factor for layer in start)
    return start * factor
