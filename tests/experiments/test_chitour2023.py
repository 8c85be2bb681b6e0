"""Rates, invariants and the unbounded example: the numbers on record."""

import numpy as np
import pytest

from thalweg.experiments._base import Workplace
from thalweg.experiments.chitour2023.invariants import Invariants, _one_step, _posed
from thalweg.experiments.chitour2023.rate import Remark2Rate
from thalweg.experiments.chitour2023.staircase import _levels
from thalweg.experiments.chitour2023.unbounded import LIMITS, Unbounded


def test_critical_values_are_half_the_sums_of_squares():
    assert _levels([3.0, 2.0, 1.0]).tolist() == [0, 0.5, 2, 2.5, 4.5, 5, 6.5, 7]


def test_one_step_moves_invariants_by_the_formula_alone():
    measured, formula, gap = _one_step(*_posed(Invariants().settings("tiny")), 1e-2)
    assert measured == pytest.approx(formula, rel=1e-10)
    assert gap < 1e-14 < measured


def test_the_example_of_remark_2_has_the_rate_on_record():
    experiment = Remark2Rate()
    settings = experiment.settings("tiny")
    tables = experiment.measure(settings, Workplace())
    assert tables["promise"]["alpha"][0] == pytest.approx(13.05065, abs=5e-6)
    example = tables["example"]
    late = (example["time"] >= 0.05) & (example["time"] <= 0.1)
    slope = np.polyfit(example["time"][late], np.log(example["loss"][late]), 1)[0]
    # 89.4 on record is half the fall of log L between times 0.1 and 0.2.
    assert -slope / 2 == pytest.approx(89.4, rel=0.02)


def test_both_examples_go_where_the_record_says():
    experiment = Unbounded()
    settings = experiment.settings("paper")
    tables = experiment.measure(settings, Workplace())
    ends = tables["printed_ends"]
    for row, (x, y) in enumerate(LIMITS.values()):
        for name, text in (("x", x), ("y", y)):
            half = 0.5 * 10.0 ** -len(text.partition(".")[2])
            assert ends[name][row] == pytest.approx(float(text), abs=1.01 * half)
    aims = tables["corrected_ends"]
    assert aims["x"][aims["z0"] == 2.0][0] == pytest.approx(np.tan(1.0), abs=1e-8)
    assert aims["x"][aims["z0"] == 3.0][0] == pytest.approx(4.5053, abs=5e-5)
    kept = aims["z"] ** 2 + 4 * np.arctan(aims["x"])
    assert np.abs(kept / aims["z0"] ** 2 - 1).max() < 1e-8
