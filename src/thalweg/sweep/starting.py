"""The starts of many runs, drawn together, each the one it would draw alone.

Under `vmap` outside of `jit` every operation of a draw is carried out on all runs
before the next one begins: nothing is fused, so no bit differs from a single draw.
"""

import copy
import json
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np

import thalweg._core.arrays  # noqa: F401
from thalweg._core.errors import ThalwegError
from thalweg.inits import shelf
from thalweg.request.posing import init_of
from thalweg.request.settings import Settings

TOGETHER = 256
"""Starts drawn at once; always so many, for programs are compiled for one number."""

FEWEST = 24
"""Fewer are drawn one by one."""

ENTRIES = 2**24
"""Entries of all layers drawn at once, at most."""


def starts_of(
    asked: Sequence[Settings], problems: Sequence[Any]
) -> list[Any | ThalwegError]:
    """Return the starts of runs.

    Args:
        asked: The settings of every run.
        problems: What each minimises.

    Returns:
        A start each, equal to the bit to that of `pose`; or why there is none.
    """
    found: list[Any] = [None] * len(asked)
    inits: list[Any] = [None] * len(asked)
    made: dict[Any, Any] = {}
    for place, (settings, problem) in enumerate(zip(asked, problems, strict=True)):
        try:
            if settings.init is None and settings.start is not None:
                found[place] = problem.check(settings.start)
            else:
                # Runs of a task share the objects their settings were read into.
                name = id(settings.init), id(problem)
                if name not in made:
                    made[name] = init_of(settings, problem)
                inits[place] = made[name]
        except ThalwegError as error:
            found[place] = error
    for places in _alike(asked, problems, inits):
        drawn = _drawn(places, asked, problems, inits)
        for place, start in zip(places, drawn, strict=True):
            found[place] = start
    return found


def _alike(
    asked: Sequence[Settings], problems: Sequence[Any], inits: Sequence[Any]
) -> Iterator[list[int]]:
    """Yield the places of runs that draw alike, but for seed and std."""
    groups: dict[Any, list[int]] = {}
    for place, init in enumerate(inits):
        if init is not None:
            groups.setdefault(_kind(asked[place], problems[place]), []).append(place)
    for places in groups.values():
        width = _width(problems[places[0]])
        if len(places) < FEWEST or width < FEWEST:
            yield from ([place] for place in places)
            continue
        for first in range(0, len(places), width):
            yield places[first : first + width]


def _kind(settings: Settings, problem: Any) -> Any:
    """Return what starts that are drawn together have in common."""
    init = settings.init
    fields = {} if init is None else init.fields
    kept = {name: value for name, value in fields.items() if name != "std"}
    name = "" if init is None else init.name
    told = json.dumps(kept, sort_keys=True, default=str)
    # An init that takes the target draws alike for the same problem only.
    same = id(problem) if name and "target" in shelf.fields(name) else None
    return name, told, same, type(problem), problem.net.widths


def _width(problem: Any) -> int:
    return min(TOGETHER, ENTRIES // max(1, problem.net.parameters))


def _drawn(
    places: list[int],
    asked: Sequence[Settings],
    problems: Sequence[Any],
    inits: Sequence[Any],
) -> list[Any | ThalwegError]:
    """Return the starts of some runs that draw alike."""
    problem = problems[places[0]]
    if len(places) > 1:
        seeds = [asked[place].seed for place in places]
        together = _together([inits[place] for place in places], seeds, problem)
        if together is not None:
            return together
    return [_alone(inits[place], asked[place].seed, problem) for place in places]


def _alone(init: Any, seed: int, problem: Any) -> Any | ThalwegError:
    try:
        return problem.check(init.draw(jax.random.key(seed), problem.net))
    except ThalwegError as error:
        return error


def _together(inits: list[Any], seeds: list[int], problem: Any) -> list[Any] | None:
    """Return the starts of one kind of init; `None` where that cannot be traced."""
    count = len(seeds)
    full = _width(problem)
    rows = np.minimum(np.arange(full), count - 1)
    keys = jax.vmap(jax.random.key)(np.asarray(seeds)[rows])
    spread = hasattr(inits[0], "std")
    stds = np.asarray([float(init.std) if spread else 0.0 for init in inits])[rows]

    def one(key: Any, std: Any) -> Any:
        init = copy.copy(inits[0])
        if spread:
            object.__setattr__(init, "std", std)
        return problem.check(init.draw(key, problem.net))

    try:
        stack = jax.tree.map(np.asarray, jax.vmap(one)(keys, stds))
    except (ThalwegError, TypeError, jax.errors.JAXTypeError):
        return None
    if not all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(stack)):
        return None
    return [
        jax.tree.map(lambda leaf, row=row: leaf[row], stack) for row in range(count)
    ]
