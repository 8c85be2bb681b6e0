"""The nearest critical point, against distances known in closed form."""

import numpy as np
import pytest

import net_oracles as oracle
from landscape.random_problems import arrays, data_of, diagonal, random_problem
from thalweg._core.errors import DomainError, ShapeError
from thalweg.landscape.critical import critical_points
from thalweg.landscape.nearest import nearest_critical_point
from thalweg.problem.scalar import Playground


def apart(ones, others):
    return np.sqrt(sum(np.sum((a - b) ** 2) for a, b in zip(ones, others, strict=True)))


def moved(point, size, rng):
    weights = arrays(point.weights)
    noise = [rng.standard_normal(w.shape) for w in weights]
    length = np.sqrt(sum(np.sum(n**2) for n in noise))
    return [w + size / length * n for w, n in zip(weights, noise, strict=True)]


@pytest.mark.parametrize("size", [0.0, 1e-6, 1e-3])
@pytest.mark.parametrize("seed", range(10))
def test_a_point_beside_a_critical_point_is_no_farther_than_that(seed, size):
    rng = np.random.default_rng([seed, 5])
    problem = random_problem(rng, 1 + seed % 4, most=40)
    points = critical_points(problem, seed=seed)
    point = points[rng.integers(len(points))]
    here = moved(point, size, rng)
    near = nearest_critical_point(problem, here)
    assert near.point.modes == point.modes
    least = near.candidates[0][1]
    # The iteration and the slide stop within a share of 1e-3 of the best.
    assert least <= 1.001 * size + 1e-7
    assert near.distance <= max(3 * least, 1e-6 * apart(here, [0 * w for w in here]))
    found = arrays(near.point.weights)
    assert apart(found, here) == pytest.approx(near.distance, rel=1e-9, abs=1e-14)
    slopes = oracle.gradient(found, *data_of(problem))
    scale = np.prod([max(1.0, np.linalg.norm(w)) for w in found]) ** 2
    labels = max(1.0, np.linalg.norm(data_of(problem)[1]))
    assert apart(slopes, [0 * s for s in slopes]) <= 1e-9 * scale * labels


def test_the_distance_to_the_hyperbola():
    """The point (1 + a, 1 + a) is sqrt(2) a from the minima x y = 1."""
    near = nearest_critical_point(Playground(2), [1.1, 1.1])
    assert near.point.modes == (1,)
    assert near.distance == pytest.approx(0.1 * np.sqrt(2), rel=1e-9)
    near = nearest_critical_point(Playground(2), [0.1, -0.2])
    assert near.point.modes == ()
    assert near.distance == pytest.approx(np.sqrt(0.05), rel=1e-12)


def test_the_nearest_point_of_the_hyperbola_is_found_by_sliding():
    """Stationary distance to x y = 1 from (3, 1): a root of x^4 - 3x^3 + x - 1."""
    roots = np.roots([1, -3, 0, 1, -1])
    real = roots[np.abs(roots.imag) < 1e-12].real
    least = min(np.hypot(x - 3, 1 / x - 1) for x in real)
    near = nearest_critical_point(Playground(2), [3.0, 1.0])
    assert near.candidates[0][1] == pytest.approx(least, rel=1e-6)


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_near_the_origin_the_origin_is_named(depth):
    problem = diagonal([3.0, 2.0], (2,) * (depth + 1))
    rng = np.random.default_rng(depth)
    start = [1e-3 * rng.standard_normal(s) for s in problem.net.shapes]
    near = nearest_critical_point(problem, start)
    assert near.point.modes == ()
    assert near.point.dimension == 0
    length = apart(start, [0 * w for w in start])
    assert near.distance == pytest.approx(length, rel=1e-9)


def test_a_saddle_of_a_wide_net_is_named_without_sliding():
    problem = diagonal([4.0, 3.0, 2.0, 1.0], (10, 32, 32, 10))
    [point] = critical_points(problem, modes=(1, 2), free="balanced")
    near = nearest_critical_point(problem, moved(point, 1e-3, np.random.default_rng(0)))
    assert near.point.modes == (1, 2)
    assert near.distance < 3e-3
    assert near.point.gradient_norm < 1e-12


def test_equal_singular_values_are_found_in_turned_bases():
    problem = diagonal([2.0, 2.0, 1.0], (3, 3, 3))
    [point] = critical_points(problem, modes=(1,), seed=3)
    near = nearest_critical_point(problem, moved(point, 1e-4, np.random.default_rng(1)))
    assert near.point.modes == (1,)
    assert near.distance < 3e-4


def test_what_is_told_is_plain():
    near = nearest_critical_point(diagonal([2.0, 1.0], (2, 2, 2)), [np.eye(2)] * 2)
    members = near.to_json()
    assert members["distance"] == near.distance
    assert len(members["candidates"]) == len(near.candidates)
    assert members["point"]["kind"] == str(near.point.kind)


def test_bad_input_is_refused():
    problem = diagonal([2.0, 1.0], (2, 2, 2))
    with pytest.raises(ShapeError):
        nearest_critical_point(problem, [np.eye(2)])
    with pytest.raises(DomainError, match="tolerance"):
        nearest_critical_point(problem, [np.eye(2)] * 2, tolerance=0.0)
