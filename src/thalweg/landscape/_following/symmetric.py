r"""Starts whose symmetry, or whose zeros, decide where exact descent ends.

Descent in exact arithmetic keeps two families of starts that rounding may leave.

*All layers equal* up to sign, symmetric, and commuting with the symmetric target: in
the common eigenvectors every mode follows
$a \leftarrow a - \eta a^{N-1} (a^N - \lambda)$. For a step with
$\eta (2N - 1) \max(|a|, |\lambda|^{1/N})^{2N-2} \le 1$ it is monotone to
$\lambda^{1/N}$ where that has the sign of $a$ (either sign, for even $N$ and
$\lambda > 0$), and to zero otherwise: such a mode is never learnt.

*Widths one*, the product of the wrong sign, the smallest factor in size attained more
than once: equal sizes stay equal, all shrink, and for
$\eta |E| |p| / \min_k x_k^2 < 1$ none changes its sign. The limit is critical with a
product of the wrong sign or zero: a saddle.

*Zeros* that stay zero, in floats too. Let $S_j$ be the set of entries of layer $j$ that
are not zero at the start, enlarged by those of the gradient $A_j^T E B_j^T$ that are
not zero whatever the numbers in $S$ are, until nothing is added. On that coordinate
subspace, which descent never leaves, predictions vanish outside the pattern $P$ of the
product, and have at most as many modes as a hidden space has units with both an input
and an output. So the loss there is at least half the sum of squares of the labels
outside $P$, and at least its least value at that rank.
"""

import numpy as np

from thalweg.landscape._following.drawing import Stack
from thalweg.landscape._points.ground import Ground
from thalweg.linalg import exact

CLEAR = 1e-8
"""Signs of eigenvalues are told down to this share of the largest."""


def kept_modes(ground: Ground, starts: Stack, steps: np.ndarray) -> dict[int, set[int]]:
    """Return the modes learnt in the limit by runs that never learn all.

    Args:
        ground: The problem.
        starts: The starts, runs last.
        steps: Their step sizes.

    Returns:
        By the number of a run the modes, from one, for those runs that a symmetry keeps
        from the global minima.

    Source:
        EPFL CS-439, Lecture 6, Exercise 42; Bartlett, Helmbold, Long, the negative
        eigenvalue.
    """
    if ground.depth < 2 or not ground.modes.rank:
        return {}
    if set(ground.posed.net.widths) == {1}:
        return {run: set() for run in _tied(ground, starts, steps).tolist()}
    found = {}
    for run in _equal(ground, starts).tolist():
        layer, step = starts[0][..., run], float(steps[run])
        modes = _learnt(ground, layer, _sign(starts, run), step)
        if modes is not None and len(modes) < ground.largest:
            found[run] = modes
    return found


def kept_loss(ground: Ground, starts: Stack) -> np.ndarray:
    """Return a loss below which the zeros of a start never let descent come.

    Args:
        ground: The problem; its factors count as given.
        starts: The starts, runs last.

    Returns:
        A bound on the loss above the data's constant part, one number a run; zero for
        starts without zeros.
    """
    layers = [np.moveaxis(layer, -1, 0) != 0 for layer in starts]
    flat = np.concatenate([layer.reshape(len(layer), -1) for layer in layers], axis=1)
    bounds = np.zeros(len(flat))
    some = np.flatnonzero(~flat.all(axis=1))
    if not some.size:
        return bounds
    _, firsts, which = np.unique(
        np.packbits(flat[some], axis=1), axis=0, return_index=True, return_inverse=True
    )
    chosen = some[firsts]
    least = _least_loss(ground, [layer[chosen] for layer in layers])
    bounds[some] = least[which.ravel()]
    return bounds


def _least_loss(ground: Ground, masks: list[np.ndarray]) -> np.ndarray:
    """Return bounds on the loss on the subspaces that masks lead to, `"run out in"`."""
    masks, under = _closed(ground, masks)
    outside = 0.5 * np.sum(ground.labels**2 * ~under[-1], axis=(1, 2))
    reach = np.ones((len(outside), ground.widths[-1]), dtype=bool)
    rank = np.full(len(outside), ground.largest)
    for layer, inner in zip(masks[:0:-1], under[-2:0:-1], strict=True):
        reach = np.any(layer & reach[:, :, None], axis=1)
        rank = np.minimum(rank, np.sum(reach & inner.any(axis=2), axis=1))
    values = [ground.value(ground.prefix(r)) for r in range(ground.largest + 1)]
    return np.maximum(outside, np.array(values)[rank])


def _closed(
    ground: Ground, masks: list[np.ndarray]
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return masks enlarged until descent keeps them, and those of their products."""
    labels, inputs = ground.labels != 0, ground.inputs
    first = np.eye(labels.shape[1]) if inputs is None else inputs
    while True:
        under = [np.broadcast_to(first != 0, (len(masks[0]), *first.shape))]
        for layer in masks:
            under.append(layer @ under[-1])
        back, grown = under[-1] | labels, list[np.ndarray]()
        for layer, inner in zip(masks[::-1], under[-2::-1], strict=True):
            grown.insert(0, layer | (back @ np.swapaxes(inner, 1, 2)))
            back = np.swapaxes(layer, 1, 2) @ back
        if all(map(np.array_equal, grown, masks)):
            return masks, under
        masks = grown


def _tied(ground: Ground, starts: Stack, steps: np.ndarray) -> np.ndarray:
    """Return the runs of width one that stay on the wrong side."""
    factors = np.stack([layer[0, 0] for layer in starts])
    inputs = 1.0 if ground.inputs is None else float(ground.inputs[0, 0])
    labels = float(ground.labels[0, 0])
    product = np.prod(factors, axis=0)
    sizes = np.abs(factors)
    least = sizes.min(axis=0)
    tied = np.count_nonzero(sizes == least, axis=0) >= 2
    wrong = np.prod(np.sign(factors), axis=0) * np.sign(inputs * labels) < 0
    error = np.abs(product * inputs - labels) * abs(inputs)
    with np.errstate(over="ignore"):
        gentle = steps * error * np.abs(product) < 0.5 * least**2
    return np.flatnonzero(tied & wrong & gentle)


def _equal(ground: Ground, starts: Stack) -> np.ndarray:
    """Return the runs with equal symmetric layers, if the target is symmetric too."""
    labels, widths = ground.labels, set(ground.posed.net.widths)
    if ground.inputs is not None or len(widths) > 1:
        return np.zeros(0, dtype=int)
    if not np.array_equal(labels, labels.T):
        return np.zeros(0, dtype=int)
    first = starts[0]
    fits = np.all(first == np.swapaxes(first, 0, 1), axis=(0, 1))
    for layer in starts[1:]:
        same = np.all(layer == first, axis=(0, 1))
        fits &= same | np.all(layer == -first, axis=(0, 1))
    return np.flatnonzero(fits)


def _sign(starts: Stack, run: int) -> float:
    """Return the sign of a product of layers that are equal up to sign."""
    first = starts[0][..., run]
    turned = [not np.array_equal(layer[..., run], first) for layer in starts]
    return -1.0 if sum(turned) % 2 else 1.0


def _learnt(
    ground: Ground, layer: np.ndarray, sign: float, step: float
) -> set[int] | None:
    """Return the modes learnt from layers all equal to one; `None` if not known."""
    one, target = exact.matrix(layer), exact.matrix(ground.labels)
    if not exact.is_zero(one @ target - target @ one):
        return None
    pairs = _common(layer, sign * ground.labels)
    if pairs is None:
        return None
    depth, learnt = ground.depth, set()
    left = {mode: ground.modes.values[mode - 1] for mode in range(1, len(layer) + 1)}
    for a, goal in sorted(pairs, key=lambda pair: -abs(pair[1])):
        reach = max(abs(a), abs(goal) ** (1 / depth))
        if step * (2 * depth - 1) * reach ** (2 * depth - 2) > 1:
            return None
        mode = min(left, key=lambda m: (abs(left[m] - abs(goal)), m))
        del left[mode]
        climbs = goal > 0 if depth % 2 == 0 else a * goal > 0
        if goal and a and climbs:
            learnt.add(mode)
    return learnt


def _common(layer: np.ndarray, target: np.ndarray) -> list[tuple[float, float]] | None:
    """Return eigenvalues of both by common eigenvector; `None` if a sign is unclear."""
    if np.array_equal(layer, np.diag(np.diag(layer))) and np.array_equal(
        target, np.diag(np.diag(target))
    ):
        return list(zip(np.diag(layer).tolist(), np.diag(target).tolist(), strict=True))
    # A combination that tells all pairs apart, but for a coincidence.
    scales = [np.linalg.norm(layer, 2) or 1.0, np.linalg.norm(target, 2) or 1.0]
    _, vectors = np.linalg.eigh(layer / scales[0] + target / scales[1] * np.sqrt(0.7))
    rows = []
    for matrix, scale in zip((layer, target), scales, strict=True):
        turned = vectors.T @ matrix @ vectors
        values = np.diag(turned)
        off = np.abs(turned - np.diag(values)).max()
        if off > CLEAR * scale or np.any(np.abs(values) <= CLEAR * scale):
            return None
        rows.append(values)
    return list(zip(rows[0].tolist(), rows[1].tolist(), strict=True))
