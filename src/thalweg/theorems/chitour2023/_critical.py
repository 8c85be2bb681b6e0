r"""Stored weights as exact rational matrices: whether they are critical, and modes.

Notation, after the reduction: $X$ and $Y$ are the data, $P = W_N \cdots W_1 X$,
$E = P - Y$, $R = W_N \cdots W_2$, $Z = W_{N-1} \cdots W_2$.
"""

from collections.abc import Sequence
from typing import Any

from thalweg.landscape._saddles.exactly import Point
from thalweg.linalg import balls, exact
from thalweg.theorems._base import Ball, Case, Hypothesis
from thalweg.theorems.chitour2023._reduced import (
    full_inputs,
    inputs_factor,
    labels_factor,
)


def here(case: Case) -> Point:
    """Return the point of a case in the case's own arithmetic."""
    return Point(case.weights, *_data(case, case.la), case.la)


def exactly(case: Case) -> Point:
    """Return the point of a case in rational numbers."""
    return Point.stored(case.problem, case.start)


def _data(case: Case, la: Any) -> tuple[Any, Any]:
    """Return inputs, `None` if white, and labels in an arithmetic."""
    inputs = None if case.is_whitened else inputs_factor(case, la)
    return inputs, labels_factor(case, la)


def is_critical(case: Case) -> Hypothesis:
    """Return that the gradient is zero: of stored floats a fact, decided exactly."""
    name, mend = "the gradient is zero", "move to a critical point"
    norms = [case.la.norm(part) for part in here(case).gradient()]
    if case.radius:
        return Hypothesis(name, -balls.largest(norms), strict=False, mend=mend)
    surely = any(balls.bounds(norm)[0] > 0 for norm in norms)
    fact = not surely and all(map(exact.is_zero, exactly(case).gradient()))
    return Hypothesis(name, fact=fact, mend=mend)


def critical_facts(case: Case) -> list[Hypothesis]:
    """Return what every statement about critical points needs.

    Args:
        case: The case.

    Returns:
        Two layers at least, inputs and labels of full rank, no gradient. A false
        fact is the last.
    """
    labels = labels_factor(case, case.la)
    rows, columns = labels.shape
    known = [
        Hypothesis("at least two layers", fact=case.depth >= 2),
        *full_inputs(case),
        Hypothesis("no more outputs than inputs", fact=rows <= columns),
    ]
    for place, hypothesis in enumerate(known, 1):
        if hypothesis.slack is None and not hypothesis.fact:
            return known[:place]
    critical = is_critical(case)
    if critical.slack is None and not critical.fact:
        return [*known, critical]
    rank = Hypothesis("sigma_min(Y_r) > 0", case.la.smallest_singular_value(labels))
    return [*known, critical, rank]


def still_open(hypotheses: Sequence[Hypothesis]) -> bool:
    """Return whether no fact among the hypotheses is false."""
    return all(h.fact for h in hypotheses if h.slack is None)


def learnt_modes(point: Point, rank: int) -> list[int]:
    """Return which of the labels' singular values a critical point has learnt.

    Args:
        point: A critical point, in rational numbers.
        rank: The rank of its prediction.

    Returns:
        For each singular value of the prediction, descending, the place from 0 of
        the first of the labels' that it agrees with; shorter than `rank` if one
        agrees with none.
    """
    wanted = labels_spectrum(point)
    given = balls.singular_values(exact.to_balls(point.prediction))[:rank]
    found: list[int] = []
    for value in given:
        after = found[-1] + 1 if found else 0
        places = (i for i in range(after, len(wanted)) if wanted[i].overlaps(value))
        place = next(places, None)
        if place is None:
            break
        found.append(place)
    return found


def labels_spectrum(point: Point) -> list[Ball]:
    """Return the labels' singular values, descending, at the working precision."""
    return balls.singular_values(exact.to_balls(point.labels))
