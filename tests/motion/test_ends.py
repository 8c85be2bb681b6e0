"""Many descents to their ends, against a plain loop, `descend` and each other."""

import functools
import signal
import threading
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from thalweg._core.errors import DataError, DomainError, ShapeError
from thalweg._core.outcome import Status
from thalweg.motion._crew import lanes_of
from thalweg.motion._narrow import narrowed
from thalweg.motion._posed import posed
from thalweg.motion.ends import descend_to_ends, memory_of
from thalweg.problem.losses import Huber
from thalweg.problem.samples import SampleProblem
from tolerances import is_a_sentence

CONVERGED, STALLED = Status.CONVERGED, Status.STALLED
DIVERGED, SPENT = Status.DIVERGED, Status.OUT_OF_BUDGET


def draw(seed=0):
    return np.random.default_rng(seed)


def target(outputs, inputs, low=0.5):
    """Return a matrix of singular values from `low` to one."""
    left, _, right = np.linalg.svd(draw(7).standard_normal((outputs, inputs)))
    rank = min(outputs, inputs)
    return left[:, :rank] * np.linspace(1, low, rank) @ right[:rank]


@functools.cache
def white(*widths):
    goal = jnp.asarray(target(widths[-1], widths[0]))
    return tw.Problem(tw.LinearNet(widths), tw.Moments.whitened(goal))


def samples():
    inputs = draw(8).standard_normal((60, 6)) * np.linspace(0.5, 1.5, 6)
    labels = inputs @ target(3, 6).T + 0.2 * draw(9).standard_normal((60, 3))
    return inputs, labels


@functools.cache
def raw():
    return tw.Problem(tw.LinearNet((6, 5, 3)), tw.Moments.from_data(*samples()))


@functools.cache
def huber():
    return SampleProblem(tw.LinearNet((6, 4, 3)), *samples(), Huber(1.0))


def gaussian(problem, runs, std, seed=1):
    if isinstance(problem, tw.Playground):
        return draw(seed).uniform(0.3, 1.4, (runs, problem.depth))
    normal = draw(seed).standard_normal
    return tuple(std * normal((runs, *shape)) for shape in problem.net.shapes)


def balanced(problem, runs, std, seed=1):
    """Return balanced layers of Gaussian products, in turned hidden spaces."""
    rng, depth = draw(seed), problem.net.depth
    layers = [[] for _ in range(depth)]
    widths = problem.net.widths
    rank = min(widths)
    for _ in range(runs):
        whole = std * rng.standard_normal((widths[-1], widths[0]))
        left, values, right = np.linalg.svd(whole, full_matrices=False)
        frames = [right.T[:, :rank]]
        for width in widths[1:-1]:
            frames.append(np.linalg.qr(rng.standard_normal((width, rank)))[0])
        frames.append(left[:, :rank])
        roots = values[:rank] ** (1 / depth)
        for j in range(depth):
            layers[j].append(frames[j + 1] * roots @ frames[j].T)
    return tuple(map(np.stack, layers))


def picked(weights, runs):
    return jax.tree.map(lambda leaf: np.asarray(leaf)[runs], weights)


def leaves_of(weights):
    return jax.tree.leaves(weights)


def same(ends, others, runs):
    """Assert that runs ended alike to the last bit."""
    for name in ("status", "iterations", "excess_loss", "loss"):
        np.testing.assert_array_equal(getattr(ends, name)[runs], getattr(others, name))
    for one, other in zip(
        leaves_of(ends.weights), leaves_of(others.weights), strict=True
    ):
        np.testing.assert_array_equal(one[runs], other)


def plain_loop(goal, layers, step, budget, accuracy, momentum=0.0):
    """Return status, iteration, excess loss and weights of one run, by the rules."""
    weights = [np.array(layer) for layer in layers]
    speeds = [np.zeros_like(layer) for layer in weights]

    def whole(factors, size):
        product = np.eye(size)
        for factor in factors:
            product = factor @ product
        return product

    def excess(weights):
        return 0.5 * np.sum((whole(weights, goal.shape[1]) - goal) ** 2)

    value = excess(weights)
    limit = 1e16 * max(value, 0.5 * np.sum(goal**2))
    for iteration in range(budget):
        if value <= accuracy:
            return CONVERGED, iteration, value, weights
        error = whole(weights, goal.shape[1]) - goal
        slopes = [
            whole(weights[j + 1 :], len(weights[j])).T
            @ error
            @ whole(weights[:j], goal.shape[1]).T
            for j in range(len(weights))
        ]
        before = weights
        speeds = [
            momentum * speed - step * slope
            for speed, slope in zip(speeds, slopes, strict=True)
        ]
        weights = [w + speed for w, speed in zip(weights, speeds, strict=True)]
        value = excess(weights)
        if not value < limit:
            return DIVERGED, iteration + 1, value, before
    status = CONVERGED if value <= accuracy else SPENT
    return status, budget, value, weights


def rarely(names, *slow):
    """Return names as parameters, some of them for the slow run only."""
    marked = [pytest.param(name, marks=pytest.mark.slow) for name in slow]
    return [name for name in names if name not in slow] + marked


@pytest.mark.parametrize("momentum", [0.0, 0.6])
@pytest.mark.parametrize(
    ("widths", "std"), [((2, 2, 2), 0.5), ((4, 2, 3), 0.5), ((3, 3, 3, 3), 0.5)]
)
def test_every_run_ends_as_in_a_plain_loop(widths, std, momentum):
    # Steps well inside stability, or far outside: there rounding decides nothing.
    problem, runs = white(*widths), 24
    starts = gaussian(problem, runs, std)
    steps = np.where(np.arange(runs) % 6 == 5, 20.0, np.linspace(0.03, 0.15, runs))
    budgets = np.where(np.arange(runs) % 5 == 4, 7, 900)
    accuracies = float(problem.infimum) * 0 + np.geomspace(1e-2, 1e-6, runs)
    if problem.net.has_bottleneck:
        accuracies = np.maximum(accuracies, 1e-3)
    ends = descend_to_ends(
        problem,
        starts,
        step_size=steps,
        iterations=budgets,
        accuracy=accuracies,
        momentum=momentum,
    )
    goal, floor = np.asarray(problem.target), float(problem.floor)
    seen = set()
    for run in range(runs):
        status, iteration, loss, weights = plain_loop(
            goal,
            picked(starts, run),
            steps[run],
            int(budgets[run]),
            accuracies[run] + floor,
            momentum,
        )
        assert (ends.statuses[run], ends.iterations[run]) == (status, iteration)
        np.testing.assert_allclose(ends.loss[run], loss, rtol=1e-9, atol=1e-14)
        for found, wanted in zip(ends.weights, weights, strict=True):
            # A diverging run multiplies its rounding in every one of its few steps.
            scale = np.abs(wanted).max()
            assert np.abs(found[run] - wanted).max() <= 1e-10 * scale
        seen.add(status)
    assert seen == {CONVERGED, DIVERGED, SPENT}


CASES = {
    "2-2-2": (lambda: white(2, 2, 2), gaussian, 0.5),
    "6-9-8-6": (lambda: white(6, 9, 8, 6), gaussian, 0.3),
    "5-2-5": (lambda: white(5, 2, 5), gaussian, 0.3),
    "unwhitened": (raw, gaussian, 0.3),
    "huber": (huber, gaussian, 0.3),
    "playground 2": (lambda: tw.Playground(2), gaussian, 0.0),
    "playground 5": (lambda: tw.Playground(5), gaussian, 0.0),
}


@pytest.mark.parametrize("name", rarely(CASES, "6-9-8-6", "huber", "5-2-5"))
def test_every_run_ends_as_descend_of_it_alone_reports(name):
    make, start, std = CASES[name]
    problem, runs = make(), 10
    starts = start(problem, runs, std)
    steps = np.where(np.arange(runs) % 5 == 4, 30.0, np.linspace(0.03, 0.1, runs))
    ends = descend_to_ends(
        problem, starts, step_size=steps, iterations=700, accuracy=1e-4
    )
    for run in range(runs):
        path = tw.descend(
            problem,
            picked(starts, run),
            step_size=float(steps[run]),
            iterations=700,
            accuracy=1e-4,
            records=2,
            compress=False,
        )
        found = ends.statuses[run], int(ends.iterations[run])
        assert found == (path.outcome.status, path.outcome.iteration)
        np.testing.assert_allclose(
            ends.loss[run], path.outcome.loss, rtol=1e-9, atol=1e-14
        )
        for one, other in zip(
            leaves_of(ends.weights), leaves_of(path.weights), strict=True
        ):
            scale = 1 + np.abs(np.asarray(other)).max()
            assert np.abs(one[run] - np.asarray(other)).max() <= 1e-10 * scale
    assert {CONVERGED, DIVERGED} <= set(ends.statuses)


@pytest.mark.parametrize(
    ("momentum", "tolerance"), [(0.0, 0.0), (0.4, 0.0), (0.0, 1e-7)]
)
def test_rest_is_found_where_descend_finds_it(momentum, tolerance):
    problem = white(3, 2, 3)
    starts = gaussian(problem, 8, 0.4)
    starts = tuple(np.concatenate([w, 0 * w[:1]]) for w in starts)  # a saddle
    steps = jnp.linspace(0.2, 0.5, 9)
    asked = {"step_size": steps, "momentum": momentum, "gradient_tolerance": tolerance}
    ends = descend_to_ends(problem, starts, iterations=3000, **asked)
    path = tw.descend(problem, starts, iterations=3000, records=2, **asked)
    assert ends.statuses == tuple(outcome.status for outcome in path.outcome)
    assert ends.iterations.tolist() == [o.iteration for o in path.outcome]
    assert STALLED in ends.statuses
    assert (ends.statuses[-1], ends.iterations[-1]) == (STALLED, 0)


def test_the_lectures_iterations():
    starts = np.full((3, 4), 0.5)
    ends = descend_to_ends(
        tw.Playground(4), starts, step_size=1 / 12, iterations=1000, accuracy=1e-6
    )
    assert ends.iterations.tolist() == [38] * 3  # MATH.md, as in test_descend


INDEPENDENT = {
    "2-2-2": (lambda: white(2, 2, 2), gaussian, 0.4),
    "5-5-5": (lambda: white(5, 5, 5), gaussian, 0.3),
    "10-32-32-10": (lambda: white(10, 32, 32, 10), gaussian, 0.15),
    "10-32-32-10 balanced": (lambda: white(10, 32, 32, 10), balanced, 0.05),
    "128-32-32-1": (lambda: white(128, 32, 32, 1), gaussian, 0.1),
    "128-32-32-1 balanced": (lambda: white(128, 32, 32, 1), balanced, 0.1),
    "depth 8": (lambda: white(*(3,) * 9), gaussian, 0.6),
    "unwhitened": (raw, gaussian, 0.3),
    "huber": (huber, gaussian, 0.3),
    "playground": (lambda: tw.Playground(5), gaussian, 0.0),
}


@pytest.mark.parametrize("name", rarely(INDEPENDENT, "128-32-32-1"))
@pytest.mark.parametrize("own", [False, True], ids=["shared", "stacked"])
def test_no_bit_of_a_run_depends_on_its_neighbours(name, own, monkeypatch):
    make, start, std = INDEPENDENT[name]
    problem = make()
    rng, runs = draw(3), 2 * lanes_of(problem.net) + 11
    starts = start(problem, runs, std)
    steps = np.exp(rng.uniform(np.log(0.02), np.log(3.0), runs))
    budgets = rng.integers(0, 300, runs)

    def ended(chosen, threads):
        return descend_to_ends(
            [problem] * len(chosen) if own else problem,
            picked(starts, chosen),
            step_size=steps[chosen],
            iterations=budgets[chosen],
            accuracy=1e-4,
            threads=threads,
        )

    every = ended(np.arange(runs), 2)
    assert len(set(every.statuses)) >= 2
    for count, threads in ((1, 1), (3, 2), (runs // 2, 2), (runs, 1)):
        chosen = rng.permutation(runs)[:count]
        same(every, ended(chosen, threads), chosen)
    # Nor on how often the crews come up for air.
    monkeypatch.setattr("thalweg.motion._crew.FIRST_STEPS", 2)
    monkeypatch.setattr("thalweg.motion._crew.MOST_STEPS", 6)
    same(every, ended(chosen, 2), chosen)


def test_momentum_beside_none_changes_nothing():
    problem = white(2, 3, 2)
    starts = gaussian(problem, 30, 0.4)
    momentum = np.where(np.arange(30) % 3, 0.0, 0.5)

    def ended(chosen):
        return descend_to_ends(
            problem,
            picked(starts, chosen),
            step_size=0.1,
            iterations=200,
            accuracy=1e-5,
            momentum=momentum[chosen],
        )

    every = ended(np.arange(30))
    for chosen in (np.flatnonzero(momentum == 0), np.array([3]), np.array([4, 9])):
        same(every, ended(chosen), chosen)


def test_problems_of_its_own_for_every_run():
    net, runs = tw.LinearNet((3, 4, 2)), 12
    goals = [target(2, 3) * (1 + 0.1 * run) for run in range(runs)]
    each = [tw.Problem(net, tw.Moments.whitened(jnp.asarray(g))) for g in goals]
    starts = gaussian(each[0], runs, 0.4)
    ends = descend_to_ends(each, starts, step_size=0.1, iterations=900, accuracy=1e-6)
    for run, goal in enumerate(goals):
        status, iteration, loss, _ = plain_loop(
            goal, picked(starts, run), 0.1, 900, 1e-6
        )
        assert (ends.statuses[run], ends.iterations[run]) == (status, iteration)
        np.testing.assert_allclose(ends.loss[run], loss, rtol=1e-9)


@pytest.mark.parametrize(
    ("problem", "start", "widths"),
    [
        (lambda: white(10, 32, 32, 10), balanced, (10, 10, 10, 10)),
        (lambda: white(128, 32, 32, 1), balanced, (2, 1, 1, 1)),
        (lambda: white(128, 32, 32, 1), gaussian, (33, 32, 32, 1)),
        (lambda: white(12, 30, 2), gaussian, (12, 14, 2)),
        (lambda: white(40, 6, 2), gaussian, (8, 6, 2)),
        (lambda: white(5, 8, 8, 5), gaussian, (5, 8, 8, 5)),
        (raw, gaussian, (6, 5, 3)),
    ],
)
def test_every_run_moves_the_smallest_net_as_one_alone_does(problem, start, widths):
    problem = problem()
    starts = start(problem, 5, 0.1)
    alone = tw.compress(problem, picked(starts, 0))
    assert alone.widths_after == widths
    laid = posed(problem)
    (group,) = narrowed(laid.problem, False, starts, allowed=True)
    assert group.problem.net.widths == widths
    asked = {"step_size": 0.1, "iterations": 400, "accuracy": 1e-6}
    small = descend_to_ends(problem, starts, **asked)
    full = descend_to_ends(problem, starts, compress=False, **asked)
    assert small.statuses == full.statuses
    np.testing.assert_array_equal(small.iterations, full.iterations)
    np.testing.assert_allclose(small.loss, full.loss, rtol=1e-9, atol=1e-13)
    for one, other in zip(small.weights, full.weights, strict=True):
        # Rounding of some hundred stable steps.
        assert np.abs(one - other).max() <= 1e-11 * (1 + np.abs(other).max())


@pytest.mark.slow
def test_runs_of_different_ranks_have_nets_of_their_own():
    problem, rng = white(6, 12, 12, 6), draw(4)
    first, second, third = (np.array(layer) for layer in gaussian(problem, 6, 0.3))
    for run, rank in enumerate((1, 2, 3)):
        first[run] = 0.3 * (
            rng.standard_normal((12, rank)) @ rng.standard_normal((rank, 6))
        )
        third[run] = 0.3 * (
            rng.standard_normal((6, rank)) @ rng.standard_normal((rank, 12))
        )
        second[run] = np.eye(12)
    first[3, 4] *= 1e-30  # a unit that may yet grow: left whole
    starts = first, second, third
    groups = narrowed(posed(problem).problem, False, starts, allowed=True)
    found = {
        int(run): group.problem.net.widths for group in groups for run in group.runs
    }
    assert found[0] == (6, 2, 2, 6)
    assert found[1] == (6, 4, 4, 6)
    assert found[2] == (6, 6, 6, 6)
    assert {found[run] for run in (3, 4, 5)} == {(6, 12, 12, 6)}
    asked = {"step_size": 0.05, "iterations": 100}
    ends = descend_to_ends(problem, starts, **asked)
    full = descend_to_ends(problem, starts, compress=False, **asked)
    np.testing.assert_allclose(ends.loss, full.loss, rtol=1e-9)


def test_a_diverged_run_keeps_its_last_iterate():
    problem = white(2, 2, 2)
    starts = gaussian(problem, 3, 0.5)
    ends = descend_to_ends(problem, starts, step_size=9.0, iterations=100)
    assert set(ends.statuses) == {DIVERGED}
    before = descend_to_ends(
        problem, starts, step_size=9.0, iterations=ends.iterations - 1
    )
    assert set(before.statuses) == {SPENT}
    for one, other in zip(ends.weights, before.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    assert (ends.excess_loss > 1e15).all()
    assert (before.excess_loss < 1e17).all()


def test_progress_counts_the_runs_and_a_stop_gives_up():
    problem, told, stop = white(2, 2, 2), [], threading.Event()
    starts = gaussian(problem, 20, 0.5)
    ends = descend_to_ends(
        problem, starts, step_size=0.1, iterations=50, on_progress=told.append
    )
    assert told[-1].done == told[-1].total == len(ends) == 20

    def halted(progress):
        stop.set()

    begun = time.perf_counter()
    nothing = descend_to_ends(
        problem,
        starts,
        step_size=1e-9,
        iterations=2**40,
        on_progress=halted,
        stop=stop,
    )
    assert nothing is None
    assert time.perf_counter() - begun < 10


def test_control_c_is_raised_once_the_crews_have_stopped():
    problem = white(2, 2, 2)
    starts = gaussian(problem, 20, 0.5)

    def interrupted(progress):
        signal.raise_signal(signal.SIGINT)

    threads = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        descend_to_ends(
            problem,
            starts,
            step_size=1e-9,
            iterations=2**40,
            on_progress=interrupted,
        )
    assert threading.active_count() == threads


def test_ends_are_told_as_plain_values():
    ends = descend_to_ends(
        tw.Playground(2), np.full((2, 2), 0.5), step_size=1 / 6, iterations=3
    )
    told = ends.to_json()
    assert list(told) == ["status", "iterations", "excess_loss", "loss"]
    assert told["status"] == ["out of budget"] * 2
    assert told["iterations"] == [3, 3]


def test_memory_grows_with_runs_and_weights():
    small, large = white(2, 2, 2), white(10, 32, 32, 10)
    assert memory_of(small, 2000) > memory_of(small, 1000)
    per_run = memory_of(large, 1001) - memory_of(large, 1000)
    assert 3 * 8 * 1664 <= per_run <= 12 * 8 * 1664


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"step_size": 0.0}, DomainError, "step_size is 0.0"),
        ({"step_size": [0.1, -1.0]}, DomainError, "step_size is -1.0"),
        ({"step_size": [0.1] * 3}, ShapeError, "there are 2 runs"),
        ({"iterations": 1.5}, DomainError, "whole number"),
        ({"iterations": [3, -1]}, DomainError, "iterations is -1"),
        ({"iterations": 1e30}, DomainError, "below"),
        ({"accuracy": -1.0}, DomainError, "accuracy is -1"),
        ({"accuracy": [np.nan, 1.0]}, DataError, "NaN"),
        ({"momentum": 1.0}, DomainError, "below 1"),
        ({"gradient_tolerance": -1.0}, DomainError, "gradient_tolerance"),
        ({"threads": 0}, DomainError, "threads"),
        ({"weights": (np.eye(2), np.eye(2))}, ShapeError, "single start"),
        ({"weights": (np.ones((2, 2, 2)), np.ones((3, 2, 2)))}, ShapeError, "equally"),
        ({"weights": (np.full((2, 2, 2), 1e160),) * 2}, DomainError, "start 0"),
        ({"problem": []}, ShapeError, "empty"),
        ({"problem": [white(2, 2, 2)] * 3}, ShapeError, "3 problems came with 2"),
        ({"problem": [white(2, 2, 2), white(2, 3, 2)]}, ShapeError, "problem 1"),
    ],
)
def test_what_does_not_fit_is_said_in_a_sentence(change, error, match):
    asked = {
        "problem": white(2, 2, 2),
        "weights": gaussian(white(2, 2, 2), 2, 0.5),
        "step_size": 0.1,
        "iterations": 10,
        **change,
    }
    with pytest.raises(error, match=match) as caught:
        descend_to_ends(asked.pop("problem"), asked.pop("weights"), **asked)
    assert is_a_sentence(str(caught.value))
