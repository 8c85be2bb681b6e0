"""When a recorded descent could first be promised its end, and how well.

A promise made at iterate `t` says after how many more iterations the excess loss is
surely below an accuracy. The best of those made so far is set beside what was observed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import numpy as np

from thalweg._core.errors import DomainError, positive, whole
from thalweg._core.source import bibliography
from thalweg.theorems import shelf
from thalweg.theorems._base import AbstractTheorem, Case
from thalweg.theorems._certificate import count, plain
from thalweg.theorems._proving import prove
from thalweg.theorems._shared.ours import OURS
from thalweg.theorems._shared.screening import Screen

THEOREMS = ("margin.Margin", "anchored.Anchored", "local.PathIntegrated")
LONGEST = 200_000
"""Iterations of a path that are followed at most."""
STOPS = 240
HELD = 20_000_000
AFTER = 7


@runtime_checkable
@runtime_checkable
class Known(Protocol):
    """An iterate: floats, and how near to them the true one is."""

    @property
    def iteration(self) -> int:
        """Return which iterate."""
        ...

    @property
    def weights(self) -> Any:
        """Return its floats."""
        ...

    @property
    def radius(self) -> float:
        """Return how far the true one may be, in every layer."""
        ...


Iterates = Callable[[Any, Any, float, list[int]], Sequence[Known]]
"""Of problem, start, step and iterations: the iterates, with proven radii."""


@dataclass(frozen=True)
class Promise:
    """What one theorem promises of one iterate.

    Attributes:
        iteration: Of the iterate.
        theorem: The theorem.
        remaining: Iterations from there that surely suffice.
        radius: How far the true iterate may be from the floats it was proved of.
    """

    iteration: int
    theorem: str
    remaining: float
    radius: float

    @property
    def total(self) -> float:
        """Return the iteration by which the accuracy is surely reached."""
        return self.iteration + self.remaining

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values with stable keys."""
        return {
            "iteration": self.iteration,
            "theorem": self.theorem,
            "remaining": plain(self.remaining),
            "total": plain(self.total),
            "radius": plain(self.radius),
        }


@dataclass(frozen=True)
class PathCertificate:
    """Promises along a descent beside what was observed.

    Attributes:
        accuracy: Excess loss the promises are about.
        step_size: The step.
        iterations: Of the records.
        observed: The first record at the accuracy or below, if there is one.
        promises: Those that were made, by iteration.
        about: What the promises are about, in words.
    """

    accuracy: float
    step_size: float
    iterations: tuple[int, ...]
    observed: int | None
    promises: tuple[Promise, ...]
    about: str

    @cached_property
    def first(self) -> Promise | None:
        """Return the earliest promise."""
        return min(self.promises, key=lambda p: (p.iteration, p.total), default=None)

    @cached_property
    def best(self) -> Promise | None:
        """Return the promise of the earliest end."""
        return min(self.promises, key=lambda p: (p.total, p.iteration), default=None)

    @property
    def promised(self) -> tuple[float, ...]:
        """Return for every record the best end promised by then, infinite if none."""
        return tuple(
            min((p.total for p in self._by(t)), default=float("inf"))
            for t in self.iterations
        )

    @property
    def ratios(self) -> tuple[float | None, ...]:
        """Return for every record what was promised over what was observed."""
        return tuple(self._ratio(total) for total in self.promised)

    @property
    def phases(self) -> tuple[str, ...]:
        """Return for every record `none`, `margin`, `local` or `finished`."""
        return tuple(self._phase(t) for t in self.iterations)

    def lines(self) -> list[str]:
        """Return it in words, a sentence a line."""
        seen = (
            "never recorded"
            if self.observed is None
            else f"first recorded at iteration {count(self.observed)}"
        )
        lines = [
            f"excess loss {self.accuracy:.3g} at step {self.step_size:.6g}: {seen}"
        ]
        if self.first is None or self.best is None:
            return [
                *lines,
                "  no promise could be proved on the way",
                f"  {self.about}",
            ]
        lines.append(f"  first promised at {self._told(self.first)}")
        if self.best is not self.first:
            lines.append(f"  best promised at {self._told(self.best)}")
        return [*lines, f"  {self.about}"]

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values with stable keys."""
        return {
            "accuracy": self.accuracy,
            "step_size": self.step_size,
            "observed": self.observed,
            "first": None if self.first is None else self.first.to_json(),
            "best": None if self.best is None else self.best.to_json(),
            "promises": [promise.to_json() for promise in self.promises],
            "iterations": [*self.iterations],
            "phases": [*self.phases],
            "promised": [plain(total) for total in self.promised],
            "ratios": [plain(ratio) for ratio in self.ratios],
            "about": self.about,
        }

    def cite(self) -> str:
        """Return the BibTeX of the theorems' source."""
        return bibliography([OURS])

    def _by(self, iteration: int) -> list[Promise]:
        return [p for p in self.promises if p.iteration <= iteration]

    def _ratio(self, total: float) -> float | None:
        return total / self.observed if self.observed and np.isfinite(total) else None

    def _phase(self, iteration: int) -> str:
        if self.observed is not None and iteration >= self.observed:
            return "finished"
        made = {p.theorem.partition(".")[0] for p in self._by(iteration)}
        if made - {"margin"}:
            return "local"
        return "margin" if made else "none"

    def _told(self, promise: Promise) -> str:
        ratio = self._ratio(promise.total)
        beside = "" if ratio is None else f", {ratio:.3g} times that of the record"
        return (
            f"iteration {count(promise.iteration)} by {promise.theorem}: by iteration "
            f"{count(promise.total)}{beside}"
        )


def certify_path(
    path: Any,
    iterates: Iterates,
    *,
    accuracy: float = 1e-6,
    rounding: bool = True,
    every: int | None = None,
) -> PathCertificate:
    """Promise a recorded descent its end, as early and as well as can be proved.

    The path is followed again, rigorously, with some hundred stops; at a few of them
    the theorems are tried: at the start, where they first hold (found by halving), and
    at some stops after that.

    Args:
        path: A single run of plain descent, or of leaps.
        iterates: What follows a descent from its start and tells the iterates at given
            iterations with proven radii.
        accuracy: Excess loss, `> 0`.
        rounding: Whether to prove it of exact descent from the exact start; if not,
            the promise at an iterate is about exact descent from those floats.
        every: Try the theorems at every so many iterations instead, `>= 1`.

    Returns:
        The promises beside what was observed. A path longer than 200,000 iterations is
        not followed: its start is tried, and its end as if it were exact.

    Raises:
        DomainError: If the path is of another kind, or a number out of its domain.
    """
    positive("accuracy", accuracy)
    if every is not None:
        whole("every", every, least=1)
    plain_descent = path.settings["kind"] in ("descent", "leap")
    if path.batched or not plain_descent or path.settings["momentum"]:
        raise DomainError(
            "the path is not a single descent without momentum; these promises are "
            "about no other. Of a batch, pass path.run(index)."
        )
    known, about = _known(path, iterates, rounding, every)
    tried = _Tries(path.problem, float(path.step_size), accuracy, known)
    reached = np.flatnonzero(np.asarray(path["excess_loss"]) <= accuracy)
    observed = int(path.clock[reached[0]]) if reached.size else None
    if every is None:
        tried.search(observed)
    else:
        for i in range(len(known)):
            tried.at(i)
    return PathCertificate(
        accuracy=accuracy,
        step_size=float(path.step_size),
        iterations=tuple(int(t) for t in path.clock),
        observed=observed,
        promises=tried.promises,
        about=about,
    )


def _known(
    path: Any, iterates: Iterates, rounding: bool, every: int | None
) -> tuple[list[Known], str]:
    """Return iterates to try, and what is then promised, in words."""
    end = int(path.clock[-1])
    if end > LONGEST:
        ends: list[Known] = [
            _Floats(0, path.start, 0.0),
            _Floats(end, path.weights, 0.0),
        ]
        return ends, (
            f"the path is too long to be followed; promises at iteration {end} are "
            "about exact descent from the recorded weights"
        )
    stops = set(range(0, end + 1, every)) if every else _stops(path, end)
    found = iterates(path.problem, path.start, float(path.step_size), sorted(stops))
    finite = [known for known in found if np.isfinite(known.radius)]
    if not rounding:
        bare: list[Known] = [
            _Floats(known.iteration, known.weights, 0.0) for known in finite
        ]
        return bare, "a promise is about exact descent from the floats of its iterate"
    farthest = max((known.radius for known in finite), default=0.0)
    return finite, (
        "the promises are about exact descent from the exact start; the floats were "
        f"proved to stay within {farthest:.2g} of it in every layer"
    )


@dataclass(frozen=True)
class _Floats:
    """An iterate taken as exact."""

    iteration: int
    weights: Any
    radius: float


def _stops(path: Any, end: int) -> set[int]:
    size = sum(np.asarray(w).size for w in path.problem.chain(path.start))
    most = int(np.clip(HELD // max(size, 1), 16, STOPS))
    evenly = np.linspace(0, end, min(most, end + 1)).round()
    early = np.geomspace(1, max(end, 1), most // 4).round()
    reached = np.flatnonzero(np.diff(np.asarray(path["excess_loss"])) < 0)[-1:] + 1
    first = path.clock[reached] if reached.size else []
    return {0, *(int(t) for t in (*evenly, *early, *first))}


class _Tries:
    """The theorems tried at iterates, each once."""

    def __init__(
        self, problem: Any, step: float, accuracy: float, known: Sequence[Known]
    ) -> None:
        self.problem, self.step, self.accuracy = problem, step, accuracy
        self.known = known
        self.theorems: list[tuple[str, AbstractTheorem]] = [
            (name, shelf.make(name)) for name in THEOREMS
        ]
        self.screen = Screen(problem, step)
        self.found: dict[int, Promise | None] = {}

    @property
    def promises(self) -> tuple[Promise, ...]:
        """Return what was promised, by iteration."""
        made = [p for _, p in sorted(self.found.items()) if p is not None]
        return tuple(made)

    def at(self, i: int) -> Promise | None:
        """Return the best promise at an iterate; `None` without one."""
        if i not in self.found:
            self.found[i] = self._prove(self.known[i])
        return self.found[i]

    def search(self, observed: int | None) -> None:
        """Find about the first iterate with a promise, and better ones after it."""
        if not self.known:
            return
        last = len(self.known) - 1
        if observed is not None:
            times = [known.iteration for known in self.known]
            last = min(last, int(np.searchsorted(times, observed)))
        self.at(0)
        self.at(last)
        if self.at(0) is None:
            self._halve(0, last)
        first = min((i for i, p in self.found.items() if p is not None), default=last)
        for i in np.unique(np.linspace(first, last, AFTER).round().astype(int)):
            self.at(int(i))

    def _halve(self, low: int, high: int) -> None:
        """Halve between an iterate without a promise and a later one with one."""
        if self.at(high) is None:
            return
        while high - low > 1:
            middle = (low + high) // 2
            if self.at(middle) is None:
                low = middle
            else:
                high = middle

    def _prove(self, known: Known) -> Promise | None:
        best: Promise | None = None
        for name, theorem in self.theorems:
            if not self.screen.admits(name, self.problem.check(known.weights)):
                continue
            start = self.problem.check(known.weights)
            case = Case(self.problem, start, self.step, radius=known.radius)
            promise = prove(theorem, case).guarantee
            remaining = None if promise is None else promise.time_to(self.accuracy)
            if remaining is None or not np.isfinite(remaining):
                continue
            made = Promise(known.iteration, name, remaining, known.radius)
            if best is None or made.total < best.total:
                best = made
        return best
