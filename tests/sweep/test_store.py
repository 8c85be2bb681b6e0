"""A sweep's folder under kills, damage, full disks and second processes."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from thalweg._core.errors import StoreError
from thalweg.sweep import run as running
from thalweg.sweep.design import Design
from thalweg.sweep.engines._base import AbstractEngine
from thalweg.sweep.run import run_sweep, status
from thalweg.sweep.store import Store
from thalweg.sweep.table import Table
from tolerances import is_a_sentence

BASE = {"playground": 2, "accuracy": 1e-6, "iterations": 1000}
MADE_UP = '''
import hashlib, time
import thalweg.sweep.run as running
from thalweg.sweep.design import Design
from thalweg.sweep.engines._base import AbstractEngine
from thalweg.sweep.run import run_sweep


def made_up(task):
    """Rows that depend on their key alone, and a little time."""
    keys = [run["key"] for run in task["runs"]]
    numbers = [int(hashlib.sha256(key.encode()).hexdigest()[:8], 16) for key in keys]
    time.sleep({pause})
    columns = {{"key": keys, "status": ["converged"] * len(keys),
               "iterations": numbers, "time": [None] * len(keys),
               "loss": [n / 7 for n in numbers], "error": [None] * len(keys)}}
    source = {{"key": "k2030", "authors": "A", "title": "T", "where": "W",
              "year": 2030}}
    return {{"columns": columns, "paths": {{}}, "sources": [source]}}


class Plain(AbstractEngine):
    def map(self, function, tasks):
        for place, task in enumerate(tasks):
            yield place, function(task)


running._work = lambda: made_up
running.Fitting = lambda ceiling: lambda settings: 1000
running.MOST = 16
over = {{"seed": {{"from": 0, "to": 299}}, "step_size": [0.1, 0.2]}}
design = Design.of({base}, over)
'''


def program(folder, *, pause=0.0, after=""):
    text = MADE_UP.format(pause=pause, base={**BASE, "init": "gaussian"})
    return (
        f"{text}\ntable = run_sweep(design, out={str(folder)!r}, engine=Plain())\n"
        f"{after}"
    )


def started(text):
    return subprocess.Popen(
        [sys.executable, "-c", text],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def parts(folder):
    return sorted((folder / "parts").glob("*.parquet"))


@dataclass(frozen=True)
class Counting(AbstractEngine):
    """Carries out tasks one after the other and notes their runs."""

    seen: list = field(default_factory=list)

    def map(self, function, tasks):
        for place, task in enumerate(tasks):
            self.seen.extend(run["key"] for run in task["runs"])
            yield place, function(task)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A finished sweep: its folder and its table."""
    folder = tmp_path_factory.mktemp("sweeps") / "done"
    table = run_sweep(Design.of(BASE, {"step_size": [0.1, 0.2, 0.05]}), out=folder)
    return folder, table


@pytest.fixture
def copy(done, tmp_path):
    """A copy of the finished sweep, to be spoilt."""
    place = tmp_path / "copy"
    subprocess.run(["cp", "-r", str(done[0]), str(place)], check=True)
    return place


def again(folder, over=None, engine=None):
    engine = engine or Counting()
    over = over or {"step_size": [0.1, 0.2, 0.05]}
    return run_sweep(Design.of(BASE, over), out=folder, engine=engine), engine.seen


def test_a_folder_holds_card_plan_parts_and_table(done):
    folder, table = done
    card = json.loads((folder / "sweep.json").read_text())
    assert card["kind"] == "sweep"
    assert card["whole"] is True
    assert card["total"] == 3
    assert len(parts(folder)) == 1
    assert Table.load(folder).rows.equals(table.rows)
    assert Table.load(folder).design == table.design
    assert status(folder)["counts"] == {"converged": 3}
    assert status(folder)["running"] is None


def test_a_finished_sweep_is_read_and_nothing_is_carried_out(copy, done):
    table, seen = again(copy)
    assert seen == []
    assert table.rows.equals(done[1].rows)
    assert table.to_json() == done[1].to_json()


def test_another_design_computes_only_what_is_missing(copy, done):
    table, seen = again(copy, {"step_size": [0.2, 0.3, 0.1]})
    assert len(seen) == 1
    fresh = run_sweep(Design.of(BASE, {"step_size": [0.2, 0.3, 0.1]}))
    assert table.rows.equals(fresh.rows)
    # The rows of the earlier design are still there.
    assert again(copy)[1] == []


def test_a_damaged_part_is_named_and_its_rows_are_computed_again(copy, done):
    (part,) = parts(copy)
    data = bytearray(part.read_bytes())
    data[len(data) // 2] ^= 1
    part.write_bytes(bytes(data))
    (copy / "table.parquet").unlink()
    table, seen = again(copy)
    assert len(seen) == 3
    assert table.rows.equals(done[1].rows)
    assert any(part.name in remark for remark in table.remarks)
    assert part.with_suffix(".damaged").is_file()
    assert status(copy)["damaged"] == [part.name]


def test_a_damaged_table_is_made_again_from_its_parts(copy, done):
    file = copy / "table.parquet"
    data = bytearray(file.read_bytes())
    data[100] ^= 1
    file.write_bytes(bytes(data))
    table, seen = again(copy)
    assert seen == []
    assert table.rows.equals(done[1].rows)
    told = [remark for remark in table.remarks if "table.parquet" in remark]
    assert told == ["table.parquet was damaged: it was made again from its rows."]


@pytest.mark.parametrize("lost", ["plan.npz", "table.parquet", "sweep.json"])
def test_what_can_be_made_again_may_be_lost(copy, done, lost):
    (copy / lost).unlink()
    table, seen = again(copy)
    assert seen == []
    assert table.rows.equals(done[1].rows)


def test_a_card_that_cannot_be_read_is_refused(copy):
    (copy / "sweep.json").write_text("{")
    with pytest.raises(StoreError, match="cannot be read back") as caught:
        again(copy)
    assert is_a_sentence(caught.value)
    (copy / "sweep.json").write_text('{"kind": "sweep", "format": 99}')
    with pytest.raises(StoreError, match="format 99") as caught:
        again(copy)
    assert is_a_sentence(caught.value)


def test_a_place_that_holds_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("words")
    with pytest.raises(StoreError, match=r"holds thesis\.tex") as caught:
        again(tmp_path)
    assert is_a_sentence(caught.value)
    with pytest.raises(StoreError, match="is a file") as caught:
        again(tmp_path / "thesis.tex")
    assert is_a_sentence(caught.value)
    with pytest.raises(StoreError, match="not the folder of a sweep") as caught:
        status(tmp_path)
    assert is_a_sentence(caught.value)


def test_a_design_with_a_fault_leaves_no_folder(tmp_path):
    place = tmp_path / "never"
    with pytest.raises(ValueError, match="init"):
        run_sweep(Design.of(BASE, {"init.nme": ["gaussian"]}), out=place)
    assert not place.exists()


def test_a_second_process_is_told_and_a_dead_ones_lock_is_taken(copy):
    text = (
        "import sys\nfrom pathlib import Path\nfrom thalweg.sweep.store import Store\n"
        f"with Store.opened(Path({str(copy)!r})):\n"
        "    print('in', flush=True); sys.stdin.read()\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", text],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert other.stdout.readline() == "in\n"
    try:
        assert status(copy)["running"] == other.pid
        with pytest.raises(StoreError, match=f"process {other.pid}") as caught:
            again(copy)
        assert is_a_sentence(caught.value)
    finally:
        other.kill()
        other.communicate()
    assert status(copy)["running"] is None
    assert again(copy)[1] == []


def test_kills_at_random_moments_lose_no_written_row(tmp_path):
    """The table after any number of kills is that of a run nobody disturbed."""
    generator = random.Random(7)
    place = tmp_path / "killed"
    kept = 0
    for _ in range(4):
        child = started(program(place, pause=0.02))
        deadline = time.monotonic() + 60
        while len(parts(place)) <= kept and child.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        time.sleep(generator.uniform(0, 0.1))
        child.send_signal(signal.SIGKILL)
        child.communicate()
        before, kept = kept, len(parts(place))
        assert kept > before
        assert status(place)["running"] is None
        assert status(place)["done"] == 16 * kept
    assert 4 <= kept < 38
    ended = started(program(place))
    _, told = ended.communicate(timeout=60)
    assert ended.returncode == 0, told
    whole = started(program(tmp_path / "whole"))
    _, told = whole.communicate(timeout=60)
    assert whole.returncode == 0, told
    one, other = Table.load(place), Table.load(tmp_path / "whole")
    assert one.whole
    assert len(one) == 600
    assert one.rows.equals(other.rows)
    assert one.to_json() == other.to_json()
    assert len(parts(place)) == 1
    assert "k2030" in one.cite()


def test_ctrl_c_writes_the_table_so_far(tmp_path):
    place = tmp_path / "stopped"
    child = started(program(place, pause=0.05, after="print(table.whole, len(table))"))
    deadline = time.monotonic() + 60
    while len(parts(place)) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    child.send_signal(signal.SIGINT)
    out, told = child.communicate(timeout=60)
    assert child.returncode == 0, told
    whole, rows = out.split()
    assert whole == "False"
    table = Table.load(place)
    assert 48 <= int(rows) == len(table) < 600
    assert not table.whole
    assert any("same call goes on" in remark for remark in table.remarks)
    state = status(place)
    assert (state["done"], state["missing"]) == (len(table), 600 - len(table))
    assert state["whole"] is False


def test_a_full_disk_is_told_in_one_sentence_and_spoils_nothing(tmp_path):
    place = tmp_path / "full"
    limit = (
        "import resource, signal\nfrom thalweg._core.errors import StoreError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    )
    text = program(place).replace(
        "\ntable = ",
        "\nbefore = running._work\n"
        "def limited(task):\n"
        "    if task['runs'][0]['key'] == last:\n"
        "        resource.setrlimit(resource.RLIMIT_FSIZE, (600, -1))\n"
        "    return made_up(task)\n"
        "running._work = lambda: limited\n"
        "from thalweg.sweep.plan import plan\n"
        "last = plan(design).chunks(most=16)[2]['runs'][0]['key']\n"
        f"try:\n    run_sweep(design, out={str(place)!r}, engine=Plain())\n"
        "except StoreError as error:\n    print(error)\n    raise SystemExit(3)\n"
        "table = ",
    )  # fmt: skip
    child = started(limit + text)
    out, told = child.communicate(timeout=60)
    assert child.returncode == 3, told
    assert "File too large" in out
    assert is_a_sentence(out.strip())
    assert len(parts(place)) == 2
    assert not list(place.rglob(".*.part"))
    assert status(place)["done"] == 32
    ended = started(program(place))
    assert ended.wait(timeout=60) == 0
    ended.communicate()
    assert len(Table.load(place)) == 600


def test_a_sweep_that_is_all_there_needs_no_jax_and_little_time(tmp_path):
    place, text = tmp_path / "all", program(tmp_path / "all")
    text = text.replace("299", "4999")
    first = started(text.replace("MOST = 16", "MOST = 1024"))
    _, told = first.communicate(timeout=120)
    assert first.returncode == 0, told
    spent = []
    probe = text + (
        "\nimport sys, resource\nused = resource.getrusage(resource.RUSAGE_SELF)\n"
        "heavy = {'jax', 'pandas', 'scipy', 'distributed'} & set(sys.modules)\n"
        "print(len(table), sorted(heavy), used.ru_utime + used.ru_stime)\n"
    )
    for _ in range(2):
        second = started(probe)
        out, told = second.communicate(timeout=60)
        assert second.returncode == 0, told
        rows, rest = out.split(maxsplit=1)
        assert rows == "10000"
        assert rest.startswith("[] ")
        spent.append(float(rest.split()[-1]))
    # Processor time: the clock on the wall also counts what else the machine does.
    assert min(spent) < 1
    assert Table.load(place).whole


def test_failed_rows_are_tried_again(tmp_path):
    place = tmp_path / "failing"
    base = {"data": {"target": [[1.0]]}, "hidden": [1], "step_size": 0.1}
    over = {"init.std": [0.1, 1e200]}
    design = Design.of({**base, "init": "gaussian", "iterations": 5}, over)
    table = run_sweep(design, out=place, engine=Counting())
    assert table.counts() == {"failed": 1, "out of budget": 1}
    assert "1 run failed" in table.remarks[0]
    assert status(place)["failed"] == 1
    engine = Counting()
    assert run_sweep(design, out=place, engine=engine).rows.equals(table.rows)
    assert len(engine.seen) == 1


def test_failures_of_a_search_are_told_and_tried_again(tmp_path):
    base = {"data": {"target": [[1.0]]}, "hidden": [1], "step_size": 0.1}
    search = {"field": "init.std", "from": 1e-2, "to": 1e200, "points": 3}
    design = Design.of(
        {**base, "init": "gaussian", "iterations": 500}, {"seed": [0]}, search=search
    )
    table = run_sweep(design, out=tmp_path / "s")
    assert table.counts() == {"converged": 1}
    (told,) = table.remarks
    assert told.startswith("2 runs failed; the first: start 0 has a loss beyond")
    assert status(tmp_path / "s")["failed"] == 2
    engine = Counting()
    assert run_sweep(design, out=tmp_path / "s", engine=engine).rows.equals(table.rows)
    assert len(engine.seen) == 2


def test_trajectories_need_a_folder_and_lie_under_their_keys(tmp_path):
    design = Design.of(BASE, {"step_size": [0.1, 0.2]}, trajectories=True)
    with pytest.raises(ValueError, match="no folder to keep them"):
        run_sweep(design)
    table = run_sweep(design, out=tmp_path / "kept", engine=Counting())
    names = sorted(place.name for place in (tmp_path / "kept" / "paths").iterdir())
    assert names == sorted(table.column("key"))
    lost = tmp_path / "kept" / "paths" / names[0] / "card.json"
    lost.unlink()
    (tmp_path / "kept" / "table.parquet").unlink()
    engine = Counting()
    run_sweep(design, out=tmp_path / "kept", engine=engine)
    assert engine.seen == [names[0]]
    assert lost.is_file()


def test_the_lock_is_left_when_the_sweep_fails(tmp_path):
    class Failing(AbstractEngine):
        def map(self, function, tasks):
            raise RuntimeError("made up")
            yield

    place = tmp_path / "fails"
    with pytest.raises(RuntimeError, match="made up"):
        again(place, engine=Failing())
    assert again(place)[0].whole
    assert running.status(place)["running"] is None
    with Store.opened(Path(place)):
        assert running.status(place)["running"] == os.getpid()
