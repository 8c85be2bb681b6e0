"""Results on disk: a folder with a readable card, its arrays and their hash.

The card names the file of its arrays and carries their hash, and is written last and
renamed into place: a kill at any moment leaves the earlier result or the new one,
whole, and a change of one bit is noticed.
"""

import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np

from thalweg._core.errors import StoreError

CARD = "card.json"
FORMAT = 1
DAMAGE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    EOFError,
    NotImplementedError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What reading a damaged file of arrays may raise."""


def content_hash(arrays: dict[str, np.ndarray]) -> str:
    """Return the SHA-256 of names, types, shapes and bytes of `arrays`.

    It depends on no container: saving the same arrays twice gives the same hash.
    """
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def save(
    folder: str | os.PathLike[str],
    kind: str,
    card: dict[str, Any],
    arrays: dict[str, np.ndarray],
) -> Path:
    """Write a result as a whole.

    Args:
        folder: Where to; replaced if it holds an earlier result of ours.
        kind: What it is, as `path`; checked on loading.
        card: Plain values that `json` can write.
        arrays: Named arrays.

    Returns:
        The folder.

    Raises:
        StoreError: If the place holds something that is not a result, or cannot
            be written.
    """
    final = Path(folder)
    taken = final.exists() and not (final / CARD).is_file()
    if taken and (not final.is_dir() or any(final.iterdir())):
        raise StoreError(
            f"{final} exists and is not a saved result; choose another folder."
        )
    digest = content_hash(arrays)
    name = f"arrays-{digest[:16]}.npz"
    full = {"format": FORMAT, "kind": kind, "arrays": name, "sha256": digest, **card}
    text = json.dumps(full, indent=2, allow_nan=False) + "\n"
    try:
        final.mkdir(parents=True, exist_ok=True)
        _write(final / name, lambda file: np.savez(file, **arrays))  # type: ignore[arg-type]
        # The card names its arrays, so replacing it is the one moment of change.
        _write(final / CARD, lambda file: file.write(text.encode()))
        for earlier in final.glob("arrays-*.npz"):
            if earlier.name != name:
                earlier.unlink()
    except OSError as error:
        raise StoreError(
            f"{final} could not be written: {error.strerror or error}."
        ) from error
    return final


def load(
    folder: str | os.PathLike[str], kind: str
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Read a result and check that it is whole and unchanged.

    Args:
        folder: Where `save` wrote it.
        kind: What it must be.

    Returns:
        The card and the arrays.

    Raises:
        StoreError: If it is missing, half written, altered, of another kind or
            of a later format.
    """
    place = Path(folder)
    if not place.is_dir():
        raise StoreError(f"{place} is not a folder; pass one that `save` wrote.")
    try:
        card = json.loads((place / CARD).read_text(encoding="utf-8"))
        name = str(card["arrays"])
        with open(place / name, "rb") as opened:
            file = np.load(opened, allow_pickle=False)
            arrays = {key: file[key] for key in file.files}
        known = {name: card[name] for name in ("format", "kind", "sha256")}
    except FileNotFoundError as error:
        missing = Path(error.filename).name
        raise StoreError(
            f"{place} holds no {missing}: it is not a saved result, or was half "
            "written; run again."
        ) from error
    except DAMAGE as error:
        raise StoreError(
            f"{place} cannot be read back: {error}; it is damaged or half written, "
            "run again."
        ) from error
    if known["format"] != FORMAT:
        raise StoreError(
            f"{place} has format {known['format']}; this version reads {FORMAT}."
        )
    if known["kind"] != kind:
        raise StoreError(f"{place} holds a {known['kind']}, not a {kind}.")
    if known["sha256"] != content_hash(arrays):
        raise StoreError(
            f"{place}/{name} does not match the hash on its card; "
            "it was altered after it was saved."
        )
    return card, arrays


def write_whole(file: Path, data: bytes) -> None:
    """Write a file so that it is never seen half written.

    Args:
        file: Where to; replaced in one moment. Its folder is made if need be.
        data: What it shall hold.

    Raises:
        StoreError: If it cannot be written.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        _write(file, lambda opened: opened.write(data))
    except OSError as error:
        raise StoreError(
            f"{file} could not be written: {error.strerror or error}."
        ) from error


def _write(file: Path, content: Callable[[IO[bytes]], Any]) -> None:
    """Write a file beside its place, flush it to the disk, and rename it there."""
    beside = file.with_name(f".{file.name}.part")
    try:
        with open(beside, "wb") as opened:
            content(opened)
            opened.flush()
            os.fsync(opened.fileno())
        beside.replace(file)
    finally:
        beside.unlink(missing_ok=True)
