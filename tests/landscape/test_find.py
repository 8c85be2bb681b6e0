"""Critical points found from any start, and told apart."""

import numpy as np
import pytest

from landscape.random_problems import arrays, diagonal, random_problem
from thalweg._core.errors import DomainError
from thalweg.landscape.critical import critical_points
from thalweg.landscape.find import deduplicate, find_critical_point
from thalweg.problem.scalar import Playground


@pytest.mark.parametrize("seed", range(4))
def test_what_is_found_is_critical_and_at_a_critical_value(seed):
    problem = diagonal([3.0, 2.0, 1.0], (3, 3, 3))
    rng = np.random.default_rng(seed)
    start = [rng.standard_normal(shape) for shape in problem.net.shapes]
    found = find_critical_point(problem, start)
    assert found.converged
    assert found.gradient_norm < 1e-11
    assert found.distance < 1e-6
    loss = float(problem.loss(problem.check(found.weights)))
    assert abs(loss - found.value) < 1e-9
    assert found.point.gradient_norm < 1e-11
    assert found.value in (0, 0.5, 2, 2.5, 4.5, 5, 6.5, 7)


def test_from_beside_a_saddle_the_saddle_is_found():
    problem = diagonal([3.0, 1.0], (2, 3, 3, 2))
    [saddle] = critical_points(problem, modes=(2,), inner_rank=2, seed=1)
    rng = np.random.default_rng(0)
    start = [w + 1e-3 * rng.standard_normal(w.shape) for w in arrays(saddle.weights)]
    found = find_critical_point(problem, start)
    assert found.converged
    assert (found.modes, found.kind, found.rank) == ((2,), "strict saddle", 1)
    assert found.to_json()["point"]["inner_rank"] == 2


def test_the_exact_point_is_told_where_the_gradient_vanishes_slowly():
    found = find_critical_point(Playground(4), [0.1, 0.1, -0.1, 0.1])
    assert found.modes == ()
    assert np.array_equal(np.asarray(found.point.weights), np.zeros(4))
    assert found.kind == "non-strict saddle"


def test_few_steps_do_not_converge_and_say_so():
    problem = diagonal([3.0, 2.0], (2, 2, 2))
    found = find_critical_point(problem, [np.eye(2), np.ones((2, 2))], iterations=1)
    assert not found.converged


@pytest.mark.parametrize("seed", range(3))
def test_points_differ_by_family_and_not_by_bases(seed):
    problem = random_problem(np.random.default_rng([seed, 9]), 3, most=30)
    runs = [critical_points(problem, seed=s) for s in (0, 1)]
    distinct = deduplicate(problem, [*runs[0], *runs[1]])
    assert len(distinct) == len(runs[0])
    assert all(d.count == 2 for d in distinct)
    assert sorted(place for d in distinct for place in d.places) == list(
        range(2 * len(runs[0]))
    )


def test_weights_are_told_apart_too():
    toy = Playground(3)
    starts = [[1.0, 1, 1], [2.0, 0.5, 1], [0.0, 0, 2], [0.0, 3, 0], [0.0, 0, 0]]
    found = deduplicate(toy, [*starts, find_critical_point(toy, [1.2, 0.9, 1.0])])
    assert [(d.point.modes, d.places) for d in found] == [
        ((1,), (0, 1, 5)),
        ((), (2,)),
        ((), (3,)),
        ((), (4,)),
    ]
    assert found[0].to_json()["count"] == 3


def test_nets_too_large_are_refused():
    problem = diagonal([1.0], (50, 50, 1))
    with pytest.raises(DomainError, match="takes at most 2000"):
        find_critical_point(problem, [np.zeros((50, 50)), np.zeros((1, 50))])
