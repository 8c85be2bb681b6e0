"""`thalweg verify`: check a certificate file again, independently."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from thalweg._core.errors import StoreError
from thalweg.cli import telling


def verify(
    file: Path,
    /,
    *,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Check a certificate file with a small checker that shares no code with the rest.

    Args:
        file: As `certify --out` wrote it.
        json: Print one JSON object and nothing else.

    Returns:
        The exit code: 0 if the file proves what it claims, 2 if not.

    Raises:
        StoreError: If it does not, with the line that fails.
    """
    from thalweg.checker import verify as check

    found = check(file)
    if json:
        telling.say_json(found.to_json())
    elif found.ok:
        for line in found.lines:
            telling.say(line)
        telling.say(f"{file}: {found.theorem} is proved.")
    else:
        raise StoreError(f"{file}: {found.failure}")
    return 0 if found.ok else 2
