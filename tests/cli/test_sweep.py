"""`thalweg sweep`: what is asked for is done, told and drawn; faults are sentences."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from thalweg.sweep.lock import held
from thalweg.sweep.table import Table
from tolerances import is_a_sentence

PLAIN = """
playground = 2
iterations = 1000
accuracy = 1e-6

[sweep.over]
step_size = [0.05, 0.1]
start = [[0.5, 0.5], [0.9, 1.0], [3.0, 4.0]]
"""
SEARCH = """
playground = 2
iterations = 1000
[sweep.over]
accuracy = [1e-4, 1e-6]
[sweep.search]
field = "step_size"
from = 0.01
to = 1.0
points = 5
"""


def expected(step, start):
    """Return iterations and ending of the playground's descent, by a plain loop."""
    x, y = start
    for taken in range(1001):
        excess = (x * y - 1) ** 2 / 2
        if excess <= 1e-6:
            return taken, "converged"
        if excess > 1e16:
            return taken, "diverged"
        x, y = x - step * (x * y - 1) * y, y - step * (x * y - 1) * x
    return 1000, "out of budget"


@pytest.fixture
def file(tmp_path):
    place = tmp_path / "with spaces ünd.toml"
    place.write_text(PLAIN, encoding="utf-8")
    return place


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A sweep's folder that was carried out once."""
    from thalweg.cli.main import execute  # noqa: PLC0415  (after the fixtures)

    place = tmp_path_factory.mktemp("swept")
    (place / "plain.toml").write_text(PLAIN)
    assert execute(["sweep", str(place / "plain.toml"), "--out", str(place / "o")]) == 0
    return place / "o"


def test_a_sweep_is_that_of_a_plain_loop_and_lies_where_it_is_said(thalweg, file):
    told = thalweg("sweep", str(file), "--json")
    assert told.code == 0
    assert not told.err
    columns = told.json["columns"]
    rows = zip(columns["step_size"], columns["start"], strict=True)
    ends = [expected(step, json.loads(start)) for step, start in rows]
    assert len(ends) == 6
    assert columns["iterations"] == [taken for taken, _ in ends]
    assert columns["status"] == [status for _, status in ends]
    assert set(told.json) == {
        "axes", "whole", "counts", "remarks", "design", "columns", "files", "seconds",
    }  # fmt: skip
    assert told.json["files"] == [str(Path("runs") / file.stem / "table.parquet")]
    assert len(Table.load(told.json["files"][0])) == 6


def test_a_short_table_is_printed_and_a_second_run_computes_nothing(thalweg, swept):
    told = thalweg("sweep", str(swept))
    lines = told.out.splitlines()
    assert told.code == 0
    assert lines[0].split()[:2] == ["step_size", "start"]
    assert "6 runs:" in told.out
    before = (swept / "sweep.json").stat().st_mtime_ns
    assert thalweg("sweep", str(swept), "--json").json["whole"]
    assert (swept / "sweep.json").stat().st_mtime_ns == before


def test_status_tells_rows_work_and_damage(thalweg, swept, tmp_path):
    told = thalweg("sweep", "status", str(swept))
    assert told.out.startswith("6 of 6 rows: ")
    record = thalweg("sweep", "status", str(swept), "--json").json
    assert (record["done"], record["missing"], record["running"]) == (6, 0, None)
    assert set(record) == {
        "folder", "version", "design", "total", "done", "missing", "failed", "counts",
        "runs", "damaged", "whole", "running",
    }  # fmt: skip
    with held(swept / "sweep.lock"):
        assert "is at work in it" in thalweg("sweep", "status", str(swept)).out
        refused = thalweg("sweep", str(swept))
    assert refused.code == 2
    assert is_a_sentence(refused.err.removeprefix("thalweg: ").strip())
    copy = tmp_path / "copy"
    shutil.copytree(swept, copy)
    card = json.loads((copy / "sweep.json").read_text())
    card |= {"whole": False, "damaged": ["x.parquet"]}
    (copy / "sweep.json").write_text(json.dumps(card))
    told = thalweg("sweep", "status", str(copy))
    assert "nobody is at work in it; go on with: thalweg sweep" in told.out
    assert "x.parquet was damaged" in told.out


def test_a_dry_run_counts_and_writes_nothing(thalweg, file, swept, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    told = thalweg("sweep", str(file), "--dry-run", "--json")
    assert (told.json["runs"], told.json["missing"]) == (6, 6)
    assert sorted(tmp_path.rglob("*")) == before
    told = thalweg("sweep", str(file), "--dry-run", "--out", str(swept))
    assert told.out == "6 rows in 1 group; 6 are there, 0 are missing.\n"
    file.write_text(PLAIN + "[[sweep.without]]\nstep_size = 0.05\n")
    told = thalweg("sweep", str(file), "--dry-run", "--out", str(swept))
    assert "combinations left out: 3" in told.out
    file.write_text(SEARCH)
    assert "found by rounds of runs" in thalweg("sweep", str(file), "--dry-run").out


def test_a_search_has_a_row_a_point_and_can_be_drawn(thalweg, file):
    file.write_text(SEARCH)
    told = thalweg(
        "sweep", str(file), "--json", "--plot", "x=accuracy,y=step_size",
        "--plot", "x=step_size,y=accuracy,color=evaluations",
    )  # fmt: skip
    grid = [0.01, 0.0316227766017, 0.1, 0.316227766017, 1.0]
    for accuracy, best in zip(
        told.json["columns"]["accuracy"], told.json["columns"]["step_size"], strict=True
    ):
        costs = []
        for step in grid:
            x = y = 0.5
            taken = 0
            while (x * y - 1) ** 2 / 2 > accuracy and taken < 1000 and x < 1e3:
                x, y = x - step * (x * y - 1) * y, y - step * (x * y - 1) * x
                taken += 1
            costs.append(taken if (x * y - 1) ** 2 / 2 <= accuracy else np.inf)
        assert best == grid[int(np.argmin(costs))]
    assert [Path(name).suffix for name in told.json["files"]] == [
        ".parquet", ".svg", ".svg",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "words",
    [
        "x=step_size,y=iterations",
        "x=start,y=iterations,by=step_size",
        "x=step_size,y=start,color=iterations",
        "x=step_size,y=start,color=loss,reduce=max",
        "x=status,y=loss",
        "x=step_size,y=run,color=run",
    ],
)
def test_plots_of_all_kinds_of_columns_are_drawn(thalweg, swept, words):
    told = thalweg("sweep", str(swept), "--json", "--plot", words)
    assert told.code == 0, told.err
    assert Path(told.json["files"][1]).stat().st_size > 1000


def test_an_axis_with_the_name_of_a_result_can_be_drawn_over(thalweg, file):
    file.write_text("playground = 2\nstep_size = 0.1\n[sweep.over]\niterations=[2, 4]")
    plot = "x=asked.iterations,y=loss"
    told = thalweg("sweep", str(file), "--json", "--plot", plot)
    assert told.code == 0, told.err
    assert told.json["columns"]["asked.iterations"] == [2, 4]


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ("x=step_size", "write x=COLUMN,y=COLUMN"),
        ("x=step_size,y=", "write x=COLUMN,y=COLUMN"),
        ("x=step_size,y=loss,colour=loss", "write x=COLUMN,y=COLUMN"),
        ("x=step_size,y=start,color=loss,by=start", "write x=COLUMN,y=COLUMN"),
        ("x=step_sise,y=loss", "Did you mean 'step_size'"),
        ("x=step_size,y=loss,reduce=medan", "Did you mean 'median'"),
        ("x=step_size,y=start,color=status", "holds words"),
    ],
)
def test_a_plot_that_cannot_be_is_refused_before_anything_runs(
    thalweg, file, tmp_path, words, part
):
    told = thalweg("sweep", str(file), "--plot", words)
    assert told.code == 2
    assert part in told.err
    assert is_a_sentence(told.err.removeprefix("thalweg: ").strip())
    assert sorted(tmp_path.iterdir()) == [file]


def test_all_faults_of_a_file_are_told_at_once(thalweg, file, tmp_path):
    file.write_text(
        'iteration = 3\naccuracy = "x"\nplayground = 2\n'
        "[sweep]\ndesgn = 'grid'\npoints = 4\nwithout = 5\n"
        "[sweep.over]\nstep_sise = [0.1]\nseed = []\ndepth = [0, 2.5]\n"
        "[sweep.search]\nfeld = 'a'\n[sweep.keep]\npath = true\n"
    )
    told = thalweg("sweep", str(file))
    assert told.code == 2
    for place in (
        "iteration:", "accuracy:", "sweep.desgn:", "sweep.points:", "sweep.without:",
        "sweep.over.step_sise:", "sweep.over.seed:", "sweep.over.depth:",
        "sweep.search.feld:", "sweep.search.field:", "sweep.keep.path:",
    ):  # fmt: skip
        assert f"\n  {place}" in told.err
    assert sorted(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (("--engine", "dsk"), "Did you mean 'dask'"),
        (("--engine", "inprocess", "--cluster", "tcp://a:1"), "belongs to dask"),
        (("--cluster", "tcp://a:1", "--workers", "2"), "leave one of them out"),
        (("--cluster", "nonsense:x"), "write host and port"),
        (("--cluster", "foo://host:1"), "write host and port"),
        (("--workers", "0"), "threads"),
        (("--engine", "dask", "--workers", "0"), "workers"),
        (("--memory", "much"), "write a size, as 4GiB"),
        (("--memory", "1KiB"), "make the net smaller"),
    ],
)
def test_an_engine_that_cannot_be_is_refused(thalweg, file, tmp_path, options, part):
    told = thalweg("sweep", str(file), *options)
    assert told.code == 2
    assert part in told.err
    assert not told.out
    assert not list(tmp_path.rglob("table.parquet"))


def test_a_place_that_holds_no_sweep_is_refused(thalweg, file, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "precious.txt").write_text("mine")
    for words in (
        ("sweep", str(tmp_path / "other")),
        ("sweep", str(tmp_path / "missing.toml")),
        ("sweep", "status", str(tmp_path / "other")),
        ("sweep", str(file), "--out", str(tmp_path / "other")),
        ("sweep", str(file), "--out", str(tmp_path / "other" / "precious.txt")),
    ):
        told = thalweg(*words)
        assert told.code == 2
        assert is_a_sentence(told.err.removeprefix("thalweg: ").strip())
    assert [each.name for each in (tmp_path / "other").iterdir()] == ["precious.txt"]


def test_an_interrupted_sweep_tells_how_to_go_on(thalweg, file, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    plot = "x=start,y=step_size,color=iterations"
    with monkeypatch.context() as patched:
        patched.setattr("thalweg.sweep.pace.Pace.note", interrupted)
        patched.setattr("thalweg.sweep.run.MOST", 2)
        told = thalweg("sweep", str(file), "--plot", plot, "--workers", "1")
    assert told.code == 130
    folder = Path("runs") / file.stem
    assert f"go on with: thalweg sweep '{folder}'" in told.err
    assert thalweg("sweep", str(folder), "--json").json["whole"]


def test_an_interruption_before_any_row_is_no_fault_of_a_plot(
    thalweg, file, monkeypatch
):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("thalweg.sweep.run._work", interrupted)
    told = thalweg("sweep", str(file), "--plot", "x=start,y=iterations")
    assert told.code == 130
    assert "go on with" in told.err
