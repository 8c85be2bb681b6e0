"""The largest step that some certificate allows a start."""

from dataclasses import dataclass
from typing import Any

from thalweg._core.errors import positive
from thalweg.linalg import enclose
from thalweg.theorems import shelf
from thalweg.theorems._base import AbstractTheorem, Case, Kind, Verdict
from thalweg.theorems._certificate import count, plain
from thalweg.theorems._proving import own_step, prove


@dataclass(frozen=True)
class Allowed:
    """A step that a theorem was proved to allow.

    Attributes:
        theorem: Its name on the shelf.
        step_size: The step.
        promised: Iterations to the accuracy there; `None` where it promises only that
            descent comes to rest.
        limit: Where descent goes, in words; may be empty.
    """

    theorem: str
    step_size: float
    promised: float | None
    limit: str

    def line(self) -> str:
        """Return it in one line."""
        end = f", {self.limit}" if self.limit else ""
        many = "" if self.promised is None else f" in {count(self.promised)} iterations"
        return f"{self.step_size:.6g} by {self.theorem}{end}{many}"


@dataclass(frozen=True)
class SafeStep:
    """The largest step at which descent from a start is proved to converge.

    Attributes:
        accuracy: Excess loss the promised iterations are about.
        allowed: Every step found, those that reach the accuracy first, each group from
            the largest step down.
    """

    accuracy: float
    allowed: tuple[Allowed, ...]

    @property
    def step_size(self) -> float | None:
        """Return the step; `None` if no theorem allows any."""
        return self.allowed[0].step_size if self.allowed else None

    @property
    def theorem(self) -> str | None:
        """Return the theorem that allows it."""
        return self.allowed[0].theorem if self.allowed else None

    @property
    def promised(self) -> float | None:
        """Return the iterations it promises."""
        return self.allowed[0].promised if self.allowed else None

    def lines(self) -> list[str]:
        """Return it in words, a step a line."""
        if not self.allowed:
            return ["no theorem allows a step from here; start nearer to balance"]
        best, *others = self.allowed
        return [f"step {best.line()}", *(f"  {other.line()}" for other in others)]

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values with stable keys."""
        return {
            "accuracy": self.accuracy,
            "step_size": self.step_size,
            "theorem": self.theorem,
            "promised": plain(self.promised),
            "allowed": [
                {
                    "theorem": one.theorem,
                    "step_size": one.step_size,
                    "promised": plain(one.promised),
                    "limit": one.limit,
                }
                for one in self.allowed
            ],
        }


def safe_step(problem: Any, weights: Any, *, accuracy: float = 1e-6) -> SafeStep:
    """Return the largest step that a theorem about descent allows a start.

    Args:
        problem: A `Problem` or a `Playground`.
        weights: The start.
        accuracy: Excess loss for the promised iterations, `> 0`.

    Returns:
        The step with its theorem, and what the other theorems allow.
    """
    positive("accuracy", accuracy)
    start = problem.check(weights)
    found = []
    for name in shelf:
        theorem = _descent(name)
        if theorem is None:
            continue
        case = Case(problem, start, None, enclose)
        step = own_step(theorem, case)
        if step is not None:
            one = _allowed(name, theorem, case, step, accuracy)
            found += [] if one is None else [one]
    return SafeStep(accuracy, tuple(sorted(found, key=_rank)))


def _descent(name: str) -> AbstractTheorem | None:
    """Return a theorem about the convergence of descent from a given start."""
    kind: Any = shelf.entry(name)
    about = kind.kind is Kind.CONVERGENCE and kind.clock == "iteration"
    if not about or kind.about_draws:
        return None
    return shelf.make(name)


def _allowed(
    name: str, theorem: AbstractTheorem, case: Case, step: float, accuracy: float
) -> Allowed | None:
    stepped = Case(case.problem, case.start, step, enclose)
    proof = prove(theorem, stepped)
    if proof.verdict is not Verdict.PROVED or proof.guarantee is None:
        return None
    promise = proof.guarantee
    return Allowed(name, step, promise.time_to(accuracy), promise.limit)


def _rank(one: Allowed) -> tuple[bool, float]:
    return one.promised is None, -one.step_size
