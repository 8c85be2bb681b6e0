"""Moments of a data set by its name."""

from pathlib import Path
from typing import Any

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
    known = getattr(shelf.entry(name), "__dataclass_fields__", {})
    if data_dir is not None and "data_dir" in known:
        fields["data_dir"] = data_dir
    return shelf.make(name, **fields).moments(
        center=center, whiten=whiten, labels=labels, scale=scale, bias=bias
    )
