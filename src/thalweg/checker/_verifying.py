"""From a certificate file to a verdict on it."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flint import ctx

from ._balls import PRECISION
from ._case import Case
from ._claims import compare
from ._reading import Contents, Refused, read
from ._theorems import THEOREMS


@dataclass(frozen=True)
class Verified:
    """Whether a certificate file proves what it claims.

    Attributes:
        ok: Whether it does.
        theorem: Which theorem it is about; empty if the file was not read so far.
        lines: What was checked, as far as it went.
        failure: The line that fails and why; `None` if none does.
    """

    ok: bool
    theorem: str = ""
    lines: tuple[str, ...] = ()
    failure: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as plain numbers, texts and lists."""
        return {
            "ok": self.ok,
            "theorem": self.theorem,
            "lines": list(self.lines),
            "failure": self.failure,
        }


def verify(file: str | os.PathLike[str]) -> Verified:
    """Check a certificate file again, from its exact values.

    Args:
        file: The file; a start kept in a file of its own is looked for beside it.

    Returns:
        The verdict. Whatever is wrong with the file is a result, never an error.
    """
    theorem, lines, failure = "", [], None
    try:
        contents = read(Path(file))
        theorem = contents.theorem
        lines.append("the file is whole, and no member was changed")
        lines.extend(_checked(contents))
    except Refused as refusal:
        failure = str(refusal)
    except (ArithmeticError, ValueError, RecursionError, MemoryError) as error:
        failure = f"the checker could not follow the file: {error}."
    return Verified(failure is None, theorem, tuple(lines), failure)


def _checked(contents: Contents) -> Iterator[str]:
    if contents.theorem not in THEOREMS:
        raise Refused(
            f"theorem: this checker knows no theorem {contents.theorem!r}; it knows "
            f"{', '.join(sorted(THEOREMS))}."
        )
    with ctx.workprec(PRECISION):
        case = Case(contents)
        yield from compare(case, THEOREMS[contents.theorem](case))
