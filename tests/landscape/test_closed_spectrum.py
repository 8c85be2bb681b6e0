"""Closed spectra of aligned two-layer nets against the dense Hessian's."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thalweg._core.errors import DomainError
from thalweg.landscape._curvature.threads import find_threads
from thalweg.landscape.closed_spectrum import closed_spectrum
from thalweg.landscape.hessian import hessian
from thalweg.problem.moments import Moments
from thalweg.problem.nets import LinearNet
from thalweg.problem.problem import Problem
from thalweg.problem.scalar import Playground
from tolerances import close, is_a_sentence

SHAPES = [(3, 3, 3), (5, 2, 4), (2, 5, 3), (3, 4, 1)]


def turned(random, size):
    return np.linalg.qr(random.standard_normal((size, size)))[0]


def aligned(widths, random, strengths=(0.0, 0.5, 1.0, 1.0, -1.3)):
    """A random aligned point: target, layers, and no two spaces turned alike."""
    inputs, hidden, outputs = widths
    first, second = np.zeros((hidden, inputs)), np.zeros((outputs, hidden))
    target = np.zeros((outputs, inputs))
    for mode in range(min(inputs, outputs)):
        target[mode, mode] = random.choice([0.0, 1.0, 1.0, 3.5])
    modes = random.permutation(max(inputs, outputs))
    for unit, mode in zip(range(hidden), modes, strict=False):
        if mode < inputs:
            first[unit, mode] = random.choice(strengths)
        if mode < outputs:
            second[mode, unit] = random.choice(strengths)
    left, middle, right = (turned(random, n) for n in (outputs, hidden, inputs))
    problem = Problem(LinearNet(widths), Moments.whitened(left @ target @ right.T))
    return problem, (middle @ first @ right.T, left @ second @ middle.T)


@given(seed=st.integers(0, 2**32 - 1), widths=st.sampled_from(SHAPES))
def test_it_is_the_dense_spectrum(seed, widths):
    problem, weights = aligned(widths, np.random.default_rng(seed))
    found = closed_spectrum(problem, weights)
    expected = np.linalg.eigvalsh(hessian(problem, weights))[::-1]
    assert found.values.shape == expected.shape
    assert np.abs(found.values - expected).max() <= 2 * found.tolerance + 1e-14
    assert found.tolerance < 1e-10


def test_a_balanced_pair_of_modes_is_four_roots():
    s, c = np.array([3.0, 2.0]), np.array([1.5, 0.7])
    problem = Problem(LinearNet((2, 2, 2)), Moments.whitened(np.diag(s)))
    found = closed_spectrum(problem, (np.diag(c), np.diag(c)))
    (x, y), (e, f) = c**2, c**2 - s
    roots = [
        (x + y + sign * (e + f)) / 2
        + other * np.sqrt(((x - y + sign * (f - e)) / 2) ** 2 + x * y)
        for sign in (1, -1)
        for other in (1, -1)
    ]
    own = [2 * x + e, -e, 2 * y + f, -f]
    close(found.values, np.sort(roots + own)[::-1], ulps=100, scale=6.0)


def test_equal_modes_are_counted_together():
    problem = Problem(LinearNet((30, 40, 30)), Moments.whitened(2 * np.eye(30)))
    first, second = np.zeros((40, 30)), np.zeros((30, 40))
    first[:30], second[:, :30] = np.eye(30), np.eye(30)
    found = closed_spectrum(problem, (first, second))
    told = [(g.multiplicity, g.label, round(g.eigenvalue, 9)) for g in found.groups]
    # a = b = 1, e = -1: own block [[1, 0], [0, 1]]; a pair has 2, 2, 0, 0 and a spare
    # unit, twice per mode, the block [[1, -1], [-1, 1]] or so.
    assert sum(count for count, *_ in told) == 2400
    assert (30, "modes 1-30", 1.0) in told
    assert (435, "modes 1-30 among themselves", 3.0) in told
    assert any("10 spare units" in label for _, label, _ in told)


def test_saddle_and_origin_have_their_known_spectra():
    target = np.diag([3.0, 2.0, 1.0])
    problem = Problem(LinearNet((3, 4, 3)), Moments.whitened(target))
    origin = closed_spectrum(problem, (np.zeros((4, 3)), np.zeros((3, 4))))
    expected = np.repeat([3.0, 2.0, 1.0, -1.0, -2.0, -3.0], 4)
    close(origin.values, expected, ulps=64, scale=3.0)
    assert (origin.positive, origin.zero, origin.negative) == (12, 0, 12)


def test_modes_are_numbered_by_strength():
    problem = Problem(LinearNet((2, 2, 2)), Moments.whitened(np.diag([1.0, 3.0])))
    found = closed_spectrum(problem, (np.eye(2), np.diag([1.0, 3.0])))
    top = found.groups[0]
    assert (top.label, top.multiplicity) == ("mode 1", 1)
    close(top.eigenvalue, 10.0, ulps=32, scale=10.0)


@pytest.mark.parametrize("x", [(0.0, 0.0), (2.0, 0.5), (1.0, -2.0)])
def test_the_playground_is_one_mode(x):
    toy, x = Playground(2), jnp.array(x)
    found = closed_spectrum(toy, x)
    expected = np.linalg.eigvalsh(np.asarray(toy.hessian(x)))[::-1]
    close(found.values, expected, ulps=64, scale=6.0)


def test_how_far_from_aligned_is_told():
    random = np.random.default_rng(0)
    problem, (first, second) = aligned((3, 3, 3), random)
    nudge = random.standard_normal((3, 3))
    for size in (1e-12, 1e-10):
        near = (first + size * nudge, second)
        found = closed_spectrum(problem, near)
        expected = np.linalg.eigvalsh(hessian(problem, near))[::-1]
        assert np.abs(found.values - expected).max() <= found.tolerance
        assert found.misalignment < 1e-8
    with pytest.raises(DomainError, match="from aligned, relative to their size") as e:
        closed_spectrum(problem, (first + 1e-3 * nudge, second))
    assert is_a_sentence(e.value)


def test_crossed_threads_are_not_aligned():
    cross = np.array([[0.0, 1.0], [1.0, 0.0]])
    _, apart, _ = find_threads(np.eye(2), cross, np.diag([2.0, 1.0]))
    assert apart > 0.1


def test_other_depths_and_data_are_refused():
    with pytest.raises(DomainError, match="3 layers; a closed spectrum is known for"):
        closed_spectrum(Playground(3), np.ones(3))
    random = np.random.default_rng(0)
    data = Moments.from_data(
        random.standard_normal((9, 2)), random.standard_normal((9, 2))
    )
    problem = Problem(LinearNet((2, 2, 2)), data)
    with pytest.raises(DomainError, match="not white"):
        closed_spectrum(problem, (np.eye(2), np.eye(2)))


def test_its_plain_values_add_up():
    problem, weights = aligned((3, 4, 1), np.random.default_rng(2))
    found = closed_spectrum(problem, weights).to_json()
    assert sum(group["multiplicity"] for group in found["groups"]) == 16
    assert found["positive"] + found["zero"] + found["negative"] == 16
