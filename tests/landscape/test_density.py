"""Estimated densities against those of the dense spectrum."""

import json

import numpy as np
import pytest

from thalweg._core.errors import DomainError
from thalweg.landscape.density import broadened, spectral_density
from thalweg.landscape.hessian import hessian
from thalweg.problem.moments import Moments
from thalweg.problem.nets import LinearNet
from thalweg.problem.problem import Problem
from thalweg.problem.scalar import Playground


@pytest.fixture(scope="module")
def case():
    random = np.random.default_rng(0)
    problem = Problem(
        LinearNet((5, 7, 7, 5)), Moments.whitened(random.standard_normal((5, 5)))
    )
    weights = tuple(0.4 * random.standard_normal(s) for s in problem.net.shapes)
    return problem, weights, np.linalg.eigvalsh(hessian(problem, weights))


def test_it_is_the_dense_one_within_its_own_error(case):
    problem, weights, values = case
    found = spectral_density(problem, weights, probes=200, rounds=40, points=60)
    expected = broadened(values, found.grid, found.width)
    gap = np.abs(found.density - expected)
    assert np.all(gap <= 4 * found.standard_error + 1e-3 * expected.max())
    # And the error is not claimed too large: of 60 points some use half of it.
    assert np.any(gap > 0.5 * found.standard_error)


def test_the_width_it_chooses_is_one_it_resolves(case):
    problem, weights, _ = case
    few = spectral_density(problem, weights, probes=2, rounds=30, points=2000)
    all_there_are = spectral_density(
        problem, weights, probes=2, rounds=10_000, points=2000, width=few.width
    )
    resolved = np.interp(few.grid, all_there_are.grid, all_there_are.density)
    # Linear interpolation is off by (spacing / width)^2 / 8 of the peak at most.
    spacing = all_there_are.grid[1] - all_there_are.grid[0]
    slack = 1e-3 + (spacing / few.width) ** 2 / 8
    assert np.abs(few.density - resolved).max() <= slack * resolved.max()


def test_its_error_shrinks_as_the_root_of_the_probes(case):
    problem, weights, values = case
    few = spectral_density(problem, weights, probes=10, rounds=30, width=1.0)
    many = spectral_density(problem, weights, probes=160, rounds=30, width=1.0)
    ratio = few.standard_error.mean() / many.standard_error.mean()
    assert 3.2 < ratio < 4.8
    expected = broadened(values, many.grid, 1.0)
    z = (many.density - expected) / many.standard_error.max()
    assert np.abs(z).max() < 4


def test_its_integral_is_one(case):
    problem, weights, _ = case
    found = spectral_density(problem, weights, probes=4, rounds=50)
    # Five widths beyond the last node leave a Gaussian's tail of 3e-7.
    assert abs(np.trapezoid(found.density, found.grid) - 1) < 1e-6


def test_its_moments_are_unbiased(case):
    problem, weights, values = case
    found = spectral_density(problem, weights, probes=100, rounds=10, seed=3)
    assert abs(found.mean - values.mean()) < 4 * found.mean_error
    square = (values**2).mean()
    assert abs(found.mean_square - square) < 4 * found.mean_square_error
    assert abs(found.exact_mean - values.mean()) < 1e-12 * np.abs(values).max()


def test_a_probe_is_exact_where_eigenvectors_have_even_entries():
    toy, x = Playground(2), np.zeros(2)
    found = spectral_density(toy, x, probes=40, width=0.1)
    # Every probe is one of the two eigenvectors: one node each, of weight one.
    share = found.mean / 2 + 0.5
    expected = share * broadened(np.array([1.0]), found.grid, 0.1)
    expected += (1 - share) * broadened(np.array([-1.0]), found.grid, 0.1)
    assert np.abs(found.density - expected).max() < 1e-12
    assert found.exact_mean == 0


def test_a_flat_point_has_all_its_density_at_zero():
    found = spectral_density(Playground(3), np.zeros(3))
    assert found.mean == found.mean_square == 0
    assert found.standard_error.max() < 1e-15
    assert abs(np.trapezoid(found.density, found.grid) - 1) < 1e-6


def test_a_seed_gives_the_same_density(case):
    problem, weights, _ = case
    one, two, three = (
        spectral_density(problem, weights, probes=2, rounds=9, seed=seed, points=20)
        for seed in (5, 5, 6)
    )
    assert one.density.tobytes() == two.density.tobytes()
    assert one.density.tobytes() != three.density.tobytes()


def test_it_is_saved_as_plain_values(case, tmp_path):
    problem, weights, _ = case
    found = spectral_density(problem, weights, probes=2, rounds=5, points=10)
    read = json.loads(found.save(tmp_path / "density.json").read_text())
    assert read == found.to_json()
    assert len(read["grid"]) == 10


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"probes": 1}, "probes is 1; it must be a whole number >= 2"),
        ({"rounds": 0}, "rounds is 0"),
        ({"points": 1}, "points is 1"),
        ({"width": 0.0}, "width is 0.0"),
    ],
)
def test_what_makes_no_density_is_refused(settings, told):
    with pytest.raises(DomainError, match=told):
        spectral_density(Playground(2), np.ones(2), **settings)
