r"""Count, means and centred second moments of columns, and how two of them add up.

Notation: $p$ is the first row of a block of $b$ rows, $\delta$ the mean of $x - p$,
and $d = (x - p) - \delta$. A mean is kept as the unevaluated sum of two numbers, so
differences of means keep their relative precision however far from zero the data lie.
Two sets of $m$ and $n$ rows, with means $\Delta$ apart, have together

$$S = S_1 + S_2 + \frac{m n}{m + n} \Delta \Delta^\top.$$

All terms are positive semidefinite: nothing cancels.

With $u = 2^{-53}$, a block has an error of at most $b u \sqrt{s_{ii} s_{jj}}$, whatever
the order in which its products are added; $k$ blocks in turn add $k u$, each merge of
two sets a few $u$, and the means less than $2 \cdot 10^{-13}$ in the worst case, a
first row that stands out of its block as far as one row can.

Source:
    Chan, Golub, LeVeque 1983, Algorithms for computing the sample variance, (2.1).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from thalweg.problem.columns import LARGEST_ENTRY

ROWS = 4096
"""Most rows of a block: few enough for the cache and for the error bound."""

CELLS = 2**18
"""Most numbers in a block; wide tables have fewer rows in theirs."""

SMALLEST_DEVIATION = 1e-150
"""Columns that deviate less from their means have squares that leave float64."""

_TINY = float(np.finfo(np.float64).smallest_subnormal)
_SUSPECT = LARGEST_ENTRY * 1e-6
_SUSPECT_SQUARE = 1e299


@dataclass(frozen=True, eq=False)
class Sums:
    r"""What is known of a set of rows.

    Attributes:
        rows: How many there are.
        high: Leading part of the means, `"column"`.
        low: What it lacks, `"column"`.
        matrix: Sum of the products of the deviations, `"column column"`, positive on
            the diagonal where a column varies at all; or an upper triangle $R$ with
            $R^\top R$ that sum.
        triangular: Which of the two it is.
    """

    rows: int
    high: np.ndarray
    low: np.ndarray
    matrix: np.ndarray
    triangular: bool

    @property
    def squares(self) -> np.ndarray:
        """Return the sums of the squared deviations, `"column"`."""
        if self.triangular:
            return np.asarray((self.matrix**2).sum(axis=0))
        return np.diag(self.matrix).copy()

    @property
    def sizes(self) -> np.ndarray:
        """Return the roots of the sums of the squared deviations, `"column"`."""
        return sizes_of(self.matrix, self.triangular)

    @property
    def mean(self) -> np.ndarray:
        """Return the means, rounded."""
        return self.high + self.low


def block_rows(columns: int) -> int:
    """Return how many rows a block has."""
    return max(64, min(ROWS, CELLS // columns))


def sums_of(columns: Sequence[np.ndarray], triangular: bool) -> Sums:
    """Return the sums of columns of numbers.

    Args:
        columns: Equally long, not empty, of any numeric type.
        triangular: Keep a triangular factor instead of the products.

    Returns:
        Their sums; see `is_suspect`.
    """
    rows, width = len(columns[0]), len(columns)
    size = block_rows(width)
    begins = range(0, rows, size)
    firsts, offsets = np.empty((2, len(begins), width))
    products = np.zeros((width, width), order="F")
    triangles: list[np.ndarray] = []
    block = np.empty((min(size, rows), width), order="F")
    with np.errstate(all="ignore"):
        for number, begin in enumerate(begins):
            if begin + len(block) > rows:
                block = np.empty((rows - begin, width), order="F")
            firsts[number] = [column[begin] for column in columns]
            _load(block, columns, begin, firsts[number])
            offsets[number] = block.sum(axis=0) / len(block)
            block -= offsets[number]
            if triangular:
                triangles.append(_triangle(block))
            else:
                products += block.T @ block
        lengths = np.minimum(size, rows - np.array(begins, dtype=np.float64))
        high, low, apart = _between(firsts, offsets, lengths)
        if triangular:
            matrix = _triangle(np.vstack([*triangles, apart]))
        else:
            matrix = products + apart.T @ apart
            small = np.diag(matrix) < rows * SMALLEST_DEVIATION**2
            places = np.flatnonzero(small).tolist()
            _mark(matrix, [place for place in places if _varies(columns[place])])
    return Sums(rows, high, low, matrix, triangular)


def is_suspect(sums: Sums) -> bool:
    """Return whether a number may be missing, infinite or too large for its square.

    A number beyond `1e150` moves a mean beyond `1e144` or a square beyond `1e299`.

    Args:
        sums: What `sums_of` returned.

    Returns:
        Whether the rows must be looked through.
    """
    with np.errstate(all="ignore"):
        far = np.abs(sums.high) + np.abs(sums.low)
        return not (far.max() < _SUSPECT and sums.squares.max() < _SUSPECT_SQUARE)


def merged(one: Sums, other: Sums) -> Sums:
    """Return the sums of two sets of rows together."""
    rows = one.rows + other.rows
    apart = _difference(other.high, other.low, one.high, one.low)
    high, low = _two_sum(one.high, one.low + apart * (other.rows / rows))
    differ = apart != 0
    apart *= (one.rows * (other.rows / rows)) ** 0.5
    if one.triangular:
        stacked = np.vstack([one.matrix, other.matrix, apart[None, :]])
        matrix = _triangle(stacked)
    else:
        matrix = one.matrix + other.matrix
        matrix += np.outer(apart, apart)
        _mark(matrix, np.flatnonzero(differ))
    return Sums(rows, high, low, matrix, one.triangular)


def sizes_of(matrix: np.ndarray, triangular: bool) -> np.ndarray:
    """Return the roots of the diagonal of a matrix, or of the one of a triangle."""
    if not triangular:
        return np.asarray(np.sqrt(np.diag(matrix)))
    largest = np.abs(matrix).max(axis=0)
    scaled = matrix / np.where(largest > 0, largest, 1.0)
    return np.asarray(largest * np.sqrt((scaled**2).sum(axis=0)))


def _varies(column: np.ndarray) -> bool:
    return bool((column != column[0]).any())


def _mark(matrix: np.ndarray, places: Sequence[int] | np.ndarray) -> None:
    """Make the diagonal positive where columns vary, though the squares be lost."""
    matrix[places, places] = np.maximum(matrix[places, places], _TINY)


def _triangle(matrix: np.ndarray) -> np.ndarray:
    return np.asarray(np.linalg.qr(matrix, mode="r"))


def _load(
    block: np.ndarray, columns: Sequence[np.ndarray], begin: int, first: np.ndarray
) -> None:
    """Copy rows into a block, each column less its number in `first`."""
    end = begin + len(block)
    for column, start, into in zip(columns, first, block.T, strict=True):
        np.subtract(column[begin:end], start, out=into)


def _between(
    firsts: np.ndarray, offsets: np.ndarray, lengths: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the mean of block means, and their weighted deviations from it."""
    high, low = _two_sum(firsts, offsets)
    apart = _difference(high, low, high[0], low[0])
    mean = lengths @ apart / lengths.sum()
    middle = _two_sum(high[0], low[0] + mean)
    return *middle, (apart - mean) * np.sqrt(lengths)[:, None]


def _two_sum(one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rounded sum and its error, exactly."""
    total = one + other
    part = total - one
    return total, (one - (total - part)) + (other - part)


def _difference(
    high: np.ndarray, low: np.ndarray, base: np.ndarray, base_low: np.ndarray
) -> np.ndarray:
    leading, error = _two_sum(high, -base)
    return np.asarray(leading + (error + (low - base_low)))
