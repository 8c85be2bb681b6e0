r"""From saddle to saddle: which modes a path learns, in which order, and when.

A small start passes near the origin and then near one saddle after another, each with
one more mode of the labels. A mode counts as learnt from where its strength
$u_\alpha^\top W X_r v_\alpha$ first is half its singular value $s_\alpha$; between two
such crossings a path visits the saddle that has learnt what was crossed before.
"""

import math
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from thalweg._core.errors import DomainError, positive, whole
from thalweg.inits.gaussian import Gaussian
from thalweg.landscape._points.members import CriticalPoint
from thalweg.landscape._saddles.retrace import SEEN, again, product, recorded, states
from thalweg.landscape._saddles.schedule import (
    Learning,
    around_crossings,
    learnings,
    mode_shares,
    predicted,
)
from thalweg.landscape.kinds import Kind
from thalweg.landscape.nearest import Nearest, nearest_critical_point
from thalweg.landscape.reduced import Matrix, Modes, as_weights, factors, linear
from thalweg.motion.path import Path


@dataclass(frozen=True)
class Visit:
    """A critical point that a path went by.

    Attributes:
        modes: The modes learnt there.
        value: Half the sum of squares of the singular values that are not.
        kind: What it is.
        distance: From the path to it, at the record whose prediction is nearest to
            having learnt these modes and no others: an upper bound.
        relative_distance: The same relative to the norm of the weights there, or of
            the path's where that is larger.
        slowed: Whether the gradient had a minimum on the way, as near a saddle; a path
            that learns two modes almost together flies by.
        at_iteration: That record's iteration.
        from_iteration: When the last of its modes was learnt; the start for the first.
        to_iteration: When the next mode was learnt; the end for the last.
        waiting_time: Flow time between the two; `None` for the last.
        predicted_time: What theory gives for it; `None` where none is known.
    """

    modes: tuple[int, ...]
    value: float
    kind: Kind
    distance: float
    relative_distance: float
    slowed: bool
    at_iteration: int
    from_iteration: float
    to_iteration: float
    waiting_time: float | None
    predicted_time: float | None


@dataclass(frozen=True)
class Itinerary:
    """What a path learnt, and what it passed.

    Attributes:
        visits: The critical points in order, the last where it ended.
        learnt: The modes in the order in which they were learnt.
        theory: What the predicted times rest on.
        path: The descent.
    """

    visits: tuple[Visit, ...]
    learnt: tuple[Learning, ...]
    theory: str
    path: Path = field(repr=False)

    @property
    def order(self) -> tuple[int, ...]:
        """Return the modes in the order in which they were learnt."""
        return tuple(one.mode for one in self.learnt)

    def __iter__(self) -> Iterator[Visit]:
        """Iterate over the visits."""
        return iter(self.visits)

    def __len__(self) -> int:
        """Return the number of visits."""
        return len(self.visits)

    def __str__(self) -> str:
        """Return one line: the order of the modes and their times."""
        if not self.learnt:
            return "no mode was learnt"
        told = (f"{one.mode} at time {one.time:.4g}" for one in self.learnt)
        return f"learnt in order: {', '.join(told)}"

    def to_json(self) -> dict[str, Any]:
        """Return plain values, without the path."""
        visits = [
            {**asdict(v), "modes": list(v.modes), "kind": str(v.kind)}
            for v in self.visits
        ]
        return {
            "order": list(self.order),
            "learnt": [asdict(one) for one in self.learnt],
            "visits": visits,
            "theory": self.theory,
            "step_size": float(self.path.step_size),
        }

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the path to a folder, with this noted on it as `itinerary`."""
        self.path.with_notes(itinerary=self.to_json()).save(folder)


def itinerary(
    problem: Any,
    weights: Any = None,
    *,
    path: Any = None,
    std: float = 0.01,
    seed: int = 0,
    step_size: float | None = None,
    iterations: int = 200_000,
) -> Itinerary:
    r"""Follow a small start from saddle to saddle, and compare with theory.

    Theory is that of aligned modes. A start aligned with white data is one: its times
    are the flow's (see `learning_time`), exact. For another small start of two layers
    on white data, a mode grows from $g = (W_1 v + W_2^\top u) / 2$, the hidden units
    that larger modes take less: what of $g$ is orthogonal to theirs is as an aligned
    start whose strength is its square. That is exact to first order in the start while
    modes are learnt far apart, and ours. Else nothing is predicted.

    Args:
        problem: A `Problem` or a `Playground`.
        weights: The start; a Gaussian one if `None`.
        path: Instead, a single descent of this problem: it is run again to be recorded.
        std: Standard deviation of a Gaussian start, `> 0`.
        seed: Its seed.
        step_size: Of the descent, `> 0`; `None` takes an eighth of what `escape`
            would. The flow's times are reached as it tends to zero.
        iterations: Most steps.

    Returns:
        Visits, order and times. The descent is run twice, the second time recorded
        closely at crossings, and a nearest critical point is sought at every visit.

    Raises:
        DomainError: If `weights` and `path` both come, if the path is no single
            descent, or if the labels have no mode to learn.

    Example:
        >>> from thalweg.problem.moments import Moments
        >>> from thalweg.problem.nets import LinearNet
        >>> from thalweg.problem.problem import Problem
        >>> target = np.diag([3.0, 1.0])
        >>> problem = Problem(LinearNet((2, 2, 2)), Moments.whitened(target))
        >>> found = itinerary(problem, [1e-2 * np.eye(2)] * 2)
        >>> found.order, [visit.modes for visit in found]
        ((1, 2), [(), (1,), (1, 2)])

    Source:
        Saxe, McClelland, Ganguli, Section 1.2.
    """
    modes = Modes.of(factors(linear(problem))[1])
    if not modes.rank:
        raise DomainError("the labels are zero: there is no mode to learn.")
    if path is not None and not isinstance(path, Path):
        raise DomainError(
            f"path is a {type(path).__name__}; it must be what descend returns."
        )
    if path is None:
        start = _start(problem, weights, std, seed)
        path = recorded(problem, start, step_size, iterations, modes)
    elif weights is not None:
        raise DomainError("both weights and a path came; pass one of them.")
    else:
        path = again(problem, path)
    shares = mode_shares(problem, path["end_to_end"], modes)
    times, theory = predicted(problem, path.start, modes)
    stops = list(_stops(path, learnings(path, shares, times), shares, modes))
    near = around_crossings(path.clock, shares, SEEN // problem.net.parameters)
    close, points = states(path, [*near.tolist(), *(stop.iteration for stop in stops)])
    products = np.array([product(problem, point) for point in points])
    learnt = learnings(close, mode_shares(problem, products, modes), times)
    at = np.searchsorted(close.clock, [stop.iteration for stop in stops])
    visits = tuple(
        _visit(problem, points[place], stop, learnt, int(path.clock[-1]))
        for place, stop in zip(at, stops, strict=True)
    )
    return Itinerary(visits, learnt, theory, path)


def _start(problem: Any, weights: Any, std: float, seed: int) -> Any:
    if weights is not None:
        return problem.check(weights)
    drawn = Gaussian(std=positive("std", std)).draw(whole("seed", seed), problem.net)
    return as_weights(problem, [np.asarray(layer) for layer in drawn])


@dataclass(frozen=True)
class _Stop:
    """Where between two crossings a path is nearest to the saddle between them.

    Attributes:
        count: How many modes are learnt.
        iteration: That of the record.
        slowed: Whether the gradient has a minimum between the crossings.
    """

    count: int
    iteration: int
    slowed: bool


def _stops(
    path: Path, learnt: tuple[Learning, ...], shares: Matrix, modes: Modes
) -> Iterator[_Stop]:
    """Yield a stop for the start, for every crossing, and for the end."""
    ends = [0.0, *(one.iteration for one in learnt), float(path.clock[-1])]
    gradient = np.asarray(path["gradient_norm"])
    goal = np.zeros(modes.rank)
    for count, (first, last) in enumerate(pairwise(ends)):
        if count:
            goal[learnt[count - 1].mode - 1] = 1.0
        inside = np.flatnonzero((path.clock >= first) & (path.clock <= last))
        if not inside.size:
            continue
        gaps = (shares[inside] - goal) * modes.values[: modes.rank]
        record = int(inside[np.argmin(np.sum(gaps**2, axis=1))])
        least = int(np.argmin(gradient[inside]))
        enters, leaves = least > 0, least < inside.size - 1
        slowed = (enters or not count) and (leaves or count == len(learnt))
        yield _Stop(count, int(path.clock[record]), slowed)


def _visit(
    problem: Any,
    weights: Any,
    stop: _Stop,
    learnt: tuple[Learning, ...],
    end: int,
) -> Visit:
    known, following = learnt[: stop.count], learnt[stop.count : stop.count + 1]
    modes = tuple(sorted(one.mode for one in known))
    point, distance = _of_modes(nearest_critical_point(problem, weights), modes)
    size = max(_norm(problem, point.weights), _norm(problem, weights))
    waited, theory = _waits(known, following)
    return Visit(
        modes=tuple(point.modes),
        value=float(point.value),
        kind=Kind(point.kind),
        distance=distance,
        relative_distance=distance / size if size else 0.0,
        slowed=stop.slowed,
        at_iteration=stop.iteration,
        from_iteration=known[-1].iteration if known else 0.0,
        to_iteration=following[0].iteration if following else float(end),
        waiting_time=waited,
        predicted_time=theory,
    )


def _waits(
    known: tuple[Learning, ...], following: tuple[Learning, ...]
) -> tuple[float | None, float | None]:
    """Return the time from the last crossing to the next one, and theory's."""
    if not following:
        return None, None
    after = following[0]
    if not known:
        return after.time, after.predicted_time
    before = known[-1]
    if before.predicted_time is None or after.predicted_time is None:
        return after.time - before.time, None
    return after.time - before.time, after.predicted_time - before.predicted_time


def _of_modes(near: Nearest, modes: tuple[int, ...]) -> tuple[CriticalPoint, float]:
    """Return a near critical point that has learnt these modes; else the nearest."""
    same = [pair for pair in near.candidates if tuple(pair[0].modes) == modes]
    if tuple(near.point.modes) == modes or not same:
        return near.point, near.distance
    return min(same, key=lambda pair: pair[1])


def _norm(problem: Any, weights: Any) -> float:
    layers = problem.chain(weights)
    return math.sqrt(sum(float(np.sum(np.asarray(layer) ** 2)) for layer in layers))
