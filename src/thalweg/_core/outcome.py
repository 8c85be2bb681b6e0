"""How a run ended, and what to do about it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, overload

from thalweg._core.errors import RunFailed


class Status(StrEnum):
    """The five ways a run can end.

    Their order is their code inside compiled programs.
    """

    OUT_OF_BUDGET = "out of budget"
    CONVERGED = "converged"
    STALLED = "stalled"
    DIVERGED = "diverged"
    INTERRUPTED = "interrupted"


CODES = tuple(Status)
"""The statuses by code: `CODES[1] is Status.CONVERGED`."""


@dataclass(frozen=True)
class Outcome:
    """How one run ended.

    Attributes:
        status: One of the five ways.
        iteration: Iterations taken when it ended; for a flow, solver steps.
        loss: Loss at the end; `inf` if it left the range of float64.
        excess_loss: Loss above its infimum at the end.
        message: One sentence: what happened and what to do.
        time: Flow time at the end; `None` for a descent.
    """

    status: Status
    iteration: int
    loss: float
    excess_loss: float
    message: str
    time: float | None = None

    @property
    def converged(self) -> bool:
        """Return whether the accuracy asked for was reached."""
        return self.status is Status.CONVERGED

    @property
    def stalled(self) -> bool:
        """Return whether it came to rest above the accuracy asked for."""
        return self.status is Status.STALLED

    @property
    def diverged(self) -> bool:
        """Return whether the loss grew beyond every bound."""
        return self.status is Status.DIVERGED

    def __str__(self) -> str:
        """Return the sentence."""
        return self.message

    def raise_if_bad(self) -> None:
        """Raise `RunFailed` if the run diverged or was interrupted."""
        if self.status in (Status.DIVERGED, Status.INTERRUPTED):
            raise RunFailed(self.message)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values, for `--json` and for storage."""
        return {
            "status": str(self.status),
            "iteration": self.iteration,
            "time": self.time,
            "loss": self.loss,
            "excess_loss": self.excess_loss,
            "message": self.message,
        }

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "Outcome":
        """Return the outcome that `to_json` described."""
        return cls(**{**fields, "status": Status(fields["status"])})


@dataclass(frozen=True)
class Outcomes(Sequence[Outcome]):
    """The outcomes of a batch, one per run."""

    each: tuple[Outcome, ...]

    def __len__(self) -> int:
        """Return the number of runs."""
        return len(self.each)

    @overload
    def __getitem__(self, run: int) -> Outcome: ...

    @overload
    def __getitem__(self, run: slice) -> "Outcomes": ...

    def __getitem__(self, run: int | slice) -> "Outcome | Outcomes":
        """Return the outcome of one run, or of several."""
        if isinstance(run, slice):
            return Outcomes(self.each[run])
        return self.each[run]

    def __iter__(self) -> Iterator[Outcome]:
        """Iterate over the runs."""
        return iter(self.each)

    def counts(self) -> dict[str, int]:
        """Return how many runs ended in each way."""
        return dict(Counter(str(outcome.status) for outcome in self.each))

    def __str__(self) -> str:
        """Return the counts as one line."""
        parts = [f"{count} {status}" for status, count in self.counts().items()]
        return f"{len(self)} runs: {', '.join(parts)}"
