"""The plane in which a path moves most, and the loss on it."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg._core.arrays import Array
from thalweg._core.errors import DomainError, whole
from thalweg.landscape.reduced import Matrix, as_weights
from thalweg.measures._base import AbstractMeasure
from thalweg.motion.descend import descend
from thalweg.motion.flow import flow
from thalweg.motion.leap import leap
from thalweg.motion.path import Path

MARGIN = 0.15
"""Share of the path's extent that is added on every side."""


@dataclass(frozen=True)
class State(AbstractMeasure):
    """All weights as one vector: for a few records only."""

    def read(self, problem: Any, weights: Any) -> Array:
        """Return the layers row by row, the first first."""
        return jnp.concatenate([jnp.ravel(w) for w in problem.chain(weights)])


@dataclass(frozen=True)
class PathPlane:
    """A path in the plane of its two principal directions.

    Attributes:
        clock: Iterations or flow times of the records, `"time"`.
        along: The path's coordinates in the plane, `"time 2"`; the end is the origin.
        first: Places along the first direction, `"place"`.
        second: Places along the second, `"place"`.
        excess: Excess loss on the plane, rows along the second direction.
        share: Share of the path's spread that lies in the plane.
        directions: The two directions, unit vectors of all weights row by row, `"2
            weight"`.
    """

    clock: Matrix
    along: Matrix
    first: Matrix
    second: Matrix
    excess: Matrix
    share: float
    directions: Matrix


def path_plane(path: Path, *, records: int = 200, size: int = 60) -> PathPlane:
    """Return the plane in which a path moves most, with the loss on it.

    The path is run again to be seen at evenly spread records. The two directions are
    the principal ones of its points less its end; what lies across is lost, so the
    loss on the plane is that of the path only as far as `share` is near one.

    Args:
        path: A single descent, flow or path of leaps.
        records: How many points of it, at least 3.
        size: Places along each side, at least 2.

    Returns:
        The plane.

    Raises:
        DomainError: If the path is a batch or a training, or does not move.

    Example:
        >>> from thalweg.problem.scalar import Playground
        >>> path = descend(Playground(2), [0.1, 1.0], step_size=0.1, iterations=100)
        >>> plane = path_plane(path, size=5)
        >>> plane.excess.shape, round(plane.share, 6)
        ((5, 5), 1.0)

    Source:
        Li, Xu, Taylor, Studer, Goldstein 2018, Section 7, for principal directions.
    """
    count, places = whole("records", records, least=3), whole("size", size, least=2)
    clock, states = traced(path, count)
    moved = states - states[-1]
    _, strengths, turned = np.linalg.svd(moved, full_matrices=False)
    if not strengths[0] > 0:
        raise DomainError("the path does not move; there is no plane of its own.")
    directions = turned[:2]
    if len(directions) < 2:
        directions = np.vstack([directions, np.zeros_like(directions)])
    along = moved @ directions.T
    first, second = (_sides(along[:, side], places) for side in (0, 1))
    across, up = np.meshgrid(first, second)
    points = np.stack([across.ravel(), up.ravel()], axis=1) @ directions + states[-1]
    spread = float(np.sum(strengths[:2] ** 2) / np.sum(strengths**2))
    return PathPlane(
        clock, along, first, second,
        heights(path.problem, points).reshape(across.shape), spread, directions,
    )  # fmt: skip


def traced(path: Path, records: int) -> tuple[Matrix, Matrix]:
    """Return a path's weights at evenly spread times, by running it again.

    Args:
        path: A single path, not a training.
        records: About how many.

    Returns:
        The clock, `"time"`, and the weights row by row, `"time weight"`.

    Raises:
        DomainError: If it is a batch or a training.
    """
    if path.batched or path.settings["kind"] == "training":
        raise DomainError(
            "a plane needs a single descent, flow or path of leaps; choose path.run(i) "
            "of a batch."
        )
    kept = path.settings
    common = {"compress": kept["compress"], "measures": (State(),)}
    last = float(path.clock[-1])
    if path.is_flow:
        times = np.linspace(0.0, last, records)
        names = {name: kept[name] for name in ("solver", "rtol", "atol")}
        seen = flow(path.problem, path.start, times=times, **names, **common)
    else:
        again = {
            "step_size": path.step_size,
            "iterations": int(last),
            "momentum": kept["momentum"],
            "at": np.unique(np.linspace(0, last, records).round()).astype(int),
        }
        if kept["kind"] == "leap":
            again["tolerance"] = kept["tolerance"]
        run = leap if kept["kind"] == "leap" else descend
        seen = run(path.problem, path.start, **again, **common)
    return np.asarray(seen.clock, dtype=float), np.asarray(seen["state"])


def heights(problem: Any, points: Matrix) -> Matrix:
    """Return the excess loss at many points, weights row by row.

    Args:
        problem: A `Problem` or a `Playground`.
        points: `"point weight"`.

    Returns:
        The losses, `"point"`.
    """
    cuts = np.cumsum([rows * columns for rows, columns in problem.net.shapes])[:-1]

    def height(point: Array) -> Array:
        parts = jnp.split(point, cuts)
        chain = [
            part.reshape(shape)
            for part, shape in zip(parts, problem.net.shapes, strict=True)
        ]
        return problem.excess_loss(as_weights(problem, chain))

    return np.asarray(jax.jit(jax.vmap(height))(jnp.asarray(points)))


def _sides(along: Matrix, places: int) -> Matrix:
    low, high = float(along.min()), float(along.max())
    rim = MARGIN * max(high - low, 1e-3)
    return np.linspace(low - rim, high + rim, places)
