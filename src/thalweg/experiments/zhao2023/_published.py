"""The published code's data, starts and clock, and tables of its courses."""

import numpy as np

from thalweg._core.source import Source
from thalweg.experiments._base import Table
from thalweg.experiments._drawn import torch_normals

ZHAO2023 = Source(
    "zhao2023",
    "B. Zhao, I. Ganev, R. Walters, R. Yu, N. Dehmamy",
    "Symmetries, flat minima, and the conserved quantities of gradient flow",
    "ICLR",
    2023,
    "arXiv:2210.17216",
    beyond=True,
)

OUTPUTS, INPUTS, HIDDEN_UNITS, SEED = 5, 10, 50, 12345
EARLY = 2000
"""A step at which the published code's drift is on record."""


def published_start(std: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the published code's start, as float64.

    Args:
        std: Standard deviation of the entries.

    Returns:
        `U` of shape (5, 50) and `V` of shape (10, 50).

    Example:
        >>> [round(float(layer[0, 0]), 5) for layer in published_start(0.1)]
        [-0.01924, -0.00823]
    """
    last = _matrix(OUTPUTS, HIDDEN_UNITS, std)
    return last, _matrix(INPUTS, HIDDEN_UNITS, std)


def published_labels() -> np.ndarray:
    """Return the published code's labels, of shape (5, 10)."""
    return _matrix(OUTPUTS, INPUTS, 1.0)


def _matrix(rows: int, columns: int, std: float) -> np.ndarray:
    """Return what `torch.rand` and then `normal_` leave in a fresh matrix."""
    count = rows * columns
    normals = torch_normals(SEED, count, skipped=count) * np.float32(std)
    return normals.reshape(rows, columns).astype(np.float64)


def recorded(last: int, records: int, steps: np.ndarray) -> np.ndarray:
    """Return iterations: 0, logarithmically spaced, and where steps are compared.

    Args:
        last: The last.
        records: About how many.
        steps: Step sizes, to be compared at the flow time the smallest reaches.

    Returns:
        Increasing whole numbers from 0 to `last`.
    """
    spread = np.geomspace(1, last, records).round().astype(int)
    equal_times = (last * steps.min() / steps).round().astype(int)
    return np.unique(np.concatenate(([0, min(EARLY, last), last], spread, equal_times)))


def long(name: str, label: str, values: np.ndarray, at: np.ndarray) -> Table:
    """Return the first columns of a long table: runs one after the other.

    Args:
        name: Of the activation.
        label: Of the column by which runs differ.
        values: That column, one a run.
        at: Iterations recorded, alike in all runs.

    Returns:
        The columns `activation`, `label` and `iteration`.
    """
    return {
        "activation": np.full(len(values) * len(at), name, dtype="<U8"),
        label: np.repeat(values, len(at)),
        "iteration": np.tile(at, len(values)),
    }


def joined(parts: list[Table]) -> Table:
    """Return tables of the same columns, one below the other."""
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
