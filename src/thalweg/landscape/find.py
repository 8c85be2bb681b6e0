"""Critical points found from any start, and told apart."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optimistix

from thalweg._core.errors import DomainError, positive, whole
from thalweg.landscape._points import normal_form as form
from thalweg.landscape._points.members import CriticalPoint
from thalweg.landscape.kinds import Kind
from thalweg.landscape.nearest import gradient_scale, nearest_critical_point
from thalweg.landscape.reduced import check_range, linear, reduced

LARGEST = 2000
"""Most weights: the iteration solves a dense system of so many."""

CLOSE = 1e-4
"""Where the gradient vanishes to a high order, it tells the weights no better."""


@dataclass(frozen=True)
class Found:
    """Where an iteration on the gradient ended.

    Attributes:
        weights: The end, in the problem's coordinates.
        gradient_norm: Norm of the gradient there.
        converged: Whether that is at most `tolerance` times its scale.
        point: The critical point it is at: exactly critical, with modes, kind and all
            ranks.
        distance: Distance from `weights` to it.
    """

    weights: Any
    gradient_norm: float
    converged: bool
    point: CriticalPoint
    distance: float

    @property
    def modes(self) -> tuple[int, ...]:
        """Return the modes learnt."""
        return self.point.modes

    @property
    def rank(self) -> int:
        """Return how many modes are learnt."""
        return self.point.rank

    @property
    def value(self) -> float:
        """Return the loss above the data's constant part."""
        return self.point.value

    @property
    def kind(self) -> Kind:
        """Return what kind of critical point it is."""
        return self.point.kind

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values; the weights are those of `point`."""
        return {
            "gradient_norm": self.gradient_norm,
            "converged": self.converged,
            "distance": self.distance,
            "point": self.point.to_json(),
        }


@dataclass(frozen=True)
class Distinct:
    """Critical points that differ by a change of bases only.

    Attributes:
        point: The first of them.
        count: How many there are.
        places: Where they stood among all, from zero.
    """

    point: CriticalPoint
    count: int
    places: tuple[int, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return {
            "point": self.point.to_json(),
            "count": self.count,
            "places": list(self.places),
        }


def find_critical_point(
    problem: Any, start: Any, *, iterations: int = 500, tolerance: float = 1e-12
) -> Found:
    r"""Find a critical point by Levenberg-Marquardt steps on the gradient.

    The sum of squares of the gradient is made small, so saddles attract as minima do.
    Near a saddle where the gradient vanishes to second order or higher the steps gain
    a constant factor each and the weights are known to a root of the gradient only;
    `point` is exact there too.

    Args:
        problem: A `Problem` of at most 2000 weights, or a `Playground`.
        start: Any weights.
        iterations: Most steps, at least 1.
        tolerance: Largest share of its scale that a gradient of zero may have, `> 0`.

    Returns:
        Where it ended, and which critical point that is.

    Raises:
        DomainError: If the problem is of another kind or too large, or a number is out
            of range.
        ShapeError: If the start does not fit.

    Example:
        >>> from thalweg.problem.scalar import Playground
        >>> found = find_critical_point(Playground(3), [0.1, 0.1, -0.1])
        >>> found.converged, found.modes, str(found.kind)
        (True, (), 'non-strict saddle')

    Source:
        Derived: Levenberg-Marquardt of optimistix on the gradient of `problem`.
    """
    iterations = whole("iterations", iterations, least=1)
    tolerance = positive("tolerance", tolerance)
    size = linear(problem).net.parameters
    weights = problem.check(start)
    if size > LARGEST:
        raise DomainError(
            f"the net has {size} weights; find_critical_point takes at most {LARGEST}. "
            "Use nearest_critical_point."
        )
    here = reduced(problem, weights)
    check_range(here)
    ended = _iterated(problem, weights, iterations, (here.unit, here.slope_unit))
    at = reduced(problem, ended)
    slope = form.gradient_norm(at)
    near = nearest_critical_point(problem, ended, tolerance=CLOSE)
    return Found(
        weights=ended,
        gradient_norm=slope,
        converged=slope <= tolerance * gradient_scale(at),
        point=near.point,
        distance=near.distance,
    )


def deduplicate(problem: Any, points: Iterable[Any]) -> list[Distinct]:
    """Tell critical points apart by what no change of bases alters.

    These are the learnt modes (up to equal singular values) and the ranks of all
    products of layers, the labels not learnt included: two points agree in all of them
    if and only if changes of the hidden bases, and of what data and unlearnt labels
    leave free, take one to the other.

    Args:
        problem: A `Problem` or a `Playground`.
        points: Results of `find_critical_point`, critical points, or weights.

    Returns:
        The distinct ones with their counts, of ascending value.

    Example:
        >>> from thalweg.problem.scalar import Playground
        >>> toy = Playground(2)
        >>> starts = ([1.0, 1.0], [2.0, 0.5], [0.0, 0.0])
        >>> [(d.point.modes, d.count) for d in deduplicate(toy, starts)]
        [((1,), 2), ((), 1)]

    Source:
        Derived: nilpotent representations of a cyclic quiver are given by ranks.
    """
    seen: dict[Any, list[tuple[int, CriticalPoint]]] = {}
    for place, point in enumerate(points):
        known = _known(problem, point)
        key = (known.modes, known.ring)
        seen.setdefault(key, []).append((place, known))
    found = [
        Distinct(same[0][1], len(same), tuple(place for place, _ in same))
        for same in seen.values()
    ]
    return sorted(found, key=lambda distinct: distinct.point.excess_loss)


def _known(problem: Any, point: Any) -> CriticalPoint:
    if isinstance(point, CriticalPoint):
        return point
    if isinstance(point, Found):
        return point.point
    return nearest_critical_point(problem, point, tolerance=CLOSE).point


def _iterated(
    problem: Any, weights: Any, iterations: int, units: tuple[float, float]
) -> Any:
    """Return where the iteration ends.

    Weights and gradient are divided by their units, so that the solver's tolerances
    and its first damping mean the same whatever the data are multiplied by.
    """
    solver: Any = optimistix.LevenbergMarquardt(rtol=1e-14, atol=1e-14)
    return _solved(problem, solver, weights, iterations, *map(jnp.asarray, units))


@eqx.filter_jit
def _solved(
    problem: Any, solver: Any, weights: Any, iterations: int, unit: Any, slope_unit: Any
) -> Any:
    def times(factor: Any, tree: Any) -> Any:
        return jax.tree.map(lambda leaf: factor * leaf, tree)

    def slope(point: Any, _: Any) -> Any:
        return times(1 / slope_unit, problem.gradient(times(unit, point)))

    solution: Any = optimistix.least_squares(
        slope, solver, times(1 / unit, weights), max_steps=iterations, throw=False
    )
    ended = times(unit, solution.value)
    finite = jax.tree.map(lambda leaf: jnp.all(jnp.isfinite(leaf)), ended)
    good = jnp.all(jnp.asarray(jax.tree.leaves(finite)))
    return jax.tree.map(lambda new, old: jnp.where(good, new, old), ended, weights)
