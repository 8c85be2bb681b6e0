r"""The smallest net of each run by itself, thousands of runs at a time.

As in `problem.compress`, $W_j = Q_j w_j Q_{j-1}^\top + R_j$ with orthonormal $Q_j$ of
the smallest spaces that the gradients respect, and the $w_j$ move as the layers of a
small net. Here every run has spaces of its own, the ends' too, found by Gram-Schmidt
with pivots in one compiled program; so they depend on nothing but the run.
"""

import math
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from thalweg._core.arrays import EPS, Array
from thalweg.linalg.spans import ROUNDING, TINY
from thalweg.motion._posed import bare
from thalweg.problem.moments import Moments
from thalweg.problem.nets import LinearNet
from thalweg.problem.problem import Problem

WORTHWHILE = 5
"""Nets with no layer this wide are as quick as smaller ones."""

CHUNK_ENTRIES = 2**17
"""Entries of bases worked on at a time."""


class Space(NamedTuple):
    """A space that grows.

    Attributes:
        basis: Orthonormal columns, `count` of them, then zeros.
        count: Its dimension.
        delicate: Whether it was offered a unit far below the others: along a descent
            that may grow, so the net had better stay whole.
    """

    basis: Array
    count: Array
    delicate: Array


@dataclass(frozen=True)
class Narrowed:
    """Some runs, whose small nets have the same widths.

    Attributes:
        runs: Which.
        bases: Orthonormal columns, `(run, unit, mode)`; `None` where a space is whole.
        problem: The small problem, one for all or stacked.
        stacked: Whether every run has data of its own.
        starts: Their small starts, stacked.
    """

    runs: np.ndarray
    bases: tuple[Any, ...]
    problem: Any
    stacked: bool
    starts: Any

    def lift(self, weights: Any, starts: Any) -> Any:
        """Return full weights: the full starts, moved as the small ones have."""
        if all(basis is None for basis in self.bases):
            return weights
        parts = zip(self.bases[1:], self.bases[:-1], strict=True)
        return tuple(
            start[self.runs] + _sandwich(left, new - old, right, back=True)
            for (left, right), new, old, start in zip(
                parts, weights, self.starts, starts, strict=True
            )
        )


def narrowed(problem: Any, stacked: bool, starts: Any) -> list[Narrowed]:
    """Return the runs by the widths of their smallest nets.

    Args:
        problem: What they minimise, bare; one for all or stacked.
        stacked: Whether every run has data of its own.
        starts: Their starts, stacked.

    Returns:
        The runs whose nets stay whole first, then the others.
    """
    count = len(jax.tree.leaves(starts)[0])
    if not isinstance(problem, Problem) or max(problem.net.widths) < WORTHWHILE:
        return [_whole(problem, stacked, starts, np.arange(count))]
    widths, bases = _found(problem, stacked, starts)
    groups = []
    for kind in sorted(set(map(tuple, widths.tolist())), reverse=True):
        runs = np.flatnonzero((widths == kind).all(axis=1))
        if kind == problem.net.widths:
            groups.append(_whole(problem, stacked, starts, runs))
            continue
        own = tuple(
            None if mode == width else np.ascontiguousarray(basis[runs, :, :mode])
            for mode, width, basis in zip(kind, problem.net.widths, bases, strict=True)
        )
        groups.append(_small(problem, stacked, starts, runs, own))
    return groups


def chunk_of(net: LinearNet) -> int:
    """Return how many runs are looked at in one call: a function of the net alone."""
    fitting = max(1, CHUNK_ENTRIES // sum(width**2 for width in net.widths))
    return min(256, 1 << (fitting.bit_length() - 1))


def _whole(problem: Any, stacked: bool, starts: Any, runs: np.ndarray) -> Narrowed:
    """Return runs as they are."""
    own = jax.tree.map(lambda leaf: np.asarray(leaf)[runs], problem)
    kept = jax.tree.map(lambda leaf: leaf[runs], starts)
    return Narrowed(runs, (None,), own if stacked else problem, stacked, kept)


def _small(
    problem: Problem,
    stacked: bool,
    starts: Any,
    runs: np.ndarray,
    bases: tuple[Any, ...],
) -> Narrowed:
    """Return runs in the coordinates of their bases."""
    parts = zip(bases[1:], starts, bases[:-1], strict=True)
    small = tuple(_sandwich(a, layer[runs], b, back=False) for a, layer, b in parts)
    net = LinearNet((small[0].shape[2], *(layer.shape[1] for layer in small)))
    ends = bases[0] is not None or bases[-1] is not None
    if not ends:
        posed, _ = _of_net(problem, stacked, net, runs)
        return Narrowed(runs, bases, posed, stacked, small)
    posed, (inputs, labels, infimum) = _of_net(problem, stacked, net, runs)
    white = problem.data.is_whitened
    labels = _sandwich(bases[-1], labels, bases[0] if white else None, back=False)
    if white:
        inputs = np.broadcast_to(
            np.eye(net.widths[0]), (runs.size, net.widths[0], net.widths[0])
        )
    posed = eqx.tree_at(_data, posed, (inputs, labels, infimum))
    return Narrowed(runs, bases, posed, True, small)
