"""What multiplied or ill-conditioned data, and arguments out of range, do."""

import numpy as np
import pytest
from tests.landscape.random_problems import rotation

import thalweg as tw
from thalweg._core.errors import ThalwegError

WIDTHS = (3, 4, 4, 3)
VALUES = (3.0, 2.0, 1.0)
FACTORS = [(1e-8, 1.0), (1e5, 1.0), (1e3, 1e-8)]


def problem_of(labels=1.0, inputs=1.0, values=VALUES, condition=2.0):
    """Labels and inputs multiplied; the target's modes are not the inputs' own."""
    rng = np.random.default_rng(3)
    size = len(values)
    spread = rotation(rng, size) * np.geomspace(1, 1 / condition, size)
    factor = spread @ rotation(rng, size)
    seen = rotation(rng, size) @ np.diag(values) @ rotation(rng, size)
    second = inputs**2 * factor @ factor.T
    data = tw.Moments.from_moments(second, labels * inputs * seen @ factor.T)
    return tw.Problem(tw.LinearNet(WIDTHS), data)


def unit_of(labels, inputs):
    return (labels / inputs) ** (1 / 3)


def disturbed(point, share, seed=0):
    rng = np.random.default_rng(seed)
    moves = [rng.standard_normal(np.shape(w)) for w in point.weights]
    size = np.sqrt(sum(np.sum(np.square(w)) for w in point.weights))
    length = np.sqrt(sum(np.sum(m**2) for m in moves))
    return [
        np.asarray(w) + share * size / length * m
        for w, m in zip(point.weights, moves, strict=True)
    ]


@pytest.mark.parametrize(("labels", "inputs"), FACTORS)
def test_multiplied_data_multiply_the_drawn_points(labels, inputs):
    before = tw.critical_points(problem_of(), rank=1, seed=4)
    after = tw.critical_points(problem_of(labels, inputs), rank=1, seed=4)
    for one, other in zip(before, after, strict=True):
        for a, b in zip(one.weights, other.weights, strict=True):
            np.testing.assert_allclose(
                np.asarray(b), unit_of(labels, inputs) * np.asarray(a), atol=0,
                rtol=1e-9 * float(np.abs(a).max() / np.abs(a).min()),
            )  # fmt: skip


@pytest.mark.parametrize(("labels", "inputs"), FACTORS)
def test_multiplied_data_have_saddles_with_the_same_signs(labels, inputs):
    plain, problem = problem_of(), problem_of(labels, inputs)
    pairs = zip(
        tw.critical_points(plain, rank=2),
        tw.critical_points(problem, rank=2),
        strict=True,
    )
    for one, other in pairs:
        assert (one.kind, one.modes) == (other.kind, other.modes)
        found = tw.classify(problem, other.weights)
        assert (found.kind, found.modes) == (one.kind, one.modes)
        signs, again = tw.inertia(plain, one.weights), tw.inertia(
            problem, other.weights
        )  # fmt: skip
        assert (signs.positive, signs.negative) == (again.positive, again.negative)


@pytest.mark.parametrize(("labels", "inputs"), FACTORS)
def test_the_nearest_point_is_the_same_whatever_the_data_are_multiplied_by(
    labels, inputs
):
    plain, problem = problem_of(), problem_of(labels, inputs)
    for point in tw.critical_points(plain, rank=1)[::4]:
        start = disturbed(point, 1e-4)
        moved = [unit_of(labels, inputs) * w for w in start]
        one = tw.nearest_critical_point(plain, start)
        other = tw.nearest_critical_point(problem, moved)
        assert one.point.modes == other.point.modes == point.modes
        assert one.point.kind == other.point.kind
        assert other.relative_distance == pytest.approx(one.relative_distance, rel=0.01)


@pytest.mark.parametrize(("labels", "inputs"), FACTORS)
def test_the_iteration_ends_the_same_whatever_the_data_are_multiplied_by(
    labels, inputs
):
    plain, problem = problem_of(), problem_of(labels, inputs)
    [point] = tw.critical_points(plain, modes=(1, 2), tightened=True)
    start = disturbed(point, 1e-3)
    one = tw.find_critical_point(plain, start)
    other = tw.find_critical_point(
        problem, [unit_of(labels, inputs) * w for w in start]
    )
    assert (one.modes, one.kind) == (other.modes, other.kind)
    assert one.converged == other.converged


def test_a_disturbed_point_of_tiny_data_is_not_said_to_be_critical():
    problem = problem_of(1e-8)
    point = tw.critical_points(problem, rank=1)[0]
    found = tw.find_critical_point(problem, disturbed(point, 0.1), iterations=1)
    assert not found.converged


@pytest.mark.parametrize(("labels", "inputs"), FACTORS[:1])
def test_a_saddle_of_multiplied_data_is_left_at_the_same_pace(labels, inputs):
    plain, problem = problem_of(), problem_of(labels, inputs)
    [point] = tw.critical_points(plain, modes=(1, 2), tightened=True)
    [other] = tw.critical_points(problem, modes=(1, 2), tightened=True)
    one, two = tw.escape(plain, point.weights), tw.escape(problem, other.weights)
    assert one.order == two.order == 3
    assert one.arrived is not None
    assert two.arrived is not None
    assert one.arrived.kind == two.arrived.kind
    assert two.drop / (labels**2) == pytest.approx(one.drop, rel=0.5)


@pytest.mark.parametrize("condition", [1e3, 1e6])
def test_ill_conditioned_inputs_leave_the_signs_countable(condition):
    plain, problem = problem_of(), problem_of(condition=condition)
    pairs = zip(tw.critical_points(plain), tw.critical_points(problem), strict=True)
    for one, point in pairs:
        signs, same = (
            tw.inertia(problem, point.weights),
            tw.inertia(plain, one.weights),
        )
        assert (signs.positive, signs.negative) == (same.positive, same.negative)
        assert (signs.negative > 0) == (point.kind == "strict saddle")


def test_the_bound_on_rounding_holds_for_a_first_layer_of_large_terms():
    problem = problem_of(condition=1e6)
    point = tw.critical_points(problem, modes=(1,))[-1]
    inputs = np.asarray(problem.data.inputs_factor)
    first, *rest = (np.asarray(w) for w in point.weights)
    exact = first.astype(np.longdouble) @ inputs.astype(np.longdouble)
    off = np.abs(first @ inputs - exact).max()
    white = tw.Moments.whitened(np.asarray(problem.data.labels_factor))
    plain = tw.Problem(tw.LinearNet(WIDTHS), white)
    there = tw.hessian(plain, (first @ inputs, *rest))
    here = tw.hessian(plain, (np.asarray(exact, dtype=float), *rest))
    assert off > 0
    tolerance = tw.inertia(problem, point.weights).tolerance
    assert np.linalg.norm(there - here) <= tolerance < 1e-6


def test_a_distance_is_a_share_of_the_larger_of_both_points():
    toy = tw.Playground(3)
    for start in ([1e-14, 0.0, 0.0], [3.0, 0.1, 0.1], [1e-9] * 3):
        near = tw.nearest_critical_point(toy, start)
        assert 0 <= near.relative_distance <= 2


ORIGIN = tuple(np.zeros(shape) for shape in tw.LinearNet(WIDTHS).shapes)
BLOCKS = {
    "free of no kind": {"free": 3},
    "free of nothing": {"free": None},
    "a block of text": {"free": {1: "a"}, "modes": (1,)},
    "tightened of text": {"tightened": "x"},
}


@pytest.mark.parametrize("asked", BLOCKS.values(), ids=BLOCKS.keys())
def test_what_cannot_be_made_is_refused_in_a_sentence(asked):
    with pytest.raises(ThalwegError, match=r"\.$"):
        tw.critical_points(problem_of(), **asked)


@pytest.mark.parametrize("tolerance", [1.0, 1e300])
def test_a_tolerance_that_makes_all_zero_is_refused(tolerance):
    with pytest.raises(ThalwegError, match="below 1"):
        tw.classify(problem_of(), ORIGIN, tolerance=tolerance)


@pytest.mark.parametrize(
    "look",
    [
        tw.classify, tw.escape, tw.nearest_critical_point, tw.find_critical_point,
        tw.hessian, tw.inertia, tw.spectral_density,
    ],
)  # fmt: skip
def test_weights_beyond_the_range_of_floats_are_refused(look):
    huge = [np.full(np.shape(layer), 1e200) for layer in ORIGIN]
    with pytest.raises(ThalwegError, match="beyond the range of float64"):
        look(problem_of(), huge)


def test_what_is_no_path_no_seed_and_no_problem_is_refused():
    problem = problem_of()
    for path in (3, "folder"):
        with pytest.raises(ThalwegError, match="must be what descend"):
            tw.mark_plateaus(path)
        with pytest.raises(ThalwegError, match="must be what descend"):
            tw.itinerary(problem, path=path)
    with pytest.raises(ThalwegError, match="whole number"):
        tw.itinerary(problem, seed=-1)
    with pytest.raises(ThalwegError, match="whole number"):
        tw.spectral_density(problem, ORIGIN, seed=-1)
    with pytest.raises(ThalwegError, match="is not known"):
        tw.find_critical_point("x", ORIGIN)
