r"""How many directions go up, stay and go down: counted, and proved from below.

The signs are those of the reduced coordinates, with white data of the size of the
inputs: with $X_r$ of full column rank the Hessian is $T^\top \bar H T$ for an onto map
$T$, so by Sylvester it has as many positive and negative eigenvalues as $\bar H$, and
$d_1 (d_0 - r)$ more zeros. White data's Hessian is the better conditioned of the two.

A count is proved without any of that. If the form $w \mapsto w^\top H w$ is negative
definite on $k$ directions, $H$ has at least $k$ negative eigenvalues (Courant and
Fischer), whatever the directions are and wherever they come from.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from thalweg._core.errors import DomainError, whole
from thalweg.landscape._curvature.second_order import (
    Blocks,
    Products,
    point,
    rounding,
)
from thalweg.landscape.hessian import check_memory, layered
from thalweg.landscape.reduced import Chain, Matrix, linear, spectral_norm
from thalweg.landscape.spectrum import hessian_spectrum, spectrum_of
from thalweg.linalg.definite import smallest_eigenvalue
from thalweg.linalg.enclose import Enclosed, matrix


@dataclass(frozen=True)
class Inertia:
    """Signs of a Hessian's eigenvalues.

    Attributes:
        positive: How many are above `tolerance`.
        zero: How many are within it, those of inputs the data never show included.
        negative: How many are below `-tolerance`.
        tolerance: What counts as zero, with white data of that size; see `spectrum`.
        gap: The smallest absolute value not counted as zero over the largest counted
            so; infinite if there is none of the one or all of the other are exactly
            zero. Near one the counts are a matter of taste.
    """

    positive: int
    zero: int
    negative: int
    tolerance: float
    gap: float

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values; an infinite gap as `None`."""
        members: dict[str, Any] = dict(vars(self))
        return {**members, "gap": self.gap if np.isfinite(self.gap) else None}


@dataclass(frozen=True)
class ProvenSigns:
    """Eigenvalues of one sign that a Hessian is proved to have.

    Attributes:
        sign: `1` or `-1`.
        count: So many eigenvalues of that sign, at least: a theorem about the stored
            weights and data factors as exact numbers. Zero if nothing is proved.
        asked: How many were tried.
        margin: So far from zero, at least, is the form of every unit vector in the
            span of `directions`; zero if nothing is proved.
        directions: The directions, one chain each, in the problem's coordinates.
    """

    sign: int
    count: int
    asked: int
    margin: float
    directions: tuple[Chain, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return {
            "sign": self.sign,
            "count": self.count,
            "asked": self.asked,
            "margin": self.margin,
            "directions": [[w.tolist() for w in chain] for chain in self.directions],
        }


def inertia(problem: Any, weights: Any, *, memory: float | None = None) -> Inertia:
    """Count the positive, zero and negative eigenvalues of the Hessian.

    Args:
        problem: A `Problem` on a deep linear network, or a `Playground`.
        weights: The point.
        memory: Most memory of the dense Hessian, in GiB; see `hessian`.

    Returns:
        The counts, which sum to the number of weights.

    Example:
        >>> import jax.numpy as jnp
        >>> from thalweg.problem.scalar import Playground
        >>> found = inertia(Playground(2), jnp.zeros(2))
        >>> found.positive, found.zero, found.negative
        (1, 0, 1)

    Source:
        Sylvester's law of inertia; Chitour, Liao, Couillet, section 2.1.
    """
    size = linear(problem).net.parameters
    check_memory(size, memory)
    found = spectrum_of(*_white(problem, weights))
    counted = (found.positive or 0) + (found.negative or 0)
    return Inertia(
        positive=found.positive or 0,
        zero=size - counted,
        negative=found.negative or 0,
        tolerance=found.tolerance,
        gap=_gap(np.abs(found.values), found.tolerance),
    )


def proven_negative(
    problem: Any, weights: Any, count: int | None = 1, *, memory: float | None = None
) -> ProvenSigns:
    """Prove that the Hessian has negative eigenvalues.

    Args:
        problem: A `Problem` on a deep linear network, or a `Playground`.
        weights: The point, taken as exact, as are the factors of the data.
        count: How many to prove; as many as there seem to be if `None`.
        memory: Most memory of a dense Hessian, in GiB; see `hessian`.

    Returns:
        What is proved: up to `count`, none if the form's enclosure reaches zero. One
        product with a vector in rigorous arithmetic for each.

    Example:
        >>> import jax.numpy as jnp
        >>> from thalweg.problem.scalar import Playground
        >>> proven_negative(Playground(2), jnp.zeros(2)).count
        1

    Source:
        Courant and Fischer; S. M. Rump, Verification of positive definiteness, BIT 46
        (2006).
    """
    return _proven(problem, weights, -1, count, memory)


def proven_positive(
    problem: Any, weights: Any, count: int | None = 1, *, memory: float | None = None
) -> ProvenSigns:
    """Prove that the Hessian has positive eigenvalues; see `proven_negative`.

    Args:
        problem: A `Problem` on a deep linear network, or a `Playground`.
        weights: The point, taken as exact, as are the factors of the data.
        count: How many to prove; as many as there seem to be if `None`.
        memory: Most memory of a dense Hessian, in GiB; see `hessian`.

    Returns:
        What is proved.

    Example:
        >>> import jax.numpy as jnp
        >>> from thalweg.problem.scalar import Playground
        >>> proven_positive(Playground(3), jnp.ones(3), None).count
        1
    """
    return _proven(problem, weights, 1, count, memory)


def form_on(
    problem: Any, weights: Any, directions: tuple[Chain, ...]
) -> tuple[Enclosed, Enclosed]:
    """Enclose the Hessian's form and the Gram matrix of some directions.

    Args:
        problem: A `Problem` on a deep linear network, or a `Playground`.
        weights: The point, taken as exact.
        directions: One chain each, in the problem's coordinates, taken as exact.

    Returns:
        Two symmetric matrices with a row for each direction.
    """
    layers, inputs, labels = point(problem, weights)
    exact = tuple(matrix(layer) for layer in layers)
    products = Products.of(
        exact, None if inputs is None else matrix(inputs), matrix(labels)
    )
    columns = _stacked([tuple(map(matrix, chain)) for chain in directions])
    images = _stacked(
        [products.along(tuple(map(matrix, chain))) for chain in directions]
    )
    return columns.T @ images, columns.T @ columns


def _white(problem: Any, weights: Any) -> tuple[Blocks, float]:
    """Return the Hessian on white data as large as the inputs, and its rounding."""
    own, inputs, labels = point(problem, weights)
    if inputs is None:
        return Blocks.of(own, None, labels), rounding(own, None, labels)
    scale = 2.0 ** round(np.log2(spectral_norm(inputs) or 1.0))
    layers = (own[0] @ inputs / scale, *own[1:])
    # The first layer is a rounded product: its absolute terms count.
    terms = np.abs(own[0]) @ np.abs(inputs) / scale
    white = scale * np.eye(inputs.shape[1])
    error = rounding(layers, white, labels, first=terms, earlier=len(inputs))
    return Blocks.of(layers, white, labels), error


def _proven(
    problem: Any, weights: Any, sign: int, count: int | None, memory: float | None
) -> ProvenSigns:
    asked = None if count is None else whole("count", count, least=1)
    if asked is not None and asked > linear(problem).net.parameters:
        raise DomainError(
            f"count is {asked}; the net has {problem.net.parameters} weights."
        )
    rows = _candidates(problem, weights, sign, asked, memory)
    tried = len(rows) if asked is None else asked
    directions = tuple(layered(problem, row) for row in rows)
    if not directions:
        return ProvenSigns(sign, 0, tried, 0.0, ())
    form, gram = form_on(problem, weights, directions)
    for kept in range(len(rows), 0, -1):
        low = smallest_eigenvalue(_leading(sign * form, kept))
        if low > 0:
            longest = -smallest_eigenvalue(-_leading(gram, kept))
            margin = float((low / longest).lower())
            return ProvenSigns(sign, kept, tried, margin, directions[:kept])
    return ProvenSigns(sign, 0, tried, 0.0, ())


def _candidates(
    problem: Any, weights: Any, sign: int, count: int | None, memory: float | None
) -> Matrix:
    """Return approximate eigenvectors of that sign, the surest first, one a row."""
    if count is None:
        found = hessian_spectrum(problem, weights, vectors=True, memory=memory)
        enough = found.positive if sign > 0 else found.negative
    elif sign > 0:
        found = hessian_spectrum(problem, weights, top=count, vectors=True)
        enough = count
    else:
        found = hessian_spectrum(problem, weights, bottom=count, vectors=True)
        enough = count
    signed = sign * found.values
    order = np.argsort(-signed, kind="stable")[:enough]
    order = order[signed[order] > 0]
    return np.empty((0, 0)) if found.vectors is None else found.vectors[order]


def _stacked(chains: list[tuple[Enclosed, ...]]) -> Enclosed:
    """Return each chain, flattened, as one column."""
    middle = [np.concatenate([w.midpoint.ravel() for w in chain]) for chain in chains]
    # A sum of radii is at least the root of the sum of their squares.
    radius = sum((w.radius for chain in chains for w in chain), 0.0)
    return Enclosed(
        np.stack(middle, axis=1), float(np.nextafter(radius * 1.001, 1e300))
    )


def _leading(a: Enclosed, size: int) -> Enclosed:
    return Enclosed(np.ascontiguousarray(a.midpoint[:size, :size]), a.radius)


def _gap(sizes: Matrix, tolerance: float) -> float:
    counted, dropped = sizes[sizes > tolerance], sizes[sizes <= tolerance]
    largest = float(dropped.max(initial=0.0))
    return float(counted.min()) / largest if counted.size and largest else float("inf")
