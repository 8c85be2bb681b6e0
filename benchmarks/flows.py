"""Gradient flow: ours, plain diffrax, SciPy, and where there is one the closed form."""

from functools import partial
from typing import Any

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from scipy.integrate import solve_ivp

import thalweg as tw
from benchmarks.problems import balanced_start, gaussian_start, gaussian_target, problem
from benchmarks.rivals import plain_loss
from benchmarks.timing import Row, Run, Table, race
from thalweg.motion.exact import exact_flow

RTOL, ATOL = 1e-10, 1e-12
FINEST = {"method": "DOP853", "rtol": 2.3e-14, "atol": 1e-16}


def flows(quick: bool) -> Table:
    """Race flows to a given time at equal tolerances."""
    horizon = 1.0 if quick else 10.0
    target = gaussian_target()
    two, four = (10, 10, 10), (10, 32, 32, 10)
    even = balanced_start(two, 0.1 * target.T)
    posed, given = problem(two), tuple(map(jnp.asarray, even))
    closed = {
        "closed form": lambda: [
            layer[0] for layer in exact_flow(posed, given, [horizon]).weights
        ]
    }
    rows = _race("10-10-10, balanced start", two, even, target, horizon, closed)
    drawn = gaussian_start(four, std=0.2)
    rows += _race("10-32-32-10, Gaussian start", four, drawn, target, horizon, {})
    return Table(
        f"Gradient flow to time {horizon:g}",
        f"Tolerances {RTOL:g} relative, {ATOL:g} absolute; SciPy takes gradients by "
        "hand in NumPy. The error is the distance from DOP853 at "
        f"{FINEST['rtol']:g}.",
        rows,
    )


def _race(
    what: str,
    widths: tuple[int, ...],
    layers: Any,
    target: np.ndarray,
    horizon: float,
    more: dict[str, Run],
) -> list[Row]:
    posed, given = problem(widths), tuple(map(jnp.asarray, layers))
    by_scipy = partial(_scipy, layers, target, horizon)
    return race(
        what,
        {
            "thalweg": lambda: (
                tw.flow(
                    posed, given, times=[0.0, horizon], rtol=RTOL, atol=ATOL
                ).weights
            ),
            "plain diffrax, Dopri8": lambda: _plain(
                given, jnp.asarray(target), horizon
            ),
            "SciPy, DOP853": lambda: by_scipy(method="DOP853", rtol=RTOL, atol=ATOL),
            "SciPy, LSODA": lambda: by_scipy(method="LSODA", rtol=RTOL, atol=ATOL),
            **more,
        },
        within=1e-7,
        true=by_scipy(**FINEST),
    )


@jax.jit
def _plain(layers: Any, target: Any, horizon: Any) -> Any:
    """Follow minus `jax.grad` of the loss."""

    def field(_time: Any, layers: Any, target: Any) -> Any:
        return jax.tree.map(jnp.negative, jax.grad(plain_loss)(layers, target))

    return diffrax.diffeqsolve(
        diffrax.ODETerm(field),
        diffrax.Dopri8(),
        0.0,
        horizon,
        None,
        layers,
        target,
        saveat=diffrax.SaveAt(t1=True),
        stepsize_controller=diffrax.PIDController(rtol=RTOL, atol=ATOL),
        max_steps=100_000,
    ).ys


def _scipy(layers: Any, target: np.ndarray, horizon: float, **options: Any) -> Any:
    """Follow the gradient as one vector."""
    shapes = [layer.shape for layer in layers]
    cuts = np.cumsum([layer.size for layer in layers])[:-1]

    def split(flat: np.ndarray) -> list[np.ndarray]:
        parts = np.split(flat, cuts)
        return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]

    def field(_time: float, flat: np.ndarray) -> np.ndarray:
        chain = split(flat)
        below = [chain[0]]
        for layer in chain[1:]:
            below.append(layer @ below[-1])
        back, slopes = below[-1] - target, []
        for place in range(len(chain) - 1, 0, -1):
            slopes.append(back @ below[place - 1].T)
            back = chain[place].T @ back
        slopes.append(back)
        return -np.concatenate([slope.ravel() for slope in reversed(slopes)])

    flat = np.concatenate([layer.ravel() for layer in layers])
    return split(solve_ivp(field, (0.0, horizon), flat, **options).y[:, -1])
