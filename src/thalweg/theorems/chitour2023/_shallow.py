r"""A net with one hidden layer in balls: its flow, and how its laws change with it.

Notation: $Z = W_1 X$, $S_1 = \sigma_1(Z)$, $P = W_2 S_1$, $M = Y - \sigma_2(P)$,
$G = W_2^\top (M \odot \sigma_2'(P))$.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from flint import arb_mat, arb_series, ctx

from thalweg.linalg import balls
from thalweg.linalg.balls import BallMatrix
from thalweg.problem.activations import BALLS, AbstractActivation, Elementary
from thalweg.theorems._base import Ball, Case


def _only_smooth(_x: Any, _low: float) -> Any:
    raise NotImplementedError("a kink has no power series")


SERIES = Elementary(
    tanh=lambda s: 1 - 2 / ((2 * s).exp() + 1),
    sinh=lambda s: (s.exp() - (-s).exp()) / 2,
    cosh=lambda s: (s.exp() + (-s).exp()) / 2,
    atan=lambda s: s.atan(),
    log1p=lambda s: (1 + s).log(),
    step=_only_smooth,
)
"""Power series in one variable: derivatives that use no derivative formula."""


@dataclass(frozen=True)
class Shallow:
    """A net with one hidden layer, its samples and its weights, all in balls.

    Attributes:
        hidden: Activation of the hidden layer.
        output: Activation of the output.
        x: Inputs, one sample a column.
        y: Labels, one sample a column.
        w1: First layer.
        w2: Second layer.
    """

    hidden: AbstractActivation
    output: AbstractActivation
    x: BallMatrix
    y: BallMatrix
    w1: BallMatrix
    w2: BallMatrix

    @classmethod
    def of(cls, case: Case) -> "Shallow":
        """Return a case's net; its start is known up to the case's radius."""
        net = case.problem.net
        layers = [
            balls.widened(balls.matrix(np.asarray(w)), case.radius)
            for w in case.problem.chain(case.start)
        ]
        x, y = (np.asarray(a) for a in (case.problem.inputs, case.problem.labels))
        data = balls.matrix(x), balls.matrix(y)
        return cls(net.hidden, net.output, *data, *layers)

    @cached_property
    def before(self) -> BallMatrix:
        """Return what enters the hidden layer, Z."""
        return self.w1 @ self.x

    @cached_property
    def features(self) -> BallMatrix:
        """Return what leaves the hidden layer."""
        return _each(lambda z: self.hidden.value(z, BALLS), self.before)

    @cached_property
    def pull(self) -> BallMatrix:
        """Return the residual, target minus prediction, times the output's slope."""
        return _each(
            lambda p, y: (
                (y - self.output.value(p, BALLS)) * self.output.derivative(p, BALLS)
            ),
            self.w2 @ self.features,
            self.y,
        )

    @cached_property
    def back(self) -> BallMatrix:
        """Return G, the pull on what leaves the hidden layer."""
        return self.w2.T @ self.pull

    @cached_property
    def velocity(self) -> tuple[BallMatrix, BallMatrix]:
        """Return how fast the flow moves both layers, by the paper's formula."""
        first = _each(
            lambda z, g: self.hidden.derivative(z, BALLS) * g, self.before, self.back
        )
        return first @ self.x.T, self.pull @ self.features.T

    def laws(self) -> list[Ball]:
        """Return the squares of each unit's outgoing weights less its potentials."""
        potentials = _each(lambda z: self.hidden.potential(z, BALLS), self.before)
        return [
            _square(self.w2, unit)
            - 2 * balls.total(potentials.data[unit, k] for k in range(self.samples))
            for unit in range(self.units)
        ]

    def gaps(self) -> list[Ball]:
        """Return the squares of each unit's outgoing weights less its incoming ones."""
        return [
            _square(self.w2, unit) - _square(self.w1.T, unit)
            for unit in range(self.units)
        ]

    def laws_change(self) -> list[Ball]:
        r"""Return how fast the flow changes `laws`, with $\Sigma' = \sigma/\sigma'$."""
        first, second = self.velocity
        moved = first @ self.x
        shares = _each(
            lambda z, v: (
                self.hidden.value(z, BALLS) / self.hidden.derivative(z, BALLS) * v
            ),
            self.before,
            moved,
        )
        return [
            2 * _dot(self.w2, second, unit)
            - 2 * balls.total(shares.data[unit, k] for k in range(self.samples))
            for unit in range(self.units)
        ]

    def gaps_change(self) -> list[Ball]:
        """Return how fast the flow changes `gaps`."""
        first, second = self.velocity
        return [
            2 * (_dot(self.w2, second, unit) - _dot(self.w1.T, first.T, unit))
            for unit in range(self.units)
        ]

    @property
    def units(self) -> int:
        """Return the size of the hidden layer."""
        return self.w1.shape[0]

    @property
    def samples(self) -> int:
        """Return the number of samples."""
        return self.x.shape[1]

    def slope(self, layer: int, row: int, column: int) -> Ball:
        """Return the derivative of the loss by one weight, by a power series.

        Args:
            layer: 0 or 1.
            row: Of the layer.
            column: Of the layer.

        Returns:
            The series' coefficient; the loss is computed anew for it.
        """
        before = ctx.cap
        ctx.cap = 2
        try:
            return self._series(layer, row, column)[1]
        finally:
            ctx.cap = before

    def _series(self, layer: int, row: int, column: int) -> Any:
        """Return the loss as a series in what is added to one weight."""
        chain = [w.data.tolist() for w in (self.w1, self.w2)]
        weight = chain[layer][row][column]
        chain[layer][row][column] = arb_series([weight, 1])
        loss = arb_series([0])
        for k in range(self.samples):
            seen = [self.x.data[i, k] for i in range(self.x.shape[0])]
            for matrix, activation in zip(
                chain, (self.hidden, self.output), strict=True
            ):
                sums = [_combined(weights, seen) for weights in matrix]
                seen = [activation.value(s, SERIES) for s in sums]
            gaps = [value - self.y.data[i, k] for i, value in enumerate(seen)]
            loss = sum((gap * gap for gap in gaps), loss)
        return loss / 2


def _combined(weights: list[Any], values: list[Any]) -> Any:
    pairs = zip(weights, values, strict=True)
    return sum((w * v for w, v in pairs), arb_series([0]))


def _each(function: Callable[..., Ball], *matrices: BallMatrix) -> BallMatrix:
    """Return a function of the entries in every place."""
    rows, columns = matrices[0].shape
    return BallMatrix(
        arb_mat(
            [
                [function(*(m.data[i, j] for m in matrices)) for j in range(columns)]
                for i in range(rows)
            ]
        )
    )


def _square(matrix: BallMatrix, column: int) -> Ball:
    return _dot(matrix, matrix, column)


def _dot(first: BallMatrix, second: BallMatrix, column: int) -> Ball:
    """Return the inner product of two matrices' columns of one number."""
    return balls.total(
        first.data[i, column] * second.data[i, column] for i in range(first.shape[0])
    )
