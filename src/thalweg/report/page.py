"""One self-contained page: figures, certificates, and how to make it again."""

import html
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from thalweg._core.errors import StoreError
from thalweg._core.source import bibliography
from thalweg.report import look
from thalweg.report.facts import outcome_facts, problem_facts
from thalweg.report.figure import figure


@dataclass(frozen=True)
class Page:
    """A finished page.

    Attributes:
        text: Its HTML, with everything in it: no file and no network is needed.
    """

    text: str

    def save(self, file: str | os.PathLike[str]) -> FilePath:
        """Write the page.

        Args:
            file: Where to; its folder is made if missing.

        Returns:
            The file.

        Raises:
            StoreError: If it cannot be written.
        """
        place = FilePath(file)
        beside = place.with_name(f".{place.name}.part")
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            beside.write_text(self.text, encoding="utf-8")
            beside.replace(place)
        except OSError as error:
            raise StoreError(
                f"{place} could not be written: {error.strerror or error}."
            ) from error
        return place


def page(path: Any, *certificates: Any, command: str | None = None) -> Page:
    """Lay out a path and its certificates on one page.

    Args:
        path: A recorded path.
        *certificates: Certificates, or lists of them.
        command: The command that made it; the one noted on the path if `None`.

    Returns:
        The page; `page(path).save("run.html")` writes it.

    Example:
        >>> import thalweg as tw
        >>> path = tw.descend(tw.Playground(2), [0.5, 0.5], step_size=0.1,
        ...                   iterations=20)
        >>> "Playground" in page(path).text
        True
    """
    flat = [
        one
        for entry in certificates
        for one in (entry if isinstance(entry, list | tuple) else [entry])
    ]
    title = _title(path)
    body = "\n".join(
        [
            f"<h1>{_safe(title)}</h1>",
            f'<p class="lead">{_safe(str(path.outcome))}</p>',
            _facts(path),
            "<h2>What was recorded</h2>",
            _figures(path, flat),
            _certificates(flat),
            _again(path, command),
            _sources(path, flat),
        ]
    )
    return Page(
        "<!doctype html>\n"
        f'<html lang="en"><head><meta charset="utf-8"><title>{_safe(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="icon" href="data:,"><style>{look.CSS}</style></head>'
        f"<body><main>\n{body}\n</main></body></html>\n"
    )


def _title(path: Any) -> str:
    kind = "Gradient flow" if path.is_flow else "Gradient descent"
    data = path.notes.get("data")
    net = "-".join(map(str, path.problem.net.widths))
    if not hasattr(path.problem, "data"):
        return f"{kind} on the Playground of depth {path.problem.depth}"
    return f"{kind} on {data}, widths {net}" if data else f"{kind}, widths {net}"


def _facts(path: Any) -> str:
    parts = []
    for heading, facts in (
        ("The problem", problem_facts(path.problem)),
        ("The run", outcome_facts(path)),
    ):
        rows = "".join(
            f"<tr><th>{_safe(name)}</th><td>{_safe(text)}</td></tr>"
            for name, text in facts
        )
        parts.append(
            f'<section class="card"><strong>{heading}</strong>'
            f'<div class="scroll"><table>{rows}</table></div></section>'
        )
    return f'<div class="grid">{"".join(parts)}</div>'


def _figures(path: Any, certificates: Sequence[Any]) -> str:
    cards = []
    for name, measure in path.measures:
        summary = (type(measure).__doc__ or "").partition("\n")[0]
        theory = _theory(name, measure, path, certificates)
        cards.append(
            f'<figure class="card" id="{name}">{_svg(path, name, certificates)}'
            f"<figcaption>{_safe(_plain(summary))}"
            f'<span class="theory">{_safe(theory)}</span></figcaption></figure>'
        )
    return f'<div class="grid">{"".join(cards)}</div>'


def _theory(name: str, measure: Any, path: Any, certificates: Sequence[Any]) -> str:
    """Return what theory says of a measure, in general and in this case."""
    clock = "flow time" if path.is_flow else "iteration"
    told = [measure.says] if measure.says else []
    for certificate in certificates:
        promise = certificate.guarantee
        if promise is None or certificate.clock != clock:
            continue
        bounds = name in ("loss", "excess_loss") and promise.bounds_loss
        if bounds or name in promise.conserved:
            told.append(f"{certificate.theorem} is proved here: {promise.statement}.")
    return " ".join(told)


def _svg(path: Any, name: str, certificates: Sequence[Any]) -> str:
    buffer = io.StringIO()
    drawn = figure(path, name, certificates)
    drawn.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    # Names inside one drawing must not meet those of another on the same page.
    text = text[text.index("<svg") :]
    for mark in ('id="', 'href="#', "url(#"):
        text = text.replace(mark, f"{mark}{name}-")
    return text.replace("<svg ", f'<svg role="img" aria-label="{name}" ', 1)


def _certificates(certificates: Sequence[Any]) -> str:
    if not certificates:
        return ""
    apart = [one for one in certificates if not one.applies]
    proved = [one for one in certificates if one.verdict == "proved"]
    failing = [one for one in certificates if one.applies and one not in proved]
    return (
        "<h2>What theory promises</h2>"
        f'<div class="card scroll">{_certificate_table(proved)}'
        + _folded(f"{len(failing)} whose hypotheses fail here", failing)
        + _others(apart)
        + "</div>"
    )


def _others(apart: Sequence[Any]) -> str:
    if not apart:
        return ""
    told = "; ".join(f"{one.theorem} ({_missing(one)})" for one in apart)
    return (
        f"<details><summary>{len(apart)} about other problems</summary>"
        f"<p>About other problems: {_safe(told)}.</p></details>"
    )


def _folded(summary: str, certificates: Sequence[Any]) -> str:
    if not certificates:
        return ""
    table = _certificate_table(certificates)
    return f"<details><summary>{summary}</summary>{table}</details>"


def _certificate_table(certificates: Sequence[Any]) -> str:
    if not certificates:
        return "<p>No theorem on the shelf is proved here.</p>"
    rows = "".join(_certificate_row(one) for one in certificates)
    return (
        '<table><tr><th>theorem</th><th class="short">verdict</th>'
        "<th>hypotheses</th><th>promised</th><th>observed</th></tr>"
        f"{rows}</table>"
    )


def _missing(certificate: Any) -> str:
    """Return which facts keep a theorem from being about this problem."""
    facts = [h for h in certificate.hypotheses if h.arithmetic == "fact"]
    return "needs: " + ", ".join(h.name for h in facts if h.verdict != "proved")


def _certificate_row(certificate: Any) -> str:
    lines = "".join(
        f'<div><span class="{h.verdict}">{h.verdict}</span>: {_safe(h.name)}'
        f"{_slack(h)}</div>"
        for h in certificate.hypotheses
    )
    promise = certificate.guarantee
    statement = "" if promise is None else f"<div>{_safe(promise.statement)}</div>"
    unit = "iterations" if certificate.clock == "iteration" else "flow time"
    promised = (
        f"<div>{_safe(certificate.told_safe_step())}</div>"
        if certificate.promised is None
        else f"<div>excess loss {certificate.accuracy:.3g} within "
        f"{certificate.promised:,.6g} {unit}</div>"
    )
    seen = certificate.observed
    told = seen.time is not None and certificate.promised is not None
    observed = [f"{seen.time:,.6g} {unit}"] if told else []
    if seen.looseness is not None:
        observed.append(f"promise / observed = {seen.looseness:,.3g}")
    if seen.kept is not None:
        observed.append("bound kept" if seen.kept else "bound broken")
    if seen.deviation is not None:
        observed.append(f"off the prediction by {seen.deviation:.2g}")
    if seen.drift is not None:
        observed.append(f"drift {seen.drift:.2g}")
    return (
        f"<tr><td><strong>{_safe(certificate.theorem)}</strong><br>"
        f"{_safe(_plain(certificate.summary))}<br><small>"
        f"{_safe(certificate.source.place)} ({_safe(certificate.status)})</small></td>"
        f'<td class="{certificate.verdict}">{certificate.verdict}</td>'
        f'<td class="wide">{lines}</td><td>{statement}{promised}</td>'
        f"<td>{'<br>'.join(map(_safe, observed))}</td></tr>"
    )


def _slack(hypothesis: Any) -> str:
    if hypothesis.slack is None:
        return ""
    lo, hi = (end + 0.0 for end in hypothesis.slack)
    same = f"{lo:.4g}" == f"{hi:.4g}"
    text = f"{lo:.4g}" if same else f"[{lo:.4g}, {hi:.4g}]"
    mend = f"; {hypothesis.mend}" if hypothesis.mend and lo <= 0 else ""
    return (
        f" <small>(slack {text}, {_safe(hypothesis.arithmetic)}{_safe(mend)})</small>"
    )


def _again(path: Any, command: str | None) -> str:
    made = command or path.notes.get("command")
    seed = path.notes.get("seed")
    if made is None:
        return ""
    told = "" if seed is None else f" Its seed is {seed}."
    return (
        "<h2>How to make it again</h2>"
        f'<div class="card">This command reproduces the run.{told}'
        f"<pre>{_safe(made)}</pre></div>"
    )


def _sources(path: Any, certificates: Sequence[Any]) -> str:
    sources = [*path.sources, *(certificate.source for certificate in certificates)]
    return (
        "<h2>Sources</h2>"
        f'<details class="card"><summary>BibTeX of what was used</summary>'
        f"<pre>{_safe(bibliography(sources))}</pre></details>"
        f"<footer>Made by Thalweg. Slacks are enclosures: the true number lies "
        "between the two printed.</footer>"
    )


def _plain(text: str) -> str:
    """Return a docstring's line without its markup."""
    return text.replace("`", "").replace("$", "")


def _safe(text: Any) -> str:
    return html.escape(str(text))
