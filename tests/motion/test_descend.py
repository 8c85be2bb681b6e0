"""Gradient descent against plain NumPy loops and printed numbers."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import net_oracles
import thalweg as tw
from thalweg._core.errors import (
    DataError,
    DomainError,
    RunFailed,
    ShapeError,
    ThalwegError,
    UnknownName,
)
from thalweg.measures import shelf
from tolerances import EPS, close, is_a_sentence, norms, printed, same_arrays

GOAL = np.random.default_rng(5).standard_normal((2, 3))
WIDTHS = (3, 4, 2)
NAMES = [name for name in shelf.names() if tw.measure(name).suits(tw.LinearNet(WIDTHS))]


@functools.cache
def problem():
    return tw.Problem(net=tw.LinearNet(WIDTHS), data=tw.Moments.whitened(GOAL))


def start(seed=0, std=0.5, runs=None):
    draw = np.random.default_rng(seed).standard_normal
    lead = () if runs is None else (runs,)
    return tuple(std * draw((*lead, *shape)) for shape in problem().net.shapes)


def losses_close(found, wanted, ulps=64, scale=1.0):
    """Compare losses by the norms of their residuals, whose rounding is known."""
    roots = [np.sqrt(2 * np.asarray(values)) for values in (found, wanted)]
    close(*roots, ulps=ulps, scale=scale)


@functools.cache
def benchmark():
    """The standardised problem of PEERS.md and its start."""
    draw = np.random.default_rng(0).standard_normal((10, 10))
    goal = draw / np.linalg.norm(draw, 2)
    rng = np.random.default_rng(1)
    weights = [0.1 * rng.standard_normal(s) for s in ((32, 10), (32, 32), (10, 32))]
    posed = tw.Problem(tw.LinearNet((10, 32, 32, 10)), tw.Moments.whitened(goal))
    return posed, goal, weights


def test_the_benchmark_is_that_of_a_plain_loop_at_every_record():
    posed, goal, weights = benchmark()
    path = tw.descend(posed, weights, step_size=0.01, iterations=10_000, records=60)
    assert printed(path["loss"][-1], "3.0205817e-14")
    rows = net_oracles.descent(weights, goal, 0.01, set(path.iterations.tolist()))
    wanted = np.array([rows[i][0] for i in path.iterations])
    # 1e-12 of the loss while it is large, 64 roundings of the residual at the end.
    losses_close(path["loss"], wanted)
    early = wanted > 1e-4
    np.testing.assert_allclose(path["loss"][early], wanted[early], rtol=1e-12)
    for found, layer in zip(path.weights, rows[10_000][1], strict=True):
        close(found, layer, ulps=64, scale=1.0)


@pytest.mark.parametrize(
    ("x", "c", "first", "stops"),
    [
        ([0.5] * 2, 1, "0.28125", 21),
        ([0.5] * 4, 1, "0.439453125", 38),
        ([0.5] * 8, 1, "0.49610137939453125", 279),
        ([0.5] * 10, 1, "0.4990239143371582", 987),
        ([0.4, 0.8, 1.2], 3, "0.189728", 169),
    ],
)
def test_the_lectures_starts_converge_in_the_iterations_tabulated(x, c, first, stops):
    toy, step = tw.Playground(len(x)), 1 / (3 * len(x) * c**2)
    path = tw.descend(toy, x, step_size=step, iterations=2000, accuracy=1e-6, records=9)
    assert path.outcome.converged
    assert path.outcome.iteration == path.iterations[-1] == stops
    assert printed(path["loss"][0], first)


def test_the_uneven_start_of_the_lecture_goes_where_tabulated():
    path = tw.descend(
        tw.Playground(3),
        [0.4, 0.8, 1.2],
        step_size=1 / 81,
        iterations=2000,
        accuracy=1e-6,
        at=[1],
    )
    assert printed(path["loss"][1], "0.18386687948494726")
    for found, text in zip(
        path.weights, ("0.73412", "1.00894", "1.34821"), strict=True
    ):
        assert printed(float(found), text)


def test_a_hundred_steps_at_depth_eight_end_where_tabulated():
    path = tw.descend(
        tw.Playground(8), [0.5] * 8, step_size=1 / 24, iterations=100, at=[]
    )
    assert printed(path["loss"][-1], "0.49251976630602107")


@given(seed=st.integers(0, 2**32 - 1), std=st.sampled_from([0.01, 0.3, 1.0]))
@settings(max_examples=20)
def test_every_record_is_that_of_a_plain_loop(seed, std):
    weights = start(seed, std)
    path = tw.descend(problem(), weights, step_size=0.02, iterations=60, every=7)
    rows = net_oracles.descent(weights, GOAL, 0.02, set(path.iterations.tolist()))
    losses_close(path["loss"], [rows[i][0] for i in path.iterations], scale=10.0)
    for found, layer in zip(path.weights, rows[60][1], strict=True):
        close(found, layer, ulps=256, scale=10.0)


@pytest.mark.parametrize("momentum", [0.5, 0.9])
def test_momentum_is_that_of_a_plain_loop(momentum):
    weights = start()
    path = tw.descend(
        problem(), weights, step_size=0.02, momentum=momentum, iterations=60, every=7
    )
    rows = net_oracles.descent(
        weights, GOAL, 0.02, set(path.iterations.tolist()), momentum
    )
    losses_close(path["loss"], [rows[i][0] for i in path.iterations], scale=10.0)
    for found, layer in zip(path.weights, rows[60][1], strict=True):
        close(found, layer, ulps=256, scale=10.0)


def test_raw_data_descend_as_their_samples_do():
    rng = np.random.default_rng(2)
    inputs = rng.standard_normal((30, 3))
    labels = rng.standard_normal((30, 2))
    posed = tw.Problem(problem().net, tw.Moments.from_data(inputs, labels))
    weights = list(start())
    path = tw.descend(posed, weights, step_size=0.05, iterations=40, at=[])
    for _ in range(40):
        error = (weights[1] @ weights[0] @ inputs.T - labels.T) / 30
        slopes = weights[1].T @ error @ inputs, error @ inputs @ weights[0].T
        weights = [w - 0.05 * g for w, g in zip(weights, slopes, strict=True)]
    wanted = np.sum((weights[1] @ weights[0] @ inputs.T - labels.T) ** 2) / 60
    assert path["loss"][-1] == pytest.approx(wanted, rel=1e-13)
    for found, layer in zip(path.weights, weights, strict=True):
        close(found, layer, ulps=256, scale=10.0)


@given(seed=st.integers(0, 2**32 - 1), step=st.sampled_from([1e-4, 0.03, 1.0]))
@settings(max_examples=20)
def test_one_step_moves_the_invariants_by_the_exact_identity(seed, step):
    # D+ = D + step^2 (g_up' g_up - g_low g_low'), MATH G.8.
    weights = start(seed)
    path = tw.descend(problem(), weights, step_size=step, iterations=1, at=[])
    low, up = net_oracles.gradient(list(weights), np.eye(3), GOAL)
    before, after = (np.asarray(tw.invariants(w)[0]) for w in (weights, path.weights))
    scale = norms(path.weights) ** 2 + norms(weights) ** 2 + 10
    close(after, before + step**2 * (up.T @ up - low @ low.T), ulps=16, scale=scale)


def test_a_batch_is_a_loop_of_single_runs_to_a_few_roundings():
    # Not bit for bit: XLA multiplies stacked matrices in another order.
    weights = start(runs=5)
    batch = tw.descend(problem(), weights, step_size=0.02, iterations=300, every=50)
    assert batch.runs == 5
    assert batch["loss"].shape == (5, 7)
    for run in range(5):
        own = tuple(w[run] for w in weights)
        alone = tw.descend(problem(), own, step_size=0.02, iterations=300, every=50)
        losses_close(batch["loss"][run], alone["loss"], scale=10.0)
        for found, layer in zip(batch.run(run).weights, alone.weights, strict=True):
            close(found, layer, ulps=256, scale=10.0)


ENDINGS = [
    ([0.5, 0.5], "converged"),
    ([0.0, 0.0], "stalled"),
    ([200.0, 100.0], "diverged"),
    ([1e-4, 1e-4], "out of budget"),
    ([2.0, 1.0], "converged"),
]
TOY_RUN = {"step_size": 0.1, "iterations": 80, "accuracy": 1e-6, "every": 9}


@functools.cache
def mixed_batch():
    starts = np.array([x for x, _ in ENDINGS])
    return tw.descend(tw.Playground(2), starts, **TOY_RUN)


@pytest.mark.parametrize("run", range(len(ENDINGS)))
def test_runs_of_a_batch_end_each_in_its_own_way(run):
    x, how = ENDINGS[run]
    alone = tw.descend(tw.Playground(2), x, **TOY_RUN)
    together = mixed_batch().run(run)
    assert str(together.outcome.status) == str(alone.outcome.status) == how
    assert together.outcome.iteration == alone.outcome.iteration
    same_arrays(together.iterations, alone.iterations)
    losses_close(together["loss"], alone["loss"], ulps=16)
    np.testing.assert_allclose(together.weights, alone.weights, rtol=1e-13)


def test_an_ended_run_of_a_batch_holds_its_last_state():
    path = mixed_batch()
    for run, outcome in enumerate(path.outcome):
        kept = outcome.iteration - outcome.diverged
        held = path["loss"][run, path.iterations >= kept]
        assert np.all(held == held[0])
        assert held[0] == path.run(run)["loss"][-1]


def test_a_batch_counts_its_outcomes():
    assert mixed_batch().outcome.counts() == {
        "converged": 2,
        "stalled": 1,
        "diverged": 1,
        "out of budget": 1,
    }


def test_step_sizes_make_a_batch_from_one_start():
    steps = [0.01, 0.05, 0.1]
    batch = tw.descend(problem(), start(), step_size=steps, iterations=60, every=20)
    assert batch.batched
    for run, step in enumerate(steps):
        alone = tw.descend(problem(), start(), step_size=step, iterations=60, every=20)
        losses_close(batch["loss"][run], alone["loss"], scale=10.0)
        assert batch.run(run).step_size == step


def test_starts_and_step_sizes_are_paired():
    weights, steps = start(runs=2), [0.01, 0.05]
    batch = tw.descend(problem(), weights, step_size=steps, iterations=60, every=20)
    for run, step in enumerate(steps):
        own = tuple(w[run] for w in weights)
        alone = tw.descend(problem(), own, step_size=step, iterations=60, every=20)
        losses_close(batch["loss"][run], alone["loss"], scale=10.0)


def test_a_batch_of_one_stays_a_batch():
    batch = tw.descend(problem(), start(runs=1), step_size=0.02, iterations=60, every=7)
    alone = tw.descend(
        problem(), start(runs=1), step_size=[0.02], iterations=60, every=7
    )
    assert batch.runs == alone.runs == 1
    assert batch["loss"].shape == (1, 10)


def test_records_come_at_every_so_many_iterations_and_the_last():
    path = tw.descend(problem(), start(), step_size=0.02, iterations=60, every=7)
    assert path.iterations.tolist() == [0, 7, 14, 21, 28, 35, 42, 49, 56, 60]


def test_records_come_exactly_where_asked():
    path = tw.descend(problem(), start(), step_size=0.02, iterations=60, at=[31, 5, 5])
    assert path.iterations.tolist() == [0, 5, 31, 60]


def test_recording_less_changes_nothing():
    common = {"step_size": 0.02, "iterations": 60}
    dense = tw.descend(problem(), start(), every=1, **common)
    sparse = tw.descend(problem(), start(), at=[], **common)
    same_arrays(dense["loss"][[0, -1]], sparse["loss"])
    for one, other in zip(dense.weights, sparse.weights, strict=True):
        same_arrays(one, other)


@functools.cache
def recorded():
    return tw.descend(
        problem(),
        start(),
        step_size=0.02,
        iterations=60,
        at=[20],
        measures=NAMES,
    )


@pytest.mark.parametrize("name", NAMES)
def test_any_measure_can_be_recorded(name):
    path = recorded()
    reached = tw.descend(problem(), start(), step_size=0.02, iterations=20, at=[])
    for row, weights in ((0, path.start), (1, reached.weights), (2, path.weights)):
        wanted = tw.measure(name).read(problem(), weights)
        close(path[name][row], wanted, ulps=256, scale=10.0)


def test_no_iterations_give_the_start():
    path = tw.descend(problem(), start(), step_size=0.02, iterations=0)
    assert path.iterations.tolist() == [0]
    assert path.outcome.iteration == 0
    for found, layer in zip(path.weights, start(), strict=True):
        same_arrays(found, layer)


@pytest.mark.parametrize("accuracy", [1.0, 0.3, 1e-2, 1e-4, 1e-9])
def test_the_accuracy_is_met_at_the_first_possible_iteration(accuracy):
    path = tw.descend(
        problem(),
        start(),
        step_size=0.05,
        iterations=5000,
        accuracy=accuracy,
        every=1000,
    )
    stop = path.outcome.iteration
    assert path.outcome.converged
    assert path.iterations[-1] == stop
    again = tw.descend(
        problem(), start(), step_size=0.05, iterations=stop, at=[stop - 1]
    )
    *_, before, at = again["excess_loss"]
    assert at <= accuracy < before
    same_arrays(at, path["excess_loss"][-1])


def test_a_start_within_the_accuracy_converges_at_once():
    path = tw.descend(problem(), start(), step_size=0.05, iterations=9, accuracy=1e9)
    assert path.outcome.converged
    assert path.outcome.iteration == 0
    assert path.iterations.tolist() == [0]


def test_a_saddle_is_a_stall_at_once():
    zero = [np.zeros(shape) for shape in problem().net.shapes]
    path = tw.descend(problem(), zero, step_size=0.05, iterations=5000, accuracy=1e-9)
    assert path.outcome.stalled
    assert path.outcome.iteration == 0


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_a_run_at_rest_to_the_last_bit_stalls(momentum):
    common = {"step_size": 0.01, "momentum": momentum}
    path = tw.descend(problem(), start(), iterations=10**6, every=1000, **common)
    assert path.outcome.stalled
    assert path.outcome.excess_loss < 1e-28
    again = tw.descend(problem(), path.weights, step_size=0.01, iterations=1, at=[])
    for one, other in zip(again.weights, path.weights, strict=True):
        same_arrays(one, other)


def test_a_small_gradient_counts_as_rest_where_asked():
    path = tw.descend(
        problem(),
        start(),
        step_size=0.05,
        iterations=5000,
        every=10,
        gradient_tolerance=1e-3,
        measures=("gradient_norm",),
    )
    assert path.outcome.stalled
    assert path.outcome.iteration % 10 == 0
    assert path["gradient_norm"][-1] <= 1e-3 < path["gradient_norm"][-2]


def test_a_stall_by_tolerance_does_not_claim_to_be_at_rest_to_rounding():
    path = tw.descend(
        problem(),
        start(),
        step_size=0.05,
        iterations=5000,
        every=10,
        gradient_tolerance=1e-1,
    )
    assert path.outcome.stalled
    assert "no longer moves the weights" not in path.outcome.message


@pytest.mark.parametrize(
    ("depth", "step", "losses"),
    [
        (2, 0.1, ["0.03125", "47.536", "6.8586e4", "1.1504e11"]),
        (4, 0.01, ["0.03125", "2.926e7"]),
    ],
)
def test_unbalanced_starts_blow_up_as_tabulated(depth, step, losses):
    # Arora et al., Claim 4 with the explicit start of MATH B.8.
    half, large = depth // 2, 2 / step
    x = [large] * half + [0.75 ** (2 / depth) / large] * half
    path = tw.descend(tw.Playground(depth), x, step_size=step, iterations=60, every=1)
    assert path.outcome.diverged
    found = path["loss"][: len(losses)]
    assert all(map(printed, found.tolist(), losses))
    assert path["loss"].min() == path["loss"][0]


def test_a_diverging_run_keeps_only_finite_numbers():
    path = tw.descend(
        problem(),
        start(std=3.0),
        step_size=1.0,
        iterations=60,
        at=[1],
        measures=NAMES,
    )
    assert path.outcome.diverged
    assert all(np.all(np.isfinite(path[name])) for name in path)
    assert all(bool(jnp.all(jnp.isfinite(w))) for w in path.weights)
    assert path.iterations[-1] == path.outcome.iteration - 1


def test_a_diverging_run_ends_at_the_last_iterate_before_it_blew_up():
    common = {"step_size": 1.0, "iterations": 99}
    path = tw.descend(problem(), start(std=3.0), at=[], **common)
    kept = int(path.iterations[-1])
    again = tw.descend(problem(), start(std=3.0), step_size=1.0, iterations=kept, at=[])
    assert not again.outcome.diverged
    for one, other in zip(path.weights, again.weights, strict=True):
        same_arrays(one, other)
    same_arrays(path["loss"][-1], again["loss"][-1])


def test_a_divergence_says_when_why_and_what_to_try():
    path = tw.descend(problem(), start(std=3.0), step_size=1.0, iterations=99)
    text = path.outcome.message
    assert is_a_sentence(text)
    assert text.startswith(f"diverged at iteration {path.outcome.iteration}: ")
    assert "exceeds 2/step_size = 2; try step_size <= " in text
    tried = float(text.rpartition("<= ")[2].rstrip("."))
    better = tw.descend(problem(), start(std=3.0), step_size=tried, iterations=99)
    assert not better.outcome.diverged


def test_a_loss_that_turns_nan_at_once_is_a_divergence_without_a_warning():
    turn = np.array([[1.0, -1.0], [1.0, 1.0]])
    posed = tw.Problem(tw.LinearNet((2,) * 9), tw.Moments.whitened(np.eye(2)))
    weights = [1e30 * turn] * 4 + [1e-30 * turn.T] * 4
    path = tw.descend(
        posed,
        weights,
        step_size=1.0,
        iterations=9,
        every=1,
        on_progress=lambda told: None,
    )
    assert path.outcome.diverged
    assert path.outcome.excess_loss == np.inf
    assert np.all(np.isfinite(path["loss"]))


def test_a_start_beyond_float64_gives_no_nan():
    run = {"step_size": 0.1, "iterations": 60, "at": [20], "measures": NAMES}
    try:
        path = tw.descend(problem(), start(std=1e200), **run)
    except ThalwegError:
        return  # refused at the door, which is as good
    assert not [name for name in path if np.any(np.isnan(path[name]))]


def test_a_bad_end_is_raised_where_asked():
    with pytest.raises(RunFailed, match="diverged at iteration"):
        tw.descend(problem(), start(std=3.0), step_size=1.0, iterations=99, throw=True)


def test_running_out_of_budget_is_not_a_bad_end():
    path = tw.descend(problem(), start(), step_size=0.02, iterations=5, throw=True)
    assert str(path.outcome.status) == "out of budget"


def test_a_turned_problem_takes_the_same_number_of_iterations():
    turn = {
        size: np.linalg.qr(np.random.default_rng(size).standard_normal((size,) * 2))[0]
        for size in (2, 3, 4)
    }
    first, last = start()
    turned = tw.Problem(problem().net, tw.Moments.whitened(turn[2] @ GOAL @ turn[3].T))
    weights = turn[4] @ first @ turn[3].T, turn[2] @ last @ turn[4].T
    common = {"step_size": 0.05, "iterations": 5000, "accuracy": 1e-8, "every": 500}
    path = tw.descend(problem(), (first, last), **common)
    other = tw.descend(turned, weights, **common)
    assert path.outcome.converged
    assert path.outcome.iteration == other.outcome.iteration
    losses_close(path["loss"], other["loss"], ulps=512)


def test_layers_may_come_as_lists_of_numbers():
    path = tw.descend(
        problem(), [w.tolist() for w in start()], step_size=0.02, iterations=60, every=7
    )
    wanted = tw.descend(problem(), start(), step_size=0.02, iterations=60, every=7)
    same_arrays(path["loss"], wanted["loss"])


def test_many_starts_of_the_playground_are_one_array():
    rng = np.random.default_rng(0)
    path = tw.descend(
        tw.Playground(3),
        rng.uniform(0.2, 0.9, (200, 3)),
        step_size=0.05,
        iterations=2000,
        accuracy=1e-8,
        at=[],
    )
    assert path.outcome.counts() == {"converged": 200}
    assert np.all(path["excess_loss"][:, -1] <= 1e-8)


def test_an_equal_call_compiles_nothing_again(compilations):
    common = {"step_size": 0.02, "iterations": 61, "every": 7}
    tw.descend(problem(), start(), **common)
    compilations()
    tw.descend(problem(), start(), **common)
    assert compilations() == 0


def test_other_numbers_of_the_same_shapes_compile_nothing_again(compilations):
    tw.descend(problem(), start(), step_size=0.02, iterations=61, every=7)
    compilations()
    other = tw.Problem(tw.LinearNet(WIDTHS), tw.Moments.whitened(2 * GOAL))
    tw.descend(
        other,
        start(1),
        step_size=0.01,
        iterations=57,
        at=[3, 4, 5, 6, 7, 8, 9],
        accuracy=1e-3,
        gradient_tolerance=1e-9,
    )
    assert compilations() <= 2  # setting up the problem: its SVD, no descent


def test_progress_is_told_and_shows_the_path_so_far():
    told = []
    posed, _, weights = benchmark()
    path = tw.descend(
        posed,
        weights,
        step_size=0.01,
        iterations=60_000,
        records=60,
        on_progress=lambda now: told.append((now, now.snapshot())),
    )
    done = [now.done for now, _ in told]
    assert done == sorted(set(done))
    assert all(now.total == 60_000 for now, _ in told)
    assert all(now.running in (0, 1) for now, _ in told)
    for now, shot in told:
        assert shot.iterations[-1] <= now.done
        same_arrays(shot["loss"][:-1], path["loss"][: len(shot["loss"]) - 1])


@pytest.mark.parametrize(
    ("fields", "kind", "says"),
    [
        ({"step_size": 0.0}, DomainError, "step_size is 0.0; it must be positive"),
        ({"step_size": -0.1}, DomainError, "step_size is -0.1; it must be positive"),
        ({"step_size": [0.1, -0.1]}, DomainError, "step_size is -0.1"),
        ({"step_size": float("nan")}, DataError, "step_size holds 1 entries"),
        ({"step_size": float("inf")}, DataError, "step_size holds 1 entries"),
        ({"step_size": [[0.1]]}, ShapeError, r"step_size has shape \(1, 1\)"),
        ({"step_size": []}, ShapeError, "0 step sizes"),
        ({"iterations": -1}, DomainError, "iterations is -1"),
        ({"iterations": True}, DomainError, "iterations is True"),
        ({"accuracy": -1e-9}, DomainError, "accuracy is -1e-09; it must be"),
        ({"accuracy": float("nan")}, DomainError, "accuracy is nan; it must be"),
        ({"momentum": 1.0}, DomainError, "momentum is 1.0; it must be"),
        ({"momentum": -0.1}, DomainError, "momentum is -0.1; it must be"),
        ({"momentum": float("nan")}, DomainError, "momentum is nan; it must be"),
        ({"gradient_tolerance": -1.0}, DomainError, "gradient_tolerance is -1.0"),
        ({"every": 0}, DomainError, "every is 0; it must be a whole number >= 1"),
        ({"records": 1}, DomainError, "records is 1; it must be a whole number >= 2"),
        ({"at": [-1]}, DomainError, "must be a whole number >= 0"),
        ({"at": [11]}, DomainError, "the run goes from 0 to 10"),
        ({"measures": ("los",)}, UnknownName, "Did you mean 'loss'"),
        ({"weights": start()[:1]}, ShapeError, "needs"),
        ({"weights": start()[::-1]}, ShapeError, "its second size must be 2"),
        ({"weights": (start(runs=2)[0], start(runs=3)[1])}, ShapeError, "equally many"),
        ({"weights": start(runs=0)}, ShapeError, "the batch of starts is empty"),
        ({"weights": start(runs=3), "step_size": [0.1] * 2}, ShapeError, "equally ma"),
        ({"weights": (start()[0] * np.nan, start()[1])}, DataError, "layer 1 holds 12"),
    ],
)  # fmt: skip
def test_a_mistake_is_met_with_one_sentence(fields, kind, says):
    arguments = {"weights": start(), "step_size": 0.1, "iterations": 10, **fields}
    with pytest.raises(kind, match=says) as caught:
        tw.descend(problem(), arguments.pop("weights"), **arguments)
    assert is_a_sentence(caught.value)


def test_a_batch_of_the_playground_checks_every_run():
    with pytest.raises(DataError, match="1 entries that are NaN"):
        tw.descend(tw.Playground(2), np.array([[1.0, 1.0], [np.nan, 1.0]]),
                   step_size=0.1, iterations=3)  # fmt: skip


def test_the_loss_never_rises_below_twice_the_inverse_sharpness():
    path = tw.descend(problem(), start(), step_size=0.02, iterations=60, every=1)
    assert np.all(np.diff(path["loss"]) <= 4 * EPS)


def test_keys_of_jax_and_lists_of_layers_give_the_same_path():
    chain = tw.init("gaussian", std=0.3).draw(jax.random.key(0), problem().net)
    common = {"step_size": 0.02, "iterations": 60, "every": 7}
    one = tw.descend(problem(), chain, **common)
    other = tw.descend(problem(), [np.asarray(w) for w in chain], **common)
    same_arrays(one["loss"], other["loss"])
