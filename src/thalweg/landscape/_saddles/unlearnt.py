r"""What a critical point leaves out of its network: the chain of unlearnt blocks.

Notation, in reduced coordinates: $P = W_N \cdots W_1$ is the prediction, $P^+$ its
pseudo-inverse, $A_h$ the product of the layers above $h$, $B_h$ of those below.

At a critical point $P^\top (P - Y) = 0 = (P - Y) P^\top$, so $P$ agrees with $Y$ on the
learnt modes. In every space $h$ the matrix $\Pi_h = I - B_{h+1} P^+ A_h$ is a
projection, it commutes with the layers ($\Pi_h W_h = W_h \Pi_{h-1}$), and what it
leaves of them is a chain without any learnt mode: moving layers only inside the ranges
of the $\Pi$'s adds $\tilde Z_N \cdots \tilde Z_1$ to the prediction, whose target is
$Q = \Pi_N Y \Pi_0 = Y - P$. The loss along such a motion is that of the small net,
$\tfrac12 \|\tilde Z_N \cdots \tilde Z_1 - Q\|^2$.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import numpy as np

from thalweg.landscape._saddles.standing import Standing
from thalweg.landscape.reduced import Matrix

MOST_TUPLES = 64
"""Shortest tuples of layers that are looked at, if there are more."""

Pair = tuple[int, int]


@dataclass(frozen=True)
class Unlearnt:
    """The unlearnt blocks at a critical point, in orthonormal bases of their spaces.

    What counts as zero is decided by the point's own threshold and units.

    Attributes:
        standing: The critical point with its learnt modes.
    """

    standing: Standing

    @property
    def depth(self) -> int:
        """Return the number of layers."""
        return self.standing.depth

    @cached_property
    def bases(self) -> tuple[tuple[Matrix, Matrix], ...]:
        """Return for every space orthonormal bases: of what enters, of what leaves.

        The first spans the range of the projection, the second that of its transpose.
        """
        at, learnt = self.standing.at, [m - 1 for m in self.standing.learnt]
        right, left = self.standing.right[:, learnt], self.standing.left[:, learnt]
        inverse = (right / self.standing.values[learnt]) @ left.T
        found = []
        for space, width in enumerate(at.widths):
            known = at.below(space + 1) @ inverse @ at.above(space)
            enters, _, leaves = np.linalg.svd(np.eye(width) - known)
            free = width - len(learnt)
            found.append((enters[:, :free], leaves[:free].T))
        return tuple(found)

    @cached_property
    def links(self) -> dict[Pair, Matrix]:
        """Return the products between two layers that are not zero.

        The one of `(upper, lower)` is of all layers strictly between, from what
        leaves layer `lower` to what enters layer `upper`.
        """
        found = {}
        for lower in range(1, self.depth + 1):
            product = self.bases[lower][0]
            for upper in range(lower + 1, self.depth + 1):
                seen = self.bases[upper - 1][1].T @ product
                if self.counts(seen, self.standing.unit(lower + 1, upper - 1)):
                    found[upper, lower] = seen
                product = self.standing.at.layers[upper - 1] @ product
        return found

    @cached_property
    def ends(self) -> dict[Pair, Matrix]:
        """Return what closes a tuple from `lower` to `upper`, where it is not zero.

        It is what is missing, seen through all layers below `lower` and above `upper`.
        """
        standing = self.standing
        found: dict[Pair, Matrix] = {}
        if not standing.missing:
            return found
        worst = float(standing.values[standing.missing[0] - 1])
        for lower in range(1, self.depth + 1):
            seen = self._belows[lower] @ standing.pull.T
            for upper in range(lower, self.depth + 1):
                block = seen @ self._aboves[upper]
                outer = standing.unit(1, lower - 1)
                outer *= standing.unit(upper + 1, self.depth)
                if self.counts(block, worst * outer):
                    found[upper, lower] = block
        return found

    def above(self, layer: int) -> Matrix | None:
        """Return the layers above one, on what is unlearnt; `None` for zero."""
        block = self._aboves[layer]
        unit = self.standing.unit(layer + 1, self.depth)
        return block if self.counts(block, unit) else None

    def below(self, layer: int) -> Matrix | None:
        """Return the layers below one, on what is unlearnt; `None` for zero."""
        block = self._belows[layer]
        unit = self.standing.unit(1, layer - 1)
        return block if self.counts(block, unit) else None

    def counts(self, block: Matrix, unit: float) -> bool:
        """Return whether a product is more than zero, in its unit."""
        if not block.size:
            return False
        return bool(np.linalg.norm(block, 2) > self.standing.threshold * unit)

    def kernel(self, block: Matrix, unit: float) -> Matrix:
        """Return the projection on what a product takes to zero."""
        _, values, right = np.linalg.svd(block)
        seen = right[: int(np.count_nonzero(values > self.standing.threshold * unit))]
        return np.eye(block.shape[1]) - seen.T @ seen

    def shortest(self) -> list[tuple[int, ...]]:
        """Return the shortest tuples of layers that lower the loss together.

        Ascending layers, such that every product between neighbours is something,
        and so is what closes the tuple; at most `MOST_TUPLES` of them.
        """
        best: list[tuple[int, ...]] = []
        for upper, lower in self.ends:
            length, paths = self._paths(lower, upper)
            if not length or (best and length > len(best[0])):
                continue
            if best and length < len(best[0]):
                best = []
            best += islice(paths, MOST_TUPLES - len(best))
        return best

    def _paths(self, lower: int, upper: int) -> tuple[int, Iterator[tuple[int, ...]]]:
        """Return the least number of layers from one to another, and all such paths."""
        steps = {lower: 1}
        for layer in range(lower + 1, upper + 1):
            known = [steps[at] for at in steps if (layer, at) in self.links]
            if known:
                steps[layer] = min(known) + 1

        def trails(layer: int) -> Iterator[tuple[int, ...]]:
            if layer == lower:
                yield (lower,)
            for at, count in steps.items():
                if count == steps[layer] - 1 and (layer, at) in self.links:
                    yield from ((*trail, layer) for trail in trails(at))

        return steps.get(upper, 0), trails(upper) if upper in steps else iter(())

    @cached_property
    def _aboves(self) -> dict[int, Matrix]:
        layers, at = range(1, self.depth + 1), self.standing.at
        return {j: at.above(j) @ self.bases[j][0] for j in layers}

    @cached_property
    def _belows(self) -> dict[int, Matrix]:
        layers, at = range(1, self.depth + 1), self.standing.at
        return {j: self.bases[j - 1][1].T @ at.below(j) for j in layers}
