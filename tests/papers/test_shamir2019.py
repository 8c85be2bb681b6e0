"""Slow chains, against plain loops, with growth and chance measured."""

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import thalweg as tw
from thalweg._core.errors import DomainError
from thalweg.linalg import balls
from thalweg.theorems._base import Case, Verdict

SEEDS = st.integers(0, 2**32 - 1)
FEW = settings(max_examples=20)


def certify(name, x, step=None):
    return tw.certify(f"shamir2019.{name}", tw.Playground(len(x)), x, step_size=step)


def run(x, step, iterations):
    path = [np.asarray(x, dtype=float)]
    for _ in range(iterations):
        p = np.prod(path[-1])
        others = np.array([np.prod(np.delete(path[-1], k)) for k in range(len(x))])
        path.append(path[-1] - step * (p - 1) * others)
    return 0.5 * (np.prod(path, axis=1) - 1) ** 2, np.array(path)


KINDS = {
    "gaussian": lambda rng, depth: rng.standard_normal(depth),
    "nearly one": lambda rng, depth: rng.uniform(0.7, 0.95, depth),
    "mixed signs": lambda rng, depth: (
        rng.uniform(0.5, 0.95, depth) * rng.choice([-1, 1], depth)
    ),
    "with a zero": lambda rng, depth: np.append(rng.standard_normal(depth - 1), 0.0),
}


@pytest.mark.parametrize("kind", KINDS)
@given(seed=SEEDS, depth=st.sampled_from([3, 8, 20]), power=st.floats(0, 3))
@FEW
def test_no_chain_is_quicker_than_promised(kind, seed, depth, power):
    x = KINDS[kind](np.random.default_rng(seed), depth)
    safe = certify("SlowChain", x).safe_step
    step = safe / 10.0**power
    certificate = certify("SlowChain", x, step)
    if certificate.verdict is not Verdict.PROVED:
        return
    promise = certificate.guarantee
    count = balls.bounds(promise.values["iterations"])[0]
    assert count >= 1
    losses, path = run(x, step, int(min(count, 120)))
    clock = np.arange(losses.size)
    lower = promise.lower(clock)
    assert np.all(losses >= lower * (1 - 1e-12))
    assert np.all(lower >= balls.bounds(promise.values["loss"])[0] * (1 - 1e-12))
    assert lower[0] <= losses[0]
    product = balls.bounds(promise.values["product"])[1]
    assert np.all(np.abs(np.prod(path, axis=1)) <= product)


def test_a_negative_product_far_from_zero_keeps_its_sign_for_the_time_said():
    x = [-0.7] + [0.7] * 29
    promise = certify("SlowChain", x, 0.1).guarantee
    early = promise.lower(np.array([0.0, 100.0]))
    assert np.all(early > 0.5)
    assert np.all(run(x, 0.1, 100)[0] >= early[1])


def test_after_the_time_said_nothing_is_claimed():
    certificate = certify("SlowChain", [0.5] * 4, 0.1)
    count = balls.bounds(certificate.guarantee.values["iterations"])[1]
    assert certificate.guarantee.lower(np.array([count + 1]))[0] == 0
    # And rightly so: this chain does converge.
    assert run([0.5] * 4, 0.1, 200)[0][-1] < 1e-6


def iterations(x, step):
    values = certify("SlowChain", x, step).guarantee.values
    return float(values["iterations"].mid())


@pytest.mark.parametrize("kind", ["gaussian", "mixed signs"])
def test_the_time_grows_exponentially_with_the_depth(kind):
    depths = [20, 40, 80]
    logs = []
    for depth in depths:
        draws = [KINDS[kind](np.random.default_rng(seed), depth) for seed in range(5)]
        logs.append(np.median([np.log(iterations(x, 1e-3)) for x in draws]))
    rates = np.diff(logs) / np.diff(depths)
    assert np.all(rates > 0.15)
    # Not faster than the product falls: e^(0.64 d) for Gaussian factors.
    assert np.all(rates < 1.0)


def test_equal_factors_are_stuck_for_as_long_as_their_product_says():
    # 0.8^k: the neighbourhood costs less than half of the exponent.
    times = [np.log(iterations([0.8] * depth, 1.0)) for depth in (60, 120)]
    rate = (times[1] - times[0]) / 60
    assert 0.5 * np.log(1 / 0.8) <= rate <= np.log(1 / 0.8)


def draw(depth, step, **fields):
    theorem = tw.theorem("shamir2019.SlowDraw", **fields)
    toy = tw.Playground(depth)
    return theorem, Case(toy, None, step), tw.certify(theorem, toy, step_size=step)


@pytest.mark.parametrize(
    ("depth", "step", "failure"), [(60, 3e-4, 0.05), (40, 1e-7, 0.2), (100, 2.0, 0.05)]
)
def test_draws_are_stuck_as_often_as_promised(depth, step, failure):
    theorem, case, certificate = draw(depth, step, failure=failure)
    assert certificate.verdict is Verdict.PROVED
    assert certificate.probability == pytest.approx(1 - failure)
    came_true = sum(theorem.succeeds(case, seed) for seed in range(200))
    # Four standard errors below the promise.
    assert came_true >= 200 * (1 - failure) - 4 * np.sqrt(200 * failure * (1 - failure))


def test_the_mean_root_of_a_normal_number_is_the_one_used():
    # E |x|^(1/2) by quadrature; the rest of the promise follows by hand.
    depth, failure = 100, 0.05
    _, _, certificate = draw(depth, 1.0, failure=failure)
    with mpmath.workdps(30):
        mean = mpmath.quad(
            lambda t: mpmath.sqrt(2 * t / mpmath.pi) * mpmath.exp(-t * t / 2),
            [0, 1, mpmath.inf],
        )
        size = mpmath.mpf(1.644) / (depth - 2)
        product = (mean + size) ** (2 * depth) / mpmath.mpf(failure) ** 2
        count = mpmath.floor(size**4 / (product * (1 + product)))
        loss = (1 - product) ** 2 / 2
    values = certificate.guarantee.values
    assert float(values["iterations"].mid()) == float(count)
    assert float(values["loss"].mid()) == pytest.approx(float(loss), rel=1e-14)


def test_drawn_chains_are_stuck_exponentially_long():
    logs = []
    for depth in (100, 200, 400):
        values = draw(depth, 1e-3)[2].guarantee.values
        logs.append(float(balls.log(values["iterations"]).mid()))
    assert logs[1] - logs[0] >= 25
    assert logs[2] - logs[1] >= 60


@pytest.mark.parametrize(
    ("name", "fields"),
    [("SlowChain", {"ceiling": 1.0}), ("SlowDraw", {"failure": 0.0})],
)
def test_a_share_out_of_range_is_refused(name, fields):
    with pytest.raises(DomainError, match="above 0 and below 1"):
        tw.theorem(f"shamir2019.{name}", **fields)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_chains_of_which_nothing_is_promised_can_be_drawn_all_the_same(depth):
    found = tw.monte_carlo("shamir2019.SlowDraw", tw.Playground(depth), draws=3)
    assert found.promised is None
