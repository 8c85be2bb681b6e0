"""The lecture's problem: half the square of a product less one."""

from itertools import pairwise
from typing import Any

from flint import arb

from ._balls import max_of, min_of, power, product, root, square
from ._case import Case, Condition, Proof, at_most
from ._counting import reaches

MOST_SINGLE = 5000
"""Promised iterations up to which the recursion is followed one by one."""


def convergence(case: Case) -> Proof:
    """From a positive start below the hyperbola: a linear rate."""
    spread, start, conditions = below(case)
    most = 1 / (3 * case.depth * spread**2)
    conditions["step <= 1/(3 d c^2)"] = at_most(case.step, most)
    gain = case.step * case.depth * square(start / spread)
    return Proof(conditions, factor=1 - gain)


def sharp_convergence(case: Case) -> Proof:
    """The same start: the error 1 - product obeys a recursion of one number."""
    spread, start, conditions = below(case)
    depth, most = case.depth, 1 / (case.depth * spread**2)
    conditions["step <= 1/(d c^2)"] = at_most(case.step, most)

    def factor(high: Any, _low: Any) -> Any:
        return 1 - case.step * depth * power(1 - high, 2 * depth - 2, depth)

    def enough(iterations: int, goal: Any) -> bool:
        first, left = start, iterations
        if depth > 1 and iterations > MOST_SINGLE:
            first, left = _risen(start, case.step * depth, depth, iterations)
        return reaches(factor, 1 - first, root(2 * goal), left)

    return Proof(conditions, reaches=enough, values={"c": spread, "p": start})


def _risen(p: Any, gain: Any, depth: int, left: int) -> tuple[Any, int]:
    """Return a bound on a product that has come near a half, and the steps left."""
    # p' = p (1 + y) with y = gain (1 - p) p^b, b = 1 - 2/depth. By Taylor's formula
    # (1 + y)^-b <= 1 - b y + b (b + 1) y^2 / 2, so while p <= goal every step lowers
    # p^-b / b (or -log p) by gain (1 - goal) (1 - late) at least.
    p = p.lower()
    while left and p < 0.5:
        goal = (p + (p / 8).min(arb(2) ** -11)).upper()
        late = gain * power(goal, depth - 2, depth) * (depth - 1) / depth
        fall = gain * (1 - goal) * (1 - late)
        height = _height(p, depth)
        length = int(((height - _height(goal, depth)) / fall).lower().floor().fmpz())
        if length < 1:
            length, p = 1, p + gain * (1 - p) * power(p, 2 * depth - 2, depth)
        else:
            length = min(length, left)
            p = _at_height(height - length * fall, depth)
        p, left = p.lower(), left - length
    return p, left


def _height(p: Any, depth: int) -> Any:
    if depth == 2:
        return -p.log()
    return power(p, 2 - depth, depth) * depth / (depth - 2)


def _at_height(height: Any, depth: int) -> Any:
    if depth == 2:
        return (-height).exp()
    return 1 / power(height * (depth - 2) / depth, depth, depth - 2)


def below(case: Case) -> tuple[Any, Any, dict[str, Condition]]:
    """Return the largest spread, the least product, and that the start is below one."""
    low = [x.lower() for x in case.numbers]
    high = [x.upper() for x in case.numbers]
    conditions = {
        "x > 0": Condition(min_of(low), shown=min_of(case.numbers)),
        "prod x < 1": Condition(1 - product(high), shown=1 - product(case.numbers)),
    }
    return max_of(high) / min_of(low), product(low), conditions


def above_the_hyperbola(case: Case) -> Proof:
    """From a positive start above the hyperbola: the factor 1 - step."""
    # The Hessian is bounded by 3 d C^2 throughout, and one product of all but one is
    # at least 1.
    most, conditions = _above(case)
    return Proof(conditions, factor=1 - case.step, values={"C": most})


def convergence_from_above(case: Case) -> Proof:
    """The same, with all products of all but one: the factor 1 - d step."""
    # The geometric mean of their squares is p^(2-2/d) >= 1.
    most, conditions = _above(case)
    return Proof(conditions, factor=1 - case.depth * case.step, values={"C": most})


def _above(case: Case) -> tuple[Any, dict[str, Condition]]:
    """Return the largest product of all but two, and that the start is above one."""
    # Coordinates only fall, and the product stays at least 1.
    x = sorted(case.numbers, key=lambda ball: ball.lower())
    depth, start = case.depth, product(x)
    most = max_of([product([arb(1), *x[out:]]) for out in range(min(depth, 2) + 1)])
    return most, {
        "x > 0": Condition(min_of(x)),
        "prod x >= 1": at_most(arb(1), start),
        "step <= 1/(3 d C^2)": at_most(case.step, 1 / (3 * depth * most**2)),
    }


def below_zero(case: Case) -> Proof:
    """A negative product, the smallest sizes tied: no sign ever changes."""
    # Each x_k is multiplied by 1 - step (1 + |p|) |p| / x_k^2, which is least and at
    # least 0 for the smallest. Ties last, and |p| / m^2 only falls.
    sizes = sorted((abs(x) for x in case.numbers), key=lambda ball: ball.lower())
    p = product(case.numbers)
    most = 1 / ((1 + abs(p)) * product([arb(1), *sizes[2:]]))
    conditions = {
        "the smallest |x_k| is attained at least twice": Condition(
            len(sizes) >= 2 and bool(sizes[0] == sizes[1])
        ),
        "prod x < 0": Condition(-p),
        "step <= m^2 / ((1 + |p|) |p|)": at_most(case.step, most),
    }
    return Proof(conditions, floor=arb(1) / 2, values={"p": p})


def equal_magnitudes(case: Case) -> Proof:
    """Equal sizes, an odd number of them negative, even depth: never a minimum."""
    x = case.numbers
    conditions = {
        "d is even": Condition(case.depth % 2 == 0),
        "all |x_k| are exactly equal": Condition(
            all(abs(a) == abs(b) for a, b in pairwise(x))
        ),
        "an odd number of factors is negative": Condition(
            sum(bool(a < 0) for a in x) % 2 == 1
        ),
    }
    return Proof(conditions, floor=arb(1) / 2, values={"magnitude": abs(x[0])})


LECTURE = {
    "flammarion2025.Convergence": convergence,
    "flammarion2025.AboveTheHyperbola": above_the_hyperbola,
    "flammarion2025.EqualMagnitudes": equal_magnitudes,
    "playground.BelowZero": below_zero,
    "playground.ConvergenceFromAbove": convergence_from_above,
    "playground.SharpConvergence": sharp_convergence,
}
