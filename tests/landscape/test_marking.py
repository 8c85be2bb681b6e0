"""Plateaus named after the saddles they sit at."""

from itertools import pairwise

import numpy as np
import pytest

from landscape.random_problems import diagonal
from thalweg._core.errors import DomainError
from thalweg.landscape.marking import mark_plateaus, weights_at
from thalweg.motion.descend import descend
from thalweg.motion.flow import flow
from thalweg.motion.leap import leap


def small(problem, std=1e-4):
    size = max(problem.net.widths)
    shapes = problem.net.shapes
    return [std * np.eye(size)[:rows, :columns] for rows, columns in shapes]


PROBLEM = diagonal([16.0, 4.0, 1.0], (3, 3, 3))


def test_an_aligned_small_start_visits_the_saddles_in_order():
    path = descend(
        PROBLEM, small(PROBLEM), step_size=0.005, iterations=6000, records=1500
    )
    marked = mark_plateaus(path)
    assert [m.modes for m in marked] == [(), (1,), (1, 2)]
    assert [m.value for m in marked] == [136.5, 8.5, 0.5]
    assert {str(m.kind) for m in marked} == {"strict saddle"}
    for before, after in pairwise(marked):
        assert before.start < before.middle < before.end <= after.start
    assert all(m.distance < 0.1 for m in marked)
    assert marked[1].excess_loss == pytest.approx(8.5, rel=0.01)
    assert marked[0].to_json()["modes"] == []


def test_leaps_visit_the_same():
    path = leap(
        PROBLEM,
        small(PROBLEM, 1e-5),
        step_size=0.001,
        iterations=12_000,
        records=600,
        tolerance=1e-6,
    )
    assert [m.modes for m in mark_plateaus(path)][:2] == [(), (1,)]


@pytest.mark.slow
def test_a_flow_visits_the_same():
    path = flow(PROBLEM, small(PROBLEM, 1e-5), horizon=30.0, records=600)
    assert [m.modes for m in mark_plateaus(path)][:3] == [(), (1,), (1, 2)]


def test_weights_on_the_way_are_those_of_the_path():
    path = descend(PROBLEM, small(PROBLEM, 0.1), step_size=0.01, iterations=50)
    ends = ((weights_at(path, 50.0), path.weights), (weights_at(path, 0.0), path.start))
    for found, expected in ends:
        for one, other in zip(found, expected, strict=True):
            assert np.array_equal(np.asarray(one), np.asarray(other))


def test_batches_and_trainings_are_refused():
    starts = tuple(np.stack([w, 2 * w]) for w in small(PROBLEM))
    batch = descend(PROBLEM, starts, step_size=0.01, iterations=3)
    with pytest.raises(DomainError, match="single path"):
        mark_plateaus(batch)
    with pytest.raises(DomainError, match="cannot repeat a training"):
        mark_plateaus(train_path())


def train_path():
    path = descend(PROBLEM, small(PROBLEM), step_size=0.01, iterations=3)
    path.settings["kind"] = "training"
    return path
