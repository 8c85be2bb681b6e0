"""`thalweg basins`: which starts lead where."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from thalweg._core.errors import ConfigError
from thalweg.cli import telling
from thalweg.cli.options import MOTION, NO_POSING, RECORD, Posing
from thalweg.cli.place import check
from thalweg.cli.progress import Watch

UNBOUNDED = "unbounded"
"""In place of a file: the example whose flow runs off to infinity."""

PICTURE = "plane.svg"

PLANE = "--plane, whose starts are a grid"
TABLE = "a table of several settings, which keeps no single result"


def basins(
    file: Path | None = None,
    /,
    *,
    posing: Posing = NO_POSING,
    runs: Annotated[int | None, Parameter(group=MOTION, show_default=False)] = None,
    iterations: Annotated[int, Parameter(group=MOTION)] = 100_000,
    beyond: Annotated[int | None, Parameter(group=MOTION, show_default=False)] = None,
    flow: Annotated[bool, Parameter(group=MOTION, negative=())] = False,
    stds: Annotated[str | None, Parameter(group=MOTION, show_default=False)] = None,
    depths: Annotated[str | None, Parameter(group=MOTION, show_default=False)] = None,
    widths: Annotated[str | None, Parameter(group=MOTION, show_default=False)] = None,
    plane: Annotated[int | None, Parameter(group=RECORD, show_default=False)] = None,
    extent: Annotated[float, Parameter(group=RECORD)] = 2.0,
    out: Annotated[Path | None, Parameter(group=RECORD, show_default=False)] = None,
    resume: Annotated[Path | None, Parameter(group=RECORD, show_default=False)] = None,
    overwrite: Annotated[bool, Parameter(group=RECORD, negative=())] = False,
    json: Annotated[bool, Parameter(group=RECORD, negative=())] = False,
) -> int:
    """Follow many starts, and say where each of them ends.

    Every run takes a step of its own that never lets its loss rise, unless a step size
    is given. What cannot be decided within the budget is reported as undecided.

    Args:
        file: Settings as TOML, as for `run`; options win. Or the word unbounded: the
            flow of z^2 exp(-x - x^3/3), whose starts beyond an exact threshold run off
            to infinity.
        posing: What is learned, and how starts are drawn: gaussian if not said.
        runs: How many starts; 10,000 if not given.
        iterations: Most iterations of a run.
        beyond: Follow what is still undecided by leaps, up to this iteration.
        flow: Take steps so small that the runs are nearly the gradient flow.
        stds: A row for each of these standard deviations: 0.1,0.5,1.
        depths: For each of these numbers of layers: 2,3,4.
        widths: And for each of these hidden widths: 2,8.
        plane: Instead of drawing starts, take so many by so many in a plane: the
            playground's own at depth two, else one through the origin, drawn by the
            seed. With --out a picture is drawn.
        extent: Half the side of the plane.
        out: Folder of the result; chunks are kept as they are finished.
        resume: Folder of an earlier result of the same settings: go on there.
        overwrite: Replace an earlier result in --out.
        json: Print one JSON object and nothing else.

    Returns:
        The exit code: 0, or 130 if it was interrupted.
    """
    if str(file) == UNBOUNDED:
        followed = {"--beyond": beyond, "--flow": flow or None, "--stds": stds,
                    "--depths": depths, "--widths": widths, "--plane": plane,
                    "--out": out, "--resume": resume}  # fmt: skip
        return _unbounded(posing, followed, runs, json)
    from thalweg.cli.reading import read

    if file is None and posing.init is None and posing.start is None:
        posing = replace(posing, init="gaussian")
    reading = read(file, posing, runs=False)
    if out is not None:
        check(str(out), overwrite)
    with Watch(not json) as watch:
        problem, common = _posed(reading, flow, iterations, watch)
        settings = reading.settings
        if stds or depths or widths:
            _check_alone(TABLE, {"--plane": plane, "--out": out, "--resume": resume})
            options = {**common, "runs": runs, "beyond": beyond}
            asked = {"stds": stds, "depths": depths, "widths": widths}
            return _told_rows(_table(problem, settings, options, asked), json)
        if plane is not None:
            _check_alone(
                PLANE, {"--runs": runs, "--beyond": beyond, "--resume": resume}
            )
            found, files = _plane(problem, settings.seed, (plane, extent), common, out)
        else:
            more = {"runs": runs, "beyond": beyond, "out": out, "resume": resume}
            found = _followed(problem, settings, {**common, **more})
            files = [str(folder) for folder in [out or resume] if folder]
    return tell(found, files, json)


def _posed(
    reading: Any, flow: bool, iterations: int, watch: Watch
) -> tuple[Any, dict[str, Any]]:
    """Return the problem, and the options that every kind of result takes."""
    from thalweg.request.posing import problem_of, step_of_starts

    settings, given = reading.settings, reading.given
    return problem_of(settings)[0], {
        "method": "flow" if flow else "descent",
        "step_size": step_of_starts(settings) if "step_size" in given else None,
        "iterations": iterations,
        "accuracy": settings.accuracy if "accuracy" in given else None,
        "on_progress": watch.basins,
    }


def tell(found: Any, files: list[str], json: bool) -> int:
    """Print where starts end, and return the exit code."""
    if json:
        telling.say_json({**found.to_json(), "files": files})
    elif hasattr(found, "table"):
        from thalweg.report.landscape import basins_table

        telling.show(basins_table(found))
    else:
        for line in found.lines():
            telling.say(line)
    for written in [] if json else files:
        telling.say(f"written: {written}")
    return 130 if found.interrupted else 0


def _followed(problem: Any, settings: Any, options: dict[str, Any]) -> Any:
    from thalweg.landscape.basins import basins as follow
    from thalweg.request.posing import init_of

    return follow(problem, init_of(settings, problem), seed=settings.seed, **options)


def _plane(
    problem: Any, seed: int, grid: tuple[int, float], options: Any, out: Path | None
) -> tuple[Any, list[str]]:
    from thalweg.landscape.planes import slice_basins

    size, extent = grid
    found = slice_basins(problem, seed=seed, size=size, extent=extent, **options)
    if out is None:
        return found, []
    from thalweg.report.basin_map import basin_map
    from thalweg.report.figure import save_figure

    found.save(out)
    return found, [str(out), str(save_figure(basin_map(found), out / PICTURE))]


def _table(
    problem: Any, settings: Any, options: dict[str, Any], asked: dict[str, str | None]
) -> list[Any]:
    from thalweg.landscape.basin_table import basin_table

    kinds = {"stds": float, "depths": int, "widths": int}
    given = {
        name: _numbers(name, text, kinds[name])
        for name, text in asked.items()
        if text is not None
    }
    init = "gaussian" if settings.init is None else settings.init.name
    return basin_table(problem, init, seed=settings.seed, **given, **options)


def _numbers(name: str, text: str, kind: type) -> list[Any]:
    try:
        return [kind(part) for part in text.split(",")]
    except ValueError as error:
        raise ConfigError(
            f"--{name} is '{text}'; write numbers with commas between, as 1,2,3."
        ) from error


def _told_rows(rows: list[Any], json: bool) -> int:
    if json:
        telling.say_json({"rows": [row.to_json() for row in rows]})
    else:
        from thalweg.report.landscape import settings_table

        telling.show(settings_table(rows))
    return 130 if any(row.found.interrupted for row in rows) else 0


def _check_alone(what: str, others: dict[str, Any]) -> None:
    came = [name for name, value in others.items() if value is not None]
    if came:
        raise ConfigError(
            f"{' and '.join(came)} came with {what}; leave one of them out."
        )


def _unbounded(
    posing: Posing, followed: dict[str, Any], runs: int | None, json: bool
) -> int:
    from thalweg.cli.options import literal
    from thalweg.landscape.unbounded import measure_unbounded

    posed = {f"--{k.replace('_', '-')}": v for k, v in vars(posing).items()}
    asked = {**posed, **followed, "--seed": None}
    others = [name for name, value in asked.items() if value not in (None, ())]
    if others:
        raise ConfigError(
            f"{others[0]} came with '{UNBOUNDED}', a function of its own; leave it out."
        )
    seed = literal(posing.seed) if posing.seed else 0
    found = measure_unbounded(runs=10_000 if runs is None else runs, seed=seed)
    if json:
        telling.say_json(found.to_json())
    else:
        telling.say("the flow of z^2 exp(-x - x^3/3), unbounded beyond "
                    "z^2 + 4 arctan x = 2 pi")  # fmt: skip
        for line in found.lines():
            telling.say(line)
    return 0
