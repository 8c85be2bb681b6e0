r"""Planes through the space of weights, coloured by where their points lead."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from thalweg._core import store
from thalweg._core.errors import DomainError, positive, whole
from thalweg.landscape._following.carrying import BasinsProgress, carry_out
from thalweg.landscape._following.drawing import on_plane
from thalweg.landscape._following.lanes import first_look
from thalweg.landscape._following.sorting import Limit
from thalweg.landscape._following.task import Task
from thalweg.landscape._points.ground import Ground
from thalweg.landscape.reduced import as_weights
from thalweg.landscape.tally import Basins, gathered
from thalweg.problem.archive import pack, unpack
from thalweg.problem.scalar import Playground

Chain = tuple[np.ndarray, ...]

IMAGES = ("codes", "iterations", "excess", "known")


@dataclass(frozen=True)
class Slice:
    """A plane of starts: where each leads, how long it takes, where it begins.

    Images have one row for every place on the second axis, one column for every place
    on the first, both ascending.

    Attributes:
        problem: What was minimised.
        center: The chain in the middle.
        first: The direction to the right, one matrix a layer.
        second: The direction upwards.
        axis: Places along both directions, `"place"`.
        limits: The limits that occur.
        codes: Place of the limit in the list, an image; -1 where it was interrupted.
        iterations: Steps taken, an image.
        excess: Excess loss of the starts, an image.
        known: How saddles are known, an image; as `Columns.known`: 1 to the last bit,
            2 by symmetry and 3 by zeros of the start.
        settings: What was asked for, as plain values.
    """

    problem: Any
    center: Chain
    first: Chain
    second: Chain
    axis: np.ndarray
    limits: tuple[Limit, ...]
    codes: np.ndarray
    iterations: np.ndarray
    excess: np.ndarray
    known: np.ndarray
    settings: dict[str, Any]

    @property
    def interrupted(self) -> bool:
        """Return whether places are missing."""
        return bool(np.any(self.codes < 0))

    def shares(self) -> dict[str, float]:
        """Return the share of the plane that leads to every limit, by its words."""
        seen = self.codes >= 0
        return {
            str(limit): float(np.mean(self.codes[seen] == place))
            for place, limit in enumerate(self.limits)
        }

    def lines(self) -> list[str]:
        """Return the shares in words, one line each."""
        size = self.axis.size
        lines = [f"{size} x {size} starts, from {self.axis[0]:g} to {self.axis[-1]:g}"]
        return lines + [
            f"{words}: {share:.4%}" for words, share in self.shares().items()
        ]

    def weights(self, row: int, column: int) -> Any:
        """Return the start at a place, as weights of the problem.

        Args:
            row: Which place on the second axis.
            column: Which on the first.

        Returns:
            The weights.
        """
        a, b = self.axis[column], self.axis[row]
        parts = zip(self.center, self.first, self.second, strict=True)
        chain = [c + u * a + v * b for c, u, v in parts]
        return as_weights(self.problem, chain)

    def to_json(self) -> dict[str, Any]:
        """Return the images and all else as plain values."""
        images = {name: getattr(self, name).tolist() for name in IMAGES}
        directions = {
            name: [layer.tolist() for layer in getattr(self, name)]
            for name in ("center", "first", "second")
        }
        return {
            "axis": self.axis.tolist(),
            "limits": [limit.to_json() for limit in self.limits],
            "shares": self.shares(),
            **directions,
            **images,
            "settings": self.settings,
        }

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write it to a folder.

        Args:
            folder: Where to.
        """
        problem, arrays = pack(self.problem)
        arrays.update({f"image.{name}": getattr(self, name) for name in IMAGES})
        arrays["axis"] = self.axis
        for name in ("center", "first", "second"):
            for j, layer in enumerate(getattr(self, name), 1):
                arrays[f"{name}.W{j}"] = layer
        card = {
            "problem": problem,
            "limits": [limit.to_json() for limit in self.limits],
            "settings": self.settings,
        }
        store.save(folder, "slice", card, arrays)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> "Slice":
        """Read one back.

        Args:
            folder: Where `save` wrote it.

        Returns:
            The slice.
        """
        card, arrays = store.load(folder, "slice")
        problem = unpack(card["problem"], arrays)
        layers = range(1, problem.net.depth + 1)
        kept: dict[str, Any] = {name: arrays[f"image.{name}"] for name in IMAGES}
        for name in ("center", "first", "second"):
            kept[name] = tuple(arrays[f"{name}.W{j}"] for j in layers)
        return cls(
            problem=problem,
            axis=arrays["axis"],
            limits=tuple(map(Limit.from_json, card["limits"])),
            settings=card["settings"],
            **kept,
        )


def slice_basins(
    problem: Any,
    *,
    center: Any = None,
    first: Any = None,
    second: Any = None,
    extent: float = 2.0,
    size: int = 200,
    seed: int = 0,
    method: str = "descent",
    step_size: float | None = None,
    iterations: int = 20_000,
    accuracy: float | None = None,
    on_progress: Callable[[BasinsProgress], None] | None = None,
) -> Slice:
    r"""Follow the starts of a plane, and say where each of them ends.

    The starts are `center + a first + b second` for `a` and `b` from `-extent` to
    `extent`, exactly symmetric about zero. Verdicts are those of `basins`.

    Args:
        problem: A `Problem` or a `Playground`.
        center: Weights in the middle; the origin if `None`.
        first: A direction, as weights; if `None`, the first axis of a playground of
            depth two, and otherwise drawn by the seed, of norm one.
        second: Another; if `None`, the second axis, or one drawn orthogonal to the
            first.
        extent: Half the plane's side, `> 0`.
        size: Places along a side, at least 2.
        seed: Of the directions.
        method: As in `basins`.
        step_size: As in `basins`.
        iterations: As in `basins`.
        accuracy: As in `basins`.
        on_progress: As in `basins`.

    Returns:
        The images; those of a run that was interrupted have holes.

    Raises:
        DomainError: If a number is out of its domain, or the directions are parallel.
        ShapeError: If weights do not fit the problem.

    Example:
        >>> plane = slice_basins(Playground(2), size=9)
        >>> {words: round(81 * share) for words, share in plane.shares().items()}
        {'global minimum': 72, 'saddle, modes learnt: none': 9}

    Source:
        EPFL CS-439, Lecture 6, the picture of the playground.
    """
    reach, places = positive("extent", extent), whole("size", size, least=2)
    ground = Ground.of(problem)
    middle = _chain(problem, center)
    right, up = _directions(problem, first, second, whole("seed", seed))
    axis = reach * (2 * np.arange(places) - (places - 1)) / (places - 1)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    task = Task.of(
        ground,
        on_plane(middle, right, up, grid),
        runs=None,
        method=method,
        step_size=step_size,
        iterations=iterations,
        accuracy=accuracy,
        beyond=None,
        confidence=0.95,
    )
    parts = carry_out(task, [], None, on_progress)
    found = gathered(problem, task.settings, parts, task.starts)
    return Slice(
        problem=problem,
        center=middle,
        first=right,
        second=up,
        axis=axis,
        limits=found.limits,
        codes=_image(found, "limit", places, -1),
        iterations=_image(found, "iterations", places, 0),
        excess=_heights(task, grid).reshape(places, places),
        known=_image(found, "known", places, -1),
        settings={**task.settings, "extent": reach, "size": places, "seed": int(seed)},
    )


def _chain(problem: Any, weights: Any) -> Chain:
    """Return weights as a chain in NumPy; zeros for none."""
    if weights is None:
        return tuple(np.zeros(shape) for shape in problem.net.shapes)
    return tuple(np.asarray(w) for w in problem.chain(problem.check(weights)))


def _directions(
    problem: Any, first: Any, second: Any, seed: int
) -> tuple[Chain, Chain]:
    """Return both directions, those not given drawn, or a playground's axes."""
    generator = np.random.default_rng(seed)
    shapes = problem.net.shapes
    drawn = [
        tuple(generator.standard_normal(shape) for shape in shapes) for _ in range(2)
    ]
    if isinstance(problem, Playground) and problem.depth == 2:
        axes = np.eye(2)[:, :, None, None]
        drawn = [tuple(axis) for axis in axes]
    right = _unit(drawn[0]) if first is None else _chain(problem, first)
    up = _chain(problem, second) if second is not None else drawn[1]
    length = _inner(right, right)
    if not length:
        raise DomainError("first is zero; pass a direction.")
    share = _inner(right, up) / length
    rest = tuple(v - share * u for u, v in zip(right, up, strict=True))
    if _inner(rest, rest) <= 1e-24 * _inner(up, up):
        raise DomainError("first and second are parallel; pass two directions.")
    return right, up if second is not None else _unit(rest)


def _inner(one: Chain, other: Chain) -> float:
    return float(sum(np.sum(u * v) for u, v in zip(one, other, strict=True)))


def _unit(chain: Chain) -> Chain:
    norm = _inner(chain, chain) ** 0.5
    return tuple(layer / norm for layer in chain)


def _image(found: Basins, name: str, places: int, missing: int) -> np.ndarray:
    column = getattr(found.columns, name)
    flat = np.full(places * places, missing, dtype=column.dtype)
    flat[found.numbers] = column
    return flat.reshape(places, places)


def _heights(task: Task, grid: np.ndarray) -> np.ndarray:
    """Return the excess losses of the starts."""
    size = task.settings["chunk"]
    parts = []
    for low in range(0, len(grid), size):
        taken = task.starts.take(low, min(low + size, len(grid)))
        parts.append(np.asarray(first_look(task.rules, taken)[0]))
    return np.concatenate(parts)
