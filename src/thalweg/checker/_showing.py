"""At which candidate a file shows its slacks, when the promise has a better one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from flint import arb

from ._case import Case, Condition

ROUNDS = 20
NEAR = 1e-30

Conditions = Mapping[str, Condition]


def shown(
    case: Case,
    conditions_at: Callable[[Any], Conditions],
    candidate: Any,
    names: Sequence[str],
) -> Conditions:
    """Return the conditions at a candidate, to be shown at the file's own other one.

    The slacks claimed of `names` tell which that is, and how precisely. Nothing rests
    on it: the conditions are proved at the candidate of the promise.

    Args:
        case: The case.
        conditions_at: The conditions at a candidate.
        candidate: That of the promise.
        names: Conditions that are sensitive to it.

    Returns:
        The conditions.
    """
    proved = conditions_at(candidate)
    if all(_agrees(case, *item) for item in proved.items()):
        return proved
    found = []
    for name in names:
        claim = case.slack(name)
        if claim is not None:
            found.append(_met(lambda x, n=name: conditions_at(x)[n], candidate, claim))
    found = [(x, spread) for x, spread in found if (x + spread).is_finite()]
    if not found:
        return proved
    x, spread = min(found, key=lambda pair: float(pair[1]))
    there = conditions_at(x + arb(0, 1) * spread)
    return {
        name: condition
        if isinstance(condition.slack, bool)
        else replace(condition, shown=there[name].slack)
        for name, condition in proved.items()
    }


def _agrees(case: Case, name: str, condition: Condition) -> bool:
    claim = case.slack(name)
    if claim is None or isinstance(condition.slack, bool):
        return True
    low, high = claim
    return not (condition.slack > high or condition.slack < low)


def _met(
    condition_at: Callable[[Any], Condition], candidate: Any, claim: tuple[Any, Any]
) -> tuple[Any, Any]:
    """Return where a condition's slack is as claimed, and how precisely, by secants."""
    low, high = claim
    goal = ((low + high) / 2).mid()
    before, x, slope = candidate * (1 + arb(2) ** -20), candidate, arb(1)
    last = condition_at(before).slack.mid() - goal
    for _ in range(ROUNDS):
        off = condition_at(x).slack.mid() - goal
        slope = (off - last) / (x - before)
        if off == 0:
            break
        before, last, x = x, off, (x - off / slope).mid()
        if not x.is_finite() or abs(x - before) <= abs(x) * NEAR:
            break
    return x, ((high - low) / slope).abs_upper()
