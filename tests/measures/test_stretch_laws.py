"""The further laws as points on circles: against integrals, flows and descents."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import thalweg as tw
from thalweg._core.errors import DomainError
from thalweg.landscape.stretches import stretch_laws
from thalweg.motion.record import choose_measures
from thalweg.report.figure import figure
from tolerances import is_a_sentence

MEASURE = tw.measure("stretch_laws")
NETS = [(1, 2, 2, 1), (1, 3, 2, 1), (2, 1, 2, 2, 1, 2), (1, 3, 5, 1), (1, 4, 4, 1)]


def problem(widths):
    target = np.random.default_rng(5).standard_normal((widths[-1], widths[0]))
    return tw.Problem(tw.LinearNet(widths), tw.Moments.whitened(target))


def start(widths, seed, std=0.7):
    draw = np.random.default_rng(seed).standard_normal
    return tuple(
        jnp.asarray(std * draw(shape)) for shape in tw.LinearNet(widths).shapes
    )


def points(laws):
    """The circle's points of laws that came with their periods."""
    turns = np.linalg.solve(laws.periods.T, laws.values)
    return np.stack([np.cos(2 * np.pi * turns), np.sin(2 * np.pi * turns)], axis=1)


@pytest.mark.parametrize("widths", [*NETS, (1, 2, 3, 1, 3, 3, 1)])
def test_the_points_are_those_of_the_integrals_and_their_periods(widths):
    weights = start(widths, 0)
    found = jax.jit(MEASURE.read)(problem(widths), weights)
    laws = stretch_laws(problem(widths), weights)
    wanted = np.concatenate([points(law) for law in laws])
    assert found.shape == wanted.shape
    # The integrals lose what their roots' nearness costs; see the next tests.
    np.testing.assert_allclose(found, wanted, atol=1e-11)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-15)


def cut(flat, widths):
    a, b = widths[1:3]
    x, middle, y = np.split(flat, [a, a + a * b])
    return x.reshape(a, 1), middle.reshape(b, a), y.reshape(1, b)


def product_field(_, flat, widths):
    x, middle, y = cut(flat, widths)
    slopes = middle.T @ y.T, y.T @ x.T, middle @ x
    return np.concatenate([slope.ravel() for slope in slopes])


@pytest.mark.parametrize(
    ("widths", "seed", "sign"),
    [((1, 2, 2, 1), 3, -1), ((1, 3, 2, 1), 3, 1), ((1, 3, 4, 1), 10, 1)],
)
def test_the_points_stay_where_the_integrals_jump(widths, seed, sign):
    def large(_, state):
        return np.linalg.norm(state) - 20

    large.terminal = True
    path = solve_ivp(
        lambda t, state: sign * product_field(t, state, widths),
        (0, 5),
        np.concatenate([np.ravel(w) for w in start(widths, seed)]),
        "DOP853",
        rtol=1e-13,
        atol=1e-15,
        events=large,
    )
    places = np.linspace(0, path.t.size - 1, 12).astype(int)
    states = [cut(state, widths) for state in path.y.T[places]]
    integrals = np.array(
        [stretch_laws(problem(widths), state)[0].values for state in states]
    )
    assert np.ptp(integrals, axis=0).max() > 1
    read = jax.jit(MEASURE.read)
    found = np.array([read(problem(widths), state) for state in states])
    # Weights of size 20 know roots of size one to 400 times what they lost.
    assert np.abs(found - found[0]).max() <= 20 * 1e-13 * 400


@pytest.mark.parametrize("widths", [(1, 2, 2, 1), (2, 1, 2, 2, 1, 2)])
def test_the_flow_keeps_them_and_descent_moves_them_as_its_step(widths):
    common = {"measures": [MEASURE], "records": 4}
    weights = start(widths, 1)
    flow = tw.flow(
        problem(widths), weights, horizon=2.0, rtol=1e-11, atol=1e-13, **common
    )
    column = flow["stretch_laws"]
    moved = max(
        float(jnp.abs(a - b).max()) for a, b in zip(flow.weights, weights, strict=True)
    )
    assert moved > 0.05
    assert np.abs(column - column[0]).max() <= 20 * 1e-11
    coarse, fine = (
        np.linalg.norm(np.diff(path["stretch_laws"][[0, -1]], axis=0))
        for path in (
            tw.descend(
                problem(widths), weights, step_size=h, iterations=round(2 / h), **common
            )
            for h in (1e-3, 1e-4)
        )
    )
    assert coarse > 1e-6
    assert coarse / fine == pytest.approx(10, rel=0.05)


def test_a_change_of_sign_of_one_end_turns_the_other_way():
    widths = (2, 1, 3, 2, 1, 2)
    first, x, *rest = start(widths, 2)
    here = MEASURE.read(problem(widths), (first, x, *rest))
    there = MEASURE.read(problem(widths), (-first, -x, *rest))
    np.testing.assert_allclose(there, here * np.array([1, -1]), atol=1e-13)


@pytest.mark.parametrize("size", [0.0, 1.0, 1e200])
def test_special_points_and_overflow_are_the_centre(size):
    net = tw.LinearNet((1, 3, 2, 1))
    weights = tw.init("balanced", std=1.0, mix=True).draw(jax.random.key(0), net)
    scaled = tuple(size * w for w in weights)
    found = MEASURE.read(problem(net.widths), scaled)
    np.testing.assert_array_equal(found, [[0.0, 0.0]])


DOORS = {
    "descend": lambda *given: tw.descend(
        *given, step_size=0.1, iterations=3, measures=["stretch_laws"]
    ),
    "leap": lambda *given: tw.leap(
        *given, step_size=0.1, iterations=3, measures=["stretch_laws"]
    ),
    "train": lambda *given: tw.train(
        *given, "sgd", step_size=0.1, iterations=3, measures=["stretch_laws"]
    ),
    "flow": lambda *given: tw.flow(*given, horizon=1.0, measures=["stretch_laws"]),
    "exact": lambda *given: tw.exact_flow(*given, [0.0, 1.0]).path(["stretch_laws"]),
    "choose": lambda posed, _: choose_measures(["stretch_laws"], posed),
}


@pytest.mark.parametrize("door", DOORS)
def test_a_net_without_a_stretch_is_refused_at_every_door(door):
    net = tw.LinearNet((2, 2, 2))
    posed = problem(net.widths)
    weights = tw.init("balanced", std=0.3).draw(jax.random.key(0), net)
    with pytest.raises(DomainError, match=r"widths \(2, 2, 2\) came; the") as caught:
        DOORS[door](posed, weights)
    assert is_a_sentence(caught.value)


def test_a_path_with_them_is_saved_loaded_and_drawn(tmp_path):
    widths = (1, 3, 2, 1)
    path = tw.descend(
        problem(widths),
        start(widths, 1),
        step_size=0.05,
        iterations=20,
        measures=["stretch_laws"],
    )
    path.save(tmp_path / "run")
    loaded = tw.Path.load(tmp_path / "run")
    np.testing.assert_array_equal(loaded["stretch_laws"], path["stretch_laws"])
    assert loaded.measures == path.measures
    axes = figure(path, "stretch_laws").axes[0]
    assert axes.get_lines()
    assert "change of" in axes.get_title(loc="left")
