"""What the engines move: the problem itself, or the smallest with the same trajectory.

The engines know a problem by a handful of functions. `Moving` offers them for a
compressed problem, and says on which net each measure is read.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax

from thalweg._core.arrays import Scalar, Weights
from thalweg.motion.record import Measures
from thalweg.motion.starts import lane, lifted, unstacked
from thalweg.problem.compress import Compression, compress, compress_many
from thalweg.problem.nets import LinearNet


class Moving(eqx.Module):
    """The small problem of a compression, as the engines see a problem."""

    compression: Compression

    @property
    def net(self) -> LinearNet:
        """Return the small net."""
        net: LinearNet = self.compression.small_problem.net
        return net

    @property
    def floor(self) -> Scalar:
        """Return the infimum of the loss, the same as of the full problem."""
        floor: Scalar = self.compression.small_problem.floor
        return floor

    @property
    def infimum(self) -> Scalar:
        """Return the infimum above the constant part, that of the full problem."""
        infimum: Scalar = self.compression.small_problem.infimum
        return infimum

    def check(self, weights: Any) -> Weights:
        """Return small weights, checked."""
        checked: Weights = self.compression.small_problem.check(weights)
        return checked

    def chain(self, weights: Weights) -> Weights:
        """Return small weights as a chain of matrices."""
        return weights

    def pack(self, weights: Weights) -> Weights:
        """Return small weights as a descent keeps them."""
        packed: Weights = self.compression.small_problem.pack(weights)
        return packed

    def unpack(self, packed: Weights) -> Weights:
        """Return packed weights in their own shapes."""
        weights: Weights = self.compression.small_problem.unpack(packed)
        return weights

    def evaluate(self, packed: Weights) -> tuple[Scalar, Any]:
        """Return the excess loss and what `pull` goes on from."""
        found: tuple[Scalar, Any] = self.compression.small_problem.evaluate(packed)
        return found

    def pull(self, packed: Weights, cache: Any) -> Weights:
        """Return the gradient from what `evaluate` kept."""
        gradient: Weights = self.compression.small_problem.pull(packed, cache)
        return gradient

    def excess_loss(self, weights: Weights) -> Scalar:
        """Return the excess loss."""
        excess: Scalar = self.compression.small_problem.excess_loss(weights)
        return excess

    def gradient(self, weights: Weights) -> Weights:
        """Return the gradient by the small weights."""
        gradient: Weights = self.compression.small_problem.gradient(weights)
        return gradient

    def seen_by(self, measure: Any) -> tuple[Any, Callable[[Any], Any]]:
        """Return the problem a measure is read on, and the way to its weights."""
        seen: tuple[Any, Callable[[Any], Any]] = self.compression.seen_by(measure)
        return seen


@dataclass(frozen=True)
class Scene:
    """A problem and starts as asked for, and as the engines move them.

    Attributes:
        problem: What the engines move.
        starts: Its starts, stacked.
        compression: How it was compressed; `None` if it was not.
    """

    problem: Any
    starts: Any
    compression: Compression | None = None

    def full(self, weights: Any) -> Any:
        """Return stacked weights of the full net."""
        return weights if self.compression is None else self.compression.lift(weights)

    def full_velocity(self, velocity: Any) -> Any:
        """Return a stacked velocity of the full net; `None` stays `None`."""
        if self.compression is None or velocity is None:
            return velocity
        return self.compression.velocity_lift(velocity)

    def inner(self, weights: Any, velocity: Any, batched: bool) -> Any:
        """Return what a path keeps of the small net, `None` if there is none."""
        if self.compression is None:
            return None
        return unstacked(batched)((weights, velocity))

    @property
    def notes(self) -> dict[str, Any]:
        """Return what a path should note of it."""
        if self.compression is None:
            return {}
        told = {
            "widths": list(self.compression.widths_after),
            "neglected": float(self.compression.neglected),
        }
        return {"compressed": told}


def scene(problem: Any, starts: Any, measures: Measures, *, allowed: bool) -> Scene:
    """Compress a problem if that gains anything.

    Args:
        problem: As asked for.
        starts: Stacked starts.
        measures: What will be read on the way.
        allowed: Whether to compress at all.

    Returns:
        What to move.
    """
    if not allowed:
        return Scene(problem, starts)
    runs = jax.tree.leaves(starts)[0].shape[0]
    if runs == 1:
        found: Compression | None = compress(problem, lane(starts, 0))
    elif any(measure.depends_on == "everything" for _, measure in measures):
        # Hidden coordinates of every run would have to be put back at every record.
        return Scene(problem, starts)
    else:
        found = compress_many(problem, starts)
    if found is None or not found.reduced:
        return Scene(problem, starts)
    small = found.small_weights
    if runs == 1:
        small = lifted(small)
    return Scene(Moving(found), small, found)
