"""Loss, gradient and Hessian against exact arithmetic and other libraries' forms."""

import itertools
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import net_oracles
import thalweg as tw
from thalweg._core.errors import DataError, DomainError, ShapeError
from tolerances import close, is_a_sentence, norms

WIDTHS = st.sampled_from([(3, 4, 2), (2, 3, 3, 2), (4, 1, 3), (3, 2)])
SEEDS = st.integers(0, 2**32 - 1)


def integers(seed, widths):
    """A small problem and start whose every product float64 holds exactly."""
    rng = np.random.default_rng(seed)
    goal = rng.integers(-3, 4, (widths[-1], widths[0])).astype(float)
    problem = tw.Problem(tw.LinearNet(widths), tw.Moments.whitened(goal))
    weights = [rng.integers(-3, 4, s).astype(float) for s in problem.net.shapes]
    return problem, goal, weights


def as_jax(weights):
    return tuple(map(jnp.asarray, weights))


def samples(seed, widths, count=15):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((count, widths[0])), rng.standard_normal(
        (count, widths[-1])
    )


def raw(seed, widths, **options):
    inputs, labels = samples(seed, widths)
    data = tw.Moments.from_data(inputs, labels, **options)
    problem = tw.Problem(tw.LinearNet(widths), data)
    draw = np.random.default_rng(seed + 1).standard_normal
    return problem, inputs, labels, [draw(shape) for shape in problem.net.shapes]


@given(seed=SEEDS, widths=WIDTHS)
def test_the_gradient_of_integer_nets_is_exact(seed, widths):
    problem, goal, weights = integers(seed, widths)
    wanted = net_oracles.exact_gradient(weights, np.eye(widths[0]), goal)
    for found, exact in zip(problem.gradient(as_jax(weights)), wanted, strict=True):
        assert [list(map(Fraction, row)) for row in found.tolist()] == exact


@given(seed=SEEDS, widths=WIDTHS)
def test_the_loss_of_integer_nets_is_exact(seed, widths):
    problem, goal, weights = integers(seed, widths)
    product = net_oracles.exact(np.eye(widths[0]))
    for weight in weights:
        product = net_oracles.exact_product(net_oracles.exact(weight), product)
    pairs = zip(product, net_oracles.exact(goal), strict=True)
    squares = [(a - b) ** 2 for rows in pairs for a, b in zip(*rows, strict=True)]
    found = Fraction(float(problem.excess_loss(as_jax(weights)) + problem.infimum))
    assert abs(found - sum(squares) / 2) <= Fraction(1, 10**12) * (1 + sum(squares))


@given(seed=SEEDS, widths=WIDTHS)
def test_the_gradient_of_raw_data_is_exact_to_rounding(seed, widths):
    problem, _, _, weights = raw(seed, widths)
    factors = (
        np.asarray(problem.data.inputs_factor),
        np.asarray(problem.data.labels_factor),
    )
    wanted = net_oracles.exact_gradient(weights, *factors)
    scale = (1 + norms(weights)) ** 2 * (1 + sum(np.sum(f**2) for f in factors))
    for found, exact in zip(problem.gradient(as_jax(weights)), wanted, strict=True):
        close(found, [[float(x) for x in row] for row in exact], ulps=16, scale=scale)


@given(seed=SEEDS, widths=WIDTHS)
def test_the_gradient_of_raw_data_is_that_of_the_loss_over_samples(seed, widths):
    problem, inputs, labels, weights = raw(seed, widths)

    def naive(chain):
        outputs = jnp.asarray(inputs).T
        for weight in chain:
            outputs = weight @ outputs
        return jnp.sum((outputs - labels.T) ** 2) / (2 * len(inputs))

    scale = (1 + norms(weights)) ** 2 * 40
    assert float(problem.loss(as_jax(weights))) == pytest.approx(
        float(naive(as_jax(weights))), rel=1e-12
    )
    pairs = zip(
        problem.gradient(as_jax(weights)), jax.grad(naive)(as_jax(weights)), strict=True
    )
    for found, wanted in pairs:
        close(found, wanted, ulps=64, scale=scale)


@pytest.mark.parametrize(
    "options",
    [{"center": True}, {"center": "inputs"}, {"scale": "sum"}, {"bias": True},
     {"whiten": True, "center": True}, {"rescale": "unit", "whiten": True}],
    ids=str,
)  # fmt: skip
def test_prepared_data_give_the_loss_over_prepared_samples(options):
    inputs, labels = samples(3, (3, 4, 2))
    data = tw.Moments.from_data(inputs, labels, **options)
    problem = tw.Problem(tw.LinearNet((data.inputs_width, 4, 2)), data)
    draw = np.random.default_rng(4).standard_normal
    weights = [draw(shape) for shape in problem.net.shapes]
    seen = np.asarray(data.to_coordinates(inputs))
    predictions = np.asarray(data.to_labels(seen @ (weights[1] @ weights[0]).T))
    sizes = data.preparation.label_scales or (1.0, 1.0)
    gaps = (predictions - labels) / np.asarray(sizes)
    divided = 1 if options.get("scale") == "sum" else len(inputs)
    wanted = np.sum(gaps**2) / 2 / divided
    assert float(problem.loss(as_jax(weights))) == pytest.approx(wanted, rel=1e-10)


@given(seed=SEEDS, widths=WIDTHS, whitened=st.booleans())
def test_the_hessian_vector_product_is_that_of_the_explicit_form(
    seed, widths, whitened
):
    if whitened:
        problem, _, weights = integers(seed, widths)
    else:
        problem, _, _, weights = raw(seed, widths)
    factors = (
        np.asarray(problem.data.inputs_factor),
        np.asarray(problem.data.labels_factor),
    )
    dense = net_oracles.hessian(weights, *factors)
    draw = np.random.default_rng(seed + 2).standard_normal
    direction = [draw(weight.shape) for weight in weights]
    wanted = dense @ np.concatenate([d.ravel() for d in direction])
    images = problem.hessian_vector(as_jax(weights), as_jax(direction))
    found = np.concatenate([np.ravel(image) for image in images])
    close(found, wanted, ulps=256, scale=1 + np.abs(dense).max() * norms(direction[:1]))


def test_the_check_of_the_mathematics_prints_as_given():
    # MATH 0.2: four samples, Phi = (0.5, 0), a constant part of 0.625.
    inputs = np.array([[1.0, -1, 1, -1], [1, 1, -1, -1]]).T
    data = tw.Moments.from_data(inputs, np.array([2.0, 0, 1, 1]))
    problem = tw.Problem(tw.LinearNet((2, 1)), data)
    close(data.xx, np.eye(2), ulps=8, scale=1.0)
    close(problem.target, [[0.5, 0.0]], ulps=8, scale=1.0)
    close(problem.floor, 0.625, ulps=8, scale=1.0)
    close(problem.loss((jnp.ones((1, 2)),)), 1.25, ulps=8, scale=1.0)


@pytest.mark.parametrize("widths", [(4, 3, 3), (3, 1, 3), (5, 2, 4, 3), (3, 3)])
@pytest.mark.parametrize("white", [True, False])
def test_the_optimum_attains_its_loss_and_nothing_is_below(widths, white):
    problem, *_ = raw(1, widths, whiten=white, center=white)
    best = problem.optimum
    rank = min(widths)
    assert best.rank == np.linalg.matrix_rank(best.matrix) == rank
    left, values, right = np.linalg.svd(np.asarray(best.matrix))
    wide = [np.eye(n, rank) for n in widths[1:-1]]
    begin = [np.diag(values[:rank]) @ right[:rank], *[np.eye(rank)] * (len(widths) - 3)]
    if len(widths) == 2:
        weights = [np.asarray(best.matrix)]
    else:
        weights = [wide[0] @ begin[0]]
        weights += [b @ a.T for a, b in itertools.pairwise(wide)]
        weights += [left[:, :rank] @ wide[-1].T]
    assert float(problem.loss(as_jax(weights))) == pytest.approx(best.loss, rel=1e-12)
    assert abs(float(problem.excess_loss(as_jax(weights)))) <= 1e-14
    assert best.loss == pytest.approx(best.constant + best.bottleneck_loss, rel=1e-14)
    assert (best.bottleneck_loss > 1e-6) == problem.net.has_bottleneck
    rng = np.random.default_rng(0)
    for _ in range(20):
        other = [w + 0.1 * rng.standard_normal(w.shape) for w in weights]
        assert float(problem.excess_loss(as_jax(other))) >= -1e-14


def test_the_best_of_a_bottleneck_on_raw_data_is_found_by_no_descent_below():
    problem, *_ = raw(1, (3, 1, 3))
    start = np.random.default_rng(0).standard_normal
    path = tw.descend(
        problem, [start((1, 3)), start((3, 1))], step_size=0.1, iterations=20_000, at=[]
    )
    assert -1e-14 <= path.outcome.excess_loss <= 1e-12
    close(tw.end_to_end(path.weights), problem.optimum.matrix, ulps=1e8, scale=1.0)


def test_fewer_samples_than_features_leave_an_optimum_of_zero_loss():
    inputs, labels = samples(0, (6, 2), count=4)
    problem = tw.Problem(tw.LinearNet((6, 5, 2)), tw.Moments.from_data(inputs, labels))
    best = np.asarray(problem.optimum.matrix)
    assert problem.optimum.loss <= 1e-28
    np.testing.assert_allclose(inputs @ best.T, labels, atol=1e-12)
    wanted = np.linalg.lstsq(inputs, labels)[0].T
    np.testing.assert_allclose(best, wanted, atol=1e-12)


@given(seed=SEEDS)
def test_the_order_of_the_samples_does_not_matter(seed):
    inputs, labels = samples(seed, (3, 2))
    order = np.random.default_rng(seed).permutation(len(inputs))
    weights = as_jax([np.random.default_rng(seed).standard_normal((2, 3))])
    net = tw.LinearNet((3, 2))
    one = tw.Problem(net, tw.Moments.from_data(inputs, labels)).loss(weights)
    other = tw.Problem(net, tw.Moments.from_data(inputs[order], labels[order])).loss(
        weights
    )
    assert float(one) == pytest.approx(float(other), rel=1e-12)


def test_the_residual_is_target_minus_prediction():
    problem, goal, weights = integers(0, (3, 4, 2))
    wanted = goal - weights[1] @ weights[0]
    np.testing.assert_array_equal(problem.residual(as_jax(weights)), wanted)


def test_the_excess_loss_near_an_optimum_keeps_its_digits():
    # Half a square of 1e-9, not the difference of two losses near 12.5.
    problem = tw.Problem(
        tw.LinearNet((1, 1)), tw.Moments.from_data([[1.0], [1]], [0.0, 10])
    )
    found = float(problem.excess_loss((jnp.array([[5.0 + 1e-9]]),)))
    assert found == pytest.approx(5e-19, rel=1e-6)


@pytest.mark.parametrize(
    ("weights", "says"),
    [
        ([np.ones((4, 3))], r"the weights have shapes \[\(4, 3\)\]"),
        ([np.ones((4, 3)), np.ones((2, 5))], "its second size must be 4"),
        ([np.ones((5, 3)), np.ones((2, 5))], "a net of widths .3, 4, 2. needs"),
        ([np.ones(4), np.ones((2, 4))], "a layer is a matrix"),
        ([], "the chain has no layers"),
    ],
)
def test_weights_that_do_not_fit_are_refused(weights, says):
    problem, *_ = integers(0, (3, 4, 2))
    with pytest.raises(ShapeError, match=says) as caught:
        problem.check(weights)
    assert is_a_sentence(caught.value)


@pytest.mark.parametrize("entry", [np.nan, np.inf, "a", 1j])
def test_weights_that_are_not_finite_numbers_are_refused(entry):
    problem, *_ = integers(0, (1, 1))
    with pytest.raises(DataError, match="layer 1 holds") as caught:
        problem.check([[[entry]]])
    assert is_a_sentence(caught.value)


def test_a_net_that_does_not_fit_its_data_is_told_the_widths():
    with pytest.raises(ShapeError, match=r"widths must be \(3, 7, 2\)") as caught:
        tw.Problem(tw.LinearNet((4, 7, 5)), tw.Moments.whitened(np.ones((2, 3))))
    assert is_a_sentence(caught.value)


@pytest.mark.parametrize("widths", [(), (3,), (3, 0, 2), (3, -1), (2, True)])
def test_widths_are_whole_numbers_above_zero(widths):
    with pytest.raises(DomainError, match=r"widths? (is|[0-9] of)") as caught:
        tw.LinearNet(widths)
    assert is_a_sentence(caught.value)


def test_a_net_tells_its_sizes():
    net = tw.LinearNet((10, 32, 4, 5))
    assert net.depth == 3
    assert net.shapes == ((32, 10), (4, 32), (5, 4))
    assert net.parameters == 320 + 128 + 20
    assert net.largest_rank == 4
    assert net.has_bottleneck
    assert not tw.LinearNet((10, 32, 5, 5)).has_bottleneck
