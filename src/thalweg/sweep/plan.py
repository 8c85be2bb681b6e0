"""From a design to runs: columns, keys, settings, groups, chunks."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from thalweg.sweep.design import Design


@dataclass(frozen=True)
class Group:
    """Runs that one compiled program serves.

    Attributes:
        label: What they share, in words.
        runs: Their places in the plan, ascending.
    """

    label: str
    runs: tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """The runs of a design, in its order.

    Of a design with a search these are its points (the searched field as in the
    base); `candidates` gives the runs of a round.

    Attributes:
        design: The design.
        columns: Value of every axis, one a run, by the axis' name; tables and lists
            as compact JSON text.
        keys: Key of every run (of a point, with the search in it).
        left_out: Combinations the design leaves out by `sweep.without`.
    """

    design: Design
    columns: dict[str, list[Any]]
    keys: tuple[str, ...]
    left_out: int = 0

    def __len__(self) -> int:
        """Return the number of runs."""
        return len(self.keys)

    @property
    def units(self) -> Sequence[dict[str, Any]]:
        """Return the plain settings of every run, made when asked for.

        `Settings.model_validate(unit)` accepts them. No out, page, figures, records,
        every; `measures` and `theorems` are empty unless the base asks for some.
        """
        raise NotImplementedError

    @property
    def recording(self) -> dict[str, Any]:
        """Return what kept trajectories record: measures, and records or every."""
        raise NotImplementedError

    @property
    def groups(self) -> tuple[Group, ...]:
        """Return the runs by compiled program, in the order of their first run."""
        raise NotImplementedError

    def chunks(
        self,
        *,
        most: int = 1024,
        memory: int | None = None,
        per_run: Callable[[dict[str, Any]], int] | None = None,
        missing: Collection[str] | None = None,
    ) -> list[dict[str, Any]]:
        """Return tasks `{"group", "runs": [{"key", "settings"}], "recording"}`.

        Equal keys come once. `recording` is `None` unless trajectories are kept.

        Args:
            most: Most runs of a task.
            memory: Most bytes of a task.
            per_run: Bytes a run of these settings takes; `bytes_per_run` by default.
                Asked once a group.
            missing: Keys that are wanted; all by default.
        """
        raise NotImplementedError

    def candidates(self, requests: Iterable[Any]) -> "Plan":
        """Return the plan of a search's round, one run a request, in their order.

        Columns: those of the points, `point`, and the searched field.
        """
        raise NotImplementedError

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return columns and keys as arrays, for `np.savez`."""
        raise NotImplementedError

    @classmethod
    def from_arrays(cls, design: Design, arrays: Any) -> "Plan":
        """Return the plan `to_arrays` came from, without planning and without JAX."""
        raise NotImplementedError


def plan(design: Design) -> Plan:
    """Return the runs of a design, every setting and combination checked."""
    raise NotImplementedError


def bytes_per_run(settings: dict[str, Any]) -> int:
    """Return about how many bytes a run holds while it is carried out."""
    raise NotImplementedError
