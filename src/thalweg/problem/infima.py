r"""The infimum of a convex loss of a matrix, and the matrix that attains it.

In an orthonormal basis $Q$ of the inputs' row space the problem is to minimise
$\sum_i \ell(M q_i, y_i)$. Squares are solved by projection; absolute deviations by a
linear programme, whose vertex is then solved for again; the others by Newton's
method with an exact search along each direction, led from squares to the loss
itself. Classes may be separated in some direction: what it separates costs nothing
in the infimum, which is then not attained; a linear programme finds all of that.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import singledispatch
from itertools import islice
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from scipy import linalg, optimize, sparse

from thalweg._core.arrays import EPS
from thalweg._core.errors import DomainError
from thalweg.problem.losses import (
    AbstractLoss,
    CrossEntropy,
    Huber,
    Logistic,
    Power,
    Squared,
)

LARGEST = 4096
"""Most unknowns at once: the Hessian is dense."""

ROUNDS = 200
"""Most Newton steps at one loss."""

ROUNDING = 1e-13
"""Half of Newton's decrement, relative to the infimum, that counts as rounding."""

CERTAIN = 1e-8
"""Curvature in every direction, relative to the largest, that proves a minimum."""

PROGRAMME = 1e-7
"""Tolerance of the linear programmes."""

RIDGE = 1e-11
"""Added to the scaled Hessian, for directions without curvature."""

STEEPEST = 1e24
"""Largest curvature, relative to the smallest: at a kink it is infinite."""

NOTHING = 1e-200
"""A loss below it is as good as none; its Hessian may have left float64."""

TRIALS = 50
"""Newton steps before it is asked whether classes can be told apart."""

FAR = 1e300
"""An output so far on the right side costs nothing."""


class Least(NamedTuple):
    """The infimum of a sum over samples.

    Attributes:
        value: The infimum.
        matrix: A matrix that attains it, `"out in"`; `None` where none does.
    """

    value: float
    matrix: np.ndarray | None


def least(
    loss: AbstractLoss, inputs: np.ndarray, labels: np.ndarray, rank: int
) -> Least:
    """Return the infimum of a loss over all matrices, summed over samples.

    Args:
        loss: The loss.
        inputs: Of shape `"in sample"`.
        labels: As the loss codes them, `"out sample"`.
        rank: Largest rank a matrix may have. Only squares are minimised under it;
            for other losses the value is the infimum over all matrices.

    Returns:
        The infimum, and what attains it among all matrices; of those that do the
        same on the samples, the one of least norm.
    """
    left, sizes, right = np.linalg.svd(inputs, full_matrices=False)
    kept = sizes > max(inputs.shape) * EPS * sizes[0]
    value, matrix = _least(loss, right[kept], labels)
    if matrix is None:
        return Least(value, None)
    if loss in (Squared(), Power(2)):
        tail = np.linalg.svd(matrix, compute_uv=False)[rank:]
        value += 0.5 * float(np.sum(tail**2))
    return Least(value, (matrix / sizes[kept]) @ left[:, kept].T)


@singledispatch
def _least(loss: AbstractLoss, basis: np.ndarray, labels: np.ndarray) -> Least:
    """Return infimum and minimiser in the coordinates of `basis`, `"rank sample"`."""
    raise DomainError(
        f"no way is known to the infimum of {type(loss).__name__}; pass infimum=."
    )


@_least.register
def _(loss: Squared, basis: np.ndarray, labels: np.ndarray) -> Least:
    matrix = labels @ basis.T
    return Least(0.5 * float(np.sum((labels - matrix @ basis) ** 2)), matrix)


@_least.register
def _(loss: Power | Huber, basis: np.ndarray, labels: np.ndarray) -> Least:
    if loss == Power(2):
        return _least(Squared(), basis, labels)
    return _one_by_one([_of_numbers(loss, basis, row[None]) for row in labels])


@_least.register
def _(loss: Logistic, basis: np.ndarray, labels: np.ndarray) -> Least:
    return _one_by_one([_of_classes(loss, basis, signs[None]) for signs in labels])


@_least.register
def _(loss: CrossEntropy, basis: np.ndarray, labels: np.ndarray) -> Least:
    return _of_classes(loss, basis, labels)


def _one_by_one(found: list[Least]) -> Least:
    """Return the infimum over outputs that do not interact."""
    value = sum(one.value for one in found)
    matrices = [one.matrix for one in found if one.matrix is not None]
    whole = np.concatenate(matrices) if len(matrices) == len(found) else None
    return Least(value, whole)


def _of_numbers(loss: Power | Huber, basis: np.ndarray, labels: np.ndarray) -> Least:
    """Return the least loss of one output."""
    if _meets(basis, labels):
        return Least(0.0, labels @ basis.T)
    if isinstance(loss, Huber):
        return _led(loss, basis, labels)
    size = float(np.max(np.abs(labels)))
    solve = _deviations if loss.p == 1 else _led
    value, matrix = solve(loss, basis, labels / size)
    return Least(value * size**loss.p, None if matrix is None else matrix * size)


def _meets(basis: np.ndarray, labels: np.ndarray) -> bool:
    """Return whether some matrix meets every label, to rounding."""
    rest = labels - (labels @ basis.T) @ basis
    size = np.max(np.abs(labels))
    return bool(np.max(np.abs(rest)) <= 8 * basis.shape[1] * EPS * size)


def _deviations(loss: Power, basis: np.ndarray, labels: np.ndarray) -> Least:
    """Return the least sum of absolute deviations of one output."""
    rank, samples = basis.shape
    signs = sparse.hstack([sparse.identity(samples), -sparse.identity(samples)])
    found = optimize.linprog(
        np.concatenate([np.zeros(rank), np.ones(2 * samples)]),
        A_eq=sparse.hstack([sparse.csr_array(basis.T), signs]),
        b_eq=labels[0],
        bounds=[(None, None)] * rank + [(0, None)] * 2 * samples,
        method="highs-ds",
    )
    if found.status != 0:
        raise _not_found(loss)
    # A vertex meets as many labels as there are unknowns; solved for once more, it
    # loses the tolerance of the programme.
    rest = np.abs(labels[0] - found.x[:rank] @ basis)
    *_, order = linalg.qr(
        basis / (rest + EPS * np.max(rest)), mode="economic", pivoting=True
    )
    met = order[:rank]
    matrix = np.linalg.solve(basis[:, met].T, labels[0, met])[None]
    value = float(np.sum(np.abs(labels - matrix @ basis)))
    if value > found.fun + PROGRAMME * float(np.sum(np.abs(labels))):
        raise _not_found(loss)
    return Least(value, matrix)


def _led(loss: Power | Huber, basis: np.ndarray, labels: np.ndarray) -> Least:
    """Return the least loss of one output, led to it from that of squares."""
    matrix = labels @ basis.T
    largest = float(np.max(np.abs(labels - matrix @ basis)))
    for easier in (*_from_squares(loss, largest), loss):
        last = deque(_newton(easier, basis, labels, matrix), maxlen=1).pop()
        matrix = last.matrix
    return last.as_least(loss)


def _from_squares(loss: Power | Huber, largest: float) -> list[Power | Huber]:
    """Return losses between squares and `loss`; `largest` is a residual of squares."""
    if isinstance(loss, Huber):
        steps = np.arange(1, np.log(max(largest / loss.threshold, 1.0)) / np.log(4.0))
        return [Huber(largest / 4.0**step) for step in steps]
    if loss.p < 2:
        powers = 1 + 0.6 ** np.arange(1, np.log(loss.p - 1) / np.log(0.6))
    else:
        powers = 2 * 1.5 ** np.arange(1, np.log(loss.p / 2) / np.log(1.5))
    return [Power(float(power)) for power in powers]


def _of_classes(
    loss: Logistic | CrossEntropy, basis: np.ndarray, labels: np.ndarray
) -> Least:
    """Return the infimum of a loss that vanishes where classes are told apart."""
    start = np.zeros((len(labels), len(basis)))
    for stage in islice(_newton(loss, basis, labels, start), TRIALS):
        if np.min(_margins(loss, stage.matrix @ basis, labels)) > 0:
            return Least(0.0, None)
    if stage.is_found and stage.is_certain:
        return stage.as_least(loss)
    shift = _told_apart(loss, basis, labels)
    last = deque(_newton(loss, basis, labels, start, shift), maxlen=1).pop()
    found = last.as_least(loss)
    return Least(found.value, None) if shift.any() else found


def _margins(
    loss: Logistic | CrossEntropy, outputs: np.ndarray, labels: np.ndarray
) -> np.ndarray:
    """Return how far outputs lie on the right side, class by class."""
    if isinstance(loss, Logistic):
        return labels * outputs
    ahead = np.sum(labels * outputs, axis=0) - outputs
    return np.where(labels > 0, np.inf, ahead)


def _told_apart(
    loss: Logistic | CrossEntropy, basis: np.ndarray, labels: np.ndarray
) -> np.ndarray:
    """Return what to add to the outputs to rule out all that can be ruled out at once.

    A direction along which no margin falls and some grow costs nothing. Sums of such
    directions are such, so the programme's solution lets all grow that can.
    """  # noqa: DOC501
    if isinstance(loss, Logistic):
        where, rows = np.nonzero(labels), labels.T * basis.T
    else:
        where = np.nonzero(labels == 0)
        toward = labels.T[where[1]] - np.eye(len(labels))[where[0]]
        rows = toward[:, :, None] * basis.T[where[1]][:, None]
        rows = rows.reshape(len(rows), -1)
    count, unknowns = rows.shape
    if rows.size > LARGEST**2:
        raise _not_found(loss)
    found = optimize.linprog(
        np.concatenate([np.zeros(unknowns), -np.ones(count)]),
        A_ub=sparse.hstack([sparse.csr_array(-rows), sparse.identity(count)]),
        b_ub=np.zeros(count),
        bounds=[(None, None)] * unknowns + [(0, 1)] * count,
    )
    if found.status != 0:
        raise _not_found(loss)
    grows = np.where(found.x[unknowns:] > 0.5, FAR, 0.0)
    shift = np.zeros_like(labels)
    shift[where] = np.where(labels[where] > 0, grows, -grows)
    return shift


@dataclass(frozen=True, eq=False)
class _Stage:
    """Where Newton's method stands: `above` is its estimate of what is left to win."""

    matrix: np.ndarray
    value: float
    above: float
    hessian: np.ndarray

    @property
    def is_found(self) -> bool:
        return self.above <= ROUNDING * self.value

    @property
    def is_certain(self) -> bool:
        curvatures = np.linalg.eigvalsh(self.hessian)
        return bool(curvatures[0] > CERTAIN * curvatures[-1])

    def as_least(self, loss: AbstractLoss) -> Least:
        if not self.is_found:
            raise _not_found(loss)
        return Least(self.value, self.matrix)


def _newton(
    loss: AbstractLoss,
    basis: np.ndarray,
    labels: np.ndarray,
    matrix: np.ndarray,
    shift: np.ndarray | float = 0.0,
) -> Iterator[_Stage]:
    """Minimise a loss by Newton's method, exactly along each direction.

    Args:
        loss: The loss; several outputs are taken together.
        basis: The inputs, `"rank sample"`.
        labels: The labels, `"out sample"`.
        matrix: Where to begin, `"out rank"`.
        shift: Added to the outputs.

    Yields:
        Where it stands before each step, and when no step is worth taking.

    Raises:
        DomainError: If the problem is too large.
    """
    if matrix.size > LARGEST:
        raise DomainError(
            f"the infimum has {matrix.size:,} unknowns, more than {LARGEST:,}; pass "
            "infimum=, zero if nothing better is known."
        )
    for _ in range(ROUNDS):
        outputs = matrix @ basis + shift
        value = float(jnp.sum(loss.value(jnp.asarray(outputs), jnp.asarray(labels))))
        gradient = _slopes(loss, outputs, labels) @ basis.T
        hessian = _hessian(loss, outputs, labels, basis)
        if value < NOTHING:
            yield _Stage(matrix, value, 0.0, hessian)
            return
        bent = np.diag(hessian)
        scale = np.sqrt(np.where(bent > 0, bent, 1.0))
        scaled = hessian / scale / scale[:, None] + RIDGE * np.eye(len(scale))
        step = linalg.solve(scaled, gradient.ravel() / scale, assume_a="pos") / -scale
        step = step.reshape(matrix.shape)
        above = -0.5 * float(np.sum(gradient * step))
        yield _Stage(matrix, value, above, hessian)
        length = _length(loss, outputs, labels, step @ basis)
        if above <= EPS * value or length == 0:
            return
        matrix = matrix + length * step


def _length(
    loss: AbstractLoss, outputs: np.ndarray, labels: np.ndarray, along: np.ndarray
) -> float:
    """Return how far to go along a direction: to its minimum, if it has one near."""

    def slope(length: float) -> float:
        return float(np.sum(_slopes(loss, outputs + length * along, labels) * along))

    if slope(0.0) >= 0:
        return 0.0
    far = 1.0
    with np.errstate(over="ignore", invalid="ignore"):
        while not np.isfinite(slope(far)):
            far /= 2
    while slope(far) < 0 and far < 2**10:
        far *= 2
    if slope(far) <= 0:
        return far
    return optimize.brentq(slope, 0.0, far, xtol=1e-14 * far, rtol=1e-13, disp=False)


def _hessian(
    loss: AbstractLoss, outputs: np.ndarray, labels: np.ndarray, basis: np.ndarray
) -> np.ndarray:
    """Return the Hessian by the matrix, with infinite curvatures cut off."""
    bends = np.asarray(loss.curvature(jnp.asarray(outputs), jnp.asarray(labels)))
    bends = bends.reshape(len(labels), len(labels), -1)
    if isinstance(loss, CrossEntropy):
        bends = bends + np.max(bends)  # along equal shifts of all outputs
    if isinstance(loss, Power) and loss.p < 2:
        bends = np.minimum(bends, STEEPEST * np.min(bends))
    blocks = np.array([[(bend * basis) @ basis.T for bend in row] for row in bends])
    return blocks.swapaxes(1, 2).reshape((len(labels) * len(basis),) * 2)


def _slopes(loss: AbstractLoss, outputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return np.asarray(loss.derivative(jnp.asarray(outputs), jnp.asarray(labels)))


def _not_found(loss: AbstractLoss) -> DomainError:
    return DomainError(
        f"the infimum of {loss} was not found to rounding; pass infimum=, zero if "
        "nothing better is known."
    )
