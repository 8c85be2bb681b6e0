"""A task's rows beside single runs, and each start beside the one drawn alone."""

import jax
import numpy as np
import pytest

from thalweg._core.errors import ThalwegError
from thalweg.motion.descend import descend
from thalweg.motion.path import Path
from thalweg.request.checking import checked
from thalweg.request.moving import mover
from thalweg.request.posing import certificates, pose, problem_of, step_of
from thalweg.request.settings import MEASURES
from thalweg.sweep import problems
from thalweg.sweep.starting import starts_of
from thalweg.sweep.turn import Stopped, Turn, taking
from thalweg.sweep.work import carry_out
from tolerances import is_a_sentence

TARGET = [[2.0, 0.5], [0.0, 1.0]]


def unit(**keys):
    raw = {
        "data": {"target": TARGET},
        "hidden": [2],
        "init": {"name": "gaussian", "std": 0.3},
        "step_size": 0.1,
        "accuracy": 1e-5,
        "iterations": 80,
        "measures": [],
        "theorems": [],
    }
    raw |= keys
    plain = checked({k: v for k, v in raw.items() if v is not None}).to_plain()
    return {
        k: v for k, v in plain.items() if k not in ("records", "every", "page", "out")
    }


def task(units, recording=None):
    runs = [{"key": f"key{i}", "settings": unit} for i, unit in enumerate(units)]
    return {"group": "some", "runs": runs, "recording": recording}


def rows(units, **keys):
    columns = carry_out(task(units, **keys))["columns"]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values())]  # noqa: B905


def without_key(row):
    return {name: value for name, value in row.items() if name != "key"}


def starts(units):
    asked = [checked(u) for u in units]
    posed = [pose(settings) for settings in asked]
    return starts_of(asked, [one.problem for one in posed]), posed


def same_bits(one, other):
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return all(
        np.asarray(a).tobytes() == np.asarray(b).tobytes() and a.shape == b.shape
        for a, b in pairs
    )


@pytest.mark.parametrize(
    ("init", "hidden"),
    [
        ({"name": "gaussian"}, [3]),
        ({"name": "balanced", "mix": True}, [3, 2]),
        pytest.param({"name": "he"}, [3], marks=pytest.mark.slow),
        ({"name": "orthogonal"}, [2]),
        pytest.param({"name": "aligned"}, [2, 2], marks=pytest.mark.slow),
        pytest.param({"name": "lambda_balanced"}, [2], marks=pytest.mark.slow),
        ({"name": "zero_asymmetric"}, [2]),
        ({"name": "identity"}, [2]),
    ],
    ids=lambda given: given["name"] if isinstance(given, dict) else "",
)
def test_starts_drawn_together_are_those_drawn_alone_to_the_bit(init, hidden):
    spread = init["name"] in ("gaussian", "balanced")
    units = [
        unit(init={**init, **({"std": 0.1 + i / 7} if spread else {})},
             hidden=hidden, seed=i * 10**12 + i)
        for i in range(30)
    ]  # fmt: skip
    together, alone = starts(units)
    for start, posed in zip(together, alone, strict=True):
        assert same_bits(start, posed.weights)


def test_starts_of_several_kinds_keep_their_places():
    units = [
        unit(init={"name": "gaussian", "std": 0.2}, seed=i)
        if i % 2
        else unit(
            playground=3, data=None, hidden=None, init={"name": "gaussian"}, seed=i
        )
        for i in range(60)
    ]
    units.append(
        unit(playground=2, data=None, hidden=None, init=None, start=[0.5, 0.25])
    )
    together, alone = starts(units)
    for start, posed in zip(together, alone, strict=True):
        assert same_bits(start, posed.weights)


def test_a_start_that_cannot_be_is_told_and_harms_no_other():
    kind = {"name": "lambda_balanced"}
    units = [unit(init=kind), unit(init=kind, hidden=[2, 2]), unit(seed=3)]
    problems = [problem_of(checked(one))[0] for one in units]
    told = starts_of(list(map(checked, units)), problems)
    assert [isinstance(one, ThalwegError) for one in told] == [False, True, False]
    assert is_a_sentence(told[1])
    assert same_bits(told[0], pose(checked(units[0])).weights)


UNITS = [
    unit(seed=seed, step_size=step, init={"name": "gaussian", "std": std})
    for seed in range(2)
    for step in (0.02, 0.2, 0.9, 3.0)
    for std in (0.3, 1.0)
]


def test_rows_are_how_single_descents_end():
    for given, row in zip(UNITS, rows(UNITS), strict=True):
        posed = pose(checked(given))
        path = descend(
            posed.problem,
            posed.weights,
            step_size=given["step_size"],
            iterations=given["iterations"],
            accuracy=given["accuracy"],
        )
        assert row["status"] == str(path.outcome.status)
        assert row["iterations"] == path.outcome.iteration
        assert row["step_size"] == given["step_size"]
        if not path.outcome.diverged:
            assert row["excess_loss"] == pytest.approx(
                path.outcome.excess_loss, rel=1e-6, abs=1e-15
            )
    assert {"converged", "diverged", "out of budget"} <= {
        row["status"] for row in rows(UNITS)
    }


def test_a_row_depends_on_nothing_but_its_settings():
    together = rows(UNITS)
    for place in (0, 9, 15):
        (alone,) = rows([UNITS[place]])
        assert repr(without_key(alone)) == repr(without_key(together[place]))
    turned = rows(UNITS[::-1])[::-1]
    assert repr(list(map(without_key, turned))) == repr(
        list(map(without_key, together))
    )


def test_problems_of_their_own_give_what_one_for_all_gives():
    others = [
        unit(data={"target": [[1.0 + i, 0.0], [0.2, 0.5]]}, seed=i) for i in range(5)
    ]
    mixed = rows([*UNITS[:6], *others])
    alone = [rows([one])[0] for one in (*UNITS[:6], *others)]
    assert repr(list(map(without_key, mixed))) == repr(list(map(without_key, alone)))


@pytest.mark.parametrize(
    "keys",
    [
        {"flow": True, "horizon": 3.0, "iterations": None, "step_size": None},
        {"flow": True, "horizon": 3.0, "iterations": None, "step_size": None,
         "solver": "exact", "init": {"name": "balanced", "std": 0.5}},
        {"leap": True, "step_size": 0.01, "iterations": 10**6},
        {"optimizer": "adam", "step_size": 0.05},
        {"momentum": 0.5, "step_size": 0.05},
        {"step_size": "auto"},
    ],
    ids=["flow", "exact", "leap", "adam", "momentum", "auto"],
)  # fmt: skip
def test_other_runs_end_as_those_of_thalweg_run(keys):
    units = [unit(seed=seed, **keys) for seed in (0, 1)]
    for given, row in zip(units, rows(units), strict=True):
        settings = checked(given)
        posed = pose(settings)
        step = step_of(settings, posed)
        path = mover(settings, posed, step)(on_progress=None)
        assert row["status"] == str(path.outcome.status)
        assert row["step_size"] == step
        assert row["time"] == path.outcome.time
        if not settings.flow:
            assert row["iterations"] == path.outcome.iteration
        assert row["excess_loss"] == pytest.approx(path.outcome.excess_loss, rel=1e-6)


def test_measures_at_the_end_are_numbers_or_lists():
    measures = ["imbalance", "singular_modes", "end_to_end", "excess_loss"]
    (row,) = rows([unit(measures=measures)])
    posed = pose(checked(unit()))
    path = descend(
        posed.problem, posed.weights, step_size=0.1, iterations=80, accuracy=1e-5,
        measures=["imbalance", "singular_modes", "end_to_end"],
    )  # fmt: skip
    for name in ("imbalance", "singular_modes", "end_to_end"):
        np.testing.assert_allclose(row[name], path[name][-1], rtol=1e-9, atol=1e-12)
    assert isinstance(row["excess_loss"], float)


def test_certificates_come_as_verdicts_and_promises():
    given = unit(
        playground=2, data=None, hidden=None, init=None, start=[0.5, 0.5],
        step_size=0.16, theorems=["flammarion2025.Convergence"], accuracy=1e-6,
    )  # fmt: skip
    (row,) = rows([given])
    (one,) = certificates(
        checked(given), *(pose(checked(given)).problem, [0.5, 0.5]), step_size=0.16
    )
    assert row["verdict.flammarion2025.Convergence"] == "proved"
    assert row["promised.flammarion2025.Convergence"] == one.promised == 622.0


def test_a_run_that_cannot_be_is_a_row_that_says_why_and_the_others_go_on():
    far = unit(init={"name": "gaussian", "std": 1e200})
    units = [*UNITS[:5], far, *UNITS[5:9], far]
    found = rows(units)
    failed = [row for row in found if row["status"] == "failed"]
    assert [row["key"] for row in failed] == ["key5", "key10"]
    for row in failed:
        assert is_a_sentence(row["error"])
        assert "beyond the range of float64" in row["error"]
        assert row["iterations"] is None
    fine = [without_key(row) for row in found if row["status"] != "failed"]
    assert repr(fine) == repr(list(map(without_key, rows(UNITS[:9]))))


def test_a_trajectory_is_what_thalweg_run_would_save(tmp_path):
    done = carry_out(task([UNITS[0]], recording={"measures": ["loss"], "every": 5}))
    files = done["paths"]["key0"]
    assert list(files)[-1] == "card.json"
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    path = Path.load(tmp_path)
    posed = pose(checked(UNITS[0]))
    expected = descend(
        posed.problem, posed.weights, step_size=UNITS[0]["step_size"], iterations=80,
        accuracy=1e-5, every=5, measures=["loss"],
    )  # fmt: skip
    np.testing.assert_array_equal(path.clock, expected.clock)
    np.testing.assert_array_equal(path["loss"], expected["loss"])
    assert same_bits(path.start, expected.start)
    assert path.notes["settings"]["step_size"] == UNITS[0]["step_size"]
    assert path.notes["seed"] == 0
    assert rows([UNITS[0]]) == rows([UNITS[0]], recording={"every": 5})


def test_a_trajectory_records_what_thalweg_run_would_unless_told(tmp_path):
    files = carry_out(task([unit(hidden=[])], recording={}))["paths"]["key0"]
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    path = Path.load(tmp_path)
    assert set(MEASURES) <= set(path.columns)
    assert path.notes["settings"]["hidden"] == []
    assert path.notes["settings"]["records"] == 200


def test_a_file_that_changed_is_read_again_and_read_once_for_all_nets(
    tmp_path, monkeypatch
):
    file = tmp_path / "some.csv"
    data = {"file": str(file), "targets": ["y"], "center": False, "whiten": False}
    several = [unit(data=data, hidden=hidden, iterations=0) for hidden in ([], [1])]
    read = []
    counted = problems.problem_of
    monkeypatch.setattr(problems, "problem_of", lambda s: read.append(s) or counted(s))
    for scale in (1.0, 3.0):
        file.write_text(f"x,y\n1.0,{scale}\n-1.0,{scale}\n")
        read.clear()
        found = rows([{**each, "step_size": 0.1} for each in several])
        assert len(read) == 1
        zero = {"name": "gaussian", "std": 0.0}
        (row,) = rows([{**several[0], "init": zero}])
        # Half the mean of the squares of y, the loss of the zero map.
        assert row["loss"] == pytest.approx(scale**2 / 2, rel=1e-15)
        alone = [pose(checked(each)) for each in several]
        losses = [float(one.problem.loss(one.weights)) for one in alone]
        assert [row["loss"] for row in found] == pytest.approx(losses, rel=1e-14)


def test_what_is_to_be_cited_comes_along():
    keys = {source["key"] for source in carry_out(task(UNITS[:2]))["sources"]}
    assert keys == {"arora2019"}


@pytest.mark.parametrize("keys", [{}, {"leap": True}])
def test_a_task_that_is_told_to_stop_gives_up(keys):
    mine = Turn()
    mine.stop.set()
    with taking(mine), pytest.raises(Stopped):
        carry_out(task([unit(**keys)]))
