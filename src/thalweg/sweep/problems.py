"""The problems of runs, each made once, and data that many share read once."""

import json
from functools import lru_cache
from typing import Any

from thalweg.request.posing import problem_of
from thalweg.request.settings import Settings
from thalweg.sweep.keys import canonical, contents

POSED = ("data", "playground", "hidden")
"""Settings that decide the problem."""

Found = tuple[Any, tuple[Any, ...]]


def shared_problem(settings: Settings) -> Found:
    """Return the problem of a run, and what to cite for its data.

    Args:
        settings: What is asked for.

    Returns:
        What `problem_of` gives. The same settings give the same object as long as the
        files that they name stay the same; nets beside each other share their data.

    Example:
        >>> asked = Settings.model_validate({"playground": 2})
        >>> shared_problem(asked)[0] is shared_problem(asked)[0]
        True
    """
    asked = settings.model_dump(mode="json", include=set(POSED), exclude_none=True)
    return _problem(json.dumps(asked, sort_keys=True), canonical(contents(asked)))


@lru_cache(maxsize=64)
def _problem(asked: str, content: str) -> Found:
    """Return the problem of settings told as JSON, whose files hold this content."""
    settings = Settings.model_validate_json(asked)
    if settings.data is None or settings.data.target is not None:
        return problem_of(settings)
    # A data set may be large: it is not read for every net anew.
    data = {"data": json.loads(asked)["data"], "hidden": []}
    one, sources = _read(json.dumps(data, sort_keys=True), content)
    ends = one.net.widths
    net = type(one.net)((ends[0], *(settings.hidden or ()), ends[-1]))
    return type(one)(net, one.data), sources


@lru_cache(maxsize=4)
def _read(asked: str, content: str) -> Found:
    """Return the problem of data alone."""
    del content
    return problem_of(Settings.model_validate_json(asked))
