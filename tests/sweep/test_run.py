"""A design's table beside a plain loop; searches; replays; reductions; progress."""

import time
import tomllib

import numpy as np
import pytest

from thalweg._core.errors import ConfigError, DomainError, StoreError, UnknownName
from thalweg.motion.descend import descend
from thalweg.problem.scalar import Playground
from thalweg.request.checking import checked
from thalweg.request.moving import mover
from thalweg.request.posing import pose, step_of
from thalweg.sweep import parquet
from thalweg.sweep.design import Design
from thalweg.sweep.engines._base import AbstractEngine
from thalweg.sweep.engines.inprocess import Inprocess
from thalweg.sweep.fitting import Fitting
from thalweg.sweep.pace import Pace
from thalweg.sweep.run import run_sweep
from thalweg.sweep.table import Table
from tolerances import is_a_sentence

BASE = {"playground": 2, "accuracy": 1e-6, "iterations": 1000}
GAUSSIAN = {**BASE, "init": {"name": "gaussian", "std": 0.5}}
OVER = {"step_size": [0.02, 0.1, 0.3], "seed": [0, 1, 2, 3]}


class Broken(AbstractEngine):
    """Is interrupted after its first task."""

    def map(self, function, tasks):
        yield 0, function(tasks[0])
        raise KeyboardInterrupt


@pytest.fixture(scope="module")
def table():
    return run_sweep(Design.of(GAUSSIAN, OVER))


def replayed(settings):
    settings = checked(settings)
    posed = pose(settings)
    return mover(settings, posed, step_of(settings, posed))(on_progress=None)


def test_a_table_is_what_a_plain_loop_gives(table):
    problem, row = Playground(2), 0
    for step in OVER["step_size"]:
        for seed in OVER["seed"]:
            start = pose(checked({**GAUSSIAN, "seed": seed})).weights
            path = descend(
                problem, start, step_size=step, iterations=1000, accuracy=1e-6
            )
            assert table.column("run")[row] == row
            assert table.column("step_size")[row] == step
            assert table.column("seed")[row] == seed
            assert table.column("status")[row] == str(path.outcome.status)
            assert table.column("iterations")[row] == path.outcome.iteration
            assert table.column("excess_loss")[row] == pytest.approx(
                path.outcome.excess_loss, rel=1e-9, abs=1e-15
            )
            row += 1
    assert len(table) == row
    assert table.whole
    assert table.axes == ("step_size", "seed")


def test_a_row_gives_back_the_run_that_it_was(table):
    for row in (0, 7):
        settings = table.settings(row)
        assert settings["step_size"] == table.column("step_size")[row]
        assert tomllib.loads(table.to_toml(row)) == settings
        ended = replayed(tomllib.loads(table.to_toml(row))).outcome
        assert ended.iteration == table.column("iterations")[row]
    with pytest.raises(DomainError, match="row 99 of 12"):
        table.settings(99)
    with pytest.raises(DomainError, match="reduced or made by hand"):
        table.group("seed", "iterations").settings(0)


def test_equal_runs_are_carried_out_once_and_told_twice():
    seen = []

    class Noting(AbstractEngine):
        def map(self, function, tasks):
            for place, task in enumerate(tasks):
                seen.extend(run["key"] for run in task["runs"])
                yield place, function(task)

    target = {"data": {"target": [[1.0]]}, "step_size": 0.1, "iterations": 20}
    found = run_sweep(
        Design.of(target, {"depth": [1, 2], "width": [1, 2]}), engine=Noting()
    )
    assert len(found) == 4
    assert len(seen) == len(set(seen)) == 3
    assert found.column("key")[0] == found.column("key")[1]


@pytest.mark.parametrize("goal", ["iterations", "loss"])
def test_a_search_finds_what_every_step_of_the_grid_would(goal, tmp_path):
    base = {**GAUSSIAN, "iterations": 60 if goal == "loss" else 1000}
    search = {"field": "step_size", "from": 0.01, "to": 3.0, "points": 13, "goal": goal}
    over = {"seed": [0, 1, 2, 3]}
    rounds = []
    found = run_sweep(
        Design.of(base, over, search=search),
        out=tmp_path / "one",
        on_progress=lambda told: rounds.append(told.round),
    )
    grid = Design.of(base, over, search=search).search.grid
    np.testing.assert_allclose(grid, np.geomspace(0.01, 3.0, 13), rtol=1e-9)
    every = run_sweep(Design.of(base, {**over, "step_size": grid}))
    value = "iterations" if goal == "iterations" else "excess_loss"
    only = "converged" if goal == "iterations" else None
    best = every.best("seed", value, only=only)
    assert found.column("seed").tolist() == [0, 1, 2, 3]
    assert found.column("certain").all()
    np.testing.assert_array_equal(found.column(value), best.column(value))
    assert rounds == sorted(rounds)
    assert max(rounds) >= 2
    assert (found.column("evaluations") <= 13).all()
    assert (
        replayed(found.settings(1)).outcome.iteration == found.column("iterations")[1]
    )
    # The whole search again, of runs that are all there.
    (tmp_path / "one" / "table.parquet").unlink()
    again = run_sweep(Design.of(base, over, search=search), out=tmp_path / "one")
    assert again.rows.equals(found.rows)


def test_a_search_without_success_says_so():
    search = {"field": "step_size", "from": 10.5, "to": 99.5, "points": 5}
    found = run_sweep(
        Design.of({**BASE, "start": [0.5, 0.25]}, {"accuracy": [1e-6]}, search=search)
    )
    assert found.counts() == {"none converged": 1}
    assert np.isnan(found.column("step_size")[0])
    assert found.column("key")[0] is None
    assert len(found) == 1
    assert found.whole


def test_an_axis_with_the_name_of_a_result_keeps_both():
    found = run_sweep(Design.of({**BASE, "step_size": 0.1}, {"iterations": [5, 500]}))
    assert found.axes == ("asked.iterations",)
    assert found.column("asked.iterations").tolist() == [5, 500]
    assert found.column("iterations").tolist()[0] == 5
    assert found.column("status").tolist() == ["out of budget", "converged"]


def test_an_interruption_gives_the_rows_so_far(tmp_path):
    design = Design.of(GAUSSIAN, {**OVER, "playground": [2, 3]})
    part = run_sweep(design, out=tmp_path / "s", engine=Broken())
    assert not part.whole
    assert len(part) == 12
    assert sorted(set(part.column("playground"))) == [2]
    whole = run_sweep(design, out=tmp_path / "s")
    assert whole.whole
    assert whole.rows.equals(run_sweep(design).rows)
    kept = whole.where(whole.column("playground") == 2)
    assert kept.rows.equals(part.rows)


def test_an_interruption_before_the_first_row_gives_an_empty_table():
    class Broken(AbstractEngine):
        def map(self, function, tasks):
            raise KeyboardInterrupt
            yield

    found = run_sweep(Design.of(GAUSSIAN, OVER), engine=Broken())
    assert len(found) == 0
    assert not found.whole
    assert found.counts() == {}


def test_progress_counts_what_is_cached_done_and_failed(tmp_path):
    base = {"data": {"target": [[1.0]]}, "hidden": [1], "step_size": 0.1}
    base |= {"init": "gaussian", "iterations": 9}
    told = []
    over = {"init.std": [0.1, 1e200], "seed": [0, 1]}
    run_sweep(Design.of(base, {"init.std": [0.1], "seed": [0]}), out=tmp_path / "s")
    run_sweep(Design.of(base, over), out=tmp_path / "s", on_progress=told.append)
    last = told[-1]
    assert (last.done, last.total, last.cached, last.failed) == (4, 4, 1, 2)
    assert last.left == 0.0
    assert last.seconds > 0
    assert last.to_json()["cached"] == 1


def test_the_time_to_go_is_told_by_work_and_not_by_rows():
    now = [0.0]
    pace = Pace({"a": 1.0, "b": 3.0}, {"a": 20, "b": 10}, clock=lambda: now[0])
    assert pace.left() is None
    now[0] = 2.0
    pace.note("a", 10, 990.0)  # 1000 units of work in two seconds, 100 a row
    # To do: 10 rows of 100, and 10 that cost three times as much an iteration.
    assert pace.left() == pytest.approx((1000 + 3000) * 2 / 1000)
    now[0] = 3.0
    pace.note("b", 5, 95.0)  # 300 units: 60 a row, not 300
    assert pace.left() == pytest.approx((1000 + 5 * 60) * 3 / 1300)
    now[0] = 60.0  # Of late it goes slower.
    pace.note("a", 5, 495.0)
    assert pace.left() == pytest.approx((500 + 300) * 57 / 500)
    pace.note("a", 5, 0.0)
    pace.note("b", 5, 0.0)
    assert pace.left() == 0.0


def test_a_run_above_the_memory_is_refused_with_the_estimate():
    with pytest.raises(ConfigError, match=r"takes about .* MiB") as caught:
        run_sweep(Design.of({**BASE, "step_size": 0.1}, {"seed": [0]}), memory=2**20)
    assert is_a_sentence(caught.value)
    small = Fitting(2**40)({"playground": 2, "start": [0.5, 0.5]})
    target = {"data": {"target": np.eye(40).tolist()}, "hidden": [40]}
    assert Fitting(2**40)(target) > 10 * small


def test_an_engine_that_is_not_there_is_met_with_those_that_are():
    with pytest.raises(UnknownName, match="Did you mean 'inprocess'"):
        run_sweep(Design.of(BASE, {"step_size": [0.1]}), engine="inproces")
    with pytest.raises(DomainError, match="threads"):
        Inprocess(threads=0)


MADE = Table.of(
    {
        "std": [0.1, 0.1, 0.2, 0.2],
        "name": ["b", "a", "b", "a"],
        "status": ["converged", "converged", "diverged", "converged"],
        "iterations": [40, 60, 7, 20],
        "loss": [0.5, None, float("inf"), 0.25],
        "modes": [[1.0, 2.0], [3, 4], None, []],
    },
    axes=("std", "name"),
)


def test_reductions_are_those_of_a_loop(tmp_path):
    assert MADE.column("iterations").dtype == np.int64
    np.testing.assert_array_equal(MADE.column("loss"), [0.5, np.nan, np.inf, 0.25])
    assert MADE.column("modes").tolist() == [[1.0, 2.0], [3.0, 4.0], None, []]
    grouped = MADE.group("std", "iterations", reduce="mean")
    assert grouped.column("iterations").tolist() == [50.0, 13.5]
    assert grouped.column("rows").tolist() == [2, 2]
    only = MADE.group("name", "iterations", reduce="count", only="converged")
    assert dict(zip(only.column("name"), only.column("rows"), strict=True)) == {
        "a": 2,
        "b": 1,
    }
    best = MADE.best("std")
    assert best.column("iterations").tolist() == [40, 20]
    assert MADE.best(value="loss", only=None).column("loss").tolist() == [0.25]
    xs, ys, matrix = MADE.pivot("std", "name", "iterations", only="converged")
    assert (xs, ys) == ([0.1, 0.2], ["b", "a"])
    np.testing.assert_array_equal(matrix, [[40.0, np.nan], [60.0, 20.0]])
    with pytest.raises(UnknownName, match="Did you mean 'iterations'"):
        MADE.column("iteration")
    with pytest.raises(UnknownName, match="Did you mean 'median'"):
        MADE.group("std", "iterations", reduce="medain")
    with pytest.raises(DomainError, match="does not hold numbers"):
        MADE.group("std", "name")


def test_many_combinations_are_reduced_quickly_and_nan_is_one_of_them():
    count = 40_000
    half = np.repeat(np.arange(count // 2), 2).astype(float)
    made = Table.of(
        {"a": half.tolist(), "v": list(range(count)), "status": ["x"] * count}
    )
    begun = time.perf_counter()
    grouped = made.group("a", "v", reduce="sum")
    best = made.best("a", "v", only="x")
    # One look at all rows for every combination would take 20,000 times this.
    assert time.perf_counter() - begun < 5
    np.testing.assert_array_equal(grouped.column("v"), 4 * half[::2] + 1)
    np.testing.assert_array_equal(best.column("v"), np.arange(0, count, 2))
    odd = Table.of({"a": [np.nan, 1.0, np.nan], "v": [1, 2, 4]})
    assert odd.group("a", "v", reduce="sum").column("v").tolist() == [5, 2]
    assert odd.pivot("a", "a", "v", reduce="sum")[2][1, 1] == 5
    assert odd.curve("a", "v", reduce="max")[1].tolist() == [2, 4]
    with pytest.raises(DomainError, match="'v' cannot be reduced by v"):
        odd.group("v", "v")


def test_a_grid_becomes_an_xarray(table):
    grid = table.to_xarray()
    assert dict(grid.sizes) == {"step_size": 3, "seed": 4}
    np.testing.assert_array_equal(
        grid["iterations"].values.ravel(), table.column("iterations")
    )
    assert (
        grid["status"].sel(step_size=0.02, seed=3).item() == table.column("status")[3]
    )
    with pytest.raises(DomainError, match="no grid"):
        Table.of({"a": [1, 1], "b": [2, 3]}, axes=("a",)).to_xarray()


def test_a_table_is_saved_whole_and_read_back(tmp_path, table):
    for one in (table, MADE):
        one.save(tmp_path / "t.parquet")
        read = Table.load(tmp_path / "t.parquet")
        assert read.rows.equals(one.rows)
        assert read.to_json() == one.to_json()
    assert list(table.to_pandas().columns) == list(table.columns)
    data = bytearray((tmp_path / "t.parquet").read_bytes())
    (tmp_path / "t.parquet").write_bytes(bytes(data[: len(data) // 2]))
    with pytest.raises(StoreError, match="damaged") as caught:
        Table.load(tmp_path / "t.parquet")
    assert is_a_sentence(caught.value)
    with pytest.raises(StoreError, match="there is no"):
        Table.load(tmp_path / "nothing.parquet")
    (tmp_path / "other.parquet").write_bytes(parquet.packed(MADE.rows, {}))
    with pytest.raises(StoreError, match="not the table of a sweep"):
        Table.load(tmp_path / "other.parquet")
