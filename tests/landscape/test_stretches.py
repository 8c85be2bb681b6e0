"""The laws by quadrature, along trajectories and against the laws known before."""

import jax
import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp

import thalweg as tw
from thalweg._core.errors import DomainError
from thalweg.landscape.stretches import _laws, stretch_laws
from tolerances import is_a_sentence

RTOL = 1e-13


def problem(*widths):
    target = np.random.default_rng(1).standard_normal((widths[-1], widths[0]))
    return tw.Problem(tw.LinearNet(widths), tw.Moments.whitened(target))


def cut(flat, widths):
    a, b = widths
    x, middle, y = np.split(flat, [a, a + a * b])
    return x.reshape(a, 1), middle.reshape(b, a), y.reshape(1, b)


def laws(flat, widths):
    return _laws(1, cut(flat, widths))


def field(flat, widths):
    """The gradient of the product of the three layers."""
    x, middle, y = cut(flat, widths)
    return np.concatenate(
        [(middle.T @ y.T).ravel(), np.outer(y, x).ravel(), (middle @ x).ravel()]
    )


def trajectory(flat, widths, sign=1):
    """The field's trajectory until it has grown large."""

    def large(time, state):
        return np.linalg.norm(state) - 20

    large.terminal = True
    return solve_ivp(
        lambda _, state: sign * field(state, widths),
        (0, 1.5),
        flat,
        "DOP853",
        rtol=RTOL,
        atol=1e-15,
        events=large,
    )


def start(widths, seed):
    a, b = widths
    return np.random.default_rng(seed).standard_normal(a + a * b + b)


def slopes(flat, widths, h=1e-6):
    """The laws' differentials, by central differences."""
    units = h * np.eye(flat.size)
    return np.stack(
        [laws(flat + e, widths).apart(laws(flat - e, widths)) / (2 * h) for e in units]
    )


CASES = [
    ((a, b), seed)
    for a, b in ((2, 2), (3, 3), (2, 3), (4, 2), (5, 3), (4, 4))
    for seed in range(3)
]


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("widths", "seed"), CASES)
def test_the_laws_are_kept_along_the_field_of_the_product(widths, seed, sign):
    first = start(widths, seed)
    path = trajectory(first, widths, sign)
    before = laws(first, widths)
    places = np.linspace(0, path.y.shape[1] - 1, 4).astype(int)[1:]
    for state in path.y.T[places]:
        there = laws(state, widths)
        reach = np.linalg.norm(slopes(state, widths)) * np.linalg.norm(state)
        allowed = 20 * RTOL * max(reach, np.abs(there.periods).max())
        assert np.abs(there.apart(before)).max() <= allowed * np.sqrt(path.t.size)


@pytest.mark.parametrize(("widths", "seed"), CASES[::3])
def test_the_laws_are_independent_of_balancedness(widths, seed):
    point = start(widths, seed)

    def balancedness(flat):
        x, middle, y = cut(flat, widths)
        gaps = middle.T @ middle - x @ x.T, y.T @ y - middle @ middle.T
        return np.concatenate([gap.ravel() for gap in gaps])

    # Quadratic, so central differences have rounding only.
    units = np.eye(point.size)
    known = np.stack(
        [(balancedness(point + e) - balancedness(point - e)) / 2 for e in units]
    )
    new = slopes(point, widths)
    values = np.linalg.svd(np.concatenate([known, new / np.abs(new).max()], axis=1))[1]
    # All functions but one: the sum is the annihilator of the field.
    assert values[point.size - 2] > 1e-5
    along = new.T @ field(point, widths)
    size = np.linalg.norm(new) * np.linalg.norm(field(point, widths))
    assert np.abs(along).max() <= 1e-7 * size


@pytest.mark.parametrize(("widths", "seed"), CASES[::3])
def test_the_next_integral_is_the_clock(widths, seed):
    first = start(widths, seed)
    path = trajectory(first, widths)
    for place in (path.t.size // 4, path.t.size // 2):
        before, after = laws(first, widths), laws(path.y[:, place], widths)
        if np.abs(after.values - before.values).max() > 1e-6:  # beyond a jump
            continue
        elapsed = after.clock - before.clock
        assert elapsed == pytest.approx(2 * path.t[place], abs=1e-9)


def test_the_law_of_1_2_2_1_is_the_printed_integral():
    # R = mu det(mu - D_1) det(mu + D_2), integrated as it stands.
    widths, point = (2, 2), start((2, 2), 0)
    x, middle, y = cut(point, widths)
    low = np.linalg.eigvalsh(middle.T @ middle - x @ x.T)
    high = np.linalg.eigvalsh(middle @ middle.T - y.T @ y)
    roots = np.sort([0.0, *low, *high])[::-1]
    left, singular, right = np.linalg.svd(middle)
    signs = np.sign((y @ left)[0] * (right @ x)[:, 0])

    def rate(mu):
        return 1 / np.sqrt(abs(np.prod(mu - roots)))

    ends = (roots[0], roots[2])
    parts = [
        quad(rate, end, s**2, epsabs=1e-10, limit=200)[0]
        for end, s in zip(ends, singular, strict=True)
    ]
    whole = signs[0] * parts[0] - signs[1] * parts[1]
    assert laws(point, widths).values[0] == pytest.approx(whole, abs=1e-7)


def test_a_law_is_kept_by_training_a_deeper_net():
    shapes = [(1, 3), (2, 1), (3, 2), (1, 3), (2, 1)]
    cuts = np.cumsum([a * b for a, b in shapes])[:-1]
    rng = np.random.default_rng(2)
    target, data = rng.standard_normal((2, 3)), rng.standard_normal((3, 8))

    def split(flat):
        parts = np.split(flat, cuts)
        return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]

    def descent(_, flat):
        layers = split(flat)
        ahead = np.linalg.multi_dot(layers[::-1]) - target
        error = np.tanh(ahead @ data) @ data.T / 8  # not the squared loss
        slopes = []
        for j in range(5):
            above = np.linalg.multi_dot([np.eye(2), np.eye(2), *layers[:j:-1]])
            below = np.linalg.multi_dot([*layers[:j][::-1], np.eye(3), np.eye(3)])
            slopes.append((above.T @ error @ below.T).ravel())
        return -np.concatenate(slopes)

    first = rng.standard_normal(16)
    path = solve_ivp(descent, (0, 3), first, "DOP853", rtol=1e-12, atol=1e-14)
    last = path.y[:, -1]
    before, after = (_laws(2, split(flat)[1:4]) for flat in (first, last))
    stretch = last[cuts[0] : cuts[3]]
    reach = np.linalg.norm(slopes(stretch, (2, 3))) * np.linalg.norm(stretch)
    assert np.abs(last - first).max() > 0.1
    assert np.abs(after.apart(before)).max() <= 20 * 1e-12 * reach
    posed = problem(3, 1, 2, 3, 1, 2)
    [public] = stretch_laws(posed, tuple(map(jax.numpy.asarray, split(last))))
    assert public.to_json() == after.to_json()


@pytest.mark.parametrize(
    "widths",
    [(2, 3, 2), (1, 3, 1), (1, 1, 2, 1), (1, 2, 2, 2), (1, 2, 2, 2, 1), (3, 2)],
)
def test_nets_without_such_a_stretch_have_none(widths):
    posed = problem(*widths)
    weights = tw.init("gaussian", std=1.0).draw(jax.random.key(0), posed.net)
    assert stretch_laws(posed, weights) == ()


def test_a_playground_has_none():
    assert stretch_laws(tw.Playground(3), jax.numpy.ones(3)) == ()


@pytest.mark.parametrize("seed", range(8))
def test_balanced_weights_are_refused_though_rounding_parts_the_roots(seed):
    net = tw.LinearNet((1, 3, 2, 1))
    weights = tw.init("balanced", std=1.0, mix=True).draw(jax.random.key(seed), net)
    with pytest.raises(DomainError, match="special"):
        stretch_laws(problem(*net.widths), weights)


@pytest.mark.parametrize("factor", [0.0, 1.0])
def test_special_points_are_refused_in_a_sentence(factor):
    ones = (np.ones((2, 1)), np.ones((2, 2)), np.ones((1, 2)))
    weights = tuple(factor * jax.numpy.asarray(w) for w in ones)
    with pytest.raises(DomainError, match="special") as caught:
        stretch_laws(problem(1, 2, 2, 1), weights)
    assert is_a_sentence(caught.value)
