r"""Braun, Domine, Fitzgerald, Saxe: exact flows of two layers, from any knowledge."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
from flint import arb, fmpq, fmpq_mat

from thalweg._core.papers import BRAUN2022
from thalweg._core.source import Source
from thalweg.linalg import balls
from thalweg.linalg.chain import invariants
from thalweg.problem.moments import Moments
from thalweg.problem.nets import LinearNet
from thalweg.problem.problem import Problem
from thalweg.theorems._base import (
    AbstractTheorem,
    Ball,
    Case,
    Example,
    Guarantee,
    Hypothesis,
    Kind,
    Printed,
)

_Array = np.ndarray

STRIDE = 2.0
"""Largest rate times time of one step of the solution; one big step would overflow."""

CORNER = 8
"""Rows of the invariant that are enough to refute almost every start."""


@dataclass(frozen=True)
class ExactTwoLayer(AbstractTheorem):
    r"""The end-to-end matrix of two lambda-balanced layers, in closed form.

    Notation: $\Phi$ is the target of white data, $W_2^\top W_2 - W_1 W_1^\top =
    \lambda I$ (conserved by the flow), $Q = \begin{bmatrix} W_1^\top \\ W_2
    \end{bmatrix}$, $F = \begin{bmatrix} -\frac\lambda2 I & \Phi^\top \\ \Phi &
    \frac\lambda2 I \end{bmatrix}$. Then $\dot Q = (F - \tfrac12 Q Q^\top) Q$, and

    $$Q Q^\top(t) = e^{Ft} Q_0 \left[I + Q_0^\top \int_0^t e^{2Fs} ds \, Q_0\right]^{-1}
    Q_0^\top e^{Ft},$$

    whose lower left block is $W_2 W_1$, for every shape, rank and $\lambda$: derived
    here (differentiate $Q Q^\top$ and the right side, both solve $\dot P = FP + PF -
    P^2$); the sources ask for full rank and $\lambda = 0$, or equal ends. The course
    is computed in float64 by short steps, each one QR decomposition in the
    eigenvectors of $F$; it was within $10^{-11}$ of the target's norm on all shapes
    tried. The condition is decided exactly, on the fractions the floats are; a start
    balanced to rounding only is refuted.
    """

    source: ClassVar[Source] = BRAUN2022.at("Theorem 3.1, in the form derived here")
    kind: ClassVar[Kind] = Kind.PREDICTION
    bounds: ClassVar[str] = "end_to_end"
    clock: ClassVar[str] = "flow time"
    status: ClassVar[str] = "derived here for all shapes; the source recalled"

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return white data, two layers, and an invariant that is a multiple of I."""
        facts = [
            Hypothesis(
                "the data are white", fact=case.is_whitened, mend="whiten the data"
            ),
            Hypothesis("N = 2", fact=case.depth == 2),
        ]
        if not all(hypothesis.fact for hypothesis in facts):
            return facts
        return [
            *facts,
            Hypothesis(
                "W2' W2 - W1 W1' = lambda I",
                -_departure(case),
                strict=False,
                mend="take a lambda-balanced start with weights that are exact in "
                "floats",
            ),
        ]

    def guarantee(self, case: Case) -> Guarantee:
        """Return the course of the end-to-end matrix, and lambda."""
        first, last = (np.asarray(w) for w in case.problem.chain(case.start))
        target = np.asarray(case.problem.target)
        balance = _balance(case)
        return Guarantee(
            statement=(
                "the end-to-end matrix follows the closed form, with lambda = "
                f"{float(balance.mid()):.6g}"
            ),
            clock=self.clock,
            predictions={
                "end_to_end": partial(course, target, first, last, float(balance.mid()))
            },
            values={"lambda": balance},
        )

    def witnesses(self) -> Iterator[Example]:
        """Yield balanced and unbalanced starts, dense ones and a bottleneck."""
        yield Example(*_posed(_TARGET, _DIAGONAL, _DIAGONAL))
        small, large = np.diag([0.75, 1.875, 0.0]), np.diag([1.25, 2.125, 1.0])
        dense = np.array([[2.0, 0.5, 0.0], [0.0, 1.0, -1.0], [0.25, 0.0, 0.5]])
        yield Example(*_posed(dense, small, large))
        yield Example(*_posed(dense, large[::-1], small[:, ::-1]))
        turn = np.array([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]])
        first = np.diag([0.75, 1.875]) @ turn[:2] / 2
        last = turn[:, 2:] @ np.diag([1.25, 2.125]) / 2
        yield Example(*_posed(np.eye(4)[::-1], first, last))

    def counterexamples(self) -> Iterator[Example]:
        """Yield an uneven pair, one off by an ulp, and three layers."""
        name = "W2' W2 - W1 W1' = lambda I"
        yield Example(*_posed(_TARGET, _DIAGONAL, np.eye(2)), refuted=name)
        near = _DIAGONAL.copy()
        near[0, 0] = np.nextafter(near[0, 0], 1)
        yield Example(*_posed(_TARGET, near, _DIAGONAL), refuted=name)
        deep = Problem(LinearNet((2, 2, 2, 2)), Moments.whitened(jnp.eye(2)))
        yield Example(deep, (jnp.eye(2),) * 3, refuted="N = 2")

    def printed_values(self) -> Iterator[Printed]:
        """Yield the map at t = 1 from two starts, lambda = 0 and lambda = 0.5."""
        yield from _entries(
            "lambda = 0",
            course(_TARGET, _DIAGONAL, _DIAGONAL, 0.0, np.array([1.0])),
            (("1.78887194", "0.43853557"), ("0.11337436", "0.26196296")),
        )
        first = np.array([[0.3, 0.1], [0.0, 0.2]])
        squares, basis = np.linalg.eigh(first @ first.T + np.eye(2) / 2)
        last = basis * np.sqrt(squares) @ basis.T
        yield from _entries(
            "lambda = 0.5",
            course(_TARGET, first, last, 0.5, np.array([1.0])),
            (("1.82001306", "0.50668522"), ("0.0848092", "0.6949905")),
        )


def course(
    target: _Array, first: _Array, last: _Array, balance: float, times: _Array
) -> _Array:
    """Return the end-to-end matrix along the flow of two lambda-balanced layers.

    Args:
        target: Of the white data, `"out in"`.
        first: The first layer, `"hidden in"`.
        last: The last layer, `"out hidden"`.
        balance: The number lambda.
        times: Finite flow times, `>= 0`, `"time"`.

    Returns:
        The matrices, `"time out in"`. Cost: an eigendecomposition, and a QR
            decomposition for each `STRIDE` of rate times time.
    """
    outputs, inputs = target.shape
    rates, basis = np.linalg.eigh(_generator(target, balance))
    stacked = basis.T @ np.concatenate([first.T, last])
    found, clock = np.empty((len(times), outputs, inputs)), 0.0
    for index in np.argsort(times, kind="stable"):
        stacked = _moved(rates, stacked, float(times[index]) - clock)
        clock = float(times[index])
        above, below = np.split(basis @ stacked, [inputs])
        found[index] = below @ above.T
    return found


def _generator(target: _Array, balance: float) -> _Array:
    outputs, inputs = target.shape
    half = balance / 2
    return np.block(
        [[-half * np.eye(inputs), target.T], [target, half * np.eye(outputs)]]
    )


def _moved(rates: _Array, stacked: _Array, time: float) -> _Array:
    """Return the stacked layers a time later, up to a rotation of the hidden space."""
    if time == 0:
        return stacked
    steps = max(1, int(np.ceil(time * np.abs(rates).max() / STRIDE)))
    growth = rates * (time / steps)
    flat = np.abs(growth) < 1e-8
    safe = np.where(flat, 1.0, growth)
    # The integral of exp(2 d s) over a step; its series where d is about zero.
    mean = np.where(flat, 1 + growth, np.expm1(2 * safe) / (2 * safe))
    spread = np.sqrt(mean * (time / steps))[:, None]
    unit = np.eye(stacked.shape[1])
    for _ in range(steps):
        _, triangle = np.linalg.qr(np.concatenate([unit, spread * stacked]))
        stacked = np.linalg.solve(triangle.T, (np.exp(growth)[:, None] * stacked).T).T
    return stacked


def _balance(case: Case) -> Ball:
    """Return lambda: the first diagonal entry of the invariant."""
    return arb(_invariant(case, 1)[0, 0])


def _departure(case: Case) -> Ball:
    """Return the norm of the invariant without its lambda: zero if it is exactly.

    A corner of the invariant is looked at first; it is enough to refute. Of a start
    known up to a radius, lambda is the mean of the diagonal, which is nearest.
    """
    gap = invariants(case.weights)[0]
    size = gap.shape[0]
    if case.radius:
        return case.la.norm(gap - case.la.trace(gap) / size * case.la.identity(size))
    corner = _exact_departure(case, CORNER)
    if corner > 0:
        rough = case.la.norm(gap - _balance(case) * case.la.identity(size))
        return balls.largest([rough, corner])
    return _exact_departure(case, size)


def _exact_departure(case: Case, size: int) -> Ball:
    gap = _invariant(case, size)
    rows = range(gap.nrows())
    even = [[gap[0, 0] if i == j else fmpq(0) for j in rows] for i in rows]
    return balls.sqrt(balls.total(arb(x * x) for x in (gap - fmpq_mat(even)).entries()))


def _invariant(case: Case, size: int) -> fmpq_mat:
    """Return a corner of the invariant of the floats as stored, in fractions."""
    first, last = (np.asarray(w) for w in case.problem.chain(case.start))
    below, above = _fractions(first[:size]), _fractions(last[:, :size])
    return above.transpose() * above - below * below.transpose()


def _fractions(matrix: _Array) -> fmpq_mat:
    return fmpq_mat(
        [[fmpq(*x.as_integer_ratio()) for x in row] for row in matrix.tolist()]
    )


_TARGET = np.array([[2.0, 0.5], [0.0, 1.0]])
_DIAGONAL = np.diag([0.5, 0.2])


def _posed(target: _Array, first: _Array, last: _Array) -> tuple[Problem, object]:
    widths = (first.shape[1], first.shape[0], last.shape[0])
    problem = Problem(LinearNet(widths), Moments.whitened(jnp.asarray(target)))
    return problem, (jnp.asarray(first), jnp.asarray(last))


def _entries(
    name: str, found: _Array, texts: tuple[tuple[str, ...], ...]
) -> Iterator[Printed]:
    for i, row in enumerate(texts):
        for j, text in enumerate(row):
            yield Printed(
                f"{name}, entry {i + 1} {j + 1}",
                text,
                lambda i=i, j=j: float(found[0, i, j]),
            )
