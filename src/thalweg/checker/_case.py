"""A certificate's case in ball arithmetic, and what a theorem proves of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from flint import arb

from ._balls import UNKNOWN, square
from ._matrices import around, chain, identity, matrix, norm
from ._reading import Contents, Refused, number


@dataclass(frozen=True)
class Case:
    """The exact values a certificate is about.

    Attributes:
        contents: What the file says.
    """

    contents: Contents

    @property
    def at_rest(self) -> "Case":
        """Return the same case at step zero, as the flow's."""
        return Case(replace(self.contents, step=0.0))

    @property
    def depth(self) -> int:
        """Return the number of layers."""
        return len(self.contents.widths) - 1

    @property
    def widths(self) -> tuple[int, ...]:
        """Return the widths of the net, input first."""
        return self.contents.widths

    @property
    def white(self) -> bool:
        """Return whether the inputs' second moment is the identity."""
        return self.contents.inputs is None

    @cached_property
    def step(self) -> Any:
        """Return the step size; for a flow, a number nothing is known of."""
        return UNKNOWN if self.contents.step is None else arb(self.contents.step)

    @cached_property
    def weights(self) -> list[Any]:
        """Return the layers, known up to the radius."""
        if self.contents.start is None:
            raise Refused("start: this theorem is about one that is given.")
        return [matrix(layer, self.contents.radius) for layer in self.contents.start]

    @cached_property
    def numbers(self) -> list[Any]:
        """Return the weights of the lecture's problem."""
        if not self.contents.playground:
            raise Refused("problem.kind: this theorem is about the playground.")
        return [around(layer.data[0, 0], layer.radius) for layer in self.weights]

    @cached_property
    def inputs(self) -> Any:
        """Return the input factor."""
        if self.contents.inputs is None:
            return identity(self.widths[0])
        return matrix(self.contents.inputs)

    @cached_property
    def labels(self) -> Any:
        """Return the label factor: for white data the target."""
        return matrix(self.contents.labels)

    @cached_property
    def mapped(self) -> Any:
        """Return the end-to-end matrix."""
        return chain(self.weights)

    @cached_property
    def error(self) -> Any:
        """Return prediction less labels, of the reduced problem."""
        ahead = self.mapped if self.white else self.mapped * self.inputs
        return ahead - self.labels

    @cached_property
    def distance(self) -> Any:
        """Return the Frobenius norm of the error."""
        return norm(self.error)

    @cached_property
    def loss(self) -> Any:
        """Return the excess loss at the start."""
        return square(self.distance) / 2

    @cached_property
    def gaps(self) -> list[Any]:
        """Return the invariants `W_(j+1)' W_(j+1) - W_j W_j'`."""
        pairs = zip(self.weights[1:], self.weights[:-1], strict=True)
        return [up.transposed * up - low * low.transposed for up, low in pairs]

    def field(self, name: str) -> Any:
        """Return a number of the theorem itself."""
        told = self.contents.fields.get(name)
        return arb(told) if type(told) is int else arb(number(told, f"fields.{name}"))

    def slack(self, name: str) -> tuple[Any, Any] | None:
        """Return the ends of a hypothesis' claimed slack; `None` if none is claimed."""
        for claim in self.contents.hypotheses:
            if claim["name"] == name and claim["slack"] is not None:
                low, high = claim["slack"]
                return arb(low), arb(high)
        return None

    def claimed(self, name: str) -> Any:
        """Return a claimed value's middle: a candidate that is not believed."""
        if name not in self.contents.promise["values"]:
            raise Refused(f"promise.values: '{name}' is missing.")
        low, high = self.contents.promise["values"][name]
        return (arb(low) + arb(high)) / 2


@dataclass(frozen=True)
class Condition:
    """A hypothesis: `slack > 0`, or `>= 0` if not strict, or a plain fact.

    Attributes:
        slack: What is proved; a truth value for a fact.
        strict: Whether it must be positive.
        shown: What the file should show of it, if that is another ball.
    """

    slack: Any
    strict: bool = True
    shown: Any = None

    @property
    def proved(self) -> bool:
        """Return whether it certainly holds."""
        if isinstance(self.slack, bool):
            return self.slack
        return bool(self.slack > 0 if self.strict else self.slack >= 0)


def at_most(small: Any, large: Any) -> Condition:
    """Return the condition that one number is at most another."""
    return Condition(large - small, strict=False)


@dataclass(frozen=True)
class Proof:
    """What a theorem needs of a case, and what it then says.

    Attributes:
        conditions: Its hypotheses by name.
        clock: What it counts.
        factor: Of the excess loss per iteration.
        rate: Of its exponential decay.
        floor: What it never falls below.
        probability: Of the promise; `None` if it is certain.
        count: The iterations or the time after which the excess loss is at most a
            number.
        reaches: Or whether after that many iterations it is at most a number.
        values: Named numbers of the promise.
        bounds: Named numbers of which the file may show any lower bound.
        tops: Named numbers of which the file may show any upper bound.
        fields: The numbers the theorem itself has.
    """

    conditions: Mapping[str, Condition]
    clock: str = "iteration"
    factor: Any = None
    rate: Any = None
    floor: Any = None
    probability: Any = None
    count: Callable[[Any], Any] | None = None
    reaches: Callable[[int, Any], bool] | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    bounds: Mapping[str, Any] = field(default_factory=dict)
    tops: Mapping[str, Any] = field(default_factory=dict)
    fields: tuple[str, ...] = ()
