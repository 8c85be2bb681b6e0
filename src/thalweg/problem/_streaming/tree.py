"""Sums added in pairs, along a tree that only their order decides."""

from thalweg.problem._streaming.sums import Sums, merged


class Tree:
    """Sums added in pairs: first with second, third with fourth, and so on upwards.

    They may come in any order; the tree is the same, and so are the bits. In order,
    only a logarithm of their number is kept.
    """

    def __init__(self) -> None:
        self._waiting: dict[tuple[int, int], Sums | None] = {}
        self._added = 0

    def add(self, sums: Sums | None, place: int | None = None) -> None:
        """Add what stands at a place; the next one if none is given."""
        node = (0, self._added if place is None else place)
        self._added += 1
        while True:
            level, number = node
            beside = (level, number ^ 1)
            if beside not in self._waiting:
                self._waiting[node] = sums
                return
            other = self._waiting.pop(beside)
            sums = _both(other, sums) if number % 2 else _both(sums, other)
            node = (level + 1, number // 2)

    def total(self) -> Sums | None:
        """Return the sum of all; `None` if there was nothing to add."""
        total: Sums | None = None
        for node in sorted(self._waiting):  # the lower a tree, the later its rows
            total = _both(self._waiting[node], total)
        return total


def _both(one: Sums | None, other: Sums | None) -> Sums | None:
    if one is None or other is None:
        return one or other
    return merged(one, other)
