r"""Two layers whose invariant is a multiple of the identity, in closed form.

Notation: with $W_2^\top W_2 - W_1 W_1^\top = \lambda I$ stack
$Q = \begin{bmatrix} W_1^\top \\ W_2 \end{bmatrix}$ and put
$F = \begin{bmatrix} -\frac\lambda2 I & \Phi^\top \\ \Phi & \frac\lambda2 I
\end{bmatrix}$ for the target $\Phi$. The flow is $\dot Q = (F - \tfrac12 Q Q^\top) Q$,
and

$$Q Q^\top(t) = e^{Ft} Q_0 \Bigl[I + Q_0^\top \int_0^t e^{2Fs} ds \, Q_0\Bigr]^{-1}
Q_0^\top e^{Ft}$$

for every shape, rank and $\lambda$. In the eigenvectors of $F$, with rates $d_i$, rows
$o_i$ of $Q_0$ and $g_i = \int_0^t e^{2 d_i s} ds$, this is $R \, \Pi \, R$. The
diagonal $R_i = e^{d_i t} / \sqrt{g_i}$ stays bounded; $\Pi$ is the lower block of the
projector on the columns of $\begin{bmatrix} I \\ B \end{bmatrix}$ with rows
$B_i = \sqrt{g_i}\, o_i$. These grow without bound and by different powers, but
rotations of the hidden space that bring the largest row first make the columns graded
too; scaled, they are well conditioned, and their QR decomposition is accurate at every
time.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from thalweg._core.arrays import EPS
from thalweg.motion._course import FOREVER
from thalweg.motion._modes import saturating
from thalweg.motion._transport import transported

_Array = np.ndarray

CHUNK = 4_000_000
"""Numbers of one array in the work on many times."""


@dataclass(frozen=True)
class TwoLayers:
    """The flow of two layers from a lambda-balanced start.

    Attributes:
        balance: The number lambda.
        rates: Eigenvalues of the flow's matrix, descending, `"mode"`.
        basis: Its eigenvectors, input space above output space, `"in+out mode"`.
        start: The stacked layers in them, `"mode rank"`.
        hidden: Orthonormal directions of the hidden space in use, `"hidden rank"`.
        inputs: Width of the input.
    """

    balance: float
    rates: _Array
    basis: _Array
    start: _Array
    hidden: _Array
    inputs: int

    @classmethod
    def of(
        cls, target: _Array, layers: Sequence[_Array], balance: float
    ) -> "TwoLayers":
        """Return the flow of a start, given its lambda.

        Parts of the start below its rounding, `max(shape) * eps` of its largest
        singular value, count as zero; so do gaps of the target's singular values.
        """
        stacked = np.concatenate([layers[0].T, layers[1]])
        left, values, right = np.linalg.svd(stacked, full_matrices=False)
        noise = max(stacked.shape) * EPS * values[0]
        kept = values > noise
        basis, rates = _eigenvectors(target, balance)
        start = basis.T @ (left[:, kept] * values[kept])
        basis, rates, start = _condensed(basis, rates, start, noise)
        return cls(balance, rates, basis, start, right[kept].T, inputs=target.shape[1])

    @property
    def kind(self) -> str:
        """Return which closed form it is."""
        if self.balance == 0:
            return "two balanced layers"
        return f"two layers, balanced up to {self.balance:.6g}"

    def factors(self, times: _Array) -> _Array:
        """Return the stacked layers, each time up to a rotation of the hidden space.

        Args:
            times: Flow times, infinity among them.

        Returns:
            In the eigenvectors, `"time mode rank"`.
        """
        size = max(1, CHUNK // self.start.size)
        chunks = [times[k : k + size] for k in range(0, times.size or 1, size)]
        return np.concatenate(
            [_factors(self.rates, self.start, chunk) for chunk in chunks]
        )

    def end_to_end(self, times: _Array) -> _Array:
        """Return the product of the layers at these times, `"time out in"`."""
        first, last = self._split(self.factors(times))
        return last @ first.transpose(0, 2, 1)

    def grams(self, times: _Array) -> tuple[_Array, _Array]:
        """Return `W_1^T W_1` and `W_2 W_2^T` at these times."""
        parts = self._split(self.factors(times))
        first, last = (part @ part.transpose(0, 2, 1) for part in parts)
        return first, last

    def weights(self, times: _Array) -> tuple[_Array, ...]:
        """Return both layers at these times, `"time out in"`."""
        at, where = np.unique(times, return_inverse=True)
        moved = transported(self.factors, self.rates, self.start, at)[where]
        first, last = self._split(moved @ self.hidden.T)
        return first.transpose(0, 2, 1), last

    def _split(self, factors: _Array) -> tuple[_Array, _Array]:
        stacked = self.basis @ factors
        return stacked[:, : self.inputs], stacked[:, self.inputs :]


def _eigenvectors(target: _Array, balance: float) -> tuple[_Array, _Array]:
    """Return eigenvectors and eigenvalues of the flow's matrix, from the SVD."""
    left, values, right = np.linalg.svd(target)
    (outputs, inputs), modes = target.shape, values.size
    values = _levelled(values, max(target.shape) * EPS * values[0])
    half = balance / 2
    rate = np.hypot(values, half)
    low = values if half >= 0 else rate - half
    high = rate + half if half >= 0 else values
    size = np.hypot(low, high)
    low = np.divide(low, size, out=np.zeros(modes), where=size > 0)
    high = np.divide(high, size, out=np.ones(modes), where=size > 0)
    into, out = right[:modes].T, left[:, :modes]
    idle = (np.zeros((inputs, outputs - modes)), left[:, modes:])
    unseen = (right[modes:].T, np.zeros((outputs, inputs - modes)))
    columns = [(into * low, out * high), idle, unseen, (into * high, -out * low)]
    basis = np.concatenate([np.concatenate(pair) for pair in columns], axis=1)
    flat = np.full(outputs - modes, half), np.full(inputs - modes, -half)
    return basis, np.concatenate([rate, *flat, -rate])


def _levelled(values: _Array, tolerance: float) -> _Array:
    """Return descending values with those equal to rounding made equal."""
    apart = np.concatenate([[True], values[:-1] - values[1:] > tolerance])
    group = np.cumsum(apart) - 1
    means = np.bincount(group, weights=values) / np.bincount(group)
    return np.where(values > tolerance, means[group], 0.0)


def _condensed(
    basis: _Array, rates: _Array, start: _Array, noise: float
) -> tuple[_Array, _Array, _Array]:
    """Turn the vectors of each eigenvalue so that few meet the start; keep those."""
    values, counts = np.unique(rates, return_counts=True)
    for rate in values[counts > 1]:
        (same,) = np.nonzero(rates == rate)
        turn, triangle = np.linalg.qr(start[same])
        first, idle = same[: len(triangle)], same[len(triangle) :]
        basis[:, first], start[first] = basis[:, same] @ turn, triangle
        start[idle] = 0.0
    (met,) = np.nonzero(np.linalg.norm(start, axis=1) > noise)
    met = met[np.argsort(-rates[met], kind="stable")]
    return basis[:, met], rates[met], start[met]


def _factors(rates: _Array, start: _Array, times: _Array) -> _Array:
    """Return factors at times; see the head of the file. Times come last inside."""
    modes, rank = start.shape
    steepest = float(np.abs(rates).max())
    soon = 1e-20 / (steepest or 1.0)  # As good as 0, and its logarithm exists.
    clock, size = np.clip(times, soon, FOREVER), float(np.abs(start).max())
    with np.errstate(over="ignore", under="ignore", divide="ignore"):
        growth, slow = np.maximum(rates, 0), np.minimum(rates, 0)
        spread = np.log(saturating(2 * np.abs(rates)[:, None], clock)) / 2
        rows = np.repeat(start[:, :, None] / size, times.size, axis=2)
        level = spread + np.log(size)
        lead, offset = _graded(rows, growth, level, clock)
        scale = (growth[:, None, None] - lead) * clock + level[:, None] - offset
        rows *= np.exp(np.clip(scale, -690.0, 80.0, out=scale), out=scale)
        stacked = np.zeros((times.size, rank + modes, rank))
        stacked[:, rank:] = rows.transpose(2, 0, 1)
        diagonal = np.exp(-np.minimum(lead * clock + offset, 690.0))
        stacked[:, range(rank), range(rank)] = diagonal.T
        damping = np.exp(slow[:, None] * clock - spread)
    return damping.T[:, :, None] * np.linalg.qr(stacked)[0][:, rank:]


def _graded(
    rows: _Array, growth: _Array, level: _Array, clock: _Array
) -> tuple[_Array, _Array]:
    """Turn rows by hidden rotations, the largest first, so that columns are graded.

    Row $i$ stands for $e^{growth_i t + level_i}$ times itself. Parts of rows at
    rounding level are set to zero.

    Args:
        rows: The rows, `"mode rank time"`; changed in place.
        growth: Their growths, at least 0, `"mode"`.
        level: The rest of their logarithms, `"mode time"`.
        clock: The times.

    Returns:
        Growth and the rest of the logarithm of each column's size,
        `"rank time"`; 0 and 0 for columns of size at most one.
    """
    modes, rank, _ = rows.shape
    order = np.arange(clock.size)
    lead, offset = np.zeros((2, rank, clock.size))
    for column in range(min(rank, modes)):
        rest = rows[:, column:]
        squares = np.einsum("ijt,ijt->it", rest, rest)
        faint = (squares > 0) & (squares <= (modes * EPS) ** 2)
        if faint.any():
            rest *= ~faint[:, None]
            squares[faint] = 0.0
        ahead = np.max(np.where(squares > 0, growth[:, None], 0.0), axis=0)
        norms = level + np.log(squares) / 2
        keys = (growth[:, None] - ahead) * clock + norms
        pivot = np.argmax(keys, axis=0)
        large = ahead * clock + keys[pivot, order] > 0
        if not large.any():
            break
        _rotate(rest, pivot, order)
        lead[column] = np.where(large, growth[pivot], 0.0)
        offset[column] = np.where(large, norms[pivot, order], 0.0)
    return lead, offset


def _rotate(rows: _Array, pivot: _Array, order: _Array) -> None:
    """Reflect hidden spaces so that the pivot rows meet their first axis alone."""
    mirror = rows[pivot, :, order].T.copy()
    norm = np.sqrt(np.einsum("jt,jt->t", mirror, mirror))
    mirror[0] += np.copysign(norm, mirror[0])
    weight = norm * np.abs(mirror[0])
    weight = np.divide(1.0, weight, out=np.zeros_like(weight), where=weight > 0)
    rows -= (np.einsum("ijt,jt->it", rows, mirror) * weight)[:, None] * mirror
    rows[pivot, 1:, order] = 0.0
