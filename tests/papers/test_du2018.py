"""Du, Hu, Lee: what every neuron keeps along the flow."""

from itertools import pairwise

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import thalweg as tw
from thalweg.problem.activations import Arctan, LeakyRelu, Linear, Relu
from thalweg.problem.hidden import HiddenLayer, HiddenNet
from thalweg.theorems._base import Verdict

NAME = "du2018.NeuronNorms"


def gaps(weights):
    return np.concatenate(
        [
            (np.asarray(b) ** 2).sum(0) - (np.asarray(a) ** 2).sum(1)
            for a, b in pairwise(weights)
        ]
    )


def values(certificate):
    return [float(ball.mid()) for ball in certificate.guarantee.values.values()]


@pytest.mark.parametrize("widths", [(3, 4, 2), (2, 3, 3, 1)], ids=str)
def test_every_neuron_of_a_linear_net_keeps_its_difference(widths):
    draw = np.random.default_rng(0).standard_normal
    data = tw.Moments.from_data(draw((20, widths[0])), draw((20, widths[-1])))
    problem = tw.Problem(tw.LinearNet(widths), data)
    start = tuple(jnp.asarray(draw(shape)) for shape in problem.net.shapes)
    path = tw.flow(problem, start, horizon=2.0, measures=("norm_gaps", "invariants"))
    found = tw.certify(NAME, problem, start, path=path)
    assert found.verdict is Verdict.PROVED
    assert found.observed.drift <= 20 * 1e-10 * 100
    assert values(found) == pytest.approx(gaps(start), rel=1e-12)
    ends = np.concatenate(
        [
            np.diagonal(gap)[:width]
            for gap, width in zip(
                np.asarray(path["invariants"])[-1], widths[1:-1], strict=True
            )
        ]
    )
    assert np.abs(ends - gaps(start)).max() <= 20 * 1e-10 * 100


@given(seed=st.integers(0, 2**32 - 1),
       hidden=st.sampled_from([Relu(), LeakyRelu(0.2), Linear()]),
       output=st.sampled_from([Linear(), Relu(), Arctan()]))  # fmt: skip
@settings(max_examples=30)
def test_a_small_step_moves_no_neuron_to_first_order(seed, hidden, output):
    # The change over a step h is h^2 times squared gradients, exactly.
    draw = np.random.default_rng(seed).standard_normal
    problem = HiddenLayer(HiddenNet((3, 5, 2), hidden, output), draw((6, 3)),
                          draw((6, 2)))  # fmt: skip
    start = tuple(jnp.asarray(draw(shape)) for shape in problem.net.shapes)
    found = tw.certify(NAME, problem, start)
    assert found.verdict is Verdict.PROVED
    assert values(found) == pytest.approx(gaps(start), rel=1e-12)
    slopes = [np.asarray(g) for g in problem.gradient(start)]
    moved = [np.asarray(w) - 1e-3 * g for w, g in zip(start, slopes, strict=True)]
    second = 1e-6 * gaps(slopes)
    assert np.abs(gaps(moved) - gaps(start) - second).max() <= 1e-12 * (
        1 + np.abs(gaps(start)).max() + np.abs(second).max()
    )


def test_a_sigmoid_is_refused_with_what_would_help():
    draw = np.random.default_rng(0).standard_normal
    problem = HiddenLayer(HiddenNet((3, 5, 2), Arctan()), draw((6, 3)), draw((6, 2)))
    start = [draw(shape) for shape in problem.net.shapes]
    found = tw.certify(NAME, problem, start)
    assert found.verdict is Verdict.REFUTED
    (failed,) = (h for h in found.hypotheses if h.verdict is Verdict.REFUTED)
    assert "rectifiers" in failed.mend


def test_the_playground_is_a_net_too():
    found = tw.certify(NAME, tw.Playground(3), [0.5, 1.0, 2.0])
    assert values(found) == [0.75, 3.0]
