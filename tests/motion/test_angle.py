"""The angle condition where theory says that it holds, and where that it fails."""

import functools

import jax
import numpy as np
import pytest

import thalweg as tw
from thalweg._core.errors import DomainError, UnknownName
from thalweg.motion.angle import angle_condition
from thalweg.motion.train import train
from tolerances import is_a_sentence


@functools.cache
def problem():
    """Curvatures 2 to 6 at the balanced minimum: sums of two of the modes 1, 2, 3."""
    goal = np.diag([3.0, 2.0, 1.0])
    return tw.Problem(tw.LinearNet((3, 6, 3)), tw.Moments.whitened(goal))


@functools.cache
def start():
    return tw.init("balanced", std=0.3).draw(jax.random.key(0), problem().net)


@functools.cache
def trained(name, step_size, iterations=2000, **options):
    return train(
        problem(), start(), name, step_size=step_size, options=options,
        iterations=iterations, accuracy=1e-24, every=1,
    )  # fmt: skip


def test_a_path_of_known_numbers_is_told_as_it_is():
    path = trained("sgd", 0.02)
    columns = {
        "angle_cosine": np.array([1.0, 0.5, -0.2, 0.005, 0.9, 1.0]),
        "descent_ratio": np.array([1.0, 1.0, 1.0, 1.0, 0.2, 0.005]),
    }
    clock = np.array([0, 1, 2, 5, 10, 20])
    found = angle_condition(type(path)(**{
        **path.__dict__, "columns": columns, "clock": clock
    }))  # fmt: skip
    angle, descent = found.angle, found.descent
    assert (angle.smallest, angle.smallest_at) == (-0.2, 2)
    assert (angle.fails_at, angle.holds_from) == (2, 10)
    assert angle.share == pytest.approx(4 / 6)
    assert (descent.fails_at, descent.holds_from) == (20, None)
    assert not angle.always
    assert "first below it at 2" in str(found)


def test_small_plain_steps_satisfy_both_conditions_everywhere():
    found = angle_condition(trained("sgd", 0.02), bound=0.9)
    assert found.angle.always
    assert found.angle.smallest == pytest.approx(1, abs=1e-13)
    # A step wins at least 1 - step * curvature / 2 of its first order.
    assert found.descent.always


def test_plain_steps_beyond_stability_keep_the_angle_and_lose_the_descent():
    found = angle_condition(trained("sgd", 0.36))  # 2 / 6 is the limit
    assert found.angle.always
    assert found.descent.holds_from is None or found.descent.share < 0.6


@pytest.mark.parametrize("momentum", [0.3, 0.6])
def test_a_heavy_ball_of_little_momentum_keeps_its_angle(momentum):
    # Below (1 - sqrt(0.02 * 2))^2 = 0.64 the slowest mode does not oscillate.
    assert angle_condition(trained("heavy_ball", 0.02, momentum=momentum)).angle.always


@pytest.mark.parametrize("momentum", [0.7, 0.9])
def test_a_heavy_ball_of_much_momentum_fails_again_and_again(momentum):
    path = trained("heavy_ball", 0.02, momentum=momentum)
    late = path["angle_cosine"][path.clock.size // 2 :]
    assert (late < 0).mean() > 0.1
    assert np.count_nonzero(np.diff(np.sign(late))) >= 4


@pytest.mark.parametrize("momentum", [0.28, 0.33])
def test_on_a_parabola_the_limit_is_that_of_critical_damping(momentum):
    # One factor: the loss is (x - 1)^2 / 2; (1 - sqrt(0.2))^2 = 0.3056.
    path = train(
        tw.Playground(1), [0.0], "heavy_ball", step_size=0.2, iterations=60, every=1,
        options={"momentum": momentum},
    )  # fmt: skip
    x, v, signs = 0.0, 0.0, []
    for _ in range(61):
        v = momentum * v - 0.2 * (x - 1)
        signs.append(np.sign((1 - x) * v))
        x += v
    assert path["angle_cosine"].tolist() == signs
    assert angle_condition(path).angle.always is (momentum < 0.3056)


def test_adam_without_momentum_keeps_its_angle_and_with_it_does_not():
    # Divided by positive numbers, entry by entry, a gradient still goes down.
    assert angle_condition(trained("adam", 0.02, b1=0.0)).angle.always
    assert not angle_condition(trained("adam", 0.02, b1=0.9)).angle.always


def test_a_batch_is_judged_run_by_run():
    path = train(
        problem(), start(), "sgd", step_size=[0.02, 0.36], iterations=300, every=1
    )
    found = angle_condition(path)
    assert [one.descent.always for one in found] == [True, False]


def test_a_bound_is_a_positive_number():
    with pytest.raises(DomainError, match="bound is -1") as error:
        angle_condition(trained("sgd", 0.02), bound=-1.0)
    assert is_a_sentence(error.value)


def test_a_path_without_angles_is_refused():
    path = tw.descend(problem(), start(), step_size=0.02, iterations=3)
    with pytest.raises(UnknownName, match="'angle_cosine'") as error:
        angle_condition(path)
    assert is_a_sentence(error.value)
