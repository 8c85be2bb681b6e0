"""The lecture's playground against its closed forms in exact arithmetic."""

import itertools
from fractions import Fraction
from math import prod

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import thalweg as tw
from thalweg._core.errors import DataError, DomainError, ShapeError
from tolerances import close, is_a_sentence

POINTS = st.lists(st.integers(-4, 4), min_size=1, max_size=4)


def product_without(x, *left_out):
    return prod(
        (value for k, value in enumerate(x) if k not in left_out), start=Fraction(1)
    )


def point(values):
    return jnp.asarray(values, dtype=float)


@given(x=POINTS)
def test_the_loss_is_half_the_squared_gap(x):
    found = float(tw.Playground(len(x)).loss(point(x)))
    assert Fraction(found) == Fraction(prod(x) - 1) ** 2 / 2


@given(x=POINTS)
def test_the_gradient_is_exact_zeros_included(x):
    found = tw.Playground(len(x)).gradient(point(x)).tolist()
    assert found == [
        float((prod(x) - 1) * product_without(x, i)) for i in range(len(x))
    ]


@given(x=POINTS)
def test_the_hessian_is_exact_zeros_included(x):
    found = tw.Playground(len(x)).hessian(point(x))
    for i, j in itertools.product(range(len(x)), repeat=2):
        pair = 2 * product_without(x, i) * product_without(x, j)
        wanted = pair / 2 if i == j else pair - product_without(x, i, j)
        assert float(found[i, j]) == float(wanted)


@given(x=POINTS, seed=st.integers(0, 99))
def test_the_hessian_vector_product_is_that_of_the_hessian(x, seed):
    toy = tw.Playground(len(x))
    direction = np.random.default_rng(seed).integers(-3, 4, len(x)).astype(float)
    found = toy.hessian_vector(point(x), jnp.asarray(direction))
    np.testing.assert_array_equal(found, np.asarray(toy.hessian(point(x))) @ direction)


def test_the_check_of_the_mathematics_prints_as_given():
    # MATH A.1.
    toy, x = tw.Playground(3), point([0.5, 1.2, 0.8])
    close(toy.loss(x), 0.1352, ulps=8, scale=1.0)
    close(toy.gradient(x), [-0.4992, -0.208, -0.312], ulps=8, scale=1.0)
    wanted = [[0.9216, -0.032, -0.048], [-0.032, 0.16, -0.02], [-0.048, -0.02, 0.36]]
    close(toy.hessian(x), wanted, ulps=8, scale=1.0)
    dense = np.asarray(toy.hessian(x))
    assert np.linalg.norm(dense, 2) == pytest.approx(0.926863288, abs=5e-10)
    assert np.linalg.norm(dense) == pytest.approx(1.005983380, abs=5e-10)


@pytest.mark.parametrize("depth", [2, 3, 5])
def test_the_hessian_of_a_saddle_with_many_zeros_vanishes(depth):
    dense = tw.Playground(depth).hessian(jnp.zeros(depth))
    wanted = (
        -np.array([[0.0, 1.0], [1.0, 0.0]]) if depth == 2 else np.zeros((depth,) * 2)
    )
    np.testing.assert_array_equal(dense, wanted)


@given(seed=st.integers(0, 2**32 - 1), depth=st.sampled_from([2, 3, 4]))
def test_the_hessian_bound_of_the_lecture_holds(seed, depth):
    # MATH A.4: |H|_F <= 3 d c^2 for a positive c-balanced point of product <= 1.
    x = np.exp(np.random.default_rng(seed).standard_normal(depth))
    x = x / max(1, np.prod(x) ** (1 / depth))
    dense = np.asarray(tw.Playground(depth).hessian(point(x)))
    assert np.linalg.norm(dense) <= 3 * depth * (x.max() / x.min()) ** 2 * (1 + 1e-12)


@given(seed=st.integers(0, 2**32 - 1), depth=st.sampled_from([2, 3, 4]))
def test_a_safe_step_never_overshoots_nor_unbalances(seed, depth):
    # MATH A.2 and A.4.
    x = np.exp(np.random.default_rng(seed).standard_normal(depth))
    x = x / max(1.01, np.prod(x) ** (1 / depth) * 1.01)
    spread = x.max() / x.min()
    after = x - np.asarray(tw.Playground(depth).gradient(point(x))) / (
        3 * depth * spread**2
    )
    assert np.all(after >= x)
    assert np.prod(after) <= 1
    assert after.max() / after.min() <= spread * (1 + 1e-14)


def test_many_points_are_read_at_once():
    toy, points = tw.Playground(4), np.random.default_rng(0).uniform(-2, 2, (500, 4))
    found = jax.vmap(toy.gradient)(point(points))
    whole = np.prod(points, axis=1, keepdims=True)
    close(found, (whole - 1) * whole / points, ulps=4096, scale=16.0)


def test_large_factors_do_not_overflow_where_the_gradient_does_not():
    found = tw.Playground(3).gradient(point([1e200, 1e-200, 1.0]))
    assert np.all(np.isfinite(found))


def test_a_playground_looks_like_a_problem():
    toy = tw.Playground(3)
    assert toy.net.widths == (1, 1, 1, 1)
    assert [w.shape for w in toy.chain(point([1.0, 2, 3]))] == [(1, 1)] * 3
    assert float(toy.floor) == float(toy.infimum) == 0
    assert toy.target.tolist() == [[1.0]]
    assert float(toy.excess_loss(point([1, 2, 3]))) == float(toy.loss(point([1, 2, 3])))


@pytest.mark.parametrize(
    "weights", [[2.0, 3.0], (2, 3), np.array([2.0, 3.0]), ([[2.0]], [[3.0]])]
)
def test_a_start_may_come_in_any_form(weights):
    assert tw.Playground(2).check(weights).tolist() == [2.0, 3.0]


@pytest.mark.parametrize("weights", [[1.0], [1.0, 2.0, 3.0], [], 1.0])
def test_a_start_of_another_depth_is_refused(weights):
    with pytest.raises(ShapeError, match="of depth 2 needs 2 numbers") as caught:
        tw.Playground(2).check(weights)
    assert is_a_sentence(caught.value)


def test_a_start_holds_finite_numbers():
    with pytest.raises(DataError, match="1 entries that are NaN"):
        tw.Playground(2).check([1.0, float("nan")])


@pytest.mark.parametrize("depth", [0, -1])
def test_a_playground_has_at_least_one_factor(depth):
    with pytest.raises(
        DomainError, match=f"depth is {depth}; it must be a whole number >= 1"
    ):
        tw.Playground(depth)
