"""Where data files are looked for, how they are fetched and checked."""

import hashlib
import os
import shutil
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from thalweg._core.errors import DataError

ENVIRONMENT = "THALWEG_DATA_DIR"
PATIENCE = 60.0
"""Seconds without a byte after which a download is given up."""


def folders(data_dir: str | Path | None) -> list[Path]:
    """Return the folders that are searched, in order.

    Args:
        data_dir: A folder named by the caller, searched first.

    Returns:
        It, the folder in `THALWEG_DATA_DIR`, the user's cache; those there are.
    """
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    named = [data_dir, os.environ.get(ENVIRONMENT), Path(cache) / "thalweg"]
    return [Path(place).expanduser() for place in named if place]


def find(names: Sequence[str], places: Iterable[Path]) -> Path | None:
    """Return the first of the files `names` that exists in one of `places`."""
    paths = (place / name for place in places for name in names)
    return next((path for path in paths if path.exists()), None)


def missing(name: str, files: Sequence[str], places: Iterable[Path]) -> DataError:
    """Return the error for a data set whose files are not there.

    Args:
        name: Of the data set.
        files: What was looked for.
        places: Where.

    Returns:
        The exception, to be raised by the caller.
    """
    searched = ", ".join(str(place) for place in places)
    return DataError(
        f"{name} was not found: looked for {' or '.join(files)} in {searched}. "
        f"Fetch it with `thalweg data fetch {name}`, or set {ENVIRONMENT} to the "
        "folder that holds it."
    )


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def download(
    addresses: Sequence[str], target: Path, check: Callable[[Path], object]
) -> Path:
    """Download a file, whole or not at all.

    It arrives under a temporary name and gets its own once `check` has passed.

    Args:
        addresses: Where to get it; the next is tried if one does not answer.
        target: The file to make.
        check: Raises `DataError` if the file is not the one that was wanted.

    Returns:
        The file.

    Raises:
        DataError: If no address gives it.
    """
    reasons = []
    for address in addresses:
        try:
            return bring(lambda to, at=address: _stream(at, to), target, check)
        except (OSError, urllib.error.URLError, ValueError) as error:
            reasons.append(f"{address}: {error}")
    raise DataError(
        f"{target.name} could not be downloaded ({'; '.join(reasons)}). Try again "
        "later, or fetch it elsewhere and pass the file as archive."
    )


def bring(
    write: Callable[[Path], object], target: Path, check: Callable[[Path], object]
) -> Path:
    """Make a file under a temporary name, check it, then rename it.

    Args:
        write: Fills the file of the path it gets.
        target: The file to make.
        check: Raises if the file is not the one that was wanted.

    Returns:
        The target.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(
        prefix=".", suffix=f".{target.name}", dir=target.parent
    )
    os.close(handle)
    beside = Path(name)
    try:
        write(beside)
        check(beside)
        beside.chmod(0o644)
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)
    return target


def _stream(address: str, target: Path) -> None:
    with (
        urllib.request.urlopen(address, timeout=PATIENCE) as source,
        open(target, "wb") as sink,
    ):
        shutil.copyfileobj(source, sink)
