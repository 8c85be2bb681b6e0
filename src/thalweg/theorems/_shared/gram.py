r"""What a certificate reads off one iterate, enclosed.

Notation: $X_r, Y_r$ are the data's factors, $A_j = W_N \cdots W_{j+1}$ and
$B_j = W_{j-1} \cdots W_1 X_r$ what stands on either side of layer $j$,
$E = W_N \cdots W_1 X_r - Y_r$ the residual, and
$K = \sum_j B_j^\top B_j \otimes A_j A_j^\top = J J^*$ the Gram matrix of its
derivative $J$.

Everything is computed in float64 with proven bounds, also where a case is looked at
in balls: what limits a certificate are its own inequalities.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from thalweg.linalg import balls, definite, enclose
from thalweg.linalg.enclose import Enclosed
from thalweg.linalg.kronecker import kronecker_sum
from thalweg.theorems._base import Ball, Case

_WHOLE_SPECTRUM = 320
_LARGEST = 10_000


@dataclass(frozen=True, eq=False)
class Iterate:
    """A chain with its data, and what is enclosed of them.

    Attributes:
        layers: The weights, first-applied first.
        inputs: The inputs factor; `None` for the identity.
        labels: The labels factor.
    """

    layers: tuple[Enclosed, ...]
    inputs: Enclosed | None
    labels: Enclosed

    @property
    def depth(self) -> int:
        """Return the number of layers."""
        return len(self.layers)

    @property
    def is_wide(self) -> bool:
        """Return whether no hidden layer is narrower than residual's both sides."""
        hidden = [layer.shape[0] for layer in self.layers[:-1]]
        return all(width >= min(self.labels.shape) for width in hidden)

    def moved(self, layers: tuple[Enclosed, ...]) -> "Iterate":
        """Return other layers with the same data."""
        return Iterate(layers, self.inputs, self.labels)

    @cached_property
    def products(self) -> dict[tuple[int, int], Enclosed]:
        """Return layers `i` to `k` multiplied, by `(k, i)`; the inputs are layer 0."""
        found: dict[tuple[int, int], Enclosed] = {}
        for i in range(1, self.depth + 1):
            found[i, i] = self.layers[i - 1]
            for k in range(i + 1, self.depth + 1):
                found[k, i] = self.layers[k - 1] @ found[k - 1, i]
        if self.inputs is None:
            found[0, 0] = enclose.identity(self.labels.shape[1])
        else:
            found[0, 0] = self.inputs
        for k in range(1, self.depth + 1):
            whole = found[k, 1]
            found[k, 0] = whole if self.inputs is None else whole @ self.inputs
        return found

    @cached_property
    def residual(self) -> Enclosed:
        """Return the matrix $E$."""
        return self.products[self.depth, 0] - self.labels

    @cached_property
    def error(self) -> Ball:
        """Return its Frobenius norm $e$; the excess loss is half its square."""
        return enclose.norm(self.residual)

    @cached_property
    def norms(self) -> dict[tuple[int, int], Ball]:
        """Return the largest singular values of the products."""
        found = {}
        for (k, i), product in self.products.items():
            if i == 0 and k > 0 and self.inputs is None:
                continue
            found[k, i] = enclose.spectral_norm(product)
        if self.inputs is None:
            found |= {(k, 0): found[k, 1] for k in range(1, self.depth + 1)}
        return found

    def above(self, j: int) -> Enclosed | None:
        """Return $A_j$; `None` for the identity."""
        return self.products[self.depth, j + 1] if j < self.depth else None

    @cached_property
    def gram(self) -> Enclosed:
        """Return the matrix $K$; rows are numbered column by column of $E$."""
        return self._assembled()

    def _assembled(self) -> Enclosed:
        layers = range(1, self.depth + 1)
        return kronecker_sum(
            [self.right(j) for j in layers], [self.left(j) for j in layers]
        )

    @property
    def rows(self) -> int:
        """Return the number of rows of $K$."""
        return int(np.prod(self.labels.shape))

    def pulled(self, weight: Enclosed) -> tuple[Enclosed, ...]:
        r"""Return $J^*$ of a matrix of the residual's shape, a matrix a layer."""
        found = []
        for j in range(1, self.depth + 1):
            below = self.products[j - 1, 0]
            part = weight if j == 1 and self.inputs is None else weight @ below.T
            above = self.above(j)
            found.append(part if above is None else above.T @ part)
        return tuple(found)

    @cached_property
    def ends(self) -> tuple[Ball, Ball]:
        r"""Return the smallest and the largest singular value of $J$.

        The spectrum of $K$ gives them where it has at most 10,000 rows, or the net at
        most two layers; else the first is only the bound
        $(\sum_j \lambda_{\min}(B_j^\top B_j) \lambda_{\min}(A_j A_j^\top))^{1/2}$, and
        the second the like.
        """
        low, high = self._spectrum()
        return (
            balls.sqrt(balls.positive_part(low)),
            balls.sqrt(balls.positive_part(high)),
        )

    def _spectrum(self) -> tuple[Ball, Ball]:
        if self.depth == 1:
            return _extremes(self.right(1))
        if self.depth == 2:
            # K is block diagonal in the eigenvectors of the one left matrix.
            low, high = _extremes(self.left(1))
            low = balls.positive_part(low)
            return (
                _extremes(low * self.right(1) + self.right(2))[0],
                _extremes(high * self.right(1) + self.right(2))[1],
            )
        if self.rows > _WHOLE_SPECTRUM:
            narrow = self._narrowed()
            if narrow is not None:
                # Inputs the first layer does not see only reach what is above it.
                ends = [narrow._spectrum(), _extremes(self.left(1))]
                return (
                    balls.smallest(low for low, _ in ends),
                    balls.largest(high for _, high in ends),
                )
        if self.rows <= _LARGEST:
            # A large matrix is not kept.
            small = self.rows <= _WHOLE_SPECTRUM
            return _extremes(self.gram if small else self._assembled())
        ends = [
            (_extremes(self.right(j)), _extremes(self.left(j)))
            for j in range(1, self.depth + 1)
        ]
        return (
            balls.total(p[0] * q[0] for p, q in ends),
            balls.total(p[1] * q[1] for p, q in ends),
        )

    def _narrowed(self) -> "Iterate | None":
        r"""Return a net of fewer white inputs with the same Gram matrix but for these.

        In an orthonormal basis whose first vectors span the rows of $W_1$ the Gram
        matrix splits. The first block is that of any $S^\top$ in the place of $W_1$
        with $S^\top S = W_1W_1^\top$; one lies within $\|M\|\|R\|$ of a triangular
        $R$, where $M = R^{-\top}(R^\top R - W_1W_1^\top)R^{-1}$ is below one half.
        """
        first = self.layers[0]
        if self.inputs is not None or first.shape[0] >= first.shape[1]:
            return None
        triangle = enclose.matrix(np.linalg.qr(first.midpoint.T, mode="r"))
        gap = enclose.norm(triangle.T @ triangle - first @ first.T)
        values = enclose.singular_values(triangle)
        if not values[-1] > 0:
            return None
        away = gap / values[-1] ** 2
        if not away < 0.5:
            return None
        radius = balls.bounds(away * values[0] * first.shape[0])[1]
        layers = (enclose.widened(triangle.T, radius), *self.layers[1:])
        labels = enclose.matrix(np.zeros((self.labels.shape[0], first.shape[0])))
        return Iterate(layers, None, labels)

    def right(self, j: int) -> Enclosed:
        below = self.products[j - 1, 0]
        return below.T @ below

    def left(self, j: int) -> Enclosed:
        above = self.above(j)
        if above is None:
            return enclose.identity(self.labels.shape[0])
        return above @ above.T


def iterate_of(case: Case) -> Iterate:
    """Return the iterate of a case; the last few are kept."""
    layers = tuple(np.asarray(w) for w in case.problem.chain(case.start))
    key = tuple((layer.shape, layer.tobytes()) for layer in layers)
    return _iterate(_Same(case.problem), key, float(case.radius))


@dataclass(frozen=True, eq=False)
class _Same:
    """A problem, equal to itself alone."""

    problem: Any

    def __eq__(self, other: object) -> bool:
        """Return whether it is the same object."""
        return isinstance(other, _Same) and self.problem is other.problem

    def __hash__(self) -> int:
        """Return a number of the object."""
        return id(self.problem)


@lru_cache(maxsize=8)
def _iterate(
    same: _Same, key: tuple[tuple[tuple[int, ...], bytes], ...], radius: float
) -> Iterate:
    arrays = [np.frombuffer(data).reshape(shape) for shape, data in key]
    case = Case(same.problem, None, None, enclose, radius)
    layers = tuple(enclose.matrix(array) for array in arrays)
    if radius:
        layers = tuple(enclose.widened(layer, radius) for layer in layers)
    if case.is_playground:
        return Iterate(layers, None, enclose.identity(1))
    data = case.problem.data
    return Iterate(
        layers,
        None if data.is_whitened else case.inputs_factor,
        enclose.matrix(np.asarray(data.labels_factor)),
    )


def _extremes(a: Enclosed) -> tuple[Ball, Ball]:
    if a.shape[0] <= _WHOLE_SPECTRUM:
        values = enclose.eigenvalues(a)
        return values[0], values[-1]
    return definite.smallest_eigenvalue(a), definite.largest_eigenvalue(a)
