"""The cheapest order of a chain's products, and the gradient in that order."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import net_oracles
import thalweg as tw
from thalweg.linalg.association import cheapest_splits, multiplications

SIZES = st.lists(st.integers(1, 50), min_size=2, max_size=8).map(tuple)


def brute_force(sizes):
    """The fewest multiplications over every way to set the brackets."""

    def all_costs(first, last):
        if first == last:
            return [0]
        return [
            low + high + sizes[first] * sizes[mid + 1] * sizes[last + 1]
            for mid in range(first, last)
            for low in all_costs(first, mid)
            for high in all_costs(mid + 1, last)
        ]

    return min(all_costs(0, len(sizes) - 2))


@given(sizes=SIZES)
def test_no_bracketing_is_cheaper(sizes):
    assert multiplications(sizes) == brute_force(sizes)


@given(sizes=SIZES)
def test_the_splits_bracket_the_whole_chain(sizes):
    splits, last = cheapest_splits(sizes), len(sizes) - 2
    assert len(splits) == last

    def factors(first, last):
        if first == last:
            return [first]
        mid = splits[first, last]
        return [*factors(first, mid), *factors(mid + 1, last)]

    assert factors(0, last) == list(range(last + 1))


def test_a_bottleneck_is_met_from_both_sides():
    assert multiplications((100, 50, 2, 50, 100)) == 2 * 100 * 50 * 2 + 100 * 2 * 100


@given(sizes=SIZES)
def test_a_chain_costs_the_same_from_either_end(sizes):
    assert multiplications(sizes) == multiplications(sizes[::-1])


@functools.cache
def flops(widths):
    """What XLA counts for one gradient."""
    problem = tw.Problem(
        tw.LinearNet(widths), tw.Moments.whitened(np.ones((widths[-1], widths[0])))
    )
    weights = tuple(jnp.ones(shape) for shape in problem.net.shapes)
    compiled = jax.jit(lambda w: problem.gradient(w)).lower(weights).compile()
    return compiled.cost_analysis()["flops"]


def test_one_output_makes_the_gradient_quadratic_in_the_width():
    # Three passes of a vector through the layers and an outer product for each:
    # at most 3 multiply-adds a weight, and a few operations a neuron.
    weights = 128 * 32 + 32 * 32 + 32
    assert flops((128, 32, 32, 1)) <= 2 * 3 * weights + 20 * (128 + 32 + 32)


def test_doubling_the_widths_costs_four_times_not_eight():
    assert flops((128, 64, 64, 1)) < 4.2 * flops((64, 32, 32, 1))


@pytest.mark.parametrize(
    "widths", [(3, 4, 2), (6, 1, 6), (1, 5, 5, 1), (7, 2, 3, 2, 7), (2, 3)]
)
def test_the_gradient_is_the_same_in_every_order(widths):
    rng = np.random.default_rng(0)
    goal = rng.integers(-3, 4, (widths[-1], widths[0])).astype(float)
    problem = tw.Problem(tw.LinearNet(widths), tw.Moments.whitened(goal))
    weights = [rng.integers(-2, 3, s).astype(float) for s in problem.net.shapes]
    wanted = net_oracles.exact_gradient(weights, np.eye(widths[0]), goal)
    slopes = problem.gradient(tuple(map(jnp.asarray, weights)))
    for found, exact in zip(slopes, wanted, strict=True):
        assert found.tolist() == [[float(x) for x in row] for row in exact]
