"""A start read from a file, or given as arrays."""

import json
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from thalweg._core.arrays import Key, Weights, real
from thalweg._core.errors import DataError, ShapeError
from thalweg._core.papers import ARORA2019
from thalweg._core.source import Source
from thalweg.inits._base import AbstractInit
from thalweg.linalg.chain import check_chain
from thalweg.problem.nets import LinearNet

UNREADABLE = (
    OSError,
    ValueError,
    EOFError,
    AttributeError,
    TypeError,
    NotImplementedError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What a file that is no NPZ archive may raise."""


@dataclass(frozen=True, eq=False)
class Explicit(AbstractInit):
    """Weights as they are given; the key is not used.

    Attributes:
        weights: A sequence of matrices, first-applied first, or the path of a file
            that holds them: NPZ as `W1`, `W2`, ... (or in its order, if otherwise
            named), or JSON as a list of lists of rows.
    """

    weights: Any

    source: ClassVar[Source] = ARORA2019.at("any start")

    def draw(self, key: Key, net: LinearNet) -> Weights:
        """Return the given weights.

        Args:
            key: Not used.
            net: The network they must fit.

        Returns:
            The chain.

        Raises:
            DataError: If they are neither matrices nor a file.
            ShapeError: If they do not fit the net.
        """
        given = self.weights
        if isinstance(given, str | Path):
            given = read_weights(Path(given))
        if not isinstance(given, tuple | list):
            raise DataError(
                f"weights is {type(given).__name__}; pass a sequence of matrices, or "
                "the path of an NPZ or JSON file."
            )
        chain = tuple(real(f"layer {j}", weight) for j, weight in enumerate(given, 1))
        check_chain([weight.shape for weight in chain])
        shapes = tuple(weight.shape for weight in chain)
        if shapes != net.shapes:
            raise ShapeError(
                f"the given weights have shapes {list(shapes)}; widths {net.widths} "
                f"need {list(net.shapes)}."
            )
        return chain


def read_weights(path: Path) -> list[np.ndarray]:
    """Return the matrices of a file, first-applied first.

    Args:
        path: An NPZ file, or a JSON file.

    Returns:
        The matrices.

    Raises:
        DataError: If it cannot be read as that.
    """
    try:
        with open(path, "rb") as opened:
            if path.suffix.lower() == ".json":
                return [np.asarray(rows, dtype=float) for rows in json.load(opened)]
            file = np.load(opened, allow_pickle=False)
            numbered = [f"W{j}" for j in range(1, len(file.files) + 1)]
            names = numbered if set(numbered) == set(file.files) else file.files
            return [file[name] for name in names]
    except UNREADABLE as error:
        raise DataError(
            f"{path} cannot be read as weights: {error}; pass an NPZ file with one "
            "matrix a layer, named W1, W2, ..., or a JSON list of matrices."
        ) from error
