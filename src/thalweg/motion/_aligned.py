r"""Starts whose modes never mix, found and followed.

If the layers and the target are diagonal together, in one orthonormal basis of every
space, each diagonal place is a mode by itself. A mode moves only if at most one of
its numbers (a strength in each layer, a singular value of the target) is zero; such a
mode is seen from the input space by following the layers up or the target across and
the layers down. So the moving modes are singular vectors of all these products at
once, and what is left of the layers beside them must be at rest.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial, reduce
from itertools import accumulate, pairwise

import numpy as np

from thalweg._core.arrays import EPS
from thalweg.motion._modes import move_modes

_Array = np.ndarray
_Chain = Sequence[np.ndarray]

_Edge = tuple[np.ndarray, int, int]
"""A layer or the target, and the spaces it leads from and to."""

ROUNDING = 256 * EPS
"""A start this near to a closed form, relative to its layers, has it."""
ENOUGH = 16 * EPS
"""Directions are not corrected any further."""
FAR = 1e-6
"""A start this far is not looked at any closer."""
FAINT = (1e-12, 1e-9, 1e-6)
"""What is smaller, relative to its layer, is not followed; tried in turn."""
PASSES = 4
"""How often directions are corrected at most."""


@dataclass(frozen=True)
class AlignedModes:
    """Modes that never mix, and layers at rest beside them.

    Attributes:
        layers: The start.
        directions: Of the modes, for every space from the input on, `"width mode"`.
        strengths: At the start, `"layer mode"`.
        targets: The target's singular values, `"mode"`.
        gap: How far the start is from this form, relative to its layers.
    """

    layers: _Chain
    directions: _Chain
    strengths: _Array
    targets: _Array
    gap: float

    @property
    def kind(self) -> str:
        """Return which closed form it is."""
        count = self.targets.size
        return f"{count} aligned mode{'s' * (count != 1)}" if count else "at rest"

    def weights(self, times: _Array) -> tuple[_Array, ...]:
        """Return every layer at these times, `"time out in"`."""
        moved = self._strengths_at(times) - self.strengths
        pairs = zip(self.directions[1:], self.directions[:-1], strict=True)
        return tuple(
            layer + (above * moved[:, j, None, :]) @ below.T
            for j, (layer, (above, below)) in enumerate(
                zip(self.layers, pairs, strict=True)
            )
        )

    def end_to_end(self, times: _Array) -> _Array:
        """Return the product of the layers at these times, `"time out in"`."""
        left, right = self.directions[-1], self.directions[0]
        start = np.prod(self.strengths, axis=0)
        moved = np.prod(self._strengths_at(times), axis=1) - start
        return _product(self.layers, len(right)) + (left * moved[:, None, :]) @ right.T

    def grams(self, times: _Array) -> tuple[_Array, _Array]:
        """Return `W_1^T W_1` and `W_N W_N^T` at these times."""
        weights = self.weights(times)
        first, last = weights[0], weights[-1]
        return first.transpose(0, 2, 1) @ first, last @ last.transpose(0, 2, 1)

    def _strengths_at(self, times: _Array) -> _Array:
        noise = np.array([_noise(layer) for layer in self.layers])
        return move_modes(self.strengths, self.targets, times, noise)


def aligned_modes(target: _Array, layers: _Chain) -> AlignedModes:
    """Return the modes of a start, with its gap to a start that has such modes.

    Strengths below the rounding of their layer, `max(shape) * eps` of its norm,
    count as zero, as in a numerical rank.

    Args:
        target: The target, `"out in"`.
        layers: The chain.

    Returns:
        The best candidates; they are the start's modes if `gap` is at most
        `ROUNDING`.
    """
    cross = target.T @ _product(layers, target.shape[1])
    scale = _size(target) * float(np.prod([_size(layer) for layer in layers]))
    skew = _size(cross - cross.T) / (scale or 1.0)
    if skew > FAR:
        spaces = [
            np.empty((width, 0)) for width in (target.shape[1], *map(len, layers))
        ]
        strengths = np.empty((len(layers), 0))
        return AlignedModes(layers, spaces, strengths, np.empty(0), skew)
    edges = [(layer, place, place + 1) for place, layer in enumerate(layers)]
    edges.append((target, 0, len(layers)))
    found = []
    for faint in FAINT:
        found.append(_corrected(layers, edges, _first_guess(layers, target, faint)))
        if found[-1].gap <= ROUNDING:
            break
    return min(found, key=lambda modes: modes.gap)


def _corrected(
    layers: _Chain, edges: list[_Edge], spaces: list[_Array]
) -> AlignedModes:
    """Return modes along directions, corrected while that brings them nearer."""
    modes = _measured(layers, edges, spaces)
    for _ in range(PASSES):
        if modes.gap <= ENOUGH or not modes.targets.size:
            break
        better = _measured(layers, edges, _refined(modes, edges))
        if better.gap >= modes.gap:
            break
        modes = better
    return modes


def _first_guess(layers: _Chain, target: _Array, faint: float) -> list[_Array]:
    """Return directions of all spaces, found by following every input round."""
    inputs, follow = _inputs(layers, target, faint), partial(_follow, faint=faint)
    start = inputs, np.ones(inputs.shape[1])
    up = list(accumulate(layers[:-1], follow, initial=start))
    across, through = follow(start, target), follow(up[-1], layers[-1])
    back = [layer.T for layer in layers[:0:-1]]
    down = list(accumulate(back, follow, initial=_stronger(across, through)))
    hidden = [_stronger(*pair) for pair in zip(up[1:], down[:0:-1], strict=True)]
    return [inputs, *(_orthonormal(*found) for found in (*hidden, down[0]))]


def _inputs(layers: _Chain, target: _Array, faint: float) -> _Array:
    """Return singular vectors of all products seen from the input, `"in mode"`."""
    basis = np.linalg.qr(np.concatenate([layers[0].T, target.T], axis=1))[0]
    longer = partial(_next, faint=faint)
    up = list(accumulate([*layers, target.T], longer, initial=basis))
    back = [layer.T for layer in layers[:0:-1]]
    down = list(accumulate([target, *back], longer, initial=basis))
    # The round trip is symmetric, and tells signs; shifted, it is positive.
    turn = basis.T @ up.pop() + np.eye(basis.shape[1])
    words = [*up[1:], *down[1:], turn]
    weights = np.random.default_rng(0).uniform(1, 2, len(words))
    stack = [weight * word for weight, word in zip(weights, words, strict=True)]
    return basis @ np.linalg.svd(np.concatenate(stack))[2].T


def _next(below: _Array, layer: _Array, faint: float) -> _Array:
    """Return a longer product of norm one; zero if it vanishes."""
    word = layer @ below
    size = _size(word)
    seen = size > faint * _size(layer) * _size(below)
    return word / size if seen else np.zeros_like(word)


def _follow(
    found: tuple[_Array, _Array], layer: _Array, faint: float
) -> tuple[_Array, _Array]:
    """Carry directions through a layer: where to, and how strongly."""
    carried = layer @ found[0]
    sizes = np.linalg.norm(carried, axis=0) / (_size(layer) or 1.0)
    sizes = np.where(sizes > faint, sizes, 0.0)
    return _orthonormal(carried, sizes), sizes


def _orthonormal(columns: _Array, sizes: _Array) -> _Array:
    """Make columns orthonormal, the strongest first; those of size zero vanish."""
    order = np.argsort(-sizes, kind="stable")[: min(columns.shape)]
    order = order[sizes[order] > 0]
    basis, triangle = np.linalg.qr(columns[:, order])
    found = np.zeros_like(columns)
    found[:, order] = np.copysign(1.0, np.diag(triangle)) * basis
    return found


def _stronger(
    one: tuple[_Array, _Array], other: tuple[_Array, _Array]
) -> tuple[_Array, _Array]:
    """Take each direction from where it is seen more strongly."""
    first = one[1] >= other[1]
    return np.where(first, one[0], other[0]), np.maximum(one[1], other[1])


def _measured(layers: _Chain, edges: list[_Edge], spaces: list[_Array]) -> AlignedModes:
    """Return the modes that move, among directions, and how far they mix."""
    strengths = np.stack([_along(edge, spaces) for edge in edges])
    present = np.all([np.any(space, axis=0) for space in spaces], axis=0)
    moving = present & (np.sum(strengths == 0, axis=0) <= 1)
    spaces, strengths = [space[:, moving] for space in spaces], strengths[:, moving]
    gaps, rest = [0.0], []
    for (matrix, low, high), sizes in zip(edges, strengths, strict=True):
        above, below = spaces[high], spaces[low]
        mixed = matrix @ below - above * sizes, matrix.T @ above - below * sizes
        gaps += [_size(part) / (_size(matrix) or 1.0) for part in mixed]
        rest.append(matrix - (above * sizes) @ below.T)
    gaps += _slopes(rest, [_size(matrix) for matrix, _, _ in edges])
    return AlignedModes(layers, spaces, strengths[:-1], strengths[-1], max(gaps))


def _along(edge: _Edge, spaces: list[_Array]) -> _Array:
    """Return how strongly an edge maps the directions of its ends to each other."""
    matrix, low, high = edge
    found = np.sum(spaces[high] * (matrix @ spaces[low]), axis=0)
    return np.where(np.abs(found) > _noise(matrix), found, 0.0)


def _slopes(rest: list[_Array], sizes: list[float]) -> list[float]:
    """Return the gradient of what does not move, relative to its factors."""
    *chain, goal = rest
    residual = goal - _product(chain, goal.shape[1])
    scale = max(sizes[-1], float(np.prod(sizes[:-1])))
    found = []
    for j, layer in enumerate(chain):
        slope = _product(chain[j + 1 :], len(layer)).T @ residual
        slope = slope @ _product(chain[:j], goal.shape[1]).T
        others = float(np.prod(np.delete(sizes[:-1], j)))
        found.append(_size(slope) / (scale * others or 1.0))
    return found


def _refined(modes: AlignedModes, edges: list[_Edge]) -> list[_Array]:
    """Correct every mode by least squares: its directions solve all its edges."""
    cuts = np.cumsum([0, *map(len, modes.directions)])
    identity = np.eye(cuts[-1])
    parts = [identity[low:high] for low, high in pairwise(cuts)]
    found = []
    for mode, sizes in enumerate(np.vstack([modes.strengths, modes.targets]).T):
        rows = []
        for (matrix, low, high), size in zip(edges, sizes, strict=True):
            scale = 1 / (_size(matrix) or 1.0)
            rows.append(scale * (matrix @ parts[low] - size * parts[high]))
            rows.append(scale * (matrix.T @ parts[high] - size * parts[low]))
        system = np.concatenate(rows)
        vector = np.concatenate([space[:, mode] for space in modes.directions])
        square = system.T @ system + FAINT[0] * identity
        found.append(vector - np.linalg.solve(square, system.T @ (system @ vector)))
    stacked = np.stack(found, axis=1)
    return [_polar(stacked[low:high]) for low, high in pairwise(cuts)]


def _polar(columns: _Array) -> _Array:
    left, _, right = np.linalg.svd(columns, full_matrices=False)
    return left @ right


def _product(layers: _Chain, width: int) -> _Array:
    return reduce(lambda below, layer: layer @ below, layers, np.eye(width))


def _noise(matrix: _Array) -> float:
    return max(matrix.shape) * EPS * _size(matrix)


def _size(matrix: _Array) -> float:
    return float(np.linalg.norm(matrix))
