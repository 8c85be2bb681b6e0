"""Our own results on the playground, against loops, fractions and root finding."""

import functools
import operator
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

import thalweg as tw
from thalweg.linalg import balls
from thalweg.theorems._base import Verdict
from thalweg.theorems._shared.hyperbola import EXACT, Plateau, Rise

SEEDS = st.integers(0, 2**32 - 1)
FEW = settings(max_examples=25)


def below(seed, depth, spread=0.3):
    x = np.exp(spread * np.random.default_rng(seed).standard_normal(depth))
    return x / max(1.0, 1.01 * np.prod(x) ** (1 / depth))


def certify(name, x, step=None):
    return tw.certify(f"playground.{name}", tw.Playground(len(x)), x, step_size=step)


def proved(certificate):
    assert certificate.verdict is Verdict.PROVED
    return certificate.guarantee


def move(x, step):
    p = functools.reduce(operator.mul, x)
    return [value - step * (p - 1) * p / value for value in x]


def run(x, step, iterations):
    path = [np.asarray(x, dtype=float)]
    for _ in range(iterations):
        path.append(np.array(move(path[-1], step)))
    path = np.array(path)
    return 0.5 * (np.prod(path, axis=1) - 1) ** 2, path


def taken(x, step, goal=1e-6):
    x, count = np.asarray(x, dtype=float), 0
    while 0.5 * ((p := np.prod(x)) - 1) ** 2 > goal:
        x, count = x - step * (p - 1) * p / x, count + 1
    return count


@given(seed=SEEDS, depth=st.sampled_from([1, 2, 3]), share=st.floats(0.05, 1))
@FEW
def test_exact_descent_below_the_hyperbola_keeps_both_curves(seed, depth, share):
    x = below(seed, depth)
    step = share * certify("SharpConvergence", x).safe_step
    promise = proved(certify("SharpConvergence", x, step))
    exact, clock = [Fraction(value) for value in x.tolist()], np.arange(4)
    high = promise.bound_at(clock)
    low = np.zeros(4) if promise.lower is None else promise.lower(clock)
    for t in range(4):
        p = functools.reduce(operator.mul, exact)
        assert p <= 1
        assert Fraction(float(low[t])) <= (p - 1) ** 2 / 2 <= Fraction(float(high[t]))
        exact = move(exact, Fraction(step))


@given(seed=SEEDS, depth=st.sampled_from([2, 4, 9]), share=st.floats(0.02, 1))
@FEW
def test_three_times_the_lectures_step_never_overshoots(seed, depth, share):
    x = below(seed, depth)
    step = share * certify("SharpConvergence", x).safe_step
    promise = proved(certify("SharpConvergence", x, step))
    losses, path = run(x, step, 300)
    clock, noise = np.arange(301), 1e-13 * losses[0]
    assert np.all(np.prod(path, axis=1) <= 1 + 1e-14 * depth)
    assert np.all(losses <= promise.bound_at(clock) + noise)
    assert np.all(losses >= promise.lower(clock) - noise)
    assert promise.kept[0].holds(path.max(axis=1) / path.min(axis=1), 1e-12)
    assert taken(x, step) <= promise.time_to(1e-6)


@pytest.mark.parametrize(
    ("x", "step", "certified", "actual"),
    [
        ([0.5] * 2, 1 / 6, 21, 21),
        ([0.5] * 4, 1 / 12, 40, 38),
        ([0.5] * 8, 1 / 24, 282, 279),
        ([0.5] * 10, 1 / 30, 990, 987),
        ([0.4, 0.8, 1.2], 0.999999 / 81, 200, 169),
    ],
)
def test_the_sharp_count_is_near_the_truth(x, step, certified, actual):
    # MATH A.7.
    assert certify("SharpConvergence", x, step).promised == certified
    assert taken(x, step) == actual


def recursion(p, gain, depth, goal):
    """Iterations of the scalar recursion, one by one, in long doubles."""
    p, gain = np.longdouble(p), np.longdouble(gain)
    power, count = np.longdouble(2 * depth - 2) / depth, 0
    while (1 - p) ** 2 > 2 * goal:
        p += gain * (1 - p) * p**power
        count += 1
    return count


@pytest.mark.parametrize(
    ("p", "gain", "depth"),
    [
        (0.25, 1 / 3, 2),
        (0.001, 1.0, 3),
        (1e-3, 1 / 12, 10),
        (1e-4, 1 / 3, 30),
        (0.4, 1e-4, 2),
        (0.6, 1e-4, 5),
        (0.9999, 2e-5, 4),
        (1e-20, 1 / 50, 2),
        (1e-12, 0.9, 3),
    ],
)
@pytest.mark.parametrize("goal", [1e-3, 1e-8])
def test_leaps_over_a_recursion_overstate_it_little(p, gain, depth, goal):
    rise = Rise(balls.scalar(p), balls.scalar(gain), depth)
    found = balls.bounds(rise.count(balls.scalar(goal)))
    assert found[0] == found[1]
    steps = recursion(p, gain, depth, goal)
    assert steps <= found[0] <= 1.05 * steps
    if steps < EXACT:
        assert found[0] == steps


@given(seed=SEEDS, depth=st.sampled_from([1, 2, 3, 12]), power=st.floats(-7, 0))
@FEW
def test_the_curve_never_falls_below_the_recursion(seed, depth, power):
    rng = np.random.default_rng(seed)
    p, gain = float(rng.uniform(0.001, 0.999)), 10.0**power
    rise = Rise(balls.scalar(p), balls.scalar(gain), depth)
    clock = np.unique(rng.integers(0, 6000, 40))
    e, t, wanted = np.longdouble(1) - np.longdouble(p), 0, []
    for goal in clock.tolist():
        while t < goal:
            shrink = (1 - e) ** (np.longdouble(2 * depth - 2) / depth)
            e, t = e * (1 - np.longdouble(gain) * shrink), t + 1
        wanted.append(e * e / 2)
    bound = rise.curve(clock)
    # A long double loses 64 bits' rounding an iteration.
    assert np.all(np.array(wanted) <= bound * (1 + 6000 * 4 * 2.0**-63))
    assert np.all(np.diff(bound) <= 0)


@given(seed=SEEDS, goal=st.floats(1e-9, 0.1))
@FEW
def test_the_count_and_the_curve_agree(seed, goal):
    rng = np.random.default_rng(seed)
    depth, p = int(rng.integers(1, 9)), float(rng.uniform(1e-4, 0.9))
    rise = Rise(balls.scalar(p), balls.scalar(float(rng.uniform(1e-4, 1))), depth)
    count = balls.bounds(rise.count(balls.scalar(goal)))[1]
    assert rise.curve(np.array([count]))[0] <= goal * (1 + 1e-10)


@pytest.mark.parametrize("depth", [2, 3, 50])
def test_a_plateau_of_no_length_promises_zero(depth):
    plateau = Plateau(balls.scalar(0.9), balls.scalar(1), depth)
    assert balls.bounds(plateau.least(balls.scalar(0.1)))[1] == 0
    assert plateau.lower(np.array([1e9]))[0] == 0


@given(seed=SEEDS, depth=st.sampled_from([1, 2, 3, 7]), share=st.floats(0.05, 1))
@FEW
def test_descent_from_above_is_as_quick_as_promised(seed, depth, share):
    x = np.exp(0.5 * np.random.default_rng(seed).standard_normal(depth))
    x = x * max(1.0, 1.01 / np.prod(x) ** (1 / depth))
    step = share * certify("ConvergenceFromAbove", x).safe_step
    promise = proved(certify("ConvergenceFromAbove", x, step))
    losses, path = run(x, step, 300)
    assert np.all(losses <= promise.bound_at(np.arange(301)) + 1e-13 * losses[0])
    assert np.all(np.prod(path, axis=1) >= 1 - 1e-14 * depth)


def test_descent_from_above_is_promised_d_times_sooner_than_by_the_exercise():
    x = [2.0, 1.5, 0.5]
    exercise = tw.certify("flammarion2025.AboveTheHyperbola", tw.Playground(3), x)
    assert certify("ConvergenceFromAbove", x).promised == pytest.approx(
        exercise.promised / 3, abs=4
    )


def tied(seed, depth):
    """A start of negative product whose two smallest magnitudes are equal."""
    rng = np.random.default_rng(seed)
    x = (1 + rng.integers(0, 8, depth)) / 8
    x[:2] = x.min()
    signs = rng.choice([-1, 1], depth)
    signs[0] *= -np.prod(signs)
    return rng.permutation(signs * x)


@given(seed=SEEDS, depth=st.sampled_from([2, 3, 4]), share=st.floats(0.05, 1))
@FEW
def test_tied_magnitudes_below_zero_never_come_up_in_exact_arithmetic(
    seed, depth, share
):
    x = tied(seed, depth)
    step = share * certify("BelowZero", x).safe_step
    promise = proved(certify("BelowZero", x, step))
    exact = [Fraction(value) for value in x.tolist()]
    # Each step multiplies the digits by the depth: three are all that is quick.
    for _ in range(3):
        new = move(exact, Fraction(step)) if all(exact) else exact
        assert all(abs(b) <= abs(a) for a, b in zip(exact, new, strict=True))
        assert all(a * b >= 0 for a, b in zip(exact, new, strict=True))
        exact = new
        p = functools.reduce(operator.mul, exact)
        assert p <= 0
        assert (p - 1) ** 2 / 2 >= Fraction(balls.bounds(promise.floor)[0])


def test_a_larger_step_may_leave_the_negative_side():
    # The step rule is not an artefact: MATH C.3, depth 3 at 0.6.
    certificate = certify("BelowZero", [-1.0] * 3, 0.6)
    assert certificate.verdict is Verdict.REFUTED
    assert certificate.safe_step == pytest.approx(0.5, rel=1e-14)
    assert run([-1.0] * 3, 0.6, 2000)[0][-1] < 1e-20
    assert run([-1.0] * 3, 0.45, 2000)[0][-1] == pytest.approx(0.5, abs=0.01)


def flowed(x, time):
    """The flow by an integrator of SciPy's."""

    def slope(_, y):
        return np.array(
            [(1 - np.prod(y)) * np.prod(np.delete(y, k)) for k in range(y.size)]
        )

    made = solve_ivp(slope, (0, time), x, method="LSODA", rtol=1e-11, atol=1e-13)
    return made.y[:, -1]


def limit(promise):
    return np.array([float(ball.mid()) for ball in promise.values.values()])


@given(seed=SEEDS, depth=st.sampled_from([1, 2, 3, 5]))
@FEW
def test_the_flow_ends_where_it_is_said_to(seed, depth):
    # Generic magnitudes above 0.3: no tie, and no crossing that takes long.
    rng = np.random.default_rng(seed)
    x = rng.uniform(0.3, 1.5, depth) * rng.choice([-1, 1], depth)
    promise = proved(certify("FlowDichotomy", x))
    assert promise.limit == "a global minimum"
    wanted = flowed(x, 400.0)
    if abs(np.prod(wanted) - 1) < 1e-9:
        # 20 x the integrator's tolerance, over a few hundred units of time.
        assert np.max(np.abs(limit(promise) - wanted)) <= 1e-7


@given(seed=SEEDS, depth=st.sampled_from([1, 2, 4]))
@FEW
def test_the_limit_solves_the_conserved_equations(seed, depth):
    rng = np.random.default_rng(seed)
    x = np.exp(rng.standard_normal(depth)) * rng.choice([-1, 1], depth)
    promise = proved(certify("FlowDichotomy", x))
    ends = [*promise.values.values()]
    assert (
        balls.bounds(balls.prod(ends) - 1)[0]
        <= 0
        <= balls.bounds(balls.prod(ends) - 1)[1]
    )
    with mpmath.workdps(80):
        exact = [mpmath.mpf(value) for value in x.tolist()]
        m = min(value**2 for value in exact)
        gaps = [value**2 - m for value in exact]
        root = mpmath.findroot(
            lambda u: mpmath.log(mpmath.fprod(gap + u for gap in gaps)),
            (mpmath.mpf(10) ** -30, 1 + m), solver="anderson", tol=1e-60,
        )  # fmt: skip
        for gap, ball in zip(gaps, ends, strict=True):
            low, high = balls.bounds(abs(ball))
            wanted = mpmath.sqrt(gap + root)
            assert mpmath.mpf(low) <= wanted <= mpmath.mpf(high)


@given(seed=SEEDS, depth=st.sampled_from([2, 3, 5]))
@FEW
def test_ties_send_the_flow_to_the_saddle_said(seed, depth):
    x = tied(seed, depth)
    promise = proved(certify("FlowDichotomy", x))
    assert promise.limit == "a saddle"
    ends = [*promise.values.values()]
    m = min(abs(Fraction(value)) for value in x.tolist())
    for value, ball in zip(x.tolist(), ends, strict=True):
        square = Fraction(value) ** 2 - m**2
        low, high = balls.bounds(ball * abs(ball))
        assert low <= float(square) * np.sign(value) <= high
    # Rounding breaks ties and then grows: follow the flow for a short while.
    later = flowed(x, 2.0)
    assert np.all(np.abs(later) <= np.abs(x) + 1e-12)
    assert np.all(np.abs(later) >= np.abs(limit(promise)) - 1e-9)


@pytest.mark.parametrize(
    ("x", "signs"),
    [
        ([0.0, -0.5, 0.8], [-1, -1, 1]),
        ([-0.0, 0.5, 0.8], [1, 1, 1]),
        ([-0.4, 0.9, 0.9], [1, 1, 1]),
        ([-1.0, -1.0, -0.5], [-1, -1, 1]),
        ([-0.4], [1]),
        ([0.0], [1]),
    ],
)
def test_the_lone_smallest_factor_takes_the_sign_it_needs(x, signs):
    assert np.sign(limit(proved(certify("FlowDichotomy", x)))).tolist() == signs
    later = flowed(np.array(x), 100.0)
    assert np.sign(later).tolist() == signs


@given(seed=SEEDS, depth=st.sampled_from([1, 2, 3]))
@FEW
def test_the_flow_from_a_positive_product_is_as_quick_as_promised(seed, depth):
    rng = np.random.default_rng(seed)
    x = rng.uniform(0.4, 1.6, depth)
    promise = proved(certify("FlowDichotomy", x))
    for time in (0.1, 0.5, 2.0):
        loss = 0.5 * (np.prod(flowed(x, time)) - 1) ** 2
        assert loss <= promise.bound_at(np.array([time]))[0] + 1e-11


def test_a_start_on_the_hyperbola_stays_there():
    # The bracket's midpoint may hit the root exactly.
    ends = limit(proved(certify("FlowDichotomy", [2.0, 0.5])))
    assert ends == pytest.approx([2.0, 0.5], rel=1e-15)


def test_below_zero_without_a_rate_no_time_is_promised():
    certificate = certify("FlowDichotomy", [-0.7, 0.9, 1.1])
    assert certificate.promised is None
    assert certificate.guarantee.floor is None


@pytest.mark.parametrize(
    ("depth", "size", "radius"), [(100, 0.01, 1e-3), (60, 0.1, 9e-3), (100, 0.9, 0.05)]
)
def test_a_deep_start_known_to_a_radius_is_bounded_from_both_sides(depth, size, radius):
    # The ball of the product reaches below zero, no product does.
    toy, start = tw.Playground(depth), [size] * depth
    certificate = tw.certify("playground.SharpConvergence", toy, start, radius=radius)
    promise = certificate.guarantee
    assert certificate.verdict is Verdict.PROVED
    assert 0 < certificate.promised < np.inf
    clock = np.arange(50.0)
    for moved in (-radius, radius):
        x, losses = np.full(depth, size + moved), []
        for _ in clock:
            p = np.prod(x)
            losses.append(0.5 * (p - 1) ** 2)
            x = x - certificate.step_size * (p - 1) * p / x
        assert np.all(losses <= promise.bound_at(clock) * (1 + 1e-12))
        assert np.all(losses >= promise.lower(clock) * (1 - 1e-12))
