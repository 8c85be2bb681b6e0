"""The margin certificates: their lemmas, printed counts, and descents they foretell."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import thalweg as tw
from papers.descents import (
    below,
    descend,
    diverged,
    draw_net,
    jacobian,
    losses,
    near_target,
    residual,
)
from thalweg.linalg import balls
from thalweg.theorems._base import Case, Verdict
from thalweg.theorems._shared.hull import facts_of, hull_of
from thalweg.theorems.margin import Margin

SEEDS = st.integers(0, 2**32 - 1)


def gaps(layers):
    return [b.T @ b - a @ a.T for a, b in pairwise(layers)]


def product(layers):
    found = layers[0]
    for layer in layers[1:]:
        found = layer @ found
    return found


def unbalanced(seed):
    """Return a chain of some imbalance, and how much."""
    rng = np.random.default_rng(seed)
    depth, width = int(rng.integers(2, 6)), int(rng.integers(1, 5))
    turns = [
        np.linalg.qr(rng.standard_normal((width, width)))[0] for _ in range(depth + 1)
    ]
    sizes = np.exp(rng.standard_normal(width) * 0.5)
    layers = [turns[j + 1] @ np.diag(sizes) @ turns[j].T for j in range(depth)]
    layers = [
        w + 10.0 ** rng.uniform(-4, -0.5) * rng.standard_normal(w.shape) for w in layers
    ]
    return layers, max(np.linalg.norm(d, 2) for d in gaps(layers))


@given(seed=SEEDS)
@settings(max_examples=300)
def test_no_layer_is_larger_than_map_and_imbalance_allow(seed):
    layers, delta = unbalanced(seed)
    depth, size = len(layers), np.linalg.norm(product(layers), 2)
    most = size ** (2 / depth) + 1.5 * (depth - 1) * delta
    assert max(np.linalg.norm(w, 2) for w in layers) ** 2 <= most * (1 + 1e-12)


@given(seed=SEEDS)
@settings(max_examples=300)
def test_products_of_nearly_balanced_layers_are_nearly_powers(seed):
    layers, delta = unbalanced(seed)
    m = max(np.linalg.norm(w, 2) for w in layers)
    for k in range(1, len(layers) + 1):
        room = k * (k - 1) / 2 * delta * m ** (2 * (k - 1)) * (1 + 1e-11) + 1e-11
        top, last = product(layers[-k:]), layers[-1] @ layers[-1].T
        away = top @ top.T - np.linalg.matrix_power(last, k)
        assert np.linalg.norm(away, 2) <= room
        low, first = product(layers[:k]), layers[0].T @ layers[0]
        away = low.T @ low - np.linalg.matrix_power(first, k)
        assert np.linalg.norm(away, 2) <= room


def near(seed):
    rng = np.random.default_rng(seed)
    while True:
        problem = draw_net(rng, deepest=4, widest=4, wide=True)
        layers = near_target(
            rng, problem, rng.uniform(0.6, 1.4), rng.choice([0, 1e-4, 1e-2, 0.05])
        )
        case = Case(problem, problem.check(layers))
        if all(fact.fact for fact in facts_of(case)):
            return rng, problem, layers


@given(seed=SEEDS)
@settings(max_examples=60)
def test_the_smallest_eigenvalue_is_never_overstated(seed):
    rng, problem, layers = near(seed)
    step = 10.0 ** rng.uniform(-4, -1)
    hull = hull_of(Case(problem, problem.check(layers), step))
    values = np.linalg.svd(jacobian(layers, problem), compute_uv=False)
    least = values[residual(layers, problem).size - 1] ** 2
    told = balls.bounds(hull.smallest(hull.numbers.start))[0]
    assert told <= least * (1 + 1e-10) + 1e-12 * values[0] ** 2


@given(seed=SEEDS)
@settings(max_examples=20)
def test_no_descent_breaks_what_its_start_was_promised(seed):
    rng, problem, layers = near(seed)
    certificate = tw.certify(Margin(), problem, layers)
    if certificate.safe_step is None:
        return
    step = certificate.safe_step * rng.choice([1, 0.5, 0.1])
    certificate = tw.certify(Margin(), problem, layers, step_size=step)
    assert certificate.verdict is Verdict.PROVED
    iterates = descend(layers, problem, step, int(min(certificate.promised + 5, 600)))
    found = losses(iterates, problem)
    promise = certificate.guarantee
    assert below(found, promise.bound_at(np.arange(found.size)), layers, problem)
    imbalance, sizes = (balls.bounds(kept.at_most)[1] for kept in promise.kept)
    for weights in iterates[::5]:
        assert (
            max((np.linalg.norm(d) for d in gaps(weights)), default=0.0)
            <= imbalance + 1e-12
        )
        assert max(np.linalg.norm(w, 2) for w in weights) <= sizes * (1 + 1e-12)


# Counts measured and certified from a balanced start at 0.9 of diag(2, 1), with the
# step a share of 1 / (N |Phi|^(2 - 2/N)).
@pytest.mark.parametrize(
    ("depth", "share", "true", "promised"),
    [(2, 0.5, 16, 20), (2, 0.01, 871, 1061), (3, 0.5, 21, 27), (3, 0.1, 109, 136)],
)
def test_the_table_of_counts(depth, share, true, promised):
    problem = tw.Problem(
        tw.LinearNet((2,) * (depth + 1)), tw.Moments.whitened(np.diag([2.0, 1.0]))
    )
    start = [np.diag(np.array([1.8, 0.9]) ** (1 / depth))] * depth
    step = share / (depth * 2.0 ** (2 - 2 / depth))
    certificate = tw.certify(Margin(), problem, start, step_size=step)
    found = losses(descend(start, problem, step, promised), problem)
    assert np.flatnonzero(found <= 1e-6)[0] == true
    assert certificate.promised == promised


@given(seed=SEEDS)
@settings(max_examples=4)
def test_the_flow_keeps_what_its_start_was_promised(seed):
    rng = np.random.default_rng(seed)
    problem = tw.Problem(
        tw.LinearNet((2, 2, 2, 2)), tw.Moments.whitened(np.diag([2.0, 1.0]))
    )
    start = problem.check(near_target(rng, problem, rng.uniform(0.7, 0.9), 1e-3))
    certificate = tw.certify("margin.MarginFlow", problem, start)
    assert certificate.verdict is Verdict.PROVED
    path = tw.flow(problem, start, times=[0.0, 0.1, 0.5, 1.0, 2.0])
    bound = certificate.guarantee.bound_at(path.times)
    assert np.all(path["excess_loss"] <= bound + 1e-9 * bound[0])
    time = certificate.guarantee.time_to(1e-3)
    late = tw.flow(problem, start, times=[0.0, time])
    assert late["excess_loss"][-1] <= 1e-3 * (1 + 1e-6)


def test_an_overshooting_descent_is_not_promised_anything():
    problem = tw.Problem(tw.LinearNet((2, 2, 2)), tw.Moments.whitened(np.eye(2)))
    start = [np.eye(2), 0.9 * np.eye(2)]
    step = 2.2
    assert (
        diverged(descend(start, problem, step, 400))
        or losses(descend(start, problem, step, 400), problem)[-1] > 1e-3
    )
    assert tw.certify(Margin(), problem, start, step_size=step).promised is None


@given(seed=SEEDS)
@example(seed=16026)  # one layer, far from its target
@settings(max_examples=30)
def test_rates_in_floats_are_those_in_balls_rounded_down(seed):
    rng, problem, layers = near(seed)
    hull = hull_of(Case(problem, problem.check(layers), 10.0 ** rng.uniform(-4, -1)))
    levels = hull.stairs.levels[::60]
    for level, rate in zip(levels, hull._rates(levels), strict=True):
        exact = hull.smallest(balls.scalar(float(level)))
        assert rate <= exact
        assert rate >= float(exact.mid()) * (1 - 1e-10) - 1e-10
