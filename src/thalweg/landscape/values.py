r"""The values that the loss takes at its critical points, lowest first.

At a critical point the prediction is $P Y_r$ with an orthogonal projector $P$ that
commutes with $Y_r Y_r^\top$, so some singular modes of the labels are learnt in full
and the others not at all: the excess over the data's constant part is half the sum
of squares of the singular values not learnt. Every set of at most as many modes as
the narrowest layer can carry occurs.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from heapq import heappop, heappush
from itertools import islice
from typing import Any, overload

import numpy as np

from thalweg._core.papers import ACHOUR2024, CHITOUR2023
from thalweg._core.source import Source
from thalweg.landscape._points.ground import Ground, Pattern

SOURCES: tuple[Source, ...] = (
    CHITOUR2023.at("Proposition 3 i)"),
    ACHOUR2024.at("Propositions 1 and 2"),
)


@dataclass(frozen=True)
class CriticalValue:
    """One critical value.

    Attributes:
        value: Loss above the data's constant part: half the sum of squares of the
            singular values not learnt.
        excess_loss: The same above the infimum; exactly zero at the lowest.
        loss: The same with the data's constant part.
        rank: How many modes are learnt.
        modes: Which; of equal singular values the first.
        multiplicity: How many sets of modes differ from it only by modes of equal
            singular values.
    """

    value: float
    excess_loss: float
    loss: float
    rank: int
    modes: tuple[int, ...]
    multiplicity: int

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return {**asdict(self), "modes": list(self.modes)}


class CriticalValues:
    """All critical values of a problem, ascending, enumerated as far as asked.

    A sequence: iterate, index, slice, `len`. Sets of modes that differ only by modes
    of equal singular values are one entry; different sets that happen to give equal
    sums are separate ones.

    Attributes:
        count: How many there are, exact however many; `len` ends at 2^63.
    """

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._found: list[CriticalValue] = []
        self._more = ascending(ground)
        self.count = _count(ground)

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[CriticalValue]:
        index = 0
        while self._reach(index + 1):
            yield self._found[index]
            index += 1

    @overload
    def __getitem__(self, index: int) -> CriticalValue: ...
    @overload
    def __getitem__(self, index: slice) -> list[CriticalValue]: ...
    def __getitem__(self, index: int | slice) -> CriticalValue | list[CriticalValue]:
        if isinstance(index, slice):
            chosen = range(self.count)[index]
            return [self[place] for place in chosen]
        place = range(self.count)[index]
        self._reach(place + 1)
        return self._found[place]

    def first(self, count: int) -> list[CriticalValue]:
        """Return the `count` lowest values, or all if there are fewer."""
        return self[:count]

    def to_json(self, most: int = 1000) -> dict[str, Any]:
        """Return the count and the `most` lowest values as plain values."""
        return {
            "count": self.count,
            "values": [value.to_json() for value in self.first(most)],
        }

    def _reach(self, count: int) -> bool:
        """Find the first `count` values; return whether there are so many."""
        missing = count - len(self._found)
        if missing > 0:
            self._found.extend(
                value_of(self._ground, pattern)
                for pattern in islice(self._more, missing)
            )
        return len(self._found) >= count


def critical_values(problem: Any) -> CriticalValues:
    r"""Return all values that the loss takes at critical points, lowest first.

    The value of a set $S$ of learnt modes is $\tfrac12 \sum_{i \notin S} \sigma_i^2$;
    $S$ has at most as many modes as the narrowest layer is wide (and exactly as many
    as there are, in a net of one layer). Modes of singular value zero are none one can
    learn: they change no value. The values are found lazily by a heap over the sets,
    so the lowest hundred of $2^{60}$ are instant.

    Args:
        problem: A `Problem` (any data and widths) or a `Playground`.

    Returns:
        The values; see `CriticalValues`.

    Example:
        >>> import jax.numpy as jnp
        >>> from thalweg.problem.moments import Moments
        >>> from thalweg.problem.nets import LinearNet
        >>> from thalweg.problem.problem import Problem
        >>> target = Moments.whitened(jnp.diag(jnp.array([3.0, 2.0, 1.0])))
        >>> values = critical_values(Problem(LinearNet((3, 3, 3, 3)), target))
        >>> len(values), [round(v.value, 12) for v in values]
        (8, [0.0, 0.5, 2.0, 2.5, 4.5, 5.0, 6.5, 7.0])
        >>> values[1].modes
        (1, 2)

    Source:
        Chitour, Liao, Couillet, Proposition 3 i); Achour, Malgouyres, Gerchinovitz,
        Propositions 1 and 2.
    """
    return CriticalValues(Ground.of(problem))


def value_of(ground: Ground, pattern: Pattern) -> CriticalValue:
    """Return the critical value of a pattern of learnt modes."""
    value = ground.value(pattern)
    return CriticalValue(
        value=value,
        excess_loss=ground.excess(pattern),
        loss=value + ground.constant,
        rank=sum(pattern),
        modes=ground.chosen(pattern),
        multiplicity=ground.multiplicity(pattern),
    )


def patterns_of_rank(ground: Ground, rank: int) -> Iterator[Pattern]:
    """Yield the patterns of `rank` learnt modes, the lowest value first."""
    return ascending(ground, rank, rank)


def ascending(
    ground: Ground, least: int | None = None, most: int | None = None
) -> Iterator[Pattern]:
    """Yield patterns by ascending value.

    From the best pattern of every size all others are reached by moving one learnt
    mode to the next group, which never lowers the value.
    """
    least = ground.smallest if least is None else least
    most = ground.largest if most is None else most
    heap: list[tuple[float, Pattern]] = []
    seen = set()
    for size in range(least, most + 1):
        best = ground.prefix(size)
        seen.add(best)
        heappush(heap, (ground.excess(best), best))
    while heap:
        _, pattern = heappop(heap)
        yield pattern
        for worse in _moved(ground, pattern):
            if worse not in seen:
                seen.add(worse)
                heappush(heap, (ground.excess(worse), worse))


def _moved(ground: Ground, pattern: Pattern) -> Iterator[Pattern]:
    for place in range(len(pattern) - 1):
        if pattern[place] and pattern[place + 1] < len(ground.groups[place + 1]):
            moved = list(pattern)
            moved[place] -= 1
            moved[place + 1] += 1
            yield tuple(moved)


def _count(ground: Ground) -> int:
    """Return how many patterns have a size in range: a product of polynomials."""
    ways = np.ones(1, dtype=object)
    for group in ground.groups:
        ways = np.convolve(ways, np.ones(len(group) + 1, dtype=object))
    return int(sum(ways[ground.smallest : ground.largest + 1]))
