r"""From samples to the canonical factors, in NumPy float64.

Notation: $X$ holds the inputs and $Y$ the labels, one sample a row, centred if that
was asked for; $f^2 = 1/m$ or 1. The columns of $X$ are standardised, $X = Z D$, and
$Z = Q S V^\top$ is cut at its rank. Then

$$X_r = f D V S, \qquad Y_r = f Y^\top Q, \qquad
  \tfrac{f^2}{2} \|X W^\top - Y\|^2 = \tfrac12 \|W X_r - Y_r\|^2 + L_\star$$

with $L_\star = \tfrac{f^2}{2} \|Y - Q Q^\top Y\|^2$, computed from that residual.
In the whitened coordinates $Q / f$ the first factor is the identity.

Nothing here forms a second moment: the singular values of data span many orders,
and their squares do not fit into float64 beside each other.
"""

from dataclasses import dataclass, replace

import numpy as np

from thalweg._core.errors import DataError, ShapeError
from thalweg.problem.columns import (
    centred,
    constant_columns,
    duplicate_columns,
    matrix_of,
    offset,
    precision,
    standardised,
)
from thalweg.problem.recipe import Preparation, Recipe

RANK_TOLERANCE = 1e-10
"""A singular value of the standardised inputs counts if it exceeds this, relative
to the largest.

Rounding leaves about 2e-15 there (MNIST, 60,000 rows); the smallest genuine one we
met is 1.4e-5 (gas sensors). For columns far from zero compared with their spread, or
stored in single precision, the rounding of the entries themselves is the threshold.
"""


@dataclass(frozen=True, eq=False)
class Reduction:
    """The canonical factors of a data set and how they were made."""

    inputs_factor: np.ndarray
    labels_factor: np.ndarray
    leftover: np.ndarray
    constant: float
    mean: np.ndarray
    matrix: np.ndarray | None
    bias: float | None
    preparation: Preparation


@dataclass(frozen=True, eq=False)
class Directions:
    """The independent directions of the inputs: Z = basis diag(values) axes."""

    basis: np.ndarray
    values: np.ndarray
    axes: np.ndarray
    neglected: float | None

    @property
    def smallest(self) -> float | None:
        """Return the smallest singular value kept, relative to the largest."""
        return float(self.values[-1] / self.values[0]) if len(self.values) else None


@dataclass(frozen=True, eq=False)
class Inputs:
    """What the inputs alone determine; `basis` is orthonormal in sample space."""

    basis: np.ndarray
    factor: np.ndarray
    matrix: np.ndarray
    mean: np.ndarray
    bias: float | None
    record: Preparation


@dataclass(frozen=True, eq=False)
class Outcome:
    """The part of the labels the inputs explain, and the second moment of the rest."""

    explained: np.ndarray
    leftover: np.ndarray
    mean: np.ndarray
    scales: np.ndarray


def reduce(inputs: object, labels: object, recipe: Recipe) -> Reduction:
    """Reduce samples to their canonical factors.

    Cost: one singular value decomposition of the inputs.

    Args:
        inputs: Of shape `"sample feature"`.
        labels: Of shape `"sample output"`.
        recipe: What to do on the way; checked by the caller.

    Returns:
        The factors, the affine map to the coordinates, and the record.

    Raises:
        ShapeError: If inputs and labels have different numbers of samples.
        DataError: If a single sample is to be centred.
    """
    given, outputs = matrix_of("inputs", inputs), matrix_of("labels", labels)
    samples = len(given)
    if len(outputs) != samples:
        raise ShapeError(
            f"inputs hold {samples} samples and labels {len(outputs)}; "
            "they must be as many, one a row."
        )
    if samples == 1 and recipe.center is not False:
        raise DataError(
            "there is a single sample, which centring turns into zero; "
            "bring more samples or pass center=False."
        )
    weight = samples**-0.5 if recipe.scale == "mean" else 1.0
    sides = _inputs(given, precision(inputs), weight, recipe)
    outcome = _labels(outputs, sides, weight, recipe)
    return Reduction(
        inputs_factor=sides.factor,
        labels_factor=outcome.explained,
        leftover=outcome.leftover,
        constant=float(np.trace(outcome.leftover)) / 2,
        mean=sides.mean,
        matrix=sides.matrix if recipe.whiten else None,
        bias=sides.bias,
        preparation=replace(
            sides.record,
            label_means=tuple(outcome.mean.tolist()),
            label_scales=tuple(outcome.scales.tolist()),
        ),
    )


def _inputs(
    given: np.ndarray, rounding: float, weight: float, recipe: Recipe
) -> Inputs:
    samples, features = given.shape
    constant = constant_columns(given, recipe.centers_inputs)
    duplicates = duplicate_columns(given, constant)
    if len(constant) == features and not recipe.bias:
        raise DataError(
            f"all {features} features are "
            + ("constant" if recipe.centers_inputs else "zero")
            + "; at least one must vary."
        )
    mean = np.zeros(features)
    if recipe.centers_inputs:
        mean, given = centred(given)
    if recipe.bias and not recipe.centers_inputs:
        given = np.hstack([given, np.ones((samples, 1))])
    standard, spread, seen = standardised(given, constant)
    noise = rounding * offset(mean, spread, seen) if recipe.centers_inputs else rounding
    found = directions(standard, max(RANK_TOLERANCE, noise))
    basis, factor = found.basis, _factor(found, spread, seen, weight)
    if recipe.bias and recipe.centers_inputs:
        basis = np.hstack([basis, np.full((samples, 1), samples**-0.5)])
        factor = bordered(factor, weight * samples**0.5)
    rank = basis.shape[1]
    bias = samples**-0.5 / weight if recipe.whiten else 1.0
    return Inputs(
        basis=basis,
        factor=np.eye(rank) if recipe.whiten else factor,
        matrix=_coordinates(found, spread, seen, weight),
        mean=mean,
        bias=bias if recipe.bias else None,
        record=Preparation(
            origin="samples",
            recipe=recipe,
            features=features,
            rank=rank,
            constant=constant,
            duplicates=duplicates,
            input_means=tuple(mean.tolist()) if recipe.centers_inputs else (),
            smallest_kept=found.smallest,
            largest_neglected=found.neglected,
        ),
    )


def _labels(
    outputs: np.ndarray, sides: Inputs, weight: float, recipe: Recipe
) -> Outcome:
    mean, without = centred(outputs)
    scales = np.ones(outputs.shape[1])
    if recipe.labels == "standard":
        flat = constant_columns(outputs, by_variation=True)
        if flat:
            raise DataError(
                f"label {flat[0] + 1} is constant, so it cannot be given unit "
                "variance; leave it out or keep the labels raw."
            )
        scales = without.std(axis=0)
    shown = (without if recipe.centers_labels else outputs) / scales
    basis = sides.basis
    explained = weight * (shown.T @ basis)
    if recipe.centers_inputs:  # the basis is orthogonal to constants: use it exactly
        explained = weight * ((without / scales).T @ basis)
        if recipe.bias:
            explained[:, -1] = weight * len(outputs) ** 0.5 * mean / scales
    if recipe.labels == "unit":
        if np.linalg.norm(explained) <= RANK_TOLERANCE * weight * np.linalg.norm(shown):
            raise DataError(
                "no label depends linearly on the inputs, so the target cannot be "
                "given unit norm; keep the labels raw."
            )
        size = np.linalg.norm(minimiser(sides.factor, explained))
        scales, shown, explained = scales * size, shown / size, explained / size
    rest = shown - basis @ (basis.T @ shown)
    rest -= basis @ (basis.T @ rest)
    rest *= weight
    means = mean if recipe.centers_labels else np.zeros(0)
    return Outcome(explained, rest.T @ rest, means, scales)


def directions(standard: np.ndarray, tolerance: float) -> Directions:
    """Return the independent directions of standardised inputs.

    The entry of largest size of each axis is positive, which fixes the signs.

    Args:
        standard: The standardised inputs; may have no column.
        tolerance: Singular values below it, relative to the largest, are neglected.

    Returns:
        Orthonormal basis in sample space, singular values, axes in feature space.
    """
    if standard.shape[1] == 0:
        return Directions(
            np.zeros((len(standard), 0)), np.zeros(0), np.zeros((0, 0)), None
        )
    basis, values, axes = np.linalg.svd(standard, full_matrices=False)
    rank = int(np.sum(values > tolerance * values[0]))
    neglected = float(values[rank] / values[0]) if rank < len(values) else None
    basis, values, axes = basis[:, :rank], values[:rank], axes[:rank]
    signs = align(axes)
    return Directions(basis * signs, values, axes * signs[:, None], neglected)


def align(axes: np.ndarray) -> np.ndarray:
    """Return the signs that make the largest entry of each row positive."""
    peaks = np.take_along_axis(axes, np.abs(axes).argmax(axis=1)[:, None], axis=1)
    return np.sign(peaks[:, 0])


def minimiser(inputs_factor: np.ndarray, labels_factor: np.ndarray) -> np.ndarray:
    """Return the end-to-end map of least loss, of least norm among several."""
    orthonormal, triangle = np.linalg.qr(inputs_factor)
    return np.linalg.solve(triangle.T, labels_factor.T).T @ orthonormal.T


def _factor(
    found: Directions, spread: np.ndarray, seen: np.ndarray, weight: float
) -> np.ndarray:
    factor = np.zeros((len(spread), len(found.values)))
    factor[seen] = weight * spread[seen, None] * found.axes.T * found.values
    return factor


def _coordinates(
    found: Directions, spread: np.ndarray, seen: np.ndarray, weight: float
) -> np.ndarray:
    matrix = np.zeros((len(found.values), len(spread)))
    matrix[:, seen] = found.axes / found.values[:, None] / spread[seen] / weight
    return matrix


def bordered(factor: np.ndarray, corner: float) -> np.ndarray:
    """Return the factor with a row and a column more, that meet in `corner`."""
    rows, columns = factor.shape
    larger = np.zeros((rows + 1, columns + 1))
    larger[:rows, :columns] = factor
    larger[rows, columns] = corner
    return larger
