"""Chunks of runs, as they come: kept in memory, written to a folder, read back."""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from thalweg._core import store
from thalweg._core.errors import StoreError
from thalweg.landscape._following.drawing import Stack
from thalweg.landscape._following.sorting import SADDLE, Limit

KIND = "basins-part"

KEPT = 64
"""Weights at saddles that a chunk keeps, at most."""

MOST_KEPT = 1000
"""And a whole result."""


@dataclass(frozen=True)
class Columns:
    """What is known of every run; an entry per run.

    Attributes:
        limit: Place of the run's limit in the list of limits.
        known: At a saddle, 3 if zeros of the start let descent come to no lower value,
            2 if a symmetry of the start leads exact descent there (wherever rounding
            led the floats), 1 if the gradient at the end is zero in rational
            arithmetic; 0 if it only moves no float (undecided); -1 for all other runs.
        iterations: Steps taken.
        near: Those taken near a saddle.
        excess: Excess loss at the end.
        step_size: The step size.
        halvings: How often it was halved because the loss rose.
    """

    limit: np.ndarray
    known: np.ndarray
    iterations: np.ndarray
    near: np.ndarray
    excess: np.ndarray
    step_size: np.ndarray
    halvings: np.ndarray

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Return the names of the columns."""
        return tuple(field.name for field in fields(cls))


@dataclass(frozen=True)
class Part:
    """The runs of a chunk, followed to their ends.

    Attributes:
        first: Number of its first run.
        limits: The limits its codes point to.
        columns: What is known of every run.
        saddle_runs: Numbers of runs at saddles whose weights are kept.
        saddle_weights: Those weights, runs last.
    """

    first: int
    limits: tuple[Limit, ...]
    columns: Columns
    saddle_runs: np.ndarray
    saddle_weights: Stack

    @property
    def runs(self) -> int:
        """Return how many runs it holds."""
        return self.columns.limit.size

    def counts(self) -> dict[str, int]:
        """Return how many runs have each verdict."""
        told: dict[str, int] = {}
        tally = np.bincount(self.columns.limit, minlength=len(self.limits))
        for limit, count in zip(self.limits, tally, strict=True):
            told[limit.verdict] = told.get(limit.verdict, 0) + int(count)
        return told

    def save(self, folder: Path) -> None:
        """Write it beside the others of a folder."""
        card = {
            "first": self.first,
            "limits": [limit.to_json() for limit in self.limits],
        }
        arrays = {name: getattr(self.columns, name) for name in Columns.names()}
        arrays["saddle_runs"] = self.saddle_runs
        for j, layer in enumerate(self.saddle_weights, 1):
            arrays[f"saddle.W{j}"] = layer
        place = folder / "parts" / f"{self.first:012d}"
        # What a kill has left half written is no result that `save` would replace.
        shutil.rmtree(place, ignore_errors=True)
        store.save(place, KIND, card, arrays)

    @classmethod
    def load(cls, folder: Path) -> "Part":
        """Read one back."""
        card, arrays = store.load(folder, KIND)
        layers = [name for name in arrays if name.startswith("saddle.W")]
        return cls(
            first=card["first"],
            limits=tuple(map(Limit.from_json, card["limits"])),
            columns=Columns(**{name: arrays[name] for name in Columns.names()}),
            saddle_runs=arrays["saddle_runs"],
            saddle_weights=tuple(
                arrays[f"saddle.W{j}"] for j in range(1, len(layers) + 1)
            ),
        )


def part_of(first: int, limits: list[Limit], columns: Columns, weights: Stack) -> Part:
    """Return a part, with the weights of its first runs at saddles.

    Args:
        first: Number of its first run.
        limits: The limits its codes point to.
        columns: What is known of every run.
        weights: All its weights at the end, runs last.

    Returns:
        The part.
    """
    saddles = [place for place, at in enumerate(limits) if at.verdict == SADDLE]
    chosen = np.flatnonzero(np.isin(columns.limit, saddles))[:KEPT]
    kept = tuple(layer[..., chosen] for layer in weights)
    return Part(first, tuple(limits), columns, first + chosen, kept)


def saved_parts(folder: Path) -> list[Part]:
    """Return the parts that a folder holds whole, in order."""
    found = []
    for place in sorted(folder.glob("parts/*")):
        try:
            found.append(Part.load(place))
        except StoreError:
            continue
    return found


def forget_parts(folder: Path) -> None:
    """Remove the parts from a folder whose result has been written."""
    shutil.rmtree(folder / "parts", ignore_errors=True)


def joined(
    parts: Iterable[Part], shapes: tuple[tuple[int, int], ...]
) -> tuple[tuple[Limit, ...], Columns, np.ndarray, np.ndarray, Stack]:
    """Return parts as one.

    Args:
        parts: In the order of their runs; there may be none.
        shapes: Of the layers.

    Returns:
        The limits that occur, ordered; the columns; the numbers of the runs; the
        numbers of runs whose weights are kept; those weights.
    """
    every = [_nothing(shapes), *parts]
    occurring = {
        part.limits[code] for part in every for code in np.unique(part.columns.limit)
    }
    limits = tuple(sorted(occurring, key=_rank))
    columns: dict[str, list[np.ndarray]] = {name: [] for name in Columns.names()}
    for part in every:
        places = [limits.index(at) if at in occurring else -1 for at in part.limits]
        codes = np.array(places, dtype=np.int16)[part.columns.limit]
        for name, column in columns.items():
            column.append(codes if name == "limit" else getattr(part.columns, name))
    numbers = [np.arange(part.first, part.first + part.runs) for part in every]
    kept = np.concatenate([part.saddle_runs for part in every])[:MOST_KEPT]
    layers = zip(*(part.saddle_weights for part in every), strict=True)
    return (
        limits,
        Columns(**{name: np.concatenate(column) for name, column in columns.items()}),
        np.concatenate(numbers),
        kept,
        tuple(np.concatenate(layer, axis=-1)[..., :MOST_KEPT] for layer in layers),
    )


def _nothing(shapes: tuple[tuple[int, int], ...]) -> Part:
    """Return a part without runs."""
    none, few, real = np.zeros(0, np.int64), np.zeros(0, np.int32), np.zeros(0)
    small = np.zeros(0, np.int8)
    columns = Columns(none.astype(np.int16), small, few, few, real, real, small)
    return Part(0, (), columns, none, tuple(np.zeros((*s, 0)) for s in shapes))


def _rank(limit: Limit) -> Any:
    order = ("global minimum", "saddle", "diverged", "undecided")
    excess = limit.excess_loss or 0.0
    return order.index(limit.verdict), excess, limit.modes or (), limit.reason
