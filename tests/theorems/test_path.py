"""Certificates along a path: promises that are kept, and phases in order."""

import functools
import json
from dataclasses import dataclass

import numpy as np
import pytest

import thalweg as tw
from papers.descents import descend, losses
from thalweg._core.errors import DomainError
from thalweg.motion.shadow import shadow
from thalweg.theorems._path import certify_path
from tolerances import is_a_sentence


@dataclass(frozen=True)
class Plain:
    iteration: int
    weights: object
    radius: float = 0.0


def replayed(problem, start, step, stops):
    """The iterates of a plain NumPy descent, taken as exact."""
    layers = [np.asarray(w) for w in problem.chain(start)]
    found = descend(layers, problem, step, max(stops))
    return [Plain(t, problem.check(found[t])) for t in stops]


def net(widths, seed, size=1.0):
    rng = np.random.default_rng(seed)
    target = rng.standard_normal((widths[-1], widths[0])) / np.sqrt(widths[0])
    problem = tw.Problem(tw.LinearNet(widths), tw.Moments.whitened(target))
    start = [
        size * np.sqrt(2 / sum(shape)) * rng.standard_normal(shape)
        for shape in problem.net.shapes
    ]
    return problem, problem.check(start)


@functools.cache
def followed(widths, seed, step):
    problem, start = net(widths, seed)
    return tw.descend(problem, start, step_size=step, iterations=3000, accuracy=1e-6)


PATHS = [((4, 8, 3), 1, 0.03), ((3, 5, 5, 3), 2, 0.05), ((5, 12, 2), 3, 0.02)]


@pytest.mark.parametrize(("widths", "seed", "step"), PATHS)
@pytest.mark.parametrize("iterates", [shadow, replayed], ids=["shadow", "numpy"])
def test_every_promise_along_a_path_is_kept(widths, seed, step, iterates):
    path = followed(widths, seed, step)
    found = certify_path(path, iterates)
    end = int(path.clock[-1])
    layers = [np.asarray(w) for w in path.start]
    true = losses(descend(layers, path.problem, step, end), path.problem)
    reached = int(np.flatnonzero(true <= 1e-6)[0])
    assert found.promises
    for promise in found.promises:
        assert promise.total >= reached
    assert found.observed == reached
    assert found.best.total == reached
    assert found.first.iteration < reached
    assert list(found.promised) == sorted(found.promised, reverse=True)


@pytest.mark.parametrize(("widths", "seed", "step"), PATHS[:1])
def test_the_phases_follow_each_other(widths, seed, step):
    found = certify_path(followed(widths, seed, step), shadow)
    order = {"none": 0, "margin": 1, "local": 2, "finished": 3}
    ranks = [order[phase] for phase in found.phases]
    assert ranks == sorted(ranks)
    assert found.phases[-1] == "finished"
    assert len(found.phases) == len(found.iterations) == len(found.ratios)


def test_a_balanced_start_is_promised_its_end_at_once():
    problem = tw.Problem(
        tw.LinearNet((2, 2, 2)), tw.Moments.whitened(np.diag([2.0, 1.0]))
    )
    start = problem.check([np.diag(np.sqrt([1.8, 0.9]))] * 2)
    path = tw.descend(problem, start, step_size=0.1, iterations=200, accuracy=1e-6)
    found = certify_path(path, shadow)
    assert found.first.iteration == 0
    assert found.phases[0] in ("margin", "local")
    assert found.ratios[0] < 1.4


def test_the_playground_is_followed_too():
    toy = tw.Playground(3)
    path = tw.descend(
        toy, [0.9, 1.0, 1.2], step_size=0.1, iterations=200, accuracy=1e-6
    )
    found = certify_path(path, shadow)
    assert found.best.total == found.observed


def test_every_so_many_iterations_are_tried_if_asked():
    path = followed(*PATHS[0])
    found = certify_path(path, shadow, every=100)
    assert {p.iteration % 100 for p in found.promises} == {0}


def test_without_rounding_a_promise_is_about_the_floats():
    found = certify_path(followed(*PATHS[0]), shadow, rounding=False)
    assert all(promise.radius == 0 for promise in found.promises)
    assert "floats" in found.about


def test_a_path_too_long_to_follow_is_tried_at_its_ends():
    problem, start = net((3, 4, 2), 5)
    path = tw.leap(problem, start, step_size=1e-6, iterations=10_000_000, accuracy=1e-9)
    assert path.clock[-1] > 200_000
    found = certify_path(path, shadow, accuracy=1e-12)
    assert {promise.iteration for promise in found.promises} <= {0, int(path.clock[-1])}
    assert "recorded weights" in found.about
    assert found.observed is None


def test_it_reads_as_words_and_as_plain_values():
    found = certify_path(followed(*PATHS[0]), shadow)
    told = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert told["first"]["iteration"] == found.first.iteration
    assert told["phases"] == list(found.phases)
    assert len(told["promised"]) == len(told["iterations"])
    assert all("\n" not in line for line in found.lines())
    assert found.cite().startswith("@misc{thalweg,")


def test_a_path_without_a_promise_says_so():
    problem, start = net((3, 4, 2), 6)
    path = tw.descend(problem, start, step_size=1e-3, iterations=3)
    found = certify_path(path, shadow, accuracy=1e-12)
    if not found.promises:
        assert found.best is None
        assert "no promise" in found.lines()[1]
        assert set(found.phases) == {"none"}


@pytest.mark.parametrize(
    ("options", "says"),
    [({"accuracy": 0.0}, "accuracy is 0.0"), ({"every": 0}, "every is 0")],
)
def test_a_mistake_is_met_with_one_sentence(options, says):
    with pytest.raises(DomainError, match=says) as caught:
        certify_path(followed(*PATHS[0]), shadow, **options)
    assert is_a_sentence(caught.value)


def test_momentum_and_flows_are_refused():
    problem, start = net((2, 3, 2), 7)
    moved = tw.descend(problem, start, step_size=1e-3, iterations=3, momentum=0.5)
    flow = tw.flow(problem, start, times=[0.0, 0.1])
    for path in (moved, flow):
        with pytest.raises(DomainError, match="single descent without momentum"):
            certify_path(path, shadow)
