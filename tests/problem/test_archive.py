"""A problem packed into plain values and arrays comes back as it was."""

import json

import jax
import numpy as np
import pytest

import thalweg as tw
from thalweg.problem.archive import pack, unpack
from tolerances import same_arrays


def samples():
    rng = np.random.default_rng(0)
    return rng.standard_normal((20, 3)), rng.standard_normal((20, 2))


def with_net(data):
    return tw.Problem(tw.LinearNet((data.inputs_width, 4, data.outputs_width)), data)


PROBLEMS = {
    "playground": lambda: tw.Playground(4),
    "target": lambda: with_net(tw.Moments.whitened(np.ones((2, 3)), note="ones")),
    "raw": lambda: with_net(tw.Moments.from_data(*samples())),
    "white": lambda: with_net(
        tw.Moments.from_data(*samples(), center=True, whiten=True)
    ),
    "unit": lambda: with_net(
        tw.Moments.from_data(*samples(), whiten=True, rescale="unit")
    ),
    "bias": lambda: with_net(tw.Moments.from_data(*samples(), bias=True, scale="sum")),
    "named": lambda: with_net(
        tw.Moments.from_data(
            *samples(), feature_names=("a", "b", "c"), label_names=("u", "v")
        )
    ),
    "moments": lambda: with_net(tw.Moments.from_moments(np.eye(3), np.ones((2, 3)))),
    "constant column": lambda: with_net(
        tw.Moments.from_data(samples()[0] * [1, 0, 1], samples()[1], center=True)
    ),
}


@pytest.mark.parametrize("kind", PROBLEMS)
def test_a_packed_problem_comes_back_bit_for_bit(kind):
    problem = PROBLEMS[kind]()
    card, arrays = pack(problem)
    again = unpack(json.loads(json.dumps(card, allow_nan=False)), arrays)
    assert jax.tree.structure(again) == jax.tree.structure(problem)
    pairs = zip(jax.tree.leaves(again), jax.tree.leaves(problem), strict=True)
    for one, other in pairs:
        same_arrays(one, other)


@pytest.mark.parametrize("kind", [kind for kind in PROBLEMS if kind != "playground"])
def test_an_unpacked_problem_prepares_new_inputs_alike(kind):
    problem = PROBLEMS[kind]()
    again = unpack(*pack(problem))
    if problem.data.whitening is None:
        assert again.data.whitening is None
    else:
        seen = [
            np.asarray(p.data.to_coordinates(samples()[0])) for p in (problem, again)
        ]
        same_arrays(*seen)


def test_other_arrays_are_left_alone():
    card, arrays = pack(PROBLEMS["raw"]())
    assert unpack(card, {**arrays, "column.loss": np.ones(3)}).net.widths == (3, 4, 2)
