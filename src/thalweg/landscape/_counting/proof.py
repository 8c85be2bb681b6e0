r"""Laws that are known in closed form, and how many of them are independent.

The rows are differentials at a whole point modulo the prime; their rank there is at
most the number of independent laws near a generic point. Along gradient flow they
are those of $W_{j+1}^\top W_{j+1} - W_j W_j^\top$ and, on every stretch of layers
from width one to width one without biases, all first integrals of the gradient of its
product $p$: the stretch moves along $\nabla p$ whatever the data, so near a point
with $\nabla p \ne 0$ it keeps as many functions as it has weights but one, and their
differentials are all that annihilate $\nabla p$. With momentum they are Noether's,
of the rotations of the hidden spaces, and of those of $x + y$ and $x - y$ on every
stretch of two layers $x \mapsto y^\top x$ with scalar ends.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from thalweg.landscape._counting.fields import Net, mod

Chain = Sequence[np.ndarray]


@dataclass(frozen=True)
class Known:
    """The differentials of the laws in closed form at a point.

    Attributes:
        common: Of the laws every net has, `"law coordinate"`.
        further: Of those that only stretches between widths of one have.
        stretches: These stretches, as their first and last layer, from one.
    """

    common: np.ndarray
    further: np.ndarray
    stretches: tuple[tuple[int, int], ...]


def kept_by_flow(net: Net, weights: Chain) -> Known:
    """Return the differentials of the laws of gradient flow.

    Args:
        net: The network.
        weights: Its chain, of residues.

    Returns:
        Them, by the free entries of the chain.
    """
    common = [row for j in range(1, len(weights)) for row in _balanced(net, weights, j)]
    stretches = [] if net.bias else _stretches(net.widths, least=3, inner=2)
    further = [row for ends in stretches for row in _scalar(net, weights, *ends)]
    return Known(_table(net.free, common), _table(net.free, further), tuple(stretches))


def kept_by_momentum(net: Net, weights: Chain, speeds: Chain) -> Known:
    """Return the differentials of the laws of momentum by weights and velocities.

    Args:
        net: The network.
        weights: Its chain, of residues.
        speeds: The velocities, zero where an entry is fixed.

    Returns:
        Them, by the free entries of the chain and then of the velocities.
    """
    state = [*weights, *speeds]
    common = [row for j in range(1, len(weights)) for row in _turning(net, state, j)]
    stretches = [
        (first, last)
        for first, last in _stretches(net.widths, least=2, inner=2)
        if last == first + 1 and not net.bias
    ]
    further = [row for first, _ in stretches for row in _crossed(net, state, first)]
    free = net.free * 2
    return Known(_table(free, common), _table(free, further), tuple(stretches))


def _stretches(widths: Sequence[int], least: int, inner: int) -> list[tuple[int, int]]:
    """Return the runs of layers between widths of one that are larger inside.

    Args:
        widths: Of the net.
        least: The fewest layers.
        inner: The smallest inner width.

    Returns:
        First and last layer of each, from one.
    """
    ones = [place for place, width in enumerate(widths) if width == 1]
    return [
        (below + 1, above)
        for below, above in combinations(ones, 2)
        if above - below >= least and min(widths[below + 1 : above]) >= inner
    ]


def _balanced(net: Net, weights: Chain, j: int) -> Iterator[list[np.ndarray]]:
    """Yield the differentials of the entries of one balancedness matrix."""
    lower, upper = weights[j - 1], weights[j]
    for a in range(net.widths[j]):
        for b in range(a, net.widths[j]):
            row = list(map(np.zeros_like, weights))
            row[j][:, a] += upper[:, b]
            row[j][:, b] += upper[:, a]
            row[j - 1][a] -= lower[b]
            row[j - 1][b] -= lower[a]
            yield row


def _turning(net: Net, state: Chain, j: int) -> Iterator[list[np.ndarray]]:
    """Yield those of the angular momenta of one hidden space."""
    depth = len(state) // 2
    places = (j - 1, j - 1 + depth, j, j + depth)
    lower, fast_lower, upper, fast_upper = (state[place] for place in places)
    for a, b in combinations(range(net.widths[j]), 2):
        row = list(map(np.zeros_like, state))
        to_lower, to_fast_lower, to_upper, to_fast_upper = (row[k] for k in places)
        to_fast_lower[a], to_fast_lower[b] = lower[b], -lower[a]
        to_lower[a], to_lower[b] = -fast_lower[b], fast_lower[a]
        to_fast_upper[:, a], to_fast_upper[:, b] = upper[:, b], -upper[:, a]
        to_upper[:, a], to_upper[:, b] = -fast_upper[:, b], fast_upper[:, a]
        yield row


def _crossed(net: Net, state: Chain, first: int) -> Iterator[list[np.ndarray]]:
    """Yield those of the angular momenta that turn one layer into the other."""
    depth = len(state) // 2
    for a, b in combinations(range(net.widths[first]), 2):
        row = list(map(np.zeros_like, state))
        x, y = state[first - 1][:, 0], state[first][0]
        fast_x, fast_y = state[first - 1 + depth][:, 0], state[first + depth][0]
        row_x, row_y = row[first - 1][:, 0], row[first][0]
        row_fast_x, row_fast_y = row[first - 1 + depth][:, 0], row[first + depth][0]
        row_x[a], row_x[b] = fast_y[b], -fast_y[a]
        row_y[a], row_y[b] = fast_x[b], -fast_x[a]
        row_fast_y[b], row_fast_y[a] = x[a], -x[b]
        row_fast_x[b], row_fast_x[a] = y[a], -y[b]
        yield row


def _scalar(
    net: Net, weights: Chain, first: int, last: int
) -> Iterator[list[np.ndarray]]:
    """Yield all differentials that annihilate the gradient of a stretch's product."""
    part = Net(net.widths[first - 1 : last + 1])
    chain = [layer[None, None, None] for layer in weights[first - 1 : last]]
    fields = part.gradient(chain, np.ones((1,) * 5))
    slope = np.concatenate([field.ravel() for field in fields])
    cuts = np.cumsum([field.size for field in fields])[:-1]
    pivot = int(np.flatnonzero(slope)[0]) if slope.any() else 0
    for entry in range(slope.size if slope.any() else 0):
        if entry == pivot:
            continue
        flat = np.zeros(slope.size)
        flat[entry], flat[pivot] = slope[pivot], -slope[entry]
        row = list(map(np.zeros_like, weights))
        for layer, piece in enumerate(np.split(flat, cuts), first - 1):
            row[layer] = piece.reshape(row[layer].shape)
        yield row


def _table(free: Chain, rows: Sequence[Chain]) -> np.ndarray:
    """Return rows as a matrix of residues by the free entries."""
    if not rows:
        return np.empty((0, int(sum(mask.sum() for mask in free))))
    columns = [
        np.stack([row[place][mask > 0] for row in rows])
        for place, mask in enumerate(free)
    ]
    return mod(np.concatenate(columns, axis=1))
