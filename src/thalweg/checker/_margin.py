"""Certificates from the margin and the balance of a start."""

from copy import copy
from dataclasses import dataclass
from typing import Any

from flint import arb

from ._balls import max_of, positive_part, power, root, square
from ._case import Case, Condition, Proof, at_most
from ._matrices import Matrix, eigenvalues, singular_values
from ._reading import Refused
from ._showing import shown
from ._tight import convergent, shrinking

SPANNING = "the inputs have full rank"


def unbalance(case: Case) -> Any:
    """Return the largest spectral norm of an invariant."""
    found = [eigenvalues(gap) for gap in case.gaps]
    return max_of([arb(0), *(abs(x) for ends in found for x in (ends[0], ends[-1]))])


@dataclass(frozen=True)
class Layers:
    """Bounds that hold while the imbalance is at most `delta`.

    Attributes:
        depth: The number of layers.
        delta: The bound on the imbalance.
        map_norm: A bound on the spectral norm of the end-to-end matrix.
    """

    depth: int
    delta: Any
    map_norm: Any

    @property
    def norm_squared(self) -> Any:
        """Return the square of a bound on the layers' spectral norms."""
        slack = 3 * (self.depth - 1) * self.delta / 2
        return power(square(self.map_norm), 1, self.depth) + slack

    def lost(self, factors: int) -> Any:
        """Return how far a product of Gram matrices is from a power."""
        pairs = factors * (factors - 1) // 2
        return pairs * self.delta * self.norm_squared ** max(factors - 1, 0)

    def least(self, smallest: Any) -> list[Any]:
        """Return lower bounds on the Gram matrices of 0, 1, ... outer layers."""
        depth = self.depth
        left = positive_part(square(positive_part(smallest)) - self.lost(depth))
        one = power(left, 1, depth)
        return [positive_part(one**k - self.lost(k)) for k in range(depth)]


class Hull:
    """What the margin certificate knows of all iterates while delta bounds them."""

    def __init__(self, case: Case) -> None:
        if case.inputs.rows != case.inputs.columns:
            raise Refused("problem.inputs_factor: the theorem needs inputs that span.")
        self.case, self.depth, self.start = case, case.depth, case.distance
        self.delta0 = unbalance(case)
        self.data = singular_values(case.inputs)
        self.target = singular_values(case.labels if case.white else solved(case))
        self._take(case.claimed("imbalance delta"))

    def _take(self, delta: Any) -> None:
        high = self.target[0] + self.start / self.data[-1]
        self.delta, self.layers = delta, Layers(self.depth, delta, high)
        self.norm = root(self.layers.norm_squared)

    def at(self, delta: Any) -> "Hull":
        """Return what is known with another bound on the imbalance."""
        other = copy(self)
        other._take(delta)
        return other

    @property
    def worst(self) -> "Hull":
        """Return the same from the worst ends, where wide balls would lose more."""
        other = copy(self)
        other.start = self.start.upper()
        other.target = [self.target[0].upper(), self.target[-1].lower()]
        other._take(self.delta)
        return other

    @property
    def slope(self) -> Any:
        """Return the square of a bound on the error's derivative."""
        return self.depth * square(self.data[0]) * self.norm ** (2 * self.depth - 2)

    @property
    def reach(self) -> Any:
        """Return a bound on the layers' norms on the way to the next iterate."""
        return self.norm + self.case.step * root(self.slope) * self.start

    @property
    def bend(self) -> Any:
        """Return a Lipschitz constant of the error's derivative."""
        if self.depth == 1:
            return arb(0)
        return (self.depth - 1) * self.reach ** (self.depth - 2) * self.data[0]

    @property
    def share(self) -> Any:
        """Return what is left of the gain of a step."""
        slowed = self.slope + self.bend * self.start
        return 1 - self.case.step * slowed / 2

    @property
    def smoothness(self) -> Any:
        """Return a bound on the Hessian on the way to the next iterate."""
        straight = self.reach ** (2 * self.depth - 2) * square(self.data[0])
        return self.depth * straight + self.bend * self.start

    def margin(self, error: Any) -> Any:
        """Return a bound on the smallest singular value of the end-to-end matrix."""
        return self.target[-1] - error / self.data[-1]

    def gain(self, error: Any) -> Any:
        """Return a bound on the smallest eigenvalue of the Gram matrix."""
        sizes = self.layers.least(self.margin(error))
        if self.case.widths[0] != self.case.widths[-1]:
            return square(self.data[-1]) * sizes[-1]
        pairs = zip(sizes, sizes[::-1], strict=True)
        return square(self.data[-1]) * sum((a * b for a, b in pairs), arb(0))

    def drift(self, lost: Any) -> Condition:
        """Return the condition that delta bounds the imbalance for ever."""
        return at_most(self.delta0 + self.case.step * lost, self.delta)

    def values(self) -> dict[str, Any]:
        """Return the numbers by name that both certificates show."""
        return {
            "residual e0": self.start,
            "imbalance delta0 at the start": self.delta0,
            "imbalance delta": self.delta,
            "largest singular value m of a layer": self.norm,
        }

    def all_values(self) -> dict[str, Any]:
        """Return the numbers by name that the margin certificates show."""
        return self.values() | {
            "smallest singular value of the target": self.target[-1],
            "squared largest singular value S^2": self.slope,
            "curvature H": self.bend,
            "smallest eigenvalue lambda(e0)": self.gain(self.start),
            "smallest eigenvalue lambda(0)": self.gain(arb(0)),
        }


def margin(case: Case) -> Proof:
    """A target without small singular values, a near and nearly balanced start."""
    hull = Hull(case)
    names = ("beta > 0", "delta >= delta0 + step e0^2 / beta")
    start, slope, bend = hull.start, hull.slope, hull.bend

    def factor(high: Any, _low: Any) -> Any:
        least = root(hull.gain(high.upper()).lower())
        return shrinking(case.step, least, root(slope), bend, high)

    def conditions_at(delta: Any) -> dict[str, Condition]:
        there = hull.at(delta)
        return near_target(there) | {
            names[0]: Condition(there.share),
            names[1]: there.drift(square(start) / there.share),
        }

    values = hull.all_values() | {"share beta": hull.share}
    return convergent(
        case, shown(case, conditions_at, hull.delta, names), factor, values
    )


def near_target(hull: Hull) -> dict[str, Condition]:
    """Return what the margin certificate asks of data, net and start."""
    widths = hull.case.widths
    return {
        SPANNING: Condition(True),
        "no layer is narrower than both ends": Condition(
            min(widths) >= min(widths[0], widths[-1])
        ),
        "sigma_* > e0 / sqrt(lambda_m)": Condition(hull.margin(hull.start)),
        "lambda(e0) > 0": Condition(hull.gain(hull.start)),
    }


def critical_point(case: Case) -> Proof:
    """A step so small that descent must come to rest at a critical point."""
    hull = Hull(case)
    names = ("b > 0", "delta >= delta0 + step e0^2 / (2 b)")

    def share(there: Hull) -> Any:
        return 1 - case.step * there.smoothness / 2

    def conditions_at(delta: Any) -> dict[str, Condition]:
        there = hull.at(delta)
        return {
            SPANNING: Condition(True),
            names[0]: Condition(share(there)),
            names[1]: there.drift(square(hull.start) / (2 * share(there))),
        }

    values = hull.values() | {
        "smoothness L": hull.smoothness,
        "share b": share(hull),
    }
    return Proof(shown(case, conditions_at, hull.delta, names), values=values)


def solved(case: Case) -> Any:
    """Return the target of data that are not white."""
    inputs, labels = case.inputs.transposed.data, case.labels.transposed.data
    return Matrix(inputs.solve(labels).transpose())
