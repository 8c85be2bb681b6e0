"""What a problem's critical points are counted by: its modes and its widths."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from math import comb, fsum, prod
from typing import Any

from thalweg._core.errors import DomainError, whole
from thalweg.landscape.kinds import Kind
from thalweg.landscape.reduced import (
    Matrix,
    Modes,
    factors,
    linear,
    spectral_norm,
    unit_of,
)
from thalweg.problem.problem import Problem

Pattern = tuple[int, ...]
"""How many modes of every group of equal singular values are learnt."""


@dataclass(frozen=True)
class Ground:
    """A problem in reduced coordinates.

    Attributes:
        problem: The `Problem` or `Playground` that came.
        posed: The same as a `Problem`.
        inputs: The inputs' factor, `"in rank"`; `None` for white data.
        labels: The labels' factor, `"out rank"`.
        modes: Its modes.
    """

    problem: Any
    posed: Problem
    inputs: Matrix | None
    labels: Matrix
    modes: Modes

    @classmethod
    def of(cls, problem: Any) -> "Ground":
        """Return the ground of a `Problem` or a `Playground`."""
        posed = linear(problem)
        inputs, labels = factors(posed)
        return cls(problem, posed, inputs, labels, Modes.of(labels))

    @property
    def depth(self) -> int:
        """Return the number of layers."""
        return self.posed.net.depth

    @property
    def widths(self) -> tuple[int, ...]:
        """Return the widths, that of the inputs replaced by the data's rank."""
        return (self.labels.shape[1], *self.posed.net.widths[1:])

    @property
    def inner(self) -> tuple[int, ...]:
        """Return the widths of the hidden spaces."""
        return self.widths[1:-1]

    @property
    def largest(self) -> int:
        """Return how many modes the net can learn."""
        return min(*self.widths, self.modes.rank)

    @property
    def smallest(self) -> int:
        """Return how many modes a critical point has learnt at least."""
        return self.largest if self.depth == 1 else 0

    @cached_property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """Return the modes that can be learnt, equal singular values together."""
        values = self.modes.values
        return tuple(g for g in self.modes.groups if values[g[0] - 1] > 0)

    @cached_property
    def gains(self) -> tuple[float, ...]:
        """Return by how much learning a mode of every group lowers the loss."""
        values = self.modes.values
        return tuple(float(values[g[0] - 1]) ** 2 / 2 for g in self.groups)

    @cached_property
    def infimum(self) -> float:
        """Return the loss above the data's constant part at the global minima."""
        return self.value(self.best)

    @cached_property
    def inputs_norm(self) -> float:
        """Return the largest singular value of the inputs' factor."""
        return spectral_norm(self.inputs)

    @cached_property
    def unit(self) -> float:
        """Return the size of a layer where all are alike."""
        return unit_of(self.modes, self.inputs_norm, self.depth)

    @property
    def constant(self) -> float:
        """Return the part of the loss that no linear map removes."""
        return float(self.posed.data.constant)

    @property
    def best(self) -> Pattern:
        """Return the pattern of the global minima."""
        return self.prefix(self.largest)

    def prefix(self, size: int) -> Pattern:
        """Return the pattern of the `size` largest modes."""
        pattern = []
        for group in self.groups:
            pattern.append(min(size, len(group)))
            size -= pattern[-1]
        return tuple(pattern)

    def pattern(self, modes: Iterable[int]) -> Pattern:
        """Return how many of every group a set of modes holds."""
        chosen = set(modes)
        return tuple(len(chosen.intersection(group)) for group in self.groups)

    def chosen(self, pattern: Pattern) -> tuple[int, ...]:
        """Return the smallest modes of a pattern."""
        pairs = zip(pattern, self.groups, strict=True)
        return tuple(mode for count, group in pairs for mode in group[:count])

    def multiplicity(self, pattern: Pattern) -> int:
        """Return how many sets of modes have a pattern."""
        pairs = zip(pattern, self.groups, strict=True)
        return prod(comb(len(group), count) for count, group in pairs)

    def value(self, pattern: Pattern) -> float:
        """Return half the sum of squares of the modes not learnt."""
        parts = zip(pattern, self.groups, self.gains, strict=True)
        return fsum((len(group) - count) * gain for count, group, gain in parts)

    def excess(self, pattern: Pattern) -> float:
        """Return the value above the infimum, exactly zero there."""
        parts = zip(pattern, self.best, self.gains, strict=True)
        return fsum((best - count) * gain for count, best, gain in parts)

    def is_ordered(self, pattern: Pattern) -> bool:
        """Return whether no mode not learnt is larger than one learnt."""
        return pattern == self.prefix(sum(pattern))

    def kind(self, pattern: Pattern, is_tightened: bool) -> Kind:
        """Return the kind of the critical points of a pattern."""
        if not self.is_ordered(pattern):
            return Kind.STRICT_SADDLE
        if sum(pattern) == self.largest:
            return Kind.GLOBAL_MINIMUM
        return Kind.NON_STRICT_SADDLE if is_tightened else Kind.STRICT_SADDLE

    def check_rank(self, rank: Any) -> int:
        """Return a number of learnt modes.

        Args:
            rank: What came.

        Returns:
            The same as an integer.

        Raises:
            DomainError: If no critical point has learnt so many.
        """
        size = whole("rank", rank)
        if not self.smallest <= size <= self.largest:
            raise DomainError(
                f"rank is {size}; a critical point of widths {self.posed.net.widths} "
                f"on labels of rank {self.modes.rank} has learnt from {self.smallest} "
                f"to {self.largest} modes."
            )
        return size

    def check_modes(self, modes: Any) -> Pattern:
        """Return the pattern of a set of modes.

        Args:
            modes: Mode numbers from one.

        Returns:
            How many of every group they are.

        Raises:
            DomainError: If one does not exist, has singular value zero or comes twice,
                or no critical point has learnt so many.
        """
        if isinstance(modes, str) or not isinstance(modes, Iterable):
            modes = (modes,)
        asked = [whole("a mode", mode, least=1) for mode in modes]
        if len(set(asked)) < len(asked):
            raise DomainError(f"modes is {tuple(asked)}; name every mode once.")
        if asked and max(asked) > self.modes.rank:
            raise DomainError(
                f"modes is {tuple(asked)}; the labels have {self.modes.rank} singular "
                "values above zero, the largest is mode 1."
            )
        self.check_rank(len(asked))
        return self.pattern(asked)
