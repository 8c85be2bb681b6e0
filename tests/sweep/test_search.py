"""Bracketing against brute force: on drawn curves, and on real descents."""

import math

import jax
import numpy as np
import pytest

from thalweg._core.errors import DomainError, ShapeError, UnknownName
from thalweg.doors import init
from thalweg.motion.descend import descend
from thalweg.problem.moments import Moments
from thalweg.problem.nets import LinearNet
from thalweg.problem.problem import Problem
from thalweg.problem.scalar import Playground
from thalweg.sweep.search import Request, Result, Search

INFINITE = math.inf


def ended(costs, request, *, limit, budget=10**6):
    """Return how a run ends whose iterations are given by a curve."""
    cost, allowed = costs[request.index], request.budget or budget
    if request.budget == 0:
        allowed = 0
    if cost < INFINITE and cost <= allowed:
        return Result("converged", int(cost), 1e-6)
    if cost < INFINITE or request.index <= limit:
        away = min((abs(request.index - j) for j, _ in finite(costs)), default=0)
        return Result("out of budget", allowed, 1.0 + away)
    return Result("diverged", 3, INFINITE)


def finite(costs):
    """Return places and costs of runs that converge."""
    return [(j, cost) for j, cost in enumerate(costs) if cost < INFINITE]


def searched(curves, limits, method="bracket"):
    """Return what a search of several curves finds, and how it went."""
    search = Search.start(len(curves), range(1, 1 + len(curves[0])), method=method)
    asked = []
    while search.requests:
        asked += search.requests
        search = search.feed(
            [ended(curves[r.point], r, limit=limits[r.point]) for r in search.requests]
        )
    return search.found, asked


def brute(costs):
    """Return the first place of the smallest cost, and that cost."""
    best = min(costs)
    return (None if best == INFINITE else costs.index(best)), best


def unimodal(costs):
    """Return whether costs fall, not strictly, and then rise, not strictly."""
    place = costs.index(min(costs))
    falling, rising = costs[: place + 1], costs[place:]
    return falling == sorted(falling, reverse=True) and rising == sorted(rising)


def drawn_curve(rng, size):
    """Return a random unimodal curve with plateaus and failures, and the limit."""
    start, end = sorted(rng.integers(0, size + 1, 2))
    if start == end:
        return [INFINITE] * size, int(rng.integers(-1, size))
    values = np.sort(rng.integers(0, 3 * size, end - start))
    split = rng.integers(0, len(values) + 1)
    pick = rng.permutation(len(values)) < split
    curve = [*sorted(values[pick], reverse=True), *sorted(values[~pick])]
    costs = [INFINITE] * start + [float(c) for c in curve] + [INFINITE] * (size - end)
    return costs, int(start) - 1


@pytest.mark.parametrize("size", [1, 2, 3, 5, 9, 17, 40])
def test_bracketing_equals_brute_force_on_unimodal_curves(size):
    rng = np.random.default_rng(size)
    drawn = [drawn_curve(rng, size) for _ in range(400)]
    drawn = [(costs, limit) for costs, limit in drawn if unimodal(costs)]
    assert len(drawn) > 50
    found, _ = searched(*zip(*drawn, strict=True))
    some = [
        (one, brute(costs))
        for one, (costs, _) in zip(found, drawn, strict=True)
        if one.certain or one.index is not None
    ]
    assert all((one.index, one.cost) == best for one, best in some)
    assert all(one.certain for one, best in some if best[0] is not None)


@pytest.mark.parametrize("limit", [-1, 3, 16])
def test_a_point_where_nothing_converges_has_no_best_value(limit):
    found, _ = searched([[INFINITE] * 17], [limit])
    assert (found[0].index, found[0].value, found[0].cost) == (None, None, INFINITE)
    assert found[0].certain == (found[0].evaluations == 17)


def test_where_all_diverge_every_value_is_evaluated():
    found, _ = searched([[INFINITE] * 17], [-1])
    assert found[0].certain
    assert found[0].evaluations == 17


def test_a_wrong_limit_does_not_hide_what_converges():
    """Runs above the limit that neither converge nor diverge look too slow."""
    costs = [INFINITE] * 3 + [900.0, 450.0, 220.0, 110.0] + [INFINITE] * 10
    found, _ = searched([costs], [16])
    assert found[0].index == 6


@pytest.mark.parametrize("size", [5, 17])
def test_a_curve_seen_not_to_be_unimodal_is_evaluated_whole(size):
    rng = np.random.default_rng(0)
    curves = [[float(c) for c in rng.integers(1, 50, size)] for _ in range(300)]
    found, _ = searched(curves, [-1] * len(curves))
    whole = [k for k, one in enumerate(found) if one.evaluations == size]
    assert len(whole) > 60
    assert all((found[k].index, found[k].cost) == brute(curves[k]) for k in whole)
    assert all(found[k].certain for k in whole)


def test_later_runs_get_the_best_iterations_as_budget():
    costs = [float(2 ** (20 - k)) for k in range(15)] + [INFINITE] * 2
    found, asked = searched([costs], [-1])
    best = INFINITE
    for request in asked:
        assert request.budget == (None if best == INFINITE else best)
        best = min(best, costs[request.index])
    assert found[0].index == 14
    assert found[0].budget is not None or asked[0].index == 14


def test_exhaustive_asks_for_everything_once():
    costs = [9.0, 4.0, 6.0, 4.0, INFINITE]
    found, asked = searched([costs], [-1], method="exhaustive")
    assert asked == [Request(0, j, float(j + 1), None) for j in range(5)]
    assert (found[0].index, found[0].certain, found[0].evaluations) == (1, True, 5)


def test_an_end_of_the_grid_is_told():
    found, _ = searched([[5.0, 4.0, 3.0], [5.0, 3.0, 4.0]], [-1, -1])
    assert [one.edge for one in found] == [True, False]


def test_the_smallest_loss_counts_runs_out_of_budget():
    losses = [0.5, 0.2, 0.1, 0.3, math.nan]
    search = Search.start(1, range(1, 6), goal="loss")
    while search.requests:
        assert all(request.budget is None for request in search.requests)
        search = search.feed(
            [Result("out of budget", 100, losses[r.index]) for r in search.requests]
        )
    assert (search.found[0].index, search.found[0].cost) == (2, 0.1)


def test_many_points_share_rounds():
    curves = [[8.0, 4.0, 2.0, INFINITE], [INFINITE] * 4, [1.0] * 4]
    found, asked = searched(curves, [-1] * 3)
    alone = [searched([curve], [-1]) for curve in curves]
    assert list(found) == [one[0][0] for one in alone]
    assert len(asked) == sum(len(one[1]) for one in alone)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"grid": [2.0, 1.0]}, DomainError, "ascending"),
        ({"grid": []}, DomainError, "ascending"),
        ({"grid": [1.0], "goal": "speed"}, UnknownName, "no entry 'speed'"),
        ({"grid": [1.0], "method": "brackets"}, UnknownName, "Did you mean 'bracket'"),
        ({"grid": [1.0], "points": 0}, DomainError, "points is 0"),
    ],
)
def test_what_cannot_be_searched_is_told(arguments, error, words):
    with pytest.raises(error, match=words):
        Search.start(**{"points": 1, **arguments})


def test_results_must_match_requests():
    with pytest.raises(ShapeError, match="0 results came for 1 requests"):
        Search.start(1, [1.0, 2.0]).feed([])


def real_cells():
    """Return problems with starts: playgrounds and 5-5-5 nets of several stds."""

    rng = np.random.default_rng(7)
    cells = []
    for depth in (2, 3):
        starts = rng.uniform(0.4, 1.3, (30, depth))
        cells.append((Playground(depth), starts))
    target = rng.standard_normal((5, 5)) / 3
    problem = Problem(LinearNet((5, 5, 5)), Moments.whitened(target))
    chains = [
        init(name, std=std).draw(jax.random.key(seed), problem.net)
        for name in ("gaussian", "balanced")
        for std in (0.3, 0.6)
        for seed in range(12)
    ]
    cells.append((problem, jax.tree.map(lambda *w: np.stack(w), *chains)))
    return cells


GRID = [10 ** (k / 4 - 2) for k in range(13)]
MOST = 800


def brute_forced(problem, starts):
    """Return status and iterations of every start at every value of the grid."""

    count = len(jax.tree.leaves(starts)[0])
    many = jax.tree.map(lambda w: np.repeat(np.asarray(w), len(GRID), axis=0), starts)
    path = descend(
        problem,
        many,
        step_size=np.tile(GRID, count),
        iterations=MOST,
        accuracy=1e-5,
        records=2,
    )
    ends = [(str(one.status), one.iteration, one.excess_loss) for one in path.outcome]
    return [ends[k * len(GRID) : (k + 1) * len(GRID)] for k in range(count)]


def test_bracketing_equals_brute_force_on_real_descents(record_property):
    """Cutting a run at a budget is what the engine does with it."""
    table = [row for cell in real_cells() for row in brute_forced(*cell)]
    assert len(table) >= 100
    search = Search.start(len(table), GRID)
    while search.requests:
        search = search.feed([cut(table, request) for request in search.requests])
    whole = sum(iterations for row in table for _, iterations, _ in row)
    spent = sum(one.spent for one in search.found)
    differs = 0
    for row, one in zip(table, search.found, strict=True):
        costs = [float(i) if s == "converged" else INFINITE for s, i, _ in row]
        same = (one.index, one.cost) == brute(costs)
        if unimodal(costs) and one.index is not None:
            assert same
            assert one.certain
        differs += not same
    evaluations = sum(one.evaluations for one in search.found) / (
        len(GRID) * len(table)
    )
    record_property("evaluations", evaluations)
    record_property("iterations", spent / whole)
    record_property("differs", differs)
    assert evaluations < 0.7
    assert spent / whole < 0.25


def cut(table, request):
    """Return the result of a run stopped by a budget, from the one that was not."""
    status, iterations, excess = table[request.point][request.index]
    if request.budget is not None and iterations > request.budget:
        return Result("out of budget", request.budget, 1.0)
    return Result(status, iterations, excess)


def test_a_budget_of_exactly_the_iterations_converges():
    """What racing rests on: a tie is seen as one."""

    asked = {"step_size": 0.3, "accuracy": 1e-5}
    free = descend(Playground(3), [0.5, 0.7, 0.9], iterations=1000, **asked).outcome
    assert free.converged
    for budget in (free.iteration, free.iteration - 1):
        raced = descend(Playground(3), [0.5, 0.7, 0.9], iterations=budget, **asked)
        assert raced.outcome.converged == (budget == free.iteration)
