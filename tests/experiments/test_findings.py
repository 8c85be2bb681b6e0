"""Findings are judged from the tables: other tables, another judgement."""

import numpy as np
import pytest

from thalweg.experiments import shelf
from thalweg.experiments._base import Workplace
from thalweg.experiments.arora2019._fastest import NEVER
from thalweg.experiments.domine2025 import _kernel
from thalweg.experiments.flammarion2025 import _playground as play


def judged(name, changes):
    """Return, claim by claim, whether it holds as measured and with columns changed."""
    experiment = shelf.make(name)
    settings = experiment.settings("tiny")
    tables = experiment.measure(settings, Workplace())
    before = [one.holds for one in experiment.findings(settings, tables)]
    for (table, column), change in changes.items():
        values = change(tables[table])
        tables = {**tables, table: {**tables[table], column: values}}
    after = [one.holds for one in experiment.findings(settings, tables)]
    return before, after


def test_iterations_of_order_four_to_the_depth_would_confirm_the_slide():
    experiment = shelf.make("flammarion2025.Catch")
    settings = experiment.settings("tiny")
    depth = np.array([10, 11, 12, 13, 14, 14])
    seen = play.steps_of_equals(np.full(6, 0.5), depth, np.array(1e-6))
    table = {
        "depth": depth,
        "by": np.array(["steps"] * 5 + ["leaps"]),
        "promised": 4.0**depth,
        "leading_order": np.array([play.leading(int(d)) for d in depth]),
    }
    told = []
    for counts in (seen, 4**depth, seen + (np.arange(6) == 5)):
        tables = {"depths": {**table, "iterations": counts}}
        told.append([one.holds for one in experiment.findings(settings, tables)])
    assert told == [
        [True, False, True, True],
        [True, True, False, True],
        [True, False, True, False],
    ]


def test_exponential_time_from_the_logarithm_would_confirm_the_need_to_be_near():
    def slow(table):
        far = np.char.find(table["start"].astype(str), "ln") >= 0
        return np.where(far, table["depth"].astype(np.int64) ** 4, table["iterations"])

    before, after = judged("flammarion2025.NearOne", {("starts", "iterations"): slow})
    assert (before[-1], after[-1]) == (False, True)


def test_a_step_that_shrinks_the_loss_too_little_is_noticed():
    def stuck(table):
        loss = table["loss"].copy()
        loss[3] = loss[2]
        return loss

    before, after = judged("flammarion2025.Bound", {("curves", "loss"): stuck})
    assert all(before)
    assert after[:2] == [True, False]


@pytest.mark.parametrize(
    ("iterations", "held"),
    [
        # The shallow net slow everywhere, the deep one fast everywhere, neither ever.
        (lambda t: np.where(t["depth"] == 3, 9000, t["iterations"]), [0, 0, 0]),
        (lambda t: np.where(t["depth"] == 6, 40, t["iterations"]), [1, 0, 0]),
        (lambda t: np.full(len(t["std"]), NEVER), [0, 0, 0]),
    ],
)
def test_windows_of_stds_are_judged_from_the_iterations(iterations, held):
    before, after = judged(
        "arora2019.IndependentStarts", {("fastest", "iterations"): iterations}
    )
    assert before == [True, True, True]
    assert after == [bool(one) for one in held]


def test_a_kernel_that_turns_more_for_a_larger_balance_is_noticed():
    table = {
        "balance": np.array([0.0, 1.0, 2.0, 0.0, -1.0, -2.0]),
        "kernel": np.array([0.1, 0.05, 1e-9, 0.1, 0.2, 1e-9]),
    }
    assert [one.holds for one in _kernel(table)] == [True, False]


def test_larger_starts_that_are_later_are_noticed():
    def swapped(table):
        std = table["std"]
        return np.select([std == 0.01, std == 1.0], [1.0, 0.01], std)

    before, after = judged(
        "zhao2023.ConvergenceAgainstQ",
        {("courses", "std"): swapped},
    )
    assert all(before)
    assert not any(after)


def test_an_exponent_above_the_promise_is_noticed():
    before, after = judged(
        "bartlett2018.IdentityStarts",
        {("targets", "observed"): lambda t: t["observed"] * t["condition"] ** 2},
    )
    assert all(before)
    assert not after[-2]
    assert not after[-3]
