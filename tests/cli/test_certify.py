"""`certify` beyond the verdicts: explain, looseness, draws, files; and `verify`."""

import json

TOY = ("--playground", "2", "--start", "0.5,0.5")
LECTURE = ("--theorem", "flammarion2025.Convergence")


def test_explain_sorts_the_shelf_and_names_mends(thalweg):
    told = thalweg("certify", *TOY, "--step-size", "0.5", "--explain")
    assert told.code == 0
    assert "fails by 0.333333" in told.out
    assert "take the step 0.166667 or a smaller one" in told.out


def test_explain_in_json_has_stable_keys(thalweg):
    told = thalweg("certify", *TOY, "--step-size", "0.5", "--explain", "--json")
    explanation = told.json["explanation"]
    assert [*explanation] == ["proved", "nearly", "apart"]
    near = {entry["theorem"]: entry for entry in explanation["nearly"]}
    mend = near["flammarion2025.Convergence"]["mends"][0]
    assert mend.keys() == {"words", "step_size", "promised"}
    assert mend["promised"] == 596


def test_looseness_runs_the_theorem_at_its_own_step(thalweg):
    told = thalweg("certify", *TOY, *LECTURE, "--looseness")
    assert "promised 596 iterations, observed 21, 28.38 times fewer" in told.out
    row = thalweg("certify", *TOY, *LECTURE, "--looseness", "--json").json["looseness"]
    assert row[0]["observed"] == 21


def test_draws_count_how_often_a_chance_comes_true(thalweg):
    told = thalweg(
        "certify", "--data", "diabetes", "--init", "gaussian", "--std", "0.05",
        "--theorem", "arora2019.GaussianImbalance", "--draws", "50", "--json",
    )  # fmt: skip
    assert told.code == 0, told.err
    chance = told.json["chances"]["arora2019.GaussianImbalance"]
    assert chance["draws"] == 50
    assert chance["contradicts"] is False


def test_a_certificate_is_written_and_verified(thalweg, tmp_path):
    told = thalweg("certify", *TOY, *LECTURE, "--out", "papers")
    file = tmp_path / "papers" / "flammarion2025.Convergence.json"
    assert str(file.relative_to(tmp_path)) in told.out
    told = thalweg("verify", str(file))
    assert told.code == 0
    assert "flammarion2025.Convergence is proved" in told.out
    told = thalweg("verify", str(file), "--json")
    assert told.code == 0
    assert told.json["ok"] is True


def test_a_tampered_certificate_is_refused_in_one_sentence(thalweg, tmp_path):
    thalweg("certify", *TOY, *LECTURE, "--out", "papers")
    file = tmp_path / "papers" / "flammarion2025.Convergence.json"
    record = json.loads(file.read_text())
    record["start"]["layers"][0][0][0] = (0.5 + 2**-53).hex()
    file.write_text(json.dumps(record))
    told = thalweg("verify", str(file))
    assert told.code == 2
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert "start" in told.err
    assert thalweg("verify", str(file), "--json").json["ok"] is False


def test_a_missing_or_truncated_certificate_is_refused(thalweg, tmp_path):
    assert thalweg("verify", "nowhere.json").code == 2
    (tmp_path / "half.json").write_text('{"format": "thalweg cert')
    told = thalweg("verify", "half.json")
    assert told.code == 2
    assert told.err.count("\n") == 1


def test_a_saved_run_is_certified_along_its_path(thalweg):
    run = ("run", "--playground", "2", "--start", "0.9,0.9", "--step-size", "0.1")
    assert thalweg(*run, "--every", "1", "--no-page", "--out", "saved").code == 0
    told = thalweg("certify", "saved")
    assert told.code == 0
    assert "first promised at iteration 0" in told.out
    record = thalweg("certify", "saved", "--json").json["path"]
    assert record["best"]["total"] >= record["observed"]


def test_a_saved_run_takes_no_other_options(thalweg):
    run = ("run", "--playground", "2", "--start", "0.9,0.9", "--step-size", "0.1")
    thalweg(*run, "--no-page", "--out", "saved")
    for options in (("--explain",), ("--draws", "3"), ("--theorem", "local.Local")):
        told = thalweg("certify", "saved", *options)
        assert told.code == 2
        assert options[0] in told.err
        assert told.err.count("\n") == 1
    assert thalweg("certify", "saved", "--accuracy", "small").code == 2
