"""Gradient flow as an ordinary differential equation, its invariants watched."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from thalweg._core.errors import at_least_zero, positive, unknown, whole
from thalweg._core.outcome import Outcome
from thalweg.motion._flowing import (
    SOLVERS,
    FlowProgress,
    Task,
    begin,
    drive,
    taken_up,
)
from thalweg.motion._scene import scene
from thalweg.motion.path import Path
from thalweg.motion.record import choose_measures, kept_times
from thalweg.motion.starts import lifted, stacked

__all__ = ["SOLVERS", "FlowProgress", "flow", "go_on"]


def flow(
    problem: Any,
    weights: Any,
    *,
    horizon: float | None = None,
    times: Any = None,
    accuracy: float | None = None,
    gradient_tolerance: float = 1e-9,
    solver: str = "dopri8",
    rtol: float = 1e-10,
    atol: float = 1e-12,
    max_steps: int = 1_000_000,
    measures: Sequence[Any] = ("loss",),
    records: int = 200,
    compress: bool = True,
    on_progress: Callable[[FlowProgress], None] | None = None,
    throw: bool = False,
) -> Path:
    r"""Integrate the gradient flow $\dot W = -\nabla L(W)$ and record measures.

    The invariants $W_{j+1}^\top W_{j+1} - W_j W_j^\top$ are constant along the
    exact flow; how far they drifted is in `path.notes["invariant_drift"]`, the
    honest measure of the solver's error.

    Args:
        problem: A `Problem` or a `Playground`.
        weights: One start, or several stacked along a leading axis.
        horizon: Flow time to reach, `> 0`.
        times: Instead of `horizon`, the flow times to record, increasing from 0.
        accuracy: Excess loss at which to stop; `None` never stops for it.
        gradient_tolerance: Gradient norm that counts as a critical point; 0 never
            stops for it. Keep `rtol` at least 100 times below it: a flow cannot
            come to rest more closely than its solver resolves.
        solver: `dopri8`, `tsit5`, or `kvaerno5` for stiff flows.
        rtol: Relative tolerance of a step, `> 0`.
        atol: Absolute tolerance of a step, `> 0`.
        max_steps: Most solver steps between two returns to Python.
        measures: Names or measure objects to record.
        records: With `horizon`, how many times to record: 0, then
            logarithmically spaced over four decades.
        compress: Move the smallest net with the same trajectory, as in `descend`.
        on_progress: Called from time to time with a `FlowProgress`.
        throw: Raise if a single run does not end well.

    Returns:
        The path; its clock is flow time. The last record is where it ended.

    Raises:
        DomainError: If a number is out of its domain, or both or neither of
            `horizon` and `times` are given.
        UnknownName: If the solver is not known.
        RunFailed: With `throw`, if a single run did not end well.

    Example:
        >>> from thalweg.problem.scalar import Playground
        >>> path = flow(Playground(2), [2.0, 1.0], horizon=20.0)
        >>> [round(float(x), 6) for x in path.weights]  # keeps x^2 - y^2 = 3
        [1.817354, 0.550251]

    Source:
        Chitour, Liao, Couillet, equation (6) and Lemma 1.
    """  # noqa: DOC501
    clock = kept_times(horizon, times, records)
    if solver not in SOLVERS:
        raise unknown(solver, SOLVERS, "the list of solvers")
    positive("rtol", rtol)
    positive("atol", atol)
    if accuracy is not None:
        at_least_zero("accuracy", accuracy)
    at_least_zero("gradient_tolerance", gradient_tolerance)
    whole("max_steps", max_steps, least=1)
    starts, batched = stacked(problem, weights)
    chosen = choose_measures(measures, problem)
    task = Task(
        problem=problem,
        starts=starts,
        clock=clock,
        measures=chosen,
        batched=batched,
        scene=scene(problem, starts, chosen, allowed=compress),
        settings={
            "kind": "flow",
            "horizon": float(clock[-1]),
            "times": clock.tolist(),
            "accuracy": None if accuracy is None else float(accuracy),
            "gradient_tolerance": float(gradient_tolerance),
            "solver": solver,
            "rtol": float(rtol),
            "atol": float(atol),
            "max_steps": int(max_steps),
            "compress": compress,
        },
    )
    path = drive(task, [begin(task, index) for index in range(task.runs)], on_progress)
    if throw and isinstance(path.outcome, Outcome):
        path.outcome.raise_if_bad()
    return path


def go_on(
    path: Path, on_progress: Callable[[FlowProgress], None] | None = None
) -> Path:
    """Go on with a flow that was interrupted.

    Args:
        path: A path from `flow`.
        on_progress: As in `flow`.

    Returns:
        The whole path, equal bit for bit to one that was never interrupted.
    """
    starts = path.start if path.batched else lifted(path.start)
    task = Task(
        problem=path.problem,
        starts=starts,
        clock=np.asarray(path.settings["times"]),
        measures=path.measures,
        batched=path.batched,
        settings=path.settings,
        scene=scene(
            path.problem, starts, path.measures, allowed=path.settings["compress"]
        ),
    )
    lanes = [taken_up(task, path, index) for index in range(task.runs)]
    return drive(task, lanes, on_progress)
