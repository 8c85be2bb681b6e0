"""A path: its clock, its columns, how it ended, where it came from."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg._core import store
from thalweg._core.errors import DomainError, StoreError, unknown
from thalweg._core.outcome import Outcome, Outcomes
from thalweg._core.source import Source, bibliography
from thalweg.measures import shelf
from thalweg.motion.record import Measures
from thalweg.problem.archive import pack, unpack


@dataclass(frozen=True)
class Path:
    """What a descent or a flow recorded.

    `path["loss"]` is a column: one row per record, and in a batch a leading axis
    of runs.

    Attributes:
        problem: What was minimised.
        measures: The recorded measures, by column name.
        settings: What was asked for, as plain values.
        start: The weights at the start.
        weights: The weights at the end.
        velocity: The momentum at the end, or `None`.
        step_size: The step size, one per run in a batch; `None` for a flow.
        clock: When the records were taken: iterations, or flow times.
        columns: The records by column name.
        outcome: How it ended; one per run in a batch.
        batched: Whether there is an axis of runs.
        notes: Further plain values, such as the seed and the data's name.
        error: Estimated largest error of a weight, one per run in a batch; `None`
            for a descent by true steps, and a flow, whose notes tell it.
        inner: Weights and velocity at the end of the compressed net that moved,
            from which `resume` goes on; `None` if nothing was compressed.
    """

    problem: Any
    measures: Measures
    settings: dict[str, Any]
    start: Any
    weights: Any
    velocity: Any
    step_size: Any
    clock: np.ndarray
    columns: dict[str, np.ndarray]
    outcome: Outcome | Outcomes
    batched: bool
    notes: dict[str, Any] = field(default_factory=dict)
    error: Any = None
    inner: tuple[Any, Any] | None = None

    def __getitem__(self, name: str) -> np.ndarray:
        """Return a recorded column.

        Args:
            name: A column name, as in `path.columns`.

        Returns:
            Its records, time along the first axis (the second in a batch).

        Raises:
            UnknownName: If it was not recorded.
        """  # noqa: DOC501
        if name not in self.columns:
            raise unknown(name, self.columns, "this path's columns")
        return self.columns[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the column names."""
        return iter(self.columns)

    @property
    def is_flow(self) -> bool:
        """Return whether it is a gradient flow rather than a descent."""
        return bool(self.settings["kind"] == "flow")

    @property
    def iterations(self) -> np.ndarray:
        """Return the iterations of the records.

        Raises:
            DomainError: For a flow, which has none.
        """
        if self.is_flow:
            raise DomainError("a flow has no iterations; use path.times.")
        return self.clock

    @property
    def times(self) -> np.ndarray:
        """Return the flow times of the records; for a descent, iterations x step.

        Returns:
            Shape `(time,)`, or `(run, time)` where step sizes differ.
        """
        if self.is_flow:
            return self.clock
        if self.batched:
            return np.asarray(self.step_size)[:, None] * self.clock
        return self.clock * self.step_size

    @property
    def runs(self) -> int | None:
        """Return the number of runs of a batch, `None` for a single run."""
        return len(self.outcome) if isinstance(self.outcome, Outcomes) else None

    def run(self, index: int) -> "Path":
        """Return one run of a batch as a path of its own, ending where it ended.

        Args:
            index: Which run, from 0.

        Returns:
            The single path.

        Raises:
            DomainError: If this is not a batch, or has no such run.
        """
        if not isinstance(self.outcome, Outcomes):
            raise DomainError("the path is a single run; it has no runs to choose.")
        if not -len(self.outcome) <= index < len(self.outcome):
            raise DomainError(
                f"run {index} of {len(self.outcome)}; count from 0 to "
                f"{len(self.outcome) - 1}."
            )
        outcome = self.outcome[index]
        end = (
            outcome.iteration - outcome.diverged
            if outcome.time is None
            else outcome.time
        )
        length = int(np.searchsorted(self.clock, end, side="left")) + 1
        length = min(length, self.clock.size)
        clock = self.clock[:length].copy()
        clock[-1] = min(clock[-1], end)

        def one(tree: Any) -> Any:
            return jax.tree.map(lambda leaf: leaf[index], tree)

        return replace(
            self,
            start=one(self.start),
            weights=one(self.weights),
            velocity=one(self.velocity),
            step_size=None if self.is_flow else float(self.step_size[index]),
            clock=clock,
            columns={name: c[index, :length] for name, c in self.columns.items()},
            outcome=outcome,
            batched=False,
            error=None if self.error is None else float(self.error[index]),
            inner=one(self.inner),
        )

    def with_notes(self, **notes: Any) -> "Path":
        """Return the path with further plain values noted on it."""
        return replace(self, notes={**self.notes, **notes})

    def to_xarray(self) -> Any:
        """Return the columns as an `xarray.Dataset`.

        Returns:
            Dimensions are the measures' axes, after `time` (and `run`); the
            coordinate `iteration` or `time` is the clock; attributes hold symbols,
            settings and the outcome.
        """
        import xarray  # noqa: PLC0415

        lead = ("run", "time") if self.batched else ("time",)
        data: dict[str, Any] = {}
        cards = dict(self.measures)
        for name, column in self.columns.items():
            measure = cards.get(name)
            if measure is None:
                data[name] = (lead, column, {})
                continue
            axes = tuple(f"{name}_{axis}" for axis in measure.axes)
            told = {
                "symbol": measure.symbol,
                "description": type(measure).__doc__ or "",
            }
            data[name] = ((*lead, *axes), column, told)
        coords = {"time" if self.is_flow else "iteration": ("time", self.clock)}
        return xarray.Dataset(
            data, coords=coords, attrs={**self.settings, "outcome": str(self.outcome)}
        )

    def rate(self, **options: Any) -> Any:
        """Return the observed rate of convergence; see `rates.observed_rate`."""
        from thalweg.motion.rates import observed_rate  # noqa: PLC0415

        return observed_rate(self, **options)

    def cite(self) -> str:
        """Return the BibTeX of everything this path was made with."""
        return bibliography(self.sources)

    @property
    def sources(self) -> list[Source]:
        """Return the sources of the measures, and of the data and start if noted."""
        noted = [Source(**fields) for fields in self.notes.get("sources", ())]
        found = [measure.source for _, measure in self.measures]
        return [*(source for source in found if source is not None), *noted]

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the path to a folder: a readable card, arrays, a content hash.

        Args:
            folder: Where to; an earlier result there is replaced as a whole.

        Raises:
            StoreError: If the place is taken by something else or not writable.
        """
        problem_card, problem_arrays = pack(self.problem)
        arrays = {
            "clock": self.clock,
            **_named("start", self.start),
            **_named("weights", self.weights),
            **_named("velocity", self.velocity),
            **_named("inner", None if self.inner is None else self.inner[0]),
            **_named("inner_velocity", None if self.inner is None else self.inner[1]),
            **{f"column.{name}": column for name, column in self.columns.items()},
            **problem_arrays,
        }
        if self.step_size is not None:
            arrays["step_size"] = np.asarray(self.step_size)
        if self.error is not None:
            arrays["error"] = np.asarray(self.error)
        each = self.outcome if isinstance(self.outcome, Outcomes) else (self.outcome,)
        card = {
            "problem": problem_card,
            "settings": self.settings,
            "measures": [
                {"column": name, "fields": _fields(measure)}
                for name, measure in self.measures
            ],
            "batched": self.batched,
            "outcomes": [_finite(outcome.to_json()) for outcome in each],
            "notes": self.notes,
        }
        store.save(folder, "path", card, arrays)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> "Path":
        """Read a saved path.

        Args:
            folder: Where `save` wrote it.

        Returns:
            The path, equal to the one saved.

        Raises:
            StoreError: If it is missing, half written or altered.
        """
        card, arrays = store.load(folder, "path")
        try:
            return _restored(card, arrays)
        except (LookupError, TypeError, ValueError) as error:
            raise StoreError(
                f"{folder} holds a card this version cannot read: {error}."
            ) from error


def bundle(outcomes: tuple[Outcome, ...], batched: bool) -> Outcome | Outcomes:
    """Return outcomes as a batch, or the only one of a single run."""
    return Outcomes(outcomes) if batched else outcomes[0]


def _restored(card: dict[str, Any], arrays: dict[str, np.ndarray]) -> Path:
    problem = unpack(card["problem"], arrays)
    measures = tuple(
        (entry["column"], shelf.make(entry["column"], **entry["fields"]))
        for entry in card["measures"]
    )
    outcomes = tuple(Outcome.from_json(_infinite(entry)) for entry in card["outcomes"])
    inner = _tree("inner", arrays)
    return Path(
        problem=problem,
        measures=measures,
        settings=card["settings"],
        start=_tree("start", arrays),
        weights=_tree("weights", arrays),
        velocity=_tree("velocity", arrays),
        step_size=_number(arrays.get("step_size")),
        clock=arrays["clock"],
        columns={
            name.removeprefix("column."): column
            for name, column in arrays.items()
            if name.startswith("column.")
        },
        outcome=bundle(outcomes, card["batched"]),
        batched=card["batched"],
        notes=card["notes"],
        error=_number(arrays.get("error")),
        inner=None if inner is None else (inner, _tree("inner_velocity", arrays)),
    )


def _number(array: np.ndarray | None) -> Any:
    """Return an array without axes as a number, any other as it is."""
    return array if array is None or array.ndim else float(array)


def _named(name: str, tree: Any) -> dict[str, np.ndarray]:
    if tree is None:
        return {}
    if isinstance(tree, tuple):
        return {f"{name}.W{j}": np.asarray(w) for j, w in enumerate(tree, 1)}
    return {f"{name}.x": np.asarray(tree)}


def _tree(name: str, arrays: dict[str, np.ndarray]) -> Any:
    if f"{name}.x" in arrays:
        return jnp.asarray(arrays[f"{name}.x"])
    layers: list[Any] = []
    while f"{name}.W{len(layers) + 1}" in arrays:
        layers.append(jnp.asarray(arrays[f"{name}.W{len(layers) + 1}"]))
    return tuple(layers) or None


def _fields(measure: Any) -> dict[str, Any]:
    return {field.name: getattr(measure, field.name) for field in fields(measure)}


def _finite(entry: dict[str, Any]) -> dict[str, Any]:
    """JSON has no infinity: write the loss of a run that left float64 as text."""
    return {k: "inf" if v == float("inf") else v for k, v in entry.items()}


def _infinite(entry: dict[str, Any]) -> dict[str, Any]:
    return {k: float("inf") if v == "inf" else v for k, v in entry.items()}
