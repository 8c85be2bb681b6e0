"""From a design to its table: what is missing is computed, the rest is read."""

import os
from collections.abc import Callable
from typing import Any

from thalweg.sweep.design import Design
from thalweg.sweep.engines._base import AbstractEngine
from thalweg.sweep.pace import SweepProgress
from thalweg.sweep.table import Table


def sweep(
    design: Design | str | os.PathLike[str],
    *,
    out: str | os.PathLike[str] | None = None,
    engine: str | AbstractEngine = "inprocess",
    on_progress: Callable[[SweepProgress], None] | None = None,
    memory: int | None = None,
) -> Table:
    """Carry out every run of a design.

    Ctrl-C ends it too: the table so far comes back, with `whole = False`.
    """
    raise NotImplementedError


def status(out: str | os.PathLike[str]) -> dict[str, Any]:
    """Return how far a sweep is: plain values, for `thalweg sweep status`.

    Keys: folder, design (kind), total, done, missing, failed, counts, whole,
    running (a process id or None), version, damaged, seconds.
    """
    raise NotImplementedError
