"""What runs are posed: one problem for all, or one each, bare of what no step needs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import equinox as eqx
import jax
import numpy as np

from thalweg._core.errors import ShapeError
from thalweg.problem.problem import Problem
from thalweg.problem.recipe import Preparation
from thalweg.problem.samples import SampleProblem


@dataclass(frozen=True)
class Posed:
    """Problems laid out for lanes.

    Attributes:
        first: The first problem, as it came.
        problem: Bare; one for all runs, or stacked, a leading axis of runs.
        stacked: Whether every run has data of its own.
        floors: Infima of the losses, one a run or one for all.
    """

    first: Any
    problem: Any
    stacked: bool
    floors: np.ndarray


def posed(problem: Any) -> Posed:
    """Return one problem, or several of equal structure, laid out.

    Args:
        problem: A problem, or a sequence of them.

    Returns:
        The layout.

    Raises:
        ShapeError: If there is none, or they differ in more than numbers.
    """
    if not isinstance(problem, Sequence):
        return Posed(problem, bare(problem), False, np.asarray([float(problem.floor)]))
    if not len(problem):
        raise ShapeError("the sequence of problems is empty; pass one, or one per run.")
    # Many runs share a problem: what is one object is laid out once.
    places: dict[int, int] = {}
    which = np.array([places.setdefault(id(p), len(places)) for p in problem])
    firsts = np.unique(which, return_index=True)[1]
    each = [bare(problem[first]) for first in firsts]
    shape = _shape(each[0])
    for first, one in zip(firsts, each, strict=True):
        if _shape(one) != shape:
            raise ShapeError(
                f"problem {first} differs from problem 0 in its net, its loss or the "
                "sizes of its data; pass such problems in separate calls."
            )
    leaves = [jax.tree.leaves(one) for one in each]
    columns = [
        np.stack(list(map(np.asarray, column)))[which]
        for column in zip(*leaves)  # noqa: B905
    ]
    stack = jax.tree.unflatten(jax.tree.structure(each[0]), columns)
    floors = np.asarray([float(problem[first].floor) for first in firsts])[which]
    return Posed(problem[0], stack, bool(columns), floors)


def bare(problem: Any) -> Any:
    """Return a problem without what neither its loss nor its gradient needs."""
    if isinstance(problem, Problem):
        data = replace(
            problem.data,
            whitening=None,
            samples=None,
            scale="mean",
            preparation=Preparation(),
        )
        return stripped(eqx.tree_at(lambda tree: tree.data, problem, data))
    if isinstance(problem, SampleProblem) and problem.best is not None:
        return eqx.tree_at(lambda tree: tree.best, problem, None)
    return problem


def stripped(problem: Problem) -> Problem:
    """Return a problem without the arrays that neither loss nor gradient needs."""
    bared: Problem = eqx.tree_at(
        lambda tree: (
            tree.target,
            tree.left_modes,
            tree.target_singular_values,
            tree.right_modes,
            tree.data.leftover,
            tree.data.constant,
        ),
        problem,
        (None,) * 6,
        is_leaf=lambda leaf: leaf is None,
    )
    return bared


def _shape(problem: Any) -> Any:
    """Return what problems of one program have in common."""
    leaves, structure = jax.tree.flatten(problem)
    return structure, [np.shape(leaf) for leaf in leaves]
