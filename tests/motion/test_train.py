"""Trainings against plain NumPy loops, against `descend`, and broken off anywhere."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import net_oracles
import thalweg as tw
import thalweg.motion._trained as module
from thalweg._core.errors import DomainError, RunFailed, ShapeError, UnknownName
from thalweg.motion.train import go_on, train
from thalweg.problem.losses import CrossEntropy, Huber, Squared
from thalweg.problem.samples import SampleProblem
from tolerances import close, is_a_sentence, same_arrays

GOAL = np.random.default_rng(5).standard_normal((2, 3))
WIDTHS = (3, 4, 2)
NAMED = {
    "sgd": {"step_size": 0.05},
    "heavy_ball": {"step_size": 0.02, "options": {"momentum": 0.8}},
    "nesterov": {"step_size": 0.02, "options": {"momentum": 0.8}},
    "adam": {"step_size": 0.02, "options": {"b1": 0.8, "b2": 0.95}},
}


@functools.cache
def moments():
    return tw.Problem(tw.LinearNet(WIDTHS), tw.Moments.whitened(GOAL))


@functools.cache
def samples(loss=None):
    count, loss = 23, loss or CrossEntropy()
    rng = np.random.default_rng(6)
    inputs = rng.standard_normal((count, 3))
    labels = rng.integers(0, 2, count) if loss == CrossEntropy() else None
    if labels is None:
        labels = inputs @ GOAL.T + rng.standard_normal((count, 2))
    return SampleProblem(tw.LinearNet(WIDTHS), inputs, labels, loss)


def start(runs=None, seed=0):
    draw = np.random.default_rng(seed).standard_normal
    lead = () if runs is None else (runs,)
    return tuple(0.5 * draw((*lead, *shape)) for shape in moments().net.shapes)


def slopes(weights, problem=None, rows=None):
    """The gradient in plain NumPy, over some rows of the samples."""
    if problem is None or isinstance(problem, tw.Problem):
        return net_oracles.gradient(weights, np.eye(3), GOAL)
    rows = np.arange(problem.samples) if rows is None else rows
    inputs = np.asarray(problem.inputs)[:, rows]
    labels = np.asarray(problem.labels)[:, rows]
    outputs = net_oracles.product(weights, 3) @ inputs
    if isinstance(problem.sample_loss, CrossEntropy):
        error = np.exp(outputs) / np.sum(np.exp(outputs), axis=0) - labels
    else:
        error = np.clip(outputs - labels, -0.5, 0.5)
    parts = [net_oracles.parts(weights, j, inputs) for j in range(len(weights))]
    return [above.T @ error @ below.T / len(rows) for above, below in parts]


def plain(name, weights, iterations, gradient, step_size, options=None):
    """Weights at every iteration of a plain loop; `gradient(weights, iteration)`."""
    weights = [np.array(w, dtype=float) for w in weights]
    first = [np.zeros_like(w) for w in weights]
    second = [np.zeros_like(w) for w in weights]
    options, seen = options or {}, [weights]
    for t in range(1, iterations + 1):
        g = gradient(weights, t - 1)
        if name == "sgd":
            step = g
        elif name == "adam":
            b1, b2 = options["b1"], options["b2"]
            first = [b1 * m + (1 - b1) * a for m, a in zip(first, g, strict=True)]
            second = [b2 * v + (1 - b2) * a * a for v, a in zip(second, g, strict=True)]
            step = [
                m / (1 - b1**t) / (np.sqrt(v / (1 - b2**t)) + 1e-8)
                for m, v in zip(first, second, strict=True)
            ]
        else:
            mu = options["momentum"]
            first = [mu * v + a for v, a in zip(first, g, strict=True)]
            step = first
            if name == "nesterov":
                step = [a + mu * v for a, v in zip(g, first, strict=True)]
        weights = [w - step_size * s for w, s in zip(weights, step, strict=True)]
        seen.append(weights)
    return seen


@pytest.mark.parametrize("pose", [moments, samples, lambda: samples(Huber(0.5))])
@pytest.mark.parametrize("name", NAMED)
def test_every_optimizer_is_that_of_a_plain_loop(name, pose):
    problem = pose()
    path = train(problem, start(), name, iterations=50, every=10, **NAMED[name])
    seen = plain(name, start(), 50, lambda w, _: slopes(w, problem), **NAMED[name])
    # Adam divides by the size of a gradient, and with it the gradient's rounding.
    for found, wanted in zip(path.weights, seen[-1], strict=True):
        close(found, wanted, ulps=2**13, scale=10.0)
    losses = [float(problem.loss(tuple(map(jnp.asarray, w)))) for w in seen[::10]]
    np.testing.assert_allclose(path["loss"], losses, rtol=1e-11)


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("pose", [moments, samples])
def test_heavy_ball_is_that_of_a_descent_with_momentum(pose, momentum):
    options = {"step_size": 0.02, "iterations": 200, "every": 10}
    ours = train(
        pose(), start(), "heavy_ball", options={"momentum": momentum}, **options
    )
    theirs = tw.descend(pose(), start(), momentum=momentum, **options)
    np.testing.assert_allclose(ours["loss"], theirs["loss"], rtol=1e-11)
    for found, wanted in zip(ours.weights, theirs.weights, strict=True):
        close(found, wanted, ulps=2**12, scale=1.0)


def test_a_playground_can_be_trained_on():
    toy = tw.Playground(3)
    options = {"step_size": 1 / 81, "iterations": 500, "accuracy": 1e-6}
    ours = train(toy, [0.4, 0.8, 1.2], "sgd", **options)
    assert ours.outcome.iteration == 169
    theirs = tw.descend(toy, [0.4, 0.8, 1.2], **options)
    close(ours.weights, theirs.weights, ulps=64, scale=1.0)


def test_an_optax_object_is_what_it_says():
    clipped = optax.chain(optax.clip_by_global_norm(0.3), optax.sgd(0.1))
    path = train(moments(), start(), clipped, iterations=20)
    weights = [np.array(w) for w in start()]
    for _ in range(20):
        g = slopes(weights)
        norm = np.sqrt(sum(np.sum(a * a) for a in g))
        weights = [
            w - 0.1 * min(1, 0.3 / norm) * a for w, a in zip(weights, g, strict=True)
        ]
    for found, wanted in zip(path.weights, weights, strict=True):
        close(found, wanted, ulps=512, scale=1.0)
    assert np.isnan(path.step_size)
    assert path.velocity is None


@pytest.mark.parametrize("name", ["nesterov", "adam"])
def test_an_optimizer_by_name_is_the_one_of_optax(name):
    made = {
        "nesterov": lambda: optax.sgd(0.02, momentum=0.8, nesterov=True),
        "adam": lambda: optax.adam(0.02, b1=0.8, b2=0.95),
    }[name]()
    given = train(moments(), start(), made, iterations=40)
    named = train(moments(), start(), name, iterations=40, **NAMED[name])
    np.testing.assert_allclose(given["loss"], named["loss"], rtol=1e-11)


def test_a_scheduled_step_is_followed():
    # A schedule of optax's own would be rounded to single precision.
    waning = optax.sgd(lambda count: 0.1 * 0.5**count)
    path = train(moments(), start(), waning, iterations=3)
    weights = [np.array(w) for w in start()]
    for t in range(3):
        weights = [
            w - 0.1 * 0.5**t * g for w, g in zip(weights, slopes(weights), strict=True)
        ]
    for found, wanted in zip(path.weights, weights, strict=True):
        close(found, wanted, ulps=2**8, scale=1.0)


# Batches.


def rows_of(problem, size, iteration, key=0):
    per_epoch = problem.samples // size
    epoch, place = divmod(iteration, per_epoch)
    order = jax.random.permutation(
        jax.random.fold_in(jax.random.key(key), epoch), problem.samples
    )
    return np.asarray(order)[place * size : (place + 1) * size]


@pytest.mark.parametrize(
    ("name", "size"), [*((name, 5) for name in NAMED), ("sgd", 1), ("sgd", 23)]
)
def test_batches_are_those_of_a_plain_loop(name, size):
    problem = samples()
    path = train(
        problem, start(), name, iterations=40, batch_size=size, key=3, **NAMED[name]
    )
    seen = plain(
        name,
        start(),
        40,
        lambda w, t: slopes(w, problem, rows_of(problem, size, t, key=3)),
        **NAMED[name],
    )
    for found, wanted in zip(path.weights, seen[-1], strict=True):
        close(found, wanted, ulps=2**13, scale=10.0)


def test_an_epoch_sees_every_sample_once_but_for_those_left_over():
    # Inputs are unit vectors: a weight moves when its own sample is seen, by a half.
    problem = SampleProblem(
        tw.LinearNet((7, 1)), np.eye(7), np.ones(7), Squared(), scale="sum"
    )
    for epochs in (1, 2, 5):
        path = train(
            problem,
            (np.zeros((1, 7)),),
            "sgd",
            step_size=0.5 * 3 / 7,
            iterations=2 * epochs,
            batch_size=3,
        )
        times = np.log2(1 / (1 - np.asarray(path.weights[0])[0]))
        assert times.round(9).sum() == 6 * epochs
        assert times.max() <= epochs
        if epochs == 1:
            assert sorted(times.round(9)) == [0, 1, 1, 1, 1, 1, 1]


def test_the_order_of_the_samples_follows_from_the_key():
    options = {"step_size": 0.1, "iterations": 30, "batch_size": 4}
    ends = [
        train(samples(), start(), "sgd", key=key, **options).weights[0]
        for key in (1, jax.random.key(1), 2)
    ]
    same_arrays(ends[0], ends[1])
    assert np.abs(ends[0] - ends[2]).max() > 1e-3


def test_with_batches_too_the_first_accurate_iterate_is_found():
    problem = samples()
    options = {"step_size": 0.2, "iterations": 300, "batch_size": 6}
    path = train(problem, start(), "sgd", accuracy=0.02, **options)
    every = train(problem, start(), "sgd", every=1, **options)
    first = int(np.argmax(every["excess_loss"] <= 0.02))
    assert path.outcome.converged
    assert path.outcome.iteration == path.iterations[-1] == first > 1


# Ends, records, several runs.


@pytest.mark.parametrize("name", ["sgd", "heavy_ball", "adam"])
def test_a_run_stops_at_the_first_accurate_iterate(name):
    options = dict(NAMED[name], iterations=2000)
    path = train(moments(), start(), name, accuracy=1e-3, **options)
    seen = plain(
        name, start(), path.outcome.iteration, lambda w, _: slopes(w), **NAMED[name]
    )
    values = [net_oracles.loss(w, np.eye(3), GOAL) for w in seen]
    assert path.outcome.converged
    assert values[-1] <= 1e-3 < min(values[:-1])
    assert path["excess_loss"][-1] == pytest.approx(values[-1], rel=1e-9)


def test_an_accurate_start_takes_no_step():
    path = train(moments(), start(), "adam", step_size=0.1, iterations=9, accuracy=1e3)
    assert path.outcome.converged
    assert path.iterations.tolist() == [0]


def test_no_iteration_is_a_path_too():
    path = train(moments(), start(), "adam", step_size=0.1, iterations=0)
    assert path.iterations.tolist() == [0]
    assert str(path.outcome.status) == "out of budget"


@pytest.mark.parametrize("batch_size", [None, 6])
def test_a_diverging_run_ends_at_its_last_finite_iterate(batch_size):
    problem = samples(Squared())
    options = {
        "step_size": 5.0,
        "iterations": 1000,
        "every": 7,
        "batch_size": batch_size,
    }
    path = train(problem, start(), "sgd", measures=("gradient_norm",), **options)
    assert path.outcome.diverged
    assert path.iterations[-1] == path.outcome.iteration - 1
    assert all(np.isfinite(path[name]).all() for name in path)
    assert is_a_sentence(path.outcome.message)
    if batch_size is None:
        theirs = tw.descend(problem, start(), step_size=5.0, iterations=1000, every=7)
        assert path.outcome.iteration == theirs.outcome.iteration
        np.testing.assert_allclose(path["loss"], theirs["loss"], rtol=1e-9)


def test_a_single_run_that_diverged_is_raised_if_asked_for():
    with pytest.raises(RunFailed, match="diverged"):
        train(moments(), start(), "sgd", step_size=9.0, iterations=99, throw=True)


@pytest.mark.parametrize("batch_size", [None, 5])
@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_several_runs_go_as_each_would_alone(name, batch_size):
    options = dict(
        NAMED[name], iterations=30, every=10, batch_size=batch_size, accuracy=0.62
    )
    together = train(samples(), start(3), name, **options)
    assert together.batched
    for index in range(3):
        alone = train(samples(), tuple(w[index] for w in start(3)), name, **options)
        one = together.run(index)
        assert one.outcome.iteration == alone.outcome.iteration
        assert one.outcome.status == alone.outcome.status
        same_arrays(one.clock, alone.clock)
        for column in alone:
            np.testing.assert_allclose(
                one[column], alone[column], rtol=1e-9, atol=1e-12
            )


def test_every_run_may_have_a_step_of_its_own():
    steps = [0.01, 0.1]
    together = train(moments(), start(), "adam", step_size=steps, iterations=20)
    for index, step in enumerate(steps):
        alone = train(moments(), start(), "adam", step_size=step, iterations=20)
        np.testing.assert_allclose(together["loss"][index], alone["loss"], rtol=1e-11)
        assert together.run(index).step_size == step


def test_records_are_where_they_are_asked_for():
    options = {"step_size": 0.05, "iterations": 20, "measures": ("imbalance",)}
    path = train(moments(), start(), "sgd", at=[3, 8], **options)
    assert path.iterations.tolist() == [0, 3, 8, 20]
    assert set(path) == {
        "loss", "excess_loss", "imbalance", "angle_cosine", "descent_ratio"
    }  # fmt: skip
    every = train(moments(), start(), "sgd", every=1, **options)
    for name in path:
        same_arrays(path[name], every[name][[0, 3, 8, 20]])


def test_options_and_steps_are_not_compiled_for(compilations):
    for step_size, momentum in ((0.02, 0.8), (0.03, 0.7)):
        train(
            moments(),
            start(),
            "nesterov",
            step_size=step_size,
            options={"momentum": momentum},
            iterations=17,
        )
        if step_size == 0.02:
            compilations()
    assert compilations() == 0


# The angle.


@pytest.mark.parametrize("batch_size", [None, 5])
@pytest.mark.parametrize("name", ["heavy_ball", "adam"])
def test_the_angle_is_that_of_the_step_taken_next(name, batch_size):
    problem = samples()
    options = dict(NAMED[name], batch_size=batch_size)
    path = train(problem, start(), name, iterations=12, every=1, **options)
    ends = [
        train(problem, start(), name, iterations=k, records=2, **options).weights
        for k in (11, 12)
    ]
    before, after = ([np.asarray(w) for w in end] for end in ends)
    step = np.concatenate([(b - a).ravel() for a, b in zip(before, after, strict=True)])
    slope = np.concatenate([g.ravel() for g in slopes(before, problem)])
    lengths = np.linalg.norm(step) * np.linalg.norm(slope)
    assert path["angle_cosine"][11] == pytest.approx(-slope @ step / lengths, abs=1e-12)
    won = float(problem.loss(tuple(ends[0])) - problem.loss(tuple(ends[1])))
    assert path["descent_ratio"][11] == pytest.approx(won / lengths, abs=1e-11)


def test_plain_descent_goes_down_the_gradient_and_wins_what_smoothness_promises():
    path = train(moments(), start(), "sgd", step_size=0.02, iterations=300, every=1,
                 measures=("sharpness",))  # fmt: skip
    np.testing.assert_allclose(path["angle_cosine"], 1, atol=1e-14)
    # L(W) - L(W - h g) = h |g|^2 (1 - h g'Hg / 2 |g|^2) up to terms of third order.
    least = 1 - 0.02 * path["sharpness"].max() / 2 - 0.02
    assert path["descent_ratio"][:200].min() >= least
    assert path["descent_ratio"].max() <= 1 + 0.05


def test_at_a_critical_point_the_angle_is_one_by_convention():
    path = train(
        tw.Playground(2), [0.0, 0.0], "heavy_ball", step_size=0.1, iterations=2
    )
    assert path["angle_cosine"].tolist() == path["descent_ratio"].tolist() == [1, 1, 1]


# Breaking off and going on.


def interrupt_at(monkeypatch, iteration):
    """Return a progress callback that presses Ctrl-C at an iteration."""
    monkeypatch.setattr(module, "_slice", lambda run, speed: iteration)

    def press(_told):
        monkeypatch.undo()
        raise KeyboardInterrupt

    return press


def same_paths(one, other):
    assert set(one.columns) == set(other.columns)
    same_arrays(one.clock, other.clock)
    for name in one:
        same_arrays(one[name], other[name])
    for first, second in ((one.weights, other.weights), (one.velocity, other.velocity)):
        leaves = zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True)
        for a, b in leaves:
            same_arrays(a, b)
    assert one.outcome == other.outcome


@functools.cache
def whole(name, runs, batch_size, accuracy=None):
    return train(
        samples(), start(runs), name, iterations=60, every=7, batch_size=batch_size,
        accuracy=accuracy, **NAMED[name]
    )  # fmt: skip


@pytest.mark.parametrize("broken_at", [1, 14, 59])
@pytest.mark.parametrize("runs", [None, 3])
@pytest.mark.parametrize("batch_size", [None, 5])
@pytest.mark.parametrize("name", ["heavy_ball", "adam"])
def test_an_interrupted_training_goes_on_bit_for_bit(
    monkeypatch, name, batch_size, runs, broken_at
):
    press = interrupt_at(monkeypatch, broken_at)
    part = train(
        samples(), start(runs), name, iterations=60, every=7, batch_size=batch_size,
        on_progress=press, **NAMED[name]
    )  # fmt: skip
    assert part.iterations[-1] == broken_at
    same_paths(go_on(part), whole(name, runs, batch_size))


@pytest.mark.parametrize("accuracy", [0.6, 0.62])
def test_runs_that_ended_stay_where_they_are(monkeypatch, accuracy):
    press = interrupt_at(monkeypatch, 33)
    part = train(
        samples(), start(3), "adam", iterations=60, every=7, accuracy=accuracy,
        on_progress=press, **NAMED["adam"]
    )  # fmt: skip
    same_paths(go_on(part), whole("adam", 3, None, accuracy))


def test_a_larger_budget_is_as_if_given_at_once():
    part = train(
        samples(),
        start(),
        "adam",
        iterations=20,
        every=7,
        batch_size=5,
        **NAMED["adam"],
    )
    same_paths(go_on(part, iterations=60), whole("adam", None, 5))


def test_progress_is_told_and_a_snapshot_is_a_path(monkeypatch):
    monkeypatch.setattr(module, "_slice", lambda run, speed: 20)
    told = []
    train(
        moments(),
        start(),
        "sgd",
        step_size=0.05,
        iterations=60,
        on_progress=lambda p: told.append((p.done, p.total, p.running, p.snapshot())),
    )
    assert [entry[:3] for entry in told] == [(20, 60, 1), (40, 60, 1), (60, 60, 1)]
    assert told[0][3].iterations[-1] == 20
    assert str(told[0][3].outcome.status) == "interrupted"
    assert is_a_sentence(told[0][3].outcome.message)


def test_a_training_is_saved_with_its_settings_and_its_memory(tmp_path):
    path = whole("adam", None, 5)
    path.save(tmp_path / "run")
    again = tw.Path.load(tmp_path / "run")
    assert again.settings == path.settings
    assert again.settings["kind"] == "training"
    assert again.settings["optimizer"] == "adam"
    same_arrays(again["loss"], path["loss"])
    leaves = zip(again.velocity, path.velocity, strict=True)
    for one, other in leaves:
        same_arrays(one, other)


def test_an_object_cannot_be_gone_on_with():
    path = train(moments(), start(), optax.sgd(0.1), iterations=3)
    with pytest.raises(DomainError, match="came as an object") as error:
        go_on(path, iterations=6)
    assert is_a_sentence(error.value)


def test_a_path_does_not_go_back():
    with pytest.raises(DomainError, match="already reaches 60"):
        go_on(whole("adam", None, 5), iterations=10)


@pytest.mark.parametrize(
    ("optimizer", "options", "kind", "match"),
    [
        ("adm", {"step_size": 0.1}, UnknownName, "Did you mean 'adam'"),
        ("adam", {}, DomainError, "adam needs a step_size"),
        ("adam", {"step_size": -0.1}, DomainError, "step_size is -0.1"),
        ("adam", {"step_size": 0.1, "options": {"b3": 0.1}}, UnknownName,
         "options of adam"),
        ("sgd", {"step_size": 0.1, "options": {"momentum": 0.1}}, DomainError,
         "sgd has no options"),
        ("heavy_ball", {"step_size": 0.1, "options": {"momentum": 1.5}}, DomainError,
         "momentum is 1.5"),
        ("heavy_ball", {"step_size": 0.1, "options": {"momentum": "big"}}, DomainError,
         "momentum is 'big'"),
        (3.0, {}, DomainError, "optimizer is 3.0"),
        (optax.sgd(0.1), {"step_size": 0.1}, DomainError, "has its own"),
        ("sgd", {"step_size": 0.1, "batch_size": 4}, DomainError, "keeps no samples"),
        ("sgd", {"step_size": 0.1, "iterations": 2.5}, DomainError,
         "iterations is 2.5"),
        ("sgd", {"step_size": 0.1, "accuracy": -1.0}, DomainError, "accuracy is -1"),
        ("sgd", {"step_size": [[0.1]]}, ShapeError, "step_size has shape"),
        ("sgd", {"step_size": 0.1, "at": [11]}, DomainError, "at iteration 11"),
        ("sgd", {"step_size": 0.1, "measures": ("los",)}, UnknownName, "'loss'"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(optimizer, options, kind, match):
    with pytest.raises(kind, match=match) as error:
        train(moments(), start(), optimizer, **{"iterations": 10, **options})
    assert is_a_sentence(error.value)


@pytest.mark.parametrize("size", [0, 2.5, 24, True])
def test_a_batch_holds_from_one_to_all_samples(size):
    with pytest.raises(DomainError, match="batch_size is") as error:
        train(samples(), start(), "sgd", step_size=0.1, iterations=1, batch_size=size)
    assert is_a_sentence(error.value)


def test_a_start_beyond_float64_is_refused():
    huge = tuple(1e200 * w for w in start())
    with pytest.raises(DomainError, match="beyond the range") as error:
        train(moments(), huge, "sgd", step_size=0.1, iterations=1)
    assert is_a_sentence(error.value)
