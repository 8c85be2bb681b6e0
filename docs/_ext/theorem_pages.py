"""A theorem's page: statement, witnesses, counterexamples, and what a run does."""

from pathlib import Path

from mathml import with_math
from rst import card, cited, described, heading, picture, table, title

from thalweg import Playground, Problem, certify, descend, figure, flow
from thalweg._core.errors import DomainError
from thalweg.theorems import shelf

ROOM_FOR_ITERATIONS = 20_000
"""Most iterations of a witness that a build runs."""


def theorems(figures: Path):
    """Return the page of all theorems and one page for each, by name."""
    rows = [
        (
            f":doc:`{name} <theorem-{name}>`",
            with_math(entry.summary),
            _kind(name),
            _clock(name),
        )
        for name, entry in shelf.cards.items()
    ]
    listing = [
        title("Theorems"),
        "`tw.certify(name, problem, weights, step_size=...)` checks one, "
        "`tw.certify_all(problem, weights)` all of them.\n",
        table(("name", "what it says", "kind", "clock"), rows),
        ".. toctree::\n   :hidden:\n",
        *(f"   {name} <theorem-{name}>" for name in shelf),
        "",
    ]
    pages = {f"theorem-{name}": _page(name, figures) for name in shelf}
    return {"theorems": "\n".join(listing), **pages}


def _clock(name):
    return shelf.entry(name).clock


def _kind(name):
    return str(shelf.entry(name).kind)


def _page(name, figures):
    entry = shelf.entry(name)
    parts = [
        title(name),
        described(entry),
        card(
            ("kind", entry.kind),
            ("about", entry.setting.name),
            ("bounds", entry.bounds or "no measure"),
            ("clock", entry.clock),
            ("source", cited(getattr(entry, "source", None))),
            ("checked against the source", entry.status),
        ),
    ]
    try:
        theorem = shelf.make(name)
    except DomainError:  # it has a field without a default, and so no cases
        return "\n".join(parts)
    return "\n".join(
        [
            *parts,
            _witnesses(theorem),
            _counterexamples(theorem),
            _printed(theorem),
            _compared(name, theorem, figures),
        ]
    )


def _certified(theorem, example, path=None):
    return certify(
        theorem,
        example.problem,
        example.start,
        step_size=example.step_size,
        path=path,
    )


def _witnesses(theorem):
    parts = []
    for number, example in enumerate(theorem.witnesses(), 1):
        certificate = _certified(theorem, example)
        rows = [
            (f"``{h.name}``", _interval(h.slack), h.arithmetic, h.verdict)
            for h in certificate.hypotheses
        ]
        step = "" if example.step_size is None else f", step {example.step_size:.6g}"
        parts += [
            f"**Witness {number}**: {_told(example.problem)}{step}.\n",
            table(("hypothesis", "slack", "decided by", "verdict"), rows),
            f"{_promised(certificate)}\n",
            *_numbers(certificate),
            *_conclusions(certificate),
        ]
    return "\n".join([heading("Where it holds"), *parts]) if parts else ""


def _numbers(certificate):
    rows = [
        (f"``{name}``", _interval(ends)) for name, ends in certificate.values.items()
    ]
    return [table(("number of the promise", "value"), rows)] if rows else []


def _conclusions(certificate):
    rows = [
        (f"``{entry.name}``", _interval(entry.slack), entry.verdict)
        for entry in certificate.conclusions
    ]
    return (
        [table(("it follows, and was checked", "slack", "verdict"), rows)]
        if rows
        else []
    )


def _counterexamples(theorem):
    rows = []
    for example in theorem.counterexamples():
        found = {h.name: h for h in _certified(theorem, example).hypotheses}
        failed = found[example.refuted]
        slack = _interval(failed.slack)
        told = _told(example.problem)
        rows.append((told, f"``{failed.name}``", slack, failed.verdict))
    heads = ("case", "what fails", "slack", "verdict")
    return heading("Where it does not") + "\n" + table(heads, rows) if rows else ""


def _printed(theorem):
    rows = [(p.where, p.text, f"{p.value():.9g}") for p in theorem.printed_values()]
    heads = ("number", "on record", "computed at this build")
    return heading("Numbers on record") + "\n" + table(heads, rows) if rows else ""


def _compared(name, theorem, figures):
    """Return a figure of promise against observation for the first witness."""
    example = next(iter(theorem.witnesses()), None)
    if example is None:
        return ""
    certificate = _certified(theorem, example)
    if not _about_a_run(certificate, example):
        return ""
    headed = heading("Promise against observation")
    promise = certificate.guarantee
    named = (*promise.conserved, *promise.predictions)
    shown = named[0] if named else "excess_loss"
    path = _run(example, certificate, (*named, "excess_loss"))
    compared = _certified(theorem, example, path)
    file = figures / f"theorem-{name}.svg"
    figure(path, shown, [compared]).savefig(file, metadata={"Date": None})
    end = path.clock[-1]
    until = f"to time {end:.4g}" if path.is_flow else f"for {int(end):,} iterations"
    return "\n".join(
        [
            headed,
            f"The first witness, run {until}. {_observed(compared)}\n",
            picture(f"figures/{file.name}", f"{shown}, promised and observed"),
        ]
    )


def _about_a_run(certificate, example):
    """Return whether a run from the example shows what is promised."""
    promise = certificate.guarantee
    runs = isinstance(example.problem, Problem | Playground)
    if promise is None or example.start is None or not runs:
        return False
    told = (promise.bounds_loss, promise.floor, promise.lower, promise.conserved)
    return any(told) or bool(promise.predictions)


def _run(example, certificate, measures):
    if certificate.clock == "iteration":
        return descend(
            example.problem,
            example.start,
            step_size=certificate.step_size,
            iterations=ROOM_FOR_ITERATIONS,
            accuracy=certificate.accuracy,
            measures=measures,
        )
    promised = certificate.promised
    return flow(
        example.problem,
        example.start,
        horizon=promised if promised and promised < float("inf") else 10.0,
        accuracy=None if promised is None else certificate.accuracy,
        measures=measures,
    )


def _observed(certificate):
    seen, told = certificate.observed, []
    if seen.kept is not None:
        told.append(f"The bound (dashed) is {'kept' if seen.kept else 'broken'}.")
    if certificate.promised is not None:
        took = "not in this run" if seen.time is None else f"after {seen.time:,.6g}"
        told.append(
            f"Excess loss {certificate.accuracy:.0e}: promised within "
            f"{certificate.promised:,.6g} {_unit(certificate)}, observed {took}."
        )
    if seen.deviation is not None:
        told.append(f"Relative distance from the prediction: {seen.deviation:.1e}.")
    if seen.drift is not None:
        told.append(f"Largest change of what is conserved: {seen.drift:.1e}.")
    return " ".join(told)


def _told(problem):
    if not isinstance(problem, Problem | Playground):
        return type(problem).__name__
    net = "-".join(map(str, problem.net.widths))
    if not hasattr(problem, "data"):
        return f"playground of depth {problem.depth}"
    return f"widths {net}"


def _promised(certificate):
    if certificate.guarantee is None:
        return ""
    told = f"Promised: ``{certificate.guarantee.statement}``."
    accuracy, promised = certificate.accuracy, certificate.promised
    if promised is None:
        return told
    within = f"within {promised:,.6g} {_unit(certificate)}"
    return f"{told} Excess loss {accuracy:.0e} {within}."


def _unit(certificate):
    return "iterations" if certificate.clock == "iteration" else "units of flow time"


def _interval(slack):
    if slack is None:
        return "a fact"
    low, high = (f"{bound:.6g}" for bound in slack)
    return low if low == high else f"[{low}, {high}]"
