r"""Eigenvalues of a symmetric matrix to any precision, from float64 eigenvectors.

Each pass takes a basis $X$, taken as exact, and balls of $T = X^\top G X$ and
$X^\top X$. By Ostrowski and Weyl, for every index

$$\lambda_i(G) \in (d_i \pm \|T - D\|_F) / [1 - \alpha, 1 + \alpha],
  \qquad \alpha \ge \|X^\top X - I\|_F$$

where $D$ holds the sorted $d_i \approx T_{ii}$; that is the only step a result rests
on. The basis is then improved in plain arithmetic: pairs of well separated $d_i$ by
the quadratically convergent correction of Ogita and Aishima (Japan J. Indust. Appl.
Math. 35, 2018), clusters by a float64 decomposition of their own block, scaled up,
which gains some twelve digits a pass. Exactly repeated eigenvalues need no more.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from flint import arb, arb_mat
from jaxtyping import Float

from thalweg.linalg._scalars import (
    NO_BOUND,
    ZERO,
    Ball,
    largest,
    power,
    sqrt,
    working_precision,
)

_SEPARATION = 64
_PASSES = 100


def frobenius(balls: Any) -> Ball:
    """Return the Frobenius norm of an `arb_mat`."""
    entries = balls.entries()
    row = arb_mat(1, len(entries), entries)
    return sqrt((row * row.transpose())[0, 0])


def refined_eigenvalues(
    congruence: Callable[[Any], Any], start: Float[np.ndarray, "out out"], bits: int
) -> list[Ball]:
    r"""Enclose the eigenvalues of a symmetric matrix $G$.

    Args:
        congruence: Takes an exact `arb_mat` $X$ to balls of $X^\top G X$.
        start: Approximate orthonormal eigenvectors, as columns; not trusted.
        bits: Wanted accuracy: radii of $2^{-bits}$ times the norm of $G$.

    Returns:
        The balls, ascending; the narrowest found where the wanted accuracy is out
            of reach, of infinite radius where `start` is far from orthonormal.
    """
    size = len(start)
    best, narrowest, stalls = [NO_BOUND] * size, None, 0
    with working_precision(bits + 2 * size.bit_length() + 16):
        wanted = arb(2) ** -bits
        basis = arb_mat(start.tolist())
        gram = basis.transpose() * basis
        for _ in range(_PASSES):
            form = congruence(basis)
            order = _ascending(form)
            if order != list(range(size)):
                basis = _picked(basis, range(size), order)
                form, gram = (_picked(x, order, order) for x in (form, gram))
            found, width = _enclosure(form, gram)
            if not width.is_finite():
                break
            if narrowest is None or width < narrowest:
                best = found
            stalls += narrowest is not None and not 4 * width < narrowest
            narrowest = width if narrowest is None else min(width, narrowest)
            scale = max(abs(form[0, 0]).upper(), abs(form[size - 1, size - 1]).upper())
            if stalls == 2 or width <= scale * wanted:
                break
            basis = _improved(basis, form.mid(), gram.mid(), width)
            # Between linear and quadratic convergence: cheap, and not in the way.
            enough = largest([power(width / scale, 3, 2), wanted / 16]).upper()
            basis, gram = _orthonormal(basis, enough)
    return best


def _ascending(form: Any) -> list[int]:
    diagonal = [form[i, i].mid() for i in range(form.nrows())]
    return sorted(range(len(diagonal)), key=lambda i: diagonal[i])


def _picked(balls: Any, rows: Any, columns: Any) -> Any:
    table = balls.tolist()
    return arb_mat([[table[i][j] for j in columns] for i in rows])


def _enclosure(form: Any, gram: Any) -> tuple[list[Ball], Ball]:
    """Return the balls that one basis proves, and their largest radius or so."""
    size = form.nrows()
    values = [form[i, i].mid() for i in range(size)]
    off = frobenius(form - _diagonal(values)).upper()
    alpha = frobenius(gram - arb_mat(size, size, 1)).upper()
    if not (off.is_finite() and alpha < 1):
        return [NO_BOUND] * size, NO_BOUND
    found = [(value + arb(0, off)) / arb(1, alpha) for value in values]
    scale = max(abs(values[0]), abs(values[-1]))
    return found, (off + scale * alpha).upper()


def _improved(basis: Any, form: Any, gram: Any, width: Ball) -> Any:
    """Return a basis that makes the form more nearly diagonal; nothing is proved."""
    size = form.nrows()
    lack = (arb_mat(size, size, 1) - gram).mid().tolist()
    table = form.tolist()
    values = [table[i][i] for i in range(size)]
    clusters = _clusters(values, _SEPARATION * width)
    label = [c for c, members in enumerate(clusters) for _ in members]
    change = [
        [
            lack[i][j] / 2
            if label[i] == label[j]
            else (table[i][j] + values[j] * lack[i][j]) / (values[j] - values[i])
            for j in range(size)
        ]
        for i in range(size)
    ]
    basis = (basis + basis * arb_mat(change).mid()).mid()
    if len(clusters) == size:
        return basis
    turn = arb_mat(size, size, 1).tolist()
    for members in clusters:
        if len(members) > 1:
            block = _cluster_turn(members, table, lack)
            for i, row in zip(members, block, strict=True):
                turn[i][members.start : members.stop] = row
    return (basis * arb_mat(turn)).mid()


def _clusters(values: list[Ball], gap: Ball) -> list[range]:
    """Return the runs of ascending values whose neighbours are within `gap`."""
    starts = [0] + [i for i in range(1, len(values)) if values[i] - values[i - 1] > gap]
    ends = [*starts[1:], len(values)]
    return [range(a, b) for a, b in zip(starts, ends, strict=True)]


def _cluster_turn(
    members: range, table: list[list[Ball]], lack: list[list[Ball]]
) -> list[list[Ball]]:
    """Return the rotation that diagonalises one block, orthogonal to full precision."""
    centre = table[members[len(members) // 2]][members[len(members) // 2]]
    block = [
        [
            table[i][j] + (table[i][i] + table[j][j]) / 2 * lack[i][j]
            if i != j
            else table[i][i] * (1 + lack[i][i]) - centre
            for j in members
        ]
        for i in members
    ]
    unit = max(abs(x).upper() for row in block for x in row)
    if unit == 0:
        unit = arb(1)
    scaled = np.array([[float(x / unit) for x in row] for row in block])
    turn = arb_mat(np.linalg.eigh((scaled + scaled.T) / 2)[1].tolist())
    return _orthonormal(turn, ZERO)[0].tolist()


def _orthonormal(basis: Any, enough: Ball) -> tuple[Any, Any]:
    """Return a basis orthonormal to within `enough` or all precision, and its gram."""
    one, error = arb_mat(basis.ncols(), basis.ncols(), 1), arb(1)
    while True:
        gram = basis.transpose() * basis
        lack = (one - gram).mid()
        size = frobenius(lack).upper()
        if size <= enough or not 2 * size < error:
            return basis, gram
        basis, error = (basis + basis * lack * arb(0.5)).mid(), size


def _diagonal(values: list[Ball]) -> Any:
    result = arb_mat(len(values), len(values))
    for i, value in enumerate(values):
        result[i, i] = value
    return result
