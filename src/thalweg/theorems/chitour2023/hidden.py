r"""Chitour, Liao, Couillet: one hidden layer of activations, and what its flow keeps.

Notation: $L = \tfrac12 \|Y - \sigma_2(W_2 \sigma_1(W_1 X))\|_F^2$, one sample a
column; $\Sigma(x) = \int_0^x \sigma_1(w) / \sigma_1'(w)\,dw$. The source has
$X = I$ throughout. The problems are `thalweg.problem.hidden.HiddenLayer`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp
import numpy as np

from thalweg._core.papers import CHITOUR2023
from thalweg._core.source import Source
from thalweg.linalg import balls, exact
from thalweg.problem.activations import (
    BALLS,
    AbstractActivation,
    Arctan,
    LeakyRelu,
    Linear,
    Logistic,
    Relu,
    Tanh,
)
from thalweg.problem.hidden import HiddenLayer, HiddenNet
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
from thalweg.theorems.chitour2023._shallow import Shallow

HIDDEN = Setting("a network with one hidden layer of activations", (HiddenLayer,))

NEAR = 2.0**-40
"""How closely two computations of one number must agree to be called equal."""

SHARES = (0.125, 0.5, 0.875)
"""Values of theta at which the growth of a potential is checked."""

MOST = 64
"""Most weights of a layer by which the loss is differentiated anew."""


@dataclass(frozen=True)
class SigmaGrowth(AbstractTheorem):
    r"""The potential of a sigmoid grows at least like a square.

    Notation: $\sigma$ is a sigmoid: continuously differentiable, increasing, of the
    sign of its argument, with finite limits. Then $\Sigma(x) \to \infty$ as
    $|x| \to \infty$ and $\liminf \Sigma(x) / x^2 \ge 1$. (The source prints *as $|x|$
    tends to zero*, where $\Sigma$ tends to zero; its proof is about infinity.) For
    every $x \ne 0$ and $0 < \theta < 1$
    $\Sigma(x) \ge (1 - \theta)^2 x^2\, \sigma(\theta x) / \sigma(x),$
    by Cauchy and Schwarz: $(\int_0^x \sqrt{|\sigma|})^2 \le \Sigma(x)\,|\sigma(x)|$.
    It is checked at everything that enters the hidden layer.
    """

    source: ClassVar[Source] = CHITOUR2023.at("Lemma 3, corrected")
    kind: ClassVar[Kind] = Kind.LANDSCAPE
    setting: ClassVar[Setting] = HIDDEN
    bounds: ClassVar[str] = ""
    clock: ClassVar[str] = "flow time"
    status: ClassVar[str] = (
        "read in the source, misprint corrected; explicit inequality derived here"
    )

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return that the hidden activation is a sigmoid."""
        return [_sigmoid(case)]

    def guarantee(self, case: Case) -> Guarantee:
        """Return the inequality at every sum of the hidden layer."""
        net = Shallow.of(case)
        points = [x for x in net.before.data.entries() if x > 0 or x < 0]
        slacks = [_growth(net.hidden, x, share) for x in points for share in SHARES]
        return Guarantee(
            statement=(
                "the potential is at least (1 - t)^2 x^2 s(t x)/s(x) for 0 < t < 1, at "
                f"each of {len(points)} points, and at least x^2 in the limit"
            ),
            clock=self.clock,
            conclusions=tuple(
                Hypothesis(f"{name} at every point", balls.smallest(values))
                for name, values in (
                    ("Sigma(x) > 0", [net.hidden.potential(x, BALLS) for x in points]),
                    ("Sigma(x) > (1 - t)^2 x^2 s(t x)/s(x)", slacks),
                )
                if values
            ),
        )

    def witnesses(self) -> Iterator[Example]:
        """Yield the three sigmoids."""
        for activation in (Tanh(), Arctan(), Logistic()):
            yield _drawn(activation, Linear(), np.eye(5))

    def counterexamples(self) -> Iterator[Example]:
        """Yield a rectifier, whose potential is half a square."""
        example = _drawn(Relu(), Linear(), np.eye(5))
        yield _refuting(example, "the hidden activation is a sigmoid")


@dataclass(frozen=True)
class HiddenFlow(AbstractTheorem):
    r"""The flow of a net with one hidden layer, written out.

    Notation: $Z = W_1 X$, $S_1 = \sigma_1(Z)$, $P = W_2 S_1$, $M = Y - \sigma_2(P)$.
    Then $\dot W_1 = (\sigma_1'(Z) \odot [W_2^\top (M \odot \sigma_2'(P))]) X^\top$ and
    $\dot W_2 = (M \odot \sigma_2'(P)) S_1^\top$; for $X = I$ so
    $\dot S_1 = \sigma_1'(Z)^{\odot 2} \odot [W_2^\top (M \odot \sigma_2'(P))]$. The
    formula is checked against slopes of the loss by single weights, taken by power
    series.
    """

    source: ClassVar[Source] = CHITOUR2023.at("Lemma 4")
    kind: ClassVar[Kind] = Kind.LANDSCAPE
    setting: ClassVar[Setting] = HIDDEN
    bounds: ClassVar[str] = ""
    clock: ClassVar[str] = "flow time"

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return that both activations have derivatives."""
        net = case.problem.net
        return [
            Hypothesis(
                "both activations have derivatives",
                fact=net.hidden.is_smooth and net.output.is_smooth,
            )
        ]

    def guarantee(self, case: Case) -> Guarantee:
        """Return the rate of the loss, and that the formula is the gradient."""
        net = Shallow.of(case)
        speeds = [balls.norm(part) for part in net.velocity]
        rate = balls.total(speed * speed for speed in speeds)
        return Guarantee(
            statement=(
                f"at the start the flow lowers the loss by {float(rate.mid()):.6g} a "
                "unit of time"
            ),
            clock=self.clock,
            conclusions=tuple(
                Hypothesis(
                    f"the formula for layer {layer + 1} is minus the gradient",
                    NEAR * (1 + speed) - _furthest(net, layer),
                )
                for layer, speed in enumerate(speeds)
            ),
            values={"rate of the loss": -rate},
        )

    def witnesses(self) -> Iterator[Example]:
        """Yield smooth activations on samples drawn from a seed."""
        inputs = np.random.default_rng(2).standard_normal((4, 3))
        yield _drawn(Tanh(), Tanh(), np.eye(3))
        yield _drawn(Arctan(), Logistic(), inputs)
        yield _drawn(Linear(), Arctan(), inputs)

    def counterexamples(self) -> Iterator[Example]:
        """Yield a rectifier."""
        example = _drawn(Relu(), Linear(), np.eye(3))
        yield _refuting(example, "both activations have derivatives")


@dataclass(frozen=True)
class SigmoidInvariants(AbstractTheorem):
    r"""With orthonormal samples every sigmoid unit has a law the flow keeps.

    If $X^\top X = I$, then for every hidden unit $l$ the flow keeps
    $I_l = (W_2^\top W_2)_{ll} - 2 \sum_k \Sigma((W_1 X)_{lk})$. The source states it
    for $X = I$, after a reduction of the data that a net with activations does not
    have: for other inputs, white ones ($X X^\top = I$) included, $I_l$ drifts. Stored
    numbers are orthonormal exactly or not at all: signed columns of the identity are.

    Proof: $\dot W_1 X = (\sigma_1'(Z) \odot G) X^\top X$ with
    $G = W_2^\top (M \odot \sigma_2'(P))$, so
    $\tfrac d{dt} \sum_k \Sigma(Z_{lk}) = \sum_k \sigma_1(Z_{lk}) G_{lk}$, which is
    half of what $\dot W_2$ changes $(W_2^\top W_2)_{ll}$ by.
    """

    source: ClassVar[Source] = CHITOUR2023.at("Lemma 5, hypothesis corrected")
    kind: ClassVar[Kind] = Kind.CONSERVATION
    setting: ClassVar[Setting] = HIDDEN
    bounds: ClassVar[str] = ""
    clock: ClassVar[str] = "flow time"
    status: ClassVar[str] = (
        "read in the source, where the hypothesis on X is missing; proof in the "
        "docstring, verified numerically"
    )

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return a sigmoid, a smooth output and orthonormal samples."""
        known = [_sigmoid(case), _smooth_output(case)]
        if not all(hypothesis.fact for hypothesis in known):
            return known
        return [
            *known,
            Hypothesis(
                "X'X = I",
                fact=_orthonormal(np.asarray(case.problem.inputs)),
                mend="take X = I; on other inputs the law drifts",
            ),
        ]

    def guarantee(self, case: Case) -> Guarantee:
        """Return the laws' values, and that they do not change at the start."""
        net = Shallow.of(case)
        return _keeps(net.laws(), net.laws_change(), "|W_2 e_l|^2 - 2 sum Sigma")

    def witnesses(self) -> Iterator[Example]:
        """Yield sigmoids with X = I, and with fewer samples than features."""
        yield _drawn(Tanh(), Tanh(), np.eye(5))
        yield _drawn(Arctan(), Linear(), -np.eye(5)[[3, 0, 1]])
        yield _drawn(Logistic(), Arctan(), np.eye(5))

    def counterexamples(self) -> Iterator[Example]:
        """Yield samples drawn from a seed, white ones, and a rectifier."""
        inputs = np.random.default_rng(4).standard_normal((8, 5))
        yield _refuting(_drawn(Tanh(), Tanh(), inputs), "X'X = I")
        white = np.kron(np.eye(2), np.ones((4, 1))) / 2
        yield _refuting(_drawn(Tanh(), Tanh(), white), "X'X = I")
        yield _refuting(
            _drawn(LeakyRelu(), Linear(), np.eye(5)),
            "the hidden activation is a sigmoid",
        )


@dataclass(frozen=True)
class HomogeneousInvariants(AbstractTheorem):
    r"""Rectified units keep the difference of their squared weights, whatever the data.

    If $\sigma_1(z) = w z$ for every $w$ in the subdifferential at $z$, as for
    $\max(x, 0)$, $\max(x, a x)$ and $x$ itself, the flow keeps
    $(W_2^\top W_2)_{ll} - (W_1 W_1^\top)_{ll}$ for every hidden unit $l$ and every
    $X$, whichever subgradient of Clarke is taken at a kink.
    """

    source: ClassVar[Source] = CHITOUR2023.at("Remark 4")
    kind: ClassVar[Kind] = Kind.CONSERVATION
    setting: ClassVar[Setting] = HIDDEN
    bounds: ClassVar[str] = ""
    clock: ClassVar[str] = "flow time"

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return that the hidden activation is homogeneous."""
        return [
            Hypothesis(
                "the hidden activation is homogeneous",
                fact=case.problem.net.hidden.is_homogeneous,
            )
        ]

    def guarantee(self, case: Case) -> Guarantee:
        """Return the laws' values, and that they do not change at the start."""
        net = Shallow.of(case)
        return _keeps(net.gaps(), net.gaps_change(), "|W_2 e_l|^2 - |e_l' W_1|^2")

    def witnesses(self) -> Iterator[Example]:
        """Yield rectifiers on samples from a seed, one with a unit at its kink."""
        inputs = np.random.default_rng(4).standard_normal((8, 5))
        for activation in (Relu(), LeakyRelu(0.1), Linear()):
            yield _drawn(activation, Tanh(), inputs)
        kink = _drawn(Relu(), Linear(), inputs)
        first, second = kink.start
        yield Example(kink.problem, (first.at[0].set(0.0), second))

    def counterexamples(self) -> Iterator[Example]:
        """Yield a sigmoid."""
        example = _drawn(Tanh(), Linear(), np.eye(5))
        yield _refuting(example, "the hidden activation is homogeneous")


def _sigmoid(case: Case) -> Hypothesis:
    return Hypothesis(
        "the hidden activation is a sigmoid", fact=case.problem.net.hidden.is_sigmoid
    )


def _smooth_output(case: Case) -> Hypothesis:
    return Hypothesis(
        "the output activation has a derivative",
        fact=case.problem.net.output.is_smooth,
    )


def _orthonormal(inputs: np.ndarray) -> bool:
    """Return whether samples are exactly orthonormal, from their stored values."""
    if inputs.shape[1] > inputs.shape[0]:
        return False
    gap = np.max(np.abs(inputs.T @ inputs - np.eye(inputs.shape[1])))
    if gap > 1e-6:  # far more than rounding: spare the exact product
        return False
    x = exact.matrix(inputs)
    return exact.is_zero(x.T @ x - exact.identity(inputs.shape[1]))


def _furthest(net: Shallow, layer: int) -> Ball:
    """Return how far the flow's formula is from minus the slopes of the loss."""
    formula = net.velocity[layer]
    rows, columns = formula.shape
    every = range(0, rows * columns, -(-rows * columns // MOST))
    places = [divmod(place, columns) for place in every]
    return balls.largest(
        balls.absolute(formula.data[i, j] + net.slope(layer, i, j)) for i, j in places
    )


def _growth(activation: AbstractActivation, x: Ball, share: float) -> Ball:
    """Return what the potential exceeds its lower bound by."""
    ratio = activation.value(share * x, BALLS) / activation.value(x, BALLS)
    return activation.potential(x, BALLS) - (1 - share) ** 2 * x * x * ratio


def _keeps(laws: list[Ball], changes: list[Ball], what: str) -> Guarantee:
    units = list(enumerate(zip(laws, changes, strict=True), 1))
    return Guarantee(
        statement=(
            f"{what} stays constant along the flow for each of {len(laws)} hidden "
            f"units; it is {', '.join(f'{float(law.mid()):.6g}' for law in laws)}"
        ),
        clock="flow time",
        conclusions=tuple(
            Hypothesis(
                f"the law of unit {unit} does not change at the start",
                NEAR * (1 + balls.absolute(law)) - balls.absolute(change),
            )
            for unit, (law, change) in units
        ),
        values={f"law of unit {unit}": law for unit, (law, _) in units},
    )


def _drawn(
    hidden: AbstractActivation, output: AbstractActivation, inputs: np.ndarray
) -> Example:
    """Return four hidden units and three outputs, drawn from a seed."""
    draw = np.random.default_rng(7).standard_normal
    samples, features = inputs.shape
    net = HiddenNet((features, 4, 3), hidden, output)
    problem = HiddenLayer(net, jnp.asarray(inputs), jnp.asarray(draw((samples, 3))))
    return Example(problem, tuple(jnp.asarray(draw(shape)) for shape in net.shapes))


def _refuting(example: Example, name: str) -> Example:
    return Example(example.problem, example.start, refuted=name)
