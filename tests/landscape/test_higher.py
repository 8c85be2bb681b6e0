"""Curves out of non-strict saddles: exact expansions, and searches for quicker ones."""

import json
from fractions import Fraction
from itertools import combinations, pairwise

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize

from thalweg._core.errors import DomainError
from thalweg.landscape.higher import escape_order
from thalweg.landscape.kinds import Kind
from thalweg.linalg import exact
from thalweg.problem.moments import Moments
from thalweg.problem.nets import LinearNet
from thalweg.problem.problem import Problem
from thalweg.problem.scalar import Playground


def white(widths, target):
    return Problem(LinearNet(widths), Moments.whitened(jnp.asarray(target)))


def expanded(found, labels, inputs=None):
    """Coefficients of the loss along a curve by powers of t, in rational numbers."""
    chain = [np.asarray(w) for w in found.problem.chain(found.weights)]
    product = {0: exact.matrix(np.eye(chain[0].shape[1]) if inputs is None else inputs)}
    for layer, power, change in zip(
        chain, found.exponents, found.direction, strict=True
    ):
        moved = {}
        for order, factor in product.items():
            for more, matrix in ((0, layer), (power, change)):
                term = exact.matrix(np.asarray(matrix)) @ factor
                moved[order + more] = moved.get(order + more, term - term) + term
        product = moved
    product[0] = product[0] - exact.matrix(labels)
    top = 2 * max(product)
    return [
        Fraction(str(sum(
            (exact.inner(product[i], product[j])
             for i in product for j in product if i + j == order),
            exact.scalar(0),
        ))) / 2
        for order in range(top + 1)
    ]  # fmt: skip


def check_curve(found, labels, inputs=None):
    terms = [float(term) for term in expanded(found, labels, inputs)]
    assert found.coefficient < 0
    scale = max(1.0, float(np.linalg.norm(labels)) ** 2)
    assert np.abs(terms[1 : found.order]).max() <= 1e-13 * scale
    assert terms[found.order] == pytest.approx(found.coefficient, rel=1e-10)


def saddle(rng, widths, target, rank, filled):
    """A critical point of the first `rank` modes; `filled` maps layers to blocks."""
    left, values, right = np.linalg.svd(target)
    depth = len(widths) - 1
    frames = [
        np.linalg.qr(rng.standard_normal((w, w)))[0] * rng.uniform(0.7, 1.4, w)
        for w in widths[1:-1]
    ]
    layers = []
    for h in range(1, depth + 1):
        rows, columns = widths[h] - rank, widths[h - 1] - rank
        block = np.zeros((widths[h], widths[h - 1]))
        block[:rank, :rank] = np.eye(rank)
        block[rank:, rank:] = filled.get(h, np.zeros((rows, columns)))
        layers.append(block)
    layers[0][:rank, :rank] = np.diag(values[:rank])
    layers[0] = layers[0] @ right
    layers[-1] = left @ layers[-1]
    for h, frame in enumerate(frames):
        layers[h] = frame @ layers[h]
        layers[h + 1] = layers[h + 1] @ np.linalg.inv(frame)
    return layers


def fewest(depth, widths, rank, filled, target):
    """The least tuple of unlearnt layers by its definition, all subsets tried."""
    values = np.linalg.svd(target, compute_uv=False)
    missing = np.zeros((widths[-1] - rank, widths[0] - rank))
    np.fill_diagonal(missing, values[rank:])

    def block(h):
        shape = (widths[h] - rank, widths[h - 1] - rank)
        return filled.get(h, np.zeros(shape))

    def product(low, high):
        out = np.eye(widths[low - 1] - rank)
        for h in range(low, high + 1):
            out = block(h) @ out
        return out

    for count in range(1, depth + 1):
        for chosen in combinations(range(1, depth + 1), count):
            ends = (
                product(1, chosen[0] - 1) @ missing.T @ product(chosen[-1] + 1, depth)
            )
            links = [product(a + 1, b - 1) for a, b in pairwise(chosen)]
            if all(np.linalg.norm(m) > 1e-9 for m in (ends, *links)):
                return count
    return None


@pytest.mark.parametrize("depth", range(3, 9))
def test_the_origin_is_left_at_the_order_of_the_depth(depth):
    found = escape_order(Playground(depth), [0.0] * depth)
    terms = expanded(found, np.ones((1, 1)))
    assert (found.order, found.least, found.coefficient) == (depth, depth, -1.0)
    assert terms[1 : depth + 1] == [0] * (depth - 1) + [-1]


def test_a_two_layer_origin_is_left_along_a_line():
    found = escape_order(Playground(2), [0.0, 0.0])
    assert (found.kind, found.order, found.exponents) == (Kind.STRICT_SADDLE, 2, (1, 1))
    check_curve(found, np.ones((1, 1)))


def test_chitour_case_1_2_is_left_at_third_order():
    """All layers vanish but the part of the first that no label sees."""
    target = np.hstack([np.diag([3.0, 2.0, 1.0]), np.zeros((3, 2))])
    first = np.zeros((4, 5))
    first[:, 3:] = [[1, 2], [0, 1], [3, 0], [1, 1]]
    found = escape_order(
        white((5, 4, 4, 3), target), [first, np.zeros((4, 4)), np.zeros((3, 4))]
    )
    assert (found.order, found.least, found.layers) == (3, 3, (1, 2, 3))
    assert found.coefficient == pytest.approx(-3.0, rel=1e-12)
    check_curve(found, target)


@pytest.mark.parametrize("depth", [3, 4, 5])
def test_a_balanced_saddle_is_left_at_the_order_of_the_depth(depth):
    """Only the next mode starts, with coefficient its singular value."""
    layer = np.diag([3.0 ** (1 / depth), 0, 0])
    target = np.diag([3.0, 2.0, 1.0])
    found = escape_order(white((3,) * (depth + 1), target), [layer] * depth)
    assert (found.order, found.least) == (depth, depth)
    assert found.coefficient == pytest.approx(-2.0, rel=1e-12)
    check_curve(found, target)


SHAPES = [
    ((4, 3, 4, 3), ()),
    ((3, 4, 3, 4, 2), ()),
    ((3, 4, 3, 4, 2), (2,)),
    ((3, 3, 3, 3, 3), (3,)),
    ((2, 3, 3, 4, 3, 3), (2, 4)),
    ((3, 3, 4, 3, 3, 3), (2, 3)),
    ((2, 3, 3, 3, 3, 3, 4), (3, 5)),
    ((3, 2, 3, 3, 2, 3), (5,)),
]


@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize(("widths", "places"), SHAPES)
def test_the_order_is_the_fewest_layers_that_matter(widths, places, rank):
    rng = np.random.default_rng([len(widths), rank, *places])
    target = rng.standard_normal((widths[-1], widths[0]))
    depth = len(widths) - 1
    filled = {
        h: rng.standard_normal((widths[h] - rank, widths[h - 1] - rank)) for h in places
    }
    count = fewest(depth, widths, rank, filled, target)
    weights = saddle(rng, widths, target, rank, filled)
    found = escape_order(white(widths, target), weights)
    assert found.kind is (Kind.STRICT_SADDLE if count == 2 else Kind.NON_STRICT_SADDLE)
    assert found.order == found.least == count == len(found.layers)
    check_curve(found, target)


def test_data_that_are_not_white_change_the_first_layer_only():
    rng = np.random.default_rng(3)
    inputs, labels = rng.standard_normal((20, 4)), rng.standard_normal((20, 3))
    problem = Problem(LinearNet((4, 3, 3, 3)), Moments.from_data(inputs, labels))
    found = escape_order(problem, [np.zeros(s) for s in problem.net.shapes])
    assert (found.order, found.least) == (3, 3)
    data = problem.data
    check_curve(found, np.asarray(data.labels_factor), np.asarray(data.inputs_factor))
    assert [np.linalg.norm(part) for part in found.direction] == pytest.approx([1] * 3)


def lowest(problem, weights, reach, rng, starts=8):
    """The least change of the loss found at distance `reach`, by BFGS on the sphere."""
    base = np.concatenate([np.ravel(w) for w in weights])
    shapes = problem.net.shapes
    ends = np.cumsum([rows * columns for rows, columns in shapes])[:-1]
    labels = np.asarray(problem.data.labels_factor)

    def loss(flat):
        parts = np.split(base + flat, ends)
        chain = [p.reshape(s) for p, s in zip(parts, shapes, strict=True)]
        befores = [np.eye(shapes[0][1])]
        for layer in chain:
            befores.append(layer @ befores[-1])
        back = befores[-1] - labels
        value, slopes = 0.5 * np.sum(back**2), []
        for layer, before in zip(chain[::-1], befores[-2::-1], strict=True):
            slopes.append(np.ravel(back @ before.T))
            back = layer.T @ back
        return value, np.concatenate(slopes[::-1])

    at_rest, unit = loss(np.zeros_like(base))[0], reach**3

    def on_sphere(point):
        size = np.linalg.norm(point)
        value, slope = loss(reach * point / size)
        slope -= (slope @ point) * point / size**2
        return (value - at_rest) / unit, slope * reach / size / unit

    draws = rng.standard_normal((starts, base.size))
    options = {"gtol": 1e-9, "maxiter": 3000}
    ran = [minimize(on_sphere, d, jac=True, options=options) for d in draws]
    return min(run.fun for run in ran) * unit


@pytest.mark.parametrize(
    ("widths", "places", "rank"),
    [((2, 2, 2, 2), (), 0), ((2, 2, 2, 2), (), 1), ((2, 2, 2, 2, 2), (2,), 0)],
)
def test_a_search_finds_no_quicker_way(widths, places, rank):
    """The lowest loss within a reach falls with the reach to the power `least`."""
    rng = np.random.default_rng(5)
    target = np.diag([2.0, 1.0])
    filled = {
        h: rng.standard_normal((widths[h] - rank, widths[h - 1] - rank)) for h in places
    }
    weights = saddle(rng, widths, target, rank, filled)
    problem = white(widths, target)
    found = escape_order(problem, weights)
    reaches = np.array([0.02, 0.01])
    drops = [lowest(problem, weights, reach, rng) for reach in reaches]
    power = np.log(drops[0] / drops[1]) / np.log(2)
    assert found.order == found.least
    along = found.coefficient * (reaches[1] / found.order**0.5) ** found.order
    assert drops[1] <= 0.99 * along
    assert power == pytest.approx(found.order, abs=0.1)


LAME = np.diag([1.0, 0.0])


def test_labels_without_full_rank_can_force_a_slower_way():
    """The inner layer alone moves the prediction, so it must move like t squared.

    Here the loss is `(a b c - 1)^2 / 2` and squares of at least `b`, so fourth order is
    also the best there is.
    """
    weights = [np.array([[0, 1.0]]), np.zeros((1, 1)), np.array([[0], [1.0]])]
    found = escape_order(white((2, 1, 1, 2), LAME), weights)
    terms = expanded(found, LAME)
    assert (found.order, found.least, found.exponents) == (4, 3, (1, 2, 1))
    assert terms[1:5] == [0, 0, 0, Fraction(-1, 2)]


def test_a_free_unit_avoids_the_slower_way():
    weights = [np.zeros((2, 2)) for _ in range(3)]
    weights[0][0, 1] = weights[2][1, 0] = 1.0
    found = escape_order(white((2, 2, 2, 2), LAME), weights)
    assert (found.order, found.least, found.exponents) == (3, 3, (1, 1, 1))
    check_curve(found, LAME)


def test_a_small_factor_lets_four_layers_win():
    weights = [
        np.array([[0, 2.0]]),
        np.zeros((1, 1)),
        np.zeros((1, 1)),
        np.array([[0], [3.0]]),
    ]
    found = escape_order(white((2, 1, 1, 1, 2), LAME), weights)
    assert (found.order, found.least) == (4, 4)
    assert found.coefficient == pytest.approx(-1 / 72, rel=1e-12)
    check_curve(found, LAME)


def test_the_curve_starts_at_the_saddle_and_goes_down():
    problem = white((2, 2, 2, 2), np.diag([2.0, 1.0]))
    found = escape_order(problem, [np.zeros((2, 2))] * 3)
    losses = [float(problem.loss(found.curve(t))) for t in (0.0, 0.1, 0.2, 0.4)]
    assert losses[0] == 2.5
    assert losses == sorted(losses, reverse=True)


def test_it_is_written_as_plain_values():
    found = escape_order(Playground(3), [0.0, 0.0, 0.0])
    read = json.loads(json.dumps(found.to_json()))
    assert (read["order"], read["kind"]) == (3, "non-strict saddle")
    assert "falls like -1 t^3" in str(found)


@pytest.mark.parametrize(
    ("weights", "words"),
    [([1.0, 1.0, 1.0], "global minimum"), ([0.5, 0.5, 0.5], "critical point")],
)
def test_other_points_are_refused(weights, words):
    with pytest.raises(DomainError, match=words):
        escape_order(Playground(3), weights)
