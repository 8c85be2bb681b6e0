"""Symmetric targets, whose modes equal layers learn one by one, or never."""

from collections.abc import Callable
from typing import Any

from flint import arb

from ._arora import STEP, most_step, slowest
from ._balls import UNKNOWN, max_of, min_of, positive_part, power, square
from ._case import Case, Condition, Proof, at_most
from ._matrices import eigenvalues, identity, norm


def arora_margin_needed(case: Case) -> Proof:
    """Arora et al. 2019, Claim 5: equal symmetric layers miss negative eigenvalues."""
    target, layer = case.labels, case.weights[0]
    conditions = _symmetric(case) | {
        "N is even": Condition(case.depth % 2 == 0),
        "all layers are one symmetric matrix": Condition(
            all(w.equals(layer) for w in case.weights)
            and layer.equals(layer.transposed)
        ),
    }
    if all(condition.proved for condition in conditions.values()):
        apart = norm(layer * target - target * layer)
        conditions["the layers commute with the target"] = at_most(apart, arb(0))
        conditions |= _negative(case)
    return Proof(conditions, floor=_missed(case))


def bartlett_positive_definite(case: Case) -> Proof:
    """Bartlett et al. 2018: identity layers learn a positive definite target."""
    depth, spectrum = case.depth, _spectrum(case)
    low, high = spectrum[0], spectrum[-1]
    slope = max_of(
        [
            depth * power(high, 2 * depth - 2, depth),
            sum((power(high, i, depth) for i in range(depth)), arb(0)),
        ]
    )
    conditions = _identity(case) | {
        "the target is positive definite": Condition(low),
        "step max(N lambda^(2-2/N), sum_(i<N) lambda^(i/N)) <= 1": at_most(
            case.step, 1 / slope
        ),
    }

    def speed(value: Any) -> Any:
        return case.step * depth * min_of([arb(1), power(value, 2 * depth - 2, depth)])

    def reaches(iterations: int, goal: Any) -> bool:
        return bool(sum(map(left(iterations), spectrum), arb(0)) <= 2 * goal)

    def left(iterations: int) -> Callable[[Any], Any]:
        def squared(value: Any) -> Any:
            # The mode lies between its limit and that plus what the factor leaves.
            end = power(value, 1, depth)
            mode = end + (1 - speed(value)) ** iterations * (1 - end)
            return square(mode**depth - value)

        return squared

    return Proof(
        conditions, reaches=reaches, values={"slowest contraction": speed(low)}
    )


def bartlett_negative_eigenvalue(case: Case) -> Proof:
    """Bartlett et al. 2018: identity layers never learn negative eigenvalues."""
    conditions = _identity(case) | {"N >= 2": Condition(case.depth >= 2)}
    conditions |= _negative(case)
    if case.depth % 2:
        pull = 1 + abs(_spectrum(case)[0])
        conditions["step (1 + |lambda|) < 1"] = Condition(1 - case.step * pull)
    return Proof(conditions, floor=_missed(case))


def bartlett_near_identity(case: Case) -> Proof:
    """Bartlett et al. 2018, via Arora et al. 2019: a target near the identity."""
    # Identity layers are balanced, and the target's singular values are within its
    # distance from the identity of one.
    ones = identity(case.widths[0])
    margin = 1 - 2 * norm(case.labels - ones)
    conditions = {
        "the data are white": Condition(case.white),
        "all widths are equal": Condition(len({*case.widths}) == 1),
        "all layers are the identity": Condition(
            all(w.equals(ones) for w in case.weights)
        ),
        "N >= 2": Condition(case.depth >= 2),
        "|Phi - I| < 1/2": Condition(margin / 2),
        STEP: at_most(case.step, most_step(case, margin)),
    }
    gain = case.step * slowest(case, margin)
    return Proof(conditions, factor=1 - gain, values={"margin": margin})


def _symmetric(case: Case) -> dict[str, Condition]:
    return {
        "the data are white": Condition(case.white),
        "all widths are equal": Condition(len({*case.widths}) == 1),
        "the target is symmetric": Condition(
            case.labels.equals(case.labels.transposed)
        ),
    }


def _identity(case: Case) -> dict[str, Condition]:
    at_one = all(w.equals(identity(w.rows)) for w in case.weights)
    return _symmetric(case) | {"all layers are the identity": Condition(at_one)}


def _negative(case: Case) -> dict[str, Condition]:
    return {"the target has an eigenvalue < 0": Condition(-_spectrum(case)[0])}


def _missed(case: Case) -> Any:
    """Return half the sum of the squares of the target's negative eigenvalues."""
    lost = [square(positive_part(-value)) for value in _spectrum(case)]
    return sum(lost, arb(0)) / 2


def _spectrum(case: Case) -> list[Any]:
    if not case.labels.equals(case.labels.transposed):
        return [UNKNOWN]
    return eigenvalues(case.labels)


SYMMETRIC = {
    "arora2019.MarginNeeded": arora_margin_needed,
    "bartlett2018.NearIdentity": bartlett_near_identity,
    "bartlett2018.PositiveDefinite": bartlett_positive_definite,
    "bartlett2018.NegativeEigenvalue": bartlett_negative_eigenvalue,
}
