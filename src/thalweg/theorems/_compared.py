"""What a recorded path did, beside what a certificate promises of it."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from thalweg.linalg import balls
from thalweg.theorems._base import Guarantee
from thalweg.theorems._certificate import Certificate, Observed

NOISE = 1e-12
"""Of the loss at the start: below it a path in floats proves nothing."""


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
    promise = certificate.guarantee
    if promise is None or not is_about(certificate, path):
        return certificate
    excess = np.asarray(path["excess_loss"])
    reached = np.flatnonzero(excess <= certificate.accuracy)
    time = float(path.clock[reached[0]]) if reached.size else None
    promised = certificate.promised
    checks = dict(_checks(promise, path, excess))
    observed = Observed(
        kept=all(checks.values()) if checks else None,
        time=time,
        looseness=promised / time if promised and time else None,
        drift=_drift(promise.conserved, path),
        deviation=_deviation(promise.predictions, path),
        broken=tuple(name for name, kept in checks.items() if not kept),
    )
    return replace(certificate, observed=observed)


def is_about(certificate: Certificate, path: Any) -> bool:
    """Return whether a path is the motion a certificate speaks of."""
    if path.batched or path.is_flow is not (certificate.clock == "flow time"):
        return False
    if path.is_flow:
        return True
    plain = path.settings["kind"] != "training" and not path.settings["momentum"]
    return plain and path.step_size == certificate.step_size


def _checks(
    promise: Guarantee, path: Any, excess: np.ndarray
) -> Iterator[tuple[str, bool]]:
    """Yield for every promise about a column whether its records keep it."""
    noise = NOISE * excess[0]
    bound = promise.bound_at(path.clock)
    if bound is not None:
        yield "excess_loss", bool(np.all(excess <= bound + noise))
    if promise.floor is not None:
        low = balls.bounds(promise.floor)[0]
        yield "excess_loss, floor", bool(np.all(excess >= low - noise))
    if promise.lower is not None:
        least = promise.lower(np.asarray(path.clock, dtype=np.float64))
        yield "excess_loss, lower bound", bool(np.all(excess >= least - noise))
    for kept in promise.kept:
        if kept.measure in path.columns:
            column = path[kept.measure]
            size = float(np.max(np.abs(column), initial=0.0))
            yield kept.measure, kept.holds(column, NOISE * size)


def _drift(names: tuple[str, ...], path: Any) -> float | None:
    drifts = [
        float(np.max(np.abs(path[name] - path[name][0]), initial=0.0))
        for name in names
        if name in path.columns
    ]
    return max(drifts, default=None)


def _deviation(predictions: Mapping[str, Any], path: Any) -> float | None:
    found = []
    for name, course in predictions.items():
        if name in path.columns:
            column = np.asarray(path[name])
            gap = np.abs(column - course(np.asarray(path.clock, dtype=np.float64)))
            size = float(np.max(np.abs(column), initial=0.0))
            found.append(float(np.max(gap, initial=0.0)) / (size or 1.0))
    return max(found, default=None)
