"""Moments as plain values and arrays, for storage, and back."""

from dataclasses import asdict
from typing import Any

import jax.numpy as jnp
import numpy as np

from thalweg.problem.affine import AffineMap
from thalweg.problem.recipe import Preparation, Recipe

KIND = "moments"
"""What saved moments are called on their card."""

ARRAYS = ("inputs_factor", "labels_factor", "leftover", "constant")


def pack_moments(moments: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return moments as a card of plain values and named arrays.

    Args:
        moments: The `Moments`.

    Returns:
        The card, which `json` can write, and the arrays.
    """
    arrays = {name: np.asarray(getattr(moments, name)) for name in ARRAYS}
    card = {
        "samples": moments.samples,
        "scale": moments.scale,
        "is_whitened": moments.is_whitened,
        "preparation": asdict(moments.preparation),
    }
    if moments.whitening is not None:
        card["bias"] = moments.whitening.bias
        arrays["mean"] = np.asarray(moments.whitening.mean)
        if moments.whitening.matrix is not None:
            arrays["matrix"] = np.asarray(moments.whitening.matrix)
    return card, arrays


def moments_fields(
    card: dict[str, Any], arrays: dict[str, np.ndarray]
) -> dict[str, Any]:
    """Return the fields of the moments that `pack_moments` described.

    Args:
        card: Its plain values; others are left alone.
        arrays: Its arrays; others are left alone.

    Returns:
        What `Moments` is called with.
    """
    whitening = None
    if "mean" in arrays:
        matrix = arrays.get("matrix")
        whitening = AffineMap(
            jnp.asarray(arrays["mean"]),
            None if matrix is None else jnp.asarray(matrix),
            card["bias"],
        )
    return {
        **{name: jnp.asarray(arrays[name]) for name in ARRAYS},
        "whitening": whitening,
        "samples": card["samples"],
        "scale": card["scale"],
        "is_whitened": card["is_whitened"],
        "preparation": _preparation(card["preparation"]),
    }


def _preparation(fields: dict[str, Any]) -> Preparation:
    plain = {name: _tuples(value) for name, value in fields.items()}
    return Preparation(**{**plain, "recipe": Recipe(**fields["recipe"])})


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
