"""Theorem x case -> certificate: hypotheses proved, promise beside observation."""

from dataclasses import replace
from typing import Any

import numpy as np

from thalweg._core.errors import DomainError, at_least_zero, positive
from thalweg.problem.samples import SampleProblem
from thalweg.theorems import shelf
from thalweg.theorems._base import AbstractTheorem, Case, Kind, Verdict
from thalweg.theorems._certificate import Certificate
from thalweg.theorems._compared import compared
from thalweg.theorems._proving import own_step, prove

__all__ = ["Certificate", "certify", "certify_all", "compared"]

_KINDS = tuple(Kind)


def certify(
    theorem: str | AbstractTheorem,
    problem: Any,
    weights: Any = None,
    *,
    step_size: float | None = None,
    accuracy: float = 1e-6,
    path: Any = None,
    radius: float = 0.0,
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
        radius: Certify every start within this distance of the weights, `>= 0`, in
            Frobenius norm layer by layer; see `shadow` for what rounding makes of it.
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
    if isinstance(problem, SampleProblem):
        _ = problem.data  # says that there are none, and what is needed
    if weights is None and not chosen.about_draws:
        raise DomainError(f"{name} is about a given start; pass its weights.")
    case = Case(
        problem,
        None if weights is None else problem.check(weights),
        radius=at_least_zero("radius", radius),
    )
    if path is not None and weights is not None:
        _check_start(path, case.start)
    safe = own_step(chosen, case)
    step = float(step_size) if step_size is not None else safe
    case = replace(case, step_size=step)
    proof = prove(chosen, case)
    own = None
    if proof.verdict is not Verdict.PROVED and safe is not None and safe != step:
        promise = prove(chosen, replace(case, step_size=safe)).guarantee
        own = None if promise is None else promise.time_to(accuracy)
    promise = proof.guarantee
    certificate = Certificate(
        theorem=name,
        summary=(type(chosen).__doc__ or "").partition("\n")[0],
        verdict=proof.verdict,
        hypotheses=proof.hypotheses,
        clock=chosen.clock,
        kind=chosen.kind,
        guarantee=promise,
        conclusions=proof.conclusions,
        accuracy=accuracy,
        promised=None if promise is None else promise.time_to(accuracy),
        step_size=step if chosen.clock == "iteration" else None,
        safe_step=safe,
        at_safe_step=own,
        status=chosen.status,
        source=chosen.source,
        case=case,
        subject=chosen,
    )
    return certificate if path is None else compared(certificate, path)


def certify_all(
    problem: Any,
    weights: Any,
    *,
    step_size: float | None = None,
    accuracy: float = 1e-6,
    path: Any = None,
    radius: float = 0.0,
    std: float | None = None,
    drawn_by: str = "balanced",
) -> list[Certificate]:
    """Check every theorem on the shelf against one case.

    Args:
        problem: A `Problem` or a `Playground`.
        weights: The start.
        step_size: As in `certify`.
        accuracy: As in `certify`.
        path: As in `certify`.
        radius: As in `certify`.
        std: Standard deviation the start was drawn with, for theorems about random
            starts; they are left out without it.
        drawn_by: The init that drew it: `balanced`, where `std` is that of the
            end-to-end matrix, or `gaussian`.

    Returns:
        Certificates: proved ones first, the quickest promise leading; then those
        that nearly apply; last those about problems of another kind.
    """
    found = []
    entries: list[tuple[str, Any]] = [(name, shelf.entry(name)) for name in shelf]
    for name, entry in entries:
        asked = entry.drawn_by
        if asked and (std is None or asked != drawn_by):
            continue
        fields = {"std": std} if asked else {}
        found.append(
            certify(
                name,
                problem,
                weights,
                step_size=step_size,
                accuracy=accuracy,
                path=path,
                radius=radius,
                **fields,
            )
        )
    return sorted(found, key=_rank)


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


def _rank(certificate: Certificate) -> tuple[Any, ...]:
    """Return what to sort by: proved ones, then the nearest; convergence, soonest."""
    proved = certificate.verdict is Verdict.PROVED
    far = 0 if proved else 1 + (not certificate.applies)
    promised = certificate.promised if proved else certificate.at_safe_step
    return (
        far,
        0 if proved else len(certificate.failing),
        float("inf") if promised is None else promised,
        _KINDS.index(certificate.kind),
        certificate.clock != "iteration",
        certificate.theorem,
    )


def _name(theorem: AbstractTheorem) -> str:
    kind = type(theorem)
    module = kind.__module__
    inside = module.removeprefix("thalweg.theorems.")
    own = inside.partition(".")[0] if inside != module else module.rpartition(".")[2]
    return f"{own}.{kind.__name__}"
