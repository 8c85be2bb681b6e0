"""Itineraries of small starts against closed forms and quadrature."""

import json

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

from thalweg._core.errors import DomainError
from thalweg.landscape.itinerary import itinerary
from thalweg.landscape.kinds import Kind
from thalweg.motion.descend import descend
from thalweg.motion.path import Path
from thalweg.problem.moments import Moments
from thalweg.problem.nets import LinearNet
from thalweg.problem.problem import Problem
from thalweg.problem.scalar import Playground

VALUES = (3.0, 2.0, 1.0)


def white(widths, target):
    return Problem(LinearNet(widths), Moments.whitened(jnp.asarray(target)))


def aligned(depth, strength):
    problem = white((3,) * (depth + 1), np.diag(VALUES))
    return problem, [strength ** (1 / depth) * np.eye(3)] * depth


def gaps(found, problem, start):
    """Visits with their distance to the saddle one can write down for them.

    A nearer one may be named, or one at most three times as far as the nearest.
    """
    for visit, count in zip(found.visits[:-1], range(3), strict=True):
        weights = descend(
            problem,
            start,
            step_size=found.path.step_size,
            iterations=visit.at_iteration,
        ).weights
        kept = [value if place < count else 0 for place, value in enumerate(VALUES)]
        saddle = np.diag(kept) ** (1 / len(weights))
        squares = [np.sum((np.asarray(w) - saddle) ** 2) for w in weights]
        yield visit, np.sqrt(sum(squares))


def half_time(depth, strength, value):
    """Flow time of a mode to half its value, by quadrature in the log of strength."""
    ends = np.log([strength, value / 2])
    return quad(
        lambda x: 1 / (depth * np.exp(x * (1 - 2 / depth)) * (value - np.exp(x))),
        *ends,
        epsabs=0,
        epsrel=1e-11,
        limit=200,
    )[0]


@pytest.mark.parametrize("depth", [2, 3])
def test_aligned_modes_are_learnt_in_order_at_the_times_of_theory(depth):
    """Descent lags the flow by a first order in the step: half of it, half the lag."""
    problem, start = aligned(depth, 1e-4)
    runs = [itinerary(problem, start, step_size=step) for step in (0.008, 0.004)]
    truth = np.array([half_time(depth, 1e-4, value) for value in VALUES])
    predicted = [one.predicted_time for one in runs[0].learnt]
    late = [np.array([one.time for one in run.learnt]) - truth for run in runs]
    assert runs[0].order == (1, 2, 3)
    assert predicted == pytest.approx(truth, rel=1e-9)
    assert late[0] / late[1] == pytest.approx(np.full(3, 2.0), rel=0.05)
    assert np.all(late[1] < 0.01 * truth)


def test_it_visits_one_saddle_after_another():
    problem, start = aligned(3, 1e-4)
    found = itinerary(problem, start)
    assert [visit.modes for visit in found] == [(), (1,), (1, 2), (1, 2, 3)]
    assert [visit.value for visit in found] == pytest.approx([7, 2.5, 0.5, 0])
    kinds = [Kind.NON_STRICT_SADDLE] * 3 + [Kind.GLOBAL_MINIMUM]
    assert [visit.kind for visit in found] == kinds
    assert all(visit.slowed for visit in found)
    waited = [visit.waiting_time for visit in found.visits[:-1]]
    theory = [visit.predicted_time for visit in found.visits[:-1]]
    assert sum(waited) == pytest.approx(found.learnt[-1].time)
    assert waited == pytest.approx(theory, rel=0.01)
    assert found.visits[-1].waiting_time is None
    assert all(visit.distance <= 3 * own for visit, own in gaps(found, problem, start))
    ends = [visit.to_iteration for visit in found.visits[:-1]]
    assert ends == [visit.from_iteration for visit in found.visits[1:]]


def test_a_small_gaussian_start_of_two_layers_keeps_its_timetable():
    """Errors are of the order of the start and of the step; times are about 4."""
    problem = white((3, 8, 3), np.diag(VALUES))
    found = itinerary(problem, std=1e-5, seed=2, step_size=0.005)
    assert found.order == (1, 2, 3)
    assert found.theory.startswith("two layers")
    for one in found.learnt:
        assert one.time == pytest.approx(one.predicted_time, rel=0.03)


def test_a_deep_gaussian_start_learns_in_order_and_nothing_is_predicted():
    problem = white((3, 4, 4, 3), np.diag(VALUES))
    found = itinerary(problem, std=0.05)
    assert found.order == (1, 2, 3)
    assert [visit.modes for visit in found] == [(), (1,), (1, 2), (1, 2, 3)]
    assert all(one.predicted_time is None for one in found.learnt)


def test_modes_that_start_at_zero_are_never_learnt():
    problem = white((2, 2, 2), np.diag([2.0, 1.0]))
    found = itinerary(problem, [np.diag([0.0, 0.01])] * 2)
    assert found.order == (2,)
    assert found.visits[-1].modes == (2,)
    assert found.visits[-1].kind is Kind.STRICT_SADDLE


def test_modes_are_those_of_the_labels_where_data_are_not_white():
    rng = np.random.default_rng(4)
    inputs = rng.standard_normal((50, 3)) * [1.0, 0.8, 1.2]
    labels = inputs @ np.diag([2.0, 1.0, 0.5]) @ rng.standard_normal((3, 2))
    problem = Problem(LinearNet((3, 4, 2)), Moments.from_data(inputs, labels))
    found = itinerary(problem, std=1e-3)
    assert found.order == (1, 2)
    assert found.theory.startswith("none: the data")


def test_the_playground_has_one_mode():
    found = itinerary(Playground(3), [0.01, 0.01, 0.01])
    assert [visit.modes for visit in found] == [(), (1,)]
    assert found.learnt[0].time == pytest.approx(half_time(3, 1e-6, 1.0), rel=0.02)


def test_a_path_is_run_again_to_be_read():
    problem, start = aligned(2, 1e-3)
    path = descend(problem, start, step_size=0.02, iterations=400)
    found = itinerary(problem, path=path)
    assert found.order == (1, 2, 3)
    assert (found.path.step_size, found.path.clock[-1]) == (0.02, 400)


def test_it_is_saved_with_its_path(tmp_path):
    found = itinerary(Playground(2), [0.01, 0.01])
    found.save(tmp_path / "way")
    noted = Path.load(tmp_path / "way").notes["itinerary"]
    assert noted == json.loads(json.dumps(found.to_json()))
    assert noted["order"] == [1]
    assert "1 at time" in str(found)


def test_what_cannot_be_read_is_refused():
    problem, start = aligned(2, 1e-3)
    path = descend(problem, start, step_size=0.02, iterations=10)
    with pytest.raises(DomainError, match="pass one of them"):
        itinerary(problem, start, path=path)
    with pytest.raises(DomainError, match="the path is of widths"):
        itinerary(Playground(2), path=path)
    with pytest.raises(DomainError, match="no mode to learn"):
        itinerary(white((2, 2, 2), np.zeros((2, 2))))
    batch = descend(Playground(2), np.full((2, 2), 0.1), step_size=0.1, iterations=5)
    with pytest.raises(DomainError, match="single descent"):
        itinerary(Playground(2), path=batch)
