"""The terminal summary of a run."""

from collections.abc import Sequence
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from thalweg.report.facts import Facts, outcome_facts, problem_facts

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
        apart = [one.theorem for one in certificates if not one.applies]
        if apart:
            parts.append(
                Text(f"About other problems: {', '.join(apart)}.", style="dim")
            )
    return Group(*parts)


def certificates_table(certificates: Sequence[Any]) -> Table:
    """Return certificates as a list: verdict, what decides it, promise, observation.

    Args:
        certificates: Certificates; those about other problems are left out.

    Returns:
        The table.
    """
    table = Table(
        title="What theory promises", title_justify="left", show_header=False, box=None
    )
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for certificate in certificates:
        if certificate.applies:
            verdict = str(certificate.verdict)
            table.add_row(Text(verdict, style=COLOURS[verdict]), _told(certificate))
    return table


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
