r"""Gradient fields of a chain along a curve, as power series modulo a prime.

A series is an array `"order curve run out in"`; its coefficients are residues between
minus and plus half the prime, held in float64, in which products of matrices are exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

Series = np.ndarray
State = tuple[Series, ...]

PRIME = 4_194_301
"""The largest prime below 2 ** 22: products of 2048 residues' pairs fit in 53 bits."""


def mod(array: Series) -> Series:
    """Return the residues, at most half the prime in size, exactly."""
    return array - PRIME * np.rint(array * (1 / PRIME))


def times(left: Series, right: Series) -> Series:
    """Return the product of two series, as long as the shorter one."""
    length = min(len(left), len(right))
    return np.stack(
        [
            mod(mod(left[: order + 1] @ right[order::-1]).sum(axis=0))
            for order in range(length)
        ]
    )


def turned(series: Series) -> Series:
    """Return the transpose of every coefficient."""
    return np.swapaxes(series, -1, -2)


def random(generator: np.random.Generator, shape: tuple[int, ...]) -> Series:
    """Return random residues."""
    return mod(generator.integers(0, PRIME, shape).astype(float))


@dataclass(frozen=True)
class Net:
    """A linear network, with or without biases, as a chain with some entries fixed.

    With biases a layer is $(W_j, b_j)$ above the fixed row $(0, 1)$; the last layer
    has no such row.

    Attributes:
        widths: Sizes of all spaces.
        bias: Whether every layer has one.
    """

    widths: tuple[int, ...]
    bias: bool = False

    @cached_property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """Return the shapes of the chain, fixed row and column included."""
        more = int(self.bias)
        sizes = [*(width + more for width in self.widths[:-1]), self.widths[-1]]
        return tuple((above, below) for below, above in pairwise(sizes))

    @cached_property
    def free(self) -> State:
        """Return ones where a parameter stands, zeros where an entry is fixed."""
        masks = [np.ones(shape) for shape in self.shapes]
        for mask in masks[:-1] if self.bias else ():
            mask[-1] = 0
        return tuple(masks)

    @property
    def parameters(self) -> int:
        """Return the number of entries that are not fixed."""
        more = int(self.bias)
        return sum((below + more) * above for below, above in pairwise(self.widths))

    def draw(self, generator: np.random.Generator) -> State:
        """Return random weights, as series of one coefficient."""
        chain = [random(generator, (1, 1, 1, *shape)) for shape in self.shapes]
        for layer in chain[:-1] if self.bias else ():
            layer[..., -1, :] = 0
            layer[..., -1, -1] = 1
        return tuple(chain)

    def gradient(self, chain: Sequence[Series], error: Series) -> State:
        r"""Return the fields $A_j^\top E B_j^\top$ along a curve.

        Args:
            chain: The layers.
            error: The matrices $E$, of the shape of the end-to-end map.

        Returns:
            One series a layer.
        """
        backs = [error]
        for layer in chain[:0:-1]:
            backs.append(times(turned(layer), backs[-1]))
        fields = [backs[-1]]
        below = chain[0]
        for layer, back in zip(chain[1:], backs[-2::-1], strict=True):
            fields.append(times(back, turned(below)))
            below = times(layer, below)
        return self._kept(fields)

    def slope(
        self, chain: Sequence[Series], error: Series, moves: Sequence[Series]
    ) -> State:
        """Return the derivatives of the gradient along moves.

        Args:
            chain: The layers.
            error: As for the gradient.
            moves: One series a layer, at most as long as the chain's.

        Returns:
            One series a layer, as long as those of the moves.
        """
        still = np.zeros_like(error[: len(moves[0])])
        backs = [(error, still)]
        for layer, move in zip(chain[:0:-1], moves[:0:-1], strict=True):
            backs.append(_moving((turned(layer), turned(move)), backs[-1]))
        fields = [backs[-1][1]]
        below = (chain[0], moves[0])
        for layer, move, back in zip(chain[1:], moves[1:], backs[-2::-1], strict=True):
            fields.append(_moving(back, (turned(below[0]), turned(below[1])))[1])
            below = _moving((layer, move), below)
        return self._kept(fields)

    def _kept(self, fields: Sequence[Series]) -> State:
        if not self.bias:
            return tuple(fields)
        return tuple(x * mask for x, mask in zip(fields, self.free, strict=True))

    def flat(self, fields: Sequence[Series]) -> np.ndarray:
        """Return the coefficients of order zero, `"run parameter"`."""
        parts = [
            field[0].reshape(-1, *mask.shape)[:, mask > 0]
            for field, mask in zip(fields, self.free, strict=True)
        ]
        return np.concatenate(parts, axis=1)


def _moving(
    left: tuple[Series, Series], right: tuple[Series, Series]
) -> tuple[Series, Series]:
    """Return a product and its derivative from those of the factors."""
    product = times(left[0], right[0])
    return product, mod(times(left[1], right[0]) + times(left[0], right[1]))
