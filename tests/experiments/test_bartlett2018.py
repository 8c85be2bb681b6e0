"""Identity starts: the numbers on record, run by run."""

import numpy as np
import pytest

from thalweg.experiments.bartlett2018 import FLOORS, PRINTED, _learn, _losses, _own_step


@pytest.mark.parametrize(("depth", "value", "observed", "promised"), PRINTED)
def test_single_modes_take_the_iterations_on_record(depth, value, observed, promised):
    target, size = np.array([[value]]), _own_step(depth, value)
    assert _learn(target, depth, {"accuracy": 1e-6}, size) == (size, observed, promised)


@pytest.mark.parametrize(("size", "least"), FLOORS[1:])
def test_the_loss_stays_above_the_floor(size, least):
    rows = _losses(np.diag([0.5, -1.0]), 4, size, 3999)
    assert rows[-1][1] == 3999
    assert min(loss for _, _, loss in rows) == pytest.approx(least, abs=5e-8)
    assert min(loss for _, _, loss in rows) >= 0.5


def test_records_are_those_of_the_recursion_of_the_modes():
    rows = _losses(np.diag([0.5, -1.0]), 4, 0.1, 200)
    a, b = 1.0, 1.0
    losses = []
    for _ in range(201):
        losses.append(((a**4 - 0.5) ** 2 + (b**4 + 1) ** 2) / 2)
        a, b = a - 0.1 * a**3 * (a**4 - 0.5), b - 0.1 * b**3 * (b**4 + 1)
    for _, iteration, loss in rows:
        assert loss == pytest.approx(losses[int(iteration)], rel=1e-13)
