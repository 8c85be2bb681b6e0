"""Certificates from the curvature around one iterate."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from operator import mul
from typing import Any

from flint import arb, arb_mat

from ._balls import max_of, min_of, root, square
from ._case import Case, Condition, Proof
from ._counting import reaches
from ._matrices import Matrix, eigenvalues, identity, kronecker, spectral_norm
from ._showing import shown

CELLS = 48
"""Cells of the path-integrated certificate: they belong to its definition."""

STAIRS = 1000
"""Levels of the error at which its worst factor is looked for."""

WIDE = "no hidden layer is narrower than inputs and outputs"


class Around:
    """Bounds on the error's derivatives; the input factor is layer 0, which stays."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.depth = case.depth
        self.parts = self._partial_products()
        self.norms = {ends: spectral_norm(part) for ends, part in self.parts.items()}

    def _partial_products(self) -> dict[tuple[int, int], Any]:
        """Return `W_k ... W_i` by `(k, i)`."""
        layers = [self.case.inputs, *self.case.weights]
        found = {}
        for first, layer in enumerate(layers):
            found[first, first] = layer
            for last in range(first + 1, len(layers)):
                found[last, first] = layers[last] * found[last - 1, first]
        return found

    @cached_property
    def jacobian(self) -> tuple[Any, Any]:
        """Return the extreme singular values of the error's derivative."""
        terms = []
        for j in range(1, self.depth + 1):
            below = self.parts[j - 1, 0]
            above = self.parts.get((self.depth, j + 1), identity(self.case.widths[-1]))
            terms.append(kronecker(below.transposed * below, above * above.transposed))
        found = eigenvalues(sum(terms[1:], terms[0]))
        return root(found[0]), root(found[-1])

    def curvature(self, radius: Any) -> Any:
        """Return a Lipschitz constant of the derivative within a radius."""
        far = self._far(radius)
        layers = range(1, self.depth + 1)
        entries = arb_mat(self.depth, self.depth)
        for i in layers:
            for j in range(1, i):
                value = far[self.depth, i + 1] * far[i - 1, j + 1] * far[j - 1, 0]
                entries[i - 1, j - 1] = entries[j - 1, i - 1] = value
        return eigenvalues(Matrix(entries))[-1]

    def _far(self, radius: Any) -> dict[tuple[int, int], Any]:
        """Return bounds on the norms of partial products within a radius."""
        # Expanded at the leftmost layer that has moved.
        last = self.depth + 1
        near = self.norms | {(k, k + 1): arb(1) for k in range(last)}
        far = {(k, k + 1): arb(1) for k in range(last)}
        for first in range(last):
            for k in range(first, last):
                far[k, first] = near[k, first] + radius * sum(
                    (
                        near[k, p + 1] * far[p - 1, first]
                        for p in range(max(first, 1), k + 1)
                    ),
                    arb(0),
                )
        return far


@dataclass(frozen=True)
class Region:
    """What is known within a radius, at the ends of the cells of a path to it.

    Attributes:
        ends: How far the path may have come.
        bends: Lipschitz constants of the error's derivative.
        small: Bounds on its smallest singular value.
        large: Bounds on its largest.
        shares: What is left of the gain of a step.
        room: By how much the error may be larger.
        fallen: How much the error has fallen on the way, to the ends.
    """

    ends: list[Any]
    bends: list[Any]
    small: list[Any]
    large: list[Any]
    shares: list[Any]
    fallen: list[Any]
    room: Any


def simple(around: Around, radius: Any) -> Region:
    """Return the region in which the worst bounds are taken everywhere."""
    return _region(around, radius, [around.curvature(radius)])


def integrated(around: Around, radius: Any) -> Region:
    """Return the region with the bounds where the path has come to."""
    ends = [radius * k / CELLS for k in range(1, CELLS + 1)]
    return _region(around, radius, [around.curvature(end) for end in ends])


def _region(around: Around, radius: Any, bends: list[Any]) -> Region:
    case, (least, most) = around.case, around.jacobian
    width = radius / len(bends)
    turned = [width * bend for bend in accumulate(bends)]
    small = [least - turn for turn in turned]
    large = [most + turn for turn in turned]
    late = 1 - case.step * bends[-1] * case.distance / 2
    shares = [late - case.step * square(big) / 2 for big in large]
    rates = map(mul, shares, small)
    fallen = [width * rate for rate in accumulate(rates)]
    return Region(
        ends=[width * k for k in range(1, len(bends) + 1)],
        bends=bends,
        small=small,
        large=large,
        shares=shares,
        fallen=fallen,
        room=fallen[-1] - case.distance,
    )


def local(case: Case) -> Proof:
    """A ball the descent never leaves, in which the error shrinks."""
    around = Around(case)
    names = ("s > 0", "beta > 0", "R s beta >= e0")
    region = simple(around, case.claimed("radius R"))

    def factor(high: Any, _low: Any) -> Any:
        return shrinking(
            case.step, region.small[0], region.large[0], region.bends[0], high
        )

    return _converging(case, around, simple, names, region, factor)


def path_integrated(case: Case) -> Proof:
    """The same with the bounds where the path has come to, cell by cell."""
    around = Around(case)
    names = ("s(R) > 0", "beta(R) > 0", "Gamma(R) >= e0")
    region = integrated(around, case.claimed("radius R"))
    least, most = around.jacobian
    width = region.ends[0]

    def factor(high: Any, low: Any) -> Any:
        gone = case.distance - low
        cell = next((k for k in range(CELLS) if region.fallen[k] >= gone), CELLS - 1)
        before = region.fallen[cell - 1] if cell else arb(0)
        speed = region.shares[cell] * region.small[cell]
        path = ((gone - before) / speed).max(arb(0)).min(width)
        turn = path * region.bends[cell]
        s = (region.small[cell - 1] if cell else least) - turn
        big = (region.large[cell - 1] if cell else most) + turn
        return shrinking(case.step, s, big, region.bends[-1], high)

    return _converging(case, around, integrated, names, region, factor)


def local_flow(case: Case) -> Proof:
    """The path-integrated test at step zero: the flow stays and the error decays."""
    around, radius = Around(case.at_rest), case.claimed("radius R")
    names = ("s(R) > 0", "integral of s >= e0")

    def conditions_at(near: Any) -> dict[str, Condition]:
        there = integrated(around, near)
        return regular(around) | {
            names[0]: Condition(there.small[-1]),
            names[1]: Condition(there.room, strict=False),
        }

    region = integrated(around, radius)
    telling = names[:1] if case.depth > 1 else names[1:]
    return Proof(
        shown(case, conditions_at, radius, telling),
        "flow time",
        rate=2 * square(region.small[-1]),
        values=shown_of(around, region, radius),
    )


def _converging(
    case: Case,
    around: Around,
    within: Callable[[Around, Any], Region],
    names: tuple[str, str, str],
    region: Region,
    factor: Callable[[Any, Any], Any],
) -> Proof:
    """Return the proof from the region of the radius claimed."""
    radius = case.claimed("radius R")

    def conditions_at(near: Any) -> dict[str, Condition]:
        there = region if near is radius else within(around, near)
        return regular(around) | {
            names[0]: Condition(there.small[-1]),
            names[1]: Condition(there.shares[-1]),
            names[2]: Condition(there.room, strict=False),
        }

    values = shown_of(around, region, radius) | {"share beta": region.shares[-1]}
    telling = names[:1] if case.depth > 1 else names[2:]
    conditions = shown(case, conditions_at, radius, telling)
    return convergent(case, conditions, factor, values, rising=within is simple)


def regular(around: Around) -> dict[str, Condition]:
    """Return what the certificates ask of net and start alone."""
    case = around.case
    sides = min(case.labels.rows, case.labels.columns)
    return {
        WIDE: Condition(min(case.widths[1:-1], default=sides) >= sides),
        "sigma_0 > 0": Condition(around.jacobian[0]),
    }


def shown_of(around: Around, region: Region, radius: Any) -> dict[str, Any]:
    """Return the numbers by name that all certificates show."""
    least, most = around.jacobian
    return {
        "radius R": radius,
        "residual e0": around.case.distance,
        "smallest singular value sigma0 at the start": least,
        "largest singular value S0 at the start": most,
        "smallest singular value s": region.small[-1],
        "largest singular value S": region.large[-1],
        "curvature H": region.bends[-1],
    }


def shrinking(step: Any, s: Any, big: Any, bend: Any, error: Any) -> Any:
    """Return the factor of one step from an error, by either of two bounds."""
    s, big, bend, error = s.lower(), big.upper(), bend.upper(), error.upper()
    stretch = step * square(big)
    first = max_of([1 - step * square(s), stretch - 1])
    second = 1 - stretch / 2 - step * bend * error / 2
    return min_of(
        [first + bend * step * stretch * error / 2, 1 - step * square(s) * second]
    )


def convergent(
    case: Case,
    conditions: Mapping[str, Condition],
    factor: Callable[[Any, Any], Any],
    values: Mapping[str, Any],
    *,
    rising: bool = True,
) -> Proof:
    """Return the proof of a recursion of the error, never larger than at the start."""
    start = case.distance
    levels = [start * arb(0.99) ** k for k in range(STAIRS)] + [arb(0)]
    pieces = [(start, start)] if rising else pairwise(levels)
    worst = max_of([factor(high, low) for high, low in pieces])
    return Proof(
        conditions,
        factor=square(worst),
        reaches=lambda count, goal: reaches(
            factor, start, root(2 * goal), count, rising=rising
        ),
        values=values,
        bounds={"final gain": 1 - factor(arb(0), arb(0))},
    )
