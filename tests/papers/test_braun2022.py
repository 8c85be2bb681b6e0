"""Braun, Domine, Fitzgerald, Saxe: the Riccati solution against the flow itself."""

import time

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

import thalweg as tw
from thalweg.theorems._base import Case
from thalweg.theorems.braun2022 import course

SHAPES = st.sampled_from([(2, 2, 2), (3, 2, 4), (4, 3, 2), (2, 5, 3)])
TIMES = np.array([0.0, 2.0, 0.3, 8.0])


def integrated(target, first, last, times):
    shapes = first.shape, last.shape

    def parts(flat):
        one, two = np.split(flat, [first.size])
        return one.reshape(shapes[0]), two.reshape(shapes[1])

    def field(_, flat):
        one, two = parts(flat)
        gap = target - two @ one
        return np.concatenate([(two.T @ gap).ravel(), (gap @ one.T).ravel()])

    order = np.sort(times)
    found = solve_ivp(
        field, (0, order[-1]), np.concatenate([first.ravel(), last.ravel()]),
        t_eval=order, rtol=1e-11, atol=1e-13, method="DOP853",
    )  # fmt: skip
    maps = [np.matmul(*parts(flat)[::-1]) for flat in found.y.T]
    return np.array(maps)[np.searchsorted(order, times)]


def problem_of(target, hidden):
    net = tw.LinearNet((target.shape[1], hidden, target.shape[0]))
    return tw.Problem(net, tw.Moments.whitened(target))


@given(seed=st.integers(0, 2**32 - 1), widths=SHAPES, balance=st.floats(-2, 2))
@settings(max_examples=12)
def test_the_closed_form_is_the_flow_of_every_lambda_balanced_start(
    seed, widths, balance
):
    inputs, hidden, outputs = widths
    if hidden > (outputs if balance > 0 else inputs):
        balance = 0.0
    rng = np.random.default_rng(seed)
    target = rng.standard_normal((outputs, inputs))
    start = tw.init("lambda_balanced", imbalance=balance, std=0.5, mix=True).draw(
        jax.random.key(seed % 97), tw.LinearNet(widths)
    )
    first, last = map(np.asarray, start)
    found = course(target, first, last, balance, TIMES)
    wanted = integrated(target, first, last, TIMES)
    # 100 x the solver's rtol, for the growth along its unstable directions.
    assert np.abs(found - wanted).max() <= 1e-9 * (1 + np.abs(wanted).max())


def test_very_long_times_do_not_overflow():
    target = np.array([[2.0, 0.5], [0.0, 1.0]])
    first, last = np.diag([0.75, 1.875]), np.diag([1.25, 2.125])
    found = course(target, first, last, 1.0, np.array([10.0, 1e4]))
    np.testing.assert_allclose(found[1], target, atol=1e-13)


HADAMARD = np.array([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]) / 2
PAIRS = [(0.75, 1.25), (1.875, 2.125), (0.0, 1.0)]


@given(
    picks=st.lists(st.sampled_from(PAIRS), min_size=4, max_size=4),
    rows=st.permutations(range(4)), seed=st.integers(0, 99), swap=st.booleans(),
)  # fmt: skip
@settings(max_examples=15)
def test_exactly_balanced_dense_starts_are_proved_and_predicted(
    picks, rows, seed, swap
):
    small, large = np.array(picks).T
    turn = HADAMARD[list(rows)]
    first = turn @ np.diag(small) @ HADAMARD
    last = HADAMARD @ np.diag(large) @ turn.T
    if swap:
        first, last = last.T, first.T
    target = np.random.default_rng(seed).standard_normal((4, 4))
    told = tw.certify("braun2022.ExactTwoLayer", problem_of(target, 4), (first, last))
    assert told.verdict == "proved"
    assert told.guarantee.values["lambda"] == (-1 if swap else 1)
    found = told.guarantee.predictions["end_to_end"](TIMES[:3])
    wanted = integrated(target, first, last, TIMES[:3])
    assert np.abs(found - wanted).max() <= 1e-9 * (1 + np.abs(wanted).max())


@pytest.mark.parametrize("width", [3, 12])
def test_a_start_balanced_to_rounding_only_is_refuted_with_its_gap(width):
    rng = np.random.default_rng(0)
    problem = problem_of(rng.standard_normal((width, width)), width)
    start = tw.init("lambda_balanced", imbalance=0.5, std=0.4, mix=True).draw(
        jax.random.key(1), problem.net
    )
    told = tw.certify("braun2022.ExactTwoLayer", problem, start)
    assert told.verdict == "refuted"
    low, high = told.hypotheses[-1].slack
    first, last = map(np.asarray, start)
    gap = last.T @ last - first @ first.T
    gap -= gap[0, 0] * np.eye(width)
    assert -1e-13 < low <= high < 0
    assert low <= -np.linalg.norm(gap) + 1e-14 * width


def test_one_weight_off_by_an_ulp_far_from_the_corner_is_found():
    layer = np.eye(20)
    layer[17, 17] = np.nextafter(1.0, 2.0)
    told = tw.certify("braun2022.ExactTwoLayer", problem_of(np.eye(20), 20),
                      (layer, np.eye(20)))  # fmt: skip
    assert told.verdict == "refuted"


def test_an_inexact_start_is_undecided():
    problem = problem_of(np.eye(2), 2)
    case = Case(problem, problem.check([np.eye(2)] * 2), radius=1e-9)
    found = tw.theorem("braun2022.ExactTwoLayer").hypotheses(case)[-1]
    assert found.verdict == "undecided"
    low, high = found.interval
    assert -1e-7 < low < 0 <= high


def test_a_wide_random_start_is_refuted_quickly():
    rng = np.random.default_rng(0)
    problem = problem_of(np.eye(200), 200)
    start = tuple(rng.standard_normal((200, 200)) for _ in range(2))
    begun = time.perf_counter()
    told = tw.certify("braun2022.ExactTwoLayer", problem, start)
    assert told.verdict == "refuted"
    assert time.perf_counter() - begun < 10
