"""Leaps against true steps, forty digits and printed counts."""

import jax.numpy as jnp
import numpy as np
import pytest
from lecture_oracle import lecture_count

import thalweg as tw
from thalweg._core.errors import DomainError, ShapeError
from thalweg.linalg.chain import balanced_factors
from thalweg.motion._logarithm import SERIES
from tolerances import is_a_sentence, same_arrays

TOLERANCE = 1e-9


def lecture(depth, **options):
    asked = {"iterations": 10**13, "accuracy": 1e-6, **options}
    start = [0.5] * depth
    return tw.leap(tw.Playground(depth), start, step_size=1 / (3 * depth), **asked)


def posed(widths, seed, whiten=True):
    draw = np.random.default_rng(seed)
    target = draw.standard_normal((widths[-1], widths[0]))
    target /= np.linalg.norm(target, 2)
    if whiten:
        data = tw.Moments.whitened(target)
    else:
        inputs = draw.standard_normal((50, widths[0]))
        noise = 0.1 * draw.standard_normal((50, widths[-1]))
        data = tw.Moments.from_data(inputs, inputs @ target.T + noise)
    return tw.Problem(net=tw.LinearNet(widths), data=data)


def start_of(problem, kind, seed):
    draw = np.random.default_rng(seed).standard_normal
    widths = problem.net.widths
    gaussian = [draw(shape) / np.sqrt(shape[1]) for shape in problem.net.shapes]
    if kind == "gaussian":
        return tuple(0.6 * layer for layer in gaussian)
    if kind == "balanced":
        return balanced_factors(
            jnp.asarray(0.3 * draw((widths[-1], widths[0]))), widths
        )
    # Near the saddle that has learnt the first mode only.
    left, values, right = np.linalg.svd(np.asarray(problem.target))
    first = values[0] * np.outer(left[:, 0], right[0])
    saddle = balanced_factors(jnp.asarray(first), widths)
    return tuple(
        layer + 1e-3 * noise for layer, noise in zip(saddle, gaussian, strict=True)
    )


def gap(one, other):
    return max(
        float(np.max(np.abs(np.asarray(a) - np.asarray(b))))
        for a, b in zip(one, other, strict=True)
    )


def test_the_series_is_that_of_the_logarithm():
    # On G = multiplication by r the increments are (r - 1) r^i.
    for order in range(1, SERIES.shape[0]):
        rate = 0.999
        increments = (rate - 1) * rate ** np.arange(SERIES.shape[1])
        neglected = (1 - rate) ** (order + 1) / (order + 1)
        rounding = 2.0**order * 1e-16 * (1 - rate)
        assert abs(SERIES[order] @ increments - np.log(rate)) <= (
            1.01 * neglected + rounding
        )


# MATH A.5, and the numbers of the playground's page.
@pytest.mark.parametrize(("depth", "count"), [(2, 21), (6, 91), (10, 987)])
def test_the_lecture_s_counts_are_those_printed(depth, count):
    path = lecture(depth)
    assert path.outcome.converged
    assert path.outcome.iteration == count


@pytest.mark.parametrize("depth", [3, 7, 13])
def test_the_lecture_s_counts_are_those_of_true_steps(depth):
    start = [0.5] * depth
    asked = {"step_size": 1 / (3 * depth), "iterations": 10**6, "accuracy": 1e-6}
    walked = tw.descend(tw.Playground(depth), start, **asked)
    assert lecture(depth).outcome.iteration == walked.outcome.iteration


@pytest.mark.slow
@pytest.mark.parametrize("depth", [*range(2, 21)])
def test_the_lecture_s_long_counts_are_those_of_true_steps(depth):
    start = [0.5] * depth
    asked = {"step_size": 1 / (3 * depth), "iterations": 10**6, "accuracy": 1e-6}
    walked = tw.descend(tw.Playground(depth), start, **asked)
    assert lecture(depth).outcome.iteration == walked.outcome.iteration


@pytest.mark.parametrize("depth", [20, 40])
def test_the_lecture_s_counts_are_those_of_forty_digits(depth):
    path = lecture(depth)
    assert path.notes["leaps"]["counted"]
    assert path.outcome.iteration == lecture_count(depth, 1 / (3 * depth), 1e-6)


def test_a_billion_iterations_count_as_the_theory_s_example():
    # MATH B.4: 2.417e7 true iterations at the step Theorem 1 allows.
    problem = posed_diagonal([2.0, 1.0], depth=3)
    weights = balanced_factors(0.9 * problem.target, problem.net.widths)
    step = tw.certify("arora2019.Convergence", problem, weights).safe_step
    path = tw.leap(problem, weights, step_size=step, iterations=10**9, accuracy=1e-6)
    assert round(path.outcome.iteration, -4) == 24_170_000


def posed_diagonal(values, depth):
    size = len(values)
    return tw.Problem(
        net=tw.LinearNet((size,) * (depth + 1)),
        data=tw.Moments.whitened(np.diag(values)),
    )


def test_aligned_modes_follow_their_scalar_map():
    # A balanced diagonal net is one scalar map a <- a - step a^2 (a^3 - s) per mode.
    values, step, count = np.array([2.0, 1.0, 0.25]), 1e-5, 3_000_000
    problem = posed_diagonal(values, depth=3)
    begun = 0.1
    mode = np.full(3, begun, dtype=np.longdouble)
    rate = np.longdouble(step)
    for _ in range(count // 10):
        mode = mode - rate * mode**2 * (mode**3 - values)
    weights = tuple(begun * np.eye(3) for _ in range(3))
    path = tw.leap(problem, weights, step_size=step, iterations=count // 10)
    for layer in path.weights:
        found = np.asarray(layer)
        assert np.max(np.abs(found - np.diag(mode.astype(float)))) <= TOLERANCE


CASES = [
    ((3, 4, 2), "gaussian", True, 1e-2),
    ((5, 5, 5, 5), "balanced", True, 3e-3),
    ((4, 16, 16, 3), "gaussian", False, 1e-3),
    ((1, 3, 2, 6, 1), "saddle", True, 1e-3),
    ((6, 4, 5, 4, 5, 3), "saddle", False, 3e-4),
    ((2, 2, 2, 2, 2, 2, 2), "balanced", True, 1e-3),
]


@pytest.mark.parametrize(("widths", "kind", "whiten", "step"), CASES)
def test_leaps_end_where_true_steps_do(widths, kind, whiten, step):
    problem = posed(widths, seed=3, whiten=whiten)
    weights = start_of(problem, kind, seed=4)
    asked = {"step_size": step, "iterations": 20_000, "records": 40}
    leapt = tw.leap(problem, weights, tolerance=TOLERANCE, **asked)
    walked = tw.descend(problem, weights, **asked)
    assert leapt.notes["leaps"]["leaps"] > 0
    largest = max(float(np.max(np.abs(layer))) for layer in walked.weights)
    assert gap(leapt.weights, walked.weights) <= 10 * TOLERANCE * max(largest, 1.0)
    assert leapt.error <= TOLERANCE * max(largest, 1.0)
    if not (leapt.outcome.stalled or walked.outcome.stalled):
        same_arrays(leapt.clock, walked.clock)
    # A loss moves by its slope times the weights' error: both are of order one.
    common = min(leapt.clock.size, walked.clock.size) - 1
    same_arrays(leapt.clock[:common], walked.clock[:common])
    losses = (leapt["loss"][:common], walked["loss"][:common])
    assert np.max(np.abs(losses[0] - losses[1])) <= 100 * TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(40))
def test_leaps_end_where_true_steps_do_whatever_the_case(seed):
    draw = np.random.default_rng(seed)
    depth = int(draw.integers(2, 7))
    widths = tuple(int(w) for w in draw.integers(1, 17, size=depth + 1))
    kind = str(draw.choice(["gaussian", "balanced", "saddle"]))
    problem = posed(widths, seed, whiten=bool(draw.random() < 0.5))
    weights = start_of(problem, kind, seed)
    step = 10 ** draw.uniform(-5, -2)
    asked = {"step_size": step, "iterations": 20_000, "records": 40}
    leapt = tw.leap(problem, weights, tolerance=TOLERANCE, **asked)
    walked = tw.descend(problem, weights, **asked)
    largest = max(float(np.max(np.abs(layer))) for layer in walked.weights)
    assert gap(leapt.weights, walked.weights) <= 10 * TOLERANCE * max(largest, 1.0)


@pytest.mark.parametrize(("momentum", "step"), [(0.5, 1e-4), (0.9, 2e-6)])
def test_leaps_with_momentum_end_where_true_steps_do(momentum, step):
    problem = posed((3, 4, 3), seed=1)
    weights = start_of(problem, "gaussian", seed=2)
    asked = {"step_size": step, "iterations": 400_000, "momentum": momentum}
    leapt = tw.leap(problem, weights, tolerance=TOLERANCE, **asked)
    walked = tw.descend(problem, weights, **asked)
    assert leapt.notes["leaps"]["leaps"] > 0
    assert gap(leapt.weights, walked.weights) <= 10 * TOLERANCE
    assert gap(leapt.velocity, walked.velocity) <= 10 * TOLERANCE


def test_a_batch_is_its_runs():
    problem = posed((3, 4, 2), seed=0)
    starts = [start_of(problem, "gaussian", seed) for seed in range(3)]
    stacked = tuple(np.stack(layers) for layers in zip(*starts, strict=True))
    steps = [1e-3, 1e-4, 1e-2]
    asked = {"iterations": 100_000, "accuracy": 1e-4, "records": 30}
    batch = tw.leap(problem, stacked, step_size=steps, **asked)
    assert batch.error.shape == (3,)
    for index, (weights, step) in enumerate(zip(starts, steps, strict=True)):
        single = tw.leap(problem, weights, step_size=step, **asked)
        run = batch.run(index)
        assert run.outcome == single.outcome
        assert gap(run.weights, single.weights) <= TOLERANCE
        assert run.error == batch.error[index]


def test_a_step_too_large_to_leap_takes_true_steps_only():
    problem = posed((3, 4, 2), seed=0)
    weights = start_of(problem, "gaussian", seed=1)
    asked = {"step_size": 0.3, "iterations": 200, "records": 10}
    leapt = tw.leap(problem, weights, **asked)
    told = leapt.notes["leaps"]
    assert (told["leaps"], told["true_steps"], leapt.error) == (0, 200, 0.0)
    walked = tw.descend(problem, weights, **asked)
    assert gap(leapt.weights, walked.weights) <= 1e-13


def test_a_run_that_diverges_says_so_as_a_descent_does():
    problem = posed((3, 4, 2), seed=0)
    weights = tuple(30 * layer for layer in start_of(problem, "gaussian", seed=1))
    asked = {"step_size": 0.3, "iterations": 500}
    leapt = tw.leap(problem, weights, **asked)
    walked = tw.descend(problem, weights, **asked)
    assert leapt.outcome.diverged
    assert leapt.outcome.iteration == walked.outcome.iteration
    assert np.all(np.isfinite(leapt["loss"]))
    same_arrays(leapt.clock, walked.clock)


def test_increments_below_rounding_still_add_up():
    # At (1/2, ..., 1/2), d = 60, a step moves a weight by 1e-20: true steps in float64
    # never leave; the sum of 10^15 of them is 1e-5.
    depth, count = 60, 10**15
    playground, start, step = tw.Playground(depth), [0.5] * depth, 1 / 180
    assert tw.descend(playground, start, step_size=step, iterations=10).outcome.stalled
    path = tw.leap(playground, start, step_size=step, iterations=count)
    # The flow of x' = step x^(d - 1) (the product, below 1e-17, aside).
    power = 2 - depth
    expected = (0.5**power + power * step * count) ** (1 / power)
    assert abs(float(path.weights[0]) - expected) <= TOLERANCE


def test_records_are_where_they_are_asked_for():
    path = lecture(30, at=[10**6, 10**7, 4 * 10**8])
    kept = path.iterations.tolist()
    assert kept == [0, 10**6, 10**7, 4 * 10**8, 862_828_308]
    assert np.all(np.diff(path["loss"]) < 0)


def test_a_path_of_leaps_is_saved_loaded_and_leapt_again(tmp_path):
    path = lecture(16)
    path.save(tmp_path / "leap")
    back = tw.Path.load(tmp_path / "leap")
    assert (back.error, back.notes, back.outcome) == (
        path.error,
        path.notes,
        path.outcome,
    )
    again = tw.resume(back)
    same_arrays(again["loss"], path["loss"])
    assert tw.iterations_to(path, 1e-3) < path.outcome.iteration


def test_ctrl_c_keeps_what_was_reached():
    def press(progress):
        snapshot = progress.snapshot()
        assert np.isnan(snapshot.error)
        raise KeyboardInterrupt

    path = lecture(40, on_progress=press)
    assert np.isnan(path.error)
    assert not path.notes["leaps"]["counted"]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"tolerance": 0.0}, DomainError),
        ({"tolerance": 1e-17}, DomainError),
        ({"tolerance": 1.0}, DomainError),
        ({"iterations": 2**54}, DomainError),
        ({"iterations": -1}, DomainError),
        ({"momentum": 1.0}, DomainError),
        ({"accuracy": -1.0}, DomainError),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(options, error):
    with pytest.raises(error) as caught:
        lecture(3, **options)
    assert is_a_sentence(caught.value)


def test_a_start_that_does_not_fit_is_refused():
    with pytest.raises(ShapeError):
        tw.leap(tw.Playground(3), [0.5], step_size=0.1, iterations=10)
