r"""Sliding along a set of critical points to where it is nearest to a point.

Changes of basis of the hidden spaces, and those of the rest of labels and inputs that
leave the unlearnt labels alone, take a critical point to critical points with the same
ranks, exactly. A Gauss-Newton iteration chooses them: the unknowns are the changes
themselves, so no step ever leaves the set.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import lstsq

from thalweg.landscape._points import normal_form as form
from thalweg.landscape.reduced import Chain, Matrix, Reduced

ROUNDS = 12
"""Most steps of the iteration."""


@dataclass(frozen=True)
class _Slope:
    """What the iteration compares.

    Attributes:
        goal: The point to come near, in reduced coordinates.
        metric: What turns a change of the first reduced layer into one of the weights.
    """

    goal: Chain
    metric: Matrix | None

    def gap(self, layers: Sequence[Matrix]) -> Matrix:
        """Return the difference to the goal as one vector of the weights."""
        pairs = zip(layers, self.goal, strict=True)
        return self.flat([layer - other for layer, other in pairs])

    def flat(self, change: Sequence[Matrix]) -> Matrix:
        """Return a change of reduced layers as one vector of the weights."""
        first, *rest = change
        if self.metric is not None:
            first = first @ self.metric
        return np.concatenate([part.ravel() for part in (first, *rest)])


def slid(frame: form.Frame, chain: Reduced, goal: Reduced) -> Reduced:
    """Return the critical point near a goal that a critical point slides to.

    Args:
        frame: The modes of the critical point.
        chain: The critical point.
        goal: The point to come near.

    Returns:
        A critical point with the same modes and ranks, no farther.
    """
    metric = None if goal.inputs is None else np.linalg.pinv(goal.inputs)
    slope = _Slope(goal.layers, metric)
    layers, basis = chain.layers, _end_changes(frame)
    gap = slope.gap(layers)
    for _ in range(ROUNDS):
        changes = _changes(frame, layers, basis)
        if not changes:
            break
        moves = np.array([slope.flat(_moved(layers, change)) for change in changes]).T
        chosen = lstsq(moves, -gap, cond=1e-10, lapack_driver="gelsy")[0]
        before = float(np.linalg.norm(gap))
        layers, gap = _stepped(slope, layers, changes, chosen, gap)
        if np.linalg.norm(gap) > (1 - 1e-4) * before:
            break
    return Reduced(layers, chain.labels, chain.inputs)


def _stepped(
    slope: _Slope,
    layers: Chain,
    changes: list[list[Matrix]],
    chosen: Matrix,
    gap: Matrix,
) -> tuple[Chain, Matrix]:
    total = [
        sum((c * x for c, x in zip(chosen, part, strict=True)), np.zeros_like(part[0]))
        for part in zip(*changes, strict=True)
    ]
    for halving in range(8):
        tried = _applied(layers, [0.5**halving * part for part in total])
        if tried is not None:
            new = slope.gap(tried)
            if np.linalg.norm(new) < np.linalg.norm(gap):
                return tried, new
    return layers, gap


def _changes(
    frame: form.Frame, layers: Chain, basis: list[tuple[Matrix, Matrix]]
) -> list[list[Matrix]]:
    """Return a basis of the changes: one matrix for every space from 0 to N."""
    zero = [np.zeros((width, width)) for width in frame.ground.widths]
    found = []
    for space in range(1, len(layers)):
        for index in np.ndindex(*zero[space].shape):
            change = list(zero)
            change[space] = np.zeros_like(zero[space])
            change[space][index] = 1.0
            found.append(change)
    for bottom, top in basis:
        found.append([bottom, *zero[1:-1], top])
    return found


def _end_changes(frame: form.Frame) -> list[tuple[Matrix, Matrix]]:
    r"""Return a basis of the changes of both ends that leave the unlearnt labels.

    With $Y_Q^\top = \mathrm{diag}(E, 0)$ these are $E a E^{-1}$ and $a$ on the modes,
    what maps the other inputs to the modes' and the modes' labels to the others, and
    anything among the others.
    """
    last, first, count = frame.spaces[-1], frame.spaces[0], len(frame.missed)
    left, right = frame.left_rest, frame.right_rest
    none = np.zeros((len(right), len(right))), np.zeros((len(left), len(left)))
    found = []
    for i, j in np.ndindex(count, count):
        low, high = sorted((frame.missed[i], frame.missed[j]))
        scales = (1.0, low / high) if frame.missed[i] == high else (low / high, 1.0)
        found.append(
            (
                scales[0] * np.outer(right[:, i], right[:, j]),
                scales[1] * np.outer(left[:, i], left[:, j]),
            )
        )
    for i, j in np.ndindex(first, first - count):
        found.append((np.outer(right[:, i], right[:, count + j]), none[1]))
    for i, j in np.ndindex(last - count, last):
        found.append((none[0], np.outer(left[:, count + i], left[:, j])))
    return found


def _moved(layers: Chain, change: list[Matrix]) -> list[Matrix]:
    """Return the first-order effect of a change of bases."""
    return [
        change[h] @ layer - layer @ change[h - 1] for h, layer in enumerate(layers, 1)
    ]


def _applied(layers: Chain, change: list[Matrix]) -> Chain | None:
    """Return the layers in changed bases, or `None` if a change is too large."""
    bases = [np.eye(len(part)) + part for part in change]
    if any(base.size and np.linalg.cond(base) > 100 for base in bases):
        return None
    return tuple(
        bases[h] @ np.linalg.solve(bases[h - 1].T, layer.T).T
        for h, layer in enumerate(layers, 1)
    )
