"""`thalweg show`: a saved result again."""

import json as plain
import time
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from thalweg._core.errors import ConfigError
from thalweg.cli import telling
from thalweg.cli.progress import Watch


def show(
    folder: Path,
    /,
    *,
    page: Path | None = None,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Show a saved result again: a run with its certificates, or any other.

    Args:
        folder: Where it was saved: by run, sweep, basins, reproduce or data moments.
        page: Write the page of a run to this file.
        json: Print one JSON object, as the command that made it does.

    Returns:
        The exit code.

    Raises:
        ConfigError: If a page of something else than a run is asked for.
    """
    other = OTHERS.get(_kind(folder))
    if other is not None:
        if page is not None:
            raise ConfigError(
                f"--page came, but {folder} holds no run; only runs have pages."
            )
        return other(folder, json)
    return _show_run(folder, page, json)


def _show_run(folder: Path, page: Path | None, json: bool) -> int:
    began = time.perf_counter()
    with Watch(not json) as watch:
        from thalweg.cli.run import certificates_of, remarks
        from thalweg.motion.path import Path as Run

        path = Run.load(folder)
        watch.phase("certifying")
        certified = certificates_of(path)
        watch.phase("drawing")
        drawn = None if page is None else telling.write_page(path, certified, page)
    if json:
        files: dict[str, Any] = {"run": str(folder), "page": drawn, "figures": []}
        seconds = time.perf_counter() - began
        telling.say_json(telling.run_record(path, certified, files, seconds))
        return 0
    telling.show(telling.summary(path, certified))
    for line in remarks(path):
        telling.say(line)
    if drawn is not None:
        telling.say(f"\npage: {drawn}")
    return 0


def _kind(folder: Path) -> str:
    """Return what a folder holds, as far as its card says."""
    if (folder / "sweep.json").is_file():
        return "sweep"
    try:
        return str(plain.loads((folder / "card.json").read_bytes())["kind"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _show_sweep(folder: Path, json: bool) -> int:
    from thalweg.cli.sweep import status

    return status(folder, json=json)


def _show_moments(folder: Path, json: bool) -> int:
    from thalweg.cli.data_moments import record_of, tell
    from thalweg.problem.moments import Moments

    record = record_of(Moments.load(folder))
    if json:
        telling.say_json(record)
    else:
        tell(record)
    return 0


def _show_basins(folder: Path, json: bool) -> int:
    from thalweg.cli.basins import tell
    from thalweg.landscape.tally import Basins

    return tell(Basins.load(folder), [], json)


def _show_reproduction(folder: Path, json: bool) -> int:
    from thalweg.cli.reproduce import tell
    from thalweg.experiments._reproduce import Reproduction

    record = {**Reproduction.load(folder).to_json(), "files": []}
    if json:
        telling.say_json(record)
    else:
        tell(record)
    return 0


OTHERS = {
    "sweep": _show_sweep,
    "moments": _show_moments,
    "basins": _show_basins,
    "reproduction": _show_reproduction,
}
"""What is shown of results that are no runs, by what their card says."""
