"""`thalweg sweep`: a design of runs carried out, told, drawn."""

import shlex
import sys
import time
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Group, Parameter

from thalweg._core.errors import ConfigError, unknown
from thalweg.cli import telling
from thalweg.cli.engines import ENGINE, engine_of
from thalweg.cli.progress import Watch

sweep = App(
    name="sweep",
    help="Carry out many runs: a grid, random or Latin-hypercube design.",
    version_flags=[],
)

RESULT = Group("Result", sort_key=2)
Flag = Annotated[bool, Parameter(negative=())]
ROWS = 20
"""Up to so many rows are printed."""

WORDS = ("status", "error", "key")
"""Columns of words."""

COLUMNS = ("run", "status", "iterations", "time", "loss", "excess_loss", "step_size")
"""Columns of every table, beside the axes of its design."""

OF_SEARCHES = ("certain", "edge", "evaluations", "spent")

PLOT_KEYS = ("x", "y", "color", "by", "reduce")


@sweep.default
def carry_out(
    file: Path,
    /,
    *,
    engine: Annotated[str | None, Parameter(group=ENGINE, show_default=False)] = None,
    workers: Annotated[int | None, Parameter(group=ENGINE, show_default=False)] = None,
    cluster: Annotated[str | None, Parameter(group=ENGINE, show_default=False)] = None,
    memory: Annotated[str | None, Parameter(group=ENGINE, show_default=False)] = None,
    out: Annotated[Path | None, Parameter(group=RESULT, show_default=False)] = None,
    plot: Annotated[tuple[str, ...], Parameter(group=RESULT, negative=())] = (),
    dry_run: Annotated[bool, Parameter(group=RESULT, negative=())] = False,
    json: Annotated[bool, Parameter(group=RESULT, negative=())] = False,
) -> int:
    """Carry out the runs of a design; only those that are missing are computed.

    Args:
        file: The design as TOML: the keys of a run, and a table sweep. Or the folder of
            an earlier sweep, to go on with it.
        engine: See thalweg list engines: inprocess if not said, dask for worker
            processes.
        workers: Worker processes of dask on this machine, or threads in process.
        cluster: Address of a dask scheduler to use.
        memory: What a worker may fill, as 4GiB.
        out: Folder of the table; runs/NAME of the file if not given. What lies there
            already is not computed again.
        plot: Draw x=init.std,y=depth,color=iterations; or curves with
            x=...,y=...,by=.... Repeatable; an interrupted sweep is not drawn.
        dry_run: Only tell what would be computed.
        json: Print one JSON object and nothing else.

    Returns:
        The exit code: 0, or 130 if it was interrupted.
    """
    began = time.perf_counter()
    drawings = [_drawing(text) for text in plot]
    design, folder = _asked(file, out)
    for words in drawings:
        _check_columns(words, design)
    if dry_run:
        return _told_plan(design, folder, json)
    chosen = engine_of(engine, workers, cluster, memory)
    from thalweg.sweep.fitting import bytes_of
    from thalweg.sweep.run import run_sweep

    with Watch(not json) as watch:
        table = run_sweep(
            design,
            out=folder,
            engine=chosen,
            on_progress=watch.sweep,
            memory=None if memory is None else bytes_of(memory),
        )
    drawn = _drawn(table, drawings, folder) if table.whole else []
    files = [str(folder / "table.parquet"), *drawn]
    seconds = time.perf_counter() - began
    if json:
        telling.say_json(
            {**table.to_json(), "files": files, "seconds": round(seconds, 3)}
        )
    else:
        _tell(table, files, seconds)
    if not table.whole:
        sys.stderr.write(f"thalweg: interrupted; {_further(folder)}\n")
    return 0 if table.whole else 130


@sweep.command
def status(folder: Path, /, *, json: Flag = False) -> int:
    """Tell how far the sweep in a folder is.

    Args:
        folder: Where it lies.
        json: Print one JSON object and nothing else.

    Returns:
        The exit code.
    """
    from thalweg.sweep.run import status as read

    record = read(folder)
    if json:
        telling.say_json(record)
        return 0
    counts = ", ".join(f"{n:,} {word}" for word, n in record["counts"].items())
    telling.say(f"{record['done']:,} of {record['total']:,} rows: {counts or 'none'}")
    if record["running"] is not None:
        telling.say(f"process {record['running']} is at work in it.")
    elif not record["whole"]:
        telling.say(f"nobody is at work in it; {_further(folder)}")
    for name in record["damaged"]:
        telling.say(f"{name} was damaged; its rows were computed again.")
    return 0


def _further(folder: Path) -> str:
    return f"go on with: thalweg sweep {shlex.quote(str(folder))}"


def _drawing(text: str) -> dict[str, str]:
    """Return the words of a plot."""
    pairs = [part.partition("=") for part in text.split(",")]
    words = {key.strip(): value.strip() for key, _, value in pairs}
    wrong = [key for key in words if key not in PLOT_KEYS or not words[key]]
    if wrong or not {"x", "y"} <= words.keys() or {"color", "by"} <= words.keys():
        raise ConfigError(
            f"--plot is '{text}'; write x=COLUMN,y=COLUMN and color=COLUMN for a map, "
            "or by=COLUMN for several curves."
        )
    if "reduce" in words:
        from thalweg.sweep.reducing import reduction

        reduction(words["reduce"])
    return words


def _check_columns(words: dict[str, str], design: Any) -> None:
    """Refuse a plot of a column that the table will not have; before anything runs."""
    value = words.get("color", words["y"])
    if value in WORDS:
        raise ConfigError(f"--plot: column '{value}' holds words; draw a number.")
    known = [*dict(design.over), *COLUMNS]
    known += [f"asked.{name}" for name in design.over if name in COLUMNS]
    if design.search is not None:
        known += [design.search.field, *OF_SEARCHES]
    if {"measures", "theorems"} & design.base.keys():
        return  # their columns are known to the measures and theorems alone
    for key in PLOT_KEYS[:4]:
        if key in words and words[key] not in known:
            raise unknown(words[key], known, "the columns of this sweep")


def _drawn(table: Any, drawings: list[dict[str, str]], folder: Path) -> list[str]:
    if not drawings:
        return []
    from thalweg.report.figure import save_figure
    from thalweg.report.phase import phase_diagram

    files = []
    for words in drawings:
        drawn = phase_diagram(table, **words)
        name = "-".join(words[key] for key in PLOT_KEYS[:4] if key in words)
        files.append(str(save_figure(drawn, folder / f"{name}.svg")))
    return files


def _asked(file: Path, out: Path | None) -> tuple[Any, Path]:
    """Return the design of a file, or of an earlier sweep's folder, and its folder."""
    from thalweg.sweep.design import Design

    if not file.is_dir():
        return Design.from_toml(file), out or Path("runs") / file.stem
    from thalweg.sweep.folder import read_card

    card = read_card(file)
    if card is None:
        raise ConfigError(
            f"{file} is a folder, but not that of a sweep; pass a TOML file."
        )
    return Design.from_json(card["design"]), out or file


def _told_plan(design: Any, folder: Path, json: bool) -> int:
    from thalweg.sweep.run import foresee

    record = foresee(design, folder)
    if json:
        telling.say_json(record)
        return 0
    groups = "1 group" if record["groups"] == 1 else f"{record['groups']:,} groups"
    there = "found by rounds of runs"
    if record["missing"] is not None:
        there = f"{record['cached']:,} are there, {record['missing']:,} are missing"
    telling.say(f"{record['runs']:,} rows in {groups}; {there}.")
    if record["left_out"]:
        telling.say(f"combinations left out: {record['left_out']:,}")
    return 0


def _tell(table: Any, files: list[str], seconds: float) -> None:
    rows = len(table)
    if rows <= ROWS:
        for line in _lines(table):
            telling.say(line)
    counts = ", ".join(f"{n:,} {word}" for word, n in table.counts().items())
    telling.say(f"{rows:,} runs: {counts}")
    for remark in table.remarks:
        telling.say(remark)
    telling.say(f"{seconds:.1f} s")
    for file in files:
        telling.say(f"written: {file}")


def _lines(table: Any) -> list[str]:
    """Return the columns that say something, side by side."""
    columns = []
    for name in table.columns:
        cells = [_cell(value) for value in table.column(name)]
        if name not in ("run", "key") and any(cells):
            width = max(map(len, [name, *cells]))
            columns.append([text.rjust(width) for text in [name, *cells]])
    return ["  ".join(line) for line in zip(*columns, strict=True)]


def _cell(value: Any) -> str:
    """Return an entry as text; nothing for none."""
    if value is None or value != value:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
