"""A descent broken off anywhere goes on as if nothing had happened."""

import functools

import jax
import numpy as np
import pytest

import thalweg as tw
import thalweg.motion.descend as module
from thalweg._core.errors import DomainError
from tolerances import is_a_sentence, same_arrays

GOAL = np.random.default_rng(5).standard_normal((2, 3))
RUN = {
    "step_size": 0.02,
    "every": 7,
    "measures": ("loss", "imbalance", "singular_modes"),
}
LAST = 90


@functools.cache
def problem():
    return tw.Problem(net=tw.LinearNet((3, 4, 2)), data=tw.Moments.whitened(GOAL))


def start(runs=None):
    draw = np.random.default_rng(0).standard_normal
    lead = () if runs is None else (runs,)
    return tuple(0.5 * draw((*lead, *shape)) for shape in problem().net.shapes)


def same_paths(one, other):
    """Compare two paths bit for bit."""
    assert set(one.columns) == set(other.columns)
    same_arrays(one.clock, other.clock)
    for name in one:
        same_arrays(one[name], other[name])
    for first, second in ((one.weights, other.weights), (one.velocity, other.velocity)):
        leaves = zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True)
        for a, b in leaves:
            same_arrays(a, b)
    assert one.outcome == other.outcome


def interrupt_at(monkeypatch, iteration):
    """Return a progress callback that presses Ctrl-C at an iteration."""
    monkeypatch.setattr(module, "_slice", lambda run, speed: iteration)

    def press(_told):
        monkeypatch.undo()
        raise KeyboardInterrupt

    return press


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_compressed_descent_goes_on_bit_for_bit(monkeypatch, tmp_path, momentum):
    # Two layers 3-40-2 move as 3-5-2; what is resumed is the small net.
    wide = tw.Problem(net=tw.LinearNet((3, 40, 2)), data=tw.Moments.whitened(GOAL))
    draw = np.random.default_rng(0).standard_normal
    weights = tuple(0.2 * draw(shape) for shape in wide.net.shapes)
    asked = {**RUN, "iterations": LAST, "momentum": momentum}
    whole = tw.descend(wide, weights, **asked)
    assert whole.notes["compressed"]["widths"] == [3, 5, 2]
    press = interrupt_at(monkeypatch, 40)
    tw.descend(wide, weights, on_progress=press, **asked).save(tmp_path / "run")
    same_paths(tw.resume(tw.Path.load(tmp_path / "run")), whole)


@functools.cache
def whole(momentum, runs):
    return tw.descend(problem(), start(runs), iterations=LAST, momentum=momentum, **RUN)


@pytest.mark.parametrize("runs", [None, 3])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("broken_at", [1, 13, 14, 15, 89])
def test_an_interrupted_run_resumes_bit_for_bit(monkeypatch, broken_at, momentum, runs):
    press = interrupt_at(monkeypatch, broken_at)
    part = tw.descend(
        problem(),
        start(runs),
        iterations=LAST,
        momentum=momentum,
        on_progress=press,
        **RUN,
    )
    assert part.iterations[-1] == broken_at
    same_paths(tw.resume(part), whole(momentum, runs))


def test_an_interruption_is_an_outcome_and_keeps_what_was_recorded(monkeypatch):
    press = interrupt_at(monkeypatch, 15)
    part = tw.descend(problem(), start(), iterations=LAST, on_progress=press, **RUN)
    assert str(part.outcome.status) == "interrupted"
    assert part.outcome.iteration == 15
    assert is_a_sentence(part.outcome.message)
    assert part.iterations.tolist() == [0, 7, 14, 15]
    same_arrays(part["loss"][:3], whole(0.0, None)["loss"][:3])


def test_a_run_can_be_interrupted_twice(monkeypatch):
    press = interrupt_at(monkeypatch, 13)
    part = tw.descend(problem(), start(), iterations=LAST, on_progress=press, **RUN)
    again = tw.resume(part, on_progress=interrupt_at(monkeypatch, 20))
    assert again.iterations[-1] == 33
    same_paths(tw.resume(again), whole(0.0, None))


@pytest.mark.parametrize("runs", [None, 3])
def test_a_saved_path_resumes_bit_for_bit(monkeypatch, tmp_path, runs):
    press = interrupt_at(monkeypatch, 15)
    part = tw.descend(
        problem(), start(runs), iterations=LAST, momentum=0.9, on_progress=press, **RUN
    )
    part.save(tmp_path / "run")
    same_paths(tw.resume(tw.Path.load(tmp_path / "run")), whole(0.9, runs))


@pytest.mark.parametrize("runs", [None, 3])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_larger_budget_is_as_if_given_at_once(momentum, runs):
    part = tw.descend(problem(), start(runs), iterations=40, momentum=momentum, **RUN)
    same_paths(tw.resume(part, iterations=LAST), whole(momentum, runs))


def test_a_finished_run_resumes_to_itself():
    same_paths(tw.resume(whole(0.0, None)), whole(0.0, None))


@functools.cache
def mixed(iterations):
    starts = np.array(
        [[0.5, 0.5], [0.0, 0.0], [200.0, 100.0], [1e-4, 1e-4], [2.0, 1.0]]
    )
    return tw.descend(
        tw.Playground(2),
        starts,
        step_size=0.1,
        iterations=iterations,
        accuracy=1e-6,
        every=9,
    )


@pytest.mark.parametrize("broken_at", [5, 20, 50])
def test_runs_that_have_ended_stay_ended(monkeypatch, broken_at):
    press = interrupt_at(monkeypatch, broken_at)
    starts = mixed(80).start
    part = tw.descend(
        tw.Playground(2),
        starts,
        step_size=0.1,
        iterations=80,
        accuracy=1e-6,
        every=9,
        on_progress=press,
    )
    same_paths(tw.resume(part), mixed(80))


@pytest.mark.parametrize("broken_at", [10, 50, 90, 101])
def test_a_run_broken_off_while_diverging_diverges_at_the_same_iteration(
    monkeypatch, broken_at
):
    posed = tw.Problem(tw.LinearNet((2, 2)), tw.Moments.whitened(np.diag([2.0, 1.0])))
    common = {"step_size": 2.2, "iterations": 1000, "every": 10}
    never_broken = tw.descend(posed, [np.zeros((2, 2))], **common)
    assert never_broken.outcome.iteration > 101
    press = interrupt_at(monkeypatch, broken_at)
    part = tw.descend(posed, [np.zeros((2, 2))], on_progress=press, **common)
    same_paths(tw.resume(part), never_broken)


def test_a_run_that_stalled_stays_stalled():
    zero = [np.zeros(shape) for shape in problem().net.shapes]
    path = tw.descend(problem(), zero, step_size=0.1, iterations=50, every=7)
    longer = tw.resume(path, iterations=LAST)
    assert longer.outcome.stalled
    assert longer.outcome.iteration == 0


def test_a_shorter_budget_is_refused():
    with pytest.raises(
        DomainError, match="iterations is 5 but the path already reaches"
    ):
        tw.resume(whole(0.0, None), iterations=5)


def flowed(**options):
    times = [0.0, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0]
    return tw.flow(problem(), start(options.pop("runs", None)), times=times, **options)


@pytest.mark.parametrize("runs", [None, 2])
@pytest.mark.parametrize("calls", [1, 2])
def test_an_interrupted_flow_resumes_as_if_never_broken_off(calls, runs):
    told = []

    def press(now):
        told.append(now)
        if len(told) == calls:
            raise KeyboardInterrupt

    part = flowed(runs=runs, on_progress=press)
    assert part.times[-1] < 2
    again, never_broken = tw.resume(part), flowed(runs=runs)
    same_arrays(again.times, never_broken.times)
    same_arrays(again["loss"], never_broken["loss"])
    assert again.outcome == never_broken.outcome


def test_a_flow_has_no_iterations_to_extend():
    with pytest.raises(DomainError, match="it has no iterations to extend"):
        tw.resume(flowed(), iterations=100)


def test_an_interruption_at_the_last_iteration_is_no_interruption(monkeypatch):
    press = interrupt_at(monkeypatch, LAST)
    path = tw.descend(problem(), start(), iterations=LAST, on_progress=press, **RUN)
    same_paths(path, whole(0.0, None))


def test_extending_a_spread_record_keeps_every_record():
    toy = tw.Playground(2)
    run = {"step_size": 0.001, "records": 50}
    half = tw.descend(toy, [0.5, 0.5], iterations=1000, **run)
    longer = tw.resume(half, iterations=3000)
    assert set(half.clock) <= set(longer.clock)
    assert longer.clock[-1] == 3000
