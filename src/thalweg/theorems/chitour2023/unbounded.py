r"""Chitour, Liao, Couillet: a flow may run off to infinity, and one that does not.

Both problems come with their theorem:

    theorem = tw.theorem("chitour2023.UnboundedExample")
    tw.certify(theorem, theorem.problem, [0.0, 3.0])
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from flint import arb
from scipy.integrate import quad, solve_ivp
from scipy.optimize import brentq

from thalweg._core.papers import CHITOUR2023
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
    Setting,
)
from thalweg.theorems.chitour2023._surfaces import PrintedSurface, UnboundedSurface

NEAR = 2.0**-40
"""How close to zero a rate of change must be to be called zero."""


@dataclass(frozen=True)
class PrintedUnboundedExample(AbstractTheorem):
    r"""The flow of the example printed as unbounded is bounded.

    The source's (1), $f = z^2 h$ with $h = \tfrac12 x^2 + \tfrac12 (1 - x y)^2$, is
    claimed to have unbounded trajectories from $0 < x, y < 1$ and $z \ne 0$. It has
    none: along the flow $\tfrac d{dt} (z^2 + y^2 - x^2) = -2 z^2 (1 - x y)^2$, and $h$
    falls, so for all times
    $x^2 \le 2 h_0, \qquad y^2 + z^2 \le z_0^2 + y_0^2 - x_0^2 + 2 h_0.$
    By Lojasiewicz the flow converges to a critical point. As $h > 0$, that is a point
    of the plane $z = 0$, a global minimum; where $y$ comes to rest it is near $z_0$,
    so short runs can look divergent. See `UnboundedExample` for one that is unbounded.
    The start is the numbers x, y, z.
    """

    source: ClassVar[Source] = CHITOUR2023.at("equation (1), refuted")
    kind: ClassVar[Kind] = Kind.BOUND
    setting: ClassVar[Setting] = Setting(
        "the function z^2 (x^2 + (1 - x y)^2) / 2", (PrintedSurface,)
    )
    bounds: ClassVar[str] = ""
    clock: ClassVar[str] = "flow time"
    status: ClassVar[str] = "the source's claim is false; proof in the docstring"

    @property
    def problem(self) -> PrintedSurface:
        """Return the function as a problem."""
        return PrintedSurface()

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return that the start is not at rest."""
        return [_moving(case)]

    def guarantee(self, case: Case) -> Guarantee:
        """Return the bounds on x, y and z."""
        x, y, z = case.balls
        surface = case.problem
        height = surface.height(x, y)
        width = balls.sqrt(2 * height)
        reach = balls.sqrt(z * z + y * y - x * x + 2 * height)
        slopes = surface.gradient(x, y, z)
        return Guarantee(
            statement=(
                f"|x| <= {float(width.mid()):.6g} and |y|, |z| <= "
                f"{float(reach.mid()):.6g} for all times"
            ),
            clock=self.clock,
            limit="a point of the plane z = 0",
            conclusions=(
                Hypothesis(
                    "z^2 + y^2 - x^2 does not grow at the start",
                    2 * (z * slopes[2] + y * slopes[1] - x * slopes[0]),
                    strict=False,
                ),
                Hypothesis(
                    "|y| and |z| are within the bound at the start",
                    reach - balls.sqrt(y * y + z * z),
                    strict=False,
                ),
            ),
            values={"bound on x": width, "bound on y and z": reach},
        )

    def witnesses(self) -> Iterator[Example]:
        """Yield starts the source calls unbounded, and one on the valley's floor."""
        for start in ((0.5, 0.5, 1.0), (0.5, 0.5, 30.0), (0.9, 0.9, 5.0), (1, 1, 1)):
            yield Example(self.problem, self.problem.check(start))

    def counterexamples(self) -> Iterator[Example]:
        """Yield a start at rest."""
        start = self.problem.check((0.5, 0.5, 0.0))
        yield Example(self.problem, start, refuted="z is not 0")

    def printed_values(self) -> Iterator[Printed]:
        """Yield where the flow comes to rest, by integration."""
        for start, texts in (
            ((0.5, 0.5, 1.0), ("0.47047", "0.73213", "0.68939")),
            ((0.5, 0.5, 5.0), ("0.20959", "4.55198", "")),
            ((0.5, 0.5, 30.0), ("0.0334465", "29.865", "")),
            ((0.9, 0.9, 5.0), ("0.2038", "4.6940", "")),
        ):
            for place, name in enumerate(("x", "y", "integral of z^2")):
                if texts[place]:
                    yield Printed(
                        f"limit of {name} from {start}",
                        texts[place],
                        lambda s=start, p=place: _rest(s)[p],
                    )


@dataclass(frozen=True)
class UnboundedExample(AbstractTheorem):
    r"""A loss whose flow runs off to infinity from an open set of starts.

    For $f = z^2 e^{-x - x^3/3}$, analytic and non-negative, with the critical points
    $z = 0$, all of them global minima, the flow keeps $I = z^2 + 4 \arctan x$, and $x$
    grows while $z \ne 0$. If $I > 2\pi$ it is unbounded: $x \to \infty$ and
    $z^2 \to I - 2\pi$. If $I < 2\pi$ it converges to $(\tan(I/4), 0)$. It does what
    the source says of its (1), which does not: see `PrintedUnboundedExample`. The
    start is the numbers x, z.
    """

    source: ClassVar[Source] = CHITOUR2023.at("equation (1), corrected")
    kind: ClassVar[Kind] = Kind.FAILURE
    setting: ClassVar[Setting] = Setting(
        "the function z^2 exp(-x - x^3/3)", (UnboundedSurface,)
    )
    bounds: ClassVar[str] = ""
    clock: ClassVar[str] = "flow time"
    status: ClassVar[str] = "derived here, proof in the docstring"

    @property
    def problem(self) -> UnboundedSurface:
        """Return the function as a problem."""
        return UnboundedSurface()

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return that the start is not at rest, and on one side of the boundary."""
        apart = balls.absolute(_law(case) - 2 * arb.pi())
        return [_moving(case), Hypothesis("I is not 2 pi", apart)]

    def guarantee(self, case: Case) -> Guarantee:
        """Return where the flow goes."""
        law, (x, z) = _law(case), case.balls
        slopes = case.problem.gradient(x, z)
        change = 2 * z * slopes[1] + 4 * slopes[0] / (1 + x * x)
        escapes = law > 2 * arb.pi()
        where = law - 2 * arb.pi() if escapes else (law / 4).tan()
        told = float(where.mid())
        limit = (
            f"x to infinity and z^2 to {told:.6g}"
            if escapes
            else f"x to {told:.6g} and z to 0"
        )
        return Guarantee(
            statement=f"with I = {float(law.mid()):.6g} the flow takes {limit}",
            clock=self.clock,
            limit=limit,
            conclusions=(
                Hypothesis(
                    "I does not change at the start",
                    NEAR * (1 + balls.absolute(slopes[0])) - balls.absolute(change),
                ),
                Hypothesis("x grows at the start", -slopes[0]),
            ),
            values={"I": law, "limit of z^2" if escapes else "limit of x": where},
        )

    def witnesses(self) -> Iterator[Example]:
        """Yield starts on both sides."""
        for start in ((0.0, 3.0), (0.0, 2.0), (0.5, 1.0), (-1.0, -4.0)):
            yield Example(self.problem, self.problem.check(start))

    def counterexamples(self) -> Iterator[Example]:
        """Yield a start at rest."""
        start = self.problem.check((0.5, 0.0))
        yield Example(self.problem, start, refuted="z is not 0")

    def printed_values(self) -> Iterator[Printed]:
        """Yield the boundary, three limits, and how slowly x grows."""
        yield Printed(
            "start z on the boundary, x = 0",
            "2.50663",
            lambda: float((2 * arb.pi()).sqrt().mid()),
        )
        for start, name, text in (
            ((0.0, 2.0), "limit of x", "1.5574077"),
            ((0.5, 1.0), "limit of x", "0.8658911"),
            ((0.0, 3.0), "limit of z^2", "2.7168"),
        ):
            case = Case(self.problem, self.problem.check(start))
            value = self.guarantee(case).values[name]
            yield Printed(f"{name} from {start}", text, lambda v=value: float(v.mid()))
        yield Printed("x at time 1e12 from (0, 3)", "4.5053", lambda: _slow(1e12))


def _moving(case: Case) -> Hypothesis:
    return Hypothesis(
        "z is not 0", balls.absolute(case.balls[-1]), mend="start off the plane z = 0"
    )


def _law(case: Case) -> Ball:
    """Return what the flow of the unbounded example keeps."""
    x, z = case.balls
    return z * z + 4 * x.atan()


def _rest(start: tuple[float, float, float]) -> tuple[float, float, float]:
    """Return where the printed example's flow ends, and its clock then.

    With the integral of z^2 as clock, x and y follow the flow of the height alone and
    z^2 falls at four times the height.
    """
    surface = PrintedSurface()

    def speed(_clock: float, state: Any) -> list[float]:
        slopes = surface.gradient(state[0], state[1], 1.0)
        return [-slopes[0], -slopes[1], -2 * slopes[2]]

    def jacobian(_clock: float, state: Any) -> np.ndarray:
        x, y, _ = state
        cross, gap = 1 - 2 * x * y, 1 - x * y
        rows = [-1 - y * y, cross, 0, cross, -x * x, 0]
        return np.reshape([*rows, -4 * x + 4 * y * gap, 4 * x * gap, 0], (3, 3))

    def ended(_clock: float, state: Any) -> float:
        return float(state[2])

    ended.terminal = True  # type: ignore[attr-defined]
    x, y, z = start
    path = solve_ivp(
        speed,
        (0, 1e9),
        [x, y, z * z],
        "Radau",
        jac=jacobian,
        events=ended,
        rtol=1e-10,
        atol=1e-12,
    )
    return float(path.y[0, -1]), float(path.y[1, -1]), float(path.t[-1])


def _slow(time: float) -> float:
    """Return x at a time of the flow from (0, 3), from time as a function of x."""

    def pace(x: float) -> float:
        height = np.exp(-x - x**3 / 3)
        return float(1 / ((9 - 4 * np.arctan(x)) * (1 + x * x) * height))

    def late(x: float) -> float:
        return float(np.log(quad(pace, 0, x, epsrel=1e-10)[0] / time))

    return float(brentq(late, 1.0, 10.0, xtol=1e-10))
