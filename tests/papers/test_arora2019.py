"""Arora, Cohen, Golowich, Hu, held against plain loops and fifty digits."""

from dataclasses import replace
from itertools import pairwise

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import thalweg as tw
from thalweg.linalg import balls, enclose
from thalweg.theorems._base import Case, Verdict
from thalweg.theorems._shared.end_to_end import layer_gradients, moved, slope

SHAPES = st.sampled_from([(2, 2, 2), (3, 4, 3), (4, 3, 2, 2), (3, 2, 2, 2, 1)])
SEEDS = st.integers(0, 2**32 - 1)


def white(goal, *hidden):
    goal = np.asarray(goal, dtype=float)
    net = tw.LinearNet((goal.shape[1], *hidden, goal.shape[0]))
    return tw.Problem(net, tw.Moments.whitened(goal))


def posed(seed, widths, scale=1.0):
    draw = np.random.default_rng(seed).standard_normal
    problem = white(draw((widths[-1], widths[0])), *widths[1:-1])
    shapes = problem.net.shapes
    return problem, tuple(jnp.asarray(scale * draw(shape)) for shape in shapes)


def near(seed, widths, noise):
    """A nearly balanced start near a well conditioned target."""
    draw = np.random.default_rng(seed).standard_normal
    goal = 2 * np.eye(widths[-1], widths[0]) + 0.3 * draw((widths[-1], widths[0]))
    problem = white(goal, *widths[1:-1])
    chain = tw.init("balanced", end_to_end=0.9 * goal, mix=True).draw(
        jax.random.key(seed), problem.net
    )
    return problem, tuple(w + noise * draw(w.shape) for w in chain)


def product(chain):
    whole = chain[0]
    for layer in chain[1:]:
        whole = layer @ whole
    return whole


def gradients(chain, goal):
    """Gradients of half the squared distance, written out in any number type."""
    gap = product(chain) - goal
    found = []
    for j in range(len(chain)):
        pull = gap
        if j + 1 < len(chain):
            pull = product(chain[j + 1 :]).T @ pull
        if j:
            pull = pull @ product(chain[:j]).T
        found.append(pull)
    return found


def descended(chain, goal, step, count):
    """Losses of plain gradient descent, a loop of NumPy."""
    losses = []
    for _ in range(count + 1):
        losses.append(0.5 * np.sum((product(chain) - goal) ** 2))
        pulls = gradients(chain, goal)
        chain = [w - step * g for w, g in zip(chain, pulls, strict=True)]
    return np.array(losses)


@pytest.mark.parametrize("widths", [(4, 3, 2, 2)])
def test_what_theorem_1_keeps_stays_in_its_range(widths):
    problem, start = near(3, widths, 1e-7)
    certificate = tw.certify("arora2019.Convergence", problem, start)
    assert certificate.verdict is Verdict.PROVED
    kept = certificate.guarantee.kept
    assert {promise.measure for promise in kept} == {
        "deficiency_margin", "imbalance", "layer_singular_values"
    }  # fmt: skip
    path = tw.leap(
        problem, start, step_size=certificate.step_size, iterations=10**9,
        accuracy=1e-8, measures=tuple(promise.measure for promise in kept),
    )  # fmt: skip
    assert path["excess_loss"][-1] <= 1e-8
    for promise in kept:
        assert promise.holds(path[promise.measure], 1e-13)


@given(seed=SEEDS, widths=SHAPES, noise=st.floats(0, 1e-7), share=st.floats(0.01, 1))
@settings(max_examples=12)
def test_the_first_step_lowers_the_loss_as_lemma_1_says(seed, widths, noise, share):
    problem, start = near(seed, widths, noise)
    step = share * (tw.certify("arora2019.Convergence", problem, start).safe_step or 0)
    if step == 0:
        return
    certificate = tw.certify("arora2019.Convergence", problem, start, step_size=step)
    assert certificate.verdict is Verdict.PROVED
    (lemma,) = certificate.conclusions
    assert lemma.verdict is Verdict.PROVED
    with mpmath.workdps(60):
        exact = [mpmath.matrix(np.asarray(w).tolist()) for w in start]
        goal = mpmath.matrix(np.asarray(problem.target).tolist())
        pulls = gradients(exact, goal)
        after = [w - mpmath.mpf(step) * g for w, g in zip(exact, pulls, strict=True)]
        gap, then = product(exact) - goal, product(after) - goal
        weak = min(mpmath.svd_r(product(exact), compute_uv=False))
        n = mpmath.mpf(len(start))
        spare = (
            mpmath.norm(gap, 2) ** 2 / 2
            - mpmath.norm(then, 2) ** 2 / 2
            - step / 2 * weak ** (2 - 2 / n) * mpmath.norm(gap, 2) ** 2
        )
        low, high = lemma.slack
        assert low <= spare <= high


@pytest.mark.parametrize(("corner", "depth"), [(0.5, 2), (1.25, 3)])
def test_the_flow_from_exact_balance_keeps_its_rate(corner, depth):
    layer = np.diag([corner, 1.0, 1.125])
    problem = white(np.diag([1.0, 1.0, 1.25]), *(3,) * (depth - 1))
    certificate = tw.certify("arora2019.FlowConvergence", problem, (layer,) * depth)
    c = 1.0 - np.linalg.norm(np.diag(layer) ** depth - np.array([1.0, 1.0, 1.25]))
    if c < -1e-12:
        assert certificate.verdict is Verdict.REFUTED
        return
    assert certificate.verdict is Verdict.PROVED
    assert certificate.rate == pytest.approx(2 * c ** (2 - 2 / depth), rel=1e-12)
    path = tw.flow(
        problem, (layer,) * depth, times=[0.0, 0.3, 1.0, 3.0], measures=("imbalance",)
    )
    bound = certificate.guarantee.bound_at(path.times)
    assert np.all(path["excess_loss"] <= bound + 1e-12 * bound[0])
    assert np.max(path["imbalance"]) <= 1e-12


def test_balance_within_a_radius_is_not_exact_balance():
    problem, start = white(np.eye(2), 2), (0.9 * np.eye(2),) * 2
    name = "arora2019.FlowConvergence"
    assert tw.certify(name, problem, start).verdict is Verdict.PROVED
    told = tw.certify(name, problem, start, radius=1e-12)
    assert told.verdict is Verdict.UNDECIDED


@given(seed=SEEDS, widths=SHAPES, power=st.integers(-12, 0))
@settings(max_examples=15)
def test_a_step_moves_the_product_as_expanded(seed, widths, power):
    problem, start = posed(seed, widths)
    step = 10.0**power
    case = Case(problem, start, step, balls)
    with balls.working_precision(400):
        pulls = layer_gradients(case.weights, slope(case), balls)
        first, rest = moved(case.weights, [g * -case.step for g in pulls])
        found = [balls.norm(first), balls.norm(rest)]
    with mpmath.workdps(90):
        exact = [mpmath.matrix(np.asarray(w).tolist()) for w in start]
        goal = mpmath.matrix(np.asarray(problem.target).tolist())
        theirs = gradients(exact, goal)
        after = [w - mpmath.mpf(step) * g for w, g in zip(exact, theirs, strict=True)]
        linear = -mpmath.mpf(step) * sum(
            (inserted(exact, j, g) for j, g in enumerate(theirs)), 0 * goal
        )
        wanted = [
            mpmath.norm(linear, 2),
            mpmath.norm(product(after) - product(exact) - linear, 2),
        ]
        for ball, value in zip(found, wanted, strict=True):
            gap = abs(mpmath.mpf(ball.mid().str(60, radius=False)) - value)
            assert gap <= value * mpmath.mpf(10) ** -50


def inserted(chain, j, change):
    """The product with layer `j` replaced."""
    return product([*chain[:j], change, *chain[j + 1 :]])


@given(seed=SEEDS, widths=SHAPES, share=st.floats(1e-6, 1), scale=st.floats(0.1, 3))
@settings(max_examples=15)
def test_the_remainder_and_the_spectrum_are_bounded_at_any_start(
    seed, widths, share, scale
):
    problem, start = posed(seed, widths, scale)
    name = "arora2019.EndToEndDynamics"
    safe = tw.certify(name, problem, start).safe_step
    certificate = tw.certify(name, problem, start, step_size=share * safe)
    assert certificate.verdict is Verdict.PROVED
    assert {entry.verdict for entry in certificate.conclusions} == {Verdict.PROVED}
    chain, goal = [np.asarray(w) for w in start], np.asarray(problem.target)
    m = max(np.linalg.norm(w, 2) for w in chain)
    g = max(np.linalg.norm(pull) for pull in gradients(chain, goal))
    assert safe == pytest.approx(m / (len(chain) * g), rel=1e-9)


def test_the_preconditioner_ends_where_the_square_formula_says():
    widths, gap = (3, 3, 3), np.diag([0.0, 0.0, 1.0])
    layer = np.diag([1.0, 0.75, 0.5])
    problem = white(layer @ layer - gap, *widths[1:-1])
    certificate = tw.certify(
        "arora2019.EndToEndDynamics", problem, (layer,) * 2, step_size=1e-3
    )
    # The gradient is along the weakest mode: the lower end is attained.
    slacks = {entry.name: entry.slack for entry in certificate.conclusions}
    low, high = slacks["<G, P(G)> >= (smallest - defect) |G|^2"]
    assert low <= 0 <= high
    assert high <= 1e-12


DEPTHS = st.sampled_from([2, 4, 6])


def every_layer(start, step, count):
    """Losses of descent on the scalar chain, every layer on its own, 50 digits."""
    x, losses = [mpmath.mpf(float(np.asarray(w)[0, 0])) for w in start], []
    for _ in range(count + 1):
        gap = mpmath.fprod(x) - 1
        losses.append(gap**2 / 2)
        pulls = [
            gap * mpmath.fprod([*x[:j], *x[j + 1 :]])
            for j in range(len(x))
        ]  # fmt: skip
        x = [v - mpmath.mpf(step) * g for v, g in zip(x, pulls, strict=True)]
    return losses


def halves(depth, large, small):
    return [[[large]]] * (depth // 2) + [[[small]]] * (depth // 2)


@given(
    depth=DEPTHS,
    step=st.floats(1e-3, 10),
    wanted=st.floats(0.05, 0.99),
    more=st.floats(1.001, 10),
)
@settings(max_examples=40)
def test_claim_4_holds_at_every_step_and_margin(depth, step, wanted, more):
    r = step * (1 - wanted) * wanted ** (1 - 2 / depth)
    large = more * np.sqrt(max(2 / r, 8 * (1 + r) ** 2 / (step * r * r)))
    start = halves(depth, large, wanted ** (2 / depth) / large)
    problem = white([[1.0]], *(1,) * (depth - 1))
    certificate = tw.certify("arora2019.BalanceNeeded", problem, start, step_size=step)
    assert certificate.verdict is Verdict.PROVED
    floor = balls.bounds(certificate.guarantee.floor)
    assert len(certificate.guarantee.values) == 2
    with mpmath.workdps(50):
        losses = every_layer(start, step, 6)
        assert floor[0] <= min(losses)
        assert floor[1] == pytest.approx(float(losses[0]), rel=1e-12)
        # Doubly exponential: the logarithm itself grows by a factor.
        logs = [mpmath.log(loss) for loss in losses[2:]]
        assert all(b >= 2 * a > 0 for a, b in pairwise(logs))


@given(
    depth=DEPTHS,
    step=st.floats(1e-2, 3),
    large=st.floats(0.1, 50),
    wanted=st.floats(0.01, 1.99),
)
@settings(max_examples=60)
def test_a_start_told_to_fail_never_falls_below_its_floor(depth, step, large, wanted):
    start = halves(depth, large, wanted ** (2 / depth) / large)
    problem = white([[1.0]], *(1,) * (depth - 1))
    certificate = tw.certify("arora2019.BalanceNeeded", problem, start, step_size=step)
    with mpmath.workdps(300):
        losses = every_layer(start, step, 14)
        if certificate.verdict is Verdict.PROVED:
            assert balls.bounds(certificate.guarantee.floor)[0] <= min(losses)
        else:
            # Nothing that blows up at once is missed.
            assert losses[6] < mpmath.mpf(10) ** 6


def test_a_size_of_twice_the_step_can_end_at_the_minimum():
    step = 1.28523614197480831
    start = halves(2, 2 * step, 0.75 / (2 * step))
    with mpmath.workdps(50):
        assert every_layer(start, step, 2)[2] < 1e-28
    problem = white([[1.0]], 1)
    certificate = tw.certify("arora2019.BalanceNeeded", problem, start, step_size=step)
    if certificate.guarantee is not None:
        assert balls.bounds(certificate.guarantee.floor)[1] < 1e-28


def test_claim_4_embeds_in_wider_layers():
    layers = [np.diag([200.0, 1, 1])] * 2 + [np.diag([0.75**0.5 / 200, 1, 1])] * 2
    certificate = tw.certify(
        "arora2019.BalanceNeeded", white(np.eye(3), 3, 3, 3), layers, step_size=0.01
    )
    assert certificate.verdict is Verdict.PROVED
    losses = descended(layers, np.eye(3), 0.01, 3)
    values = list(certificate.guarantee.values.values())
    np.testing.assert_allclose(
        [float(v.mid()) for v in values], losses[: len(values)], rtol=1e-9
    )
    assert losses.min() >= balls.bounds(certificate.guarantee.floor)[0] * (1 - 1e-12)


@given(seed=SEEDS, depth=st.sampled_from([2, 4]), step=st.floats(1e-3, 2))
@settings(max_examples=15)
def test_claim_5_holds_at_every_step(seed, depth, step):
    rng = np.random.default_rng(seed)
    goal = rng.standard_normal((3, 3))
    goal = (goal + goal.T) / 2 - 0.2 * np.eye(3)
    layer = rng.uniform(0.2, 1.2) * np.eye(3)
    certificate = tw.certify(
        "arora2019.MarginNeeded", white(goal, *(3,) * (depth - 1)), [layer] * depth,
        step_size=step,
    )  # fmt: skip
    values = np.linalg.eigvalsh(goal)
    if values[0] > 1e-9:
        assert certificate.verdict is Verdict.REFUTED
        return
    assert certificate.verdict is Verdict.PROVED
    floor = balls.bounds(certificate.guarantee.floor)
    wanted = 0.5 * np.sum(np.minimum(values, 0) ** 2)
    assert floor[0] - 1e-13 <= wanted <= floor[1] + 1e-13
    # In floats rounding grows until it breaks the symmetry; digits put it off.
    with mpmath.workdps(150):
        chain = [mpmath.matrix(layer.tolist())] * depth
        for _ in range(25):
            gap = product(chain) - mpmath.matrix(goal.tolist())
            assert mpmath.norm(gap, 2) ** 2 / 2 >= floor[0]
            pulls = gradients(chain, mpmath.matrix(goal.tolist()))
            chain = [w - step * g for w, g in zip(chain, pulls, strict=True)]


def test_a_start_within_a_radius_is_not_the_construction():
    name, start = "arora2019.MarginNeeded", [np.eye(1)] * 2
    told = tw.certify(name, white([[-1.0]], 1), start, radius=1e-9)
    assert told.verdict is Verdict.REFUTED


DRAWS = 300


@pytest.mark.parametrize(("inputs", "std"), [(100, 1e-3), (100, 2e-3), (40, 2e-3)])
def test_a_random_row_has_its_margin_as_often_as_promised(inputs, std):
    problem = white(np.eye(1, inputs), 4, 4)
    theorem = tw.theorem("arora2019.RandomBalancedStart", std=std)
    certificate = tw.certify(theorem, problem)
    assert certificate.verdict is Verdict.PROVED
    case = Case(problem, step_size=certificate.step_size)
    share = np.mean([theorem.succeeds(case, seed) for seed in range(DRAWS)])
    assert share >= certificate.probability - 4 * 0.5 / DRAWS**0.5
    assert share <= 0.5 + 4 * 0.5 / DRAWS**0.5


def test_a_row_that_succeeds_meets_theorem_1_and_really_converges():
    problem = white(np.eye(1, 100), 4, 4)
    theorem = tw.theorem("arora2019.RandomBalancedStart", std=1e-3)
    safe = theorem.safe_step(Case(problem))
    seed = next(s for s in range(50) if theorem.succeeds(Case(problem), s))
    row = np.random.default_rng(seed).normal(0.0, 1e-3, (1, 100))
    start = tw.init("balanced", end_to_end=row).draw(jax.random.key(0), problem.net)
    certificate = tw.certify("arora2019.Convergence", problem, start, step_size=safe)
    assert certificate.verdict is Verdict.PROVED
    path = tw.leap(problem, start, step_size=1e-4, iterations=10**8, accuracy=1e-6)
    assert path["excess_loss"][-1] <= 1e-6


@pytest.mark.parametrize(("n", "d"), [(3, 4), (7, 5), (2, 6)])
def test_a_gram_matrix_varies_as_the_proof_of_claim_2_says(n, d):
    draws = np.random.default_rng(n).standard_normal((20_000, n, d))
    grams = np.einsum("tni,tnj->tij", draws, draws) - n * np.eye(d)
    squares = np.sum(grams**2, axis=(1, 2))
    error = 4 * squares.std() / 20_000**0.5
    assert abs(squares.mean() - n * d * (d + 1)) <= error


@pytest.mark.parametrize("widths", [(4, 4, 4, 4), (3, 5, 2), (6, 1, 6, 1)])
@pytest.mark.parametrize("asked", [0.05, 0.1, 0.2])
def test_gaussian_layers_are_as_balanced_as_promised(widths, asked):
    problem = white(np.eye(widths[-1], widths[0]), *widths[1:-1])
    theorem = tw.theorem("arora2019.GaussianImbalance", std=0.05, imbalance=asked)
    certificate = tw.certify(theorem, problem)
    promised = max(
        0, 1 - 10 * (len(widths) - 1) * 0.05**4 * max(widths) ** 3 / asked**2
    )
    assert (certificate.verdict is Verdict.PROVED) == (promised > 0)
    if promised > 0:
        assert certificate.probability == pytest.approx(promised, abs=1e-12)
        hits = [theorem.succeeds(Case(problem), seed) for seed in range(200)]
        assert np.mean(hits) >= promised - 4 * 0.5 / 200**0.5


def test_both_arithmetics_conclude_alike():
    problem, start = near(1, (3, 4, 3), 1e-7)
    theorem = tw.theorem("arora2019.Convergence")
    case = Case(problem, jax.tree.map(jnp.asarray, start), 1e-9, enclose)
    quick = theorem.guarantee(case).conclusions[0].interval
    with balls.working_precision(256):
        sharp = theorem.guarantee(replace(case, la=balls)).conclusions[0].interval
    assert quick[0] <= sharp[0] <= sharp[1] <= quick[1]


def test_a_single_layer_is_balanced_in_every_draw():
    one = tw.Problem(tw.LinearNet((2, 2)), tw.Moments.whitened(jnp.eye(2)))
    found = tw.monte_carlo("arora2019.GaussianImbalance", one, draws=3)
    assert (found.successes, found.promised) == (3, None)
