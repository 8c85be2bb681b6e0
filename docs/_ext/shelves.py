"""Write the reference from the package itself, at every build.

A shelf's page is made from the cards of what stands on it, a theorem's page also from
its witnesses; so a file put on a shelf is documented by being there.
"""

import dataclasses
import importlib
import inspect
import io
import os
import re
from contextlib import redirect_stdout
from pathlib import Path

from mathml import with_math

GENERATED = Path("reference/generated")
ROOM_FOR_ITERATIONS = 20_000
"""Most iterations of a witness that a build runs."""

ROOMS = {
    "problem": "What is minimised",
    "doors": "Names that become objects",
    "motion": "How weights move",
    "theorems": "What is promised",
    "report": "Figures and pages",
    "linalg": "Chains of matrices",
}
RETURNED = {
    "motion": ["_core.outcome.Outcome", "_core.outcome.Outcomes", "motion.rates.Rate",
               "motion.rates.Plateau", "motion.descend.Progress"],
    "theorems": ["theorems._certify.Checked", "theorems._certify.Observed",
                 "theorems._base.Guarantee"],
    "problem": ["problem.problem.Optimum", "problem.recipe.Preparation"],
}  # fmt: skip
"""What the doors return, which nobody makes himself."""


def generate(app):
    """Write every page of the reference."""
    folder = Path(app.srcdir) / GENERATED
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    pages = {
        "measures": measures(),
        "inits": inits(),
        "datasets": datasets(),
        "cli": command_line(),
        "python": python(),
        "errors": errors(),
        **theorems(folder / "figures"),
        **examples(Path(app.srcdir).parent / "examples"),
    }
    for name, text in pages.items():
        _write(folder / f"{name}.rst", text)
    for file in folder.glob("*.rst"):
        if file.stem not in pages:
            file.unlink()


def measures():
    """Return the page of the measures."""
    from thalweg.measures import shelf

    parts = [
        _title("Measures"),
        "What is read off a state. `tw.measure(name, **parameters)` makes one; `descend` "
        "and `flow` take names too.\n",
    ]
    for name in shelf:
        entry = shelf.entry(name)
        axes = ", ".join(entry.axes) or "none: one number"
        parts += [
            _section(name, entry),
            _card(
                ("symbol", f":math:`{entry.symbol}`"),
                ("axes", axes),
                ("conserved by the flow", "yes" if entry.conserved else "no"),
                ("unchanged under", ", ".join(entry.invariant_under) or "nothing stated"),
                ("drawn on a log scale", "yes" if entry.log_scale else "no"),
                ("what theory says", with_math(entry.says)),
                ("source", _cited(entry.source)),
            ),
        ]
    return "\n".join(parts)


def inits():
    """Return the page of the starts."""
    from thalweg.inits import shelf

    parts = [
        _title("Starts"),
        "`tw.init(name, **parameters).draw(key, net)` gives weights; the same key gives "
        "the same weights.\n",
    ]
    for name in shelf:
        entry = shelf.entry(name)
        parts += [
            _section(name, entry),
            _card(
                ("balanced", "yes" if entry.balanced else "not in general"),
                ("source", _cited(entry.source)),
            ),
        ]
    return "\n".join(parts)


def datasets():
    """Return the page of the data sets."""
    from thalweg.problem.datasets import shelf

    parts = [
        _title("Data sets"),
        "`tw.load(name, **fields)` gives moments, centred and whitened unless told "
        "otherwise; `tw.dataset(name).load()` gives the table itself. Sizes are those of "
        "the default fields.\n",
    ]
    for name in shelf:
        entry = shelf.entry(name)
        parts += [
            _section(name, entry),
            _card(
                ("samples", f"{entry.samples:,}"),
                ("features", f"{entry.features:,}"),
                ("outputs", f"{entry.outputs:,}"),
                ("bundled", "yes" if entry.offline else f"no: `thalweg data fetch {name}`"),
                ("licence", entry.licence),
                ("source", _cited(entry.source)),
                ("published at", _address(entry.address)),
            ),
        ]
    return "\n".join(parts)


def theorems(figures):
    """Return the page of the theorems and one page for each."""
    from thalweg.theorems import shelf

    pages = {f"theorem-{name}": _theorem(name, figures) for name in shelf}
    rows = [
        (f":doc:`{name} <theorem-{name}>`", with_math(card.summary), shelf.entry(name).clock)
        for name, card in shelf.cards.items()
    ]
    pages["theorems"] = "\n".join(
        [
            _title("Theorems"),
            "`tw.certify(name, problem, weights, step_size=...)` checks one, "
            "`tw.certify_all(problem, weights)` all of them.\n",
            _table(("name", "what it says", "clock"), rows),
            ".. toctree::\n   :hidden:\n",
            *(f"   {name} <theorem-{name}>" for name in shelf),
            "",
        ]
    )
    return pages


def _theorem(name, figures):
    from thalweg.theorems import shelf

    entry = shelf.entry(name)
    summary, body, fields = _parsed(inspect.getdoc(entry) or "")
    theorem = shelf.make(name)
    return "\n".join(
        [
            _title(name),
            f"{with_math(summary)}\n",
            with_math(body) + "\n",
            _fields(entry, fields),
            _card(
                ("bounds", entry.bounds or "no measure"),
                ("clock", entry.clock),
                ("source", _cited(entry.source)),
                ("checked against the source", entry.status),
            ),
            _witnesses(theorem),
            _counterexamples(theorem),
            _printed(theorem),
            _figure_of(name, theorem, figures),
        ]
    )


def _witnesses(theorem):
    from thalweg import certify

    parts = []
    for number, example in enumerate(theorem.witnesses(), 1):
        certificate = certify(
            theorem, example.problem, example.start,
            step_size=example.step_size,
        )  # fmt: skip
        rows = [
            (f"``{h.name}``", _interval(h.slack), h.arithmetic, h.verdict)
            for h in certificate.hypotheses
        ]
        promise = certificate.guarantee.statement if certificate.guarantee else ""
        step = "" if example.step_size is None else f", step {example.step_size:.6g}"
        parts += [
            f"**Witness {number}**: {_problem(example.problem)}{step}.\n",
            _table(("hypothesis", "slack", "decided by", "verdict"), rows),
            f"Promised: ``{promise}``.{_within(certificate)}\n",
        ]
    return "\n".join([_heading("Where it holds"), *parts]) if parts else ""


def _counterexamples(theorem):
    from thalweg import certify

    rows = []
    for example in theorem.counterexamples():
        certificate = certify(
            theorem, example.problem, example.start,
            step_size=example.step_size,
        )  # fmt: skip
        failed = {h.name: h for h in certificate.hypotheses}[example.refuted]
        rows.append(
            (_problem(example.problem), f"``{failed.name}``", _interval(failed.slack), failed.verdict)
        )
    if not rows:
        return ""
    heads = ("case", "what fails", "slack", "verdict")
    return _heading("Where it does not") + "\n" + _table(heads, rows)


def _printed(theorem):
    rows = [(p.where, p.text, f"{p.value():.9g}") for p in theorem.printed_values()]
    if not rows:
        return ""
    heads = ("number", "on record", "computed at this build")
    return _heading("Numbers on record") + "\n" + _table(heads, rows)


def _figure_of(name, theorem, figures):
    """Return a figure of promise against observation for the first witness."""
    from thalweg import certify, descend, figure, flow

    example = next(iter(theorem.witnesses()), None)
    if example is None or example.start is None:
        return _heading("Promise against observation") + (
            "\nThe promise is about a random draw, so there is no single run to set "
            "beside it.\n"
        )
    certificate = certify(theorem, example.problem, example.start, step_size=example.step_size)
    conserved = certificate.guarantee.conserved
    drawn_name = conserved[0] if conserved else "excess_loss"
    wanted = (*conserved, "excess_loss")
    if certificate.clock == "iteration":
        path = descend(
            example.problem, example.start, step_size=certificate.step_size,
            iterations=ROOM_FOR_ITERATIONS, accuracy=certificate.accuracy, measures=wanted,
        )  # fmt: skip
    else:
        promised = certificate.promised
        path = flow(
            example.problem, example.start, horizon=promised or 10.0, measures=wanted,
            accuracy=None if promised is None else certificate.accuracy,
        )  # fmt: skip
    compared = certify(
        theorem, example.problem, example.start, step_size=example.step_size, path=path
    )
    file = figures / f"theorem-{name}.svg"
    figure(path, drawn_name, [compared]).savefig(file, metadata={"Date": None})
    return "\n".join(
        [
            _heading("Promise against observation"),
            f"The first witness, run{_until(path)}. {_observed(compared)}\n",
            f".. image:: /{GENERATED}/figures/{file.name}\n   :class: picture\n"
            f"   :alt: {drawn_name}, promised and observed\n",
        ]
    )


def _until(path):
    end = path.clock[-1]
    return f" to time {end:.4g}" if path.is_flow else f" for {int(end):,} iterations"


def _observed(certificate):
    seen, told = certificate.observed, []
    unit = "iterations" if certificate.clock == "iteration" else "units of flow time"
    if seen.kept is not None:
        told.append(f"The bound (dashed) is {'kept' if seen.kept else 'broken'}.")
    if certificate.promised is not None:
        reached = "not reached in this run" if seen.time is None else f"took {seen.time:,.6g}"
        told.append(
            f"Excess loss {certificate.accuracy:.0e}: promised within "
            f"{certificate.promised:,.6g} {unit}, {reached}."
        )
    if seen.drift is not None:
        told.append(f"Largest change of what is conserved: {seen.drift:.1e}.")
    return " ".join(told)


def command_line():
    """Return the page of the commands, from their own help."""
    from thalweg.cli.main import app, execute

    os.environ["COLUMNS"] = "88"

    def below(part, words):
        yield words, part
        for name in part:
            if not name.startswith("-"):
                yield from below(part[name], (*words, name))

    parts = [
        _title("Command line"),
        "A command leaves with 0 for any result, whatever its verdicts and outcomes; with "
        "2 for bad input, told in one sentence; with 130 after Ctrl-C; `data fetch` with 1 "
        "if its terms are not accepted.\n",
    ]
    for words, _ in below(app, ()):
        out = io.StringIO()
        with redirect_stdout(out):
            execute([*words, "--help"])
        lines = [f"   {line.rstrip()}" for line in out.getvalue().strip().splitlines()]
        parts += [_heading(" ".join(("thalweg", *words))), ".. code-block:: text\n", *lines, ""]
    return "\n".join(parts)


def python():
    """Return the page of the names a user types."""
    import thalweg

    parts = [
        _title("Python"),
        "Everything in `import thalweg as tw`. Names are loaded on first use.\n",
    ]
    for room, title in _rooms(thalweg).items():
        names = [name for name in thalweg.__all__ if _room(thalweg, name) == room]
        parts.append(_heading(title))
        parts += [_auto(getattr(thalweg, name), f"thalweg.{name}") for name in names]
        parts += [
            _auto(_found(place), f"thalweg.{place}") for place in RETURNED.get(room, ())
        ]
    return "\n".join(parts)


def _rooms(package):
    found = {_room(package, name) for name in package.__all__}
    unnamed = {room: room.capitalize() for room in sorted(found - ROOMS.keys())}
    return {room: title for room, title in {**ROOMS, **unnamed}.items() if room in found}


def _room(package, name):
    return getattr(package, name).__module__.split(".")[1]


def _found(place):
    module, _, name = place.rpartition(".")
    return getattr(importlib.import_module(f"thalweg.{module}"), name)


def _auto(thing, name):
    if not inspect.isclass(thing):
        return f".. autofunction:: {name}\n"
    return f".. autoclass:: {name}\n   :members:\n   :no-index-entry:\n"


def errors():
    """Return the page of errors, outcomes and verdicts."""
    from thalweg._core import errors as kinds
    from thalweg._core.outcome import Status
    from thalweg.theorems._base import Verdict

    rows = [
        (f"``{kind.__name__}``", with_math((kind.__doc__ or "").partition("\n")[0]),
         ", ".join(f"``{base.__name__}``" for base in kind.__bases__))
        for kind in vars(kinds).values()
        if inspect.isclass(kind) and issubclass(kind, kinds.ThalwegError)
    ]  # fmt: skip
    return "\n".join(
        [
            _title("Errors, outcomes, verdicts"),
            "Three kinds that are never mixed. A mistake of the caller raises one of these "
            "exceptions before anything runs, with what came, what was needed and, if it is "
            "not obvious, what to do. The command line prints the sentence and leaves with "
            "code 2.\n",
            _table(("exception", "when", "is a"), rows),
            "A run that does not end well is a result: its outcome has one of the statuses "
            + ", ".join(f"*{status}*" for status in Status)
            + ". Only `throw=True` turns *diverged* and *interrupted* into `RunFailed`.\n",
            "A hypothesis that fails is a result too: "
            + ", ".join(f"*{verdict}*" for verdict in Verdict)
            + ".\n",
        ]
    )


def examples(folder):
    """Return a page that shows every example."""
    parts = [
        _title("Examples"),
        "Plain programs of the folder `examples`, run by the tests. Each prints a table "
        "and saves a figure: `python examples/NAME.py --out FOLDER`.\n",
    ]
    for file in sorted(folder.glob("*.py")):
        parts += [
            _heading(file.name),
            f".. literalinclude:: /../examples/{file.name}\n   :language: python\n",
        ]
    for file in sorted(folder.glob("*.toml")):
        parts += [
            _heading(file.name),
            f".. literalinclude:: /../examples/{file.name}\n   :language: toml\n",
        ]
    return {"examples": "\n".join(parts)}


def _section(name, entry):
    summary, body, fields = _parsed(inspect.getdoc(entry) or "")
    return "\n".join(
        [_heading(name), f"{with_math(summary)}\n", with_math(body) + "\n", _fields(entry, fields)]
    )


def _parsed(text):
    """Return the summary, the paragraphs and the attributes of a docstring."""
    summary, _, rest = text.partition("\n")
    parts = re.split(r"^(Attributes|Example|Source):\n", rest, flags=re.MULTILINE)
    fields = {}
    for title, section in zip(parts[1::2], parts[2::2], strict=True):
        if title == "Attributes":
            section = inspect.cleandoc("\n" + section)
            for found in re.split(r"\n(?=\w)", section.strip()):
                name, _, meaning = found.partition(":")
                fields[name.strip()] = " ".join(meaning.split())
    return summary, parts[0].strip(), fields


def _fields(entry, meanings):
    rows = []
    for field in dataclasses.fields(entry) if dataclasses.is_dataclass(entry) else ():
        missing = field.default is dataclasses.MISSING
        default = "needed" if missing else f"``{field.default!r}``"
        rows.append((f"``{field.name}``", default, with_math(meanings.get(field.name, ""))))
    return _table(("parameter", "default", "meaning"), rows) if rows else ""




def _problem(problem):
    net = "-".join(map(str, problem.net.widths))
    if not hasattr(problem, "data"):
        return f"playground of depth {problem.depth}"
    return f"widths {net}"


def _within(certificate):
    if certificate.promised is None:
        return ""
    unit = "iterations" if certificate.clock == "iteration" else "units of flow time"
    return (
        f" Excess loss {certificate.accuracy:.0e} within {certificate.promised:,.6g} {unit}."
    )


def _interval(slack):
    if slack is None:
        return "a fact"
    low, high = (f"{bound:.6g}" for bound in slack)
    return low if low == high else f"[{low}, {high}]"


def _cited(source):
    link = source.link
    if link.startswith("arXiv:"):
        link = f"https://arxiv.org/abs/{link[6:]}"
    elif link.startswith("doi:"):
        link = f"https://doi.org/{link[4:]}"
    line = re.sub(r"^(\w)\.", r"\1\.", source.line())  # else "A." begins a list
    return f"{line}. `{source.link} <{link}>`__" if link else f"{line}."


def _address(address):
    return f"`{address} <{address}>`__" if address.startswith("http") else address


def _title(text):
    return f"{text}\n{'=' * len(text)}\n"


def _heading(text):
    return f"{text}\n{'-' * len(text)}\n"


def _card(*rows):
    return _rows(rows, ":class: card")


def _table(heads, rows):
    return _rows([heads, *rows], ":header-rows: 1")


def _rows(rows, option):
    lines = [".. list-table::", f"   {option}", ""]
    for row in rows:
        for place, cell in enumerate(row):
            mark = "* - " if place == 0 else "  - "
            lines.append(f"   {mark}" + "\n       ".join(str(cell).split("\n")))
    return "\n".join([*lines, ""])


def _write(file, text):
    if not file.exists() or file.read_text(encoding="utf-8") != text:
        file.write_text(text, encoding="utf-8")


def setup(app):
    """Write the pages before any is read."""
    app.connect("builder-inited", generate)
    return {"parallel_read_safe": True}
