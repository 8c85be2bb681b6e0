"""Chitour, Liao, Couillet: bounds along flows, and the landscape."""

import functools
from itertools import accumulate, pairwise

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import thalweg as tw
from thalweg.linalg import balls
from thalweg.theorems._base import Verdict

WIDTHS = [(3, 4, 2), (4, 1, 3, 2), (2, 3, 3, 2), (3, 3)]
SEEDS = st.integers(0, 2**32 - 1)


def drawn(seed, widths, scale=1.0):
    draw = np.random.default_rng(seed).standard_normal
    return tuple(jnp.asarray(scale * draw((b, a))) for a, b in pairwise(widths))


@functools.cache
def raw(seed, widths, samples=30):
    draw = np.random.default_rng(seed).standard_normal
    spread = np.linspace(0.5, 2, widths[0])
    data = tw.Moments.from_data(
        draw((samples, widths[0])) * spread, draw((samples, widths[-1]))
    )
    return tw.Problem(tw.LinearNet(widths), data)


def diag(*values):
    return np.diag(np.asarray(values, dtype=float))


def middle(ball):
    return float(ball.mid())


# Flows stay bounded.


def by_hand(problem, weights):
    """MATH E.2, in NumPy, from the data's second moments."""
    xx, yx = np.asarray(problem.data.xx), np.asarray(problem.data.yx)
    goal = np.linalg.solve(xx, yx.T).T
    matrices = [np.asarray(w) for w in weights]
    gap = functools.reduce(lambda product, w: w @ product, matrices) - goal
    loss = np.trace(gap @ xx @ gap.T) / 2
    smallest = np.sqrt(np.linalg.eigvalsh(xx)[0])
    size = np.linalg.norm(goal, 2) + np.sqrt(2 * loss) / smallest
    deltas = [np.linalg.norm(b.T @ b - a @ a.T, 2) for a, b in pairwise(matrices)]
    n = len(matrices)
    return np.sqrt(size ** (2 / n) + 1.5 * (n - 1) * max(deltas, default=0.0))


@pytest.mark.parametrize("widths", WIDTHS, ids=str)
@pytest.mark.parametrize("seed", [0, 1])
def test_the_bound_on_the_layers_is_that_of_the_formula(widths, seed):
    problem, start = raw(seed, widths), drawn(seed + 10, widths)
    found = tw.certify("chitour2023.Boundedness", problem, start)
    assert found.verdict is Verdict.PROVED
    bound = middle(found.guarantee.values["bound"])
    assert bound == pytest.approx(by_hand(problem, start), rel=1e-9)


@pytest.mark.parametrize(("widths", "scale"), [((3, 4, 2), 2.0), ((4, 1, 3, 2), 1.0)])
def test_no_layer_outgrows_its_bound_along_the_flow(widths, scale):
    problem, start = raw(3, widths), drawn(4, widths, scale)
    path = tw.flow(
        problem, start, horizon=20.0, measures=("layer_singular_values", "excess_loss")
    )
    found = tw.certify("chitour2023.Boundedness", problem, start, path=path)
    assert found.observed.kept is True
    (kept,) = found.guarantee.kept
    assert path["layer_singular_values"].max() <= balls.bounds(kept.at_most)[0]


@given(seed=SEEDS, widths=st.sampled_from(WIDTHS[:3]), scale=st.floats(0.1, 5))
@settings(max_examples=15)
def test_the_bound_does_not_see_rotations_of_hidden_spaces(seed, widths, scale):
    problem, start = raw(0, widths), drawn(seed, widths, scale)
    rng = np.random.default_rng(seed)
    turns = [np.linalg.qr(rng.standard_normal((w, w)))[0] for w in widths[1:-1]]
    turned = [np.asarray(w) for w in start]
    for place, turn in enumerate(turns):
        turned[place] = turn @ turned[place]
        turned[place + 1] = turned[place + 1] @ turn.T
    bounds = [
        middle(
            tw.certify("chitour2023.Boundedness", problem, w).guarantee.values["bound"]
        )
        for w in (start, tuple(turned))
    ]
    assert bounds[0] == pytest.approx(bounds[1], rel=1e-11)


def padded(values, shape):
    """A matrix with the values on its diagonal."""
    matrix = np.zeros(shape)
    matrix[range(len(values)), range(len(values))] = values
    return matrix


@given(seed=SEEDS, widths=st.sampled_from(WIDTHS[:3]), mix=st.floats(0, 1))
@settings(max_examples=60)
def test_the_norm_of_the_last_layer_encloses_that_of_the_product(seed, widths, mix):
    # From balanced layers, where it is tightest, to unbalanced ones.
    strengths = np.random.default_rng(seed).standard_normal(min(widths))
    start = tuple(
        mix * np.asarray(v) + padded(strengths, v.shape) for v in drawn(seed, widths)
    )
    found = tw.certify("chitour2023.NormSandwich", raw(0, widths), start)
    assert all(h.verdict is not Verdict.REFUTED for h in found.conclusions)
    values = {name: middle(ball) for name, ball in found.guarantee.values.items()}
    square = np.linalg.norm(np.linalg.multi_dot(start[::-1])) ** 2
    room = 1e-11 * (1 + abs(values["high"]))
    assert values["low"] - room <= square <= values["high"] + room
    n, matrices = len(start), [np.asarray(w) for w in start]
    g, k = np.linalg.norm(matrices[-1]) ** 2, min(matrices[-1].shape)
    delta = max(np.linalg.norm(b.T @ b - a @ a.T, 2) for a, b in pairwise(matrices))
    largest = max(np.linalg.norm(w) for w in matrices)
    slack = widths[-1] * n * (n - 1) / 2 * delta * largest ** (2 * (n - 1))
    assert values["high"] == pytest.approx(g**n + slack, rel=1e-9)
    assert values["low"] == pytest.approx(g**n / k ** (n - 1) - slack, rel=1e-9)


# Critical points.


def unimodular(rng, size):
    """An integer matrix and its integer inverse."""
    matrix, inverse = np.eye(size), np.eye(size)
    for _ in range(size if size > 1 else 0):
        i, j = rng.choice(size, 2, replace=False)
        step = np.eye(size)
        step[i, j] = rng.integers(-1, 2)
        back = 2 * np.eye(size) - step
        matrix, inverse = step @ matrix, inverse @ back
    return matrix, inverse


def critical(seed, depth, modes, outputs=3, inputs=4, hidden=4, blocks=0):
    """A critical point of the target [diag(8, 4, 2) | 0] (MATH F.1, Proposition 10).

    `blocks` of the inner layers carry something outside of the modes learnt.
    """
    rng = np.random.default_rng(seed)
    values = np.array([8.0, 4.0, 2.0])[:outputs]
    goal = np.hstack([np.diag(values), np.zeros((outputs, inputs - outputs))])
    rank = len(modes)
    turns = [unimodular(rng, hidden) for _ in range(depth - 1)]
    first = np.zeros((hidden, inputs))
    first[:rank] = goal[list(modes)]
    first = turns[0][0] @ first
    last = np.zeros((outputs, hidden))
    last[list(modes), range(rank)] = 1
    chain = [first]
    for place in range(depth - 2):
        inner = np.zeros((hidden, hidden))
        inner[range(rank), range(rank)] = 1
        if place < blocks:
            inner[rank:, rank:] = rng.integers(1, 4) * np.eye(hidden - rank)
        chain.append(turns[place + 1][0] @ inner @ turns[place][1])
    chain.append(last @ turns[-1][1])
    net = tw.LinearNet((inputs, *(hidden,) * (depth - 1), outputs))
    problem = tw.Problem(net, tw.Moments.whitened(goal))
    return problem, tuple(jnp.asarray(w) for w in chain), values


SUBSETS = st.sampled_from([(), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)])


@given(seed=SEEDS, depth=st.sampled_from([2, 3, 4]), modes=SUBSETS,
       blocks=st.integers(0, 2))  # fmt: skip
@settings(max_examples=30)
def test_a_critical_point_has_the_value_of_the_modes_it_misses(
    seed, depth, modes, blocks
):
    problem, start, values = critical(seed, depth, modes, blocks=blocks)
    found = tw.certify("chitour2023.CriticalPoints", problem, start)
    assert found.verdict is Verdict.PROVED
    assert all(h.verdict is Verdict.PROVED for h in found.conclusions)
    missed = np.delete(values, list(modes))
    assert middle(found.guarantee.values["excess loss"]) == np.sum(missed**2) / 2
    assert f"the modes {[mode + 1 for mode in modes]}" in found.guarantee.statement
    saddle = tw.certify("chitour2023.Saddles", problem, start)
    assert (saddle.verdict is Verdict.PROVED) == (len(modes) < 3)


@given(seed=SEEDS, depth=st.sampled_from([2, 3, 4]), modes=SUBSETS,
       blocks=st.integers(0, 2))  # fmt: skip
@settings(max_examples=30)
def test_a_way_down_is_found_where_the_inner_layers_keep_more(
    seed, depth, modes, blocks
):
    problem, start, _ = critical(seed, depth, modes, blocks=blocks)
    found = tw.certify("chitour2023.NegativeCurvature", problem, start)
    more = blocks >= depth - 2 and len(modes) < 4
    assert (found.verdict is Verdict.PROVED) == (more and len(modes) < 3)
    if found.verdict is Verdict.PROVED:
        assert all(h.verdict is Verdict.PROVED for h in found.conclusions)
        assert middle(found.guarantee.values["change"]) == -1
        curvature = middle(found.guarantee.values["curvature"])
        smallest = float(smallest_eigenvalue(problem, start))
        assert smallest <= curvature + 1e-10
        assert curvature < 0


def smallest_eigenvalue(problem, start):
    """Of the Hessian, its columns by complex steps of the gradient's polynomial."""
    shapes = [w.shape for w in start]
    flat = np.concatenate([np.asarray(w).ravel() for w in start])
    data = problem.data
    x, y = np.asarray(data.inputs_factor), np.asarray(data.labels_factor)

    def slope(vector):
        parts = np.split(vector, np.cumsum([a * b for a, b in shapes])[:-1])
        chain = [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
        seen = list(accumulate([x, *chain], lambda product, w: w @ product))
        back, found = seen[-1] - y, []
        for w, before in zip(chain[::-1], seen[-2::-1], strict=True):
            found.append(back @ before.T)
            back = w.T @ back
        return np.concatenate([g.ravel() for g in found[::-1]])

    steps = 1e-30j * np.eye(len(flat))
    return np.linalg.eigvalsh([slope(flat + step).imag / 1e-30 for step in steps])[0]


def test_a_saddle_on_data_that_are_not_white_is_seen_in_their_own_coordinates():
    moments = tw.Moments.from_moments(diag(4, 1), diag(2, 3))
    problem = tw.Problem(tw.LinearNet((2, 3, 2)), moments)
    # W X = diag(1, 0) is the projection of Y = diag(1, 3); X = diag(2, 1).
    start = (np.eye(3, 2) * [0.5, 0], np.eye(2, 3) * [1.0, 0, 0])
    found = tw.certify("chitour2023.CriticalPoints", problem, start)
    assert found.verdict is Verdict.PROVED
    assert middle(found.guarantee.values["excess loss"]) == 4.5
    steep = tw.certify("chitour2023.NegativeCurvature", problem, start)
    assert steep.verdict is Verdict.PROVED
    start = tuple(jnp.asarray(w) for w in start)
    curvature = middle(steep.guarantee.values["curvature"])
    assert smallest_eigenvalue(problem, start) <= curvature + 1e-12


@pytest.mark.parametrize("name", ["CriticalPoints", "Saddles", "NegativeCurvature"])
def test_the_last_place_decides_whether_a_point_is_critical(name):
    problem, start, _ = critical(0, 2, (1,))
    nudged = (start[0].at[0, 0].add(2.0**-52), start[1])
    found = tw.certify(f"chitour2023.{name}", problem, nudged)
    assert found.verdict is Verdict.REFUTED
    near = tw.certify(f"chitour2023.{name}", problem, start, radius=1e-12)
    assert near.verdict is Verdict.UNDECIDED


def test_equal_singular_values_are_matched_too():
    # The projection on (3, 4)/5, no coordinate axis, of a target with one value.
    start = (np.array([[3.0, 4.0], [0.0, 0.0]]), np.array([[3.0, 0.0], [4.0, 0.0]]))
    problem = tw.Problem(tw.LinearNet((2, 2, 2)), tw.Moments.whitened(25 * np.eye(2)))
    found = tw.certify("chitour2023.CriticalPoints", problem, start)
    assert found.verdict is Verdict.PROVED
    assert middle(found.guarantee.values["excess loss"]) == 25**2 / 2
    assert all(h.verdict is Verdict.PROVED for h in found.conclusions)
    # Of two different values it is a span of no singular vectors, so not critical.
    other = tw.Problem(tw.LinearNet((2, 2, 2)), tw.Moments.whitened(diag(25, 20)))
    found = tw.certify("chitour2023.CriticalPoints", other, start)
    assert found.verdict is Verdict.REFUTED
