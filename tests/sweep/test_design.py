"""Designs: their points against closed forms, and every fault of a sweep file."""

import itertools
import json
import math
import subprocess
import sys

import numpy as np
import pytest

from thalweg._core.errors import ConfigError
from thalweg.sweep._layout import lay_out
from thalweg.sweep.design import Design

BASE = {"data": {"target": [[2.0, 0.0], [0.0, 1.0]]}, "hidden": [3]}


def columns(design):
    layout = lay_out(design)
    return {name: layout.column(k) for k, name in enumerate(layout.names)}


def test_a_grid_is_the_product_with_the_last_axis_fastest():
    over = {"depth": [2, 3], "init.name": ["gaussian", "balanced"], "seed": [0, 1, 2]}
    found = columns(Design.of(BASE, over))
    product = list(itertools.product(*over.values()))
    assert list(zip(*found.values(), strict=True)) == product


def test_ranges_have_exact_ends_and_round_steps_between():
    over = {
        "init.std": {"from": 1e-3, "to": 1.0, "points": 7, "spacing": "log"},
        "step_size": {"from": 0.1, "to": 0.7, "points": 7},
        "seed": {"from": 3, "to": 6},
        "width": {"from": 1, "to": 1000, "points": 4, "spacing": "log"},
    }
    layout = lay_out(Design.of(BASE, over))
    std, step, seed, width = layout.pools
    assert std == [
        1e-3,
        *(float(f"{10 ** (k / 2 - 3):.12g}") for k in range(1, 6)),
        1.0,
    ]
    assert step == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]
    assert seed == [3, 4, 5, 6]
    assert width == [1, 10, 100, 1000]


def test_a_latin_hypercube_has_one_run_in_every_slice():
    over = {
        "init.std": {"from": 1e-4, "to": 1.0, "spacing": "log"},
        "accuracy": {"from": 0.0, "to": 1.0},
        "init.name": ["gaussian", "balanced"],
        "seed": {"from": 0, "to": 19},
    }
    found = columns(Design.of(BASE, over, design="latin_hypercube", points=40, seed=5))
    logs = np.array([math.log10(std) / 4 + 1 for std in found["init.std"]])
    assert sorted(np.floor(logs * 40 - 1e-9).clip(0).astype(int)) == list(range(40))
    sliced = np.floor(np.array(found["accuracy"]) * 40).astype(int)
    assert sorted(sliced) == list(range(40))
    assert found["init.name"].count("gaussian") == 20
    assert sorted(found["seed"]) == sorted([*range(20)] * 2)


def test_random_designs_are_uniform_and_a_longer_one_begins_with_a_shorter():
    over = {
        "init.std": {"from": 1e-2, "to": 1.0, "spacing": "log"},
        "width": {"from": 1, "to": 4},
    }
    long = columns(Design.of(BASE, over, design="random", points=4000, seed=1))
    short = columns(Design.of(BASE, over, design="random", points=100, seed=1))
    assert {name: values[:100] for name, values in long.items()} == short
    logs = np.log10(long["init.std"])
    error = 2 / math.sqrt(12 * 4000)
    assert abs(logs.mean() + 1) < 4 * error
    counts = np.bincount(long["width"], minlength=5)[1:]
    assert (abs(counts - 1000) < 4 * math.sqrt(4000 * 0.25 * 0.75)).all()
    other = columns(Design.of(BASE, over, design="random", points=100, seed=2))
    assert other != short


def test_without_leaves_combinations_out_and_counts_them():
    over = {"depth": [2, 3, 4], "init.name": ["gaussian", "identity"]}
    layout = lay_out(
        Design.of(BASE, over, without=[{"init.name": "identity", "depth": [2, 3]}])
    )
    runs = [tuple(layout.chosen(k).values()) for k in range(len(layout.places))]
    assert runs == [(2, "gaussian"), (3, "gaussian"), (4, "gaussian"), (4, "identity")]
    assert layout.left_out == 2


def test_nested_tables_and_arrays_are_axes_too():
    nested = Design.of(BASE, {"init": {"std": np.array([0.1, 0.2])}, "seed": range(3)})
    assert nested.over == {"init.std": [0.1, 0.2], "seed": [0, 1, 2]}


FILE = """
hidden = [4, 4]
data.target = [[1.0, 0.0], [0.0, 0.5]]
[sweep.over]
"init.std" = { from = 1e-2, to = 1.0, points = 3, spacing = "log" }
"init.weights" = ["start.npz"]
step_size = [0.1]
[sweep.search]
field = "momentum"
from = 0.0
to = 0.8
points = 5
spacing = "linear"
[sweep.keep]
trajectories = true
[[sweep.without]]
"init.std" = 1.0
"""


def test_a_file_is_read_and_its_paths_start_from_its_folder(tmp_path):
    file = tmp_path / "sweep.toml"
    file.write_text(FILE)
    design = Design.from_toml(file)
    assert design.over["init.weights"] == [str(tmp_path / "start.npz")]
    assert design.search.grid == (0.0, 0.2, 0.4, 0.6, 0.8)
    assert design.trajectories
    assert design.without == ({"init.std": 1.0},)
    plain = json.loads(json.dumps(design.to_json()))
    assert Design.from_json(plain) == design
    assert Design.from_json(plain).digest == design.digest


def test_the_digest_follows_contents_and_design_but_not_the_order_of_keys(tmp_path):
    file = tmp_path / "data.csv"
    file.write_text("a,y\n1,2\n")

    def digest(**more):
        base = {"data": {"file": str(file), "targets": ["y"]}, **more}
        return Design.of(base, {"seed": [0, 1]}).digest

    before = digest()
    assert digest(out="elsewhere") == before
    assert digest(accuracy=1e-3) != before
    file.write_text("a,y\n1,3.5\n")
    assert digest() != before


def test_reading_a_design_and_its_digest_needs_no_jax(tmp_path):
    file = tmp_path / "sweep.toml"
    file.write_text(FILE)
    code = (
        "import sys; from thalweg.sweep.design import Design; "
        f"Design.from_toml({str(file)!r}).digest; print('jax' in sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "False"


RANGE = {"from": 0.1, "to": 1.0, "points": 3}


@pytest.mark.parametrize(
    ("over", "more", "words"),
    [
        ({"depht": [2]}, {}, r"sweep\.over\.depht: no such key\. Did you mean 'depth'"),
        ({"seed": []}, {}, r"sweep\.over\.seed: the list is empty"),
        ({"seed": 3}, {}, r"sweep\.over\.seed: 3 came; give a list"),
        ({"seed": [1, 1]}, {}, "1 came twice in the list"),
        ({"step_size": {**RANGE, "from": 2.0}}, {}, "goes from 2.0 to 1.0; from must"),
        (
            {"step_size": {**RANGE, "from": 0, "spacing": "log"}},
            {},
            "from must be above",
        ),
        ({"step_size": {**RANGE, "pionts": 3}}, {}, "Did you mean 'points'"),
        ({"step_size": {"from": 0.1, "points": 3}}, {}, "'to' is missing"),
        ({"step_size": {**RANGE, "points": 1}}, {}, "points is 1; it must be"),
        ({"step_size": {"from": 0.1, "to": 1.0}}, {}, "points is missing"),
        ({"step_size": {**RANGE, "spacing": "logg"}}, {}, "spacing is 'logg'"),
        (
            {"step_size": {**RANGE, "to": math.inf}},
            {},
            "to is inf; it must be a finite",
        ),
        ({}, {}, r"sweep\.over: is missing"),
        ({"out": ["a"]}, {}, "no number of a row depends on it"),
        ({"seed.a": [1]}, {}, "'seed' is no table"),
        ({"depth": [2.5]}, {}, "2.5 came; it must be a whole number >= 1"),
        ({"depth": [2], "hidden": [[3]]}, {}, "came with sweep.over.hidden"),
        ({"width": [2], "playground": [3]}, {}, "whose widths are one"),
        ({"depth": [2], "playground": [3]}, {}, "came with sweep.over.playground"),
        ({"seed": [1]}, {"points": 5}, r"sweep\.points: belongs to random"),
        ({"seed": [1]}, {"design": "random"}, r"sweep\.points: is missing"),
        ({"seed": [1]}, {"design": "random", "points": 0}, "must be at least 1"),
        ({"seed": [1]}, {"design": "latin"}, "did you mean 'latin_hypercube'"),
        ({"step_size": RANGE}, {"design": "random", "points": 5}, "belongs to a grid"),
        ({"seed": [1]}, {"without": [{"sed": 1}]}, "Did you mean 'seed'"),
        ({"seed": [1]}, {"seed": -1}, r"sweep\.seed: -1 came"),
        ({"init": {"std": [1]}, "init.std": [2]}, {}, "came twice"),
    ],
)
def test_a_fault_of_a_design_is_one_sentence(over, more, words):
    with pytest.raises(ConfigError, match=words) as caught:
        Design.of(BASE, over, **more)
    assert "\n" not in str(caught.value)


SEARCH = {"field": "step_size", "from": 1e-3, "to": 1.0, "points": 5}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"field": "seed"}, r"sweep\.search\.field: came in sweep\.over as well"),
        ({"field": "stepsize"}, "Did you mean 'step_size'"),
        ({"field": "depth"}, "depth is no number to search"),
        ({"field": "playground"}, "playground is no number to search"),
        ({"goal": "speed"}, "'iterations' or 'loss'"),
        ({"method": "brute"}, "'bracket' or 'exhaustive'"),
        ({"from": 0.0}, "from must be above 0"),
        ({"point": 3}, "Did you mean 'points'"),
        ({"points": None}, "points is missing|points is None"),
    ],
)
def test_a_fault_of_a_search_is_one_sentence(change, words):
    with pytest.raises(ConfigError, match=words):
        Design.of(BASE, {"seed": [1]}, search={**SEARCH, **change})


def test_all_faults_come_at_once_in_the_file_s_own_paths(tmp_path):
    file = tmp_path / "sweep.toml"
    file.write_text(
        'acuracy = 1e-3\ndata = "diabets"\n[sweep]\npionts = 3\n'
        "[sweep.over]\ndepht = [2]\n"
    )
    with pytest.raises(ConfigError) as caught:
        Design.from_toml(file)
    told = str(caught.value)
    for part in ("Did you mean 'accuracy'", "Did you mean 'diabetes'", "sweep.pionts"):
        assert part in told
    assert told.startswith(str(file))
    file.write_text(
        "playground = 2\n[sweep]\npionts = 3\npoints = 2\nwithout = 5\n"
        "[sweep.over]\nsede = [2]\nstep_size = []\n[sweep.search]\nfeld = 1\n"
    )
    with pytest.raises(ConfigError) as caught:
        Design.from_toml(file)
    places = [line.split(":")[0].strip() for line in str(caught.value).splitlines()]
    assert sorted(places[1:]) == [
        "sweep.over.sede", "sweep.over.step_size", "sweep.pionts", "sweep.points",
        "sweep.search.feld", "sweep.search.field", "sweep.without",
    ]  # fmt: skip


def test_a_file_without_a_sweep_is_told(tmp_path):
    file = tmp_path / "run.toml"
    file.write_text("playground = 3\n")
    with pytest.raises(ConfigError, match=r"no table \[sweep\]"):
        Design.from_toml(file)


@pytest.mark.parametrize(
    ("over", "more", "words"),
    [
        ({"seed": [1]}, {"without": [{"seed": 2}]}, "no run has seed = 2"),
        ({"seed": [1]}, {"without": [{"seed": 1}]}, "leaves no run"),
        ({"seed": {"from": 0, "to": 9**9}}, {}, "10000000 are the most"),
        (
            {"seed": {"from": 0, "to": 9**5}, "width": {"from": 1, "to": 9**4}},
            {},
            "the grid has 387427050 runs",
        ),
    ],
)
def test_designs_of_no_or_too_many_runs_are_refused(over, more, words):
    with pytest.raises(ConfigError, match=words):
        lay_out(Design.of(BASE, over, **more))
