"""The families of critical points of a problem, and members of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from thalweg.landscape._points import normal_form as form
from thalweg.landscape._points.ground import Ground, Pattern
from thalweg.landscape._points.segments import Segments, generic, sparse
from thalweg.landscape.kinds import Kind
from thalweg.landscape.reduced import Chain, Reduced, as_weights


@dataclass(frozen=True)
class Family:
    """What decides the kind of a critical point.

    Attributes:
        pattern: How many modes of every group of equal singular values are learnt.
        inner_rank: Rank of the layers between the first and the last.
        is_tightened: Whether all pivots are tightened.
    """

    pattern: Pattern
    inner_rank: int
    is_tightened: bool


@dataclass(frozen=True)
class CriticalPoint:
    """A critical point, and what theory says of it.

    Attributes:
        weights: The point in the problem's own coordinates.
        modes: The modes it has learnt; of equal singular values the first.
        rank: How many: the rank of the prediction on the data.
        inner_rank: Rank of the product of the layers between the first and the last;
            the hidden width at depth two, the rank at depth one.
        is_tightened: Whether of every pivot a complementary block has rank `rank`.
        value: Loss above the data's constant part.
        excess_loss: Loss above the infimum; exactly zero at a global minimum.
        loss: The loss.
        kind: Global minimum, strict saddle or non-strict saddle.
        dimension: Of the set of critical points with the same modes and the same ranks
            of all products of layers (labels included), a manifold through the point.
        gradient_norm: Norm of the gradient there: rounding.
        ring: How the unlearnt part hangs together.
    """

    weights: Any
    modes: tuple[int, ...]
    rank: int
    inner_rank: int
    is_tightened: bool
    value: float
    excess_loss: float
    loss: float
    kind: Kind
    dimension: int
    gradient_norm: float
    ring: Segments

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values, the weights as nested lists."""
        weights = self.weights
        chain = weights if isinstance(weights, tuple) else (weights,)
        listed = [np.asarray(layer).tolist() for layer in chain]
        return {
            "weights": listed if isinstance(weights, tuple) else listed[0],
            "modes": list(self.modes),
            "rank": self.rank,
            "inner_rank": self.inner_rank,
            "is_tightened": self.is_tightened,
            "value": self.value,
            "excess_loss": self.excess_loss,
            "loss": self.loss,
            "kind": str(self.kind),
            "dimension": self.dimension,
            "gradient_norm": self.gradient_norm,
        }


def families_of(ground: Ground, pattern: Pattern) -> Iterator[Family]:
    """Yield the families of a set of learnt modes."""
    size = sum(pattern)
    if ground.depth == 1:
        inner = range(size, size + 1)
    elif ground.depth == 2:
        inner = range(ground.inner[0], ground.inner[0] + 1)
    else:
        inner = range(size, min(ground.inner) + 1)
    for rank in inner:
        if size == ground.largest or (rank == size and ground.depth > 2):
            yield Family(pattern, rank, True)
        if size < ground.largest:
            yield Family(pattern, rank, False)


def described(
    frame: form.Frame, chain: Reduced, ring: Segments, weights: Chain | None = None
) -> CriticalPoint:
    """Return a critical point from its modes, chain and ring.

    Args:
        frame: Its modes.
        chain: It, in reduced coordinates.
        ring: Its unlearnt part.
        weights: It, in the problem's coordinates; by default the smallest.

    Returns:
        The point.
    """
    ground, pattern = frame.ground, frame.pattern
    value = ground.value(pattern)
    inner = frame.size + (ring.inner_rank if ground.depth > 1 else 0)
    return CriticalPoint(
        weights=as_weights(ground.problem, weights or chain.lift(chain.layers)),
        modes=ground.chosen(pattern),
        rank=frame.size,
        inner_rank=inner,
        is_tightened=ring.is_tightened,
        value=value,
        excess_loss=ground.excess(pattern),
        loss=value + ground.constant,
        kind=ground.kind(pattern, ring.is_tightened),
        dimension=form.dimension_of(frame, ring),
        gradient_norm=form.gradient_norm(chain),
        ring=ring,
    )


def member(
    ground: Ground,
    family: Family,
    rng: Any,
    *,
    free: str = "random",
    std: float = 1.0,
    modes: tuple[int, ...] | None = None,
) -> CriticalPoint:
    """Return a member of a family.

    Args:
        ground: The problem.
        family: The family.
        rng: A NumPy generator.
        free: `random`, `zero` or `balanced`; see `critical_points`.
        std: Scale of random blocks.
        modes: Which of equal singular values are learnt; the first by default.

    Returns:
        The point.
    """
    pattern = family.pattern
    turned = free == "random"
    turns = [form.orthogonal(rng, len(g)) for g in ground.groups] if turned else None
    frame = form.frame_of(ground, pattern, modes=modes, turns=turns)
    extra = family.inner_rank - frame.size
    wanted = (frame.spaces, len(frame.missed), extra, family.is_tightened)
    ring = generic(*wanted) if turned else sparse(*wanted)[0]
    if free == "balanced":
        return _balanced_member(frame, ring, rng)
    bases = [
        form.spread(rng, width) if turned else np.eye(width) for width in ground.inner
    ]
    blocks = _mixed(frame, ring, std, rng) if turned else ring.matrices()
    layers = form.assemble(frame, blocks, bases)
    if turned:
        layers = _alike(ground, layers)
    return described(frame, Reduced(layers, ground.labels, ground.inputs), ring)


def _alike(ground: Ground, layers: Chain) -> Chain:
    """Return layers that all have the ground's unit, as the bases are of size one."""
    first, *rest = layers
    down = ground.unit ** (1 - ground.depth)
    return (down * first, *(ground.unit * layer for layer in rest))


def _mixed(frame: form.Frame, ring: Segments, std: float, rng: Any) -> Chain:
    """Return a ring's blocks in random bases, scaled."""
    inner = [form.spread(rng, size) for size in frame.spaces[1:-1]]
    top, bottom = form.ends(frame, rng)
    tops, bottoms = [*inner, top], [bottom, *inner]
    first, *others = (
        std * np.linalg.solve(before.T, (after @ block).T).T
        for block, after, before in zip(ring.matrices(), tops, bottoms, strict=True)
    )
    ground = frame.ground
    return (first * ground.unit**ground.depth * ground.inputs_norm, *others)


def _balanced_member(frame: form.Frame, ring: Segments, rng: Any) -> CriticalPoint:
    """Return the factors of the prediction with equal singular values."""
    ground, depth = frame.ground, frame.ground.depth
    reduced = Reduced((frame.prediction,), ground.labels, ground.inputs)
    whole_map = reduced.lift(reduced.layers)[0]
    left, values, right = np.linalg.svd(whole_map, full_matrices=False)
    size = frame.size
    spans = [form.orthogonal(rng, width)[:, :size] for width in ground.inner]
    tops, bottoms = [*spans, left[:, :size]], [right[:size].T, *spans]
    root = values[:size] ** (1 / depth)
    weights = tuple((t * root) @ b.T for t, b in zip(tops, bottoms, strict=True))
    layers = weights
    if ground.inputs is not None:
        layers = (weights[0] @ ground.inputs, *weights[1:])
    return described(
        frame, Reduced(layers, ground.labels, ground.inputs), ring, weights
    )
