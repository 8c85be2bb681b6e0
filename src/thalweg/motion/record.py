"""Which steps are kept, and which measures are read at them."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from thalweg._core.arrays import Array, real
from thalweg._core.errors import DomainError, positive, whole
from thalweg.measures import shelf

Measures = tuple[tuple[str, Any], ...]
"""Column names with the measures behind them."""

ALWAYS = ("loss", "excess_loss")
"""What every path records: rates and outcomes are read off it."""


def choose_measures(measures: Sequence[Any], problem: Any = None) -> Measures:
    """Return measures by the names of their columns.

    Args:
        measures: Names on the shelf, measure objects, or both. `loss` and
            `excess_loss` are added if missing.
        problem: What they will be read on, if it is to be checked that they can be.

    Returns:
        Pairs of column name and measure: these two first, then as asked for.

    Raises:
        DomainError: If two measures would share a column, or one is not about the
            problem's net.
    """
    if isinstance(measures, str):
        measures = (measures,)
    chosen: dict[str, Any] = {}
    for entry in (*ALWAYS, *measures):
        measure = shelf.make(entry) if isinstance(entry, str) else entry
        if not callable(getattr(measure, "read", None)):
            raise DomainError(
                f"measures holds {entry!r}; pass names such as 'loss', or measures."
            )
        name = column_name(measure)
        if name in chosen:
            if name in ALWAYS or chosen[name] == measure:
                continue
            raise DomainError(
                f"two different '{name}' measures came; a path has one column of "
                "each name."
            )
        if problem is not None and hasattr(measure, "check"):
            measure.check(problem)
        chosen[name] = measure
    return tuple(chosen.items())


def column_name(measure: Any) -> str:
    """Return the column a measure is recorded in: its class name in lower case."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(measure).__name__).lower()


def read_all(problem: Any, weights: Any, measures: Measures) -> Mapping[str, Array]:
    """Return every measure of one state, by column name, as float64.

    Of a compressed problem each is read on the net it depends on.
    """
    row = {}
    for name, measure in measures:
        seen, way = problem, _same
        if hasattr(problem, "seen_by"):
            seen, way = problem.seen_by(measure)
        row[name] = jnp.asarray(measure.read(seen, way(weights)), dtype=jnp.float64)
    return row


def _same(weights: Any) -> Any:
    return weights


def kept_iterations(
    iterations: int,
    *,
    every: int | None = None,
    records: int = 200,
    at: Any = None,
) -> np.ndarray:
    """Return the iterations at which a descent is recorded.

    Args:
        iterations: Last iteration, at least 0.
        every: Keep every so many, at least 1.
        records: Otherwise, keep about so many, logarithmically spaced, at least 2.
        at: Otherwise, keep exactly these.

    Returns:
        Strictly increasing iterations; 0 and the last are always among them.

    Raises:
        DomainError: If a number is out of its domain.

    Example:
        >>> kept_iterations(100, records=6).tolist()
        [0, 1, 3, 10, 32, 100]
        >>> kept_iterations(10, every=4).tolist()
        [0, 4, 8, 10]
    """
    whole("iterations", iterations)
    if at is not None:
        chosen = np.array(
            [whole("an iteration to record at", value) for value in np.ravel(at)],
            dtype=np.int64,
        )
        if chosen.size and chosen.max() > iterations:
            raise DomainError(
                f"a record is asked for at iteration {chosen.max()}; the run goes "
                f"from 0 to {iterations}."
            )
    elif every is not None:
        step = whole("every", every, least=1)
        chosen = np.arange(0, iterations + 1, step, dtype=np.int64)
    else:
        count = whole("records", records, least=2)
        spaced = np.geomspace(1, max(iterations, 1), count - 1)
        chosen = np.rint(spaced).astype(np.int64)
    ends = np.array([0, iterations], dtype=np.int64)
    return np.unique(np.concatenate([ends, chosen[chosen <= iterations]]))


def kept_times(horizon: Any, times: Any, records: int) -> np.ndarray:
    """Return the flow times at which a flow is recorded.

    Args:
        horizon: Last time, `> 0`; then times are logarithmically spaced over four
            decades.
        times: Instead, the times themselves, increasing from 0.
        records: With `horizon`, how many, at least 3.

    Returns:
        Strictly increasing times from 0.

    Raises:
        DomainError: If both or neither are given, or they are out of range.
    """
    if (horizon is None) == (times is None):
        raise DomainError("pass either horizon or times, and not both.")
    if times is not None:
        clock = np.asarray(real("times", times))
        if (
            clock.ndim != 1
            or clock.size < 2
            or clock[0] != 0
            or np.any(np.diff(clock) <= 0)
        ):
            raise DomainError(
                "times must be an increasing sequence of at least two that starts at 0."
            )
        return clock
    count = whole("records", records, least=3)
    last = positive("horizon", horizon)
    return np.concatenate([[0.0], np.geomspace(last / 1e4, last, count - 1)])
