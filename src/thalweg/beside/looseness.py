"""Theorems at their own constants: what each promises, beside what happens."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from thalweg._core.errors import DomainError, positive
from thalweg.motion.flow import flow
from thalweg.motion.leap import leap
from thalweg.theorems import shelf
from thalweg.theorems._base import Kind
from thalweg.theorems._certificate import Certificate, count, unit
from thalweg.theorems._certify import certify

FARTHEST = 2**53
"""Iterations a leap can take."""


@dataclass(frozen=True)
class Looseness:
    """One theorem's promise at its own step, beside the run it is about.

    Attributes:
        theorem: Its name.
        clock: `iteration` or `flow time`.
        step_size: Its own step; `None` for a theorem about the flow.
        promised: Iterations, or flow time, promised to the accuracy.
        observed: What the run took; `None` if it did not get there within the
            promise, or the promise is longer than a run can be.
        accuracy: Excess loss.
        error: Estimated error of the run's weights.
    """

    theorem: str
    clock: str
    step_size: float | None
    promised: float
    observed: float | None
    accuracy: float
    error: float | None

    @property
    def ratio(self) -> float | None:
        """Return promised over observed."""
        return self.promised / self.observed if self.observed else None

    def line(self) -> str:
        """Return it in one line."""
        step = "" if self.step_size is None else f" at step {self.step_size:.6g}"
        seen = "not reached" if self.observed is None else count(self.observed)
        ratio = "" if self.ratio is None else f", {self.ratio:.4g} times fewer"
        return (
            f"{self.theorem}{step}: promised {count(self.promised)} "
            f"{unit(self.clock)}, observed {seen}{ratio}"
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values with stable keys."""
        return {**self.__dict__, "ratio": self.ratio}


def looseness(
    problem: Any,
    weights: Any,
    *,
    theorems: Sequence[Any] | None = None,
    accuracy: float = 1e-6,
    share: float = 1.0,
) -> list[Looseness]:
    """Run every theorem at its own step until its promise is due.

    Descent is run by `leap`, so a promise of 10^15 iterations takes seconds; a
    theorem about the flow is set beside `flow`. At the largest step it allows, a
    certificate may just be able to promise anything at all: at a share of that step
    it promises more.

    Args:
        problem: A `Problem` or a `Playground`.
        weights: The start.
        theorems: Names or theorem objects; all about a given start by default.
        accuracy: Excess loss, `> 0`.
        share: Of the largest step a theorem allows, above 0 and at most 1.

    Returns:
        Those theorems that are proved at their own step and promise a finite count,
        the tightest first.

    Raises:
        DomainError: If a number is out of its domain.

    Example:
        >>> from thalweg.problem.scalar import Playground
        >>> names = ["flammarion2025.Convergence"]
        >>> found = looseness(Playground(4), [0.5] * 4, theorems=names)
        >>> found[0].promised, found[0].observed
        (9973.0, 38.0)
    """
    positive("accuracy", accuracy)
    if not 0 < share <= 1:
        raise DomainError(f"share is {share}; pass a share of the step in (0, 1].")
    chosen = _of_starts() if theorems is None else theorems
    found = []
    for theorem in chosen:
        certificate = _at(theorem, problem, weights, accuracy, share)
        promised = certificate.promised
        if promised is not None and 0 < promised < np.inf:
            found.append(_beside(certificate, problem, weights, promised))
    return sorted(found, key=lambda one: one.ratio or np.inf)


def _at(
    theorem: Any, problem: Any, weights: Any, accuracy: float, share: float
) -> Certificate:
    """Return a theorem's certificate at a share of its own step."""
    own = certify(theorem, problem, weights, accuracy=accuracy)
    if share == 1 or own.step_size is None:
        return own
    step = share * own.step_size
    return certify(theorem, problem, weights, step_size=step, accuracy=accuracy)


def _of_starts() -> list[str]:
    entries: list[tuple[str, Any]] = [(name, shelf.entry(name)) for name in shelf]
    return [
        name
        for name, entry in entries
        if entry.kind is Kind.CONVERGENCE and not entry.about_draws
    ]


def _beside(
    certificate: Certificate, problem: Any, weights: Any, promised: float
) -> Looseness:
    path = _run(certificate, problem, weights, promised)
    excess = np.asarray(path["excess_loss"])
    observed = None
    if excess[-1] <= certificate.accuracy:
        observed = _crossing(path, certificate.accuracy)
    return Looseness(
        theorem=certificate.theorem,
        clock=certificate.clock,
        step_size=certificate.step_size,
        promised=promised,
        observed=observed,
        accuracy=certificate.accuracy,
        error=None if path.error is None else float(path.error),
    )


def _run(certificate: Certificate, problem: Any, weights: Any, promised: float) -> Any:
    """Return the run up to the accuracy or the promise, as far as can be counted."""
    if certificate.step_size is None:
        return flow(problem, weights, horizon=promised, accuracy=certificate.accuracy)
    return leap(
        problem,
        weights,
        step_size=certificate.step_size,
        iterations=int(min(promised, FARTHEST)),
        accuracy=certificate.accuracy,
    )


def _crossing(path: Any, accuracy: float) -> float:
    """Return when the excess loss came down to the accuracy.

    A descent stops there; a flow stops at a record, so the time between the last two
    is run again in small pieces, and the last of them interpolated.
    """
    if not path.is_flow or path.clock.size < 2:
        return float(path.clock[-1])
    for _ in range(2):
        last = int(np.argmax(np.asarray(path["excess_loss"]) <= accuracy))
        if last == 0:
            return 0.0
        between = np.linspace(path.clock[last - 1], path.clock[last], 33)
        times = [0.0, *(float(t) for t in between if t > 0)]
        path = flow(path.problem, path.start, times=times)
    excess = np.asarray(path["excess_loss"])
    last = int(np.argmax(excess <= accuracy))
    fall = np.log(excess[last - 1 : last + 1])
    part = (fall[0] - np.log(accuracy)) / (fall[0] - fall[1])
    before, after = path.clock[last - 1 : last + 1]
    return float(before + part * (after - before))
