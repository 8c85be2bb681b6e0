"""`thalweg show`: a saved run again."""

import time
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from thalweg.cli import telling
from thalweg.cli.progress import Watch


def show(
    folder: Path,
    /,
    *,
    page: Path | None = None,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Show a saved run: summary, certificates, the page if asked for.

    Args:
        folder: Where `run` saved it.
        page: Write its page to this file.
        json: Print one JSON object, as `run --json` does.

    Returns:
        The exit code.
    """
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
