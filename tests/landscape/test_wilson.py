"""Intervals of shares, beside SciPy's and the formula's own equation."""

import numpy as np
import pytest
from scipy.stats import binom, binomtest, norm

from thalweg._core.errors import DomainError
from thalweg.landscape.wilson import wilson

COUNTS = [(0, 1), (1, 1), (0, 10), (8, 10), (3, 1000), (999, 1000), (50_000, 10**7)]


@pytest.mark.parametrize(("successes", "runs"), COUNTS)
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.999])
def test_the_interval_is_scipys(successes, runs, confidence):
    found = wilson(successes, runs, confidence)
    truth = binomtest(successes, runs).proportion_ci(confidence, method="wilson")
    # Both ends are roots of one quadratic: a few roundings of numbers below one.
    assert abs(found.low - truth.low) <= 1e-15
    assert abs(found.high - truth.high) <= 1e-15


@pytest.mark.parametrize(("successes", "runs"), [(8, 10), (3, 1000), (50_000, 10**7)])
def test_the_ends_are_z_standard_errors_away(successes, runs):
    found, z = wilson(successes, runs), norm.ppf(0.975)
    for p in (found.low, found.high):
        gap = abs(successes / runs - p)
        assert gap == pytest.approx(z * (p * (1 - p) / runs) ** 0.5, rel=1e-7)


@pytest.mark.parametrize(("successes", "runs"), COUNTS)
def test_the_upper_bound_is_where_so_few_become_rare(successes, runs):
    bound = wilson(successes, runs).at_most
    if successes == runs:
        assert bound == 1.0
    else:
        assert binom.cdf(successes, runs, bound) == pytest.approx(0.05, rel=1e-9)


@pytest.mark.parametrize("runs", [1, 100, 10**7])
def test_no_success_gives_the_rule_of_three(runs):
    bound = wilson(0, runs).at_most
    assert bound == pytest.approx(-np.expm1(np.log(0.05) / runs), rel=1e-9)
    assert bound <= 3 / runs


def test_none_and_all_reach_the_ends():
    assert wilson(0, 7).low == 0.0
    assert wilson(7, 7).high == 1.0


def test_words_tell_a_bound_where_there_is_no_success():
    assert str(wilson(0, 1000)) == "0 of 1000, at most 0.003"
    assert str(wilson(8, 10)) == "8 of 10, 0.4902 to 0.9433"
    assert str(wilson(10**6, 10**6)) == "1000000 of 1000000, 0.9999962 to 1"
    assert wilson(8, 10).to_json()["successes"] == 8


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ((3, 2), "successes is 3; it must be at most runs = 2"),
        ((0, 0), "runs is 0; it must be a whole number >= 1"),
        ((1, 2, 1.0), "confidence is 1.0; it must be above 0 and below 1"),
    ],
)
def test_counts_out_of_their_domain_are_refused(given, words):
    with pytest.raises(DomainError, match=words):
        wilson(*given)
