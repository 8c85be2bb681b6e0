"""From rows under their keys to the table of a design."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from thalweg.sweep import parquet
from thalweg.sweep.plan import Plan
from thalweg.sweep.table import KEY, RUN, STATUS, Table

FAILED = "failed"

STEP = "step_size"

ASKED = "asked."
"""In front of an axis that has the name of a result, as a budget of iterations has."""


WORDS = (KEY, STATUS, "error")
"""Columns of words."""


def places_of(rows: Any) -> dict[str, int]:
    """Return where the row of every key is; one that failed only for want of better.

    Args:
        rows: Rows in any order, some perhaps twice; or `None`.

    Returns:
        Places by key.
    """
    if rows is None:
        return {}
    keys = rows.column(KEY).to_pylist()
    failed = [word == FAILED for word in rows.column(STATUS).to_pylist()]
    found: dict[str, int] = {}
    for place, key in enumerate(keys):
        if key not in found or not failed[place]:
            found[key] = place
    return found


def gathered(
    planned: Plan,
    rows: Any,
    *,
    keys: Sequence[str | None] | None = None,
    extra: Mapping[str, Sequence[Any]] | None = None,
    remarks: Sequence[str] = (),
    sources: Sequence[Mapping[str, Any]] = (),
) -> Table:
    """Return the table of a design, in its order, of the rows there are.

    Args:
        planned: The runs of the design, or the points of its search.
        rows: Rows in any order, under their keys; or `None`.
        keys: Key of the row of every run; those of the plan by default. Where it is
            `None` there is no row, but there may be `extra`.
        extra: Further columns, an entry a run; runs without a row stay if there are.
        remarks: What should be told beside the table.
        sources: What to cite.

    Returns:
        The table; not whole where a row is missing.
    """
    wanted = list(planned.keys if keys is None else keys)
    known = places_of(rows)
    places = [None if key is None else known.get(key) for key in wanted]
    kept = [
        run for run, at in enumerate(places) if at is not None or wanted[run] is None
    ]
    results = _taken(rows, [places[run] for run in kept])
    columns: dict[str, Any] = {RUN: pa.array(kept, pa.int64())}
    axes = []
    further = {
        name: [values[run] for run in kept] for name, values in (extra or {}).items()
    }
    for name, values in planned.columns.items():
        chosen = parquet.rows_of({name: [values[run] for run in kept]}).column(0)
        spelled = _spelled(name, chosen, {*results, *further})
        if name == STEP and spelled == STEP:
            results.pop(STEP, None)
        columns[spelled] = chosen
        axes.append(spelled)
    found = parquet.rows_of(further)
    columns |= dict(zip(found.column_names, found.columns, strict=True))
    columns |= {name: column for name, column in results.items() if name not in columns}
    return Table(
        rows=pa.table(columns),
        axes=tuple(axes),
        design=planned.design.to_json(),
        whole=len(kept) == len(wanted),
        remarks=tuple(remarks),
        sources=tuple(dict(source) for source in sources),
    )


def _taken(rows: Any, places: list[int | None]) -> dict[str, Any]:
    """Return the columns of rows in this order, empty for `None`."""
    if rows is None:
        nothing = [None] * len(places)
        return {name: pa.array(nothing, pa.string()) for name in (KEY, STATUS)}
    taken = rows.take(pa.array(places, pa.int64()))
    return {
        name: column.cast(_kind(name)) if pa.types.is_null(column.type) else column
        for name, column in zip(taken.column_names, taken.columns, strict=True)
    }


def _kind(name: str) -> Any:
    """Return the type of a result's column that holds nothing."""
    words = name in WORDS or name.startswith("verdict.")
    return pa.string() if words else pa.float64()


def _spelled(name: str, values: Any, others: set[str]) -> str:
    """Return the name of an axis: another one where a result has its own."""
    if name not in others:
        return name
    numbers = not pa.types.is_string(values.type)
    return name if name == STEP and numbers else f"{ASKED}{name}"


def failures(rows: Any, keys: Sequence[str]) -> tuple[int, str]:
    """Return how many runs failed, and why the first one did.

    Args:
        rows: Rows in any order; or `None`.
        keys: The runs.

    Returns:
        Their number and a sentence.
    """
    wanted = set(keys)
    places = sorted(at for key, at in places_of(rows).items() if key in wanted)
    if not places:
        return 0, ""
    words = rows.column(STATUS).take(places).to_pylist()
    failed = [at for at, word in zip(places, words, strict=True) if word == FAILED]
    return len(failed), str(rows.column("error")[failed[0]].as_py()) if failed else ""
