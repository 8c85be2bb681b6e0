"""Numbers printed in the papers, or derived from them by hand, met by real runs.

The numbers a theorem itself prints are in `contracts/test_theorems.py`, the
lecture's table and the unbalanced blow-up in `motion/test_descend.py`, the closed
forms of the flow in `motion/test_flow.py`.
"""

import functools

import jax
import numpy as np
import pytest

import thalweg as tw
from tolerances import printed


def scalar(goal, depth):
    return tw.Problem(tw.LinearNet((1,) * (depth + 1)), tw.Moments.whitened([[goal]]))


def white(goal, *hidden):
    goal = np.asarray(goal, dtype=float)
    net = tw.LinearNet((goal.shape[1], *hidden, goal.shape[0]))
    return tw.Problem(net, tw.Moments.whitened(goal))


@pytest.mark.parametrize(
    ("depth", "goal", "stops"), [(4, 0.25, 52), (4, 2.0, 4), (8, 0.05, 961)]
)
def test_bartlett2018_symmetric_targets_converge_in_the_iterations_tabulated(
    depth, goal, stops
):
    # MATH C.2, the step at its bound.
    step = (
        1 / (depth * goal ** (2 - 2 / depth))
        if goal >= 1
        else 1 / ((2 * depth - 1) - (depth - 1) * goal)
    )
    path = tw.descend(
        scalar(goal, depth),
        [[[1.0]]] * depth,
        step_size=step,
        iterations=3000,
        accuracy=1e-6,
        at=[],
    )
    assert path.outcome.iteration == stops


def test_bartlett2018_identity_layers_never_leave_the_common_eigenbasis():
    # MATH C.2: all layers stay U diag(a) U', each mode on its own recursion.
    basis = np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))[0]
    goal = np.array([2.0, 0.5, 0.1])
    path = tw.descend(
        white(basis * goal @ basis.T, 3, 3, 3),
        [np.eye(3)] * 4,
        step_size=0.05,
        iterations=200,
        at=[],
    )
    a = np.ones(3)
    for _ in range(200):
        a = a - 0.05 * a**3 * (a**4 - goal)
    for layer in path.weights:
        np.testing.assert_allclose(basis.T @ layer @ basis, np.diag(a), atol=1e-13)


@pytest.mark.parametrize(
    ("step", "least"), [(1e-3, "0.51072"), (0.1, "0.5000016"), (0.5, "0.5")]
)
def test_arora2019_claim_5_a_negative_eigenvalue_is_never_learnt(step, least):
    problem = white(np.diag([0.5, -1.0]), 2, 2, 2)
    path = tw.descend(
        problem, [np.eye(2)] * 4, step_size=step, iterations=4000, every=1
    )
    assert path["loss"].min() >= 0.5
    assert printed(path["loss"][:4000].min(), least)


@pytest.mark.parametrize(("step", "loss"), [(0.1, 0.5), (0.6, 0.0)])
def test_bartlett2018_odd_depth_fails_at_small_steps_only(step, loss):
    # MATH C.3: N = 3, target -1.
    path = tw.descend(
        scalar(-1.0, 3), [[[1.0]]] * 3, step_size=step, iterations=20_000, at=[]
    )
    assert path["loss"][-1] == pytest.approx(loss, abs=2e-6)


@pytest.mark.parametrize(("x", "after"), [([-1.0, 1.0], 0.8), ([-1.0, 1, 1, 1], 0.9)])
def test_flammarion2025_exercise_42_stays_symmetric_and_never_succeeds(x, after):
    step = {2: 0.1, 4: 0.05}[len(x)]
    path = tw.descend(tw.Playground(len(x)), x, step_size=step, iterations=1, at=[])
    np.testing.assert_allclose(path.weights, np.sign(x) * after, rtol=1e-15)
    long = tw.descend(
        tw.Playground(len(x)), x, step_size=step, iterations=20_000, at=[]
    )
    assert long["loss"][-1] >= 0.5
    np.testing.assert_allclose(np.abs(long.weights), abs(long.weights[0]), rtol=1e-12)


def test_flammarion2025_exercise_41_converges_from_above_the_hyperbola():
    # MATH A.6: C = 3, step 1/81, 49 iterations to 1e-6.
    path = tw.descend(
        tw.Playground(3),
        [2.0, 1.5, 0.5],
        step_size=1 / 81,
        iterations=1000,
        accuracy=1e-6,
        every=1,
    )
    assert printed(path["loss"][0], "0.125")
    assert path.outcome.iteration == 49
    wanted = ("1.96743", "1.45631", "0.34950")
    assert all(
        printed(float(v), text) for v, text in zip(path.weights, wanted, strict=True)
    )
    falls = path["loss"][1:] / path["loss"][:-1]
    assert np.all(falls <= 1 - 1 / 81 + 1e-15)


@functools.cache
def catch(depth):
    return tw.descend(
        tw.Playground(depth),
        [0.5] * depth,
        step_size=1 / (3 * depth),
        iterations=3000,
        accuracy=1e-6,
        every=1,
    )


@pytest.mark.parametrize("depth", [2, 4, 8, 10])
def test_the_sharp_recursion_is_never_below_the_lectures_descent(depth):
    # MATH A.7: e+ <= e (1 - step d (1 - e)^(2 - 2/d)).
    gap = np.sqrt(2 * catch(depth)["loss"])
    bound = gap[:-1] * (1 - (1 - gap[:-1]) ** (2 - 2 / depth) / 3)
    assert np.all(gap[1:] <= bound * (1 + 1e-12) + 1e-15)


@pytest.mark.parametrize(
    ("depth", "certified"), [(2, 21), (4, 40), (8, 282), (10, 990)]
)
def test_the_sharp_recursion_certifies_the_iterations_tabulated(depth, certified):
    gap, count = 1 - 0.5**depth, 0
    while gap**2 / 2 > 1e-6:
        gap, count = gap * (1 - (1 - gap) ** (2 - 2 / depth) / 3), count + 1
    assert count == certified
    assert catch(depth).outcome.iteration <= count


def test_saxe2014_appendix_b_the_sharpness_at_the_minimum_limits_the_step():
    # MATH D.5: N = 4, s = 2: largest eigenvalue 11.3137, step below 0.176777.
    problem, layer = scalar(2.0, 4), 2**0.25
    weights = tuple(problem.check([[[layer]]] * 4))
    (top,) = tw.measure("sharpness").read(problem, weights)
    assert printed(float(top), "11.3137")
    assert printed(2 / float(top), "0.176777")


@pytest.mark.parametrize(("step", "stays"), [(0.175, True), (0.179, False)])
def test_saxe2014_appendix_b_a_larger_step_leaves_the_minimum(step, stays):
    problem, layer = scalar(2.0, 4), 2**0.25 + 1e-4
    path = tw.descend(problem, [[[layer]]] * 4, step_size=step, iterations=2000, at=[])
    assert bool(path["loss"][-1] < 1e-12) is stays


def test_chitour2023_remark_2_the_eigenvalues_of_the_seeded_start():
    draw = np.random.default_rng(1).standard_normal
    weights = 0.2 * draw((4, 5)), draw((3, 4)), 3 * draw((2, 3))
    texts = [
        ["-.0740", "2.0394", "6.2695", "11.2038"],
        ["-4.4285", "6.3991", "51.7066"],
    ]
    for gap, wanted in zip(tw.invariants(weights), texts, strict=True):
        found = np.linalg.eigvalsh(gap)
        assert all(
            printed(float(v), text) for v, text in zip(found, wanted, strict=True)
        )


@pytest.mark.parametrize(
    ("learnt", "loss"),
    [((), 7.0), ((0,), 2.5), ((1,), 5.0), ((2,), 6.5), ((0, 1), 0.5), ((0, 2), 2.0),
     ((1, 2), 4.5), ((0, 1, 2), 0.0)],
)  # fmt: skip
def test_chitour2023_lemma_2_the_critical_values_are_those_of_the_modes_left_out(
    learnt, loss
):
    problem = white(np.diag([3.0, 2.0, 1.0]), 3)
    half = np.diag([np.sqrt([3.0, 2.0, 1.0])[i] * (i in learnt) for i in range(3)])
    weights = problem.check([half, half])
    assert float(problem.loss(weights)) == pytest.approx(loss, abs=1e-14)
    assert float(tw.measure("gradient_norm").read(problem, weights)) <= 1e-14


CUBE = 2 ** (1 / 3)
all_twelve = jax.jit(tw.measure("sharpness", top=12).read)


@pytest.mark.parametrize(
    ("weights", "least", "largest", "negative", "zero", "loss"),
    [
        ([np.zeros((2, 2))] * 3, "0", "0", 0, 12, 2.5),
        ([np.eye(2), np.zeros((2, 2)), np.zeros((2, 2))], "-2", "2", 4, 4, 2.5),
        ([np.zeros((2, 2)), np.zeros((2, 2)), np.eye(2)], "-2", "2", 4, 4, 2.5),
        ([np.diag([CUBE, 0])] * 3, "0", "7.5595263", 0, 9, 0.5),
        ([np.diag([1.0, 0]), np.eye(2), np.diag([2.0, 0])], "-1", "9", 1, 7, 0.5),
        ([np.eye(2), np.diag([1.0, 0]), np.diag([2.0, 0])], "-1", "9", None, None, 0.5),
        ([np.diag([0.0, 1])] * 3, "-1", "3", None, None, 2.0),
        ([np.diag([CUBE, 1])] * 3, "0", "7.5595263", None, None, 0.0),
    ],
)
def test_achour2024_the_hand_sized_critical_points(
    weights, least, largest, negative, zero, loss
):
    # MATH F.1: depth 3, target diag(2, 1), all twelve eigenvalues of the Hessian.
    problem = white(np.diag([2.0, 1.0]), 2, 2)
    weights = problem.check(weights)
    values = np.asarray(all_twelve(problem, weights))
    assert float(problem.loss(weights)) == pytest.approx(loss, abs=1e-14)
    assert abs(values[-1] - float(least)) <= 1e-7
    assert abs(values[0] - float(largest)) <= 1e-7
    if negative is not None:
        assert np.sum(values < -1e-9) == negative
        assert np.sum(np.abs(values) <= 1e-9) == zero


@pytest.mark.parametrize(
    ("depth", "step", "stops"),
    [(2, 0.125, 16), (2, 0.0025, 871), (3, 0.5 / (3 * 2 ** (4 / 3)), 21),
     (3, 0.1 / (3 * 2 ** (4 / 3)), 109)],
)  # fmt: skip
def test_balanced_starts_at_nine_tenths_converge_in_the_iterations_tabulated(
    depth, step, stops
):
    # MATH G.4, the column of actual iterations.
    goal = np.diag([2.0, 1.0])
    problem = white(goal, *[2] * (depth - 1))
    weights = [np.diag([1.8, 0.9]) ** (1 / depth)] * depth
    path = tw.descend(
        problem, weights, step_size=step, iterations=3000, accuracy=1e-6, at=[]
    )
    assert path.outcome.iteration == stops


@pytest.mark.parametrize(
    ("weights", "goal", "step", "stops"),
    [
        ([np.eye(2)] * 2, np.diag([1.1, 0.9]), 0.1, 22),
        ([np.diag([1.8, 0.9]) ** (1 / 3)] * 3, np.diag([2.0, 1.0]), 0.05, 28),
    ],
)
def test_the_deterministic_test_vectors_converge_as_tabulated(
    weights, goal, step, stops
):
    # MATH G.5, the actual counts.
    problem = white(goal, *[2] * (len(weights) - 1))
    path = tw.descend(
        problem, weights, step_size=step, iterations=200, accuracy=1e-6, at=[]
    )
    assert path.outcome.iteration == stops


@pytest.mark.slow
@pytest.mark.parametrize(("depth", "iterations"), [(2, 5.7277e6), (3, 2.417e7)])
def test_arora2019_theorem_1_really_takes_the_iterations_tabulated(depth, iterations):
    # MATH B.4: at the largest step the theorem allows.
    problem = white(np.diag([2.0, 1.0]), *[2] * (depth - 1))
    weights = [np.diag([1.8, 0.9]) ** (1 / depth)] * depth
    step = tw.certify("arora2019.Convergence", problem, weights).safe_step
    path = tw.descend(
        problem, weights, step_size=step, iterations=3 * 10**7, accuracy=1e-6, at=[]
    )
    assert path.outcome.iteration == pytest.approx(iterations, rel=1e-4)
