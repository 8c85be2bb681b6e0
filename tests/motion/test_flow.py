"""Gradient flow against closed forms, printed numbers and SciPy's integrators."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.linalg

import net_oracles
import thalweg as tw
from thalweg._core.errors import (
    DataError,
    DomainError,
    RunFailed,
    ShapeError,
    UnknownName,
)
from tolerances import close, half_unit, is_a_sentence, same_arrays

RTOL = 1e-10
GOAL = np.random.default_rng(5).standard_normal((2, 3))
TIMES = [0.0, 0.1, 0.4, 1.0, 2.0]


def posed(goal, *hidden):
    goal = np.asarray(goal, dtype=float)
    net = tw.LinearNet((goal.shape[1], *hidden, goal.shape[0]))
    return tw.Problem(net=net, data=tw.Moments.whitened(goal))


@functools.cache
def problem():
    return posed(GOAL, 4)


def start(seed=0, runs=None):
    draw = np.random.default_rng(seed).standard_normal
    lead = () if runs is None else (runs,)
    return tuple(0.7 * draw((*lead, *shape)) for shape in problem().net.shapes)


def product(weights):
    return np.asarray(tw.end_to_end(weights))


def prints_as(found, text, sensitivity=1.0):
    """Whether a flow's number prints as `text`, 20 solver tolerances allowed."""
    slack = half_unit(text) + 20 * RTOL * sensitivity
    return abs(float(found) - float(text)) <= slack


@pytest.mark.parametrize(
    ("time", "text"), [(1.0, "0.4305879205034302"), (2.0, "1.87484111374369")]
)
def test_an_aligned_pair_of_layers_follows_the_sigmoid(time, text):
    # MATH D.2: s = 2, u(0) = 0.01.
    path = tw.flow(posed([[2.0]], 1), [[[0.1]], [[0.1]]], times=[0.0, time])
    assert prints_as(product(path.weights)[0, 0], text, sensitivity=2.0)


def test_every_mode_of_an_aligned_start_follows_its_own_sigmoid():
    goal = np.random.default_rng(1).standard_normal((3, 4))
    begun = np.array([0.03, 0.02, 0.01])
    target = posed(goal, 5)
    weights = tw.init("aligned", target=goal, strengths=begun, mix=True).draw(
        jax.random.key(0), target.net
    )
    times = np.linspace(0, 3, 7)
    path = tw.flow(target, weights, times=times.tolist(), measures=("singular_modes",))
    strong = np.linalg.svd(goal, compute_uv=False)
    grown = np.exp(2 * strong * times[:, None])
    wanted = strong * grown / (grown - 1 + strong / begun)
    np.testing.assert_allclose(
        path["singular_modes"], wanted, atol=20 * RTOL * strong[0]
    )


@pytest.mark.parametrize(
    ("depth", "time"),
    [(1, "2.944438979"), (2, "1.472219490"), (3, "1.138104737"), (4, "0.954060338"),
     (5, "0.826151370"), (8, "0.591665605")],
)  # fmt: skip
def test_equal_layers_learn_in_the_time_of_the_closed_form(depth, time):
    # MATH D.4: s = 2, from 0.1 to 1.9; the time is known to half a unit of print.
    layer = 0.1 ** (1 / depth)
    weights = [[[layer]]] * depth
    path = tw.flow(
        posed([[2.0]], *[1] * (depth - 1)), weights, times=[0.0, float(time)]
    )
    speed = depth * 1.9 ** (2 - 2 / depth) * 0.1
    gap = abs(product(path.weights)[0, 0] - 1.9)
    assert gap <= speed * half_unit(time) + 40 * RTOL


def test_an_unbalanced_pair_of_layers_follows_the_corrected_form():
    # MATH D.3: a = 1.2, b = 0.1, s = 1.5.
    path = tw.flow(posed([[1.5]], 1), [[[1.2]], [[0.1]]], times=[0.0, 1.0])
    assert prints_as(product(path.weights)[0, 0], "1.36569096181", sensitivity=2.0)


SLANTED = np.array([[2.0, 0.5], [0.0, 1.0]])


def root_of_spd(matrix):
    values, vectors = np.linalg.eigh(matrix)
    return vectors * np.sqrt(values) @ vectors.T


LOWER = np.array([[0.3, 0.1], [0.0, 0.2]])


@pytest.mark.parametrize(
    ("weights", "texts"),
    [
        (
            (np.diag([0.5, 0.2]), np.diag([0.5, 0.2])),
            [["1.78887194", "0.43853557"], ["0.11337436", "0.26196296"]],
        ),
        (
            (LOWER, root_of_spd(0.5 * np.eye(2) + LOWER @ LOWER.T)),
            [["1.82001306", "0.50668522"], ["0.0848092", "0.6949905"]],
        ),
    ],
    ids=["balanced", "lambda one half"],
)
def test_two_layers_follow_the_exact_riccati_solution(weights, texts):
    # MATH F.7, checks (a) and (b).
    path = tw.flow(posed(SLANTED, 2), weights, times=[0.0, 1.0])
    found = product(path.weights).ravel().tolist()
    assert all(map(prints_as, found, [text for row in texts for text in row]))


def riccati(weights, goal, time):
    """The product at `time` from the matrix Riccati equation, in closed form."""
    below, above = map(np.asarray, weights)
    gap = above.T @ above - below @ below.T
    lam = gap[0, 0]
    rows, columns = goal.shape
    field = np.block(
        [[-lam / 2 * np.eye(columns), goal.T], [goal, lam / 2 * np.eye(rows)]]
    )
    grown = scipy.linalg.expm(field * time)
    values, vectors = np.linalg.eigh(field)
    integral = vectors * (np.expm1(2 * values * time) / (2 * values)) @ vectors.T
    both = np.vstack([below.T, above])
    inner = np.linalg.inv(np.eye(both.shape[1]) + both.T @ integral @ both)
    return (grown @ both @ inner @ both.T @ grown)[columns:, :columns]


@pytest.mark.parametrize("imbalance", [-1.5, -0.3, 0.4, 2.0])
def test_lambda_balanced_starts_follow_the_exact_riccati_solution(imbalance):
    goal = np.random.default_rng(2).standard_normal((3, 3))
    target = posed(goal, 3)
    weights = tw.init("lambda_balanced", imbalance=imbalance, std=0.3).draw(
        jax.random.key(1), target.net
    )
    path = tw.flow(target, weights, times=[0.0, 1.0])
    wanted = riccati(weights, goal, 1.0)
    np.testing.assert_allclose(product(path.weights), wanted, atol=100 * RTOL)


@pytest.mark.parametrize("method", ["DOP853", "LSODA"])
def test_the_path_is_that_of_a_second_library(method):
    shapes = problem().net.shapes

    def unpacked(flat):
        first = shapes[0][0] * shapes[0][1]
        return [flat[:first].reshape(shapes[0]), flat[first:].reshape(shapes[1])]

    def field(_time, flat):
        slopes = net_oracles.gradient(unpacked(flat), np.eye(3), GOAL)
        return -np.concatenate([slope.ravel() for slope in slopes])

    begun = np.concatenate([w.ravel() for w in start()])
    wanted = scipy.integrate.solve_ivp(
        field, (0, 2), begun, method=method, t_eval=TIMES, rtol=1e-11, atol=1e-13
    )
    path = tw.flow(problem(), start(), times=TIMES)
    losses = [net_oracles.loss(unpacked(y), np.eye(3), GOAL) for y in wanted.y.T]
    np.testing.assert_allclose(path["loss"], losses, rtol=200 * RTOL)
    for found, layer in zip(path.weights, unpacked(wanted.y[:, -1]), strict=True):
        np.testing.assert_allclose(found, layer, atol=200 * RTOL)


def test_raw_data_flow_as_their_samples_do():
    rng = np.random.default_rng(2)
    inputs, labels = rng.standard_normal((30, 3)), rng.standard_normal((30, 2))

    def field(_time, flat):
        below, above = flat[:12].reshape(4, 3), flat[12:].reshape(2, 4)
        error = (above @ below @ inputs.T - labels.T) / 30
        slopes = above.T @ error @ inputs, error @ inputs @ below.T
        return -np.concatenate([slope.ravel() for slope in slopes])

    begun = np.concatenate([w.ravel() for w in start()])
    wanted = scipy.integrate.solve_ivp(
        field, (0, 2), begun, method="DOP853", rtol=1e-11, atol=1e-13
    ).y[:, -1]
    raw = tw.Problem(problem().net, tw.Moments.from_data(inputs, labels))
    path = tw.flow(raw, start(), times=TIMES)
    found = np.concatenate([np.ravel(w) for w in path.weights])
    np.testing.assert_allclose(found, wanted, atol=200 * RTOL)


@pytest.mark.parametrize(
    ("x", "limit"),
    [
        ([-0.7, 0.9, 1.1], ["0.8340163", "1.0077615", "1.1897828"]),
        ([-0.7, 0.7, 1.1], ["0", "0", "0.848528137"]),
    ],
)
def test_the_playground_flows_to_the_limit_its_signs_and_ties_decide(x, limit):
    # MATH A.6: a single smallest factor crosses zero, two equal ones end at a saddle.
    path = tw.flow(tw.Playground(3), x, horizon=400.0)
    assert path.outcome.stalled
    for found, text in zip(path.weights, limit, strict=True):
        slack = 1e-8 if text == "0" else half_unit(text)
        assert abs(float(found) - float(text)) <= slack


@functools.cache
def plain():
    return tw.flow(problem(), start(), times=TIMES)


def test_invariants_stay_to_the_solvers_tolerance():
    drift = plain().notes["invariant_drift"]
    gap = tw.invariants(plain().weights)[0] - tw.invariants(start())[0]
    assert drift == pytest.approx(float(jnp.abs(gap).max()), rel=1e-6)
    assert drift <= 20 * RTOL


def test_the_drift_shrinks_with_the_tolerance():
    loose = tw.flow(problem(), start(), times=TIMES, rtol=1e-5, atol=1e-7)
    assert 1e3 * plain().notes["invariant_drift"] < loose.notes["invariant_drift"]


def test_the_loss_never_rises_along_the_flow():
    path = tw.flow(problem(), start(), times=np.linspace(0, 4, 41).tolist())
    assert np.all(np.diff(path["loss"]) < 0)


def test_records_are_the_states_at_the_times_asked_for():
    assert plain().times.tolist() == TIMES
    early = tw.flow(problem(), start(), times=TIMES[:3])
    same_arrays(early["loss"], plain()["loss"][:3])
    wanted = net_oracles.loss([np.asarray(w) for w in early.weights], np.eye(3), GOAL)
    close(early["loss"][-1], wanted, ulps=16, scale=10.0)


def test_a_horizon_is_recorded_logarithmically_from_the_start_on():
    path = tw.flow(problem(), start(), horizon=2.0, records=9)
    assert path.times[0] == 0
    assert path.times[-1] == 2.0
    ratios = path.times[2:] / path.times[1:-1]
    np.testing.assert_allclose(ratios, 1e4 ** (1 / 7), rtol=1e-12)


def test_a_batch_of_flows_is_a_loop_of_single_ones_bit_for_bit():
    weights = start(runs=3)
    batch = tw.flow(problem(), weights, times=TIMES)
    for run in range(3):
        alone = tw.flow(problem(), tuple(w[run] for w in weights), times=TIMES)
        same_arrays(batch["loss"][run], alone["loss"])
        for found, layer in zip(batch.run(run).weights, alone.weights, strict=True):
            same_arrays(found, layer)
        assert batch.outcome[run] == alone.outcome


@pytest.mark.parametrize("solver", ["tsit5", "kvaerno5"])
def test_every_solver_gives_the_same_flow(solver):
    toy, x, times = tw.Playground(2), [0.5, 0.9], [0.0, 1.0, 3.0]
    path = tw.flow(toy, x, times=times, solver=solver, rtol=1e-8, atol=1e-10)
    wanted = tw.flow(toy, x, times=times)
    np.testing.assert_allclose(path.weights, wanted.weights, atol=20 * 1e-8)


def test_descent_tends_to_the_flow_as_the_step():
    wanted = np.concatenate([np.ravel(w) for w in plain().weights])
    gaps = []
    for step, count in ((1e-3, 2000), (1e-4, 20_000)):
        path = tw.descend(problem(), start(), step_size=step, iterations=count, at=[])
        found = np.concatenate([np.ravel(w) for w in path.weights])
        gaps.append(np.linalg.norm(found - wanted))
    assert gaps[0] / gaps[1] == pytest.approx(10, rel=0.05)


@pytest.mark.parametrize("accuracy", [0.2, 1e-2, 1e-5])
@pytest.mark.parametrize("times", [TIMES, [0.0, 100.0]], ids=["many", "one"])
def test_a_flow_stops_at_the_accuracy(accuracy, times):
    toy, x = tw.Playground(2), [0.5, 0.5]
    path = tw.flow(toy, x, times=[*times[:-1], 100.0], accuracy=accuracy)
    assert path.outcome.converged
    assert path.outcome.excess_loss <= accuracy
    assert path.times[-1] == path.outcome.time < 100
    assert path["excess_loss"][-1] == pytest.approx(path.outcome.excess_loss, rel=1e-12)
    # u(t) in closed form, MATH D.2 with s = 1 and u(0) = 1/4.
    product_then = 1 - (2 * accuracy) ** 0.5
    reached = 0.5 * np.log(product_then * 0.75 / (0.25 * (1 - product_then)))
    assert path.outcome.time >= reached - 1e-8


@pytest.mark.parametrize("x", [[1.0, 1.0], [0.99, 1.0]])
def test_a_flow_that_starts_within_the_accuracy_ends_at_once(x):
    path = tw.flow(tw.Playground(2), x, times=[0.0, 1.0], accuracy=0.1)
    assert path.outcome.converged
    assert path.times.tolist() == [0.0]
    assert path.outcome.time == 0


@pytest.mark.parametrize("horizon", [1.0, 50.0, 1e4])
def test_a_flow_at_a_saddle_rests(horizon):
    path = tw.flow(tw.Playground(2), [0.0, 0.0], horizon=horizon)
    assert path.outcome.stalled
    assert path.outcome.excess_loss == 0.5


def test_a_flow_stops_at_a_critical_point():
    path = tw.flow(tw.Playground(2), [0.5, 0.5], horizon=1e6,
                   measures=("gradient_norm",))  # fmt: skip
    assert path.outcome.stalled
    assert path["gradient_norm"][-1] <= 1e-9
    assert path.times[-1] == path.outcome.time < 100


def test_a_flow_that_needs_more_time_says_so():
    outcome = plain().outcome
    assert str(outcome.status) == "out of budget"
    assert outcome.time == 2.0
    assert outcome.message.endswith("ask for a longer horizon.")


def test_a_flow_that_needs_more_steps_says_so():
    path = tw.flow(tw.Playground(2), [0.5, 0.5], times=[0.0, 100.0], max_steps=2)
    assert str(path.outcome.status) == "out of budget"
    assert "raise max_steps" in path.outcome.message
    assert path.times[-1] == path.outcome.time < 100
    assert np.isfinite(path["loss"]).all()


def test_flows_of_a_batch_end_each_at_its_own_time():
    starts = np.array([[0.5, 0.5], [1.0, 1.0], [2.0, 1.0], [1e-3, 1e-3]])
    times = [0.0, 0.1, 5.0]
    batch = tw.flow(tw.Playground(2), starts, times=times, accuracy=1e-4)
    assert batch.outcome.counts() == {"converged": 3, "out of budget": 1}
    for run, x in enumerate(starts):
        alone = tw.flow(tw.Playground(2), x, times=times, accuracy=1e-4)
        same_arrays(batch.run(run).times, alone.times)
        same_arrays(batch.run(run)["loss"], alone["loss"])


def test_an_interrupted_flow_keeps_what_was_recorded():
    def press(_told):
        raise KeyboardInterrupt

    path = tw.flow(problem(), start(), times=TIMES, on_progress=press)
    assert str(path.outcome.status) == "interrupted"
    assert path.times[-1] == path.outcome.time < 2
    kept = path.times.size
    same_arrays(path["loss"], plain()["loss"][:kept])


def test_an_interrupted_flow_is_raised_where_asked():
    def press(_told):
        raise KeyboardInterrupt

    with pytest.raises(RunFailed, match="interrupted at time"):
        tw.flow(problem(), start(), times=TIMES, on_progress=press, throw=True)


def test_progress_is_told_up_to_the_horizon():
    told = []
    tw.flow(problem(), start(), times=TIMES, on_progress=told.append)
    assert [now.time for now in told] == [0.4, 2.0]
    assert all(now.horizon == 2.0 for now in told)
    assert told[-1].running == 1


def test_an_equal_flow_compiles_nothing_again(compilations):
    tw.flow(problem(), start(), times=TIMES)
    compilations()
    tw.flow(problem(), start(), times=TIMES)
    assert compilations() == 0


def test_a_flow_has_no_iterations():
    with pytest.raises(DomainError, match=r"a flow has no iterations; use path\.times"):
        _ = plain().iterations


@pytest.mark.parametrize(
    ("fields", "kind", "says"),
    [
        ({}, DomainError, "either horizon or times"),
        ({"horizon": 1.0, "times": [0.0, 1.0]}, DomainError, "either horizon or times"),
        ({"horizon": -1.0}, DomainError, "horizon is -1.0; it must be positive"),
        ({"horizon": float("nan")}, DomainError, "horizon is nan"),
        ({"times": [0.0]}, DomainError, "at least two that starts at 0"),
        ({"times": [1.0, 2.0]}, DomainError, "at least two that starts at 0"),
        ({"times": [0.0, 2.0, 1.0]}, DomainError, "increasing"),
        ({"times": [0.0, float("nan")]}, DataError, "times holds 1 entries"),
        ({"horizon": 1.0, "records": 2}, DomainError, "records is 2"),
        ({"horizon": 1.0, "rtol": 0.0}, DomainError, "rtol is 0.0"),
        ({"horizon": 1.0, "atol": -1.0}, DomainError, "atol is -1.0"),
        ({"horizon": 1.0, "accuracy": -1.0}, DomainError, "accuracy is -1.0"),
        ({"horizon": 1.0, "gradient_tolerance": -1.0}, DomainError, "gradient_tol"),
        ({"horizon": 1.0, "max_steps": 0}, DomainError, "max_steps is 0"),
        ({"horizon": 1.0, "solver": "dopri"}, UnknownName, "Did you mean 'dopri8'"),
        ({"horizon": 1.0, "weights": start()[::-1]}, ShapeError, "second size must be"),
    ],
)  # fmt: skip
def test_a_mistake_is_met_with_one_sentence(fields, kind, says):
    arguments = {"weights": start(), **fields}
    with pytest.raises(kind, match=says) as caught:
        tw.flow(problem(), arguments.pop("weights"), **arguments)
    assert is_a_sentence(caught.value)
