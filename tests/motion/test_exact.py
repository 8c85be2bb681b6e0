"""Closed forms of the flow against many digits, printed numbers, other solvers."""

import functools
import itertools

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
import scipy.integrate

import net_oracles
import thalweg as tw
from thalweg._core.errors import DataError, DomainError, ShapeError, UnknownName
from thalweg.motion.exact import (
    escape_time,
    exact_flow,
    learning_time,
    mode_strength,
    mode_time,
)
from thalweg.motion.path import Path
from thalweg.problem.losses import Power
from thalweg.problem.samples import SampleProblem
from tolerances import EPS, close, is_a_sentence, printed, same_arrays

INF = float("inf")
TURN = 2e-13
"""Promised error of the weights' hidden rotation, with room for the oracle's."""
LATE = [0.0, 1e-3, 0.1, 1.0, 3.0, 10.0, 30.0, 300.0]
STARTS = [
    # input, hidden, output, lambda
    (3, 3, 3, 0.0),
    (3, 5, 2, 0.0),
    (2, 4, 4, 0.0),
    (4, 2, 3, 0.0),
    (2, 3, 2, 0.0),
    (3, 3, 3, 0.5),
    (3, 3, 2, -0.5),
    (2, 3, 4, 3.0),
    (4, 3, 2, -2.0),
    (2, 2, 3, 1e-8),
    (4, 1, 3, 0.0),
    (1, 1, 3, 3.0),
]


def posed(goal, *hidden):
    goal = np.asarray(goal, dtype=float)
    net = tw.LinearNet((goal.shape[1], *hidden, goal.shape[0]))
    return tw.Problem(net=net, data=tw.Moments.whitened(goal))


def rotation(rng, size):
    return np.linalg.qr(rng.standard_normal((size, size)))[0]


def drawn(inputs, hidden, outputs, balance, std=0.5, seed=0):
    """A target and a start whose product has the target's orientation."""
    rng = np.random.default_rng([seed, inputs, hidden, outputs])
    goal = rng.standard_normal((outputs, inputs))
    rank = min(inputs, hidden, outputs)
    whole = rng.standard_normal((outputs, rank)) @ rng.standard_normal((rank, inputs))
    whole *= std / rank**0.5
    if inputs == outputs and np.linalg.det(goal) * np.linalg.det(whole) < 0:
        whole[0] *= -1
    start = tw.init("lambda_balanced", imbalance=balance, end_to_end=whole, mix=True)
    problem = posed(goal, hidden)
    weights = start.draw(jax.random.key(seed), problem.net)
    return problem, tuple(np.asarray(layer) for layer in weights)


def balance_of(weights):
    first, last = weights
    gap = last.T @ last - first @ first.T
    return float(np.trace(gap)) / len(gap)


def gram_in_many_digits(goal, weights, balance, times):
    """Q Q^T of the Riccati equation, from eigenvectors, in digits enough for times."""
    outputs, inputs = goal.shape
    size = inputs + outputs
    steep = np.hypot(np.linalg.norm(goal, 2), balance / 2)
    with mp.workdps(40 + int(2 * steep * max(times))):
        matrix = mp.zeros(size)
        for k in range(size):
            matrix[k, k] = mp.mpf(balance) / (-2 if k < inputs else 2)
        for row, column in np.ndindex(goal.shape):
            matrix[inputs + row, column] = matrix[column, inputs + row] = goal[
                row, column
            ]
        rates, vectors = mp.eigsy(matrix)
        stacked = mp.matrix(np.concatenate([weights[0].T, weights[1]]).tolist())
        begun = vectors.T * stacked
        grams = []
        for time in map(mp.mpf, times):
            growths = [mp.exp(rate * time) for rate in rates]
            sums = [
                mp.expm1(2 * rate * time) / (2 * rate) if abs(rate) > 1e-30 else time
                for rate in rates
            ]
            inner = mp.eye(stacked.cols) + begun.T * mp.diag(sums) * begun
            moved = vectors * mp.diag(growths) * begun
            gram = moved * mp.inverse(inner) * moved.T
            grams.append(np.array(gram.tolist(), dtype=float))
    return np.stack(grams)


def taylor(goal, weights, times, order=24):
    """The flow of two layers by Taylor series in extended precision."""
    goal, first, last = (np.asarray(x, np.longdouble) for x in (goal, *weights))
    reach = 0.2 / (float(np.linalg.norm(goal.astype(float), 2)) + 1)
    now, found = 0.0, []
    for time in times:
        steps = int(np.ceil((time - now) / reach))
        for _ in range(steps):
            firsts, lasts, residuals = [first], [last], []
            for k in range(order):
                product = sum(lasts[i] @ firsts[k - i] for i in range(k + 1))
                residuals.append((goal if k == 0 else 0) - product)
                pairs = [(i, k - i) for i in range(k + 1)]
                one = sum(lasts[i].T @ residuals[j] for i, j in pairs)
                other = sum(residuals[i] @ firsts[j].T for i, j in pairs)
                firsts.append(one / (k + 1))
                lasts.append(other / (k + 1))
            step = np.longdouble(time - now) / steps
            powers = step ** np.arange(order + 1)
            first = sum(p * term for p, term in zip(powers, firsts, strict=True))
            last = sum(p * term for p, term in zip(powers, lasts, strict=True))
        now = time
        found.append((first.astype(float), last.astype(float)))
    return [np.stack(layers) for layers in zip(*found, strict=True)]


def integrated(goal, weights, times):
    """The flow of a chain by SciPy's Runge-Kutta method of order 8."""
    shapes = [layer.shape for layer in weights]
    cuts = np.cumsum([layer.size for layer in weights])[:-1]
    inputs = np.eye(goal.shape[1])

    def layers(flat):
        parts = zip(np.split(flat, cuts), shapes, strict=True)
        return [part.reshape(shape) for part, shape in parts]

    def field(_t, flat):
        slopes = net_oracles.gradient(layers(flat), inputs, goal)
        return -np.concatenate([slope.ravel() for slope in slopes])

    begun = np.concatenate([np.ravel(layer) for layer in weights])
    solved = scipy.integrate.solve_ivp(
        field, (0, times[-1]), begun, "DOP853", times, rtol=1e-12, atol=1e-14
    )
    return [np.stack(each) for each in zip(*map(layers, solved.y.T), strict=True)]


def products(weights):
    return functools.reduce(lambda below, layer: layer @ below, weights)


# --- Two layers ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("balance", "first", "texts"),
    [
        (
            0.0,
            [[0.5, 0.0], [0.0, 0.2]],
            [["1.78887194", "0.43853557"], ["0.11337436", "0.26196296"]],
        ),
        (
            0.5,
            [[0.3, 0.1], [0.0, 0.2]],
            [["1.82001306", "0.50668522"], ["0.0848092", "0.6949905"]],
        ),
    ],
)
def test_two_layers_give_the_numbers_computed_before(balance, first, texts):
    # MATH F.7: the square root of lambda I + W_1 W_1^T is a second layer.
    first = np.array(first)
    values, vectors = np.linalg.eigh(balance * np.eye(2) + first @ first.T)
    last = vectors * np.sqrt(values) @ vectors.T
    flow = exact_flow(posed([[2.0, 0.5], [0.0, 1.0]], 2), (first, last), [1.0])
    assert "balanced" in flow.kind
    pairs = zip(np.ravel(flow.end_to_end), np.ravel(texts), strict=True)
    assert all(printed(found, text) for found, text in pairs)


@pytest.mark.parametrize("std", [0.5, 1e-3])
@pytest.mark.parametrize("shape", STARTS, ids=str)
def test_two_layers_agree_with_many_digits_early_and_late(shape, std):
    problem, weights = drawn(*shape, std=std)
    goal, inputs = np.asarray(problem.target), shape[0]
    balance = shape[3] and balance_of(weights)
    wanted = gram_in_many_digits(goal, weights, balance, LATE)
    flow = exact_flow(problem, weights, LATE)
    for k in range(len(LATE)):
        scale = np.trace(wanted[k])
        close(flow.end_to_end[k], wanted[k][inputs:, :inputs], ulps=64, scale=scale)
        close(flow.grams[0][k], wanted[k][:inputs, :inputs], ulps=64, scale=scale)
        close(flow.grams[1][k], wanted[k][inputs:, inputs:], ulps=64, scale=scale)


@pytest.mark.parametrize("shape", STARTS[:9:2], ids=str)
def test_a_million_of_flow_time_costs_no_digit(shape):
    # Time scales as the target, the layers as its root: a thousand of the same.
    problem, weights = drawn(*shape)
    goal, root = np.asarray(problem.target) / 1000, 1000**-0.5
    small = [root * layer for layer in weights]
    balance = shape[3] and balance_of(small)
    wanted = gram_in_many_digits(goal, small, balance, [1e6])[0]
    flow = exact_flow(posed(goal, shape[1]), small, [1e6])
    found = wanted[shape[0] :, : shape[0]]
    close(flow.end_to_end[0], found, ulps=64, scale=np.trace(wanted))


@pytest.mark.parametrize("shape", STARTS, ids=str)
def test_the_limit_is_the_best_matrix_of_the_nets_rank(shape):
    problem, weights = drawn(*shape)
    limit = exact_flow(problem, weights, [INF]).end_to_end[0]
    best = np.asarray(problem.optimum.matrix)
    close(limit, best, ulps=64, scale=np.linalg.norm(best) + abs(shape[3]))


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_a_start_of_low_rank_learns_so_many_modes_and_no_more(rank):
    rng = np.random.default_rng(3)
    goal = rng.standard_normal((4, 3))
    first = 0.3 * rotation(rng, 5)[:, :rank] @ rng.standard_normal((rank, 3))
    left, values, right = np.linalg.svd(first)
    spread = np.zeros((4, 5))
    spread[:3, :3] = np.diag(values)
    last = rotation(rng, 4) @ spread @ left.T
    limit = exact_flow(posed(goal, 5), (first, last), [1e6, INF]).end_to_end
    left, values, right = np.linalg.svd(goal)
    best = (left[:, :rank] * values[:rank]) @ right[:rank]
    close(limit, np.stack([best, best]), ulps=64, scale=np.linalg.norm(goal))


def test_what_a_singular_target_does_not_ask_for_fades_like_a_power():
    rng = np.random.default_rng(4)
    goal = np.outer(rng.standard_normal(3), rng.standard_normal(3))
    weights = drawn(3, 3, 3, 0.0, seed=5)[1]
    flow = exact_flow(posed(goal, 3), weights, [1e4, 1e5, 1e6, INF])
    fading = np.linalg.norm(flow.end_to_end[:3] - goal, axis=(1, 2))
    np.testing.assert_allclose(fading[:-1] / fading[1:], 10, rtol=1e-3)
    close(flow.end_to_end[3], goal, ulps=64, scale=np.linalg.norm(goal))


def test_balanced_layers_of_the_wrong_orientation_stop_at_a_saddle():
    # The determinant of a balanced square chain never changes its sign.
    problem, (first, last) = drawn(3, 3, 3, 0.0)
    flip = np.diag([-1.0, 1.0, 1.0])
    limit = exact_flow(problem, (first, flip @ last), [1e6, INF]).end_to_end
    left, values, right = np.linalg.svd(np.asarray(problem.target))
    saddle = (left[:, :2] * values[:2]) @ right[:2]
    close(limit, np.stack([saddle] * 2), ulps=256, scale=values[0])


@pytest.mark.parametrize("std", [0.5, 1e-3])
@pytest.mark.parametrize("shape", STARTS, ids=str)
def test_the_layers_are_those_of_the_flow_hidden_units_included(shape, std):
    problem, weights = drawn(*shape, std=std)
    times = [0.0, 0.3, 1.0, 2.0, 6.0]
    wanted = taylor(problem.target, weights, times)
    found = exact_flow(problem, weights, times).weights
    scale = np.sqrt(sum(np.sum(layer[-1] ** 2) for layer in wanted))
    for layer, other in zip(found, wanted, strict=True):
        assert np.abs(layer - other).max() <= TURN * scale


def test_the_layers_are_the_flows_where_modes_fade_for_long():
    rng = np.random.default_rng(13)
    goal = rng.standard_normal((3, 1)) @ rng.standard_normal((1, 3))
    weights = drawn(3, 3, 3, 0.0, seed=14)[1]
    times = [1.0, 10.0, 60.0]
    wanted = taylor(goal, weights, times)
    found = exact_flow(posed(goal, 3), weights, times).weights
    for layer, other in zip(found, wanted, strict=True):
        assert np.abs(layer - other).max() <= TURN * np.abs(other).max()


@pytest.mark.parametrize("shape", [STARTS[1], STARTS[5], STARTS[8]], ids=str)
def test_the_flow_goes_on_from_its_own_weights(shape):
    problem, weights = drawn(*shape)
    flow = exact_flow(problem, weights, [0.7, 2.0, 1e4])
    middle = tuple(layer[0] for layer in flow.weights)
    # The middle is balanced as the start is, so that it is accepted at all.
    after = exact_flow(problem, middle, [0.0, 1.3, 1e4 - 0.7])
    for layer, other in zip(after.weights, flow.weights, strict=True):
        assert np.abs(layer - other).max() <= 2 * TURN * np.abs(other).max()


@pytest.mark.parametrize("shape", STARTS, ids=str)
def test_the_layers_keep_their_invariants_for_ever(shape):
    problem, weights = drawn(*shape)
    first, last = exact_flow(problem, weights, [0.0, 0.5, 4.0, 1e3, 1e9, INF]).weights
    gap = last.transpose(0, 2, 1) @ last - first @ first.transpose(0, 2, 1)
    scale = np.sum(first**2) + np.sum(last**2)
    close(gap, np.broadcast_to(gap[0], gap.shape), ulps=64, scale=scale)


@pytest.mark.parametrize("shape", [STARTS[3], STARTS[6]], ids=str)
def test_turning_the_hidden_space_turns_the_layers_along(shape):
    problem, (first, last) = drawn(*shape)
    turn = rotation(np.random.default_rng(6), shape[1])
    times = [0.0, 1.0, 5.0]
    plain = exact_flow(problem, (first, last), times)
    turned = exact_flow(problem, (turn @ first, last @ turn.T), times)
    close(turned.end_to_end, plain.end_to_end, ulps=64, scale=10.0)
    assert np.abs(turned.weights[0] - turn @ plain.weights[0]).max() <= TURN * 5


def test_transposing_the_net_transposes_the_flow():
    problem, (first, last) = drawn(4, 3, 2, -2.0)
    times = [0.0, 0.2, 1.0, INF]
    plain = exact_flow(problem, (first, last), times).end_to_end
    mirror = posed(np.asarray(problem.target).T, 3)
    turned = exact_flow(mirror, (last.T, first.T), times).end_to_end
    close(turned, plain.transpose(0, 2, 1), ulps=64, scale=10.0)


def test_times_come_in_any_order_and_twice():
    problem, weights = drawn(3, 5, 2, 0.0)
    times = [2.0, INF, 0.0, 0.5, 2.0]
    flow = exact_flow(problem, weights, times)
    for k, time in enumerate(times):
        alone = exact_flow(problem, weights, [time])
        close(flow.end_to_end[k], alone.end_to_end[0], ulps=32, scale=10.0)
        assert np.abs(flow.weights[0][k] - alone.weights[0][0]).max() <= 10 * TURN
    same_arrays(flow.weights[1][0], flow.weights[1][4])


def test_no_times_give_an_empty_flow():
    problem, weights = drawn(3, 3, 3, 0.5)
    flow = exact_flow(problem, weights, [])
    assert flow.end_to_end.shape == (0, 3, 3)
    assert str(flow).endswith("at no times")


# --- One layer, aligned modes, rest -------------------------------------------------


def test_one_layer_goes_straight_to_the_target():
    rng = np.random.default_rng(7)
    goal, start = rng.standard_normal((2, 2, 3))
    flow = exact_flow(posed(goal), (start,), [0.0, 2.0, INF])
    assert flow.kind == "one layer"
    close(flow.end_to_end[1] - goal, np.exp(-2) * (start - goal), ulps=8, scale=4.0)
    same_arrays(flow.weights[0][2], goal)


def aligned(widths, values, strengths, seed=0):
    """A target and a start diagonal in common random bases."""
    rng = np.random.default_rng(seed)
    bases = [rotation(rng, width) for width in widths]

    def between(high, low, numbers):
        core = np.zeros((widths[high], widths[low]))
        count = min(core.shape)
        numbers = [*numbers, *[0.0] * count][:count]
        core[range(count), range(count)] = numbers
        return bases[high] @ core @ bases[low].T

    layers = [between(j + 1, j, row) for j, row in enumerate(strengths)]
    return posed(between(-1, 0, values), *widths[1:-1]), layers


ALIGNED = {
    "two layers": ((3, 4, 3), [2, 1, 0.5], [[0.5, -0.2, 0.1], [0.1, 0.3, 0.1]]),
    "repeated": ((3, 3, 3), [1, 1, 1], [[0.5, 0.2, 0.1], [0.1, 0.3, 0.4]]),
    "signs": ((3, 3, 3), [1, 1, 1], [[0.5, 0.5, 0.5], [0.5, -0.5, 0.5]]),
    "singular": ((4, 4, 3), [2, 0, 0], [[0.5, 0.4, 0.3], [0.2, 0.4, 0.6]]),
    "bottleneck": ((4, 2, 3), [2, 1, 1], [[0.3, 0.2], [0.2, 0.2]]),
    "three layers": (
        (3, 4, 5, 3),
        [2, 2, 0.5],
        [[0.9] * 3, [0.8, 0.5, 0.9], [1.0] * 3],
    ),
    "above": ((2, 2, 2, 2), [0.5, 0.2], [[1.0, 1.2]] * 3),
    "crossing": ((2, 3, 2, 2), [1.0, 0.7], [[0.3, -0.4], [-0.9, 1.0], [0.8, 0.7]]),
    "zeros": ((3, 3, 3, 3), [1, 1, 0], [[0, 0, 0.5], [0.5, 0.5, 0.5], [0, 0.3, 0]]),
    "apart": (
        (6, 3, 3, 5, 4, 4),
        [1, 1, 1, 1],
        [
            [0.1, 0.1, 0],
            [0.01, 0.4, 2e-3],
            [2e-3, 0, 1.8],
            [4e-3, 5e-3, 0.6, 0.7],
            [0, 0, 0.1, 0.4],
        ],
    ),
    "graded": ((3, 3, 3, 3), [1, 1, 1], [[1, 1e-3, 1e-5], [0.5, 1.0, 1.0], [1.0] * 3]),
}


@pytest.mark.parametrize("case", ALIGNED)
def test_aligned_starts_follow_the_flow_layer_by_layer(case):
    problem, layers = aligned(*ALIGNED[case])
    times = [0.0, 0.2, 1.0, 4.0]
    flow = exact_flow(problem, layers, times)
    assert "aligned mode" in flow.kind
    wanted = integrated(np.asarray(problem.target), layers, times)
    for layer, other in zip(flow.weights, wanted, strict=True):
        np.testing.assert_allclose(layer, other, atol=50 * 1e-12)
    close(flow.end_to_end, products(flow.weights), ulps=64, scale=4.0)
    gaps = problem.target - flow.end_to_end
    excess = np.sum(gaps**2, axis=(1, 2)) / 2 - float(problem.infimum)
    close(flow.excess_loss, excess, ulps=16, scale=10.0)


@pytest.mark.parametrize("case", ALIGNED)
def test_every_aligned_mode_is_found_whatever_the_basis(case):
    widths, values, strengths = ALIGNED[case]
    counts = set()
    for seed in range(6):
        problem, layers = aligned(widths, values, strengths, seed)
        counts.add(exact_flow(problem, layers, [0.0]).kind)
    assert len(counts) == 1


def test_many_close_modes_are_told_apart():
    rng = np.random.default_rng(8)
    strengths = 10 ** rng.uniform(-3, 0, (3, 20))
    problem, layers = aligned((20, 24, 21, 20), rng.uniform(0.5, 2, 20), strengths)
    flow = exact_flow(problem, layers, [0.0, INF])
    assert flow.kind == "20 aligned modes"
    close(flow.end_to_end[0], products(layers), ulps=256, scale=1.0)
    close(flow.end_to_end[1], problem.target, ulps=256, scale=2.0)


def test_an_init_of_aligned_modes_has_a_closed_form_at_any_depth():
    goal = np.random.default_rng(9).standard_normal((4, 5))
    for hidden in ((6,), (6, 7), (5, 5, 5, 5)):
        problem = posed(goal, *hidden)
        start = tw.init("aligned", target=goal, strengths=0.1, mix=True)
        weights = start.draw(jax.random.key(1), problem.net)
        flow = exact_flow(problem, weights, [0.0, 0.5, INF])
        strong = np.linalg.svd(goal, compute_uv=False)
        grown = mode_strength(0.5, 0.1, strong, len(hidden) + 1)
        left, right = problem.left_modes, problem.right_modes
        wanted = (np.asarray(left) * grown) @ np.asarray(right).T
        close(flow.end_to_end[1], wanted, ulps=256, scale=strong[0])
        close(flow.end_to_end[2], goal, ulps=256, scale=strong[0])


def test_a_critical_point_of_any_depth_rests():
    rng = np.random.default_rng(10)
    problem = posed(rng.standard_normal((3, 4)), 5, 2)
    for weights in (
        [np.zeros(shape) for shape in problem.net.shapes],
        [np.zeros((5, 4)), rng.standard_normal((2, 5)), np.zeros((3, 2))],
    ):
        flow = exact_flow(problem, weights, [0.0, 1.0, INF])
        assert flow.kind == "at rest"
        for layer, begun in zip(flow.weights, weights, strict=True):
            same_arrays(layer, np.stack([begun] * 3))


@pytest.mark.parametrize(
    "x", [[0.5, 0.9, -0.3, 0.7], [1e-3, 1e-3], [2.0, 3.0, 0.1], [0.0, 1.0, 1.0]]
)
def test_a_playground_is_one_aligned_mode(x):
    times = [0.0, 0.5, 2.0]
    flow = exact_flow(tw.Playground(len(x)), x, times)
    chain = [np.array([[factor]]) for factor in x]
    wanted = np.concatenate(integrated(np.eye(1), chain, times), axis=2)[:, 0]
    np.testing.assert_allclose(flow.weights, wanted, atol=50 * 1e-12)
    close(flow["loss"], (flow.weights.prod(axis=1) - 1) ** 2 / 2, ulps=16, scale=1.0)
    assert flow.path().weights.shape == (len(x),)


# --- Modes --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("time", "wanted"), [(1.0, 0.4305879205034302), (2.0, 1.87484111374369)]
)
def test_a_balanced_pair_follows_the_sigmoid(time, wanted):
    # MATH D.2: s = 2, u(0) = 0.01.
    found = mode_strength(time, 0.01, 2.0, depth=2)
    assert found == pytest.approx(wanted, rel=8 * EPS)


def test_the_time_to_half_of_a_sigmoid_is_the_printed_one():
    assert printed(mode_time(1.0, 0.01, 2.0, depth=2), "1.323326206181123")
    assert printed(learning_time(0.01, 2.0, depth=2), "1.323326206181123")


def test_an_unbalanced_pair_is_that_of_the_corrected_formula():
    # MATH D.3: a = 1.2, b = 0.1, s = 1.5.
    assert printed(mode_strength(1.0, [1.2, 0.1], 1.5), "1.36569096181")
    assert printed(mode_time(1.36569096181, [0.1, 1.2], 1.5), "1.000000")


@pytest.mark.parametrize(
    ("depth", "text"),
    [
        (1, "2.944438979"),
        (2, "1.472219490"),
        (3, "1.138104737"),
        (4, "0.954060338"),
        (5, "0.826151370"),
        (8, "0.591665605"),
        (1000, "0.00619430"),
    ],
)
def test_the_time_of_equal_layers_is_the_printed_one(depth, text):
    # MATH D.4: s = 2, from 0.1 to 1.9.
    time = mode_time(1.9, 0.1, 2.0, depth)
    assert printed(time, text)
    assert mode_strength(time, 0.1, 2.0, depth) == pytest.approx(1.9, rel=1e-12)


@pytest.mark.parametrize(
    ("depth", "text", "leading"),
    [(3, "20.69", "21.54"), (4, "49.73", "50.00")],
)
def test_small_starts_escape_late(depth, text, leading):
    # MATH D.4: s = 1, u(0) = 1e-4, to one half.
    assert printed(learning_time(1e-4, 1.0, depth), text)
    assert printed(escape_time(1e-4, 1.0, depth), leading)


@pytest.mark.parametrize("depth", [2, 3, 6])
def test_the_escape_time_is_the_limit_of_the_learning_time(depth):
    starts = np.array([1e-6, 1e-10])
    gaps = learning_time(starts, 2.0, depth) / escape_time(starts, 2.0, depth) - 1
    assert abs(gaps[1]) < max(0.1 * abs(gaps[0]), 1e-9)


@pytest.mark.parametrize("start", [1e-12, 1e-3, 0.5, 1.4])
@pytest.mark.parametrize("depth", [3, 4, 7, 50])
def test_the_time_of_equal_layers_is_hypergeometric(depth, start):
    # MATH D.4, in 40 digits.
    def passed(u):
        power = mp.mpf(2) / depth - 1
        return u**power / power * mp.hyp2f1(1, power, power + 1, u)

    with mp.workdps(40):
        for share in (0.01, 0.5, 0.999):
            reached = start + share * (1.5 - start)
            span = passed(mp.mpf(reached) / 1.5) - passed(mp.mpf(start) / 1.5)
            wanted = float(span * mp.mpf(1.5) ** (mp.mpf(2) / depth - 2) / depth)
            # Differences of strengths are known to eps / share only.
            tolerance = depth * 8 * EPS * reached / (reached - start)
            assert mode_time(reached, start, 1.5, depth) == pytest.approx(
                wanted, rel=tolerance
            )


MODES = [
    ([0.3, 0.5, 0.9], 2.0),
    ([-0.3, 0.5, 0.9], 2.0),
    ([0.3, 0.5, 0.9], -2.0),
    ([-0.3, 0.5, 0.9], 0.0),
    ([0.3, 0.3, 0.9], -1.0),
    ([0.3, 0.3, 0.3], 0.0),
    ([0.0, 0.5, -0.9], 2.0),
    ([1e-9, 0.5, 0.9], -2.0),
    ([2.0, 3.0, 1.5], 2.0),
    ([-0.01, 0.011, 0.012], 1.0),
    ([0.1, 0.4, 0.4, 0.8, -0.2], 1.5),
    ([0.5, 0.7], 2.0),
    ([-0.5, 0.7], 2.0),
    ([0.0, 0.7], 2.0),
    ([-0.5, 0.5], 2.0),
    ([-0.5], 2.0),
]
MODE_TIMES = [0.0, 0.1, 0.5, 2.0]


@functools.cache
def courses(index):
    """Layers of a mode by Taylor series of 25 digits."""
    layers, goal = MODES[index]

    def field(_t, a):
        whole = mp.fprod(a)
        rest = [mp.fprod(a[:j] + a[j + 1 :]) for j in range(len(a))]
        return [(goal - whole) * other for other in rest]

    with mp.workdps(25):
        solved = mp.odefun(field, 0, [mp.mpf(a) for a in layers])
        return np.array([[float(a) for a in solved(t)] for t in MODE_TIMES])


@pytest.mark.parametrize("index", range(len(MODES)), ids=lambda k: str(MODES[k]))
def test_every_layer_of_a_mode_follows_its_equation(index):
    layers, goal = MODES[index]
    size = len(layers)
    problem = posed([[goal]], *(1,) * (size - 1))
    flow = exact_flow(problem, [np.array([[a]]) for a in layers], MODE_TIMES)
    found = np.stack([layer[:, 0, 0] for layer in flow.weights], axis=1)
    close(found, courses(index), ulps=16, scale=np.abs(courses(index)).max())
    strengths = mode_strength(MODE_TIMES, layers, goal)
    close(strengths, courses(index).prod(axis=1), ulps=16, scale=abs(goal) + 1)


@pytest.mark.parametrize("index", range(len(MODES)), ids=lambda k: str(MODES[k]))
def test_time_and_strength_are_inverse(index):
    layers, goal = MODES[index]
    strengths = courses(index).prod(axis=1)
    found = mode_time(strengths, layers, goal)
    # Where the strength hardly moves, its rounding is much time.
    sides = courses(index)[:, None, :] * (1 - np.eye(len(layers))) + np.eye(len(layers))
    slope = np.abs(goal - strengths) * np.sum(sides.prod(axis=2) ** 2, axis=1)
    assert np.all(np.abs(found - MODE_TIMES) <= 16 * EPS * (4 + 4 / slope))


def test_a_mode_that_balance_keeps_from_its_target_ends_at_zero():
    assert mode_strength(INF, [0.5, -0.5], 1.0) == 0
    assert mode_strength(INF, [0.4, 0.4, -0.4], 1.0) == 0
    assert mode_strength(INF, [0.4, 0.4, -0.3], 1.0) == pytest.approx(1, rel=4 * EPS)
    assert np.isnan(learning_time([0.4, 0.4, -0.4], 1.0))
    assert np.isfinite(learning_time([0.4, 0.4, -0.3], 1.0))


def test_times_of_modes_that_are_not_on_the_way_are_no_numbers():
    times = mode_time([0.05, 0.1, 0.5, 2.0, 2.5], 0.1, 2.0, depth=3)
    assert np.isnan(times[[0, 4]]).all()
    assert times[1] == 0
    assert times[3] == INF


def test_modes_broadcast():
    times = mode_time([[0.5], [1.0]], [0.1, 0.2, 0.3], 2.0, depth=4)
    assert times.shape == (2, 3)
    for row, column in itertools.product(range(2), range(3)):
        alone = mode_time([0.5, 1.0][row], [0.1, 0.2, 0.3][column], 2.0, depth=4)
        assert times[row, column] == pytest.approx(alone, rel=8 * EPS)


# --- As a path, and beside the solver -----------------------------------------------


MEASURES = ("loss", "singular_modes", "invariants", "end_to_end")


@pytest.mark.parametrize("balance", [0.0, 0.7, -0.7])
def test_the_solver_agrees_with_the_closed_form_within_its_tolerance(balance):
    problem, weights = drawn(3, 2, 4, balance)
    times = [0.0, 0.1, 0.4, 1.0, 2.0]
    path = tw.flow(problem, weights, times=times, measures=MEASURES)
    exact = exact_flow(problem, weights, times).path(MEASURES)
    assert list(exact) == list(path)
    for name in path:
        np.testing.assert_allclose(path[name], exact[name], atol=20 * 1e-10 * 10)
    for layer, other in zip(path.weights, exact.weights, strict=True):
        np.testing.assert_allclose(layer, other, atol=20 * 1e-10)


def test_a_path_records_what_the_flow_holds():
    problem, weights = drawn(3, 5, 2, 0.0)
    flow = exact_flow(problem, weights, [0.0, 1.0, 3.0])
    path = flow.path(("loss", "end_to_end"))
    assert path.is_flow
    assert path.settings["solver"] == "exact"
    for name in ("loss", "excess_loss", "end_to_end"):
        close(path[name], flow[name], ulps=64, scale=10.0)
    wanted = net_oracles.loss([w[1] for w in flow.weights], np.eye(3), problem.target)
    close(flow["loss"][1], wanted, ulps=64, scale=10.0)


def test_a_path_ends_as_flows_do():
    problem, weights = drawn(3, 5, 2, 0.0)
    short = exact_flow(problem, weights, [0.0, 1.0]).path()
    assert str(short.outcome).endswith("ask for a longer horizon.")
    long = exact_flow(problem, weights, [0.0, 1e4]).path()
    assert long.outcome.stalled
    assert long.outcome.time == 1e4


def test_a_path_is_saved_and_cites_its_papers(tmp_path):
    problem, weights = drawn(3, 5, 2, 0.0)
    path = exact_flow(problem, weights, [0.0, 1.0]).path()
    path.save(tmp_path / "run")
    loaded = Path.load(tmp_path / "run")
    for again in (loaded, tw.resume(loaded)):
        same_arrays(again["loss"], path["loss"])
    assert all(key in path.cite() for key in ("saxe2014", "fukumizu1998", "domine2025"))


def test_a_page_and_a_figure_are_drawn_from_a_closed_form(tmp_path):
    problem, weights = drawn(3, 5, 2, 0.0)
    path = exact_flow(problem, weights, np.linspace(0, 3, 20)).path(MEASURES)
    tw.page(path).save(tmp_path / "run.html")
    tw.figure(path, "singular_modes").savefig(tmp_path / "modes.png")
    assert (tmp_path / "run.html").stat().st_size > 1000


def test_a_flow_says_what_it_is():
    problem, weights = drawn(3, 3, 3, 0.5)
    text = str(exact_flow(problem, weights, [0.0, 2.0]))
    assert text.startswith("exact flow (two layers, balanced up to 0.5) at 2 times")


# --- Refusals -----------------------------------------------------------------------


def raw_problem():
    rng = np.random.default_rng(11)
    data = tw.Moments.from_data(
        rng.standard_normal((9, 3)), rng.standard_normal((9, 2))
    )
    return tw.Problem(net=tw.LinearNet((3, 3, 2)), data=data)


def absolute_deviations():
    problem = SampleProblem(tw.LinearNet((2, 2, 1)), np.eye(2), [1.0, 2.0], Power(1))
    return problem, [np.ones(shape) for shape in problem.net.shapes]


def off_balance(by):
    problem, (first, last) = drawn(3, 3, 3, 0.5)
    return problem, (first + by * np.eye(3), last)


def gaussian(*hidden):
    problem = posed(np.random.default_rng(12).standard_normal((3, 3)), *hidden)
    return problem, tw.init("gaussian").draw(jax.random.key(0), problem.net)


@pytest.mark.parametrize(
    ("case", "says"),
    [
        (gaussian(3), "from a multiple of the identity"),
        (gaussian(3, 3), "two layers are needed"),
        (off_balance(1e-6), r"its invariant is \d\.\de-07 from a multiple"),
        (off_balance(1e-12), "from a multiple of the identity"),
        ((raw_problem(), drawn(3, 3, 2, 0.0)[1]), "squared loss on white data"),
        (absolute_deviations(), "squared loss on white data"),
    ],
    ids=["gaussian", "deep", "nearly", "more nearly", "raw data", "other loss"],
)
def test_a_start_without_a_closed_form_is_refused_with_its_distance(case, says):
    with pytest.raises(DomainError, match=says) as caught:
        exact_flow(*case, [1.0])
    assert is_a_sentence(caught.value)
    assert "tw.flow" in str(caught.value)


@pytest.mark.parametrize(
    ("call", "kind", "says"),
    [
        (lambda p, w: exact_flow(p, w, [-1.0]), DomainError, "times must be"),
        (lambda p, w: exact_flow(p, w, [np.nan]), DomainError, "times must be"),
        (lambda p, w: exact_flow(p, w, 1.0), DomainError, "times must be"),
        (lambda p, w: exact_flow(p, w, "soon"), DomainError, "times must be"),
        (lambda p, w: exact_flow(p, w[::-1], [1.0]), ShapeError, "size must be"),
        (lambda p, w: exact_flow(p, w, [1.0])["losses"], UnknownName, "Did you mean"),
        (lambda p, w: exact_flow(p, w, [1.0, 2.0]).path(), DomainError, "starts at 0"),
        (lambda p, w: exact_flow(p, w, [0.0, INF]).path(), DataError, "infinite"),
        (lambda p, w: mode_time(1.0, 0.1, 2.0), DomainError, "without a depth"),
        (lambda p, w: mode_time(1.0, 0.1, 2.0, 0), DomainError, "depth is 0"),
        (lambda p, w: mode_strength(-1.0, 0.1, 2.0, 2), DomainError, "time is -1"),
        (lambda p, w: learning_time(0.1, 2.0, 2, 1.0), DomainError, "fraction is 1"),
        (lambda p, w: escape_time(0.1, 2.0, 1), DomainError, "depth is 1"),
        (lambda p, w: escape_time(-0.1, 2.0, 3), DomainError, "must be positive"),
    ],
)
def test_a_mistake_is_met_with_one_sentence(call, kind, says):
    problem, weights = drawn(3, 5, 2, 0.0)
    with pytest.raises(kind, match=says) as caught:
        call(problem, tuple(jnp.asarray(layer) for layer in weights))
    assert is_a_sentence(caught.value)
