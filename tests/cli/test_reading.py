"""Settings: a file, options over it, every fault at once."""

from pathlib import Path

import pytest

from thalweg._core.errors import ConfigError
from thalweg.cli.options import Moving, Posing, literal, merged
from thalweg.cli.reading import read
from thalweg.request.settings import Settings


@pytest.fixture
def settings(tmp_path):
    """Read settings from text and options."""

    def call(text="", posing=None, moving=None):
        file = tmp_path / "run.toml"
        file.write_text(text, encoding="utf-8")
        return read(file, posing or Posing(), moving or Moving()).settings

    return call


def faults(settings, text, **options):
    with pytest.raises(ConfigError) as caught:
        settings(text, **options)
    return str(caught.value)


def test_a_name_is_enough(settings):
    found = settings('data = "diabetes"')
    assert (found.data.name, found.hidden, found.init.name) == (
        "diabetes",
        (32, 32),
        "balanced",
    )
    assert (found.step_size, found.iterations) == ("auto", 10_000)


def test_all_faults_are_told_at_once_with_their_paths(settings):
    told = faults(
        settings,
        """
        data = "diabets"
        hiden = [3]
        init = { name = "balanced", stdd = 1 }
        step_size = -1
        iterations = "many"
        seed = true
        momentum = 1.0
        measures = ["los", { name = "sharpness", tp = 3 }]
        theorems = ["arora2019.Convergenc"]
        figures = ["gif"]
        solver = "dopri"
        """,
    )
    for line in (
        "data: no entry 'diabets' on the shelf datasets. Did you mean 'diabetes'?",
        "hiden: no such key. Did you mean 'hidden'?",
        "init.stdd: no such key. Did you mean 'std'?",
        "step_size: -1 came; it must be positive and finite.",
        "iterations: 'many' came; it must be a number.",
        "seed: true came; it must be a number.",
        "momentum: 1.0 came; it must be below 1.",
        "measures[0]: no entry 'los' on the shelf measures. Did you mean 'loss'?",
        "measures[1].tp: no such key. Did you mean 'top'?",
        "Did you mean 'arora2019.Convergence'?",
        "figures[0]: 'gif' came; it must be 'png', 'svg' or 'pdf'.",
        "solver: no entry 'dopri' on the list of solvers. Did you mean 'dopri8'?",
    ):
        assert line in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "data: is missing"),
        ('data = "digits"\nplayground = 2', "data: came with playground"),
        ("playground = 3\nstart = [1, 2]", "start: holds 2 numbers"),
        ("playground = 2\nhidden = [3]", "hidden: came with playground"),
        ('playground = 2\nstart = [1, 2]\ninit = "he"', "start: came with init"),
        ('data = "digits"\nstart = [1.0]', "start: belongs to the playground"),
        ('data = "digits"\nflow = true', "horizon: is missing"),
        ('data = "digits"\nhorizon = 2', "horizon: belongs to a flow"),
        (
            "playground = 2\nflow = true\nhorizon = 1\nmomentum = 0.5",
            "momentum: belongs to a descent",
        ),
        ('data = "digits"\nevery = 2\nrecords = 9', "records: came with every"),
        ('data = { name = "digits", codng = 1 }', "data.codng: no such key"),
        ('data = { name = "digits", coding = 1 }', "data.coding: 1 came; it must be"),
        ('data = { name = "digits", file = "x.csv" }', "give one of name, file"),
        ("data = { target = [[1, 2], [3]] }", "data.target: rows of [1, 2] numbers"),
        ("data = { target = [[1]], whiten = true }", "data.whiten: only data of"),
        ('data = { file = "x.csv", center = "in" }', "data.center: 'in' came"),
        ('data = { file = "x.csv", labls = "raw" }', "Did you mean 'labels'?"),
        ("data = 3", "data: 3 came; it must be a name or a table."),
        ('data = "digits"\ninit = "explicit"', "init.weights: is missing"),
        (
            'data = "digits"\ninit = { name = "gaussian", std = -1 }',
            "init: std is -1.0; it must be a finite number >= 0.",
        ),
        ('data = "digits"\nmeasures = ["loss", "loss"]', "'loss' came twice"),
        ('data = "digits"\nhidden = [0]', "hidden[0]: 0 came; it must be at least 1."),
        ('data = "digits"\nhidden = [2.5]', "2.5 came; it must be a whole number."),
        ('data = "digits"\naccuracy = nan', "accuracy: nan came; it must be"),
        ('data = "digits"\nstep_size = "fast"', "a number, 'auto' or 'certified'."),
        ('data = "digits"\nstep_size = 0', "step_size: 0 came; it must be positive"),
    ],
)
def test_what_does_not_fit_is_told_with_its_path(settings, text, told):
    assert told in faults(settings, text)


def test_options_win_over_the_file(settings):
    found = settings(
        'data = { name = "digits", coding = "one-hot", whiten = false }\nseed = 3\n'
        'step_size = 0.1\ninit = { name = "gaussian", std = 1.0 }',
        posing=Posing(seed="7", std="0.5", set=("data.scale=sum",)),
        moving=Moving(iterations="1e3", measures="loss,imbalance"),
    )
    assert (found.seed, found.init.fields, found.step_size) == (7, {"std": 0.5}, 0.1)
    assert (found.iterations, len(found.measures)) == (1000, 2)
    assert found.data.fields == {"coding": "one-hot"}
    assert (found.data.whiten, found.data.scale) == (False, "sum")


@pytest.mark.parametrize(
    ("raw", "options", "merged_to"),
    [
        (
            {"data": {"name": "digits", "coding": "number", "whiten": False}},
            Posing(data="diabetes"),
            {"data": {"whiten": False, "name": "diabetes"}},
        ),
        (
            {"data": {"name": "digits", "coding": "number"}},
            Posing(data="digits"),
            {"data": {"name": "digits", "coding": "number"}},
        ),
        (
            {"data": "digits", "hidden": [2], "seed": 1},
            Posing(playground="2", start="-1,.5"),
            {"seed": 1, "playground": 2, "start": [-1, 0.5]},
        ),
        (
            {"data": "digits", "hidden": [3]},
            Posing(target="2, 1", hidden="3"),
            {"data": {"target": [[2, 0.0], [0.0, 1]]}, "hidden": [3]},
        ),
        ({}, Posing(target="[[2, 0, 1]]"), {"data": {"target": [[2, 0, 1]]}}),
        (
            {"playground": 2, "start": [1, 1]},
            Posing(file="a.csv", targets="y, z", hidden="none"),
            {"data": {"file": "a.csv", "targets": ["y", "z"]}, "hidden": []},
        ),
        (
            {"step_size": 0.1, "momentum": 0.5, "iterations": 5, "every": 2},
            Moving(flow=True, horizon="3"),
            {"flow": True, "horizon": 3},
        ),
        (
            {"flow": True, "horizon": 3, "rtol": 1e-6},
            Moving(flow=False, iterations="4"),
            {"flow": False, "iterations": 4},
        ),
        ({"records": 9}, Moving(every="2"), {"every": 2}),
        ({}, Moving(theorems="all"), {"theorems": "all"}),
        ({}, Moving(theorems="none"), {"theorems": []}),
        (
            {"data": "digits"},
            Posing(set=("data.coding=one-hot", "rtol = 1e-3", "hidden=[4, 5]")),
            {
                "data": {"name": "digits", "coding": "one-hot"},
                "rtol": 1e-3,
                "hidden": [4, 5],
            },
        ),
    ],
)
def test_an_option_replaces_what_it_cannot_live_beside(raw, options, merged_to):
    assert merged(raw, options) == merged_to


def test_options_never_change_the_file_that_was_read():
    raw = {"init": {"name": "he"}}
    merged(raw, Posing(std="1"))
    assert raw == {"init": {"name": "he"}}


def test_a_key_without_a_value_is_refused():
    with pytest.raises(ConfigError, match="write KEY=VALUE"):
        merged({}, Posing(set=("data.whiten",)))


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1), (".5", 0.5), ("1e-3", 1e-3), ("true", True), ("auto", "auto")],
)
def test_an_options_text_is_read_as_toml_would(text, value):
    assert literal(text) == value


@pytest.mark.parametrize(
    "text",
    [
        'data = "digits"\nhidden = []',
        "data = { target = [[2, 0], [0, 1]] }\nevery = 5",
        'data = { file = "x.csv", targets = "y" }\ninit = { name = "he", gain = 2.0 }',
        "playground = 2\nstart = [0.5, 0.5]\nflow = true\nhorizon = 3",
        'data = "wine"\nmeasures = [{ name = "sharpness", top = 3 }]\ntheorems = []',
    ],
)
def test_settings_written_out_read_back_the_same(settings, text):
    found = settings(text)
    again = Settings.model_validate(found.to_plain())
    assert again == found
    assert again.to_plain() == found.to_plain()


def test_files_are_looked_for_beside_the_settings(settings, tmp_path):
    found = settings('data = { file = "x.csv", targets = ["y"] }')
    assert Path(found.data.file) == tmp_path / "x.csv"


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda file: None, "there is no file"),
        (lambda file: file.mkdir(), "is a folder; pass a TOML file"),
        (lambda file: file.write_text("seed = 1\nhidden = [3"), "is not TOML"),
        (lambda file: file.write_text("a = 1\n\nb = @"), "line 3"),
        (lambda file: file.write_bytes(b"\xff\xfe"), "is not text in UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path, make, told):
    file = tmp_path / "run.toml"
    make(file)
    with pytest.raises(ConfigError, match=told) as caught:
        read(file, Posing())
    assert "\n" not in str(caught.value)


def test_a_data_set_given_as_a_file_is_told_apart():
    with pytest.raises(ConfigError, match="write --data diabetes"):
        read(Path("diabetes"), Posing())


@pytest.mark.parametrize("name", ["diabetes", "digits", "playground"])
def test_the_examples_are_without_fault(name):
    folder = Path(__file__).parents[2] / "examples"
    assert read(folder / f"{name}.toml", Posing()).settings.accuracy > 0


def test_two_problems_are_refused():
    both = Posing(data="digits", target="2,1")
    with pytest.raises(ConfigError, match="--data and --target came together"):
        merged({}, both)
