"""What is known of a theorem's hypotheses, and its promise where all are proved.

The first line of arithmetic is float64 with proven error bounds; what it leaves
undecided is tried again in balls of growing precision.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from thalweg.linalg import balls, enclose
from thalweg.theorems._base import (
    PRECISION,
    AbstractTheorem,
    Case,
    Guarantee,
    Hypothesis,
    Verdict,
)
from thalweg.theorems._certificate import Checked

PRECISIONS = (128, PRECISION)
"""Bits of ball arithmetic tried in turn where float64 leaves a claim undecided."""


@dataclass(frozen=True)
class Proof:
    """What is known of one theorem in one case.

    Attributes:
        hypotheses: Each with its verdict.
        guarantee: The promise, if all of them are proved.
        conclusions: What the promise says of the case itself, checked.
    """

    hypotheses: tuple[Checked, ...]
    guarantee: Guarantee | None = None
    conclusions: tuple[Checked, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """Return the verdict on the theorem: the worst of its hypotheses."""
        return overall([entry.verdict for entry in self.hypotheses])


def prove(theorem: AbstractTheorem, case: Case) -> Proof:
    """Decide a theorem's hypotheses as far as possible, and compute its promise.

    The promise is computed in balls of high precision, so that what was proved is
    never lost again to rounding.

    Args:
        theorem: The theorem.
        case: The case; its arithmetic is chosen here.

    Returns:
        What is known.
    """
    if not theorem.setting.holds(case.problem):
        other = Hypothesis(f"the problem is {theorem.setting.name}", fact=False)
        return Proof((_checked(other, "fact"),))
    case = replace(case, la=enclose)
    known = [_checked(h, "float64") for h in theorem.hypotheses(case)]
    for bits in PRECISIONS:
        if _decided(known):
            break
        with balls.working_precision(bits):
            case = replace(case, la=balls)
            known = [_checked(h, _told(bits)) for h in theorem.hypotheses(case)]
    if overall([entry.verdict for entry in known]) is not Verdict.PROVED:
        return Proof(tuple(known))
    with balls.working_precision(PRECISION):
        # A fresh case: what the old one has cached is of lower precision.
        promise = theorem.guarantee(replace(case))
        if promise is None:
            return Proof(tuple(known))
        follows = [_checked(h, "float64") for h in promise.conclusions]
        if case.la is balls or not _decided(follows):
            promise = theorem.guarantee(replace(case, la=balls)) or promise
            follows = [_checked(h, _told(PRECISION)) for h in promise.conclusions]
    return Proof(tuple(known), promise, tuple(follows))


def own_step(theorem: AbstractTheorem, case: Case) -> float | None:
    """Return the theorem's own step, in finer arithmetic where float64 has none.

    Args:
        theorem: The theorem.
        case: The case; its step is not used.

    Returns:
        The step; `None` if the theorem has none here.
    """
    if not theorem.setting.holds(case.problem):
        return None
    case = replace(case, step_size=None, la=enclose)
    step = theorem.safe_step(case)
    if step is not None:
        return step
    checked = theorem.hypotheses(case)
    if any(hypothesis.verdict is Verdict.REFUTED for hypothesis in checked):
        return None
    with balls.working_precision(PRECISION):
        return theorem.safe_step(replace(case, la=balls))


def overall(verdicts: Sequence[Verdict]) -> Verdict:
    """Return the worst of some verdicts; proved of none."""
    for verdict in (Verdict.REFUTED, Verdict.UNDECIDED):
        if verdict in verdicts:
            return verdict
    return Verdict.PROVED


def _decided(known: Sequence[Checked]) -> bool:
    return all(entry.verdict is not Verdict.UNDECIDED for entry in known)


def _told(bits: int) -> str:
    return f"balls, {bits} bits"


def _checked(hypothesis: Any, arithmetic: str) -> Checked:
    return Checked(
        name=hypothesis.name,
        verdict=hypothesis.verdict,
        slack=hypothesis.interval,
        arithmetic="fact" if hypothesis.slack is None else arithmetic,
        mend=hypothesis.mend,
        strict=hypothesis.strict,
    )
