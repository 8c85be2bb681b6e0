"""A descent recorded for its modes, and run again to be seen closely."""

from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np

from thalweg._core.errors import DomainError
from thalweg.landscape._saddles.pace import follow
from thalweg.landscape.path_plane import State
from thalweg.landscape.reduced import Matrix, Modes, as_weights
from thalweg.motion.descend import descend
from thalweg.motion.path import Path

RECORDS = 1000

SEEN = 2_000_000
"""Numbers kept of the states around one crossing."""

ENOUGH = 1e-8
"""Excess loss, relative to that of the zero net, at which a path of ours ends."""

_MEASURES = ("end_to_end", "gradient_norm")


def recorded(
    problem: Any, start: Any, step_size: float | None, iterations: int, modes: Modes
) -> Path:
    """Return a descent from a start, recorded as an itinerary needs it.

    Args:
        problem: A `Problem` or a `Playground`.
        start: Its weights.
        step_size: The step; `None` chooses one.
        iterations: Most steps.
        modes: The modes of its labels.

    Returns:
        The path.
    """
    energy = 0.5 * float(np.sum(modes.values**2))
    return follow(
        problem,
        start,
        step_size,
        iterations=iterations,
        share=1 / 8,
        accuracy=ENOUGH * energy,
        measures=_MEASURES,
        records=RECORDS,
    )


def again(problem: Any, path: Path) -> Path:
    """Return a descent run once more with the measures that are needed.

    Args:
        problem: What it was a path of.
        path: The descent.

    Returns:
        The path.

    Raises:
        DomainError: If the path is of another net, or no single descent.
    """
    if path.problem.net != problem.net:
        raise DomainError(
            f"the path is of widths {path.problem.net.widths}, the problem of "
            f"{problem.net.widths}; pass the path's own problem."
        )
    if path.batched or path.settings["kind"] != "descent":
        raise DomainError(
            "an itinerary needs the path of a single descent; choose path.run(i) of a "
            "batch, or pass its start as weights."
        )
    return _run(path, _MEASURES, records=RECORDS)


def states(path: Path, iterations: Sequence[int]) -> tuple[Path, list[Any]]:
    """Run a descent again, and return it with its weights.

    Args:
        path: A descent.
        iterations: Where to keep the weights.

    Returns:
        The path recorded there, at its start and at its end; the weights at its
        records.
    """
    close = _run(path, (State(),), at=iterations)
    return close, [_chained(path.problem, state) for state in close["state"]]


def _run(path: Path, measures: Sequence[Any], **asked: Any) -> Path:
    """Return a descent run again from its start, recorded otherwise."""
    return descend(
        path.problem,
        path.start,
        step_size=path.step_size,
        iterations=int(path.clock[-1]),
        momentum=path.settings["momentum"],
        measures=measures,
        **asked,
    )


def _chained(problem: Any, state: Matrix) -> Any:
    """Return weights from one vector."""
    shapes = problem.net.shapes
    ends = np.cumsum([rows * columns for rows, columns in shapes])[:-1]
    parts = np.split(np.asarray(state), ends)
    return as_weights(
        problem, [p.reshape(s) for p, s in zip(parts, shapes, strict=True)]
    )


def product(problem: Any, weights: Any) -> Matrix:
    """Return the product of the layers."""
    layers = [np.asarray(layer) for layer in problem.chain(weights)]
    return reduce(lambda product, layer: layer @ product, layers)
