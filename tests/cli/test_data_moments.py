"""`thalweg data moments`, and a run on what it saved."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import thalweg as tw
from thalweg.request.posing import problem_of
from thalweg.request.settings import Settings
from tolerances import same_arrays


@pytest.fixture
def rooms(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((400, 3)) + np.array([1e6, 0, 0])
    y = (x - [1e6, 0, 0]) @ [1.0, 2.0, -1.0]
    table = pa.table({"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "y": y})
    pq.write_table(table, tmp_path / "rooms.parquet", row_group_size=150)
    return x, y


def test_moments_are_made_saved_and_run(thalweg, rooms):
    told = thalweg(
        "data", "moments", "rooms.parquet", "--targets", "y", "--out", "m", "--json"
    )
    assert told.code == 0
    assert told.json["samples"] == 400
    assert told.json["target_singular_values"] == pytest.approx(
        [float(np.std(rooms[1]))], rel=1e-12
    )
    known = tw.Moments.from_data(*rooms, center=True, whiten=True)
    np.testing.assert_allclose(tw.Moments.load("m").target, known.target, atol=1e-8)
    settings = Settings(data={"moments": "m"}, hidden=(4,), init={"name": "balanced"})
    assert settings.label == "m"
    assert settings.to_plain()["data"] == {"moments": "m"}
    problem, sources = problem_of(settings)
    assert (problem.net.widths, sources) == ((3, 4, 1), ())
    same_arrays(problem.target, tw.Moments.load("m").target)


def test_options_reach_the_moments(thalweg, rooms):
    options = ("--features", "a,b", "--no-whiten", "--no-center", "--method", "qr")
    call = ("data", "moments", "rooms.parquet", "--targets", "y", *options)
    told = thalweg(*call, "--bias", "--parts", "p", "--out", "m")
    assert told.code == 0, told.err
    assert "400 samples, 2 features, 1 outputs" in told.out
    assert "centred: nothing" in told.out
    assert tw.Moments.load("m").rank == 3
    assert "holds an earlier result" in thalweg(*call, "--out", "m").err
    assert thalweg(*call, "--out", "m", "--overwrite").code == 0


def test_bad_rows_are_skipped_if_asked(thalweg, rooms, tmp_path):
    x, y = rooms
    x[33, 2] = np.nan
    table = pa.table({"a": x[:, 0], "c": x[:, 2], "y": y})
    pq.write_table(table, tmp_path / "rooms.parquet")
    call = ("data", "moments", "rooms.parquet", "--targets", "y", "--out", "m")
    told = thalweg(*call)
    assert (told.code, told.out) == (2, "")
    assert "row 34 of column 'c' in rooms.parquet is missing" in told.err
    assert not (tmp_path / "m").exists()
    told = thalweg(*call, "--on-bad", "skip", "--json")
    assert told.json["samples"] == 399
    assert "left out 1 bad row:" in told.json["preparation"][-1]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--parts", "m"), "the parts would lie in m, the folder of the result"),
        (("--parts", "m/parts"), "the parts would lie in m, the folder of the"),
        (("--no-center", "--inputs-only"), "--inputs-only came with --no-center"),
    ],
)
def test_what_cannot_end_well_is_told_at_once(
    options, sentence, thalweg, rooms, tmp_path
):
    call = ("data", "moments", "rooms.parquet", "--targets", "y", "--out", "m")
    told = thalweg(*call, *options)
    assert (told.code, told.out) == (2, "")
    assert sentence in told.err
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (
            '{ moments = "m", whiten = true }',
            "data.whiten: only data of a name or file",
        ),
        ('{ moments = "m", scale = "sum" }', "data.scale: only data of a name, file"),
        ('{ moments = "m", name = "digits" }', "give one of name, file, moments and"),
        ('{ moments = "nowhere" }', "nowhere is not a folder"),
    ],
)
def test_moments_in_settings_come_alone(data, sentence, thalweg, tmp_path):
    (tmp_path / "run.toml").write_text(
        f"data = {data}\nhidden = [4]\ninit = 'balanced'\nstep_size = 0.1\n"
        "iterations = 3\n"
    )
    told = thalweg("run", "run.toml", "--no-page")
    assert told.code == 2
    assert sentence in told.err


def test_an_engine_reads_the_same_moments(thalweg, rooms):
    call = ("data", "moments", "rooms.parquet", "--targets", "y")
    assert thalweg(*call, "--out", "plain").code == 0
    told = thalweg(*call, "--out", "m", "--engine", "inprocess", "--workers", "2")
    assert told.code == 0, told.err
    same_arrays(tw.Moments.load("m").xx, tw.Moments.load("plain").xx)
    told = thalweg(*call, "--out", "n", "--cluster", "tcp://x:1", "--workers", "2")
    assert told.code == 2
    assert "leave one of them out" in told.err
