"""Phase diagrams: a number of a sweep over two of its axes, or curves over one."""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from thalweg._core.errors import DomainError
from thalweg.report import look
from thalweg.sweep.reducing import levels
from thalweg.sweep.table import Table

MAP = "viridis"
UNTIL = ("iterations", "time")
"""Columns that tell how long it took, of which only runs that converged count."""

SPAN = 20.0
"""From this ratio of the largest to the smallest on, numbers are shown by decades."""

SPARSE = 8
"""Cells of a map for every row, at most; beyond, every row is a dot."""

MOST_CELLS = 100_000
"""Cells of a map, at most."""

DOT = 14
"""Area of a dot, in points."""

NOTHING = "none converged"

EVEN = 0.9
"""How far, relatively, ratios of neighbours may differ on a logarithmic axis."""


def phase_diagram(
    table: Table,
    x: str,
    y: str,
    color: str | None = None,
    *,
    by: str | None = None,
    reduce: str = "median",
) -> Figure:
    """Draw a sweep: a map of `color` over `x` and `y`, or curves of `y` over `x`.

    Rows that agree in `x` and `y` (as those of several seeds) are brought together; of
    iterations and times only those of runs that converged. In a map a cell without such
    a run is hatched; a curve breaks off there. Rows that fill no grid, as those of a
    random design, are a dot each.

    Args:
        table: A `Table` of a sweep.
        x: A column, usually an axis of the design.
        y: Another axis for a map; for curves, the number that is drawn.
        color: The number that a map shows; `None` draws curves.
        by: For curves: one for each value of this column.
        reduce: How runs of a cell are brought together: `median`, `mean`, `min`, `max`.

    Returns:
        The figure.

    Raises:
        DomainError: If a column to be drawn holds no numbers, or `by` came with
            `color`.

    Example:
        >>> table = Table.of({"std": [0.1, 1.0], "iterations": [30, 20],
        ...                   "status": ["converged", "converged"]})
        >>> phase_diagram(table, "std", "iterations").axes[0].get_xlabel()
        'std'
    """
    if color is not None and by is not None:
        raise DomainError("by came with color; a map has no curves, leave one out.")
    value = color or y
    _check_numbers(table, value)
    with mpl.rc_context(look.RC):
        figure = Figure(figsize=(look.WIDTH, look.HEIGHT), layout="constrained")
        axes = figure.add_subplot()
        if color is None:
            _curves(axes, table, x, y, by, reduce)
        else:
            if _is_grid(table, x, y):
                xs, ys, cells = _pivot(table, x, y, value, reduce)
                _map(axes, (x, xs), (y, ys), (color, cells))
            else:
                _points(axes, table, x, y, color)
        axes.set_xlabel(x)
        axes.set_ylabel(y)
    return figure


def _check_numbers(table: Table, name: str) -> None:
    column = np.asarray(table.column(name))
    if column.dtype.kind not in "biuf":
        raise DomainError(
            f"column '{name}' holds no numbers, so it cannot be drawn; take one of "
            f"{', '.join(_numeric(table)) or 'none'}."
        )


def _numeric(table: Table) -> list[str]:
    return [
        name
        for name in table.columns
        if np.asarray(table.column(name)).dtype.kind in "biuf"
    ]


def _pivot(
    table: Table, x: str, y: str, value: str, reduce: str
) -> tuple[list[Any], list[Any], np.ndarray]:
    """Return the axes and the cells, `"y x"`; NaN where no run counts."""
    return table.pivot(x, y, value, reduce=reduce, only=_only(table, value))


def _only(table: Table, value: str) -> str | None:
    """Return the status that runs must have to count."""
    return "converged" if value in UNTIL and "status" in table.columns else None


def _is_grid(table: Table, x: str, y: str) -> bool:
    """Return whether rows fill enough of the cells of two columns for a map."""
    across, up = levels(table.column(x)), levels(table.column(y))
    cells, numbers = len(across) * len(up), _is_number([*across, *up])
    if cells > MOST_CELLS and not numbers:
        raise DomainError(
            f"'{x}' and '{y}' have {len(across)} and {len(up)} different values, too "
            "many for a map; draw curves, or vary them in fewer steps."
        )
    return not numbers or cells <= max(SPARSE * len(table), len(across), len(up))


def _is_number(values: Sequence[Any]) -> bool:
    return all(isinstance(value, int | float) for value in values)


def _points(axes: Axes, table: Table, x: str, y: str, color: str) -> None:
    """Draw a dot a row, as of a random design; a hollow one where no number is."""
    at = [table.column(name).astype(float) for name in (x, y)]
    shown = table.column(color).astype(float)
    if _only(table, color):
        shown = np.where(table.column("status") == "converged", shown, np.nan)
    there = np.isfinite(shown)
    image = axes.scatter(
        at[0][there],
        at[1][there],
        c=shown[there],
        norm=_norm(shown[there]),
        cmap=MAP,
        s=DOT,
    )
    if not there.all():
        axes.scatter(
            at[0][~there],
            at[1][~there],
            s=DOT,
            facecolors="none",
            edgecolors=look.FAINT,
            label=NOTHING,
        )
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1))
    for place, scale in zip(at, (axes.set_xscale, axes.set_yscale), strict=True):
        if _spans(place[np.isfinite(place)]):
            scale("log")
    if there.any():
        axes.figure.colorbar(image, ax=axes, label=color)


def _spans(numbers: np.ndarray) -> bool:
    """Return whether positive numbers are so far apart that decades tell more."""
    return bool(
        numbers.size and numbers.min() > 0 and numbers.max() > SPAN * numbers.min()
    )


def _map(
    axes: Axes,
    across: tuple[str, list[Any]],
    up: tuple[str, list[Any]],
    shown: tuple[str, np.ndarray],
) -> None:
    (_, xs), (_, ys), (name, cells) = across, up, shown
    finite = cells[np.isfinite(cells)]
    norm = _norm(finite)
    image = axes.pcolormesh(
        np.arange(len(xs) + 1) - 0.5,
        np.arange(len(ys) + 1) - 0.5,
        np.ma.masked_invalid(cells),
        norm=norm,
        cmap=MAP,
    )
    axes.grid(visible=False)
    axes.set_facecolor(look.TINT)
    missing = np.argwhere(~np.isfinite(cells))
    for row, column in missing:
        axes.add_patch(
            mpl.patches.Rectangle(
                (column - 0.5, row - 0.5), 1, 1,
                fill=False, hatch="////", edgecolor=look.FAINT, linewidth=0,
            )
        )  # fmt: skip
    if len(missing):
        patch = Patch(facecolor=look.TINT, edgecolor=look.FAINT, hatch="////")
        axes.legend([patch], [NOTHING], loc="lower left", bbox_to_anchor=(0, 1))
    for axis, values in ((axes.xaxis, xs), (axes.yaxis, ys)):
        places = _places(len(values))
        axis.set_ticks(places, [_label(values[place]) for place in places])
    if finite.size:
        axes.figure.colorbar(image, ax=axes, label=name)


def _norm(finite: np.ndarray) -> Normalize:
    if _spans(finite):
        return LogNorm(finite.min(), finite.max())
    if not finite.size:
        return Normalize(0, 1)
    return Normalize(finite.min(), finite.max())


def _places(count: int, most: int = 8) -> list[int]:
    stride = max(1, -(-count // most))
    return list(range(0, count, stride))


def _label(value: Any) -> str:
    if value is None or value != value:
        return "none"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _curves(
    axes: Axes, table: Table, x: str, y: str, by: str | None, reduce: str
) -> None:
    if by is None:
        xs, cells = table.curve(x, y, reduce=reduce, only=_only(table, y))
        lines = [(y, cells)]
    else:
        xs, names, cells = _pivot(table, x, by, y, reduce)
        lines = [
            (f"{by} = {_label(n)}", row) for n, row in zip(names, cells, strict=True)
        ]
    numbers = _is_number(xs)
    places = np.asarray(xs, dtype=float) if numbers else np.arange(len(xs))
    for place, (label, row) in enumerate(lines):
        colour = look.CURVES[place % len(look.CURVES)]
        axes.plot(places, row, "o-", color=colour, markersize=4, label=label)
    if numbers and _is_geometric(places):
        axes.set_xscale("log")
    if not numbers:
        axes.set_xticks(places, [_label(value) for value in xs])
    drawn = cells[np.isfinite(cells)]
    if _spans(drawn):
        axes.set_yscale("log")
    if by is not None and lines:
        axes.legend()


def _is_geometric(places: Sequence[float] | np.ndarray) -> bool:
    """Return whether numbers are spread evenly by decades."""
    values = np.asarray(places, dtype=float)
    if len(values) < 3 or values.min() <= 0 or values.max() < SPAN * values.min():
        return False
    ratios = np.diff(np.log(np.sort(values)))
    return bool(np.ptp(ratios) <= EVEN * ratios.mean())
