"""What must be quick, and free of JAX."""

import resource
import subprocess
import sys

import pytest

import thalweg as package
from thalweg.cli.list import shelves

PROBE = """
import sys
from thalweg.cli.main import execute
code = execute({tokens})
heavy = {{"jax", "scipy", "sklearn", "matplotlib", "pydantic"}} & set(sys.modules)
sys.stderr.write(",".join(sorted(heavy)))
sys.exit(code)
"""


@pytest.mark.parametrize(
    "tokens", [["--help"], ["--version"], ["list"], ["data", "list"], ["run", "--help"]]
)
def test_light_commands_import_nothing_heavy(tokens):
    done = subprocess.run(
        [sys.executable, "-c", PROBE.format(tokens=tokens)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    assert done.stdout


@pytest.mark.parametrize("tokens", [["--help"], ["list"], ["data", "list"]])
def test_light_commands_take_less_than_the_blink_of_an_eye(tokens):
    # Processor time: the clock on the wall also counts what else the machine does.
    spent = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, "-m", "thalweg", *tokens], capture_output=True, check=True
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(
            after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        )
    assert min(spent) < 0.4


def test_the_version_is_that_of_the_package(thalweg):
    assert thalweg("--version").out.strip() == package.__version__


def test_python_dash_m_leaves_with_the_exit_code():
    done = subprocess.run(
        [sys.executable, "-m", "thalweg", "list", "measurs"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "Did you mean 'measures'?" in done.stderr


def test_a_reader_that_goes_away_is_not_an_error():
    done = subprocess.run(
        f"{sys.executable} -m thalweg list | head -c 1; exit ${{PIPESTATUS[0]}}",
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_every_shelf_is_found_without_a_list_of_shelves():
    assert {"datasets", "inits", "measures", "theorems"} <= shelves().keys()
