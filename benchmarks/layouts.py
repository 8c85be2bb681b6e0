"""Ways to lay a batch of square three-layer nets out, and a bare step in each."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks.problems import STEP
from thalweg.linalg.association import cheapest_splits, products, pullback
from thalweg.motion._blocks import _layout

DEPTH = 3


@dataclass(frozen=True)
class Layout:
    """How lanes are dealt and stored.

    Attributes:
        name: What to call it.
        step: One step of a block, from its layers and the target.
        width: Lanes of a block, from all lanes and the weights of one.
        axis: Where a block keeps its lanes; `None` for one lane without an axis.
        threads: Whether every core takes blocks of its own.
        widest: Nets above this width are not worth compiling.
        fewest: Nor are fewer lanes.
    """

    name: str
    step: Callable[[Any, Any], Any]
    width: Callable[[int, int], int]
    axis: int | None = 0
    threads: bool = True
    widest: int = 10**6
    fewest: int = 1

    def pack(self, layers: Any, threads: int) -> list[Any]:
        """Return layers, lanes first, as blocks by thread; the last fills the rest."""
        lanes, rows, columns = layers[0].shape
        threads = min(threads, lanes) if self.threads else 1
        width = min(self.width(lanes, DEPTH * rows * columns), -(-lanes // threads))
        blocks = -(-lanes // (threads * width))
        index = np.minimum(np.arange(threads * blocks * width), lanes - 1)

        def lay(layer: np.ndarray) -> np.ndarray:
            dealt = layer[index].reshape(threads, blocks, width, rows, columns)
            if self.axis is None:
                return dealt[:, :, 0]
            return np.moveaxis(dealt, 2, 2 + self.axis)

        laid = [lay(layer) for layer in layers]
        return [tuple(jnp.asarray(w[own]) for w in laid) for own in range(threads)]

    def unpack(self, parts: list[Any], lanes: int) -> list[np.ndarray]:
        """Return blocks as layers, lanes first."""

        def stand(leaf: Any) -> np.ndarray:
            whole = np.asarray(leaf)
            if self.axis is None:
                return whole
            return np.moveaxis(whole, 1 + self.axis, 1).reshape(
                -1, *_sizes(self, whole)
            )

        return [
            np.concatenate([stand(part[layer]) for part in parts])[:lanes]
            for layer in range(DEPTH)
        ]

    def compiled(self, target: Any) -> Callable[[list[Any], int], list[Any]]:
        """Return the run of so many steps, every thread on its own part."""

        def block(layers: Any, steps: Any) -> Any:
            return lax.fori_loop(
                0, steps, lambda _, now: self.step(now, target), layers
            )

        one_core = {"xla_cpu_multi_thread_eigen": False} if self.threads else None
        run = jax.jit(
            lambda part, steps: lax.map(partial(block, steps=steps), part),
            compiler_options=one_core,
        )

        def on_every_core(parts: list[Any], steps: int) -> list[Any]:
            def one(part: Any) -> Any:
                return jax.block_until_ready(run(part, steps))

            if len(parts) == 1:
                return [one(parts[0])]
            with ThreadPoolExecutor(len(parts)) as pool:
                return list(pool.map(one, parts))

        return on_every_core


def _sizes(layout: Layout, whole: np.ndarray) -> tuple[int, int]:
    kept = [size for axis, size in enumerate(whole.shape[1:]) if axis != layout.axis]
    return kept[0], kept[1]


def _lying(layers: Any, target: Any) -> Any:
    """Step one lane as the engine does."""
    sizes = (target.shape[0],) * (DEPTH + 1)
    splits = cheapest_splits(sizes)
    kept = products(layers, sizes, splits)
    error = kept.pop((0, DEPTH - 1)) - target
    slopes = pullback(layers, kept, sizes, splits, error)
    return tuple(w - STEP * slope for w, slope in zip(layers, slopes, strict=True))


def _by_hand(
    times: Callable[[Any, Any, bool, bool], Any], layers: Any, target: Any
) -> Any:
    """Step by a product that may turn its first or its second factor."""
    first, second, third = layers
    inner = times(second, first, False, False)
    error = times(third, inner, False, False) - target
    back = times(third, error, True, False)
    return (
        first - STEP * times(second, back, True, False),
        second - STEP * times(back, first, False, True),
        third - STEP * times(error, inner, False, True),
    )


def _einsum(left: Any, right: Any, turn: bool, other: bool) -> Any:
    spelt = f"b{'ji' if turn else 'ij'},b{'kj' if other else 'jk'}->bik"
    return jnp.einsum(spelt, left, right)


def _lanes_last(left: Any, right: Any, turn: bool, other: bool) -> Any:
    left = left.swapaxes(0, 1) if turn else left
    right = right.swapaxes(0, 1) if other else right
    return sum(left[:, j, None] * right[None, j] for j in range(left.shape[1]))


LAYOUTS = (
    Layout(
        "vmap, blocks",
        jax.vmap(_lying, in_axes=(0, None)),
        lambda lanes, weights: _layout(lanes, weights)[2],
    ),
    Layout(
        "einsum, at once",
        partial(_by_hand, _einsum),
        lambda lanes, _: lanes,
        threads=False,
    ),
    Layout(
        "nets last",
        lambda layers, target: _by_hand(_lanes_last, layers, target[..., None]),
        lambda *_: 64,
        axis=2,
        widest=32,
        fewest=64,
    ),
    Layout("net by net", _lying, lambda *_: 1, axis=None, fewest=2),
)
