"""Compressed nets against plain loops on the full ones."""

import functools
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import net_oracles
import thalweg as tw
from thalweg._core.errors import DataError, ShapeError
from thalweg.problem import _spaces
from thalweg.problem.compress import compress, compress_many
from tolerances import EPS, close, is_a_sentence

STEPS = 600


def draw(seed=3):
    return np.random.default_rng(seed).standard_normal


def white(inputs, outputs):
    return tw.Moments.whitened(draw()((outputs, inputs)))


def raw(inputs, outputs, samples=40):
    x = draw()((samples, inputs)) * np.linspace(1, 2, inputs)
    y = x @ draw(4)((inputs, outputs)) + 0.3 * draw(5)((samples, outputs))
    return tw.Moments.from_data(x, y / np.sqrt(inputs))


def one_of_each(inputs, outputs):
    x = np.concatenate([np.eye(inputs)] * 3)
    return tw.Moments.from_data(2 * x, draw()((3 * inputs, outputs)))


FEW = functools.partial(raw, samples=10)
MIXED = {"std": 0.5, "mix": True}
GAUSS = {"std": 0.3}
# What a net becomes is counted by hand: see the module's page.
CASES = {
    "two layers": ((3, 40, 2), "gaussian", GAUSS, white, (3, 5, 2)),
    "two layers, raw data": ((3, 40, 2), "gaussian", GAUSS, raw, (3, 5, 2)),
    "two layers, more outputs": ((2, 40, 4), "gaussian", GAUSS, raw, (2, 6, 4)),
    "many white inputs": ((12, 9, 2), "gaussian", GAUSS, white, (11, 9, 2)),
    "one label": ((20, 15, 15, 1), "balanced", MIXED, white, (2, 1, 1, 1)),
    "few samples": ((30, 12, 12, 2), "balanced", MIXED, FEW, (12, 2, 2, 2)),
    "equal inputs": ((9, 12, 12, 2), "balanced", MIXED, one_of_each, (4, 2, 2, 2)),
    "many outputs": ((2, 13, 13, 9), "balanced", MIXED, raw, (2, 2, 2, 4)),
    "unmixed": ((3, 10, 12, 4), "balanced", {"std": 0.5}, raw, (3, 3, 3, 4)),
    "depth five": ((4, *[10] * 4, 3), "balanced", MIXED, raw, (4, 3, 3, 3, 3, 3)),
    "orthogonal": ((3, 20, 20, 20, 2), "orthogonal", {}, white, (3, 5, 5, 5, 2)),
    "orthogonal, raw data": ((3, 20, 20, 2), "orthogonal", {}, raw, (3, 5, 5, 2)),
    "narrowing": ((3, 30, 20, 2), "orthogonal", {}, white, (3, 8, 5, 2)),
    "bottleneck": ((6, 25, 2, 25, 5), "gaussian", GAUSS, white, (6, 8, 2, 7, 5)),
    "identity": ((3, 8, 8, 3), "identity", {}, white, (3, 3, 3, 3)),
    "zero last layer": ((3, 8, 8, 2), "zero_asymmetric", {}, raw, (3, 3, 3, 2)),
    "one layer": ((9, 2), "gaussian", GAUSS, white, (4, 2)),
}
INERT = {
    "orthogonal",
    "orthogonal, raw data",
    "narrowing",
    "identity",
    "zero last layer",
}


@functools.cache
def posed(case):
    widths, init, fields, data, _ = CASES[case]
    net = tw.LinearNet(widths)
    problem = tw.Problem(net, data(widths[0], widths[-1]))
    return problem, tw.init(init, **fields).draw(jax.random.key(1), net)


@functools.cache
def compressed(case):
    return compress(*posed(case))


def uncompressed():
    has = "compress" in inspect.signature(tw.descend).parameters
    return {"compress": False} if has else {}


def descended(problem, weights, momentum=0.0, step=0.02):
    return tw.descend(
        problem,
        weights,
        step_size=step,
        iterations=STEPS,
        momentum=momentum,
        records=8,
        measures=("gradient_norm",),
        **uncompressed(),
    )


def factors(problem):
    data = problem.data
    return np.asarray(data.inputs_factor), np.asarray(data.labels_factor)


def plain_descent(problem, weights, momentum, step=0.02):
    """Full weights, velocity and excess losses of a NumPy loop."""
    both = factors(problem)
    weights = [np.array(w) for w in weights]
    speed, losses = [np.zeros_like(w) for w in weights], []
    for _ in range(STEPS):
        losses.append(net_oracles.loss(weights, *both) - float(problem.infimum))
        slopes = net_oracles.gradient(weights, *both)
        speed = [momentum * v - step * g for v, g in zip(speed, slopes, strict=True)]
        weights = [w + v for w, v in zip(weights, speed, strict=True)]
    losses.append(net_oracles.loss(weights, *both) - float(problem.infimum))
    return weights, speed, np.array(losses)


def near(found, expected, share):
    for one, other in zip(found, expected, strict=True):
        gap = np.linalg.norm(np.asarray(one) - np.asarray(other))
        assert gap <= share * max(np.linalg.norm(np.asarray(other)), 1e-3)


@pytest.mark.parametrize("case", CASES)
def test_a_net_becomes_as_narrow_as_its_spaces(case):
    found = compressed(case)
    assert found.widths_before == CASES[case][0]
    assert found.widths_after == CASES[case][4]
    assert found.reduced
    assert any(part is not None for part in found.rest) == (case in INERT)
    assert found.neglected <= 100 * EPS


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("case", CASES)
def test_the_small_net_lifted_is_the_full_one(case, momentum):
    # 600 steps of some ten roundings each, none of them amplified near a minimum.
    problem, weights = posed(case)
    found, step = compressed(case), 0.02 * (1 - momentum)
    small, start, lift = found
    ended, velocity, column = plain_descent(small, start, momentum, step)
    wanted, speed, losses = plain_descent(problem, weights, momentum, step)
    near(lift(ended), wanted, 1e-12)
    for one, other in zip(found.velocity_lift(velocity), speed, strict=True):
        assert np.linalg.norm(one - other) <= 1e-12 * np.linalg.norm(wanted[0])
    np.testing.assert_allclose(column, losses, rtol=1e-11, atol=1e-13 * losses[0])


@pytest.mark.parametrize(
    ("case", "momentum"),
    [("two layers", 0.0), ("few samples", 0.9), ("orthogonal", 0.0)],
)
def test_descend_says_the_same_of_both(case, momentum):
    problem, weights = posed(case)
    small, start, lift = compressed(case)
    one = descended(small, start, momentum, step=0.02 * (1 - momentum))
    other = descended(problem, weights, momentum, step=0.02 * (1 - momentum))
    near(lift(one.weights), other.weights, 1e-12)
    for name in ("loss", "excess_loss", "gradient_norm"):
        np.testing.assert_allclose(
            one[name], other[name], rtol=1e-11, atol=1e-13 * other[name][0]
        )


def test_the_flow_of_the_small_net_lifted_is_the_full_one():
    problem, weights = posed("orthogonal, raw data")
    small, start, lift = compressed("orthogonal, raw data")
    one, other = (
        tw.flow(p, w, horizon=2.0, records=3, rtol=1e-10, atol=1e-12)
        for p, w in ((small, start), (problem, weights))
    )
    near(lift(one.weights), other.weights, 100 * 1e-10)


@pytest.mark.parametrize("case", CASES)
def test_bases_are_orthonormal_and_projection_undoes_the_lift(case):
    found = compressed(case)
    for basis in found.bases:
        if basis is not None:
            close(basis.T @ basis, np.eye(basis.shape[1]), ulps=16, scale=1.0)
    back = found.project(found.lift(found.small_weights))
    for one, other in zip(back, found.small_weights, strict=True):
        scale = float(jnp.linalg.norm(other))
        close(one, other, ulps=64, scale=max(scale, EPS))
    assert len(found.bases) == len(found.widths_before)


@pytest.mark.parametrize("case", CASES)
def test_every_space_is_closed_under_the_layers(case):
    found, (problem, weights) = compressed(case), posed(case)
    bases = [
        np.eye(width) if basis is None else np.asarray(basis)
        for width, basis in zip(problem.net.widths, found.bases, strict=True)
    ]
    layers = [np.asarray(layer) for layer in weights]
    inputs, labels = factors(problem)
    reached = [
        (bases[0], layers[0].T),
        (bases[0], inputs @ labels.T),
        (bases[0], inputs @ inputs.T @ bases[0]),
        (bases[-1], layers[-1]),
        (bases[-1], labels),
    ]
    for j, layer in enumerate(layers):
        reached.append((bases[j + 1], layer @ bases[j]))
        reached.append((bases[j], layer.T @ bases[j + 1]))
    for basis, image in reached:
        outside = np.linalg.norm(image - basis @ (basis.T @ image))
        assert outside <= 64 * EPS * np.linalg.norm(image)


@pytest.mark.parametrize("case", CASES)
def test_the_small_problem_keeps_the_numbers_of_the_full_one(case):
    found, (problem, weights) = compressed(case), posed(case)
    small, start, _ = found
    assert small.infimum == problem.infimum
    assert small.data.constant == problem.data.constant
    assert small.data.is_whitened == problem.data.is_whitened
    assert small.data.samples == problem.data.samples
    loss = float(problem.loss(weights))
    close(small.loss(start), loss, ulps=64, scale=loss)
    close(found.half_problem.loss(found.half_lift(start)), loss, ulps=64, scale=loss)
    rank = np.linalg.matrix_rank(np.asarray(small.data.inputs_factor))
    assert rank == small.data.inputs_factor.shape[1]
    if small.data.is_whitened:
        width = small.net.widths[0]
        np.testing.assert_array_equal(small.data.inputs_factor, np.eye(width))


def test_the_bottleneck_of_the_full_net_is_the_small_ones():
    # From a start of rank one the small net has hidden width 1; its own infimum is
    # higher than the full net's.
    problem = tw.Problem(tw.LinearNet((3, 9, 9, 3)), white(3, 3))
    start = tw.init("balanced", end_to_end=np.eye(3, 1) @ np.eye(1, 3) * 0.1)
    found = compress(problem, start.draw(jax.random.key(0), problem.net))
    assert found.widths_after[1:3] == (1, 1)
    assert float(found.small_problem.infimum) == 0.0


def test_the_half_problem_has_the_end_to_end_map_and_the_data_of_the_full_one():
    found, (problem, weights) = compressed("one label"), posed("one label")
    assert found.half_problem.net.widths == (20, 1, 1, 1)
    assert found.half_problem.data.labels_factor is problem.data.labels_factor
    half = tw.end_to_end(found.half_lift(found.small_weights))
    whole = tw.end_to_end(weights)
    close(half, whole, ulps=64, scale=float(jnp.linalg.norm(whole)))


def test_spare_units_are_as_many_as_were_left_out():
    found = compressed("narrowing")
    shapes = [w.shape for w in found.half_lift(found.small_weights, spare=20)]
    assert shapes == [(28, 3), (20, 28), (2, 20)]


@pytest.mark.parametrize(
    ("widths", "init", "fields"),
    [
        ((3, 20, 20, 2), "gaussian", GAUSS),
        ((2, 4, 4, 2), "orthogonal", {}),
        ((2, 2, 2), "balanced", MIXED),
        ((4, 3), "gaussian", GAUSS),
    ],
)
def test_where_nothing_can_be_left_out_all_stays_the_same(widths, init, fields):
    net = tw.LinearNet(widths)
    problem = tw.Problem(net, raw(widths[0], widths[-1]))
    weights = tw.init(init, **fields).draw(jax.random.key(0), net)
    found = compress(problem, weights)
    small, start, lift = found
    assert not found.reduced
    assert small is problem
    assert start is weights
    assert lift(weights) is weights
    assert found.project(weights) is weights
    assert found.half_lift(weights) is weights
    assert str(found) == f"Nothing can be left out of the widths {widths}."


def test_a_playground_stays_the_same():
    toy, x = tw.Playground(3), jnp.array([0.5, 1.2, 0.8])
    small, start, lift = compress(toy, x)
    assert small is toy
    assert start is x
    assert lift(x) is x
    assert compress_many(toy, x[None]) is None


def test_a_net_of_zeros_becomes_one_of_width_one():
    problem = tw.Problem(tw.LinearNet((3, 8, 8, 2)), white(3, 2))
    found = compress(problem, [np.zeros(shape) for shape in problem.net.shapes])
    assert found.widths_after == (2, 1, 1, 2)
    ended, _, _ = plain_descent(found.small_problem, found.small_weights, 0.0)
    assert not any(jnp.any(layer) for layer in found.lift(ended))


def test_a_compression_says_in_one_sentence_what_it_did():
    told = str(compressed("two layers"))
    assert told.startswith("Widths (3, 40, 2) become (3, 5, 2), 200 weights become 25")
    assert is_a_sentence(told)


def test_the_same_start_gives_the_same_compression():
    once, again = compress(*posed("orthogonal")), compressed("orthogonal")
    for one, other in zip(once.bases, again.bases, strict=True):
        assert one is None or one.tobytes() == other.tobytes()


def test_turning_hidden_spaces_does_not_change_the_widths():
    problem, weights = posed("unmixed")
    turned = list(weights)
    for j, width in enumerate(problem.net.widths[1:-1]):
        turn = np.linalg.qr(draw(j)((width, width)))[0]
        turned[j], turned[j + 1] = turn @ turned[j], turned[j + 1] @ turn.T
    found = compress(problem, turned)
    assert found.widths_after == compressed("unmixed").widths_after
    near(found.lift(found.small_weights), turned, 64 * EPS)


@pytest.mark.parametrize("faint", [1e-12, 1e-40, 1e-200])
def test_a_mode_too_faint_for_rounding_is_kept_and_grows_as_in_the_full_net(faint):
    # A mode that starts at 1e-200 stays there for long, then it is learned.
    goal = np.diag([2.0, 1.0])
    problem = tw.Problem(tw.LinearNet((2, 30, 2)), tw.Moments.whitened(goal))
    weights = tw.init("aligned", target=goal, strengths=[1.0, faint]).draw(
        jax.random.key(0), problem.net
    )
    small, start, lift = compress(problem, weights)
    assert small.net.widths == (2, 2, 2)
    ended, _, _ = plain_descent(small, start, 0.0, step=0.1)
    wanted, _, _ = plain_descent(problem, weights, 0.0, step=0.1)
    found = np.asarray(tw.end_to_end(lift(ended)))[1, 1]
    full = (wanted[1] @ wanted[0])[1, 1]
    assert full > 1e3 * faint
    assert found == pytest.approx(full, rel=1e-11)


@pytest.mark.parametrize(
    ("scale", "after"), [(0.5, 4), (1e-3, 12), (1e-10, 12), (1e-18, 12)]
)
def test_no_label_is_lost_where_the_scales_of_inputs_are_far_apart(scale, after):
    # Six inputs of scale 1 and six of another: the second moment has two eigenvalues,
    # the smallest input space dimension 4, which far apart scales do not let be seen.
    x, y = np.diag([1.0] * 6 + [scale] * 6), draw()((12, 1))
    net = tw.LinearNet((12, 7, 7, 1))
    problem = tw.Problem(net, tw.Moments.from_data(x, y))
    weights = tw.init("balanced", **MIXED).draw(jax.random.key(0), net)
    found = compress(problem, weights)
    assert found.widths_after == (after, 1, 1, 1)
    loss = float(problem.loss(weights))
    close(found.small_problem.loss(found.small_weights), loss, ulps=64, scale=loss)


def test_a_search_that_would_cost_too_much_leaves_the_net_as_it_is(monkeypatch):
    monkeypatch.setattr(_spaces, "FREE_FLOPS", 0)
    monkeypatch.setattr(_spaces, "PATIENCE", 0)
    assert not compress(*posed("orthogonal")).reduced


def test_weights_that_do_not_fit_are_refused():
    problem, weights = posed("two layers")
    with pytest.raises(ShapeError, match="must be 2"):
        compress(problem, weights[::-1])


@pytest.mark.parametrize(
    "case", ["two layers", "two layers, raw data", "unmixed", "many outputs"]
)
def test_the_hessian_of_the_half_net_with_spare_units_has_the_same_ends(case):
    found, (problem, weights) = compressed(case), posed(case)
    top = 3
    half = [np.asarray(w) for w in found.half_lift(found.small_weights, spare=top)]
    one, other = (
        np.linalg.eigvalsh(net_oracles.hessian(w, *factors(problem)))
        for w in (half, [np.asarray(w) for w in weights])
    )
    ends = [*range(top), *range(-top, 0)]
    close(one[ends], other[ends], ulps=512, scale=np.abs(other).max())


def stacked(problem, runs, init="gaussian", **fields):
    keys = jax.random.split(jax.random.key(2), runs)
    starts = [tw.init(init, **fields).draw(key, problem.net) for key in keys]
    return tuple(map(jnp.stack, zip(*starts, strict=True)))


def run(weights, index):
    return [layer[index] for layer in weights]


MANY = {
    "two layers": ((3, 40, 2), "gaussian", GAUSS, raw, (3, 5, 2)),
    "balanced": ((3, 12, 12, 2), "balanced", MIXED, white, (3, 2, 2, 2)),
    "orthogonal": ((2, 9, 9, 2), "orthogonal", {}, white, (2, 4, 4, 2)),
    "many inputs": ((20, 3, 2), "balanced", MIXED, white, (8, 2, 2)),
}


@pytest.mark.parametrize("case", MANY)
def test_many_starts_share_one_small_problem(case):
    widths, init, fields, data, after = MANY[case]
    problem = tw.Problem(tw.LinearNet(widths), data(widths[0], widths[-1]))
    weights = stacked(problem, 3, init, **fields)
    found = compress_many(problem, weights)
    assert found.widths_after == after
    ends = [
        plain_descent(found.small_problem, run(found.small_weights, index), 0.0)[0]
        for index in range(3)
    ]
    full = found.lift(list(map(np.stack, zip(*ends, strict=True))))
    for index in range(3):
        wanted, _, _ = plain_descent(problem, run(weights, index), 0.0)
        near(run(full, index), wanted, 1e-12)
    near(found.lift(found.small_weights), weights, 64 * EPS)
    near(found.project(weights), found.small_weights, 64 * EPS)
    half = found.half_lift(found.small_weights)
    assert half[0].shape == (3, after[1], widths[0])


def test_a_single_hidden_space_is_filled_up_to_the_largest_of_the_runs():
    problem = tw.Problem(tw.LinearNet((3, 40, 2)), white(3, 2))
    pairs = zip(
        stacked(problem, 2, std=0.3),
        stacked(problem, 2, "balanced", std=0.5),
        strict=True,
    )
    weights = tuple(jnp.concatenate(pair) for pair in pairs)
    found = compress_many(problem, weights)
    assert found.widths_after == (3, 5, 2)
    path = descended(found.small_problem, found.small_weights)
    assert path.runs == 4
    for index in range(4):
        wanted, _, _ = plain_descent(problem, run(weights, index), 0.0)
        near(run(found.lift(path.weights), index), wanted, 1e-12)


def test_runs_that_need_different_widths_are_not_compressed_together():
    problem = tw.Problem(tw.LinearNet((3, 20, 20, 2)), white(3, 2))
    pairs = zip(
        stacked(problem, 1, "orthogonal"),
        stacked(problem, 1, "balanced", std=0.5),
        strict=True,
    )
    weights = tuple(jnp.concatenate(pair) for pair in pairs)
    assert compress_many(problem, weights) is None


def test_many_starts_with_nothing_to_leave_out_give_nothing():
    problem = tw.Problem(tw.LinearNet((3, 5, 2)), raw(3, 2))
    assert compress_many(problem, stacked(problem, 3, std=0.3)) is None


def test_stacks_that_do_not_fit_together_or_are_not_finite_are_refused():
    problem = tw.Problem(tw.LinearNet((3, 9, 2)), raw(3, 2))
    first, last = stacked(problem, 3, std=0.3)
    with pytest.raises(ShapeError, match=r"hold \[3, 2\] runs"):
        compress_many(problem, (first, last[:2]))
    with pytest.raises(DataError, match="must be a finite number") as error:
        compress_many(problem, (first.at[1].set(np.nan), last))
    assert is_a_sentence(error.value)


def test_the_lift_works_under_jit_and_vmap():
    found = compressed("orthogonal")
    wanted = found.lift(found.small_weights)
    stacks = jax.tree.map(lambda w: jnp.stack([w, 2 * w]), found.small_weights)
    once = jax.jit(lambda tree, w: tree.lift(w))(found, found.small_weights)
    many = jax.vmap(found.lift)(stacks)
    near(once, wanted, 4 * EPS)
    near(run(many, 0), wanted, 4 * EPS)
