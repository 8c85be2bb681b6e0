"""`landscape`, `laws` and `basins` from the command line."""

import json

import numpy as np
import pytest

from tolerances import is_a_sentence

SMALL = ("--target", "2,1", "--hidden", "2,2")
CORNER = [[[1.0, 0.0], [0.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]], [[2.0, 0.0], [0.0, 0.0]]]


def test_the_strata_of_a_problem_have_stable_keys(thalweg):
    told = thalweg("landscape", *SMALL, "--json")
    assert told.code == 0, told.err
    assert told.json.keys() == {
        "problem", "critical_values", "strata", "learning_coefficient", "point",
        "plateaus", "files",
    }  # fmt: skip
    values = [one["value"] for one in told.json["critical_values"]["values"]]
    assert values == [0.0, 0.5, 2.0, 2.5]
    kinds = {(tuple(s["modes"]), s["kind"]) for s in told.json["strata"]}
    assert ((1,), "non-strict saddle") in kinds
    assert ((2,), "non-strict saddle") not in kinds
    assert told.json["learning_coefficient"]["value"] == 2.0


def test_every_inner_rank_is_listed_if_asked_for(thalweg):
    few = thalweg("landscape", *SMALL, "--json").json["strata"]
    many = thalweg("landscape", *SMALL, "--every", "--json").json["strata"]
    kinds = [(tuple(s["modes"]), s["is_tightened"]) for s in few]
    assert len(kinds) == len(set(kinds))
    assert {(tuple(s["modes"]), s["is_tightened"]) for s in many} == set(kinds)
    assert len(many) > len(few)


def test_the_table_of_strata_fits_a_narrow_terminal(thalweg, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    told = thalweg("landscape", *SMALL)
    assert "non-strict saddle" in told.out
    assert "4 critical values in all" in told.out
    assert max(map(len, told.out.splitlines())) <= 80


@pytest.mark.parametrize("suffix", [".json", ".npz"])
def test_a_point_from_a_file_is_classified_and_proved(thalweg, tmp_path, suffix):
    file = tmp_path / f"corner{suffix}"
    if suffix == ".json":
        file.write_text(json.dumps(CORNER))
    else:
        np.savez(file, *map(np.array, CORNER))
    told = thalweg("landscape", *SMALL, "--at", str(file), "--prove", "--json")
    assert told.code == 0, told.err
    point = told.json["point"]
    assert point["kind"] == point["proof"]["kind"] == "strict saddle"
    assert point["spectrum"]["values"][-1] == pytest.approx(-1, abs=1e-12)
    assert point["ways"][0]["curvature"] == pytest.approx(-1, abs=1e-12)


def test_a_playground_is_looked_at_where_it_starts(thalweg):
    told = thalweg("landscape", "--playground", "3", "--start", "0,0,0", "--json")
    assert told.json["point"]["kind"] == "non-strict saddle"
    assert told.json["point"]["ways"][0]["order"] == 3


def test_pictures_are_written(thalweg, tmp_path):
    told = thalweg(
        "landscape", "--playground", "3", "--start", "0,0,1", "--figures", "pictures",
        "--format", "png",
    )  # fmt: skip
    assert told.code == 0, told.err
    for name in ("staircase.png", "ways_out.png"):
        assert (tmp_path / "pictures" / name).stat().st_size > 5000


def test_a_saved_run_is_mapped(thalweg):
    told = thalweg(
        "run", *SMALL, "--init", "balanced", "--std", "1e-6", "--iterations", "50000",
        "--step-size", "0.05", "--out", "run", "--theorems", "none", "--no-page",
        "--every", "10",
    )  # fmt: skip
    assert told.code == 0, told.err
    told = thalweg("landscape", "run", "--json")
    assert told.code == 0, told.err
    assert [rest["modes"] for rest in told.json["plateaus"]][:2] == [[], [1]]


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        (("--playground", "3", "--start", "0,1,1"), "not a critical point"),
        ((*SMALL, "--at", "nowhere.npz"), "nowhere.npz cannot be read"),
        ((*SMALL, "--format", "gif"), "must be one of png, svg, pdf"),
        ((*SMALL, "--most", "0"), "most is 0"),
    ],
)
def test_what_cannot_be_mapped_is_told_in_a_sentence(thalweg, tokens, words):
    told = thalweg("landscape", *tokens)
    assert told.code == 2
    assert words in told.err
    assert is_a_sentence(told.err.removeprefix("thalweg: ").strip())


def test_laws_are_counted_and_proved(thalweg):
    told = thalweg("laws", "1-2-2-1", "--json")
    assert told.code == 0, told.err
    found = told.json
    assert (found["laws"], found["balancedness"], found["extra"]) == (7, 6, 1)
    assert found["proved"] is True
    assert "proved" in thalweg("laws", "5-4-4-5").out


@pytest.mark.parametrize("net", ["3-x", "3", "2-0-2", "nets"])
def test_a_net_that_cannot_be_read_is_told_in_a_sentence(thalweg, net):
    told = thalweg("laws", net)
    assert told.code == 2
    assert is_a_sentence(told.err.removeprefix("thalweg: ").strip())


def test_basins_are_counted_with_intervals(thalweg):
    told = thalweg(
        "basins", "--target", "2,1", "--hidden", "2", "--init", "gaussian", "--std",
        "1", "--runs", "500", "--json",
    )  # fmt: skip
    assert told.code == 0, told.err
    share = told.json["shares"]["global minimum"]
    assert (told.json["runs"], share["successes"]) == (500, 500)
    assert told.json["shares"]["saddle"]["at_most"] < 0.01


def test_basins_are_compared_over_settings(thalweg):
    tokens = ("basins", "--target", "2,1", "--hidden", "2", "--runs", "200", "--stds",
              "0.5,1", "--depths", "2,3", "--widths", "2")  # fmt: skip
    rows = thalweg(*tokens, "--json").json["rows"]
    assert [(row["std"], row["depth"], row["width"]) for row in rows] == [
        (0.5, 2, 2), (0.5, 3, 2), (1.0, 2, 2), (1.0, 3, 2),
    ]  # fmt: skip
    assert rows[0]["iterations"] != rows[2]["iterations"]
    assert "bound on the share of saddles" in " ".join(thalweg(*tokens).out.split())


def test_starts_are_gaussian_unless_said_otherwise(thalweg):
    tokens = ("basins", "--target", "2,1", "--hidden", "4", "--runs", "50", "--json")
    plain, named = thalweg(*tokens), thalweg(*tokens, "--init", "gaussian")
    assert plain.json == named.json
    assert plain.json["settings"]["starts"]["init"]["name"] == "Gaussian"


def test_an_earlier_result_is_not_replaced_unasked(thalweg):
    tokens = (
        "basins",
        "--target",
        "2,1",
        "--hidden",
        "2",
        "--runs",
        "20",
        "--out",
        "b",
    )
    assert thalweg(*tokens).code == 0
    told = thalweg(*tokens)
    assert told.code == 2
    assert "holds an earlier result" in told.err
    assert thalweg(*tokens, "--overwrite").code == 0
    assert thalweg(*tokens[:-2], "--resume", "b").code == 0


def test_a_plane_of_the_playground_is_drawn(thalweg, tmp_path):
    tokens = ("basins", "--playground", "2", "--plane", "9", "--out", "plane")
    told = thalweg(*tokens)
    assert told.code == 0, told.err
    assert "saddle" in told.out
    assert (tmp_path / "plane" / "plane.svg").stat().st_size > 5000


def test_the_unbounded_example_is_measured(thalweg):
    told = thalweg("basins", "unbounded", "--runs", "4000", "--seed", "2", "--json")
    assert told.code == 0, told.err
    share = told.json["unbounded"]
    assert share["low"] < told.json["exact"] < share["high"]


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        (("--playground", "2", "--plane", "9", "--runs", "3"), "came with --plane"),
        (("unbounded", "--hidden", "3"), "--hidden came with 'unbounded'"),
        (("unbounded", "--out", "away"), "--out came with 'unbounded'"),
        (("unbounded", "--step-size", "0.1"), "--step-size came with 'unbounded'"),
        (("unbounded", "--runs", "0"), "runs is 0"),
        (("--target", "2,1", "--stds", "a"), "write numbers with commas"),
        (("--target", "2,1", "--stds", "1", "--plane", "9"), "several settings"),
        (("--target", "2,1", "--step-size", "auto"), "of a single start"),
        (("--playground", "2", "--runs", "0"), "runs is 0"),
    ],
)
def test_basins_that_make_no_sense_are_refused(thalweg, tokens, words):
    told = thalweg("basins", *tokens)
    assert told.code == 2
    assert words in told.err
    assert is_a_sentence(told.err.removeprefix("thalweg: ").strip())
