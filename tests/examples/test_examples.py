"""The examples run, at a small scale, and stay short."""

import runpy
import sys
from pathlib import Path

import pytest

from thalweg.cli.options import NO_MOVING, NO_POSING
from thalweg.cli.reading import read
from thalweg.sweep.run import foresee

EXAMPLES = Path(__file__).parents[2] / "examples"
PROGRAMS = sorted(EXAMPLES.glob("*.py"))
SWEEPS = sorted(EXAMPLES.glob("*_sweep.toml"))
SETTINGS = sorted({*EXAMPLES.glob("*.toml")} - {*SWEEPS})


def _named(file):
    return file.name


@pytest.mark.parametrize("file", PROGRAMS, ids=_named)
def test_an_example_prints_and_draws(file, tmp_path, monkeypatch, capsys):
    out = str(tmp_path / "out")
    monkeypatch.setattr(sys, "argv", [str(file), "--quick", "--out", out])
    runpy.run_path(str(file), run_name="__main__")
    assert (tmp_path / "out" / f"{file.stem}.png").stat().st_size > 5000
    assert len(capsys.readouterr().out.splitlines()) > 3


@pytest.mark.parametrize("file", PROGRAMS, ids=_named)
def test_an_example_is_at_most_100_lines(file):
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 100


@pytest.mark.parametrize("file", SETTINGS, ids=_named)
def test_a_settings_file_is_without_faults(file):
    assert read(file, NO_POSING, NO_MOVING).settings.accuracy > 0


@pytest.mark.parametrize("file", SWEEPS, ids=_named)
def test_a_sweep_file_is_without_faults(file):
    foreseen = foresee(file)
    assert foreseen["runs"] == foreseen["missing"] > 100
    assert foreseen["left_out"] == 0
