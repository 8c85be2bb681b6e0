r"""Critical points made to order: one member of every family asked for.

A family is a set of learnt modes, the rank of the layers between the first and the
last, and whether all pivots are tightened (one of the two complementary blocks of
every pair of layers has no more rank than the prediction). Whatever the data and the
widths, these decide the kind of the point: wrong modes make a strict saddle; the
largest modes, as many as can be learnt, a global minimum; fewer of them a strict
saddle if and only if some pivot is not tightened.

*Why, without assumptions on the data.* In the normal form the second-order part of the
loss along a direction splits. What mixes learnt and unlearnt
modes gives $\tfrac12\|\alpha \Sigma_S\|^2 + \tfrac12\|\beta\|^2 - \mathrm{tr}\,
Y_Q^\top \alpha \beta$, which is never negative if and only if no singular value of
$Y_Q$ exceeds one of $\Sigma_S$. The rest is a square minus the products of a pivot's
two blocks with changes of its two layers. If a pivot has two blocks that do not
vanish, one of the two layers can be changed without any first-order effect on the
prediction (otherwise the unlearnt part would have a product), so the other term can
be made to win.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np

from thalweg._core.arrays import real
from thalweg._core.errors import DomainError, ShapeError, positive, whole
from thalweg.landscape._points import normal_form as form
from thalweg.landscape._points.ground import Ground, Pattern
from thalweg.landscape._points.members import (
    CriticalPoint,
    Family,
    described,
    families_of,
    member,
)
from thalweg.landscape.reduced import Matrix, Reduced
from thalweg.landscape.values import patterns_of_rank

CRITICAL = 1e-9
"""Explicit blocks are critical if products of their unit factors are this small."""

__all__ = ["CriticalPoint", "critical_points"]


def critical_points(
    problem: Any,
    *,
    rank: int | None = None,
    modes: Any = None,
    inner_rank: int | None = None,
    tightened: Any = None,
    free: Any = "random",
    std: float = 1.0,
    seed: int = 0,
    most: int = 10_000,
) -> list[CriticalPoint]:
    r"""Make critical points: one of every family that matches.

    Written by the normal form, so the gradient is rounding: no equation is solved.
    All families of a problem are those of a set of learnt modes (up to equal singular
    values), an inner rank and whether the point is tightened. At depth two the inner
    rank is the hidden width, and a saddle is never tightened. At depth three and more
    a saddle's inner rank goes from its rank to the least hidden width; only the
    smallest allows tightened saddles. Where all modes that can be learnt are, every
    point is tightened.

    Args:
        problem: A `Problem` (any data and widths) or a `Playground`.
        rank: How many modes are learnt; all numbers if `None`.
        modes: Which modes are learnt, counted from one; `()` for none, all sets if
            `None`.
        inner_rank: Rank of the layers between the first and the last; all if `None`.
        tightened: Whether all pivots are tightened; `None` for both.
        free: What the theory leaves free. `"random"`: generic, bases with singular
            values from 0.7 to 1.5 (and random bases among equal singular values).
            `"zero"`: as many zeros as the family allows, the bases the identity.
            `"balanced"`: neighbouring layers have equal Gram matrices, so all have the
            same singular values. Or the blocks $Z_h$ themselves, of shape
            `(widths[h] - rank, widths[h - 1] - rank)`: a sequence of one a layer, or a
            mapping from layer to block, the others zero.
        std: Scale of the random blocks, `> 0`.
        seed: Of the random numbers, `>= 0`.
        most: Refuse to make more than this.

    Returns:
        The points, of ascending value.

    Raises:
        DomainError: If no critical point matches, or more than `most` families do.

    Example:
        >>> import jax.numpy as jnp
        >>> from thalweg.problem.moments import Moments
        >>> from thalweg.problem.nets import LinearNet
        >>> from thalweg.problem.problem import Problem
        >>> target = Moments.whitened(jnp.diag(jnp.array([3.0, 2.0, 1.0])))
        >>> problem = Problem(LinearNet((3, 4, 4, 3)), target)
        >>> [point] = critical_points(problem, modes=(1, 2), tightened=True)
        >>> point.value, str(point.kind), point.gradient_norm < 1e-12
        (0.5, 'non-strict saddle', True)
        >>> [str(p.kind) for p in critical_points(problem, modes=(1, 3), inner_rank=2)]
        ['strict saddle', 'strict saddle']

    Source:
        Achour, Malgouyres, Gerchinovitz, Propositions 9 to 11; Chitour, Liao,
        Couillet, Lemma 2. For all data and widths: derived, see `_points.normal_form`.
    """
    ground = Ground.of(problem)
    made = _chosen_blocks(free, ground)
    seed = whole("seed", seed)
    positive("std", std)
    if tightened not in (None, True, False):
        raise DomainError(
            f"tightened is {tightened!r}; it must be true, false, or None for both."
        )
    families = _matching(ground, rank, modes, inner_rank, tightened, most)
    if made is not None:
        return [_explicit(ground, families, made, _asked(modes))]
    if free == "balanced":
        families = _balanced(ground, families)
    rng = np.random.default_rng(seed)
    asked = _asked(modes)
    return [
        member(ground, family, rng, free=free, std=std, modes=asked)
        for family in families
    ]


def _matching(
    ground: Ground, rank: Any, modes: Any, inner: Any, tightened: Any, most: Any
) -> list[Family]:
    """Return the families that match, or raise and say what there is."""
    if inner is not None:
        inner = whole("inner_rank", inner)
    patterns: Iterable[Pattern]
    if modes is not None:
        patterns = [ground.check_modes(modes)]
        sizes = [sum(patterns[0])]
        if rank is not None and ground.check_rank(rank) != sizes[0]:
            raise DomainError(
                f"rank is {rank} but modes names {sizes[0]} modes; pass one."
            )
    else:
        sizes = list(range(ground.smallest, ground.largest + 1))
        sizes = sizes if rank is None else [ground.check_rank(rank)]
    # The families of a pattern depend on its size alone.
    known = {size: list(families_of(ground, ground.prefix(size))) for size in sizes}
    fitting = [s for s in sizes if any(_matches(f, inner, tightened) for f in known[s])]
    if not fitting:
        every = [family for size in sizes for family in known[size]]
        raise DomainError(_nothing(every, inner, tightened))
    if modes is None:
        patterns = (p for size in fitting for p in patterns_of_rank(ground, size))
    families = (f for p in patterns for f in families_of(ground, p))
    matching = (f for f in families if _matches(f, inner, tightened))
    found = list(islice(matching, whole("most", most, least=1) + 1))
    if len(found) > most:
        raise DomainError(
            f"more than {most} families of critical points match; choose by rank, "
            "modes, inner_rank or tightened, or raise most."
        )
    return sorted(found, key=lambda family: ground.excess(family.pattern))


def _matches(family: Family, inner: int | None, tightened: bool | None) -> bool:
    ranks = inner is None or family.inner_rank == inner
    return ranks and (tightened is None or family.is_tightened == tightened)


def _nothing(known: Sequence[Family], inner: Any, tightened: Any) -> str:
    """Return the sentence that says which inner ranks there are."""
    fitting = [f for f in known if tightened is None or f.is_tightened == tightened]
    word = {None: "", True: "tightened ", False: "not tightened "}[tightened]
    asked = "" if inner is None else f" of inner rank {inner}"
    if not fitting:
        other = "are all tightened" if tightened is False else "are never tightened"
        return f"no critical point{asked} is {word}here; those that match {other}."
    ranks = sorted({family.inner_rank for family in fitting})
    told = f"{ranks[0]}" if len(ranks) == 1 else f"from {ranks[0]} to {ranks[-1]}"
    return f"no {word}critical point{asked} matches; inner_rank must be {told}."


def _balanced(ground: Ground, families: list[Family]) -> list[Family]:
    """Return the families with balanced members, or raise if there are none."""
    kept = [
        family
        for family in families
        if ground.depth < 3
        or (family.inner_rank == sum(family.pattern) and family.is_tightened)
    ]
    if not kept:
        raise DomainError(
            "no balanced critical point matches: all its layers have the same rank, "
            "so from depth three on it is tightened and its inner rank is its rank."
        )
    return kept


def _asked(modes: Any) -> tuple[int, ...] | None:
    if modes is None:
        return None
    return tuple(map(int, modes)) if np.ndim(modes) else (int(modes),)


def _chosen_blocks(free: Any, ground: Ground) -> dict[int, Matrix] | None:
    """Return explicit blocks by layer, or `None` for a word."""
    if isinstance(free, str):
        if free not in ("random", "zero", "balanced"):
            raise DomainError(
                f"free is {free!r}; it must be 'random', 'zero', 'balanced', or the "
                "blocks themselves."
            )
        return None
    if not isinstance(free, Iterable):
        raise DomainError(
            f"free is {free}; it must be 'random', 'zero', 'balanced', or the blocks "
            "themselves, one a layer or by layer."
        )
    if isinstance(free, Mapping):
        layers = {whole("a layer", layer, least=1): b for layer, b in free.items()}
    else:
        layers = dict(enumerate(free, 1))
        if len(layers) != ground.depth:
            raise DomainError(
                f"free holds {len(layers)} blocks; the net has {ground.depth} layers. "
                "Pass a mapping to name only some."
            )
    if layers and max(layers) > ground.depth:
        raise DomainError(
            f"free names layer {max(layers)}; the net has {ground.depth} layers."
        )
    return {layer: np.asarray(real(f"block {layer}", b)) for layer, b in layers.items()}


def _explicit(
    ground: Ground,
    families: Sequence[Family],
    made: dict[int, Matrix],
    modes: tuple[int, ...] | None,
) -> CriticalPoint:
    """Return the point of given blocks, checked."""
    if len({family.pattern for family in families}) > 1:
        raise DomainError("explicit blocks need one set of modes; pass modes.")
    frame = form.frame_of(ground, families[0].pattern, modes=modes)
    shapes = list(zip(frame.spaces[1:], frame.spaces[:-1], strict=True))
    for layer, block in made.items():
        if block.shape != shapes[layer - 1]:
            raise ShapeError(
                f"block {layer} has shape {block.shape}; with {frame.size} modes "
                f"learnt it must be {shapes[layer - 1]}."
            )
    blocks = [made.get(layer, np.zeros(s)) for layer, s in enumerate(shapes, 1)]
    worst = form.criticality(frame, blocks)
    if worst > CRITICAL:
        raise DomainError(
            f"the blocks make no critical point: a product that must vanish has norm "
            f"{worst:.2g}, its factors scaled to one. Any two zero blocks suffice."
        )
    bases = [np.eye(width) for width in ground.inner]
    layers = form.assemble(frame, blocks, bases)
    ring = form.ring_of(frame, blocks)
    point = described(frame, Reduced(layers, ground.labels, ground.inputs), ring)
    told = (point.inner_rank, point.is_tightened)
    if told not in {(f.inner_rank, f.is_tightened) for f in families}:
        raise DomainError(
            f"the blocks make a point of inner rank {told[0]}, "
            f"{'tightened' if told[1] else 'not tightened'}; that is not what was "
            "asked for."
        )
    return point
