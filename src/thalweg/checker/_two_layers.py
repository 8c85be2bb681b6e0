"""Two layers, at a rate set by their imbalance and by the margin."""

from typing import Any

from flint import arb

from ._balls import positive_part, root, square
from ._case import Case, Condition, Proof
from ._counting import reaches
from ._matrices import eigenvalues, norm, singular_values
from ._reading import Refused


class Constants:
    """What the paper names of a start; its imbalance is minus the invariant."""

    def __init__(self, case: Case) -> None:
        if case.depth != 2:
            raise Refused("problem.widths: the theorem is about two layers.")
        self.case = case
        self.data = singular_values(case.inputs)
        self.mu, self.top = square(self.data[-1]), square(self.data[0])
        self.up = [-value for value in eigenvalues(case.gaps[0])]
        self.down = [-value for value in reversed(self.up)]

    @property
    def alpha(self) -> Any:
        """Return a bound from below on the spectrum of the end-to-end dynamics."""
        return sum((_least(*ends) for ends in self._ends), arb(0))

    @property
    def worst_alpha(self) -> Any:
        """Return the same from the worst ends, where wide balls would lose more."""
        worst = (
            (positive_part(least.lower()), most.upper(), positive_part(inner.lower()))
            for least, most, inner in self._ends
        )
        return sum((_least(*ends) for ends in worst), arb(0))

    @property
    def _ends(self) -> list[tuple[Any, Any, Any]]:
        """Return for either layer two ends of the imbalance, and a singular value."""
        case, labels = self.case, singular_values(self.case.labels)
        near = positive_part(labels[-1] - case.distance) / self.data[0]
        return [
            (
                positive_part(over[size - 1]) if size <= len(over) else arb(0),
                positive_part(under[0]),
                near if size <= len(labels) else arb(0),
            )
            for over, under, size in (
                (self.up, self.down, case.widths[0]),
                (self.down, self.up, case.widths[-1]),
            )
        ]

    @property
    def size(self) -> Any:
        """Return a bound on the end-to-end matrix while the loss does not rise."""
        return (norm(self.case.labels) + self.case.distance) / self.data[-1]

    @property
    def beta(self) -> Any:
        """Return a bound from above on it."""
        tops = [positive_part(self.up[0]), positive_part(self.down[0])]
        return sum(x + root(square(x) + 4 * square(self.size)) for x in tops) / 2


def _least(least: Any, most: Any, inner: Any) -> Any:
    """Bound a layer's smallest squared singular value."""
    return (least - most + root(square(most + least) + 4 * square(inner))) / 2


def two_layer_flow(case: Case) -> Proof:
    """Xu et al. 2023, Section 2: the flow."""
    known = Constants(case)
    alpha, mu = known.alpha, known.mu
    return Proof(
        {"N = 2": Condition(True), "alpha_0 > 0": Condition(alpha)},
        "flow time",
        rate=2 * mu * known.worst_alpha,
        values={"mu": mu, "alpha_0": alpha},
    )


def two_layer_descent(case: Case) -> Proof:
    """Xu et al. 2023, Theorems 3.1 and 3.2: a factor that falls with the loss."""
    known, step = Constants(case), case.step
    c1, c2 = case.field("c1"), case.field("c2")
    if not (c1 > 0 and c1 < 1 and c2 > 1):
        raise Refused("fields: the theorem needs 0 < c1 < 1 < c2.")
    alpha, beta, mu, size = known.alpha, known.beta, known.mu, known.size
    kappa = known.top / mu
    fall, flat = 2 * c1 * alpha * mu, kappa * square(mu * c2 * beta)

    def factor(high: Any, _low: Any) -> Any:
        swing = size * root(2 * kappa * mu**3 * high)
        second = 2 * swing + flat
        third = 2 * c2 * beta * kappa * mu * swing
        fourth = 2 * square(kappa * size) * mu**3 * high
        return 1 - step * (fall - step * (second + step * (third + step * fourth)))

    first = factor(case.loss, case.loss)
    left, pull = (1 - first) / step, 4 * c2 * known.top * case.loss * step
    late = left - 2 * pull * beta / ((1 - c1) * alpha)
    conditions = {
        "N = 2": Condition(True),
        "the inputs have full rank": Condition(case.inputs.columns == case.widths[0]),
        "alpha_0 > 0": Condition(alpha),
        "step <= eta_1": Condition(left - pull / (c2 - 1), strict=False),
        "step <= eta_2": Condition(late, strict=False),
    }
    return Proof(
        conditions,
        factor=first,
        reaches=lambda count, goal: reaches(factor, case.loss, goal, count),
        values={"alpha_0": alpha, "beta_0": beta, "f(0)": first},
        fields=("c1", "c2"),
    )


TWO_LAYERS = {
    "xu2023.TwoLayerDescent": two_layer_descent,
    "xu2023.TwoLayerFlow": two_layer_flow,
}
