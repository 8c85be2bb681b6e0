r"""Du, Hu, Lee: layers of homogeneous networks are automatically balanced."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from thalweg._core.papers import DU2018
from thalweg._core.source import Source
from thalweg.linalg import balls
from thalweg.linalg.chain import invariants
from thalweg.problem.activations import AbstractActivation, LeakyRelu, Relu, Tanh
from thalweg.problem.hidden import HiddenLayer, HiddenNet
from thalweg.problem.moments import Moments
from thalweg.problem.nets import LinearNet
from thalweg.problem.problem import Problem
from thalweg.problem.scalar import Playground
from thalweg.theorems._base import (
    AbstractTheorem,
    Ball,
    Case,
    Example,
    Guarantee,
    Hypothesis,
    Kind,
    Setting,
)


@dataclass(frozen=True)
class NeuronNorms(AbstractTheorem):
    r"""Every neuron keeps the difference of its outgoing and incoming squared weights.

    Notation: $W^{(h)}[i, :]$ are the weights into the neuron $i$ of the layer $h$ and
    $W^{(h+1)}[:, i]$ those out of it. If the activation of the neuron is homogeneous,
    $\phi(x) = x \phi'(x)$, as rectifiers and the identity are, the flow keeps
    $\|W^{(h+1)}[:, i]\|^2 - \|W^{(h)}[i, :]\|^2$, for any data and any loss; summed
    over neurons, what the squared Frobenius norms of neighbouring layers differ by.
    Where layers are linear it keeps the whole matrix: see `chitour2023.Invariance`.
    """

    source: ClassVar[Source] = DU2018.at("Theorem 2.1 and Corollary 2.1")
    kind: ClassVar[Kind] = Kind.CONSERVATION
    setting: ClassVar[Setting] = Setting(
        "a network without biases", (Problem, Playground, HiddenLayer)
    )
    bounds: ClassVar[str] = "norm_gaps"
    clock: ClassVar[str] = "flow time"
    status: ClassVar[str] = "recalled, verified numerically"

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return that there is a hidden layer, and that it is homogeneous."""
        hidden = _hidden(case.problem)
        return [
            Hypothesis("at least two layers", fact=case.depth >= 2),
            Hypothesis(
                "hidden activations are homogeneous",
                fact=hidden is None or hidden.is_homogeneous,
                mend="use rectifiers, leaky rectifiers or no activation",
            ),
        ]

    def guarantee(self, case: Case) -> Guarantee:
        """Return every neuron's difference at the start."""
        gaps = _gaps(case)
        linear = _hidden(case.problem) is None
        return Guarantee(
            statement=(
                f"each of {len(gaps)} hidden neurons keeps the squares of its outgoing "
                "less those of its incoming weights along the flow"
            ),
            clock=self.clock,
            conserved=("norm_gaps", "invariants") if linear else (),
            values=gaps,
        )

    def witnesses(self) -> Iterator[Example]:
        """Yield a linear net, and rectifiers on samples drawn from a seed."""
        draw = np.random.default_rng(0).standard_normal
        net = LinearNet((3, 4, 2, 2))
        problem = Problem(net, Moments.whitened(draw((2, 3))))
        yield Example(problem, tuple(jnp.asarray(draw(shape)) for shape in net.shapes))
        for activation in (Relu(), LeakyRelu(0.1)):
            yield Example(*_shallow(activation))

    def counterexamples(self) -> Iterator[Example]:
        """Yield a single layer, and a sigmoid."""
        problem = Problem(LinearNet((2, 2)), Moments.whitened(jnp.eye(2)))
        yield Example(problem, (jnp.eye(2),), refuted="at least two layers")
        yield Example(*_shallow(Tanh()), refuted="hidden activations are homogeneous")


def _hidden(problem: Any) -> AbstractActivation | None:
    """Return the hidden layer's activation; `None` for a linear network."""
    return problem.net.hidden if isinstance(problem, HiddenLayer) else None


def _gaps(case: Case) -> dict[str, Ball]:
    """Return every hidden neuron's outgoing less its incoming squared weights."""
    layers = [
        balls.widened(balls.matrix(np.asarray(w)), case.radius)
        for w in case.problem.chain(case.start)
    ]
    return {
        f"neuron {unit + 1} of layer {layer}": gap.data[unit, unit]
        for layer, gap in enumerate(invariants(layers), 1)
        for unit in range(gap.shape[0])
    }


def _shallow(activation: AbstractActivation) -> tuple[HiddenLayer, object]:
    draw = np.random.default_rng(1).standard_normal
    problem = HiddenLayer(HiddenNet((3, 4, 2), activation), draw((6, 3)), draw((6, 2)))
    return problem, tuple(jnp.asarray(draw(shape)) for shape in problem.net.shapes)
