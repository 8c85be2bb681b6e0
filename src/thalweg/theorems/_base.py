"""The contract of a theorem: hypotheses with their slack, and a guarantee.

A hypothesis that fails is a result, never an exception. Slacks are balls: enclosures
of real numbers, computed with proven error bounds from the exact binary values of
weights, data and step.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from thalweg._core.errors import DomainError
from thalweg._core.source import Source
from thalweg.linalg import balls, enclose
from thalweg.linalg.chain import end_to_end
from thalweg.problem.problem import Problem
from thalweg.problem.scalar import Playground

Ball = Any
"""A `flint.arb`: an enclosure of a real number."""


PRECISION = 256
"""Bits in which promises are computed, and the finest in which claims are decided."""


@dataclass(frozen=True)
class Setting:
    """The problems a theorem can be asked about at all.

    Attributes:
        name: What they are, as in `the problem is the playground`.
        kinds: Their types.
    """

    name: str
    kinds: tuple[type, ...]

    def holds(self, problem: Any) -> bool:
        """Return whether a problem is one of them."""
        return isinstance(problem, self.kinds)


LINEAR = Setting("a linear network with squared loss", (Problem, Playground))
SCALAR = Setting("the playground", (Playground,))


class Kind(StrEnum):
    """What sort of thing a theorem says."""

    CONVERGENCE = "convergence"
    FAILURE = "failure"
    BOUND = "bound"
    CONSERVATION = "conservation"
    PREDICTION = "prediction"
    CHANCE = "chance"
    LANDSCAPE = "landscape"


class Verdict(StrEnum):
    """What is known of a claim."""

    PROVED = "proved"
    REFUTED = "refuted"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Hypothesis:
    """A claim `slack > 0` (or `>= 0`), or a plain fact.

    Attributes:
        name: The claim as written in the paper.
        slack: A ball that holds the slack; `None` for a fact.
        strict: Whether the slack must be positive rather than non-negative.
        fact: For a claim without a number, whether it is true.
        mend: What would make it true, in words; may be empty.
    """

    name: str
    slack: Ball = None
    strict: bool = True
    fact: bool | None = None
    mend: str = ""

    @property
    def verdict(self) -> Verdict:
        """Return whether the ball decides the claim."""
        if self.slack is None:
            return Verdict.PROVED if self.fact else Verdict.REFUTED
        lo, hi = balls.bounds(self.slack)
        if lo > 0 or (lo == 0 and not self.strict):
            return Verdict.PROVED
        if hi < 0 or (hi == 0 and self.strict):
            return Verdict.REFUTED
        return Verdict.UNDECIDED

    @property
    def interval(self) -> tuple[float, float] | None:
        """Return floats that enclose the slack; `None` for a fact."""
        return None if self.slack is None else balls.bounds(self.slack)


@dataclass(frozen=True)
class Case:
    """A problem, a start and a step, as exact values in one arithmetic.

    Attributes:
        problem: A `Problem` or a `Playground`.
        start: The weights, as floats; `None` if the theorem draws its own.
        step_size: The step, or `None` for a flow.
        la: The arithmetic: `linalg.enclose` or `linalg.balls`.
        radius: The true start is within this Frobenius distance of the floats,
            layer by layer; 0 for the floats themselves.
    """

    problem: Any
    start: Any = None
    step_size: float | None = None
    la: Any = enclose
    radius: float = 0.0

    @cached_property
    def depth(self) -> int:
        """Return the number of layers."""
        return self.problem.net.depth

    @property
    def widths(self) -> tuple[int, ...]:
        """Return the widths of the net."""
        return self.problem.net.widths

    @cached_property
    def weights(self) -> list[Any]:
        """Return the layers as matrices of the arithmetic, radius included."""
        layers = [self.la.matrix(np.asarray(w)) for w in self.problem.chain(self.start)]
        return (
            [self.la.widened(w, self.radius) for w in layers] if self.radius else layers
        )

    @cached_property
    def balls(self) -> list[Ball]:
        """Return the weights of a net of width one as balls, radius included.

        Raises:
            DomainError: If a layer has more than one weight.
        """
        chain = [np.asarray(layer) for layer in self.problem.chain(self.start)]
        if any(layer.size != 1 for layer in chain):
            raise DomainError("case.balls needs layers of one weight each.")
        known = [balls.scalar(float(layer.item())) for layer in chain]
        return [x + balls.interval(-self.radius, self.radius) for x in known]

    @cached_property
    def step(self) -> Ball:
        """Return the step size as an exact ball; an unbounded one without a step."""
        if self.step_size is None:
            # A claim about it is then undecided, never an error.
            return balls.log(balls.scalar(0))
        return balls.scalar(float(self.step_size))

    @cached_property
    def target(self) -> Any:
        """Return the target of a whitened problem, exactly as stored."""
        return self.la.matrix(np.asarray(self.problem.target))

    @cached_property
    def inputs_factor(self) -> Any:
        """Return the moments' input factor; the identity for whitened data."""
        return self.la.matrix(np.asarray(self.problem.data.inputs_factor))

    @cached_property
    def excess_loss(self) -> Ball:
        """Return the loss at the start above its constant part."""
        if isinstance(self.problem, Playground):
            gap = balls.prod(self.balls) - 1
            return gap * gap / 2
        data = self.problem.data
        product = end_to_end(self.weights)
        if not data.is_whitened:
            product = product @ self.inputs_factor
        gap = self.la.norm(product - self.la.matrix(np.asarray(data.labels_factor)))
        return gap * gap / 2

    @property
    def is_whitened(self) -> bool:
        """Return whether the inputs' second moment is the identity."""
        return self.is_playground or bool(self.problem.data.is_whitened)

    @property
    def is_playground(self) -> bool:
        """Return whether the problem is the lecture's."""
        return isinstance(self.problem, Playground)


@dataclass(frozen=True)
class Kept:
    """A promise that a recorded measure never leaves a range.

    Attributes:
        measure: Its column.
        at_most: Ball of its upper bound, or `None`.
        at_least: Ball of its lower bound, or `None`.
    """

    measure: str
    at_most: Ball = None
    at_least: Ball = None

    def holds(self, column: np.ndarray, noise: float) -> bool:
        """Return whether a recorded column stays in the range, but for `noise`."""
        top = np.inf if self.at_most is None else balls.bounds(self.at_most)[1]
        low = -np.inf if self.at_least is None else balls.bounds(self.at_least)[0]
        inside = (column <= top + noise) & (column >= low - noise)
        return bool(np.all(inside))


@dataclass(frozen=True)
class Guarantee:
    """What a theorem promises of a case whose hypotheses hold.

    Of loss bounds, give a factor or a rate where one number says it all, else a
    curve with its count.

    Attributes:
        statement: The promise in words, with its numbers.
        clock: `iteration` or `flow time`.
        start: Ball of the excess loss at the start.
        factor: The excess loss is at most `factor ** t` times that at the start.
        rate: Or at most `exp(-rate * t)` times it.
        curve: Or at most this function of an array of clock values, in floats
            rounded up.
        count: Iterations or time to an accuracy, as the theorem states it; by
            default what the factor or the rate gives.
        floor: Ball of what the excess loss never falls below: a failure.
        lower: The excess loss is at least this function of an array of clock values,
            in floats rounded down.
        limit: Where the motion goes, in words; may be empty.
        probability: With at least this probability; `None` for a certain promise.
        conserved: Measures the theorem says stay constant.
        kept: Ranges the theorem says measures stay in.
        predictions: For a measure's column, its exact course: a function of an
            array of clock values.
        conclusions: Claims about the case itself that the theorem says hold; they
            are checked like hypotheses, so a refuted one refutes the theorem.
        values: The promise's named numbers, as balls.
    """

    statement: str
    clock: str = "iteration"
    start: Ball = None
    factor: Ball = None
    rate: Ball = None
    curve: Callable[[np.ndarray], np.ndarray] | None = None
    count: Callable[[Ball], Ball] | None = None
    floor: Ball = None
    lower: Callable[[np.ndarray], np.ndarray] | None = None
    limit: str = ""
    probability: Ball = None
    conserved: tuple[str, ...] = ()
    kept: tuple[Kept, ...] = ()
    predictions: Mapping[str, Callable[[np.ndarray], np.ndarray]] = field(
        default_factory=dict
    )
    conclusions: tuple[Hypothesis, ...] = ()
    values: Mapping[str, Ball] = field(default_factory=dict)

    @property
    def decay(self) -> Ball:
        """Return the promised rate as `exp(-decay * t)`; `None` without one."""
        if self.rate is not None:
            return self.rate
        if self.factor is None:
            return None
        with balls.working_precision(PRECISION):
            # A factor of zero is reached at once: any rate is true, none is finite.
            return -balls.log(self.factor)

    @property
    def bounds_loss(self) -> bool:
        """Return whether it bounds the course of the loss from above."""
        return self.curve is not None or self.decay is not None

    def time_to(self, accuracy: float) -> float | None:
        """Return a proven bound on the iterations, or the flow time, to an accuracy.

        Args:
            accuracy: Excess loss, `> 0`.

        Returns:
            A whole number of iterations, or a time; infinite if nothing finite is
            proved; `None` if the theorem bounds no loss.
        """
        if self.count is None and self.decay is None:
            return None
        if self.start is not None and balls.bounds(self.start)[1] <= accuracy:
            return 0.0
        with balls.working_precision(PRECISION):
            goal = balls.scalar(float(accuracy))
            if self.count is not None:
                bound = self.count(goal)
            else:
                bound = balls.log(self.start / goal) / self.decay
            high = balls.bounds(bound)[1]
        high = float("inf") if np.isnan(high) else max(high, 0.0)
        return float(np.ceil(high)) if self.clock == "iteration" else high

    def bound_at(self, clock: np.ndarray) -> np.ndarray | None:
        """Return the promised bound on the excess loss at clock values.

        Args:
            clock: Iterations, or flow times, at least 0.

        Returns:
            Upper bounds, rounded up; `None` if the theorem gives no curve.
        """
        if self.curve is not None:
            return self.curve(np.asarray(clock, dtype=np.float64))
        if self.decay is None:
            return None
        decay = max(balls.bounds(self.decay)[0], 0.0)
        start = balls.bounds(self.start)[1]
        # exp is accurate to a few units of rounding; 1e-12 covers the product too.
        curve = start * np.exp(-decay * np.asarray(clock)) * (1 + 1e-12)
        return np.maximum(curve, np.finfo(np.float64).tiny)


@dataclass(frozen=True)
class Printed:
    """A number printed in a source, and how to compute it.

    Attributes:
        where: What it is, and where it stands.
        text: The number as printed; its last digit says how precise it is.
        value: Returns our number.
    """

    where: str
    text: str
    value: Callable[[], float]


@dataclass(frozen=True)
class Example:
    """A case for the contract tests.

    Attributes:
        problem: The problem.
        start: The weights.
        step_size: The step, or `None`.
        refuted: For a counterexample, the hypothesis that fails.
    """

    problem: Any
    start: Any
    step_size: float | None = None
    refuted: str = ""


@dataclass(frozen=True)
class AbstractTheorem:
    """A result of a paper, with hypotheses that can be checked.

    Attributes:
        source: The paper and the place.
        bounds: The measure whose course is bounded, or `""`.
        clock: `iteration` for descent, `flow time` for the flow.
        status: How far the constants have been checked against the source.
        kind: What sort of thing it says.
        setting: The problems it can be asked about; of any other, `hypotheses` is
            never called.
        about_draws: Whether it is about a random start rather than a given one.
        drawn_by: Then the init whose standard deviation its field `std` is.
    """

    source: ClassVar[Source]
    kind: ClassVar[Kind] = Kind.CONVERGENCE
    setting: ClassVar[Setting] = LINEAR
    about_draws: ClassVar[bool] = False
    drawn_by: ClassVar[str] = ""
    bounds: ClassVar[str] = "loss"
    clock: ClassVar[str] = "iteration"
    status: ClassVar[str] = "read in the source"

    @abstractmethod
    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return the hypotheses of a case, structural facts first.

        Where a fact is false nothing further need be returned.

        Args:
            case: The case, in one arithmetic.

        Returns:
            The hypotheses, each with its slack in that arithmetic.
        """

    @abstractmethod
    def guarantee(self, case: Case) -> Guarantee | None:
        """Return what is promised of a case whose hypotheses hold.

        Args:
            case: The case.

        Returns:
            The promise; `None` where there is nothing to compute.
        """

    def safe_step(self, case: Case) -> float | None:
        """Return a step the theorem certainly allows, the largest but for rounding.

        Args:
            case: The case; its step is not used.

        Returns:
            The step; `None` if no step helps, or the theorem is about the flow.
        """
        return None

    def succeeds(self, case: Case, seed: int) -> bool:
        """Draw once what a random promise is about, and say whether it came true.

        Only theorems whose guarantee has a probability answer this.

        Args:
            case: The case; its start is not used where the theorem draws its own.
            seed: Of the draw, `>= 0`.

        Returns:
            Whether the promised event happened.

        Raises:
            DomainError: If the promise is not about chance.
        """  # noqa: DOC202
        raise DomainError(
            f"{type(self).__name__} promises nothing about chance; only theorems with "
            "a probability can be drawn."
        )

    def witnesses(self) -> Iterator[Example]:
        """Yield cases that satisfy every hypothesis."""
        yield from ()

    def counterexamples(self) -> Iterator[Example]:
        """Yield cases in which the named hypothesis is refuted."""
        yield from ()

    def printed_values(self) -> Iterator[Printed]:
        """Yield numbers of the source."""
        yield from ()


def certainly_positive(ball: Ball) -> bool:
    """Return whether every number of a ball is above zero."""
    return balls.bounds(ball)[0] > 0


def inward(limit: Ball) -> float | None:
    """Return the largest float certainly at most `limit`; `None` if none is > 0."""
    low = balls.bounds(limit)[0]
    return float(low) if 0 < low < float("inf") else None
