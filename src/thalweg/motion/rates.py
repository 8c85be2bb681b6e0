"""What a whole path tells: its rate, its time to an accuracy, its plateaus."""

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np

from thalweg._core.arrays import EPS
from thalweg._core.errors import DomainError
from thalweg._core.outcome import Outcome, Outcomes
from thalweg.motion.descend import descend
from thalweg.motion.path import Path


@dataclass(frozen=True)
class Rate:
    """How fast the excess loss fell at the end of a path.

    Attributes:
        kind: `exponential`, as exp(-rate t); `polynomial`, as t^(-rate); or
            `none` if it hardly fell over the window.
        rate: The exponent, per unit of the clock; for a polynomial, the power.
        uncertainty: Half the change of the rate from the window's first half to its
            second, plus the standard error of the fit.
        window: First and last clock value of the records fitted.
        records: How many records were fitted.
        unit: `iteration` or `flow time`.
    """

    kind: Literal["exponential", "polynomial", "none"]
    rate: float
    uncertainty: float
    window: tuple[float, float]
    records: int
    unit: Literal["iteration", "flow time"]

    def __str__(self) -> str:
        """Return the rate in words."""
        if self.kind == "none":
            return "no decrease over the window"
        shape = (
            f"exp(-{self.rate:.4g} t)"
            if self.kind == "exponential"
            else f"t^(-{self.rate:.3g})"
        )
        return (
            f"{self.kind}, {shape} per {self.unit}, +- {self.uncertainty:.1g}, fitted "
            f"on {self.records} records from {self.window[0]:.6g} to "
            f"{self.window[1]:.6g}"
        )


@dataclass(frozen=True)
class Plateau:
    """A stretch over which the loss hardly moved, as near a saddle.

    Attributes:
        start: Clock where it begins.
        end: Clock where it ends.
        excess_loss: Geometric mean of the excess loss on it.
        loss: The same level of the loss itself.
    """

    start: float
    end: float
    excess_loss: float
    loss: float


def observed_rate(path: Path, *, fraction: float = 0.75) -> Rate | list[Rate]:
    """Fit the decay of the excess loss at the end of a path.

    Both an exponential and a power of time are fitted to the logarithm of the
    excess loss over the last `fraction` of the clock, records at rounding level
    left out; the better fit is reported. Degenerate limits converge like a power
    of time.

    Args:
        path: A descent or a flow.
        fraction: Share of the clock that is fitted, above 0 and at most 1.

    Returns:
        The rate; for a batch, one per run.

    Raises:
        DomainError: If fewer than four records lie above rounding, or `fraction`
            is out of range.

    Source:
        Chitour, Liao, Couillet, Proposition 1 (polynomial) and Remark 2
        (exponential).
    """
    if not 0 < fraction <= 1:
        raise DomainError(f"fraction is {fraction}; it must be above 0, at most 1.")
    if isinstance(path.outcome, Outcomes):
        return [
            _one_rate(path.run(index), fraction) for index in range(len(path.outcome))
        ]
    return _one_rate(path, fraction)


def iterations_to(path: Path, accuracy: float) -> int | None:
    """Return the first iteration whose excess loss is at most `accuracy`.

    The descent is run again from its start with that accuracy, so the count is
    exact, whatever was recorded; a path of leaps is leapt again.

    Args:
        path: A single descent.
        accuracy: Excess loss, `>= 0`.

    Returns:
        The iteration, or `None` if the path's iterations do not suffice.

    Raises:
        DomainError: If the path is a flow, a training or a batch.
    """
    if path.is_flow or isinstance(path.outcome, Outcomes):
        raise DomainError("iterations_to needs a single descent; choose path.run(i).")
    if path.settings["kind"] == "training":
        raise DomainError(
            "iterations_to runs plain descents again; train once more with accuracy=."
        )
    if path.outcome.converged and path.settings["accuracy"] == accuracy:
        return int(path.outcome.iteration)
    mover: Any = descend
    if path.settings["kind"] == "leap":
        from thalweg.motion.leap import leap  # noqa: PLC0415  (it imports this)

        mover = partial(leap, tolerance=path.settings["tolerance"])
    again = mover(
        path.problem,
        path.start,
        step_size=path.step_size,
        iterations=int(path.clock[-1]),
        accuracy=accuracy,
        momentum=path.settings["momentum"],
        records=2,
    )
    outcome = again.outcome
    if isinstance(outcome, Outcome) and outcome.converged:
        return outcome.iteration
    return None


def plateaus(path: Path, *, slope: float = 0.05, stretch: float = 1.5) -> list[Plateau]:
    """Find where the loss hardly moved over a stretch of the clock.

    Args:
        path: A single path.
        slope: Largest absolute slope of log loss against log clock on a plateau.
        stretch: Least ratio of a plateau's end to its start, above 1.

    Returns:
        The plateaus in order; that at the start of a path begins at its second
        record.

    Raises:
        DomainError: If the path is a batch.
    """
    if path.batched:
        raise DomainError("plateaus needs a single path; choose path.run(i).")
    clock, excess = _usable(path)
    if clock.size < 3:
        return []
    steepness = np.abs(np.diff(np.log(excess)) / np.diff(np.log(clock)))
    flat = np.concatenate([[False], steepness < slope, [False]])
    begins = np.flatnonzero(flat[1:] & ~flat[:-1])
    ends = np.flatnonzero(flat[:-1] & ~flat[1:])
    floor = float(path.problem.floor)
    found = []
    for first, last in zip(begins, ends, strict=True):
        if clock[last] >= stretch * clock[first]:
            level = float(np.exp(np.mean(np.log(excess[first : last + 1]))))
            found.append(
                Plateau(float(clock[first]), float(clock[last]), level, level + floor)
            )
    return found


def _one_rate(path: Path, fraction: float) -> Rate:
    clock, excess = _usable(path)
    inside = clock >= (1 - fraction) * clock[-1] if clock.size else clock > 0
    if inside.sum() < 4:
        inside = np.arange(clock.size) >= clock.size - 4
    clock, excess = clock[inside], excess[inside]
    if clock.size < 4:
        raise DomainError(
            f"only {clock.size} records lie above rounding; record more, or stop "
            "before rounding is reached."
        )
    unit: Literal["iteration", "flow time"] = (
        "flow time" if path.is_flow else "iteration"
    )
    window, levels = (float(clock[0]), float(clock[-1])), np.log(excess)
    if levels[0] - levels[-1] < 1e-6:
        return Rate("none", 0.0, 0.0, window, clock.size, unit)
    exponential = _fit(clock, levels)
    power = _fit(np.log(clock), levels)
    kind, best = (
        ("exponential", exponential)
        if exponential[2] <= power[2]
        else ("polynomial", power)
    )
    return Rate(kind, best[0], best[1], window, clock.size, unit)  # type: ignore[arg-type]


def _fit(x: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    """Return the negative slope, its uncertainty, and the residual sum of squares."""
    slope, rest = _line(x, y)
    half = x.size // 2
    drift = (
        abs(_line(x[:half], y[:half])[0] - _line(x[half:], y[half:])[0]) / 2
        if half >= 2
        else 0.0
    )
    spread = float(np.sum((x - x.mean()) ** 2))
    error = (rest / max(x.size - 2, 1) / spread) ** 0.5
    return -slope, drift + error, rest


def _line(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Return slope and residual sum of squares of the least-squares line."""
    centred = x - x.mean()
    slope = float(centred @ y / (centred @ centred))
    return slope, float(np.sum((y - y.mean() - slope * centred) ** 2))


def _usable(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return clock and excess loss of the records above rounding and after zero."""
    excess = np.asarray(path["excess_loss"], dtype=float)
    keep = (excess > rounding_level(path.problem)) & (path.clock > 0)
    return path.clock[keep].astype(float), excess[keep]


def rounding_level(problem: Any) -> float:
    """Return the excess loss below which only rounding is seen.

    A residual is known to a few units of rounding of the labels, so its square to
    their square; above a bottleneck the infimum's own rounding remains.
    """
    zero = [np.zeros(shape) for shape in problem.net.shapes]
    energy = float(problem.excess_loss(problem.check(zero)))
    return 1e4 * EPS**2 * energy + 1e2 * EPS * float(problem.infimum)
