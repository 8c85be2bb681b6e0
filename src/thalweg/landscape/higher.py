r"""Ways down from a saddle whose Hessian shows none.

At a non-strict saddle the Hessian has no negative eigenvalue, yet the loss falls along
a curve $W_h + t^{a_h} z_h$. What is unlearnt there is a small net (see
`_saddles.unlearnt`) with layers $Z_h$ and target $Q$, and all follows from which of its
products vanish.

Let $T = \{t_1 < \dots < t_m\}$ be the fewest layers such that the product of the layers
between any two neighbours is not zero, and $B_{t_1} Q^\top A_{t_m} \ne 0$, where
$A_{t_m}$ and $B_{t_1}$ are the products above and below. ($m = 1$ is a gradient,
$m = 2$ a pivot that is not tightened.)

*The curve.* Add rank-one $z_k$ to the layers of $T$, along the leading singular vectors
of these products. The prediction changes by $\sum_K t^{a_K} P_K$ over subsets $K$ of
$T$. If $P_K \ne 0$, then $K$ skips no member between two others, nor the top two
members, nor the lowest two: else the product across what is skipped is not zero, and
$T$ could do without it. So only $T$ itself and $T$ less its first, its last, or both
remain. Of these only $P_T$ meets $Q$, again because $T$ is shortest. Hence the loss
changes by $-t^m \langle P_T, Q \rangle$ and terms of order $2(m - 2)$ or more, which is
above $m$ if $m > 4$. If $m = 4$ the two are equal, and a small factor on the inner two
layers lets the first win. If $m = 3$ the one inner layer alone may move the prediction;
this is avoided if its vectors can be chosen so, else it moves like $t^2$ and the loss
falls like $t^4$. (That needs labels of neither full row nor full column rank.)

*No curve does better than order $m$* if the smallest learnt singular value is above the
largest unlearnt one. Near the point the layers are, up to changes of basis of the
hidden spaces that depend smoothly on them, those of two nets side by side: one that
gives $W'$ of rank $r$, one with layers $\tilde Z_h$ near $Z_h$ that gives $P$, with
rows and columns orthogonal to those of $W'$. So the loss is
$\tfrac12 \|W' - Y\|^2 + \tfrac12 \|P\|^2 - \langle P, Y \rangle$. The first term grows
with the square of the angle between $W'$ and the learnt modes, and $\langle P, Y
\rangle$ differs from $\langle P, Q \rangle$ by at most that square times $\|P\|$. What
remains is at least $-\langle P, Q \rangle$, and expanded in $\tilde Z_h - Z_h$ this has
no term of fewer than $m$ layers. So where `order` is `least` it is the order of
the saddle; at the exception with order 4 it is a bound only.
"""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from thalweg._core.errors import DomainError
from thalweg.landscape._saddles.standing import TOLERANCE, Standing, stand
from thalweg.landscape._saddles.unlearnt import Unlearnt
from thalweg.landscape.directions import escape_direction
from thalweg.landscape.kinds import Kind
from thalweg.landscape.reduced import Chain, Matrix, as_weights
from thalweg.landscape.strictness import classify


@dataclass(frozen=True)
class EscapeCurve:
    """A curve along which the loss falls from a saddle.

    Attributes:
        order: Power of `t` with which the loss falls.
        least: Order below which no curve falls; where it is `order`, the curve is as
            quick as any.
        exponents: Power of `t` with which every layer moves.
        direction: What every layer moves by, one matrix a layer of the net's shapes.
        coefficient: Coefficient of `t ** order` in the loss, below zero.
        layers: The layers that move, from one.
        kind: The kind of the saddle.
        case: What the way out rests on, in a few words.
        reason: The same in a sentence.
        problem: What is minimised.
        weights: The saddle.
    """

    order: int
    least: int
    exponents: tuple[int, ...]
    direction: Chain
    coefficient: float
    layers: tuple[int, ...]
    kind: Kind
    case: str
    reason: str
    problem: Any = field(repr=False)
    weights: Any = field(repr=False)

    def curve(self, t: float) -> Any:
        """Return the weights at `t`: the saddle at 0, below it for small `t > 0`."""
        chain = self.problem.chain(self.weights)
        moved = tuple(
            np.asarray(layer) + float(t) ** power * change
            for layer, power, change in zip(
                chain, self.exponents, self.direction, strict=True
            )
        )
        return as_weights(self.problem, moved)

    def __str__(self) -> str:
        """Return one line: how the loss falls, and by moving what."""
        return (
            f"{self.kind}: the loss falls like {self.coefficient:.4g} t^{self.order} "
            f"by layers {_listed(self.layers)} ({self.case})"
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain values; the problem is left out."""
        plain = {
            name: getattr(self, name)
            for name in ("order", "least", "coefficient", "case", "reason")
        }
        return {
            **plain,
            "kind": str(self.kind),
            "exponents": list(self.exponents),
            "layers": list(self.layers),
            "direction": [np.asarray(part).tolist() for part in self.direction],
        }


def escape_order(
    problem: Any, weights: Any, *, tolerance: float = TOLERANCE
) -> EscapeCurve:
    """Return how fast the loss can fall from a saddle, and a curve that does it.

    At a strict saddle the order is two, along a straight line. At a non-strict one it
    is the fewest layers that lower the loss together: three at least, the depth at
    the origin and at every balanced saddle.

    Args:
        problem: A `Problem` or a `Playground`.
        weights: A saddle, to rounding.
        tolerance: As in `classify`.

    Returns:
        The curve; about `depth ** 2` products and as many norms.

    Raises:
        DomainError: If the point is not critical, or a global minimum, or nothing
            above the tolerance leads out.

    Example:
        >>> from thalweg.problem.scalar import Playground
        >>> found = escape_order(Playground(5), [0.0] * 5)
        >>> found.order, found.coefficient, found.layers
        (5, -1.0, (1, 2, 3, 4, 5))

    Source:
        For three layers Chitour, Liao, Couillet, case 1.2; the orders and the proof
        that they are least are derived here.
    """
    found = classify(problem, weights, tolerance=tolerance)
    if found.kind is Kind.GLOBAL_MINIMUM:
        raise DomainError(
            "the point is a global minimum, from which no curve lowers the loss; pass "
            "a saddle."
        )
    if found.kind is Kind.STRICT_SADDLE:
        return _straight(problem, weights, tolerance)
    return _curved(problem, weights, stand(problem, weights, tolerance))


def _curved(problem: Any, weights: Any, standing: Standing) -> EscapeCurve:
    """Return the best curve of the shortest tuples.

    Args:
        problem: The problem.
        weights: A non-strict saddle.
        standing: The same, looked at.

    Returns:
        The curve.

    Raises:
        DomainError: If nothing above the tolerance leads out.
    """
    unlearnt = Unlearnt(standing)
    ways = [_way(unlearnt, layers) for layers in unlearnt.shortest()]
    if not ways:
        raise DomainError(
            "every product of unlearnt layers vanishes to the tolerance, so no way out "
            "is seen; descend nearer to the saddle."
        )
    best = min(ways, key=lambda way: (way.order, way.coefficient))
    return _told(problem, weights, standing, best)


@dataclass(frozen=True)
class _Way:
    """A curve in the problem's coordinates: its layers, powers and rank-one changes."""

    layers: tuple[int, ...]
    order: int
    exponents: tuple[int, ...]
    direction: Chain
    coefficient: float


def _way(unlearnt: Unlearnt, layers: tuple[int, ...]) -> _Way:
    """Return the curve that moves these layers, which are a shortest tuple."""
    enters, leaves, gain, drift = _vectors(unlearnt, layers)
    at = unlearnt.standing.at
    direction = [np.zeros_like(layer) for layer in at.layers]
    for layer, column, row in zip(layers, enters, leaves, strict=True):
        direction[layer - 1] = np.outer(column, row)
    lifted = list(at.lift(direction))
    if layers[0] == 1:
        size = float(np.linalg.norm(lifted[0]))
        lifted[0], gain = lifted[0] / size, gain / size
    count = len(layers)
    exponents = [1] * at.depth
    # The inner layers alone change the prediction like t^(count - 2), squared in the
    # loss: slower steps or a small factor keep that below the gain.
    if drift and count == 3:
        exponents[layers[1] - 1] = 2
    factor = min(1.0, gain / drift**2) if drift and count <= 4 else 1.0
    for layer in layers[1:-1]:
        lifted[layer - 1] = lifted[layer - 1] * factor ** (1 / (count - 2))
    against = 0.5 * (factor * drift) ** 2 if count <= 4 else 0.0
    return _Way(
        layers=layers,
        order=sum(exponents[layer - 1] for layer in layers),
        exponents=tuple(exponents),
        direction=tuple(lifted),
        coefficient=against - factor * gain,
    )


def _vectors(
    unlearnt: Unlearnt, layers: tuple[int, ...]
) -> tuple[list[Matrix], list[Matrix], float, float]:
    """Return the rank-one changes of these layers, what they gain, and their drift.

    Args:
        unlearnt: The unlearnt blocks.
        layers: A shortest tuple.

    Returns:
        The columns and the rows of the changes, unit vectors each; their first-order
        gain; and how far the inner layers alone move the prediction, if that matters.
    """
    links, drifts = _links(unlearnt, layers)
    found = [_leading(unlearnt.ends[layers[-1], layers[0]]), *map(_leading, links)]
    rows = [row for row, _, _ in found]
    columns = [column for _, _, column in (*found[1:], found[0])]
    drift = 0.0
    if drifts:
        ahead = unlearnt.above(layers[-2]) @ columns[-2]
        behind = rows[1] @ unlearnt.below(layers[1])
        inner = [value for _, value, _ in found[2:-1]]
        drift = float(np.linalg.norm(ahead) * np.linalg.norm(behind) * np.prod(inner))
    return (
        [unlearnt.bases[j][0] @ c for j, c in zip(layers, columns, strict=True)],
        [unlearnt.bases[j - 1][1] @ r for j, r in zip(layers, rows, strict=True)],
        float(np.prod([value for _, value, _ in found])),
        drift,
    )


def _links(unlearnt: Unlearnt, layers: tuple[int, ...]) -> tuple[list[Matrix], bool]:
    """Return the products between neighbours, and whether the inner layers drift.

    Where only the inner layers of three or four would move the prediction, one product
    is cut down to the vectors with which they do not, if it has any.
    """
    pairs = [(upper, lower) for lower, upper in pairwise(layers)]
    links = [unlearnt.links[pair] for pair in pairs]
    above, below = unlearnt.above(layers[-2]), unlearnt.below(layers[1])
    if len(layers) > 4 or above is None or below is None:
        return links, False
    unit, (first, *_, last) = unlearnt.standing.unit, layers
    low, high = layers[1], layers[-2]
    still = links[-1] @ unlearnt.kernel(above, unit(high + 1, unlearnt.depth))
    if unlearnt.counts(still, unit(high + 1, last - 1)):
        return [*links[:-1], still], False
    still = unlearnt.kernel(below.T, unit(1, low - 1)) @ links[0]
    if unlearnt.counts(still, unit(first + 1, low - 1)):
        return [still, *links[1:]], False
    return links, True


def _leading(block: Matrix) -> tuple[Matrix, float, Matrix]:
    """Return the largest singular value between its vectors."""
    left, values, right = np.linalg.svd(block)
    return left[:, 0], float(values[0]), right[0]


def _straight(problem: Any, weights: Any, tolerance: float) -> EscapeCurve:
    """Return the constructed direction of a strict saddle as a curve."""
    found = escape_direction(problem, weights, tolerance=tolerance)
    chain = problem.chain(problem.check(found.direction))
    direction = tuple(np.asarray(part) for part in chain)
    return EscapeCurve(
        order=2,
        least=2,
        exponents=(1,) * len(direction),
        direction=direction,
        coefficient=found.change,
        layers=tuple(j for j, part in enumerate(direction, 1) if part.any()),
        kind=Kind.STRICT_SADDLE,
        case=found.case,
        reason=found.reason,
        problem=problem,
        weights=problem.check(weights),
    )


def _told(problem: Any, weights: Any, standing: Standing, way: _Way) -> EscapeCurve:
    """Return a way out of a non-strict saddle with its reasons."""
    count = len(way.layers)
    learnt, missing = standing.learnt, standing.missing
    values = standing.values
    apart = not learnt or values[learnt[-1] - 1] > values[missing[0] - 1]
    least = count if apart else 3
    pace = "and no curve is quicker" if way.order == least else "at least"
    together = _listed(way.layers)
    return EscapeCurve(
        order=way.order,
        least=least,
        exponents=way.exponents,
        direction=way.direction,
        coefficient=way.coefficient,
        layers=way.layers,
        kind=Kind.NON_STRICT_SADDLE,
        case="all layers at once" if count == standing.depth else f"{count} at once",
        reason=(
            f"No change of fewer than {count} layers lowers the loss, so the Hessian "
            f"shows no way down; layers {together} together start a mode that is "
            f"not learnt, and the loss falls like t^{way.order}, {pace}."
        ),
        problem=problem,
        weights=problem.check(weights),
    )


def _listed(layers: tuple[int, ...]) -> str:
    """Return numbers in words: 1, 2 and 3."""
    *others, last = map(str, layers)
    return f"{', '.join(others)} and {last}" if others else last
