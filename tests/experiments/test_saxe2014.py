"""Learning times by depth: the recursion of modes against a plain loop."""

import numpy as np
import pytest

from thalweg.experiments.saxe2014.modes import LEAST, MOST, PRINTED, _deep
from thalweg.experiments.saxe2014.times import _flow_time, _iterations, _reduction_gap

VALUES = np.array([0.3, 0.2])
SETTINGS = {
    "start": 1e-2,
    "step_sizes": [0.5, 1.5, 200.0],
    "learnt": 1e-3,
    "cap": 5000,
}


def test_iterations_are_those_of_a_plain_loop():
    for size, count in zip(
        SETTINGS["step_sizes"], _iterations(VALUES, 4, SETTINGS), strict=True
    ):
        a, goal = np.full(2, 1e-2**0.25), 1e-3 * np.sum((1e-2 - VALUES) ** 2)
        found = np.nan
        for iteration in range(SETTINGS["cap"]):
            if np.sum((a**4 - VALUES) ** 2) <= goal:
                found = iteration
                break
            a = a - size * a**3 * (a**4 - VALUES)
            if np.abs(a).max() > 1e3:
                break
        assert count == found or (np.isnan(count) and np.isnan(found))


def test_the_flow_learns_in_the_limit_of_small_steps():
    small = {**SETTINGS, "step_sizes": [0.02], "cap": 50_000}
    count = _iterations(VALUES, 4, small)[0]
    assert 0.02 * count == pytest.approx(_flow_time(VALUES, 4, small), rel=5e-3)


def test_a_full_net_moves_as_its_modes():
    target = np.zeros((3, 5))
    np.fill_diagonal(target, [0.5, 0.3, 0.1])
    assert _reduction_gap(target, SETTINGS) < 1e-14


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_deep_modes_take_the_times_on_record(depth):
    time, strength = _deep(depth, 2e-3)
    assert strength[0] == LEAST
    reached = np.interp(MOST, strength, time)
    assert reached == pytest.approx(PRINTED[depth], rel=2e-3)
