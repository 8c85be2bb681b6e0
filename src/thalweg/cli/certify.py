"""`thalweg certify`: which theorems apply, and what they promise."""

import inspect
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from thalweg.cli import telling
from thalweg.cli.options import NO_POSING, RECORD, Posing
from thalweg.cli.progress import Watch


def certify(
    file: Path | None = None,
    /,
    *,
    posing: Posing = NO_POSING,
    theorem: Annotated[
        tuple[str, ...], Parameter(group=RECORD, negative=(), show_default=False)
    ] = (),
    explain: Annotated[bool, Parameter(group=RECORD, negative=())] = False,
    json: Annotated[bool, Parameter(group=RECORD, negative=())] = False,
) -> int:
    """Certify what theory promises of a start and a step; nothing is run.

    Without a step size each theorem takes the largest step it allows.

    Args:
        file: Settings as TOML, as for `run`. Options win.
        posing: What is learned.
        theorem: Only this theorem. Repeatable.
        explain: Print the full statement of each theorem too.
        json: Print one JSON object and nothing else.

    Returns:
        The exit code: 0, whatever the verdicts.
    """
    from dataclasses import replace

    from thalweg.cli.reading import read

    if theorem:
        names = ", ".join(f'"{name}"' for name in theorem)
        posing = replace(posing, set=(*posing.set, f"theorems=[{names}]"))
    reading = read(file, posing, runs=False)
    with Watch(not json) as watch:
        from thalweg.cli.posing import certificates, pose, step_of

        settings = reading.settings
        posed = pose(settings)
        watch.phase("certifying")
        step = step_of(settings, posed) if "step_size" in reading.given else None
        found = certificates(settings, posed.problem, posed.weights, step_size=step)
    if json:
        telling.say_json({"certificates": [one.to_json() for one in found]})
        return 0
    for one in found:
        for line in one.lines():
            telling.say(line)
        if explain:
            for line in _statement(one):
                telling.say(f"    {line}".rstrip())
        telling.say()
    return 0


def _statement(certificate: Any) -> list[str]:
    """Return the theorem's statement, below its first line."""
    from thalweg.theorems import shelf

    text = inspect.getdoc(shelf.entry(certificate.theorem)) or ""
    return text.partition("\n")[2].strip().splitlines()
