"""A certificate as a file that stands alone, for `thalweg.checker` to check again.

Every number that a proof rests on is written as the exact binary rational it is, in
C99 hexadecimal. Every member has its SHA-256 in `digests`, so that a change of one
bit is told by the name of what was changed; what is claimed is then proved anew.
"""

import dataclasses
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from thalweg._core.errors import DomainError
from thalweg._core.store import write_whole
from thalweg.linalg import balls
from thalweg.problem.problem import Problem
from thalweg.problem.scalar import Playground
from thalweg.theorems._base import Verdict

FORMAT, VERSION = "thalweg certificate", 1

INLINE = 20_000
"""Most weights written into the file itself; more go to a file of bytes beside it."""


def save(certificate: Any, file: str | os.PathLike[str]) -> Path:
    """Write a proved certificate to a file that can be checked without Thalweg.

    Args:
        certificate: One that is proved, about a linear network or the playground.
        file: Where to; replaced. A start of many weights is written beside it, with
            the ending `.bin`.

    Returns:
        The file.

    Raises:
        DomainError: If nothing is proved, or the problem has no plain form.
        StoreError: If it cannot be written.
    """
    if certificate.verdict is not Verdict.PROVED:
        raise DomainError(
            f"{certificate.theorem} is {certificate.verdict}; only a proved "
            "certificate makes a file."
        )
    final = Path(file)
    start, data = _start(certificate, final)
    members = {
        **_head(certificate),
        "problem": _problem(certificate.case.problem),
        "start": start,
        "step_size": _hex(certificate.step_size),
        "hypotheses": [
            {
                "name": entry.name,
                "strict": entry.strict,
                "verdict": str(entry.verdict),
                "slack": None if entry.slack is None else [*map(_hex, entry.slack)],
            }
            for entry in certificate.hypotheses
        ],
        "promise": _promise(certificate),
    }
    members["digests"] = digests(members)
    if data is not None:
        write_whole(final.with_suffix(".bin"), data)
    text = json.dumps(members, indent=1, allow_nan=False) + "\n"
    write_whole(final, text.encode())
    return final


def digests(members: dict[str, Any]) -> dict[str, str]:
    """Return the SHA-256 of every member's canonical JSON, the head's as `rest`.

    Args:
        members: The file's members.

    Returns:
        Hexadecimal digests by name.
    """
    parts = ("problem", "start", "step_size", "hypotheses", "promise")
    rest = {k: v for k, v in members.items() if k not in (*parts, "digests")}
    told = {**{part: members[part] for part in parts}, "rest": rest}
    return {name: _digest(value) for name, value in told.items()}


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _head(certificate: Any) -> dict[str, Any]:
    subject = certificate.subject
    fields = {f.name: getattr(subject, f.name) for f in dataclasses.fields(subject)}
    return {
        "format": FORMAT,
        "version": VERSION,
        "theorem": certificate.theorem,
        "fields": {
            k: _hex(v) if isinstance(v, float) else v for k, v in fields.items()
        },
        "radius": _hex(certificate.case.radius),
        "accuracy": _hex(certificate.accuracy),
        "verdict": str(certificate.verdict),
    }


def _problem(problem: Any) -> dict[str, Any]:
    if isinstance(problem, Playground):
        return {"kind": "playground", "depth": problem.depth}
    if not isinstance(problem, Problem):
        raise DomainError(
            f"a {type(problem).__name__} has no certificate file yet; only linear "
            "networks with squared loss and the playground have."
        )
    data = problem.data
    return {
        "kind": "linear network",
        "widths": list(problem.net.widths),
        "inputs_factor": None if data.is_whitened else _matrix(data.inputs_factor),
        "labels_factor": _matrix(data.labels_factor),
    }


def _start(certificate: Any, file: Path) -> tuple[Any, bytes | None]:
    """Return what is written of the start, and the bytes to write beside the file."""
    case = certificate.case
    if case.start is None:
        return None, None
    layers = [
        np.asarray(layer, dtype="<f8") for layer in case.problem.chain(case.start)
    ]
    if sum(layer.size for layer in layers) <= INLINE:
        return {"layers": [_matrix(layer) for layer in layers]}, None
    data = b"".join(layer.tobytes() for layer in layers)
    told = {
        "shapes": [list(layer.shape) for layer in layers],
        "file": file.with_suffix(".bin").name,
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    return told, data


def _promise(certificate: Any) -> dict[str, Any]:
    promise = certificate.guarantee
    return {
        "statement": "" if promise is None else promise.statement,
        "clock": certificate.clock,
        "promised": _hex(certificate.promised),
        "factor": _hex(certificate.factor),
        "rate": _hex(certificate.rate),
        "floor": _hex(certificate.floor),
        "probability": _hex(certificate.probability),
        "values": {
            name: [*map(_hex, balls.bounds(ball))]
            for name, ball in (promise.values if promise else {}).items()
        },
    }


def _matrix(array: Any) -> list[list[str]]:
    return [[float(x).hex() for x in row] for row in np.asarray(array)]


def _hex(value: float | None) -> str | None:
    return None if value is None else float(value).hex()
