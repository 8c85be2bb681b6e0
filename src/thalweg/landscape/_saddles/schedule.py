r"""When a path learns the modes of the labels, and when theory says it does."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from thalweg.landscape.reduced import Matrix, Modes, factors, linear
from thalweg.motion._aligned import ROUNDING, aligned_modes
from thalweg.motion.exact import learning_time
from thalweg.motion.path import Path

HALF = 0.5
"""Share of its singular value at which a mode counts as learnt."""

BETWEEN = 65
"""Records taken between two others to see a crossing closely."""


@dataclass(frozen=True)
class Learning:
    """When a mode was learnt.

    Attributes:
        mode: Which, from one, the largest singular value first.
        iteration: When its strength was half its singular value, between two records.
        time: The same in flow time, iterations times step size.
        predicted_time: The flow time theory gives; `None` where none is known.
    """

    mode: int
    iteration: float
    time: float
    predicted_time: float | None


def mode_shares(problem: Any, products: Matrix, modes: Modes) -> Matrix:
    """Return how much of its singular value every mode has, `"time mode"`.

    Within equal singular values the modes are those of the prediction itself: the
    eigenvalues of its symmetric part, descending.

    Args:
        problem: A `Problem` or a `Playground`.
        products: End-to-end matrices, `"time out in"`.
        modes: The modes of its labels.

    Returns:
        The shares, of the modes of positive singular value.
    """
    inputs, _ = factors(linear(problem))
    seen = products if inputs is None else products @ inputs
    found = np.zeros((len(seen), modes.values.size))
    for group in modes.groups:
        places = np.array(group) - 1
        block = modes.left[:, places].T @ seen @ modes.right[:, places]
        symmetric = 0.5 * (block + block.transpose(0, 2, 1))
        found[:, places] = np.linalg.eigvalsh(symmetric)[:, ::-1]
    return found[:, : modes.rank] / modes.values[: modes.rank]


def around_crossings(clock: Matrix, shares: Matrix, most: int = BETWEEN) -> Matrix:
    """Return iterations between the records around every crossing, ascending.

    Args:
        clock: Iterations of the records.
        shares: Of the modes, `"time mode"`.
        most: How many for one crossing at most; two at least are taken.

    Returns:
        At most `BETWEEN` a crossing; the first iteration if there is none.
    """
    wanted, count = [np.zeros(1)], max(2, min(most, BETWEEN))
    for mode in shares.T:
        above = np.flatnonzero(mode >= HALF)
        if above.size:
            low, high = clock[max(above[0] - 1, 0)], clock[above[0]]
            wanted.append(np.rint(np.linspace(low, high, count)))
    return np.unique(np.concatenate(wanted)).astype(np.int64)


def learnings(path: Path, shares: Matrix, times: Matrix) -> tuple[Learning, ...]:
    """Return the modes in the order in which they reach half their singular value.

    Args:
        path: A descent, recorded around the crossings.
        shares: Of the modes at its records, `"time mode"`.
        times: When theory says that they do; not finite where it does not.

    Returns:
        The modes that did.
    """
    found = []
    for place, mode in enumerate(shares.T):
        iteration = _crossing(path.clock, mode)
        if iteration is not None:
            theory = float(times[place])
            known = theory if math.isfinite(theory) else None
            time = iteration * float(path.step_size)
            found.append(Learning(place + 1, iteration, time, known))
    return tuple(sorted(found, key=lambda one: (one.iteration, one.mode)))


def _crossing(clock: Matrix, shares: Matrix) -> float | None:
    """Return when a share first is half, between two records along a straight line."""
    above = np.flatnonzero(shares >= HALF)
    if not above.size:
        return None
    after = int(above[0])
    if not after:
        return float(clock[0])
    low, high = shares[after - 1], shares[after]
    step = float(clock[after] - clock[after - 1])
    return float(clock[after - 1] + step * (HALF - low) / (high - low))


def predicted(problem: Any, start: Any, modes: Modes) -> tuple[Matrix, str]:
    """Return the flow time at which every mode is half learnt, and why.

    Args:
        problem: A `Problem` or a `Playground`.
        start: Its weights at the start.
        modes: The modes of its labels.

    Returns:
        Times, not a number where none is known; and what they rest on.
    """
    posed = linear(problem)
    unknown = np.full(modes.values.size, np.nan)
    if not posed.data.is_whitened:
        return unknown, "none: the data are not white"
    layers = [np.asarray(layer) for layer in problem.chain(start)]
    aligned = aligned_modes(np.asarray(posed.target), layers)
    if aligned.gap <= ROUNDING and modes.are_distinct:
        order = np.argsort(-aligned.targets)
        times = learning_time(aligned.strengths.T[order], aligned.targets[order])
        for value, time in zip(aligned.targets[order], times, strict=True):
            unknown[int(np.argmin(np.abs(modes.values - value)))] = time
        return unknown, "aligned modes, exact"
    if posed.net.depth != 2:
        return unknown, "none: the start is not aligned, and there are not two layers"
    known = slice(0, modes.rank)
    first, last = layers
    grows = (first @ modes.right[:, known] + last.T @ modes.left[:, known]) / 2
    own = np.zeros(modes.rank)
    alone = np.diag(np.linalg.qr(grows, mode="r"))
    own[: alone.size] = alone**2
    unknown[known] = learning_time(own, modes.values[known], depth=2)
    return unknown, "two layers, growing parts of a small start"
