"""The spaces a trajectory never leaves, found from its start; NumPy.

A basis is an array with orthonormal columns: `(run, unit, mode)` for a hidden space,
`(unit, mode)` for an end, which all runs share; `None` stands for the whole space.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from thalweg.linalg.spans import Span, bound, even, is_rounding, span

PATIENCE = 30
"""How many gradient steps of the full net the search may cost."""

FREE_FLOPS = 2 * 10**10
"""Work that is not worth saving: a fraction of a second."""

WIDENINGS = 3
"""How often the data may widen the input space before it is given up."""

WHOLE = Span(None, 0.0)


class _TooDear(Exception):
    """The search would cost more than it may."""


@dataclass
class _Purse:
    """Work that may still be done, in flops."""

    flops: int

    def spend(self, flops: int) -> None:
        self.flops -= flops
        if self.flops < 0:
            raise _TooDear


def moving_spaces(layers: Sequence[np.ndarray], data: Any) -> tuple[list[Any], float]:
    """Return bases of the smallest spaces that the gradients of all layers respect.

    Spaces that do not close within a bounded amount of work stay whole.

    Args:
        layers: The starts, one stack `(run, out, in)` a layer.
        data: The moments.

    Returns:
        The bases, one a space from input to output, and the largest norm neglected,
        relative to what was spanned. Runs that need hidden spaces of different
        dimensions raise `Uneven`, unless there is one hidden space only.
    """
    narrowest = min(min(layer.shape[1:]) for layer in layers)
    step = 6 * narrowest * sum(layer.size for layer in layers)
    budget = max(PATIENCE * step, FREE_FLOPS)
    try:
        hidden = _hidden(layers, _Purse(budget))
    except _TooDear:
        hidden = [WHOLE] * (len(layers) - 1)
    inner = [None, *(found.basis for found in hidden), None]
    below = lowered(inner[1], layers[0], None)
    above = lowered(None, layers[-1], inner[-2])
    try:
        ends = _ends(below.mT, above, data, _Purse(budget))
    except _TooDear:
        ends = (WHOLE, WHOLE)
    first, last = (None if end.basis is None else end.basis[0] for end in ends)
    neglected = max(found.neglected for found in (*hidden, *ends))
    return [first, *inner[1:-1], last], neglected


def lowered(left: Any, layer: Any, right: Any) -> Any:
    """Return matrices in the coordinates of two bases, of outputs and of inputs."""
    layer = layer if right is None else layer @ right
    return layer if left is None else left.mT @ layer


def lifted(left: Any, layer: Any, right: Any) -> Any:
    """Return matrices put back from the coordinates of two bases."""
    layer = layer if right is None else layer @ right.mT
    return layer if left is None else left @ layer


def _hidden(layers: Sequence[np.ndarray], purse: _Purse) -> list[Span]:
    """Return the hidden spaces: each contains the images of its neighbours."""
    last = len(layers) - 1
    images: list[list[Any]] = [[None, None] for _ in range(last)]
    if last:
        images[0][0], images[-1][1] = layers[0], layers[-1].mT
    spaces: list[Span | None] = [None] * last
    waiting = deque(dict.fromkeys([0, last - 1] if last else []))
    while waiting:
        here = waiting.popleft()
        found = span(
            [image for image in images[here] if image is not None],
            padded=last == 1,
            spend=purse.spend,
        )
        known = spaces[here]
        if known is not None and found.dimension == known.dimension:
            continue
        spaces[here] = found
        for there, side, layer in (
            (here - 1, 1, layers[here].mT),
            (here + 1, 0, layers[here + 1]),
        ):
            if 0 <= there < last:
                modes = layer.shape[2] if found.basis is None else found.basis.shape[2]
                purse.spend(2 * layer.size * modes)
                images[there][side] = lowered(None, layer, found.basis)
                if there not in waiting:
                    waiting.append(there)
    return [found for found in spaces if found is not None]


def _ends(
    rows: np.ndarray, columns: np.ndarray, data: Any, purse: _Purse
) -> tuple[Span, Span]:
    """Return the input space and the output space, one each for all runs."""
    inputs = np.asarray(data.inputs_factor)[None]
    labels = np.asarray(data.labels_factor)[None]
    cross = labels.mT if data.is_whitened else inputs @ labels.mT
    first = _joined(rows, cross, purse)
    if not data.is_whitened:
        first = _closed(first, rows, inputs, purse)
        if first.basis is not None:
            # Where the inputs' scales are too far apart, labels would be lost.
            seen = directions_seen(inputs[0], first.basis[0])
            lost = labels - lifted(None, lowered(None, labels, seen), seen)
            first = first if is_rounding(lost, labels) else WHOLE
    return first, _joined(columns, labels, purse)


def directions_seen(inputs: np.ndarray, first: np.ndarray) -> Any:
    """Return a basis of the data's directions that an input space sees.

    Args:
        inputs: The inputs factor, `(input, direction)`.
        first: A basis of the input space, `(input, mode)`.

    Returns:
        The basis, `(direction, mode)`; `None` for all directions.
    """
    images = inputs.T @ first
    left, values, _ = np.linalg.svd(images, full_matrices=False)
    rank = int(np.sum(values > bound(images[None]).item()))
    return None if rank == len(left) else left[:, :rank]


def _joined(stack: np.ndarray, data: np.ndarray, purse: _Purse) -> Span:
    """Return the space of the columns of all runs and of the data together."""
    found = WHOLE
    for runs in dict.fromkeys((1, len(stack))):
        columns = np.moveaxis(even(stack[:runs]), 0, 1)
        columns = columns.reshape(1, stack.shape[1], -1)
        found = span([columns], [data], spend=purse.spend)
        if found.basis is None:
            break
    return found


def _closed(found: Span, rows: np.ndarray, inputs: np.ndarray, purse: _Purse) -> Span:
    """Return an input space closed under the second moment of the inputs."""
    for _ in range(WIDENINGS):
        basis = found.basis
        if basis is None:
            return found
        image = inputs @ (inputs.mT @ basis)
        wider = span([], [basis, image], spend=purse.spend)
        if wider.dimension == found.dimension:
            return found
        found = wider
    return _joined(rows, inputs, purse)
