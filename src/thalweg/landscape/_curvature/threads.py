"""The one-dimensional pieces into which an aligned two-layer net falls apart."""

from dataclasses import dataclass

import numpy as np

from thalweg.landscape.reduced import Matrix

_NOTHING = 1e-10
"""Relative strength below which a thread's link counts as absent."""


Link = tuple[float, Matrix]


@dataclass(frozen=True)
class Thread:
    """A direction of the inputs, one of the hidden units, one of the outputs.

    Attributes:
        first: Strength of the first layer along it, `>= 0`.
        second: Strength of the second layer, of either sign.
        target: Strength of the target, `>= 0`.
        has_input: Whether it has a direction of the inputs.
        has_unit: Whether it has one of the hidden units.
        has_output: Whether it has one of the outputs.
    """

    first: float
    second: float
    target: float
    has_input: bool
    has_unit: bool
    has_output: bool

    @property
    def error(self) -> float:
        """Return prediction minus target along it."""
        return self.first * self.second - self.target


def find_threads(
    first: Matrix, second: Matrix, target: Matrix
) -> tuple[list[Thread], float, float]:
    """Return the threads of a two-layer net, and how far it is from them.

    Args:
        first: The first layer, `"hidden in"`.
        second: The second layer, `"out hidden"`.
        target: The target, `"out in"`.

    Returns:
        The threads, strongest targets first; the relative distance of the net from
        the one they make; and what that distance can move an eigenvalue of the
        Hessian by (Weyl).

    Example:
        >>> threads, apart, _ = find_threads(np.eye(1), np.eye(1), 2 * np.eye(1))
        >>> threads[0].error, apart
        (-1.0, 0.0)
    """
    rights = _common_basis(first, second, target)
    links = [_links(first, second, target, right) for right in rights.T]
    units, unit_of = _frame([unit for unit, _ in links], len(first))
    lefts, left_of = _frame([left for _, left in links], len(second))
    found = list(zip(rights.T, unit_of, left_of, strict=True))
    threads, rests = _read(found, units, lefts, (first, second, target))
    return (
        sorted(threads, key=lambda t: (-t.target, -t.first, -abs(t.second))),
        *_distance(rests, (first, second, target)),
    )


def _common_basis(first: Matrix, second: Matrix, target: Matrix) -> Matrix:
    """Return what diagonalises all the forms a diagonal net has on its inputs."""
    whole, back = second @ first, second.T @ target
    mixed = target.T @ whole
    one, two, three = _size(first), _size(second), _size(target)
    forms = [
        (first.T @ first, one**2),
        (target.T @ target, three**2),
        (whole.T @ whole, (one * two) ** 2),
        (back.T @ back, (two * three) ** 2),
        (mixed + mixed.T, one * two * three),
    ]
    total = np.zeros((first.shape[1],) * 2)
    for (form, scale), prime in zip(forms, (2, 3, 5, 7, 11), strict=True):
        total += form * (prime**0.5 / (scale or 1.0))
    return np.linalg.eigh(total)[1]


def _read(
    found: list[tuple[Matrix, int | None, int | None]],
    units: Matrix,
    lefts: Matrix,
    net: tuple[Matrix, Matrix, Matrix],
) -> tuple[list[Thread], list[Matrix]]:
    """Return the threads along orthonormal directions, and what they leave."""
    first, second, target = (np.array(part) for part in net)
    threads: list[Thread] = []
    for right, unit, left in found:
        a = b = s = 0.0
        if unit is not None:
            h = units[:, unit]
            a = float(h @ net[0] @ right)
            first -= a * np.outer(h, right)
        if left is not None:
            u = lefts[:, left]
            s = float(u @ net[2] @ right)
            target -= s * np.outer(u, right)
        if unit is not None and left is not None:
            b = float(u @ net[1] @ h)
            second -= b * np.outer(u, h)
        threads.append(Thread(a, b, s, True, unit is not None, left is not None))
    free_units, free_lefts = _complement(units), _complement(lefts)
    outer, strengths, inner = np.linalg.svd(free_lefts.T @ net[1] @ free_units)
    count = int(np.sum(strengths > _NOTHING * _size(net[1])))
    spare = (outer[:, :count] * strengths[:count]) @ inner[:count]
    second -= free_lefts @ spare @ free_units.T
    for strength in strengths[:count].tolist():
        threads.append(Thread(0.0, strength, 0.0, False, True, True))
    for _ in range(free_units.shape[1] - count):
        threads.append(Thread(0.0, 0.0, 0.0, False, True, False))
    for _ in range(free_lefts.shape[1] - count):
        threads.append(Thread(0.0, 0.0, 0.0, False, False, True))
    return threads, [first, second, target]


def _distance(
    rests: list[Matrix], net: tuple[Matrix, Matrix, Matrix]
) -> tuple[float, float]:
    one, two, three = (_size(rest) for rest in rests)
    first, second, target = (_size(part) for part in net)
    layers = float(np.hypot(one, two))
    apart = max(layers / (max(first, second) or 1.0), three / (target or 1.0))
    bent = 2 * np.hypot(first, second) * layers + layers**2
    error = second * one + first * two + one * two + three
    return apart, float(bent + error)


def _links(
    first: Matrix, second: Matrix, target: Matrix, right: Matrix
) -> tuple[Link, Link]:
    """Return what an input direction is tied to: a unit's and an output's direction."""
    unit, left = _link(first, right), _link(target, right)
    over, back = _link(second, unit[1]), _link(second.T, left[1])
    by_unit = min(unit[0], over[0]), over[1]
    by_left = min(left[0], back[0]), back[1]
    return (
        unit if unit[0] >= by_left[0] else by_left,
        left if left[0] >= by_unit[0] else by_unit,
    )


def _link(matrix: Matrix, vector: Matrix) -> Link:
    """Return the relative strength and the direction of an image."""
    image = matrix @ vector
    length = _size(image)
    return length / (_size(matrix) or 1.0), image / (length or 1.0)


def _frame(links: list[Link], size: int) -> tuple[Matrix, list[int | None]]:
    """Return orthonormal columns, the strongest links first, and which is whose."""
    columns = np.zeros((size, 0))
    places: list[int | None] = [None] * len(links)
    for place in sorted(range(len(links)), key=lambda k: -links[k][0]):
        strength, vector = links[place]
        for _ in range(2):
            vector = vector - columns @ (columns.T @ vector)
        rest = _size(vector)
        # A weak link along a strong one's direction is what rounding left.
        if strength > _NOTHING and columns.shape[1] < size and rest > 0.5:
            places[place] = columns.shape[1]
            columns = np.column_stack([columns, vector / rest])
    return columns, places


def _complement(columns: Matrix) -> Matrix:
    count = columns.shape[1]
    return np.linalg.qr(columns, mode="complete")[0][:, count:]


def _size(part: Matrix) -> float:
    return float(np.linalg.norm(part))
