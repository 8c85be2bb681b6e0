r"""What theorems about $\tfrac12(\prod_k x_k - 1)^2$ ask of a start and a step."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from thalweg._core.papers import CS439
from thalweg.linalg import balls
from thalweg.measures.spread import spread
from thalweg.problem.scalar import Playground
from thalweg.theorems._base import Ball, Case, Hypothesis

BEYOND = replace(CS439, beyond=True)
"""The lecture, as what is derived from it here points at it."""


def posed(start: Sequence[float]) -> tuple[Playground, Any]:
    """Return the playground of a start's depth, and the start as it stores it."""
    toy = Playground(len(start))
    return toy, toy.check(list(start))


def factors(case: Case) -> np.ndarray:
    """Return the start's floats, shape `(depth,)`."""
    return np.asarray(case.start, dtype=np.float64)


def is_exact(case: Case) -> bool:
    """Return whether the start is the floats themselves, so that ties are ties."""
    return case.radius == 0


def ascending(case: Case) -> list[Ball]:
    """Return balls of the factors in ascending order of the true values."""
    # All radii are equal: sorting midpoints sorts lower and upper ends alike.
    return [case.balls[i] for i in np.argsort(factors(case), kind="stable")]


def widest(case: Case) -> Ball:
    """Return the spread of a positive start."""
    return spread(case.balls, balls)


def positive(case: Case) -> Hypothesis:
    """Return the claim that every factor is positive."""
    return Hypothesis("x > 0", balls.smallest(case.balls), mend="start from |x|")


def below(case: Case, *, strict: bool = True) -> Hypothesis:
    """Return the claim that the product is below one, or at most one."""
    return Hypothesis(
        "prod x < 1" if strict else "prod x <= 1",
        1 - balls.prod(case.balls),
        strict=strict,
        mend="scale the start down",
    )


def step_at_most(name: str, limit: Ball, case: Case) -> Hypothesis:
    """Return the claim that the step is at most a limit."""
    return Hypothesis(
        f"step <= {name}",
        limit - case.step,
        strict=False,
        mend="take the theorem's safe_step",
    )


def largest_product(case: Case) -> Ball:
    """Return the largest product of all factors of a positive start but at most two."""
    x = ascending(case)
    return balls.largest([balls.prod(x[left_out:]) for left_out in range(3)])


def told(numbers: Sequence[Ball], most: int = 6) -> str:
    """Return numbers as a tuple in words, the first few of many."""
    shown = [f"{float(number.mid()):.6g}" for number in numbers[:most]]
    return f"({', '.join(shown + ['...'] * (len(numbers) > most))})"
