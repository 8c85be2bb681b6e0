"""Moments of a data set by its name, and the samples behind them."""

from pathlib import Path
from typing import Any

import numpy as np

from thalweg.problem.datasets import shelf
from thalweg.problem.moments import Moments


def load(
    name: str,
    *,
    data_dir: str | Path | None = None,
    center: bool | str = True,
    whiten: bool = True,
    labels: str = "raw",
    scale: str = "mean",
    bias: bool = False,
    **fields: Any,
) -> Moments:
    """Return the moments of a data set on the shelf.

    Args:
        name: Its name, as `diabetes`.
        data_dir: Folder of its files, searched before `THALWEG_DATA_DIR` and the
            user's cache; of no effect on sets that need no files.
        center: Subtract the means of inputs and labels (`True`), of the inputs only
            (`"inputs"`), or nothing.
        whiten: Change to coordinates of identity second moment.
        labels: Leave them (`raw`), give each unit variance (`standard`), or give the
            target unit norm (`unit`).
        scale: Divide by the number of samples (`mean`) or not (`sum`).
        bias: Append a constant coordinate; labels then keep their means.
        **fields: The data set's own fields, as `coding="one-hot"`.

    Returns:
        The moments.

    Example:
        >>> moments = load("diabetes")
        >>> moments.rank, round(float((moments.target**2).sum() ** 0.5), 4)
        (10, 55.4093)
    """
    return _made(name, data_dir, fields).moments(
        center=center, whiten=whiten, labels=labels, scale=scale, bias=bias
    )


def load_samples(
    name: str,
    *,
    data_dir: str | Path | None = None,
    center: bool = True,
    whiten: bool = True,
    bias: bool = True,
    **fields: Any,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the samples of a data set on the shelf, for a `SampleProblem`.

    Args:
        name: Its name, as `breast_cancer`.
        data_dir: As in `load`.
        center: Subtract the means of the inputs.
        whiten: Change to coordinates of identity second moment.
        bias: Append a constant coordinate.
        **fields: The data set's own fields, as `coding="number"`.

    Returns:
        The inputs in the coordinates a network sees, `"sample in"`, and the labels as
        they are published, `"sample out"`.

    Example:
        >>> inputs, labels = load_samples("wine", coding="number")
        >>> inputs.shape, labels.shape
        ((178, 14), (178, 1))
    """
    table = _made(name, data_dir, fields).load()
    moments = Moments.from_data(
        table.inputs,
        table.labels,
        center="inputs" if center else False,
        whiten=whiten,
        bias=bias,
    )
    return np.asarray(moments.to_coordinates(table.inputs)), table.labels


def _made(name: str, data_dir: str | Path | None, fields: dict[str, Any]) -> Any:
    known = getattr(shelf.entry(name), "__dataclass_fields__", {})
    if data_dir is not None and "data_dir" in known:
        fields = {**fields, "data_dir": data_dir}
    return shelf.make(name, **fields)
