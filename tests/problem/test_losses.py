"""Losses of samples against forty digits, plain NumPy and dual bounds."""

import itertools
import json

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import thalweg as tw
from thalweg._core.errors import DataError, DomainError, ShapeError
from thalweg.problem.archive import pack, unpack
from thalweg.problem.datasets._load import load_samples
from thalweg.problem.infima import least
from thalweg.problem.losses import (
    CrossEntropy,
    Huber,
    Logistic,
    Power,
    Squared,
)
from thalweg.problem.samples import SampleProblem
from tolerances import EPS, close, is_a_sentence, same_arrays

SEEDS = st.integers(0, 2**32 - 1)
LOSSES = (
    Squared(), Power(1), Power(1.5), Power(2), Power(3), Huber(0.4), Logistic(),
    CrossEntropy(),
)  # fmt: skip
SMOOTH = tuple(loss for loss in LOSSES if loss not in (Power(1), Power(2)))
WIDTHS = (3, 4, 2)
COUNT = 25


def labels_for(loss, rng, outputs, classes=2, count=COUNT):
    numbers = rng.standard_normal((count, classes)) + 0.7 * outputs[:, :classes]
    if loss == Logistic():
        return np.sign(numbers)
    if loss == CrossEntropy():
        return np.argmax(numbers, axis=1)
    return numbers


def posed(loss, widths=WIDTHS, seed=0, **options):
    rng = np.random.default_rng(seed)
    inputs = rng.standard_normal((COUNT, widths[0]))
    labels = labels_for(loss, rng, inputs, widths[-1])
    return SampleProblem(tw.LinearNet(widths), inputs, labels, loss, **options)


def start(problem, seed=1, std=0.6):
    draw = np.random.default_rng(seed).standard_normal
    return tuple(jnp.asarray(std * draw(shape)) for shape in problem.net.shapes)


# The losses of one output column, in plain numbers of any arithmetic.


def of_one(loss, z, y, exp=np.exp, log=np.log):
    gaps = [abs(a - b) for a, b in zip(z, y, strict=True)]
    match loss:
        case Squared():
            return sum(r * r for r in gaps) / 2
        case Power(p=p):
            return sum(r**p for r in gaps) / p
        case Huber(threshold=t):
            return sum(r * r / 2 if r <= t else t * (r - t / 2) for r in gaps)
        case Logistic():
            return sum(log(1 + exp(-b * a)) for a, b in zip(z, y, strict=True))
        case _:
            right = sum(a * b for a, b in zip(z, y, strict=True))
            return log(sum(exp(a - right) for a in z))


def numpy_loss(problem, weights, count=None):
    product = np.linalg.multi_dot([*weights[::-1], np.asarray(problem.inputs)])
    labels = np.asarray(problem.labels)
    terms = [
        of_one(problem.sample_loss, product[:, i], labels[:, i])
        for i in range(product.shape[1])
    ]
    return sum(terms) / (len(terms) if problem.scale == "mean" else 1)


def slope_of_one(loss, z, y):
    gap = z - y
    match loss:
        case Squared():
            return gap
        case Power(p=p):
            return np.sign(gap) * np.abs(gap) ** (p - 1)
        case Huber(threshold=t):
            return np.where(np.abs(gap) <= t, gap, t * np.sign(gap))
        case Logistic():
            return -y / (1 + np.exp(y * z))
        case _:
            return np.exp(z) / np.sum(np.exp(z), axis=0) - y


def numpy_gradient(problem, weights):
    inputs, labels = np.asarray(problem.inputs), np.asarray(problem.labels)
    below, layers = [inputs], [np.asarray(w) for w in weights]
    for layer in layers:
        below.append(layer @ below[-1])
    above = slope_of_one(problem.sample_loss, below[-1], labels)
    above = above / (labels.shape[1] if problem.scale == "mean" else 1)
    slopes = []
    for j in reversed(range(len(layers))):
        slopes.append(above @ below[j].T)
        above = layers[j].T @ above
    return slopes[::-1]


def column(loss, seed, size=3, classes=3):
    rng = np.random.default_rng(seed)
    z = size * rng.standard_normal(classes)
    if loss == CrossEntropy():
        return z, np.eye(classes)[rng.integers(classes)]
    y = rng.standard_normal(classes)
    return z, np.sign(y) if loss == Logistic() else y


@pytest.mark.parametrize("size", [1.0, 30.0, 300.0])
@pytest.mark.parametrize("loss", LOSSES, ids=str)
@given(seed=SEEDS)
def test_a_value_is_that_of_forty_digits(loss, size, seed):
    z, y = column(loss, seed, size)
    with mpmath.workdps(400):
        exact = of_one(loss, [mpmath.mpf(a) for a in z], [mpmath.mpf(b) for b in y],
                       mpmath.exp, mpmath.log)  # fmt: skip
        found = float(loss.value(jnp.asarray(z)[:, None], jnp.asarray(y)[:, None])[0])
        # A difference of outputs is rounded once; an exponential, and a power p of
        # it, turns that into a relative error of its size, or p.
        tolerance = EPS * (16 + 2 * np.max(np.abs(z)))
        assert abs(found - exact) <= tolerance * exact + mpmath.mpf(1e-300)


@pytest.mark.parametrize("size", [1.0, 30.0])
@pytest.mark.parametrize("loss", LOSSES, ids=str)
@given(seed=SEEDS)
def test_derivative_and_curvature_are_those_of_forty_digits(loss, size, seed):
    z, y = column(loss, seed, size)
    arrays = jnp.asarray(z)[:, None], jnp.asarray(y)[:, None]
    slopes = np.asarray(loss.derivative(*arrays))[:, 0]
    bends = np.asarray(loss.curvature(*arrays))[..., 0]
    bends = bends if bends.ndim == 2 else np.diag(bends)
    exact_y = [mpmath.mpf(b) for b in y]

    def value(*z):
        return of_one(loss, z, exact_y, mpmath.exp, mpmath.log)

    tolerance = EPS * (32 + 4 * np.max(np.abs(z)))
    with mpmath.workdps(60):
        at = tuple(mpmath.mpf(a) for a in z)
        for k in range(len(z)):
            order = [int(k == j) for j in range(len(z))]
            exact = mpmath.diff(value, at, tuple(order))
            assert abs(slopes[k] - exact) <= tolerance * abs(exact) + mpmath.mpf(1e-20)
            for m in range(len(z)):
                twice = [int(m == j) + order[j] for j in range(len(z))]
                exact = mpmath.diff(value, at, tuple(twice))
                # The difference quotient itself carries about twenty digits.
                assert abs(bends[k, m] - exact) <= tolerance * (abs(exact) + 1e-4)


def test_at_a_kink_the_subgradient_of_least_norm_is_taken():
    zeros = jnp.zeros((2, 3))
    assert not np.asarray(Power(1).derivative(zeros, zeros)).any()
    assert (
        np.asarray(Huber(0.5).derivative(zeros + 2, zeros)).tolist() == [[0.5] * 3] * 2
    )


@pytest.mark.parametrize("loss", [Logistic(), CrossEntropy()], ids=str)
def test_nothing_overflows_however_large_the_outputs(loss):
    outputs = jnp.asarray([[1e4, -1e4, 1e300], [-1e4, 1e4, -1e300]])
    labels = jnp.asarray([[1.0, 1.0, 1.0], [-1.0, -1.0, -1.0]])
    labels = labels if loss == Logistic() else (labels + 1) / 2
    assert np.asarray(loss.value(outputs, labels)).tolist() == [0.0, 2e4, 0.0]
    assert np.isfinite(np.asarray(loss.derivative(outputs, labels))).all()


@pytest.mark.parametrize("scale", ["mean", "sum"])
@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_loss_and_gradient_are_those_of_a_plain_loop(loss, scale):
    problem = posed(loss, scale=scale)
    weights = start(problem)
    assert float(problem.loss(weights)) == pytest.approx(
        numpy_loss(problem, weights), rel=64 * EPS
    )
    pairs = zip(
        problem.gradient(weights), numpy_gradient(problem, weights), strict=True
    )
    for found, wanted in pairs:
        close(found, wanted, ulps=256, scale=10.0 * (COUNT if scale == "sum" else 1))


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_the_plain_gradient_is_a_difference_quotient_of_the_plain_loss(loss):
    problem = posed(loss)
    weights = [np.asarray(w) for w in start(problem)]
    rng = np.random.default_rng(7)
    along = [rng.standard_normal(w.shape) for w in weights]
    slope = sum(
        float(np.sum(g * a))
        for g, a in zip(numpy_gradient(problem, weights), along, strict=True)
    )

    def at(h):
        return numpy_loss(
            problem, [w + h * a for w, a in zip(weights, along, strict=True)]
        )

    # Central differences: an error of h^2 and of rounding over h.
    assert slope == pytest.approx((at(1e-5) - at(-1e-5)) / 2e-5, abs=1e-8)


@pytest.mark.parametrize("widths", [(3, 2), (2, 5, 4, 2), (3, 1, 2), (40, 3, 30)])
def test_nets_of_every_shape_have_the_plain_gradient(widths):
    problem = posed(Huber(0.4), widths, infimum=0.0) if widths[-1] == 2 else None
    if problem is None:  # more outputs than samples: the product stands
        rng = np.random.default_rng(3)
        inputs, labels = rng.standard_normal((5, 40)), rng.standard_normal((5, 30))
        problem = SampleProblem(tw.LinearNet(widths), inputs, labels, Huber(0.4))
    weights = start(problem)
    pairs = zip(
        problem.gradient(weights), numpy_gradient(problem, weights), strict=True
    )
    for found, wanted in pairs:
        close(found, wanted, ulps=256, scale=10.0)


@pytest.mark.parametrize("loss", SMOOTH, ids=str)
def test_a_hessian_vector_product_is_a_difference_of_gradients(loss):
    problem = posed(loss)
    weights, along = start(problem), start(problem, seed=5)

    def at(h):
        return numpy_gradient(
            problem,
            [np.asarray(w + h * a) for w, a in zip(weights, along, strict=True)],
        )

    quotient = [(a - b) / 2e-6 for a, b in zip(at(1e-6), at(-1e-6), strict=True)]
    for found, wanted in zip(
        problem.hessian_vector(weights, along), quotient, strict=True
    ):
        np.testing.assert_allclose(found, wanted, atol=1e-7)


@pytest.mark.parametrize("widths", [(3, 4, 2), (3, 1, 2), (3, 2)])
@pytest.mark.parametrize("scale", ["mean", "sum"])
@given(seed=SEEDS)
def test_squares_agree_with_the_problem_of_moments(scale, widths, seed):
    rng = np.random.default_rng(seed)
    inputs, labels = rng.standard_normal((COUNT, 3)), rng.standard_normal((COUNT, 2))
    net = tw.LinearNet(widths)
    ours = SampleProblem(net, inputs, labels, Squared(), scale=scale)
    theirs = tw.Problem(net, tw.Moments.from_data(inputs, labels, scale=scale))
    weights = start(ours, seed=seed)
    size = COUNT if scale == "sum" else 1
    scale = 50.0 * size * (1 + float(theirs.loss(weights)) / size)
    for name in ("floor", "target", "target_singular_values"):
        close(getattr(ours, name), getattr(theirs, name), ulps=64, scale=scale)
    close(ours.loss(weights), theirs.loss(weights), ulps=16, scale=scale)
    close(ours.excess_loss(weights), theirs.excess_loss(weights), ulps=16, scale=scale)
    for a, b in zip(ours.gradient(weights), theirs.gradient(weights), strict=True):
        close(a, b, ulps=64, scale=scale)


# Infima. For multipliers D with D X' = 0 no matrix has a loss below minus the sum of
# the conjugates: a bound that needs no optimisation.


def dual_bound(loss, inputs, labels, outputs):
    basis = np.linalg.svd(inputs, full_matrices=False)[2]
    multipliers = slope_of_one(loss, outputs, labels)
    multipliers = multipliers - (multipliers @ basis.T) @ basis
    match loss:
        case Power(p=p):
            q = p / (p - 1)
            conjugates = np.abs(multipliers) ** q / q + multipliers * labels
        case Huber(threshold=t):
            multipliers = multipliers * min(1, t / np.max(np.abs(multipliers)))
            conjugates = multipliers**2 / 2 + multipliers * labels
        case Logistic():
            chances = np.clip(-labels * multipliers, 0, 1)
            conjugates = _entropy(chances) + _entropy(1 - chances)
        case _:
            conjugates = _entropy(np.clip(multipliers + labels, 0, 1))
    return -np.sum(conjugates)


def _entropy(chances):
    return chances * np.log(np.where(chances > 0, chances, 1.0))


@pytest.mark.parametrize("count", [30, 200])
@pytest.mark.parametrize(
    "loss",
    [Power(1.4), Power(1.5), Power(3), Power(4), Huber(2.0), Huber(0.3), Huber(0.01),
     Logistic(), CrossEntropy()],
    ids=str,
)  # fmt: skip
def test_no_matrix_goes_below_the_infimum_and_the_target_attains_it(loss, count):
    rng = np.random.default_rng(count)
    inputs = rng.standard_normal((4, count)) * [[1.0], [30.0], [1.0], [0.01]]
    outputs = rng.standard_normal((3, 4)) @ (inputs / [[1.0], [30.0], [1.0], [0.01]])
    labels = loss.coded(labels_for(loss, rng, 0.5 * outputs.T, 3, count), 3).T
    value, matrix = least(loss, inputs, labels, 3)
    attained = sum(
        of_one(loss, (matrix @ inputs)[:, i], labels[:, i]) for i in range(count)
    )
    assert attained == pytest.approx(value, rel=1e-12)
    assert dual_bound(loss, inputs, labels, matrix @ inputs) == pytest.approx(
        value, rel=1e-11
    )


@given(seed=SEEDS, ties=st.booleans())
def test_least_absolute_deviations_are_those_of_the_best_vertex(seed, ties):
    rng = np.random.default_rng(seed)
    inputs, labels = rng.standard_normal((2, 8)), rng.standard_normal((1, 8))
    if ties:  # several labels on one plane, the same sample twice
        labels[:, :5] = np.array([[1.0, -2.0]]) @ inputs[:, :5]
        inputs[:, 6], labels[:, 6] = inputs[:, 5], labels[:, 5]
    vertices = []
    for pair in itertools.combinations(range(8), 2):
        corner = inputs[:, pair]
        if abs(np.linalg.det(corner)) > 1e-6:
            vertex = np.linalg.solve(corner.T, labels[0, list(pair)])
            vertices.append(np.sum(np.abs(vertex @ inputs - labels[0])))
    value, matrix = least(Power(1), inputs, labels, 1)
    assert value == pytest.approx(min(vertices), rel=1e-10)
    assert np.sum(np.abs(matrix @ inputs - labels)) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("loss", [Power(1), Power(1.5), Power(4), Huber(1.0)], ids=str)
def test_labels_that_a_matrix_meets_cost_nothing(loss):
    rng = np.random.default_rng(0)
    inputs, labels = rng.standard_normal((6, 4)), rng.standard_normal((2, 4))
    labels[1] = 0.0
    value, matrix = least(loss, inputs, labels, 2)
    assert value == 0.0
    np.testing.assert_allclose(matrix @ inputs, labels, atol=1e-12)
    wider = np.hstack([inputs, rng.standard_normal((6, 9))])
    value, matrix = least(loss, wider, np.hstack([labels, np.zeros((2, 9))]), 2)
    assert value > 0.0
    assert not matrix[1].any()


def test_classes_that_a_direction_tells_apart_cost_nothing_and_have_no_target():
    rng = np.random.default_rng(1)
    inputs = rng.standard_normal((40, 3))
    signs = np.sign(inputs @ rng.standard_normal(3))
    classes = np.argmax(inputs @ rng.standard_normal((3, 4)), axis=1)
    for width, labels, loss in ((1, signs, Logistic()), (4, classes, CrossEntropy())):
        problem = SampleProblem(tw.LinearNet((3, 5, width)), inputs, labels, loss)
        assert float(problem.infimum) == 0.0
        assert problem.best is None


def test_classes_told_apart_in_part_cost_what_the_rest_costs():
    rng = np.random.default_rng(2)
    inputs = rng.standard_normal((2, 60))
    inputs[0, :25] = 0.0
    signs = np.sign(inputs[:1] + 0.0)
    signs[0, :25] = np.sign(rng.standard_normal(25))
    value, matrix = least(Logistic(), inputs, signs, 1)
    rest, attained = least(Logistic(), inputs[1:, :25], signs[:, :25], 1)
    assert matrix is None
    assert attained is not None
    assert value == pytest.approx(rest, rel=1e-12)


def test_a_class_without_samples_is_never_chosen():
    rng = np.random.default_rng(3)
    inputs = np.vstack([rng.standard_normal((2, 50)), np.ones(50)])
    classes = np.eye(3)[rng.integers(0, 2, 50)].T
    value, matrix = least(CrossEntropy(), inputs, classes, 3)
    rest, _ = least(CrossEntropy(), inputs, classes[:2], 2)
    assert matrix is None
    assert value == pytest.approx(rest, rel=1e-12)


def test_dependent_inputs_have_a_target_of_least_norm():
    rng = np.random.default_rng(4)
    inputs = rng.standard_normal((2, 30))
    labels = rng.standard_normal((1, 30))
    value, matrix = least(Power(3), np.vstack([inputs, inputs[:1]]), labels, 1)
    alone, single = least(Power(3), inputs, labels, 1)
    assert value == pytest.approx(alone, rel=1e-12)
    assert matrix[0, 0] == pytest.approx(matrix[0, 2], rel=1e-9)
    assert matrix[0, 0] == pytest.approx(single[0, 0] / 2, rel=1e-9)


def test_the_infimum_is_a_mean_unless_a_sum_is_asked_for():
    mean, total = (posed(Huber(0.4), scale=scale) for scale in ("mean", "sum"))
    assert float(total.infimum) == pytest.approx(COUNT * float(mean.infimum), rel=1e-14)
    same_arrays(mean.target, total.target)


def test_a_bottleneck_is_no_part_of_the_infimum_but_for_squares():
    for loss, grows in ((Huber(0.4), False), (Squared(), True), (Power(2), True)):
        wide, narrow = posed(loss), posed(loss, (3, 1, 2))
        assert (float(narrow.infimum) > float(wide.infimum)) is grows


# Motion.


@pytest.mark.parametrize("momentum", [0.0, 0.8])
@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_a_descent_is_that_of_a_plain_loop(loss, momentum):
    problem = posed(loss)
    weights = start(problem)
    path = tw.descend(
        problem, weights, step_size=0.05, momentum=momentum, iterations=60, every=20
    )
    layers, speeds = [np.asarray(w) for w in weights], [0.0, 0.0]
    losses = [numpy_loss(problem, layers)]
    for iteration in range(60):
        slopes = numpy_gradient(problem, layers)
        speeds = [momentum * v - 0.05 * g for v, g in zip(speeds, slopes, strict=True)]
        layers = [w + v for w, v in zip(layers, speeds, strict=True)]
        if iteration % 20 == 19:
            losses.append(numpy_loss(problem, layers))
    # A sign may flip at a kink one rounding earlier; this run meets none.
    np.testing.assert_allclose(path["loss"], losses, rtol=1e-12)
    for found, wanted in zip(path.weights, layers, strict=True):
        close(found, wanted, ulps=4096, scale=1.0)


@pytest.mark.parametrize("loss", [Huber(0.4), Logistic(), CrossEntropy(), Power(1.5)])
def test_a_descent_reaches_the_infimum_exactly_when_it_says_so(loss):
    problem = posed(loss)
    path = tw.descend(
        problem, start(problem), step_size=0.1, iterations=20_000, accuracy=1e-6
    )
    assert path.outcome.converged
    assert 0 <= path["excess_loss"][-1] <= 1e-6
    assert numpy_loss(problem, path.weights) == pytest.approx(
        float(problem.infimum), abs=1.1e-6
    )


@pytest.mark.parametrize("loss", SMOOTH, ids=str)
def test_the_flow_of_every_differentiable_loss_keeps_its_invariants(loss):
    problem = posed(loss, (3, 4, 3, 2))
    path = tw.flow(problem, start(problem), horizon=4.0, measures=("imbalance",))
    assert path.outcome.loss < path["loss"][0]
    # The solver resolves a step to 1e-12 and 1e-10 of the weights.
    assert path.notes["invariant_drift"] < 1e-9
    np.testing.assert_allclose(path["imbalance"], path["imbalance"][0], rtol=1e-9)


def test_several_starts_descend_as_each_does_alone():
    problem = posed(CrossEntropy())
    starts = [start(problem, seed) for seed in range(3)]
    stacked = tuple(jnp.stack(layers) for layers in zip(*starts, strict=True))
    together = tw.descend(problem, stacked, step_size=0.1, iterations=30, every=10)
    for index, weights in enumerate(starts):
        alone = tw.descend(problem, weights, step_size=0.1, iterations=30, every=10)
        np.testing.assert_allclose(together["loss"][index], alone["loss"], rtol=1e-13)


def test_measures_of_a_target_are_read_where_there_is_one():
    path = tw.descend(
        posed(Huber(0.4)),
        start(posed(Huber(0.4))),
        step_size=0.1,
        iterations=5,
        measures=("deficiency_margin", "singular_modes", "sharpness"),
    )
    assert np.isfinite(path["deficiency_margin"]).all()


@pytest.mark.parametrize("measure", ["deficiency_margin", "singular_modes"])
def test_measures_of_a_target_say_that_there_is_none(measure):
    problem = posed(Logistic(), infimum=0.0)
    with pytest.raises(DomainError, match="has no target") as error:
        tw.descend(
            problem, start(problem), step_size=0.1, iterations=5, measures=(measure,)
        )
    assert is_a_sentence(error.value)


def test_what_needs_moments_says_so():
    problem = posed(Logistic())
    with pytest.raises(DomainError, match="no second moments") as error:
        tw.certify("arora2019.Convergence", problem, start(problem), step_size=0.1)
    assert is_a_sentence(error.value)


def test_batches_that_cover_the_samples_have_its_gradient_on_average():
    for scale in ("mean", "sum"):
        problem = posed(Huber(0.4), scale=scale)
        weights = start(problem)
        parts = [
            problem.batch(jnp.arange(first, COUNT, 5)).gradient(weights)
            for first in range(5)
        ]
        for layer, wanted in enumerate(problem.gradient(weights)):
            mean = sum(part[layer] for part in parts) / 5
            close(mean, wanted, ulps=64, scale=5.0 * (COUNT if scale == "sum" else 1))


# Storage and doors.


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_a_packed_problem_comes_back_bit_for_bit(loss):
    for problem in (posed(loss, scale="sum"), posed(loss, infimum=0.25)):
        card, arrays = pack(problem)
        again = unpack(json.loads(json.dumps(card, allow_nan=False)), arrays)
        assert jax.tree.structure(again) == jax.tree.structure(problem)
        pairs = zip(jax.tree.leaves(again), jax.tree.leaves(problem), strict=True)
        for one, other in pairs:
            same_arrays(one, other)


def test_a_saved_path_comes_back_and_goes_on(tmp_path):
    problem = posed(Logistic())
    options = {"step_size": 0.1, "every": 10}
    whole = tw.descend(problem, start(problem), iterations=40, **options)
    tw.descend(problem, start(problem), iterations=20, **options).save(tmp_path / "run")
    again = tw.resume(tw.Path.load(tmp_path / "run"), iterations=40)
    same_arrays(again["loss"], whole["loss"])
    assert again.outcome == whole.outcome


def test_samples_of_a_bundled_set_are_those_of_its_moments():
    inputs, labels = load_samples("diabetes")
    moments = tw.load("diabetes", center="inputs", bias=True)
    net = tw.LinearNet((11, 4, 1))
    ours = SampleProblem(net, inputs, labels, Squared())
    theirs = tw.Problem(net, moments)
    assert inputs.shape == (442, 11)
    np.testing.assert_allclose(inputs.T @ inputs / 442, np.eye(11), atol=1e-12)
    assert float(ours.floor) == pytest.approx(float(theirs.floor), rel=1e-12)
    np.testing.assert_allclose(ours.target, theirs.target, atol=1e-10)


@pytest.mark.parametrize(
    ("make", "kind", "match"),
    [
        (lambda: Power(0.5), DomainError, "p is 0.5; it must be at least 1"),
        (lambda: Power("two"), DomainError, "p is 'two'"),
        (lambda: Huber(0), DomainError, "threshold is 0"),
        (lambda: Huber(float("nan")), DomainError, "threshold is nan"),
    ],
)
def test_a_loss_out_of_its_domain_is_refused(make, kind, match):
    with pytest.raises(kind, match=match) as error:
        make()
    assert is_a_sentence(error.value)


X = np.eye(3)


@pytest.mark.parametrize(
    ("labels", "loss", "kind", "match"),
    [
        ([0, 1, 1], Logistic(), DataError, "labels hold 0; the logistic loss takes"),
        ([1, -1, np.nan], Logistic(), DataError, "labels holds 1 values"),
        ([0, 1, np.nan], CrossEntropy(), DataError, "labels holds 1 values"),
        ([0, 1, 2], CrossEntropy(), DataError, "labels hold 2; with 2 outputs"),
        ([0, 0.5, 1], CrossEntropy(), DataError, "labels hold 0.5"),
        ([[1, 1], [1, 0], [0, 1]], CrossEntropy(), DataError, "not one-hot"),
        (np.ones((3, 3)), Huber(1.0), ShapeError, "widths must be"),
        (np.ones((4, 2)), Huber(1.0), ShapeError, "3 samples and labels 4"),
        (np.ones((3, 2)), "huber", DomainError, "pass an object"),
        (["a", "b", "c"], Huber(1.0), DataError, "not a real number"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels, loss, kind, match):
    with pytest.raises(kind, match=match) as error:
        SampleProblem(tw.LinearNet((3, 4, 2)), X, labels, loss)
    assert is_a_sentence(error.value)


@pytest.mark.parametrize(
    ("options", "kind", "match"),
    [
        ({"inputs": [[0.0]] * 2}, DataError, "all inputs are zero"),
        ({"inputs": [[np.inf], [1.0]]}, DataError, "missing or infinite"),
        ({"inputs": [1.0, 2.0]}, ShapeError, "two axes"),
        ({"infimum": -1.0}, DomainError, "infimum is -1.0"),
        ({"infimum": np.nan}, DomainError, "infimum is nan"),
        ({"target": [[1.0]]}, DomainError, "without infimum"),
        ({"infimum": 0.0, "target": [1.0]}, ShapeError, "target has shape"),
        ({"scale": "total"}, KeyError, "list of scales"),
        ({"net": tw.LinearNet((1, 2))}, ShapeError, "widths must be"),
        ({"net": tw.LinearNet((1, 1)), "loss": CrossEntropy()}, ShapeError,
         "one a class"),
    ],
)  # fmt: skip
def test_samples_that_do_not_fit_are_refused(options, kind, match):
    fitting = {
        "net": tw.LinearNet((1, 3, 1)),
        "inputs": [[1.0], [2.0]],
        "labels": [[1.0], [0.5]],
        "loss": Huber(1.0),
    }
    with pytest.raises(kind, match=match) as error:
        SampleProblem(**{**fitting, **options})
    assert is_a_sentence(error.value)


def test_a_problem_too_large_to_solve_asks_for_its_infimum():
    inputs, classes = np.eye(70), np.arange(70)
    with pytest.raises(DomainError, match="4,900 unknowns") as error:
        SampleProblem(tw.LinearNet((70, 70)), inputs, classes, CrossEntropy())
    assert is_a_sentence(error.value)
