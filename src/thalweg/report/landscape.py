"""Terminal tables of a landscape: critical points, one point, basins, laws."""

from collections.abc import Iterable, Sequence
from typing import Any

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from thalweg.landscape.wilson import shown
from thalweg.report.staircase import told

COLOURS = {
    "global minimum": "green",
    "strict saddle": "cyan",
    "non-strict saddle": "yellow",
    "saddle": "cyan",
    "diverged": "red",
    "undecided": "yellow",
}


def strata_table(strata: Iterable[Any], levels: Any) -> Group:
    """Return families of critical points, the lowest first.

    Args:
        strata: The families to show.
        levels: All critical values, a lazy sequence with a length.

    Returns:
        What `rich.print` shows.
    """
    table = _table("Critical points, by the modes they have learnt")
    for name in ("modes", "value", "rank", "inner", "tight", "kind", "dim", "neg",
                 "zero"):  # fmt: skip
        left = name in ("modes", "tight", "kind")
        table.add_column(name, justify="left" if left else "right", no_wrap=True)
    shown = 0
    for one in strata:
        shown += 1
        kind = str(one.kind)
        table.add_row(
            told(one.modes),
            f"{one.value:.6g}",
            str(one.rank),
            str(one.inner_rank),
            "yes" if one.is_tightened else "no",
            Text(kind, style=COLOURS[kind]),
            _count(one.dimension),
            _count(one.negative),
            _count(one.zero),
        )
    many = len(levels)
    tail = (
        f"{_told(many, 'critical value', 'critical values')} in all; "
        f"{_told(shown, 'family', 'families')} shown. inner: rank of "
        "the inner layers; tight: whether every pivot is tightened; dim: dimension; "
        "neg, zero: negative and zero eigenvalues of the Hessian at a generic member."
    )
    return Group(table, Text(tail, style="dim"))


def point_table(found: Any, spectrum: Any, ways: Sequence[Any]) -> Group:
    """Return what is known of one critical point.

    Args:
        found: Its classification.
        spectrum: Its Hessian's spectrum; `None` if there is none.
        ways: Ways out of it.

    Returns:
        What `rich.print` shows.
    """
    table = _table("The point", show_header=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    kind = str(found.kind)
    rows: list[tuple[str, Any]] = [
        ("kind", Text(kind, style=COLOURS[kind])),
        ("why", f"{found.reason} ({found.case})"),
        ("modes learnt", told(found.modes)),
        ("ranks", f"{found.rank}, of the inner layers {found.inner_rank}"),
        ("value", f"{found.value:.9g}, above the least {found.excess_loss:.6g}"),
        ("gradient", f"{found.gradient_norm:.3g}"),
    ]
    if spectrum is not None:
        rows.append(("Hessian", _spectrum(spectrum)))
    rows += [("way out", f"{way.reason} {_slope(way)}") for way in ways]
    if found.proof is not None:
        rows.append(("proof", found.proof.statement))
    rows += [("note", caveat) for caveat in found.caveats]
    for name, text in rows:
        table.add_row(name, text)
    return Group(table)


def _slope(way: Any) -> str:
    if way.order == 2:
        return f"curvature {way.curvature:.6g}."
    return f"The loss falls by {-way.coefficient:.6g} t^{way.order}."


def _spectrum(spectrum: Any) -> str:
    ends = f"from {spectrum.values[-1]:.6g} to {spectrum.values[0]:.6g}"
    if not spectrum.is_complete:
        return ends
    return (
        f"{ends}; {spectrum.positive} positive, {spectrum.zero} zero, "
        f"{spectrum.negative} negative"
    )


def plateau_table(plateaus: Sequence[Any]) -> Group:
    """Return where a path rested.

    Args:
        plateaus: Its rests, with the saddles they are at.

    Returns:
        What `rich.print` shows.
    """
    table = _table("Where the run rested")
    for name in ("from", "to", "modes", "value", "kind", "distance"):
        table.add_column(name, justify="left" if name in ("modes", "kind") else "right")
    for one in plateaus:
        kind = str(one.kind)
        table.add_row(
            f"{one.start:,.6g}",
            f"{one.end:,.6g}",
            told(one.modes),
            f"{one.value:.6g}",
            Text(kind, style=COLOURS[kind]),
            f"{one.distance:.3g}",
        )
    if not plateaus:
        return Group(Text("The run rested nowhere on its way.", style="dim"))
    return Group(table)


def basins_table(found: Any) -> Group:
    """Return where starts end, with the intervals of their shares.

    Args:
        found: A `Basins` or a slice, with `table`.

    Returns:
        What `rich.print` shows.
    """
    level = f"{100 * found.settings['confidence']:g} %"
    table = _table(f"Where {found.runs:,} starts end")
    table.add_column("limit", no_wrap=True)
    table.add_column("modes", no_wrap=True)
    for name in ("excess loss", "runs", "share", f"{level} interval"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("note", overflow="fold")
    for row in found.table:
        limit, share = row.limit, row.share
        table.add_row(
            Text(limit.verdict, style=COLOURS.get(limit.verdict, "")),
            "" if limit.modes is None else told(limit.modes),
            "" if limit.excess_loss is None else f"{limit.excess_loss:.6g}",
            f"{share.successes:,}",
            shown(share.share, 6),
            f"[{shown(share.low, 3)}, {shown(share.high, 3)}]",
            _note(row),
        )
    lines = []
    if found.times is not None:
        few, half, most = (found.times.quantiles[q] for q in (0.1, 0.5, 0.99))
        lines.append(
            f"Iterations to a global minimum: {half:,.0f} for half of the runs, "
            f"{few:,.0f} for a tenth, {most:,.0f} for 99 %."
        )
    if not found.share("saddle").successes:
        bound = found.share("saddle").at_most
        lines.append(f"No run ended at a saddle: with {level} their share is at most "
                     f"{bound:.3g}.")  # fmt: skip
    if found.interrupted:
        lines.append("Interrupted: the counts are of the runs that were finished.")
    return Group(table, *(Text(line, style="dim") for line in lines))


def settings_table(rows: Sequence[Any]) -> Group:
    """Return where starts end, setting by setting.

    Args:
        rows: Of `basin_table`.

    Returns:
        What `rich.print` shows.
    """
    table = _table("Where starts end, by setting")
    for name in ("std", "depth", "width", "minima", "saddles", "undecided",
                 "diverged", "at most", "median"):  # fmt: skip
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        found = row.found
        counts = [
            f"{found.share(name).successes:,}"
            for name in ("global minimum", "saddle", "undecided", "diverged")
        ]
        table.add_row(
            "" if row.std is None else f"{row.std:g}",
            str(row.depth),
            "" if row.width is None else str(row.width),
            *counts,
            f"{found.share('saddle').at_most:.3g}",
            "" if found.times is None else f"{found.times.quantiles[0.5]:,.0f}",
        )
    tail = "at most: bound on the share of saddles; median: iterations to a minimum."
    return Group(table, Text(tail, style="dim"))


def _note(row: Any) -> str:
    return "; ".join(filter(None, [row.limit.reason, row.how().strip(" ()")]))


def laws_table(found: Any) -> Group:
    """Return a count of conservation laws.

    Args:
        found: A `Laws`.

    Returns:
        What `rich.print` shows.
    """
    table = _table("Conserved, whatever the data", show_header=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    sure = "proved" if found.proved else "counted at a random point"
    rows = [
        ("net", f"{'-'.join(map(str, found.widths))}, {found.activation}"
                f"{', biases' if found.bias else ''}"
                f"{', heavy ball' if found.momentum else ''}"),
        ("parameters", f"{found.parameters:,}"),
        ("independent laws", f"{found.laws:,} ({sure})"),
        ("known to all such nets", f"{found.balancedness:,}"),
        ("further", f"{found.extra:,}"),
    ]  # fmt: skip
    rows += [("law", law) for law in found.known]
    if found.proof is not None:
        rows.append(("proof", found.proof.words))
    for name, text in rows:
        table.add_row(name, Text(text))
    return Group(table)


def _table(title: str, **options: Any) -> Table:
    return Table(
        title=title,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        **options,
    )


def _told(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _count(value: Any) -> str:
    return "" if value is None else f"{value:,}"
