"""The strata of a landscape: every family of critical points, the lowest first."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

import numpy as np

from thalweg._core.errors import whole
from thalweg.landscape._points.ground import Ground
from thalweg.landscape._points.members import Family, families_of, member
from thalweg.landscape.inertia import inertia
from thalweg.landscape.kinds import Kind
from thalweg.landscape.values import ascending

LARGEST = 600
"""Up to so many weights the signs of the Hessian's eigenvalues are counted unasked."""


@dataclass(frozen=True)
class Stratum:
    """A family of critical points, at a generic member.

    Attributes:
        modes: The modes learnt; of equal singular values the first.
        rank: How many.
        inner_rank: Rank of the layers between the first and the last.
        is_tightened: Whether all pivots are tightened.
        value: Loss above the data's constant part.
        excess_loss: Loss above the infimum.
        loss: The loss.
        kind: Global minimum, strict saddle or non-strict saddle.
        dimension: Of the largest manifold of critical points found in the family.
        parameters: Number of weights.
        negative: Negative eigenvalues of the Hessian at a member of that manifold;
            `None` if not counted.
        zero: Zero eigenvalues there; `None` if not counted. At least `dimension`.
    """

    modes: tuple[int, ...]
    rank: int
    inner_rank: int
    is_tightened: bool
    value: float
    excess_loss: float
    loss: float
    kind: Kind
    dimension: int
    parameters: int
    negative: int | None
    zero: int | None

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return {**asdict(self), "modes": list(self.modes), "kind": str(self.kind)}


def strata(
    problem: Any,
    *,
    most: int = 1000,
    every: bool = True,
    signs: bool | None = None,
    seed: int = 0,
) -> Iterator[Stratum]:
    r"""Yield the families of critical points of a problem, of ascending value.

    A family is a set of learnt modes (up to equal singular values), an inner rank, and
    whether all pivots are tightened; see `critical_points`. Nothing is computed before
    it is asked for.

    Args:
        problem: A `Problem` (any data and widths) or a `Playground`.
        most: Stop after so many, at least 1.
        every: Whether to yield every inner rank; else, of families that differ in
            nothing else, the one of the largest.
        signs: Whether to count the negative and zero eigenvalues of the Hessian: one
            dense spectrum a stratum. By default up to 600 weights.
        seed: Of the generic members, `>= 0`.

    Returns:
        An iterator over the strata.

    Raises:
        DomainError: If the problem is of another kind or a number is out of range.

    Example:
        >>> import jax.numpy as jnp
        >>> from thalweg.problem.moments import Moments
        >>> from thalweg.problem.nets import LinearNet
        >>> from thalweg.problem.problem import Problem
        >>> target = Moments.whitened(jnp.diag(jnp.array([2.0, 1.0])))
        >>> problem = Problem(LinearNet((2, 2, 2, 2)), target)
        >>> for s in list(strata(problem))[:3]:
        ...     print(s.modes, s.inner_rank, s.kind, s.dimension, s.negative, s.zero)
        (1, 2) 2 global minimum 8 0 8
        (1,) 1 non-strict saddle 6 0 9
        (1,) 1 strict saddle 7 1 7

    Source:
        Achour, Malgouyres, Gerchinovitz, Theorem 7 and Proposition 8.
    """
    ground = Ground.of(problem)
    most, seed = whole("most", most, least=1), whole("seed", seed)
    counted = ground.posed.net.parameters <= LARGEST if signs is None else signs
    families = (
        family
        for pattern in ascending(ground)
        for family in _listed(families_of(ground, pattern), every)
    )
    return (
        _stratum(ground, family, counted, seed) for family in islice(families, most)
    )


def _listed(families: Iterator[Family], every: bool) -> Iterator[Family]:
    """Return the families to tell, of each kind the last unless every one."""
    if every:
        return families
    last = {family.is_tightened: family for family in families}
    return iter([last[kind] for kind in (True, False) if kind in last])


def _stratum(ground: Ground, family: Family, counted: bool, seed: int) -> Stratum:
    point = member(ground, family, np.random.default_rng(seed))
    signs = inertia(ground.problem, point.weights) if counted else None
    return Stratum(
        modes=point.modes,
        rank=point.rank,
        inner_rank=point.inner_rank,
        is_tightened=point.is_tightened,
        value=point.value,
        excess_loss=point.excess_loss,
        loss=point.loss,
        kind=point.kind,
        dimension=point.dimension,
        parameters=ground.posed.net.parameters,
        negative=None if signs is None else signs.negative,
        zero=None if signs is None else signs.zero,
    )
