r"""What kind of critical point a point is, for every linear network.

Let $Y = U \Sigma V^\top$ be the reduced labels and $W = W_N \cdots \bar W_1$ the
prediction of a critical point. Its kind is decided by ranks. The sources assume labels
of full rank and distinct singular values; the following proof does not.

*Blocks.* With $R = W_N \cdots W_2$, $R^\top (W - Y) = 0$ makes $W = P Y$ with $P$ the
projection on the range of $R$, and $(W - Y) W^\top = 0$ lets $P$ commute with
$Y Y^\top$. So singular vectors can be chosen such that $W = U_S \Sigma_S V_S^\top$: the
modes $S$ of positive singular value are learnt, $r = |S|$ is the rank of $W$, and $Q$
are all other singular vectors. Split the space after layer $j$ into the image of $V_S$
under the layers up to $j$, and the kernel of $U_S^\top W_N \cdots W_{j+1}$. As
$U_S^\top W V_S$ is invertible these are complementary, and each layer maps each part to
the next. In such bases every layer is $\mathrm{diag}(I_r, Z_h)$ but for the ends, and
the blocks $Z_N, \dots, Z_1$ are a critical point of the problem with labels $\Sigma_Q$
whose product is zero.

*Ranks.* $W_{i-1} \cdots W_{j+1}$ has rank $r$ plus that of $Z_{i-1} \cdots Z_{j+1}$,
and $B_j Y^\top A_i$ rank $r$ plus that of
$g_{ij} = Z_{j-1} \cdots Z_1 \Sigma_Q^\top Z_N \cdots Z_{i+1}$. A pivot $i > j$ is not
tightened where both blocks of what is not learnt differ from zero.

*Strict.* If a mode of $Q$ has a larger singular value than one of $S$, exchanging them
has negative curvature; so has every pivot that is not tightened. See `directions`.

*Not strict.* Let neither be the case. Write $\alpha = \sum_i Z_N \cdots Z_{i+1}
(V_i)_{QS}$ and $\beta = \sum_j (V_j)_{SQ} Z_{j-1} \cdots Z_1$ for a direction $V$. If
$g_{ij} \ne 0$ then $Z_{i-1} \cdots Z_{j+1} = 0$, so the second derivative's mixed terms
sum up to $-\mathrm{tr}(\alpha \beta V_Q \Sigma_Q^\top)$, where the terms of $i \le j$
may be added as they contain a gradient of the $Z$, which is zero. The quadratic term
is at least
$\tfrac12 \|\alpha \Sigma_S\|_F^2 + \tfrac12 \|\beta V_Q\|_F^2$. Entry by entry
$\tfrac12 \sigma_s^2 a^2 + \tfrac12 b^2 - \sigma_q a b \ge 0$, as
$\sigma_q \le \sigma_s$: the Hessian has no negative eigenvalue. The point is a global
minimum if $\Sigma_Q = 0$ or $r$ is the smallest width, since then the loss is its
infimum; otherwise a saddle: `higher` constructs a curve along which the loss falls.

Repeated singular values leave open which of equal modes are learnt: the first are
named. One layer alone has no critical points but minima.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from thalweg.landscape import rigour
from thalweg.landscape._saddles.cases import SourceCase, assumed, by_cases, case_of
from thalweg.landscape._saddles.standing import SURE, TOLERANCE, Standing, stand
from thalweg.landscape.directions import WRONG_MODES, steepest
from thalweg.landscape.kinds import Kind
from thalweg.landscape.pivots import Pivot, rank_of, weigh
from thalweg.landscape.rigour import Proof

__all__ = ["Classification", "by_cases", "classify"]

_CLOSE = 10.0
"""A decision that turns within this factor is worth a caveat."""

_FINEST = 2.0**-48
"""What counts as zero where fractions have shown that the gradient is."""


@dataclass(frozen=True)
class Classification:
    """What a critical point is, and why.

    Attributes:
        kind: Global minimum, strict saddle or non-strict saddle.
        modes: The learnt modes, from one, the largest first; the first of equal ones.
        rank: How many: the rank of the prediction on the data.
        inner_rank: Rank of the product of all layers but the first and the last.
        value: Half the sum of squares of the singular values that are not learnt.
        excess_loss: The loss above its infimum.
        is_tightened: Whether every pivot is.
        pivots: All pairs of layers with their ranks.
        case: The case of the sources.
        reason: Why it is of that kind, in a sentence.
        gradient_norm: The gradient's norm.
        gap: Factor by which the singular value, or the share of a mode, that the kind
            hangs on would have to change for another kind.
        caveats: What of the sources' assumptions does not hold, and close decisions.
        proof: What is proved of the stored numbers; `None` if not asked for.
    """

    kind: Kind
    modes: tuple[int, ...]
    rank: int
    inner_rank: int
    value: float
    excess_loss: float
    is_tightened: bool
    pivots: tuple[Pivot, ...]
    case: str
    reason: str
    gradient_norm: float
    gap: float
    caveats: tuple[str, ...] = ()
    proof: Proof | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "kind": str(self.kind),
            "modes": list(self.modes),
            "rank": self.rank,
            "inner_rank": self.inner_rank,
            "value": self.value,
            "excess_loss": self.excess_loss,
            "is_tightened": self.is_tightened,
            "pivots": [pivot.to_json() for pivot in self.pivots],
            "case": self.case,
            "reason": self.reason,
            "gradient_norm": self.gradient_norm,
            "gap": self.gap,
            "caveats": list(self.caveats),
            "proof": None if self.proof is None else self.proof.to_json(),
        }


def classify(
    problem: Any,
    weights: Any,
    *,
    tolerance: float = TOLERANCE,
    rigorous: bool = False,
) -> Classification:
    r"""Return what kind of critical point a point is, and why.

    Ranks are decided by singular values: those below the root of the relative gradient
    count as zero, at least $2^{-26}$, both in units of the layers' norms (or of the
    size at which equal layers would learn the largest mode, where that is larger). So a
    point known to a gradient of
    $10^{-12}$ has its ranks decided at $10^{-6}$. See `gap` for how clearly.

    Args:
        problem: A `Problem` or a `Playground`: any data and widths.
        weights: A critical point.
        tolerance: Largest root of the relative gradient that counts as none, `> 0`. One
            above the default is the threshold for ranks, too: 0.1 reads a plateau.
        rigorous: Whether to prove of the stored numbers what can be proved.

    Returns:
        The classification; every pair of layers costs two singular value
        decompositions.

    Raises:
        DomainError: If the point is not critical to the tolerance.

    Example:
        >>> from thalweg.problem.scalar import Playground
        >>> classify(Playground(2), [0.0, 0.0]).kind.value
        'strict saddle'
        >>> classify(Playground(3), [0.0, 0.0, 0.0]).kind.value
        'non-strict saddle'
        >>> classify(Playground(3), [0.5, 2.0, 1.0]).modes
        (1,)

    Source:
        Achour, Malgouyres, Gerchinovitz, Theorem 7; Chitour, Liao, Couillet,
        Proposition 3 and its cases.
    """
    standing = stand(problem, weights, tolerance)
    found = _told(standing)
    if not rigorous:
        return found
    way = steepest(standing) if found.kind is Kind.STRICT_SADDLE else None
    proof = rigour.prove(problem, weights, way)
    if proof.kind not in (None, found.kind):
        # The gradient is exactly zero, so numbers far below its usual rounding count.
        found = _told(replace(standing, threshold=_FINEST))
    if proof.kind not in (None, found.kind):
        said = f"fractions say it is a {proof.kind}: what counts as zero here is not."
        found = replace(found, caveats=(*found.caveats, said))
    return replace(found, proof=proof)


def _told(standing: Standing) -> Classification:
    """Return the classification by a standing's threshold, nothing proved."""
    found = weigh(standing)
    kind = _kind(standing, found)
    ranks = _ranks(standing)
    case = _case(standing, found, kind, ranks)
    gap = _gap(standing, found, kind)
    return Classification(
        kind=kind,
        modes=standing.learnt,
        rank=len(standing.learnt),
        inner_rank=ranks[1],
        value=standing.value,
        excess_loss=standing.excess_loss,
        is_tightened=all(pivot.is_tightened for pivot, _ in found),
        pivots=tuple(pivot for pivot, _ in found),
        case=case,
        reason=_reason(standing, kind, case, ranks),
        gradient_norm=standing.gradient_norm,
        gap=gap,
        caveats=_caveats(standing, gap),
    )


def _kind(standing: Standing, found: list[tuple[Pivot, float]]) -> Kind:
    if standing.is_minimum:
        return Kind.GLOBAL_MINIMUM
    if standing.swaps or not all(pivot.is_tightened for pivot, _ in found):
        return Kind.STRICT_SADDLE
    return Kind.NON_STRICT_SADDLE


def _ranks(standing: Standing) -> tuple[int, int]:
    """Return the ranks of R and Z, of one layer its own."""
    if standing.depth == 1:
        return len(standing.learnt), len(standing.learnt)
    return (
        rank_of(standing, 2, standing.depth).count,
        rank_of(standing, 2, standing.depth - 1).count,
    )


def _gap(standing: Standing, found: list[tuple[Pivot, float]], kind: Kind) -> float:
    """Return how far the decision that the kind hangs on is from turning."""
    fuzz = np.abs(standing.shares - np.round(standing.shares))
    shares = min(SURE, 0.5 / max(float(fuzz.max(initial=0.0)), 0.5 / SURE))
    if kind is Kind.NON_STRICT_SADDLE:
        return min([shares, *(gap for _, gap in found)])
    if kind is Kind.STRICT_SADDLE and not standing.swaps:
        return min(shares, max(gap for p, gap in found if not p.is_tightened))
    return shares


def _case(
    standing: Standing,
    found: list[tuple[Pivot, float]],
    kind: Kind,
    ranks: tuple[int, int],
) -> str:
    """Return the sources' case: Chitour's where it has one, else Achour's."""
    if not assumed(standing):
        case = case_of(standing)
        if case.kind is kind:
            return str(case)
    if kind is Kind.GLOBAL_MINIMUM:
        return str(SourceCase.MINIMUM)
    if kind is Kind.NON_STRICT_SADDLE:
        return "tightened"
    if ranks[1] > len(standing.learnt):
        return str(SourceCase.MORE_INSIDE)
    if standing.swaps:
        return WRONG_MODES
    return next(pivot.name for pivot, _ in found if not pivot.is_tightened)


def _reason(standing: Standing, kind: Kind, case: str, ranks: tuple[int, int]) -> str:
    learnt = len(standing.learnt)
    if kind is Kind.GLOBAL_MINIMUM:
        if not standing.missing:
            return "all there is to learn is learnt."
        return f"the {learnt} largest modes are learnt, and no more fit the widths."
    if kind is Kind.NON_STRICT_SADDLE:
        return (
            f"{_largest(learnt)}, and no two layers suffice to start another: for each "
            "pair, what lies between them or what lies around them carries nothing "
            "more, so the Hessian has no negative eigenvalue."
        )
    if case == SourceCase.MORE_INSIDE:
        return (
            f"the inner layers have rank {ranks[1]}, the whole chain {learnt}: the "
            "outer two layers can start another mode through them."
        )
    if case in (WRONG_MODES, SourceCase.WRONG_MODES):
        missing, known = standing.swaps[0]
        return (
            f"mode {missing} is not learnt while mode {known}, of smaller singular "
            "value, is: turning one into the other lowers the loss."
        )
    return steepest(standing).reason


def _largest(learnt: int) -> str:
    if not learnt:
        return "nothing is learnt"
    if learnt == 1:
        return "the largest mode is learnt"
    return f"the {learnt} largest modes are learnt"


def _caveats(standing: Standing, gap: float) -> tuple[str, ...]:
    at, told = standing.at, []
    repeated = [g for g in standing.groups if len(g) > 1 and standing.values[g[0] - 1]]
    if repeated:
        sets = ", ".join(str(list(group)) for group in repeated)
        told.append(
            f"the singular values of the modes {sets} count as equal, which the "
            "sources exclude: which of them are learnt is a choice, the kind is not."
        )
    if at.modes.rank < min(at.labels.shape):
        told.append(
            "the labels are not of full rank, which the sources exclude: ranks are "
            "compared with the number of learnt modes."
        )
    elif at.labels.shape[0] > at.labels.shape[1]:
        told.append(
            "there are more outputs than data directions, which the sources exclude: "
            "their cases are those of the transposed chain."
        )
    if gap < _CLOSE:
        told.append(
            f"a decision is close: it would turn if a number changed {gap:.2g}-fold."
        )
    return tuple(told)
