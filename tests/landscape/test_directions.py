"""Constructed directions of negative curvature, against the loss itself."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import thalweg as tw
from saddles import drawn, hessian
from thalweg._core.errors import DomainError
from thalweg.landscape.directions import (
    all_directions,
    escape_direction,
    second_order,
)
from thalweg.landscape.pivots import pivots
from thalweg.landscape.strictness import classify
from tolerances import is_a_sentence, printed

SEEDS = st.integers(0, 2**32 - 1)
WIDTHS = [(3, 4, 2), (4, 3, 3, 2), (2, 3, 3, 4), (3, 3, 3, 3, 3), (3, 3, 2, 3, 3, 3)]


def fraction_matrix(array):
    return [[Fraction(float(x)) for x in row] for row in np.asarray(array)]


def times(a, b):
    columns = list(zip(*b, strict=True))
    return [
        [sum(x * y for x, y in zip(row, column, strict=True)) for column in columns]
        for row in a
    ]


def loss_along(problem, weights, direction, t):
    """The loss at weights + t direction, in fractions, by loops."""
    seen = fraction_matrix(problem.data.inputs_factor)
    for layer, change in zip(weights, direction, strict=True):
        w, v = fraction_matrix(layer), fraction_matrix(change)
        moved = [
            [a + t * b for a, b in zip(p, q, strict=True)]
            for p, q in zip(w, v, strict=True)
        ]
        seen = times(moved, seen)
    labels = fraction_matrix(problem.data.labels_factor)
    gaps = (
        a - b
        for p, q in zip(seen, labels, strict=True)
        for a, b in zip(p, q, strict=True)
    )
    return sum(gap * gap for gap in gaps) / 2


def exact_second_order(problem, weights, direction):
    """The coefficient of t^2, by interpolation of the loss's even part.

    The loss is a polynomial of degree 2 N in t, its even part one of degree N in t^2.
    """
    depth = len(weights)
    nodes = [Fraction(k) for k in range(depth + 1)]
    values = [
        (
            loss_along(problem, weights, direction, t)
            + loss_along(problem, weights, direction, -t)
        )
        / 2
        for t in nodes
    ]
    squares = [t * t for t in nodes]
    found = Fraction(0)
    for k, value in enumerate(values):
        others = [s for place, s in enumerate(squares) if place != k]
        # The linear coefficient of Lagrange's polynomial that is one at node k.
        scale = Fraction(1)
        for s in others:
            scale /= squares[k] - s
        linear = Fraction(0)
        for left_out in range(len(others)):
            term = Fraction(1)
            for place, s in enumerate(others):
                if place != left_out:
                    term *= -s
            linear += term
        found += value * scale * linear
    return found


@given(seed=SEEDS, widths=st.sampled_from(WIDTHS), white=st.booleans())
@settings(max_examples=80)
def test_a_direction_has_the_curvature_it_says(seed, widths, white):
    rng = np.random.default_rng(seed)
    values = np.sort(rng.uniform(0.7, 3, min(widths[0], widths[-1])))[::-1]
    count = int(rng.integers(min(*widths, values.size) + 1))
    learnt = sorted(rng.permutation(values.size)[:count].tolist())
    problem, weights = drawn(seed, widths, values, learnt, white=white)
    form = hessian(problem, weights)
    signs = np.linalg.eigvalsh(form)
    found = list(all_directions(problem, weights))
    assert bool(found) == (signs[0] < -1e-11)
    # The form in floats is wrong by some units of rounding of the largest eigenvalue.
    noise = 1e-13 * max(1.0, signs[-1])
    for way in found:
        vector = np.concatenate([np.asarray(w).ravel() for w in way.direction])
        assert np.linalg.norm(vector) == pytest.approx(1, rel=1e-14)
        assert vector @ form @ vector == pytest.approx(way.curvature, abs=noise)
        assert way.curvature == 2 * way.change < 0
        assert way.curvature >= signs[0] - noise
        assert is_a_sentence(way.reason)
    if found:
        best = escape_direction(problem, weights)
        assert best.curvature == min(way.curvature for way in found)


@pytest.mark.parametrize("seed", range(24))
def test_the_loss_falls_along_it_as_fractions_say(seed):
    widths = [(2, 3, 2), (3, 2, 2, 2), (2, 2, 3, 2)][seed % 3]
    problem, weights = drawn(seed, widths, [2.0, 1.0], [seed % 2], white=seed % 4 > 0)
    for way in all_directions(problem, weights):
        change = exact_second_order(problem, weights, way.direction)
        assert float(change) == pytest.approx(way.change, abs=1e-13)
        assert second_order(problem, weights, way.direction) == pytest.approx(
            float(change), abs=1e-13
        )


@pytest.mark.parametrize("seed", range(60))
def test_every_loose_pivot_has_a_direction(seed):
    problem, weights = drawn(seed, (3, 3, 3, 3, 3, 3), [3.0, 2.0, 1.0], range(seed % 2))
    loose = {(p.upper, p.lower) for p in pivots(problem, weights) if not p.is_tightened}
    ways = {w.layers for w in all_directions(problem, weights) if "modes" not in w.case}
    assert ways == loose


def test_the_steepest_direction_is_often_the_steepest_of_all():
    shares = []
    for seed in range(60):
        problem, weights = drawn(seed, (3, 3, 3, 3), [3.0, 2.0, 1.0], [seed % 3])
        lowest = np.linalg.eigvalsh(hessian(problem, weights))[0]
        if lowest < -1e-11:
            shares.append(escape_direction(problem, weights).curvature / lowest)
    assert len(shares) > 30
    assert np.mean(shares) > 0.8
    assert max(shares) <= 1 + 1e-12


VALUES = np.array([3.0, 2.0, 1.0])


def checked(modes, last=1.3, middle=0.8):
    """MATH E.8: labels [diag(3, 2, 1) | 0], widths (5, 4, 4, 3), modes learnt."""
    labels = np.zeros((3, 5))
    labels[range(3), range(3)] = VALUES
    first, second, third = (np.zeros(s) for s in ((4, 5), (4, 4), (3, 4)))
    for mode in modes:
        first[mode, mode] = VALUES[mode] / (last * middle)
        second[mode, mode], third[mode, mode] = middle, last
    data = tw.Moments.whitened(labels)
    return tw.Problem(tw.LinearNet((5, 4, 4, 3)), data), (first, second, third)


def test_chitour2023_remark_3_the_smallest_eigenvalue():
    problem, weights = checked([1])
    assert printed(float(np.linalg.eigvalsh(hessian(problem, weights))[0]), "-0.7603")
    way = escape_direction(problem, weights)
    assert (way.case, way.layers) == ("wrong modes", (3, 1))
    assert printed(way.curvature, "-0.7603")


@pytest.mark.parametrize(
    ("share", "mode", "text"),
    [(1.0, 1, "-2"), (0.1, 2, "0.425"), (0.3125, 2, "0"), (0.8125, 2, "-1")],
)
def test_chitour2023_directions_where_the_middle_is_open(share, mode, text):
    # MATH E.8, 1: lambda = share, mu = 1, through the hidden unit of that number.
    labels = np.zeros((3, 5))
    labels[range(3), range(3)] = VALUES
    problem = tw.Problem(tw.LinearNet((5, 4, 3)), tw.Moments.whitened(labels))
    first, last = np.zeros((4, 5)), np.zeros((3, 4))
    first[0, 0], first[2, 3:], last[0, 0] = 2.0, (1.0, -0.5), 1.5
    move = [np.zeros((4, 5)), np.zeros((3, 4))]
    move[0][mode, 1], move[1][1, mode] = share, 1.0
    assert printed(second_order(problem, (first, last), move), text)
    assert escape_direction(problem, (first, last)).case == "r_Z > r"


def test_chitour2023_case_1_1a_by_its_own_recipe():
    # w_2 = x y', w_3 = rho p x', p = W_11' y, rho = (C + 1)/(p' S p): -1.
    rng = np.random.default_rng(2)
    problem, _ = checked([])
    first, last = rng.standard_normal((4, 5)), np.zeros((3, 4))
    weights = (first, np.zeros((4, 4)), last)
    x, y = np.eye(4)[0], rng.standard_normal(4)
    p = first[:, :3].T @ y
    spread = 0.5 * np.sum((last @ x) ** 2) * np.sum((first.T @ y) ** 2)
    rho = (spread + 1) / (p @ (VALUES * p))
    move = (np.zeros((4, 5)), np.outer(x, y), rho * np.outer(p, x))
    assert second_order(problem, weights, move) == pytest.approx(-1, abs=1e-12)
    assert classify(problem, weights).case == "H=2 case 1.1a"
    assert escape_direction(problem, weights).case == "H=2 case 1.1a"


@pytest.mark.parametrize(
    ("depth", "says"), [(3, "non-strict saddle"), (2, "global minimum")]
)
def test_where_no_direction_leads_down_that_is_said(depth, says):
    toy = tw.Playground(depth)
    point = np.zeros(depth) if depth == 3 else np.ones(depth)
    with pytest.raises(DomainError, match=says) as caught:
        escape_direction(toy, point)
    assert is_a_sentence(caught.value)
    assert list(all_directions(toy, point)) == []


def test_a_playgrounds_direction_is_a_vector():
    way = escape_direction(tw.Playground(3), [2.0, 0.0, 0.0])
    assert np.shape(way.direction) == (3,)
    assert way.curvature == pytest.approx(-2.0, abs=1e-15)
    told = way.to_json()
    assert told["layers"] == [3, 2]
    assert np.shape(told["direction"]) == (3, 1, 1)
