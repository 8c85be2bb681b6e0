r"""The spectrum of the Gauss-Newton part, from a matrix of the outputs' size.

Notation: $A_j$, $B_j$ as in `second_order`. The part is $J^\top J$, so its eigenvalues
that are not zero are those of

$$K = J J^\top = \sum_j (B_j^\top B_j) \otimes (A_j A_j^\top),$$

of $d_N r$ rows however many weights there are. Where the $A_j A_j^\top$ commute with
each other and the $B_j^\top B_j$ too, as at balanced and at aligned points, they are
$\sum_j \alpha_{jp} \beta_{jq}$ with the two families' eigenvalues; if all layers share
the singular values $s$ of the product equally,
$\sum_j s_p^{2(N-j)/N} s_q^{2(j-1)/N}$ with $0^0 = 1$, the largest $N s_1^{2-2/N}$.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from thalweg._core.arrays import EPS
from thalweg._core.errors import DomainError
from thalweg.landscape._curvature.second_order import Blocks, point
from thalweg.landscape.hessian import check_memory
from thalweg.landscape.reduced import Matrix
from thalweg.landscape.spectrum import Spectrum

_COMMUTING = 1e-12


def gauss_newton_spectrum(
    problem: Any, weights: Any, *, memory: float | None = None
) -> Spectrum:
    """Return all eigenvalues of the Gauss-Newton part; of the Hessian at zero error.

    Args:
        problem: A `Problem` on a deep linear network, or a `Playground`.
        weights: The point.
        memory: Most memory of the dense matrix, in GiB; see `hessian`. None is
            needed where the factors commute.

    Returns:
        The eigenvalues, zeros included; its `method` is `commuting` if they come from
        sums of products, `dense` if from the matrix K.

    Example:
        >>> import jax.numpy as jnp
        >>> from thalweg.problem.scalar import Playground
        >>> gauss_newton_spectrum(Playground(3), jnp.ones(3)).values.tolist()
        [3.0, 0.0, 0.0]

    Source:
        Arora, Cohen, Hazan (2018), claim 1, for the balanced case.
    """
    blocks = Blocks.of(*point(problem, weights))
    outer = [a @ a.T for a in blocks.above]
    inner = [b.T @ b for b in blocks.below]
    sizes = [float(np.linalg.norm(layer)) ** 2 for layer in blocks.layers]
    alphas, left_off = _diagonals(outer, np.cumprod([1.0, *sizes[:0:-1]])[::-1])
    betas, right_off = _diagonals(inner, np.cumprod([1.0, *sizes[:-1]]))
    off = sum(
        float(np.linalg.norm(f) * y + x * np.linalg.norm(g) + x * y)
        for f, g, x, y in zip(outer, inner, left_off, right_off, strict=True)
    )
    found = np.sort(np.einsum("jp,jq->pq", alphas, betas).ravel())[::-1]
    method = "commuting"
    scale = float(np.abs(found).max())
    if not off <= _COMMUTING * len(found) * scale:
        method, off = "dense", 0.0
        check_memory(len(found), memory)
        kernel = sum(np.kron(g, f) for f, g in zip(outer, inner, strict=True))
        found = np.linalg.eigvalsh(kernel)[::-1]
        scale = float(found[0])
    tolerance = _tolerance(blocks, len(found), scale) + off
    return _padded(found, blocks, tolerance, method)


def balanced_gauss_newton(
    strengths: Sequence[float] | Matrix, widths: Sequence[int]
) -> Matrix:
    r"""Return the eigenvalues of K at a balanced point, from its singular values alone.

    Args:
        strengths: Singular values of the end-to-end matrix, each `>= 0`; those left
            out are zero. White data.
        widths: Widths of the net.

    Returns:
        The `widths[0] * widths[-1]` eigenvalues, descending:
        $\sum_j s_p^{2(N-j)/N} s_q^{2(j-1)/N}$ for every output $p$ and input $q$. The
        Gauss-Newton part has these and zeros.

    Raises:
        DomainError: If a singular value is negative, or there are more than fit.

    Example:
        >>> balanced_gauss_newton([8.0, 1.0], (2, 2, 2, 2)).round(12).tolist()
        [48.0, 21.0, 21.0, 3.0]

    Source:
        Arora, Cohen, Hazan (2018), claim 1; A. M. Saxe, J. L. McClelland, S. Ganguli,
        appendix B, for the largest.
    """
    values = np.asarray(strengths, dtype=float)
    if values.ndim != 1 or len(values) > min(widths) or np.any(values < 0):
        raise DomainError(
            f"strengths is {strengths}; it must be at most {min(widths)} numbers >= 0."
        )
    depth = len(widths) - 1
    outputs, inputs = (
        np.pad(values, (0, size - len(values))) for size in (widths[-1], widths[0])
    )
    total = sum(
        np.outer(
            outputs ** (2 * (depth - layer) / depth),
            inputs ** (2 * (layer - 1) / depth),
        )
        for layer in range(1, depth + 1)
    )
    return np.sort(np.ravel(total))[::-1]


def _diagonals(family: list[Matrix], scales: Matrix) -> tuple[Matrix, list[float]]:
    """Return each member's diagonal in a common basis, and what is off it."""
    mixed = np.zeros_like(family[0])
    for prime, member, scale in zip(_shares(len(family)), family, scales, strict=True):
        # Measured by its factors, a product that should vanish is not blown up.
        mixed += member * (prime / (scale or 1.0))
    basis = np.linalg.eigh(mixed)[1]
    turned = [basis.T @ member @ basis for member in family]
    diagonals = np.stack([member.diagonal() for member in turned])
    rests = zip(turned, diagonals, strict=True)
    return diagonals, [float(np.linalg.norm(t - np.diag(d))) for t, d in rests]


def _shares(count: int) -> Matrix:
    """Return numbers in no simple relation, so that no two members cancel."""
    return np.sqrt(2 + np.modf(np.arange(1, count + 1) * 0.6180339887498949)[0])


def _tolerance(blocks: Blocks, size: int, scale: float) -> float:
    pairs = zip(blocks.above, blocks.below, strict=True)
    mass = sum(float(np.linalg.norm(a) * np.linalg.norm(b)) ** 2 for a, b in pairs)
    return EPS * (size * scale + sum(max(w.shape) for w in blocks.layers) * mass)


def _padded(found: Matrix, blocks: Blocks, tolerance: float, method: str) -> Spectrum:
    size = blocks.size
    values = np.concatenate([found, np.zeros(max(0, size - len(found)))])[:size]
    # Beyond the rank all are zero, which rounding may have missed on either side.
    values = np.sort(np.where(np.abs(values) <= tolerance, 0.0, values))[::-1]
    positive = int(np.sum(values > 0))
    return Spectrum(
        values=values,
        residuals=np.full(size, tolerance),
        converged=np.ones(size, dtype=bool),
        is_complete=True,
        method=method,
        tolerance=tolerance,
        trace=blocks.trace,
        positive=positive,
        zero=size - positive,
        negative=0,
    )
