r"""How the strengths of aligned modes move, in closed form."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from thalweg._core.papers import SAXE2014
from thalweg._core.source import Source
from thalweg.linalg import balls
from thalweg.theorems._base import (
    AbstractTheorem,
    Ball,
    Case,
    Example,
    Guarantee,
    Hypothesis,
    Kind,
    Printed,
)
from thalweg.theorems.saxe2014._aligned import (
    diagonal,
    even,
    facts,
    modes,
    posed,
    predictions,
)
from thalweg.theorems.saxe2014._course import Mode, elapsed, strength


@dataclass(frozen=True)
class ModeDynamics(AbstractTheorem):
    r"""Aligned, balanced modes follow their own sigmoids, in closed form.

    Notation: $s$ is a diagonal entry of the target, $u$ that of the end-to-end
    matrix, $N$ the depth, $\tau = 1$. On white data, from diagonal layers that share
    each mode's strength equally, modes never meet, and

    $$\dot u = N |u|^{2 - 2/N} (s - u).$$

    For two layers $u(t) = s e^{2st} / (e^{2st} - 1 + s/u_0)$; deeper, time is a
    hypergeometric function of $u$, inverted here to a few units of rounding. Any
    signs of target and start are allowed: a mode that points away from its target
    decays to zero if $N \ge 2$. (The source aligns by rotations; a rotated start is
    aligned in floats only to rounding, so coordinates are taken in which target and
    layers are diagonal exactly.)
    """

    source: ClassVar[Source] = SAXE2014.at("Section 1.2 and equation (15)")
    kind: ClassVar[Kind] = Kind.PREDICTION
    bounds: ClassVar[str] = "singular_modes"
    clock: ClassVar[str] = "flow time"

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return white data, diagonal layers, and equal strengths."""
        known = facts(case)
        if not all(hypothesis.fact for hypothesis in known):
            return known
        return [*known, diagonal(case), even(case)]

    def guarantee(self, case: Case) -> Guarantee:
        """Return the course of every mode, and when it has half its target."""
        moving = modes(case)
        return Guarantee(
            statement=_told(moving),
            clock=self.clock,
            predictions=predictions(case),
            values={
                f"time to half of mode {i}": time
                for i, mode in enumerate(moving, 1)
                if (time := _half_time(mode)) is not None
            },
        )

    def witnesses(self) -> Iterator[Example]:
        """Yield depths 1 to 4, hidden layers wider than the ends, and mixed signs."""
        for depth in (1, 2, 3, 4):
            widths = (2, *(3,) * (depth - 1), 2)
            yield Example(*posed([2.0, 1.0], [[0.5, 0.625]] * depth, widths))
        signs = [[0.5, 0.75], [0.5, -0.75], [-0.5, 0.75]]
        yield Example(*posed([2.0, -0.5], signs, (3, 2, 2, 2)))

    def counterexamples(self) -> Iterator[Example]:
        """Yield modes that meet, and unequal layers."""
        problem, start = posed([2.0, 1.0], [[0.5, 0.25]] * 2, (2, 2, 2))
        met = (start[0].at[0, 1].set(1e-9), start[1])
        yield Example(problem, met, refuted="target and layers are diagonal")
        yield Example(
            *posed([2.0, 1.0], [[0.5, 0.25], [0.5, 0.125]], (2, 2, 2)),
            refuted="every mode is equally strong in every layer",
        )

    def printed_values(self) -> Iterator[Printed]:
        """Yield the sigmoid of s = 2 from 0.01."""
        for time, text in ((1, "0.4305879205034302"), (2, "1.87484111374369")):
            yield Printed(
                f"u({time}), two layers",
                text,
                lambda t=time: float(sigmoid(0.01, 2.0, t).mid()),
            )


@dataclass(frozen=True)
class UnbalancedModes(AbstractTheorem):
    r"""Two aligned layers of unequal strengths, from sigmoidal to exponential.

    Notation: $a$, $b$ are the strengths of a mode in the two layers, $u = ab$,
    $c = |a^2 - b^2|$ (which is conserved), $s$ its target, $\tau = 1$,
    $\kappa = \sqrt{c^2 + 4s^2}$. Then $\dot u = \sqrt{c^2 + 4u^2} (s - u)$, and with
    $u = \frac c2 \sinh\theta$

    $$t = \frac1\kappa \left[\ln\frac{\kappa + c + 2s \tanh(\theta/2)}{\kappa - c -
    2s \tanh(\theta/2)}\right]_{\theta_0}^\theta.$$

    Equations (25) and (26) of the source have $ab = c_0 \sinh\theta$; since
    $2 \sinh\frac\theta2 \cosh\frac\theta2 = \sinh\theta$ it is half of that, and
    $s$ must be replaced by $2s$ in them. As $c \to \infty$ the mode is
    exponential with rate $c$.
    """

    source: ClassVar[Source] = SAXE2014.at("Appendix A, corrected")
    kind: ClassVar[Kind] = Kind.PREDICTION
    bounds: ClassVar[str] = "singular_modes"
    clock: ClassVar[str] = "flow time"
    status: ClassVar[str] = "equations (25) and (26) corrected, verified numerically"

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return white data, two layers, and that they are diagonal."""
        known = facts(case, least=2, most=2)
        if not all(hypothesis.fact for hypothesis in known):
            return known
        return [*known, diagonal(case)]

    def guarantee(self, case: Case) -> Guarantee:
        """Return the course of every mode, and each one's conserved number."""
        moving = modes(case)
        gaps = {
            f"c of mode {i}": balls.absolute(mode.gap)
            for i, mode in enumerate(moving, 1)
        }
        told = ", ".join(f"{float(c.mid()):.6g}" for c in gaps.values())
        return Guarantee(
            statement=f"every mode follows its closed form, with c = {told}",
            clock=self.clock,
            predictions=predictions(case),
            values=gaps,
        )

    def witnesses(self) -> Iterator[Example]:
        """Yield unequal layers, one of them at zero, and a balanced pair."""
        strengths = [[1.2, 0.0, 0.25], [0.1, 0.5, -0.25]]
        yield Example(*posed([1.5, 1.0, 0.5], strengths, (3, 4, 3)))
        yield Example(*posed([1.5, -1.0], [[0.3, 2.0], [0.3, 0.1]], (3, 2, 2)))

    def counterexamples(self) -> Iterator[Example]:
        """Yield modes that meet, and three layers."""
        problem, start = posed([2.0, 1.0], [[0.5, 0.25]] * 2, (2, 2, 2))
        met = (start[0], start[1].at[1, 0].set(0.5))
        yield Example(problem, met, refuted="target and layers are diagonal")
        yield Example(*posed([2.0], [[0.5]] * 3, (1, 1, 1, 1)), refuted="N = 2")

    def printed_values(self) -> Iterator[Printed]:
        """Yield the course of a = 1.2, b = 0.1, s = 1.5, and its time back."""
        mode = Mode((0.1, 1.2), 1.5)
        yield Printed("u(1)", "1.36569096181", lambda: _at(mode, 1.0))
        yield Printed(
            "time to u(1)",
            "1.000000",
            lambda: float(pair_time(mode, balls.scalar(_at(mode, 1.0))).mid()),
        )


def sigmoid(start: float, target: float, time: int) -> Ball:
    """Return the product of two equal layers at a flow time, from a product > 0."""
    goal = balls.scalar(target)
    growth = (2 * goal * balls.scalar(time)).exp()
    return goal * growth / (growth - 1 + goal / balls.scalar(start))


def pair_time(mode: Mode, end: Ball) -> Ball:
    r"""Return the flow time of two unequal layers to a product, as corrected.

    Args:
        mode: Of two layers, of unequal sizes, and a positive target above its start.
        end: The product to reach, between start and target.

    Returns:
        The time.
    """
    gap, target = balls.absolute(mode.gap), balls.scalar(mode.target)
    rate = balls.sqrt(gap * gap + 4 * target * target)

    def height(strength: Ball) -> Ball:
        turn = 2 * target * ((2 * strength / gap).asinh() / 2).tanh()
        return balls.log((rate + gap + turn) / (rate - gap - turn))

    return (height(end) - height(balls.prod(mode.layers))) / rate


def _half_time(mode: Mode) -> Ball | None:
    goal = balls.scalar(mode.facing) / 2
    if mode.size > 0 and mode.size < goal:
        return elapsed(mode.size, goal, 2 * goal, mode.depth)
    return None


def _told(moving: list[Mode]) -> str:
    starts = ", ".join(f"{float(balls.prod(m.layers).mid()):.6g}" for m in moving)
    goals = ", ".join(f"{mode.target:.6g}" for mode in moving)
    return f"every mode follows its closed form, from {starts} with targets {goals}"


def _at(mode: Mode, time: float) -> float:
    return float(strength(mode, np.array([time]))[0])
