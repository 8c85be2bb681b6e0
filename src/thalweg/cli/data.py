"""`thalweg data`: what there is to learn, on which terms, and how to get it."""

import ast
import dataclasses
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from thalweg._core.errors import ConfigError, DataError
from thalweg._core.shelf import Card
from thalweg.cli import telling
from thalweg.cli.data_moments import moments

data = App(
    name="data", help="List, show, fetch and reduce data sets.", version_flags=[]
)
data.command(moments)

Flag = Annotated[bool, Parameter(negative=())]
SIZES = ("samples", "features", "outputs", "offline")


@data.command(name="list")
def list_all(*, json: Flag = False) -> int:
    """List the data sets.

    Args:
        json: Print one JSON object: `{"datasets": [{"name", "summary", "samples",
            "features", "outputs", "offline"}]}`.

    Returns:
        The exit code.
    """
    from thalweg.problem.datasets import shelf

    rows = [
        {"name": card.name, "summary": card.summary, **_sizes(card)}
        for card in shelf.cards.values()
    ]
    if json:
        telling.say_json({"datasets": rows})
        return 0
    from rich.table import Table

    table = Table(box=None)
    for heading in ("name", "samples", "inputs", "outputs", "", "what it is"):
        table.add_column(heading, justify="right" if heading in _NUMBERS else "left")
    for row in rows:
        numbers = [f"{row[key]:,}" for key in SIZES[:3]]
        here = "bundled" if row["offline"] else "to fetch"
        table.add_row(row["name"], *numbers, here, row["summary"])
    telling.show(table)
    return 0


_NUMBERS = ("samples", "inputs", "outputs")


@data.command
def show(name: str, /, *, data_dir: str | None = None, json: Flag = False) -> int:
    """Show a data set: fields, terms, and its moments if it is here.

    Args:
        name: Its name.
        data_dir: Folder of its files.
        json: Print one JSON object: `name`, `summary`, `fields` (with defaults),
            `samples`, `features`, `outputs`, `licence`, `citations`, `address`,
            `offline`, `here`, `moments` (`rank`, `constant`,
            `target_singular_values`, `preparation`, or `null`), `missing`.

    Returns:
        The exit code.
    """
    from thalweg.cli.progress import Watch

    with Watch(not json):
        record = _record(name, data_dir)
    if json:
        telling.say_json(record)
        return 0
    told = {
        "name": record["name"],
        "what": record["summary"],
        "size": f"{record['samples']:,} samples, {record['features']:,} features, "
        f"{record['outputs']:,} outputs",
        "fields": ", ".join(f"{k} = {v}" for k, v in record["fields"].items()),
        "licence": record["licence"],
        "cite": "\n".join(record["citations"]),
        "from": record["address"],
    }
    found = record["moments"]
    if found is None:
        told["not here"] = record["missing"]
    else:
        values = found["target_singular_values"]
        told["whitened"] = "\n".join(found["preparation"])
        told["target"] = "singular values " + ", ".join(f"{v:.6g}" for v in values[:12])
        told["constant"] = f"{found['constant']:.9g}"
    _show(told)
    return 0


@data.command
def fetch(
    name: str,
    /,
    *,
    archive: Path | None = None,
    data_dir: str | None = None,
    yes: Flag = False,
    json: Flag = False,
) -> int:
    """Fetch a data set, its licence and citations shown first.

    Args:
        name: Its name.
        archive: A local copy to take instead of downloading.
        data_dir: Folder to put it in.
        yes: Do not ask.
        json: Print one JSON object: `name`, `folder`, `terms`; it asks nothing, so
            it needs --yes to download.

    Returns:
        The exit code: 0, or 1 if you said no.

    Raises:
        ConfigError: If there is nobody to ask.
    """
    dataset = _dataset(name, data_dir)
    terms = dataset.terms()
    if not json:
        telling.say(terms)
    if dataset.offline:
        dataset.fetch(data_dir)
    if archive is None and not yes:
        if json or not sys.stdin.isatty():
            raise ConfigError(
                f"{name} is downloaded only after its terms are accepted; pass --yes "
                "if they are, or --archive with a local copy."
            )
        sys.stdout.write("Accept these terms and download? [y/N] ")
        sys.stdout.flush()
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            telling.say("nothing was downloaded.")
            return 1
    from thalweg.cli.progress import Watch

    with Watch(not json) as watch:
        watch.phase("reading" if archive else "downloading")
        folder = dataset.fetch(data_dir, archive)
    if json:
        telling.say_json({"name": name, "folder": str(folder), "terms": terms})
    else:
        telling.say(f"{name}: {folder}")
    return 0


def _dataset(name: str, data_dir: str | None) -> Any:
    from thalweg.problem.datasets import shelf

    entry: Any = shelf.entry(name)
    known = {field.name for field in dataclasses.fields(entry)}
    with_folder = data_dir is not None and "data_dir" in known
    return shelf.make(name, **({"data_dir": data_dir} if with_folder else {}))


def _record(name: str, data_dir: str | None) -> dict[str, Any]:
    dataset = _dataset(name, data_dir)
    found, missing = None, None
    try:
        found = dataset.moments()
    except DataError as error:
        missing = str(error)
    return {
        "name": name,
        "summary": (type(dataset).__doc__ or "").partition("\n")[0],
        "fields": {
            field.name: getattr(dataset, field.name)
            for field in dataclasses.fields(dataset)
        },
        **{key: getattr(dataset, key) for key in SIZES},
        "licence": dataset.licence,
        "citations": [source.line() for source in dataset.citations()],
        "address": dataset.address,
        "here": found is not None,
        "moments": None if found is None else _moments(found),
        "missing": missing,
    }


def _moments(found: Any) -> dict[str, Any]:
    import numpy as np

    values = np.linalg.svd(np.asarray(found.target), compute_uv=False)
    return telling.plain(
        {
            "rank": found.rank,
            "constant": found.constant,
            "target_singular_values": values,
            "preparation": found.preparation.lines(),
        }
    )


def _sizes(card: Card) -> dict[str, Any]:
    """Return the sizes on a data set's card, read from its text alone."""
    spec = find_spec(card.module)
    text = Path(spec.origin).read_text(encoding="utf-8") if spec and spec.origin else ""
    found: dict[str, Any] = dict.fromkeys(SIZES)
    for node in ast.parse(text).body:
        if isinstance(node, ast.ClassDef) and node.name == card.class_name:
            for line in node.body:
                if (
                    isinstance(line, ast.AnnAssign)
                    and isinstance(line.target, ast.Name)
                    and line.target.id in SIZES
                    and isinstance(line.value, ast.Constant)
                ):
                    found[line.target.id] = line.value.value
    return found


def _show(told: dict[str, str]) -> None:
    from rich.table import Table

    table = Table(show_header=False, box=None)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in told.items():
        table.add_row(name, text)
    telling.show(table)
