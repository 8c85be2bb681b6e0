r"""What is proved of a critical point at the very numbers that are stored.

Stored weights are binary fractions, so is the data's factor, and so is a direction.
The quadratic form of the Hessian along a direction is then enclosed in a ball, or known
as a fraction: if it is negative, the Hessian at this very point has a negative
eigenvalue, whether or not the point is critical to the last bit. If the gradient is
zero as a fraction, ranks and products are exact too, and the theorem of `strictness`
gives the kind. Its only number that is not a fraction is whether the largest singular
value that is not learnt exceeds the smallest that is: decided by balls, and where
these overlap by an exact common eigenvalue.
"""

import math
from dataclasses import dataclass
from decimal import ROUND_CEILING, Context
from fractions import Fraction
from itertools import combinations, pairwise
from typing import Any

import numpy as np
from flint import fmpq, fmpq_mat

from thalweg.landscape._saddles.exactly import Point
from thalweg.landscape.directions import EscapeDirection
from thalweg.landscape.kinds import Kind
from thalweg.linalg import balls, enclose, exact
from thalweg.linalg.exact import ExactMatrix, Rational

PRECISION = 256
"""Bits in which singular values are compared."""

_NUMBERS = 2000
"""Most weights for which fractions are tried where balls do not decide."""


@dataclass(frozen=True)
class Proof:
    """What is proved of the stored numbers.

    Attributes:
        statement: It, in words, and what is not.
        kind: The kind of critical point, if it is one exactly and that is proved.
        is_critical: Whether the gradient is exactly zero.
        curvature: Proved upper bound on the Hessian's smallest eigenvalue, if it is
            negative.
    """

    statement: str
    kind: Kind | None
    is_critical: bool
    curvature: float | None

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "statement": self.statement,
            "kind": None if self.kind is None else str(self.kind),
            "is_critical": self.is_critical,
            "curvature": self.curvature,
        }


def prove(problem: Any, weights: Any, way: EscapeDirection | None = None) -> Proof:
    """Return what is proved of a point.

    Args:
        problem: A `Problem` or a `Playground`.
        weights: The point, critical at least nearly.
        way: A direction of negative curvature, if there is one.

    Returns:
        The proof; in fractions it takes time for widths of some dozens.

    Example:
        >>> from thalweg.problem.scalar import Playground
        >>> prove(Playground(3), Playground(3).check([0.0, 0.0, 0.0])).kind.value
        'non-strict saddle'
    """
    weights = problem.check(weights)
    curvature = None if way is None else _curvature(problem, weights, way)
    is_critical = _is_critical(problem, weights)
    kind = exact_kind(Point.stored(problem, weights)) if is_critical else None
    if curvature is not None and is_critical:
        kind = Kind.STRICT_SADDLE
    said = _said(kind, is_critical, curvature)
    return Proof(said, kind, is_critical, curvature)


def change_along(problem: Any, weights: Any, direction: Any) -> Rational:
    """Return the loss's second order along a direction, as a fraction.

    Args:
        problem: A `Problem` or a `Playground`.
        weights: The point.
        direction: Shaped as the weights.

    Returns:
        Half the Hessian's quadratic form at the stored numbers.
    """
    point = Point.stored(problem, weights)
    return point.second_order(_parts(problem, direction, exact))


def exact_kind(point: Point) -> Kind | None:
    """Return the kind of an exactly critical point, by fractions.

    Args:
        point: The point, in fractions, its gradient zero.

    Returns:
        The kind; `None` where two singular values could not be told apart or the
        inputs' factor has dependent columns.
    """
    rank = exact.rank(point.prediction)
    if exact.is_zero(point.residual):
        return Kind.GLOBAL_MINIMUM
    seen = point.labels.shape[1]
    if point.inputs is not None and exact.rank(point.inputs) < seen:
        return None
    ordered = _is_ordered(point, rank)
    if ordered is False or not is_tightened(point, rank):
        return Kind.STRICT_SADDLE
    if ordered is None:
        return None
    full = rank == min(seen, *(w.shape[0] for w in point.weights))
    return Kind.GLOBAL_MINIMUM if full else Kind.NON_STRICT_SADDLE


def exact_signs(point: Point) -> tuple[int, int, int]:
    """Return how many eigenvalues of the Hessian are negative, zero and positive.

    A symmetric matrix has real eigenvalues only; of a polynomial with real roots the
    changes of sign among its coefficients count the positive ones (Descartes).

    Args:
        point: A point in fractions, of some dozens of weights at most.

    Returns:
        The three numbers; they sum up to the number of weights.

    Example:
        >>> from thalweg.problem.scalar import Playground
        >>> toy = Playground(2)
        >>> exact_signs(Point.stored(toy, toy.check([0.0, 0.0])))
        (1, 0, 1)
    """
    sides = [_unit(point, place) for place in range(_size(point))]
    alone = [point.second_order(side) for side in sides]
    rows = [
        [
            point.second_order(_added(a, b)) - p - q
            for b, q in zip(sides, alone, strict=True)
        ]
        for a, p in zip(sides, alone, strict=True)
    ]
    coefficients = list(fmpq_mat(rows).charpoly())
    flipped = [c * (-1) ** power for power, c in enumerate(coefficients)]
    negative, positive = _changes(flipped), _changes(coefficients)
    return negative, len(sides) - negative - positive, positive


def is_tightened(point: Point, rank: int) -> bool:
    """Return whether every pivot is, by the ranks of fractions.

    Args:
        point: A critical point in fractions.
        rank: The rank of its prediction.

    Returns:
        Whether, of all two blocks, one has that rank.
    """
    return all(
        exact.is_zero(point.around(upper, lower))
        or exact.rank(point.segment(lower + 1, upper - 1)) == rank
        for lower, upper in combinations(range(1, len(point.weights) + 1), 2)
    )


def _is_ordered(point: Point, rank: int) -> bool | None:
    """Return whether nothing missing is larger than something learnt."""
    if rank == 0:
        return True
    with balls.working_precision(PRECISION):
        learnt = balls.singular_values(exact.to_balls(point.prediction))
        missing = balls.singular_values(exact.to_balls(point.residual))
        if missing[0] < learnt[rank - 1]:
            return True
        if missing[0] > learnt[rank - 1]:
            return False
        near = float(learnt[rank - 1].mid())
        for square in _guesses(near):
            if _is_shared(point.prediction, learnt, square) and _is_shared(
                point.residual, missing, square
            ):
                return True
    return None


def _guesses(value: float) -> list[Rational]:
    """Return fractions that the square of a number near a float might be."""
    simple = [Fraction(value).limit_denominator(10**6) ** 2]
    simple.append(Fraction(value**2).limit_denominator(10**6))
    fractions = [fmpq(f.numerator, f.denominator) for f in simple]
    return [exact.scalar(value) * exact.scalar(value), *fractions]


def _is_shared(matrix: ExactMatrix, values: list[Any], square: Rational) -> bool:
    """Return whether all singular values that may have a square have it."""
    gram = matrix @ matrix.T
    size = gram.shape[0]
    shifted = gram - exact.identity(size) * square
    close = [v for v in values if (v * v).overlaps(exact.to_ball(square))]
    return 0 < len(close) == size - exact.rank(shifted)


def _is_critical(problem: Any, weights: Any) -> bool:
    """Return whether the gradient at stored numbers is exactly zero."""
    rough = Point.stored(problem, weights, enclose).gradient()
    if any(balls.bounds(enclose.norm(part))[0] > 0 for part in rough):
        return False
    return all(map(exact.is_zero, Point.stored(problem, weights).gradient()))


def _parts(problem: Any, direction: Any, la: Any) -> list[Any]:
    """Return a direction's layers in an arithmetic, `None` for those of zeros."""
    chain = [np.asarray(layer) for layer in problem.chain(problem.check(direction))]
    return [la.matrix(layer) if layer.any() else None for layer in chain]


def _curvature(problem: Any, weights: Any, way: EscapeDirection) -> float | None:
    """Return a proved negative upper bound on the smallest eigenvalue, or `None`."""
    point = Point.stored(problem, weights, enclose)
    parts = _parts(problem, way.direction, enclose)
    slope, bend = point.bent(parts)
    half = enclose.norm(slope)
    change = half * half / 2 + enclose.trace(point.residual.T @ bend)
    if not change < 0 and problem.net.parameters <= _NUMBERS:
        change = exact.to_ball(change_along(problem, weights, way.direction))
    sizes = [enclose.norm(part) for part in parts if part is not None]
    bound = 2 * change / balls.total(size * size for size in sizes)
    top = balls.bounds(bound)[1]
    return top if math.isfinite(top) and top < 0 else None


def _size(point: Point) -> int:
    return sum(w.shape[0] * w.shape[1] for w in point.weights)


def _unit(point: Point, place: int) -> list[ExactMatrix | None]:
    """Return the direction that changes one weight, counted through the layers."""
    direction: list[ExactMatrix | None] = []
    for weight in point.weights:
        rows, columns = weight.shape
        hit = np.arange(rows * columns).reshape(rows, columns) == place
        direction.append(exact.matrix(hit * 1.0) if hit.any() else None)
        place -= rows * columns
    return direction


def _added(
    a: list[ExactMatrix | None], b: list[ExactMatrix | None]
) -> list[ExactMatrix | None]:
    return [
        (x if y is None else y) if x is None or y is None else x + y
        for x, y in zip(a, b, strict=True)
    ]


def _changes(coefficients: list[Rational]) -> int:
    signs = [c > 0 for c in coefficients if c != 0]
    return sum(a != b for a, b in pairwise(signs))


def _said(kind: Kind | None, is_critical: bool, curvature: float | None) -> str:
    steep = ""
    if curvature is not None:
        bound = Context(prec=6, rounding=ROUND_CEILING).create_decimal(curvature)
        steep = (
            "at these very numbers the Hessian has an eigenvalue of at most "
            f"{float(bound):.6g}"
        )
    if is_critical and kind is not None:
        words = f"proved: the gradient is exactly zero, and this is a {kind}"
        return f"{words}; {steep}." if steep else f"{words}."
    if is_critical:
        return (
            "proved: the gradient is exactly zero; not proved is the kind, as two "
            "singular values could not be told apart."
        )
    unknown = (
        "the gradient is not exactly zero, so the kind is that of a critical point "
        "nearby, if there is one: that is not proved"
    )
    return f"proved: {steep}; {unknown}." if steep else f"nothing is proved: {unknown}."
