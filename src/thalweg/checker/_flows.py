"""Theorems about gradient flow."""

from itertools import pairwise

from flint import arb

from ._balls import product, root, square
from ._case import Case, Condition, Proof
from ._margin import Layers, solved, unbalance
from ._matrices import around, eigenvalues, singular_values, spectral_norm


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
    # From the lower ends: a product of wide balls would lose more.
    alpha = product([arb(1), *(value.lower() for value in deciding)])
    rate = 2 * alpha * square(singular_values(case.inputs)[-1])
    return Proof(conditions, "flow time", rate=rate)


def chitour_boundedness(case: Case) -> Proof:
    """Chitour, Liao, Couillet, Proposition 1, with the constant of the norm bound."""
    spans = case.inputs.rows == case.inputs.columns
    conditions = {"the inputs span their space": Condition(spans)}
    if not spans:
        return Proof(conditions, "flow time")
    least = singular_values(case.inputs)[-1]
    if not case.white:
        conditions["sigma_min(X_r) > 0"] = Condition(least)
    target = case.labels if case.white else solved(case)
    delta = unbalance(case)
    # The loss only falls, and the flow keeps the imbalance.
    size = spectral_norm(target) + case.distance / least
    most = Layers(case.depth, delta.upper(), size.upper())
    bound = root(most.norm_squared)
    return Proof(
        conditions, "flow time", values={"delta": delta}, tops={"bound": bound}
    )


def neuron_norms(case: Case) -> Proof:
    """Du, Hu, Lee: every neuron keeps what its weights' squares differ by."""
    conditions = {
        "at least two layers": Condition(case.depth >= 2),
        "hidden activations are homogeneous": Condition(True),
    }
    values = {
        f"neuron {unit + 1} of layer {layer}": around(gap.data[unit, unit], gap.radius)
        for layer, gap in enumerate(case.gaps, 1)
        for unit in range(gap.rows)
    }
    return Proof(conditions, "flow time", values=values)


FLOWS = {
    "chitour2023.Boundedness": chitour_boundedness,
    "chitour2023.Invariance": chitour_invariance,
    "chitour2023.ExponentialRate": chitour_exponential_rate,
    "du2018.NeuronNorms": neuron_norms,
}
