r"""What least squares needs of the data: their second moments, as factors.

With $\Sigma_{xx} = X_r X_r^\top$ of full column rank and $Y_r$ the labels in the same
directions, $\tfrac12 E\|Wx - y\|^2 = \tfrac12\|W X_r - Y_r\|_F^2 + L_\star$, whatever
the number of samples. $L_\star$ is the part of the labels no linear map explains.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import solve_triangular

from thalweg._core import store
from thalweg._core.arrays import Array, Float, Matrix, Scalar, real
from thalweg._core.errors import DataError, ShapeError
from thalweg.problem.affine import AffineMap
from thalweg.problem.columns import matrix_of
from thalweg.problem.factors import factor
from thalweg.problem.packing import KIND, moments_fields, pack_moments
from thalweg.problem.recipe import Preparation, Recipe
from thalweg.problem.tables import read_table
from thalweg.problem.whitening import Reduction, reduce

if TYPE_CHECKING:
    from thalweg.problem.streams import Engine, StreamProgress

Names = tuple[str, ...] | None


class Moments(eqx.Module):
    r"""The data of a least-squares problem, reduced to what the loss depends on.

    Make one by a constructor: `from_data`, `from_file`, `from_parquet`,
    `from_moments`, `whitened`.

    Attributes:
        inputs_factor: $X_r$, `"in rank"`, with $X_r X_r^\top = \Sigma_{xx}$ and full
            column rank; exactly the identity for whitened data.
        labels_factor: $Y_r$, `"out rank"`; the target itself for whitened data.
        leftover: Second moment of what no linear map of the inputs explains.
        constant: $L_\star$, half its trace, computed from the residuals themselves.
        whitening: The affine map from raw inputs; `None` where there are none.
        samples: Number of samples, `None` if unknown.
        scale: Whether moments are divided by the number of samples: `mean`, `sum`.
        is_whitened: Whether `inputs_factor` is the identity.
        preparation: What was done to the data.

    Example:
        >>> x = np.array([[1.0, 1.0], [-1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]])
        >>> moments = Moments.from_data(x, np.array([2.0, 0.0, 1.0, 1.0]))
        >>> moments.target.shape, round(float(moments.target[0, 0]), 12)
        ((1, 2), 0.5)
        >>> round(float(moments.constant), 12)
        0.625
    """

    inputs_factor: Float[Array, "in rank"]
    labels_factor: Float[Array, "out rank"]
    leftover: Float[Array, "out out"]
    constant: Scalar
    whitening: AffineMap | None = None
    samples: int | None = eqx.field(static=True, default=None)
    scale: str = eqx.field(static=True, default="mean")
    is_whitened: bool = eqx.field(static=True, default=False)
    preparation: Preparation = eqx.field(static=True, default=Preparation())

    @classmethod
    def from_data(
        cls,
        inputs: Any,
        labels: Any,
        *,
        center: bool | str = False,
        whiten: bool = False,
        rescale: str = "raw",
        scale: str = "mean",
        bias: bool = False,
        feature_names: Names = None,
        label_names: Names = None,
        note: str = "",
    ) -> "Moments":
        """Return the moments of samples.

        All is done in NumPy float64, by one singular value decomposition of the
        standardised inputs cut at its rank (see `whitening.RANK_TOLERANCE`).

        Args:
            inputs: Of shape `"sample feature"`.
            labels: Of shape `"sample output"`, or one number a sample.
            center: Subtract the means of both (`True`), of the inputs only
                (`"inputs"`), or nothing.
            whiten: Change to coordinates of identity second moment: the network
                then sees `rank` of them, the principal components of the
                standardised inputs (`PCA whitening`), each divided by its size.
                Without centring, the uncentred second moment becomes the identity.
            rescale: Labels as they are (`raw`), each of unit variance (`standard`),
                or all divided by one number that gives the target Frobenius norm
                one (`unit`).
            scale: Divide moments by the number of samples (`mean`) or not (`sum`).
            bias: Append a constant one to the inputs, after centring and whitening;
                the labels keep their means, for the bias to learn. (A white
                coordinate is constant `1/sqrt(samples)` under `sum`.)
            feature_names: Names of the features.
            label_names: Names of the outputs.
            note: A line for the record.

        Returns:
            The moments.
        """
        recipe = Recipe(center, whiten, rescale, scale, bias).checked()
        if np.ndim(labels) == 1:
            labels = np.asarray(labels)[:, None]
        reduction = reduce(inputs, labels, recipe)
        _check_names("feature_names", feature_names, len(reduction.mean))
        _check_names("label_names", label_names, len(reduction.labels_factor))
        record = reduction.preparation.noted(feature_names, label_names, note)
        return cls._of(replace(reduction, preparation=record), len(labels))

    @classmethod
    def from_file(
        cls,
        path: str | os.PathLike[str],
        targets: Sequence[str] | None = None,
        *,
        features: Sequence[str] | None = None,
        center: bool | str = False,
        whiten: bool = False,
        labels: str = "raw",
        scale: str = "mean",
        bias: bool = False,
    ) -> "Moments":
        """Return the moments of a CSV, Parquet or NPZ file.

        Args:
            path: The file; its suffix says what it is. A CSV file has a header.
            targets: Names of the columns to predict. In NPZ files a name is that of
                an array, or `name[2]` for its third column; `None` takes the arrays
                `inputs` and `labels`, or `X` and `y`.
            features: Names of the columns to predict from; all other columns of
                numbers by default.
            center: As in `from_data`.
            whiten: As in `from_data`.
            labels: `rescale` of `from_data`.
            scale: As in `from_data`.
            bias: As in `from_data`.

        Returns:
            The moments.
        """
        table = read_table(path, targets, features)
        return cls.from_data(
            table.inputs,
            table.labels,
            center=center,
            whiten=whiten,
            rescale=labels,
            scale=scale,
            bias=bias,
            feature_names=table.feature_names,
            label_names=table.label_names,
            note=table.note,
        )

    @classmethod
    def from_parquet(
        cls,
        path: str | os.PathLike[str],
        targets: Sequence[str],
        *,
        features: Sequence[str] | None = None,
        center: bool | str = False,
        whiten: bool = False,
        labels: str = "raw",
        scale: str = "mean",
        bias: bool = False,
        method: str = "moments",
        on_bad: str = "fail",
        engine: "Engine | None" = None,
        parts: str | os.PathLike[str] | None = None,
        on_progress: "Callable[[StreamProgress], None] | None" = None,
    ) -> "Moments":
        """Return the moments of Parquet files of any size, read once.

        Memory does not grow with the files. Centred second moments have errors of at
        most `1e-12`, relative to the sizes of the two columns, wherever their means
        are; the bits depend on the files alone.

        Args:
            path: A Parquet file, a folder of them (searched to its depths), or a URL
                of either, as `s3://bucket/folder`.
            targets: Names of the columns to predict.
            features: Names of the columns to predict from; all other columns of
                numbers by default.
            center: As in `from_data`.
            whiten: As in `from_data`.
            labels: `rescale` of `from_data`.
            scale: As in `from_data`.
            bias: As in `from_data`.
            method: Add products (`moments`), which loses directions below `1e-6` of
                the largest; or merge triangular factors (`qr`), which keeps what
                `from_data` keeps, at about four times the arithmetic.
            on_bad: What to do with rows in which a number is missing, infinite or
                beyond `1e150`: `fail`, or `skip` them; the record tells which.
            engine: Has a verb `map(function, tasks)` that yields the place and the
                result of each task as it is finished; threads of this process by
                default.
            parts: Folder for finished pieces: after an interruption the same call,
                also with another preparation, reads only what is missing.
            on_progress: Called with a `StreamProgress` after every piece.

        Returns:
            The moments.

        Example:
            >>> import pyarrow as pa, pyarrow.parquet as pq, tempfile
            >>> x = np.arange(6.0) + 1e9
            >>> table = pa.table({"x": x, "y": 2 * x})
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     pq.write_table(table, f"{folder}/a.parquet")
            ...     moments = Moments.from_parquet(folder, ["y"], center=True)
            >>> moments.samples, round(float(moments.target[0, 0]), 12)
            (6, 2.0)
        """
        from thalweg.problem.streams import streamed  # noqa: PLC0415 (pyarrow)

        recipe = Recipe(center, whiten, labels, scale, bias).checked()
        read = streamed(
            path,
            targets,
            features,
            method=method,
            on_bad=on_bad,
            engine=engine,
            parts=parts,
            on_progress=on_progress,
        )
        return cls._of(read.reduced(recipe), read.sums.rows)

    @classmethod
    def whitened(cls, target: Any, *, scale: str = "mean", note: str = "") -> "Moments":
        r"""Return the pure problem $\tfrac12\|W - \Phi\|_F^2$ of a target.

        Args:
            target: The matrix to learn, `"out in"`.
            scale: What the loss is called, `mean` or `sum`; no number depends on it.
            note: A line for the record.

        Returns:
            White inputs with this target, and nothing unexplained.
        """
        recipe = Recipe(whiten=True, scale=scale).checked()
        matrix = _matrix(target)
        outputs, width = matrix.shape
        return cls(
            inputs_factor=jnp.eye(width),
            labels_factor=matrix,
            leftover=jnp.zeros((outputs, outputs)),
            constant=jnp.zeros(()),
            scale=scale,
            is_whitened=True,
            preparation=Preparation(
                recipe=recipe, features=width, rank=width, note=note
            ),
        )

    @classmethod
    def from_moments(
        cls, xx: Any, yx: Any, yy: Any = None, scale: str = "mean"
    ) -> "Moments":
        """Return moments from second moments that are already known.

        Less precise than `from_data`: a second moment holds the squares of the
        singular values, so directions below about 1e-8 of the largest are lost, and
        the constant part is a difference. Use samples where there are any.

        Args:
            xx: Second moment of the inputs, `"in in"`.
            yx: Of labels with inputs, `"out in"`.
            yy: Of the labels, `"out out"`; without it the constant part is zero.
            scale: Whether they are divided by the number of samples, `mean`, `sum`.

        Returns:
            The moments; white if `xx` is exactly the identity.
        """
        recipe = Recipe(scale=scale).checked()
        return cls._of(factor(xx, yx, yy, recipe.scale), None)

    @classmethod
    def _of(cls, reduction: Reduction, samples: int | None) -> "Moments":
        record = reduction.preparation
        matrix = reduction.matrix
        return cls(
            inputs_factor=jnp.asarray(reduction.inputs_factor),
            labels_factor=jnp.asarray(reduction.labels_factor),
            leftover=jnp.asarray(reduction.leftover),
            constant=jnp.asarray(reduction.constant, dtype=jnp.float64),
            whitening=None
            if samples is None
            else AffineMap(
                jnp.asarray(reduction.mean),
                None if matrix is None else jnp.asarray(matrix),
                reduction.bias,
            ),
            samples=samples,
            scale=record.recipe.scale,
            is_whitened=record.recipe.whiten,
            preparation=record,
        )

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Return `folder`, the moments written to it whole and for `load` to read."""
        return store.save(folder, KIND, *pack_moments(self))

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> "Moments":
        """Return the moments that `save` wrote to `folder`, bit by bit."""
        return cls(**moments_fields(*store.load(folder, KIND)))

    @property
    def inputs_width(self) -> int:
        """Return how many numbers a network takes."""
        return self.inputs_factor.shape[0]

    @property
    def outputs_width(self) -> int:
        """Return how many numbers a network gives."""
        return self.labels_factor.shape[0]

    @property
    def rank(self) -> int:
        """Return the number of independent directions of the inputs."""
        return self.inputs_factor.shape[1]

    @property
    def feature_names(self) -> Names:
        """Return the names of the raw features, if known."""
        return self.preparation.feature_names

    @property
    def label_names(self) -> Names:
        """Return the names of the outputs, if known."""
        return self.preparation.label_names

    @property
    def xx(self) -> Float[Array, "in in"]:
        """Return the second moment of the inputs."""
        return self.inputs_factor @ self.inputs_factor.T

    @property
    def yx(self) -> Float[Array, "out in"]:
        """Return the second moment of labels with inputs."""
        return self.labels_factor @ self.inputs_factor.T

    @property
    def yy(self) -> Float[Array, "out out"]:
        """Return the second moment of the labels."""
        return self.labels_factor @ self.labels_factor.T + self.leftover

    @property
    def target(self) -> Matrix:
        """Return the end-to-end map of least loss, of least norm among several."""
        if self.is_whitened:
            return self.labels_factor
        orthonormal, triangle = jnp.linalg.qr(self.inputs_factor)
        solved = solve_triangular(triangle, self.labels_factor.T, trans=1)
        return solved.T @ orthonormal.T

    def to_coordinates(self, inputs: Any) -> Float[Array, "sample in"]:
        """Return raw inputs in the coordinates a network sees.

        Args:
            inputs: Raw inputs, `"sample feature"`.

        Returns:
            The coordinates, `"sample in"`: apply the end-to-end map to its rows.

        Raises:
            DataError: If these moments were not made from samples.
            ShapeError: If the number of features is another.
        """
        if self.whitening is None:
            raise DataError(
                "these moments were not made from samples, so there are no raw inputs; "
                "apply the map to its own inputs."
            )
        raw = matrix_of("inputs", inputs, self.feature_names)
        features = self.preparation.features
        if raw.shape[1] != features:
            raise ShapeError(
                f"inputs have {raw.shape[1]} features; these moments were made from "
                f"{features}."
            )
        return self.whitening(jnp.asarray(raw))

    def to_labels(self, predictions: Any) -> Float[Array, "sample out"]:
        """Return predictions in the labels' own units, means added back.

        Args:
            predictions: What a network gives, `"sample out"`.

        Returns:
            Predictions that compare with the labels that came.
        """
        values = real("predictions", predictions)
        record = self.preparation
        if record.label_scales:
            values = values * jnp.asarray(record.label_scales)[None, :]
        if record.label_means:
            values = values + jnp.asarray(record.label_means)[None, :]
        return values


def _matrix(target: Any) -> Matrix:
    matrix = real("target", target)
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise ShapeError(
            f"target has shape {matrix.shape}; it must be a matrix, one row an "
            "output; for a single output pass target[None, :]."
        )
    return matrix


def _check_names(which: str, names: Names, count: int) -> None:
    if names is not None and len(names) != count:
        raise ShapeError(f"{which} has {len(names)} names for {count} columns.")
