"""Figures beyond the sources: their parts against closed forms and plain loops."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from thalweg.experiments import _two_layers, cohen2021, domine2025, jacot2021
from thalweg.experiments._base import Workplace
from thalweg.experiments._completion import UNKNOWN, balanced_flow, completion
from thalweg.experiments._drawn import torch_normals
from thalweg.experiments.arora2018 import implicit_acceleration as acceleration
from thalweg.experiments.arora2018.preconditioner import (
    Preconditioner,
    eigenvalues,
    preconditioner,
)
from thalweg.experiments.razin2020 import CompletionDepth, least_entry, start
from thalweg.experiments.zhao2023._published import (
    published_labels,
    published_start,
    recorded,
)
from thalweg.experiments.zhao2023.conserved_quantities import (
    DRIFTS,
    ConservedQuantities,
)
from tolerances import EPS, printed

ACTIVATIONS = ("linear", "relu", "tanh", "sigmoid")
PLAIN = {
    "linear": lambda x: x,
    "relu": lambda x: jnp.maximum(x, 0.0),
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
}


# Numbers as PyTorch draws them


def test_normals_are_those_that_pytorch_printed():
    found = torch_normals(12345, 250, skipped=250)[[0, 1, 2, 239, 240, 249]]
    wanted = np.array([-0.192419, -0.449866, 0.862165, -1.732684, 1.189336, -0.93463])
    # float32 through a logarithm, a root and a cosine: a few of its units
    assert np.max(np.abs(found - wanted)) <= 4 * np.finfo(np.float32).eps + 5e-7


@pytest.mark.parametrize("count", [16, 50, 250, 500])
def test_normals_are_those_of_pytorch(count):
    torch = pytest.importorskip("torch", reason="compares with PyTorch's generator")
    torch.manual_seed(12345)
    wanted = torch.rand(count).normal_(mean=0, std=1).numpy()
    found = torch_normals(12345, count, skipped=count)
    assert np.max(np.abs(found - wanted)) <= 8 * np.finfo(np.float32).eps


# Two-layer nets


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_lanes_descend_as_a_plain_loop_with_automatic_gradients(name):
    last, first = published_start(0.3)
    labels, steps = published_labels(), np.array([0.1, 0.02])
    lanes = (np.stack([last, last]), np.stack([first, first]))
    course = _two_layers.descend_side_by_side(
        name, lanes, labels, steps, np.array([0, 1, 12])
    )

    def loss(u, v):
        return jnp.mean((u @ PLAIN[name](v.T) - labels) ** 2)

    for lane, step in enumerate(steps):
        u, v = jnp.asarray(last), jnp.asarray(first)
        for _ in range(12):
            by_u, by_v = jax.grad(loss, (0, 1))(u, v)
            u, v = u - step * by_u, v - step * by_v
        wanted = float(jnp.sqrt(labels.size * loss(u, v)))
        assert abs(course.loss[-1, lane] - wanted) <= 64 * EPS * np.linalg.norm(labels)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_potential_is_the_integral_of_value_over_slope(name):
    hidden, h = _two_layers.HIDDEN[name], 1e-5
    x = np.linspace(0.1, 2.0, 7)
    found = (hidden.potential(x + h) - hidden.potential(x - h)) / (2 * h)
    value = hidden.value(jnp.asarray(x))
    wanted = hidden.weight * np.asarray(value / hidden.slope(value))
    # the third derivative is at most 8 cosh 4: its share of h^2 / 6
    assert np.max(np.abs(found - wanted)) <= 250 * h**2


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_zhao2023_drift_on_record_after_two_thousand_steps(name):
    last, first = published_start(0.1)
    course = _two_layers.descend_side_by_side(
        name,
        (last[None], first[None]),
        published_labels(),
        np.array([1e-3]),
        np.array([0, 2000]),
    )
    drift = float(course.conserved[1, 0] - course.conserved[0, 0])
    stated, unit, _ = DRIFTS[name]
    assert abs(drift - stated) <= unit


def test_records_hold_the_compared_times():
    at = recorded(4000, 10, np.array([0.1, 0.01, 0.001]))
    assert {0, 40, 400, 2000, 4000} <= set(at.tolist())
    assert np.all(np.diff(at) > 0)


def test_a_wrong_drift_is_found_out():
    shown, rows = ConservedQuantities(), []
    for name in ACTIVATIONS:
        for step in (0.1, 0.01, 0.001):
            # of second order in the step: not what a conserved quantity does
            rows += [(name, step, 2000, step**2), (name, step, 400 / step, step**2)]
    names, steps, at, drift = map(np.array, zip(*rows, strict=True))
    table = {"activation": names, "step_size": steps, "iteration": at, "drift": drift}
    table |= {"relative_drift": drift, "loss": drift}
    cost = {"steps": np.array([10]), "processor_seconds": np.array([1.0])}
    found = shown.findings(shown.settings("tiny"), {"courses": table, "cost": cost})
    assert not any(finding.holds for finding in found)


# Acceleration


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_claim_1_is_the_spectrum_of_what_moves_the_product(depth):
    random = np.random.default_rng(depth)
    values = np.array([1.5, 0.7, 0.2])
    turns = [np.linalg.qr(random.normal(size=(3, 3)))[0] for _ in range(depth + 1)]
    root = np.diag(values ** (1 / depth))
    layers = [turns[j + 1] @ root @ turns[j].T for j in range(depth)]
    slope = random.normal(size=(3, 3))

    # the product's velocity when every layer moves along its own gradient, by a
    # complex step: no difference is taken, so no digit is lost
    h = 1e-100
    moved = np.eye(3, dtype=complex)
    for j, layer in enumerate(layers):
        below, above = np.eye(3), np.eye(3)
        for one in layers[:j]:
            below = one @ below
        for one in layers[j + 1 :]:
            above = one @ above
        moved = (layer + 1j * h * (above.T @ slope @ below.T)) @ moved
    velocity = moved.imag / h

    matrix = preconditioner(layers)
    scale = np.linalg.norm(matrix) * np.linalg.norm(slope)
    gap = matrix @ slope.ravel() - velocity.ravel()
    assert np.max(np.abs(gap)) <= 32 * depth * EPS * scale
    found = np.linalg.eigvalsh(matrix)
    wanted = np.sort(eigenvalues(values, depth), axis=None)
    assert np.max(np.abs(found - wanted)) <= 32 * depth * EPS * wanted[-1]


def test_two_layers_gain_the_sum_of_strengths():
    # N = 2: sigma_r + sigma_r'
    assert eigenvalues([3.0, 1.0], 2).tolist() == [[6.0, 4.0], [4.0, 2.0]]


def test_claims_of_the_preconditioner_hold():
    shown = Preconditioner()
    settings = shown.settings("tiny")
    tables = shown.measure(settings, Workplace())
    assert all(one.holds for one in shown.findings(settings, tables))


def test_fourth_powers_descend_as_a_plain_loop():
    settings = acceleration.ImplicitAcceleration().settings("tiny")
    settings |= {"iterations": 6, "records": 6, "step_sizes": [0.1, 0.3]}
    inputs, labels = acceleration.samples(settings)
    least = acceleration._least(inputs, labels, 4)
    at, losses = acceleration._descents(inputs, labels, 4, 2, least, settings)
    assert at.tolist() == list(range(7))
    row, last = acceleration._start(settings, inputs.shape[1], 2)
    assert abs(float(np.linalg.norm(last @ row)) - 1e-3) <= 8 * EPS
    for _ in range(6):
        gap = last @ row @ inputs.T - labels
        pull = gap**3 / len(labels)
        row, last = (
            row - 0.3 * last.T @ pull @ inputs,
            last - 0.3 * pull @ inputs @ row.T,
        )
    wanted = np.mean((last @ row @ inputs.T - labels) ** 4) / 4
    found = losses[1, -1] + float(least.infimum)
    assert abs(found - wanted) <= 1e-13 * wanted


# The edge of stability


def test_the_regression_at_the_edge_is_a_mean_over_samples():
    settings = cohen2021.EdgeOfStability().settings("tiny")
    settings |= {"width": 4, "depth": 3, "samples": 9}
    problem, start_layers = cohen2021.posed(settings)
    random = np.random.default_rng(settings["seed"])
    inputs, labels = random.normal(size=(2, 9, 4))
    layers = list(0.8 / 2 * random.normal(size=(3, 4, 4)))
    for found, wanted in zip(start_layers, layers, strict=True):
        assert np.max(np.abs(found - wanted)) <= 4 * EPS
    whole = layers[2] @ layers[1] @ layers[0]
    gap = inputs @ whole.T - labels
    loss = np.mean(np.sum(gap**2, axis=1)) / 2
    assert abs(float(problem.loss(tuple(map(jnp.asarray, layers)))) - loss) <= 1e-13


def test_a_sharpness_below_the_edge_is_not_told_as_at_it():
    shown, at = cohen2021.EdgeOfStability(), np.arange(10)
    settings = {"step_sizes": [0.1, 0.2]}
    sharp = cohen2021._long([0.1, 0.2], [at, at], [np.full(10, 5.0), np.full(10, 14.0)])
    loss = cohen2021._long([0.1, 0.2], [at, at], [10.0 - at, 10.0 - at])
    found = shown.findings(settings, {"sharpness": sharp, "losses": loss})
    assert [one.holds for one in found] == [True, False, False]


# From saddle to saddle


@pytest.mark.slow
def test_a_flow_from_saddle_to_saddle_is_that_of_another_integrator():
    settings = jacot2021.SaddleToSaddle().settings("tiny")
    settings |= {"alphas": {"2": [1e-2]}, "records": 12}
    found = jacot2021.SaddleToSaddle().measure(settings, Workplace())["curves"]
    _, direction = jacot2021.posed(settings, 2)
    target = np.diag(settings["target"])

    def slope(_, flat):
        first, last = flat.reshape(2, 3, 3)
        gap = target - last @ first
        return np.concatenate([(last.T @ gap).ravel(), (gap @ first.T).ravel()])

    begin = 1e-2 * np.concatenate([np.asarray(layer).ravel() for layer in direction])
    solved = solve_ivp(
        slope,
        (0, found["time"][-1]),
        begin,
        t_eval=found["time"],
        method="DOP853",
        rtol=1e-11,
        atol=1e-13,
    )
    wanted = [
        0.5 * np.sum((target - last @ first) ** 2)
        for first, last in solved.y.T.reshape(-1, 2, 3, 3)
    ]
    # rtol 1e-8 a step, and errors grow by the start's inverse while it leaves saddles
    assert np.max(np.abs(found["loss"] - wanted)) <= 1e-5


def test_crossings_are_halfway_between_saddles():
    settings = {"target": [3.0, 2.0, 1.0]}
    times = np.linspace(0, 7, 71)
    found = jacot2021._crossings(settings, (2, 0.1, times, 7.0 - times))
    assert np.max(np.abs(np.array(found) - [2.25, 5.5, 6.75])) <= 1e-12


def test_a_level_never_crossed_is_no_number():
    found = jacot2021._crossings(
        {"target": [2.0]}, (2, 0.1, np.arange(3), np.full(3, 2))
    )
    assert np.isnan(found).all()


# From rich to lazy


def test_the_kernel_is_made_of_derivatives():
    random = np.random.default_rng(0)
    first, last = random.normal(size=(2, 3)), random.normal(size=(4, 2))
    rows = []
    for layer, shape in enumerate((first.shape, last.shape)):
        for entry in np.ndindex(shape):
            unit = np.zeros(shape)
            unit[entry] = 1.0
            moved = last @ unit if layer == 0 else unit @ first
            rows.append(moved.ravel(order="F"))
    jacobian = np.array(rows)
    found = domine2025.kernel(first.T @ first, last @ last.T)
    assert np.max(np.abs(found - jacobian.T @ jacobian)) <= 64 * EPS


def test_the_strongest_mode_follows_its_own_equation():
    settings = domine2025.RichToLazy().settings("tiny") | {"records": 9, "horizon": 2.0}
    table = domine2025._mode_curve(domine2025.posed(settings), 3.0, settings)

    def slope(_, u):
        return np.sqrt(9.0 + 4 * u**2) * (2.0 - u)

    solved = solve_ivp(
        slope, (0, 2), [1e-3], t_eval=table["time"], rtol=1e-12, atol=1e-14
    )
    assert np.max(np.abs(table["theory"] - solved.y[0])) <= 1e-9
    assert np.max(np.abs(table["integrated"] - solved.y[0])) <= 1e-8


# Completion


@pytest.mark.parametrize("depth", [2, 3])
def test_three_coordinates_are_the_flow_of_all_weights(depth):
    product, times = np.array([[1e-2, 2e-3], [2e-3, 5e-3]]), np.array([0.0, 2.0, 8.0])
    known = np.array([[False, True], [True, True]])
    target = np.array([[0.0, 1.0], [1.0, 0.0]])

    def slope(_, flat):
        layers = flat.reshape(depth, 2, 2)
        whole = np.eye(2)
        for layer in layers:
            whole = layer @ whole
        gap = np.where(known, target - whole, 0.0)
        out = []
        for j in range(depth):
            below, above = np.eye(2), np.eye(2)
            for layer in layers[:j]:
                below = layer @ below
            for layer in layers[j + 1 :]:
                above = layer @ above
            out.append(above.T @ gap @ below.T)
        return np.array(out).ravel()

    begin = np.array(start(depth, product)).ravel()
    solved = solve_ivp(
        slope, (0, 8), begin, t_eval=times, method="DOP853", rtol=1e-12, atol=1e-14
    )
    wanted = []
    for layers in solved.y.T.reshape(-1, depth, 2, 2):
        whole = np.eye(2)
        for layer in layers:
            whole = layer @ whole
        wanted.append([whole[0, 0], whole[0, 1], whole[1, 1]])
    found = np.array(balanced_flow(product, depth, times)).T
    assert np.max(np.abs(found - wanted)) <= 1e-7


def test_only_observed_entries_pull():
    problem = completion(np.array([[UNKNOWN, 1.0], [1.0, 0.5]]), 1)
    weight = jnp.array([[9.0, 3.0], [2.0, 0.25]])
    (found,) = problem.gradient((weight,))
    assert found.tolist() == [[0.0, 2.0], [1.0, -0.25]]
    assert float(problem.loss((weight,))) == 0.5 * (4 + 1 + 0.0625)


def test_the_bound_is_below_every_entry_of_positive_determinant():
    random = np.random.default_rng(0)
    beside, across = 1 + 0.3 * random.normal(size=(2, 4000))
    below = 0.3 * random.normal(size=4000)
    loss = ((beside - 1) ** 2 + (across - 1) ** 2 + below**2) / 2
    fits = loss < 0.5
    # the least first entry for which the determinant is not negative
    entry = np.abs(beside * across / below)[fits]
    assert np.all(entry >= least_entry(loss[fits]) * (1 - 8 * EPS))


def test_roots_of_a_product_are_balanced():
    product = np.array([[2.0, 0.5], [0.5, 1.0]])
    layers = start(3, product)
    whole = layers[2] @ layers[1] @ layers[0]
    assert np.max(np.abs(whole - product)) <= 32 * EPS
    gap = layers[1].T @ layers[1] - layers[0] @ layers[0].T
    assert np.max(np.abs(gap)) <= 32 * EPS


def test_depth_selects_rank_one_and_a_single_layer_does_not():
    shown = CompletionDepth()
    settings = shown.settings("tiny") | {"below": [1.0], "depths": [1, 2]}
    ends = shown.measure(settings, Workplace())["ends"]["unobserved"]
    assert abs(ends[0] - settings["start"][0][0]) <= 4 * EPS * 1e-2
    assert abs(ends[1] - 1) <= 0.01
    assert printed(least_entry(0.005), "8.1")
