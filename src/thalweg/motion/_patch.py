r"""How far descents from two nearby nets part, and how far a rounded step errs.

A *patch* is the set of nets within a reach of a given one, in the Frobenius norm of
all layers together. On it, with $E$ the residual, $J$ its derivative by all
weights and $U_{k,i}$ bounds on the spectral norms of the partial products
$W_k \cdots W_i$ (layer 0 being the inputs factor),

* $\|J\|^2 \le \sum_j U_{N,j+1}^2 U_{j-1,0}^2$;
* $|\langle E, D^2E[v,v] \rangle| \le H \|E\|_2 \|v\|^2$, $H$ being the largest
  eigenvalue of the symmetric matrix of $h_{ij} = U_{N,i+1} U_{i-1,j+1} U_{j-1,0}$,
  $i > j$, zero on the diagonal: $|\langle A, BC \rangle| \le \|A\|_2 \|B\|_F \|C\|_F$.

The Hessian of the loss is $J^*J$ plus the second form, so $I - \eta \nabla^2\ell$ has
norm at most $\max(1 + \eta H\|E\|_2, \eta(\|J\|^2 + H\|E\|_2) - 1)$. $U$ comes from the
norms $n_{k,i}$ at the centre, each product expanded at its leftmost moved factor:
$U_{k,i} = n_{k,i} + \sum_p n_{k,p+1} \rho_p U_{p-1,i}$, where $\rho_p$ is the reach,
and 0 for the inputs.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np
from jaxtyping import Float

from thalweg.linalg import enclose
from thalweg.linalg._rounding import TINY, UNIT, product_error, scaled
from thalweg.linalg._scalars import (
    NO_BOUND,
    ZERO,
    Ball,
    power,
    scalar,
    sqrt,
    total,
    upper,
)
from thalweg.linalg.enclose import Enclosed

SQUARINGS = 3
"""Of a Gram matrix, before its Frobenius norm stands for the spectral one."""

LARGEST_GRAM = 128
"""Most numbers of a residual for which the matrix $J J^*$ is formed."""

_ONE = scalar(1)
_NEGLIGIBLE = scalar(2.0**-500)


@dataclass(frozen=True)
class Patch:
    """Bounds that hold for every net of a patch, rounded up.

    Attributes:
        reach: How far a net may be from the centre.
        size: Of the Frobenius norm of all weights together.
        slope: Of the norm of the residual's derivative.
        bend: The curvature constant $H$.
        residual_error: Of what a rounded residual is wrong by in Frobenius norm, the
            rounding of its last subtraction left out.
        gradient_error: A rounded gradient is wrong by at most the first number plus
            the second times the Frobenius norm of the rounded residual.
        bent_error: The same of the table `bent`, in Frobenius norm.
        between: Of the norms of $W_{i-1:j+1}$, for $i > j$.
        twist: How fast the second derivative of the residual changes.
    """

    reach: float
    size: float
    slope: float
    bend: float
    residual_error: float
    gradient_error: tuple[float, float]
    bent_error: tuple[float, float]
    between: tuple[tuple[float, ...], ...]
    twist: float

    @classmethod
    def around(
        cls,
        layers: Sequence[Float[np.ndarray, "_ _"]],
        inputs: Float[np.ndarray, "in rank"] | None,
        reach: float,
        *,
        sharp: bool = False,
    ) -> "Patch":
        """Return bounds that hold near a net.

        Args:
            layers: The net's layers, first-applied first; copied.
            inputs: The inputs factor; `None` for the identity.
            reach: How far the net may move, `> 0`.
            sharp: Whether to bound the residual's derivative by the eigenvalues of
                $J J^*$ at the centre, unless that is too large a matrix.

        Returns:
            The patch; its numbers are infinite where a bound is lost. Cost: about ten
            small products for every pair of layers.
        """
        near = _Near([Enclosed(np.array(w)) for w in layers], inputs, reach)
        slope, bend = upper(near.slope()), near.bend()
        if sharp and near.residual_size <= LARGEST_GRAM:
            slope = min(slope, upper(near.slope_at_centre() + bend * reach))
        return cls(
            reach=reach,
            size=upper(sqrt(total(w.size**2 for w in near.layers)) + near.reach),
            slope=slope,
            bend=upper(bend),
            residual_error=upper(near.product_errors()[-1]),
            gradient_error=_affine(near.gradient_error),
            bent_error=_affine(near.bent_error),
            between=near.between(),
            twist=upper(near.twist()),
        )


class _Near:
    """A net's partial products, and bounds on those of all nets within reach.

    Layers are counted from 0. `factors` are the matrices whose product is compared
    with the labels, so the inputs factor comes first if there is one.
    """

    def __init__(
        self,
        layers: list[Enclosed],
        inputs: Float[np.ndarray, "in rank"] | None,
        reach: float,
    ) -> None:
        self.layers, self.reach, self.white = layers, scalar(reach), inputs is None
        factors = layers if inputs is None else [Enclosed(inputs), *layers]
        self.first = len(factors) - len(layers)
        self.rank = factors[0].shape[1]
        self.products: dict[tuple[int, int], Enclosed] = {}
        self.norms: dict[tuple[int, int], Ball] = {}
        self.bounds: dict[tuple[int, int], Ball] = {}
        for low in reversed(range(len(factors) + 1)):
            self.norms[low - 1, low] = self.bounds[low - 1, low] = _ONE
            for high in range(low, len(factors)):
                product = factors[high]
                if high > low:
                    product = product @ self.products[high - 1, low]
                self.products[high, low] = product
                self.norms[high, low] = _spectral(product)
        for low in range(len(factors)):
            for high in range(low, len(factors)):
                self.bounds[high, low] = self._moved(high, low)

    @property
    def residual_size(self) -> int:
        """Return how many numbers the residual has."""
        return self.layers[-1].shape[0] * self.rank

    def slope(self) -> Ball:
        """Return a bound on the residual's derivative, from the norms of its parts."""
        parts = [self._above(j) * self._below(j) for j in range(len(self.layers))]
        return sqrt(total(part * part for part in parts))

    def slope_at_centre(self) -> Ball:
        """Return the norm of the residual's derivative at the centre."""
        gram = reduce(add, map(self._gram, range(len(self.layers))))
        return sqrt(enclose.eigenvalues(gram)[-1])

    def bend(self) -> Ball:
        """Return the curvature constant."""
        table = np.zeros((len(self.layers),) * 2)
        for i, j in self._pairs():
            table[i, j] = upper(self._above(i) * self._between(i, j) * self._below(j))
        # Nonnegative matrices grow with their entries, and so do their spectra.
        return enclose.eigenvalues(Enclosed(table + table.T))[-1]

    def twist(self) -> Ball:
        r"""Return a bound on the change of the residual's second derivative.

        Paired with $E$, the third derivative along $w, v, v$ is at most $\|E\|_2$ times
        the largest of $U_{N,i+1} U_{i-1,j+1} U_{j-1,k+1} U_{k-1,0}$ times
        $\sum_j \|w_j\| (\sum_j \|v_j\|)^2 \le N^{3/2} \|w\| \|v\|^2$.
        """
        parts = [
            self._above(i) * self._between(i, j) * self._between(j, k) * self._below(k)
            for i, j in self._pairs()
            for k in range(j)
        ]
        if not parts:
            return ZERO
        return power(scalar(len(self.layers)), 3, 2) * enclose.largest(parts)

    def between(self) -> tuple[tuple[float, ...], ...]:
        """Return bounds on the norms of the products between two layers."""
        return tuple(
            tuple(upper(self._between(i, j)) for j in range(i))
            for i in range(len(self.layers))
        )

    def product_errors(self) -> list[Ball]:
        """Return what the rounded products from the inputs up are wrong by."""
        errors = [ZERO]
        for j, (rows, columns) in enumerate(w.shape for w in self.layers):
            inner = 0 if self.white and j == 0 else columns
            size = self._size_below(j) + errors[j]
            lost = product_error(self._size(j), size, (rows, self.rank), inner)
            errors.append(self._layer(j) * errors[j] + lost)
        return errors

    def gradient_error(self, residual: Ball) -> Ball:
        """Return what a rounded gradient is wrong by, all layers together.

        Args:
            residual: Frobenius norm of the rounded residual.
        """
        lost = self._pulled_errors(residual)
        return sqrt(total(lost[j][j] ** 2 for j in range(len(self.layers))))

    def bent_error(self, residual: Ball) -> Ball:
        """Return what the table of the curvature is wrong by in Frobenius norm.

        Args:
            residual: Frobenius norm of the rounded residual.
        """
        lost = self._pulled_errors(residual)
        return sqrt(
            2 * total((lost[i][j] * self._between(i, j)) ** 2 for i, j in self._pairs())
        )

    def _pulled_errors(self, residual: Ball) -> list[list[Ball]]:
        """Return what the residual is wrong by, pulled through both sides.

        Entry `[i][j]` is about what is carried down from the residual to layer `i`
        times the transpose of what is below layer `j`. What is carried is compared
        with the exact product of the rounded residual, that with the exact one's.
        """
        errors = self.product_errors()
        wrong = errors[-1] + UNIT * residual
        table: list[list[Ball]] = []
        carried = ZERO
        for i in reversed(range(len(self.layers))):
            rows, columns = self.layers[i].shape
            size = self._above(i) * residual + carried
            error = self._above(i) * wrong + carried
            row = []
            for j in range(i + 1):
                below = self._size_below(j) + errors[j]
                inner = 0 if self.white and j == 0 else self.rank
                shape = rows, self.layers[j].shape[1]
                lost = product_error(size, below, shape, inner)
                row.append(lost + error * self._below(j) + size * errors[j])
            table.append(row)
            dropped = product_error(self._size(i), size, (columns, self.rank), rows)
            carried = self._layer(i) * carried + dropped
        return table[::-1]

    def _pairs(self) -> list[tuple[int, int]]:
        return [(i, j) for i in range(len(self.layers)) for j in range(i)]

    def _moved(self, high: int, low: int) -> Ball:
        """Return a bound on a product of neighbouring factors, each within reach."""
        movable = range(max(low, self.first), high + 1)
        return self.norms[high, low] + self.reach * total(
            self.norms[high, p + 1] * self.bounds[p - 1, low] for p in movable
        )

    def _between(self, i: int, j: int) -> Ball:
        return self.bounds[i - 1 + self.first, j + 1 + self.first]

    def _above(self, j: int) -> Ball:
        return self.bounds[len(self.layers) - 1 + self.first, j + 1 + self.first]

    def _below(self, j: int) -> Ball:
        return self.bounds[j - 1 + self.first, 0]

    def _layer(self, j: int) -> Ball:
        return self.bounds[j + self.first, j + self.first]

    def _size(self, j: int) -> Ball:
        """Return a bound on a layer's Frobenius norm."""
        return self.layers[j].size + self.reach

    def _size_below(self, j: int) -> Ball:
        """Return a bound on the Frobenius norm of what is below a layer."""
        key = j - 1 + self.first, 0
        if key not in self.products:
            return sqrt(scalar(self.rank))
        # A move changes the product by at most as much in either norm.
        gained = self.bounds[key] - self.norms[key]
        return enclose.norm(self.products[key]) + gained

    def _gram(self, j: int) -> Enclosed:
        """Return a layer's part of the residual's derivative times its transpose."""
        top = len(self.layers) - 1 + self.first
        above = self.products.get((top, j + 1 + self.first))
        below = self.products.get((j - 1 + self.first, 0))
        left = enclose.identity(self.layers[j].shape[0]) if above is None else above
        right = enclose.identity(self.rank) if below is None else below
        return _kron(right.T @ right, left @ left.T)


def _affine(error: Callable[[Ball], Ball]) -> tuple[float, float]:
    """Return two numbers with `error(x) <= first + second * x` for `x >= 0`.

    Errors are norms of affine functions: at most the value at nothing plus the growth,
    which is at most the value at one. Nothing is a little more, so that products that
    underflow are counted.
    """
    return upper(error(_NEGLIGIBLE)), upper(error(_ONE))


def _spectral(a: Enclosed) -> Ball:
    r"""Return a bound on the spectral norm by squaring the Gram matrix.

    $\|M\|_2^{2^{k+1}} \le \|(M M^\top)^{2^k}\|_F$, too large by at most the
    $2^{k+2}$-th root of the rank.
    """
    size = enclose.norm(a)
    if min(a.shape) == 1 or not size.is_finite():
        return size
    core, exponent = scaled(a.midpoint)
    unit = scalar(2) ** exponent
    gram = Enclosed(core, upper(scalar(a.radius) / unit + core.size * TINY))
    gram = gram @ gram.T if a.shape[0] <= a.shape[1] else gram.T @ gram
    for _ in range(SQUARINGS):
        gram = gram @ gram.T
    root = power(enclose.norm(gram), 1, 2 ** (SQUARINGS + 1)) * unit
    least = min(upper(root), upper(size))
    return scalar(least) if least < math.inf else NO_BOUND


def _kron(a: Enclosed, b: Enclosed) -> Enclosed:
    with np.errstate(all="ignore"):
        midpoint = np.kron(a.midpoint, b.midpoint)
    rounding = product_error(a.size, b.size, midpoint.shape, 1)
    spread = a.size * b.radius + a.radius * b.size + scalar(a.radius) * b.radius
    return Enclosed(midpoint, upper(rounding + spread))
