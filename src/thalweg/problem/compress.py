r"""The smallest network with exactly the same trajectory.

What a layer's gradient takes in comes from the start of the layers below and the data,
what it gives out from those above. With orthonormal bases $Q_0, \dots, Q_N$ of the
smallest spaces that are closed under this, $W_j = Q_j w_j Q_{j-1}^\top + R_j$ with
$R_j$ constant, and the $w_j$ move as the layers of a small network.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from thalweg._core.errors import DataError, ShapeError
from thalweg.linalg.spans import Uneven, is_rounding
from thalweg.problem._spaces import (
    directions_seen,
    lifted,
    lowered,
    moving_spaces,
)
from thalweg.problem.moments import Moments
from thalweg.problem.nets import LinearNet
from thalweg.problem.problem import Problem


class Compression(eqx.Module):
    """A small problem, and the way back to the full one.

    It unpacks as `small_problem, small_weights, lift`. Of several starts, all weights,
    the bases of hidden spaces and the inert parts have a leading axis of runs.

    Attributes:
        problem: The full problem.
        small_problem: The small one. Its `infimum` is the full net's, so that losses
            and excess losses are the same numbers.
        half_problem: The small net with its ends put back: small hidden spaces
            between the inputs and outputs of the full problem, with its data.
        small_weights: The small problem's start.
        bases: Orthonormal columns $Q_0, ..., Q_N$, `"width mode"`; `None` where a
            space is whole.
        rest: The inert parts: what stays constant of every layer, `"out in"`; `None`
            where that is zero, as it always is in the first and the last layer.
        neglected: Largest norm that was counted as zero, relative to what spans a
            space: rounding.
    """

    problem: Any
    small_problem: Any
    half_problem: Any
    small_weights: Any
    bases: tuple[Any, ...]
    rest: tuple[Any, ...]
    neglected: float

    def __iter__(self) -> Iterator[Any]:
        """Iterate over the small problem, its weights, and the way back."""
        return iter((self.small_problem, self.small_weights, self.lift))

    def __str__(self) -> str:
        """Return one sentence."""
        before, after = self.problem.net, self.small_problem.net
        if not self.reduced:
            return f"Nothing can be left out of the widths {before.widths}."
        return (
            f"Widths {before.widths} become {after.widths}, {before.parameters:,} "
            f"weights become {after.parameters:,}; what is neglected is "
            f"{self.neglected:.0e} of the whole."
        )

    @property
    def widths_before(self) -> tuple[int, ...]:
        """Return the widths of the full net."""
        return self.problem.net.widths

    @property
    def widths_after(self) -> tuple[int, ...]:
        """Return the widths of the small net."""
        return self.small_problem.net.widths

    @property
    def reduced(self) -> bool:
        """Return whether anything was left out."""
        return any(basis is not None for basis in self.bases)

    @property
    def all_moves(self) -> bool:
        """Return whether no layer has an inert part."""
        return all(part is None for part in self.rest)

    def lift(self, small_weights: Any) -> Any:
        """Return full weights: $Q_j w_j Q_{j-1}^T$ plus the inert parts.

        Args:
            small_weights: Weights of the small problem, from anywhere on the way.

        Returns:
            Weights of the full problem.
        """
        moving = self.velocity_lift(small_weights)
        if self.all_moves:
            return moving
        return tuple(
            layer if part is None else layer + part
            for layer, part in zip(moving, self.rest, strict=True)
        )

    def velocity_lift(self, small_velocity: Any) -> Any:
        """Return a full velocity or gradient: lifted, nothing inert added."""
        return _changed(lifted, small_velocity, self.bases)

    def project(self, weights: Any) -> Any:
        """Return small weights $Q_j^T W_j Q_{j-1}$.

        Args:
            weights: Weights, a velocity or a gradient of the full problem, from
                anywhere on the trajectory.

        Returns:
            The same of the small problem.
        """
        return _changed(lowered, weights, self.bases)

    def half_lift(self, small_weights: Any, spare: int = 0) -> Any:
        """Return weights of the half problem.

        Args:
            small_weights: Weights of the small problem.
            spare: How many units without weights to add to every hidden space, as
                far as it has lost so many.

        Returns:
            The weights, of the half problem's shapes but for these units.
        """
        inner = [None] * (len(self.bases) - 2)
        layers = _changed(
            lifted, small_weights, (self.bases[0], *inner, self.bases[-1])
        )
        added = self._added(spare)
        if not any(added):
            return layers
        return tuple(
            jnp.pad(w, [(0, 0)] * (w.ndim - 2) + [(0, rows), (0, columns)])
            for w, rows, columns in zip(layers, added[1:], added[:-1], strict=True)
        )

    def seen_by(self, measure: Any) -> tuple[Any, Callable[[Any], Any]]:
        """Return the smallest problem a measure can be read on, and the way to it.

        Args:
            measure: A measure; what it `depends_on` decides, and how many
                `spare_units` it needs.

        Returns:
            A problem, and the function that takes small weights to its weights.
        """
        needed = getattr(measure, "depends_on", "everything")
        if needed == "everything" or (needed == "layers" and not self.all_moves):
            return self.problem, self.lift
        added = self._added(getattr(measure, "spare_units", 0))
        if not any(added):
            return self.half_problem, self.half_lift
        pairs = zip(self.half_problem.net.widths, added, strict=True)
        net = LinearNet(tuple(width + more for width, more in pairs))
        seen = _posed(self.problem, net, self.problem.data)
        return seen, partial(self.half_lift, spare=measure.spare_units)

    def _added(self, spare: int) -> tuple[int, ...]:
        """Return how many units to add to every space; none to the ends."""
        before, after = self.widths_before[1:-1], self.widths_after[1:-1]
        pairs = zip(before, after, strict=True)
        return (0, *(min(spare, full - small) for full, small in pairs), 0)


def compress(problem: Any, weights: Any) -> Compression:
    """Leave out of a network what its start and its data never reach.

    Two layers keep at most `inputs + outputs` hidden units, a balanced start of any
    depth `min(inputs, outputs)`, orthogonal layers in between `inputs + outputs`;
    Gaussian layers in between keep all. Of white inputs those are kept that the
    start or the target sees. Gradient descent, with momentum from rest, and gradient
    flow of the small net, lifted, are those of the full one.

    Args:
        problem: A `Problem`; a `Playground` has nothing to leave out.
        weights: One start.

    Returns:
        The compression; with the same problem and weights if nothing can be left
        out. Cost: products of each layer with as many vectors as are kept, in all
        at most about thirty gradient steps.

    Example:
        >>> from thalweg.linalg.chain import balanced_factors
        >>> full = Problem(LinearNet((3, 50, 50, 2)), Moments.whitened(np.eye(2, 3)))
        >>> start = balanced_factors(0.1 * jnp.eye(2, 3), full.net.widths)
        >>> small, weights, lift = compress(full, start)
        >>> small.net.widths, [layer.shape for layer in lift(weights)]
        ((2, 2, 2, 2), [(50, 3), (50, 50), (2, 50)])
    """
    if isinstance(problem, Problem):
        layers = [np.asarray(layer)[None] for layer in problem.check(weights)]
        bases, neglected = moving_spaces(layers, problem.data)
        if any(basis is not None for basis in bases):
            return _compression(problem, layers, bases, neglected, alone=True)
    still = (None,) * problem.net.depth
    return Compression(problem, problem, problem, weights, (None, *still), still, 0.0)


def compress_many(problem: Any, weights: Any) -> Compression | None:
    """Leave out of a network what none of several starts ever reaches.

    Args:
        problem: A `Problem` or a `Playground`.
        weights: The starts, stacked along a leading axis of every layer.

    Returns:
        One small problem for all runs, with bases of its own for every run's hidden
        spaces; `None` if nothing can be left out, or the runs need different
        widths (where there is one hidden space, the largest serves all).

    Raises:
        ShapeError: If the starts do not fit the problem, or the layers hold
            different numbers of runs.
        DataError: If an entry is not finite.
    """
    if not isinstance(problem, Problem):
        return None
    layers = [np.asarray(layer, dtype=np.float64) for layer in weights]
    problem.check([layer[0] for layer in layers])
    runs = [len(layer) for layer in layers]
    if len(set(runs)) > 1:
        raise ShapeError(f"the layers hold {runs} runs; all must hold equally many.")
    if not all(np.isfinite(layer).all() for layer in layers):
        raise DataError(
            "the starts hold entries that are NaN or infinite; every entry must be a "
            "finite number."
        )
    try:
        bases, neglected = moving_spaces(layers, problem.data)
    except Uneven:
        return None
    if all(basis is None for basis in bases):
        return None
    return _compression(problem, layers, bases, neglected, alone=False)


def _compression(
    problem: Problem,
    layers: Sequence[np.ndarray],
    bases: Sequence[Any],
    neglected: float,
    *,
    alone: bool,
) -> Compression:
    """Return the compression to given bases, of a single start or of several."""

    def kept(stack: Any) -> Any:
        return None if stack is None else jnp.asarray(stack[0] if alone else stack)

    parts = list(zip(bases[1:], layers, bases[:-1], strict=True))
    small = [lowered(*part) for part in parts]
    between = zip(parts[1:-1], small[1:-1], strict=True)
    rest = (None, *(kept(_rest(*part, moving)) for part, moving in between), None)
    first, *hidden, last = bases
    inputs, *inner, outputs = (small[0].shape[2], *(w.shape[1] for w in small))
    ends = problem.net.widths[0], problem.net.widths[-1]
    half_problem = _posed(problem, LinearNet((ends[0], *inner, ends[1])), problem.data)
    small_problem = half_problem
    if (inputs, outputs) != ends:
        net = LinearNet((inputs, *inner, outputs))
        small_problem = _posed(problem, net, _seen(problem.data, first, last))
    first, last = (
        None if basis is None else jnp.asarray(basis) for basis in (first, last)
    )
    return Compression(
        problem=problem,
        small_problem=small_problem,
        half_problem=half_problem,
        small_weights=tuple(map(kept, small)),
        bases=(first, *map(kept, hidden), last),
        rest=rest[: len(parts)],
        neglected=neglected,
    )


def _rest(left: Any, layer: np.ndarray, right: Any, moving: np.ndarray) -> Any:
    """Return what a layer has outside of two spaces, `None` if that is rounding."""
    if left is None or right is None:
        return None
    rest = layer - lifted(left, moving, right)
    return None if is_rounding(rest, layer) else rest


def _seen(data: Moments, first: Any, last: Any) -> Moments:
    """Return the moments of the inputs and outputs that bases leave."""
    inputs, labels = np.asarray(data.inputs_factor), np.asarray(data.labels_factor)
    directions = first
    if first is not None and not data.is_whitened:
        directions = directions_seen(inputs, first)
    white = first is not None and data.is_whitened
    inputs = np.eye(first.shape[1]) if white else lowered(first, inputs, directions)
    return replace(
        data,
        inputs_factor=jnp.asarray(inputs),
        labels_factor=jnp.asarray(lowered(last, labels, directions)),
        leftover=jnp.asarray(lowered(last, np.asarray(data.leftover), last)),
        whitening=data.whitening if first is None else None,
    )


def _posed(problem: Problem, net: LinearNet, data: Moments) -> Problem:
    """Return a problem with the infimum of another."""
    posed = Problem(net, data)
    return eqx.tree_at(lambda tree: tree.infimum, posed, problem.infimum)


def _changed(change: Callable[..., Any], weights: Any, bases: Sequence[Any]) -> Any:
    """Return weights taken to or from the coordinates of bases."""
    if all(basis is None for basis in bases):
        return weights
    return tuple(
        change(left, jnp.asarray(layer), right)
        for left, layer, right in zip(bases[1:], weights, bases[:-1], strict=True)
    )
