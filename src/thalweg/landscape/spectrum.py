r"""The eigenvalues of a Hessian: all of them, or the ends, with what each may be off.

A dense spectrum is wrong by at most the backward error of its decomposition and the
rounding in the Hessian's entries (Weyl): with $P$ weights and $k$ from
`second_order.rounding`,

$$\text{tolerance} = P\, \epsilon\, \|H\|_2 + \text{rounding}.$$

The first term is LAPACK's bound with the modest factor $P$ (what is measured lies far
below it); the second is proved. An eigenvalue within the tolerance counts as zero.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from thalweg._core.arrays import EPS
from thalweg._core.errors import DomainError, positive, whole
from thalweg.landscape._curvature.second_order import Blocks, Products, point, rounding
from thalweg.landscape.hessian import check_memory, flat, layered
from thalweg.landscape.reduced import Matrix, linear
from thalweg.linalg.extremes import extreme_eigenvalues

_CERTAIN = 400
"""Up to this many weights the ends come from the dense spectrum."""


@dataclass(frozen=True)
class Spectrum:
    """Eigenvalues of a Hessian, and how far each can be from a true one.

    Attributes:
        values: Eigenvalues, descending; if not complete, some of the largest, then
            some of the smallest.
        residuals: For each a distance within which an eigenvalue lies: the norm of
            `H v - value v` and what rounding may add to it; `tolerance` where no
            vectors were computed. Each value of a dense decomposition is within
            `tolerance` of the eigenvalue of the same place too.
        converged: Whether each residual is at most what was asked for, and, of
            values by Lanczos, fresh directions have shown nothing beyond them.
        is_complete: Whether `values` holds every eigenvalue.
        method: How they were found: `dense` or `Lanczos`.
        tolerance: What counts as zero; see the module. Of values by Lanczos, what
            rounding can do to a product with a unit vector.
        trace: Sum of all eigenvalues, in closed form.
        positive: How many eigenvalues are above `tolerance`; `None` if unknown.
        zero: How many are within it; `None` if unknown.
        negative: How many are below `-tolerance`; `None` if unknown.
        applications: How often the Hessian was applied; zero if dense.
        vectors: Unit eigenvectors, one a row, or `None`; `layered` makes a row one
            matrix a layer.
    """

    values: Matrix
    residuals: Matrix
    converged: Matrix
    is_complete: bool
    method: str
    tolerance: float
    trace: float
    positive: int | None = None
    zero: int | None = None
    negative: int | None = None
    applications: int = 0
    vectors: Matrix | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values, vectors left out."""
        names = set(self.__dataclass_fields__) - {"vectors"}
        members = {name: getattr(self, name) for name in sorted(names)}
        return {
            name: value.tolist() if isinstance(value, np.ndarray) else value
            for name, value in members.items()
        }

    def save(self, file: str | os.PathLike[str]) -> Path:
        """Write `to_json` to a file and return it."""
        final = Path(file)
        final.write_text(json.dumps(self.to_json(), indent=2) + "\n")
        return final


def hessian_spectrum(
    problem: Any,
    weights: Any,
    *,
    top: int | None = None,
    bottom: int | None = None,
    rounds: int | None = None,
    rtol: float = 1e-8,
    vectors: bool = False,
    memory: float | None = None,
) -> Spectrum:
    r"""Return eigenvalues of the Hessian, in the problem's own coordinates.

    With neither `top` nor `bottom` all of them, from the dense Hessian. Else the ends
    of the spectrum: of up to 400 weights from the dense Hessian too, which is
    certain; of more by Lanczos on products with vectors, repeated values included.
    By Lanczos it is rigorous that an eigenvalue lies within the residual of each
    value, but only overwhelmingly likely that none lies beyond the values.

    Args:
        problem: A `Problem` on a deep linear network, or a `Playground`.
        weights: The point.
        top: How many of the largest.
        bottom: How many of the smallest.
        rounds: Most products with vectors; 3000 if `None`.
        rtol: A value by Lanczos counts as converged if its residual is at most this
            times the largest absolute one.
        vectors: Whether eigenvectors are kept too.
        memory: Most memory of the dense Hessian, in GiB; see `hessian`.

    Returns:
        The eigenvalues.

    Raises:
        DomainError: If there are not so many eigenvalues, or the dense Hessian does
            not fit into memory.

    Example:
        >>> import jax.numpy as jnp
        >>> from thalweg.problem.scalar import Playground
        >>> found = hessian_spectrum(Playground(3), jnp.zeros(3))
        >>> found.values.tolist(), found.zero
        ([0.0, 0.0, 0.0], 3)
        >>> found = hessian_spectrum(Playground(3), jnp.ones(3), top=1)
        >>> found.values.round(12).tolist()
        [3.0]

    Source:
        Weyl's inequality; B. N. Parlett, The Symmetric Eigenvalue Problem, theorem
        4.5.1.
    """
    size = linear(problem).net.parameters
    if top is None and bottom is None:
        return dense_spectrum(problem, weights, vectors=vectors, memory=memory)
    upper, lower = whole("top", top or 0), whole("bottom", bottom or 0)
    rtol = positive("rtol", rtol)
    if not 1 <= upper + lower <= size:
        raise DomainError(
            f"top and bottom are {upper} and {lower}; of {size} eigenvalues from 1 to "
            f"{size} can be asked for."
        )
    if size <= _CERTAIN and rounds is None:
        full = dense_spectrum(problem, weights, vectors=True, memory=memory)
        return _ends(full, upper, lower, rtol, vectors=vectors)
    return _by_lanczos(problem, weights, (upper, lower), rounds, rtol, vectors)


def dense_spectrum(
    problem: Any, weights: Any, *, vectors: bool = False, memory: float | None = None
) -> Spectrum:
    """Return the whole spectrum; see `hessian_spectrum`."""
    check_memory(linear(problem).net.parameters, memory)
    at = point(problem, weights)
    return spectrum_of(Blocks.of(*at), rounding(*at), vectors=vectors)


def spectrum_of(blocks: Blocks, error: float, *, vectors: bool = False) -> Spectrum:
    """Return the whole spectrum of a Hessian given by its blocks.

    Args:
        blocks: The factors of its blocks.
        error: What its entries are off by, in Frobenius norm.
        vectors: Whether eigenvectors are computed, and residuals with them.

    Returns:
        The eigenvalues.
    """
    matrix = blocks.dense()
    size = len(matrix)
    if vectors:
        values, columns = (part[..., ::-1] for part in np.linalg.eigh(matrix))
    else:
        values, columns = np.linalg.eigvalsh(matrix)[::-1], None
    scale = float(np.abs(values).max())
    tolerance = size * EPS * scale + error
    residuals = np.full(size, tolerance)
    if columns is not None:
        # What the product itself rounds is of the size of what it measures.
        rest = np.linalg.norm(matrix @ columns - values * columns, axis=0)
        residuals = rest + size * EPS / 2 * float(np.linalg.norm(matrix)) + error
    return Spectrum(
        values=values,
        residuals=residuals,
        converged=np.ones(size, dtype=bool),
        is_complete=True,
        method="dense",
        tolerance=tolerance,
        trace=blocks.trace,
        positive=int(np.sum(values > tolerance)),
        zero=int(np.sum(np.abs(values) <= tolerance)),
        negative=int(np.sum(values < -tolerance)),
        vectors=None if columns is None else columns.T,
    )


def _ends(
    full: Spectrum, top: int, bottom: int, rtol: float, *, vectors: bool
) -> Spectrum:
    size = len(full.values)
    kept = np.r_[:top, size - bottom : size]
    residuals = full.residuals[kept]
    scale = float(np.abs(full.values).max())
    return Spectrum(
        values=full.values[kept],
        residuals=residuals,
        converged=residuals <= max(rtol * scale, full.tolerance),
        is_complete=len(kept) == size,
        method="dense",
        tolerance=full.tolerance,
        trace=full.trace,
        positive=full.positive,
        zero=full.zero,
        negative=full.negative,
        vectors=None if not vectors or full.vectors is None else full.vectors[kept],
    )


def _by_lanczos(
    problem: Any,
    weights: Any,
    ends: tuple[int, int],
    rounds: int | None,
    rtol: float,
    vectors: bool,
) -> Spectrum:
    at = point(problem, weights)
    products, error = Products.of(*at), rounding(*at)
    found = extreme_eigenvalues(
        lambda vector: flat(products.along(layered(problem, vector))),
        np.zeros(problem.net.parameters),
        top=ends[0],
        bottom=ends[1],
        rounds=rounds,
        rtol=rtol,
    )
    return Spectrum(
        values=found.values,
        residuals=found.residuals + error,
        converged=found.converged,
        is_complete=len(found.values) == problem.net.parameters,
        method="Lanczos",
        tolerance=error,
        trace=Blocks.of(*at).trace,
        applications=found.applications,
        vectors=found.vectors if vectors else None,
    )
