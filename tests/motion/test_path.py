"""A path: its columns, its views, and its way to disk and back."""

import functools
import json

import jax
import numpy as np
import pytest

import thalweg as tw
from thalweg._core.errors import DomainError, StoreError, UnknownName
from thalweg.measures import shelf
from tolerances import is_a_sentence, same_arrays

GOAL = np.random.default_rng(5).standard_normal((2, 3))
MEASURES = ("loss", "invariants")
WITH_FIELDS = (*MEASURES, tw.measure("sharpness", top=2))
KINDS = [
    "single",
    "batch",
    "momentum",
    "diverged",
    "flow",
    "flows",
    "playground",
    "raw",
]


def weights(runs=None):
    draw = np.random.default_rng(0).standard_normal
    lead = () if runs is None else (runs,)
    return tuple(0.5 * draw((*lead, *shape)) for shape in ((4, 3), (2, 4)))


@functools.cache
def path(kind):
    net = tw.LinearNet((3, 4, 2))
    problem = tw.Problem(net, tw.Moments.whitened(GOAL))
    run = {"step_size": 0.02, "iterations": 60, "every": 7, "measures": MEASURES}
    flow = {"times": [0.0, 0.1, 0.4], "measures": MEASURES}
    if kind == "batch":
        return tw.descend(
            problem, weights(3), **{**run, "step_size": [0.01, 0.02, 3.0]}
        )
    if kind == "momentum":
        return tw.descend(problem, weights(), momentum=0.9, **run)
    if kind == "diverged":
        return tw.descend(problem, weights(), **{**run, "step_size": 30.0})
    if kind == "flow":
        return tw.flow(problem, weights(), **flow)
    if kind == "flows":
        return tw.flow(problem, weights(3), **flow)
    if kind == "playground":
        return tw.descend(tw.Playground(2), [0.5, 0.5], **run)
    if kind == "raw":
        rng = np.random.default_rng(2)
        data = tw.Moments.from_data(
            rng.standard_normal((30, 3)), rng.standard_normal((30, 2)), center=True,
            feature_names=("a", "b", "c"), label_names=("u", "v"), note="made up",
        )  # fmt: skip
        return tw.descend(tw.Problem(net, data), weights(), **run)
    return tw.descend(problem, weights(), **{**run, "measures": WITH_FIELDS})


def files_of(folder):
    """The card and the one file of arrays of a saved path."""
    (arrays,) = folder.glob("arrays*.npz")
    return {"card": folder / "card.json", "arrays": arrays}


def same_leaves(one, other):
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    for first, second in pairs:
        same_arrays(first, second)


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_path_loads_as_it_was(tmp_path, kind):
    path(kind).save(tmp_path / "run")
    loaded = tw.Path.load(tmp_path / "run")
    same_arrays(loaded.clock, path(kind).clock)
    assert list(loaded) == list(path(kind))
    for name in loaded:
        same_arrays(loaded[name], path(kind)[name])
    for part in ("problem", "start", "weights", "velocity", "step_size"):
        same_leaves(getattr(loaded, part), getattr(path(kind), part))
    for part in ("settings", "measures", "outcome", "batched", "notes"):
        assert getattr(loaded, part) == getattr(path(kind), part)
    assert jax.tree.structure(loaded.problem) == jax.tree.structure(path(kind).problem)


def test_every_measure_can_be_saved_and_loaded(tmp_path):
    problem = path("single").problem
    run = tw.descend(
        problem,
        weights(),
        step_size=0.02,
        iterations=60,
        at=[20],
        measures=[
            name for name in shelf.names() if tw.measure(name).suits(problem.net)
        ],
    )
    run.save(tmp_path / "run")
    loaded = tw.Path.load(tmp_path / "run")
    assert loaded.measures == run.measures


def test_a_path_can_be_saved_over_an_earlier_one(tmp_path):
    path("momentum").save(tmp_path / "run")
    path("single").save(tmp_path / "run")
    assert tw.Path.load(tmp_path / "run").velocity is None
    assert [place.name for place in tmp_path.iterdir()] == ["run"]


def test_a_folder_of_something_else_is_not_overwritten(tmp_path):
    (tmp_path / "mine.txt").write_text("keep me", encoding="utf-8")
    with pytest.raises(
        StoreError, match="is not a saved result; choose another"
    ) as caught:
        path("single").save(tmp_path)
    assert is_a_sentence(caught.value)
    assert (tmp_path / "mine.txt").read_text(encoding="utf-8") == "keep me"


@pytest.mark.parametrize("missing", ["card.json", "arrays-*.npz"])
def test_a_half_written_path_is_refused(tmp_path, missing):
    path("single").save(tmp_path / "run")
    (place,) = (tmp_path / "run").glob(missing)
    place.unlink()
    with pytest.raises(StoreError, match=f"holds no {place.name}") as caught:
        tw.Path.load(tmp_path / "run")
    assert is_a_sentence(caught.value)


@pytest.mark.parametrize("file", ["card.json", "arrays-*.npz"])
@pytest.mark.parametrize("kept", [0.0, 0.3, 0.9])
def test_a_path_cut_short_is_refused(tmp_path, file, kept):
    path("single").save(tmp_path / "run")
    (place,) = (tmp_path / "run").glob(file)
    whole = place.read_bytes()
    place.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(StoreError, match="run again") as caught:
        tw.Path.load(tmp_path / "run")
    assert is_a_sentence(caught.value)


def test_altered_arrays_are_refused(tmp_path):
    path("single").save(tmp_path / "run")
    (place,) = (tmp_path / "run").glob("arrays-*.npz")
    with np.load(place) as file:
        arrays = {name: file[name] for name in file.files}
    arrays["column.loss"][3] = np.nextafter(arrays["column.loss"][3], 1)
    np.savez(place, **arrays)
    with pytest.raises(StoreError, match="does not match the hash on its card"):
        tw.Path.load(tmp_path / "run")


def test_a_card_of_another_kind_is_refused(tmp_path):
    path("single").save(tmp_path / "run")
    place = tmp_path / "run" / "card.json"
    card = json.loads(place.read_text(encoding="utf-8"))
    place.write_text(json.dumps({**card, "kind": "certificate"}), encoding="utf-8")
    with pytest.raises(StoreError, match="holds a certificate, not a path"):
        tw.Path.load(tmp_path / "run")


@pytest.mark.parametrize(
    "fault",
    [
        {"outcomes": []},
        {"outcomes": [{"status": "asleep"}]},
        {"measures": [{"column": "los", "fields": {}}]},
        {"problem": {"kind": "linear"}},
    ],
)
def test_a_card_that_makes_no_sense_is_refused(tmp_path, fault):
    path("single").save(tmp_path / "run")
    place = tmp_path / "run" / "card.json"
    card = json.loads(place.read_text(encoding="utf-8"))
    place.write_text(json.dumps({**card, **fault}), encoding="utf-8")
    with pytest.raises(StoreError) as caught:
        tw.Path.load(tmp_path / "run")
    assert is_a_sentence(caught.value)


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(StoreError, match="is not a folder"):
        tw.Path.load(tmp_path / "nowhere")


def test_the_card_can_be_read_by_people(tmp_path):
    path("single").save(tmp_path / "run")
    card = json.loads((tmp_path / "run" / "card.json").read_text(encoding="utf-8"))
    assert card["settings"]["iterations"] == 60
    assert card["problem"]["widths"] == [3, 4, 2]
    assert card["outcomes"][0]["status"] == "out of budget"


def test_a_column_that_was_not_recorded_is_met_with_a_suggestion():
    with pytest.raises(UnknownName, match="Did you mean 'invariants'"):
        _ = path("single")["invariant"]


def test_a_path_iterates_over_its_columns():
    assert list(path("single")) == ["loss", "excess_loss", "invariants", "sharpness"]


def test_the_times_of_a_descent_are_iterations_times_step():
    same_arrays(path("single").times, path("single").iterations * 0.02)
    batch = path("batch")
    assert batch.times.shape == (3, batch.iterations.size)
    same_arrays(batch.times[0], batch.iterations * 0.01)


@pytest.mark.parametrize("run", [0, 1, 2, -1])
def test_a_run_of_a_batch_is_a_path_of_its_own(run):
    batch = path("batch")
    one = batch.run(run)
    length = one.iterations.size
    assert not one.batched
    assert one.runs is None
    assert one.outcome == batch.outcome[run]
    same_arrays(one["invariants"], batch["invariants"][run, :length])
    for layer, stack in zip(one.weights, batch.weights, strict=True):
        same_arrays(layer, stack[run])


@pytest.mark.parametrize("run", [3, -4])
def test_a_run_that_does_not_exist_is_refused(run):
    with pytest.raises(DomainError, match=f"run {run} of 3; count from 0 to 2"):
        path("batch").run(run)


def test_a_single_path_has_no_runs():
    with pytest.raises(DomainError, match="has no runs to choose"):
        path("single").run(0)


@pytest.mark.parametrize("kind", KINDS)
def test_the_xarray_view_holds_every_column(kind):
    data, batched = path(kind).to_xarray(), path(kind).batched
    lead = ("run", "time") if batched else ("time",)
    assert set(data.data_vars) == set(path(kind))
    for name, measure in path(kind).measures:
        assert data[name].dims[: len(lead)] == lead
        assert len(data[name].dims) == len(lead) + len(measure.axes)
        assert data[name].attrs["symbol"] == measure.symbol
        same_arrays(data[name].values, path(kind)[name])
    clock = "time" if path(kind).is_flow else "iteration"
    same_arrays(data[clock].values, path(kind).clock)
    assert data.attrs["outcome"] == str(path(kind).outcome)


def test_the_xarray_view_names_the_axes_of_a_measure():
    dims = path("single").to_xarray()["invariants"].dims
    assert dims == ("time", "invariants_layer", "invariants_out", "invariants_in")


def test_records_can_be_chosen_by_iteration_in_the_xarray_view():
    data = path("single").to_xarray().set_index(time="iteration")
    assert float(data["loss"].sel(time=14)) == path("single")["loss"][2]


def test_a_path_cites_what_it_was_made_with():
    text = path("single").cite()
    assert "@misc{arora2019," in text
    assert "@misc{chitour2023," in text
    assert text.count("@misc{arora2019,") == 1


def test_notes_are_added_to_a_new_path():
    noted = path("single").with_notes(seed=3)
    assert noted.notes == {"seed": 3}
    assert path("single").notes == {}


def test_two_measures_of_one_path_may_come_in_any_order():
    one = tw.descend(
        tw.Playground(2),
        [0.5, 0.5],
        step_size=0.1,
        iterations=9,
        measures=("imbalance", "loss"),
    )
    other = tw.descend(
        tw.Playground(2),
        [0.5, 0.5],
        step_size=0.1,
        iterations=9,
        measures=("loss", "imbalance"),
    )
    same_arrays(one["imbalance"], other["imbalance"])
