"""A search at every point of a design: rounds of ordinary runs, a row a point."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from thalweg.sweep.gathering import gathered, places_of
from thalweg.sweep.parquet import filled
from thalweg.sweep.plan import Plan
from thalweg.sweep.search import Request, Result, Search
from thalweg.sweep.table import STATUS, Table

NOTHING = "none converged"
"""Status of a point at which no run converged."""


@dataclass
class Seeking:
    """A search at work.

    Attributes:
        points: The points of the design.
        carry: Carries out the runs of a plan that have no row.
        rows: Returns all rows so far.
        search: Where it stands.
        whole: Whether it came to its end.
        keys: Of the runs that were asked for.
    """

    points: Plan
    carry: Callable[[Plan, int, bool], None]
    rows: Callable[[], Any]
    search: Search = field(init=False)
    whole: bool = False
    keys: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin."""
        asked: Any = self.points.design.search
        self.search = Search.start(
            len(self.points), asked.grid, goal=asked.goal, method=asked.method
        )

    def go(self) -> None:
        """Carry out round after round, and the trajectories of the best runs."""
        round_ = 0
        while self.search.requests:
            round_ += 1
            wanted = self.points.candidates(self.search.requests)
            self.keys += wanted.keys
            self.carry(wanted, round_, False)
            self.search = self.search.feed(self._results(wanted))
        if self.points.design.trajectories:
            best = [request for request in self._best() if request is not None]
            self.carry(self.points.candidates(best), round_ + 1, True)
        self.whole = True

    def _results(self, wanted: Plan) -> list[Result]:
        rows = self.rows()
        known = places_of(rows)
        places = [known[key] for key in wanted.keys]
        chosen = rows.select(["status", "iterations", "excess_loss"]).take(places)
        return [
            Result(row["status"], row["iterations"] or 0, _loss(row["excess_loss"]))
            for row in chosen.to_pylist()
        ]

    def _best(self) -> list[Request | None]:
        """Return the request of the best run of every point, if it has one."""
        return [
            None
            if one.index is None or one.value is None
            else Request(point, one.index, one.value, one.budget)
            for point, one in enumerate(self.search.found)
        ]

    def table(self, **about: Any) -> Table:
        """Return the table: a row a point, that of its best run.

        Args:
            **about: Remarks and sources.

        Returns:
            The table; of a search broken off, the best so far.
        """
        asked: Any = self.points.design.search
        found, best = self.search.found, self._best()
        some = [request for request in best if request is not None]
        names = iter(self.points.candidates(some).keys if some else ())
        keys = [None if request is None else next(names) for request in best]
        extra: dict[str, list[Any]] = {
            asked.field: [one.value for one in found],
            "certain": [one.certain for one in found],
            "edge": [one.edge for one in found],
            "evaluations": [one.evaluations for one in found],
            "spent": [one.spent for one in found],
        }
        made = gathered(self.points, self.rows(), keys=keys, extra=extra, **about)
        rows = filled(made.rows, STATUS, NOTHING)
        return replace(made, rows=rows, whole=self.whole and made.whole)


def _loss(value: float | None) -> float:
    return float("inf") if value is None else value
