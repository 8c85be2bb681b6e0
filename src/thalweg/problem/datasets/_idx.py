"""The IDX format of MNIST: a magic number, the sizes, the bytes."""

import gzip
import zlib
from pathlib import Path

import numpy as np

from thalweg._core.errors import DataError

UNSIGNED_BYTES = 0x08


def read_idx(path: Path) -> np.ndarray:
    """Read an IDX file of unsigned bytes, packed or not.

    Args:
        path: The file; packed if its name ends in `.gz`.

    Returns:
        The array, of the shape written in the file.

    Raises:
        DataError: If it is not such a file, or not whole.
    """
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}; fetch it again.") from error
    if len(content) < 4 or content[:3] != bytes((0, 0, UNSIGNED_BYTES)):
        raise DataError(
            f"{path} does not begin like an IDX file of unsigned bytes; fetch it again."
        )
    start = 4 + 4 * content[3]
    shape = tuple(np.frombuffer(content[4:start], dtype=">u4").tolist())
    size = int(np.prod(shape, dtype=np.int64))
    if len(content) != start + size:
        raise DataError(
            f"{path} holds {len(content) - start} bytes but announces {size} "
            f"(shape {shape}); fetch it again."
        )
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)
