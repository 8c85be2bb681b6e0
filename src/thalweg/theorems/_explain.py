"""Which theorems apply, which nearly do and why not, in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from thalweg.theorems._base import Verdict
from thalweg.theorems._certificate import Certificate, count, unit
from thalweg.theorems._mends import Mend, mends

NEAR = 12
"""Theorems that do not apply are explained one by one up to this many."""


@dataclass(frozen=True)
class Explanation:
    """Certificates of one case, sorted out.

    Attributes:
        proved: Those that apply, the strongest promise first.
        nearly: Those that do not, with what would make them, the nearest first.
        apart: Those about problems or starts of another kind.
    """

    proved: tuple[Certificate, ...]
    nearly: tuple[tuple[Certificate, tuple[Mend, ...]], ...]
    apart: tuple[Certificate, ...]

    def lines(self) -> list[str]:
        """Return the explanation, a sentence a line."""
        lines = [_counted(len(self.proved), "theorem applies", "theorems apply") + "."]
        for place, one in enumerate(self.proved, 1):
            lines.append(f"{place}. {one.theorem}: {one.summary}")
            lines.append(f"   It promises: {_promise(one)}")
        if self.nearly:
            lines.append(
                _counted(len(self.nearly), "theorem does not", "theorems do not")
                + " apply, the nearest first."
            )
        for one, changes in self.nearly[:NEAR]:
            lines.append(f"- {one.theorem}: {_missing(one)}")
            lines += [f"  Mend: {change.line()}." for change in changes]
            if not changes:
                lines.append(f"  Mend: {_advice(one)}.")
        if self.nearly[NEAR:]:
            names = ", ".join(one.theorem for one, _ in self.nearly[NEAR:])
            lines.append(f"Further off: {names}.")
        if self.apart:
            names = ", ".join(one.theorem for one in self.apart)
            lines.append(f"About other problems: {names}.")
        return lines

    def to_json(self) -> dict[str, Any]:
        """Return the explanation as plain values with stable keys."""
        return {
            "proved": [one.theorem for one in self.proved],
            "nearly": [
                {
                    "theorem": one.theorem,
                    "failing": [entry.to_json() for entry in one.failing],
                    "mends": [change.to_json() for change in changes],
                }
                for one, changes in self.nearly
            ],
            "apart": [one.theorem for one in self.apart],
        }


def explain(certificates: Sequence[Certificate]) -> Explanation:
    """Sort out the certificates of one case, and look for what would mend the rest.

    Args:
        certificates: As `certify_all` returns them.

    Returns:
        What applies, what nearly does, what is about something else.

    Example:
        >>> from thalweg.problem.scalar import Playground
        >>> from thalweg.theorems._certify import certify
        >>> toy = Playground(2)
        >>> name = "flammarion2025.Convergence"
        >>> large = certify(name, toy, [0.5, 0.5], step_size=1.0)
        >>> for line in explain([large]).lines()[1:3]:
        ...     print(line)
        1 theorem does not apply, the nearest first.
        - flammarion2025.Convergence: step <= 1/(3 d c^2) fails by 0.833333.
    """
    proved = [one for one in certificates if one.verdict is Verdict.PROVED]
    others = [one for one in certificates if one.verdict is not Verdict.PROVED]
    near = [(one, tuple(mends(one))) for one in others if one.applies]
    return Explanation(
        proved=tuple(proved),
        nearly=tuple(
            sorted(near, key=lambda pair: (not pair[1], len(pair[0].failing)))
        ),
        apart=tuple(one for one in others if not one.applies),
    )


def _promise(one: Certificate) -> str:
    if one.guarantee is None:
        return "nothing."
    told = one.guarantee.statement
    if one.promised is not None:
        told += (
            f"; excess loss {one.accuracy:.3g} within {count(one.promised)} "
            f"{unit(one.clock)}"
        )
    return f"{told}."


def _missing(one: Certificate) -> str:
    """Return what is not proved, the smallest slack of a refuted claim first."""
    told = []
    for entry in sorted(one.failing, key=lambda entry: entry.verdict):
        if entry.slack is None:
            told.append(f"{entry.name} is false")
        elif entry.slack == (0.0, 0.0):
            told.append(f"{entry.name} holds with equality only")
        elif entry.verdict is Verdict.REFUTED:
            told.append(f"{entry.name} fails by {-entry.slack[1]:.6g}")
        else:
            told.append(f"{entry.name} is undecided{_how_near(entry.slack)}")
    return "; ".join(told) + "."


def _how_near(slack: tuple[float, float]) -> str:
    largest = max(map(abs, slack))
    if largest == float("inf"):
        return ": its slack could not be enclosed"
    return f": its slack is at most {largest:.3g} from zero"


def _advice(one: Certificate) -> str:
    told = [entry.mend for entry in one.failing if entry.mend]
    return ", ".join(dict.fromkeys(told)) or "none is known"


def _counted(number: int, single: str, plural: str) -> str:
    return f"{number} {single if number == 1 else plural}"
