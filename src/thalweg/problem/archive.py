"""A problem as plain values and arrays, for storage, and back."""

from dataclasses import asdict
from typing import Any

import numpy as np

from thalweg.problem.losses import LOSSES
from thalweg.problem.moments import Moments
from thalweg.problem.nets import LinearNet
from thalweg.problem.packing import moments_fields, pack_moments
from thalweg.problem.problem import Problem
from thalweg.problem.samples import SampleProblem
from thalweg.problem.scalar import Playground


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
    plain, arrays = pack_moments(problem.data)
    card = {"kind": "linear", "widths": list(problem.net.widths), **plain}
    return card, {f"data.{name}": array for name, array in arrays.items()}


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
    own = {
        name.removeprefix("data."): array
        for name, array in arrays.items()
        if name.startswith("data.")
    }
    data = Moments(**moments_fields(card, own))
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
