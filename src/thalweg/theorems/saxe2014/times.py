r"""How long aligned modes take: to learn, and to leave a saddle."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from thalweg._core.errors import DomainError
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
from thalweg.theorems.saxe2014._aligned import diagonal, even, facts, modes, posed
from thalweg.theorems.saxe2014._course import Mode, elapsed


@dataclass(frozen=True)
class LearningTime(AbstractTheorem):
    r"""The exact time in which aligned, balanced modes are learnt.

    Notation: $s$ is a mode's target, $u_0$ its strength at the start, $N$ the depth,
    $\tau = 1$. For two layers

    $$t(u_0 \to u_f) = \frac1{2s} \ln\frac{u_f (s - u_0)}{u_0 (s - u_f)},$$

    for one $\ln\frac{s - u_0}{s - u_f}$, and for three or more, with
    $\alpha = 2/N - 1$ and $F(x) = \frac{x^\alpha}\alpha {}_2F_1(1, \alpha;
    \alpha + 1; x)$, $t = \frac1N s^{-(2 - 2/N)} (F(u_f/s) - F(u_0/s))$. The excess
    loss is at most $\epsilon$ once every mode lacks at most the share
    $\sqrt{2\epsilon / \sum s^2}$ of its target.

    Attributes:
        fraction: Of the target, at which a mode counts as learnt; in (0, 1).
    """

    fraction: float = 0.5

    source: ClassVar[Source] = SAXE2014.at("Section 1.2 and equation (15)")
    kind: ClassVar[Kind] = Kind.PREDICTION
    clock: ClassVar[str] = "flow time"
    status: ClassVar[str] = "read in the source; exact times for N >= 3 derived here"

    def __post_init__(self) -> None:
        """Check the field."""
        _check_fraction(self.fraction)

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return an aligned, balanced start below the fraction of every target."""
        return _waiting(case, self.fraction, least=1)

    def guarantee(self, case: Case) -> Guarantee:
        """Return the time of every mode, and the time to any loss."""
        moving = _moving(case)
        times = {f"mode {i}": _time(mode, self.fraction) for i, mode in moving}
        energy = balls.total(balls.scalar(mode.target) ** 2 for _, mode in moving)

        def count(accuracy: Ball) -> Ball:
            lacking = balls.sqrt(2 * accuracy / energy)
            return balls.largest(_share_time(mode, lacking) for _, mode in moving)

        told = ", ".join(f"{float(t.mid()):.6g}" for t in times.values())
        return Guarantee(
            statement=f"modes have {self.fraction:g} of their targets at times {told}",
            clock=self.clock,
            start=case.excess_loss,
            count=count,
            values=times,
        )

    def witnesses(self) -> Iterator[Example]:
        """Yield depths 1 to 4."""
        yield from _small_starts((1, 2, 3, 4))

    def counterexamples(self) -> Iterator[Example]:
        """Yield a mode beyond half its target, one at rest, and unequal layers."""
        yield from _misfits()

    def printed_values(self) -> Iterator[Printed]:
        """Yield the times of s = 2 from 0.1 to 1.9, and of two layers from 0.01."""
        for depth, text in (
            (1, "2.944438979"),
            (2, "1.472219490"),
            (3, "1.138104737"),
            (4, "0.954060338"),
            (5, "0.826151370"),
            (8, "0.591665605"),
        ):
            yield Printed(
                f"0.1 to 1.9, N = {depth}", text, lambda n=depth: _between(0.1, 1.9, n)
            )
        yield Printed("N = 1000", "0.00619430", lambda: _between(0.1, 1.9, 1000))
        yield Printed(
            "0.01 to 1, N = 2", "1.323326206181123", lambda: _between(0.01, 1.0, 2)
        )


@dataclass(frozen=True)
class Escape(AbstractTheorem):
    r"""How long small balanced modes stay at the saddle: a logarithm, or a power.

    Notation: $s$ is a mode's target, $u_0$ its strength at the start, $N \ge 2$ the
    depth, $f$ the fraction, $\tau = 1$, $q = 1 - 2/N$. The time $t$ to $u = fs$ differs
    from $\frac1{2s} \ln\frac s{u_0}$ ($N = 2$) or $\frac{u_0^{-q}}{(N - 2) s}$
    ($N \ge 3$) by a time that stays bounded as $u_0 \to 0$: for two layers

    $$\frac1{2s} \ln\frac s{u_0} + \frac1{2s} \ln\frac f{1 - f} + \frac1{2s} \ln\left(1
    - \frac{u_0}s\right) = t, \quad \text{and} \quad 0 \le t - \frac{u_0^{-q} -
    (fs)^{-q}}{(N - 2) s} \le \frac{f^{2/N}}{2 (1 - f) s^{2 - 2/N}}$$

    for more. Proof: in $N s^{2-2/N} t = \int x^{-(2 - 2/N)} / (1 - x) dx$ over
    $(u_0/s, f)$ write $1/(1 - x) = 1 + x/(1 - x)$ and bound the second part by
    $x/(1 - f)$.

    Attributes:
        fraction: Of the target, at which a mode counts as escaped; in (0, 1).
    """

    fraction: float = 0.5

    source: ClassVar[Source] = SAXE2014.at("Section 1.2, equation (15), small starts")
    kind: ClassVar[Kind] = Kind.PREDICTION
    bounds: ClassVar[str] = "singular_modes"
    clock: ClassVar[str] = "flow time"
    status: ClassVar[str] = "two-sided bounds derived here, proof in the docstring"

    def __post_init__(self) -> None:
        """Check the field."""
        _check_fraction(self.fraction)

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return an aligned, balanced start below the fraction of every target."""
        return _waiting(case, self.fraction, least=2)

    def guarantee(self, case: Case) -> Guarantee:
        """Return the leading time of every mode, and the two bounds as claims."""
        moving = _moving(case)
        claims = [claim for i, mode in moving for claim in self._claims(i, mode)]
        leads = {f"mode {i}": leading_time(mode) for i, mode in moving}
        told = ", ".join(f"{float(t.mid()):.6g}" for t in leads.values())
        return Guarantee(
            statement=(
                f"modes leave the saddle at about the times {told}, but for a bounded "
                "time that does not depend on the start"
            ),
            clock=self.clock,
            conclusions=tuple(claims),
            values=leads,
        )

    def witnesses(self) -> Iterator[Example]:
        """Yield depths 2 to 4."""
        yield from _small_starts((2, 3, 4))

    def counterexamples(self) -> Iterator[Example]:
        """Yield a mode beyond half its target, one at rest, and unequal layers."""
        yield from _misfits()

    def printed_values(self) -> Iterator[Printed]:
        """Yield exact and leading times of s = 1 from 1e-4 to 0.5."""
        for depth, exact, lead in ((3, "20.69", "21.54"), (4, "49.73", "50.00")):
            mode = Mode((1e-4 ** (1 / depth),) * depth, 1.0)
            yield Printed(
                f"N = {depth}, exact", exact, lambda m=mode: float(_time(m, 0.5).mid())
            )
            yield Printed(
                f"N = {depth}, leading",
                lead,
                lambda m=mode: float(leading_time(m).mid()),
            )

    def _claims(self, index: int, mode: Mode) -> Iterator[Hypothesis]:
        low, high = escape_bounds(mode, self.fraction)
        exact = _time(mode, self.fraction)
        yield Hypothesis(f"mode {index} takes no less", exact - low, strict=False)
        yield Hypothesis(f"mode {index} takes no more", high - exact, strict=False)


def leading_time(mode: Mode) -> Ball:
    """Return what the time of a small mode tends to, a bounded time apart."""
    target, depth = balls.absolute(mode.target), mode.depth
    if depth == 2:
        return balls.log(target / mode.size) / (2 * target)
    return balls.power(mode.size, 2 - depth, depth) / ((depth - 2) * target)


def escape_bounds(mode: Mode, fraction: float) -> tuple[Ball, Ball]:
    """Return elementary bounds on the time to a fraction of the target.

    Args:
        mode: Of two layers or more, below the fraction.
        fraction: In (0, 1).

    Returns:
        The lower and the upper bound. For two layers they are those of
        $-x/(1 - x) <= ln(1 - x) <= -x$.
    """
    target, depth = balls.absolute(mode.target), mode.depth
    share = balls.scalar(fraction)
    if depth == 2:
        start = mode.size / target
        level = leading_time(mode) + balls.log(share / (1 - share)) / (2 * target)
        low = level - start / (1 - start) / (2 * target)
        return low, level - start / (2 * target)
    reached = balls.power(share * target, 2 - depth, depth)
    low = leading_time(mode) - reached / ((depth - 2) * target)
    rest = balls.power(share, 2, depth) / (2 * (1 - share))
    return low, low + rest / balls.power(target, 2 * depth - 2, depth)


def _check_fraction(fraction: float) -> None:
    if not 0 < fraction < 1:
        raise DomainError(f"fraction is {fraction}; it must be above 0 and below 1.")


def _waiting(case: Case, fraction: float, *, least: int) -> list[Hypothesis]:
    known = facts(case, least=least)
    if not all(hypothesis.fact for hypothesis in known):
        return known
    moving = [mode for _, mode in _moving(case)]
    goals = [balls.scalar(fraction) * balls.absolute(mode.target) for mode in moving]
    left = [goal - mode.size for goal, mode in zip(goals, moving, strict=True)]
    starts = [
        Hypothesis(
            "every mode has begun towards its target: u_0 > 0",
            _least(case, [_begun(mode) for mode in moving]),
            mend="give every mode a little of its target",
        ),
        Hypothesis(
            "no mode is beyond its fraction: u_0 < f s",
            _least(case, left),
            mend="scale the start down",
        ),
    ]
    return [*known, diagonal(case), even(case), *starts]


def _least(case: Case, slacks: list[Ball]) -> Ball:
    """Return the smallest slack: none without modes, unknown for an inexact start."""
    if case.radius:
        return balls.interval(-float("inf"), float("inf"))
    return balls.smallest(slacks or [0])


def _begun(mode: Mode) -> Ball:
    ahead = mode.facing == abs(mode.target)
    return mode.size if ahead else -mode.size


def _moving(case: Case) -> list[tuple[int, Mode]]:
    """Return the numbered modes, without those that neither move nor have a target."""
    numbered = enumerate(modes(case), 1)
    return [(i, mode) for i, mode in numbered if mode.target or any(mode.layers)]


def _time(mode: Mode, fraction: float) -> Ball:
    target = balls.absolute(mode.target)
    goal = balls.scalar(fraction) * target
    return elapsed(mode.size, goal, target, mode.depth)


def _share_time(mode: Mode, lacking: Ball) -> Ball:
    """Return the time after which a mode lacks at most a share of its target."""
    target = balls.absolute(mode.target)
    goal = target * (1 - lacking)
    if mode.size >= goal:
        return balls.scalar(0)
    return balls.positive_part(elapsed(mode.size, goal, target, mode.depth))


def _between(start: float, end: float, depth: int) -> float:
    with balls.working_precision(128):
        start, end = balls.scalar(start), balls.scalar(end)
        return float(elapsed(start, end, balls.scalar(2), depth).mid())


def _small_starts(depths: tuple[int, ...]) -> Iterator[Example]:
    for depth in depths:
        widths = (2, *(3,) * (depth - 1), 2)
        yield Example(*posed([2.0, 1.0], [[0.25, 0.125]] * depth, widths))


def _misfits() -> Iterator[Example]:
    beyond = "no mode is beyond its fraction: u_0 < f s"
    resting = "every mode has begun towards its target: u_0 > 0"
    uneven = "every mode is equally strong in every layer"
    for strengths, refuted in (
        ([[1.0, 0.5], [1.0, 1.0]], uneven),
        ([[0.5, 0.75], [0.5, 0.75]], beyond),
        ([[0.5, 0.0], [0.5, 0.0]], resting),
        ([[0.5, 0.25], [0.5, -0.25]], resting),
    ):
        yield Example(*posed([2.0, 1.0], strengths, (2, 2, 2)), refuted=refuted)
