"""Rates, times and plateaus read off paths whose course is known."""

import dataclasses
import functools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import thalweg as tw
from thalweg._core.errors import DomainError
from thalweg._core.outcome import Outcomes


@functools.cache
def template():
    return tw.descend(tw.Playground(2), [0.5, 0.5], step_size=0.1, iterations=10)


def made_up(clock, excess):
    """A path with the given course."""
    clock, excess = np.asarray(clock), np.asarray(excess, dtype=float)
    columns = {"loss": excess, "excess_loss": excess}
    return dataclasses.replace(template(), clock=clock, columns=columns)


def logarithmic(last=100_000, count=200):
    return np.unique(np.rint(np.geomspace(1, last, count))).astype(int)


@given(rate=st.floats(1e-6, 3e-4), size=st.floats(1e-3, 1e3))
def test_an_exponential_course_gives_its_rate(rate, size):
    clock = logarithmic()
    found = tw.observed_rate(made_up(clock, size * np.exp(-rate * clock)))
    assert found.kind == "exponential"
    assert found.rate == pytest.approx(rate, rel=1e-9)
    assert found.uncertainty <= 1e-6 * rate


@given(power=st.floats(0.2, 4), size=st.floats(1e-3, 1e3))
def test_a_power_law_gives_its_exponent(power, size):
    clock = logarithmic()
    found = tw.observed_rate(made_up(clock, size * clock ** (-power)))
    assert found.kind == "polynomial"
    assert found.rate == pytest.approx(power, rel=1e-9)


@pytest.mark.parametrize("noise", [1e-3, 1e-2])
@pytest.mark.parametrize("kind", ["exponential", "polynomial"])
def test_a_noisy_course_gives_its_rate_within_the_uncertainty(noise, kind):
    clock, rng = np.arange(1, 2001), np.random.default_rng(0)
    clean = np.exp(-0.005 * clock) if kind == "exponential" else clock**-1.5
    found = tw.observed_rate(
        made_up(clock, clean * np.exp(noise * rng.standard_normal(2000)))
    )
    wanted = 0.005 if kind == "exponential" else 1.5
    assert found.kind == kind
    assert abs(found.rate - wanted) <= 4 * found.uncertainty
    assert found.uncertainty <= 0.05 * wanted


def test_the_rate_is_fitted_on_the_end_of_the_clock():
    clock = np.arange(0, 1001)
    bent = np.where(
        clock < 500, np.exp(-0.01 * clock), np.exp(-5 - 0.002 * (clock - 500))
    )
    found = tw.observed_rate(made_up(clock, bent), fraction=0.4)
    assert found.rate == pytest.approx(0.002, rel=1e-9)
    assert found.window == (600.0, 1000.0)
    assert found.records == 401
    assert found.unit == "iteration"


def test_a_course_at_rest_has_no_rate():
    found = tw.observed_rate(made_up(np.arange(100), np.full(100, 0.5)))
    assert found.kind == "none"
    assert str(found) == "no decrease over the window"


def test_a_course_that_rises_has_no_rate():
    clock = np.arange(1, 101)
    assert tw.observed_rate(made_up(clock, np.exp(0.01 * clock))).kind == "none"


def test_records_at_rounding_are_left_out():
    clock = np.arange(0, 2000)
    excess = np.maximum(np.exp(-0.1 * clock), 1e-33)
    found = tw.observed_rate(made_up(clock, excess))
    assert found.rate == pytest.approx(0.1, rel=1e-6)
    assert found.window[1] < 750


def test_too_few_records_are_refused():
    with pytest.raises(DomainError, match="only 2 records lie above rounding"):
        tw.observed_rate(made_up([0, 1, 2], [1.0, 0.5, 0.2]))


@pytest.mark.parametrize("fraction", [0.0, -1.0, 1.5, float("nan")])
def test_a_share_of_the_clock_is_above_zero_and_at_most_one(fraction):
    with pytest.raises(DomainError, match="fraction is"):
        tw.observed_rate(template(), fraction=fraction)


def whitened(goal, depth):
    net = tw.LinearNet((1,) * (depth + 1))
    return tw.Problem(net, tw.Moments.whitened([[goal]]))


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_a_degenerate_limit_is_approached_as_a_power_of_the_iterations(depth):
    # MATH C.2 with target 0: a ~ t^(-1/(2N - 2)), so the loss a^(2N) / 2 falls as
    # t^(-N / (N - 1)).
    path = tw.descend(
        whitened(0.0, depth), [[[1.0]]] * depth, step_size=0.1, iterations=100_000
    )
    found = path.rate()
    assert found.kind == "polynomial"
    assert found.rate == pytest.approx(depth / (depth - 1), rel=2e-3)
    assert abs(found.rate - depth / (depth - 1)) <= 4 * found.uncertainty


@pytest.mark.parametrize(("depth", "step"), [(2, 0.01), (3, 0.02)])
def test_a_regular_limit_is_approached_at_the_rate_of_its_hessian(depth, step):
    # Near a balanced minimum the mode's factor is 1 - step N s^(2 - 2/N), MATH C.2.
    path = tw.descend(
        whitened(2.0, depth), [[[1.0]]] * depth, step_size=step, iterations=300, every=1
    )
    found = tw.observed_rate(path, fraction=0.5)
    wanted = -2 * np.log1p(-step * depth * 2 ** (2 - 2 / depth))
    assert found.kind == "exponential"
    assert found.rate == pytest.approx(wanted, rel=1e-3)


def test_a_flow_tells_its_rate_per_flow_time():
    path = tw.flow(tw.Playground(2), [0.9, 0.9], times=np.linspace(0, 5, 51).tolist())
    found = path.rate(fraction=0.5)
    assert found.unit == "flow time"
    # The Hessian at (1, 1) has eigenvalue 2 along the path: f ~ exp(-2 * 2 t).
    assert found.rate == pytest.approx(4, rel=1e-3)


def test_a_batch_has_a_rate_for_every_run():
    path = tw.descend(
        tw.Playground(2), [0.9, 0.9], step_size=[0.01, 0.02], every=10, iterations=400
    )
    assert isinstance(path.outcome, Outcomes)
    slow, fast = tw.observed_rate(path)
    assert fast.rate == pytest.approx(2 * slow.rate, rel=0.05)


def start():
    return [0.4, 0.8, 1.2]


@pytest.mark.parametrize("momentum", [0.0, 0.5])
@pytest.mark.parametrize("accuracy", [0.1, 1e-3, 1e-6])
def test_iterations_to_an_accuracy_are_those_of_the_accuracy_stop(accuracy, momentum):
    common = {"step_size": 1 / 81, "iterations": 2000, "momentum": momentum}
    path = tw.descend(tw.Playground(3), start(), records=5, **common)
    wanted = tw.descend(tw.Playground(3), start(), accuracy=accuracy, **common)
    assert tw.iterations_to(path, accuracy) == wanted.outcome.iteration
    assert tw.iterations_to(wanted, accuracy) == wanted.outcome.iteration


def test_an_accuracy_out_of_reach_takes_no_number_of_iterations():
    path = tw.descend(tw.Playground(3), start(), step_size=1 / 81, iterations=50)
    assert tw.iterations_to(path, 1e-6) is None


def test_a_start_within_the_accuracy_takes_no_iterations():
    path = tw.descend(tw.Playground(3), start(), step_size=1 / 81, iterations=50)
    assert tw.iterations_to(path, 1.0) == 0


def test_iterations_are_those_of_single_descents():
    batch = tw.descend(tw.Playground(3), start(), step_size=[0.01, 0.02], iterations=9)
    with pytest.raises(DomainError, match="needs a single descent"):
        tw.iterations_to(batch, 1e-3)


def test_a_plateau_is_found_where_it_lies():
    clock = np.unique(np.rint(np.geomspace(1, 10_000, 200)).astype(int))
    level = 0.5 + 1.5 / (1 + np.exp(8 * (np.log(clock) - np.log(300))))
    falling = level * np.exp(-((clock / 8000) ** 4))
    first, second, *_ = tw.plateaus(made_up(clock, falling))
    assert first.excess_loss == pytest.approx(2.0, rel=0.02)
    assert second.excess_loss == pytest.approx(0.5, rel=0.05)
    assert first.end < 300 < second.start
    assert second.end < 8000


def test_a_power_law_has_no_plateau():
    clock = np.arange(1, 1001)
    assert tw.plateaus(made_up(clock, 1 / clock)) == []


def test_a_run_from_a_small_start_rests_at_the_saddles_of_its_modes():
    # From a small balanced start the modes 3, 1 and 0.3 are learnt one by one, so
    # the loss rests at the critical values of MATH E.6.
    goal = np.diag([3.0, 1.0, 0.3])
    problem = tw.Problem(tw.LinearNet((3, 3, 3)), tw.Moments.whitened(goal))
    weights = [1e-4 * np.eye(3)] * 2
    path = tw.descend(problem, weights, step_size=0.01, iterations=8000, every=5)
    levels = [rest.loss for rest in tw.plateaus(path)][:3]
    wanted = [(9 + 1 + 0.09) / 2, (1 + 0.09) / 2, 0.09 / 2]
    assert levels == pytest.approx(wanted, rel=0.02)


def test_plateaus_are_those_of_a_single_path():
    batch = tw.descend(tw.Playground(3), start(), step_size=[0.01, 0.02], iterations=9)
    with pytest.raises(DomainError, match=r"choose path.run\(i\)"):
        tw.plateaus(batch)
