"""Divergence: descents that leave, held against plain loops and long numbers."""

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import thalweg as tw
from papers.descents import descend, losses
from thalweg.theorems._base import Verdict

SEEDS = st.integers(0, 2**32 - 1)


def exact_losses(factors, target, step, count):
    """Losses of one mode in 60 digits."""
    found = []
    with mpmath.workdps(60):
        x, eta, goal = (
            [mpmath.mpf(v) for v in factors],
            mpmath.mpf(step),
            mpmath.mpf(target),
        )
        for _ in range(count):
            p = mpmath.fprod(x)
            found.append((p - goal) ** 2 / 2)
            x = [v - eta * (p - goal) * p / v for v in x]
    return found


@given(seed=SEEDS, depth=st.integers(2, 5))
@settings(max_examples=60)
def test_a_mode_that_is_said_to_leave_leaves_as_fast_as_promised(seed, depth):
    rng = np.random.default_rng(seed)
    x = rng.uniform(0.5, 3, depth) * rng.choice([-1, 1], depth)
    step, toy = float(rng.uniform(0.01, 2)), tw.Playground(depth)
    certificate = tw.certify("divergence.Divergence", toy, x, step_size=step)
    true = exact_losses(x.tolist(), 1.0, step, 6)
    if certificate.verdict is Verdict.PROVED:
        told = certificate.guarantee.lower(np.arange(6.0))
        assert all(a >= mpmath.mpf(b) for a, b in zip(true, told, strict=True))
        assert all(a >= mpmath.mpf(certificate.floor) for a in true)
        assert true[-1] > true[0]
    else:
        assert certificate.verdict is Verdict.REFUTED


@pytest.mark.parametrize("size", [2.2, 3.0, -3.0])
def test_a_diagonal_net_leaves_too(size):
    goal = np.diag([1.0, 2.0, 0.3])[:, :2]
    problem = tw.Problem(tw.LinearNet((2, 3, 3)), tw.Moments.whitened(goal))
    start = [size * np.eye(3)[:, :2], 2.2 * np.eye(3)]
    certificate = tw.certify("divergence.Divergence", problem, start, step_size=0.7)
    assert certificate.verdict is Verdict.PROVED
    true = losses(descend(start, problem, 0.7, 4)[:4], problem)
    assert np.all(true >= certificate.guarantee.lower(np.arange(true.size)))


@given(seed=SEEDS)
@settings(max_examples=40)
def test_one_layer_whose_first_step_fails_fails_for_ever(seed):
    rng = np.random.default_rng(seed)
    data = tw.Moments.from_data(
        rng.standard_normal((9, 3)), rng.standard_normal((9, 2))
    )
    problem = tw.Problem(tw.LinearNet((3, 2)), data)
    start = [rng.standard_normal((2, 3))]
    step = float(rng.uniform(0.2, 3))
    certificate = tw.certify(
        "divergence.OneLayerDivergence", problem, start, step_size=step
    )
    true = losses(descend(start, problem, step, 20), problem)
    assert (certificate.verdict is Verdict.PROVED) == (true[1] > true[0])
    if certificate.verdict is Verdict.PROVED:
        told = certificate.guarantee.lower(np.arange(true.size))
        assert np.all(true >= told * (1 - 1e-9))
        assert told[0] == pytest.approx(true[0], rel=1e-9)
