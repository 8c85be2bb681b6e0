"""A problem as plain values and arrays, for storage, and back."""

from dataclasses import asdict
from typing import Any

import jax.numpy as jnp
import numpy as np

from thalweg.problem.moments import AffineMap, Moments
from thalweg.problem.nets import LinearNet
from thalweg.problem.problem import Problem
from thalweg.problem.recipe import Preparation, Recipe
from thalweg.problem.scalar import Playground

_ARRAYS = ("inputs_factor", "labels_factor", "leftover", "constant")


def pack(problem: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return a problem as a card of plain values and named arrays.

    Args:
        problem: A `Problem` or a `Playground`.

    Returns:
        The card, which `json` can write, and the arrays.
    """
    if isinstance(problem, Playground):
        return {"kind": "playground", "depth": problem.depth}, {}
    data = problem.data
    arrays = {f"data.{name}": np.asarray(getattr(data, name)) for name in _ARRAYS}
    card = {
        "kind": "linear",
        "widths": list(problem.net.widths),
        "samples": data.samples,
        "scale": data.scale,
        "is_whitened": data.is_whitened,
        "preparation": asdict(data.preparation),
    }
    if data.whitening is not None:
        card["bias"] = data.whitening.bias
        arrays["data.mean"] = np.asarray(data.whitening.mean)
        if data.whitening.matrix is not None:
            arrays["data.matrix"] = np.asarray(data.whitening.matrix)
    return card, arrays


def unpack(card: dict[str, Any], arrays: dict[str, np.ndarray]) -> Any:
    """Return the problem that `pack` described.

    Args:
        card: Its plain values.
        arrays: Its arrays; others are left alone.

    Returns:
        A `Problem` or a `Playground`.
    """
    if card["kind"] == "playground":
        return Playground(card["depth"])
    whitening = None
    if "data.mean" in arrays:
        matrix = arrays.get("data.matrix")
        whitening = AffineMap(
            jnp.asarray(arrays["data.mean"]),
            None if matrix is None else jnp.asarray(matrix),
            card["bias"],
        )
    data = Moments(
        **{name: jnp.asarray(arrays[f"data.{name}"]) for name in _ARRAYS},
        whitening=whitening,
        samples=card["samples"],
        scale=card["scale"],
        is_whitened=card["is_whitened"],
        preparation=_preparation(card["preparation"]),
    )
    return Problem(LinearNet(tuple(card["widths"])), data)


def _preparation(fields: dict[str, Any]) -> Preparation:
    plain = {name: _tuples(value) for name, value in fields.items()}
    return Preparation(**{**plain, "recipe": Recipe(**fields["recipe"])})


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
