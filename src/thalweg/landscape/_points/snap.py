r"""Exactly critical points made from one that is not: what is nearly zero made zero.

With $F_h = W_{h:1} V_S$, $G_h = U_S^\top W_{N:h+1}$ and $K = U_S^\top W V_S$ every
layer between the ends is $F_h K^{-1} G_{h-1}$ plus a rest, the two of which never mix.
The first part is corrected so that its product is $U_S \Sigma_S V_S^\top$; of the rest,
the smallest blocks are set to zero until the ring of the rest is critical.
"""

from collections.abc import Iterator

import numpy as np
from scipy.linalg import fractional_matrix_power

from thalweg.landscape._points import normal_form as form
from thalweg.landscape._points.ground import Ground, Pattern
from thalweg.landscape.reduced import Chain, Matrix, Reduced

LEARNT = 0.05
"""Modes whose strengths are below this share of the target are not taken as learnt."""

EXACT = 1e-12
"""Products of a ring's unit factors that vanish up to rounding."""


def turned(ground: Ground, chain: Reduced) -> tuple[list[Matrix], list[Matrix]]:
    """Return how to turn the modes of every group to those most learnt, and strengths.

    Args:
        ground: The problem.
        chain: A point.

    Returns:
        An orthogonal matrix for every group, and the share of its target that every
        turned mode has learnt, descending.
    """
    prediction = chain.segment(1, chain.depth)
    turns, strengths = [], []
    for group in ground.groups:
        columns = [mode - 1 for mode in group]
        left = ground.modes.left[:, columns]
        right = ground.modes.right[:, columns]
        seen = left.T @ prediction @ right / ground.modes.values[columns[0]]
        values, basis = np.linalg.eigh((seen + seen.T) / 2)
        turns.append(basis[:, ::-1])
        strengths.append(values[::-1])
    return turns, strengths


def patterns_near(ground: Ground, strengths: list[Matrix], most: int) -> list[Pattern]:
    """Return the sets of modes a point may have learnt: the strongest of every number.

    Args:
        ground: The problem.
        strengths: Of the modes, group by group.
        most: If there are at most so many sets in all, all whose modes are learnt.

    Returns:
        The patterns.
    """
    flat = [(s, g) for g, group in enumerate(strengths) for s in group if s > LEARNT]
    flat.sort(reverse=True)
    found: set[Pattern] = set()
    for size in range(ground.smallest, min(len(flat), ground.largest) + 1):
        chosen = [group for _, group in flat[:size]]
        found.add(tuple(chosen.count(group) for group in range(len(strengths))))
    if 2 ** len(flat) <= most:
        counts = np.array([np.sum(group > LEARNT) for group in strengths], dtype=int)
        for index in np.ndindex(*(counts + 1)):
            if ground.smallest <= sum(index) <= ground.largest:
                found.add(tuple(map(int, index)))
    if ground.depth == 1:
        found.add(ground.best)
    return sorted(found)


def snapped(frame: form.Frame, chain: Reduced) -> Iterator[Reduced]:
    """Yield exactly critical points with given modes, made from a point.

    Args:
        frame: The modes.
        chain: The point.

    Yields:
        Points with ever more of the unlearnt part set to zero, the smallest first.
    """
    parts = _parts(frame, chain)
    if parts is None:
        return
    learnt, rest = parts
    sizes = [float(np.linalg.norm(block)) for block in rest]
    sizes[0] /= chain.inputs_norm or 1.0
    order = np.argsort(sizes, kind="stable")
    for count in range(chain.depth + 1):
        zeroed = {int(layer) for layer in order[:count]}
        for softened in _softenings(zeroed, chain.depth):
            blocks = _zeroed(frame, rest, zeroed, softened)
            layers = tuple(a + b for a, b in zip(learnt, blocks, strict=True))
            made = Reduced(layers, chain.labels, chain.inputs)
            if form.criticality(frame, *blocks_of(frame, made)) < EXACT:
                yield made


def blocks_of(frame: form.Frame, chain: Reduced) -> tuple[Chain, list[float]]:
    """Return the blocks of a chain, and for each the norm of the largest layer.

    Layers are compared as the problem's own: the first is divided by the inputs' norm.
    """
    fed = [chain.inputs_norm or 1.0, *[1.0] * (chain.depth - 1)]
    pairs = zip(chain.layers, fed, strict=True)
    size = max(float(np.linalg.norm(layer)) / unit for layer, unit in pairs)
    return form.rest_of(frame, chain), [size * unit for unit in fed]


def _softenings(zeroed: set[int], depth: int) -> list[set[int]]:
    """Return the sets of end layers of which only what meets the labels is zeroed."""
    ends = sorted(zeroed & {0, depth - 1})
    return [set(), *({end} for end in ends), *([set(ends)] if len(ends) > 1 else [])]


def _zeroed(
    frame: form.Frame, rest: Chain, zeroed: set[int], softened: set[int]
) -> list[Matrix]:
    missed = len(frame.missed)
    left, right = frame.left_rest[:, :missed], frame.right_rest[:, :missed]
    blocks = [
        np.zeros_like(block) if layer in zeroed else block
        for layer, block in enumerate(rest)
    ]
    if 0 in softened:
        blocks[0] = rest[0] - rest[0] @ right @ right.T
    if len(rest) - 1 in softened:
        blocks[-1] = rest[-1] - left @ left.T @ rest[-1]
    return blocks


def _parts(frame: form.Frame, chain: Reduced) -> tuple[list[Matrix], Chain] | None:
    """Return the corrected learnt part and the rest, or `None` if nothing is learnt."""
    depth, left, right = chain.depth, frame.left_learnt, frame.right_learnt
    if depth == 1:
        return [frame.prediction], (_beside(frame, chain.layers[0]),)
    out = [chain.segment(1, h) @ right for h in range(depth)]
    into = [left.T @ chain.segment(h + 1, depth) for h in range(depth + 1)]
    core = into[0] @ right
    if frame.size and np.linalg.cond(core) > 1 / form.RANK_TOLERANCE:
        return None
    share = np.linalg.inv(core)
    fixes = _roots(np.diag(frame.learnt) @ share, depth)
    learnt, rest = [], []
    for h, layer in enumerate(chain.layers, 1):
        before = into[h - 1] if h > 1 else core @ right.T
        after = out[h] @ share if h < depth else left
        learnt.append(after @ fixes[h - 1] @ before)
        image = out[h] if h < depth else chain.segment(1, depth) @ right
        rest.append(layer - image @ share @ into[h - 1])
    rest[0] = rest[0] @ frame.right_rest @ frame.right_rest.T
    rest[-1] = frame.left_rest @ frame.left_rest.T @ rest[-1]
    return learnt, tuple(rest)


def _beside(frame: form.Frame, matrix: Matrix) -> Matrix:
    """Return the part of a prediction on neither side of which a learnt mode is."""
    left, right = frame.left_rest, frame.right_rest
    return left @ (left.T @ matrix @ right) @ right.T


def _roots(fix: Matrix, depth: int) -> list[Matrix]:
    """Return factors of a matrix, equal ones if it has a real root."""
    eye = np.eye(len(fix))
    if len(fix):
        values = np.linalg.eigvals(fix)
        if np.min(values.real) > 0.1 * np.max(np.abs(values)):
            return [np.real(fractional_matrix_power(fix, 1 / depth))] * depth
    return [*[eye] * (depth - 1), fix]
