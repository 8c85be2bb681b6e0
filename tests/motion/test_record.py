"""Which iterations are kept, and which measures are read."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import thalweg as tw
from thalweg._core.errors import DomainError, UnknownName
from thalweg.motion.record import choose_measures, column_name, kept_iterations

COUNTS = st.integers(0, 10**6)


@given(iterations=COUNTS, records=st.integers(2, 500))
def test_logarithmic_records_run_from_first_to_last(iterations, records):
    kept = kept_iterations(iterations, records=records)
    assert kept[0] == 0
    assert kept[-1] == iterations
    assert np.all(np.diff(kept) > 0)
    assert kept.size <= records + 1


@given(iterations=st.integers(0, 3000), every=st.integers(1, 4000))
def test_every_so_many_keeps_the_multiples_and_the_last(iterations, every):
    kept = kept_iterations(iterations, every=every)
    wanted = sorted({*range(0, iterations + 1, every), iterations})
    assert kept.tolist() == wanted


@given(at=st.lists(st.integers(0, 100)))
def test_chosen_records_are_kept_with_both_ends(at):
    assert kept_iterations(100, at=at).tolist() == sorted({0, 100, *at})


def test_logarithmic_records_are_about_as_many_as_asked():
    assert 150 <= kept_iterations(10_000, records=200).size <= 201


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"iterations": -1}, "iterations is -1; it must be a whole number >= 0"),
        ({"iterations": 9, "every": 0}, "every is 0; it must be a whole number >= 1"),
        (
            {"iterations": 9, "records": 1},
            "records is 1; it must be a whole number >= 2",
        ),
        (
            {"iterations": 9, "at": [3, 10]},
            "at iteration 10; the run goes from 0 to 9",
        ),
        ({"iterations": 9, "at": [-1]}, "must be a whole number >= 0"),
    ],
)
def test_records_outside_the_run_are_refused(fields, says):
    with pytest.raises(DomainError, match=says):
        kept_iterations(**fields)


def test_loss_and_excess_loss_are_always_recorded():
    assert [name for name, _ in choose_measures(())] == ["loss", "excess_loss"]
    chosen = [name for name, _ in choose_measures(["imbalance", "loss"])]
    assert chosen == ["loss", "excess_loss", "imbalance"]


def test_names_and_objects_may_be_mixed():
    chosen = dict(choose_measures(["imbalance", tw.measure("sharpness", top=2)]))
    assert chosen["sharpness"].top == 2
    assert chosen["imbalance"] == tw.measure("imbalance")


def test_a_single_name_is_a_list_of_one():
    assert choose_measures("imbalance") == choose_measures(["imbalance"])


def test_the_same_measure_twice_is_one_column():
    assert len(choose_measures(["imbalance", "imbalance", "loss", "loss"])) == 3


def test_two_measures_of_one_column_are_refused():
    pair = [tw.measure("sharpness", top=top) for top in (1, 2)]
    with pytest.raises(DomainError, match="two different 'sharpness' measures"):
        choose_measures(pair)


def test_a_mistyped_measure_is_met_with_a_suggestion():
    with pytest.raises(UnknownName, match="Did you mean 'imbalance'"):
        choose_measures(["imbalanc"])


@pytest.mark.parametrize("name", ["loss", "end_to_end_norm", "layer_singular_values"])
def test_a_column_is_called_as_its_measure(name):
    assert column_name(tw.measure(name)) == name
