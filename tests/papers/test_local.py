"""The local certificates: their ingredients, and hundreds of descents they foretell."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import thalweg as tw
from papers.descents import (
    below,
    descend,
    distance,
    diverged,
    draw_net,
    gaussian,
    jacobian,
    losses,
    residual,
)
from thalweg.linalg import balls, enclose
from thalweg.theorems._base import Case, Verdict
from thalweg.theorems._proving import prove
from thalweg.theorems._shared.curvature import Curvature
from thalweg.theorems._shared.gram import iterate_of
from thalweg.theorems._shared.staircase import Staircase, gains_of, levels_below
from thalweg.theorems.anchored import Anchored
from thalweg.theorems.local import Local, LocalFlow, PathIntegrated

SEEDS = st.integers(0, 2**32 - 1)


def posed(seed, **options):
    rng = np.random.default_rng(seed)
    problem = draw_net(rng, **options)
    return rng, problem, gaussian(rng, problem, rng.uniform(0.5, 1.5))


@given(seed=SEEDS)
@settings(max_examples=40)
def test_the_numbers_read_off_an_iterate_are_those_of_the_derivative(seed):
    _, problem, layers = posed(seed)
    iterate = iterate_of(Case(problem, problem.check(layers)))
    values = np.linalg.svd(jacobian(layers, problem), compute_uv=False)
    rows = residual(layers, problem).size
    least = values[rows - 1] if values.size >= rows else 0.0
    low, high = iterate.ends
    slack = 1e-7 * values[0]
    assert balls.bounds(low)[0] <= least + slack
    assert least - slack <= balls.bounds(low)[1]
    assert high.contains(values[0]) or abs(float(high.mid()) - values[0]) < slack
    size = np.linalg.norm(residual(layers, problem))
    assert abs(float(iterate.error.mid()) - size) <= 1e-12 * (1 + size)


@given(seed=SEEDS, radius=st.floats(1e-3, 2))
@settings(max_examples=40)
def test_the_derivative_changes_no_faster_than_the_curvature_says(seed, radius):
    rng, problem, layers = posed(seed)
    iterate = iterate_of(Case(problem, problem.check(layers)))
    bound = Curvature.of(iterate.norms, iterate.depth).at(radius)
    points = []
    for _ in range(2):
        away = [rng.standard_normal(w.shape) for w in layers]
        size = radius * rng.uniform() / np.sqrt(sum(np.sum(v**2) for v in away))
        points.append([w + size * v for w, v in zip(layers, away, strict=True)])
    change = jacobian(points[0], problem) - jacobian(points[1], problem)
    turned = np.linalg.norm(change, 2)
    assert turned <= balls.bounds(bound)[1] * distance(*points) * (1 + 1e-12) + 1e-14


def test_the_curvature_of_two_layers_is_the_size_of_the_inputs():
    rng = np.random.default_rng(3)
    data = tw.Moments.from_data(
        rng.standard_normal((9, 3)), rng.standard_normal((9, 2))
    )
    problem = tw.Problem(tw.LinearNet((3, 4, 2)), data)
    iterate = iterate_of(Case(problem, problem.check(gaussian(rng, problem))))
    size = np.linalg.norm(np.asarray(data.inputs_factor), 2)
    for radius in (0.0, 0.7):
        ball = Curvature.of(iterate.norms, 2).at(radius)
        assert abs(float(ball.mid()) / size - 1) < 1e-12


def recursion(start, levels, gains, count):
    """The staircase one step at a time."""
    found = [start]
    for _ in range(count):
        i = np.flatnonzero(levels >= found[-1]).max()
        below = [
            (1 - g) * top
            for g, top in zip(gains[i + 1 :], levels[i + 1 :], strict=True)
        ]
        found.append(max([(1 - gains[i]) * found[-1], *below]))
    return np.array(found)


@given(seed=SEEDS, ratio=st.sampled_from([0.7, 0.9, 0.97]))
@settings(max_examples=30)
def test_a_staircase_is_its_recursion_step_by_step(seed, ratio):
    rng = np.random.default_rng(seed)
    levels = levels_below(2.0, ratio, 1e-2)
    gains = np.exp(rng.uniform(np.log(1e-3), np.log(0.5), levels.size))
    stairs = Staircase(2.0, levels, gains)
    plain = recursion(2.0, levels, gains, 300)
    bound = np.sqrt(2 * stairs.loss_at(np.arange(301)))
    assert np.all(bound >= plain * (1 - 1e-13))
    assert np.all(bound <= plain * (1 + 1e-9))
    for accuracy in (1e-1, 1e-3):
        reached = np.flatnonzero(0.5 * plain**2 <= accuracy)
        if reached.size:
            assert balls.bounds(stairs.count(balls.scalar(accuracy)))[1] == reached[0]


@given(
    step=st.floats(1e-9, 3),
    low=st.floats(0, 2),
    more=st.floats(0, 2),
    bend=st.floats(0, 3),
    at=st.floats(0, 3),
)
def test_gains_are_below_the_larger_of_both_formulas(step, low, more, bend, at):
    high = low + more
    with balls.working_precision(200):
        eta, s, size, h, e = map(balls.scalar, (step, low, high, bend, at))
        one = balls.smallest([eta * s * s, 2 - eta * size * size])
        one -= h * eta * eta * size * size * e / 2
        other = eta * s * s * (1 - eta * size * size / 2 - eta * h * e / 2)
        exact = balls.largest([one, other, balls.scalar(0)])
    gain = gains_of(step, *(np.array([x]) for x in (low, high, bend, at)))[0]
    assert gain <= exact
    if step * high**2 < 1.9 and step * bend * at < 1:
        assert gain >= float(exact.mid()) * (1 - 1e-12) - 1e-13


def stepped(rng, problem, layers):
    sharpness = np.linalg.norm(jacobian(layers, problem), 2) ** 2
    return rng.choice([0.05, 0.3, 0.9]) / max(sharpness, 1.0)


@pytest.mark.parametrize("theorem", [Local(), PathIntegrated(), Anchored()], ids=str)
@given(seed=SEEDS)
@settings(max_examples=30)
def test_no_descent_breaks_a_promise_made_on_its_way(theorem, seed):
    rng, problem, layers = posed(seed, wide=True)
    step = stepped(rng, problem, layers)
    iterates = descend(layers, problem, step, 400)
    if diverged(iterates):
        return
    found = losses(iterates, problem)
    for t in {0, *rng.integers(0, 300, 2).tolist()}:
        promise = prove(
            theorem, Case(problem, problem.check(iterates[t]), step)
        ).guarantee
        if promise is None:
            continue
        rest = found[t:]
        bound = promise.bound_at(np.arange(rest.size))
        assert below(rest, bound, layers, problem)
        radius = balls.bounds(promise.values["radius R"])[1]
        moved = max(distance(w, iterates[t]) for w in iterates[t::7])
        assert moved <= radius * (1 + 1e-9) + 1e-13
        count = promise.time_to(1e-6)
        if count < rest.size:
            assert rest[int(count)] <= 1e-6


@given(seed=SEEDS)
@settings(max_examples=20)
def test_the_promise_holds_of_every_start_within_the_radius(seed):
    rng, problem, layers = posed(seed, wide=True)
    step = stepped(rng, problem, layers)
    iterates = descend(layers, problem, step, 300)
    if diverged(iterates):
        return
    near = iterates[-1]
    radius = 10.0 ** rng.uniform(-8, -2)
    promise = prove(
        PathIntegrated(), Case(problem, problem.check(near), step, radius=radius)
    ).guarantee
    if promise is None:
        return
    for _ in range(3):
        away = [rng.standard_normal(w.shape) for w in near]
        start = [
            w + radius * v / np.linalg.norm(v) for w, v in zip(near, away, strict=True)
        ]
        found = losses(descend(start, problem, step, 200), problem)
        bound = promise.bound_at(np.arange(found.size))
        assert below(found, bound, start, problem)


@given(seed=SEEDS)
@settings(max_examples=15)
def test_the_integrated_path_proves_whatever_one_radius_proves(seed):
    rng, problem, layers = posed(seed, wide=True)
    step = stepped(rng, problem, layers)
    iterates = descend(layers, problem, step, 200)
    for later in [] if diverged(iterates) else iterates[::40]:
        case = Case(problem, problem.check(later), step)
        one, other = prove(Local(), case), prove(PathIntegrated(), case)
        if one.guarantee is not None:
            assert other.guarantee is not None
            # Cells cost a little where the path is hardly any.
            assert (
                other.guarantee.time_to(1e-6) <= 1.05 * one.guarantee.time_to(1e-6) + 1
            )


@given(seed=SEEDS, share=st.floats(0.8, 1.2))
@settings(max_examples=10)
def test_the_flow_keeps_its_promise(seed, share):
    rng = np.random.default_rng(seed)
    problem = tw.Problem(
        tw.LinearNet((2, 3, 2)), tw.Moments.whitened(np.diag([2.0, 1.0]))
    )
    chain = tw.linalg.chain.balanced_factors(share * problem.target, (2, 3, 2))
    start = tuple(np.asarray(w) + 0.01 * rng.standard_normal(w.shape) for w in chain)
    certificate = tw.certify(LocalFlow(), problem, start)
    if certificate.verdict is not Verdict.PROVED:
        return
    path = tw.flow(problem, start, times=[0.0, 0.2, 1.0, 2.0])
    bound = certificate.guarantee.bound_at(path.times)
    assert np.all(path["excess_loss"] <= bound + 1e-9 * bound[0])


def test_one_layer_is_certified_from_anywhere():
    # K is constant, so the count is that of the linear model.
    rng = np.random.default_rng(0)
    data = tw.Moments.from_data(
        rng.standard_normal((9, 3)), rng.standard_normal((9, 2))
    )
    problem = tw.Problem(tw.LinearNet((3, 2)), data)
    start = (10 * rng.standard_normal((2, 3)),)
    values = np.linalg.svd(np.asarray(data.inputs_factor), compute_uv=False) ** 2
    step = 1 / values[0]
    promised = tw.certify(Anchored(), problem, start, step_size=step).promised
    size = np.linalg.norm(residual(start, problem))
    count = np.log(size / np.sqrt(2e-6)) / -np.log1p(-step * values[-1])
    found = losses(descend(start, problem, step, int(promised)), problem)
    assert found[-1] <= 1e-6
    assert promised <= np.ceil(count) + 1
    assert promised <= np.flatnonzero(found <= 1e-6)[0] + 1


def test_without_a_step_nothing_is_decided():
    rng = np.random.default_rng(0)
    problem = tw.Problem(tw.LinearNet((2, 3, 2)), tw.Moments.whitened(np.eye(2)))
    case = Case(problem, problem.check(gaussian(rng, problem)), None, enclose)
    for theorem in (Local(), PathIntegrated(), Anchored()):
        verdicts = {h.verdict for h in theorem.hypotheses(case)}
        assert Verdict.UNDECIDED in verdicts or Verdict.REFUTED in verdicts


@pytest.mark.parametrize("widths", [(9, 4, 5, 3), (12, 3, 4, 2)])
@pytest.mark.parametrize("radius", [0.0, 1e-9])
def test_a_wide_white_net_is_read_from_a_narrow_one(widths, radius, monkeypatch):
    rng = np.random.default_rng(1)
    goal = rng.standard_normal((widths[-1], widths[0]))
    problem = tw.Problem(tw.LinearNet(widths), tw.Moments.whitened(goal))
    start = problem.check(gaussian(rng, problem))
    whole = iterate_of(Case(problem, start, radius=radius)).ends
    monkeypatch.setattr("thalweg.theorems._shared.gram._WHOLE_SPECTRUM", 1)
    narrow = iterate_of(
        Case(problem, problem.check([w + 0 for w in start]), radius=2 * radius)
    )
    for one, other in zip(whole, narrow.ends, strict=True):
        assert one.overlaps(other)
        assert float(other.rad()) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(300))
def test_three_hundred_nets_keep_every_promise(seed):
    rng, problem, layers = posed(seed, wide=True)
    step = stepped(rng, problem, layers)
    iterates = descend(layers, problem, step, 1500)
    if diverged(iterates):
        return
    found = losses(iterates, problem)
    for t in np.unique(np.linspace(0, 1400, 9).astype(int)):
        for theorem in (Local(), PathIntegrated(), Anchored()):
            case = Case(problem, problem.check(iterates[t]), step)
            promise = prove(theorem, case).guarantee
            if promise is not None:
                bound = promise.bound_at(np.arange(found.size - t))
                assert below(found[t:], bound, layers, problem)


# Fractions of the whole run at which a certificate first holds, and by which the end
# it promises is within half as much again: never later than told here.
TABLE = {
    "near identity": ((4, 4, 4, 4), 1, 0.2, 0.25),
    "two Gaussian layers": ((5, 8, 3), 2, 0.25, 0.3),
    "Xavier": ((10, 24, 24, 4), 6, 0.36, 0.45),
    "wide": ((6, 40, 3), 7, 0.1, 0.15),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", TABLE)
def test_the_table_of_first_promises(name):
    widths, seed, first, tight = TABLE[name]
    rng = np.random.default_rng(seed)
    goal = rng.standard_normal((widths[-1], widths[0])) / np.sqrt(widths[0])
    if name == "near identity":
        goal = np.eye(4) + 0.6 * goal
    problem = tw.Problem(tw.LinearNet(widths), tw.Moments.whitened(goal))
    layers = [
        np.sqrt(2 / sum(shape)) * rng.standard_normal(shape)
        for shape in problem.net.shapes
    ]
    if name == "near identity":
        layers = [np.eye(4) + 0.1 * rng.standard_normal((4, 4)) for _ in layers]
    sharpness = np.linalg.norm(jacobian(layers, problem), 2) ** 2
    iterates = descend(layers, problem, 0.25 / sharpness, 3000)
    found = losses(iterates, problem)
    end = int(np.flatnonzero(found <= 1e-6)[0])
    begun, best = None, None
    for t in range(0, end, max(1, end // 40)):
        case = Case(problem, problem.check(iterates[t]), 0.25 / sharpness)
        promise = prove(Anchored(), case).guarantee
        if promise is None:
            continue
        begun = t if begun is None else begun
        if t + promise.time_to(1e-6) <= 1.5 * end:
            best = t
            break
    assert begun <= first * end
    assert best <= tight * end
