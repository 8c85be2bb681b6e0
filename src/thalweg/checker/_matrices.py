"""Matrices known up to a distance: their norms, eigenvalues and singular values."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from operator import eq, mul
from typing import Any

from flint import arb, arb_mat, ctx

from ._balls import PRECISION, UNKNOWN, product, root, square

LARGEST = 240
"""Most rows of a matrix whose eigenvalues are enclosed."""


@dataclass(frozen=True)
class Matrix:
    """All matrices within a Frobenius distance of one whose entries are balls.

    Attributes:
        data: The `arb_mat`.
        radius: The distance.
    """

    data: Any
    radius: Any = field(default_factory=lambda: arb(0))

    @property
    def rows(self) -> int:
        """Return the number of rows."""
        return self.data.nrows()

    @property
    def columns(self) -> int:
        """Return the number of columns."""
        return self.data.ncols()

    @property
    def transposed(self) -> "Matrix":
        """Return the transpose."""
        return Matrix(self.data.transpose(), self.radius)

    @cached_property
    def reach(self) -> Any:
        """Return a bound on the spectral norm of the middle."""
        return spectral_norm(Matrix(self.data)).upper()

    def __mul__(self, other: "Matrix") -> "Matrix":
        radius = self.radius * other.radius
        if self.radius > 0:
            radius += self.radius * other.reach
        if other.radius > 0:
            radius += other.radius * self.reach
        return Matrix(self.data * other.data, radius.upper())

    def __add__(self, other: "Matrix") -> "Matrix":
        return Matrix(self.data + other.data, (self.radius + other.radius).upper())

    def __sub__(self, other: "Matrix") -> "Matrix":
        return Matrix(self.data - other.data, (self.radius + other.radius).upper())

    def equals(self, other: "Matrix") -> bool:
        """Return whether two are certainly equal."""
        if (self.rows, self.columns) != (other.rows, other.columns):
            return False
        exact = self.radius == 0 and other.radius == 0
        return exact and all(map(eq, self.data.entries(), other.data.entries()))


def matrix(rows: Sequence[Sequence[float]], radius: float = 0.0) -> Matrix:
    """Return the matrices within `radius` of one of exact floats."""
    entries = [arb(x) for row in rows for x in row]
    return Matrix(arb_mat(len(rows), len(rows[0]), entries), arb(radius))


def chain(weights: Sequence[Matrix]) -> Matrix:
    """Return the product of layers, of which the first acts first."""
    return product(list(reversed(weights)))


def norm(a: Matrix) -> Any:
    """Return the Frobenius norm."""
    middle = root(sum((square(x) for x in a.data.entries()), arb(0)))
    return middle if a.radius == 0 else around(middle, a.radius).max(arb(0))


def around(number: Any, radius: Any) -> Any:
    """Return the ball of all numbers within a radius of one."""
    return number + arb(0, 1) * radius


def gram(a: Matrix) -> Matrix:
    """Return `A'A` or `AA'`, whichever is smaller."""
    return a.transposed * a if a.columns <= a.rows else a * a.transposed


def identity(size: int) -> Matrix:
    """Return the identity."""
    ones = [int(i == j) for i in range(size) for j in range(size)]
    return Matrix(arb_mat(size, size, ones))


def kronecker(a: Matrix, b: Matrix) -> Matrix:
    """Return the Kronecker product."""
    left, right = a.data.tolist(), b.data.tolist()
    rows = [[x * y for x in row for y in other] for row in left for other in right]
    radius = a.radius * b.radius
    if a.radius > 0 or b.radius > 0:
        radius += a.radius * norm(Matrix(b.data)) + b.radius * norm(Matrix(a.data))
    return Matrix(arb_mat(rows), radius.upper())


def spectral_norm(a: Matrix) -> Any:
    """Return the largest singular value."""
    return singular_values(a)[0]


def singular_values(a: Matrix) -> list[Any]:
    """Return the `min(shape)` singular values, largest first."""
    found = reversed(eigenvalues(gram(Matrix(a.data))))
    return [around(root(value), a.radius) for value in found]


def eigenvalues(a: Matrix) -> list[Any]:
    """Return enclosures of the eigenvalues of a symmetric matrix, smallest first."""
    # With |X'X - I| <= g < 1, those of A are those of X'AX over numbers within g of
    # one (Ostrowski), and these the diagonal of X'AX up to the norm of the rest
    # (Weyl, who also accounts for the width of A): whatever X is, this is proven.
    size, middle, ball = a.rows, a.data.mid(), arb(0, 1)
    x = identity(size).data if _rest(middle) == 0 else _eigenvectors(middle)
    if x is None:
        return [UNKNOWN] * size
    defect = norm(Matrix(x.transpose() * x) - identity(size))
    if not defect < 1:
        return [UNKNOWN] * size
    s = x.transpose() * middle * x
    rest, scale = _rest(s), 1 / (1 + ball * defect)
    wide = norm(Matrix(a.data - middle)) + a.radius
    found = [(s[i, i] + ball * rest) * scale + ball * wide for i in range(size)]
    return _sorted(found)


def _rest(a: Any) -> Any:
    """Return the norm of what is off the diagonal."""
    size = range(a.nrows())
    off = (square(a[i, j]) for i in size for j in size if i != j)
    return root(sum(off, arb(0)))


def _sorted(balls: Sequence[Any]) -> list[Any]:
    """Return balls of the smallest, second smallest, ... of some numbers."""
    if not all(ball.is_finite() for ball in balls):
        return [UNKNOWN] * len(balls)
    lows = sorted(ball.lower() for ball in balls)
    tops = sorted(ball.upper() for ball in balls)
    return [low.union(top) for low, top in zip(lows, tops, strict=True)]


def _eigenvectors(a: Any) -> Any:
    """Return nearly orthonormal, nearly eigenvectors in the columns; nothing proven."""
    size = a.nrows()
    if size > LARGEST:
        return None
    bits = PRECISION if size <= 16 else 192 if size <= 48 else 128
    # Now and then flint's iteration does not converge; with other bits it does.
    for more in (0, 32, 64):
        x = _approximated(a, bits + more)
        if x is None:
            continue
        left = _rest(x.transpose() * a * x)
        if left <= norm(Matrix(a)) * arb(2) ** (-bits // 2):
            return x
    return None


def _approximated(a: Any, bits: int) -> Any:
    size = a.nrows()
    try:
        with ctx.workprec(bits):
            found = a.eig(algorithm="approx", right=True)[1]
    except (ValueError, ZeroDivisionError):
        return None
    # Those of a multiple eigenvalue may be complex, in conjugate pairs, and are far
    # from orthogonal.
    mixed = [
        (z.real + z.imag * (k % size + 1) / size).mid()
        for k, z in enumerate(found.entries())
    ]
    x = arb_mat(size, size, mixed)
    lower = _cholesky((x.transpose() * x).mid())
    if lower is None:
        return None
    return lower.solve(x.transpose(), algorithm="approx").transpose().mid()


def _cholesky(a: Any) -> Any:
    """Return the lower Cholesky factor; `None` if a pivot is not surely positive."""
    size = a.nrows()
    rows: list[list[Any]] = []
    for i in range(size):
        row: list[Any] = []
        for j in range(i):
            done = sum(map(mul, row, rows[j]), arb(0))
            row.append((a[i, j] - done) / rows[j][j])
        pivot = a[i, i] - sum((x * x for x in row), arb(0))
        if not pivot > 0:
            return None
        rows.append([*row, pivot.sqrt()])
    return arb_mat([[*row, *[0] * (size - len(row))] for row in rows])
