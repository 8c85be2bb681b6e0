"""Polynomial laws: those of one degree, all of them, modulo a prime."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import combinations_with_replacement, pairwise, product
from math import comb
from typing import Any

import numpy as np

from thalweg._core.errors import DomainError, whole
from thalweg.landscape._counting.fields import mod, random
from thalweg.landscape._counting.lie import rank
from thalweg.problem.nets import LinearNet

MOST = 2000
"""Monomials of a degree that are gone through."""

SPARE = 8
"""Random equations more than unknowns."""


@dataclass(frozen=True)
class PolynomialLaws:
    """The homogeneous polynomials of a degree in the weights that training keeps.

    Attributes:
        widths: Of the net.
        degree: Of the polynomials.
        laws: Dimension of the space of those that are kept, at most.
        balancedness: Dimension of the space of polynomials in the entries of the
            balancedness matrices, at least: where both agree, there are no others.
            Others may still be algebraic functions of these entries.
    """

    widths: tuple[int, ...]
    degree: int
    laws: int
    balancedness: int

    @property
    def are_balancedness(self) -> bool:
        """Return whether it is proved that there are no others."""
        return self.laws == self.balancedness

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return {
            **asdict(self),
            "widths": list(self.widths),
            "are_balancedness": self.are_balancedness,
        }


def polynomial_laws(net: LinearNet, degree: int, *, seed: int = 0) -> PolynomialLaws:
    """Return how many polynomials of a degree gradient flow keeps, whatever the data.

    They are the kernel of all derivatives along the gradients of the end-to-end map.
    Ranks modulo a prime, of random combinations of the equations, are never too
    large: the kernel found is never too small.

    Args:
        net: The network.
        degree: At least 1.
        seed: Of the random combinations and points.

    Returns:
        Their number, and that of those that are polynomials in the balancedness
        matrices' entries.

    Raises:
        DomainError: If there are too many monomials.

    Example:
        >>> found = polynomial_laws(LinearNet((1, 2, 2, 1)), 4)
        >>> found.laws, found.are_balancedness
        (21, True)

    Source:
        Marcotte, Gribonval, Peyre 2023, code; the proof by two ranks derived here.
    """
    degree = whole("degree", degree, least=1)
    count = comb(net.parameters + degree - 1, degree)
    if count > MOST:
        raise DomainError(
            f"{net.parameters} parameters have {count} monomials of degree {degree}; "
            f"at most {MOST} are gone through."
        )
    generator = np.random.default_rng(seed)
    equations = _equations(net, _monomials(net.parameters, degree), generator)
    return PolynomialLaws(
        net.widths,
        degree,
        count - rank(equations),
        _balancedness(net, degree, generator),
    )


def _monomials(parameters: int, degree: int) -> np.ndarray:
    """Return the exponents of all monomials of a degree, `"monomial parameter"`."""
    chosen = combinations_with_replacement(range(parameters), degree)
    return np.array([np.bincount(pick, minlength=parameters) for pick in chosen])


def _equations(
    net: LinearNet, exponents: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """Return random combinations of the equations that make a polynomial a law.

    The coefficients of a derivative are told apart by random names of its monomials:
    two of the same name would be one equation less.
    """
    labels = generator.integers(0, 2**50, net.parameters)
    names = exponents @ labels
    size = len(exponents)
    table = np.zeros((size + SPARE, size))
    for paths in _paths(net):
        terms = [
            (entry, here, names[here] + labels[path].sum() - 2 * labels[entry])
            for path in paths
            for entry in path
            for here in [np.flatnonzero(exponents[:, entry])]
        ]
        reached = np.unique(np.concatenate([target for *_, target in terms]))
        mixes = random(generator, (size + SPARE, reached.size))
        for entry, here, target in terms:
            places = np.searchsorted(reached, target)
            more = mixes[:, places] * exponents[here, entry]
            table[:, here] = mod(table[:, here] + more)
    return table


def _paths(net: LinearNet) -> Iterator[list[list[int]]]:
    """Yield the monomials of each entry of the end-to-end map: weights on a path."""
    starts = np.cumsum([0, *(rows * columns for rows, columns in net.shapes)])
    inner = [range(width) for width in net.widths[1:-1]]
    for end, begin in product(range(net.widths[-1]), range(net.widths[0])):
        yield [
            [
                int(start) + above * width + below
                for start, width, below, above in zip(
                    starts[:-1],
                    net.widths,
                    (begin, *hidden),
                    (*hidden, end),
                    strict=False,
                )
            ]
            for hidden in product(*inner)
        ]


def _balancedness(net: LinearNet, degree: int, generator: np.random.Generator) -> int:
    """Return the rank of the balancedness polynomials' values at random points."""
    entries = sum(width * (width + 1) // 2 for width in net.widths[1:-1])
    if degree % 2 or not entries:
        return 0
    count = comb(entries + degree // 2 - 1, degree // 2)
    if count > MOST:
        raise DomainError(
            f"{entries} balancedness laws have {count} monomials of degree "
            f"{degree // 2}; at most {MOST} are gone through."
        )
    points = [random(generator, (count + SPARE, *shape)) for shape in net.shapes]
    values = np.concatenate(
        [
            _upper(
                mod(np.swapaxes(above, 1, 2) @ above - below @ np.swapaxes(below, 1, 2))
            )
            for below, above in pairwise(points)
        ],
        axis=1,
    )
    picks = np.array(
        list(combinations_with_replacement(range(entries), degree // 2)), dtype=int
    )
    table = values[:, picks[:, 0]]
    for place in range(1, degree // 2):
        table = mod(table * values[:, picks[:, place]])
    return rank(table)


def _upper(stack: np.ndarray) -> np.ndarray:
    rows, columns = np.triu_indices(stack.shape[1])
    return stack[:, rows, columns]
