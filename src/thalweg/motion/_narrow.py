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
from thalweg.motion._posed import stripped
from thalweg.problem._spaces import lifted, lowered
from thalweg.problem.nets import LinearNet
from thalweg.problem.problem import Problem

WORTHWHILE = 5
"""Nets with no layer this wide are as quick as smaller ones."""

CHUNK_ENTRIES = 2**17
"""Entries of bases worked on at a time."""


class Space(NamedTuple):
    """A space that grows.

    Attributes:
        basis: Orthonormal columns, `dimension` of them, then zeros.
        count: Its dimension.
        delicate: Whether it was offered a unit far below the others: along a descent
            that may grow, so the net had better stay whole.
    """

    basis: Array
    dimension: Array
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

    def of(self, chosen: np.ndarray) -> "Narrowed":
        """Return some of them."""
        if chosen.size == self.runs.size:
            return self

        def some(leaf: Any) -> Any:
            return leaf[chosen]

        return Narrowed(
            runs=self.runs[chosen],
            bases=tuple(None if b is None else b[chosen] for b in self.bases),
            problem=jax.tree.map(some, self.problem) if self.stacked else self.problem,
            stacked=self.stacked,
            starts=jax.tree.map(some, self.starts),
        )

    @property
    def whole(self) -> bool:
        """Return whether nothing was left out."""
        return all(basis is None for basis in self.bases)

    def lift(self, weights: Any, starts: Any) -> Any:
        """Return full weights: the full starts, moved as the small ones have."""
        if self.whole:
            return weights
        parts = zip(self.bases[1:], self.bases[:-1], strict=True)
        return tuple(
            start[self.runs] + lifted(left, new - old, right)
            for (left, right), new, old, start in zip(
                parts, weights, self.starts, starts, strict=True
            )
        )


def narrowed(
    problem: Any, stacked: bool, starts: Any, *, allowed: bool
) -> list[Narrowed]:
    """Return the runs by the widths of their smallest nets.

    Args:
        problem: What they minimise, bare; one for all or stacked.
        stacked: Whether every run has data of its own.
        starts: Their starts, stacked.
        allowed: Whether to narrow any net at all.

    Returns:
        The runs whose nets stay whole first, then the others.
    """
    count = len(jax.tree.leaves(starts)[0])
    fit = isinstance(problem, Problem) and max(problem.net.widths) >= WORTHWHILE
    if not (allowed and fit):
        return [_whole(problem, stacked, starts, np.arange(count))]
    widths, found = _found(problem, stacked, starts)
    groups = []
    for kind in sorted(set(map(tuple, widths.tolist())), reverse=True):
        runs = np.flatnonzero((widths == kind).all(axis=1))
        if kind == problem.net.widths:
            groups.append(_whole(problem, stacked, starts, runs))
            continue
        each = zip(*(found.pop(run) for run in runs.tolist()), strict=True)
        bases = tuple(
            None if mode == width else np.stack(basis)
            for mode, width, basis in zip(kind, problem.net.widths, each, strict=True)
        )
        groups.append(_small(problem, stacked, starts, runs, bases))
    return groups


def chunk_of(net: LinearNet) -> int:
    """Return how many runs are looked at in one call: a function of the net alone."""
    fitting = max(1, CHUNK_ENTRIES // sum(width**2 for width in net.widths))
    return min(256, 1 << (fitting.bit_length() - 1))


def _whole(problem: Any, stacked: bool, starts: Any, runs: np.ndarray) -> Narrowed:
    """Return runs as they are."""
    if runs.size == len(jax.tree.leaves(starts)[0]):
        return Narrowed(runs, (None,), problem, stacked, starts)
    kept = jax.tree.map(lambda leaf: leaf[runs], starts)
    if stacked:
        problem = jax.tree.map(lambda leaf: np.asarray(leaf)[runs], problem)
    return Narrowed(runs, (None,), problem, stacked, kept)


def _small(
    problem: Problem,
    stacked: bool,
    starts: Any,
    runs: np.ndarray,
    bases: tuple[Any, ...],
) -> Narrowed:
    """Return runs in the coordinates of their bases."""
    parts = zip(bases[1:], starts, bases[:-1], strict=True)
    small = tuple(lowered(left, layer[runs], right) for left, layer, right in parts)
    net = LinearNet((small[0].shape[2], *(layer.shape[1] for layer in small)))
    inputs, labels, infimum = map(np.asarray, _numbers(problem))
    first, last = bases[0], bases[-1]
    if stacked:
        inputs, labels, infimum = inputs[runs], labels[runs], infimum[runs]
    elif first is not None or last is not None:
        inputs, labels, infimum = (
            np.repeat(part[None], runs.size, axis=0)
            for part in (inputs, labels, infimum)
        )
    if problem.data.is_whitened:
        labels = lowered(last, labels, first)
        inputs = np.broadcast_to(
            np.eye(net.widths[0]), (*inputs.shape[:-2], *2 * (net.widths[0],))
        )
    else:
        labels = lowered(last, labels, None)
    own = stacked or labels.ndim == 3
    one = [part[0] if own else part for part in (inputs, labels)]
    data = eqx.tree_at(
        lambda tree: (tree.inputs_factor, tree.labels_factor), problem.data, one
    )
    posed = stripped(Problem(net, jax.tree.map(jnp.asarray, data)))
    posed = eqx.tree_at(_numbers, posed, (inputs, labels, infimum))
    return Narrowed(runs, bases, posed, own, small)


def _numbers(problem: Problem) -> tuple[Any, Any, Any]:
    """Return the arrays that a step depends on."""
    return problem.data.inputs_factor, problem.data.labels_factor, problem.infimum


def _found(
    problem: Problem, stacked: bool, starts: Any
) -> tuple[np.ndarray, dict[int, list[np.ndarray]]]:
    """Return every run's small widths, and bases where they are any smaller."""
    runs, chunk = len(starts[0]), chunk_of(problem.net)
    labels, white = problem.data.labels_factor, problem.data.is_whitened
    widths = np.empty((runs, problem.net.depth + 1), dtype=np.int64)
    bases = {}
    for first in range(0, runs, chunk):
        places = np.minimum(np.arange(first, first + chunk), runs - 1)
        own = labels[places] if stacked else labels
        part = tuple(layer[places] for layer in starts)
        counts, found = _searched(part, own, stacked=stacked, white=white)
        here = widths[first : first + chunk]
        here[:] = np.asarray(counts)[: len(here)]
        for place in np.flatnonzero(np.any(here != problem.net.widths, axis=1)):
            pairs = zip(found, here[place], strict=True)
            bases[first + int(place)] = [
                np.asarray(basis)[place, :, :mode].copy() for basis, mode in pairs
            ]
    return widths, bases


@partial(jax.jit, static_argnames=("stacked", "white"))
def _searched(layers: Any, labels: Array, *, stacked: bool, white: bool) -> Any:
    """Return widths and bases of a chunk of runs."""
    search = partial(_search, white=white)
    return jax.vmap(search, in_axes=(0, 0 if stacked else None))(layers, labels)


def _search(layers: Any, labels: Array, *, white: bool) -> tuple[Array, list[Array]]:
    """Return one run's widths and bases, from input to output."""
    hidden = _hidden(layers)
    below = layers[0].T @ hidden[0].basis if hidden else layers[0].T
    above = layers[-1] @ hidden[-1].basis if hidden else layers[-1]
    last = _grown(_grown(_empty(len(above)), above), labels, data=True)
    spaces = [_empty(len(below)), *hidden, last]
    if white:
        spaces[0] = _grown(_grown(spaces[0], below), labels.T, data=True)
    counts = jnp.stack([space.dimension for space in spaces])
    sizes = jnp.asarray([len(space.basis) for space in spaces])
    if not white:
        counts = counts.at[0].set(sizes[0])
    # An empty space, as of zero layers, and a delicate one are not worth the care.
    kept = jnp.any(counts == 0) | jnp.any(jnp.stack([s.delicate for s in spaces]))
    return jnp.where(kept, sizes, counts), [space.basis for space in spaces]


def _hidden(layers: Any) -> list[Space]:
    """Return the hidden spaces: each contains the images of its neighbours."""
    spaces = [_empty(len(layer)) for layer in layers[:-1]]
    if not spaces:
        return []
    spaces[0] = _grown(spaces[0], layers[0])
    spaces[-1] = _grown(spaces[-1], layers[-1].T)
    if len(spaces) == 1:
        return spaces

    def swept(spaces: list[Space]) -> list[Space]:
        spaces = list(spaces)
        for here in range(1, len(spaces)):
            image = layers[here] @ spaces[here - 1].basis
            spaces[here] = _grown(spaces[here], image)
        for here in range(len(spaces) - 2, -1, -1):
            image = layers[here + 1].T @ spaces[here + 1].basis
            spaces[here] = _grown(spaces[here], image)
        return spaces

    def total(spaces: list[Space]) -> Array:
        return sum((space.dimension for space in spaces), start=jnp.asarray(0))

    def more(carry: tuple[list[Space], Array]) -> tuple[list[Space], Array]:
        return swept(carry[0]), total(carry[0])

    def growing(carry: tuple[list[Space], Array]) -> Array:
        return total(carry[0]) > carry[1]

    grown, _ = lax.while_loop(growing, more, (spaces, jnp.asarray(-1)))
    return grown


def _empty(width: int) -> Space:
    return Space(jnp.zeros((width, width)), jnp.asarray(0), jnp.asarray(False))


def _grown(space: Space, columns: Array, *, data: bool = False) -> Space:
    """Return a space with columns added: pivots until the rest is rounding.

    Args:
        space: The space.
        columns: What it is to contain, `"unit vector"`.
        data: Whether only what is above rounding of the whole counts; otherwise tiny
            columns count by themselves.

    Returns:
        The larger space; the identity as basis where it has become the whole.
    """
    sizes = jnp.abs(columns).max(axis=0, keepdims=True)
    largest = sizes.max()
    own = (sizes < TINY * largest) & (not data)
    scales = jnp.where(own, sizes, largest)
    columns = columns / jnp.where(scales > 0, scales, 1.0)
    rows = jnp.abs(columns).max(axis=1)
    delicate = jnp.any((rows > 0) & (rows < TINY * rows.max()))
    norm = jnp.sqrt(jnp.sum(columns * columns))
    bound = ROUNDING * math.sqrt(sum(columns.shape)) * EPS * norm
    width = len(columns)

    def outside(basis: Array, columns: Array) -> Array:
        for _ in range(2):
            columns = columns - basis @ (basis.T @ columns)
        return columns

    def norms(rest: Array) -> Array:
        return jnp.sqrt(jnp.sum(rest * rest, axis=0))

    def going(carry: Any) -> Array:
        _, count, rest = carry
        return (count < width) & (norms(rest).max() > bound)

    def pivot(carry: Any) -> Any:
        basis, count, rest = carry
        chosen = rest[:, jnp.argmax(norms(rest))][:, None]
        chosen = outside(basis, chosen / norms(chosen))
        chosen = chosen / norms(chosen)
        basis = lax.dynamic_update_slice(basis, chosen, (0, count))
        return basis, count + 1, rest - chosen @ (chosen.T @ rest)

    first = (space.basis, space.dimension, outside(space.basis, columns))
    basis, count, _ = lax.while_loop(going, pivot, first)
    whole = jnp.where(count == width, jnp.eye(width), basis)
    return Space(whole, count, space.delicate | delicate)
