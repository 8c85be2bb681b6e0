r"""From count, means and centred second moments to the canonical factors.

Notation: as in `whitening`, where $X = Z D$ are the standardised inputs and
$Z = Q S V^\top$. Here $Z^\top Z$ is known, or a triangle $R$ with $R^\top R$ that
matrix, which takes the place of the samples: singular values keep their precision.
From products, $S^2$ and $V$ are eigenvalues and eigenvectors: singular values below
`SMALLEST` of the largest are not told from rounding there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from thalweg._core.errors import DataError
from thalweg.problem._streaming.sums import Sums, sizes_of
from thalweg.problem.columns import EPS
from thalweg.problem.recipe import Preparation, Recipe
from thalweg.problem.whitening import (
    RANK_TOLERANCE,
    Reduction,
    align,
    bordered,
    directions,
    minimiser,
)

SMALLEST = 1e-6
"""A singular value of the standardised inputs counts if it exceeds this, relative to
the largest: the root of the error that second moments may have."""


@dataclass(frozen=True, eq=False)
class _Spectrum:
    """Standardised inputs by their directions, and the labels beside them."""

    values: np.ndarray
    axes: np.ndarray
    explained: np.ndarray
    leftover: np.ndarray
    neglected: float | None


@dataclass(frozen=True, eq=False)
class _Inputs:
    """What is known of the inputs: rows, means, root mean squares, which vary."""

    rows: int
    mean: np.ndarray
    spread: np.ndarray
    seen: np.ndarray
    tolerance: float


def reduce_sums(
    sums: Sums, features: int, recipe: Recipe, precision: Sequence[float]
) -> Reduction:
    """Reduce sums to the canonical factors.

    Args:
        sums: Of features and labels, in this order.
        features: How many of the columns are features.
        recipe: What to do on the way; checked by the caller.
        precision: Relative rounding error of each feature as it was stored.

    Returns:
        The factors, the affine map to the coordinates, and the record.
    """
    rows, means = sums.rows, sums.mean
    weight = rows**-0.5 if recipe.scale == "mean" else 1.0
    matrix, width = _about(sums, features, recipe)
    inputs = _inputs(sums, matrix, width, recipe, np.array(precision))
    spectrum = _spectrum(sums.triangular, matrix, width, inputs)
    labels = _Labels(rows, means[features:], sums.sizes[features:])
    scales, explained, leftover = _scaled(spectrum, labels, inputs, recipe)
    rank = len(spectrum.values) + (recipe.bias and recipe.centers_inputs)
    factor = weight * _inputs_factor(spectrum, inputs)
    if recipe.bias and recipe.centers_inputs:
        factor = bordered(factor, weight * rows**0.5)
    bias = rows**-0.5 / weight if recipe.whiten else 1.0
    return Reduction(
        inputs_factor=np.eye(rank) if recipe.whiten else factor,
        labels_factor=weight * explained,
        leftover=weight**2 * leftover,
        constant=float(np.trace(weight**2 * leftover)) / 2,
        mean=means[:features] if recipe.centers_inputs else np.zeros(features),
        matrix=_coordinates(spectrum, inputs, weight) if recipe.whiten else None,
        bias=bias if recipe.bias else None,
        preparation=_record(spectrum, inputs, features, scales, labels, recipe, sums),
    )


@dataclass(frozen=True, eq=False)
class _Labels:
    rows: int
    mean: np.ndarray
    sizes: np.ndarray


def _about(sums: Sums, features: int, recipe: Recipe) -> tuple[np.ndarray, int]:
    """Return the matrix about the mean or about zero, and the width of its inputs."""
    if recipe.centers_inputs:
        return sums.matrix, features
    row, matrix, width = sums.mean, sums.matrix, features
    if recipe.bias:
        row, width = np.insert(row, features, 1.0), features + 1
        matrix = np.insert(matrix, features, 0.0, axis=1)
        if not sums.triangular:
            matrix = np.insert(matrix, features, 0.0, axis=0)
    row = row * sums.rows**0.5
    if sums.triangular:
        triangle = np.linalg.qr(np.vstack([matrix, row[None, :]]), mode="r")
        return np.asarray(triangle), width
    return matrix + np.outer(row, row), width


def _inputs(
    sums: Sums,
    matrix: np.ndarray,
    width: int,
    recipe: Recipe,
    precision: np.ndarray,
) -> _Inputs:
    features = len(precision)
    sizes = sizes_of(matrix, sums.triangular)[:width] * sums.rows**-0.5
    mean = np.zeros(width)
    seen = sizes > 0
    if recipe.centers_inputs:
        mean = sums.mean[:features]
        seen &= sizes > 2 * EPS * np.abs(mean)
    if not seen[:features].any() and not recipe.bias:
        raise DataError(
            f"all {features} features are "
            + ("constant" if recipe.centers_inputs else "zero")
            + "; at least one must vary."
        )
    spread = np.where(seen, sizes, 1.0)
    floor = RANK_TOLERANCE if sums.triangular else SMALLEST
    rounding = np.full(width, EPS)
    rounding[:features] = precision
    noise = np.max((rounding * (1 + np.abs(mean) / spread))[seen], initial=EPS)
    return _Inputs(sums.rows, mean, spread, seen, max(floor, float(noise)))


def _spectrum(
    triangular: bool, matrix: np.ndarray, width: int, inputs: _Inputs
) -> _Spectrum:
    if triangular:
        return _of_triangle(matrix[:, :width], matrix[:, width:], inputs)
    return _of_products(matrix, width, inputs)


def _of_triangle(inner: np.ndarray, outer: np.ndarray, inputs: _Inputs) -> _Spectrum:
    kept = directions(
        inner[:, inputs.seen] / inputs.spread[inputs.seen], inputs.tolerance
    )
    explained = outer.T @ kept.basis
    rest = outer - kept.basis @ explained.T
    rest -= kept.basis @ (kept.basis.T @ rest)
    return _Spectrum(kept.values, kept.axes, explained, rest.T @ rest, kept.neglected)


def _of_products(matrix: np.ndarray, width: int, inputs: _Inputs) -> _Spectrum:
    seen, spread = inputs.seen, inputs.spread[inputs.seen]
    inner = matrix[:width, :width][np.ix_(seen, seen)] / np.outer(spread, spread)
    values, axes = np.linalg.eigh(inner)
    values, axes = values[::-1], axes.T[::-1]
    rank = int(np.sum(values > inputs.tolerance**2 * np.max(values, initial=0.0)))
    neglected = None
    if rank < len(values):
        neglected = float(np.sqrt(max(values[rank], 0.0) / values[0]))
    values, axes = np.sqrt(values[:rank]), axes[:rank]
    if rank:
        axes = axes * align(axes)[:, None]
    explained = matrix[width:, :width][:, seen] / spread @ axes.T / values
    rest = matrix[width:, width:] - explained @ explained.T
    sizes, turned = np.linalg.eigh((rest + rest.T) / 2)
    leftover = (turned * np.clip(sizes, 0.0, None)) @ turned.T
    return _Spectrum(values, axes, explained, leftover, neglected)


def _scaled(
    spectrum: _Spectrum, labels: _Labels, inputs: _Inputs, recipe: Recipe
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what labels are divided by, what is explained of them, and the rest."""
    explained, leftover = spectrum.explained, spectrum.leftover
    raised = labels.rows**0.5 * labels.mean
    if recipe.centers_inputs and recipe.bias:
        explained = np.hstack([explained, raised[:, None]])
    elif recipe.centers_inputs and not recipe.centers_labels:
        leftover = leftover + np.outer(raised, raised)
    scales = np.ones(len(labels.mean))
    if recipe.labels == "standard":
        scales = labels.sizes * labels.rows**-0.5
        flat = np.flatnonzero(scales <= 2 * EPS * np.abs(labels.mean))
        if len(flat):
            raise DataError(
                f"label {flat[0] + 1} is constant, so it cannot be given unit "
                "variance; leave it out or keep the labels raw."
            )
    explained, leftover = (
        explained / scales[:, None],
        leftover / np.outer(scales, scales),
    )
    if recipe.labels == "unit":
        size = _target_size(spectrum, explained, leftover, inputs, recipe)
        scales, explained, leftover = (
            scales * size,
            explained / size,
            leftover / size**2,
        )
    return scales, explained, leftover


def _target_size(
    spectrum: _Spectrum,
    explained: np.ndarray,
    leftover: np.ndarray,
    inputs: _Inputs,
    recipe: Recipe,
) -> float:
    share = np.sum(explained**2)
    if share <= inputs.tolerance**2 * (share + np.trace(leftover)):
        raise DataError(
            "no label depends linearly on the inputs, so the target cannot be given "
            "unit norm; keep the labels raw."
        )
    if recipe.whiten:
        weight = inputs.rows**-0.5 if recipe.scale == "mean" else 1.0
        return float(weight * np.linalg.norm(explained))
    factor = _inputs_factor(spectrum, inputs)
    if recipe.bias and recipe.centers_inputs:
        factor = bordered(factor, inputs.rows**0.5)
    return float(np.linalg.norm(minimiser(factor, explained)))


def _inputs_factor(spectrum: _Spectrum, inputs: _Inputs) -> np.ndarray:
    factor = np.zeros((len(inputs.spread), len(spectrum.values)))
    spread = inputs.spread[inputs.seen, None]
    factor[inputs.seen] = spread * spectrum.axes.T * spectrum.values
    return factor


def _coordinates(spectrum: _Spectrum, inputs: _Inputs, weight: float) -> np.ndarray:
    matrix = np.zeros((len(spectrum.values), len(inputs.spread)))
    spread = inputs.spread[inputs.seen]
    matrix[:, inputs.seen] = spectrum.axes / spectrum.values[:, None] / spread / weight
    return matrix


def _record(
    spectrum: _Spectrum,
    inputs: _Inputs,
    features: int,
    scales: np.ndarray,
    labels: _Labels,
    recipe: Recipe,
    sums: Sums,
) -> Preparation:
    values = spectrum.values
    return Preparation(
        origin="triangle" if sums.triangular else "stream",
        recipe=recipe,
        features=features,
        rank=len(values) + (recipe.bias and recipe.centers_inputs),
        constant=tuple(np.flatnonzero(~inputs.seen[:features]).tolist()),
        input_means=tuple(inputs.mean.tolist()) if recipe.centers_inputs else (),
        label_means=tuple(labels.mean.tolist()) if recipe.centers_labels else (),
        label_scales=tuple(scales.tolist()),
        smallest_kept=float(values[-1] / values[0]) if len(values) else None,
        largest_neglected=spectrum.neglected,
    )
