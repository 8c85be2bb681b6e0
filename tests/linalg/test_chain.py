"""A chain's products, invariants and balanced factors, and spectra of matrices."""

import functools
import itertools

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import net_oracles
import thalweg as tw
from thalweg._core.errors import DomainError, ShapeError
from thalweg.linalg import balls, enclose
from thalweg.linalg.chain import balanced_factors, check_chain, rotated
from thalweg.linalg.spectra import effective_rank, numerical_rank, singular_values
from tolerances import close, is_a_sentence, norms

WIDTHS = st.sampled_from([(3, 3, 3), (2, 5, 4, 3), (4, 2, 4), (1, 1, 1, 1, 1)])
SEEDS = st.integers(0, 2**32 - 1)
SCALES = st.integers(-8, 8)


def chain(seed, widths, power=0):
    draw = np.random.default_rng(seed).standard_normal
    shapes = zip(widths[1:], widths[:-1], strict=True)
    return tuple(10.0**power * draw(shape) for shape in shapes)


@given(seed=SEEDS, widths=WIDTHS, power=SCALES)
def test_the_product_is_that_of_numpy(seed, widths, power):
    weights = chain(seed, widths, power)
    wanted = functools.reduce(lambda below, above: above @ below, weights)
    close(tw.end_to_end(weights), wanted, ulps=4 * len(weights), scale=norms(weights))


@given(seed=SEEDS, widths=WIDTHS)
def test_a_segment_splits_anywhere(seed, widths):
    weights, depth = chain(seed, widths), len(widths) - 1
    for first, last in itertools.combinations_with_replacement(range(1, depth + 1), 2):
        for split in range(first, last):
            high, low = (
                tw.segment(weights, split + 1, last),
                tw.segment(weights, first, split),
            )
            scale = norms(weights[first - 1 : last])
            close(
                tw.segment(weights, first, last),
                high @ low,
                ulps=4 * depth,
                scale=scale,
            )


def test_integers_multiply_exactly():
    weights = [np.arange(6.0).reshape(3, 2), np.arange(12.0).reshape(4, 3)]
    exact = net_oracles.exact_product(*map(net_oracles.exact, weights[::-1]))
    assert tw.end_to_end(weights).tolist() == [[float(x) for x in row] for row in exact]


@pytest.mark.parametrize(("first", "last"), [(0, 1), (2, 1), (1, 3), (3, 3), (-1, 2)])
def test_a_segment_outside_the_chain_is_refused(first, last):
    with pytest.raises(
        IndexError, match=r"of a chain of depth 2; the range must satisfy"
    ):
        tw.segment(chain(0, (2, 2, 2)), first, last)


@pytest.mark.parametrize(
    ("shapes", "says"),
    [
        ([], "the chain has no layers"),
        ([(2, 3), (4, 5)], "layer 2 has shape (4, 5) but layer 1 puts out 2 numbers"),
        ([(2, 3), (4,)], "layer 2 has shape (4,); a layer is a matrix"),
        ([(2, 3, 4)], "layer 1 has shape (2, 3, 4); a layer is a matrix"),
    ],
)
def test_shapes_that_do_not_chain_are_refused(shapes, says):
    with pytest.raises(ShapeError) as caught:
        check_chain(shapes)
    assert str(caught.value).startswith(says)
    assert is_a_sentence(caught.value)


def test_the_shape_message_is_that_of_the_style_guide():
    with pytest.raises(ShapeError, match="its second size must be 3") as caught:
        tw.end_to_end([np.ones((3, 2)), np.ones((4, 5))])
    assert str(caught.value) == (
        "layer 2 has shape (4, 5) but layer 1 puts out 3 numbers; "
        "its second size must be 3."
    )


@given(seed=SEEDS, widths=WIDTHS, power=SCALES)
def test_invariants_are_symmetric_differences_of_gram_matrices(seed, widths, power):
    weights = chain(seed, widths, power)
    found = tw.invariants(weights)
    assert len(found) == len(weights) - 1
    for gap, below, above in zip(found, weights[:-1], weights[1:], strict=True):
        scale = np.sum(below**2) + np.sum(above**2)
        close(gap, above.T @ above - below @ below.T, ulps=16, scale=scale)
        close(gap, gap.T, ulps=16, scale=scale)


@given(seed=SEEDS, widths=WIDTHS)
def test_transposing_the_whole_net_turns_the_invariants_round(seed, widths):
    weights = chain(seed, widths)
    mirrored = tuple(w.T for w in weights[::-1])
    pairs = zip(tw.invariants(mirrored), tw.invariants(weights)[::-1], strict=True)
    for found, wanted in pairs:
        close(found, -wanted, ulps=16, scale=2 * sum(np.sum(w**2) for w in weights))


@given(seed=SEEDS, widths=WIDTHS)
def test_the_three_arithmetics_agree_on_products_and_invariants(seed, widths):
    weights = chain(seed, widths)
    for arithmetic in (enclose, balls):
        layers = [arithmetic.matrix(w) for w in weights]
        lo, hi = balls.bounds(arithmetic.norm(tw.end_to_end(layers)))
        size = np.linalg.norm(tw.end_to_end(weights))
        slack = 64 * np.finfo(float).eps * norms(weights)
        assert lo - slack <= size <= hi + slack
        for gap, wanted in zip(
            tw.invariants(layers), tw.invariants(weights), strict=True
        ):
            lo, hi = balls.bounds(arithmetic.norm(gap))
            slack = 64 * np.finfo(float).eps * sum(np.sum(w**2) for w in weights)
            assert lo - slack <= np.linalg.norm(wanted) <= hi + slack


@given(
    seed=SEEDS, power=SCALES, widths=st.sampled_from([(3, 3, 3), (5, 4, 6, 3), (2, 2)])
)
def test_balanced_factors_multiply_back_and_balance(seed, power, widths):
    # MATH B.5: any widths without a bottleneck.
    shape = widths[-1], widths[0]
    matrix = 10.0**power * np.random.default_rng(seed).standard_normal(shape)
    factors = balanced_factors(jnp.asarray(matrix), widths)
    close(tw.end_to_end(factors), matrix, ulps=4 * len(factors), scale=norms(factors))
    for gap, low, up in zip(
        tw.invariants(factors), factors[:-1], factors[1:], strict=True
    ):
        scale = norms([low]) ** 2 + norms([up]) ** 2
        close(gap, np.zeros(gap.shape), ulps=16, scale=scale)


@pytest.mark.parametrize(
    "exponents", [(0.5, 0.5, 0.0), (1.0, 0.0, 0.0), (0.2, 0.3, 0.5)]
)
def test_factors_take_their_shares_of_the_singular_values(exponents):
    matrix = jnp.diag(jnp.array([8.0, 1.0]))
    factors = balanced_factors(matrix, (2, 2, 2, 2), exponents)
    close(tw.end_to_end(factors), matrix, ulps=16, scale=8.0)
    for factor, share in zip(factors, exponents, strict=True):
        close(singular_values(factor), [8.0**share, 1.0], ulps=16, scale=8.0)


def test_a_rank_deficient_matrix_has_finite_factors():
    factors = balanced_factors(jnp.ones((2, 2)), (2, 3, 2))
    close(tw.end_to_end(factors), np.ones((2, 2)), ulps=16, scale=2.0)


@pytest.mark.parametrize("widths", [(3, 2), (2, 2, 3)])
def test_factors_need_the_widths_of_the_matrix(widths):
    with pytest.raises(ShapeError, match=r"the end-to-end matrix has shape \(2, 2\)"):
        balanced_factors(jnp.eye(2), widths)


@given(seed=SEEDS)
def test_turning_hidden_spaces_keeps_the_product_and_the_spectra(seed):
    weights = chain(seed, (3, 4, 5, 2))
    rng = np.random.default_rng(seed)
    turns = [jnp.asarray(np.linalg.qr(rng.standard_normal((n, n)))[0]) for n in (4, 5)]
    turned = rotated(tuple(map(jnp.asarray, weights)), turns)
    close(tw.end_to_end(turned), tw.end_to_end(weights), ulps=64, scale=norms(weights))
    for found, wanted in zip(
        tw.invariants(turned), tw.invariants(weights), strict=True
    ):
        scale = sum(np.sum(w**2) for w in weights)
        close(
            np.linalg.eigvalsh(found), np.linalg.eigvalsh(wanted), ulps=64, scale=scale
        )


def test_every_hidden_space_needs_its_rotation():
    with pytest.raises(DomainError, match="1 rotations came for 2 hidden spaces"):
        rotated(tuple(map(jnp.asarray, chain(0, (2, 2, 2, 2)))), [jnp.eye(2)])


@pytest.mark.parametrize(
    ("matrix", "rank"),
    [
        (np.diag([3.0, 1e-3, 0.0]), 2),
        (np.zeros((3, 2)), 0),
        (np.ones((4, 3)), 1),
        (np.diag([1e300, 1e284]), 1),
        (np.diag([1.0, 1e-14]), 2),
    ],
)
def test_the_numerical_rank_counts_what_is_above_rounding(matrix, rank):
    assert numerical_rank(jnp.asarray(matrix)) == rank


@given(seed=SEEDS)
def test_the_effective_rank_lies_between_one_and_the_number_of_modes(seed):
    values = jnp.asarray(np.random.default_rng(seed).exponential(size=5) ** 4)
    assert 1 - 1e-14 <= float(effective_rank(values)) <= 5 + 1e-14


@given(seed=SEEDS, power=st.integers(-300, 290))
def test_the_effective_rank_has_no_scale(seed, power):
    values = np.random.default_rng(seed).exponential(size=4)
    scaled = effective_rank(jnp.asarray(10.0**power * values))
    close(scaled, effective_rank(jnp.asarray(values)), ulps=64, scale=4.0)
