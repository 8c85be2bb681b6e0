"""One recorded measure drawn from its card: symbol, axes, scale, levels, bound."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from thalweg._core.errors import DomainError, StoreError
from thalweg.report import look

FORMATS = ("png", "svg", "pdf")

MOST_BOUNDS = 3
"""Promised curves drawn into one figure, the first certificates' first."""


@dataclass(frozen=True)
class _Plain:
    """The card of a column that no measure stands behind."""

    name: str
    symbol: str = ""
    axes: tuple[str, ...] = ()
    log_scale: bool = False
    conserved: bool = False

    def levels(self, problem: Any) -> None:
        return None


def figure(path: Any, name: str, certificates: Sequence[Any] = ()) -> Figure:
    """Draw a recorded measure against the clock.

    A measured curve is solid; levels to compare with and promised bounds are
    dashed. A conserved measure with several entries is drawn as its change since
    the start.

    Args:
        path: A recorded path.
        name: One of its columns.
        certificates: Proved ones put their bound into the excess loss's figure.

    Returns:
        A matplotlib figure, free of any global state.

    Raises:
        UnknownName: If the column was not recorded.
    """
    column = path[name]
    measure = dict(path.measures).get(name, _Plain(name.replace("_", " ")))
    with mpl.rc_context(look.RC):
        drawn = Figure(figsize=(look.WIDTH, look.HEIGHT), layout="constrained")
        axes = drawn.add_subplot()
        lines, title, log = _lines(path, measure, column)
        _draw(axes, path.clock, lines, log)
        if name in ("loss", "excess_loss"):
            _draw_bounds(axes, path, name, certificates)
        levels = measure.levels(path.problem)
        if levels is not None:
            _draw_levels(axes, levels, log)
        _scale(axes, path, log)
        axes.set_title(title, loc="left")
        axes.set_xlabel("flow time" if path.is_flow else "iteration")
        if len(axes.get_legend_handles_labels()[1]) > 1:
            axes.legend(loc="best", ncols=1 + (len(lines) > 4))
    return drawn


def save_figures(
    path: Any,
    folder: str | os.PathLike[str],
    formats: Sequence[str],
    certificates: Sequence[Any] = (),
) -> list[FilePath]:
    """Write every figure of a path in the formats asked for.

    Args:
        path: A recorded path.
        folder: Where to; made if missing.
        formats: Some of `png`, `svg`, `pdf`.
        certificates: As in `figure`.

    Returns:
        The files.

    Raises:
        DomainError: If a format is not known.
        StoreError: If the folder cannot be written.
    """
    for form in formats:
        if form not in FORMATS:
            raise DomainError(
                f"figures is '{form}'; it must be one of {', '.join(FORMATS)}."
            )
    place, written = FilePath(folder), []
    try:
        place.mkdir(parents=True, exist_ok=True)
        for name in path:
            drawn = figure(path, name, certificates)
            for form in formats:
                written.append(save_figure(drawn, place / f"{name}.{form}"))
    except OSError as error:
        raise StoreError(
            f"{place} could not be written: {error.strerror or error}."
        ) from error
    return written


def save_figure(drawn: Figure, file: str | os.PathLike[str]) -> FilePath:
    """Write a figure; the same figure gives the same bytes.

    Args:
        drawn: A matplotlib figure.
        file: Where to, ending in `.png`, `.svg` or `.pdf`; its folder is made.

    Returns:
        The file.

    Raises:
        StoreError: If it cannot be written.
    """
    place = FilePath(file)
    form = place.suffix.lstrip(".")
    metadata = {"Date": None} if form == "svg" else None
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with mpl.rc_context(look.RC):
            drawn.savefig(place, format=form, dpi=160, metadata=metadata)
    except OSError as error:
        raise StoreError(
            f"{place} could not be written: {error.strerror or error}."
        ) from error
    return place


def _lines(
    path: Any, measure: Any, column: np.ndarray
) -> tuple[list[tuple[str, np.ndarray]], str, bool]:
    """Return labelled curves, the title, and whether the scale is logarithmic."""
    title = f"${measure.symbol}$" if measure.symbol else _title(measure)
    log = measure.log_scale
    lead = 2 if path.batched else 1
    if measure.conserved and len(measure.axes) > 1:
        start = column[:, :1] if path.batched else column[:1]
        inner = tuple(range(lead + 1, column.ndim))
        column = np.sqrt(np.sum((column - start) ** 2, axis=inner))
        title, log = f"change of {title}", True
    if path.batched:
        flat = column.reshape(*column.shape[:2], -1)[..., 0]
        return [("", run) for run in flat], f"{title} of {len(flat)} runs", log
    if column.ndim == 1:
        return [("", column)], title, log
    flat = column.reshape(column.shape[0], -1)
    names = [
        " ".join(
            f"{axis} {place + 1}"
            for axis, place in zip(measure.axes, index, strict=False)
        )
        for index in np.ndindex(column.shape[1:])
    ]
    return list(zip(names, flat.T, strict=True)), title, log


def _title(measure: Any) -> str:
    return str(getattr(measure, "name", type(measure).__name__))


def _draw(
    axes: Axes, clock: np.ndarray, lines: list[tuple[str, np.ndarray]], log: bool
) -> None:
    many = len(lines) > 2 * len(look.CURVES)
    for place, (label, values) in enumerate(lines):
        seen = np.where(values > 0, values, np.nan) if log else values
        axes.plot(
            clock,
            seen,
            look.MEASURED,
            color=look.CURVES[place % len(look.CURVES)],
            alpha=0.4 if many else 1.0,
            linewidth=0.8 if many else None,
            label=None if many else label or None,
        )


def _draw_levels(axes: Axes, levels: Any, log: bool) -> None:
    for level in np.atleast_1d(np.asarray(levels)):
        if level > 0 or not log:
            axes.axhline(
                float(level), color=look.FAINT, linestyle=look.PROMISED, linewidth=1
            )


def _draw_bounds(axes: Axes, path: Any, name: str, certificates: Sequence[Any]) -> None:
    """Add the first proved bounds on the excess loss, above the floor for the loss."""
    if path.batched:
        return
    clock = "flow time" if path.is_flow else "iteration"
    floor = float(path.problem.floor) if name == "loss" else 0.0
    axes.get_lines()[0].set_label("observed")
    promises = [
        (certificate.theorem, certificate.guarantee)
        for certificate in certificates
        if certificate.guarantee is not None and certificate.clock == clock
    ]
    curves = [(theorem, promise.bound_at(path.clock)) for theorem, promise in promises]
    drawn = [(theorem, curve) for theorem, curve in curves if curve is not None]
    for place, (theorem, curve) in enumerate(drawn[:MOST_BOUNDS]):
        axes.plot(
            path.clock,
            np.where(curve + floor > 0, curve + floor, np.nan),
            linestyle=look.PROMISED,
            color=look.BOUND,
            alpha=1 / (1 + place),
            label=f"promised, {theorem}",
        )


def _scale(axes: Axes, path: Any, log: bool) -> None:
    clock = path.clock
    if clock.size > 2 and clock[-1] > 20 * clock[1] > 0:
        axes.set_xscale("symlog", linthresh=float(clock[1]), linscale=0.6)
        axes.set_xlim(0, float(clock[-1]))
        axes.xaxis.set_minor_locator(mpl.ticker.NullLocator())
    drawn = [np.asarray(line.get_ydata(), dtype=float) for line in axes.get_lines()]
    if log and any(np.any(values > 0) for values in drawn):
        axes.set_yscale("log")
    elif not log:
        _at_least(axes, 1e-12)
    else:
        axes.text(0.5, 0.5, "zero throughout", transform=axes.transAxes, ha="center")


def _at_least(axes: Axes, span: float) -> None:
    """Keep rounding from filling a linear axis."""
    low, high = axes.get_ylim()
    least = span * max(1.0, abs(low), abs(high))
    if high - low < least:
        middle = (low + high) / 2
        axes.set_ylim(middle - least / 2, middle + least / 2)
