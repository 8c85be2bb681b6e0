"""What a row says beside how its run ended: measures at the end, certificates."""

from functools import cache
from typing import Any

import jax
import numpy as np

from thalweg.request.moving import measures_of
from thalweg.request.posing import certificates
from thalweg.request.settings import Settings


def read_measures(settings: Settings, problem: Any, weights: Any) -> dict[str, Any]:
    """Return the measures that settings ask for, at the end of a run.

    Args:
        settings: What is asked for.
        problem: What was minimised.
        weights: Where the run ended.

    Returns:
        Numbers, or lists of them, by name; the loss and the excess loss left out, for
        every row has them.
    """
    asked = [
        (entry.name, measure)
        for entry, measure in zip(settings.measures, measures_of(settings), strict=True)
        if entry.name not in ("loss", "excess_loss")
    ]
    return {
        name: np.asarray(_reader(measure)(problem, weights)).tolist()
        for name, measure in asked
    }


@cache
def _reader(measure: Any) -> Any:
    """Return the compiled reading of a measure."""
    return jax.jit(measure.read)


def certified(
    settings: Settings, problem: Any, start: Any, step: float | None
) -> dict[str, Any]:
    """Return the certificates that settings ask for.

    Args:
        settings: What is asked for.
        problem: What is minimised.
        start: Where the run starts.
        step: Its step size; `None` for a flow.

    Returns:
        `verdict.NAME` in words and `promised.NAME`, iterations or flow time, or
        `None`, for every theorem.
    """
    if not settings.theorems:
        return {}
    row: dict[str, Any] = {}
    for one in certificates(settings, problem, start, step_size=step):
        row[f"verdict.{one.theorem}"] = str(one.verdict)
        promised = one.promised
        row[f"promised.{one.theorem}"] = None if promised is None else float(promised)
    return row
