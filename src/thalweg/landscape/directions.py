r"""Directions of negative curvature at strict saddles, constructed.

Notation: $E$ is prediction minus labels, $A_j$ and $B_j$ are the products after and
before layer $j$, $M$ the product between layers $i > j$. To second order a direction
$(V_1, \dots, V_N)$ changes the loss by

$$H = \tfrac12 \Big\|\sum_j A_j V_j B_j\Big\|_F^2
  + \sum_{i > j} \langle E, A_i V_i M V_j B_j \rangle .$$

*Exchange.* Mode $s$ is learnt, mode $q$ of larger singular value is not. With
$V_N = u_q u_s^\top W_N$ and $\bar V_1 = \sigma_q R^+ u_s v_q^\top$ the chain turns from
one to the other: at $\alpha V_N + \beta V_1$ the change is
$\tfrac12 (\alpha \sigma_s)^2 + \tfrac12 (\beta \sigma_q)^2 - \alpha \beta \sigma_q^2$,
negative for some $\alpha, \beta$ as $\sigma_q > \sigma_s$.

*Pivot.* Layers $i > j$ form a pivot that is not tightened. Let $x, y$ be the first
singular vectors of $G = B_j E^\top A_i$, so $y^\top G x \ne 0$, and $V_i = x a^\top$,
$V_j = b y^\top$ with $a^\top M b \ne 0$. If $A_j b = 0$ or $B_i^\top a = 0$, the change
is linear in one of the two layers, hence negative for some multiples.

*One of the two is always possible.* In the bases of `classify` let $\alpha$, $\beta$,
$m$, $\zeta_i$, $\zeta_j$ be the blocks of what is not learnt of $A_i$, $B_j$, $M$,
$W_i$, $W_j$. If every $b$ with $\alpha \zeta_i m b = 0$ had $m b = 0$, then
$\alpha \zeta_i$ would be injective on the range of $m$; if every $a$ with
$a^\top m \zeta_j \beta = 0$ had $a^\top m = 0$, then $m \zeta_j \beta$ would have the
range of $m$. Both together contradict $\alpha \zeta_i m \zeta_j \beta = 0$, which is
the prediction of what is not learnt, unless $m = 0$: and then the pivot is tightened.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from thalweg._core.errors import DomainError
from thalweg.landscape._saddles.cases import SourceCase
from thalweg.landscape._saddles.standing import TOLERANCE, Standing, stand
from thalweg.landscape.pivots import rank_of, weigh
from thalweg.landscape.reduced import Matrix, as_weights, linear, reduced

WRONG_MODES = "wrong modes"
"""The case of a mode learnt in place of a larger one."""


@dataclass(frozen=True)
class EscapeDirection:
    """A direction along which the loss falls to second order.

    Attributes:
        direction: Of norm one, as weights of the problem.
        change: Coefficient of the squared length in the loss along it, `< 0`.
        curvature: Twice the change: the Hessian's quadratic form, so an upper bound
            on its smallest eigenvalue.
        case: The case of the sources that constructs it.
        source: Where the sources construct it.
        layers: The layers that change, counted from one.
        reason: Why the loss falls, in a sentence.
        order: The order of the change in the length: two.
    """

    direction: Any
    change: float
    curvature: float
    case: str
    source: str
    layers: tuple[int, int]
    reason: str
    order: int = 2

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        chain = self.direction
        if not isinstance(chain, tuple):
            chain = np.reshape(np.asarray(chain), (-1, 1, 1))
        return {
            "case": self.case,
            "source": self.source,
            "reason": self.reason,
            "order": self.order,
            "change": self.change,
            "curvature": self.curvature,
            "layers": list(self.layers),
            "direction": [np.asarray(layer).tolist() for layer in chain],
        }


def second_order(problem: Any, weights: Any, direction: Any) -> float:
    r"""Return the coefficient of $t^2$ in the loss at `weights + t direction`.

    Args:
        problem: A `Problem` or a `Playground`.
        weights: A point, critical or not.
        direction: Shaped as the weights.

    Returns:
        Half the Hessian's quadratic form.

    Example:
        >>> from thalweg.problem.scalar import Playground
        >>> second_order(Playground(2), [0.0, 0.0], [1.0, 1.0])
        -1.0

    Source:
        Chitour, Liao, Couillet, Proposition 2.
    """
    here, there = reduced(problem, weights), reduced(problem, direction)
    terms = [np.eye(here.widths[0]), *(np.zeros((here.widths[0],) * 2),) * 2]
    for layer, change in zip(here.layers, there.layers, strict=True):
        terms = [
            layer @ terms[0],
            layer @ terms[1] + change @ terms[0],
            layer @ terms[2] + change @ terms[1],
        ]
    return float(0.5 * np.sum(terms[1] ** 2) + np.sum(here.error * terms[2]))


def escape_direction(
    problem: Any, weights: Any, *, tolerance: float = TOLERANCE
) -> EscapeDirection:
    r"""Return the steepest of the constructed directions at a strict saddle.

    Args:
        problem: A `Problem` or a `Playground`.
        weights: A strict saddle.
        tolerance: As in `classify`.

    Returns:
        The direction, of norm one.

    Raises:
        DomainError: If no direction of two layers leads down: at a minimum, or at a
            saddle that is not strict.

    Example:
        >>> from thalweg.problem.scalar import Playground
        >>> way = escape_direction(Playground(2), [0.0, 0.0])
        >>> way.case, round(way.curvature, 12)
        ('r_Z > r', -1.0)

    Source:
        Chitour, Liao, Couillet, proof of Proposition 3; Achour, Malgouyres,
        Gerchinovitz, proof of Theorem 7.
    """
    return steepest(stand(problem, weights, tolerance))


def all_directions(
    problem: Any, weights: Any, *, tolerance: float = TOLERANCE
) -> Iterator[EscapeDirection]:
    """Yield the constructed directions of negative curvature, each with its case.

    Args:
        problem: A `Problem` or a `Playground`.
        weights: A critical point.
        tolerance: As in `classify`.

    Yields:
        One direction for every pair of modes to exchange and for every pivot that is
        not tightened; none at minima and saddles that are not strict.

    Example:
        >>> from thalweg.problem.scalar import Playground
        >>> ways = all_directions(Playground(3), [0.0, 0.0, 2.0])
        >>> [(way.layers, round(way.curvature, 12)) for way in ways]
        [((2, 1), -2.0)]

    Source:
        Chitour, Liao, Couillet, proof of Proposition 3; Achour, Malgouyres,
        Gerchinovitz, proof of Theorem 7.
    """
    yield from ways(stand(problem, weights, tolerance))


def steepest(standing: Standing) -> EscapeDirection:
    """Return the steepest way down from a critical point.

    Args:
        standing: The point.

    Returns:
        The direction of the most negative curvature.

    Raises:
        DomainError: If there is none.
    """
    if standing.is_minimum:
        raise DomainError(
            "the weights are a global minimum; no direction leads down from it."
        )
    best = min(ways(standing), key=lambda way: way.curvature, default=None)
    if best is None:
        raise DomainError(
            "the weights are a non-strict saddle: the Hessian has no negative "
            "eigenvalue; escape follows a curve of higher order."
        )
    return best


def ways(standing: Standing) -> Iterator[EscapeDirection]:
    """Yield all constructed directions at a critical point."""
    if standing.is_minimum:
        return
    yield from _exchanges(standing)
    for pivot, _ in weigh(standing):
        if not pivot.is_tightened:
            found = _through(standing, pivot.upper, pivot.lower)
            best = min(found, key=lambda way: way.curvature, default=None)
            if best is not None:
                yield best


@dataclass(frozen=True)
class _Part:
    """A change of one layer of the problem, of norm one."""

    layer: int
    matrix: Matrix

    @classmethod
    def of(cls, layer: int, matrix: Matrix) -> "_Part":
        return cls(layer, matrix / np.linalg.norm(matrix))


def _exchanges(standing: Standing) -> Iterator[EscapeDirection]:
    at, last = standing.at, standing.depth
    if not standing.swaps:
        return
    above, fed = np.linalg.pinv(at.above(1)), np.linalg.pinv(standing.inputs())
    for missing, known in standing.swaps:
        up, down = standing.left[:, missing - 1], standing.left[:, known - 1]
        final = _Part.of(last, np.outer(up, down @ at.layers[-1]))
        first = np.outer(above @ down, standing.right[:, missing - 1] @ fed)
        reason = (
            f"mode {missing} is not learnt while mode {known}, of smaller singular "
            "value, is: the outer layers can turn one into the other."
        )
        names = (WRONG_MODES, "Achour et al., case 0; Chitour et al., Remark 3")
        yield from _combined(standing, final, _Part.of(1, first), names, reason)


def _through(standing: Standing, upper: int, lower: int) -> Iterator[EscapeDirection]:
    at, bar = standing.at, standing.threshold
    around = standing.below(lower) @ at.error.T @ at.above(upper)
    lefts, _, rights = np.linalg.svd(around)
    between = at.between(upper, lower)
    known, other = at.below(upper), at.above(lower)
    spare_out = _kernel(known.T, bar * standing.unit(1, upper - 1))
    spare_in = _kernel(other, bar * standing.unit(lower + 1, at.depth))
    every_out, every_in = np.eye(between.shape[0]), np.eye(between.shape[1])
    least = bar * standing.unit(lower + 1, upper - 1)
    names, reason = _named(standing, upper, lower), _pivot_reason(upper, lower)
    for outs, ins in (
        (spare_out, spare_in),
        (every_out, spare_in),
        (spare_out, every_in),
    ):
        seen = outs.T @ between @ ins
        if not seen.size or np.linalg.norm(seen, 2) <= least:
            continue
        left, _, right = np.linalg.svd(seen)
        a, b = outs @ left[:, 0], ins @ right[0]
        second = _Part.of(upper, np.outer(rights[0], a))
        first = _Part.of(lower, np.outer(b, lefts[:, 0]))
        yield from _combined(standing, second, first, names, reason)


def _combined(
    standing: Standing,
    upper: _Part,
    lower: _Part,
    names: tuple[str, str],
    reason: str,
) -> Iterator[EscapeDirection]:
    """Yield the steepest combination of two changes, if it leads down."""
    at, i, j = standing.at, upper.layer, lower.layer
    high = at.above(i) @ upper.matrix @ standing.below(i)
    low = at.above(j) @ lower.matrix @ standing.below(j)
    bent = at.above(i) @ upper.matrix @ at.between(i, j) @ lower.matrix
    mixed = 0.5 * np.sum(high * low) + 0.5 * np.sum(
        at.error * (bent @ standing.below(j))
    )
    form = np.array([[0.5 * np.sum(high**2), mixed], [mixed, 0.5 * np.sum(low**2)]])
    values, vectors = np.linalg.eigh(form)
    if not values[0] < 0:
        return
    shapes = linear(standing.problem).net.shapes
    chain = [np.zeros(shape) for shape in shapes]
    for part, share in zip((upper, lower), vectors[:, 0], strict=True):
        chain[part.layer - 1] = share * part.matrix
    yield EscapeDirection(
        direction=as_weights(standing.problem, chain),
        change=float(values[0]),
        curvature=float(2 * values[0]),
        case=names[0],
        source=names[1],
        layers=(i, j),
        reason=reason,
    )


def _kernel(matrix: Matrix, bar: float) -> Matrix:
    """Return an orthonormal basis, as columns, of what a matrix takes to zero."""
    _, values, right = np.linalg.svd(matrix)
    return right[int(np.count_nonzero(values > bar)) :].T


def _pivot_reason(upper: int, lower: int) -> str:
    between = (
        "nothing lies between them"
        if upper == lower + 1
        else "what lies between them has a direction to spare"
    )
    return (
        f"layers {lower} and {upper} can start a mode together: {between}, and what "
        "lies around them reaches a mode that is not learnt."
    )


def _named(standing: Standing, upper: int, lower: int) -> tuple[str, str]:
    """Return the case of a pivot, and where the sources construct its direction."""
    depth = standing.depth
    if (upper, lower) == (depth, 1):
        place = "Achour et al., case 2; Chitour et al., Proposition 3"
        return SourceCase.MORE_INSIDE.value, place
    number = 1 if lower == 1 else 3 if upper == depth else 4
    case, place = f"pivot ({upper}, {lower})", f"Achour et al., case {number}"
    inner = rank_of(standing, 2, depth - 1).count
    if depth != 3 or inner > len(standing.learnt):
        return case, place
    is_tall = standing.at.labels.shape[0] > standing.at.labels.shape[1]
    if inner:
        return SourceCase.CASE_2_1.value, f"{place}; Chitour et al., case 2.1"
    late = (upper == depth) != is_tall
    found = SourceCase.CASE_1_1A if late else SourceCase.CASE_1_1B
    return found.value, f"{place}; Chitour et al., case {found.value[-4:]}"
