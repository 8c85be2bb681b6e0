"""Theorems about gradient flow."""

from itertools import pairwise
from typing import Any

from flint import arb

from ._balls import positive_part, product, root, square
from ._case import Case, Condition, Proof
from ._matrices import eigenvalues, singular_values
from ._reading import Refused


def chitour_invariance(case: Case) -> Proof:
    """Chitour, Liao, Couillet, Lemma 1: the flow keeps its invariants."""
    return Proof({"at least two layers": Condition(case.depth >= 2)}, "flow time")


def chitour_exponential_rate(case: Case) -> Proof:
    """Chitour, Liao, Couillet, Remark 2, with the data's own smallest rate."""
    hidden = list(enumerate(pairwise(case.widths[1:]), 1))
    deciding = [
        eigenvalues(gap)[wide - narrow] if wide >= narrow else arb(0)
        for gap, (_, (wide, narrow)) in zip(case.gaps, hidden, strict=True)
    ]
    conditions = {
        "at least two layers": Condition(case.depth >= 2),
        "d_1 >= ... >= d_H >= d_y": Condition(all(a >= b for _, (a, b) in hidden)),
    }
    for (j, (_, narrow)), value in zip(hidden, deciding, strict=True):
        conditions[f"C_{j} has at least {narrow} positive eigenvalues"] = Condition(
            value
        )
    alpha = product([arb(1), *deciding]) * square(singular_values(case.inputs)[-1])
    return Proof(conditions, "flow time", rate=2 * alpha)


def two_layer_flow(case: Case) -> Proof:
    """Xu et al. 2023, with the singular value that belongs in each root."""
    if case.depth != 2:
        raise Refused("problem.widths: the theorem is about two layers.")
    data, labels = singular_values(case.inputs), singular_values(case.labels)
    inputs, outputs = case.widths[0], case.widths[-1]
    near = positive_part(labels[-1] - case.distance) / data[0]
    # The paper's imbalance is minus the invariant.
    up = [-value for value in eigenvalues(case.gaps[0])]
    down = [-value for value in reversed(up)]

    def summand(over: list[Any], under: list[Any], size: int) -> Any:
        """Bound the smallest of the first `size` squared singular values of a layer."""
        least = positive_part(over[size - 1]) if size <= len(over) else arb(0)
        most = positive_part(under[0])
        inner = near if size <= len(labels) else arb(0)
        whole = root(square(most + least) + 4 * square(inner))
        return (least - most + whole) / 2

    alpha = summand(up, down, inputs) + summand(down, up, outputs)
    rate = square(data[-1])
    conditions = {"N = 2": Condition(True), "alpha_0 > 0": Condition(alpha)}
    return Proof(
        conditions,
        "flow time",
        rate=2 * rate * alpha,
        values={"mu": rate, "alpha_0": alpha},
    )


FLOWS = {
    "xu2023.TwoLayerFlow": two_layer_flow,
    "chitour2023.Invariance": chitour_invariance,
    "chitour2023.ExponentialRate": chitour_exponential_rate,
}
