"""Plans against validating every run one by one, by the model of a single run."""

import json
import time

import jax
import numpy as np
import pytest

from thalweg._core.errors import ConfigError
from thalweg.inits import shelf as inits
from thalweg.problem.nets import LinearNet
from thalweg.request.checking import looked_at
from thalweg.request.settings import Settings
from thalweg.sweep._fits import FREE
from thalweg.sweep._layout import lay_out
from thalweg.sweep.design import Design
from thalweg.sweep.keys import key_of
from thalweg.sweep.plan import Plan, bytes_per_run, plan
from thalweg.sweep.search import Request

TARGET = [[2.0, 0.0], [0.0, 1.0]]
BASE = {"data": {"target": TARGET}, "hidden": [3]}
IDLE = ("out", "page", "figures", "records", "every")


def one_by_one(base, columns):
    """Return the settings and faults of every run, written out by hand."""
    found = []
    for row in zip(*columns.values(), strict=True):
        raw = json.loads(json.dumps(base))
        taken = dict(zip(columns, row, strict=True))
        depth, width = taken.pop("depth", None), taken.pop("width", None)
        for name, value in sorted(taken.items(), key=lambda item: "." in item[0]):
            table, dot, key = name.partition(".")
            if not dot:
                raw[name] = value
                continue
            inner = raw.get(table, {"name": "balanced"})
            inner = {"name": inner} if isinstance(inner, str) else dict(inner)
            raw[table] = {**inner, key: value}
        if depth is not None and "playground" in raw:
            raw["playground"] = depth
        elif depth is not None or width is not None:
            old = raw.get("hidden", [32, 32])
            layers = len(old) if depth is None else depth - 1
            raw["hidden"] = [old[0] if width is None else width] * layers
        settings, told = looked_at({"measures": [], "theorems": [], **raw})
        plain = None if settings is None else settings.to_plain()
        found.append(
            (plain and {k: v for k, v in plain.items() if k not in IDLE}, told)
        )
    return found


def drawn_design(rng):
    """Return a random design, of settings that may or may not be as they must be."""
    playground = rng.random() < 0.25
    base = {"playground": 3} if playground else dict(BASE)
    pool = {
        "depth": [[2, 3], {"from": 1, "to": 5}],
        "width": [[1, 2, 8], {"from": 1, "to": 64}],
        "init.std": [[0.1, 1], [0, 0.5], [-1.0, 0.1], "range"],
        "init.name": [["gaussian", "balanced"], ["gaussian", "he"], ["identity"]],
        "init": [["gaussian", {"name": "balanced", "std": 1}], ["orthogonal", "he"]],
        "step_size": [[0.1, "auto"], [1, 0.5], ["certified"], "range", [0.1, -2]],
        "seed": [[0, 1], [2.0, 5], {"from": 0, "to": 99}, [0.5, 1]],
        "momentum": [[0, 0.9], [0.5, 1.5], "range"],
        "accuracy": [[0, 1e-3], "range"],
        "iterations": [[10, 20], {"from": 1, "to": 1000}],
        "flow": [[False], [True, False]],
        "optimizer": [["adam", "sgd"]],
        "leap": [[True, False]],
        "data.target": [[[[1.0, 2.0]], [[3, 4]]], [[[1.0], [2.0]]]],
    }
    names = list(rng.permutation([n for n in pool if not (playground and "data" in n)]))
    names = [str(name) for name in names[: rng.integers(1, 5)]]
    if playground:
        names = [name for name in names if name != "width"] or ["depth"]
    design = str(rng.choice(["grid", "random", "latin_hypercube"]))
    over = {}
    for name in names:
        raw = pool[name][rng.integers(len(pool[name]))]
        if raw == "range":
            raw = {"from": 1e-3, "to": 0.5, "spacing": "log"}
            raw |= {"points": 3} if design == "grid" else {}
        if design == "grid" and isinstance(raw, dict) and "points" not in raw:
            raw = {**raw, "points": 3}
        over[name] = raw
    sampled = {} if design == "grid" else {"design": design, "points": 12}
    return Design.of(base, over, **sampled)


@pytest.mark.parametrize("seed", range(8))
def test_a_plan_is_that_of_validating_every_run(seed):
    rng = np.random.default_rng(seed)
    good = 0
    for _ in range(25):
        design = drawn_design(rng)
        layout = lay_out(design)
        columns = {n: layout.column(k) for k, n in enumerate(layout.names)}
        expected = one_by_one(design.base, columns)
        wrong = [told for unit, told in expected if unit is None]
        if wrong:
            with pytest.raises(ConfigError) as caught:
                plan(design)
            text = wrong[0][0].partition(": ")[2]
            assert text[:25].rstrip("0123456789.-") in str(caught.value)
            continue
        good += 1
        made = plan(design)
        assert list(made.units) == [unit for unit, _ in expected]
        assert list(made.keys) == [key_of(unit) for unit, _ in expected]
    assert good >= 3


def test_units_are_settings_and_hold_no_more_than_decides_numbers():
    made = plan(Design.of({**BASE, "out": "x", "records": 7}, {"init.std": [1, 0.5]}))
    unit = made.units[0]
    assert not set(unit) & set(IDLE)
    assert (unit["measures"], unit["theorems"]) == ([], [])
    again = Settings.model_validate(unit).to_plain()
    assert {key: again[key] for key in unit} == unit
    assert type(unit["init"]["std"]) is float
    assert made.recording == {"records": 7}


def test_equal_runs_have_one_key_however_they_are_spelled():
    first = plan(
        Design.of({**BASE, "init": {"name": "gaussian", "std": 1}}, {"seed": [3]})
    )
    other = plan(
        Design.of({**BASE, "init": "gaussian", "seed": 3}, {"init.std": [1.0]})
    )
    assert first.keys == other.keys
    default = plan(Design.of({**BASE, "init": "gaussian"}, {"seed": [3]}))
    spelled = plan(Design.of(BASE, {"init": [{"name": "gaussian", "std": 0.1}]}))
    assert default.keys != spelled.keys
    spelled = plan(Design.of({**BASE, "seed": 3}, spelled.design.over))
    assert default.keys == spelled.keys
    once = plan(Design.of(BASE, {"depth": [1], "width": [4, 8]}))
    assert once.keys[0] == once.keys[1]
    assert [len(task["runs"]) for task in once.chunks()] == [1]


def test_a_key_follows_the_content_of_a_file_and_not_its_place(tmp_path):
    def key(file):
        base = {"data": {"file": str(file), "targets": ["y"]}, "hidden": [2]}
        return plan(Design.of(base, {"seed": [0]})).keys[0]

    here, there = tmp_path / "a.csv", tmp_path / "b.csv"
    here.write_text("x,y\n1,2\n2,1\n")
    there.write_text("x,y\n1,2\n2,1\n")
    before = key(here)
    assert key(there) == before
    here.write_text("x,y\n1,2\n2,1.5\n")
    assert key(here) != before


def test_groups_share_what_a_program_is_compiled_for():
    over = {
        "depth": [2, 3],
        "data.target": [[[1.0, 2.0]], [[3.0, 4.0]], [[1.0], [2.0]]],
        "step_size": [0.1, 0.2],
        "momentum": [0.0, 0.5],
    }
    made = plan(Design.of(BASE, over))
    shapes = [
        (len(u["hidden"]), len(u["data"]["target"]), u["momentum"] > 0)
        for u in made.units
    ]
    expected = [
        tuple(k for k, shape in enumerate(shapes) if shape == wanted)
        for wanted in dict.fromkeys(shapes)
    ]
    assert [group.runs for group in made.groups] == expected


def test_chunks_hold_every_missing_run_once_within_their_bounds():
    made = plan(Design.of(BASE, {"depth": [2, 3], "seed": {"from": 0, "to": 24}}))
    tasks = made.chunks(most=7)
    assert json.loads(json.dumps(tasks)) == tasks
    sizes = [len(task["runs"]) for task in tasks]
    assert sizes == [7, 7, 7, 4] * 2
    keys = [run["key"] for task in tasks for run in task["runs"]]
    assert keys == list(made.keys)
    assert [run["settings"] for t in tasks for run in t["runs"]] == list(made.units)
    some = set(made.keys[::3])
    left = [r["key"] for t in made.chunks(missing=some) for r in t["runs"]]
    assert left == list(made.keys[::3])
    narrow = made.chunks(memory=3000, per_run=lambda settings: 1000)
    assert {len(task["runs"]) for task in narrow} == {3, 1}
    assert len(made.chunks(memory=1)) == len(made)


def test_memory_grows_with_the_net():
    small = plan(Design.of(BASE, {"width": [4, 400]}))
    first, last = (bytes_per_run(unit) for unit in small.units)
    assert first >= 8 * (4 * 2 + 2 * 4)
    assert 80 < last / first < 100


def test_arrays_give_the_plan_back_with_its_units(tmp_path):
    over = {
        "step_size": [0.1, "auto"],
        "init": ["gaussian", {"name": "balanced", "std": 0.5}],
        "accuracy": [1e-3, 0.1],
        "seed": [0, 2**60],
    }
    design = Design.of(BASE, {**over, "seed": [0, 2**52]})
    made = plan(design)
    np.savez(tmp_path / "plan.npz", **made.to_arrays())
    with np.load(tmp_path / "plan.npz", allow_pickle=False) as arrays:
        back = Plan.from_arrays(design, dict(arrays))
    assert back == made
    assert list(back.columns) == list(made.columns)
    assert list(back.units) == list(made.units)
    assert back.columns["init"][-1] == '{"name":"balanced","std":0.5}'


def test_a_long_word_is_kept_once_however_many_runs_have_it():
    target = np.arange(4000.0).reshape(4, 1000).tolist()
    over = {"data.target": [target, [[1.0]]], "accuracy": [1, 0.5], "seed": range(20)}
    made = plan(Design.of({"hidden": [1]}, over))
    assert len(made) == 80
    assert len({id(cell) for cell in made.columns["data.target"]}) == 2
    arrays = made.to_arrays()
    length = len(made.columns["data.target"][0])
    assert length > 20_000
    # NumPy keeps four bytes a character; quotes are two more characters.
    assert (
        sum(array.nbytes for array in arrays.values()) < 2 * 4 * (length + 2) + 20_000
    )
    back = Plan.from_arrays(made.design, arrays)
    assert back == made
    assert repr(back.columns) == repr(made.columns)


def test_cells_that_are_equal_but_not_the_same_are_kept_apart():
    values = {"accuracy": [0, 0.0, -0.0, 1, 1.0], "compress": [True, False]}
    made = plan(Design.of(BASE, values))
    back = Plan.from_arrays(made.design, made.to_arrays())
    assert repr(back.columns) == repr(made.columns)


SEARCH = {"field": "step_size", "from": 1e-3, "to": 1.0, "points": 4}


def test_candidates_are_the_points_with_the_searched_field_set():
    design = Design.of(BASE, {"init.std": [0.1, 0.2]}, search=SEARCH)
    points = plan(design)
    grid = design.search.grid
    asked = [Request(1, 2, grid[2], None), Request(0, 3, grid[3], 50)]
    runs = points.candidates(asked)
    assert runs.columns == {
        "init.std": [0.2, 0.1],
        "point": [1, 0],
        "step_size": [grid[2], grid[3]],
    }
    plainly = plan(Design.of(BASE, {"init.std": [0.2], "step_size": [grid[2]]}))
    assert runs.keys[0] == plainly.keys[0]
    capped = {**BASE, "iterations": 50}
    plainly = plan(Design.of(capped, {"init.std": [0.1], "step_size": [grid[3]]}))
    assert (runs.keys[1], runs.units[1]) == (plainly.keys[0], plainly.units[0])
    assert set(points.keys).isdisjoint(runs.keys)
    other = plan(Design.of(BASE, design.over, search={**SEARCH, "points": 5}))
    assert set(points.keys).isdisjoint(other.keys)


def test_a_whole_value_inside_a_searched_grid_is_no_exception():
    search = {"field": "step_size", "from": 0.5, "to": 1.5, "points": 3}
    design = Design.of(BASE, {"seed": [0]}, search={**search, "spacing": "linear"})
    runs = plan(design).candidates([Request(0, 1, design.search.grid[1], None)])
    assert runs.units[0]["step_size"] == 1.0


@pytest.mark.parametrize(
    ("base", "over", "words"),
    [
        (
            {},
            {"init.sdt": [0.1], "init.name": ["gaussian"]},
            r'sweep\.over\."init\.sdt": no such key\. Did you mean \'std\'',
        ),
        ({}, {"init.std": [0.1, -1.0]}, r'sweep\.over\."init\.std": .*-1\.0'),
        ({}, {"step_size": [0.1, 0]}, r"sweep\.over\.step_size: 0 came"),
        (
            {"acuracy": 1},
            {"seed": [0]},
            "^acuracy: no such key. Did you mean 'accuracy'",
        ),
        ({}, {"data": ["diabets"]}, r"sweep\.over\.data: .*Did you mean 'diabetes'"),
        (
            {"flow": True, "horizon": 1.0},
            {"step_size": [0.1, 0.2]},
            r"sweep\.over\.step_size: belongs to a descent, and flow is true",
        ),
        (
            {"horizon": 1.0, "step_size": 0.1},
            {"flow": [True, False]},
            r"2 faults:(.|\n)*1 combination: \{ flow = (true|false) \}",
        ),
        (
            {},
            {"init.name": ["gaussian", "identity"], "init.std": [0.1, 0.2]},
            r'init\.std: no such key\..* 1 combination: \{ "init.name" = "identity" \}',
        ),
        (
            {},
            {
                "init.name": ["gaussian", "lambda_balanced"],
                "depth": [2, 3],
                "width": [2],
            },
            r'depth 3.* \{ "init.name" = "lambda_balanced", depth = 3 \}',
        ),
        (
            {"init": "lambda_balanced"},
            {"init.imbalance": [-1.0, 0.0, 1.0], "width": [2, 5]},
            r"2 faults(.|\n)*1 combination: \{ \"init.imbalance\" = 1.0, width = 5 \}",
        ),
        (
            {"init": {"name": "aligned", "strengths": [0.1, 0.2, 0.3]}},
            {"seed": [0]},
            "3 strengths came",
        ),
        (
            {"init": {"name": "explicit", "weights": "nowhere.npz"}},
            {"seed": [0]},
            "nowhere.npz cannot be read",
        ),
        (
            {"data": {"file": "no.csv", "targets": ["y"]}},
            {"seed": [0]},
            "no.csv cannot",
        ),
        (
            {},
            {"data": ["diabetes", {"name": "unit_phi"}], "data.seed": [0, 1]},
            r'^data\.seed: no such key.* 1 combination: \{ data = "diabetes" \}',
        ),
        (
            {"data": "diabetes"},
            {"data": [{"name": "unit_phi", "wdth": 3}, "diabetes"]},
            r"sweep\.over\.data: data\.wdth: no such key\. Did you mean 'width'",
        ),
        ({"hidden": [2, 2]}, {"start": [[1.0, 2.0]]}, "belongs to the playground"),
    ],
)
def test_impossible_settings_and_combinations_are_named(base, over, words):
    with pytest.raises(ConfigError, match=words):
        plan(Design.of({**BASE, **base}, over))


def test_data_that_are_not_here_are_told_with_how_to_fetch_them(tmp_path, monkeypatch):
    monkeypatch.delenv("THALWEG_DATA_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    design = Design.of({"data": "gas_sensor"}, {"seed": [0, 1]})
    with pytest.raises(ConfigError, match="thalweg data fetch gas_sensor"):
        plan(design)


def test_combinations_left_out_are_not_faults():
    over = {"init.name": ["gaussian", "lambda_balanced"], "depth": [2, 3]}
    without = [{"init.name": "lambda_balanced", "depth": 3}]
    made = plan(Design.of({**BASE, "hidden": [2]}, over, without=without))
    assert (len(made), made.left_out) == (3, 1)


def test_a_search_of_iterations_along_flows_is_refused():
    base = {**BASE, "flow": True, "horizon": 1.0}
    search = {"field": "rtol", "from": 1e-9, "to": 1e-3, "points": 3}
    with pytest.raises(ConfigError, match="take 'loss'"):
        plan(Design.of(base, {"seed": [0]}, search=search))
    assert len(plan(Design.of(base, {"seed": [0]}, search={**search, "goal": "loss"})))


@pytest.mark.parametrize("name", sorted(FREE | {"balanced"}))
@pytest.mark.parametrize(
    "widths", [(1, 1), (2, 5, 3), (5, 2, 4), (3, 1, 7, 2), (4,) * 5]
)
def test_inits_said_to_start_every_net_do(name, widths):
    net = LinearNet(widths)
    chain = jax.eval_shape(lambda s: inits.make(name).draw(jax.random.key(s), net), 0)
    assert tuple(layer.shape for layer in chain) == net.shapes


def test_ten_thousand_runs_are_planned_in_two_seconds():
    over = {
        "init.std": {"from": 1e-3, "to": 1.0, "spacing": "log"},
        "step_size": {"from": 1e-4, "to": 1.0, "spacing": "log"},
        "depth": {"from": 2, "to": 8},
        "width": {"from": 4, "to": 64},
        "init.name": ["gaussian", "balanced"],
        "seed": {"from": 0, "to": 10**6},
    }
    design = Design.of(BASE, over, design="latin_hypercube", points=10_000)
    plan(Design.of(BASE, {"seed": [0]}))
    began = time.process_time()
    made = plan(design)
    spent = time.process_time() - began
    assert len(set(made.keys)) == 10_000
    assert spent < 2
