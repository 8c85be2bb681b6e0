"""Critical points made to order, against gradients and Hessians written out."""

import json
from itertools import pairwise

import numpy as np
import pytest

import net_oracles as oracle
from landscape.random_problems import (
    arrays,
    data_of,
    diagonal,
    learnt_share,
    random_problem,
    tangent_dimension,
)
from thalweg._core.errors import DomainError, ShapeError
from thalweg.landscape.critical import critical_points
from thalweg.landscape.kinds import Kind
from thalweg.problem.scalar import Playground

FREE = ("random", "zero", "balanced")


def signs(weights, problem):
    values = np.linalg.eigvalsh(oracle.hessian(weights, *data_of(problem)))
    tolerance = 1e-8 * max(1.0, np.max(np.abs(values)))
    negative = int(np.sum(values < -tolerance))
    return negative, int(np.sum(np.abs(values) <= tolerance))


def scale_of(weights, problem):
    inputs, labels = data_of(problem)
    each = [max(1.0, np.linalg.norm(part)) for part in (*weights, inputs)]
    return np.prod(each) ** 2 * max(1.0, np.linalg.norm(labels))


def check(point, problem):
    weights = arrays(point.weights)
    inputs, labels = data_of(problem)
    slopes = oracle.gradient(weights, inputs, labels)
    norm = np.sqrt(sum(np.sum(g**2) for g in slopes))
    # Products of at most 2N matrices of size <= 4: 100 units of rounding are plenty.
    assert norm <= 100 * 2.2e-16 * scale_of(weights, problem)
    assert point.gradient_norm <= 100 * 2.2e-16 * scale_of(weights, problem)
    loss = oracle.loss(weights, inputs, labels)
    assert abs(loss - point.value) <= 1e-11 * max(1.0, loss)
    assert abs(point.loss - float(problem.loss(problem.check(weights)))) <= 1e-10 * max(
        1.0, loss
    )
    negative, zero = signs(weights, problem)
    if negative:
        kind = "strict saddle"
    elif loss - float(problem.infimum) <= 1e-11 * max(1.0, loss):
        kind = "global minimum"
    else:
        kind = "non-strict saddle"
    assert str(point.kind) == kind
    assert zero >= point.dimension
    share = learnt_share(weights, problem)
    left, values, _ = np.linalg.svd(labels)
    positive = int(np.sum(values > 1e-12 * max(values[0], 1.0)))
    strengths = np.diag(left.T @ share @ left)[:positive]
    for group in sorted(set(np.round(values[:positive], 9))):
        near = np.abs(values[:positive] - group) < 1e-8
        told = sum(bool(near[mode - 1]) for mode in point.modes)
        assert abs(np.sum(strengths[near]) - told) < 1e-7
    assert tangent_dimension(weights, problem, share) == point.dimension
    if problem.net.depth > 2:
        inner = oracle.product(weights[1:-1], weights[0].shape[0])
        assert np.linalg.matrix_rank(inner, tol=1e-8) == point.inner_rank


@pytest.mark.parametrize("free", FREE)
@pytest.mark.parametrize("seed", range(16))
def test_points_of_random_problems_are_what_they_say(seed, free):
    rng = np.random.default_rng([seed, 7])
    problem = random_problem(rng, 1 + seed % 4, most=36)
    for point in critical_points(problem, free=free, seed=seed)[:20]:
        check(point, problem)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(200))
def test_many_more_points_are_what_they_say(seed):
    rng = np.random.default_rng([seed, 11])
    problem = random_problem(rng, int(rng.integers(1, 6)))
    for free in FREE:
        for point in critical_points(problem, free=free, seed=seed):
            check(point, problem)


def test_every_family_has_its_point():
    points = critical_points(diagonal([3.0, 2.0, 1.0], (3, 4, 4, 3)))
    told = [(p.modes, p.inner_rank, p.is_tightened) for p in points]
    expected = []
    for modes in [(1, 2, 3), (1, 2), (1, 3), (2, 3), (1,), (2,), (3,), ()]:
        size = len(modes)
        if size == 3:
            expected += [(modes, inner, True) for inner in (3, 4)]
        else:
            expected += [(modes, size, True), (modes, size, False)]
            expected += [(modes, inner, False) for inner in range(size + 1, 5)]
    assert sorted(told) == sorted(expected)
    assert [p.value for p in points] == sorted(p.value for p in points)


def test_chitour2023_case_1_2_is_a_space_of_the_dimension_told():
    problem = diagonal([2.0, 1.0], (5, 4, 4, 2))
    [point] = critical_points(problem, modes=(), tightened=True)
    assert point.dimension == 4 * (5 - 2)
    weights = arrays(point.weights)
    assert np.linalg.norm(weights[0]) > 0.1
    hessian = oracle.hessian(weights, *data_of(problem))
    assert np.max(np.abs(hessian)) <= 16 * 2.2e-16 * scale_of(weights, problem)


def test_achour2024_experiment_with_chosen_blocks():
    problem = diagonal([4.0, 3.0, 2.0, 1.0], (10, 10, 10, 10, 10, 4))
    eye = np.eye(8)
    strict = critical_points(problem, modes=(1, 2), free=dict.fromkeys((2, 3, 4), eye))[
        0
    ]
    flat = critical_points(problem, modes=(1, 2), free={}, tightened=True)[0]
    assert (strict.kind, strict.inner_rank) == (Kind.STRICT_SADDLE, 10)
    assert (flat.kind, flat.inner_rank) == (Kind.NON_STRICT_SADDLE, 2)
    assert strict.value == flat.value == 2.5


def test_hand_sized_points_of_the_two_by_two_net():
    """MATH F.1: signs of the twelve eigenvalues at points written by hand."""
    problem = diagonal([2.0, 1.0], (2, 2, 2, 2))
    eye = np.eye(2)
    [zero] = critical_points(problem, modes=(), free={}, tightened=True)
    assert signs(arrays(zero.weights), problem) == (0, 12)
    for layer in (1, 2, 3):
        point = critical_points(problem, modes=(), free={layer: eye})[0]
        assert point.kind is Kind.STRICT_SADDLE
        assert signs(arrays(point.weights), problem) == (4, 4)
    [point] = critical_points(problem, modes=(1,), free="balanced")
    values = np.linalg.eigvalsh(
        oracle.hessian(arrays(point.weights), *data_of(problem))
    )
    assert abs(values[-1] - 7.5595263) < 5e-8
    assert signs(arrays(point.weights), problem) == (0, 9)
    [wrong] = critical_points(problem, modes=(2,), free="balanced")
    values = np.linalg.eigvalsh(
        oracle.hessian(arrays(wrong.weights), *data_of(problem))
    )
    assert np.allclose(values[[0, -1]], (-1, 3), rtol=0, atol=1e-12)


def test_balanced_points_are_balanced_in_the_problems_own_weights():
    rng = np.random.default_rng(3)
    problem = random_problem(rng, 3)
    for point in critical_points(problem, free="balanced"):
        layers = arrays(point.weights)
        for below, above in pairwise(layers):
            gap = np.linalg.norm(above.T @ above - below @ below.T)
            assert gap < 1e-12 * max(1.0, np.linalg.norm(above) ** 2)


def test_bases_of_equal_singular_values_are_turned():
    problem = diagonal([2.0, 2.0, 1.0], (3, 3, 3))
    [one] = critical_points(problem, modes=(1,), seed=0)
    [other] = critical_points(problem, modes=(2,), free="zero")
    assert one.modes == other.modes == (1,)
    assert one.dimension == other.dimension
    first = critical_points(problem, modes=(1,), free="zero")[0]
    fixed = [w[1] @ w[0] for w in (arrays(first.weights), arrays(other.weights))]
    assert np.allclose(sum(fixed), np.diag([2.0, 2, 0]))
    assert [np.linalg.matrix_rank(w) for w in fixed] == [1, 1]
    turned = arrays(one.weights)
    assert abs((turned[1] @ turned[0])[0, 1]) > 1e-3


def test_the_same_seed_gives_the_same_points():
    problem = diagonal([2.0, 1.0], (2, 3, 2))
    runs = [critical_points(problem, rank=1, seed=s) for s in (4, 4, 5)]
    first = [np.concatenate([w.ravel() for w in arrays(r[0].weights)]) for r in runs]
    assert np.array_equal(first[0], first[1])
    assert not np.array_equal(first[0], first[2])


def test_a_playground_gets_vectors():
    points = critical_points(Playground(3))
    assert [p.weights.shape for p in points] == [(3,)] * len(points)
    for point in points:
        x = np.asarray(point.weights)
        slope = (np.prod(x) - 1) * np.array([x[1] * x[2], x[0] * x[2], x[0] * x[1]])
        assert np.max(np.abs(slope)) < 1e-14
    zeros = {(p.modes, int(np.sum(np.asarray(p.weights) == 0))) for p in points}
    assert zeros == {((1,), 0), ((), 2), ((), 3)}
    assert json.loads(json.dumps(points[0].to_json()))["kind"] == "global minimum"


THREE = diagonal([3.0, 2.0, 1.0], (3, 4, 4, 3))


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"rank": 4}, "learnt from 0 to 3 modes"),
        ({"modes": (4,)}, "3 singular values above zero"),
        ({"modes": (0,)}, "whole number >= 1"),
        ({"modes": (1, 1)}, "every mode once"),
        ({"modes": (1,), "rank": 2}, "pass one"),
        ({"modes": (1, 2), "inner_rank": 1}, "must be from 2 to 4"),
        ({"modes": (1,), "inner_rank": 2, "tightened": True}, "must be 1"),
        ({"rank": 3, "tightened": False}, "all tightened"),
        ({"modes": (1,), "inner_rank": 3, "free": "balanced"}, "no balanced"),
        ({"free": "big"}, "must be 'random'"),
        ({"free": [np.eye(3)]}, "1 blocks; the net has 3"),
        ({"free": {2: np.zeros((3, 3))}}, "pass modes"),
        ({"modes": (1,), "free": {4: np.eye(3)}}, "names layer 4"),
        ({"most": 3}, "more than 3 families"),
        ({"std": 0.0}, "positive"),
    ],
)
def test_what_cannot_be_is_refused(options, match):
    with pytest.raises(DomainError, match=match):
        critical_points(THREE, **options)


def test_blocks_that_make_no_critical_point_are_refused():
    with pytest.raises(ShapeError, match=r"must be \(3, 3\)"):
        critical_points(THREE, modes=(1,), free={2: np.eye(2)})
    blocks = {1: np.eye(3, 2), 2: np.eye(3), 3: np.eye(2, 3)}
    with pytest.raises(DomainError, match="make no critical point"):
        critical_points(THREE, modes=(1,), free=blocks)
    with pytest.raises(DomainError, match="not what was asked for"):
        critical_points(THREE, modes=(1,), free={2: np.eye(3)}, tightened=True)


def test_saddles_of_two_layers_are_never_tightened():
    problem = diagonal([2.0, 1.0], (2, 3, 2))
    with pytest.raises(DomainError, match="never tightened"):
        critical_points(problem, rank=1, tightened=True)
    assert {p.inner_rank for p in critical_points(problem)} == {3}


def test_one_layer_has_only_its_minimum():
    [point] = critical_points(diagonal([2.0, 0.0], (2, 2)))
    assert (point.modes, point.rank, point.dimension) == ((1,), 1, 0)
    with pytest.raises(DomainError, match="from 1 to 1"):
        critical_points(diagonal([2.0, 0.0], (2, 2)), rank=0)


def test_of_very_many_sets_of_modes_none_is_tried_in_vain():
    problem = diagonal(np.arange(40.0, 0, -1), (40, 40, 40, 40))
    with pytest.raises(DomainError, match="must be from 0 to 40"):
        critical_points(problem, inner_rank=41)
    with pytest.raises(DomainError, match="more than 50 families"):
        critical_points(problem, rank=20, most=50)
