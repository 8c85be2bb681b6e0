"""Chitour, Liao, Couillet: one hidden layer, and flows that run off or do not."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.flatten_util import ravel_pytree
from scipy.integrate import solve_ivp

import thalweg as tw
from thalweg.linalg import balls
from thalweg.problem.activations import Arctan, LeakyRelu, Linear, Logistic, Relu, Tanh
from thalweg.problem.hidden import HiddenLayer, HiddenNet
from thalweg.theorems._base import Case, Verdict

SEEDS = st.integers(0, 2**32 - 1)


def drawn(seed, widths):
    draw = np.random.default_rng(seed).standard_normal
    return tuple(jnp.asarray(draw((b, a))) for a, b in pairwise(widths))


def middle(ball):
    return float(ball.mid())


def shallow(hidden, output, inputs, seed=0, units=4, outputs=3):
    draw = np.random.default_rng(seed).standard_normal
    inputs = np.asarray(inputs, dtype=float)
    net = HiddenNet((inputs.shape[1], units, outputs), hidden, output)
    problem = HiddenLayer(net, inputs, draw((len(inputs), outputs)))
    return problem, drawn(seed + 1, net.widths)


def flowed(problem, start, time=5.0):
    """The state at a time, by DOP853 on NumPy formulas of the gradient."""
    _, unflat = ravel_pytree(start)
    slope = jax.jit(lambda w: -ravel_pytree(problem.gradient(unflat(w)))[0])
    first = np.concatenate([np.asarray(w).ravel() for w in start])
    path = solve_ivp(lambda _t, w: np.asarray(slope(w)), (0, time), first, "DOP853",
                     rtol=1e-12, atol=1e-12)  # fmt: skip
    return unflat(jnp.asarray(path.y[:, -1]))


def laws(problem, weights, through=True):
    first, second = weights
    seen = first @ problem.inputs if through else first
    return (second**2).sum(0) - 2 * problem.net.hidden.potential(seen).sum(1)


def drift(problem, start, through=True):
    end = flowed(problem, start)
    return float(
        np.abs(laws(problem, end, through) - laws(problem, start, through)).max()
    )


@pytest.mark.parametrize("hidden", [Tanh(), Arctan(), Logistic()], ids=str)
def test_sigmoid_units_keep_their_law_on_the_identity(hidden):
    problem, start = shallow(hidden, Tanh(), np.eye(5))
    assert drift(problem, start) < 1e-9
    found = tw.certify("chitour2023.SigmoidInvariants", problem, start)
    assert found.verdict is Verdict.PROVED
    values = [middle(ball) for ball in found.guarantee.values.values()]
    assert values == pytest.approx(np.asarray(laws(problem, start)), rel=1e-12)


def test_orthonormal_samples_keep_the_law_of_what_enters_the_units():
    basis = np.linalg.qr(np.random.default_rng(5).standard_normal((5, 3)))[0]
    problem, start = shallow(Tanh(), Tanh(), basis.T)
    assert drift(problem, start) < 1e-9
    # The source's own form, of the weights alone, drifts.
    assert drift(problem, start, through=False) > 0.01
    # Orthonormal to rounding is not orthonormal: nothing exact is promised.
    found = tw.certify("chitour2023.SigmoidInvariants", problem, start)
    assert found.verdict is Verdict.REFUTED
    signed = np.eye(5)[[4, 0, 2]] * [[-1.0], [1.0], [-1.0]]
    exactly, start = shallow(Tanh(), Tanh(), signed)
    found = tw.certify("chitour2023.SigmoidInvariants", exactly, start)
    assert found.verdict is Verdict.PROVED


@pytest.mark.parametrize("white", [False, True])
def test_on_other_samples_the_printed_law_drifts(white):
    inputs = np.random.default_rng(6).standard_normal((8, 5))
    if white:
        inputs = np.linalg.qr(inputs)[0]
    problem, start = shallow(Tanh(), Tanh(), inputs)
    assert drift(problem, start) > 0.05
    assert drift(problem, start, through=False) > 0.05
    found = tw.certify("chitour2023.SigmoidInvariants", problem, start)
    assert found.verdict is Verdict.REFUTED
    (failed,) = (h for h in found.hypotheses if h.verdict is Verdict.REFUTED)
    assert failed.name == "X'X = I"
    assert "X = I" in failed.mend


def descended(problem, start, step, time=0.1):
    """Explicit Euler for the flow, in NumPy."""
    x, y = np.asarray(problem.inputs), np.asarray(problem.labels)
    first, second = (np.asarray(w) for w in start)
    slope = getattr(problem.net.hidden, "slope", 0.0)
    for _ in range(round(time / step)):
        before = first @ x
        steep = np.where(before > 0, 1.0, slope)
        features = before * steep
        pull = y - second @ features
        move = (steep * (second.T @ pull)) @ x.T
        second = second + step * pull @ features.T
        first = first + step * move
    return first, second


@pytest.mark.parametrize("hidden", [Relu(), LeakyRelu(0.1)], ids=str)
def test_rectified_units_keep_their_law_on_any_samples(hidden):
    # Euler with step h drifts by a multiple of h: the flow does not drift.
    inputs = np.random.default_rng(6).standard_normal((8, 5))
    problem, start = shallow(hidden, Linear(), inputs)

    def gaps(weights):
        return (weights[1] ** 2).sum(0) - (weights[0] ** 2).sum(1)

    drifts = [
        np.abs(gaps(descended(problem, start, h)) - gaps(start)).max()
        for h in (1e-4, 1e-5)
    ]
    assert drifts[0] / drifts[1] == pytest.approx(10, rel=0.05)
    found = tw.certify("chitour2023.HomogeneousInvariants", problem, start)
    assert found.verdict is Verdict.PROVED
    values = [middle(ball) for ball in found.guarantee.values.values()]
    assert values == pytest.approx(np.asarray(gaps(start)), rel=1e-12)
    assert all(h.verdict is Verdict.PROVED for h in found.conclusions)


@given(seed=SEEDS, kind=st.sampled_from([Relu(), LeakyRelu(0.1), Linear()]))
@settings(max_examples=20)
def test_no_law_of_a_random_net_changes_at_its_start(seed, kind):
    inputs = np.random.default_rng(seed).standard_normal((6, 4))
    problem, start = shallow(kind, Tanh(), inputs, seed=seed)
    found = tw.certify("chitour2023.HomogeneousInvariants", problem, start)
    assert all(h.verdict is Verdict.PROVED for h in found.conclusions)
    problem, start = shallow(Arctan(), Tanh(), np.eye(4), seed=seed)
    found = tw.certify("chitour2023.SigmoidInvariants", problem, start)
    assert all(h.verdict is Verdict.PROVED for h in found.conclusions)


@pytest.mark.parametrize("hidden", [Tanh(), Arctan(), Logistic(), Linear()], ids=str)
def test_the_written_flow_is_minus_the_gradient_of_the_loss(hidden):
    inputs = np.random.default_rng(2).standard_normal((6, 5))
    problem, start = shallow(hidden, Arctan(), inputs)
    found = tw.certify("chitour2023.HiddenFlow", problem, start)
    assert all(h.verdict is Verdict.PROVED for h in found.conclusions)
    slopes = jax.grad(problem.loss)(start)
    rate = -sum(float((g**2).sum()) for g in slopes)
    assert middle(found.guarantee.values["rate of the loss"]) == pytest.approx(
        rate, rel=1e-12
    )


def test_a_wrong_formula_of_the_flow_would_be_noticed():
    # The power series knows nothing of derivatives: a false one is refuted.
    class Bent(Tanh):
        def derivative(self, x, by=None):
            return 0.999 * super().derivative(x, by)

    problem, start = shallow(Bent(), Linear(), np.eye(3))
    found = tw.certify("chitour2023.HiddenFlow", problem, start)
    assert found.conclusions[0].verdict is Verdict.REFUTED


def test_a_law_of_the_wrong_samples_would_be_noticed():
    inputs = np.random.default_rng(6).standard_normal((8, 5))
    problem, start = shallow(Tanh(), Tanh(), inputs)
    theorem = tw.theorem("chitour2023.SigmoidInvariants")
    with balls.working_precision(128):
        promise = theorem.guarantee(Case(problem, start, la=balls))
    assert any(h.verdict is Verdict.REFUTED for h in promise.conclusions)


@pytest.mark.parametrize("hidden", [Tanh(), Arctan(), Logistic()], ids=str)
@given(size=st.floats(1e-3, 100), share=st.floats(0.01, 0.99), sign=st.booleans())
@settings(max_examples=30)
def test_a_potential_grows_at_least_like_a_square(hidden, size, share, sign):
    x = -size if sign else size
    point = np.full((1, 1), x)
    problem = HiddenLayer(HiddenNet((1, 1, 1), hidden), np.eye(1), np.eye(1))
    found = tw.certify("chitour2023.SigmaGrowth", problem, (point, np.eye(1)))
    assert all(h.verdict is Verdict.PROVED for h in found.conclusions)
    value, part = (float(hidden.value(jnp.asarray(z))) for z in (x, share * x))
    low = (1 - share) ** 2 * x * x * part / value
    assert float(hidden.potential(jnp.asarray(x))) >= low * (1 - 1e-12)


@pytest.mark.parametrize("hidden", [Tanh(), Arctan(), Logistic()], ids=str)
def test_a_potential_is_half_a_square_near_zero_and_more_than_one_far_out(hidden):
    # The source prints that it grows as x tends to zero.
    near = float(hidden.potential(jnp.asarray(1e-3)))
    assert near / 1e-6 == pytest.approx(0.5, rel=1e-5)
    assert float(hidden.potential(jnp.asarray(50.0))) / 2500 > 1


# The unbounded example.


def moved(theorem, start, time, **options):
    surface = tw.theorem(f"chitour2023.{theorem}").problem

    def speed(_t, state):
        if len(state) == 2:
            x, z = state
            h = np.exp(-x - x**3 / 3)
            return [z * z * (1 + x * x) * h, -2 * z * h]
        x, y, z = state
        gap = 1 - x * y
        h = (x * x + gap * gap) / 2
        return [-z * z * (x - y * gap), z * z * x * gap, -2 * z * h]

    options = {"method": "LSODA", "rtol": 1e-11, "atol": 1e-13, **options}
    return surface, solve_ivp(speed, (0, time), start, **options).y


@given(x=st.floats(-1, 1), z=st.floats(0.5, 4))
@settings(max_examples=25)
def test_the_law_of_the_unbounded_example_says_where_its_flow_goes(x, z):
    surface, path = moved("UnboundedExample", (x, z), 1e4)
    law = path[1] ** 2 + 4 * np.arctan(path[0])
    assert np.abs(law - law[0]).max() < 1e-8
    found = tw.certify("chitour2023.UnboundedExample", surface, (x, z))
    assert found.verdict is Verdict.PROVED
    values = found.guarantee.values
    assert middle(values["I"]) == pytest.approx(law[0], rel=1e-12)
    if law[0] > 2 * np.pi:
        assert middle(values["limit of z^2"]) == pytest.approx(law[0] - 2 * np.pi)
        assert path[1, -1] ** 2 >= middle(values["limit of z^2"])
    else:
        limit = middle(values["limit of x"])
        # The law's drift moves the limit by (1 + x^2)/4 as much.
        assert path[0].max() <= limit + 1e-8 * (1 + limit**2)
        if law[0] < 4:
            assert path[0, -1] == pytest.approx(limit, rel=1e-6)


@given(x=st.floats(0.01, 1), y=st.floats(0.01, 1), z=st.floats(0.1, 8))
@settings(max_examples=25)
def test_the_flow_of_the_printed_example_stays_bounded(x, y, z):
    surface, path = moved("PrintedUnboundedExample", (x, y, z), 300.0)
    found = tw.certify("chitour2023.PrintedUnboundedExample", surface, (x, y, z))
    assert found.verdict is Verdict.PROVED
    assert all(h.verdict is not Verdict.REFUTED for h in found.conclusions)
    values = found.guarantee.values
    assert np.abs(path[0]).max() <= middle(values["bound on x"]) * (1 + 1e-9)
    reach = np.sqrt(path[1] ** 2 + path[2] ** 2)
    assert reach.max() <= middle(values["bound on y and z"]) * (1 + 1e-9)


@pytest.mark.parametrize("theorem", ["UnboundedExample", "PrintedUnboundedExample"])
def test_an_example_takes_its_own_problem_and_numbers_alone(theorem):
    made = tw.theorem(f"chitour2023.{theorem}")
    count = len(made.problem.variables.split(", "))
    with pytest.raises(ValueError, match="it must be the numbers x"):
        tw.certify(made, made.problem, [1.0] * (count + 1))
    other = tw.certify(made, tw.Playground(2), [0.5, 0.5])
    assert other.verdict is Verdict.REFUTED
    assert not other.applies


def test_the_boundary_of_the_unbounded_example_is_not_decided_by_rounding():
    made = tw.theorem("chitour2023.UnboundedExample")
    root = float(np.sqrt(2 * np.pi))
    told = [
        tw.certify(made, made.problem, (0.0, z)).guarantee.limit
        for z in (np.nextafter(root, 0), np.nextafter(root, 9))
    ]
    assert told[0].startswith("x to ")
    assert told[0].endswith("z to 0")
    assert told[1].startswith("x to infinity")
