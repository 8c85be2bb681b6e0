"""The step that comes to rest: what every step lowers, and what stays bounded."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import thalweg as tw
from papers.descents import descend, draw_net, gaussian, gradients, losses
from thalweg.linalg import balls
from thalweg.theorems._base import Verdict
from thalweg.theorems._steps import safe_step
from thalweg.theorems.critical import CriticalPoint

SEEDS = st.integers(0, 2**32 - 1)


@given(seed=SEEDS)
@settings(max_examples=25)
def test_every_step_lowers_the_loss_as_promised_and_nothing_grows(seed):
    rng = np.random.default_rng(seed)
    problem = draw_net(rng)
    layers = gaussian(rng, problem, rng.uniform(0.1, 2))
    certificate = tw.certify(CriticalPoint(), problem, layers)
    if not certificate.applies:
        return
    step = certificate.safe_step * rng.choice([1, 0.3])
    promise = tw.certify(CriticalPoint(), problem, layers, step_size=step).guarantee
    share = balls.bounds(promise.values["share b"])[0]
    imbalance, size, _ = (balls.bounds(kept.at_most)[1] for kept in promise.kept)
    iterates = descend(layers, problem, step, 40)
    found = losses(iterates, problem)
    for t in range(40):
        slope = sum(np.sum(g**2) for g in gradients(iterates[t], problem))
        assert found[t + 1] <= found[t] - step * share * slope + 1e-12 * found[0]
        assert max(np.linalg.norm(w, 2) for w in iterates[t]) <= size * (1 + 1e-12)
        pairs = zip(iterates[t], iterates[t][1:], strict=False)
        gaps = [np.linalg.norm(b.T @ b - a @ a.T) for a, b in pairs]
        assert max(gaps, default=0.0) <= imbalance * (1 + 1e-12) + 1e-13


def test_a_start_of_rank_zero_comes_to_rest_at_once():
    problem = tw.Problem(tw.LinearNet((2, 2, 2)), tw.Moments.whitened(np.eye(2)))
    certificate = tw.certify(CriticalPoint(), problem, [np.zeros((2, 2))] * 2)
    assert certificate.verdict is Verdict.PROVED
    assert certificate.safe_step > 0.1


@pytest.mark.parametrize("seed", range(4))
def test_the_safe_step_is_the_largest_that_a_theorem_allows(seed):
    rng = np.random.default_rng(seed)
    problem = tw.Problem(
        tw.LinearNet((2, 3, 2)), tw.Moments.whitened(np.diag([2.0, 1.0]))
    )
    start = gaussian(rng, problem, 1.2)
    found = safe_step(problem, start)
    assert found.step_size > 0
    converging = [one for one in found.allowed if one.promised is not None]
    resting = [one for one in found.allowed if one.promised is None]
    assert found.allowed == (*converging, *resting)
    for group in (converging, resting):
        sizes = [one.step_size for one in group]
        assert sizes == sorted(sizes, reverse=True)
    for one in found.allowed:
        told = tw.certify(one.theorem, problem, start, step_size=one.step_size)
        assert told.verdict is Verdict.PROVED
    assert found.to_json()["theorem"] == found.theorem
    assert found.lines()[0].startswith("step ")


def test_where_nothing_is_allowed_the_safe_step_says_so():
    data = tw.Moments.from_data(np.ones((2, 3)), np.ones((2, 1)))
    problem = tw.Problem(tw.LinearNet((3, 2, 1)), data)
    found = safe_step(problem, [np.zeros((2, 3)), np.zeros((1, 2))])
    assert found.step_size is None
    assert found.theorem is None
    assert "no theorem allows" in found.lines()[0]
