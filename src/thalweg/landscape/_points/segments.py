r"""The unlearnt part of a critical point, as segments on a ring.

In the coordinates of the normal form the unlearnt part is a chain $Z_1, \dots, Z_N$
through spaces $0, \dots, N$; the labels not learnt, $Z_0 = Y_Q^\top$, lead from the
last space back to the first. The point is critical if and only if every product of
$N$ consecutive factors of the ring vanishes. Such a ring is, after a change of bases,
a sum of segments: vectors handed on from space to space until they vanish. A segment
has at most $N$ places; as many as $Y_Q$ has rank cross from the last space to the
first. Ranks, dimensions and the pivots of Achour et al. are counts of segments.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import cycle, islice, pairwise, product
from random import Random

import numpy as np

from thalweg.landscape.reduced import Matrix

Segment = tuple[int, int]
"""The first space of a segment, and the number of its spaces."""

ORDERS = 16
"""Orders of joining tried; the largest set of 727 small rings takes nine to twelve."""


@dataclass(frozen=True)
class Segments:
    """A ring of spaces filled with segments.

    Attributes:
        spaces: Sizes of the spaces 0 to N.
        counts: How often every segment occurs.
    """

    spaces: tuple[int, ...]
    counts: tuple[tuple[Segment, int], ...]

    @property
    def length(self) -> int:
        """Return the number of spaces, one more than there are layers."""
        return len(self.spaces)

    @property
    def crossing(self) -> int:
        """Return the rank of the labels not learnt."""
        return self.rank(self.length - 1, 2)

    def rank(self, first: int, places: int) -> int:
        """Return the rank of the product through `places` spaces from `first` on."""
        wanted = (first % self.length, places)
        return sum(
            count for segment, count in self.counts if self._holds(segment, wanted)
        )

    @property
    def inner_rank(self) -> int:
        """Return the rank of the layers strictly between the first and the last."""
        return self.rank(1, self.length - 2)

    @property
    def is_tightened(self) -> bool:
        r"""Return whether of every two complementary blocks one vanishes.

        The pivot $(i, j)$ has the blocks through the spaces $i, \dots, N, 0, \dots,
        j - 1$ and $j, \dots, i - 1$.
        """
        top = self.length - 1
        pairs = ((i, j) for i in range(2, top + 1) for j in range(1, i))
        return not any(
            self.rank(j, i - j) and self.rank(i, self.length - (i - j))
            for i, j in pairs
        )

    @property
    def symmetries(self) -> int:
        """Return the dimension of the maps that commute with the ring.

        From one segment to another there is one if the end of the second is a
        beginning of the first.
        """
        return sum(
            many * times
            for (one, many), (other, times) in product(self.counts, repeat=2)
            if self._maps(one, other)
        )

    def matrices(self) -> tuple[Matrix, ...]:
        """Return the chain, with entries zero and one.

        The first vectors of the last space are those handed on to the first vectors
        of the first space, in order.
        """
        places = self._places()
        layers = [
            np.zeros(shape)
            for shape in zip(self.spaces[1:], self.spaces[:-1], strict=True)
        ]
        for passed in places:
            for (space, index), (after, following) in pairwise(passed):
                if after == space + 1:
                    layers[space][following, index] = 1.0
        return tuple(layers)

    def _places(self) -> list[list[tuple[int, int]]]:
        """Return for every single segment its spaces and its index in them."""
        used = [0] * self.length
        each = [segment for segment, count in self.counts for _ in range(count)]
        each.sort(key=lambda segment: not self._crosses(segment))
        placed = []
        for first, places in each:
            passed = []
            for space in self._spaces((first, places)):
                passed.append((space, used[space]))
                used[space] += 1
            placed.append(passed)
        return placed

    def _spaces(self, segment: Segment) -> list[int]:
        return [(segment[0] + step) % self.length for step in range(segment[1])]

    def _crosses(self, segment: Segment) -> bool:
        return self._holds(segment, (self.length - 1, 2))

    def _holds(self, segment: Segment, part: Segment) -> bool:
        offset = (part[0] - segment[0]) % self.length
        return offset + part[1] <= segment[1]

    def _maps(self, one: Segment, other: Segment) -> bool:
        shared = (other[0] + other[1] - one[0]) % self.length
        return 1 <= shared <= min(one[1], other[1])


def of_ranks(spaces: Sequence[int], ranks: dict[Segment, int]) -> Segments:
    """Return the segments of a ring from the ranks of its products.

    Args:
        spaces: Sizes of the spaces.
        ranks: By first space and number of spaces, from 2 to the number of layers.

    Returns:
        The segments, by inclusion and exclusion.
    """
    length = len(spaces)
    known = {**{(space, 1): size for space, size in enumerate(spaces)}, **ranks}

    def rank(first: int, places: int) -> int:
        return known.get((first % length, places), 0)

    counts = {
        (first, places): rank(first, places)
        - rank(first - 1, places + 1)
        - rank(first, places + 1)
        + rank(first - 1, places + 2)
        for first in range(length)
        for places in range(1, length)
    }
    return _made(spaces, Counter(counts))


def sparse(
    spaces: Sequence[int], crossing: int, inner_rank: int, is_tightened: bool
) -> list[Segments]:
    """Return the critical rings with the fewest entries.

    Args:
        spaces: Sizes of the spaces.
        crossing: Rank of the labels not learnt.
        inner_rank: Rank of the layers between the first and the last.
        is_tightened: Whether all pivots are to be tightened.

    Returns:
        The rings: `inner_rank` vectors go from the first hidden space to the last; if
        that makes no pivot loose and one must be, there is one ring for every pivot
        that can be, with one vector in each of its blocks.
    """
    top = len(spaces) - 1
    counts = Counter({(top, 2): crossing})
    if inner_rank and top > 2:
        counts[1, top - 1] += inner_rank
    if inner_rank or is_tightened or not crossing or top < 3:
        return [_filled(spaces, counts)]
    pivots = [(i, j) for i in range(top, 1, -1) for j in range(1, i)]
    rings = []
    for upper, lower in pivots:
        between = upper - lower
        if between < top - 1:
            loose = counts.copy()
            loose[top, 2] -= 1
            loose[upper, top + 1 - between] += 1
            loose[lower, between] += 1
            rings.append(_filled(spaces, loose))
    return rings


@lru_cache(maxsize=4096)
def generic(
    spaces: tuple[int, ...], crossing: int, inner_rank: int, is_tightened: bool
) -> Segments:
    """Return a critical ring that can be joined no further.

    Segments are joined, or exchange their ends, as long as the labels' rank, the
    inner rank and whether the ring is tightened stay: every such move makes the set of
    points of this kind larger. Where it ends depends on the beginning and on the order
    of the moves: of several orders the one with the largest set wins.

    Args:
        spaces: Sizes of the spaces.
        crossing: Rank of the labels not learnt.
        inner_rank: Rank of the layers between the first and the last.
        is_tightened: Whether all pivots are to be tightened.

    Returns:
        The ring.
    """
    rng = Random(0)
    rings = sparse(spaces, crossing, inner_rank, is_tightened)
    starts = islice(cycle(rings), max(ORDERS, len(rings)))
    ends = [
        _joined(start, rng if attempt >= len(rings) else None)
        for attempt, start in enumerate(starts)
    ]
    return min(ends, key=lambda end: end.symmetries)


def _joined(ring: Segments, rng: Random | None) -> Segments:
    moved: Segments | None = ring
    while moved is not None:
        ring, moved = moved, _moved(moved, rng)
    return ring


def _moved(ring: Segments, rng: Random | None) -> Segments | None:
    fixed = (ring.crossing, ring.inner_rank, ring.is_tightened)
    pairs = list(_neighbours(ring))
    if rng:
        rng.shuffle(pairs)
    held = dict(ring.counts)
    for one, other in pairs:
        most = min(held[one], held[other])
        for many in {most, rng.randint(1, most) if rng else most, 1}:
            after = _exchanged(ring, one, other, many)
            longest = max(places for (_, places), _ in after.counts)
            told = (after.crossing, after.inner_rank, after.is_tightened)
            if longest < ring.length and told == fixed:
                return after
    return None


def _neighbours(ring: Segments) -> Iterator[tuple[Segment, Segment]]:
    """Yield pairs the second of which goes on where, or before, the first ends."""
    for (one, _), (other, _) in product(ring.counts, repeat=2):
        offset = (other[0] - one[0]) % ring.length
        if 1 <= offset <= one[1] < offset + other[1]:
            yield one, other


def _exchanged(ring: Segments, one: Segment, other: Segment, many: int) -> Segments:
    """Return the ring with `many` of both replaced by their union and what they share.

    Joining needs no exchange: then nothing is shared.
    """
    offset = (other[0] - one[0]) % ring.length
    counts = Counter(dict(ring.counts))
    counts[one] -= many
    counts[other] -= many
    counts[one[0], offset + other[1]] += many
    if one[1] > offset:
        counts[other[0], one[1] - offset] += many
    return _made(ring.spaces, counts)


def _filled(spaces: Sequence[int], counts: Counter[Segment]) -> Segments:
    """Return a ring in which what is left of every space is handed on nowhere."""
    made = _made(spaces, counts)
    for space, size in enumerate(spaces):
        counts[space, 1] += size - made.rank(space, 1)
    return _made(spaces, counts)


def _made(spaces: Sequence[int], counts: Counter[Segment]) -> Segments:
    kept = tuple((segment, counts[segment]) for segment in sorted(counts))
    return Segments(tuple(spaces), tuple(pair for pair in kept if pair[1]))
