"""The standard problem: width 10-32-32-10, Gaussian start, step 0.01."""

import jax.numpy as jnp
import numpy as np

import thalweg as tw

STEP = 0.01
SHAPES = ((32, 10), (32, 32), (10, 32))


def target() -> np.ndarray:
    """Return a Gaussian matrix of spectral norm one."""
    gaussian = np.random.default_rng(0).standard_normal((10, 10))
    return gaussian / np.linalg.norm(gaussian, 2)


def start(runs: int | None = None) -> list[np.ndarray]:
    """Return Gaussian layers of standard deviation 0.1, stacked for several runs."""
    draw = np.random.default_rng(1)
    lead = () if runs is None else (runs,)
    return [0.1 * draw.standard_normal((*lead, *shape)) for shape in SHAPES]


def problem() -> tw.Problem:
    """Return the problem."""
    return tw.Problem(
        tw.LinearNet((10, 32, 32, 10)), tw.Moments.whitened(jnp.asarray(target()))
    )
