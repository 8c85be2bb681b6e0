"""Networks: their widths, and what they can express."""

from dataclasses import dataclass

from thalweg._core.errors import DomainError, whole


@dataclass(frozen=True)
class LinearNet:
    """A deep linear network, `x -> W_N ... W_1 x`.

    Attributes:
        widths: Sizes of all spaces from input to output, `depth + 1` of them,
            each at least 1. Bottlenecks are welcome.

    Example:
        >>> net = LinearNet((10, 32, 32, 5))
        >>> net.depth, net.shapes[0], net.largest_rank
        (3, (32, 10), 5)
    """

    widths: tuple[int, ...]

    def __post_init__(self) -> None:
        """Check the widths.

        Raises:
            DomainError: If there are fewer than two, or one is not a whole number
                above zero.
        """
        told = f"of {self.widths!r}"
        widths = tuple(
            whole(f"width {place} {told}", width, least=1)
            for place, width in enumerate(self.widths)
        )
        if len(widths) < 2:
            raise DomainError(
                f"widths is {widths}; it needs at least an input and an output."
            )
        object.__setattr__(self, "widths", widths)

    @property
    def depth(self) -> int:
        """Return the number of layers."""
        return len(self.widths) - 1

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """Return the shape of every layer, first-applied first."""
        return tuple(zip(self.widths[1:], self.widths[:-1], strict=True))

    @property
    def parameters(self) -> int:
        """Return the number of weights."""
        return sum(rows * columns for rows, columns in self.shapes)

    @property
    def largest_rank(self) -> int:
        """Return the largest rank the end-to-end matrix can have."""
        return min(self.widths)

    @property
    def has_bottleneck(self) -> bool:
        """Return whether a hidden space is smaller than both ends."""
        return min(self.widths) < min(self.widths[0], self.widths[-1])
