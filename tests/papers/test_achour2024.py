"""Achour, Malgouyres, Gerchinovitz; and the two hidden layers of Chitour et al."""

from itertools import product

import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from saddles import hessian
from thalweg.linalg import balls
from thalweg.theorems._base import Verdict


def problem_of(values, depth, width):
    labels = jnp.eye(len(values), len(values) + 1) * jnp.asarray([*values, 0.0])
    widths = (len(values) + 1, *(width,) * (depth - 1), len(values))
    return tw.Problem(tw.LinearNet(widths), tw.Moments.whitened(labels))


def diagonal(seed, depth, width):
    """Integer layers with entries on the diagonal only: critical points by hand."""
    rng = np.random.default_rng(seed)
    values = [(3.0, 1.0), (2.0, 2.0), (1.0, 3.0), (2.0, 0.0)][seed % 4]
    problem, strengths = (
        problem_of(values, depth, width),
        rng.integers(0, 2, (depth, 2)),
    )
    for mode, value in enumerate(values):
        column = strengths[:, mode]
        if column.all():
            column[0] = value
        elif value and np.sum(column == 0) == 1:
            column[:2] = 0
    shapes = problem.net.shapes
    layers = [np.zeros(shape) for shape in shapes]
    for layer, row in zip(layers, strengths, strict=True):
        layer[range(2), range(2)] = row
    return problem, tuple(map(jnp.asarray, layers))


@pytest.mark.parametrize(
    ("seed", "depth"), list(product(range(16), (2, 3, 4))), ids=str
)
def test_achour2024_theorem_7_names_the_sign_of_the_smallest_eigenvalue(seed, depth):
    problem, weights = diagonal(seed, depth, 3)
    found = tw.certify("achour2024.Classification", problem, weights)
    assert found.verdict is Verdict.PROVED
    assert all(h.verdict is Verdict.PROVED for h in found.conclusions)
    lowest = np.linalg.eigvalsh(hessian(problem, weights))[0]
    strict = found.guarantee.statement.startswith("a strict")
    assert strict == (lowest < -1e-12)
    above = balls.bounds(found.guarantee.values["excess loss"])
    assert ("global" in found.guarantee.statement) == (above[0] <= 0 <= above[1])
    if strict:
        assert lowest <= balls.bounds(found.guarantee.values["curvature"])[1] + 1e-12


@pytest.mark.parametrize("seed", range(16))
def test_chitour2023_two_hidden_layers_come_to_the_same(seed):
    problem, weights = diagonal(seed, 3, 3)
    found = tw.certify("chitour2023.TwoHiddenLayers", problem, weights)
    general = tw.certify("achour2024.Classification", problem, weights)
    if found.verdict is not Verdict.PROVED:
        failed = {h.name for h in found.hypotheses if h.verdict is Verdict.REFUTED}
        assert failed <= {"rank R < d_y", "rank Z = rank R", "sigma_min(Y_r) > 0"}
        return
    assert all(h.verdict is Verdict.PROVED for h in found.conclusions)
    kind = found.guarantee.statement.partition(": a ")[2]
    assert general.guarantee.statement.startswith(f"a {kind}")


@pytest.mark.parametrize("seed", range(12))
def test_achour2024_three_thin_layers_are_tightened(seed):
    problem, weights = diagonal(seed, 4, 3)
    found = tw.certify("achour2024.ThinLayers", problem, weights)
    ranks = [np.linalg.matrix_rank(w) for w in weights]
    whole = np.linalg.matrix_rank(np.linalg.multi_dot(weights[::-1]))
    assert (found.verdict is Verdict.PROVED) == (ranks.count(whole) >= 3)
    assert all(h.verdict is Verdict.PROVED for h in found.conclusions)


@pytest.mark.parametrize("name", ["Classification", "ThinLayers"])
def test_the_playground_is_a_network_like_others(name):
    found = tw.certify(f"achour2024.{name}", tw.Playground(3), [0.0, 0.0, 0.0])
    assert found.verdict is Verdict.PROVED
    moved = tw.certify(f"achour2024.{name}", tw.Playground(3), [0.1, 0.0, 0.1])
    assert moved.verdict is Verdict.REFUTED
