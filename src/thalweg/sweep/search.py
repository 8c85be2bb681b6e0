"""The best value of one field at many points at once, in rounds of runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Request:
    """A run that is wanted.

    Attributes:
        point: Place of the design point.
        index: Place in the grid.
        value: The grid's value there.
        budget: Most iterations; `None` for those of the point's own settings.
    """

    point: int
    index: int
    value: float
    budget: int | None


@dataclass(frozen=True)
class Result:
    """How a run ended that was requested.

    Attributes:
        status: A status' text (`converged`, `diverged`, `out of budget`, ...), or
            `failed`.
        iterations: Iterations taken.
        excess_loss: At the end.
    """

    status: str
    iterations: int
    excess_loss: float


@dataclass(frozen=True)
class Found:
    """What a search found at one point.

    Attributes:
        index: Place of the best value in the grid; `None` if nothing converged.
        value: That value.
        cost: Its iterations, or its loss.
        certain: Whether the evaluations prove it, if the costs are unimodal on the
            grid; or all were evaluated.
        edge: Whether it is the smallest or the largest of the grid.
        evaluations: Runs asked for.
        spent: Iterations they took.
        best: The run that was best, as its place among all requests of this point;
            `None` if nothing converged.
        budget: The budget of the request that gave the best; to rebuild its key.
    """

    index: int | None
    value: float | None
    cost: float
    certain: bool
    edge: bool
    evaluations: int
    spent: int
    budget: int | None

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        raise NotImplementedError


@dataclass(frozen=True)
class Search:
    """A search at many points, between two rounds.

    Attributes:
        requests: The runs of this round; none when it is done.
        found: What is known of every point so far.
    """

    @classmethod
    def start(
        cls,
        points: int,
        grid: Sequence[float],
        *,
        goal: str = "iterations",
        method: str = "bracket",
    ) -> "Search":
        """Return the search before its first round."""
        raise NotImplementedError

    @property
    def requests(self) -> tuple[Request, ...]:
        """Return the runs of this round; none when it is done."""
        raise NotImplementedError

    @property
    def found(self) -> tuple[Found, ...]:
        """Return what is known of every point."""
        raise NotImplementedError

    def feed(self, results: Sequence[Result]) -> "Search":
        """Return the search after a round: results in the order of the requests."""
        raise NotImplementedError
