"""`thalweg basins`: which starts lead where."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from thalweg.cli import telling
from thalweg.cli.options import MOTION, NO_POSING, RECORD, Posing
from thalweg.cli.progress import Watch


def basins(
    file: Path | None = None,
    /,
    *,
    posing: Posing = NO_POSING,
    runs: Annotated[int | None, Parameter(group=MOTION, show_default=False)] = None,
    iterations: Annotated[int, Parameter(group=MOTION)] = 100_000,
    beyond: Annotated[int | None, Parameter(group=MOTION, show_default=False)] = None,
    flow: Annotated[bool, Parameter(group=MOTION, negative=())] = False,
    plane: Annotated[int | None, Parameter(group=RECORD, show_default=False)] = None,
    extent: Annotated[float, Parameter(group=RECORD)] = 2.0,
    out: Annotated[Path | None, Parameter(group=RECORD, show_default=False)] = None,
    resume: Annotated[Path | None, Parameter(group=RECORD, show_default=False)] = None,
    json: Annotated[bool, Parameter(group=RECORD, negative=())] = False,
) -> int:
    """Follow many starts, and say where each of them ends.

    Every run takes a step of its own that never lets its loss rise, unless a step size
    is given. What cannot be decided within the budget is reported as undecided.

    Args:
        file: Settings as TOML, as for `run`; options win.
        posing: What is learned, and how starts are drawn.
        runs: How many starts; 10,000 if not given.
        iterations: Most iterations of a run.
        beyond: Follow what is still undecided by leaps, up to this iteration.
        flow: Take steps so small that the runs are nearly the gradient flow.
        plane: Instead of drawing starts, take so many by so many in a plane: the
            playground's own, of depth two, else one through the origin drawn by the
            seed. With --out a picture is drawn.
        extent: Half the side of the plane.
        out: Folder of the result; chunks are kept as they are finished.
        resume: Folder of an earlier result of the same settings: go on there.
        json: Print one JSON object and nothing else.

    Returns:
        The exit code: 0, or 130 if it was interrupted.
    """
    from thalweg.cli.reading import read

    reading = read(file, posing, runs=False)
    settings = reading.settings
    given = reading.given
    with Watch(not json) as watch:
        from thalweg.cli.posing import problem_of

        problem, _ = problem_of(settings)
        common: dict[str, Any] = {
            "method": "flow" if flow else "descent",
            "step_size": _step(settings, given),
            "iterations": iterations,
            "accuracy": settings.accuracy if "accuracy" in given else None,
            "on_progress": watch.basins,
        }
        if plane is not None:
            found = _slice(problem, settings.seed, plane, extent, common)
            files = _drawn(found, problem, out)
        else:
            found = _followed(
                problem, settings, given,
                {**common, "runs": runs, "beyond": beyond, "out": out,
                 "resume": resume},
            )  # fmt: skip
            files = [] if out is None else [str(out)]
    if json:
        telling.say_json({**found.to_json(), "files": files})
    else:
        for line in found.lines():
            telling.say(line)
        for written in files:
            telling.say(f"written: {written}")
    return 0
