"""What every measure keeps, and what each one says of a state."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import net_oracles
import thalweg as tw
from thalweg._core.errors import DomainError
from thalweg.measures import shelf
from thalweg.problem.compress import compress
from tolerances import EPS, close, is_a_sentence

NAMES = shelf.names()
CASES = ["white", "raw data", "bottleneck", "one layer", "playground"]
RUNS = 2
HIDDEN, ENDS = "rotations of hidden spaces", "rotations of both ends"


def samples():
    rng = np.random.default_rng(11)
    inputs = rng.standard_normal((20, 3)) * np.array([1.0, 0.5, 2.0])
    labels = inputs @ rng.standard_normal((3, 2)) + 0.3 * rng.standard_normal((20, 2))
    return inputs, labels


def target(outputs=2, inputs=3):
    return np.random.default_rng(5).standard_normal((outputs, inputs))


def own(name):
    """The case that is white data on the net a measure is shown on."""
    widths = shelf.entry(name).shown_on
    return "white" if widths == (3, 4, 2) else "-".join(map(str, widths))


def widths_of(case):
    known = {"bottleneck": (3, 1, 4, 2), "one layer": (3, 2)}
    if case[0].isdigit():
        return tuple(map(int, case.split("-")))
    return known.get(case, (3, 4, 2))


@functools.cache
def problem(case):
    if case == "playground":
        return tw.Playground(3)
    widths = widths_of(case)
    data = (
        tw.Moments.from_data(*samples())
        if case == "raw data"
        else tw.Moments.whitened(target(widths[-1], widths[0]))
    )
    return tw.Problem(net=tw.LinearNet(widths), data=data)


def suits(name, case):
    return tw.measure(name).suits(problem(case).net)


def pairs(*cases, names=tuple(NAMES)):
    """Measures, each with the cases it suits, or its own where it suits none."""
    return [
        (name, case)
        for name in names
        for case in [case for case in cases if suits(name, case)] or [own(name)]
    ]


def shapes(case):
    return [(3,)] if case == "playground" else list(problem(case).net.shapes)


def states(case, seed=0, runs=RUNS):
    """Weights of several runs, stacked."""
    draw = np.random.default_rng(seed).standard_normal
    stacks = tuple(jnp.asarray(0.7 * draw((runs, *shape))) for shape in shapes(case))
    return stacks[0] if case == "playground" else stacks


def one(stacks, run):
    return jax.tree.map(lambda leaf: leaf[run], stacks)


def read(name, case, weights):
    return tw.measure(name).read(problem(case), weights)


def scale_of(weights):
    """How large a measure's rounding can be: squares of weights and target."""
    sizes = [float(jnp.sum(jnp.asarray(w) ** 2)) for w in jax.tree.leaves(weights)]
    return (1 + float(np.prod([1 + s for s in sizes]))) * (1 + np.sum(target() ** 2))


@pytest.mark.parametrize("name", NAMES)
def test_a_measure_has_a_full_card(name):
    made = shelf.entry(name)
    assert made.symbol
    assert made.source.line()
    assert made.says.endswith(".")
    assert shelf.cards[name].summary.endswith((".", ";"))
    assert set(made.invariant_under) <= {HIDDEN, ENDS}


@pytest.mark.parametrize("name", NAMES)
def test_a_measure_is_about_every_net_or_says_which(name):
    assert suits(name, own(name))
    about = shelf.entry(name).about
    assert bool(about) == any(not suits(name, case) for case in CASES)
    assert not about.endswith(".")


@pytest.mark.parametrize(
    ("name", "case"),
    [(name, case) for name in NAMES for case in CASES if not suits(name, case)],
)
def test_a_net_that_a_measure_is_not_about_is_refused(name, case):
    with pytest.raises(DomainError, match=r"came; the measure .* is about") as caught:
        read(name, case, one(states(case), 0))
    assert is_a_sentence(caught.value)


@pytest.mark.parametrize(("name", "case"), pairs(*CASES))
def test_the_axes_are_those_of_the_card(name, case):
    measure = tw.measure(name)
    value = jax.eval_shape(measure.read, problem(case), one(states(case), 0))
    assert value.ndim == len(shelf.entry(name).axes)
    assert value.dtype == jnp.float64


@pytest.mark.parametrize(("name", "case"), pairs("bottleneck", "playground"))
def test_jit_of_vmap_is_a_plain_loop(name, case):
    measure, stacks = tw.measure(name), states(case)
    batch = jax.jit(jax.vmap(measure.read, in_axes=(None, 0)))(problem(case), stacks)
    for run in range(RUNS):
        weights = one(stacks, run)
        eager = measure.read(problem(case), weights)
        close(batch[run], eager, ulps=16, scale=scale_of(weights))


@pytest.mark.parametrize(
    ("name", "case"), pairs("bottleneck", "one layer", "playground")
)
def test_zero_weights_read_without_nan(name, case):
    zero = jax.tree.map(jnp.zeros_like, one(states(case), 0))
    assert not bool(jnp.any(jnp.isnan(read(name, case, zero))))


@pytest.mark.parametrize("name", [name for name in NAMES if suits(name, "playground")])
def test_a_playground_is_the_net_of_width_one(name):
    x = one(states("playground"), 0)
    net = tw.Problem(net=tw.LinearNet((1,) * 4), data=tw.Moments.whitened([[1.0]]))
    found = read(name, "playground", x)
    wanted = tw.measure(name).read(net, tuple(x.reshape(3, 1, 1)))
    close(found, wanted, ulps=16, scale=scale_of(x))


def rotation(size, seed):
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((size, size)))[0]


def unchanged_by(change):
    return tuple(name for name in NAMES if change in shelf.entry(name).invariant_under)


@pytest.mark.parametrize(
    ("name", "case"),
    pairs("white", "raw data", "bottleneck", names=unchanged_by(HIDDEN)),
)
def test_turning_hidden_spaces_changes_nothing(name, case):
    weights = one(states(case), 0)
    turned = list(weights)
    for j, width in enumerate(problem(case).net.widths[1:-1]):
        turn = rotation(width, j)
        turned[j], turned[j + 1] = turn @ turned[j], turned[j + 1] @ turn.T
    scale = scale_of(weights)
    close(
        read(name, case, tuple(turned)), read(name, case, weights), ulps=16, scale=scale
    )


@pytest.mark.parametrize("name", unchanged_by(ENDS))
@pytest.mark.parametrize("whitened", [True, False])
def test_turning_both_ends_and_the_data_changes_nothing(name, whitened):
    case = "white" if whitened else "raw data"
    first, last = one(states(case), 0)
    left, right = rotation(2, 20), rotation(3, 30)
    inputs, labels = samples()
    data = (
        tw.Moments.whitened(left @ target() @ right.T)
        if whitened
        else tw.Moments.from_data(inputs @ right.T, labels @ left.T)
    )
    turned = tw.Problem(net=problem(case).net, data=data)
    found = tw.measure(name).read(turned, (first @ right.T, left @ last))
    wanted = read(name, case, (first, last))
    close(found, wanted, ulps=16, scale=scale_of((first, last)))


CONSERVED = [name for name in NAMES if shelf.entry(name).conserved]


def kept_in(case):
    return [name for name in CONSERVED if own(name) == case]


@functools.cache
def tight_flow(case):
    return tw.flow(
        problem(case),
        one(states(case), 0),
        horizon=3.0,
        rtol=1e-11,
        atol=1e-13,
        measures=kept_in(case),
        records=5,
    )


@functools.cache
def descents(case):
    start, common = one(states(case), 0), {"measures": kept_in(case), "records": 2}
    return [
        tw.descend(problem(case), start, step_size=step, iterations=count, **common)
        for step, count in ((1e-3, 2000), (1e-4, 20000))
    ]


@pytest.mark.parametrize("name", CONSERVED)
def test_what_is_declared_conserved_stays_along_the_flow(name):
    column = tight_flow(own(name))[name]
    largest = 1 + np.abs(column).max()
    assert np.abs(column - column[0]).max() <= max(20 * 1e-11, 1e-13) * largest


@pytest.mark.parametrize("name", CONSERVED)
def test_what_is_declared_conserved_drifts_in_descent_as_the_step(name):
    coarse, fine = (
        np.linalg.norm(p[name][-1] - p[name][0]) for p in descents(own(name))
    )
    assert coarse > 1e-6
    assert coarse / fine == pytest.approx(10, rel=0.05)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in CONSERVED])
def test_what_is_not_declared_conserved_does_change(name):
    path = tight_flow(own(name))
    gap = read(name, own(name), path.weights) - read(name, own(name), path.start)
    if name != "sharpness_residual":  # zero to rounding at both ends
        assert float(jnp.abs(gap).max()) > 1e-6


NETS = {
    "two layers": ((3, 9, 2), "gaussian", {"std": 0.4}, "raw"),
    "balanced": ((5, 6, 7, 2), "balanced", {"std": 0.5, "mix": True}, "white"),
    "bottleneck": ((3, 7, 1, 6, 2), "gaussian", {"std": 0.5}, "raw"),
    "inert parts": ((2, 7, 6, 2), "orthogonal", {"gain": 0.8}, "white"),
    "stretch": ((3, 1, 7, 5, 1, 2), "gaussian", {"std": 0.6}, "raw"),
}
ALL_ROUNDS = {"top": 4, "rounds": 200}
EXACT = {"sharpness": ALL_ROUNDS, "sharpness_residual": ALL_ROUNDS}


@functools.cache
def compressed(net):
    """A compression, and small weights from a descent."""
    widths, init, fields, kind = NETS[net]
    draw = np.random.default_rng(6).standard_normal
    inputs = draw((20, widths[0]))
    labels = inputs @ draw((widths[0], 2)) + 0.3 * draw((20, 2))
    data = (
        tw.Moments.whitened(draw((2, widths[0])))
        if kind == "white"
        else tw.Moments.from_data(inputs, labels)
    )
    full = tw.Problem(net=tw.LinearNet(widths), data=data)
    found = compress(full, tw.init(init, **fields).draw(jax.random.key(1), full.net))
    weights, on_the_way = found.small_weights, []
    for iteration in range(61):
        if iteration in (0, 7, 60):
            on_the_way.append(weights)
        slopes = found.small_problem.gradient(weights)
        weights = tuple(w - 0.05 * g for w, g in zip(weights, slopes, strict=True))
    return found, on_the_way


@pytest.mark.parametrize(
    ("name", "net"),
    [
        (name, net)
        for name in NAMES
        for net in NETS
        if tw.measure(name).suits(tw.LinearNet(NETS[net][0]))
    ],
)
def test_a_compressed_net_reads_as_the_full_one(name, net):
    measure = tw.measure(name, **EXACT.get(name, {}))
    found, on_the_way = compressed(net)
    assert found.reduced
    seen, raised = found.seen_by(measure)
    read = jax.jit(measure.read)
    for small in on_the_way:
        whole = found.lift(small)
        value, wanted = read(seen, raised(small)), read(found.problem, whole)
        close(value, wanted, ulps=64, scale=scale_of(whole))


@pytest.mark.parametrize("name", NAMES)
def test_a_measure_is_read_on_the_smallest_net_it_can_be(name):
    measure = tw.measure(name)
    for net in ("balanced", "inert parts"):
        found = compressed(net)[0]
        half = {
            "moving parts": True,
            "layers": found.all_moves,
            "everything": False,
        }[measure.depends_on]
        hidden = found.seen_by(measure)[0].net.widths[1:-1]
        after = [width + measure.spare_units for width in found.widths_after[1:-1]]
        assert hidden == (tuple(after) if half else found.widths_before[1:-1])


@pytest.mark.parametrize("name", ["alignment", "imbalance", "norm_gaps", "spread"])
def test_what_depends_on_layers_sees_what_is_inert(name):
    found, (small, *_) = compressed("inert parts")
    value = tw.measure(name).read(found.half_problem, found.half_lift(small))
    wanted = tw.measure(name).read(found.problem, found.lift(small))
    assert float(jnp.abs(value - wanted).max()) > 1e-3


def numpy_chain(case, run=0):
    return [np.asarray(w) for w in one(states(case), run)]


def whole(case):
    return functools.reduce(lambda below, above: above @ below, numpy_chain(case))


def factors(case):
    data = problem(case).data
    return np.asarray(data.inputs_factor), np.asarray(data.labels_factor)


@pytest.mark.parametrize("case", ["white", "raw data", "bottleneck", "one layer"])
def test_the_loss_is_that_of_its_formula(case):
    data = problem(case).data
    wanted = net_oracles.loss(numpy_chain(case), *factors(case)) + float(data.constant)
    close(read("loss", case, one(states(case), 0)), wanted, ulps=16, scale=1 + wanted)


def test_the_loss_of_raw_data_is_the_mean_over_samples():
    inputs, labels = samples()
    wanted = np.sum((inputs @ whole("raw data").T - labels) ** 2) / 40
    found = read("loss", "raw data", one(states("raw data"), 0))
    close(found, wanted, ulps=32, scale=wanted)


def test_the_excess_loss_is_zero_at_an_optimum_of_raw_data():
    inputs, labels = samples()
    best = np.linalg.lstsq(inputs, labels)[0].T
    chain = (jnp.eye(4, 3), jnp.asarray(best @ np.eye(3, 4)))
    assert abs(float(read("excess_loss", "raw data", chain))) <= 1e-28
    floor = np.sum((inputs @ best.T - labels) ** 2) / 40
    close(read("loss", "raw data", chain), floor, ulps=16, scale=floor)


def test_the_excess_loss_of_a_bottleneck_is_above_the_best_of_its_rank():
    left, values, right = np.linalg.svd(target(), full_matrices=False)
    best = values[0] * left[:, :1] @ right[:1]
    chain = (
        jnp.eye(1, 3) @ right.T[:, :1] * 0 + right[:1],
        jnp.eye(4, 1),
        jnp.asarray(best @ right.T[:, :1] @ np.eye(1, 4)),
    )
    assert abs(float(read("excess_loss", "bottleneck", chain))) <= 1e-15
    found = read("loss", "bottleneck", chain)
    close(found, values[1] ** 2 / 2, ulps=16, scale=np.sum(target() ** 2))


@pytest.mark.parametrize("case", ["white", "raw data", "bottleneck", "one layer"])
def test_the_gradient_norm_is_that_of_its_formula(case):
    slopes = net_oracles.gradient(numpy_chain(case), *factors(case))
    wanted = np.sqrt(sum(np.sum(g**2) for g in slopes))
    weights = one(states(case), 0)
    close(
        read("gradient_norm", case, weights), wanted, ulps=16, scale=scale_of(weights)
    )


def gaps(case):
    layers = numpy_chain(case)
    pairs = itertools.pairwise(layers)
    return [above.T @ above - below @ below.T for below, above in pairs]


@pytest.mark.parametrize("case", ["white", "bottleneck"])
def test_invariants_are_stacked_and_padded(case):
    found = read("invariants", case, one(states(case), 0))
    widest = max(gap.shape[0] for gap in gaps(case))
    assert found.shape == (len(gaps(case)), widest, widest)
    for layer, gap in zip(found, gaps(case), strict=True):
        size = gap.shape[0]
        close(layer[:size, :size], gap, ulps=16, scale=10)
        assert float(jnp.sum(layer**2)) == pytest.approx(np.sum(gap**2), rel=1e-13)


def test_imbalance_is_the_largest_frobenius_norm_of_an_invariant():
    wanted = max(np.linalg.norm(gap) for gap in gaps("bottleneck"))
    found = read("imbalance", "bottleneck", one(states("bottleneck"), 0))
    close(found, wanted, ulps=16, scale=wanted)


def test_norm_gaps_are_the_traces_of_the_invariants():
    wanted = [np.trace(gap) for gap in gaps("bottleneck")]
    found = read("norm_gaps", "bottleneck", one(states("bottleneck"), 0))
    close(found, wanted, ulps=16, scale=10)


@pytest.mark.parametrize("case", ["white", "raw data"])
def test_the_deficiency_margin_is_that_of_its_definition(case):
    inputs, labels = samples()
    raw = np.linalg.lstsq(inputs, labels)[0].T
    goal = target() if case == "white" else raw
    smallest = np.linalg.svd(goal, compute_uv=False)[-1]
    wanted = smallest - np.linalg.norm(whole(case) - goal)
    found = read("deficiency_margin", case, one(states(case), 0))
    close(found, wanted, ulps=64, scale=1 + abs(wanted))


def test_a_target_of_deficient_rank_never_leaves_a_margin():
    flat = tw.Problem(tw.LinearNet((2, 2, 2)), tw.Moments.whitened([[1.0, 1.0]] * 2))
    start = tw.init("balanced", end_to_end=[[1.0, 1.0]] * 2).draw(
        jax.random.key(0), flat.net
    )
    assert float(tw.measure("deficiency_margin").read(flat, start)) <= 8 * EPS


@pytest.mark.parametrize("case", ["white", "raw data"])
def test_mode_strengths_at_the_target_are_its_singular_values(case):
    goal = np.asarray(problem(case).target)
    chain = (jnp.eye(4, 3), jnp.asarray(goal @ np.eye(3, 4)))
    wanted = np.linalg.svd(goal, compute_uv=False)
    close(read("singular_modes", case, chain), wanted, ulps=32, scale=wanted[0])
    levels = tw.measure("singular_modes").levels(problem(case))
    close(levels, wanted, ulps=32, scale=wanted[0])


def test_mode_strengths_are_the_diagonal_in_the_targets_modes():
    left, _, right = np.linalg.svd(target(), full_matrices=False)
    wanted = np.diag(left.T @ whole("white") @ right.T)
    found = read("singular_modes", "white", one(states("white"), 0))
    close(found, wanted, ulps=64, scale=10)


def test_layer_singular_values_are_those_of_each_layer():
    found = read("layer_singular_values", "bottleneck", one(states("bottleneck"), 0))
    assert found.shape == (3, 2)
    for row, layer in zip(found, numpy_chain("bottleneck"), strict=True):
        values = np.linalg.svd(layer, compute_uv=False)
        wanted = np.pad(values, (0, 2 - values.size))
        close(row, wanted, ulps=16, scale=values[0])


@pytest.mark.parametrize("std", [1.0, 1e-3, 1e-100])
def test_the_layers_of_a_balanced_chain_are_aligned(std):
    net = tw.LinearNet((3, 4, 5, 2))
    chain = tw.init("balanced", std=std, mix=True).draw(jax.random.key(0), net)
    whitened = tw.Problem(net, tw.Moments.whitened(target()))
    found = tw.measure("alignment").read(whitened, chain)
    close(found, np.ones(2), ulps=64, scale=1.0)


def test_alignment_is_the_cosine_of_the_two_gram_matrices():
    below, above = numpy_chain("white")
    one_side, other = above.T @ above, below @ below.T
    wanted = np.sum(one_side * other) / np.linalg.norm(one_side) / np.linalg.norm(other)
    found = read("alignment", "white", one(states("white"), 0))
    close(found, [wanted], ulps=32, scale=1.0)


def test_layers_that_pass_nothing_on_are_not_aligned():
    chain = (jnp.eye(4, 3).at[1:].set(0), jnp.eye(2, 4).at[0].set(0))
    close(read("alignment", "white", chain), [0.0], ulps=1, scale=1.0)


def test_the_effective_rank_is_the_exponential_of_the_entropy():
    values = np.linalg.svd(whole("white"), compute_uv=False)
    share = values / values.sum()
    wanted = np.exp(-np.sum(share * np.log(share)))
    found = read("effective_rank", "white", one(states("white"), 0))
    close(found, wanted, ulps=64, scale=wanted)


@pytest.mark.parametrize(
    ("values", "rank"), [([3.0, 3.0], 2), ([3.0, 0.0], 1), ([0, 0], 0)]
)
def test_equal_singular_values_count_as_so_many_modes(values, rank):
    chain = (jnp.eye(4, 3), jnp.asarray(np.diag(values) @ np.eye(2, 4)))
    close(read("effective_rank", "white", chain), rank, ulps=16, scale=1.0)


def test_the_end_to_end_norm_is_that_of_the_product():
    wanted = np.linalg.norm(whole("white"))
    weights = one(states("white"), 0)
    close(read("end_to_end_norm", "white", weights), wanted, ulps=16, scale=10)
    levels = tw.measure("end_to_end_norm").levels(problem("white"))
    assert levels == pytest.approx((np.linalg.norm(target()),), rel=1e-14)


@pytest.mark.parametrize(
    ("x", "wanted"),
    [([0.4, 0.8, 1.2], 3.0), ([-1.0, 0.5, 0.5], 2.0), ([1, 0, 1], np.inf)],
)
def test_the_spread_of_the_playground_is_the_lectures_c(x, wanted):
    found = float(read("spread", "playground", jnp.asarray(x, dtype=float)))
    assert found == pytest.approx(wanted, rel=4 * EPS)


def test_the_spread_of_a_net_compares_the_norms_of_its_layers():
    sizes = [np.linalg.norm(layer) for layer in numpy_chain("bottleneck")]
    found = read("spread", "bottleneck", one(states("bottleneck"), 0))
    close(found, max(sizes) / min(sizes), ulps=16, scale=max(sizes) / min(sizes))


@pytest.mark.parametrize("case", ["white", "raw data", "bottleneck", "one layer"])
def test_the_sharpness_is_the_top_of_the_dense_hessian(case):
    dense = net_oracles.hessian(numpy_chain(case), *factors(case))
    wanted = np.linalg.eigvalsh(dense)[::-1][:4]
    measure = tw.measure("sharpness", top=4)
    found = measure.read(problem(case), one(states(case), 0))
    scale = np.abs(np.linalg.eigvalsh(dense)).max()
    close(found, wanted, ulps=64, scale=scale)


@pytest.mark.parametrize("rounds", [3, 6, 64])
def test_an_eigenvalue_lies_within_the_residual_of_every_sharpness(rounds):
    weights = one(states("white"), 0)
    eigenvalues = np.linalg.eigvalsh(
        net_oracles.hessian(numpy_chain("white"), *factors("white"))
    )
    fields = {"top": 3, "rounds": rounds}
    values = tw.measure("sharpness", **fields).read(problem("white"), weights)
    bounds = tw.measure("sharpness_residual", **fields).read(problem("white"), weights)
    distances = np.abs(eigenvalues[:, None] - np.asarray(values)).min(axis=0)
    slack = 64 * EPS * np.abs(eigenvalues).max()
    assert np.all(distances <= np.asarray(bounds) + slack)
    assert (rounds > 20) == bool(np.all(np.asarray(bounds) <= slack))


def test_the_sharpness_at_a_balanced_optimum_is_that_of_the_closed_form():
    # N s^(2 - 2/N) at a balanced minimum of a square whitened problem, MATH G.8.
    goal = np.diag([2.0, 1.0, 0.5])
    net = tw.LinearNet((3, 3, 3, 3))
    chain = tw.init("balanced", end_to_end=goal).draw(jax.random.key(0), net)
    found = tw.measure("sharpness").read(
        tw.Problem(net, tw.Moments.whitened(goal)), chain
    )
    close(found, [3 * 2 ** (4 / 3)], ulps=64, scale=8.0)


def test_the_sharpness_of_the_playground_is_that_of_its_hessian():
    # MATH A.1: the Hessian at (0.5, 1.2, 0.8) in closed form.
    x = [0.5, 1.2, 0.8]
    dense = np.array(
        [[0.9216, -0.032, -0.048], [-0.032, 0.16, -0.02], [-0.048, -0.02, 0.36]]
    )
    found = tw.measure("sharpness", top=3).read(tw.Playground(3), jnp.asarray(x))
    close(found, np.linalg.eigvalsh(dense)[::-1], ulps=16, scale=1.0)


@pytest.mark.parametrize("top", [0, 21])
def test_a_number_of_eigenvalues_that_does_not_exist_is_refused(top):
    measure = tw.measure("sharpness", top=top)
    with pytest.raises(
        ValueError, match=r"it must be (from 1 to 20|a whole number >= 1)"
    ):
        measure.read(problem("white"), one(states("white"), 0))
