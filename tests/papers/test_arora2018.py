"""Arora, Cohen, Hazan: the end-to-end equation against solvers and fifty digits."""

import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

import thalweg as tw
from thalweg.linalg import balls, enclose
from thalweg.linalg.chain import balanced_factors
from thalweg.theorems._base import Case, Verdict
from thalweg.theorems._shared.end_to_end import defect, eigenvalue, preconditioned
from thalweg.theorems._shared.roots import root_powers

SHAPES = st.sampled_from([(2, 2, 2), (3, 4, 3), (4, 3, 3, 2), (4, 3, 2, 2, 1)])
SEEDS = st.integers(0, 2**32 - 1)


def posed(seed, widths, noise=0.0):
    """A random target and a start that noise takes away from balance."""
    draw, shape = np.random.default_rng(seed).standard_normal, (widths[-1], widths[0])
    problem = tw.Problem(tw.LinearNet(widths), tw.Moments.whitened(draw(shape)))
    chain = balanced_factors(jnp.asarray(draw(shape)), widths)
    return problem, tuple(w + noise * draw(w.shape) for w in chain)


def powered(matrix, power):
    """A power of a Gram matrix, zero to the zeroth being one."""
    left, values, _ = np.linalg.svd(matrix)
    values = np.pad(values, (0, left.shape[0] - values.shape[0]))
    return (left * values ** (2 * power)) @ left.T


def equation(w, gradient, depth):
    """The right-hand side of Theorem 1, from eigenvectors."""
    return -sum(
        powered(w, (depth - j) / depth) @ gradient @ powered(w.T, (j - 1) / depth)
        for j in range(1, depth + 1)
    )


def gram(chain):
    """The preconditioner of a chain as one matrix, row-major."""
    total = 0
    for j in range(len(chain)):
        above, below = np.eye(chain[-1].shape[0]), np.eye(chain[0].shape[1])
        for layer in chain[:j]:
            below = layer @ below
        for layer in reversed(chain[j + 1 :]):
            above = above @ layer
        total = total + np.kron(above @ above.T, below.T @ below)
    return total


def formula(w, depth):
    """The same for balanced layers, from the product alone."""
    return sum(
        np.kron(powered(w, (depth - j) / depth), powered(w.T, (j - 1) / depth))
        for j in range(1, depth + 1)
    )


def whole(chain):
    return np.asarray(tw.end_to_end(chain))


@pytest.mark.parametrize("widths", [(3, 3, 3), (4, 3, 3, 2)])
def test_the_flow_of_the_layers_is_the_flow_of_the_product(widths):
    problem, start = posed(5, widths)
    goal, depth = np.asarray(problem.target), len(start)
    path = tw.flow(
        problem, start, times=[0.0, 0.2, 1.0], rtol=1e-10, atol=1e-12,
        measures=("end_to_end",),
    )  # fmt: skip
    shape = goal.shape
    alone = solve_ivp(
        lambda _, w: equation(
            w.reshape(shape), w.reshape(shape) - goal, depth
        ).ravel(),
        (0, 1), whole(start).ravel(), t_eval=[0.0, 0.2, 1.0], rtol=1e-10, atol=1e-12,
    )  # fmt: skip
    gap = np.asarray(path["end_to_end"]).reshape(3, -1) - alone.y.T
    # 20 x rtol for each of the two solvers, at the size of the weights.
    assert np.max(np.abs(gap)) <= 40 * 1e-10 * np.abs(alone.y).max()


@given(seed=SEEDS, widths=SHAPES)
@settings(max_examples=15)
def test_the_eigenvalues_are_those_of_claim_1(seed, widths):
    problem, start = posed(seed, widths)
    chain, depth = [np.asarray(w) for w in start], len(start)
    strengths = np.linalg.svd(whole(start), compute_uv=False)
    left = np.pad(strengths, (0, widths[-1] - len(strengths)))
    right = np.pad(strengths, (0, widths[0] - len(strengths)))
    claimed = sorted(
        float(eigenvalue(balls.scalar(a), balls.scalar(b), depth).mid())
        for a in left for b in right
    )  # fmt: skip
    found = np.linalg.eigvalsh(gram(chain))
    np.testing.assert_allclose(claimed, found, atol=1e-13 * (1 + found[-1]) * 16)
    told = tw.certify("arora2018.Preconditioner", problem, start)
    values = told.guarantee.values
    assert float(values["smallest eigenvalue"].mid()) == pytest.approx(
        claimed[0], rel=1e-9, abs=1e-12
    )
    assert float(values["largest eigenvalue"].mid()) == pytest.approx(claimed[-1])


@given(seed=SEEDS, widths=SHAPES, power=st.floats(-6, 0))
@settings(max_examples=40)
def test_imbalance_moves_the_preconditioner_by_the_defect_at_most(seed, widths, power):
    problem, start = posed(seed, widths, 10.0**power)
    case = Case(problem, start)
    moved = np.linalg.norm(
        gram([np.asarray(w) for w in start]) - formula(whole(start), len(start)), 2
    )
    assert moved <= balls.bounds(defect(case.weights, enclose))[1]


@pytest.mark.parametrize("name", ["EndToEndFlow", "Preconditioner", "SingleOutput"])
@pytest.mark.parametrize("noise", [0.0, 1e-9, 1e-4, 0.5])
def test_no_conclusion_is_ever_refuted(name, noise):
    for seed, widths in enumerate([(3, 3, 2, 1), (4, 2, 1), (2, 5, 1)]):
        told = tw.certify(f"arora2018.{name}", *posed(seed, widths, noise))
        assert told.verdict is Verdict.PROVED
        verdicts = {c.verdict for c in told.conclusions}
        assert Verdict.REFUTED not in verdicts
        # Closer to balance the formula is an equality but for rounding.
        assert noise < 1e-4 or verdicts == {Verdict.PROVED}


def test_layers_balanced_bit_for_bit_have_no_defect():
    layer = jnp.diag(jnp.array([1.0, 0.5]))
    problem = tw.Problem(tw.LinearNet((2, 2, 2)), tw.Moments.whitened(np.ones((2, 2))))
    with balls.working_precision(256):
        case = Case(problem, (layer, layer), la=balls)
        assert balls.bounds(defect(case.weights, balls)) == (0.0, 0.0)


@given(seed=SEEDS, widths=st.sampled_from([(3, 2, 1), (5, 4, 2, 1)]))
@settings(max_examples=20)
def test_one_output_moves_as_claim_2_says(seed, widths):
    problem, start = posed(seed, widths)
    row, goal, n = whole(start), np.asarray(problem.target), len(start)
    pull, size = row - goal, np.linalg.norm(row)
    wanted = size ** (2 - 2 / n) * (pull + (n - 1) * (pull @ row.T) @ row / size**2)
    np.testing.assert_allclose(-equation(row, pull, n), wanted, atol=1e-12)
    chain = [enclose.matrix(np.asarray(w)) for w in start]
    found = preconditioned(chain, enclose.matrix(pull), enclose).midpoint
    np.testing.assert_allclose(found, wanted, atol=1e-12)
    told = tw.certify("arora2018.SingleOutput", problem, start)
    rate = float(told.guarantee.values["rate along"].mid())
    assert rate == pytest.approx(n * size ** (2 - 2 / n), rel=1e-9)


@given(
    seed=SEEDS, shape=st.sampled_from([(2, 2), (2, 4), (4, 2)]), order=st.integers(1, 5)
)
@settings(max_examples=10)
@pytest.mark.parametrize("la", [enclose, balls], ids=["enclose", "balls"])
def test_powers_of_a_gram_matrix_lie_in_their_enclosures(la, seed, shape, order):
    array = np.random.default_rng(seed).standard_normal(shape)
    found = root_powers(la.matrix(array), array, order, la)
    with mpmath.workdps(50):
        exact = mpmath.matrix(array.tolist())
        values, vectors = mpmath.eigsy(exact * exact.T)
        for k, power in enumerate(found):
            roots = [abs(v) ** (mpmath.mpf(k) / order) if k else 1 for v in values]
            wanted = vectors * mpmath.diag(roots) * vectors.T
            floats = np.array(wanted.tolist(), dtype=float)
            low, high = balls.bounds(la.norm(power - la.matrix(floats)))
            # The truth rounded to floats: half a unit an entry.
            assert low <= 1e-15 * (1 + np.linalg.norm(floats))
            assert high <= (0.1 if shape[0] > shape[1] else 1e-10)


def test_a_guess_that_is_no_matrix_of_numbers_encloses_everything():
    a = enclose.matrix(np.eye(2))
    found = root_powers(a, np.full((2, 2), np.inf), 3, enclose)
    assert balls.bounds(enclose.norm(found[1] - enclose.identity(2)))[0] <= 0


def test_raw_data_has_the_gradient_of_its_own_loss():
    draw = np.random.default_rng(0).standard_normal
    inputs, labels = draw((9, 3)), draw((9, 2))
    problem = tw.Problem(tw.LinearNet((3, 3, 2)), tw.Moments.from_data(inputs, labels))
    start = balanced_factors(jnp.asarray(draw((2, 3))), (3, 3, 2))
    away = tuple(layer + 1e-3 * draw(layer.shape) for layer in start)
    told = tw.certify("arora2018.EndToEndFlow", problem, away)
    assert told.conclusions[0].verdict is Verdict.PROVED
    w, step = whole(start), 1e-6
    after = problem.gradient(start)
    moved = whole([a - step * g for a, g in zip(start, after, strict=True)])
    pull = (w @ inputs.T - labels.T) @ inputs / 9
    np.testing.assert_allclose(
        (moved - w) / step, equation(w, pull, 2), atol=1e-4, rtol=0
    )
