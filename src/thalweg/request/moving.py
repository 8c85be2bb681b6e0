"""From settings to the call that moves the weights: descent, leaps, flow, training."""

from collections.abc import Callable
from functools import partial
from typing import Any


def mover(settings: Any, posed: Any, step: float | None) -> Callable[..., Any]:
    """Return the call that moves the weights, but for its progress callback.

    Args:
        settings: What was asked for.
        posed: The problem and the start.
        step: The step size; `None` for a flow.

    Returns:
        What takes `on_progress` and returns the path.
    """
    from thalweg.motion.descend import descend

    common = {
        "accuracy": settings.accuracy,
        "gradient_tolerance": settings.gradient_tolerance,
        "measures": measures_of(settings),
        "compress": settings.compress,
    }
    if settings.flow and settings.solver == "exact":
        return partial(_solved, settings, posed)
    if settings.flow:
        from thalweg.motion.flow import flow

        return partial(
            flow,
            posed.problem,
            posed.weights,
            horizon=settings.horizon,
            solver=settings.solver,
            rtol=settings.rtol,
            atol=settings.atol,
            records=settings.records,
            **common,
        )
    common |= {
        "step_size": step,
        "iterations": settings.iterations,
        "momentum": settings.momentum,
        "every": settings.every,
    }
    if settings.records is not None:
        common["records"] = settings.records
    if settings.optimizer is not None:
        from thalweg.motion.train import train

        own = ("accuracy", "measures", "step_size", "iterations", "every", "records")
        kept = {key: common[key] for key in own if key in common}
        optimizer = settings.optimizer
        return partial(train, posed.problem, posed.weights, optimizer, **kept)
    if not settings.leap:
        return partial(descend, posed.problem, posed.weights, **common)
    from thalweg.motion.leap import leap

    common["tolerance"] = settings.tolerance
    return partial(leap, posed.problem, posed.weights, **common)


def _solved(settings: Any, posed: Any, on_progress: Any) -> Any:
    """Return the flow in closed form, as a path; there is no progress to show."""
    from thalweg.motion.exact import exact_flow
    from thalweg.motion.record import kept_times

    times = kept_times(settings.horizon, None, settings.records)
    found = exact_flow(posed.problem, posed.weights, times)
    return found.path(measures_of(settings))


def measures_of(settings: Any) -> list[Any]:
    """Return the measures that settings ask for, as objects."""
    from thalweg.measures import shelf

    return [shelf.make(entry.name, **entry.fields) for entry in settings.measures]
