"""Which starts to follow, how, and to what end: checked, and cut into chunks."""

from dataclasses import dataclass
from threading import Event
from typing import Any

import jax.numpy as jnp
import numpy as np

from thalweg._core import store
from thalweg._core.errors import DomainError, positive, whole
from thalweg.landscape._following.beyond import leap_on
from thalweg.landscape._following.drawing import Starts
from thalweg.landscape._following.lanes import Rules
from thalweg.landscape._following.parts import Columns, Part, part_of
from thalweg.landscape._following.pursuit import Pace, pursue
from thalweg.landscape._following.sorting import (
    RESOLVED,
    energy,
    lowest_saddle,
    saddle_levels,
    sort_ends,
)
from thalweg.landscape._points.ground import Ground
from thalweg.landscape.wilson import wilson
from thalweg.problem.archive import pack

SHARES = {"descent": 0.5, "flow": 0.02}
"""Step times sharpness at the start; of a flow it is the error a unit of time makes."""

ACCURACY = 1e-6
"""Share of the labels' energy that counts as arrival, where nothing else is said."""

LARGEST_CHUNK, SMALLEST_CHUNK = 65536, 256
CHUNK_BYTES = 2**24


@dataclass(frozen=True)
class Task:
    """What is asked for, checked."""

    ground: Ground
    starts: Starts
    settings: dict[str, Any]

    @classmethod
    def of(cls, ground: Ground, starts: Starts, **given: Any) -> "Task":
        """Return the task that the arguments of `basins` describe, or raise."""
        runs = starts.runs or 10_000
        if given["runs"] is not None:
            runs = whole("runs", given["runs"], least=1)
        if starts.runs is not None and runs > starts.runs:
            raise DomainError(f"runs is {runs}, but {starts.runs} starts were given.")
        if given["method"] not in SHARES:
            raise DomainError(
                f"method is {given['method']!r}; it must be descent or flow."
            )
        wilson(0, 1, given["confidence"])
        step, beyond = given["step_size"], given["beyond"]
        iterations = whole("iterations", given["iterations"], least=1)
        settings = {
            "runs": runs,
            "starts": starts.name,
            "method": given["method"],
            "step_size": None if step is None else positive("step_size", step),
            "iterations": iterations,
            "accuracy": _accuracy(ground, given["accuracy"]),
            "beyond": None if beyond is None else whole("beyond", beyond, iterations),
            "confidence": float(given["confidence"]),
            "chunk": _chunk(runs, ground.posed.net.parameters),
            "problem": _fingerprint(ground.problem),
        }
        return cls(ground, starts, settings)

    @property
    def chunks(self) -> list[tuple[int, int]]:
        """Return the first run of every chunk, and the one after its last."""
        size, runs = self.settings["chunk"], self.settings["runs"]
        return [(low, min(low + size, runs)) for low in range(0, runs, size)]

    @property
    def rules(self) -> Rules:
        """Return what ends a run."""
        ground, said = self.ground, self.settings
        inputs = ground.inputs
        return Rules(
            inputs=None if inputs is None else jnp.asarray(inputs),
            labels=jnp.asarray(ground.labels),
            infimum=jnp.asarray(float(ground.posed.infimum)),
            energy=jnp.asarray(energy(ground)),
            accuracy=jnp.asarray(said["accuracy"]),
            budget=jnp.asarray(said["iterations"]),
            guarded=jnp.asarray(said["step_size"] is None),
            levels=jnp.asarray(np.array(saddle_levels(ground))),
        )

    @property
    def pace(self) -> Pace:
        """Return how steps are chosen."""
        depth = self.ground.depth
        largest = float(self.ground.posed.target_singular_values.max(initial=0.0))
        inputs = self.ground.inputs
        reach = 1.0 if inputs is None else float(np.linalg.norm(inputs, 2)) ** 2
        floor = depth * largest ** (2 - 2 / depth) * reach
        return Pace(self.settings["step_size"], SHARES[self.settings["method"]], floor)

    @property
    def counter(self) -> type[np.signedinteger[Any]]:
        """Return the type of a count of iterations."""
        most = max(self.settings["iterations"], self.settings["beyond"] or 0)
        return np.int32 if most < 2**31 else np.int64

    def follow(self, chunk: tuple[int, int], stop: Event) -> Part | None:
        """Return a chunk's runs, followed to their ends; `None` if stopped."""
        first, last = chunk
        starts = self.starts.take(first, last)
        ends = pursue(self.rules, starts, self.pace, stop, first=first)
        if ends is None:
            return None
        if self.settings["beyond"] is not None and not leap_on(
            self.ground, ends, self.settings, stop
        ):
            return None
        codes, limits, known = sort_ends(self.ground, starts, ends)
        columns = Columns(
            limit=codes,
            known=known,
            iterations=ends.iterations.astype(self.counter),
            near=ends.near.astype(self.counter),
            excess=ends.excess,
            step_size=ends.step_size,
            halvings=ends.halvings,
        )
        return part_of(first, limits, columns, ends.weights)


def _accuracy(ground: Ground, given: float | None) -> float:
    """Return the accuracy, or raise if a saddle might lie below it."""
    lowest = lowest_saddle(ground.problem)
    if given is None:
        return min(ACCURACY * (energy(ground) or 1.0), lowest / 2)
    accuracy = positive("accuracy", given)
    # Below it by what rounding may take from a loss.
    if accuracy >= lowest - RESOLVED / 2 * energy(ground):
        raise DomainError(
            f"accuracy is {accuracy:g}, but a saddle has excess loss {lowest:g}: a run "
            "that got there might end at it; pass less."
        )
    return accuracy


def _chunk(runs: int, parameters: int) -> int:
    """Return how many runs a chunk has: a power of two."""
    fitting = min(LARGEST_CHUNK, CHUNK_BYTES // (8 * parameters), max(1, runs // 8))
    return max(SMALLEST_CHUNK, 1 << max(0, fitting.bit_length() - 1))


def _fingerprint(problem: Any) -> str:
    card, arrays = pack(problem)
    name = np.frombuffer(str(sorted(card.items())).encode(), dtype=np.uint8)
    return store.content_hash({**arrays, "card": name})
