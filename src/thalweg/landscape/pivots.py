r"""Pairs of layers that could start a mode together: pivots, tightened or not.

A mode is started by changing two layers $i > j$ at once: the change of the prediction
is $A_i V_i M V_j B_j$ with $M = W_{i-1} \cdots W_{j+1}$ between them, and the loss
falls by the trace of $V_i M V_j B_j (Y - W)^\top A_i$, its product with what is
missing. So both $M$ and the block $B_j Y^\top A_i$ around them must carry more than
what is learnt already.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from thalweg.landscape._saddles.standing import (
    TOLERANCE,
    Decision,
    Standing,
    count_positive,
    stand,
)


@dataclass(frozen=True)
class Pivot:
    """Two layers and the ranks of their complementary blocks.

    Attributes:
        upper: The later layer, counted from one.
        lower: The earlier layer.
        through_rank: Rank of the block through the labels, around the two layers.
        between_rank: Rank of the product between them, the identity's if they are
            neighbours.
        is_tightened: Whether one of the two ranks is that of the whole chain.
    """

    upper: int
    lower: int
    through_rank: int
    between_rank: int
    is_tightened: bool

    @property
    def name(self) -> str:
        """Return the pivot in words."""
        return f"pivot ({self.upper}, {self.lower})"

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "upper": self.upper,
            "lower": self.lower,
            "through_rank": self.through_rank,
            "between_rank": self.between_rank,
            "is_tightened": self.is_tightened,
        }


def pivots(
    problem: Any, weights: Any, *, tolerance: float = TOLERANCE
) -> tuple[Pivot, ...]:
    r"""Return every pair of layers with the ranks that decide what it can start.

    Args:
        problem: A `Problem` or a `Playground`.
        weights: A critical point.
        tolerance: As in `classify`.

    Returns:
        The pivots $(i, j)$, $i > j$, by $i$ then $j$; none for one layer. The ranks
        are those of $B_j Y^\top A_i$ and of $W_{i-1} \cdots W_{j+1}$.

    Example:
        >>> from thalweg.problem.scalar import Playground
        >>> [p.is_tightened for p in pivots(Playground(3), [0.0, 0.0, 0.0])]
        [True, True, True]
        >>> [p.is_tightened for p in pivots(Playground(3), [0.0, 0.0, 2.0])]
        [False, True, True]

    Source:
        Achour, Malgouyres, Gerchinovitz, Definitions 3 to 6.
    """
    found = weigh(stand(problem, weights, tolerance))
    return tuple(pivot for pivot, _ in found)


def weigh(standing: Standing) -> list[tuple[Pivot, float]]:
    """Return every pivot, and the factor by which it is tightened or not."""
    return list(_weighed(standing))


def rank_of(standing: Standing, first: int, last: int) -> Decision:
    """Return the rank of a product of layers, at least that of the prediction."""
    bar = standing.threshold * standing.unit(first, last)
    return count_positive(
        standing.at.segment(first, last), bar, known=len(standing.learnt)
    )


def _weighed(standing: Standing) -> Iterator[tuple[Pivot, float]]:
    at, learnt = standing.at, len(standing.learnt)
    worst = float(standing.values[standing.missing[0] - 1]) if standing.missing else 0.0
    for upper in range(2, at.depth + 1):
        for lower in range(1, upper):
            around = at.below(lower) @ standing.pull.T @ at.above(upper)
            outer = standing.unit(1, lower - 1) * standing.unit(upper + 1, at.depth)
            through = count_positive(around, standing.threshold * outer * worst)
            between = rank_of(standing, lower + 1, upper - 1)
            blocks = (
                (through.count, through.gap),
                (between.count - learnt, between.gap),
            )
            tight = [gap for more, gap in blocks if not more]
            gap = max(tight) if tight else min(through.gap, between.gap)
            ranks = (learnt + through.count, between.count)
            yield Pivot(upper, lower, *ranks, is_tightened=bool(tight)), gap
