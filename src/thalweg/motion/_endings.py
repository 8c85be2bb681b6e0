"""How each run of a descent ended, in a status and a sentence."""

from typing import Any

import jax

from thalweg._core.arrays import Array
from thalweg._core.outcome import CODES, Outcome, Status
from thalweg.measures import shelf
from thalweg.motion._blocks import Ends


def outcome_of(
    problem: Any,
    ends: Ends,
    index: int,
    *,
    step_size: float,
    accuracy: float | None,
    gradient_tolerance: float,
    interrupted: bool,
    start: Any,
) -> Outcome:
    """Return the outcome of one run.

    Args:
        problem: What was minimised.
        ends: Where all runs ended.
        index: Which run.
        step_size: Its step size.
        accuracy: The accuracy asked for.
        gradient_tolerance: The tolerance asked for.
        interrupted: Whether runs that have not ended were interrupted.
        start: Its start, for advice on divergence; `None` for no such advice.

    Returns:
        The outcome.
    """
    status = CODES[int(ends.status[index])]
    if interrupted and status is Status.OUT_OF_BUDGET:
        status = Status.INTERRUPTED
    iteration, excess = int(ends.iteration[index]), float(ends.excess[index])
    at = f"at iteration {iteration}: excess loss {excess:.3g}"
    if status is Status.DIVERGED:
        previous = float(ends.previous[index])
        advice = _advice(problem, start, step_size)
        message = f"diverged {at} after {previous:.3g}. {advice}"
    else:
        message = {
            Status.CONVERGED: f"converged {at} is at most {accuracy or 0.0:.3g}.",
            Status.STALLED: f"stalled {at}; {_rest(gradient_tolerance, step_size)}.",
            Status.INTERRUPTED: (
                f"interrupted {at}; resume it, nothing recorded was lost."
            ),
            Status.OUT_OF_BUDGET: f"out of budget {at}; allow more iterations.",
        }[status]
    return Outcome(
        status=status,
        iteration=iteration,
        loss=excess + float(problem.floor),
        excess_loss=excess,
        message=message,
    )


def _rest(gradient_tolerance: float, step_size: float) -> str:
    if gradient_tolerance > 0:
        return f"the gradient norm is within {gradient_tolerance:.3g}, or rounding"
    return (
        f"a step of {step_size:.3g} no longer moves the weights beyond rounding: a "
        "critical point, or too small a step"
    )


def _advice(problem: Any, start: Any, step_size: float) -> str:
    """Compare the sharpness at the start with the limit of linear stability."""
    top = float("nan") if start is None else float(_sharpness(problem, start))
    if not 0 < top < float("inf"):
        return "Try a smaller step_size."
    relation = "exceeds" if top > 2 / step_size else "starts below"
    return (
        f"The sharpness {top:.3g} at the start {relation} 2/step_size = "
        f"{2 / step_size:.3g}; try step_size <= {min(1 / top, step_size / 2):.2g}."
    )


@jax.jit
def _sharpness(problem: Any, weights: Any) -> Array:
    return shelf.make("sharpness").read(problem, weights)[0]
