"""Shadows: the true iterates of descent are never outside the radius."""

import functools
import math
from dataclasses import replace
from itertools import pairwise

import jax.numpy as jnp
import numpy as np
import pytest
from flint import arb, arb_mat, ctx, fmpq, fmpq_mat
from hypothesis import given, settings
from hypothesis import strategies as st

import net_oracles
import thalweg as tw
from thalweg._core.errors import DomainError
from thalweg.linalg import _rounding
from thalweg.motion import _patch, _shadowing
from thalweg.motion import shadow as module
from thalweg.motion.shadow import shadow, shadow_of
from tolerances import is_a_sentence

WIDTHS = [(2, 3, 2), (3, 2, 4, 2), (2, 2, 2, 2, 2), (3, 2), (4, 1, 3)]
INF = float("inf")


@functools.cache
def posed(widths, raw, seed=0):
    rng = np.random.default_rng(seed)
    if not raw:
        data = tw.Moments.whitened(rng.standard_normal((widths[-1], widths[0])))
    else:
        inputs = rng.standard_normal((9, widths[0])) * rng.uniform(0.5, 2, widths[0])
        data = tw.Moments.from_data(inputs, rng.standard_normal((9, widths[-1])))
    return tw.Problem(tw.LinearNet(widths), data)


def drawn(widths, seed, scale=0.7):
    draw = np.random.default_rng(seed).standard_normal
    return tuple(jnp.asarray(scale * draw((b, a))) for a, b in pairwise(widths))


def data_of(problem):
    if isinstance(problem, tw.Playground):
        return np.eye(1), np.eye(1)
    return problem.data.inputs_factor, problem.data.labels_factor


def descended(problem, start, step, at, matrix, number):
    """Iterates of a plain loop in any exact or wide arithmetic, by iteration."""
    inputs, labels = (matrix(np.asarray(x).tolist()) for x in data_of(problem))
    layers = [matrix(np.asarray(w).tolist()) for w in problem.chain(start)]
    step, found = number(step), {}
    for iteration in range(max(at) + 1):
        if iteration in at:
            found[iteration] = list(layers)
        below = [inputs]
        for layer in layers:
            below.append(layer * below[-1])
        above, slopes = below[-1] - labels, []
        for j in reversed(range(len(layers))):
            slopes.append(above * below[j].transpose())
            above = layers[j].transpose() * above
        layers = [w - g * step for w, g in zip(layers, slopes[::-1], strict=True)]
    return found


def rational(rows):
    entries = [fmpq(*x.as_integer_ratio()) for row in rows for x in row]
    return fmpq_mat(len(rows), len(rows[0]), entries)


def exactly(problem, start, step, at):
    return descended(
        problem, start, step, at, rational, lambda x: fmpq(*x.as_integer_ratio())
    )


def widely(problem, start, step, at, bits=800):
    before, ctx.prec = ctx.prec, bits
    try:
        return descended(problem, start, step, at, arb_mat, arb)
    finally:
        ctx.prec = before


def holds(problem, found, layers):
    """Whether every layer of the truth is within the radius of the floats."""
    floats = [np.asarray(w).tolist() for w in problem.chain(found.weights)]
    before, ctx.prec = ctx.prec, 2000
    try:
        for near, true in zip(floats, layers, strict=True):
            gaps = arb_mat(near) - arb_mat(true)
            square = sum((x * x for x in gaps.entries()), arb(0))
            assert square.rad() < 1e-100
            if not square <= arb(found.radius) ** 2:
                return False
        return True
    finally:
        ctx.prec = before


@pytest.mark.parametrize("raw", [False, True], ids=["white", "raw"])
@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize("step", [0.01, 0.3])
def test_exact_rational_descent_is_within_the_radius(widths, raw, step):
    problem, start = posed(widths, raw), drawn(widths, 1)
    last = {1: 6, 2: 6, 3: 4, 4: 3}[len(start)]
    found = shadow(problem, start, step, range(last + 1))
    truth = exactly(problem, start, step, range(last + 1))
    for near in found:
        assert holds(problem, near, truth[near.iteration])
        assert near.radius < 1e-11


@pytest.mark.parametrize("raw", [False, True], ids=["white", "raw"])
@pytest.mark.parametrize("widths", WIDTHS)
def test_three_hundred_steps_stay_within_the_radius(widths, raw):
    problem, start, at = posed(widths, raw), drawn(widths, 2), [1, 10, 100, 300]
    truth = widely(problem, start, 0.05, at)
    for near in shadow(problem, start, 0.05, at):
        assert holds(problem, near, truth[near.iteration])
        assert 0 < near.radius < 1e-9 or problem.net.has_bottleneck


@given(
    seed=st.integers(0, 2**32 - 1),
    widths=st.sampled_from(WIDTHS[:4]),
    raw=st.booleans(),
    scale=st.sampled_from([1e-3, 0.3, 1.0, 2.0]),
    step=st.sampled_from([1e-4, 0.02, 0.1, 0.5]),
)
@settings(max_examples=50)
def test_no_true_iterate_is_ever_outside_the_radius(seed, widths, raw, scale, step):
    problem, start = posed(widths, raw), drawn(widths, seed, scale)
    at = [0, 1, 2, 5, 12]
    found = [s for s in shadow(problem, start, step, at) if s.radius < INF]
    truth = widely(problem, start, step, [s.iteration for s in found])
    assert all(holds(problem, near, truth[near.iteration]) for near in found)


@given(seed=st.integers(0, 2**32 - 1), depth=st.sampled_from([1, 2, 5]))
@settings(max_examples=12)
def test_the_playground_has_shadows_too(seed, depth):
    problem = tw.Playground(depth)
    start = jnp.asarray(np.random.default_rng(seed).uniform(-0.5, 1.5, depth))
    found = shadow(problem, start, 0.05, [0, 1, 30])
    truth = widely(problem, start, 0.05, [0, 1, 30])
    for near in found:
        assert near.weights.shape == (depth,)
        assert holds(problem, near, truth[near.iteration])


@pytest.mark.parametrize("widths", [(10, 10), (10, 20, 10), (8, 16, 16, 4)])
@pytest.mark.parametrize(("raw", "step"), [(False, 0.02), (True, 0.005)])
def test_two_thousand_benign_steps_leave_a_radius_below_1e_9(widths, raw, step):
    problem = posed(widths, raw)
    start = drawn(widths, 3, scale=1 / math.sqrt(max(widths)))
    (found,) = shadow(problem, start, step, 2000)
    assert 0 < found.radius < 1e-9


def test_a_step_near_the_edge_of_stability_keeps_its_radius():
    # The largest eigenvalue of the Hessian at the end is 15.6: 1.9 / 0.12.
    problem, start = posed((2, 3, 2), False), drawn((2, 3, 2), 5)
    path = tw.descend(problem, start, step_size=0.01, iterations=5000)
    end = [np.asarray(w) for w in path.weights]
    inputs, labels = map(np.asarray, data_of(problem))
    sharpness = np.linalg.eigvalsh(net_oracles.hessian(end, inputs, labels))[-1]
    near = tuple(jnp.asarray(w + 1e-3) for w in end)
    (found,) = shadow(problem, near, 1.9 / sharpness, 300)
    truth = widely(problem, near, 1.9 / sharpness, [300])
    assert found.radius < 1e-10
    assert holds(problem, found, truth[300])


def test_a_descent_at_rest_stays_put():
    problem = tw.Problem(
        tw.LinearNet((2, 2, 2)), tw.Moments.whitened(np.diag([4, 1.0]))
    )
    start = (np.diag([2.0, 1.0]),) * 2
    (found,) = shadow(problem, start, 0.1, 1000)
    assert found.radius < 1e-12
    assert all(np.array_equal(a, b) for a, b in zip(found.weights, start, strict=True))


@pytest.mark.parametrize("scale", [0.0, 1e-300, 1e-200, 1e-80, 1e80, 1e150, 1e308])
@pytest.mark.parametrize("widths", [(2, 3, 2), (3, 2)])
def test_sizes_at_the_ends_of_float64_are_no_exception(scale, widths):
    problem, start = posed(widths, False), drawn(widths, 4, 1.0)
    start = tuple(jnp.clip(scale * w, -1.7e308, 1.7e308) for w in start)
    found = shadow(problem, start, 0.1, [0, 1, 5])
    known = [s for s in found if s.radius < INF]
    truth = widely(problem, start, 0.1, [s.iteration for s in known], bits=2500)
    assert found[0].radius == 0
    assert all(holds(problem, near, truth[near.iteration]) for near in known)
    assert len(known) == 3 or scale > 1


def test_a_run_that_diverges_loses_its_bound_for_good():
    problem, start = posed((2, 3, 2), False), drawn((2, 3, 2), 0)
    radii = [s.radius for s in shadow(problem, start, 5.0, range(0, 60, 3))]
    lost = radii.index(INF)
    assert all(r < INF for r in radii[:lost])
    assert radii[lost:] == [INF] * len(radii[lost:])


def test_shadows_come_in_order_and_start_exactly():
    problem, start = posed((2, 3, 2), False), drawn((2, 3, 2), 0)
    found = shadow(problem, start, 0.1, [7, 0, 7, 3])
    assert [s.iteration for s in found] == [0, 3, 7]
    assert found[0].radius == 0
    assert all(
        np.array_equal(a, b) for a, b in zip(found[0].weights, start, strict=True)
    )
    assert [s.radius for s in found] == sorted(s.radius for s in found)


def test_asking_on_the_way_changes_nothing():
    problem, start = posed((3, 2, 4, 2), True), drawn((3, 2, 4, 2), 0)
    *_, with_stops = shadow(problem, start, 0.05, range(200))
    (without,) = shadow(problem, start, 0.05, 199)
    assert with_stops.radius == without.radius
    assert all(map(np.array_equal, with_stops.weights, without.weights))


RUNS = {
    "descend": (tw.descend, posed((2, 3, 2), True), drawn((2, 3, 2), 1), 1e-11),
    "leap": (tw.leap, tw.Playground(3), jnp.array([0.5, 0.9, 0.3]), 1e-8),
}


@pytest.mark.parametrize("kind", RUNS)
def test_the_error_of_a_path_is_proven(kind):
    run, problem, start, usual = RUNS[kind]
    path = run(problem, start, step_size=0.01, iterations=250)
    told = shadow_of(path)
    truth = widely(problem, start, 0.01, [250])[250]
    own = module.Shadow(250, path.weights, told.error)
    assert holds(problem, own, truth)
    assert not holds(problem, replace(own, radius=0.0), truth)
    assert [s.iteration for s in told.shadows] == path.iterations.tolist()
    assert told.error < usual


def test_a_path_that_converges_is_followed_to_its_end():
    path = tw.descend(
        tw.Playground(2), [0.5, 0.5], step_size=1 / 6, iterations=1000, accuracy=1e-6
    )
    told = shadow_of(path)
    assert told.shadows[-1].iteration == 21
    assert told.error < 1e-14


def test_a_path_is_followed_as_far_as_its_bound_is_known():
    problem, start = posed((2, 3, 2), False), drawn((2, 3, 2), 0)
    path = tw.descend(problem, start, step_size=0.1, iterations=40)
    longer = replace(path, step_size=2.0, clock=np.arange(0, 41, 4))
    told = shadow_of(longer)
    assert told.error == told.shadows[-1].radius == INF
    assert told.shadows[1].radius < INF


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"momentum": 0.9}, "not a single plain descent"),
        ({"step_size": jnp.array([0.1, 0.2])}, "not a single plain descent"),
    ],
)
def test_only_single_plain_descents_have_shadows(options, says):
    path = tw.descend(
        tw.Playground(2), [0.5, 0.5], **{"step_size": 0.1, "iterations": 5, **options}
    )
    with pytest.raises(DomainError, match=says) as caught:
        shadow_of(path)
    assert is_a_sentence(caught.value)


def test_too_long_a_path_is_refused():
    path = tw.descend(tw.Playground(2), [0.5, 0.5], step_size=0.1, iterations=5)
    path = replace(path, clock=np.array([0, 200_001]))
    with pytest.raises(DomainError, match="at most 200000") as caught:
        shadow_of(path)
    assert is_a_sentence(caught.value)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"problem": "a net"}, "problem is a str"),
        ({"step_size": 0.0}, "step_size is 0.0; it must be positive"),
        ({"iterations": [3, -1]}, "an iteration is -1"),
    ],
)
def test_a_mistake_is_met_with_one_sentence(changes, says):
    usual = {
        "problem": tw.Playground(2),
        "start": [0.5, 0.5],
        "step_size": 0.1,
        "iterations": 3,
    }
    with pytest.raises(DomainError, match=says) as caught:
        shadow(**{**usual, **changes})
    assert is_a_sentence(caught.value)


def shifted(layers, away, distance):
    """Weights moved by so much in all, as NumPy arrays."""
    length = math.sqrt(sum(np.sum(np.square(v)) for v in away))
    pairs = zip(layers, away, strict=True)
    return [np.asarray(w + v * (distance / length)) for w, v in pairs]


def jacobian(weights, inputs):
    """The derivative of the residual, layers flattened row by row."""
    columns = []
    for j, weight in enumerate(weights):
        above, below = net_oracles.parts(weights, j, inputs)
        units = np.eye(weight.size).reshape(-1, *weight.shape)
        columns += [(above @ v @ below).ravel() for v in units]
    return np.array(columns).T


@given(
    seed=st.integers(0, 2**32 - 1),
    widths=st.sampled_from(WIDTHS),
    raw=st.booleans(),
    reach=st.sampled_from([1e-6, 0.05, 1.0]),
    sharp=st.booleans(),
)
@settings(max_examples=50)
def test_the_bounds_of_a_patch_hold_everywhere_on_it(seed, widths, raw, reach, sharp):
    # The Hessian less J^T J is the curvature that the residual brings in.
    problem, layers = posed(widths, raw), [*map(np.asarray, drawn(widths, seed))]
    inputs, labels = map(np.asarray, data_of(problem))
    known = _patch.Patch.around(layers, inputs if raw else None, reach, sharp=sharp)
    away = drawn(widths, seed + 1, 1.0)
    moved = shifted(layers, away, reach)
    slopes = jacobian(moved, inputs)
    rounding = 1 + 1e-12
    assert np.linalg.norm(slopes, 2) <= known.slope * rounding
    curved = net_oracles.hessian(moved, inputs, labels) - slopes.T @ slopes
    residual = net_oracles.residual(moved, inputs, labels)
    spectral = np.linalg.norm(residual, 2)
    bent = np.abs(np.linalg.eigvalsh(curved)).max()
    assert bent <= known.bend * spectral * rounding + 1e-12
    whole = math.sqrt(sum(np.sum(w**2) for w in moved))
    assert whole <= known.size * rounding


@given(
    seed=st.integers(0, 2**32 - 1),
    widths=st.sampled_from(WIDTHS),
    raw=st.booleans(),
    radius=st.sampled_from([0.0, 1e-3, 0.3]),
)
@settings(max_examples=50)
def test_the_hessian_within_the_radius_is_bent_no_more_than_told(
    seed, widths, raw, radius
):
    problem, layers = posed(widths, raw), drawn(widths, seed)
    inputs, labels = map(np.asarray, data_of(problem))
    net = _shadowing.Floats.of(problem, layers)
    net.differentiate()
    known = _patch.Patch.around(net.layers, net.inputs, max(radius, 1e-9))
    size = _shadowing.norm(net.residual)
    told = _shadowing.bent(net, known, step=1.0, size=size, radius=radius)
    away = drawn(widths, seed + 1, 1.0)
    moved = shifted(layers, away, radius)
    slopes = jacobian(moved, inputs)
    curved = net_oracles.hessian(moved, inputs, labels) - slopes.T @ slopes
    assert np.abs(np.linalg.eigvalsh(curved)).max() <= told * (1 + 1e-12) + 1e-12


@pytest.mark.parametrize("raw", [False, True], ids=["white", "raw"])
@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize("seed", range(4))
def test_rounding_at_its_worst_is_within_its_bound(monkeypatch, widths, raw, seed):
    # Coarse arithmetic, u = 2^-20: every product is off by all it may be, one way.
    coarse = arb(2) ** -20
    monkeypatch.setattr(_rounding, "UNIT", coarse)
    monkeypatch.setattr(_patch, "UNIT", coarse)
    rng = np.random.default_rng(seed)
    layers = [rng.uniform(0.1, 1, w.shape) for w in drawn(widths, seed)]
    inputs, labels = (abs(np.asarray(x)) for x in data_of(posed(widths, raw)))
    known = _patch.Patch.around(layers, inputs if raw else None, 1e-9)

    def times(a, b):
        gamma = a.shape[1] * 2.0**-20 / (1 - a.shape[1] * 2.0**-20)
        return a @ b + gamma * np.abs(a) @ np.abs(b)

    below = [inputs]
    for j, layer in enumerate(layers):
        exact = j == 0 and not raw
        below.append(layer @ inputs if exact else times(layer, below[-1]))
    carried = (below[-1] - labels) * (1 + 2.0**-20)
    size, square = np.linalg.norm(carried), 0.0
    slopes = net_oracles.gradient(layers, inputs, labels)
    for j in reversed(range(len(layers))):
        found = carried if j == 0 and not raw else times(carried, below[j].T)
        square += np.sum((found - slopes[j]) ** 2)
        carried = times(layers[j].T, carried)
    constant, growing = known.gradient_error
    assert math.sqrt(square) <= constant + growing * size
    assert math.sqrt(square) >= 0.02 * (constant + growing * size)
