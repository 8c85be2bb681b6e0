"""The lecture: its lemmas, exercises and table, against loops and exact fractions."""

import functools
import itertools
import operator
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import thalweg as tw
from thalweg.linalg import balls
from thalweg.theorems._base import Case, Verdict
from thalweg.theorems.flammarion2025.catch import Catch

SEEDS = st.integers(0, 2**32 - 1)
DEPTHS = st.sampled_from([1, 2, 3, 6])
FEW = settings(max_examples=25)


def below(seed, depth, most=1.0, spread=0.7):
    """A positive start of a product at most `most`."""
    x = np.exp(spread * np.random.default_rng(seed).standard_normal(depth))
    return x / max(1.0, 1.01 * (np.prod(x) / most) ** (1 / depth))


def certify(name, x, step=None):
    return tw.certify(
        f"flammarion2025.{name}", tw.Playground(len(x)), x, step_size=step
    )


def move(x, step):
    """One step of descent, in any arithmetic."""
    p = functools.reduce(operator.mul, x)
    return [value - step * (p - 1) * p / value for value in x]


def run(x, step, iterations):
    """Losses of plain descent, the start's first, and the iterates."""
    path = [np.asarray(x, dtype=float)]
    for _ in range(iterations):
        path.append(np.array(move(path[-1], step)))
    path = np.array(path)
    return 0.5 * (np.prod(path, axis=1) - 1) ** 2, path


def hessian(x):
    """Second derivatives, each a product over what is not derived by."""
    whole, d = np.prod(x), len(x)
    rows = np.empty((d, d))
    for i, j in itertools.product(range(d), repeat=2):
        one, other = (np.prod(np.delete(x, k)) for k in (i, j))
        pair = np.prod(np.delete(x, [i, j]))
        rows[i, j] = one * other + (whole - 1) * pair * (i != j)
    return rows


def fractions(x):
    return [Fraction(value) for value in np.asarray(x).tolist()]


def proved(certificate):
    assert certificate.verdict is Verdict.PROVED
    assert all(h.verdict is Verdict.PROVED for h in certificate.conclusions)
    return certificate.guarantee


@pytest.mark.parametrize(
    ("x", "step", "first", "stops"),
    [
        ([0.5] * 2, 1 / 6, 0.28125, 21),
        ([0.5] * 4, 1 / 12, 0.439453125, 38),
        ([0.5] * 8, 1 / 24, 0.49610137939453125, 279),
        ([0.5] * 10, 1 / 30, 0.4990239143371582, 987),
        ([0.4, 0.8, 1.2], 1 / 81, 0.189728, 169),
    ],
)
def test_the_lectures_table_is_met_and_lies_below_its_bound(x, step, first, stops):
    # MATH A.5.
    losses, _ = run(x, step, stops)
    assert losses[0] == pytest.approx(first, rel=1e-14)
    assert losses[-1] <= 1e-6 < losses[-2]
    promise = certify("Convergence", x).guarantee
    assert np.all(losses <= promise.bound_at(np.arange(stops + 1)))


def test_the_bound_at_iteration_100_is_the_one_tabulated():
    # MATH A.5, d = 8.
    losses, _ = run([0.5] * 8, 1 / 24, 100)
    assert losses[100] == pytest.approx(0.49251976630602107, rel=1e-13)
    bound = certify("Convergence", [0.5] * 8).guarantee.bound_at(np.array([100.0]))
    assert bound[0] == pytest.approx(0.4958491127030973, rel=1e-11)


@given(seed=SEEDS, depth=DEPTHS, power=st.floats(-6, 6))
@FEW
def test_a_step_of_any_size_keeps_ratios_in_exact_arithmetic(seed, depth, power):
    x, step = below(seed, depth), 10.0**power
    promise = proved(certify("BalancedIterates", x, step))
    exact = fractions(x)
    ratio = max(exact) / min(exact)
    new = move(exact, Fraction(step))
    assert max(new) <= ratio * min(new)
    assert all(b >= a for a, b in zip(exact, new, strict=True))
    low, high = balls.bounds(promise.values["c"])
    assert Fraction(low) <= ratio <= Fraction(high)


def test_without_a_step_the_direction_is_said_to_be_balanced():
    promise = proved(certify("BalancedIterates", [0.4, 0.8, 1.2]))
    assert [h.name for h in promise.conclusions] == [
        "the update's direction 1/x is c-balanced"
    ]


@given(seed=SEEDS, depth=DEPTHS, most=st.sampled_from([1.0, 100.0]))
@FEW
def test_the_extreme_subsets_stand_for_all_of_them(seed, depth, most):
    x = below(seed, depth, most)
    promise = certify("ProductsOverSubsets", x).guarantee
    with mpmath.workdps(60):
        exact = [mpmath.mpf(value) for value in x.tolist()]
        c, p = max(exact) / min(exact), mpmath.fprod(exact)
        low, high = [], []
        for size in range(1, depth + 1):
            middle = p ** (1 - mpmath.mpf(size) / depth)
            for kept in itertools.combinations(exact, depth - size):
                low.append(mpmath.fprod(kept) - middle / c**size)
                high.append(middle * c**size - mpmath.fprod(kept))
        for hypothesis, wanted in zip(
            promise.conclusions, (min(low), min(high)), strict=True
        ):
            least, most = hypothesis.interval
            assert mpmath.mpf(least) <= wanted + mpmath.mpf(10) ** -50
            assert wanted <= mpmath.mpf(most) + mpmath.mpf(10) ** -50
            assert hypothesis.verdict is not Verdict.REFUTED


@given(seed=SEEDS, depth=st.sampled_from([1, 2, 5]))
@FEW
def test_the_hessians_norms_are_those_of_its_second_derivative(seed, depth):
    x = below(seed, depth)
    promise = certify("HessianBound", x).guarantee
    dense = hessian(x)
    size, top = np.linalg.norm(dense), np.linalg.norm(dense, 2)
    # Second derivatives in float64: d^2 products of d factors each.
    noise = 64 * depth**2 * np.finfo(float).eps * size
    for name, value in (("|H|_F", size), ("|H|_2", top)):
        low, high = balls.bounds(promise.values[name])
        assert low - noise <= value <= high + noise
    assert all(h.verdict is not Verdict.REFUTED for h in promise.conclusions)
    assert size <= balls.bounds(promise.values["3 d c^2"])[1]


def test_the_hessian_at_the_worked_point_has_the_norms_printed():
    # MATH A.1.
    values = certify("HessianBound", [0.5, 1.2, 0.8]).guarantee.values
    assert float(values["|H|_2"].mid()) == pytest.approx(0.926863288, abs=5e-10)
    assert float(values["|H|_F"].mid()) == pytest.approx(1.005983380, abs=5e-10)


@given(seed=SEEDS, depth=DEPTHS, share=st.floats(0.01, 1))
@FEW
def test_nothing_along_a_step_breaks_the_lemma(seed, depth, share):
    x = below(seed, depth)
    safe = certify("SmoothnessAlongTheStep", x).safe_step
    step = share * safe
    proved(certify("SmoothnessAlongTheStep", x, step))
    c = x.max() / x.min()
    for part in np.linspace(0, 1, 7):
        y = np.array(move(x, part * step))
        assert np.prod(y) <= 1 + 1e-14
        assert y.max() <= c * y.min() * (1 + 1e-14)
        assert np.linalg.norm(hessian(y), 2) <= 3 * depth * c**2


@given(seed=SEEDS, depth=st.sampled_from([2, 3]), share=st.floats(0.05, 1))
@FEW
def test_exact_descent_from_above_keeps_the_exercises_promise(seed, depth, share):
    x = np.exp(0.5 * np.random.default_rng(seed).standard_normal(depth))
    x = x * max(1.0, 1.01 / np.prod(x) ** (1 / depth))
    safe = certify("AboveTheHyperbola", x).safe_step
    certificate = certify("AboveTheHyperbola", x, share * safe)
    promise = proved(certificate)
    step, exact = Fraction(share * safe), fractions(x)
    loss = [None] * 4
    for t in range(4):
        p = functools.reduce(operator.mul, exact)
        assert p >= 1
        loss[t] = (p - 1) ** 2 / 2
        assert loss[t] <= (1 - step) ** t * loss[0]
        new = move(exact, step)
        assert all(0 < b <= a for a, b in zip(exact, new, strict=True))
        exact = new
    bounds = promise.bound_at(np.arange(4))
    assert all(a <= Fraction(float(b)) for a, b in zip(loss, bounds, strict=True))


def test_the_exercises_start_stops_after_49_steps_where_printed():
    # MATH A.6.
    losses, path = run([2.0, 1.5, 0.5], 1 / 81, 49)
    assert losses[49] <= 1e-6 < losses[48]
    assert path[49] == pytest.approx([1.96743, 1.45631, 0.34950], abs=5e-6)
    assert certify("AboveTheHyperbola", [2.0, 1.5, 0.5]).promised == 945


@given(seed=SEEDS, depth=st.sampled_from([2, 4]))
@FEW
def test_equal_magnitudes_never_reach_a_positive_product(seed, depth):
    rng = np.random.default_rng(seed)
    signs = rng.choice([-1, 1], depth)
    signs[0] *= -np.prod(signs)
    # One magnitude of few bits, so that exact powers stay short.
    x = signs * (1 + rng.integers(0, 16)) / 8
    steps = rng.integers(1, 40, 3) / 8
    promise = proved(certify("EqualMagnitudes", x, float(steps[0])))
    exact = fractions(x)
    for step in steps.tolist():
        exact = move(exact, Fraction(step)) if all(exact) else exact
        p = functools.reduce(operator.mul, exact)
        assert len({abs(value) for value in exact}) == 1
        assert p <= 0
        assert (p - 1) ** 2 / 2 >= Fraction(balls.bounds(promise.floor)[0])


@pytest.mark.parametrize(
    ("x", "step", "first"),
    [
        ([-1.0, 1.0], 0.1, [-0.8, 0.8]),
        ([-1.0, 1.0, 1.0, 1.0], 0.05, [-0.9, 0.9, 0.9, 0.9]),
    ],
)
def test_the_exercises_first_iterates_are_those_printed(x, step, first):
    # MATH A.6.
    assert move(x, step) == pytest.approx(first, rel=1e-15)
    promise = proved(certify("EqualMagnitudes", x, step))
    assert promise.limit == "the saddle at zero"
    assert run(x, step, 400)[0][-1] == pytest.approx(0.5, abs=2e-3)


@pytest.mark.parametrize("step", [0.6])
def test_at_odd_depth_a_large_step_does_reach_a_minimum(step):
    # MATH C.3: why the exercise asks for even depth.
    assert certify("EqualMagnitudes", [-1.0] * 3, step).verdict is Verdict.REFUTED
    assert run([-1.0] * 3, step, 2000)[0][-1] < 1e-20


@given(seed=SEEDS)
@FEW
def test_norms_of_layers_are_those_of_numpy(seed):
    rng = np.random.default_rng(seed)
    start = (rng.standard_normal((3, 2)), rng.standard_normal((4, 3)))
    problem = tw.Problem(tw.LinearNet((2, 3, 4)), tw.Moments.whitened(np.ones((4, 2))))
    promise = proved(tw.certify("flammarion2025.NormInequality", problem, start))
    for (name, ball), layer in zip(promise.values.items(), start, strict=True):
        low, high = balls.bounds(ball)
        top = np.linalg.norm(layer, 2)
        assert name.endswith("_2")
        assert low - 1e-14 * top <= top <= high + 1e-14 * top
        assert top <= np.linalg.norm(layer)


@given(seed=SEEDS, depth=DEPTHS, share=st.floats(0.1, 1))
@FEW
def test_no_path_is_longer_than_promised(seed, depth, share):
    x = below(seed, depth, spread=0.3)
    safe = certify("IteratesConverge", x).safe_step
    promise = proved(certify("IteratesConverge", x, share * safe))
    _, path = run(x, share * safe, 400)
    length = np.sum(np.linalg.norm(np.diff(path, axis=0), axis=1))
    for name, ball in promise.values.items():
        assert length <= balls.bounds(ball)[1], name
    spreads = path.max(axis=1) / path.min(axis=1)
    assert promise.kept[0].holds(spreads, 1e-13)


def test_the_exercises_length_is_its_closed_form_at_the_lectures_step():
    # sqrt(2 f_0 / L) / (1 - sqrt(q)), q = 1 - delta^2 / (3 c^4); MATH A.6.
    values = certify("IteratesConverge", [0.4, 0.8, 1.2]).guarantee.values
    with mpmath.workdps(40):
        x = [mpmath.mpf(value) for value in (0.4, 0.8, 1.2)]
        c, delta = x[2] / x[0], mpmath.fprod(x)
        q = 1 - delta**2 / (3 * c**4)
        wanted = mpmath.sqrt((delta - 1) ** 2 / (9 * c**2)) / (1 - mpmath.sqrt(q))
    found = float(values["length by summing gradients"].mid())
    # The step is rounded inward, once.
    assert found == pytest.approx(float(wanted), rel=1e-12)


def halves(depth, share=1.0, half=0.5):
    toy = tw.Playground(depth)
    theorem, start = Catch(), toy.check([half] * depth)
    step = share * theorem.safe_step(Case(toy, start))
    return tw.certify(theorem, toy, start, step_size=step), step


def scalar_descent(depth, step, goal=1e-6, half=0.5):
    """Iterations from equal factors, the one recursion they all keep to."""
    x, count = half, 0
    while 0.5 * (x**depth - 1) ** 2 > goal:
        x += step * (1 - x**depth) * x ** (depth - 1)
        count += 1
    return count


@pytest.mark.parametrize("depth", [3, 4, 5, 8, 10, 14, 17])
@pytest.mark.parametrize("share", [1.0, 0.3])
def test_descent_from_halves_takes_what_the_catch_says(depth, share):
    certificate, step = halves(depth, share)
    values = proved(certificate).values
    least, most = (balls.bounds(values[name]) for name in ("at least", "at most"))
    taken = scalar_descent(depth, step)
    assert least[0] <= taken <= most[1]
    assert most[1] <= 1.2 * taken
    assert certificate.promised == most[1]


@given(
    seed=SEEDS, depth=st.sampled_from([3, 7]), share=st.floats(0.05, 1),
)  # fmt: skip
@FEW
def test_the_loss_from_equal_factors_stays_between_both_curves(seed, depth, share):
    half = float(np.random.default_rng(seed).uniform(0.3, 0.95))
    certificate, step = halves(depth, share, half)
    promise = proved(certificate)
    losses, _ = run([half] * depth, step, 600)
    clock = np.arange(601)
    assert np.all(losses <= promise.bound_at(clock) + 1e-14)
    assert np.all(losses >= promise.lower(clock) - 1e-14)


@pytest.mark.parametrize("depth", [8, 12, 20, 40])
def test_the_bound_needs_the_square_of_what_descent_needs(depth):
    # MATH 0.3 number 9: 4^d is the bound's, 3 2^(d-2) / (1 - 2/d) is the truth.
    values = proved(halves(depth)[0]).values
    leading = 3 * 2 ** (depth - 2) / (1 - 2 / depth)
    least, most, bound = (float(ball.mid()) for ball in values.values())
    assert 0.95 * leading <= least <= most <= 1.15 * leading
    loss = 0.5 * (1 - 0.5**depth) ** 2
    assert bound == pytest.approx(3 * np.log(loss / 1e-6) * 4.0**depth, rel=1e-4)


def test_forty_halves_are_counted_to_ten_digits_at_once():
    values = proved(halves(40)[0]).values
    least, most = (float(values[name].mid()) for name in ("at least", "at most"))
    # Descent really takes 868,035,495,685 (a leap with an error bound).
    assert least <= 868_035_495_685 <= most
    assert most - least <= 200
