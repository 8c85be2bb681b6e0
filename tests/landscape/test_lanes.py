"""The compiled block of runs, beside `descend` and a loop in NumPy."""

import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg import LinearNet, Moments, Playground, Problem
from thalweg._core.errors import DomainError
from thalweg.inits.gaussian import Gaussian
from thalweg.landscape._following.drawing import BLOCK, starts_of
from thalweg.landscape._following.lanes import ARRIVED, RESTED, SPENT, Rules, first_look
from thalweg.landscape._following.pursuit import Pace, lanes_of, pursue
from thalweg.landscape._points.ground import Ground
from thalweg.motion.descend import descend


def posed(widths, *, white=True, seed=0):
    generator = np.random.default_rng(seed)
    if white:
        target = generator.standard_normal((widths[-1], widths[0]))
        return Problem(LinearNet(widths), Moments.whitened(target))
    inputs = generator.standard_normal((40, widths[0]))
    labels = generator.standard_normal((40, widths[-1]))
    return Problem(LinearNet(widths), Moments.from_data(inputs, labels))


def drawn(problem, runs, std=0.7, seed=1):
    generator = np.random.default_rng(seed)
    return tuple(
        std * generator.standard_normal((*shape, runs)) for shape in problem.net.shapes
    )


def rules_of(problem, *, accuracy, budget=2000, guarded=False):
    ground = Ground.of(problem)
    return Rules(
        inputs=None if ground.inputs is None else jnp.asarray(ground.inputs),
        labels=jnp.asarray(ground.labels),
        infimum=jnp.asarray(float(problem.infimum)),
        energy=jnp.asarray(0.5 * float(np.sum(ground.modes.values**2))),
        accuracy=jnp.asarray(accuracy),
        budget=jnp.asarray(budget),
        guarded=jnp.asarray(guarded),
        levels=jnp.asarray(np.array([0.3])),
    )


@pytest.mark.parametrize(
    ("widths", "white"),
    [((2, 2, 2, 2), True), ((3, 2, 1), False), ((3, 7, 2), False), ((1, 1), True)],
)
def test_a_lane_takes_the_steps_of_descend(widths, white):
    problem = posed(widths, white=white)
    starts = drawn(problem, 5, std=0.5)
    rules = rules_of(problem, accuracy=0.0, budget=60)
    ends = pursue(rules, starts, Pace(0.02, 0.0, 0.0), threading.Event())
    stack = tuple(np.moveaxis(layer, -1, 0) for layer in starts)
    path = descend(problem, stack, step_size=0.02, iterations=60, records=2)
    assert ends.iterations.tolist() == [60] * 5
    assert set(ends.state) == {SPENT}
    # Sixty steps, each a handful of roundings of numbers of size one, not amplified by
    # more than a few: the flow of a loss spreads paths at its negative curvature only.
    for found, truth in zip(ends.weights, path.weights, strict=True):
        gap = np.moveaxis(found, -1, 0) - np.asarray(truth)
        assert np.max(np.abs(gap)) < 1e-12
    assert ends.excess == pytest.approx(path["excess_loss"][:, -1], rel=1e-11)


@pytest.mark.parametrize("widths", [(2, 2, 2, 2), (4, 1, 3)])
def test_a_lane_arrives_when_descend_does(widths):
    problem = posed(widths)
    starts = drawn(problem, 8, std=0.5)
    accuracy = 1e-3
    rules = rules_of(problem, accuracy=accuracy, budget=3000)
    ends = pursue(rules, starts, Pace(0.03, 0.0, 0.0), threading.Event())
    stack = tuple(np.moveaxis(layer, -1, 0) for layer in starts)
    path = descend(
        problem, stack, step_size=0.03, iterations=3000, accuracy=accuracy, records=2
    )
    assert ends.iterations.tolist() == [end.iteration for end in path.outcome]
    assert (ends.state == ARRIVED).tolist() == [end.converged for end in path.outcome]


@pytest.mark.parametrize("widths", [(2, 2, 2, 2), (3, 7, 2)])
def test_a_run_does_not_depend_on_its_company(widths):
    problem = posed(widths)
    rules = rules_of(problem, accuracy=1e-4, budget=300, guarded=True)
    pace, never = Pace(None, 0.5, 1.0), threading.Event()
    many = drawn(problem, 700)
    together = pursue(rules, many, pace, never)
    some = np.array([3, 699, 0, 256, 511])
    apart = pursue(rules, tuple(layer[..., some] for layer in many), pace, never)
    for name in ("state", "iterations", "near", "excess", "step_size", "halvings"):
        found = getattr(together, name)[some]
        assert found.tobytes() == getattr(apart, name).tobytes()
    for one, other in zip(together.weights, apart.weights, strict=True):
        assert one[..., some].tobytes() == other.tobytes()


@pytest.mark.parametrize(
    ("widths", "white"), [((2, 2, 2, 2), True), ((3, 2, 1), False)]
)
def test_the_bound_is_above_the_sharpness(widths, white):
    problem = posed(widths, white=white)
    starts = drawn(problem, 4)
    rules = rules_of(problem, accuracy=0.0)
    excess, bound = first_look(rules, tuple(map(jnp.asarray, starts)))
    sizes = [int(np.prod(shape)) for shape in problem.net.shapes]

    def loss(flat):
        parts = jnp.split(flat, np.cumsum(sizes)[:-1].tolist())
        pairs = zip(parts, problem.net.shapes, strict=True)
        return problem.excess_loss(tuple(jnp.reshape(p, shape) for p, shape in pairs))

    hessian = jax.jit(jax.hessian(loss))
    for run in range(4):
        flat = np.concatenate([layer[..., run].ravel() for layer in starts])
        values = np.linalg.eigvalsh(hessian(jnp.asarray(flat)))
        assert np.max(np.abs(values)) <= float(bound[run]) * (1 + 1e-12)
        assert float(excess[run]) == pytest.approx(float(loss(flat)), rel=1e-12)


def test_a_rising_loss_halves_the_step_and_begins_again():
    problem = posed((2, 2, 2))
    rules = rules_of(problem, accuracy=1e-6, guarded=True)
    starts = drawn(problem, 20)
    bold = pursue(rules, starts, Pace(None, 40.0, 1.0), threading.Event())
    assert np.all(bold.state == ARRIVED)
    assert np.all(bold.halvings >= 3)
    # Followed again with the step it ended with, the loss falls at every step.
    for run in range(3):
        chain = [jnp.asarray(layer[..., run]) for layer in starts]
        path = descend(
            problem,
            chain,
            step_size=float(bold.step_size[run]),
            iterations=int(bold.iterations[run]),
            every=1,
        )
        assert np.all(np.diff(path["excess_loss"]) <= 0)


def test_a_loss_that_rises_beyond_float64_halves_the_step_too():
    problem = posed((2, 2, 2))
    rules = rules_of(problem, accuracy=1e-6, guarded=True)
    wild = Pace(None, 1e14, 1.0)
    ends = pursue(rules, drawn(problem, 20), wild, threading.Event())
    assert np.all(ends.state == ARRIVED)
    assert np.all(ends.halvings > 40)


def test_a_lane_rests_where_a_step_changes_no_bit():
    problem = posed((2, 2, 2))
    zero = tuple(np.zeros((*shape, 1)) for shape in problem.net.shapes)
    rules = rules_of(problem, accuracy=0.0)
    ends = pursue(rules, zero, Pace(0.1, 0.0, 0.0), threading.Event())
    assert ends.state.tolist() == [RESTED]
    assert ends.iterations.tolist() == [0]


def test_time_near_a_saddle_is_counted_as_a_loop_counts_it():
    problem = Problem(LinearNet((1, 1, 1)), Moments.whitened(np.array([[1.0]])))
    rules = rules_of(problem, accuracy=1e-3)
    rules = rules._replace(levels=jnp.asarray(np.array([0.5])))
    starts = (np.full((1, 1, 1), 0.01), np.full((1, 1, 1), 0.02))
    ends = pursue(rules, starts, Pace(0.1, 0.0, 0.0), threading.Event())
    a, b, near, taken = 0.01, 0.02, 0, 0
    while (a * b - 1) ** 2 / 2 > 1e-3:
        near += abs((a * b - 1) ** 2 / 2 - 0.5) <= 0.05
        gap = a * b - 1
        a, b = a - 0.1 * gap * b, b - 0.1 * gap * a
        taken += 1
    assert (ends.iterations.tolist(), ends.near.tolist()) == ([taken], [near])


def test_a_stop_gives_up():
    problem = posed((2, 2, 2))
    stop = threading.Event()
    stop.set()
    rules = rules_of(problem, accuracy=0.0)
    assert pursue(rules, drawn(problem, 3), Pace(0.1, 0.0, 0.0), stop) is None


def test_a_start_beyond_float64_is_refused():
    problem = posed((2, 2, 2))
    huge = tuple(np.full((*shape, 1), 1e200) for shape in problem.net.shapes)
    rules = rules_of(problem, accuracy=0.0)
    with pytest.raises(DomainError, match="run 7 starts with a loss beyond the range"):
        pursue(rules, huge, Pace(0.1, 0.0, 0.0), threading.Event(), first=7)


def test_drawn_starts_are_their_numbers_own():
    problem = posed((2, 3, 2))
    starts = starts_of(problem, "gaussian", seed=7, std=0.4)
    taken = starts.take(BLOCK - 2, BLOCK + 3)
    for place, number in enumerate(range(BLOCK - 2, BLOCK + 3)):
        key = jax.random.fold_in(jax.random.key(7), number)
        truth = Gaussian(0.4).draw(key, problem.net)
        for layer, own in zip(taken, truth, strict=True):
            # The same bits of the generator; their quantiles in another program.
            assert layer[..., place] == pytest.approx(np.asarray(own), rel=2e-15)
        alone = starts.take(number, number + 1)
        for layer, own in zip(taken, alone, strict=True):
            assert layer[..., place].tobytes() == own[..., 0].tobytes()


@pytest.mark.parametrize("init", ["balanced", "orthogonal", "identity", "xavier"])
def test_any_init_can_be_drawn(init):
    problem = posed((3, 4, 2))
    layers = starts_of(problem, init, seed=0, std=None).take(5, 9)
    assert [layer.shape for layer in layers] == [(4, 3, 4), (2, 4, 4)]


def test_given_starts_are_taken_as_they_are():
    toy = Playground(3)
    rows = np.arange(12.0).reshape(4, 3)
    starts = starts_of(toy, rows, seed=0, std=None)
    assert starts.runs == 4
    assert np.stack([layer[0, 0] for layer in starts.take(1, 3)], 1).tolist() == (
        rows[1:3].tolist()
    )
    with pytest.raises(DomainError, match="std came with starts that have their own"):
        starts_of(toy, rows, seed=0, std=1.0)


@pytest.mark.parametrize("parameters", [1, 12, 300, 10**5])
def test_a_block_stays_in_the_cache(parameters):
    lanes = lanes_of(parameters)
    assert 8 <= lanes <= 512
    assert lanes == 8 or 24 * lanes * parameters <= 2**18
