"""One hidden layer: values, gradients and potentials against other ways to them."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thalweg._core.errors import DataError, DomainError, ShapeError
from thalweg.linalg import balls
from thalweg.problem.activations import (
    BALLS,
    Arctan,
    LeakyRelu,
    Linear,
    Logistic,
    Relu,
    Tanh,
)
from thalweg.problem.hidden import HiddenLayer, HiddenNet
from tolerances import close, is_a_sentence

SIGMOIDS = {
    Tanh(): mpmath.tanh,
    Arctan(): mpmath.atan,
    Logistic(): lambda x: 1 / (1 + mpmath.exp(-x)) - mpmath.mpf(1) / 2,
}
ALL = [*SIGMOIDS, Linear(), Relu(), LeakyRelu(0.1)]


def posed(hidden, output, seed=0, samples=6):
    draw = np.random.default_rng(seed).standard_normal
    net = HiddenNet((5, 4, 3), hidden, output)
    problem = HiddenLayer(net, draw((samples, 5)), draw((samples, 3)))
    return problem, tuple(jnp.asarray(draw(shape)) for shape in net.shapes)


@pytest.mark.parametrize("activation", SIGMOIDS, ids=lambda a: type(a).__name__)
@pytest.mark.parametrize("x", [-3.7, -0.01, 1e-9, 0.5, 2.0, 6.0])
def test_a_potential_is_the_integral_of_value_over_slope(activation, x):
    of = SIGMOIDS[activation]
    with mpmath.workdps(40):
        point = mpmath.mpf(x)
        slope = mpmath.diff(of, point)
        area = mpmath.quad(lambda w: of(w) / mpmath.diff(of, w), [0, point])
        value = of(point)
    with balls.working_precision(128):
        ball = balls.scalar(x)
        found = activation.potential(ball, BALLS)
        assert abs(mpmath.mpf(float(found.mid())) - area) < 1e-13 * abs(area)
        steep = activation.derivative(ball, BALLS)
        assert abs(float(steep.mid()) - float(slope)) < 1e-14
        assert abs(float(activation.value(ball, BALLS).mid()) - float(value)) < 1e-15
    # The square of x cancels to a half of itself where x is small.
    assert float(activation.potential(x)) == pytest.approx(float(area), rel=1e-13)


@pytest.mark.parametrize("activation", ALL, ids=lambda a: type(a).__name__)
@given(x=st.floats(-20, 20, allow_subnormal=False))
def test_balls_hold_what_floats_give(activation, x):
    for name in ("value", "derivative", "potential"):
        method = getattr(activation, name)
        low, high = balls.bounds(method(balls.scalar(x), BALLS))
        found = float(method(jnp.asarray(x)))
        room = 1e-12 * (1 + abs(found))
        assert low - room <= found <= high + room


@pytest.mark.parametrize("activation", [Relu(), LeakyRelu(0.1)], ids=str)
def test_at_a_kink_balls_hold_the_whole_subdifferential(activation):
    low, high = balls.bounds(activation.derivative(balls.scalar(0), BALLS))
    below = float(activation.derivative(jnp.asarray(-1.0)))
    assert low <= below
    assert high >= 1
    assert float(activation.derivative(jnp.asarray(0.0))) == below
    assert balls.bounds(activation.value(balls.scalar(0), BALLS)) == (0, 0)


@pytest.mark.parametrize("activation", ALL, ids=str)
@pytest.mark.parametrize("x", [-2.0, -0.3, 0.4, 3.0])
def test_what_an_activation_is_called_it_is(activation, x):
    value = float(activation.value(jnp.asarray(x)))
    slope = float(activation.derivative(jnp.asarray(x)))
    assert slope == pytest.approx(float(jax.grad(activation.value)(x)), rel=1e-12)
    assert (abs(value - x * slope) < 1e-15) == activation.is_homogeneous
    if activation.is_sigmoid:
        assert x * value > 0
        assert slope > 0


@pytest.mark.parametrize("output", ALL, ids=str)
@pytest.mark.parametrize("hidden", ALL, ids=str)
def test_the_gradient_is_that_of_the_loss(hidden, output):
    problem, weights = posed(hidden, output)
    for ours, theirs in zip(
        problem.gradient(weights), jax.grad(problem.loss)(weights), strict=True
    ):
        close(ours, theirs, ulps=100, scale=float(1 + np.abs(theirs).max()))


def test_the_loss_is_that_of_loops():
    problem, (first, second) = posed(Tanh(), Relu())
    loss = 0.0
    for k in range(problem.inputs.shape[1]):
        features = [np.tanh(row @ problem.inputs[:, k]) for row in first]
        for i, row in enumerate(np.asarray(second)):
            given_ = max(float(row @ np.array(features)), 0.0)
            loss += (float(problem.labels[i, k]) - given_) ** 2 / 2
    assert float(problem.loss((first, second))) == pytest.approx(loss, rel=1e-13)
    assert problem.chain((first, second))[0] is first
    assert problem.net.depth == 2


def test_a_single_output_may_come_as_a_vector():
    problem = HiddenLayer(HiddenNet((2, 3, 1)), np.eye(2), [1.0, 2.0])
    assert problem.labels.shape == (1, 2)


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        (lambda: HiddenNet((2, 3)), DomainError),
        (lambda: HiddenNet((2, 0, 1)), DomainError),
        (lambda: LeakyRelu(-1.0), DomainError),
        (lambda: HiddenLayer(HiddenNet((2, 3, 1)), np.eye(3), np.ones(3)), ShapeError),
        (lambda: HiddenLayer(HiddenNet((2, 3, 1)), np.eye(2), np.ones(3)), ShapeError),
        (lambda: HiddenLayer(HiddenNet((2, 3, 1)), [[np.nan, 0]], [1]), DataError),
        (lambda: posed(Tanh(), Tanh())[0].check([np.eye(5)]), ShapeError),
        (
            lambda: posed(Tanh(), Tanh())[0].check([np.eye(5), np.ones((3, 5))]),
            ShapeError,
        ),
    ],
)
def test_a_mistake_is_met_with_one_sentence(wrong, kind):
    with pytest.raises(kind) as caught:
        wrong()
    assert is_a_sentence(caught.value)
