r"""The density of a Hessian's eigenvalues, of nets too large for all of them.

With random signs $z$, $z^\top f(H) z / P$ has the mean of $f$ over all $P$ eigenvalues
as its expectation. A run of Lanczos from $z$ gives it by Gauss quadrature, for the
Gaussians $f$ about every point of a grid at once. What the probes scatter by is the
standard error; what quadrature leaves out is below it where the Gaussians are as wide
as the number of rounds can resolve.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from thalweg._core.errors import positive, whole
from thalweg.landscape._curvature.second_order import Blocks, Products, point
from thalweg.landscape.hessian import flat, layered
from thalweg.landscape.reduced import Matrix, linear
from thalweg.linalg.extremes import lanczos_quadrature

_REACH = 5.0
"""Widths beyond the outermost node at which the grid ends."""


@dataclass(frozen=True)
class Density:
    """Eigenvalues per unit length, each spread to a Gaussian; its integral is one.

    Attributes:
        grid: Where it is given, ascending, evenly spaced.
        density: Mean over the probes.
        standard_error: Of that mean; zero where every probe agrees.
        width: Standard deviation of the Gaussians.
        probes: Number of random vectors.
        rounds: Products with vectors for each.
        mean: Mean eigenvalue, from the probes: unbiased.
        mean_error: Its standard error.
        mean_square: Mean squared eigenvalue, from the probes: unbiased.
        mean_square_error: Its standard error.
        exact_mean: Mean eigenvalue, in closed form.
        seed: Seed of the probes.
    """

    grid: Matrix
    density: Matrix
    standard_error: Matrix
    width: float
    probes: int
    rounds: int
    mean: float
    mean_error: float
    mean_square: float
    mean_square_error: float
    exact_mean: float
    seed: int

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return {
            name: value.tolist() if isinstance(value, np.ndarray) else value
            for name, value in vars(self).items()
        }

    def save(self, file: str | os.PathLike[str]) -> Path:
        """Write `to_json` to a file and return it."""
        final = Path(file)
        final.write_text(json.dumps(self.to_json(), indent=2) + "\n")
        return final


def spectral_density(
    problem: Any,
    weights: Any,
    *,
    probes: int = 16,
    rounds: int = 100,
    seed: int = 0,
    points: int = 512,
    width: float | None = None,
) -> Density:
    """Estimate the density of the Hessian's eigenvalues by Lanczos quadrature.

    Args:
        problem: A `Problem` on a deep linear network, or a `Playground`.
        weights: The point.
        probes: Number of random vectors, at least 2.
        rounds: Products with vectors for each, at least 1; the number of weights is
            enough for exactness.
        seed: Seed of the random vectors.
        points: Points of the grid, at least 2.
        width: Standard deviation of the Gaussians; if `None` the narrowest the rounds
            resolve, to about a thousandth of the peak: 0.6 times the spectrum's
            length over their number.

    Returns:
        The density with its standard error, and the first two moments.

    Example:
        >>> import jax.numpy as jnp
        >>> from thalweg.problem.scalar import Playground
        >>> found = spectral_density(Playground(2), jnp.ones(2), width=0.1)
        >>> round(float(np.sum(found.density) * (found.grid[1] - found.grid[0])), 6)
        1.0

    Source:
        L. Lin, Y. Saad, C. Yang, Approximating spectral densities of large matrices,
        SIAM Review 58 (2016).
    """
    probes, points = whole("probes", probes, least=2), whole("points", points, least=2)
    size = linear(problem).net.parameters
    rounds = min(whole("rounds", rounds, least=1), size)
    seed = whole("seed", seed)
    spread = None if width is None else positive("width", width)
    at = point(problem, weights)
    exact_mean = Blocks.of(*at).trace / size
    rules = _rules(problem, Products.of(*at), probes, rounds, seed)
    lowest = min(float(nodes[0]) for nodes, _ in rules)
    highest = max(float(nodes[-1]) for nodes, _ in rules)
    if spread is None:
        spread = _resolved(lowest, highest, rounds)
    grid = np.linspace(lowest - _REACH * spread, highest + _REACH * spread, points)
    single = np.stack([_spread(grid, *rule, spread) for rule in rules])
    first = np.array([weights @ nodes for nodes, weights in rules])
    second = np.array([weights @ nodes**2 for nodes, weights in rules])
    return Density(
        grid=grid,
        density=single.mean(axis=0),
        standard_error=single.std(axis=0, ddof=1) / probes**0.5,
        width=spread,
        probes=probes,
        rounds=rounds,
        mean=float(first.mean()),
        mean_error=float(first.std(ddof=1) / probes**0.5),
        mean_square=float(second.mean()),
        mean_square_error=float(second.std(ddof=1) / probes**0.5),
        exact_mean=exact_mean,
        seed=seed,
    )


def broadened(values: Matrix, grid: Matrix, width: float) -> Matrix:
    """Return the density of known eigenvalues, each spread to a Gaussian.

    Args:
        values: The eigenvalues.
        grid: Where it is wanted.
        width: Standard deviation of the Gaussians, `> 0`.

    Returns:
        Their mean at every point of the grid.

    Example:
        >>> broadened(np.zeros(3), np.zeros(1), 1.0).round(6).tolist()
        [0.398942]
    """
    return _spread(grid, values, np.full(len(values), 1 / len(values)), width)


def _rules(
    problem: Any, products: Products, probes: int, rounds: int, seed: int
) -> list[tuple[Matrix, Matrix]]:
    def apply(vector: Matrix) -> Matrix:
        return flat(products.along(layered(problem, vector)))

    random = np.random.default_rng(seed)
    signs = random.choice([-1.0, 1.0], size=(probes, problem.net.parameters))
    return [lanczos_quadrature(apply, start, rounds) for start in signs]


def _resolved(lowest: float, highest: float, rounds: int) -> float:
    size = max(abs(lowest), abs(highest))
    # A spectrum of one point has no length of its own.
    return max(0.6 * (highest - lowest) / rounds, 1e-3 * size) or 1.0


def _spread(grid: Matrix, nodes: Matrix, shares: Matrix, width: float) -> Matrix:
    apart = (grid[:, None] - nodes[None, :]) / width
    return np.exp(-0.5 * apart**2) @ shares / (width * (2 * np.pi) ** 0.5)
