"""A step size for following a path through a landscape, and the path itself."""

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg._core.arrays import EPS
from thalweg._core.outcome import Outcome
from thalweg.landscape.hessian import hessian
from thalweg.linalg.chain import balanced_factors
from thalweg.measures.sharpness import Sharpness
from thalweg.motion.descend import descend
from thalweg.motion.path import Path
from thalweg.problem.scalar import Playground

MOST_HALVINGS = 8
"""How often a step size of our own choice is halved before a path is left as it is."""

LARGEST_DENSE = 400
"""Up to so many weights the Hessian is formed: cheaper than compiling a map."""


def pace(problem: Any, weights: Any) -> float:
    """Return one over the largest of the sharpness here and at a balanced minimum.

    Args:
        problem: A `Problem` or a `Playground`.
        weights: Where the path starts.

    Returns:
        The step size; one if there is no curvature.
    """
    ends: Any = jnp.ones(problem.net.depth)
    if not isinstance(problem, Playground):
        ends = balanced_factors(problem.optimum.matrix, problem.net.widths)
    steepest = max(_sharpness(problem, point) for point in (weights, ends))
    return 1 / steepest if steepest > 0 else 1.0


def follow(
    problem: Any,
    weights: Any,
    step_size: float | None,
    *,
    share: float = 1.0,
    **asked: Any,
) -> Path:
    """Return a descent, with half the step as long as its loss rises.

    Args:
        problem: A `Problem` or a `Playground`.
        weights: Where to start.
        step_size: The step; `None` chooses it, and only then is it halved.
        share: How much of `pace` is chosen, above 0 and at most 1.
        **asked: What else `descend` takes.

    Returns:
        The path.
    """
    chosen = share * pace(problem, weights) if step_size is None else step_size
    path = descend(problem, weights, step_size=chosen, **asked)
    for _ in range(MOST_HALVINGS if step_size is None else 0):
        if not _rises(path):
            break
        chosen /= 2
        path = descend(problem, weights, step_size=chosen, **asked)
    return path


def _rises(path: Path) -> bool:
    """Return whether the loss rose between two records by more than rounding."""
    loss = np.asarray(path["loss"])
    diverged = isinstance(path.outcome, Outcome) and path.outcome.diverged
    return diverged or bool(np.any(np.diff(loss) > 64 * EPS * loss[0]))


def _sharpness(problem: Any, weights: Any) -> float:
    """Return the largest eigenvalue of the Hessian."""
    if problem.net.parameters <= LARGEST_DENSE:
        return float(np.linalg.eigvalsh(hessian(problem, weights))[-1])
    return float(_by_lanczos()(problem, weights))


@cache
def _by_lanczos() -> Any:
    measure = Sharpness()
    return jax.jit(lambda problem, weights: measure.read(problem, weights)[0])
