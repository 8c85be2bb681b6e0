"""Which starts lead where: counts with their intervals, and how long it took."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path as Folder
from typing import Any

import numpy as np

from thalweg._core import store
from thalweg._core.errors import DomainError, StoreError
from thalweg.inits import shelf
from thalweg.landscape._following.drawing import Stack, Starts, starts_of
from thalweg.landscape._following.parts import Columns, Part, joined, saved_parts
from thalweg.landscape._following.rows import Row, Times
from thalweg.landscape._following.sorting import (
    BY_SYMMETRY,
    BY_ZEROS,
    EXACTLY,
    MINIMUM,
    SADDLE,
    Limit,
)
from thalweg.landscape.reduced import as_weights
from thalweg.landscape.wilson import Share, wilson
from thalweg.motion.descend import descend
from thalweg.motion.path import Path
from thalweg.problem.archive import pack, unpack


@dataclass(frozen=True)
class Basins:
    """Where many runs ended.

    Attributes:
        problem: What was minimised.
        settings: What was asked for, as plain values.
        limits: The limits that occur; `columns.limit` points to them.
        columns: What is known of every run.
        numbers: The runs' numbers, ascending; 0, 1, ... if all were followed.
        saddle_runs: Numbers of the first runs at saddles, 1000 at most.
        saddle_weights: Their weights at the end, one array a layer, runs last.
        interrupted: Whether runs are missing that were asked for.
    """

    problem: Any
    settings: dict[str, Any]
    limits: tuple[Limit, ...]
    columns: Columns
    numbers: np.ndarray
    saddle_runs: np.ndarray
    saddle_weights: Stack
    interrupted: bool
    starts: Starts | None = field(default=None, repr=False, compare=False)

    @property
    def runs(self) -> int:
        """Return how many runs were followed to their end."""
        return self.numbers.size

    @cached_property
    def table(self) -> tuple[Row, ...]:
        """Return a row for every limit that occurs."""
        rows = []
        for place, limit in enumerate(self.limits):
            here = self.columns.limit == place
            count = int(np.count_nonzero(here))
            known = self.columns.known[here]
            codes = BY_SYMMETRY, BY_ZEROS, EXACTLY
            counts = [int(np.count_nonzero(known == code)) for code in codes]
            rows.append(Row(limit, self._share(count), *counts))
        return tuple(rows)

    def share(self, verdict: str) -> Share:
        """Return how many runs have a verdict.

        Args:
            verdict: `global minimum`, `saddle`, `diverged` or `undecided`.

        Returns:
            The share with its interval; of none at all an upper bound.
        """
        places = [p for p, at in enumerate(self.limits) if at.verdict == verdict]
        return self._share(int(np.count_nonzero(np.isin(self.columns.limit, places))))

    def _share(self, count: int) -> Share:
        if not self.runs:
            raise DomainError("no run was followed to its end; let it run longer.")
        return wilson(count, self.runs, self.settings["confidence"])

    @cached_property
    def times(self) -> Times | None:
        """Return how long runs took to a global minimum; `None` if none got there."""
        places = [p for p, at in enumerate(self.limits) if at.verdict == MINIMUM]
        here = np.isin(self.columns.limit, places)
        if not np.any(here):
            return None
        return Times.of(self.columns.iterations[here], self.columns.near[here])

    def start(self, run: int) -> Any:
        """Return where a run started, as weights of the problem.

        Args:
            run: Its number.

        Returns:
            The weights.

        Raises:
            DomainError: If there is no such run, or the starts were given and are not
                kept in a saved result.
        """
        if run not in self.numbers:
            raise DomainError(f"run {run} was not followed; choose one of `numbers`.")
        starts = self.starts or self._redrawn()
        chain = [layer[..., 0] for layer in starts.take(run, run + 1)]
        return as_weights(self.problem, chain)

    def follow(self, run: int, **options: Any) -> Path:
        """Return the path of one run, recorded.

        Args:
            run: Its number.
            **options: Further arguments of `descend`.

        Returns:
            The descent from the run's start with the run's step. Its sums are formed in
            another order: it is the same to rounding.

        Raises:
            DomainError: If there is no such run.
        """
        start = self.start(run)
        place = int(np.searchsorted(self.numbers, run))
        given = {
            "step_size": float(self.columns.step_size[place]),
            "iterations": max(1, int(self.columns.iterations[place])),
            "accuracy": self.settings["accuracy"],
            **options,
        }
        return descend(self.problem, start, **given)

    def limit_of(self, run: int) -> Limit:
        """Return where a run ended.

        Args:
            run: Its number.

        Returns:
            The limit.

        Raises:
            DomainError: If there is no such run.
        """
        if run not in self.numbers:
            raise DomainError(f"run {run} was not followed; choose one of `numbers`.")
        place = int(np.searchsorted(self.numbers, run))
        return self.limits[int(self.columns.limit[place])]

    def saddle(self, run: int) -> Any:
        """Return the weights at which a run whose limit is a saddle ended.

        Where a symmetry of the start decided (`columns.known` is 2), rounding may have
        led them elsewhere.

        Args:
            run: One of `saddle_runs`.

        Returns:
            The weights of the problem.

        Raises:
            DomainError: If its weights were not kept.
        """
        places = np.flatnonzero(self.saddle_runs == run)
        if not places.size:
            raise DomainError(f"run {run} is not among `saddle_runs`.")
        chain = [layer[..., int(places[0])] for layer in self.saddle_weights]
        return as_weights(self.problem, chain)

    def _redrawn(self) -> Starts:
        told = dict(self.settings["starts"])
        named = told.get("init")
        if not isinstance(named, dict):
            raise DomainError(
                "the starts were given and are not kept in a saved result; pass them "
                "to `basins` again."
            )
        fields = dict(named)
        name = fields.pop("name")
        cards = [c for c in shelf.cards.values() if c.class_name == name]
        if not cards or any(
            isinstance(v, str) and len(v) == 64 for v in fields.values()
        ):
            raise DomainError(
                "the starts cannot be drawn again from a saved result; pass the init "
                "to `basins` again."
            )
        init = shelf.make(cards[0].name, **fields)
        return starts_of(self.problem, init, seed=told["seed"], std=None)

    def parts(self) -> list[Part]:
        """Return the chunks it was gathered from, those that are whole."""
        size, found = self.settings["chunk"], []
        for first in range(0, self.settings["runs"], size):
            last = min(first + size, self.settings["runs"])
            low, high = np.searchsorted(self.numbers, [first, last])
            if high - low < last - first:
                continue
            own = {n: getattr(self.columns, n)[low:high] for n in Columns.names()}
            here = (self.saddle_runs >= first) & (self.saddle_runs < last)
            kept = tuple(layer[..., here] for layer in self.saddle_weights)
            columns = Columns(**own)
            found.append(
                Part(first, self.limits, columns, self.saddle_runs[here], kept)
            )
        return found

    def to_json(self) -> dict[str, Any]:
        """Return everything but the single runs, as plain values."""
        times = self.times
        return {
            "runs": self.runs,
            "asked": self.settings["runs"],
            "interrupted": self.interrupted,
            "table": [row.to_json() for row in self.table] if self.runs else [],
            "shares": {
                name: self.share(name).to_json()
                for name in (MINIMUM, SADDLE, "diverged", "undecided")
            }
            if self.runs
            else {},
            "iterations": None if times is None else times.to_json(),
            "halvings": int(np.sum(self.columns.halvings)),
            "settings": self.settings,
        }

    def lines(self) -> list[str]:
        """Return the table and the times in words, one line each."""
        lines = [f"{row.limit}: {row.share}" + row.how() for row in self.table]
        if self.times is not None:
            lines += self.times.lines()
        if self.interrupted:
            asked = self.settings["runs"]
            lines.append(f"interrupted: {self.runs} of {asked} runs were followed")
        return lines

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write it to a folder.

        Args:
            folder: Where to.
        """
        problem, arrays = pack(self.problem)
        for name in Columns.names():
            arrays[f"run.{name}"] = getattr(self.columns, name)
        arrays["numbers"] = self.numbers
        arrays["saddle_runs"] = self.saddle_runs
        for j, layer in enumerate(self.saddle_weights, 1):
            arrays[f"saddle.W{j}"] = layer
        card = {
            "problem": problem,
            "settings": self.settings,
            "limits": [limit.to_json() for limit in self.limits],
            "interrupted": self.interrupted,
            "whole": True,
        }
        store.save(folder, "basins", card, arrays)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> "Basins":
        """Read a saved result, or what a broken-off run has left in its folder.

        Args:
            folder: Where `save`, or `basins` with `out`, wrote it.

        Returns:
            The result; of a run that was broken off, the chunks that were whole.

        Raises:
            StoreError: If it is missing, half written or altered.
        """
        card, arrays = store.load(folder, "basins")
        try:
            problem = unpack(card["problem"], arrays)
            if not card["whole"]:
                parts = saved_parts(Folder(folder))
                return gathered(problem, card["settings"], parts, None)
            depth = len([name for name in arrays if name.startswith("saddle.W")])
            return cls(
                problem=problem,
                settings=card["settings"],
                limits=tuple(map(Limit.from_json, card["limits"])),
                columns=Columns(
                    **{name: arrays[f"run.{name}"] for name in Columns.names()}
                ),
                numbers=arrays["numbers"],
                saddle_runs=arrays["saddle_runs"],
                saddle_weights=tuple(
                    arrays[f"saddle.W{j}"] for j in range(1, depth + 1)
                ),
                interrupted=card["interrupted"],
            )
        except (LookupError, TypeError, ValueError) as error:
            raise StoreError(
                f"{folder} holds a card this version cannot read: {error}."
            ) from error


def gathered(
    problem: Any,
    settings: dict[str, Any],
    parts: Sequence[Part],
    starts: Starts | None,
) -> Basins:
    """Return the chunks that were followed as one result.

    Args:
        problem: What was minimised.
        settings: What was asked for.
        parts: The chunks, in the order of their runs.
        starts: Where the runs started, if at hand.

    Returns:
        The result; interrupted, if there are fewer runs than were asked for.
    """
    limits, columns, numbers, kept, weights = joined(parts, problem.net.shapes)
    return Basins(
        problem=problem,
        settings=settings,
        limits=limits,
        columns=columns,
        numbers=numbers,
        saddle_runs=kept,
        saddle_weights=weights,
        interrupted=numbers.size < settings["runs"],
        starts=starts,
    )
