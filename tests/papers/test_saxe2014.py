"""Saxe, McClelland, Ganguli: what the closed forms say, against other truths."""

import itertools
from fractions import Fraction

import jax
import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

import thalweg as tw
from thalweg._core.errors import DomainError
from thalweg.linalg import balls
from thalweg.theorems._base import Case
from thalweg.theorems.saxe2014._aligned import posed
from thalweg.theorems.saxe2014._course import Mode, elapsed, strength
from thalweg.theorems.saxe2014.modes import pair_time
from thalweg.theorems.saxe2014.times import escape_bounds
from tolerances import EPS


def integrated(layers, target, times):
    """The layers' own equations, by another solver."""
    layers = np.asarray(layers, dtype=float)

    def field(_, a):
        others = [np.prod(np.delete(a, j)) for j in range(a.size)]
        return (target - np.prod(a)) * np.array(others)

    found = solve_ivp(
        field, (0, times[-1]), layers, t_eval=times, rtol=1e-11, atol=1e-13,
        method="DOP853",
    )  # fmt: skip
    return np.prod(found.y, axis=0)


TIMES = np.array([0.0, 0.2, 1.0, 2.5])


@given(
    seed=st.integers(0, 2**32 - 1),
    depth=st.sampled_from([1, 2, 3, 4, 7]),
    target=st.sampled_from([-1.5, 0.0, 0.3, 1.0, 2.0]),
)
@settings(max_examples=40)
def test_an_even_mode_moves_as_its_layers_do(seed, depth, target):
    rng = np.random.default_rng(seed)
    layers = rng.uniform(0.1, 1.5) * rng.choice([-1.0, 1.0], depth)
    found = strength(Mode(tuple(layers.tolist()), target), TIMES)
    wanted = integrated(layers, target, TIMES)
    # 100 x the solver's rtol: its error grows along the instability of the saddle.
    assert np.abs(found - wanted).max() <= 1e-9 * (1 + np.abs(wanted).max())


@given(seed=st.integers(0, 2**32 - 1), target=st.sampled_from([-1.5, 0.0, 1.0, 2.0]))
@settings(max_examples=40)
def test_two_uneven_layers_move_as_their_equations_say(seed, target):
    layers = np.random.default_rng(seed).uniform(-2, 2, 2)
    found = strength(Mode(tuple(layers.tolist()), target), TIMES)
    wanted = integrated(layers, target, TIMES)
    assert np.abs(found - wanted).max() <= 1e-9 * (1 + np.abs(wanted).max())


def test_a_mode_that_starts_on_the_stable_line_of_the_saddle_ends_in_it():
    # Layers exactly opposite: the growing part is zero, not rounding.
    times = np.array([1.0, 100.0, 10_000.0])
    found = strength(Mode((0.3, -0.3), 1.0), times)
    assert found[0] == pytest.approx(-1 / ((1 + 1 / 0.09) * np.e**2 - 1), rel=1e-14)
    assert np.all((found <= 0) & (found >= -1e-80) | (times < 2))


@given(
    start=st.floats(1e-6, 3.0), share=st.floats(0.05, 0.95),
    target=st.sampled_from([-1.5, 0.3, 2.0]), depth=st.sampled_from([1, 2, 3, 5, 30]),
)  # fmt: skip
@settings(max_examples=40)
def test_the_time_between_two_strengths_is_the_integral(start, share, target, depth):
    end = start + share * (max(target, 0.0) - start)
    with balls.working_precision(128):
        found = elapsed(balls.scalar(start), balls.scalar(end), target, depth)
        low, high = balls.bounds(found)
    with mpmath.workdps(30):
        power = 2 - mpmath.mpf(2) / depth

        def slowness(u):
            return 1 / (depth * u**power * (target - u))

        # Over the logarithm, which is where a small start spends its time.
        wanted = mpmath.quad(
            lambda x: slowness(mpmath.exp(x)) * mpmath.exp(x),
            mpmath.linspace(mpmath.log(start), mpmath.log(end), 9),
        )
    assert low * (1 - 1e-14) <= float(wanted) <= high * (1 + 1e-14)


def test_a_single_layer_at_zero_target_has_no_infinite_series():
    with balls.working_precision(128):
        found = elapsed(balls.scalar(1), balls.scalar(Fraction(1, 8)), 0.0, 3)
    # u' = -3 u^(7/3), so 3 (8^(4/3) - 1) / 4 over 3.
    assert float(found.mid()) == pytest.approx((8 ** (4 / 3) - 1) / 4, rel=1e-15)


@given(seed=st.integers(0, 2**32 - 1), time=st.floats(0.01, 3))
@settings(max_examples=30)
def test_the_corrected_time_of_two_uneven_layers_inverts_their_course(seed, time):
    first, last = np.random.default_rng(seed).uniform(0, 1, 2).tolist()
    mode = Mode((first, last), 1.5)
    there = strength(mode, np.array([time]))[0]
    back = pair_time(mode, balls.scalar(float(there)))
    # Reading u to an ulp moves the time by that over its speed.
    speed = np.hypot(last**2 - first**2, 2 * there) * (1.5 - there)
    slack = 40 * EPS * (1 / speed + 1)
    assert abs(float(back.mid()) - time) <= slack + float(back.rad())


def test_equation_26_as_printed_takes_the_logarithm_of_a_negative_number():
    # MATH D.3: with the theta of the layers' own strengths, 2ab = c sinh(theta).
    first, last, target, end = 0.1, 1.2, 1.5, 1.36569096181
    gap = last**2 - first**2
    height = np.tanh(np.arcsinh(2 * end / gap) / 2)
    assert np.hypot(gap, target) - gap - target * height < 0
    assert np.hypot(gap, 2 * target) - gap - 2 * target * height > 0


@given(
    start=st.floats(1e-12, 0.4), target=st.floats(0.5, 3),
    fraction=st.floats(0.5, 0.99), depth=st.sampled_from([2, 3, 4, 9]),
)  # fmt: skip
@settings(max_examples=60)
def test_escape_takes_what_the_two_bounds_say(start, target, fraction, depth):
    mode = Mode((start ** (1 / depth),) * depth, target)
    with balls.working_precision(128):
        goal = balls.scalar(fraction) * balls.scalar(target)
        if not mode.size < goal:
            return
        exact = elapsed(mode.size, goal, balls.scalar(target), depth)
        low, high = escape_bounds(mode, fraction)
        assert low <= exact
        assert exact <= high


def test_the_time_to_a_loss_is_the_first_time_it_is_reached():
    problem, start = posed([2.0, 1.0], [[0.25, 0.125]] * 3, (2, 3, 3, 2))
    told = tw.certify("saxe2014.LearningTime", problem, start, accuracy=1e-3)
    times = [0.0, told.promised]
    path = tw.flow(problem, start, times=times, rtol=1e-10, atol=1e-12)
    assert path["excess_loss"][-1] <= 1e-3 * (1 + 1e-7)
    # The slower mode alone decides: half the square of what it lacks is nearly all.
    assert path["excess_loss"][-1] >= 1e-3 / 5 * (1 - 1e-7)


def test_the_fraction_can_be_chosen():
    problem, start = posed([2.0, 1.0], [[0.25, 0.125]] * 2, (2, 3, 2))
    half = tw.certify("saxe2014.LearningTime", problem, start)
    most = tw.certify("saxe2014.LearningTime", problem, start, fraction=0.9)
    for i in (1, 2):
        early, late = (c.guarantee.values[f"mode {i}"] for c in (half, most))
        assert early < late
    with pytest.raises(DomainError, match="fraction is 1"):
        tw.theorem("saxe2014.Escape", fraction=1.0)


@pytest.mark.parametrize("widths", [(3, 2, 2), (2, 4, 3), (3, 1, 3)])
def test_modes_are_read_on_nets_of_any_shape(widths):
    modes = min(widths)
    target = [2.0, 1.0, 0.5][: min(widths[0], widths[-1])]
    problem, start = posed(target, [[0.5, 0.25, 0.5][:modes]] * 2, widths)
    told = tw.certify("saxe2014.ModeDynamics", problem, start)
    assert told.verdict == "proved"
    path = tw.flow(
        problem, start, times=[0.0, 0.5, 2.0], measures=("singular_modes",),
        rtol=1e-10, atol=1e-12,
    )  # fmt: skip
    found = told.guarantee.predictions["singular_modes"](path.clock)
    assert np.abs(found - path["singular_modes"]).max() <= 1e-7


def test_an_inexact_start_is_never_proved_aligned():
    problem, start = posed([2.0, 1.0], [[0.25, 0.125]] * 2, (2, 2, 2))
    case = Case(problem, start, radius=1e-12)
    for name in ("ModeDynamics", "UnbalancedModes", "LearningTime", "Escape"):
        verdicts = {h.verdict for h in tw.theorem(f"saxe2014.{name}").hypotheses(case)}
        assert "undecided" in verdicts
        assert "refuted" not in verdicts


@given(
    seed=st.integers(0, 2**32 - 1),
    widths=st.sampled_from([(2, 2, 2), (3, 4, 2), (2, 3, 4, 2), (3, 3, 3, 3, 3)]),
)
@settings(max_examples=30)
def test_no_global_minimum_is_flatter_than_a_balanced_one(seed, widths):
    # An arbitrary minimum: random layers but the widest gap, which is solved for.
    rng = np.random.default_rng(seed)
    layers = [rng.standard_normal((b, a)) for a, b in itertools.pairwise(widths)]
    goal = np.linalg.multi_dot([*layers[::-1]])
    problem = tw.Problem(tw.LinearNet(widths), tw.Moments.whitened(goal))
    case = Case(problem, step_size=1.0)
    least = tw.theorem("saxe2014.StabilityLimit").guarantee(case).values
    gram, below = 0.0, np.eye(widths[0])
    for j, layer in enumerate(layers):
        above = np.linalg.multi_dot(
            [np.eye(widths[-1]), *layers[:j:-1], np.eye(widths[j + 1])]
        )
        gram = gram + np.kron(below.T @ below, above @ above.T)
        below = layer @ below
    top = np.linalg.eigvalsh(gram)[-1]
    assert top >= balls.bounds(least["least sharpness"])[0] * (1 - 1e-12)


@pytest.mark.parametrize(("share", "settles"), [(0.97, True), (1.03, False)])
def test_descent_settles_below_the_limit_and_not_above(share, settles):
    problem, near = posed([2.0, 1.0], [[2 ** (1 / 3) + 1e-3, 1.0]] * 3, (2, 2, 2, 2))
    limit = 2 / (3 * 2 ** (4 / 3))
    told = tw.certify("saxe2014.StabilityLimit", problem, near, step_size=share * limit)
    assert (told.verdict == "refuted") is settles
    path = tw.descend(problem, near, step_size=share * limit, iterations=2000, at=[])
    assert bool(path["excess_loss"][-1] < 1e-12) is settles


def test_an_aligned_start_of_the_shelf_is_aligned_on_a_diagonal_target():
    problem, _ = posed([2.0, 1.0], [[0.5, 0.5]] * 3, (2, 3, 3, 2))
    start = tw.init("aligned", target=problem.target, strengths=0.01).draw(
        jax.random.key(0), problem.net
    )
    assert tw.certify("saxe2014.ModeDynamics", problem, start).verdict == "proved"
