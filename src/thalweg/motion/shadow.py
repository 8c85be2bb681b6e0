"""Shadows: floats with a proven distance from the true iterates of descent.

The promises of theorems are about gradient descent in real numbers; what runs is
descent in floats. Here the two are held together, step by step: `_shadowing` says how.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from thalweg._core.errors import DomainError, positive, whole
from thalweg.linalg import enclose
from thalweg.linalg._scalars import scalar, upper
from thalweg.motion._shadowing import Floats, radii
from thalweg.motion.path import Path
from thalweg.problem.problem import Problem
from thalweg.problem.scalar import Playground

LONGEST = 200_000
"""Iterations of a path that `shadow_of` follows at most."""


@dataclass(frozen=True)
class Shadow:
    """Floats near a true iterate.

    Attributes:
        iteration: Which iterate.
        weights: Float64 weights, as the problem keeps them.
        radius: Every layer of the true iterate is within this Frobenius distance;
            infinite where no bound is known, and the weights are then those of the
            last iteration that had one.
    """

    iteration: int
    weights: Any
    radius: float


@dataclass(frozen=True)
class PathShadow:
    """How near a path came to exact descent.

    Attributes:
        shadows: One for each record of the path.
        error: Every layer of the path's final weights is within this Frobenius
            distance of the true iterate; proven, infinite where no bound is known.
    """

    shadows: tuple[Shadow, ...]
    error: float


def shadow(
    problem: Any, start: Any, step_size: float, iterations: int | Sequence[int]
) -> list[Shadow]:
    r"""Follow gradient descent in real numbers, rigorously.

    Start, step and data are taken exactly as stored. At each step the radius grows by
    its rounding, and as long as `step_size * sharpness < 2` by a factor that exceeds
    one by the step times a bound on how the residual bends the loss. So where the
    residual vanishes it stays many orders below the weights for $10^5$ steps; where it
    does not, as behind a bottleneck or on a long plateau of a deep net, the bound grows
    exponentially, and is lost in the end.

    Args:
        problem: A `Problem` or a `Playground`.
        start: The weights.
        step_size: Of plain gradient descent, `> 0`.
        iterations: At which to stop and tell, each at least 0.

    Returns:
        A shadow for each asked iteration, in increasing order, none twice. Cost: a
        gradient in NumPy for each step, and now and then some products more.

    Raises:
        DomainError: If the problem is of another kind, or a number out of its domain.

    Example:
        >>> first, last = shadow(Playground(2), [0.5, 0.5], 0.125, [0, 1000])
        >>> last.weights.round(12).tolist(), first.radius, last.radius < 1e-12
        ([1.0, 1.0], 0.0, True)
    """
    if not isinstance(problem, Problem | Playground):
        raise DomainError(
            f"problem is a {type(problem).__name__}; shadows follow a Problem or a "
            "Playground."
        )
    step = positive("step_size", step_size)
    asked = sorted({whole("an iteration", i) for i in np.ravel(iterations).tolist()})
    net, found = Floats.of(problem, problem.check(start)), []
    # The net holds an iterate while its radius is looked at.
    for at, radius in zip(asked, radii(net, step, asked), strict=True):
        found.append(Shadow(at, net.told(problem), radius))
    return found


def shadow_of(path: Path) -> PathShadow:
    """Follow the exact descent of a path, and tell how far off the path ended.

    Args:
        path: A single run of `descend` or `leap` without momentum, of at most 200,000
            iterations.

    Returns:
        A shadow for each record, and the path's own proven error.

    Raises:
        DomainError: If the path is of another kind, or longer.

    Example:
        >>> from thalweg.motion.descend import descend
        >>> path = descend(Playground(2), [0.5, 0.5], step_size=0.1, iterations=100)
        >>> shadow_of(path).error < 1e-12
        True
    """
    plain = path.settings["kind"] in ("descent", "leap")
    if path.batched or not plain or path.settings["momentum"]:
        raise DomainError(
            "the path is not a single plain descent; shadows follow no other."
        )
    if path.clock[-1] > LONGEST:
        raise DomainError(
            f"the path has {int(path.clock[-1])} iterations; shadows follow at most "
            f"{LONGEST}."
        )
    shadows = shadow(path.problem, path.start, path.step_size, path.iterations.tolist())
    last = shadows[-1]
    return PathShadow(tuple(shadows), _distance(path.problem, path.weights, last))


def _distance(problem: Any, weights: Any, last: Shadow) -> float:
    """Return a bound on how far any layer of some weights is from the true iterate."""
    if last.radius == math.inf:
        return math.inf
    pairs = zip(problem.chain(weights), problem.chain(last.weights), strict=True)
    gaps = [enclose.matrix(a) - enclose.matrix(b) for a, b in pairs]
    return upper(enclose.largest(map(enclose.norm, gaps)) + scalar(last.radius))
