"""Gauss-Newton spectra against the dense part and the balanced formula."""

import numpy as np
import pytest

from thalweg._core.errors import DomainError
from thalweg.landscape.gauss_newton_spectrum import (
    balanced_gauss_newton,
    gauss_newton_spectrum,
)
from thalweg.landscape.hessian import gauss_newton
from thalweg.landscape.spectrum import hessian_spectrum
from thalweg.linalg.chain import balanced_factors
from thalweg.problem.moments import Moments
from thalweg.problem.nets import LinearNet
from thalweg.problem.problem import Problem
from thalweg.problem.scalar import Playground
from tolerances import close

WIDTHS = [(4, 3), (4, 5, 3), (4, 3, 5, 2, 4), (3, 3, 3, 3), (1, 2, 1), (2, 7, 6)]


def posed(widths, seed=0):
    random = np.random.default_rng(seed)
    target = random.standard_normal((widths[-1], widths[0]))
    shapes = zip(widths[1:], widths, strict=False)
    weights = tuple(random.standard_normal(shape) for shape in shapes)
    return Problem(LinearNet(widths), Moments.whitened(target)), weights


def dense(problem, weights):
    return np.linalg.eigvalsh(gauss_newton(problem, weights))[::-1]


@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize("balanced", [True, False])
def test_it_is_the_dense_spectrum(widths, balanced):
    problem, weights = posed(widths)
    if balanced:
        weights = balanced_factors(problem.target, widths)
    found = gauss_newton_spectrum(problem, weights)
    expected = dense(problem, weights)
    assert found.values.shape == expected.shape
    assert np.abs(found.values - expected).max() <= 2 * found.tolerance
    close(found.trace, expected.sum(), ulps=200, scale=expected.sum())
    if balanced:
        assert found.method == "commuting"


@pytest.mark.parametrize("widths", WIDTHS)
def test_a_balanced_point_needs_its_singular_values_only(widths):
    problem, _ = posed(widths, seed=1)
    weights = balanced_factors(problem.target, widths)
    values = np.linalg.svd(np.asarray(problem.target), compute_uv=False)
    found = balanced_gauss_newton(values[: min(widths)], widths)
    size = problem.net.parameters
    whole = np.concatenate([found, np.zeros(max(0, size - len(found)))])
    gap = np.abs(np.sort(whole)[::-1][:size] - dense(problem, weights))
    assert gap.max() <= 2 * gauss_newton_spectrum(problem, weights).tolerance


@pytest.mark.parametrize(("strength", "depth"), [(2.0, 4), (3.0, 2), (0.5, 7)])
def test_saxe2014_appendix_b_the_sharpest_minimum(strength, depth):
    widths = (2,) * (depth + 1)
    found = balanced_gauss_newton([strength, strength / 2], widths)
    expected = depth * strength ** (2 - 2 / depth)
    close(found[0], expected, ulps=8, scale=expected)


def test_it_is_the_hessians_where_the_error_is_zero():
    problem, _ = posed((3, 4, 3))
    weights = balanced_factors(problem.target, (3, 4, 3))
    full = hessian_spectrum(problem, weights)
    found = gauss_newton_spectrum(problem, weights)
    assert np.abs(found.values - full.values).max() <= full.tolerance
    assert (found.positive, found.zero, found.negative) == (9, 15, 0)
    assert full.positive == 9


def test_unwhitened_data_are_welcome():
    random = np.random.default_rng(0)
    inputs = random.standard_normal((40, 4)) * [3.0, 1.0, 0.2, 1.0]
    data = Moments.from_data(inputs, random.standard_normal((40, 2)))
    problem = Problem(LinearNet((4, 3, 2)), data)
    weights = random.standard_normal((3, 4)), random.standard_normal((2, 3))
    found = gauss_newton_spectrum(problem, weights)
    gap = np.abs(found.values - dense(problem, weights)).max()
    assert gap <= 2 * found.tolerance


def test_a_chain_that_vanishes_up_to_rounding_is_no_trouble():
    """Products of which nothing but rounding is left must not choose the basis."""
    random = np.random.default_rng(3)
    turns = [np.linalg.qr(random.standard_normal((3, 3)))[0] for _ in range(4)]
    cores = [np.diag(x) for x in ([2.0, 0, 0], [0, 1.0, 1.0], [1.0, 1.0, 3.0])]
    weights = tuple(turns[j + 1] @ cores[j] @ turns[j].T for j in range(3))
    problem, _ = posed((3, 3, 3, 3))
    found = gauss_newton_spectrum(problem, weights)
    assert found.method == "commuting"
    assert np.abs(found.values - dense(problem, weights)).max() <= 2 * found.tolerance


def test_a_wide_output_needs_no_large_matrix():
    widths = (60, 60, 60)
    problem = Problem(LinearNet(widths), Moments.whitened(np.diag(np.arange(60.0))))
    weights = balanced_factors(problem.target, widths)
    found = gauss_newton_spectrum(problem, weights, memory=1e-3)
    expected = balanced_gauss_newton(np.arange(60.0)[::-1], widths)
    close(found.values[:3600], expected, ulps=7200, scale=expected[0])


def test_the_playground_has_one_value():
    x = np.array([0.5, 2.0, 3.0])
    found = gauss_newton_spectrum(Playground(3), x)
    close(found.values, [36 + 2.25 + 1.0, 0.0, 0.0], ulps=16, scale=39.25)


def test_what_does_not_fit_is_refused():
    with pytest.raises(DomainError, match="at most 2 numbers >= 0"):
        balanced_gauss_newton([3.0, 2.0, 1.0], (3, 2, 3))
    with pytest.raises(DomainError, match="at most 3 numbers >= 0"):
        balanced_gauss_newton([-1.0], (3, 3))
    problem, weights = posed((8, 8, 8, 8))
    with pytest.raises(DomainError, match="64 weights takes"):
        gauss_newton_spectrum(problem, weights, memory=1e-6)
