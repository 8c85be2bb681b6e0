"""From given second moments to the canonical factors, in NumPy float64."""

import numpy as np

from thalweg._core.errors import DataError, ShapeError
from thalweg.problem.columns import EPS, matrix_of
from thalweg.problem.recipe import Preparation, Recipe
from thalweg.problem.whitening import Reduction, align

SLACK = 1e-8
"""How far from possible given moments may be, relative to their own size: about the
square root of the rounding unit, what is left of a product computed elsewhere."""


def factor(xx: object, yx: object, yy: object | None, scale: str) -> Reduction:
    """Factor second moments.

    Args:
        xx: Second moment of the inputs, `"in in"`; symmetric, positive semidefinite.
        yx: Of labels with inputs, `"out in"`.
        yy: Of the labels, `"out out"`; `None` leaves the constant part at zero.
        scale: Whether they are divided by the number of samples, `mean` or `sum`.

    Returns:
        The factors, and the record.

    Raises:
        ShapeError: If the three do not fit together.
        DataError: If they are not the second moments of any data.
    """
    inner, cross = matrix_of("xx", xx), matrix_of("yx", yx)
    outputs, width = cross.shape
    if inner.shape != (width, width):
        raise ShapeError(
            f"xx has shape {inner.shape} and yx {cross.shape}; xx must be square, of "
            "the second size of yx."
        )
    sizes, seen = _sizes(inner)
    values, axes, neglected = _spectrum(inner, sizes, seen)
    inputs_factor = np.zeros((width, len(values)))
    inputs_factor[seen] = sizes[seen, None] * axes * np.sqrt(values)
    labels_factor = cross[:, seen] / sizes[seen] @ axes / np.sqrt(values)
    white = np.array_equal(inner, np.eye(width))
    if white:
        inputs_factor, labels_factor = inner, cross
    gap = np.abs(labels_factor @ inputs_factor.T - cross).max()
    if gap > SLACK * np.abs(cross).max():
        raise DataError(
            "yx has a part where xx has none, so no data have these second moments; "
            "compute both from the same samples."
        )
    leftover = np.zeros((outputs, outputs))
    if yy is not None:
        leftover = _leftover(matrix_of("yy", yy), labels_factor)
    return Reduction(
        inputs_factor=inputs_factor,
        labels_factor=labels_factor,
        leftover=leftover,
        constant=float(np.trace(leftover)) / 2,
        mean=np.zeros(width),
        matrix=None,
        bias=None,
        preparation=Preparation(
            origin="moments",
            recipe=Recipe(whiten=white, scale=scale),
            features=width,
            rank=len(values),
            constant=tuple(np.flatnonzero(~seen).tolist()),
            smallest_kept=float(np.sqrt(values[-1] / values[0])),
            largest_neglected=neglected,
            note="" if yy is not None else "the constant part of the loss is not known",
        ),
    )


def _symmetric(name: str, matrix: np.ndarray) -> np.ndarray:
    if np.abs(matrix - matrix.T).max() > SLACK * np.abs(matrix).max():
        raise DataError(f"{name} is not symmetric; a second moment is.")
    return (matrix + matrix.T) / 2


def _sizes(inner: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    diagonal = np.diag(inner)
    if diagonal.min() < 0:
        raise DataError(
            f"xx has {diagonal.min():.3g} on its diagonal; a second moment has nothing "
            "negative there."
        )
    seen = diagonal > 0
    if not seen.any():
        raise DataError("xx is zero; at least one input must vary.")
    return np.sqrt(diagonal), seen


def _spectrum(
    inner: np.ndarray, sizes: np.ndarray, seen: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float | None]:
    inner = _symmetric("xx", inner)
    correlation = inner[np.ix_(seen, seen)] / np.outer(sizes[seen], sizes[seen])
    values, axes = np.linalg.eigh(correlation)
    values, axes = values[::-1], axes[:, ::-1]
    if values[-1] < -SLACK * values[0]:
        raise DataError(
            f"xx has the eigenvalue {values[-1]:.3g} (as correlations); a second "
            "moment has nothing negative."
        )
    kept = values > 4 * len(values) * EPS * values[0]
    rank = int(kept.sum())
    neglected = (
        float(np.sqrt(max(values[rank], 0.0) / values[0])) if not kept.all() else None
    )
    axes = axes[:, :rank]
    return values[:rank], axes * align(axes.T), neglected


def _leftover(outer: np.ndarray, labels_factor: np.ndarray) -> np.ndarray:
    outputs = len(labels_factor)
    if outer.shape != (outputs, outputs):
        raise ShapeError(
            f"yy has shape {outer.shape}; with {outputs} outputs it must be "
            f"({outputs}, {outputs})."
        )
    outer = _symmetric("yy", outer)
    values, axes = np.linalg.eigh(outer - labels_factor @ labels_factor.T)
    if values[0] < -SLACK * np.abs(outer).max():
        raise DataError(
            f"yy leaves {values[0]:.3g} where the inputs explain more than all of it; "
            "compute all moments from the same samples, centred alike."
        )
    return (axes * np.clip(values, 0.0, None)) @ axes.T
