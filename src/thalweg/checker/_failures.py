"""Starts and steps from which descent surely fails."""

from collections.abc import Sequence
from typing import Any

from flint import arb

from ._balls import max_of, min_of, power, product, square
from ._case import Case, Condition, Proof
from ._matrices import Matrix, identity, norm, singular_values

HORIZON = 8
"""Steps within which unbalanced layers must be caught: part of the theorem."""


def balance_needed(case: Case) -> Proof:
    """Arora et al. 2019, Claim 4: unbalanced layers, whose loss grows for ever."""
    pair = _corners(case)
    shape = "half the layers are diag(a, 1, ..., 1), half diag(b, 1, ..., 1), the "
    conditions = {
        "the data are white": Condition(case.white),
        "N is even": Condition(case.depth % 2 == 0),
        shape + "target is I": Condition(pair is not None),
    }
    if pair is None or case.depth % 2:
        return Proof(conditions)
    gaps, slacks = _caught(case, *pair)
    losses = [square(gap) / 2 for gap in gaps]
    floor = min_of([arb(1) / 2, *losses[:-1]])
    caught = f"within {HORIZON} steps |q| >= 2 and rho |q| >= 4 S"
    conditions |= {
        "deficiency margin c > 0": Condition(1 - abs(gaps[0])),
        caught: Condition(max_of(slacks), strict=False),
        "no iterate before is a minimiser": Condition(floor),
    }
    values = {f"loss at {t}": loss for t, loss in enumerate(losses)}
    return Proof(conditions, floor=floor, values=values)


def _corners(case: Case) -> tuple[Any, Any] | None:
    """Return the larger and the smaller corner; `None` if the shape is another."""
    size, half = case.widths[0], case.depth // 2
    ones = identity(size)
    if {*case.widths} != {size} or not case.labels.equals(ones):
        return None
    corners = []
    for layer in case.weights:
        corners.append(layer.data[0, 0])
        rest = layer.data.tolist()
        rest[0][0] = arb(1)
        if not Matrix(type(layer.data)(rest), layer.radius).equals(ones):
            return None
    corners.sort(key=lambda x: -x)
    alike = all(a == corners[0] for a in corners[:half])
    alike = alike and all(b == corners[-1] for b in corners[half:])
    return (corners[0], corners[-1]) if alike else None


def _caught(case: Case, a: Any, b: Any) -> tuple[list[Any], list[Any]]:
    """Return what the products lack of 1, and by how much each iterate is caught."""
    half, gaps, slacks = case.depth // 2, [], []
    for _ in range(HORIZON + 1):
        q, size = a * b, square(a) + square(b)
        gaps.append(q**half - 1)
        ratio = case.step * gaps[-1] * q ** (half - 1)
        slacks.append(min_of([abs(q) - 2, abs(ratio) * abs(q) - 4 * size]))
        if slacks[-1] > 0:
            break
        a, b = a - ratio * b, b - ratio * a
    return gaps, slacks


def one_layer_divergence(case: Case) -> Proof:
    """One layer, whose error grew at the first step: it always grows so much."""
    # The errors are moments of (1 - step lambda)^2 >= 0, to which Jensen applies.
    first = case.distance
    data, one = case.inputs, identity(case.inputs.columns)
    pulled = (data.transposed * data).data * case.step
    then = norm(case.error * Matrix(one.data - pulled))
    return Proof(
        {"N = 1": Condition(case.depth == 1), "e1 > e0": Condition(then - first)},
        floor=square(first) / 2,
        values={"residual e0": first, "residual e1": then, "growth": then / first},
    )


def divergence(case: Case) -> Proof:
    """Diagonal layers of which one mode grows at every step, with changing signs."""
    sides = min(case.labels.rows, case.labels.columns)
    wide = min(case.widths[1:-1], default=sides) >= sides
    parts = [*case.weights, case.labels, case.inputs]
    modes = [_mode(case, k) for k in range(sides)] if wide else []
    alive = [factors for factors in modes if product(factors[:-1]) != 0]
    conditions = {
        "N >= 2": Condition(case.depth >= 2),
        "no bottleneck": Condition(wide),
        "layers and data are diagonal": Condition(all(map(_is_diagonal, parts))),
        "some mode has no factor zero": Condition(bool(alive)),
    }
    if not alive:
        return Proof(conditions)
    push, ratio, mapped, label = max(
        (_push(case, mode) for mode in alive), key=lambda found: found[0].mid()
    )
    grown = (push - 1) ** (2 * case.depth - 2)
    conditions |= {
        "c > 2": Condition(push - 2),
        "r < 1": Condition(1 - ratio),
        "(c - 1)^(2 (N - 1)) (1 - r) >= 1 + r": Condition(
            grown * (1 - ratio) - (1 + ratio), strict=False
        ),
    }
    return Proof(
        conditions,
        floor=square(mapped - label) / 2,
        values={
            "push c": push,
            "ratio r": ratio,
            "growth": (push - 1) ** case.depth,
        },
    )


def _is_diagonal(a: Matrix) -> bool:
    off = (a.data[i, j] for i in range(a.rows) for j in range(a.columns) if i != j)
    return a.radius == 0 and all(x == 0 for x in off)


def _mode(case: Case, k: int) -> list[Any]:
    """Return the factors of a mode, what it multiplies, and its label."""
    return [part.data[k, k] for part in (*case.weights, case.inputs, case.labels)]


def _push(case: Case, mode: Sequence[Any]) -> tuple[Any, Any, Any, Any]:
    """Return the push, the ratio, and the sizes of what a mode gives and should."""
    mapped, label = product(mode[:-1]), mode[-1]
    pulled = case.step * mapped * (mapped - label)
    push = min_of([pulled / square(x) for x in mode[:-2]])
    return push, abs(label / mapped), abs(mapped), abs(label)


def stability_limit(case: Case) -> Proof:
    """Saxe et al. 2014: no minimum is flat enough for so large a step."""
    depth, ends = case.depth, min(case.widths[0], case.widths[-1])
    flattest = depth * power(singular_values(case.labels)[0], 2 * depth - 2, depth)
    conditions = {
        "the data are white": Condition(case.white),
        "no bottleneck": Condition(min(case.widths) >= ends),
        "step > 2 / (N s^(2-2/N))": Condition(case.step * flattest - 2),
    }
    values = {"least sharpness": flattest, "largest stable step": 2 / flattest}
    return Proof(conditions, values=values)


FAILURES = {
    "arora2019.BalanceNeeded": balance_needed,
    "divergence.Divergence": divergence,
    "divergence.OneLayerDivergence": one_layer_divergence,
    "saxe2014.StabilityLimit": stability_limit,
}
