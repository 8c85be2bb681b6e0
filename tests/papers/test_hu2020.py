"""Hu, Xiao, Pennington: orthogonal starts keep what is promised of them."""

import jax
import numpy as np
import pytest

import thalweg as tw
from thalweg._core.errors import DomainError
from thalweg.linalg import balls
from thalweg.theorems._base import Case
from thalweg.theorems.hu2020 import gain


def white(target, *hidden):
    target = np.atleast_2d(np.asarray(target, dtype=float))
    net = tw.LinearNet((target.shape[1], *hidden, target.shape[0]))
    return tw.Problem(net, tw.Moments.whitened(target))


def test_nine_draws_of_ten_begin_and_stay_below_the_promise():
    problem = white([[0.5]], 7_000)
    theorem = tw.theorem("hu2020.OrthogonalStart")
    step = theorem.safe_step(Case(problem))
    case = Case(problem, step_size=step)
    happened = sum(theorem.succeeds(case, seed) for seed in range(200))
    # Four standard errors below nine in ten.
    assert happened >= 200 * (0.9 - 4 * np.sqrt(0.09 / 200))


def test_a_draw_too_far_from_the_promise_is_noticed():
    # At ten times the step the same draws diverge.
    problem = white([[0.5]], 7_000)
    theorem = tw.theorem("hu2020.OrthogonalStart")
    case = Case(problem, step_size=10 * theorem.safe_step(Case(problem)))
    assert not any(theorem.succeeds(case, seed) for seed in range(5))


@pytest.mark.parametrize("depth", [2, 3, 6])
def test_the_scaled_chain_is_the_papers_net_and_step(depth):
    # alpha W_L ... W_1 in the paper's own scaling, against the chain without alpha.
    rng = np.random.default_rng(depth)
    width, outputs, inputs = 6, 2, 3
    target = rng.standard_normal((outputs, inputs))
    widths = (inputs, *[width] * (depth - 1), outputs)
    alpha = (width ** (depth - 1) * outputs) ** -0.5
    big = []
    for shape in zip(widths[1:], widths[:-1], strict=True):
        basis = np.linalg.qr(rng.standard_normal((max(shape), min(shape))))[0]
        big.append(np.sqrt(width) * (basis if shape[0] >= shape[1] else basis.T))
    own = [alpha ** (1 / depth) * w for w in big]
    sizes = np.linalg.svd(own[0], compute_uv=False)
    np.testing.assert_allclose(sizes, gain(widths), rtol=1e-12)

    def stepped(layers, scale, step):
        error = scale * np.linalg.multi_dot([*layers[::-1], np.eye(inputs)]) - target
        moved = []
        for j, layer in enumerate(layers):
            above, below = np.eye(outputs), np.eye(inputs)
            for w in layers[:j:-1]:
                above = above @ w
            for w in layers[:j]:
                below = w @ below
            moved.append(layer - step * scale * above.T @ error @ below.T)
        return moved

    step = 0.01
    for _ in range(5):
        big = stepped(big, alpha, step)
        own = stepped(own, 1.0, alpha ** (2 / depth) * step)
    for theirs, ours in zip(big, own, strict=True):
        np.testing.assert_allclose(alpha ** (1 / depth) * theirs, ours, rtol=1e-10)
    # The paper's largest step is d_y / (2 L |X|^2), of white data here.
    theorem = tw.theorem("hu2020.OrthogonalStart")
    limit = theorem.safe_step(Case(white(target, *[width] * (depth - 1))))
    assert limit == pytest.approx(alpha ** (2 / depth) * outputs / (2 * depth))


def test_the_starts_of_the_shelf_keep_the_rate_far_below_the_proved_width():
    # The proof asks for some ten thousand units; the rate holds for a few dozen.
    problem = white(np.diag([0.5, 0.25]), 60, 60)
    theorem = tw.theorem("hu2020.OrthogonalStart")
    step = theorem.safe_step(Case(problem))
    start = tw.init("orthogonal", gain=gain((2, 60, 60, 2))).draw(
        jax.random.key(0), problem.net
    )
    path = tw.descend(problem, start, step_size=step, iterations=60, every=1)
    factor = theorem.guarantee(Case(problem, step_size=step)).factor
    bound = float(factor.mid()) ** path.clock * path["excess_loss"][0]
    assert np.all(path["excess_loss"] <= bound + 1e-14)


@pytest.mark.parametrize("psi", [1 / 22])
def test_the_constants_of_the_proof_close_the_induction(psi):
    rest = 0.5 * 1.1 * 1.331**2 / 2 * np.exp(1.331 * psi / 2) * psi
    assert 1.1**2 * 1.1**2 / 2 <= 1
    assert 0.9**4 - rest >= 0.6
    assert np.exp(1.21 * psi / 0.6) - 1 <= 0.1
    share = np.linspace(0, 0.5, 101)
    assert np.all((1 - 0.6 * share) ** 2 <= 1 - share / 2)


def test_the_second_moment_of_the_drawn_map_is_that_of_the_inputs():
    # E |V X|_F^2 = |X|_F^2 with X = I: 3 inputs, so 3.
    widths, sizes = (3, 20, 2), []
    rng = np.random.default_rng(0)
    for _ in range(2000):
        one = np.linalg.qr(rng.standard_normal((20, 3)))[0]
        two = np.linalg.qr(rng.standard_normal((20, 2)))[0].T
        sizes.append(np.sum((gain(widths) ** 2 * two @ one) ** 2))
    assert abs(np.mean(sizes) - 3) <= 4 * np.std(sizes) / np.sqrt(2000)


def test_raw_inputs_need_more_width_by_their_conditioning():
    inputs = np.array([[1.0], [2.0], [3.0]])
    data = tw.Moments.from_data(inputs, 0.5 * inputs)
    problem = tw.Problem(tw.LinearNet((1, 7_000, 1)), data)
    told = tw.certify("hu2020.OrthogonalStart", problem)
    assert told.verdict == "proved"
    scale = np.mean(inputs**2)
    assert told.factor == pytest.approx(0.75, rel=1e-12)
    assert told.safe_step == pytest.approx(1 / (4 * scale * np.sqrt(7_000)))
    assert balls.bounds(told.guarantee.probability)[0] == pytest.approx(0.9)


@pytest.mark.parametrize("delta", [0.0, 1.0, float("nan")])
def test_the_chance_of_a_bad_draw_has_its_domain(delta):
    with pytest.raises(DomainError, match="delta is"):
        tw.theorem("hu2020.OrthogonalStart", delta=delta)
