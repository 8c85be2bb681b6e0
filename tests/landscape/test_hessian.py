"""Closed-form Hessians against loops, autodiff, rational arithmetic and papers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import net_oracles
from thalweg._core.errors import DomainError, ShapeError
from thalweg.landscape._curvature.second_order import Blocks, Products, point, rounding
from thalweg.landscape.hessian import (
    flat,
    gauss_newton,
    hessian,
    hessian_trace,
    hessian_vector,
    layered,
)
from thalweg.linalg import exact
from thalweg.problem.moments import Moments
from thalweg.problem.nets import LinearNet
from thalweg.problem.problem import Problem
from thalweg.problem.scalar import Playground
from tolerances import close, is_a_sentence

CASES = [
    ((2, 3), True),
    ((3, 4, 2), True),
    ((3, 4, 2), False),
    ((2, 3, 1, 3), False),
    ((1, 2, 2, 3, 2), True),
]


def posed(widths, white=True, seed=0, samples=12):
    random = np.random.default_rng(seed)
    ends = widths[-1], widths[0]
    if white:
        data = Moments.whitened(random.standard_normal(ends))
    else:
        inputs = (
            random.standard_normal((samples, widths[0])) * [2.0, 0.3, 1.0][: ends[1]]
        )
        data = Moments.from_data(inputs, random.standard_normal((samples, ends[0])))
    shapes = zip(widths[1:], widths, strict=False)
    weights = tuple(random.standard_normal(shape) for shape in shapes)
    return Problem(LinearNet(tuple(widths)), data), weights


@pytest.mark.parametrize(("widths", "white"), CASES)
def test_it_is_the_sum_of_products_of_the_formula(widths, white):
    problem, weights = posed(widths, white)
    factors = problem.data.inputs_factor, problem.data.labels_factor
    expected = net_oracles.hessian(weights, *map(np.asarray, factors))
    error = rounding(*point(problem, weights))
    assert np.linalg.norm(hessian(problem, weights) - expected) <= 2 * error


@pytest.mark.parametrize(("widths", "white"), CASES)
def test_it_is_what_autodiff_gives(widths, white):
    problem, weights = posed(widths, white, seed=1)
    vector, restore = ravel_pytree(tuple(map(jnp.asarray, weights)))
    expected = jax.hessian(lambda v: problem.excess_loss(restore(v)))(vector)
    error = rounding(*point(problem, weights))
    assert np.linalg.norm(hessian(problem, weights) - expected) <= 2 * error


@pytest.mark.parametrize(("widths", "white"), CASES)
def test_it_is_symmetric_bit_for_bit(widths, white):
    matrix = hessian(*posed(widths, white, seed=2))
    assert np.array_equal(matrix, matrix.T)


@pytest.mark.parametrize("x", [[2.0], [0.0, 0.0, 0.0], [0.5, -1.2, 0.8, 3.0, 0.0]])
def test_it_agrees_with_the_playground(x):
    toy, x = Playground(len(x)), jnp.array(x)
    close(hessian(toy, x), np.asarray(toy.hessian(x)), ulps=32, scale=20.0)


@pytest.mark.parametrize(("widths", "white"), CASES)
def test_a_product_with_a_vector_is_that_of_the_matrix(widths, white):
    problem, weights = posed(widths, white, seed=3)
    matrix = hessian(problem, weights)
    vector = np.random.default_rng(4).standard_normal(len(matrix))
    image = flat(hessian_vector(problem, weights, layered(problem, vector)))
    error = 2 * rounding(*point(problem, weights)) * np.linalg.norm(vector)
    assert np.linalg.norm(image - matrix @ vector) <= error
    by_autodiff = problem.hessian_vector(
        tuple(map(jnp.asarray, weights)),
        tuple(map(jnp.asarray, layered(problem, vector))),
    )
    assert np.linalg.norm(image - flat(by_autodiff)) <= error


@pytest.mark.parametrize(("widths", "white"), CASES)
def test_the_trace_is_the_diagonals(widths, white):
    problem, weights = posed(widths, white, seed=5)
    trace = float(np.trace(hessian(problem, weights)))
    close(hessian_trace(problem, weights), trace, ulps=200, scale=trace)


@pytest.mark.parametrize(("widths", "white"), CASES)
def test_its_first_part_is_that_of_the_jacobian(widths, white):
    problem, weights = posed(widths, white, seed=6)
    labels = problem.data.labels_factor
    vector, restore = ravel_pytree(tuple(map(jnp.asarray, weights)))

    def error(v):
        chain = restore(v)
        whole = problem.data.inputs_factor
        for layer in chain:
            whole = layer @ whole
        return (whole - labels).ravel()

    jacobian = np.asarray(jax.jacobian(error)(vector))
    bound = 2 * rounding(*point(problem, weights))
    rest = gauss_newton(problem, weights) - jacobian.T @ jacobian
    assert np.linalg.norm(rest) <= bound


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("white", [True, False])
def test_what_rounding_can_do_is_bounded(white, seed):
    problem, weights = posed((3, 4, 2, 2), white, seed=seed)
    at = point(problem, weights)
    found = Blocks.of(*at).dense()
    layers, inputs, labels = at
    chain = tuple(exact.matrix(layer) for layer in layers)
    given = None if inputs is None else exact.matrix(inputs)
    products = Products.of(chain, given, exact.matrix(labels))
    size, gap = len(found), 0.0
    for k, unit in enumerate(np.eye(size)):
        parts = products.along(
            tuple(exact.matrix(part) for part in layered(problem, unit))
        )
        column = [x for part in parts for row in part.data.tolist() for x in row]
        rest = [
            exact.scalar(float(a)) - b for a, b in zip(found[:, k], column, strict=True)
        ]
        gap += sum(float(x) ** 2 for x in rest)
    assert 0 < gap**0.5 <= rounding(*at)


def test_a_direction_and_its_vector_are_one():
    problem, weights = posed((3, 4, 2))
    parts = layered(problem, flat(weights))
    assert all(np.array_equal(a, b) for a, b in zip(parts, weights, strict=True))


def form(weights, target, direction):
    """The second-order coefficient of the loss along a direction."""
    problem = Problem(
        LinearNet((weights[0].shape[1], *(len(w) for w in weights))),
        Moments.whitened(target),
    )
    vector = flat(direction)
    return 0.5 * float(vector @ hessian(problem, weights) @ vector)


@pytest.mark.parametrize(
    ("unit", "size", "expected"),
    [(1, 1.0, -2.0), (2, 0.1, 0.425), (2, 0.3125, 0.0), (2, 0.8125, -1.0)],
)
def test_chitour2023_proposition_3_a_hidden_layer(unit, size, expected):
    target = np.eye(3, 5) * [3.0, 2.0, 1.0, 0.0, 0.0]
    first, second = np.zeros((4, 5)), np.zeros((3, 4))
    first[0, 0], second[0, 0], first[2, 3:] = 2.0, 1.5, (1.0, -0.5)
    one, two = np.zeros((4, 5)), np.zeros((3, 4))
    one[unit, 1], two[1, unit] = size, 1.0
    close(form((first, second), target, (one, two)), expected, ulps=8, scale=4.0)


@pytest.mark.parametrize("strengths", [(2.0, 1.0, 1.0), (1.0, 0.5, 4.0)])
@pytest.mark.parametrize(("learnt", "other", "expected"), [(1, 0, -0.5), (2, 1, -1.0)])
def test_chitour2023_remark_3(strengths, learnt, other, expected):
    target = np.eye(3, 5) * [3.0, 2.0, 1.0, 0.0, 0.0]
    share = target[learnt, learnt] / 2
    a, b, c = strengths[0] * share, strengths[1], strengths[2]
    layers = [np.zeros(shape) for shape in ((4, 5), (4, 4), (3, 4))]
    layers[0][0, learnt], layers[1][0, 0], layers[2][learnt, 0] = a, b, c
    moves = [np.zeros_like(layer) for layer in layers]
    moves[0][0, other], moves[2][other, 0] = 1 / (b * c), 1 / (a * b)
    close(form(layers, target, moves), expected, ulps=64, scale=4.0)


def test_what_does_not_fit_into_memory_says_how_large_it_is():
    problem, weights = posed((3, 4, 2))
    with pytest.raises(DomainError, match=r"GiB .*hessian_spectrum\(\.\.\., top=") as e:
        hessian(problem, weights, memory=1e-9)
    assert is_a_sentence(e.value)
    large = Problem(LinearNet((300, 300, 300)), Moments.whitened(np.eye(300)))
    with pytest.raises(DomainError, match="180,000 weights takes 966 GiB"):
        gauss_newton(large, (np.eye(300), np.eye(300)))


def test_a_hessian_beyond_float64_is_refused():
    problem, _ = posed((2, 2, 2))
    with pytest.raises(DomainError, match="beyond the range of float64"):
        hessian(problem, (1e200 * np.eye(2), 1e200 * np.eye(2)))


def test_a_vector_of_another_length_is_refused():
    problem, _ = posed((3, 4, 2))
    with pytest.raises(ShapeError, match=r"shape \(3,\); a net of widths"):
        layered(problem, np.zeros(3))
