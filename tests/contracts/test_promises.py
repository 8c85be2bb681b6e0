"""What theorems promise, held against what exact descent and the flow really do."""

import functools
from dataclasses import replace
from itertools import pairwise

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta
from threadpoolctl import threadpool_limits

import thalweg as tw
from thalweg.linalg import balls
from thalweg.measures import shelf as measures
from thalweg.motion.shadow import shadow
from thalweg.problem.problem import Problem
from thalweg.problem.scalar import Playground
from thalweg.theorems import shelf
from thalweg.theorems._base import PRECISION, Case, Example, Kind, Verdict

THEOREMS = {name: tw.theorem(name) for name in shelf.names()}
DESCENTS = [n for n, t in THEOREMS.items() if t.clock == "iteration"]
FLOWS = [n for n, t in THEOREMS.items() if t.clock == "flow time"]
SHORT = [0, 1, 2, 4, 8, 16, 30]
FARTHEST = 1e12
FOLLOWED = 3000
"""Iterations up to which a long run is followed exactly rather than leapt over."""
LARGEST = 300
"""Parameters of a net that is followed, so that the whole stays quick."""


@pytest.fixture(scope="module", autouse=True)
def one_core():
    """Small matrices gain nothing from threads, and wait for them on a busy machine."""
    with threadpool_limits(1):
        yield


# Cases: a theorem's own witnesses, those disturbed, and starts of every kind.


def is_small(problem):
    return isinstance(problem, Problem | Playground) and (
        problem.net.parameters <= LARGEST and problem.net.depth <= 10
    )


@functools.cache
def started(name):
    """The witnesses that have a start."""
    return [e for e in THEOREMS[name].witnesses() if e.start is not None]


@functools.cache
def witnesses(name):
    """The witnesses that can be followed."""
    return [e for e in started(name) if is_small(e.problem)]


@functools.cache
def white(widths, seed, definite=False):
    goal = np.random.default_rng(seed).standard_normal((widths[-1], widths[0]))
    goal = goal / 2 + 1.5 * np.eye(*goal.shape)
    goal = goal @ goal.T / 2 if definite else goal
    return tw.Problem(tw.LinearNet(widths), tw.Moments.whitened(goal))


def near_the_target(rng):
    widths = [(2, 2, 2), (3, 4, 3), (4, 3, 2, 2)][rng.integers(3)]
    problem = white(widths, int(rng.integers(3)))
    goal = np.asarray(problem.target)
    away = rng.standard_normal(goal.shape)
    away *= rng.uniform(0.01, 0.6) * np.linalg.svd(goal)[1][-1] / np.linalg.norm(away)
    return problem, balanced(goal + away, widths)


def gaussian(rng):
    widths = [(2, 2, 2), (3, 4, 3), (4, 3, 2, 2)][rng.integers(3)]
    scale = 10 ** rng.uniform(-1.5, 0.3)
    draws = [scale * rng.standard_normal((b, a)) for a, b in pairwise(widths)]
    return white(widths, int(rng.integers(3))), tuple(map(jnp.asarray, draws))


def identity(rng):
    widths = [(2, 2, 2), (3, 3, 3, 3)][rng.integers(2)]
    problem = white(widths, int(rng.integers(3)), definite=bool(rng.integers(2)))
    return problem, (jnp.eye(widths[0]),) * (len(widths) - 1)


def aligned(rng):
    widths = [(2, 2, 2), (3, 4, 3), (3, 3, 3, 3)][rng.integers(3)]
    problem = white(widths, int(rng.integers(3)))
    left, _, right = np.linalg.svd(np.asarray(problem.target))
    sizes = 10 ** rng.uniform(-2, 0, min(widths))
    return problem, balanced((left * sizes) @ right, widths)


def on_the_playground(rng):
    depth = [2, 3, 5][rng.integers(3)]
    x = np.exp(rng.uniform(0.01, 0.8) * rng.standard_normal(depth))
    x = x / np.prod(x) ** (1 / depth) * rng.uniform(0.2, 1.3) ** (1 / depth)
    return Playground(depth), jnp.asarray(x)


def balanced(matrix, widths):
    """A balanced chain of a given product, in NumPy."""
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    depth = len(widths) - 1
    parts = [np.diag(values ** (1 / depth))] * depth
    parts[0], parts[-1] = parts[0] @ right, left @ parts[-1]
    shapes = [(b, a) for a, b in pairwise(widths)]
    return tuple(
        jnp.pad(p, [(0, b - a) for a, b in zip(p.shape, shape, strict=True)])
        for p, shape in zip(parts, shapes, strict=True)
    )


def disturbed(example, rng):
    """A witness moved a little, by so much that it may no longer be one.

    Every weight by a factor of its own, or all by the same one: that keeps what is
    balanced, aligned or symmetric.
    """
    size, alike = 10 ** rng.uniform(-9, -1), rng.random() < 0.5

    def moved(part):
        part = np.asarray(part, dtype=float)
        noise = common if alike else rng.standard_normal(part.shape)
        return jnp.asarray(part * (1 + size * noise))

    common, start = rng.standard_normal(), example.start
    parts = tuple(map(moved, start)) if isinstance(start, tuple) else moved(start)
    return example.problem, parts


POOL = (near_the_target, gaussian, identity, aligned, on_the_playground)


def drawn(name, seed):
    """A case for a theorem: half of them near its own witnesses."""
    rng = np.random.default_rng(seed)
    own = started(name)
    if own and rng.random() < 0.5:
        problem, start = disturbed(own[rng.integers(len(own))], rng)
    else:
        problem, start = POOL[rng.integers(len(POOL))](rng)
    return Example(problem, start), float(10 ** rng.uniform(-1.5, 0))


def certified(name, example, share=1.0):
    """The certificate at a share of the safe step; any step where there is none."""
    theorem = THEOREMS[name]
    told = tw.certify(theorem, example.problem, example.start)
    step = example.step_size or (
        share * min(told.safe_step, 1.0) if told.safe_step else 0.05 * share
    )
    if theorem.clock == "flow time" or step == told.step_size:
        return told
    return tw.certify(theorem, example.problem, example.start, step_size=step)


# What is checked.


def promises_a_course(certificate):
    """Whether what is promised for certain can be seen in the motion.

    What is conserved is looked at in the contract of theorems.
    """
    promise = certificate.guarantee
    if promise is None or promise.probability is not None:
        return False
    seen = (promise.floor, promise.lower, promise.count)
    named = promise.kept or promise.predictions
    return promise.bounds_loss or named or any(part is not None for part in seen)


def true_losses(example, shadows):
    """Intervals that hold the excess loss of the true iterates."""
    with balls.working_precision(PRECISION):
        cases = [
            Case(example.problem, s.weights, la=balls, radius=s.radius) for s in shadows
        ]
        return np.array([balls.bounds(case.excess_loss) for case in cases]).T


def check_short(example, certificate):
    """The first steps, exactly: no tolerance but what is not proven of the truth."""
    promise = certificate.guarantee
    if certificate.step_size is None or float(example.problem.infimum) > 0:
        return
    found = shadow(example.problem, example.start, certificate.step_size, SHORT)
    known = [s for s in found if s.radius < np.inf]
    clock = np.array([s.iteration for s in known], dtype=float)
    low, high = true_losses(example, known)
    assert np.all(high - low <= 1e-6 * (1 + high)) or len(known) < len(found)
    bound = promise.bound_at(clock)
    if bound is not None:
        assert np.all(low <= bound)
        assert len(known) == len(found)
    if promise.floor is not None:
        assert np.all(high >= balls.bounds(promise.floor)[0])
    if promise.lower is not None:
        assert np.all(high >= promise.lower(clock))
    for kept in promise.kept:
        measure = tw.measure(kept.measure)
        for near in known:
            value = np.asarray(measure.read(example.problem, near.weights))
            size = 1 + np.abs(value).max()
            assert kept.holds(value, (1e-12 + 100 * near.radius) * size)


def exact_end(example, step, iterations):
    """What the excess loss of the true iterate is at most."""
    found = shadow(example.problem, example.start, step, iterations)
    _, high = true_losses(example, found)
    return high[0]


def norms(problem, weights):
    """Frobenius norm of each layer."""
    return [float(np.linalg.norm(np.asarray(w))) for w in problem.chain(weights)]


def loss_error(path):
    """How far off the loss at the end of a leap may be, by the error it tells."""
    sizes = norms(path.problem, path.weights)
    size = sum(np.prod(sizes[:j] + sizes[j + 1 :]) for j in range(len(sizes)))
    if isinstance(path.problem, Problem):
        size *= float(np.linalg.norm(np.asarray(path.problem.data.inputs_factor)))
    moved = 10 * path.error * size * np.sqrt(path.problem.net.parameters)
    excess = max(float(path["excess_loss"][-1]), 0.0)
    return np.sqrt(2 * excess) * moved + moved**2 / 2 + 1e-30


def flowed(example, certificate):
    """The flow of an example, and how far off each of its columns may be.

    The same flow with a hundred times the tolerance is off by more; ten times the
    absolute tolerance is left for where both of them round.
    """
    promise, last = certificate.guarantee, 4.0
    if certificate.promised is not None and certificate.promised > 0:
        last = min(1.1 * certificate.promised, 30.0)
    asked = (*promise.predictions, *(k.measure for k in promise.kept))
    fine, coarse = (
        tw.flow(
            example.problem,
            example.start,
            times=np.linspace(0, last, 9).tolist(),
            measures=sorted({name for name in asked if name in measures}),
            rtol=rtol,
            gradient_tolerance=0.0,
            compress=False,
        )
        for rtol in (1e-10, 1e-8)
    )
    noise = {
        name: 2 * np.abs(column - coarse[name]).max()
        + 1e-11 * (1 + np.abs(column).max())
        for name, column in fine.columns.items()
    }
    return fine, noise


def check_flow(example, certificate):
    """A flow at several times, to what the solver resolves."""
    promise = certificate.guarantee
    path, noise = flowed(example, certificate)
    excess, slack = path["excess_loss"], noise["excess_loss"]
    bound = promise.bound_at(path.clock)
    if bound is not None:
        assert np.all(excess <= bound + slack)
    if promise.floor is not None:
        assert np.all(excess >= balls.bounds(promise.floor)[0] - slack)
    if promise.lower is not None:
        assert np.all(excess >= promise.lower(path.clock) - slack)
    if certificate.promised is not None and path.clock[-1] >= certificate.promised:
        assert excess[-1] <= certificate.accuracy + slack
    for name, course in promise.predictions.items():
        gap = np.abs(course(path.clock) - path[name]).max()
        assert gap <= noise[name], (name, gap, noise[name])
    for kept in promise.kept:
        if kept.measure in path.columns:
            assert kept.holds(path[kept.measure], noise[kept.measure])


# The tests.


@pytest.mark.parametrize("name", THEOREMS)
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=4)
def test_a_drawn_case_is_as_its_theorem_says(name, seed):
    example, share = drawn(name, seed)
    certificate = certified(name, example, share)
    refuted = [c for c in certificate.conclusions if c.verdict is Verdict.REFUTED]
    assert not refuted, [c.line() for c in refuted]
    followed = name in DESCENTS and is_small(example.problem)
    if followed and promises_a_course(certificate):
        check_short(example, certificate)


TIGHT = Example(Playground(3), jnp.array([0.5, 0.6, 0.7]))


@pytest.mark.parametrize("part", ["curve", "lower", "floor", "kept"])
def test_a_promise_too_good_to_be_true_is_noticed(part):
    certificate = certified("playground.SharpConvergence", TIGHT)
    promise = certificate.guarantee
    better = {
        "curve": lambda clock: 0.999 * promise.bound_at(clock),
        "lower": lambda clock: 1.001 * promise.bound_at(clock),
        "floor": balls.scalar(0.4),
        "kept": tuple(replace(k, at_most=k.at_most * 0.99) for k in promise.kept),
    }
    check_short(TIGHT, certificate)
    told = replace(promise, **{part: better[part]})
    with pytest.raises(AssertionError):
        check_short(TIGHT, replace(certificate, guarantee=told))


@pytest.mark.parametrize("name", DESCENTS)
def test_a_witness_keeps_its_promise_for_thirty_exact_steps(name):
    if not witnesses(name):
        pytest.skip("its witnesses draw their start, or are too large to follow")
    for example in witnesses(name)[:3]:
        certificate = certified(name, example)
        assert certificate.verdict is Verdict.PROVED
        if promises_a_course(certificate):
            check_short(example, certificate)


@functools.cache
def long_runs(name):
    """Witnesses whose promise is a number of iterations that can be leapt over."""
    found = []
    for example in witnesses(name):
        certificate = certified(name, example)
        promised = certificate.promised
        if promised and certificate.probability is None and promised < np.inf:
            found.append((example, certificate))
    return found


@pytest.mark.parametrize("name", DESCENTS)
def test_the_promised_accuracy_is_reached_in_the_promised_iterations(name):
    if not long_runs(name):
        pytest.skip("it promises no number of iterations from a given start")
    example, certificate = long_runs(name)[0]
    iterations = int(min(certificate.promised, FARTHEST))
    goal = certificate.accuracy
    if iterations < certificate.promised:
        goal = certificate.guarantee.bound_at(np.array([iterations]))[0]
    if iterations <= FOLLOWED:
        assert exact_end(example, certificate.step_size, iterations) <= goal
        return
    path = tw.leap(
        example.problem,
        example.start,
        step_size=certificate.step_size,
        iterations=iterations,
        records=4,
        compress=False,
    )
    assert path["excess_loss"][-1] <= goal + loss_error(path)


@pytest.mark.parametrize("name", FLOWS)
def test_the_flow_of_a_witness_does_what_is_promised(name):
    if not witnesses(name):
        pytest.skip("it is about draws, or about no problem that flows here")
    example = witnesses(name)[0]
    certificate = certified(name, example)
    assert certificate.verdict is Verdict.PROVED
    if not promises_a_course(certificate) or float(example.problem.infimum) > 0:
        pytest.skip("it promises nothing of the motion, or the infimum is above zero")
    check_flow(example, certificate)


@pytest.mark.parametrize("name", FLOWS)
@pytest.mark.parametrize("seed", range(3))
def test_the_flow_of_a_disturbed_witness_does_what_is_promised(name, seed):
    if not witnesses(name) or float(witnesses(name)[0].problem.infimum) > 0:
        pytest.skip("it is about draws, or about no problem that flows here")
    rng = np.random.default_rng(seed)
    example = Example(*disturbed(witnesses(name)[0], rng))
    certificate = certified(name, example)
    if not promises_a_course(certificate):
        pytest.skip("it promises nothing of the motion of the disturbed case")
    check_flow(example, certificate)


@functools.cache
def chance(name):
    """A witness of a promise about chance, with its probability; or nothing."""
    theorem = THEOREMS[name]
    for example in theorem.witnesses():
        told = tw.certify(
            theorem, example.problem, example.start, step_size=example.step_size
        )
        if told.probability is not None:
            return example, told
    return None


@pytest.mark.parametrize("name", THEOREMS)
def test_what_is_promised_with_a_chance_happens_often_enough(name):
    if THEOREMS[name].kind is not Kind.CHANCE:
        pytest.skip("it is about no chance")
    theorem, (example, told) = THEOREMS[name], chance(name)
    case = Case(example.problem, example.start, told.case.step_size)
    draws = 100
    successes = sum(theorem.succeeds(case, seed) for seed in range(draws))
    # Clopper and Pearson: were the true chance higher, so few would be a wonder.
    limit = beta.ppf(1 - 1e-6, successes + 1, draws - successes)
    assert successes == draws or limit >= told.probability
