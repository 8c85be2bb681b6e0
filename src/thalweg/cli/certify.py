"""`thalweg certify`: which theorems apply, and what they promise."""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from thalweg._core.errors import ConfigError
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
    out: Annotated[Path | None, Parameter(group=RECORD, show_default=False)] = None,
    looseness: Annotated[bool, Parameter(group=RECORD, negative=())] = False,
    draws: Annotated[int | None, Parameter(group=RECORD, show_default=False)] = None,
    json: Annotated[bool, Parameter(group=RECORD, negative=())] = False,
) -> int:
    """Certify what theory promises of a start and a step; nothing is run.

    Without a step size each theorem takes the largest step it allows.

    Args:
        file: Settings as TOML, as for `run`; options win. Or the folder of a saved run:
            what could be promised along it, and when.
        posing: What is learned.
        theorem: Only this theorem. Repeatable.
        explain: Say in words what applies, what nearly does, and what would mend it;
            for single theorems print their full statement too.
        out: Write every proved certificate to a file in this folder, for `verify`.
        looseness: Run every theorem at its own step until its promise is due, and
            set promised beside observed iterations.
        draws: Draw starts this often for promises about chance, and count how often
            they come true.
        json: Print one JSON object and nothing else.

    Returns:
        The exit code: 0, whatever the verdicts.
    """
    from dataclasses import replace

    from thalweg.cli.reading import read

    if file is not None and file.is_dir():
        others = {
            "theorem": theorem, "explain": explain, "out": out, "looseness": looseness,
            "draws": draws,
        }  # fmt: skip
        return _along(file, posing, others, json)
    if theorem:
        names = ", ".join(f'"{name}"' for name in theorem)
        posing = replace(posing, set=(*posing.set, f"theorems=[{names}]"))
    reading = read(file, posing, runs=False)
    with Watch(not json) as watch:
        from thalweg.request.posing import certificates, pose, step_of

        settings = reading.settings
        posed = pose(settings)
        watch.phase("certifying")
        step = step_of(settings, posed) if "step_size" in reading.given else None
        found = certificates(settings, posed.problem, posed.weights, step_size=step)
        asked = _Asked(
            found,
            statements=explain and bool(theorem),
            told=_explained(found) if explain else None,
            loose=_looseness(found, posed) if looseness else None,
            chances=None if draws is None else _chances(found, posed.problem, draws),
            files=None if out is None else _saved(found, out),
        )
    if json:
        telling.say_json(asked.record())
    else:
        asked.say()
    return 0


def _along(folder: Path, posing: Posing, others: dict[str, Any], json: bool) -> int:
    """Certify a saved run along its path."""
    asked = {**vars(posing), **others}
    given = {k for k, value in asked.items() if value not in (None, (), False)}
    if given - {"accuracy"}:
        raise ConfigError(
            f"{folder} is a saved run, certified along its own path; leave out "
            f"{', '.join(_option(name) for name in sorted(given - {'accuracy'}))}."
        )
    with Watch(not json) as watch:
        from thalweg.beside.along import certify_path
        from thalweg.motion.path import Path as Run

        path = Run.load(folder)
        watch.phase("certifying")
        accuracy = posing.accuracy or path.settings.get("accuracy") or 1e-6
        found = certify_path(path, accuracy=_number(accuracy))
    if json:
        telling.say_json({"path": found.to_json()})
    else:
        for line in found.lines():
            telling.say(line)
    return 0


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _number(text: Any) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise ConfigError(f"accuracy is '{text}'; pass a number above 0.") from error


@dataclass(frozen=True)
class _Asked:
    """What was asked for, found; `None` where it was not asked for."""

    found: Sequence[Any]
    statements: bool
    told: Any
    loose: list[Any] | None
    chances: dict[str, Any] | None
    files: list[str] | None

    def record(self) -> dict[str, Any]:
        record: dict[str, Any] = {"certificates": [one.to_json() for one in self.found]}
        if self.told is not None:
            record["explanation"] = self.told.to_json()
        if self.loose is not None:
            record["looseness"] = [one.to_json() for one in self.loose]
        if self.chances is not None:
            record["chances"] = {k: one.to_json() for k, one in self.chances.items()}
        if self.files is not None:
            record["files"] = self.files
        return record

    def say(self) -> None:
        if self.told is not None and not self.statements:
            for line in self.told.lines():
                telling.say(line)
        else:
            _say_each(self.found, self.told)
        for one in self.loose or ():
            telling.say(one.line())
        for name, one in (self.chances or {}).items():
            telling.say(f"{name}: {one.line()}")
        for file in self.files or ():
            telling.say(f"certificate: {file}")
        if self.files == []:
            telling.say("nothing is proved here, so no certificate was written")


def _looseness(found: Sequence[Any], posed: Any) -> list[Any]:
    from thalweg.beside.looseness import looseness
    from thalweg.theorems._base import Kind

    subjects = [
        one.subject
        for one in found
        if one.kind is Kind.CONVERGENCE and not one.subject.about_draws
    ]
    if not subjects:
        return []
    return looseness(
        posed.problem, posed.weights, theorems=subjects, accuracy=found[0].accuracy
    )


def _chances(found: Sequence[Any], problem: Any, draws: int) -> dict[str, Any]:
    from thalweg.theorems._base import Kind
    from thalweg.theorems._chance import monte_carlo

    return {
        one.theorem: monte_carlo(one.subject, problem, draws=draws)
        for one in found
        if one.kind is Kind.CHANCE and one.applies
    }


def _explained(found: Sequence[Any]) -> Any:
    from thalweg.theorems._explain import explain

    return explain(found)


def _say_each(found: Sequence[Any], told: Any) -> None:
    """Print every certificate; with an explanation, statements and mends too."""
    for one in found:
        for line in one.lines():
            telling.say(line)
        if told is not None:
            for line in _statement(one):
                telling.say(f"    {line}".rstrip())
            for near, changes in told.nearly:
                for change in changes if near is one else ():
                    telling.say(f"  mend: {change.line()}")
        telling.say()


def _saved(found: Sequence[Any], out: Path) -> list[str]:
    """Write what is proved, a file each; return the files."""
    from thalweg.theorems._base import Verdict

    return [
        str(one.save(out / f"{one.theorem}.json"))
        for one in found
        if one.verdict is Verdict.PROVED
    ]


def _statement(certificate: Any) -> list[str]:
    """Return the theorem's statement, below its first line."""
    from thalweg.theorems import shelf

    text = inspect.getdoc(shelf.entry(certificate.theorem)) or ""
    return text.partition("\n")[2].strip().splitlines()
