"""Orthonormal bases of what matrices span, to rounding, many at once; NumPy.

A stack is an array `(run, unit, vector)`: one matrix a run, whose columns are spanned.
Gram matrices resolve the leading singular values of a matrix; what is left over is
looked at again, until its norm, measured, is rounding. So all work is in products,
of the order of the stack's size times the rank.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from thalweg._core.arrays import EPS

ROUNDING = 4.0
"""A norm is rounding up to this many `sqrt(units + vectors) * EPS` of the whole: errors
of sums grow as the square root of their length. Those of random rotations of up to
3000 units, measured, stay below a twentieth of it."""

TINY = 2.0**-30
"""A row or column this far below the largest is data of its own, not rounding."""

_RESOLVED = 1e-3
"""Singular values of this share of the largest are resolved by one Gram matrix."""

_LOOKS = 8

_CHUNK = 2**18
"""Entries worked on at a time: large temporaries cost more than the arithmetic."""


class Uneven(Exception):
    """Runs whose matrices have different ranks where one is needed."""


@dataclass(frozen=True)
class Span:
    """A space for every run, of one dimension.

    Attributes:
        basis: Orthonormal columns, `(run, unit, mode)`; `None` for the whole space.
        neglected: Largest norm of what lies outside, relative to the matrices.
    """

    basis: np.ndarray | None
    neglected: float

    @property
    def dimension(self) -> int | None:
        """Return the dimension, `None` for the whole space."""
        return None if self.basis is None else self.basis.shape[2]


def span(
    weights: Sequence[np.ndarray],
    data: Sequence[np.ndarray] = (),
    *,
    padded: bool = False,
    spend: Callable[[int], None] = lambda flops: None,
) -> Span:
    """Return the space spanned by the columns of several stacks together.

    Every stack counts by itself: its scale does not matter. A unit, or a column of
    `weights`, whose entries are all tiny beside the others' is kept exactly: along a
    descent it may grow. Where as many units are nonzero as the rank, the basis is
    of coordinate axes, and no digit is lost in it. All zero spans the first axis.

    Args:
        weights: Stacks with the same runs and units, finite.
        data: The same, for which only what is above rounding of the norm counts.
        padded: Whether runs of lower rank are filled up to the largest; otherwise
            different ranks raise.
        spend: Told of the flops ahead; may raise.

    Returns:
        The space, of the smallest dimension up to rounding.

    Raises:
        Uneven: If the ranks differ and may not.

    Example:
        >>> span([np.array([[[1.0, 2.0], [0.0, 0.0], [0.0, 0.0]]])]).basis.tolist()
        [[[1.0], [0.0], [0.0]]]
    """
    try:
        return _chunked(weights, data, spend)
    except Uneven:
        if not padded:
            raise
        return _padded(_beside(weights, data))


def even(stack: np.ndarray) -> np.ndarray:
    """Return a stack scaled to entries of at most one, tiny columns each by itself."""
    columns = _size(stack, 1)
    largest = _size(columns, 2)
    return stack / _nonzero(np.where(columns < TINY * largest, columns, largest))


def is_rounding(rest: np.ndarray, stack: np.ndarray) -> bool:
    """Return whether what is left of a stack is rounding, in every run."""
    return bool(np.all(_norm(rest) <= bound(stack)))


def bound(stack: np.ndarray) -> np.ndarray:
    """Return up to which norm of a part of it is rounding, `(run, 1, 1)`."""
    return ROUNDING * np.sqrt(sum(stack.shape[1:])) * EPS * _norm(stack)


def _beside(weights: Sequence[np.ndarray], data: Sequence[np.ndarray]) -> np.ndarray:
    plain = (stack / _nonzero(_size(stack, (1, 2))) for stack in data)
    return np.concatenate([*map(even, weights), *plain], axis=2)


def _chunked(
    weights: Sequence[np.ndarray],
    data: Sequence[np.ndarray],
    spend: Callable[[int], None],
) -> Span:
    """Return the spaces, some runs at a time."""
    stacks = (*weights, *data)
    runs, size = len(stacks[0]), _CHUNK // sum(stack[0].size for stack in stacks)
    basis, dimensions, neglected = None, set(), 0.0
    for first in range(0, runs, max(1, size)):
        chosen = slice(first, first + max(1, size))
        beside = _beside([w[chosen] for w in weights], [d[chosen] for d in data])
        part = _span(beside, spend)
        dimensions.add(part.dimension)
        if len(dimensions) > 1:
            raise Uneven
        if part.basis is not None:
            if basis is None:
                basis = np.empty((runs, *part.basis.shape[1:]))
            basis[chosen] = part.basis
        neglected = max(neglected, part.neglected)
    return Span(basis, neglected)


def _span(stack: np.ndarray, spend: Callable[[int], None]) -> Span:
    """Return the spaces of runs that agree in dimension."""
    sizes = _size(stack, 2)
    alive, tiny = sizes[..., 0] > 0, _tiny(sizes)
    if tiny.any():
        stack = np.where(tiny[..., None], 0.0, stack)
    basis, neglected = _column_space(stack, spend)
    dimensions = basis.shape[2] + tiny.sum(axis=1)
    if np.ptp(dimensions):
        raise Uneven
    dimension = int(dimensions[0])
    if dimension == stack.shape[1]:
        return Span(None, 0.0)
    if np.all(alive.sum(axis=1) == dimension):
        return Span(_axes(alive, max(1, dimension)), neglected)
    if tiny.any():
        basis = np.concatenate([basis, _axes(tiny, dimension - basis.shape[2])], axis=2)
    return Span(basis, neglected)


def _column_space(
    stack: np.ndarray, spend: Callable[[int], None]
) -> tuple[np.ndarray, float]:
    """Return bases of column spaces, and the largest relative norm outside."""
    norms, bounds = _norm(stack), bound(stack)
    basis, rest = stack[..., :0], stack
    for _ in range(_LOOKS):
        sizes = _norm(rest)
        if np.all(sizes <= bounds) or basis.shape[2] == stack.shape[1]:
            return basis, float(np.max(sizes / _nonzero(norms)))
        new = _without(basis, _leading(_without(basis, rest), bounds, spend))
        if not new.shape[2]:
            break
        # A Newton step to the nearest orthonormal columns squares their error.
        new = 1.5 * new - 0.5 * (new @ (new.mT @ new))
        basis = np.concatenate([basis, new], axis=2)
        rest = _without(basis, stack)
    # Runs differ, or many singular values lie near the bound: look at each.
    left, values, _ = np.linalg.svd(stack, full_matrices=False)
    ranks = np.sum(values > bounds[..., 0], axis=1)
    if np.ptp(ranks):
        raise Uneven
    outside = values[:, ranks[0] :] / _nonzero(norms[..., 0])
    return left[..., : ranks[0]], float(outside.max(initial=0.0))


def _padded(stack: np.ndarray) -> Span:
    """Return spaces of the largest rank among the runs."""
    if _tiny(_size(stack, 2)).any():
        raise Uneven
    left, values, _ = np.linalg.svd(stack, full_matrices=False)
    dimension = max(1, int(np.sum(values > bound(stack)[..., 0], axis=1).max()))
    if dimension == stack.shape[1]:
        return Span(None, 0.0)
    outside = values[:, dimension:] / _nonzero(_norm(stack)[..., 0])
    return Span(left[..., :dimension], float(outside.max(initial=0.0)))


def _leading(
    stack: np.ndarray, bounds: np.ndarray, spend: Callable[[int], None]
) -> np.ndarray:
    """Return vectors of the leading singular values, orthonormal to about 1e-9.

    Every run gets equally many; none where one has no singular value above its bound.
    """
    runs, units, vectors = stack.shape
    side, wide = min(units, vectors), vectors > units
    spend(runs * (2 * units * vectors * side + 10 * side**3))
    gram = stack @ stack.mT if wide else stack.mT @ stack
    inverse = _inverse_root(gram)
    if inverse is None:
        values, modes = (part[..., ::-1] for part in np.linalg.eigh(gram))
        floors = np.maximum(_RESOLVED**2 * values[:, :1], bounds[..., 0] ** 2)
        count = int(np.sum(values > floors, axis=1).min())
        roots = np.sqrt(values[:, None, :count])
        inverse = np.ascontiguousarray(modes[..., :count]) / roots
        if wide:
            inverse = stack.mT @ inverse / roots
    elif wide:
        return np.broadcast_to(np.eye(units), gram.shape)
    spend(runs * 12 * units * vectors * inverse.shape[2])
    return stack @ inverse


def _inverse_root(gram: np.ndarray) -> np.ndarray | None:
    """Return `R` with `R' gram R = 1`, or `None` where it is ill-conditioned."""
    try:
        root = np.linalg.inv(np.linalg.cholesky(gram)).mT
    except np.linalg.LinAlgError:
        return None
    diagonal = np.trace(gram, axis1=1, axis2=2)[:, None, None]
    return root if np.all(_norm(root) ** 2 * diagonal < _RESOLVED**-2) else None


def _without(basis: np.ndarray, stack: np.ndarray) -> np.ndarray:
    """Return what lies orthogonal to a basis."""
    return stack - basis @ (basis.mT @ stack) if basis.shape[2] else stack


def _axes(chosen: np.ndarray, count: int) -> np.ndarray:
    """Return coordinate axes, `(run, unit, mode)`: the chosen units', then others'."""
    units = np.argsort(~chosen, axis=1, kind="stable")[:, :count]
    axes = np.zeros((*chosen.shape, count))
    np.put_along_axis(axes, units[:, None, :], 1.0, axis=1)
    return axes


def _tiny(sizes: np.ndarray) -> np.ndarray:
    """Return which units, of these sizes, are far below the largest but not zero."""
    return ((sizes > 0) & (sizes < TINY * _size(sizes, 1)))[..., 0]


def _size(stack: np.ndarray, axis: int | tuple[int, ...]) -> np.ndarray:
    """Return the largest absolute entry along axes that stay, of length one."""
    return np.abs(stack).max(axis=axis, keepdims=True)


def _norm(stack: np.ndarray) -> np.ndarray:
    return np.sqrt(np.einsum("ruv,ruv->r", stack, stack))[:, None, None]


def _nonzero(sizes: np.ndarray) -> np.ndarray:
    return np.where(sizes > 0, sizes, 1.0)
