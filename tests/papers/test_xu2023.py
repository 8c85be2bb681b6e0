"""Xu, Min, Tarmoun, Mallada, Vidal: their constants and promises in plain NumPy."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

import thalweg as tw
from thalweg._core.errors import DomainError
from thalweg.linalg import balls
from thalweg.theorems._base import Case
from thalweg.theorems.xu2023._setting import Constants

SHAPES = st.sampled_from([(2, 2, 2), (3, 5, 2), (2, 4, 3), (3, 3, 3)])


def drawn(seed, widths, *, far=1.0, raw=False):
    """A random problem with two layers in the paper's own row convention."""
    rng = np.random.default_rng(seed)
    n, h, m = widths
    size = rng.uniform(0.3, 2, 2)
    one = size[0] * rng.standard_normal((n, h))
    two = size[1] * rng.standard_normal((h, m))
    inputs = rng.standard_normal((n + 2, n)) if raw else np.eye(n)
    labels = inputs @ (one @ two + far * rng.standard_normal((n, m)) / 5)
    data = (
        tw.Moments.from_data(inputs, labels, scale="sum")
        if raw
        else tw.Moments.whitened(labels.T)
    )
    problem = tw.Problem(tw.LinearNet(widths), data)
    return problem, (jnp.asarray(one.T), jnp.asarray(two.T)), (inputs, labels, one, two)


def alpha(one, two, seen, made):
    """Half the sum of MATH F.6, with one margin for each root."""
    n, h = one.shape
    m = two.shape[1]
    spectrum = np.linalg.eigvalsh(one.T @ one - two @ two.T)[::-1]
    high, low = max(spectrum[0], 0), max(-spectrum[-1], 0)
    up = max(spectrum[n - 1], 0) if n <= h else 0.0
    down = max(-spectrum[h - m], 0) if m <= h else 0.0
    first = up - low + np.sqrt((low + up) ** 2 + 4 * seen**2)
    return (first + down - high + np.sqrt((high + down) ** 2 + 4 * made**2)) / 2


def margin(inputs, labels, one, two):
    error = np.linalg.norm(labels - inputs @ one @ two)
    singular = np.linalg.svd(labels, compute_uv=False)
    least = singular[min(one.shape[0], two.shape[1]) - 1]
    return max(least - error, 0) / np.linalg.svd(inputs, compute_uv=False)[0]


def extremes(one, two):
    rows, columns = np.linalg.eigvalsh(one @ one.T), np.linalg.eigvalsh(two.T @ two)
    return rows[0] + columns[0], rows[-1] + columns[-1]


@given(seed=st.integers(0, 2**32 - 1), widths=SHAPES, raw=st.booleans())
@settings(max_examples=40)
def test_the_corrected_constants_bound_the_spectrum_of_tau(seed, widths, raw):
    problem, start, (inputs, labels, one, two) = drawn(seed, widths, raw=raw)
    known = Constants(Case(problem, start))
    p1 = margin(inputs, labels, one, two)
    n, _, m = widths
    wanted = alpha(one, two, p1 * (n <= m), p1 * (m <= n))
    low, high = extremes(one, two)
    assert float(known.alpha.mid()) == pytest.approx(wanted, rel=1e-9, abs=1e-9)
    assert wanted <= low + 1e-9
    assert float(known.beta.mid()) >= high - 1e-9
    assert balls.bounds(known.spectrum[0])[0] <= low + 1e-12
    assert all(h.verdict != "refuted" for h in known.spectrum_claims)


def test_the_printed_alpha_exceeds_the_spectrum_when_the_ends_differ():
    broken = 0
    for seed in range(300):
        _, _, (inputs, labels, one, two) = drawn(seed, (3, 4, 2), far=0.1)
        p1 = margin(inputs, labels, one, two)
        low, _ = extremes(one, two)
        broken += alpha(one, two, p1, p1) > low * (1 + 1e-9)
    assert broken > 20


def test_with_fewer_inputs_than_directions_only_what_they_see_has_a_margin():
    # One input of three: p_1 bounds the first singular value, and no second one.
    inputs, labels = np.array([[1.0, 0, 0]]), np.array([[2.0, 0.5]])
    problem = tw.Problem(
        tw.LinearNet((3, 3, 2)), tw.Moments.from_data(inputs, labels, scale="sum")
    )
    start = problem.check([np.diag([1.5, 0.1, 0.1]), np.eye(2, 3)])
    known = Constants(Case(problem, start))
    assert known.p1 > 0
    assert all(h.verdict == "proved" for h in known.spectrum_claims)


@pytest.mark.parametrize("seed", range(6))
def test_the_flow_keeps_the_rate(seed):
    problem, start, (inputs, labels, one, two) = drawn(
        seed, (3, 5, 2), raw=seed % 2 == 1
    )
    certificate = tw.certify("xu2023.TwoLayerFlow", problem, start)
    if certificate.verdict != "proved":
        return

    def field(_, flat):
        first, last = flat[:15].reshape(3, 5), flat[15:].reshape(5, 2)
        gap = inputs.T @ (labels - inputs @ first @ last)
        return np.concatenate([(gap @ last.T).ravel(), (first.T @ gap).ravel()])

    times = np.linspace(0, 2, 9)
    found = solve_ivp(field, (0, 2), np.concatenate([one.ravel(), two.ravel()]),
                      t_eval=times, rtol=1e-9, atol=1e-11)  # fmt: skip
    losses = [
        np.sum((labels - inputs @ y[:15].reshape(3, 5) @ y[15:].reshape(5, 2)) ** 2) / 2
        for y in found.y.T
    ]
    floor = float(problem.data.constant)
    bound = certificate.guarantee.bound_at(times)
    assert np.all(np.array(losses) - floor <= bound * (1 + 1e-6) + 1e-9)


@given(
    seed=st.integers(0, 2**32 - 1), widths=SHAPES, raw=st.booleans(),
    share=st.floats(0.01, 1),
)  # fmt: skip
@settings(max_examples=40)
def test_one_step_never_leaves_more_than_the_lemma_allows(seed, widths, raw, share):
    problem, start, (inputs, labels, one, two) = drawn(seed, widths, raw=raw)
    theorem = tw.theorem("xu2023.OneStep")
    limit = theorem.safe_step(Case(problem, start))
    if limit is None:
        assert extremes(one, two)[0] <= 1e-9
        return
    certificate = tw.certify(theorem, problem, start, step_size=share * limit)
    assert certificate.verdict == "proved"
    assert all(c.verdict == "proved" for c in certificate.conclusions)
    gap = inputs.T @ (inputs @ one @ two - labels)
    step = share * limit
    after = (one - step * gap @ two.T) @ (two - step * one.T @ gap)
    floor = float(problem.data.constant)
    before, next_loss = (
        np.sum((inputs @ w - labels) ** 2) / 2 - floor for w in (one @ two, after)
    )
    rho = float(certificate.guarantee.values["rho"].mid())
    assert next_loss <= rho * before * (1 + 1e-9) + 1e-12


@given(
    seed=st.integers(0, 2**32 - 1), widths=SHAPES, raw=st.booleans(),
    share=st.floats(0.1, 1),
)  # fmt: skip
@settings(max_examples=25)
def test_descent_keeps_curve_spectrum_and_drift(seed, widths, raw, share):
    problem, start, (inputs, labels, one, two) = drawn(seed, widths, raw=raw, far=0.2)
    theorem = tw.theorem("xu2023.TwoLayerDescent")
    limit = theorem.safe_step(Case(problem, start))
    if limit is None:
        return
    step = share * limit
    certificate = tw.certify(theorem, problem, start, step_size=step)
    assert certificate.verdict == "proved"
    promise = certificate.guarantee
    imbalance, size = promise.kept
    bound = promise.bound_at(np.arange(200))
    fixed = balls.bounds(promise.start)[1] * certificate.factor ** np.arange(200)
    assert np.all(bound <= fixed * (1 + 1e-9))
    low, high = extremes(one, two)
    floor, first = float(problem.data.constant), (one.copy(), two.copy())
    for t in range(200):
        gap = inputs @ one @ two - labels
        assert np.sum(gap**2) / 2 - floor <= bound[t] * (1 + 1e-9) + 1e-12
        drift = one.T @ one - two @ two.T
        assert imbalance.holds(np.array([np.linalg.norm(drift)]), 1e-9)
        assert size.holds(np.array([np.linalg.norm(one @ two)]), 1e-9)
        now = extremes(one, two)
        assert now[0] >= 0.5 * balls.bounds(promise.values["alpha_0"])[0] - 1e-9
        assert now[1] <= 1.5 * balls.bounds(promise.values["beta_0"])[1] + 1e-9
        pull = inputs.T @ gap
        one, two = one - step * pull @ two.T, two - step * one.T @ pull
    assert low <= high
    assert np.all(first[0] != one)


def test_a_long_promise_ends_where_its_recursion_would():
    problem, start, _ = drawn(3, (2, 2, 2), far=0.05)
    limit = tw.theorem("xu2023.TwoLayerDescent").safe_step(Case(problem, start))
    told = tw.certify(
        "xu2023.TwoLayerDescent", problem, start, step_size=limit / 5, accuracy=1e-9
    )
    bound = told.guarantee.bound_at(np.array([told.promised - 2, told.promised]))
    assert bound[1] <= 1e-9 * (1 + 1e-9) < bound[0] * (1 + 1e-6)


@pytest.mark.parametrize("fields", [{"c1": 0.0}, {"c1": 1.0}, {"c2": 1.0}])
def test_the_shares_have_their_domain(fields):
    with pytest.raises(DomainError, match="need 0 < c1 < 1 < c2"):
        tw.theorem("xu2023.TwoLayerDescent", **fields)
