"""The standard problems, and the nets beside them."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import thalweg as tw

STEP = 0.01
WIDTHS = (10, 32, 32, 10)


def gaussian_target(outputs: int = 10, inputs: int = 10) -> np.ndarray:
    """Return a Gaussian matrix of spectral norm one."""
    gaussian = np.random.default_rng(0).standard_normal((outputs, inputs))
    return gaussian / np.linalg.norm(gaussian, 2)


def gaussian_start(
    widths: Sequence[int] = WIDTHS, runs: int | None = None, std: float = 0.1
) -> tuple[np.ndarray, ...]:
    """Return Gaussian layers, stacked for several runs."""
    draw = np.random.default_rng(1)
    lead = () if runs is None else (runs,)
    shapes = tw.LinearNet(tuple(widths)).shapes
    return tuple(std * draw.standard_normal((*lead, *shape)) for shape in shapes)


def balanced_start(
    widths: Sequence[int], matrix: Any, runs: int | None = None
) -> tuple[np.ndarray, ...]:
    """Return balanced layers of a product, in differently turned hidden spaces."""
    init = tw.init("balanced", end_to_end=jnp.asarray(matrix))
    net = tw.LinearNet(tuple(widths))
    keys = jax.random.split(jax.random.key(0), runs or 1)
    drawn = [init.draw(key, net) for key in keys]
    if runs is None:
        return tuple(map(np.asarray, drawn[0]))
    return tuple(np.stack(layer) for layer in zip(*drawn, strict=True))


def problem(widths: Sequence[int] = WIDTHS, target: Any = None) -> tw.Problem:
    """Return whitened data with a target, Gaussian unless given."""
    if target is None:
        target = gaussian_target(widths[-1], widths[0])
    return tw.Problem(
        tw.LinearNet(tuple(widths)), tw.Moments.whitened(jnp.asarray(target))
    )
