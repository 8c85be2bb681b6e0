"""Starts by their number: drawn, given, or on a plane.

Run `i` starts where `init.draw(fold_in(key(seed), i), net)` says, to rounding (a
compiled batch draws it), whatever the number of runs and their order.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg._core.errors import DomainError
from thalweg._core.store import content_hash
from thalweg.inits import shelf
from thalweg.inits._base import AbstractInit
from thalweg.motion.starts import stacked
from thalweg.problem.nets import LinearNet
from thalweg.problem.scalar import Playground

Stack = tuple[np.ndarray, ...]
"""Layers with the runs on the last axis."""

BLOCK = 4096
"""Starts drawn in one call: one program for all numbers of runs."""


@dataclass(frozen=True)
class Starts:
    """Where the runs start.

    Attributes:
        take: Returns the starts from one number to below another.
        name: What they are, as plain values: equal for equal starts.
        runs: How many there are; `None` without end.
    """

    take: Callable[[int, int], Stack]
    name: dict[str, Any]
    runs: int | None = None


def starts_of(problem: Any, init: Any, *, seed: int, std: float | None) -> Starts:
    """Return the starts that an argument names.

    Args:
        problem: What they must fit.
        init: A name on the shelf of inits, an init, or starts stacked along a leading
            axis.
        seed: Of the draws.
        std: Standard deviation, for a name.

    Returns:
        The starts.

    Raises:
        DomainError: If `std` came with something that is not a name.
    """
    if isinstance(init, str):
        init = _named(init, std)
    elif std is not None:
        raise DomainError(
            "std came with starts that have their own; pass it with a name only."
        )
    if isinstance(init, AbstractInit):
        return _drawn(problem.net, init, seed)
    return _given(problem, init)


def _drawn(net: LinearNet, init: AbstractInit, seed: int) -> Starts:
    key = jax.random.key(seed)

    def block(first: int) -> Stack:
        numbers = jnp.arange(first, first + BLOCK)
        try:
            drawn = _draw_many(init, net, key, numbers)
        except jax.errors.JAXTypeError:
            # An init that looks at its numbers cannot be compiled.
            each = [_draw_one(init, net, key, number) for number in numbers]
            drawn = jax.tree.map(lambda *leaves: np.stack(leaves), *each)
        return tuple(np.moveaxis(np.asarray(layer), 0, -1) for layer in drawn)

    def take(low: int, high: int) -> Stack:
        blocks = [block(first) for first in range(low, high, BLOCK)]
        joined = zip(*blocks, strict=True)
        return tuple(
            np.concatenate(parts, axis=-1)[..., : high - low] for parts in joined
        )

    return Starts(take, {"init": _told(init), "seed": seed})


def _draw_one(init: AbstractInit, net: LinearNet, key: Any, number: Any) -> Any:
    return init.draw(jax.random.fold_in(key, number), net)


@partial(jax.jit, static_argnums=(0, 1))
def _draw_many(init: AbstractInit, net: LinearNet, key: Any, numbers: Any) -> Any:
    return jax.vmap(lambda number: _draw_one(init, net, key, number))(numbers)


@lru_cache(maxsize=32)
def _named(name: str, std: float | None) -> Any:
    """Return an init by name; the same object again, for which programs are kept."""
    return shelf.make(name, **({} if std is None else {"std": std}))


def _given(problem: Any, weights: Any) -> Starts:
    if isinstance(problem, Playground) and isinstance(weights, list | tuple):
        weights = np.asarray(weights, dtype=np.float64)
    lanes, _ = stacked(problem, weights)
    if isinstance(lanes, tuple):
        layers = tuple(np.moveaxis(np.asarray(layer), 0, -1) for layer in lanes)
    else:
        vectors = np.asarray(lanes)
        layers = tuple(column[None, None] for column in vectors.T)
    named = {f"W{j}": layer for j, layer in enumerate(layers, 1)}
    return Starts(
        lambda low, high: tuple(layer[..., low:high] for layer in layers),
        {"init": "given", "sha256": content_hash(named)},
        layers[0].shape[-1],
    )


def on_plane(
    center: Sequence[np.ndarray],
    first: Sequence[np.ndarray],
    second: Sequence[np.ndarray],
    places: np.ndarray,
) -> Starts:
    """Return the starts `center + a first + b second`.

    Args:
        center: A chain.
        first: A direction, of the chain's shapes.
        second: Another.
        places: The pairs of `a` and `b`, `"run 2"`.

    Returns:
        The starts, made when they are asked for.
    """

    def take(low: int, high: int) -> Stack:
        a, b = places[low:high].T
        return tuple(
            c[..., None] + u[..., None] * a + v[..., None] * b
            for c, u, v in zip(center, first, second, strict=True)
        )

    parts = {"center": center, "first": first, "second": second}
    named = {f"{k}{j}": w for k, chain in parts.items() for j, w in enumerate(chain)}
    digest = content_hash({**named, "places": places})
    return Starts(take, {"init": "plane", "sha256": digest}, len(places))


def _told(init: Any) -> dict[str, Any]:
    """Return an init as plain values; arrays by their hash."""
    told: dict[str, Any] = {"name": type(init).__name__}
    for field in fields(init) if is_dataclass(init) else ():
        value = getattr(init, field.name)
        if value is None or isinstance(value, bool | int | float | str):
            told[field.name] = value
        else:
            leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(value)]
            named = {str(place): leaf for place, leaf in enumerate(leaves)}
            told[field.name] = content_hash(named)
    return told
