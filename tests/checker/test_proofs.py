"""What the checker proves, against closed forms, printed numbers and plain descent."""

from itertools import pairwise

import flint
import numpy as np
import pytest

from thalweg.checker import _balls, _matrices
from thalweg.checker._case import Case
from thalweg.checker._matrices import Matrix
from thalweg.checker._reading import Contents, Refused
from thalweg.checker._theorems import THEOREMS


@pytest.fixture
def precise():
    """Compute in the checker's precision."""
    with flint.ctx.workprec(_balls.PRECISION):
        yield


def rotation(rng, size):
    """Return an exactly orthogonal matrix of rationals, as balls."""
    u = [flint.arb(int(x)) for x in rng.integers(-3, 4, size=size)]
    u[0] += 1 + sum(x * x for x in u)
    length = sum(x * x for x in u)
    rows = [
        [(i == j) - 2 * u[i] * u[j] / length for j in range(size)] for i in range(size)
    ]
    return flint.arb_mat(rows)


@pytest.mark.parametrize("spectrum", [[1, 1, 1, 2, 2], [0, 0, 3], [-1, 0, 1, 1], [5]])
def test_repeated_eigenvalues_are_enclosed_narrowly(spectrum, precise):
    turn = rotation(np.random.default_rng(0), len(spectrum))
    middle = flint.arb_mat(
        [
            [x if i == j else 0 for j in range(len(spectrum))]
            for i, x in enumerate(spectrum)
        ]
    )
    found = _matrices.eigenvalues(Matrix(turn * middle * turn.transpose()))
    for ball, true in zip(found, spectrum, strict=True):
        assert ball.contains(true)
        assert ball.rad() < 1e-100


@pytest.mark.parametrize("seed", range(8))
def test_eigenvalues_repeated_in_blocks_are_enclosed_narrowly(seed, precise):
    rng = np.random.default_rng(seed)
    block = _matrices.gram(_matrices.matrix(rng.normal(size=(6, 5)).tolist()))
    once = _matrices.eigenvalues(block)
    for a, b in ((block, _matrices.identity(5)), (_matrices.identity(3), block)):
        found = _matrices.eigenvalues(_matrices.kronecker(a, b))
        times = len(found) // len(once)
        for ball, true in zip(found, np.repeat(once, times), strict=True):
            assert ball.overlaps(true)
            assert ball.rad() < 1e-40


@pytest.mark.parametrize("shape", [(3, 5), (7, 2), (20, 20), (1, 4)])
def test_singular_values_hold_the_true_ones(shape, precise):
    rng = np.random.default_rng(1)
    layer = rng.normal(size=shape)
    for radius in (0.0, 1e-6):
        found = _matrices.singular_values(_matrices.matrix(layer.tolist(), radius))
        noise = rng.normal(size=shape)
        moved = layer + radius * noise / np.linalg.norm(noise)
        true = np.linalg.svd(moved, compute_uv=False)
        for ball, value in zip(found, true, strict=True):
            assert ball.overlaps(flint.arb(value, 1e-13 * true[0]))
        assert len(found) == min(shape)


def test_products_and_norms_hold_all_starts_within_the_radius(precise):
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(3, 4)), rng.normal(size=(4, 2))
    near = [_matrices.matrix(x.tolist(), 0.1) for x in (a, b)]
    held = near[0] * near[1]
    block = _matrices.kronecker(*near)
    for _ in range(50):
        noise = [rng.normal(size=x.shape) for x in (a, b)]
        c, d = (
            x + 0.1 * n / np.linalg.norm(n) for x, n in zip((a, b), noise, strict=True)
        )
        assert np.linalg.norm(c @ d - a @ b) <= float(held.radius)
        assert np.linalg.norm(np.kron(c, d) - np.kron(a, b)) <= float(block.radius)
        assert _matrices.norm(held).overlaps(flint.arb(np.linalg.norm(c @ d), 1e-14))


def test_a_matrix_that_is_not_nearly_diagonalised_is_undecided(precise, monkeypatch):
    monkeypatch.setattr(_matrices, "_eigenvectors", lambda a: a)
    found = _matrices.eigenvalues(_matrices.matrix([[2.0, 1.0], [1.0, 2.0]]))
    assert all(ball.is_nan() for ball in found)


def case(layers, target, step, *, inputs=None, accuracy=1e-6, **values):
    """Return a case of a linear network, with candidates among its values."""
    layers = [np.asarray(layer, dtype=float) for layer in layers]
    return Case(
        Contents(
            theorem="",
            fields={},
            playground=False,
            widths=(layers[0].shape[1], *(len(layer) for layer in layers)),
            inputs=None if inputs is None else np.asarray(inputs).tolist(),
            labels=np.asarray(target, dtype=float).tolist(),
            start=[layer.tolist() for layer in layers],
            radius=0.0,
            step=step,
            accuracy=accuracy,
            hypotheses=[],
            promise={"values": {k: (v, v) for k, v in values.items()}},
        )
    )


def scalar_case(start, step):
    """Return a case of the lecture's problem."""
    start = [[[float(x)]] for x in start]
    return Case(
        Contents(
            theorem="",
            fields={},
            playground=True,
            widths=(1,) * (len(start) + 1),
            inputs=None,
            labels=[[1.0]],
            start=start,
            radius=0.0,
            step=step,
            accuracy=1e-6,
            hypotheses=[],
            promise={"values": {}},
        )
    )


def proved(proof):
    return all(condition.proved for condition in proof.conditions.values())


def least_count(proof, accuracy=1e-6):
    """Return the smallest count that is accepted."""
    goal, high = flint.arb(accuracy), 1
    while not proof.reaches(high, goal):
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if proof.reaches(middle, goal) else (middle, high)
    return high


def descended(layers, target, step, inputs=None, accuracy=1e-6):
    """Return the iterations plain descent takes, and the losses it passes."""
    layers, t = [np.array(layer) for layer in layers], 0
    x = np.eye(layers[0].shape[1]) if inputs is None else np.asarray(inputs)
    while True:
        ahead = [np.eye(len(layers[-1]))]
        for layer in layers[:0:-1]:
            ahead.insert(0, ahead[0] @ layer)
        behind = [x]
        for layer in layers[:-1]:
            behind.append(layer @ behind[-1])
        error = layers[-1] @ behind[-1] - target
        if 0.5 * np.sum(error**2) <= accuracy:
            return t
        layers = [
            w - step * a.T @ error @ b.T
            for w, a, b in zip(layers, ahead, behind, strict=True)
        ]
        t += 1


IDENTITY = [np.eye(2)] * 2, np.diag([1.1, 0.9]), 0.1
ROOTS = np.cbrt([1.8, 0.9])
BALANCED = [np.diag(ROOTS)] * 3, np.diag([2.0, 1.0]), 0.05


@pytest.mark.parametrize(
    ("theorem", "problem", "candidate", "count", "actual"),
    [
        ("local.Local", IDENTITY, ("radius R", 0.1255026851), 26, 22),
        ("local.PathIntegrated", IDENTITY, ("radius R", 0.1193), 25, 22),
        ("margin.Margin", IDENTITY, ("imbalance delta", 0.0023029766), 25, 22),
        ("local.PathIntegrated", BALANCED, ("radius R", 0.2140882), 75, 28),
        ("margin.Margin", BALANCED, ("imbalance delta", 0.0032687956), 36, 28),
    ],
)
def test_the_tight_certificates_count_as_printed(
    theorem, problem, candidate, count, actual, precise
):
    proof = THEOREMS[theorem](case(*problem, **dict([candidate])))
    assert proved(proof)
    # Where bounds along the path are used ours are interpolated, and once save a step.
    assert count - 1 <= least_count(proof) <= count
    assert descended(*problem) == actual


@pytest.mark.parametrize("depth", [1, 2, 3, 8])
def test_the_sharp_count_is_that_of_the_plain_recursion(depth, precise):
    step = 1 / (3 * depth)
    e = 1 - 0.5**depth
    count = 0
    while e * e / 2 > 1e-6:
        e *= 1 - step * depth * (1 - e) ** (2 - 2 / depth)
        count += 1
    proof = THEOREMS["playground.SharpConvergence"](scalar_case([0.5] * depth, step))
    assert proved(proof)
    assert least_count(proof) == count


def test_the_sharp_count_leaps_as_far_as_needed(precise):
    depth = 40
    at = scalar_case([0.5] * depth, 1 / (3 * depth))
    least = least_count(THEOREMS["playground.SharpConvergence"](at))
    assert 868035495685 <= least <= 868035495685 * 1.0001


@pytest.mark.parametrize("seed", range(12))
def test_no_accepted_count_is_too_small(seed, precise):
    rng = np.random.default_rng(seed)
    widths = [(2, 3, 2), (3, 3, 3), (2, 2, 2, 2), (4, 3, 1)][seed % 4]
    layers = [np.eye(b, a) + rng.normal(size=(b, a)) * 0.1 for a, b in pairwise(widths)]
    whole = layers[0]
    for layer in layers[1:]:
        whole = layer @ whole
    inputs = (
        None if seed % 2 else np.eye(widths[0]) + rng.normal(size=2 * widths[:1]) / 9
    )
    reduced = whole if inputs is None else whole @ inputs
    target = reduced + rng.normal(size=reduced.shape) * 0.02
    step = 0.1
    actual = descended(layers, target, step, inputs)
    fired = 0
    for theorem, name, candidates in (
        ("local.Local", "radius R", np.geomspace(0.01, 1, 12)),
        ("local.PathIntegrated", "radius R", np.geomspace(0.01, 1, 12)),
        ("margin.Margin", "imbalance delta", np.geomspace(1e-4, 1, 12)),
    ):
        for candidate in candidates:
            at = case(layers, target, step, inputs=inputs, **{name: float(candidate)})
            try:
                proof = THEOREMS[theorem](at)
            except Refused:
                continue
            if not proved(proof):
                continue
            fired += 1
            assert not proof.reaches(actual - 1, flint.arb(1e-6))
            break
    assert fired


@pytest.mark.parametrize(
    ("depth", "value", "count"), [(4, 0.25, 52), (4, 2.0, 4), (8, 0.05, 961)]
)
def test_a_positive_definite_count_lies_between_truth_and_print(
    depth, value, count, precise
):
    printed = {52: 81, 4: 16, 961: 2587}[count]
    above = depth * value ** (2 - 2 / depth)
    step = 1 / above if value >= 1 else 1 / ((2 * depth - 1) - (depth - 1) * value)
    at = case([[[1.0]]] * depth, [[value]], step * (1 - 1e-15))
    proof = THEOREMS["bartlett2018.PositiveDefinite"](at)
    assert proved(proof)
    assert count <= least_count(proof) <= printed
