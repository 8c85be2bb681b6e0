"""The terminal summary of a run."""

from collections.abc import Sequence
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from thalweg.report.facts import Facts, outcome_facts, problem_facts

QUIET = ("bound", "landscape")
"""Kinds of theorem that are only named where they hold: they promise no course."""

NEAREST = 3
"""Theorems told in full although a hypothesis fails."""

COLOURS = {"proved": "green", "refuted": "red", "undecided": "yellow"}


def summary(path: Any, certificates: Sequence[Any] = ()) -> Group:
    """Return a run in a terminal's worth of tables.

    Args:
        path: A recorded path.
        certificates: Certificates to list beside it.

    Returns:
        What `rich.print` shows.
    """
    parts: list[Any] = [
        _facts("The problem", problem_facts(path.problem)),
        _facts("The run", outcome_facts(path)),
    ]
    if certificates:
        parts.append(certificates_table(certificates))
        parts += [Text(line, style="dim") for line in _others(certificates)]
    return Group(*parts)


def certificates_table(certificates: Sequence[Any]) -> Table:
    """Return certificates as a list: verdict, what decides it, promise, observation.

    Args:
        certificates: Certificates. Lemmas that hold, those that fail but for the
            nearest, and those about other problems are left out.

    Returns:
        The table.
    """
    table = Table(
        title="What theory promises", title_justify="left", show_header=False, box=None
    )
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for certificate in [*_proved(certificates), *_failing(certificates)[:NEAREST]]:
        verdict = str(certificate.verdict)
        table.add_row(Text(verdict, style=COLOURS[verdict]), _told(certificate))
    return table


def _proved(certificates: Sequence[Any]) -> list[Any]:
    proved = [one for one in certificates if one.verdict == "proved"]
    return [one for one in proved if one.kind not in QUIET]


def _failing(certificates: Sequence[Any]) -> list[Any]:
    return [one for one in certificates if one.applies and one.verdict != "proved"]


def _others(certificates: Sequence[Any]) -> list[str]:
    """Return what the table leaves out, a sentence a sort."""
    sorts = (
        ("Proved here too", [c for c in certificates
                             if c.verdict == "proved" and c.kind in QUIET]),
        ("Their hypotheses fail too", _failing(certificates)[NEAREST:]),
    )  # fmt: skip
    lines = [
        f"{told}: {', '.join(one.theorem for one in found)}."
        for told, found in sorts
        if found
    ]
    apart = sum(not one.applies for one in certificates)
    return [*lines, f"About other problems: {apart} more."] if apart else lines


def _told(certificate: Any) -> Text:
    """Return a certificate's theorem in bold, then one line for each fact."""
    told = Text(certificate.theorem, style="bold")
    promise = certificate.guarantee
    lines = [
        f"{h.name}{_slack(h)}" for h in certificate.hypotheses if h.verdict != "proved"
    ]
    if promise is not None:
        lines += [promise.statement, _promised(certificate), _observed(certificate)]
    lines.append(certificate.told_safe_step())
    for line in filter(None, lines):
        told.append(f"\n  {line}", style="not bold")
    return told


def _facts(title: str, facts: Facts) -> Table:
    table = Table(title=title, title_justify="left", show_header=False, box=None)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in facts:
        table.add_row(name, text)
    return table


def _slack(hypothesis: Any) -> str:
    if hypothesis.slack is None:
        return f": {hypothesis.verdict}"
    mend = f"; {hypothesis.mend}" if hypothesis.mend else ""
    low, high = (end + 0.0 for end in hypothesis.slack)
    shown = (
        f"{low:.3g}" if f"{low:.3g}" == f"{high:.3g}" else f"[{low:.3g}, {high:.3g}]"
    )
    return f": {hypothesis.verdict}, slack {shown}{mend}"


def _promised(certificate: Any) -> str:
    if certificate.promised is None:
        return ""
    unit = "iterations" if certificate.clock == "iteration" else "flow time"
    return (
        f"promised: excess loss {certificate.accuracy:.3g} within "
        f"{certificate.promised:,.6g} {unit}"
    )


def _observed(certificate: Any) -> str:
    seen = certificate.observed
    if seen.time is None or certificate.promised is None:
        return "" if seen.drift is None else f"observed: drift {seen.drift:.2g}"
    kept = (
        "" if seen.kept is None else (", bound kept" if seen.kept else ", BOUND BROKEN")
    )
    looser = "" if seen.looseness is None else f" ({seen.looseness:,.3g} times fewer)"
    return f"observed: {seen.time:,.6g}{looser}{kept}"
