"""A certificate: the verdict on one theorem for one case, in words and as values."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from thalweg._core.errors import positive
from thalweg._core.source import Source, bibliography
from thalweg.linalg import balls
from thalweg.theorems._base import AbstractTheorem, Case, Guarantee, Kind, Verdict
from thalweg.theorems._file import save


@dataclass(frozen=True)
class Checked:
    """A hypothesis with its verdict.

    Attributes:
        name: The claim.
        verdict: Proved, refuted or undecided.
        slack: Floats that enclose the slack; `None` for a plain fact.
        arithmetic: `fact`, `float64` or `balls, 128 bits`.
        mend: What would make it true, in words.
        strict: Whether the slack must be positive rather than non-negative.
    """

    name: str
    verdict: Verdict
    slack: tuple[float, float] | None
    arithmetic: str
    mend: str
    strict: bool = True

    def line(self) -> str:
        """Return the claim in one line."""
        slack = "" if self.slack is None else f", slack {_interval(self.slack)}"
        return f"{self.verdict}: {self.name}{slack} ({self.arithmetic})"

    def to_json(self) -> dict[str, Any]:
        """Return the claim as plain values with stable keys."""
        return {
            "name": self.name,
            "verdict": str(self.verdict),
            "slack": None if self.slack is None else [plain(x) for x in self.slack],
            "arithmetic": self.arithmetic,
            "mend": self.mend,
            "strict": self.strict,
        }


@dataclass(frozen=True)
class Observed:
    """What a path did, beside what was promised.

    Attributes:
        kept: Whether every record keeps every promise about it; `None` if none of
            them is promised anything, or the path is of the other kind.
        time: Iterations, or flow time, the path took to the accuracy; `None` if it
            did not reach it.
        looseness: Promised over observed time.
        drift: Largest change of a quantity said to be conserved.
        deviation: Largest distance of a record from its predicted course, over the
            largest size of that record.
        broken: The columns in which a promise was not kept.
    """

    kept: bool | None = None
    time: float | None = None
    looseness: float | None = None
    drift: float | None = None
    deviation: float | None = None
    broken: tuple[str, ...] = ()


@dataclass(frozen=True)
class Certificate:
    """The verdict on one theorem for one case.

    Attributes:
        theorem: Its name on the shelf.
        summary: Its first line.
        verdict: Proved if every hypothesis is; refuted if one is.
        hypotheses: Each with its slack.
        clock: `iteration` or `flow time`.
        kind: What sort of thing the theorem says.
        guarantee: The promise, if it is proved.
        conclusions: What it says of the case itself, checked; a refuted one would
            refute the theorem.
        accuracy: Excess loss the promised time is for.
        promised: Iterations, or flow time, promised to that accuracy.
        step_size: The step certified.
        safe_step: A step the theorem certainly allows, the largest but for rounding;
            `None` if there is none.
        at_safe_step: Iterations it promises there, where only the step certified is
            too large.
        status: How far its constants were checked against the source.
        source: The paper and the place.
        case: What was certified: problem, start, step, radius.
        subject: The theorem object.
        observed: The path's own figures, if one was compared.
    """

    theorem: str
    summary: str
    verdict: Verdict
    hypotheses: tuple[Checked, ...]
    clock: str
    kind: Kind
    guarantee: Guarantee | None
    conclusions: tuple[Checked, ...]
    accuracy: float
    promised: float | None
    step_size: float | None
    safe_step: float | None
    at_safe_step: float | None
    status: str
    source: Source
    case: Case = field(repr=False)
    subject: AbstractTheorem = field(repr=False)
    observed: Observed = field(default_factory=Observed)

    @property
    def applies(self) -> bool:
        """Return whether the theorem is about problems of this kind at all."""
        facts = (h for h in self.hypotheses if h.arithmetic == "fact")
        return all(fact.verdict is Verdict.PROVED for fact in facts)

    @property
    def failing(self) -> list[Checked]:
        """Return the hypotheses that are not proved."""
        return [h for h in self.hypotheses if h.verdict is not Verdict.PROVED]

    @property
    def values(self) -> dict[str, tuple[float, float]]:
        """Return the promise's named numbers, each enclosed by floats."""
        if self.guarantee is None:
            return {}
        return {
            name: balls.bounds(ball) for name, ball in self.guarantee.values.items()
        }

    @property
    def floor(self) -> float | None:
        """Return what the excess loss is proved never to fall below, rounded down."""
        if self.guarantee is None or self.guarantee.floor is None:
            return None
        return balls.bounds(self.guarantee.floor)[0]

    @property
    def rate(self) -> float | None:
        """Return the promised decay, `exp(-rate * t)`, rounded down."""
        if self.guarantee is None or self.guarantee.decay is None:
            return None
        return balls.bounds(self.guarantee.decay)[0]

    @property
    def factor(self) -> float | None:
        """Return the promised factor of the excess loss per iteration, rounded up."""
        if self.guarantee is None or self.guarantee.factor is None:
            return None
        return balls.bounds(self.guarantee.factor)[1]

    @property
    def probability(self) -> float | None:
        """Return the promised probability, rounded down; `None` if certain."""
        if self.guarantee is None or self.guarantee.probability is None:
            return None
        return balls.bounds(self.guarantee.probability)[0]

    def iterations_to(self, accuracy: float) -> float | None:
        """Return the iterations (or flow time) promised to another accuracy.

        Args:
            accuracy: Excess loss, `> 0`.

        Returns:
            The bound; `None` if nothing is promised.
        """
        positive("accuracy", accuracy)
        return None if self.guarantee is None else self.guarantee.time_to(accuracy)

    def lines(self) -> list[str]:
        """Return the certificate in words, a sentence a line."""
        lines = [f"{self.theorem}: {self.verdict}. {self.summary}"]
        for hypothesis in self.hypotheses:
            mended = hypothesis.mend and hypothesis.verdict is not Verdict.PROVED
            lines.append(
                f"  {hypothesis.line()}" + (f"; {hypothesis.mend}" if mended else "")
            )
        if self.guarantee is not None:
            lines.append(f"  promise: {self.guarantee.statement}")
        if self.guarantee is not None and self.guarantee.limit:
            lines.append(f"  limit: {self.guarantee.limit}")
        lines += [f"  it follows, {entry.line()}" for entry in self.conclusions]
        if self.promised is not None:
            lines.append(
                f"  excess loss {self.accuracy:.3g} within {count(self.promised)} "
                f"{unit(self.clock)}{self._told_observed()}"
            )
        if self.at_safe_step is not None:
            lines.append(f"  {self.told_safe_step()}")
        beyond = "; beyond the first sources" if self.source.beyond else ""
        lines.append(f"  {self.source.line()} ({self.status}{beyond})")
        return lines

    def told_safe_step(self) -> str:
        """Return what the theorem promises at its own step, in words; may be empty."""
        if self.at_safe_step is None:
            return ""
        return (
            f"at the theorem's own step {self.safe_step:.6g}: excess loss "
            f"{self.accuracy:.3g} within {count(self.at_safe_step)} iterations"
        )

    def to_json(self) -> dict[str, Any]:
        """Return the certificate as plain values with stable keys."""
        return {
            "theorem": self.theorem,
            "verdict": str(self.verdict),
            "applies": self.applies,
            "hypotheses": [entry.to_json() for entry in self.hypotheses],
            "clock": self.clock,
            "kind": str(self.kind),
            "promise": None if self.guarantee is None else self.guarantee.statement,
            "conserved": [] if self.guarantee is None else [*self.guarantee.conserved],
            "conclusions": [entry.to_json() for entry in self.conclusions],
            "limit": self.guarantee.limit if self.guarantee else "",
            "floor": plain(self.floor),
            "values": {
                name: [plain(end) for end in ends] for name, ends in self.values.items()
            },
            "radius": self.case.radius,
            "accuracy": self.accuracy,
            "promised": plain(self.promised),
            "factor": plain(self.factor),
            "rate": plain(self.rate),
            "probability": plain(self.probability),
            "step_size": self.step_size,
            "safe_step": self.safe_step,
            "at_safe_step": plain(self.at_safe_step),
            "observed": {
                "kept": self.observed.kept,
                "time": plain(self.observed.time),
                "looseness": plain(self.observed.looseness),
                "drift": plain(self.observed.drift),
                "deviation": plain(self.observed.deviation),
                "broken": [*self.observed.broken],
            },
            "status": self.status,
            "beyond": self.source.beyond,
            "source": self.source.line(),
        }

    def save(self, file: str | os.PathLike[str]) -> Path:
        """Write a proved certificate to a file that stands alone; see `verify`.

        Args:
            file: Where to; replaced. A start of many weights is written beside it.

        Returns:
            The file.

        Raises:
            DomainError: If nothing is proved, or the problem has no plain form.
            StoreError: If it cannot be written.
        """
        return save(self, file)

    def cite(self) -> str:
        """Return the BibTeX of the theorem's paper."""
        return bibliography([self.source])

    def _told_observed(self) -> str:
        if self.observed.time is None:
            return ""
        told = f"; observed {count(self.observed.time)}"
        if self.observed.looseness is not None:
            told += f", {self.observed.looseness:.3g} times fewer"
        return told


def unit(clock: str) -> str:
    """Return what a clock counts, in words."""
    return "iterations" if clock == "iteration" else "units of flow time"


def count(value: float | int) -> str:
    """Return a count or a time as people write it."""
    return (
        f"{value:,.0f}"
        if float(value).is_integer() and value < 1e15
        else f"{value:.6g}"
    )


def _interval(bounds: tuple[float, float]) -> str:
    lo, hi = (end + 0.0 for end in bounds)
    return f"{lo:.6g}" if f"{lo:.6g}" == f"{hi:.6g}" else f"in [{lo:.6g}, {hi:.6g}]"


def plain(value: float | None) -> float | str | None:
    """JSON has no infinities: write them as text."""
    if value is None or np.isfinite(value):
        return None if value is None else float(value)
    return str(value)
