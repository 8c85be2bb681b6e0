"""What a command prints: tables for people, one JSON object for programs."""

import json
import sys
from collections.abc import Sequence
from contextvars import ContextVar
from math import isfinite
from typing import Any

from thalweg._core.errors import DomainError
from thalweg._core.outcome import Outcomes

COMMAND: ContextVar[str] = ContextVar("COMMAND", default="thalweg")
"""The command line being carried out."""


def say(text: str = "") -> None:
    """Print a line as it is, whatever the width of the terminal."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def say_json(value: Any) -> None:
    """Print one JSON object; numbers JSON has not are written as text."""
    say(json.dumps(plain(value), indent=2, allow_nan=False, ensure_ascii=False))


def show(renderable: Any) -> None:
    """Print something rich draws."""
    from rich.console import Console

    Console(soft_wrap=False, highlight=False).print(renderable)


def plain(value: Any) -> Any:
    """Return a value as JSON can write it, infinities and NaN as text.

    Example:
        >>> plain({"loss": float("inf"), "window": (1, 2.5)})
        {'loss': 'inf', 'window': [1, 2.5]}
    """
    if isinstance(value, dict):
        return {str(key): plain(entry) for key, entry in value.items()}
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, bool | int | str | None):
        return value
    if isinstance(value, float):
        return value if isfinite(value) else str(value)
    return str(value)


def problem_record(problem: Any) -> dict[str, Any]:
    """Return a problem for programs.

    Keys: `kind` (`linear` or `playground`), `widths`, `target_singular_values`,
    `constant` (loss no linear map removes), `infimum` (loss the bottleneck costs on
    top), `least_loss` (their sum), `rank` (of the inputs), `optimum_rank`,
    `samples` (`null` if unknown), `whitened`, `preparation` (sentences).

    Args:
        problem: A `Problem` or a `Playground`.

    Returns:
        The record.
    """
    data = getattr(problem, "data", None)
    record: dict[str, Any] = {
        "kind": "playground" if data is None else "linear",
        "widths": problem.net.widths,
        "target_singular_values": problem.target_singular_values,
        "constant": 0.0 if data is None else data.constant,
        "infimum": problem.infimum,
        "least_loss": problem.floor,
        "rank": 1 if data is None else data.rank,
        "optimum_rank": 1 if data is None else problem.optimum.rank,
        "samples": None if data is None else data.samples,
        "whitened": data is None or data.is_whitened,
        "preparation": [] if data is None else data.preparation.lines(),
    }
    return plain(record)


def run_record(
    path: Any,
    certificates: Sequence[Any],
    files: dict[str, Any],
    seconds: float,
) -> dict[str, Any]:
    """Return a run for programs.

    Keys: `command`, `seed`, `data`, `init` (`null` where not noted), `problem` (see
    `problem_record`), `settings` (as a settings file spells them), `step_size`,
    `outcome` (`status`, `iteration`, `time`, `loss`, `excess_loss`, `message`),
    `rate` (`kind`, `rate`, `uncertainty`, `window`, `records`, `unit`, or `null`),
    `leaps` (what was leapt over, and the `error` of a weight; `null` for true
    steps), `compressed` (`widths` of the net that moved, `neglected`; or `null`),
    `certificates` (each as `Certificate.to_json`), `files` (`run`, `page`,
    `figures`), `seconds`. A saved batch has lists for `outcome` and `rate`.

    Args:
        path: The path, notes and all.
        certificates: Its certificates.
        files: What was written.
        seconds: How long it took.

    Returns:
        The record.
    """
    noted = path.notes
    several = isinstance(path.outcome, Outcomes)
    return {
        "command": noted.get("command"),
        "seed": noted.get("seed"),
        "data": noted.get("data"),
        "init": noted.get("init"),
        "problem": problem_record(path.problem),
        "settings": noted.get("settings", path.settings),
        "step_size": path.step_size,
        "outcome": [one.to_json() for one in path.outcome]
        if several
        else path.outcome.to_json(),
        "rate": [_rate(path.run(k)) for k in range(path.runs)]
        if several
        else _rate(path),
        "leaps": _leaps(path),
        "compressed": noted.get("compressed"),
        "certificates": [one.to_json() for one in certificates],
        "files": files,
        "seconds": round(seconds, 3),
    }


def _leaps(path: Any) -> Any:
    """Return what was leapt over, with the error; `None` for true steps."""
    if "leaps" not in path.notes:
        return None
    return plain({**path.notes["leaps"], "error": path.error})


def summary(path: Any, certificates: Sequence[Any]) -> Any:
    """Return the terminal summary of a run."""
    from thalweg.report.table import summary as drawn

    return drawn(path, certificates)


def write_page(path: Any, certificates: Sequence[Any], file: Any) -> str:
    """Return where a run's page lies, written now."""
    from thalweg.report.page import page

    return str(page(path, *certificates).save(file))


def write_figures(
    path: Any, certificates: Sequence[Any], folder: Any, formats: Sequence[str]
) -> list[str]:
    """Return where a run's figures lie, written now."""
    from thalweg.report.figure import save_figures

    return [str(file) for file in save_figures(path, folder, formats, certificates)]


def _rate(path: Any) -> dict[str, Any] | None:
    try:
        return dict(vars(path.rate()))
    except DomainError:
        return None
