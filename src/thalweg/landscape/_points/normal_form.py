r"""Critical points written out: learnt modes straight through, the rest on a ring.

A chain is critical if and only if, with invertible $D_1, \dots, D_{N-1}$,
$$W_h = D_h \begin{bmatrix} I_s & 0 \ 0 & Z_h \end{bmatrix} D_{h-1}^{-1},$$
where $W_N$ has $[U_S, U_Q]$ for $D_N$ and $W_1$ has $[V_S \Sigma_S, V_Q]^\top$ for
$D_0^{-1}$, and the products of $N$ consecutive factors of the ring
$Z_1, \dots, Z_N, Y_Q^\top$ vanish. (Of the spaces on the way, $W_{h:1} V_S$ and the
kernel of $U_S^\top W_{N:h+1}$ are complements, whatever the labels.)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from thalweg.landscape._points.ground import Ground, Pattern
from thalweg.landscape._points.segments import Segments, of_ranks
from thalweg.landscape.reduced import Chain, Matrix, Reduced

RANK_TOLERANCE = 1e-9
"""Singular values of a product below this share of its factors' norms are zero."""


@dataclass(frozen=True)
class Frame:
    """Bases of labels and inputs: the learnt modes first, then those not learnt.

    Attributes:
        ground: The problem.
        pattern: How many modes of every group are learnt.
        left: Orthonormal, `"out out"`.
        right: Orthonormal, `"rank rank"`.
        learnt: The singular values learnt.
        missed: The positive singular values not learnt.
    """

    ground: Ground
    pattern: Pattern
    left: Matrix
    right: Matrix
    learnt: Matrix
    missed: Matrix

    @property
    def size(self) -> int:
        """Return the number of modes learnt."""
        return len(self.learnt)

    @property
    def left_learnt(self) -> Matrix:
        """Return the left modes learnt."""
        return self.left[:, : self.size]

    @property
    def left_rest(self) -> Matrix:
        """Return a basis of what is orthogonal to them, modes first."""
        return self.left[:, self.size :]

    @property
    def right_learnt(self) -> Matrix:
        """Return the right modes learnt."""
        return self.right[:, : self.size]

    @property
    def right_rest(self) -> Matrix:
        """Return a basis of what is orthogonal to them, modes first."""
        return self.right[:, self.size :]

    @property
    def spaces(self) -> tuple[int, ...]:
        """Return the widths of what is not learnt."""
        return tuple(width - self.size for width in self.ground.widths)

    @property
    def rest(self) -> Matrix:
        r"""Return the labels not learnt in these bases, turned round: $Y_Q^\top$."""
        ring = np.zeros((self.spaces[0], self.spaces[-1]))
        np.fill_diagonal(ring[: len(self.missed), : len(self.missed)], self.missed)
        return ring

    @property
    def prediction(self) -> Matrix:
        """Return the prediction of every critical point with these modes."""
        return (self.left_learnt * self.learnt) @ self.right_learnt.T


def frame_of(
    ground: Ground,
    pattern: Pattern,
    *,
    modes: Sequence[int] | None = None,
    turns: Sequence[Matrix] | None = None,
) -> Frame:
    """Return the bases of a pattern of learnt modes.

    Args:
        ground: The problem.
        pattern: How many modes of every group are learnt.
        modes: Which they are; of equal singular values the first, by default.
        turns: An orthogonal matrix for every group, to turn its modes by.

    Returns:
        The frame.
    """
    left, right = ground.modes.left.copy(), ground.modes.right.copy()
    for group, turn in zip(ground.groups, turns or (), strict=turns is not None):
        columns = [mode - 1 for mode in group]
        left[:, columns] = left[:, columns] @ turn
        right[:, columns] = right[:, columns] @ turn
    chosen = [mode - 1 for mode in sorted(modes or ground.chosen(pattern))]
    rank = ground.modes.rank
    others = [mode for mode in range(rank) if mode not in set(chosen)]

    def ordered(basis: Matrix) -> Matrix:
        return basis[:, [*chosen, *others, *range(rank, basis.shape[1])]]

    values = ground.modes.values
    return Frame(
        ground, pattern, ordered(left), ordered(right), values[chosen], values[others]
    )


def assemble(frame: Frame, blocks: Sequence[Matrix], bases: Sequence[Matrix]) -> Chain:
    r"""Return the chain of the normal form.

    Args:
        frame: The modes.
        blocks: The matrices $Z_1, \dots, Z_N$.
        bases: The matrices $D_1, \dots, D_{N-1}$.

    Returns:
        The layers in reduced coordinates.
    """
    size = frame.size
    root = frame.right.copy()
    root[:, :size] *= frame.learnt
    tops = [*bases, frame.left]
    bottoms = [root.T, *(np.linalg.inv(basis) for basis in bases)]
    layers = []
    for block, top, bottom in zip(blocks, tops, bottoms, strict=True):
        layers.append(
            top[:, :size] @ bottom[:size] + top[:, size:] @ block @ bottom[size:]
        )
    return tuple(layers)


def rest_of(frame: Frame, chain: Reduced) -> Chain:
    """Return the blocks $Z_h$ of a chain, in orthonormal bases of the complements."""
    bases = [frame.right_rest]
    for layer in range(1, chain.depth):
        rows = frame.left_learnt.T @ chain.above(layer)
        full = np.linalg.qr(rows.T, mode="complete")[0]
        bases.append(full[:, frame.size :])
    bases.append(frame.left_rest)
    return tuple(
        top.T @ layer @ bottom
        for top, layer, bottom in zip(bases[1:], chain.layers, bases, strict=False)
    )


def ring_of(
    frame: Frame,
    blocks: Sequence[Matrix],
    sizes: Sequence[float] | None = None,
    tolerance: float = RANK_TOLERANCE,
) -> Segments:
    r"""Return the segments of a chain's blocks, from the ranks of their products.

    Args:
        frame: The modes.
        blocks: The matrices $Z_1, \dots, Z_N$.
        sizes: Norms of the layers the blocks were taken from: a block below
            `tolerance` times that is zero.
        tolerance: Singular values below this share of the factors' norms are zero.

    Returns:
        The segments; products that must vanish are taken to.
    """
    factors = _factors(frame, blocks, sizes, tolerance)
    length, ranks = len(frame.spaces), {}
    for first in range(length):
        product = np.eye(frame.spaces[first])
        for places in range(2, length):
            product = factors[(first + places - 1) % length] @ product
            ranks[first, places] = _rank(product, tolerance)
    return of_ranks(frame.spaces, ranks)


def criticality(
    frame: Frame, blocks: Sequence[Matrix], sizes: Sequence[float] | None = None
) -> float:
    r"""Return the largest product of the ring that must vanish, factors of norm one.

    Args:
        frame: The modes.
        blocks: The matrices $Z_1, \dots, Z_N$.
        sizes: As in `ring_of`.

    Returns:
        The largest Frobenius norm of a product; zero for a critical point.
    """
    factors = _factors(frame, blocks, sizes, RANK_TOLERANCE)
    length, worst = len(factors), 0.0
    for first in range(length):
        product = np.eye(frame.spaces[first])
        for step in range(1, length):
            product = factors[(first + step) % length] @ product
        worst = max(worst, float(np.linalg.norm(product)))
    return worst


def dimension_of(frame: Frame, ring: Segments) -> int:
    r"""Return the dimension of the set of critical points with the same ranks.

    The changes of bases of the hidden spaces, of the rest of labels and inputs that
    leave $Y_Q$ alone, and of learnt modes among equal singular values, take any such
    point to any other; what keeps a point fixed are the maps that commute with the
    ring. To this come the entries of the first layer the inputs never reach.
    """
    ground, crossing = frame.ground, len(frame.missed)
    last, first = frame.spaces[-1], frame.spaces[0]
    ends = last**2 + first**2 - crossing * (last + first - crossing)
    turns = sum(
        count * (len(group) - count)
        for count, group in zip(frame.pattern, ground.groups, strict=True)
    )
    net = ground.posed.net
    unseen = net.widths[1] * (net.widths[0] - ground.widths[0])
    hidden = sum(width**2 for width in ground.inner)
    return hidden + ends - ring.symmetries + turns + unseen


def gradient_norm(chain: Reduced) -> float:
    """Return the norm of the gradient by the problem's own weights."""
    first, *rest = chain.gradient()
    if chain.inputs is not None:
        first = first @ chain.inputs.T
    return float(np.sqrt(sum(np.sum(part**2) for part in (first, *rest))))


def spread(rng: Any, size: int, low: float = 0.7, high: float = 1.5) -> Matrix:
    """Return a random matrix with singular values between two numbers."""
    return (orthogonal(rng, size) * rng.uniform(low, high, size)) @ orthogonal(
        rng, size
    )


def orthogonal(rng: Any, size: int) -> Matrix:
    """Return a random orthogonal matrix, uniformly distributed."""
    basis, upper = np.linalg.qr(rng.standard_normal((size, size)))
    return basis * np.sign(np.diag(upper))


def ends(frame: Frame, rng: Any) -> tuple[Matrix, Matrix]:
    r"""Return random changes of the rest of labels and inputs that keep $Y_Q$.

    Args:
        frame: The modes.
        rng: A NumPy generator.

    Returns:
        Matrices $G_N$ and $G_0$ with $G_0 Y_Q^\top = Y_Q^\top G_N$.
    """
    count = len(frame.missed)
    last, first = frame.spaces[-1], frame.spaces[0]
    ratio = frame.missed[:, None] / frame.missed[None, :]
    mixed = 0.3 * rng.standard_normal((count, count)) / max(count, 1) ** 0.5
    shared = np.eye(count) + mixed * np.minimum(1.0, 1 / ratio)
    top, bottom = np.zeros((last, last)), np.zeros((first, first))
    top[:count, :count], bottom[:count, :count] = shared, shared * ratio
    top[count:, :count] = rng.standard_normal((last - count, count))
    bottom[:count, count:] = rng.standard_normal((count, first - count))
    top[count:, count:] = spread(rng, last - count)
    bottom[count:, count:] = spread(rng, first - count)
    return top, bottom


def _factors(
    frame: Frame,
    blocks: Sequence[Matrix],
    sizes: Sequence[float] | None,
    tolerance: float,
) -> list[Matrix]:
    """Return the ring's factors, of norm one or zero, the labels' first."""
    floors = [tolerance * size for size in sizes or [0.0] * len(blocks)]
    pairs = zip(blocks, floors, strict=True)
    return [_unit(frame.rest), *(_unit(block, floor) for block, floor in pairs)]


def _unit(matrix: Matrix, floor: float = 0.0) -> Matrix:
    norm = np.linalg.norm(matrix)
    return matrix / norm if norm > floor else np.zeros_like(matrix)


def _rank(matrix: Matrix, tolerance: float) -> int:
    if not matrix.size:
        return 0
    return int(np.sum(np.linalg.svd(matrix, compute_uv=False) > tolerance))
