"""What every engine on the shelf keeps: the table of any is that of all, to the bit."""

import pytest

from thalweg.sweep import run as running
from thalweg.sweep.design import Design
from thalweg.sweep.engines import shelf
from thalweg.sweep.run import run_sweep

TARGET = [[2.0, 0.5], [0.0, 1.0]]
BASE = {"data": {"target": TARGET}, "hidden": [2], "iterations": 300, "accuracy": 1e-6}
OVER = {"init.std": [0.3, 1e200], "step_size": [0.1, 2.0], "seed": {"from": 0, "to": 7}}


def squared(number):
    """A task at the top of a module."""
    if number < 0:
        raise ValueError(f"{number} came")
    return number**2


def engines():
    return [
        pytest.param(
            name,
            marks=[] if not shelf.entry(name).needs else [pytest.mark.slow],
            id=name,
        )
        for name in shelf
    ]


@pytest.fixture(scope="module")
def expected():
    """The table of tasks carried out one after the other."""
    return run_sweep(Design.of(BASE, OVER), engine=shelf.make("inprocess", threads=1))


@pytest.mark.parametrize("name", engines())
def test_an_engine_gives_the_table_that_every_engine_gives(name, expected, monkeypatch):
    monkeypatch.setattr(running, "MOST", 5)
    engine = shelf.make(name)
    assert engine.ceiling() > 2**20
    found = run_sweep(Design.of(BASE, OVER), engine=engine)
    assert found.rows.equals(expected.rows)
    assert set(found.counts()) == {"converged", "diverged", "failed"}


@pytest.mark.parametrize("name", engines())
def test_an_engine_yields_every_result_once_and_raises_what_a_task_raises(name):
    engine = shelf.make(name)
    found = dict(engine.map(squared, [3, 1, 2]))
    assert found == {0: 9, 1: 1, 2: 4}
    with pytest.raises(ValueError, match="-1 came"):
        list(engine.map(squared, [1, -1, 2]))


def test_the_shelf_holds_both():
    assert {"dask", "inprocess"} <= set(shelf)
