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

from thalweg.landscape._counting.fields import Net, mod, random

Chain = Sequence[np.ndarray]

SPARE = 8
"""Random combinations of differentials more than their rank can be."""


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


def _mixed(width: int, most: int, sign: int) -> Iterator[np.ndarray]:
    """Yield a basis of the symmetric or skew matrices, or as many as a rank can tell.

    Args:
        width: Their size.
        most: What the rank cannot exceed; of a larger space random members are taken.
        sign: One for symmetric matrices, minus one for skew ones.

    Yields:
        Matrices of residues.
    """
    pairs = list(combinations(range(width), 2))
    pairs += [(a, a) for a in range(width) if sign > 0]
    if len(pairs) > most + SPARE:
        generator = np.random.default_rng(width)
        for _ in range(most + SPARE):
            drawn = np.triu(random(generator, (width, width)), int(sign < 0))
            yield mod(drawn + sign * drawn.T)
        return
    for a, b in pairs:
        one = np.zeros((width, width))
        one[a, b], one[b, a] = 1, sign
        yield one


def _balanced(net: Net, weights: Chain, j: int) -> Iterator[list[np.ndarray]]:
    """Yield the differentials of combinations of one balancedness matrix's entries."""
    width, lower, upper = net.widths[j], weights[j - 1], weights[j]
    for mix in _mixed(width, lower.size + upper.size, 1):
        row = list(map(np.zeros_like, weights))
        row[j][:, :width] = mod(upper[:, :width] @ mix)
        row[j - 1][:width] = -mod(mix @ lower[:width])
        yield row


def _turning(net: Net, state: Chain, j: int) -> Iterator[list[np.ndarray]]:
    """Yield those of the angular momenta of one hidden space."""
    depth, width = len(state) // 2, net.widths[j]
    places = (j - 1, j - 1 + depth, j, j + depth)
    lower, fast_lower, upper, fast_upper = (state[place] for place in places)
    for mix in _mixed(width, 2 * (lower.size + upper.size), -1):
        row = list(map(np.zeros_like, state))
        to_lower, to_fast_lower, to_upper, to_fast_upper = (row[k] for k in places)
        to_fast_lower[:width] = mod(mix @ lower[:width])
        to_lower[:width] = -mod(mix @ fast_lower[:width])
        to_fast_upper[:, :width] = -mod(upper[:, :width] @ mix)
        to_upper[:, :width] = mod(fast_upper[:, :width] @ mix)
        yield row


def _crossed(net: Net, state: Chain, first: int) -> Iterator[list[np.ndarray]]:
    """Yield those of the angular momenta that turn one layer into the other."""
    depth, width = len(state) // 2, net.widths[first]
    places = (first - 1, first, first - 1 + depth, first + depth)
    x, y, fast_x, fast_y = (state[place].ravel() for place in places)
    for mix in _mixed(width, 4 * width, -1):
        row = list(map(np.zeros_like, state))
        to_x, to_y, to_fast_x, to_fast_y = (row[place].reshape(-1) for place in places)
        to_x[:], to_y[:] = mod(mix @ fast_y), mod(mix @ fast_x)
        to_fast_x[:], to_fast_y[:] = -mod(mix @ y), -mod(mix @ x)
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
