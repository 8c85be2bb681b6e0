"""Monte Carlo of promises about chance."""

import jax.numpy as jnp
import pytest
from scipy.stats import beta

import thalweg as tw
from thalweg._core.errors import DomainError

WIDE = tw.Problem(
    tw.LinearNet((100, 4, 1)), tw.Moments.whitened(jnp.zeros((1, 100)).at[0, 0].set(1))
)


def test_the_interval_is_that_of_clopper_and_pearson():
    found = tw.monte_carlo("arora2019.RandomBalancedStart", WIDE, draws=60, seed=3)
    k, n, rest = found.successes, found.draws, 1 - found.confidence
    assert 0 < k < n
    assert found.low == pytest.approx(beta.ppf(rest / 2, k, n - k + 1), rel=1e-9)
    assert found.high == pytest.approx(beta.ppf(1 - rest / 2, k + 1, n - k), rel=1e-9)


def test_the_promise_of_theorem_2_comes_true_often_enough():
    found = tw.monte_carlo("arora2019.RandomBalancedStart", WIDE, draws=200)
    assert 0.25 < found.promised < 0.28
    assert not found.contradicts
    assert "200 draws" in found.line()


def test_draws_are_replayed_from_their_seed():
    one, two = (
        tw.monte_carlo("arora2019.RandomBalancedStart", WIDE, draws=20, seed=5)
        for _ in range(2)
    )
    assert one == two


def test_a_theorem_without_chance_is_refused():
    with pytest.raises(DomainError, match="chance"):
        tw.monte_carlo("chitour2023.Invariance", WIDE, draws=3)


@pytest.mark.parametrize("wrong", [{"draws": 0}, {"seed": -1}, {"confidence": 1.0}])
def test_a_number_out_of_its_domain_is_refused(wrong):
    with pytest.raises(DomainError):
        tw.monte_carlo("arora2019.RandomBalancedStart", WIDE, **wrong)
