"""`thalweg run`: results, files, JSON, and inputs it must refuse."""

import shlex
from pathlib import Path

import numpy as np
import pytest

from thalweg.motion.path import Path as Run

KEYS = [
    "command",
    "seed",
    "data",
    "init",
    "problem",
    "settings",
    "step_size",
    "outcome",
    "rate",
    "leaps",
    "compressed",
    "certificates",
    "files",
    "seconds",
]
START = ("run", "--playground", "2", "--start", "0.5,0.5")
TOY = (*START, "--step-size", "0.1")


def test_the_playground_is_certified_shown_and_saved(thalweg):
    told = thalweg(
        *START, "--step-size", "certified", "--measures", "loss", "--figures", "svg"
    )
    assert (told.code, told.err) == (0, "")
    assert "flammarion2025.Convergence" in told.out
    assert "596" in told.out
    assert told.out.splitlines()[-2:] == [
        "page: runs/playground-1/page.html",
        "run: runs/playground-1",
    ]
    page = Path("runs/playground-1/page.html").read_text(encoding="utf-8")
    assert shlex.join(["thalweg", *START]) in page
    assert Path("runs/playground-1/figures/loss.svg").is_file()
    path = Run.load("runs/playground-1")
    assert (path.notes["seed"], path.notes["data"]) == (0, "playground")
    assert path.outcome.iteration == 21


def test_json_has_the_documented_keys(thalweg, quick):
    told = thalweg("run", "--data", "diabetes", "--hidden", "4", "--json", *quick)
    record = told.json
    assert (told.code, told.err, [*record]) == (0, "", KEYS)
    assert [*record["outcome"]] == [
        "status",
        "iteration",
        "time",
        "loss",
        "excess_loss",
        "message",
    ]
    assert [*record["problem"]] == [
        "kind",
        "widths",
        "target_singular_values",
        "constant",
        "infimum",
        "least_loss",
        "rank",
        "optimum_rank",
        "samples",
        "whitened",
        "preparation",
    ]
    assert [*record["rate"]] == [
        "kind",
        "rate",
        "uncertainty",
        "window",
        "records",
        "unit",
    ]
    assert record["problem"]["widths"] == [10, 4, 1]
    assert record["problem"]["samples"] == 442
    assert record["problem"]["constant"] == pytest.approx(1429.848, abs=1e-3)
    assert record["outcome"]["status"] == "converged"
    assert record["settings"]["hidden"] == [4]
    assert record["files"] == {"run": "runs/diabetes-1", "page": None, "figures": []}
    path = Run.load("runs/diabetes-1")
    assert path.notes["sources"][0]["key"] == "efron2004"
    assert path.notes["init"] == "balanced(std=0.1)"


def test_the_noted_settings_make_the_same_run_again(thalweg, quick):
    toy = ("run", "--playground", "3", "--std", "0.5", "--seed", "4")
    first = thalweg(*toy, "--step-size", "0.1", "--json", *quick).json
    again = thalweg(*shlex.split(first["command"])[1:]).json
    one, two = (Run.load(record["files"]["run"]) for record in (first, again))
    assert one.columns["loss"].tobytes() == two.columns["loss"].tobytes()


def test_a_leaping_run_says_what_it_leapt_over(thalweg, quick):
    asked = ("run", "--playground", "20", "--leap", "--step-size", "certified")
    told = thalweg(*asked, "--json", *quick)
    assert told.code == 0
    assert told.json["outcome"]["iteration"] == 873_855
    leaps = told.json["leaps"]
    assert leaps["counted"]
    assert leaps["leaps"] > 0
    assert 0 <= leaps["error"] <= 1e-9
    shown = thalweg("show", "runs/playground-1")
    assert "count of iterations" in shown.out
    path = Run.load("runs/playground-1")
    assert path.error == leaps["error"]


def test_a_net_that_can_be_compressed_moves_as_a_small_one(thalweg, quick):
    asked = ("run", "--data", "diabetes", "--hidden", "40,40", "--iterations", "50")
    small = thalweg(*asked, "--json", *quick).json
    full = thalweg(*asked, "--no-compress", "--json", *quick).json
    assert small["compressed"]["widths"] == [2, 1, 1, 1]
    assert full["compressed"] is None
    assert small["problem"]["widths"] == [10, 40, 40, 1]
    losses = [record["outcome"]["loss"] for record in (small, full)]
    assert abs(losses[0] - losses[1]) <= 1e-12 * losses[1]


def test_an_optimizer_and_a_closed_form_are_runs_like_others(thalweg, quick):
    asked = ("run", "--data", "diabetes", "--hidden", "5", "--json", *quick)
    trained = thalweg(*asked, "--optimizer", "adam", "--iterations", "20").json
    assert trained["settings"]["optimizer"] == "adam"
    assert Run.load("runs/diabetes-1")["angle_cosine"].size > 2
    flowing = ("--flow", "--horizon", "0.1", "--accuracy", "0")
    flows = [
        thalweg(*asked, *flowing, "--solver", solver).json
        for solver in ("exact", "dopri8")
    ]
    losses = [record["outcome"]["excess_loss"] for record in flows]
    assert abs(losses[0] - losses[1]) <= 1e-7 * losses[1]


@pytest.mark.parametrize(
    ("tokens", "told"),
    [
        (("--optimizer", "adam", "--leap"), "leap: came with optimizer"),
        (("--optimizer", "adamm"), "Did you mean 'adam'?"),
        (("--tolerance", "1e-9"), "tolerance: belongs to leaps"),
        (("--leap", "--tolerance", "1"), "tolerance"),
        (("--leap", "--flow", "--horizon", "3"), "leap: belongs to a descent"),
    ],
)
def test_what_does_not_go_with_leaps_is_one_sentence(thalweg, tokens, told):
    answer = thalweg(*START, "--step-size", "0.1", *tokens)
    assert (answer.code, answer.out) == (2, "")
    assert told in answer.err


def test_a_diverging_run_is_a_result(thalweg, quick):
    told = thalweg(*START, "--step-size", "1e3", "--json", *quick)
    assert told.code == 0
    assert told.json["outcome"]["status"] == "diverged"
    assert told.json["rate"] is None


def test_a_flow_is_a_result(thalweg):
    told = thalweg(
        *START,
        "--flow",
        "--horizon",
        "4",
        "--records",
        "20",
        "--measures",
        "imbalance",
        "--no-page",
        "--json",
    )
    assert told.code == 0
    assert told.json["outcome"]["time"] == pytest.approx(4, rel=1e-12)
    assert told.json["step_size"] is None
    kept = [c for c in told.json["certificates"] if c["clock"] == "flow time"]
    assert any(c["observed"]["drift"] is not None for c in kept)


def test_a_target_and_a_single_layer_will_do(thalweg, quick):
    told = thalweg(
        "run",
        "--set",
        "data.target=[[2,0],[0,1]]",
        "--hidden",
        "none",
        "--init",
        "zero_asymmetric",
        "--json",
        *quick[:2],
        "--no-page",
    )
    assert told.json["problem"]["widths"] == [2, 2]
    assert told.json["problem"]["target_singular_values"] == [2, 1]
    assert told.json["outcome"]["status"] == "converged"


def test_aligned_gets_the_problems_target(thalweg, quick):
    told = thalweg(
        "run",
        "--set",
        "data.target=[[2,0],[0,1]]",
        "--hidden",
        "2",
        "--init",
        "aligned",
        "--set",
        "init.strengths=0.5",
        "--json",
        *quick,
    )
    assert told.json["outcome"]["status"] == "converged"


def test_measures_may_have_fields(thalweg):
    told = thalweg(
        *TOY,
        "--set",
        'measures=["loss", {name = "sharpness", top = 2}]',
        "--theorems",
        "none",
        "--no-page",
        "--quiet",
    )
    assert told.out == "run: runs/playground-1\n"
    assert Run.load("runs/playground-1")["sharpness"].shape[1] == 2


def test_momentum_is_not_compared_with_plain_descent(thalweg):
    told = thalweg(
        *TOY,
        "--momentum",
        "0.5",
        "--measures",
        "loss",
        "--no-page",
    )
    assert told.code == 0
    assert "nothing observed is compared" in told.out
    assert "bound kept" not in told.out


def test_runs_are_numbered_in_order(thalweg, quick):
    found = [thalweg(*TOY, "--quiet", *quick).out for _ in range(2)]
    assert found == ["run: runs/playground-1\n", "run: runs/playground-2\n"]


def test_an_earlier_result_is_replaced_only_if_asked(thalweg, quick):
    there = (*TOY, "--quiet", "--out", "here", *quick)
    assert thalweg(*there).code == 0
    refused = thalweg(*there, "--seed", "1")
    assert refused.code == 2
    assert "--overwrite" in refused.err
    assert Run.load("here").notes["seed"] == 0
    assert thalweg(*there, "--seed", "1", "--overwrite").code == 0
    assert Run.load("here").notes["seed"] == 1


@pytest.fixture
def table(tmp_path):
    """Write a CSV file of two features and one target, and return its name."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((20, 2))
    rows = np.column_stack([x, x @ [1.0, -2.0] + 0.1 * rng.standard_normal(20)])

    def call(cell: str = "", name: str = "t.csv") -> str:
        lines = [",".join(map(repr, map(float, row))) for row in rows]
        if cell:
            lines[4] = f"{cell}{lines[4][lines[4].index(',') :]}"
        (tmp_path / name).write_text("\n".join(["a,b,y", *lines]) + "\n")
        return name

    return call


def test_a_file_of_ones_own_will_do(thalweg, quick, table):
    told = thalweg(
        "run", "--file", table(), "--targets", "y", "--hidden", "3", "--json", *quick
    )
    assert told.json["problem"]["widths"] == [2, 3, 1]
    assert told.json["files"]["run"] == "runs/t-1"


@pytest.mark.parametrize(
    ("cell", "targets", "told"),
    [
        ("nan", "y", "missing or infinite"),
        ("", "z", "no entry 'z' on the columns of t.csv"),
        ("much", "y", "holds text, first in row 5"),
    ],
)
def test_data_that_cannot_be_used_leave_nothing_behind(
    thalweg, quick, table, tmp_path, cell, targets, told
):
    name = table(cell)
    found = thalweg("run", "--file", name, "--targets", targets, *quick)
    assert found.code == 2
    assert found.out == ""
    assert found.err.startswith("thalweg: ")
    assert told in found.err
    assert found.err.count("\n") == 1
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("tokens", "told"),
    [
        (("run",), "data: is missing"),
        (("run", "--data", "diabets"), "Did you mean 'diabetes'?"),
        (("run", "--file", "none.csv", "--targets", "y"), "none.csv"),
        (("run", "none.toml"), "there is no file none.toml"),
        (("run", "--data", "digits", "--step-size", "-0.1"), "-0.1 came"),
        (("run", "--data", "digits", "--step-size", "0"), "0 came"),
        (("run", "--data", "digits", "--hidden", "8,x"), "hidden[1]: 'x' came"),
        (("run", "--data", "digits", "--init", "balancd"), "'balanced'"),
        (("run", "--data", "digits", "--measures", "los"), "'loss'"),
        (("run", "--data", "digits", "--theorems", "arora"), "theorems"),
        (("run", "--data", "digits", "--stp", "1"), "--stp"),
        (("run", "--data", "diabetes", "extra.toml", "more"), "more"),
        (("rum",), 'Did you mean "run"?'),
        ((*TOY, "--out", "file/below"), "is not a folder"),
        ((*TOY, "--out", "file"), "is a file; choose a folder"),
        ((*TOY, "--out", "full"), "is not a saved result"),
        (("run", "--resume", "full"), "is not a saved result"),
        (("run", "--resume", "nowhere"), "nowhere is not a folder"),
        (("run", "--resume", "full", "--seed", "3"), "seed came with --resume"),
        (
            (
                "run",
                "--data",
                "digits",
                "--init",
                "explicit",
                "--set",
                "init.weights=w",
            ),
            "cannot be read as weights",
        ),
        (
            (
                "run",
                "--data",
                "diabetes",
                "--hidden",
                "8",
                "--init",
                "gaussian",
                "--std",
                "3",
                "--step-size",
                "certified",
            ),
            "no theorem about descent holds here",
        ),
        (
            (*TOY, "--theorems", "arora2019.RandomBalancedStart"),
            "is about a random balanced start",
        ),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(thalweg, tmp_path, tokens, told):
    (tmp_path / "file").write_text("")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "note").write_text("mine")
    found = thalweg(*tokens)
    assert (found.code, found.out) == (2, "")
    assert found.err.startswith("thalweg: ")
    assert found.err.count("\n") == 1
    assert told in found.err
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "full"]


def test_layers_that_do_not_chain_are_one_sentence(thalweg, tmp_path):
    np.savez(tmp_path / "w.npz", W1=np.ones((4, 10)), W2=np.ones((1, 3)))
    found = thalweg(
        "run",
        "--data",
        "diabetes",
        "--hidden",
        "4",
        "--init",
        "explicit",
        "--set",
        "init.weights=w.npz",
    )
    assert found.code == 2
    assert "layer 2 has shape (1, 3)" in found.err


def test_with_json_the_error_is_an_object_too(thalweg):
    found = thalweg("run", "--data", "diabets", "--json")
    assert found.code == 2
    assert "Did you mean 'diabetes'?" in found.json["error"]
    assert found.err == f"thalweg: {found.json['error']}\n"


# NumPy leaves the file of a damaged archive open.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_half_written_run_is_one_sentence(thalweg, quick, tmp_path):
    thalweg(*TOY, "--out", "here", *quick)
    (arrays,) = (tmp_path / "here").glob("arrays-*.npz")
    arrays.write_bytes(arrays.read_bytes()[:-100])
    for command in (("run", "--resume", "here"), ("show", "here")):
        found = thalweg(*command)
        assert found.code == 2
        assert found.err.count("\n") == 1
        assert "here" in found.err


def test_samples_given_as_settings_are_told_apart(thalweg, table):
    found = thalweg("run", table())
    assert found.code == 2
    assert "holds data, not settings; write --file t.csv" in found.err


def test_too_much_for_the_memory_is_one_sentence(thalweg, monkeypatch):
    def exhausted(_):
        raise RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 8 bytes.")

    monkeypatch.setattr("thalweg.request.posing.pose", exhausted)
    found = thalweg(*TOY)
    assert found.code == 2
    assert found.err == (
        "thalweg: there is not enough memory for this (Out of memory allocating 8 "
        "bytes).\n"
    )


def test_a_mistake_of_ours_is_not_dressed_up(thalweg, monkeypatch):
    def broken(_):
        raise RuntimeError("a bug")

    monkeypatch.setattr("thalweg.request.posing.pose", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        thalweg(*TOY)


def test_a_flow_far_from_the_target_is_certified_too(thalweg, quick):
    told = thalweg(
        "run",
        "--set",
        "data.target=[[2,0],[0,1]]",
        "--hidden",
        "2",
        "--flow",
        "--horizon",
        "1",
        *quick[:2],
        "--no-page",
        "--json",
    )
    verdicts = {one["theorem"]: one["verdict"] for one in told.json["certificates"]}
    assert verdicts["arora2019.Convergence"] == "refuted"
    assert verdicts["chitour2023.Invariance"] == "proved"
