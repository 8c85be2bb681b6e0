"""The two surfaces of the source's introduction, beside integration in plain time."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

from thalweg._core.errors import DomainError
from thalweg.landscape.unbounded import (
    area_unbounded,
    invariant,
    is_unbounded,
    limit,
    measure_unbounded,
    printed_limit,
)
from tolerances import printed


@pytest.mark.parametrize(
    ("start", "texts"),
    [
        ((0.5, 0.5, 1.0), ("0.47047", "0.73213", "0.68939")),
        ((0.5, 0.5, 5.0), ("0.20959", "4.55198", "")),
        ((0.5, 0.5, 30.0), ("0.0334465", "29.865", "")),
        ((0.9, 0.9, 5.0), ("0.2038", "4.6940", "")),
    ],
)
def test_printed_limits(start, texts):
    for value, text in zip(printed_limit(*start), texts, strict=True):
        if text:
            assert printed(value, text)


def test_the_printed_flow_in_plain_time_comes_to_the_same_rest():
    def speed(_time, state):
        x, y, z = state
        gap = 1 - x * y
        height = (x * x + gap * gap) / 2
        return [-z * z * (x - y * gap), z * z * x * gap, -2 * z * height]

    path = solve_ivp(speed, (0, 60), [0.9, 0.9, 1.5], "DOP853", rtol=1e-11, atol=1e-13)
    # z falls like exp(-2 h t) with h > 0.1: after time 60 it is below 1e-5, and what
    # x and y still move is below the integral of z^2, which is smaller.
    assert abs(path.y[2, -1]) < 1e-5
    assert printed_limit(0.9, 0.9, 1.5)[:2] == pytest.approx(path.y[:2, -1], abs=1e-9)


def test_the_printed_flow_at_rest_stays():
    assert printed_limit(0.3, 0.7, 0.0) == (0.3, 0.7, 0.0)


def test_the_printed_limit_does_not_see_the_sign_of_z():
    assert printed_limit(0.5, 0.5, -1.0) == printed_limit(0.5, 0.5, 1.0)


def test_printed_numbers_of_the_corrected_surface():
    x, z = limit([0.0, 0.5, 0.0], [2.0, 1.0, 3.0])
    assert printed(float(x[0]), "1.5574077")
    assert printed(float(x[1]), "0.8658911")
    assert np.isinf(x[2])
    assert printed(float(z[2] ** 2), "2.7168")
    edge = brentq(lambda z: float(is_unbounded(0.0, z)) - 0.5, 2, 3, xtol=1e-12)
    assert printed(edge, "2.50663")


@pytest.mark.parametrize("start", [(0.0, 2.0), (0.5, 1.0), (-1.0, -2.5), (0.2, -1.9)])
def test_the_corrected_flow_in_plain_time_goes_there(start):
    def speed(_time, state):
        x, z = state
        height = np.exp(-x - x**3 / 3)
        return [z * z * (1 + x * x) * height, -2 * z * height]

    path = solve_ivp(speed, (0, 4000), start, "DOP853", rtol=1e-11, atol=1e-13)
    x, z = limit(*start)
    assert path.y[0, -1] == pytest.approx(float(x), rel=1e-8)
    assert abs(path.y[1, -1]) < 1e-8
    assert float(z) == 0.0
    kept = invariant(*path.y)
    assert np.ptp(kept) < 1e-8


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_an_unbounded_flow_keeps_its_side_and_its_law(sign):
    def by_x(_x, square):
        return -4 / (1 + _x**2) + 0 * square

    path = solve_ivp(by_x, (0.0, 1e6), [9.0], "DOP853", rtol=1e-11, atol=1e-12)
    # What is left of arctan beyond 1e6 is 1e-6, four times that of the square.
    assert limit(0.0, 3.0 * sign)[1] * sign == pytest.approx(
        path.y[0, -1] ** 0.5, abs=2e-6
    )


def test_a_start_at_rest_is_its_own_limit():
    x, z = limit([5.0, -5.0], [0.0, 0.0])
    assert x.tolist() == [5.0, -5.0]
    assert z.tolist() == [0.0, 0.0]
    assert not is_unbounded(1e300, 0.0)


@pytest.mark.parametrize(
    "box", [((-2, 2), (0, 4)), ((0, 1), (-3, 3)), ((-1, 3), (2.0, 2.2))]
)
def test_the_area_is_a_grids(box):
    size = 1500
    x, z = (low + (high - low) * (np.arange(size) + 0.5) / size for low, high in box)
    share = np.mean(is_unbounded(x[:, None], z[None, :]))
    # A curve crosses at most 2 size of the size^2 cells; midpoints err by half of them.
    assert abs(share - area_unbounded(box)) < 1 / size


def test_a_measured_share_holds_the_exact_one():
    found = measure_unbounded(runs=40_000, seed=3)
    assert found.share.low < found.exact < found.share.high
    assert found.to_json()["exact"] == found.exact
    assert measure_unbounded(runs=40_000, seed=3) == found
    assert any("unbounded: " in line for line in found.lines())


@pytest.mark.parametrize(
    "box", [((0, 0), (0, 1)), ((0, 1),), ((0, float("inf")), (0, 1)), ((1, 0), (0, 1))]
)
def test_a_box_must_be_two_ranges(box):
    with pytest.raises(DomainError, match="box is"):
        area_unbounded(box)


def test_a_start_must_be_finite():
    with pytest.raises(DomainError, match="its numbers must be finite"):
        printed_limit(0.0, float("nan"), 1.0)
