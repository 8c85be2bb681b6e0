"""Runs that are stopped, killed and taken up again."""

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from thalweg.cli import run as command
from thalweg.cli.progress import Watch, clock
from thalweg.motion.path import Path as Run

SLOW = (
    "run", "--data", "diabetes", "--hidden", "8", "--step-size", "1e-9",
    "--accuracy", "1e-9", "--measures", "loss,imbalance", "--theorems", "none",
    "--no-page", "--quiet",
)  # fmt: skip


def same(one: str, two: str) -> None:
    """Check that two saved runs are equal, bit for bit."""
    first, second = (
        np.load(next(Path(folder).glob("arrays-*.npz"))) for folder in (one, two)
    )
    assert sorted(first.files) == sorted(second.files)
    for name in first.files:
        assert first[name].tobytes() == second[name].tobytes()
    assert Run.load(one).outcome == Run.load(two).outcome


@pytest.fixture
def pressed(monkeypatch):
    """Press Ctrl-C at the second slice of a descent."""
    seen = []
    told = command.Keeper.__call__

    def call(self, progress):
        told(self, progress)
        seen.append(progress)
        if len(seen) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(command.Keeper, "__call__", call)


def test_a_run_stopped_by_ctrl_c_goes_on_bit_for_bit(thalweg, pressed):
    some = (*SLOW, "--iterations", "2_000_000")
    stopped = thalweg(*some, "--out", "stopped")
    assert stopped.code == 130
    assert "Go on with: thalweg run --resume stopped" in stopped.err
    assert stopped.out == "run: stopped\n"
    path = Run.load("stopped")
    assert 0 < path.iterations[-1] < 2_000_000
    short = str(int(path.iterations[-1]) + 3000)
    assert thalweg("run", "--resume", "stopped", "--iterations", short).code == 0
    whole = thalweg(*SLOW, "--iterations", short, "--out", "whole")
    assert whole.code == 0
    assert (
        Run.load("stopped").weights[0].tobytes()
        == Run.load("whole").weights[0].tobytes()
    )


def test_a_resumed_run_with_its_own_budget_equals_one_never_stopped(thalweg):
    some = (*SLOW, "--iterations", "400_000")
    assert thalweg(*some, "--out", "whole").code == 0

    def interrupt(self, progress):
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command.Keeper, "__call__", interrupt)
        assert thalweg(*some, "--out", "stopped").code == 130
    assert 0 < Run.load("stopped").iterations[-1] < 400_000
    assert thalweg("run", "--resume", "stopped", "--quiet").code == 0
    same("whole", "stopped")


def test_more_iterations_change_the_noted_command(thalweg):
    thalweg(*SLOW, "--iterations=50", "--out", "here")
    told = thalweg("run", "--resume", "here", "--iterations", "80", "--json")
    assert told.json["command"].endswith("--iterations 80")
    assert "--iterations=50" not in told.json["command"]
    assert told.json["settings"]["iterations"] == 80
    assert told.json["outcome"]["iteration"] == 80
    back = thalweg("run", "--resume", "here", "--iterations", "20")
    assert (back.code, "already reaches 80" in back.err) == (2, True)


def test_a_finished_flow_resumes_to_itself(thalweg, quick):
    thalweg(
        "run", "--playground", "2", "--flow", "--horizon", "1", "--out", "f", *quick
    )
    before = Run.load("f")
    assert thalweg("run", "--resume", "f", "--no-page").code == 0
    assert np.array_equal(Run.load("f")["loss"], before["loss"])
    told = thalweg("run", "--resume", "f", "--iterations", "9")
    assert told.code == 2
    assert "it has no iterations to extend" in told.err


KILLED = """
import sys
from thalweg.cli import run
from thalweg.cli.main import main
run.SAVE_SECONDS = 0.1
main(sys.argv[1:])
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_run_keeps_what_it_had(thalweg, tmp_path, how):
    some = (*SLOW, "--iterations", "50_000_000", "--out", "killed")
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, *some],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    card = tmp_path / "killed" / "card.json"
    deadline = time.monotonic() + 20
    while not card.is_file() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.3)
    process.send_signal(how)
    process.communicate(timeout=60)
    assert process.returncode == (130 if how == signal.SIGINT else -9)
    path = Run.load("killed")
    reached = int(path.iterations[-1])
    assert reached > 0
    assert str(path.outcome.status) == "interrupted"
    further = str(reached + 500)
    told = thalweg("run", "--resume", "killed", "--iterations", further, "--json")
    assert told.json["outcome"]["iteration"] == reached + 500


def test_ctrl_c_waits_for_a_save():
    done = []

    def saved():
        with command.unhurried():
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)
            done.append(True)

    with pytest.raises(KeyboardInterrupt):
        saved()
    assert done == [True]


def test_what_was_reserved_is_given_back(thalweg, monkeypatch, tmp_path):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(command.Keeper, "carried", interrupted)
    told = thalweg("run", "--playground", "2")
    assert (told.code, told.err) == (130, "thalweg: interrupted.\n")
    assert [*tmp_path.iterdir()] == []


def test_a_resumed_run_writes_a_page_only_if_the_first_did(thalweg, tmp_path):
    thalweg(*SLOW, "--iterations", "50", "--out", "here")
    thalweg("run", "--resume", "here", "--iterations", "60", "--quiet")
    assert not (tmp_path / "here" / "page.html").exists()
    told = thalweg("run", "--resume", "here", "--iterations", "70", "--page", "--quiet")
    assert told.out == "page: here/page.html\nrun: here\n"


def test_a_bar_appears_on_a_terminal_after_a_while(monkeypatch):
    monkeypatch.setattr("thalweg.cli.progress.DELAY", 0.0)
    seen = io.StringIO()
    watch = Watch(shown=True)
    watch._console = Console(file=seen, force_terminal=True, width=160)
    watch._shown = True
    progress = SimpleNamespace(done=500, total=1000, excess_loss=0.25)
    with watch:
        watch._timer.join()
        watch.descent(progress, None)
        watch._bar.refresh()
    assert "500 of 1,000 iterations, excess loss 0.25" in seen.getvalue()


def test_nothing_is_shown_to_nobody():
    with Watch(shown=True) as watch:
        assert watch._timer is None


@pytest.mark.parametrize(
    ("seconds", "shown"), [(5.9, "0:05"), (65, "1:05"), (7200, "2:00:00")]
)
def test_a_clock_is_read_as_a_clock(seconds, shown):
    assert clock(seconds) == shown


def test_the_pace_leaves_the_compilation_out(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("thalweg.cli.progress.time.monotonic", lambda: now[0])
    watch = Watch(shown=False)
    assert watch._pace(1000, 9000)[0] is None
    now[0] = 101.0
    assert watch._pace(3000, 9000) == (2000, 3.0)
