"""Leaving saddles: the push is small and real, and the end is what it is said to be."""

import json

import jax.numpy as jnp
import numpy as np
import pytest

from thalweg._core.errors import DomainError
from thalweg.landscape.escape import escape
from thalweg.landscape.kinds import Kind
from thalweg.motion.path import Path
from thalweg.problem.moments import Moments
from thalweg.problem.nets import LinearNet
from thalweg.problem.problem import Problem
from thalweg.problem.scalar import Playground


def white(widths, target):
    return Problem(LinearNet(widths), Moments.whitened(jnp.asarray(target)))


@pytest.mark.parametrize("depth", [2, 3, 6])
def test_the_playground_is_left_for_its_minimum(depth):
    toy = Playground(depth)
    found = escape(toy, [0.0] * depth)
    assert (found.order, found.arrived.kind) == (depth, Kind.GLOBAL_MINIMUM)
    size = np.abs(np.asarray(found.path.start))
    assert size == pytest.approx(
        [found.left_at / (2**0.5 if depth == 2 else 1)] * depth
    )
    assert found.drop == pytest.approx(
        0.5 - float(toy.loss(found.path.start)), rel=1e-12
    )
    assert np.all(np.diff(found.path["loss"]) <= 0)


def test_saddle_after_saddle_leads_to_the_minimum():
    """Pushes along one mode keep the others' blocks exactly zero."""
    problem = white((3, 3, 3, 3), np.diag([3.0, 2.0, 1.0]))
    weights, orders, ends, values = [np.zeros((3, 3))] * 3, [], [], []
    for _ in range(3):
        found = escape(problem, weights)
        weights = found.path.weights
        orders.append(found.order)
        ends.append((found.arrived.modes, found.arrived.kind))
        values.append(found.path["excess_loss"][-1])
    assert orders == [3, 3, 3]
    assert ends == [
        ((1,), Kind.NON_STRICT_SADDLE),
        ((1, 2), Kind.NON_STRICT_SADDLE),
        ((1, 2, 3), Kind.GLOBAL_MINIMUM),
    ]
    assert values == pytest.approx([2.5, 0.5, 0.0], abs=1e-12)


def test_a_wrong_mode_is_exchanged():
    problem = white((2, 2, 2), np.diag([2.0, 1.0]))
    found = escape(problem, [np.diag([0.0, 1.0])] * 2)
    assert (found.order, found.curve.kind) == (2, Kind.STRICT_SADDLE)
    assert found.path["excess_loss"][-1] < 2.0 - found.drop
    assert found.arrived is not None


def test_data_that_are_not_white_are_followed_in_their_own_coordinates():
    rng = np.random.default_rng(1)
    inputs, labels = rng.standard_normal((30, 4)), rng.standard_normal((30, 2))
    problem = Problem(LinearNet((4, 3, 3, 2)), Moments.from_data(inputs, labels))
    found = escape(problem, [np.zeros(shape) for shape in problem.net.shapes])
    values = np.linalg.svd(np.asarray(problem.data.labels_factor), compute_uv=False)
    assert found.arrived.modes == (1,)
    assert found.path["excess_loss"][-1] == pytest.approx(values[1] ** 2 / 2, rel=1e-9)


def test_push_and_step_are_taken_as_given():
    found = escape(Playground(3), [0.0] * 3, push=0.01, step_size=0.05, iterations=50)
    assert (found.left_at, found.path.step_size, found.path.clock[-1]) == (
        0.01,
        0.05,
        50,
    )
    assert found.arrived is None
    assert "no critical point yet" in str(found)


def test_it_is_saved_with_its_path(tmp_path):
    found = escape(Playground(3), [0.0] * 3)
    found.save(tmp_path / "left")
    noted = Path.load(tmp_path / "left").notes["escape"]
    assert noted == json.loads(json.dumps(found.to_json()))
    assert (noted["order"], noted["arrived"]["kind"]) == (3, "global minimum")


@pytest.mark.parametrize(
    ("weights", "options", "words"),
    [
        ([1.0, 1.0, 1.0], {}, "global minimum"),
        ([0.9, 1.0, 1.0], {}, "critical point"),
        ([0.0, 0.0, 0.0], {"push": 3.0}, "above the saddle"),
        ([0.0, 0.0, 0.0], {"push": -1.0}, "push is -1.0"),
    ],
)
def test_what_cannot_be_left_is_refused(weights, options, words):
    with pytest.raises(DomainError, match=words):
        escape(Playground(3), weights, **options)
