r"""Fractional powers of Gram matrices, enclosed.

Notation: $X = A A^\top$, $N$ the order of the root. A float64 decomposition of $A$
gives $Z = C C^\top$ near $X^{1/N}$; it is not trusted. With
$\rho \ge \|Z^N - X\|_2$, $Z^k$ is within $\rho^{k/N}$ of $X^{k/N}$, because
$\|P^\theta - Q^\theta\|_2 \le \|P - Q\|_2^\theta$ for positive semidefinite $P$, $Q$
and $0 \le \theta \le 1$; and within $\tfrac{k}{N} \mu^{k/N - 1} \rho$ if both $X$ and
$Z^N$ have no eigenvalue below $\mu > 0$.
"""

from typing import Any

import numpy as np

from thalweg.linalg import balls
from thalweg.theorems._base import Ball, certainly_positive


def root_powers(a: Any, guess: np.ndarray, order: int, la: Any) -> list[Any]:
    r"""Enclose the powers $0, 1/N, \dots, (N-1)/N$ of the Gram matrix of the rows.

    Args:
        a: A matrix of the arithmetic `la`, of shape `(out, in)`.
        guess: The same in floats, roughly; not trusted.
        order: The $N$, at least 1.
        la: The arithmetic.

    Returns:
        Matrices of shape `(out, out)`; of infinite radius where nothing is known.
    """
    core = la.matrix(_core(guess, order))
    root, powers = core @ core.T, [la.identity(a.shape[0])]
    for _ in range(order):
        powers.append(root @ powers[-1])
    rho = la.norm(powers.pop() - a @ a.T)
    least = _least(a, rho, la)
    return [
        la.widened(power, _radius(rho, least, k, order, a.shape[0]))
        for k, power in enumerate(powers)
    ]


def _radius(rho: Ball, least: Ball, k: int, order: int, rows: int) -> float:
    """Return a bound in Frobenius norm on what the power `k` of the root is off by."""
    if k == 0:
        return 0.0
    known = [balls.power(rho, k, order)]
    if certainly_positive(least):
        known.append(balls.power(least, k - order, order) * rho * k / order)
    errors = [balls.bounds(balls.sqrt(rows) * error)[1] for error in known]
    return min(errors)


def _least(a: Any, rho: Ball, la: Any) -> Ball:
    """Return what no eigenvalue of the Gram matrix or its guess lies below."""
    if a.shape[0] > a.shape[1]:
        return balls.scalar(0)
    smallest = la.smallest_singular_value(a)
    return smallest * smallest - rho


def _core(guess: np.ndarray, order: int) -> np.ndarray:
    """Return a factor of the root in floats; zeros where it cannot be computed."""
    try:
        with np.errstate(all="ignore"):
            left, values, _ = np.linalg.svd(guess, full_matrices=False)
            core = left * values ** (1 / order)
    except np.linalg.LinAlgError:
        core = np.full((1, 1), np.nan)
    return core if np.isfinite(core).all() else np.zeros((guess.shape[0], 1))
