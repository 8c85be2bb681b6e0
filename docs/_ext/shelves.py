"""Write the reference from the package itself, at every build.

A shelf's page is made from the cards of what stands on it, so a file put on a shelf is
documented by being there. The pages lie in `reference/generated`, which git ignores.
"""

import importlib
import inspect
import io
import os
from contextlib import redirect_stdout
from pathlib import Path

import run_blocks
from gallery_pages import gallery
from mathml import with_math
from rst import address, card, cited, described, heading, table, title
from theorem_pages import theorems

import thalweg
from thalweg._core import errors as kinds
from thalweg._core.outcome import Status
from thalweg.cli.main import app as commands
from thalweg.cli.main import execute
from thalweg.inits import shelf as inits
from thalweg.measures import shelf as measures
from thalweg.problem.datasets import shelf as datasets
from thalweg.sweep.engines import shelf as engines
from thalweg.theorems._base import Verdict

GENERATED = Path("reference/generated")
ROOMS = {
    "problem": "What is minimised",
    "doors": "Names that become objects",
    "motion": "How weights move",
    "landscape": "Where paths can end",
    "theorems": "What is promised",
    "beside": "Theory beside motion",
    "sweep": "Many runs at once",
    "experiments": "Published figures",
    "report": "Figures and pages",
    "checker": "Certificates checked again",
    "linalg": "Chains of matrices",
}
RETURNED = {
    "problem": (
        "problem.problem.Optimum",
        "problem.recipe.Preparation",
        "problem.compress.Compression",
    ),
    "motion": (
        "_core.outcome.Outcome",
        "_core.outcome.Outcomes",
        "motion.rates.Rate",
        "motion.rates.Plateau",
        "motion.descend.Progress",
        "motion.flow.FlowProgress",
        "motion.angle.AngleCondition",
        "motion.angle.Kept",
        "motion.shadow.Shadow",
        "motion.shadow.PathShadow",
        "motion.ends.Ends",
    ),
    "landscape": (
        "landscape.values.CriticalValues",
        "landscape.values.CriticalValue",
        "landscape._points.members.CriticalPoint",
        "landscape.strata.Stratum",
        "landscape.nearest.Nearest",
        "landscape.find.Found",
        "landscape.find.Distinct",
        "landscape.marking.MarkedPlateau",
        "landscape.strictness.Classification",
        "landscape.kinds.Kind",
        "landscape.pivots.Pivot",
        "landscape.rigour.Proof",
        "landscape.spectrum.Spectrum",
        "landscape.inertia.Inertia",
        "landscape.inertia.ProvenSigns",
        "landscape.density.Density",
        "landscape.closed_spectrum.ClosedSpectrum",
        "landscape.directions.EscapeDirection",
        "landscape.higher.EscapeCurve",
        "landscape.escape.Escape",
        "landscape.itinerary.Itinerary",
        "landscape.itinerary.Visit",
        "landscape.coefficient.LearningCoefficient",
        "landscape.laws.Laws",
        "landscape.stretches.StretchLaws",
        "landscape.polynomials.PolynomialLaws",
        "landscape.planes.Slice",
        "landscape.wilson.Share",
    ),
    "theorems": (
        "theorems._certificate.Checked",
        "theorems._certificate.Observed",
        "theorems._base.Guarantee",
        "theorems._chance.Frequency",
        "theorems._explain.Explanation",
        "theorems._mends.Mend",
        "theorems._steps.SafeStep",
        "theorems._steps.Allowed",
    ),
    "sweep": (
        "sweep.design.Searched",
        "sweep.pace.SweepProgress",
        "sweep.engines._base.AbstractEngine",
    ),
    "experiments": (
        "experiments._base.Finding",
        "experiments._base.AbstractExperiment",
    ),
    "beside": (
        "beside.looseness.Looseness",
        "theorems._path.PathCertificate",
        "theorems._path.Promise",
    ),
}
"""What the doors return, and nobody makes himself."""
FURTHER = {
    "sweep": ("sweep.run.foresee", "sweep.run.status"),
    "landscape": (
        "landscape.strictness.by_cases",
        "landscape.pivots.pivots",
        "landscape.directions.all_directions",
        "landscape.directions.second_order",
        "landscape.rigour.prove",
        "landscape.find.deduplicate",
        "landscape.hessian.gauss_newton",
        "landscape.hessian.hessian_vector",
        "landscape.hessian.hessian_trace",
        "landscape.inertia.proven_negative",
        "landscape.inertia.proven_positive",
        "landscape.gauss_newton_spectrum.gauss_newton_spectrum",
        "landscape.stretches.stretch_laws",
        "landscape.polynomials.polynomial_laws",
        "landscape.path_plane.path_plane",
        "landscape.basin_table.basin_table",
        "landscape.unbounded.is_unbounded",
        "landscape.unbounded.limit",
        "landscape.unbounded.printed_limit",
        "landscape.unbounded.measure_unbounded",
        "landscape.wilson.wilson",
        "linalg.extremes.extreme_eigenvalues",
    ),
}
"""What is imported from its own module, being asked for more rarely."""


def generate(app):
    """Write every page of the reference."""
    folder = Path(app.srcdir) / GENERATED
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    pages = {
        "measures": measure_page(),
        "inits": init_page(),
        "datasets": dataset_page(),
        "cli": command_page(),
        "python": python_page(),
        "errors": error_page(),
        "examples": example_page(Path(app.srcdir).parent / "examples"),
        "engines": engine_page(),
        **gallery(Path(app.srcdir) / "gallery"),
        **theorems(folder / "figures"),
    }
    for name, text in pages.items():
        _write(folder / f"{name}.rst", text)
    for file in folder.glob("*.rst"):
        if file.stem not in pages:
            file.unlink()


def measure_page():
    """Return the page of the measures."""
    parts = [
        title("Measures"),
        "What is read off a state. `tw.measure(name, **parameters)` makes one; "
        "`descend` and `flow` take names too.\n",
    ]
    for name in measures:
        entry = measures.entry(name)
        kept = ", ".join(entry.invariant_under) or "nothing stated"
        parts += [
            heading(name),
            described(entry),
            card(
                ("symbol", f":math:`{entry.symbol}`" if entry.symbol else "none"),
                ("axes", ", ".join(entry.axes) or "none: one number"),
                ("about", entry.about or "every net"),
                ("conserved by the flow", "yes" if entry.conserved else "no"),
                ("unchanged under", kept),
                ("what theory says", with_math(entry.says) or "nothing stated"),
                ("source", cited(entry.source)),
            ),
        ]
    return "\n".join(parts)


def init_page():
    """Return the page of the starts."""
    parts = [
        title("Starts"),
        "`tw.init(name, **parameters).draw(key, net)` gives weights; the same key "
        "gives the same weights.\n",
    ]
    for name in inits:
        entry = inits.entry(name)
        parts += [
            heading(name),
            described(entry),
            card(
                ("balanced", "yes" if entry.balanced else "not in general"),
                ("source", cited(getattr(entry, "source", None))),
            ),
        ]
    return "\n".join(parts)


def engine_page():
    """Return the page of the engines of sweeps."""
    parts = [
        title("Engines"),
        "Where the runs of a sweep are carried out: `tw.run_sweep(design, "
        "engine=name)`. Whatever the engine, the table is the same to the last bit.\n",
    ]
    for name in engines:
        entry = engines.entry(name)
        needs = f"``pip install '{entry.needs}'``" if entry.needs else "nothing more"
        parts += [heading(name), described(entry), card(("needs", needs))]
    return "\n".join(parts)


def dataset_page():
    """Return the page of the data sets."""
    parts = [
        title("Data sets"),
        "`tw.load(name, **fields)` gives moments, centred and whitened unless told "
        "otherwise; `tw.dataset(name).load()` gives the table itself. Sizes are those "
        "of the default fields.\n",
    ]
    for name in datasets:
        entry = datasets.entry(name)
        here = "yes" if entry.offline else f"no: `thalweg data fetch {name}`"
        parts += [
            heading(name),
            described(entry),
            card(
                ("samples", f"{entry.samples:,}"),
                ("features", f"{entry.features:,}"),
                ("outputs", f"{entry.outputs:,}"),
                ("bundled", here),
                ("licence", entry.licence),
                ("source", cited(entry.source)),
                ("published at", address(entry.address)),
            ),
        ]
    return "\n".join(parts)


def command_page():
    """Return the page of the commands, from their own help."""
    os.environ["COLUMNS"] = run_blocks.COLUMNS
    parts = [
        title("Command line"),
        "A command leaves with 0 for any result, whatever its verdicts and outcomes; "
        "with 2 for bad input, told in one sentence; with 130 after Ctrl-C; `data "
        "fetch` with 1 if its terms are not accepted.\n",
    ]
    for words in _below(commands, ()):
        out = io.StringIO()
        with redirect_stdout(out):
            execute([*words, "--help"])
        told = out.getvalue().strip().splitlines()
        parts += [
            heading(" ".join(("thalweg", *words))),
            ".. code-block:: text\n",
            *(f"   {line.rstrip()}" for line in told),
            "",
        ]
    return "\n".join(parts)


def _below(part, words):
    """Yield the words of every command."""
    yield words
    for name in part:
        if not name.startswith("-"):
            yield from _below(part[name], (*words, name))


def python_page():
    """Return the page of the names a user types."""
    parts = [
        title("Python"),
        "Everything in `import thalweg as tw`. Names are loaded on first use.\n",
    ]
    rooms = {name: _room(name) for name in thalweg.__all__}
    known = {**ROOMS, **{room: room for room in rooms.values() if room not in ROOMS}}
    for room, words in known.items():
        parts.append(heading(words))
        parts += [_auto(name) for name in rooms if rooms[name] == room]
        parts += [
            _auto(place) for place in (*RETURNED.get(room, ()), *FURTHER.get(room, ()))
        ]
    return "\n".join(parts)


def _room(name):
    return getattr(thalweg, name).__module__.split(".")[1]


def _auto(place):
    module, _, name = f"thalweg.{place}".rpartition(".")
    if not inspect.isclass(getattr(importlib.import_module(module), name)):
        return f".. autofunction:: thalweg.{place}\n"
    return f".. autoclass:: thalweg.{place}\n   :members:\n"


def error_page():
    """Return the page of errors, outcomes and verdicts."""
    rows = [
        (
            f"``{kind.__name__}``",
            (kind.__doc__ or "").partition("\n")[0],
            ", ".join(f"``{base.__name__}``" for base in kind.__bases__),
        )
        for kind in vars(kinds).values()
        if inspect.isclass(kind) and issubclass(kind, kinds.ThalwegError)
    ]
    statuses = ", ".join(f"*{status}*" for status in Status)
    verdicts = ", ".join(f"*{verdict}*" for verdict in Verdict)
    return "\n".join(
        [
            title("Errors, outcomes, verdicts"),
            "Three kinds that are never mixed. A mistake of the caller raises one of "
            "these exceptions before anything runs, with what came, what was needed "
            "and, if it is not obvious, what to do. The command line prints the "
            "sentence and leaves with code 2.\n",
            table(("exception", "when", "is a"), rows),
            "A run that does not end well is a result: its outcome has one of the "
            f"statuses {statuses}. Only `throw=True` turns *diverged* and "
            "*interrupted* into `RunFailed`.\n",
            f"A hypothesis that fails is a result too: {verdicts}.\n",
        ]
    )


def example_page(folder):
    """Return the page that shows every example."""
    parts = [
        title("Examples"),
        "The files of the folder `examples`. A program prints a table and saves a "
        "figure, `python examples/NAME.py --out FOLDER`; a settings file is run by "
        "`thalweg run examples/NAME.toml`, a design by `thalweg sweep`.\n",
    ]
    for suffix, language in (("py", "python"), ("toml", "toml")):
        for file in sorted(folder.glob(f"*.{suffix}")):
            shown = f".. literalinclude:: /../examples/{file.name}"
            parts += [heading(file.name), f"{shown}\n   :language: {language}\n"]
    return "\n".join(parts)


def _write(file, text):
    if not file.exists() or file.read_text(encoding="utf-8") != text:
        file.write_text(text, encoding="utf-8")


def setup(app):
    """Write the pages before any is read."""
    app.connect("builder-inited", generate)
    return {"parallel_read_safe": True}
