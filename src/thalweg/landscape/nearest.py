r"""Which critical points a point is near, and how far.

The critical points of a problem are known, so none has to be searched for in the dark:
for every set of modes the point may have learnt, exactly critical points are made from
it (see `_points.snap`), brought as near as their ranks allow (see `_points.slide`), and
measured.
One more candidate is where a Levenberg-Marquardt iteration on the gradient ends.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from thalweg._core.errors import positive, whole
from thalweg.landscape._points import normal_form as form
from thalweg.landscape._points.ground import Ground
from thalweg.landscape._points.members import CriticalPoint, described
from thalweg.landscape._points.slide import slid
from thalweg.landscape._points.snap import blocks_of, patterns_near, snapped, turned
from thalweg.landscape.hessian import hessian
from thalweg.landscape.reduced import (
    Chain,
    Matrix,
    Reduced,
    as_weights,
    check_range,
    reduced,
)

LARGEST = 256
"""Up to so many weights candidates slide, and the gradient's zeros are iterated for."""

COMPARABLE = 3.0
"""Of candidates up to so many times as far as the nearest the most special is named."""

GRADIENT = 1e-10
"""A gradient below this share of its scale is taken for rounding."""

SETS = 64
"""If there are at most so many sets of modes, all are tried."""


@dataclass(frozen=True)
class Nearest:
    """A critical point near a point.

    Attributes:
        point: The critical point.
        distance: Euclidean distance of the weights to it: an upper bound of the
            distance to its stratum, so to the set of critical points.
        relative_distance: The same as a share of the norm of its weights, or of the
            point's own where that is larger.
        gradient_norm: Norm of the gradient at the point asked about.
        candidates: All critical points compared with their distances, nearest first.
    """

    point: CriticalPoint
    distance: float
    relative_distance: float
    gradient_norm: float
    candidates: tuple[tuple[CriticalPoint, float], ...]

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values; of candidates what tells them apart."""
        told = ("modes", "inner_rank", "is_tightened", "value", "kind", "dimension")
        listed = []
        for point, distance in self.candidates:
            members = point.to_json()
            listed.append({**{k: members[k] for k in told}, "distance": distance})
        return {
            "point": self.point.to_json(),
            "distance": self.distance,
            "relative_distance": self.relative_distance,
            "gradient_norm": self.gradient_norm,
            "candidates": listed,
        }


def nearest_critical_point(
    problem: Any, weights: Any, *, tolerance: float = 1e-6, most: int = 8
) -> Nearest:
    """Find a critical point near a point, and say which it is.

    Where several sets of critical points meet, the point is near all of them. Of the
    candidates at most three times as far as the nearest (or nearer than `tolerance`)
    the one on the set of least dimension is named: near the origin that is the origin,
    not some saddle with one layer other than zero.

    The distance is honest but not the least possible: it is an upper bound of the
    distance to the set of critical points. That of the nearest candidate, in
    `candidates`, is a smaller one. Up to 256 weights candidates are brought as near as
    their ranks allow; above, they are only made exact.

    Args:
        problem: A `Problem` or a `Playground`.
        weights: The point.
        tolerance: Share of the point's norm below which distances do not count, `> 0`.
        most: Of the candidates, so many of the nearest are slid nearer, at least 1.

    Returns:
        The critical point, the distance, and all candidates.

    Raises:
        DomainError: If the problem is of another kind, or a number is out of range.
        ShapeError: If the weights do not fit.

    Example:
        >>> import jax.numpy as jnp
        >>> from thalweg.problem.moments import Moments
        >>> from thalweg.problem.nets import LinearNet
        >>> from thalweg.problem.problem import Problem
        >>> target = Moments.whitened(jnp.diag(jnp.array([4.0, 1.0])))
        >>> problem = Problem(LinearNet((2, 2, 2)), target)
        >>> start = [jnp.diag(jnp.array([2.0, 0.1]))] * 2
        >>> near = nearest_critical_point(problem, start)
        >>> near.point.modes, round(near.distance, 6), str(near.point.kind)
        ((1,), 0.141421, 'strict saddle')

    Source:
        Derived: the normal form of Achour, Malgouyres, Gerchinovitz, Propositions 9
        and 10.
    """
    positive("tolerance", tolerance)
    whole("most", most, least=1)
    ground = Ground.of(problem)
    at = reduced(problem, weights)
    check_range(at)
    here = tuple(np.asarray(w) for w in problem.chain(problem.check(weights)))
    small = ground.posed.net.parameters <= LARGEST
    found = _snaps(ground, at, here, most if small else 0)
    polished = _polished(problem, ground, here) if small else None
    if polished is not None:
        found.append((polished, _distance(problem, polished.weights, here)))
    found.sort(key=lambda pair: pair[1])
    norm = _norm(here)
    reach = max(COMPARABLE * found[0][1], tolerance * norm)
    named = [pair for pair in found if pair[1] <= reach]
    point, distance = min(named, key=lambda pair: (pair[0].dimension, pair[1]))
    size = max(_norm(_chain(problem, point.weights)), norm)
    return Nearest(
        point=point,
        distance=distance,
        relative_distance=distance / size if size else 0.0,
        gradient_norm=form.gradient_norm(at),
        candidates=tuple(found),
    )


def nearest_snap(problem: Any, weights: Any) -> tuple[CriticalPoint, float]:
    """Return the nearest of the critical points made from a point, quickly.

    Args:
        problem: A `Problem` or a `Playground`.
        weights: The point.

    Returns:
        An exact critical point, not slid nearer, and its distance.
    """
    at = reduced(problem, weights)
    here = tuple(np.asarray(w) for w in problem.chain(problem.check(weights)))
    found = _snaps(Ground.of(problem), at, here, 0)
    return min(found, key=lambda pair: pair[1])


def _snaps(
    ground: Ground, at: Reduced, here: Chain, slides: int
) -> list[tuple[CriticalPoint, float]]:
    """Return exact critical points made from a point, the nearest slid nearer."""
    turns, strengths = turned(ground, at)
    made = {}
    for pattern in patterns_near(ground, strengths, SETS):
        frame = form.frame_of(ground, pattern, turns=turns)
        for chain in snapped(frame, at):
            gap = _gap(chain, at, here)
            made[pattern, f"{gap:.10e}"] = (gap, frame, chain)
    found = []
    nearest_first = sorted(made.values(), key=lambda entry: entry[0])
    for place, (_, frame, chain) in enumerate(nearest_first):
        nearer = slid(frame, chain, at) if place < slides else chain
        weights = _weights(nearer, at, here)
        ring = form.ring_of(frame, *blocks_of(frame, nearer))
        point = described(frame, nearer, ring, weights)
        found.append((point, _distance(ground.problem, point.weights, here)))
    return found


def _weights(chain: Reduced, at: Reduced, here: Chain) -> Chain:
    """Return the weights of a reduced chain that are nearest to those of a point."""
    change = [new - old for new, old in zip(chain.layers, at.layers, strict=True)]
    lifted = at.lift(change)
    return tuple(old + move for old, move in zip(here, lifted, strict=True))


def _gap(chain: Reduced, at: Reduced, here: Chain) -> float:
    pairs = zip(_weights(chain, at, here), here, strict=True)
    return _norm([a - b for a, b in pairs])


def _polished(problem: Any, ground: Ground, here: Chain) -> CriticalPoint | None:
    """Return the critical point where an iteration on the gradient ends, if it does."""
    vector = np.concatenate([layer.ravel() for layer in here])
    shapes = ground.posed.net.shapes

    def layered(flat: Matrix) -> Chain:
        cuts = np.cumsum([rows * columns for rows, columns in shapes])[:-1]
        parts = np.split(flat, cuts)
        return tuple(p.reshape(s) for p, s in zip(parts, shapes, strict=True))

    vector = _iterated(problem, vector, layered)
    return classified(problem, ground, as_weights(problem, layered(vector)))


def classified(
    problem: Any, ground: Ground, weights: Any, tolerance: float = 1e-7
) -> CriticalPoint | None:
    """Return what a critical point known to rounding is.

    Args:
        problem: The problem.
        ground: Its ground.
        weights: The point.
        tolerance: Relative size below which singular values are taken for zero.

    Returns:
        The point, or `None` if it is not one: its gradient, its strengths of modes or
        its ranks do not fit.
    """
    at = reduced(problem, weights)
    if form.gradient_norm(at) > GRADIENT * gradient_scale(at):
        return None
    turns, strengths = turned(ground, at)
    rounded = [np.rint(group) for group in strengths]
    fits = all(
        np.all(np.abs(group - whole) < 1e-6) and np.all(np.abs(whole - 0.5) < 1)
        for group, whole in zip(strengths, rounded, strict=True)
    )
    pattern = tuple(int(np.sum(group)) for group in rounded)
    if not fits or not ground.smallest <= sum(pattern) <= ground.largest:
        return None
    frame = form.frame_of(ground, pattern, turns=turns)
    blocks, sizes = blocks_of(frame, at)
    if form.criticality(frame, blocks, sizes) > tolerance:
        return None
    ring = form.ring_of(frame, blocks, sizes, tolerance)
    if any(count < 0 for _, count in ring.counts):
        return None
    chain = tuple(np.asarray(w) for w in problem.chain(problem.check(weights)))
    return described(frame, at, ring, chain)


def gradient_scale(at: Reduced) -> float:
    """Return how large a gradient may be near a point: labels times layers."""
    inputs, (first, *rest) = at.inputs_norm, at.layers
    if not inputs:
        return 0.0
    norms = [np.linalg.norm(first, 2) / inputs, *(np.linalg.norm(w, 2) for w in rest)]
    layers = sorted(max(at.unit, float(norm)) for norm in norms)
    residual = float(np.linalg.norm(at.labels) + inputs * np.prod(layers))
    return residual * inputs * float(np.prod(layers[1:]))


def _iterated(problem: Any, vector: Matrix, layered: Any) -> Matrix:
    """Return where Levenberg-Marquardt steps on the gradient lead, 25 at most."""

    def slope(flat: Matrix) -> Matrix:
        at = reduced(problem, as_weights(problem, layered(flat)))
        first, *rest = at.gradient()
        if at.inputs is not None:
            first = first @ at.inputs.T
        return np.concatenate([part.ravel() for part in (first, *rest)])

    at = reduced(problem, as_weights(problem, layered(vector)))
    # In units of the data, so that multiplied data change nothing.
    damping, gradient = 1e-3 * at.slope_unit / at.unit**2, slope(vector)
    start = float(np.linalg.norm(gradient))
    for _ in range(25):
        size = float(np.linalg.norm(gradient))
        if size <= 1e-14 * max(start, at.slope_unit):
            break
        values, basis = np.linalg.eigh(
            hessian(problem, as_weights(problem, layered(vector)))
        )
        along = basis.T @ gradient
        for _ in range(12):
            shift = damping * size
            step = basis @ (values * along / (values**2 + shift))
            tried = slope(vector - step)
            if np.linalg.norm(tried) < size:
                break
            damping *= 8
        else:
            break
        vector, gradient, damping = vector - step, tried, damping / 8
    return vector


def _chain(problem: Any, weights: Any) -> Chain:
    return tuple(np.asarray(w) for w in problem.chain(weights))


def _distance(problem: Any, weights: Any, here: Chain) -> float:
    pairs = zip(_chain(problem, weights), here, strict=True)
    return _norm([a - b for a, b in pairs])


def _norm(chain: Any) -> float:
    return float(np.sqrt(sum(np.sum(part**2) for part in chain)))
