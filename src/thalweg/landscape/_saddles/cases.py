r"""The cases of Chitour, Liao and Couillet, for chains of up to three layers.

Notation, after their reduction: $\Sigma_Y = [S_Y \,|\, 0]$ are the labels in their
own singular vectors, $\bar W_1 = [W_{1,1} \,|\, W_{1,2}]$ is split alike, $R$ is the
product of all layers but the first, $Z$ that of the inner ones (the identity of two
layers), $r$ and $r_Z$ are their ranks. Learnt modes come first:
$S_Y = \mathrm{diag}(D_Y, E_Y)$, $W_{1,1} = [W_{1,1,1} \,|\, W_{1,1,2}]$,
$W_3 = [W_{3,1}; W_{3,2}]$. With three layers and
$W_2 = U_2 \mathrm{diag}(D_2, 0) V_2^\top$ of rank $r$, $W_{1,1,2,2}$ are the rows of
$V_2^\top W_{1,1,2}$ after the $r$-th and $W_{3,2,2}$ the columns of $W_{3,2} U_2$ after
the $r$-th.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from thalweg._core.errors import DomainError
from thalweg.landscape._saddles.standing import TOLERANCE, Standing, stand
from thalweg.landscape.kinds import Kind
from thalweg.landscape.reduced import Chain, Matrix


class SourceCase(StrEnum):
    """The cases of the source, as it calls them."""

    MINIMUM = "global minimum"
    MORE_INSIDE = "r_Z > r"
    CASE_1_1A = "H=2 case 1.1a"
    CASE_1_1B = "H=2 case 1.1b"
    CASE_1_2 = "H=2 case 1.2"
    CASE_2_1 = "H=2 case 2.1"
    WRONG_MODES = "H=2 case 2.2, wrong modes"
    REMARK_3 = "H=2 case 2.2, Remark 3"

    @property
    def kind(self) -> Kind:
        """Return the kind of critical point it is."""
        if self is SourceCase.MINIMUM:
            return Kind.GLOBAL_MINIMUM
        flat = self in (SourceCase.CASE_1_2, SourceCase.REMARK_3)
        return Kind.NON_STRICT_SADDLE if flat else Kind.STRICT_SADDLE


def by_cases(problem: Any, weights: Any, *, tolerance: float = TOLERANCE) -> SourceCase:
    r"""Return which case of the source a critical point is, by the source's blocks.

    An independent way to the kind of a critical point of one, two or three layers: no
    pivot is looked at. With more outputs than data directions the chain is transposed
    first, which exchanges 1.1a and 1.1b.

    Args:
        problem: A `Problem` or a `Playground` of at most three layers, without
            bottleneck, whose labels have full rank and distinct singular values.
        weights: A critical point.
        tolerance: As in `classify`.

    Returns:
        The case; its `kind` is a `Kind`.

    Raises:
        DomainError: If the source's assumptions do not hold.

    Example:
        >>> from thalweg.problem.scalar import Playground
        >>> by_cases(Playground(3), [0.0, 0.0, 2.0]).value
        'H=2 case 1.1b'
        >>> by_cases(Playground(3), [0.0, 0.0, 0.0]).kind.value
        'non-strict saddle'

    Source:
        Chitour, Liao, Couillet, Proposition 3, and the cases of two hidden layers.
    """
    standing = stand(problem, weights, tolerance)
    lack = assumed(standing)
    if lack:
        raise DomainError(f"the source's cases need {lack}; use classify.")
    return case_of(standing)


def assumed(standing: Standing) -> str:
    """Return what the source assumes that does not hold, in words; empty if nothing."""
    at = standing.at
    outputs = min(at.labels.shape)
    if at.depth > 3:
        return f"at most three layers, these are {at.depth}"
    if at.modes.rank < outputs:
        return "labels of full rank"
    if not at.modes.are_distinct:
        return "labels of distinct singular values"
    if min(at.widths) < outputs:
        return "hidden layers no smaller than the output"
    return ""


def case_of(standing: Standing) -> SourceCase:
    """Return the case of a point that satisfies the source's assumptions."""
    blocks = _Blocks.of(standing)
    rank, inner = blocks.ranks
    if len(standing.at.layers) == 1 or rank == blocks.values.size:
        return SourceCase.MINIMUM
    if inner > rank:
        return SourceCase.MORE_INSIDE
    return _untouched(blocks) if rank == 0 else _touched(blocks, rank)


@dataclass(frozen=True)
class _Blocks:
    """A chain in the labels' singular vectors, each layer divided by its unit.

    Attributes:
        layers: The layers; wide: no more outputs than data directions.
        values: The labels' singular values.
        small: What counts as zero.
    """

    layers: Chain
    values: Matrix
    small: float

    @classmethod
    def of(cls, standing: Standing) -> "_Blocks":
        at, labels = standing.at, standing.at.labels
        chain = [w / u for w, u in zip(at.layers, standing.units, strict=True)]
        if labels.shape[0] > labels.shape[1]:
            chain, labels = [w.T for w in reversed(chain)], labels.T
        left, values, right = np.linalg.svd(labels)
        chain[0] = chain[0] @ right.T
        chain[-1] = left.T @ chain[-1]
        return cls(tuple(chain), values, standing.threshold)

    @property
    def ranks(self) -> tuple[int, int]:
        """Return the ranks of R and Z."""
        _, *rest = self.layers
        if not rest:
            return self.values.size, self.values.size
        inner = np.eye(rest[0].shape[1])
        for layer in rest[:-1]:
            inner = layer @ inner
        return self._rank(rest[-1] @ inner), self._rank(inner)

    def is_zero(self, block: Matrix) -> bool:
        """Return whether a block counts as zero."""
        return not self._rank(block)

    def _rank(self, block: Matrix) -> int:
        if not block.size:
            return 0
        found = np.linalg.svd(block, compute_uv=False)
        return int(np.count_nonzero(found > self.small))


def _untouched(blocks: _Blocks) -> SourceCase:
    """Return the case where the second of three layers is zero."""
    first, _, last = blocks.layers
    if not blocks.is_zero(first[:, : blocks.values.size]):
        return SourceCase.CASE_1_1A
    if not blocks.is_zero(last):
        return SourceCase.CASE_1_1B
    return SourceCase.CASE_1_2


def _touched(blocks: _Blocks, rank: int) -> SourceCase:
    """Return the case where the second of three layers has the rank of all."""
    first, middle, last = blocks.layers
    outputs = blocks.values.size
    # R W_{1,1} is the diagonal matrix of the learnt singular values, in units.
    strengths = np.abs(np.diag(last @ middle @ first[:, :outputs])) / blocks.values
    order = np.argsort(-strengths, kind="stable")
    known, other = order[:rank], order[rank:]
    left, _, right = np.linalg.svd(middle)
    if not (
        blocks.is_zero(right[rank:] @ first[:, other])
        and blocks.is_zero(last[other] @ left[:, rank:])
    ):
        return SourceCase.CASE_2_1
    if blocks.values[other].max() > blocks.values[known].min():
        return SourceCase.WRONG_MODES
    return SourceCase.REMARK_3
