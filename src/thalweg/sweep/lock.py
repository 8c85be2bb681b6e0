"""One process at a time in a folder: a lock that dies with its holder."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from thalweg._core.errors import StoreError

try:
    import fcntl
except ImportError:  # pragma: no cover
    fcntl = None  # type: ignore[assignment]


@contextmanager
def held(file: Path) -> Iterator[None]:
    """Hold a lock file; a dead process's own is taken over.

    The system's lock on the open file decides, so none outlives its process; the
    process id inside is for people. Where the system has no such locks the id decides.

    Args:
        file: The file, in a folder that exists.

    Yields:
        Nothing.

    Raises:
        StoreError: If another process holds it, or it cannot be written.
    """
    try:
        opened = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise StoreError(
            f"{file} cannot be written: {error.strerror or error}."
        ) from error
    try:
        if not _grasped(opened):
            owner = _owner(file)
            raise StoreError(
                f"{file.parent} is at work in process {owner or 'of another machine'}; "
                "wait until it ends, or choose another folder."
            )
        os.ftruncate(opened, 0)
        os.pwrite(opened, json.dumps({"pid": os.getpid()}).encode(), 0)
        try:
            yield
        finally:
            os.ftruncate(opened, 0)
    finally:
        os.close(opened)


def holder(file: Path) -> int | None:
    """Return the process that holds a lock file; `None` if none does.

    Args:
        file: The file.

    Returns:
        Its id.
    """
    try:
        opened = os.open(file, os.O_RDWR)
    except OSError:
        return None
    try:
        return None if _grasped(opened) else _owner(file)
    finally:
        os.close(opened)


def _grasped(opened: int) -> bool:
    """Return whether the lock of an open file is now ours."""
    if fcntl is None:  # pragma: no cover
        owner = _pid(os.pread(opened, 100, 0))
        return owner is None or not _alive(owner)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _owner(file: Path) -> int | None:
    try:
        return _pid(file.read_bytes())
    except OSError:
        return None


def _pid(data: bytes) -> int | None:
    try:
        found: Any = json.loads(data)["pid"]
    except (ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, int) else None


def _alive(pid: int) -> bool:  # pragma: no cover
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True
