"""`certify`, `list`, `data` and `show`."""

import io
from pathlib import Path

import numpy as np
import pytest

import thalweg as tw
from thalweg.problem.datasets.mnist import Mnist

TOY = ("--playground", "2", "--start", "0.5,0.5")


def test_certify_tells_every_theorem_and_runs_nothing(thalweg, tmp_path):
    told = thalweg("certify", *TOY)
    assert told.code == 0
    assert "flammarion2025.Convergence: proved." in told.out
    assert "within 596 iterations" in told.out
    assert "arora2019.Convergence" in told.out
    assert [*tmp_path.iterdir()] == []


def test_certify_takes_the_step_it_is_given(thalweg):
    told = thalweg("certify", *TOY, "--step-size", "0.17", "--json")
    assert [*told.json] == ["certificates"]
    first = {c["theorem"]: c for c in told.json["certificates"]}
    assert first["flammarion2025.Convergence"]["verdict"] == "refuted"


def test_certify_takes_theorems_by_name(thalweg):
    name = "flammarion2025.Convergence"
    told = thalweg(
        "certify", *TOY, "--theorem", name, "--explain", "--accuracy", "1e-3"
    )
    assert told.out.count("\n\n") == 1
    assert "Notation: $c$ is the spread" in told.out
    assert "excess loss 0.001 within" in told.out


def test_certify_refuses_a_theorem_it_does_not_know(thalweg):
    told = thalweg("certify", *TOY, "--theorem", "arora2019.Convergance")
    assert told.code == 2
    assert "Did you mean 'arora2019.Convergence'?" in told.err


def test_certify_reads_the_file_of_a_run(thalweg, tmp_path):
    (tmp_path / "f.toml").write_text(
        "playground = 2\nflow = true\nmeasures = ['loss']\nout = 'x'\n"
    )
    assert thalweg("certify", "f.toml", "--json").code == 0


def test_list_shows_one_shelf_or_all(thalweg):
    everything = thalweg("list", "--json").json["shelves"]
    one = thalweg("list", "measures", "--json").json["shelves"]
    assert everything["measures"] == one["measures"]
    assert [*one] == ["measures"]
    assert {"name", "summary"} == one["measures"][0].keys()
    assert "imbalance" in thalweg("list", "measures").out


def test_list_refuses_a_shelf_it_does_not_know(thalweg):
    told = thalweg("list", "init")
    assert (told.code, "Did you mean 'inits'?" in told.err) == (2, True)


def test_data_list_tells_sizes_from_the_text_alone(thalweg):
    rows = {
        row["name"]: row for row in thalweg("data", "list", "--json").json["datasets"]
    }
    assert (rows["diabetes"]["samples"], rows["diabetes"]["offline"]) == (442, True)
    assert rows["mnist"]["features"] == 784
    assert "diabetes" in thalweg("data", "list").out


def test_data_show_tells_terms_and_moments(thalweg):
    record = thalweg("data", "show", "diabetes", "--json").json
    assert record["here"]
    assert record["moments"]["rank"] == 10
    assert record["moments"]["constant"] == pytest.approx(1429.848, abs=1e-3)
    assert "Least angle regression" in record["citations"][0]
    assert "Efron" in thalweg("data", "show", "diabetes").out


def test_data_show_tells_where_it_looked(thalweg, tmp_path, monkeypatch):
    monkeypatch.delenv("THALWEG_DATA_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    record = thalweg("data", "show", "mnist", "--json").json
    assert not record["here"]
    assert str(tmp_path) in record["missing"]


def test_data_fetch_asks_before_it_downloads(thalweg, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    monkeypatch.setattr(Mnist, "fetch", lambda *_: pytest.fail("it did not ask"))
    told = thalweg("data", "fetch", "mnist")
    assert told.code == 2
    assert "licence: " in told.out
    assert "cite: " in told.out
    assert "pass --yes" in told.err


def test_data_fetch_takes_no_for_an_answer(thalweg, monkeypatch):
    answer = io.StringIO("n\n")
    monkeypatch.setattr(answer, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", answer)
    monkeypatch.setattr(Mnist, "fetch", lambda *_: pytest.fail("it was told no"))
    assert thalweg("data", "fetch", "mnist").code == 1


def test_data_fetch_goes_ahead_once_told(thalweg, monkeypatch, tmp_path):
    monkeypatch.setattr(Mnist, "fetch", lambda *_: tmp_path)
    told = thalweg("data", "fetch", "mnist", "--yes", "--json")
    assert told.json["folder"] == str(tmp_path)
    assert "licence" in told.json["terms"]


@pytest.mark.parametrize(
    ("tokens", "told"),
    [
        (("data", "fetch", "diabetes", "--yes"), "needs no files"),
        (("data", "fetch", "mnits"), "Did you mean 'mnist'?"),
        (("data", "show", "mnits"), "Did you mean 'mnist'?"),
        (("data", "fetch", "gas_sensor", "--archive", "no.zip"), "no.zip"),
        (("show", "nowhere"), "nowhere is not a folder"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(thalweg, tokens, told):
    found = thalweg(*tokens)
    assert found.code == 2
    assert found.err.count("\n") == 1
    assert told in found.err


def test_show_tells_a_saved_run_again(thalweg, tmp_path):
    measures = ("--measures", "loss,imbalance")
    run = thalweg("run", *TOY, "--step-size", "0.1", *measures, "--no-page", "--json")
    shown = thalweg("show", "runs/playground-1", "--json")
    for key in ("command", "seed", "problem", "settings", "outcome", "certificates"):
        assert shown.json[key] == run.json[key]
    again = thalweg("show", "runs/playground-1", "--page", "again.html")
    assert again.out.endswith("page: again.html\n")
    assert "flammarion2025.Convergence" in again.out
    assert Path(tmp_path, "again.html").is_file()


def test_show_tells_a_run_that_came_from_python(thalweg):
    toy = tw.Playground(2)
    starts = [[0.5, 0.5], [0.4, 0.9]]
    path = tw.descend(toy, starts[0], step_size=0.1, iterations=30)
    path.save("one")
    record = thalweg("show", "one", "--json").json
    assert record["seed"] is None
    assert record["certificates"]
    tw.descend(toy, np.array(starts), step_size=0.1, iterations=30).save("two")
    record = thalweg("show", "two", "--json").json
    assert len(record["outcome"]) == 2
    assert thalweg("show", "two").code == 0


def test_show_tells_results_that_are_no_runs(thalweg, tmp_path):
    tw.Moments.from_data([[1.0], [-1.0]], [2.0, -1.0]).save(tmp_path / "moments")
    assert "2 samples, 1 features" in thalweg("show", str(tmp_path / "moments")).out
    record = thalweg("show", str(tmp_path / "moments"), "--json").json
    assert record["samples"] == 2
    assert record["target_singular_values"] == pytest.approx([1.5], rel=1e-14)
    tw.basins(tw.Playground(2), [[0.5, 0.5], [-1.0, 1.0]], out=tmp_path / "basins")
    assert "global minimum" in thalweg("show", str(tmp_path / "basins")).out
    name = "source_errors.HyperbolicProduct"
    tw.reproduce(name, scale="tiny", out=tmp_path / "figure")
    assert thalweg("show", str(tmp_path / "figure"), "--json").json["name"] == name
    assert "As printed" in thalweg("show", str(tmp_path / "figure")).out
    told = thalweg("show", str(tmp_path / "figure"), "--page", str(tmp_path / "p.html"))
    assert told.code == 2
    assert "only runs have pages" in told.err


def test_show_tells_how_far_a_sweep_is(thalweg, tmp_path):
    design = tw.Design.of({"playground": 2, "iterations": 9}, {"seed": [0, 1]})
    tw.run_sweep(design, out=tmp_path / "swept")
    assert "2 of 2 rows" in thalweg("show", str(tmp_path / "swept")).out
    assert thalweg("show", str(tmp_path / "swept"), "--json").json["done"] == 2
