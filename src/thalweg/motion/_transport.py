r"""The hidden rotation of a two-layer flow, which its Gram matrix does not tell.

Notation as in the closed form: $X = Q Q^\top$ is known at every time, and $Q$ solves
the linear equation $\dot Q = (F - \tfrac12 X) Q$. It is collocated at Gauss points
between neighbouring times (order 12), and the result compared with the factor of the
closed form at the end: the rotation between the two is what is wanted, the rest is the
error, and intervals are halved until it is rounding.

Late, an interval may be so much longer than the flow's fastest time that rounding
spoils this. There nearly all is at rest, and the rotation that brings one factor
nearest to the next (exact to second order, extrapolated from two halves) serves.
"""

from collections.abc import Callable

import numpy as np

from thalweg._core.arrays import EPS

_Array = np.ndarray
_Factors = Callable[[np.ndarray], np.ndarray]


def gauss_table(stages: int) -> tuple[_Array, _Array, _Array]:
    """Return points, shares and coefficients of Gauss collocation on [0, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(stages)
    basis = np.polynomial.legendre.legvander(nodes, stages)
    # Integrals of Legendre polynomials from -1: (P_{k+1} - P_{k-1}) / (2k + 1).
    upper = np.concatenate([-np.ones((stages, 1)), basis], axis=1)
    order = np.arange(stages)
    integrals = (upper[:, 2:] - upper[:, :-2]) / (2 * order + 1)
    halves = weights[:, None] * basis[:, :-1] * (2 * order + 1) / 2
    return (nodes + 1) / 2, weights / 2, integrals @ halves.T / 2


STAGES = 6
POINTS, SHARES, TABLE = gauss_table(STAGES)
ERROR = 5e-14
"""Of a factor, relative, to which an interval is refined."""
LONGEST = 1e3
"""Fastest times of the flow that an interval of collocation may last."""
SETTLED = 1e17
"""Fastest times after which nothing moves by more than rounding."""
ROUNDS = 40
MEMORY = 4_000_000
"""Numbers of one array in the work on many intervals."""


def transported(
    factors: _Factors, rates: _Array, start: _Array, times: _Array
) -> _Array:
    """Return the factors in the hidden coordinates of the start.

    Args:
        factors: The closed form: factors at times, each up to a rotation.
        rates: Eigenvalues of the flow's matrix, `"mode"`.
        start: The factor at time 0, `"mode rank"`.
        times: Increasing, infinity among them.

    Returns:
        The true factors, `"time mode rank"`.
    """
    fastest = float(np.abs(rates).max(initial=0.0))
    grid = _grid(times, fastest or 1.0)
    nodes = dict(zip(grid.tolist(), factors(grid), strict=True))
    turns = _turns(factors, rates, nodes, grid)
    turn = _turning(nodes[0.0], start)
    found = {0.0: nodes[0.0] @ turn}
    for left in sorted(turns):
        right, link = turns[left]
        turn = link @ turn
        turn = turn @ (3 * np.eye(len(turn)) - turn.T @ turn) / 2  # stays orthogonal
        found[right] = nodes[right] @ turn
    return np.stack([found[time] for time in times.tolist()])


def _grid(times: _Array, fastest: float) -> _Array:
    """Return times to begin with: even, then longer and longer."""
    last, marks = float(times.max(initial=0.0)), [0.0]
    while marks[-1] < min(last, SETTLED / fastest):
        marks.append(marks[-1] + max(0.5 / fastest, 0.25 * marks[-1]))
    within = [mark for mark in marks if mark <= last]
    return np.unique(np.concatenate([[0.0], within, times]))


def _turns(
    factors: _Factors, rates: _Array, nodes: dict[float, _Array], grid: _Array
) -> dict[float, tuple[float, _Array]]:
    """Return the rotation over every interval, by its left end; nodes are added."""
    fastest = float(np.abs(rates).max(initial=0.0)) or 1.0
    turns: dict[float, tuple[float, _Array]] = {}
    left, right = grid[:-1], grid[1:]
    for attempt in range(ROUNDS):
        if not left.size:
            break
        first, last = _at(nodes, left), _at(nodes, right)
        links = np.empty((left.size, *first.shape[2:] * 2))
        errors = np.full(left.size, np.inf)
        for part in _parts((right - left) * fastest <= LONGEST, first.shape):
            interval = left[part], right[part] - left[part]
            found = _collocated(factors, rates, *interval, first[part], last[part])
            links[part], errors[part] = found
        rest = errors > ERROR
        middle = np.where(np.isinf(right), 2 * left, (left + right) / 2)
        if rest.any():
            nodes.update(zip(middle[rest].tolist(), factors(middle[rest]), strict=True))
            halves = first[rest], _at(nodes, middle[rest]), last[rest]
            links[rest], errors[rest] = _nearer(halves, links[rest], errors[rest])
        done = (errors <= ERROR) | (attempt == ROUNDS - 1)
        for begin, end, link in zip(left[done], right[done], links[done], strict=True):
            turns[float(begin)] = float(end), link
        left, middle, right = left[~done], middle[~done], right[~done]
        left, right = np.concatenate([left, middle]), np.concatenate([middle, right])
    return turns


def _at(nodes: dict[float, _Array], times: _Array) -> _Array:
    return np.stack([nodes[time] for time in times.tolist()])


def _parts(chosen: _Array, shape: tuple[int, ...]) -> list[_Array]:
    """Return the chosen indices in parts that fit into memory together."""
    (places,) = np.nonzero(chosen)
    each = STAGES**2 * max(shape[1], shape[2]) * shape[2]
    count = max(1, MEMORY // each)
    return [places[k : k + count] for k in range(0, places.size, count)]


def _nearer(
    ends: tuple[_Array, _Array, _Array], links: _Array, errors: _Array
) -> tuple[_Array, _Array]:
    """Return rotations by way of nearest factors where these are less in error."""
    first, middle, last = ends
    whole = _polar(_transposed(last) @ first)
    halves = _polar(_transposed(last) @ middle) @ _polar(_transposed(middle) @ first)
    missed = _relative(last @ (halves - whole), last)
    better = (missed < errors)[:, None, None]
    direct = _polar((4 * halves - whole) / 3)
    return np.where(better, direct, links), np.minimum(missed, errors)


def _collocated(
    factors: _Factors,
    rates: _Array,
    begin: _Array,
    length: _Array,
    first: _Array,
    last: _Array,
) -> tuple[_Array, _Array]:
    """Return rotations by way of the linear equation, and its error at the end."""
    count, modes, rank = first.shape
    at = factors((begin[:, None] + length[:, None] * POINTS).ravel())
    at = at.reshape(count, STAGES, modes, rank)
    # With H = diag(rates) - at at^T / 2 in every stage, only unknowns at^T Y remain.
    step = length[:, None, None, None]
    free = np.linalg.inv(np.eye(STAGES) - step * rates[:, None, None] * TABLE)
    pull = step / 2 * (free @ TABLE)
    alone = np.moveaxis(free.sum(axis=3), 2, 1)[..., None] * first[:, None]
    mixed = np.einsum("nmij,njmb->nijmb", pull, at, optimize=True)
    system = np.einsum("nima,nijmb->niajb", at, mixed, optimize=True)
    size = STAGES * rank
    system = system.reshape(count, size, size) + np.eye(size)
    inner = np.linalg.solve(
        system, (_transposed(at) @ alone).reshape(count, size, rank)
    )
    inner = inner.reshape(count, STAGES, rank, rank)
    stages = alone - np.einsum("nijmb,njbc->nimc", mixed, inner, optimize=True)
    slopes = rates[:, None] * stages - at @ inner / 2
    reached = first + length[:, None, None] * np.einsum("i,nimc->nmc", SHARES, slopes)
    links = _turning(last, reached)
    return links, _relative(reached - last @ links, last)


def _turning(factors: _Array, wanted: _Array) -> _Array:
    """Return rotations that take factors to others of nearly the same Gram matrix."""
    left, values, right = np.linalg.svd(factors, full_matrices=False)
    seen = values > factors.shape[-2] * EPS * values[..., :1]
    inverse = np.divide(1.0, values, out=np.zeros_like(values), where=seen)
    rows = inverse[..., None] * (_transposed(left) @ wanted)
    # Strong rows first: the weak ones, less well known, must not disturb them.
    basis, triangle = np.linalg.qr(_transposed(rows))
    signs = np.copysign(1.0, np.diagonal(triangle, axis1=-2, axis2=-1))
    return _transposed(right) @ (signs[..., None] * _transposed(basis))


def _polar(matrices: _Array) -> _Array:
    left, _, right = np.linalg.svd(matrices)
    return left @ right


def _transposed(matrices: _Array) -> _Array:
    return np.swapaxes(matrices, -1, -2)


def _relative(errors: _Array, factors: _Array) -> _Array:
    sizes = np.linalg.norm(factors, axis=(1, 2))
    return np.linalg.norm(errors, axis=(1, 2)) / np.where(sizes > 0, sizes, 1.0)
