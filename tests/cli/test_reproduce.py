"""`thalweg reproduce` from the command line: one figure, all, and what goes wrong."""

import os

import pytest

from thalweg.cli.reproduce import _time
from thalweg.experiments import _reproduce as reproducing
from thalweg.experiments import shelf
from thalweg.experiments._reproduce import Reproduction
from thalweg.experiments.arora2019 import _fastest, mnist
from tolerances import is_a_sentence

ONE = "source_errors.HyperbolicProduct"
FEW = [ONE, "flammarion2025.Bound", "source_errors.Ranges"]
TINY = ("--scale", "tiny")


@pytest.fixture
def few(monkeypatch):
    """Leave three quick figures on the shelf's list."""
    monkeypatch.setattr(type(shelf), "names", lambda self: FEW)


def test_a_figure_is_told_and_written(thalweg, tmp_path):
    told = thalweg("reproduce", ONE, *TINY, "--out", "figures")
    assert told.code == 0, told.err
    assert "takes a few seconds" in told.err
    found = Reproduction.load(tmp_path / "figures" / ONE)
    for finding in found.findings:
        assert finding.claim.split(" ")[1] in told.out
    assert "does not hold" in told.out
    assert f"again with: thalweg reproduce {ONE} --scale tiny" in told.out
    written = {
        line.partition("written: ")[2]
        for line in told.out.splitlines()
        if line.startswith("written: ")
    }
    files = {"course.csv", "times.csv", "figure.png", "figure.svg"}
    assert written == {f"figures/{ONE}/{file}" for file in files}
    assert all((tmp_path / file).stat().st_size for file in written)


def test_json_has_stable_keys_and_nothing_else_is_printed(thalweg):
    told = thalweg("reproduce", ONE, *TINY, "--json")
    assert told.code == 0
    assert told.err == ""
    assert set(told.json) == {
        "name", "title", "scale", "command", "citation", "claim", "findings", "holds",
        "settings", "tables", "seconds", "version", "files", "earlier",
    }  # fmt: skip
    assert told.json["name"] == ONE
    assert told.json["earlier"] is False
    assert told.json["holds"] is False
    keys = {"claim", "stated", "ours", "holds", "note"}
    assert all(set(finding) == keys for finding in told.json["findings"])


def test_an_earlier_result_is_kept_until_told_otherwise(thalweg, tmp_path):
    assert thalweg("reproduce", ONE, *TINY).code == 0
    card = tmp_path / "reproduced" / ONE / "card.json"
    before = card.read_bytes()
    told = thalweg("reproduce", ONE, "--scale", "paper")
    assert told.code == 2
    assert is_a_sentence(told.err.strip())
    assert "--overwrite" in told.err
    assert "--resume" not in told.err
    assert card.read_bytes() == before
    assert thalweg("reproduce", ONE, "--scale", "paper", "--overwrite").code == 0
    assert Reproduction.load(card.parent).scale == "paper"


def test_all_goes_through_the_shelf_and_a_second_time_measures_nothing(
    thalweg, few, monkeypatch
):
    first = thalweg("reproduce", "--all", *TINY)
    assert first.code == 0, first.err
    assert "1/3 " in first.err
    assert "3 of 3 figures; " in first.out

    def measured(*_args, **_options):
        raise AssertionError("measured again")

    monkeypatch.setattr(reproducing, "reproduce", measured)
    again = thalweg("reproduce", "--all", *TINY, "--json")
    assert again.code == 0
    records = again.json["reproductions"]
    assert [one["name"] for one in records] == FEW
    assert all(one["earlier"] for one in records)
    assert all(any(f.endswith("figure.svg") for f in one["files"]) for one in records)


def test_all_leaves_results_of_the_other_scale_and_says_so(thalweg, few, tmp_path):
    assert thalweg("reproduce", ONE, "--scale", "paper").code == 0
    told = thalweg("reproduce", "--all", *TINY, "--json")
    assert told.code == 2
    errors = [one["error"] for one in told.json["reproductions"] if "error" in one]
    assert len(errors) == 1
    assert "of the scale paper" in errors[0]
    assert Reproduction.load(tmp_path / "reproduced" / ONE).scale == "paper"
    assert thalweg("reproduce", "--all", *TINY, "--overwrite").code == 0
    assert Reproduction.load(tmp_path / "reproduced" / ONE).scale == "tiny"


def test_all_goes_past_what_cannot_be_read_or_written(thalweg, few, tmp_path):
    damaged = tmp_path / "reproduced" / FEW[0]
    assert thalweg("reproduce", FEW[0], *TINY).code == 0
    (damaged / "card.json").write_text("{")
    foreign = tmp_path / "reproduced" / FEW[1]
    foreign.mkdir()
    (foreign / "letter.txt").write_text("mine")
    told = thalweg("reproduce", "--all", *TINY)
    assert told.code == 2
    assert f"{FEW[0]}: " in told.out
    assert "damaged or half written" in told.out
    assert "is not a saved result" in told.out
    assert "1 of 3 figures; " in told.out
    assert (foreign / "letter.txt").read_text() == "mine"
    assert (tmp_path / "reproduced" / FEW[2] / "figure.svg").is_file()


def test_a_drawing_that_a_kill_left_out_is_drawn_from_the_tables(
    thalweg, few, tmp_path
):
    assert thalweg("reproduce", "--all", *TINY).code == 0
    place = tmp_path / "reproduced" / ONE
    whole = {file.name: file.read_bytes() for file in place.iterdir()}
    for name in ("times.csv", "figure.svg"):
        (place / name).unlink()
    work = place.parent / f".{ONE}-tiny-0123456789ab.work"
    work.mkdir()
    told = thalweg("reproduce", "--all", *TINY, "--json")
    assert told.code == 0
    assert told.json["reproductions"][0]["earlier"] is True
    assert not work.exists()
    drawn = {file.name: file.read_bytes() for file in place.iterdir()}
    assert drawn.keys() == whole.keys()
    assert drawn["times.csv"] == whole["times.csv"]
    assert drawn["figure.svg"] == whole["figure.svg"]


def test_tables_of_an_earlier_result_do_not_stay(thalweg, tmp_path):
    assert thalweg("reproduce", ONE, *TINY).code == 0
    stale = tmp_path / "reproduced" / ONE / "of_another_version.csv"
    stale.write_text("a\n1\n")
    told = thalweg("reproduce", ONE, *TINY, "--overwrite", "--json")
    assert told.code == 0
    assert not stale.exists()
    assert str(stale.name) not in told.out


@pytest.mark.parametrize(
    ("tokens", "told"),
    [
        ((), "neither a name nor --all"),
        ((ONE, "--all"), "both a name and --all"),
        (("flammarion2025.Feild",), "Did you mean 'flammarion2025.Field'"),
        (("nobody",), "on the shelf experiments"),
        ((ONE, "--scale", "papr"), "Did you mean 'paper'"),
        (("--all", "--scale", "small"), "the list of scales"),
    ],
)
def test_bad_words_are_one_sentence_and_nothing_is_written(
    thalweg, tmp_path, tokens, told
):
    said = thalweg("reproduce", *tokens)
    assert said.code == 2
    assert told in said.err
    assert said.out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("tokens", [(ONE,), ("--all",)])
def test_a_folder_that_cannot_be_is_told_before_anything_runs(
    thalweg, few, tmp_path, monkeypatch, tokens
):
    def measured(*_args, **_options):
        raise AssertionError("measured")

    monkeypatch.setattr(reproducing, "reproduce", measured)
    (tmp_path / "letter").write_text("mine")
    told = thalweg("reproduce", *tokens, *TINY, "--out", "letter")
    assert told.code == 2
    assert is_a_sentence(told.err.strip())
    assert "is not a folder" in told.err
    assert told.out == ""


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unwritable for root")
def test_a_folder_that_is_not_ours_is_told(thalweg, few, tmp_path):
    (tmp_path / "theirs").mkdir(mode=0o500)
    told = thalweg("reproduce", "--all", *TINY, "--out", "theirs/figures")
    assert told.code == 2
    assert "not writable" in told.err


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.1, "a few seconds"), (40.0, "about 40 seconds"), (300.0, "about 5 minutes")],
)
def test_what_takes_long_is_told_in_round_words(seconds, told):
    assert _time(seconds) == told


def test_missing_data_are_told_with_the_way_to_get_them(thalweg, monkeypatch):
    experiment = shelf.entry("arora2019.IndependentStarts")
    tiny = experiment().settings("tiny") | {"depths": [2, 3], "cap": 100}
    monkeypatch.setattr(experiment, "settings", lambda *_: tiny)
    told = thalweg("reproduce", "arora2019.IndependentStarts", "--json")
    assert told.err == ""
    assert told.json["settings"]["data"] == "unit_phi"
    assert "stand-in" in told.json["findings"][0]["note"]
    told = thalweg("reproduce", "arora2019.IndependentStarts", "--overwrite")
    assert "gas_sensor is not here" in told.err
    assert "thalweg data fetch gas_sensor" in told.err
    monkeypatch.setattr(experiment, "needs", ("unit_phi",))
    told = thalweg("reproduce", "arora2019.IndependentStarts", "--overwrite")
    assert "is not here" not in told.err


def test_all_goes_on_after_ctrl_c(thalweg, few, monkeypatch, tmp_path):
    real = reproducing.reproduce

    def interrupted(name, **options):
        if name == FEW[1]:
            raise KeyboardInterrupt
        return real(name, **options)

    monkeypatch.setattr(reproducing, "reproduce", interrupted)
    told = thalweg("reproduce", "--all", *TINY)
    assert told.code == 130
    assert "interrupted" in told.err
    assert (tmp_path / "reproduced" / FEW[0] / "card.json").is_file()
    assert not (tmp_path / "reproduced" / FEW[1]).exists()
    monkeypatch.setattr(reproducing, "reproduce", real)
    again = thalweg("reproduce", "--all", *TINY, "--json")
    assert again.code == 0
    earlier = [one["earlier"] for one in again.json["reproductions"]]
    assert earlier == [True, False, False]


def broken_off_at(monkeypatch, module, name, count):
    """Let the call of that number, from 1, be interrupted; return how many came."""
    real, calls = getattr(module, name), []

    def called(*args, **options):
        calls.append(name)
        if len(calls) == count:
            raise KeyboardInterrupt
        return real(*args, **options)

    monkeypatch.setattr(module, name, called)
    return calls


@pytest.mark.parametrize(
    ("figure", "module", "step", "changes"),
    [
        ("arora2019.Mnist", mnist, "train", {"epochs": 2}),
        ("arora2019.BalancedStarts", _fastest, "_run", {"depths": [3], "cap": 100}),
    ],
)
def test_a_long_figure_goes_on_where_it_was_broken_off(
    thalweg, tmp_path, monkeypatch, figure, module, step, changes
):
    settings = shelf.make(figure).settings("tiny") | changes
    monkeypatch.setattr(shelf.entry(figure), "settings", lambda *_: settings)
    with monkeypatch.context() as patched:
        every = broken_off_at(patched, module, step, 0)
        assert thalweg("reproduce", figure, *TINY, "--out", "whole").code == 0
    with monkeypatch.context() as patched:
        broken_off_at(patched, module, step, 3)
        assert thalweg("reproduce", figure, *TINY).code == 130
    work = list((tmp_path / "reproduced").iterdir())
    assert [one.name.startswith(f".{figure}-tiny-") for one in work] == [True]
    with monkeypatch.context() as patched:
        calls = broken_off_at(patched, module, step, 0)
        assert thalweg("reproduce", figure, *TINY).code == 0
    assert len(calls) == len(every) - 2
    assert [one.name for one in (tmp_path / "reproduced").iterdir()] == [figure]
    for file in (tmp_path / "whole" / figure).glob("*.csv"):
        assert (tmp_path / "reproduced" / figure / file.name).read_bytes() == (
            file.read_bytes()
        )


def test_work_of_other_settings_is_not_taken_up(thalweg, tmp_path, monkeypatch):
    figure = "arora2019.Mnist"
    with monkeypatch.context() as patched:
        broken_off_at(patched, mnist, "train", 6)
        assert thalweg("reproduce", figure, *TINY).code == 130
    settings = mnist.Mnist().settings("tiny") | {"epochs": 1}
    with monkeypatch.context() as patched:
        patched.setattr(mnist.Mnist, "settings", lambda *_: settings)
        calls = broken_off_at(patched, mnist, "train", 0)
        assert thalweg("reproduce", figure, *TINY).code == 0
    assert len(calls) == 6
    assert [one.name for one in (tmp_path / "reproduced").iterdir()] == [figure]
