"""The flow from a start near balance with a margin: a rate that grows on the way."""

from collections.abc import Callable
from typing import Any

from flint import arb

from ._balls import root
from ._case import Case, Proof
from ._margin import Hull, near_target
from ._reading import Refused
from ._showing import shown

RATIO = 0.9985
"""Of neighbouring levels of the error, between which the upper one's rate is taken."""

LAST = 5e-4
"""Share of the first error below which the rate is taken to grow no more."""


def margin_flow(case: Case) -> Proof:
    """The margin certificate at step zero, where the imbalance is kept."""
    hull = Hull(case.at_rest)
    if not hull.delta0 <= hull.delta:
        raise Refused("promise.values['imbalance delta']: the start's is larger.")
    conditions = shown(
        case, lambda x: near_target(hull.at(x)), hull.delta, ["lambda(e0) > 0"]
    )
    worst = hull.worst
    return Proof(
        conditions,
        "flow time",
        rate=2 * worst.gain(worst.start),
        count=lambda goal: time_to(worst.gain, worst.start, root(2 * goal)),
        values=hull.all_values(),
    )


def time_to(rate: Callable[[Any], Any], start: Any, goal: Any) -> Any:
    """Return a time after which an error is at most `goal`.

    Args:
        rate: Of an error: the rate at which every smaller one decays, at least.
        start: The first error.
        goal: What it is to be at most.

    Returns:
        The time.
    """
    level, goal, time = start.upper(), goal.lower(), arb(0)
    last = level * LAST
    while level > goal > 0:
        low = (level * RATIO).mid().max(goal) if level > last else goal
        time += (level / low).log() / rate(level)
        level = low
    return time
