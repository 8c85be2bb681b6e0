"""A problem as plain values and arrays, for storage, and back."""

from dataclasses import asdict
from typing import Any

import jax.numpy as jnp
import numpy as np

from thalweg.problem.losses import LOSSES
from thalweg.problem.moments import AffineMap, Moments
from thalweg.problem.nets import LinearNet
from thalweg.problem.problem import Problem
from thalweg.problem.recipe import Preparation, Recipe
from thalweg.problem.samples import SampleProblem
from thalweg.problem.scalar import Playground

_ARRAYS = ("inputs_factor", "labels_factor", "leftover", "constant")


def pack(problem: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return a problem as a card of plain values and named arrays.

    Args:
        problem: A `Problem`, a `SampleProblem` or a `Playground`.

    Returns:
        The card, which `json` can write, and the arrays.
    """
    if isinstance(problem, Playground):
        return {"kind": "playground", "depth": problem.depth}, {}
    if isinstance(problem, SampleProblem):
        return _pack_samples(problem)
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
        A `Problem`, a `SampleProblem` or a `Playground`.
    """
    if card["kind"] == "playground":
        return Playground(card["depth"])
    if card["kind"] == "samples":
        return _unpack_samples(card, arrays)
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


def _pack_samples(
    problem: SampleProblem,
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    arrays = {
        "data.inputs": np.asarray(problem.inputs.T),
        "data.labels": np.asarray(problem.labels.T),
        "data.infimum": np.asarray(problem.infimum),
    }
    if problem.best is not None:
        arrays["data.target"] = np.asarray(problem.best.matrix)
    loss = problem.sample_loss
    card = {
        "kind": "samples",
        "widths": list(problem.net.widths),
        "scale": problem.scale,
        "loss": type(loss).__name__,
        "loss_fields": asdict(loss),
    }
    return card, arrays


def _unpack_samples(
    card: dict[str, Any], arrays: dict[str, np.ndarray]
) -> SampleProblem:
    return SampleProblem(
        LinearNet(tuple(card["widths"])),
        arrays["data.inputs"],
        arrays["data.labels"],
        LOSSES[card["loss"]](**card["loss_fields"]),
        scale=card["scale"],
        infimum=float(arrays["data.infimum"]),
        target=arrays.get("data.target"),
    )


def _preparation(fields: dict[str, Any]) -> Preparation:
    plain = {name: _tuples(value) for name, value in fields.items()}
    return Preparation(**{**plain, "recipe": Recipe(**fields["recipe"])})


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
