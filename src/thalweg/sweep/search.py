r"""The best value of one field at many points at once, in rounds of runs.

A search is a value between two rounds: `requests` are the runs it wants, `feed` takes
how they ended and returns the search after them. It makes no run itself.

The costs of a point, iterations until convergence or the final excess loss, are looked
at along an ascending grid $s_1 < \dots < s_G$, with $c_j = \infty$ where a run did not
converge. They are *unimodal* if they never rise before some place and never fall after
it. Of iterations against step size this is so where nothing converges above a limit
and the iterations fall like $1/s$ below it; at the very limit it need not be.

How a point is searched (`bracket`):

1. From the largest value downward in doubling strides until a run converges: what
   diverges does so within few iterations, what is too slow spends a whole budget. A
   run out of budget below one that diverged is bisected against it first. If none of
   these converges, the smallest excess loss among them is followed: the gaps next to
   it are halved until they close.
2. Between the nearest values on either side that are known to be worse, every value
   is evaluated or, by unimodality, ruled out: upward by bisection, downward two by two.
3. The two neighbours of the best on either side are evaluated as well.
4. Once anything converged, later runs *race*: they get the best iterations so far as
   their budget, and not converging within them proves them worse.

Where costs are unimodal the best value and its cost are those of brute force, ties
included (the smallest value is taken): a value $s_l$ left of the best with strictly
larger cost proves that the minimum lies right of it, and everything left of $s_l$ is at
least as bad; the same to the right; and everything in between was evaluated. Where the
evaluations contradict unimodality, every value left is evaluated, racing.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby, pairwise
from typing import Any

from thalweg._core.errors import DomainError, ShapeError, unknown, whole
from thalweg._core.outcome import Status

GOALS = ("iterations", "loss")
METHODS = ("bracket", "exhaustive")

NEIGHBOURS = 2
"""How many values on either side of the best are evaluated in any case."""

SLOW = (str(Status.OUT_OF_BUDGET), str(Status.STALLED), str(Status.INTERRUPTED))
"""Statuses that speak for a larger value; other failures speak for a smaller one."""


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
        index: Place of the best value in the grid; `None` if no run converged.
        value: That value.
        cost: Its iterations, or its final excess loss; infinite without one.
        certain: Whether the evaluations prove it for unimodal costs and none of them
            contradicts that they are; or every value was evaluated. A point without
            a best value is certain only in the latter case.
        edge: Whether it is the smallest or the largest of the grid: the best of a
            longer grid may lie beyond.
        evaluations: Runs asked for.
        spent: Iterations they took.
        budget: The budget its run was given; `None` for the point's own.
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
        """Return the fields as plain values; an infinite cost is `None`."""
        cost = self.cost if math.isfinite(self.cost) else None
        return {**vars(self), "cost": cost}


@dataclass(frozen=True)
class _Evaluation:
    """What one run tells: its cost, or that it is above `cost`."""

    cost: float
    exact: bool
    slow: bool
    budget: int | None
    iterations: int
    excess_loss: float


Known = Mapping[int, _Evaluation]


@dataclass(frozen=True)
class Search:
    """A search at many points, between two rounds.

    Attributes:
        grid: The values, ascending.
        goal: `iterations` or `loss`.
        method: `bracket` or `exhaustive`.
        known: What each point's runs told, by place in the grid.
        requests: The runs of this round; none when it is done.

    Example:
        >>> def run(request):  # converges below 0.5, in 10 / step iterations
        ...     if request.value > 0.5:
        ...         return Result("diverged", 7, float("inf"))
        ...     return Result("converged", round(10 / request.value), 1e-6)
        >>> search = Search.start(1, [10 ** (k / 4 - 4) for k in range(17)])
        >>> while search.requests:
        ...     search = search.feed([run(request) for request in search.requests])
        >>> best = search.found[0]
        >>> round(best.value, 3), best.cost, best.certain, best.evaluations
        (0.316, 32.0, True, 5)
    """

    grid: tuple[float, ...]
    goal: str
    method: str
    known: tuple[Known, ...]
    requests: tuple[Request, ...] = field(default=())

    @classmethod
    def start(
        cls,
        points: int,
        grid: Sequence[int | float],
        *,
        goal: str = "iterations",
        method: str = "bracket",
    ) -> "Search":
        """Return the search before its first round.

        Args:
            points: Number of design points, at least 1.
            grid: The values, ascending.
            goal: `iterations` for the fewest among runs that converged, `loss` for
                the smallest final excess loss among those that did not diverge.
            method: `bracket`, or `exhaustive` for every value at every point.

        Returns:
            The search.

        Raises:
            DomainError: If the grid does not ascend.
            UnknownName: If there is no such goal or method.
        """  # noqa: DOC501
        if goal not in GOALS:
            raise unknown(goal, GOALS, "the list of goals")
        if method not in METHODS:
            raise unknown(method, METHODS, "the list of methods")
        values = tuple(float(value) for value in grid)
        rises = all(a < b for a, b in pairwise(values))
        if not values or not rises:
            raise DomainError(f"the grid is {values}; it must hold ascending values.")
        cells: tuple[Known, ...] = ({},) * whole("points", points, least=1)
        return cls(values, goal, method, cells)._asking(range(points))

    @property
    def done(self) -> bool:
        """Return whether no run is wanted any more."""
        return not self.requests

    @property
    def found(self) -> tuple[Found, ...]:
        """Return what is known of every point."""
        return tuple(_found(known, self.grid) for known in self.known)

    def feed(self, results: Sequence[Result]) -> "Search":
        """Return the search after a round.

        Args:
            results: How the runs of `requests` ended, in their order.

        Returns:
            The search, with the requests of its next round.

        Raises:
            ShapeError: If there are not as many results as requests.
        """
        if len(results) != len(self.requests):
            raise ShapeError(
                f"{len(results)} results came for {len(self.requests)} requests; give "
                "one each, in their order."
            )
        known = list(self.known)
        pairs = zip(self.requests, results, strict=True)
        for point, several in groupby(pairs, lambda pair: pair[0].point):
            told = {asked.index: _told(asked, end, self.goal) for asked, end in several}
            known[point] = {**known[point], **told}
        touched = dict.fromkeys(request.point for request in self.requests)
        return replace(self, known=tuple(known))._asking(touched)

    def _asking(self, points: Any) -> "Search":
        """Return the search with the requests that follow from what is known."""
        size = len(self.grid)
        asked = []
        for point in points:
            known = self.known[point]
            best = _best(known)
            races = best is not None and self.goal == "iterations"
            budget = int(known[best].cost) if best is not None and races else None
            wanted = (
                _wanted(known, size)
                if self.method == "bracket"
                else _unknown(known, range(size))
            )
            asked += [Request(point, j, self.grid[j], budget) for j in wanted]
        return replace(self, requests=tuple(asked))


def _told(asked: Request, end: Result, goal: str) -> _Evaluation:
    """Return what the end of a run tells of its cost."""
    converged = end.status == Status.CONVERGED
    slow = end.status in SLOW
    cost, exact = math.inf, True
    if goal == "loss":
        usable = converged or slow
        cost = end.excess_loss if usable and end.excess_loss >= -math.inf else math.inf
    elif converged:
        cost = float(end.iterations)
    elif asked.budget is not None and end.status == Status.OUT_OF_BUDGET:
        cost, exact = float(asked.budget), False
    excess = end.excess_loss if end.excess_loss >= 0 else math.inf
    return _Evaluation(cost, exact, slow, asked.budget, end.iterations, excess)


def _best(known: Known) -> int | None:
    """Return the smallest place of the smallest cost; `None` if all are infinite."""
    finite = [j for j in known if known[j].exact and known[j].cost < math.inf]
    return min(finite, key=lambda j: (known[j].cost, j)) if finite else None


def _unknown(known: Known, places: Any) -> list[int]:
    return [j for j in places if j not in known]


def _wanted(known: Known, size: int) -> list[int]:
    """Return the places of a grid to evaluate next; none when the search is over."""
    best = _best(known)
    if best is None:
        return _seek(known, size)
    if _contradicted(known):
        return _unknown(known, range(size))
    left, first, last, right = _bracket(known, best, size)
    inside = _unknown(known, range(first, last))
    if inside:
        return inside
    if right - last > 1:
        return [(last + right) // 2]
    if first - left > 1:
        return list(range(max(left + 1, first - NEIGHBOURS), first))
    near = range(max(0, first - NEIGHBOURS), min(size, last + NEIGHBOURS + 1))
    return _unknown(known, near)


def _bracket(known: Known, best: int, size: int) -> tuple[int, int, int, int]:
    """Return the places of the best costs, first and last, and the worse around them.

    What was stopped by the budget of a race is worse than the best, and a place beyond
    the grid counts as worse.
    """
    least = known[best].cost
    ties = [j for j in known if known[j].exact and known[j].cost == least]
    first, last = min(ties), max(ties)
    left = max((j for j in known if j < first), default=-1)
    right = min((j for j in known if j > last), default=size)
    return left, first, last, right


def _contradicted(known: Known) -> bool:
    """Return whether a cost is surely above costs on both its sides."""
    places = sorted(known)
    costs = [known[j].cost if known[j].exact else math.inf for j in places]
    for k in range(1, len(places) - 1):
        here = known[places[k]]
        around = max(min(costs[:k]), min(costs[k + 1 :]))
        if here.cost > around or (not here.exact and here.cost >= around):
            return True
    return False


def _seek(known: Known, size: int) -> list[int]:
    """Return where to look for a first run that converges."""
    low = max((j for j in known if known[j].slow), default=None)
    if low is not None:
        high = min((j for j in known if j > low), default=size)
        if high - low > 1:
            return [(low + high) // 2]
    strides = [size - 2**k for k in range(size.bit_length()) if 2**k < size]
    further = _unknown(known, [*strides, 0])
    if further:
        return further[:1]
    if low is None:
        return _unknown(known, range(size))
    nearest = min(known, key=lambda j: (known[j].excess_loss, j))
    left = max((j for j in known if j < nearest), default=-1)
    right = min((j for j in known if j > nearest), default=size)
    gaps = [(a + b) // 2 for a, b in ((left, nearest), (nearest, right)) if b - a > 1]
    near = range(max(0, nearest - NEIGHBOURS), min(size, nearest + NEIGHBOURS + 1))
    return gaps or _unknown(known, near)


def _found(known: Known, grid: tuple[float, ...]) -> Found:
    best = _best(known)
    all_known = len(known) == len(grid)
    spent = sum(one.iterations for one in known.values())
    if best is None:
        return Found(None, None, math.inf, all_known, False, len(known), spent, None)
    left, first, last, right = _bracket(known, best, len(grid))
    tight = first - left == 1 and right - last == 1
    proved = tight and not _unknown(known, range(first, last))
    return Found(
        index=best,
        value=grid[best],
        cost=known[best].cost,
        certain=all_known or (proved and not _contradicted(known)),
        edge=best in (0, len(grid) - 1),
        evaluations=len(known),
        spent=spent,
        budget=known[best].budget,
    )
