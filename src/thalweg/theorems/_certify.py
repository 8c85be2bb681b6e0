"""Theorem x case -> certificate: hypotheses proved, promise beside observation.

The first line of arithmetic is float64 with proven error bounds; what it leaves
undecided is tried again in balls of growing precision.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from thalweg._core.errors import DomainError, positive
from thalweg._core.source import Source, bibliography
from thalweg.linalg import balls, enclose
from thalweg.theorems import shelf
from thalweg.theorems._base import (
    PRECISION,
    AbstractTheorem,
    Case,
    Guarantee,
    Hypothesis,
    Verdict,
)

PRECISIONS = (128, PRECISION)
"""Bits of ball arithmetic tried in turn where float64 leaves a claim undecided."""


@dataclass(frozen=True)
class Checked:
    """A hypothesis with its verdict.

    Attributes:
        name: The claim.
        verdict: Proved, refuted or undecided.
        slack: Floats that enclose the slack; `None` for a plain fact.
        arithmetic: `fact`, `float64` or `balls, 128 bits`.
        mend: What would make it true, in words.
    """

    name: str
    verdict: Verdict
    slack: tuple[float, float] | None
    arithmetic: str
    mend: str

    def line(self) -> str:
        """Return the hypothesis in one line."""
        slack = "" if self.slack is None else f", slack {_interval(self.slack)}"
        return f"{self.verdict}: {self.name}{slack} ({self.arithmetic})"


@dataclass(frozen=True)
class Observed:
    """What a path did, beside what was promised.

    Attributes:
        kept: Whether every recorded loss lies below the promised bound; `None` if
            the theorem bounds no loss, or the path is of the other kind.
        time: Iterations, or flow time, the path took to the accuracy; `None` if it
            did not reach it.
        looseness: Promised over observed time.
        drift: Largest change of a quantity said to be conserved.
    """

    kept: bool | None = None
    time: float | None = None
    looseness: float | None = None
    drift: float | None = None


@dataclass(frozen=True)
class Certificate:
    """The verdict on one theorem for one case.

    Attributes:
        theorem: Its name on the shelf.
        summary: Its first line.
        verdict: Proved if every hypothesis is; refuted if one is.
        hypotheses: Each with its slack.
        clock: `iteration` or `flow time`.
        guarantee: The promise, if it is proved.
        accuracy: Excess loss the promised time is for.
        promised: Iterations, or flow time, promised to that accuracy.
        step_size: The step certified.
        safe_step: A step the theorem certainly allows, the largest but for rounding;
            `None` if there is none.
        at_safe_step: Iterations it promises there, where only the step certified is
            too large.
        status: How far its constants were checked against the source.
        source: The paper and the place.
        observed: The path's own figures, if one was compared.
    """

    theorem: str
    summary: str
    verdict: Verdict
    hypotheses: tuple[Checked, ...]
    clock: str
    guarantee: Guarantee | None
    accuracy: float
    promised: float | None
    step_size: float | None
    safe_step: float | None
    at_safe_step: float | None
    status: str
    source: Source
    observed: Observed = field(default_factory=Observed)

    @property
    def applies(self) -> bool:
        """Return whether the theorem is about problems of this kind at all."""
        facts = (h for h in self.hypotheses if h.arithmetic == "fact")
        return all(fact.verdict is Verdict.PROVED for fact in facts)

    @property
    def rate(self) -> float | None:
        """Return the promised decay, `exp(-rate * t)`, rounded down."""
        if self.guarantee is None or self.guarantee.decay is None:
            return None
        return balls.bounds(self.guarantee.decay)[0]

    @property
    def factor(self) -> float | None:
        """Return the promised factor of the excess loss per iteration, rounded up."""
        if self.guarantee is None or self.guarantee.factor is None:
            return None
        return balls.bounds(self.guarantee.factor)[1]

    @property
    def probability(self) -> float | None:
        """Return the promised probability, rounded down; `None` if certain."""
        if self.guarantee is None or self.guarantee.probability is None:
            return None
        return balls.bounds(self.guarantee.probability)[0]

    def iterations_to(self, accuracy: float) -> float | None:
        """Return the iterations (or flow time) promised to another accuracy.

        Args:
            accuracy: Excess loss, `> 0`.

        Returns:
            The bound; `None` if nothing is promised.
        """
        positive("accuracy", accuracy)
        return None if self.guarantee is None else self.guarantee.time_to(accuracy)

    def lines(self) -> list[str]:
        """Return the certificate in words, a sentence a line."""
        lines = [f"{self.theorem}: {self.verdict}. {self.summary}"]
        for hypothesis in self.hypotheses:
            mended = hypothesis.mend and hypothesis.verdict is not Verdict.PROVED
            lines.append(
                f"  {hypothesis.line()}" + (f"; {hypothesis.mend}" if mended else "")
            )
        if self.guarantee is not None:
            lines.append(f"  promise: {self.guarantee.statement}")
        if self.promised is not None:
            lines.append(
                f"  excess loss {self.accuracy:.3g} within {_count(self.promised)} "
                f"{_unit(self.clock)}{self._told_observed()}"
            )
        if self.at_safe_step is not None:
            lines.append(f"  {self.told_safe_step()}")
        lines.append(f"  {self.source.line()} ({self.status})")
        return lines

    def told_safe_step(self) -> str:
        """Return what the theorem promises at its own step, in words; may be empty."""
        if self.at_safe_step is None:
            return ""
        return (
            f"at the theorem's own step {self.safe_step:.6g}: excess loss "
            f"{self.accuracy:.3g} within {_count(self.at_safe_step)} iterations"
        )

    def to_json(self) -> dict[str, Any]:
        """Return the certificate as plain values with stable keys."""
        return {
            "theorem": self.theorem,
            "verdict": str(self.verdict),
            "applies": self.applies,
            "hypotheses": [
                {
                    "name": h.name,
                    "verdict": str(h.verdict),
                    "slack": None if h.slack is None else [_plain(x) for x in h.slack],
                    "arithmetic": h.arithmetic,
                    "mend": h.mend,
                }
                for h in self.hypotheses
            ],
            "clock": self.clock,
            "promise": None if self.guarantee is None else self.guarantee.statement,
            "conserved": [] if self.guarantee is None else [*self.guarantee.conserved],
            "accuracy": self.accuracy,
            "promised": _plain(self.promised),
            "factor": _plain(self.factor),
            "rate": _plain(self.rate),
            "probability": _plain(self.probability),
            "step_size": self.step_size,
            "safe_step": self.safe_step,
            "at_safe_step": _plain(self.at_safe_step),
            "observed": {
                "kept": self.observed.kept,
                "time": _plain(self.observed.time),
                "looseness": _plain(self.observed.looseness),
                "drift": _plain(self.observed.drift),
            },
            "status": self.status,
            "source": self.source.line(),
        }

    def cite(self) -> str:
        """Return the BibTeX of the theorem's paper."""
        return bibliography([self.source])

    def _told_observed(self) -> str:
        if self.observed.time is None:
            return ""
        told = f"; observed {_count(self.observed.time)}"
        if self.observed.looseness is not None:
            told += f", {self.observed.looseness:.3g} times fewer"
        return told


def certify(
    theorem: str | AbstractTheorem,
    problem: Any,
    weights: Any = None,
    *,
    step_size: float | None = None,
    accuracy: float = 1e-6,
    path: Any = None,
    **fields: Any,
) -> Certificate:
    """Check a theorem's hypotheses rigorously, and state what it promises.

    The case is the problem, the weights and the step exactly as stored in float64;
    the promise is about exact arithmetic from there.

    Args:
        theorem: A name such as `arora2019.Convergence`, or a theorem object.
        problem: A `Problem` or a `Playground`.
        weights: The start; not needed by theorems about random starts.
        step_size: The step of descent, `> 0`; `None` for theorems about the flow,
            and for others to take the largest step they allow.
        accuracy: Excess loss the promised time is for, `> 0`.
        path: A recorded path to set beside the promise.
        **fields: Fields of the theorem, if it has any.

    Returns:
        The certificate; a hypothesis that fails is a verdict, not an exception.

    Raises:
        DomainError: If a number is out of its domain, the weights are missing, or the
            path starts elsewhere.

    Example:
        >>> from thalweg.problem.scalar import Playground
        >>> certificate = certify("flammarion2025.Convergence", Playground(2),
        ...                       [0.5, 0.5], step_size=0.16)
        >>> str(certificate.verdict), certificate.promised
        ('proved', 622.0)
    """
    if fields and not isinstance(theorem, str):
        raise DomainError("fields came with a theorem object; set them on the object.")
    chosen = shelf.make(theorem, **fields) if isinstance(theorem, str) else theorem
    name = _name(chosen)
    positive("accuracy", accuracy)
    if step_size is not None:
        positive("step_size", step_size)
    if weights is None and not chosen.about_draws:
        raise DomainError(f"{name} is about a given start; pass its weights.")
    start = None if weights is None else problem.check(weights)
    if path is not None and weights is not None:
        _check_start(path, start)
    safe = _safe_step(chosen, problem, start)
    step = float(step_size) if step_size is not None else safe
    checked, guarantee = _check(chosen, problem, start, step)
    verdict = _overall([entry.verdict for entry in checked])
    own = None
    if verdict is not Verdict.PROVED and safe is not None and safe != step:
        promise = _check(chosen, problem, start, safe)[1]
        own = None if promise is None else promise.time_to(accuracy)
    certificate = Certificate(
        theorem=name,
        summary=(type(chosen).__doc__ or "").partition("\n")[0],
        verdict=verdict,
        hypotheses=checked,
        clock=chosen.clock,
        guarantee=guarantee,
        accuracy=accuracy,
        promised=None if guarantee is None else guarantee.time_to(accuracy),
        step_size=step if chosen.clock == "iteration" else None,
        safe_step=safe,
        at_safe_step=own,
        status=chosen.status,
        source=chosen.source,
    )
    return certificate if path is None else compared(certificate, path)


def certify_all(
    problem: Any,
    weights: Any,
    *,
    step_size: float | None = None,
    accuracy: float = 1e-6,
    path: Any = None,
    std: float | None = None,
) -> list[Certificate]:
    """Check every theorem on the shelf against one case.

    Args:
        problem: A `Problem` or a `Playground`.
        weights: The start.
        step_size: As in `certify`.
        accuracy: As in `certify`.
        path: As in `certify`.
        std: Standard deviation of the start's end-to-end matrix, for theorems about
            random starts; they are left out without it.

    Returns:
        Certificates: proved ones first, the quickest promise leading; then those
        that nearly apply; last those about problems of another kind.
    """
    found = []
    for name in shelf:
        fields = {}
        if "std" in shelf.fields(name):
            if std is None:
                continue
            fields = {"std": std}
        found.append(
            certify(
                name,
                problem,
                weights,
                step_size=step_size,
                accuracy=accuracy,
                path=path,
                **fields,
            )
        )
    return sorted(found, key=_rank)


def compared(certificate: Certificate, path: Any) -> Certificate:
    """Return the certificate with a path's own figures beside the promise.

    Args:
        certificate: A certificate.
        path: A single recorded path from the certified start.

    Returns:
        The certificate, observed figures filled in. A descent says nothing of a
        promise about the flow, and the other way round, nor of one about another
        step; then it is unchanged.
    """
    if certificate.guarantee is None or not _is_about(certificate, path):
        return certificate
    excess = np.asarray(path["excess_loss"])
    bound = certificate.guarantee.bound_at(path.clock)
    reached = np.flatnonzero(excess <= certificate.accuracy)
    time = float(path.clock[reached[0]]) if reached.size else None
    promised = certificate.promised
    kept = None
    if bound is not None:
        # The path is computed in floats: below rounding it proves nothing.
        noise = 1e-12 * excess[0]
        kept = bool(np.all(excess <= bound + noise))
    return Certificate(
        **{
            **certificate.__dict__,
            "observed": Observed(
                kept=kept,
                time=time,
                looseness=promised / time if promised and time else None,
                drift=_drift(certificate.guarantee.conserved, path),
            ),
        }
    )


def _is_about(certificate: Certificate, path: Any) -> bool:
    """Return whether a path is the motion a certificate speaks of."""
    if path.batched or path.is_flow is not (certificate.clock == "flow time"):
        return False
    if path.is_flow:
        return True
    plain = path.settings["kind"] != "training" and not path.settings["momentum"]
    return plain and path.step_size == certificate.step_size


def _safe_step(theorem: AbstractTheorem, problem: Any, start: Any) -> float | None:
    """Return the theorem's own step, in finer arithmetic where float64 has none."""
    if not theorem.setting.holds(problem):
        return None
    step = theorem.safe_step(Case(problem, start, None, enclose))
    if step is not None:
        return step
    checked = theorem.hypotheses(Case(problem, start, None, enclose))
    if any(hypothesis.verdict is Verdict.REFUTED for hypothesis in checked):
        return None
    with balls.working_precision(PRECISION):
        return theorem.safe_step(Case(problem, start, None, balls))


def _check(
    theorem: AbstractTheorem, problem: Any, start: Any, step: float | None
) -> tuple[tuple[Checked, ...], Guarantee | None]:
    """Return the hypotheses, decided as far as possible, and the promise if proved.

    The promise is computed in balls of high precision, so that what was proved is
    never lost again to rounding.
    """
    if not theorem.setting.holds(problem):
        other = Hypothesis(f"it is {theorem.setting.name}", fact=False)
        return (_checked(other, "fact"),), None
    case = Case(problem, start, step, enclose)
    known = [_checked(h, "float64") for h in theorem.hypotheses(case)]
    for bits in PRECISIONS:
        if all(entry.verdict is not Verdict.UNDECIDED for entry in known):
            break
        with balls.working_precision(bits):
            case = Case(problem, start, step, balls)
            again = theorem.hypotheses(case)
            known = [_checked(h, f"balls, {bits} bits") for h in again]
    promise = None
    if all(entry.verdict is Verdict.PROVED for entry in known):
        with balls.working_precision(PRECISION):
            promise = theorem.guarantee(Case(problem, start, step, case.la))
    return tuple(known), promise


def _check_start(path: Any, start: Any) -> None:
    """Raise unless a path begins at the certified start."""
    theirs, ours = _leaves(path.start), _leaves(start)
    same = path.batched or (
        len(theirs) == len(ours) and all(map(np.array_equal, theirs, ours))
    )
    if not same:
        raise DomainError(
            "the path starts elsewhere than the weights; pass path.start, or another "
            "path."
        )


def _leaves(weights: Any) -> list[Any]:
    return list(weights) if isinstance(weights, tuple) else [weights]


def _checked(hypothesis: Hypothesis, arithmetic: str) -> Checked:
    return Checked(
        name=hypothesis.name,
        verdict=hypothesis.verdict,
        slack=hypothesis.interval,
        arithmetic="fact" if hypothesis.slack is None else arithmetic,
        mend=hypothesis.mend,
    )


def _overall(verdicts: Sequence[Verdict]) -> Verdict:
    for verdict in (Verdict.REFUTED, Verdict.UNDECIDED):
        if verdict in verdicts:
            return verdict
    return Verdict.PROVED


def _rank(certificate: Certificate) -> tuple[int, float]:
    order = (
        0 if certificate.verdict is Verdict.PROVED else 1 + (not certificate.applies)
    )
    promised = certificate.promised
    return order, float("inf") if promised is None else promised


def _drift(names: Sequence[str], path: Any) -> float | None:
    drifts = [
        float(np.max(np.abs(path[name] - path[name][0]), initial=0.0))
        for name in names
        if name in path.columns
    ]
    return max(drifts, default=None)


def _name(theorem: AbstractTheorem) -> str:
    kind = type(theorem)
    module = kind.__module__
    inside = module.removeprefix("thalweg.theorems.")
    own = inside.partition(".")[0] if inside != module else module.rpartition(".")[2]
    return f"{own}.{kind.__name__}"


def _unit(clock: str) -> str:
    return "iterations" if clock == "iteration" else "units of flow time"


def _count(value: float) -> str:
    return (
        f"{value:,.0f}"
        if float(value).is_integer() and value < 1e15
        else f"{value:.6g}"
    )


def _interval(bounds: tuple[float, float]) -> str:
    lo, hi = (end + 0.0 for end in bounds)
    return f"{lo:.6g}" if f"{lo:.6g}" == f"{hi:.6g}" else f"in [{lo:.6g}, {hi:.6g}]"


def _plain(value: float | None) -> float | str | None:
    """JSON has no infinities: write them as text."""
    if value is None or np.isfinite(value):
        return None if value is None else float(value)
    return str(value)
