"""Both ends of a symmetric operator's spectrum, as exactly as asked, and quadrature.

In NumPy, outside of any compilation, so that the number of steps may depend on what
they show; `krylov` has the compiled kernel of a fixed number of steps.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from thalweg._core.arrays import Float
from thalweg._core.errors import DomainError, whole

_FLOATS = 2**27
"""Most numbers in a basis and its images together: one GiB."""

_STRIDE, _GLANCE = 10, 1e-6
"""Applications between looks; what settles a value that is only looked past."""


class Ends(NamedTuple):
    """Both ends of a spectrum, and how far each value can be from a true one.

    Attributes:
        values: Ritz values, descending: `top` from the upper end, then `bottom` from
            the lower.
        residuals: Norm of `A v - value v` for the unit Ritz vector `v`, computed with
            the operator itself; an eigenvalue lies within it of the value.
        converged: Whether the residual is at most `rtol` times the largest absolute
            Ritz value, and fresh directions have shown nothing beyond the values.
        vectors: The Ritz vectors, flattened, one a row.
        applications: How often the operator was applied.
    """

    values: Float[np.ndarray, " mode"]
    residuals: Float[np.ndarray, " mode"]
    converged: np.ndarray
    vectors: Float[np.ndarray, "mode size"]
    applications: int


def extreme_eigenvalues(
    operator: Callable[[Any], Any],
    like: Any,
    *,
    top: int = 1,
    bottom: int = 0,
    rounds: int | None = None,
    rtol: float = 1e-8,
) -> Ends:
    """Find both ends of a symmetric operator's spectrum, repeated values included.

    Lanczos in NumPy, one operator application after the other, with as many as it
    takes: no compilation, full orthogonalisation, and thick restarts once the basis
    is full. A Krylov space holds one vector of each eigenspace, so when all values
    have converged a fresh random direction is put in beside them, until a look at
    what it brings changes nothing.

    That an eigenvalue lies within the residual of a value is rigorous; that it is the
    one counted from the end is not, though it fails with probability zero in exact
    arithmetic. A dense decomposition alone is certain of that.

    Args:
        operator: A symmetric linear map on trees of arrays shaped as `like`.
        like: A tree of arrays that shows the shapes; its values are not used.
        top: How many of the largest, at least 0.
        bottom: How many of the smallest, at least 0; one of the two at least 1.
        rounds: Most applications before the residuals; 3000 if `None`.
        rtol: What counts as converged.

    Returns:
        Values, residuals, whether they have converged, and vectors.

    Raises:
        DomainError: If `top + bottom` is zero or exceeds the dimension or `rounds`.

    Example:
        >>> matrix = np.diag([3.0, -1.0, 2.0, 3.0])
        >>> found = extreme_eigenvalues(lambda v: matrix @ v, np.zeros(4), top=2)
        >>> found.values.round(10).tolist(), found.converged.all().item()
        ([3.0, 3.0], True)

    Source:
        K. Wu, H. Simon, Thick-restart Lanczos method, SIAM J. Matrix Anal. Appl. 22
        (2000).
    """
    apply, size = _flattened(operator, like)
    budget = whole("rounds", 3000 if rounds is None else rounds, least=1)
    top, bottom = whole("top", top), whole("bottom", bottom)
    wanted, most = top + bottom, min(size, budget)
    if not 1 <= wanted <= most:
        raise DomainError(
            f"top + bottom is {wanted}; with {size} weights and {budget} rounds it "
            f"must be from 1 to {most}."
        )
    room = max(2 * wanted + 12, min(2 * wanted + 90, _FLOATS // (2 * size)))
    search = _Search(_Subspace(apply, size, min(room, most)), top, bottom, rtol)
    looked = search.run(budget)
    return search.result(looked)


def lanczos_quadrature(
    operator: Callable[[Any], Any], start: Float[np.ndarray, " size"], rounds: int
) -> tuple[Float[np.ndarray, " node"], Float[np.ndarray, " node"]]:
    """Return Gauss nodes and weights of a vector's spectral measure.

    Args:
        operator: A symmetric linear map on vectors.
        start: The vector, of any length but zero.
        rounds: Number of nodes, at least 1; fewer where the Krylov space closes.

    Returns:
        Nodes, ascending, and weights that sum to one: exact for polynomials of degree
            below twice their number.

    Example:
        >>> matrix = np.diag([1.0, 3.0])
        >>> nodes, weights = lanczos_quadrature(lambda v: matrix @ v, np.ones(2), 2)
        >>> nodes.round(12).tolist(), weights.round(12).tolist()
        ([1.0, 3.0], [0.5, 0.5])

    Source:
        G. Golub, G. Meurant, Matrices, Moments and Quadrature, section 4.1.
    """
    size = start.shape[0]
    space = _Subspace(operator, size, min(rounds, size))
    space.following = start / np.linalg.norm(start)
    while space.count < len(space.basis) and space.following is not None:
        space.grow()
    nodes, vectors = np.linalg.eigh(space.form)
    return nodes * space.unit, vectors[0] ** 2


def _flattened(
    operator: Callable[[Any], Any], like: Any
) -> tuple[Callable[[np.ndarray], np.ndarray], int]:
    leaves, tree = jax.tree_util.tree_flatten(like)
    shapes = [np.shape(leaf) for leaf in leaves]
    ends = np.cumsum([0, *(int(np.prod(shape)) for shape in shapes)]).tolist()

    def apply(vector: np.ndarray) -> np.ndarray:
        parts = [
            vector[first:last].reshape(shape)
            for first, last, shape in zip(ends, ends[1:], shapes, strict=False)
        ]
        image = operator(jax.tree_util.tree_unflatten(tree, parts))
        return np.concatenate(
            [np.ravel(np.asarray(leaf)) for leaf in jax.tree_util.tree_leaves(image)]
        )

    return apply, ends[-1]


class _Subspace:
    """An orthonormal basis, its images, and the operator's form on it."""

    def __init__(
        self, apply: Callable[[np.ndarray], np.ndarray], size: int, room: int
    ) -> None:
        self.apply = apply
        self.basis, self.images = np.empty((room, size)), np.empty((room, size))
        self.whole = np.zeros((room, room))
        self.count = self.applications = 0
        self.random = np.random.default_rng(0)
        self.following: np.ndarray | None = None
        self.unit = 1.0

    @property
    def form(self) -> np.ndarray:
        """Return the operator's matrix on the basis."""
        return self.whole[: self.count, : self.count]

    def grow(self) -> None:
        """Add the next direction, a fresh one where the space is closed."""
        k = self.count
        vector = self.following
        while vector is None:
            vector = self._beside(self.random.standard_normal(self.basis.shape[1]))
        self.basis[k] = vector
        image = self.images[k] = self._image(vector)
        self.count, self.applications = k + 1, self.applications + 1
        row = self.basis[: k + 1] @ image
        self.whole[k, : k + 1] = self.whole[: k + 1, k] = row
        self.following = self._beside(image)

    def _image(self, vector: np.ndarray) -> np.ndarray:
        """Return the operator's image in units in which squares stay in range."""
        image = self.apply(vector) / self.unit
        largest = float(np.abs(image).max())
        if self.applications == 0 and 0 < largest < np.inf:
            self.unit = 2.0 ** min(max(np.frexp(largest)[1], -1000), 1000)
            image = image / self.unit
        return image

    def residuals(self, values: np.ndarray, turns: np.ndarray) -> np.ndarray:
        """Return the residual norm of every Ritz pair, from the stored images."""
        images = turns.T @ self.images[: self.count]
        vectors = turns.T @ self.basis[: self.count]
        return np.linalg.norm(images - values[:, None] * vectors, axis=1)

    def compress(self, values: np.ndarray, turns: np.ndarray) -> None:
        """Keep only these Ritz vectors."""
        k = len(values)
        self.basis[:k] = turns.T @ self.basis[: self.count]
        self.images[:k] = turns.T @ self.images[: self.count]
        self.count = k
        self.whole[:k, :k] = np.diag(values)

    def _beside(self, vector: np.ndarray) -> np.ndarray | None:
        """Return the unit part orthogonal to the basis, `None` if it is rounding."""
        basis, length = self.basis[: self.count], np.linalg.norm(vector)
        for _ in range(2):
            vector = vector - (basis @ vector) @ basis
        rest = np.linalg.norm(vector)
        return vector / rest if rest > 1e-14 * length else None


class _Search:
    """A growing subspace that is restarted until both ends have settled."""

    def __init__(self, space: _Subspace, top: int, bottom: int, rtol: float) -> None:
        self.space, self.top, self.bottom, self.rtol = space, top, bottom, rtol

    def run(self, budget: int) -> bool:
        """Return whether a fresh look ended without a change; spend the budget."""
        space, known, began = self.space, None, 0
        while True:
            free = min(len(space.basis) - space.count, budget - space.applications)
            for _ in range(min(_STRIDE, free)):
                space.grow()
            values, turns = np.linalg.eigh(space.form)
            if space.count == space.basis.shape[1]:
                return True
            scale = float(np.abs(values).max())
            chosen = self._ends(len(values), 0)
            settled = self._settled(values, turns, chosen, 0.1 * self.rtol * scale)
            if settled and known is not None:
                same = np.abs(values[chosen] - known).max() <= self.rtol * scale
                waited = space.applications - began >= 2 * _STRIDE
                if not same:
                    known = None
                elif waited and self._beyond(values, turns, scale):
                    return True
            if space.applications >= budget:
                return False
            if settled and known is None:
                # What else was kept has residuals along a direction now given up.
                known, began, space.following = values[chosen], space.applications, None
                space.compress(values[chosen], turns[:, chosen])
            elif space.count == len(space.basis):
                self._shrink(values, turns)

    def result(self, looked: bool) -> Ends:
        """Return the values with residuals computed anew."""
        space = self.space
        values, turns = np.linalg.eigh(space.form)
        chosen = self._ends(len(values), 0)
        scale = float(np.abs(values).max())
        vectors = turns[:, chosen].T @ space.basis[: space.count]
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        rest = [
            float(np.linalg.norm(space.apply(vector) / space.unit - value * vector))
            for vector, value in zip(vectors, values[chosen], strict=True)
        ]
        residuals = np.array(rest)
        converged = (residuals <= self.rtol * scale) & looked
        used = space.applications + len(rest)
        unit = space.unit
        return Ends(values[chosen] * unit, residuals * unit, converged, vectors, used)

    def _ends(self, count: int, spare: int) -> np.ndarray:
        """Return the indices of the wanted Ritz values, `spare` more at each end."""
        top = min(self.top + spare, count) if self.top else 0
        bottom = min(self.bottom + spare, count - top) if self.bottom else 0
        upper = np.arange(count - 1, count - 1 - top, -1)
        return np.concatenate([upper, np.arange(bottom - 1, -1, -1)])

    def _settled(
        self, values: np.ndarray, turns: np.ndarray, where: np.ndarray, most: float
    ) -> bool:
        if len(values) < self.top + self.bottom:
            return False
        rest = self.space.residuals(values[where], turns[:, where])
        return bool(np.all(rest <= most))

    def _beyond(self, values: np.ndarray, turns: np.ndarray, scale: float) -> bool:
        """Return whether the first value after each end has settled or stays clear."""
        after = [(len(values) - 1 - self.top, 1)] if self.top else []
        after += [(self.bottom, -1)] if self.bottom else []
        for index, sign in after:
            if not 0 <= index < len(values):
                continue
            rest = self.space.residuals(values[[index]], turns[:, [index]])[0]
            gap = sign * (values[index + sign] - values[index])
            if not (rest <= max(self.rtol, _GLANCE) * scale or 2 * rest < gap):
                return False
        return True

    def _shrink(self, values: np.ndarray, turns: np.ndarray) -> None:
        room = len(self.space.basis)
        both = 2 if self.top and self.bottom else 1
        spare = max(1, (room - self.top - self.bottom) // (3 * both))
        kept = self._ends(len(values), spare)
        if len(kept) < room:
            self.space.compress(values[kept], turns[:, kept])
