r"""Stored weights as exact rational matrices: whether they are critical, and ranks.

Notation, after the reduction: $X$ and $Y$ are the data, $P = W_N \cdots W_1 X$,
$E = P - Y$, $R = W_N \cdots W_2$, $Z = W_{N-1} \cdots W_2$.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from itertools import accumulate
from typing import Any

import numpy as np

from thalweg.linalg import balls, exact
from thalweg.linalg.exact import ExactMatrix, Rational
from thalweg.theorems._base import Ball, Case, Hypothesis
from thalweg.theorems.chitour2023._reduced import (
    full_inputs,
    inputs_factor,
    labels_factor,
)


@dataclass(frozen=True)
class Point:
    """Weights and data in one arithmetic.

    Attributes:
        weights: The chain, first-applied first.
        inputs: The inputs' factor; `None` for white data.
        labels: The labels' factor.
        la: The arithmetic.
    """

    weights: Sequence[Any]
    inputs: Any
    labels: Any
    la: Any

    @classmethod
    def of(cls, case: Case) -> "Point":
        """Return the point of a case in the case's own arithmetic."""
        return cls(case.weights, *_data(case, case.la), case.la)

    @classmethod
    def exactly(cls, case: Case) -> "Point":
        """Return the point of a case in rational numbers."""
        chain = [exact.matrix(np.asarray(w)) for w in case.problem.chain(case.start)]
        return cls(chain, *_data(case, exact), exact)

    def fed(self, matrix: Any) -> Any:
        """Return a matrix applied to the inputs."""
        return matrix if self.inputs is None else matrix @ self.inputs

    @cached_property
    def products(self) -> list[Any]:
        """Return for every layer the product of all layers up to it."""
        return list(accumulate(self.weights, lambda product, w: w @ product))

    @cached_property
    def prediction(self) -> Any:
        """Return P."""
        return self.fed(self.products[-1])

    @cached_property
    def residual(self) -> Any:
        """Return E, prediction minus labels."""
        return self.prediction - self.labels

    def gradient(self) -> Iterator[Any]:
        """Yield the gradient by every layer, the last layer's first."""
        back = self.residual
        if self.inputs is not None:
            back = back @ self.inputs.T
        for place in range(len(self.weights) - 1, 0, -1):
            yield back @ self.products[place - 1].T
            back = self.weights[place].T @ back
        yield back

    @property
    def above(self) -> Any:
        """Return R, the product of all layers but the first."""
        return reduce(lambda product, w: w @ product, self.weights[1:])

    @property
    def between(self) -> Any:
        """Return Z, the product of the inner layers; the identity of two."""
        inner = self.weights[1:-1]
        if not inner:
            return self.la.identity(self.weights[0].shape[0])
        return reduce(lambda product, w: w @ product, inner)

    def second_order(self, direction: Sequence[ExactMatrix | None]) -> Rational:
        r"""Return the coefficient of $t^2$ in the loss along a direction, exactly.

        Args:
            direction: One matrix a layer, `None` for zero.

        Returns:
            Half the Hessian's quadratic form.
        """
        first = direction[0]
        flat = self.weights[0] - self.weights[0]
        terms = (self.weights[0], flat if first is None else first, flat)
        for weight, change in zip(self.weights[1:], direction[1:], strict=True):
            moved = [weight @ term for term in terms]
            if change is not None:
                moved[1] += change @ terms[0]
                moved[2] += change @ terms[1]
            terms = (moved[0], moved[1], moved[2])
        slope, bend = self.fed(terms[1]), self.fed(terms[2])
        return exact.inner(slope, slope) / 2 + exact.inner(self.residual, bend)


def _data(case: Case, la: Any) -> tuple[Any, Any]:
    """Return inputs, `None` if white, and labels in an arithmetic."""
    inputs = None if case.is_whitened else inputs_factor(case, la)
    return inputs, labels_factor(case, la)


def is_critical(case: Case) -> Hypothesis:
    """Return that the gradient is zero: of stored floats a fact, decided exactly."""
    name, mend = "the gradient is zero", "move to a critical point"
    norms = [case.la.norm(part) for part in Point.of(case).gradient()]
    if case.radius:
        return Hypothesis(name, -balls.largest(norms), strict=False, mend=mend)
    surely = any(balls.bounds(norm)[0] > 0 for norm in norms)
    fact = not surely and all(map(exact.is_zero, Point.exactly(case).gradient()))
    return Hypothesis(name, fact=fact, mend=mend)


def critical_facts(case: Case) -> list[Hypothesis]:
    """Return what every statement about critical points needs.

    Args:
        case: The case.

    Returns:
        Two layers at least, inputs and labels of full rank, no gradient. A false
        fact is the last.
    """
    labels = labels_factor(case, case.la)
    rows, columns = labels.shape
    known = [
        Hypothesis("at least two layers", fact=case.depth >= 2),
        *full_inputs(case),
        Hypothesis("no more outputs than inputs", fact=rows <= columns),
    ]
    for place, hypothesis in enumerate(known, 1):
        if hypothesis.slack is None and not hypothesis.fact:
            return known[:place]
    critical = is_critical(case)
    if critical.slack is None and not critical.fact:
        return [*known, critical]
    rank = Hypothesis("sigma_min(Y_r) > 0", case.la.smallest_singular_value(labels))
    return [*known, critical, rank]


def still_open(hypotheses: Sequence[Hypothesis]) -> bool:
    """Return whether no fact among the hypotheses is false."""
    return all(h.fact for h in hypotheses if h.slack is None)


def learnt_modes(point: Point, rank: int) -> list[int]:
    """Return which of the labels' singular values a critical point has learnt.

    Args:
        point: A critical point, in rational numbers.
        rank: The rank of its prediction.

    Returns:
        For each singular value of the prediction, descending, the place from 0 of
        the first of the labels' that it agrees with; shorter than `rank` if one
        agrees with none.
    """
    wanted = labels_spectrum(point)
    given = balls.singular_values(exact.to_balls(point.prediction))[:rank]
    found: list[int] = []
    for value in given:
        after = found[-1] + 1 if found else 0
        places = (i for i in range(after, len(wanted)) if wanted[i].overlaps(value))
        place = next(places, None)
        if place is None:
            break
        found.append(place)
    return found


def labels_spectrum(point: Point) -> list[Ball]:
    """Return the labels' singular values, descending, at the working precision."""
    return balls.singular_values(exact.to_balls(point.labels))
