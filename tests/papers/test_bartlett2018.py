"""Bartlett, Helmbold, Long: identity layers against plain loops, mode by mode."""

from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import thalweg as tw
from thalweg.linalg import balls
from thalweg.theorems._base import Verdict

DEPTHS = st.sampled_from([1, 2, 3, 4, 7])
SEEDS = st.integers(0, 2**32 - 1)


def posed(goal, depth):
    goal = np.asarray(goal, dtype=float)
    net = tw.LinearNet((len(goal),) * (depth + 1))
    return tw.Problem(net, tw.Moments.whitened(goal)), (np.eye(len(goal)),) * depth


def symmetric(seed, low, high):
    """A symmetric 3 by 3 matrix with eigenvalues in a range."""
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    goal = (basis * rng.uniform(low, high, 3)) @ basis.T
    return (goal + goal.T) / 2


def modes(values, step, depth, count):
    """Losses of the recursion of every mode, a plain loop."""
    a, losses = np.ones(len(values)), []
    for _ in range(count + 1):
        losses.append(0.5 * np.sum((a**depth - values) ** 2))
        a = a - step * a ** (depth - 1) * (a**depth - values)
    return np.array(losses)


def layers(goal, step, depth, count):
    """Losses of descent on all layers, a plain loop of matrix products."""
    chain, losses = [np.eye(len(goal))] * depth, []
    for _ in range(count + 1):
        below, above = [np.eye(len(goal))], [np.eye(len(goal))]
        for layer, top in zip(chain, chain[::-1], strict=True):
            below.append(layer @ below[-1])
            above.append(above[-1] @ top)
        gap = below[-1] - goal
        losses.append(0.5 * np.sum(gap**2))
        chain = [
            w - step * above[depth - 1 - j].T @ gap @ below[j].T
            for j, w in enumerate(chain)
        ]
    return np.array(losses)


@given(seed=SEEDS, depth=DEPTHS, low=st.floats(0.01, 0.9), share=st.floats(0.05, 1))
@settings(max_examples=30)
def test_positive_targets_are_learnt_below_the_curve(seed, depth, low, share):
    goal = symmetric(seed, low, 3.0)
    name, case = "bartlett2018.PositiveDefinite", posed(goal, depth)
    step = share * tw.certify(name, *case).safe_step
    told = tw.certify(name, *case, step_size=step)
    assert told.verdict is Verdict.PROVED
    losses = layers(goal, step, depth, 200)
    bound = told.guarantee.bound_at(np.arange(201))
    assert np.all(losses <= bound + 1e-13 * bound[0])
    assert bound[0] == pytest.approx(losses[0], rel=1e-12)
    np.testing.assert_allclose(
        losses, modes(np.linalg.eigvalsh(goal), step, depth, 200),
        atol=1e-12 * losses[0],
    )  # fmt: skip
    if told.promised < 10**5:
        late = modes(np.linalg.eigvalsh(goal), step, depth, int(told.promised))
        assert late[-1] <= 1e-6 * (1 + 1e-9)


@given(value=st.floats(0.01, 20), depth=DEPTHS)
def test_a_step_above_the_bound_overshoots(value, depth):
    told = tw.certify("bartlett2018.PositiveDefinite", *posed([[value]], depth))
    with mpmath.workdps(50):
        goal = mpmath.root(mpmath.mpf(value), depth)

        def after(a, step):
            return a - step * a ** (depth - 1) * (a**depth - mpmath.mpf(value))

        # From one, or from just below a goal above one: nearest to overshooting.
        near = 1 if value < 1 else goal * (1 - mpmath.mpf(10) ** -20)
        side = near - goal
        assert (after(near, mpmath.mpf(told.safe_step)) - goal) * side >= 0
        if value != 1:
            assert (
                after(near, told.safe_step * mpmath.mpf(1 + 1e-9)) - goal
            ) * side < 0


def test_the_bound_is_wider_than_the_slope_at_the_start():
    # MATH C.2 asks for the step 1/((2N-1) - (N-1) lambda) below one: 0.16 here.
    told = tw.certify("bartlett2018.PositiveDefinite", *posed([[0.25]], 4))
    root = 0.25**0.25
    assert told.safe_step == pytest.approx((1 - root) / 0.75, rel=1e-12)
    assert told.safe_step > 0.16


def test_the_identity_is_learnt_at_once():
    told = tw.certify("bartlett2018.PositiveDefinite", *posed(np.eye(2), 3))
    assert told.verdict is Verdict.PROVED
    assert told.promised == 0
    assert told.safe_step == pytest.approx(1 / 3, rel=1e-12)


@given(
    seed=SEEDS, depth=st.sampled_from([2, 3, 4, 5]), share=st.floats(0.01, 3),
    raised=st.booleans(),
)  # fmt: skip
@settings(max_examples=40)
def test_negative_eigenvalues_are_never_learnt(seed, depth, share, raised):
    values = np.random.default_rng(seed).uniform(-2, 1 if raised else -0.1, 3)
    goal = np.diag(values)
    name, lowest = "bartlett2018.NegativeEigenvalue", min(values)
    step = share / (1 + abs(lowest))
    told = tw.certify(name, *posed(goal, depth), step_size=step)
    holds = lowest < 0 and (depth % 2 == 0 or share < 1)
    assert (told.verdict is Verdict.PROVED) == holds
    if holds:
        floor = balls.bounds(told.guarantee.floor)
        wanted = 0.5 * np.sum(np.minimum(values, 0) ** 2)
        assert floor[0] <= wanted * (1 + 1e-15)
        assert wanted <= floor[1] * (1 + 1e-15)
        with np.errstate(all="ignore"):
            losses = modes(values, step, depth, 2000)
        # Modes above zero may diverge at such steps; up to then, and ever after.
        losses = losses[np.isfinite(losses)]
        assert losses.min() >= floor[0] * (1 - 1e-15)


@pytest.mark.parametrize("depth", [3, 5])
def test_the_step_of_odd_depth_is_exact_on_the_rational_line(depth):
    # At the step 1/(1 + |lambda|) itself the mode reaches zero: not proved.
    name, case = "bartlett2018.NegativeEigenvalue", posed([[-1.0]], depth)
    assert tw.certify(name, *case, step_size=0.5).verdict is not Verdict.PROVED
    safe = tw.certify(name, *case).safe_step
    assert tw.certify(name, *case).verdict is Verdict.PROVED
    a = Fraction(1)
    for _ in range(3):
        following = a - Fraction(safe) * a ** (depth - 1) * (a**depth + 1)
        assert 0 < following < a
        a = following


def test_a_negative_mode_of_odd_depth_tends_to_zero():
    losses = modes(np.array([-1.0]), 0.4, 3, 200_000)
    floor = tw.certify(
        "bartlett2018.NegativeEigenvalue", *posed([[-1.0]], 3), step_size=0.4
    ).guarantee.floor
    assert losses[-1] == pytest.approx(float(floor.mid()), abs=1e-6)
    assert np.all(np.diff(losses) <= 0)


@given(seed=SEEDS, depth=st.sampled_from([2, 3, 4]), far=st.floats(0.01, 0.7))
@settings(max_examples=20)
def test_targets_near_the_identity_are_learnt_as_promised(seed, depth, far):
    away = np.random.default_rng(seed).standard_normal((3, 3))
    goal = np.eye(3) + far * away / np.linalg.norm(away)
    told = tw.certify("bartlett2018.NearIdentity", *posed(goal, depth))
    distance = np.linalg.norm(goal - np.eye(3))
    assert (told.verdict is Verdict.PROVED) == (distance < 0.5)
    if distance < 0.5:
        (wide,) = told.conclusions
        assert wide.verdict is Verdict.PROVED
        theirs = tw.certify("arora2019.Convergence", *posed(goal, depth))
        assert told.safe_step <= theirs.safe_step
        losses = layers(goal, told.step_size, depth, 300)
        bound = told.guarantee.bound_at(np.arange(301))
        assert np.all(losses <= bound + 1e-13 * bound[0])


@pytest.mark.parametrize("change", [0.0, 1e-16])
def test_the_identity_is_meant_bit_for_bit(change):
    problem, start = posed(np.eye(2) * 1.1, 2)
    start = (start[0] + change, start[1])
    names = ("PositiveDefinite", "NearIdentity")
    for name in names:
        told = tw.certify(f"bartlett2018.{name}", problem, start)
        assert (told.verdict is Verdict.PROVED) == (change == 0)
        inside = tw.certify(f"bartlett2018.{name}", problem, start, radius=1e-12)
        assert inside.verdict is Verdict.REFUTED
