"""Critical values against all subsets, written out."""

from itertools import combinations, islice
from time import perf_counter

import numpy as np
import pytest

from landscape.random_problems import diagonal, random_problem
from thalweg._core.errors import DomainError
from thalweg.landscape.values import critical_values
from thalweg.problem.moments import Moments
from thalweg.problem.nets import LinearNet
from thalweg.problem.problem import Problem
from thalweg.problem.scalar import Playground


def by_subsets(problem):
    """Half sums of squares of the modes not learnt, one per set of singular values."""
    labels = np.asarray(problem.data.labels_factor)
    values = np.linalg.svd(labels, compute_uv=False)
    values = np.round(values[values > 1e-12 * max(values.max(), 1)], 9)
    largest = min(*problem.net.widths, len(values))
    smallest = largest if problem.net.depth == 1 else 0
    sets = {
        tuple(sorted(values[list(chosen)]))
        for size in range(smallest, largest + 1)
        for chosen in combinations(range(len(values)), size)
    }
    total = np.sum(values**2)
    return sorted((total - sum(np.square(chosen))) / 2 for chosen in sets)


def test_chitour2023_the_values_of_three_two_one():
    values = critical_values(diagonal([3.0, 2.0, 1.0], (3, 4, 4, 3)))
    assert [v.value for v in values] == [0, 0.5, 2, 2.5, 4.5, 5, 6.5, 7]
    assert values[2].modes == (1, 3)


@pytest.mark.parametrize("seed", range(12))
def test_values_are_those_of_all_subsets(seed):
    rng = np.random.default_rng(seed)
    problem = random_problem(rng, int(rng.integers(1, 4)), widest=6, most=200)
    found = critical_values(problem)
    expected = by_subsets(problem)
    assert len(found) == len(expected)
    scale = max(1.0, max(expected))
    assert np.allclose([v.value for v in found], expected, rtol=0, atol=1e-8 * scale)
    floor, constant = float(problem.infimum), float(problem.data.constant)
    for v in found:
        assert abs(v.excess_loss - (v.value - floor)) < 1e-12 * scale
        assert v.loss == v.value + constant
        assert v.rank == len(v.modes)
    assert found[0].excess_loss == 0


def test_sixty_modes_give_their_first_hundred_values_at_once():
    spread = np.random.default_rng(0).uniform(1, 3, 60)
    values = critical_values(diagonal(spread, (60, 60, 60)))
    assert len(values) == 2**60
    begun = perf_counter()
    first = values.first(100)
    assert perf_counter() - begun < 5
    assert [v.value for v in first] == sorted(v.value for v in first)
    gains = np.sort(spread**2)[:9] / 2
    sums = sorted(
        sum(chosen)
        for size in range(10)
        for chosen in combinations(gains, size)
        if sum(chosen) < gains[-1]
    )
    assert np.allclose([v.value for v in first][: len(sums)], sums[:100], rtol=1e-12)


def test_more_modes_than_a_length_can_tell_are_counted():
    values = critical_values(diagonal(np.arange(70.0, 0, -1), (70, 70, 70)))
    assert values.count == 2**70
    assert values[0].excess_loss == 0
    with pytest.raises(OverflowError):
        len(values)


def test_equal_singular_values_are_one_entry():
    values = critical_values(diagonal([2.0, 2.0, 1.0], (3, 3, 3)))
    told = [(v.value, v.modes, v.multiplicity) for v in values]
    assert told == [
        (0.0, (1, 2, 3), 1),
        (0.5, (1, 2), 1),
        (2.0, (1, 3), 2),
        (2.5, (1,), 2),
        (4.0, (3,), 1),
        (4.5, (), 1),
    ]


def test_a_bottleneck_limits_what_is_learnt():
    values = critical_values(diagonal([3.0, 2.0, 1.0], (3, 1, 3)))
    assert [v.modes for v in values] == [(1,), (2,), (3,), ()]
    assert [v.excess_loss for v in values] == [0.0, 2.5, 4.0, 4.5]


def test_one_layer_and_the_playground():
    assert [v.modes for v in critical_values(diagonal([2.0, 1.0], (2, 2)))] == [(1, 2)]
    assert [v.value for v in critical_values(Playground(4))] == [0.0, 0.5]


def test_values_are_a_sequence():
    values = critical_values(diagonal([3.0, 2.0, 1.0], (3, 3, 3)))
    assert [v.value for v in values[:3]] == [0, 0.5, 2]
    assert values[-1].value == 7
    assert [v.value for v in islice(values, 2)] == [0, 0.5]
    assert values.to_json(most=2)["values"][1]["modes"] == [1, 2]
    with pytest.raises(IndexError):
        values[8]


def test_labels_of_zero_have_one_value():
    problem = Problem(LinearNet((2, 2, 2)), Moments.whitened(np.zeros((2, 2))))
    assert [(v.value, v.modes) for v in critical_values(problem)] == [(0.0, ())]


def test_another_problem_is_refused():
    with pytest.raises(DomainError, match="landscape of a int"):
        critical_values(3)
