r"""How the end-to-end matrix moves when the layers follow the gradient.

Notation: $W = W_N \cdots W_1$, $A_j = W_N \cdots W_{j+1}$,
$B_j = W_{j-1} \cdots W_1$, $G$ the gradient of the loss in $W$, so that layer $j$
has the gradient $A_j^\top G B_j^\top$. To first order $W$ moves by minus
$\mathcal{P}(G) = \sum_j A_j A_j^\top G B_j^\top B_j$. For balanced layers this is
$\mathcal{P}_W(G) = \sum_j (W W^\top)^{(N-j)/N} G (W^\top W)^{(j-1)/N}$, with the
eigenvalue $\sum_j \sigma_r^{2(N-j)/N} \sigma_{r'}^{2(j-1)/N}$ for each pair of singular
values of $W$ (zeros included, $0^0 = 1$).

**Imbalance.** Let $\|W_{j+1}^\top W_{j+1} - W_j W_j^\top\|_2 \le \delta$ and
$\|W_j\|_2 \le m$. Moving one factor after another to the top,
$\|A_j A_j^\top - (W_N W_N^\top)^k\|_2 \le e_k = \tfrac{k(k-1)}{2} \delta m^{2(k-1)}$
with $k = N - j$, and the same with $k = N$ for $W W^\top$. Since
$\|X^\theta - Y^\theta\|_2 \le \|X - Y\|_2^\theta$ for positive semidefinite matrices
and $0 \le \theta \le 1$, $A_j A_j^\top$ is within $e_k + e_N^{k/N}$ of
$(W W^\top)^{k/N}$; likewise $B_j^\top B_j$. Hence in operator norm
$\|\mathcal{P} - \mathcal{P}_W\| \le 2 \sum_{k=1}^{N-1} (e_k + e_N^{k/N}) m^{2(N-1-k)}$,
the *defect*. It vanishes for balanced layers.
"""

from collections.abc import Sequence
from functools import reduce
from typing import Any

from thalweg.linalg import balls
from thalweg.linalg.chain import end_to_end
from thalweg.measures.imbalance import imbalance
from thalweg.theorems._base import Ball, Case


def slope(case: Case) -> Any:
    """Return the gradient of the loss in the end-to-end matrix, at the start."""
    product = end_to_end(case.weights)
    if case.is_whitened:
        return product - case.target
    inputs = case.inputs_factor
    labels = case.la.matrix(case.problem.data.labels_factor)
    return (product @ inputs - labels) @ inputs.T


def layer_gradients(weights: Sequence[Any], gradient: Any, la: Any) -> list[Any]:
    """Return the gradient of every layer from that of the end-to-end matrix.

    Args:
        weights: The chain, its matrices in the arithmetic `la`.
        gradient: Gradient in the product, of shape `(widths[-1], widths[0])`.
        la: The arithmetic.

    Returns:
        A matrix for each layer, of its shape.
    """
    below, above = _surroundings(weights, la)
    return [
        a.T @ gradient @ b.T if b is not None else a.T @ gradient
        for a, b in zip(above, below, strict=True)
    ]


def preconditioned(weights: Sequence[Any], gradient: Any, la: Any) -> Any:
    """Return what the end-to-end matrix moves against: the gradient, weighed.

    Args:
        weights: The chain, its matrices in the arithmetic `la`.
        gradient: Gradient in the product, of shape `(widths[-1], widths[0])`.
        la: The arithmetic.

    Returns:
        The sum over layers of $A_j A_j^T G B_j^T B_j$, of the same shape.
    """
    below, above = _surroundings(weights, la)
    terms = []
    for a, b in zip(above, below, strict=True):
        term = a @ (a.T @ gradient)
        terms.append(term if b is None else (term @ b.T) @ b)
    return reduce(lambda x, y: x + y, terms)


def moved(weights: Sequence[Any], changes: Sequence[Any]) -> tuple[Any, Any]:
    """Split the change of a product by the order in the changes of its factors.

    Neither part is a difference of nearly equal matrices, so both are accurate
    however small the changes.

    Args:
        weights: The chain.
        changes: What is added to each layer, of its shape.

    Returns:
        The terms of the first order, and the sum of all of higher order.
    """
    product, first = weights[0], changes[0]
    rest = first - first
    for layer, change in zip(weights[1:], changes[1:], strict=True):
        rest = layer @ rest + change @ (first + rest)
        first = layer @ first + change @ product
        product = layer @ product
    return first, rest


def largest_norm(weights: Sequence[Any], la: Any) -> Ball:
    """Return the largest spectral norm of a layer."""
    return la.largest([la.spectral_norm(layer) for layer in weights])


def defect(weights: Sequence[Any], la: Any) -> Ball:
    """Return how far imbalance can move the preconditioner, in operator norm.

    Args:
        weights: The chain, its matrices in the arithmetic `la`.
        la: The arithmetic.

    Returns:
        The bound derived at the head of this file, the upper end of its ball; zero
        for layers that are balanced in exact arithmetic.
    """
    depth, m = len(weights), largest_norm(weights, la)
    delta = imbalance(weights, la)

    def drift(factors: int) -> Ball:
        half = factors * (factors - 1) // 2
        return half * delta * balls.power(m, 2 * (factors - 1))

    whole = drift(depth)
    terms = (
        (drift(k) + balls.power(whole, k, depth)) * balls.power(m, 2 * (depth - 1 - k))
        for k in range(1, depth)
    )
    bound = balls.bounds(2 * balls.total(terms))[1]
    return balls.interval(bound, bound)


def lowest_eigenvalue(strengths: Sequence[Ball], depth: int, *, square: bool) -> Ball:
    r"""Return the smallest eigenvalue of the preconditioner of balanced layers.

    Args:
        strengths: Singular values of the end-to-end matrix, descending.
        depth: Number of layers, at least 2.
        square: Whether the matrix has as many rows as columns. If not, the smallest
            value is paired with a zero and only one of the $N$ terms remains.

    Returns:
        The ball.
    """
    once = balls.power(strengths[-1], 2 * (depth - 1), depth)
    return depth * once if square else once


def highest_eigenvalue(strengths: Sequence[Ball], depth: int) -> Ball:
    """Return the largest eigenvalue of the preconditioner of balanced layers."""
    return depth * balls.power(strengths[0], 2 * (depth - 1), depth)


def eigenvalue(first: Ball, second: Ball, depth: int) -> Ball:
    """Return the eigenvalue that belongs to two singular values, the left one first."""
    return balls.total(
        balls.power(first, 2 * (depth - j), depth)
        * balls.power(second, 2 * (j - 1), depth)
        for j in range(1, depth + 1)
    )


def energy(gradients: Sequence[Any], la: Any) -> Ball:
    """Return the sum of the squared Frobenius norms of the layers' gradients."""
    return balls.total(la.norm(g) * la.norm(g) for g in gradients)


def _surroundings(weights: Sequence[Any], la: Any) -> tuple[list[Any], list[Any]]:
    """Return for every layer the products below it, `None` for none, and above it."""
    below: list[Any] = [None]
    for layer in weights[:-1]:
        below.append(layer if below[-1] is None else layer @ below[-1])
    above = [la.identity(weights[-1].shape[0])]
    for layer in reversed(weights[1:]):
        above.append(above[-1] @ layer)
    return below, above[::-1]
