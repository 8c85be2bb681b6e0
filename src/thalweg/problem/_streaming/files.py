"""Parquet files found, and their footers: what is there before anything is read."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs as filesystems

from thalweg._core.errors import DataError

SUFFIXES = (".parquet", ".pq", ".parq")
"""How the names of files in a folder end that are read."""

_MAGIC = b"PAR1"


@dataclass(frozen=True)
class File:
    """A Parquet file as it was when it was found.

    Attributes:
        path: Where it lies in its file system.
        name: Its path below the folder given, for people.
        size: Bytes.
        modified: Nanoseconds since the epoch; `None` where the system does not say.
        footer: SHA-256 of its footer.
        groups: Rows of each row group.
    """

    path: str
    name: str
    size: int
    modified: int | None
    footer: str
    groups: tuple[int, ...]

    @property
    def stamp(self) -> list[Any]:
        """Return what changes when the file does."""
        return [self.size, self.modified, self.footer]


def located(path: str | os.PathLike[str]) -> tuple[Any, str]:
    """Return the file system of a path or URL, and the path inside it.

    Local files are mapped into memory, which reads them several times faster.

    Args:
        path: A path, or a URL such as `s3://bucket/folder`.

    Returns:
        A `pyarrow.fs.FileSystem` and a path.

    Raises:
        DataError: If it is empty, or no file system of this kind can be opened.
    """
    text = os.fspath(path)
    if not text.strip():
        raise DataError("the path is empty; pass a Parquet file or a folder of them.")
    if "://" not in text and not text.startswith("file:/"):
        # Workers may stand elsewhere, and relative paths with a colon are not taken.
        return filesystems.LocalFileSystem(use_mmap=True), os.path.abspath(text)
    try:
        system, inside = filesystems.FileSystem.from_uri(text)
    except (OSError, ValueError, pa.ArrowNotImplementedError) as error:
        raise DataError(
            f"{text} cannot be opened: {told(error)}; pass a path, or a URL such as "
            "file:///folder or s3://bucket/folder."
        ) from error
    if is_local(system):
        system = filesystems.LocalFileSystem(use_mmap=True)
    return system, inside


def found(system: Any, path: str, shown: str) -> list[tuple[Any, str]]:
    """Return the Parquet files at a path, in the order of their names.

    Args:
        system: Its file system.
        path: A file, or a folder that is searched to its depths; names that begin
            with a dot or an underscore are left alone.
        shown: The path as the caller gave it, for messages.

    Returns:
        Of each file what the file system knows, and its name.

    Raises:
        DataError: If there is none, or what looks like one leads nowhere or is there
            twice.
    """
    try:
        info = system.get_file_info(path)
        inside = []
        if info.type == filesystems.FileType.Directory:
            selected = filesystems.FileSelector(path, recursive=True)
            inside = system.get_file_info(selected)
    except (OSError, ValueError) as error:
        raise DataError(f"{shown} cannot be opened: {told(error)}.") from error
    if info.type == filesystems.FileType.NotFound:
        raise DataError(f"there is no file or folder {shown}; check the path.")
    if info.is_file:
        return [(info, Path(path).name)]
    if info.type != filesystems.FileType.Directory:
        raise DataError(
            f"{shown} is neither a file nor a folder; pass a Parquet file or a folder "
            "of them."
        )
    base = path.rstrip("/") + "/"
    named = [(info, info.path.removeprefix(base)) for info in inside]
    files = [
        (info, name)
        for info, name in sorted(named, key=lambda pair: pair[1])
        if info.type != filesystems.FileType.Directory and _is_meant(name)
    ]
    if is_local(system):
        _check_links(path)
    _check_files(system, files)
    if not files:
        raise DataError(
            f"{shown} holds no files that end in {', '.join(SUFFIXES)}; pass a Parquet "
            "file or a folder of them."
        )
    return files


def is_local(system: Any) -> bool:
    """Return whether files of a file system are those of this machine."""
    return isinstance(system, filesystems.LocalFileSystem)


def _is_meant(name: str) -> bool:
    hidden = any(part.startswith((".", "_")) for part in name.split("/"))
    return name.lower().endswith(SUFFIXES) and not hidden


def _check_links(folder: str) -> None:
    """Raise if a link leads nowhere, or its rows would be missing unnoticed."""
    for inside, _, names in os.walk(folder):
        for name in names:
            place = Path(inside, name)
            below = place.relative_to(folder).as_posix()
            if _is_meant(below) and not place.exists():
                raise DataError(
                    f"{below} is a link that leads nowhere; mend it or take it out of "
                    "the folder."
                )


def _check_files(system: Any, files: Sequence[tuple[Any, str]]) -> None:
    """Raise if something is no file, or its rows would count twice."""
    known: dict[str, str] = {}
    for info, name in files:
        if not info.is_file:
            raise DataError(f"{name} is no file; take it out of the folder.")
        real = os.path.realpath(info.path) if is_local(system) else info.path
        if real in known:
            raise DataError(
                f"{known[real]} and {name} are one file, so its rows would count "
                "twice; take the link out of the folder."
            )
        known[real] = name


def opened(system: Any, path: str, name: str) -> tuple[Any, str]:
    """Open a Parquet file.

    Args:
        system: Its file system.
        path: Where it lies there.
        name: Its name, for messages.

    Returns:
        The `pyarrow.parquet.ParquetFile`, and the SHA-256 of its footer.

    Raises:
        DataError: If it is empty, half written, damaged or something else.
    """
    try:
        stream = system.open_input_file(path)
        footer = _footer(stream, name)
        return pq.ParquetFile(stream, buffer_size=2**20), footer
    except DataError:
        raise
    except (OSError, pa.ArrowException, ValueError) as error:
        raise DataError(
            f"{name} cannot be read as Parquet: {told(error)}; it is damaged or not "
            "what its name says."
        ) from error


def _footer(stream: Any, name: str) -> str:
    size = stream.size()
    if size == 0:
        raise DataError(f"{name} is empty; it must be a Parquet file.")
    head = stream.read_at(min(4, size), 0)
    tail = stream.read_at(8, size - 8) if size >= 12 else b""
    if head != _MAGIC:
        raise DataError(f"{name} is not a Parquet file; its first bytes are {head!r}.")
    length = int.from_bytes(tail[:4], "little")
    if tail[4:] != _MAGIC or length + 12 > size:
        raise DataError(
            f"{name} is half written: it begins as Parquet but has no footer at its "
            "end; write it again or take it out of the folder."
        )
    return hashlib.sha256(stream.read_at(length, size - 8 - length)).hexdigest()


def described(system: Any, info: Any, name: str) -> tuple[File, pa.Schema]:
    """Return a file's record and its schema."""
    reader, footer = opened(system, info.path, name)
    with reader:
        metadata = reader.metadata
        groups = tuple(
            metadata.row_group(number).num_rows
            for number in range(metadata.num_row_groups)
        )
        file = File(info.path, name, info.size, info.mtime_ns, footer, groups)
        return file, reader.schema_arrow


def is_number(kind: pa.DataType) -> bool:
    """Return whether a column of this type is read as numbers."""
    if pa.types.is_dictionary(kind):
        return is_number(kind.value_type)
    return (
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_null(kind)
    )


def check_names(name: str, columns: Sequence[str]) -> None:
    """Raise if two columns of a file have one name.

    Args:
        name: The file's name, for the message.
        columns: The names of its columns.

    Raises:
        DataError: If they have.
    """
    if len(set(columns)) < len(columns):
        twice = next(column for column in columns if columns.count(column) > 1)
        raise DataError(
            f"{name} has {columns.count(twice)} columns named '{twice}'; names must "
            "differ."
        )


def told(error: Exception) -> str:
    """Return what a library says, short enough for a sentence."""
    return " ".join(str(error).split())[:160].rstrip(".") or type(error).__name__
