"""What a run is known by: a hash of everything that decides its numbers."""

import dataclasses
import hashlib
import json
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

from thalweg._core.errors import DataError
from thalweg.request.entries import shelf_of

FORMAT = 1
"""Raised when the same settings begin to mean other numbers."""

FILES = (("data", "file"), ("data", "moments"), ("init", "weights"))
"""Settings that name files, which count by their content."""


def canonical(value: Any) -> str:
    """Return plain values as one text: sorted keys, shortest exact numbers.

    Example:
        >>> canonical({"b": 0.1, "a": [1, 1e-5]})
        '{"a":[1,1e-05],"b":0.1}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def digest_of(value: Any) -> str:
    """Return the SHA-256 of plain values."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def key_of(unit: dict[str, Any], **more: Any) -> str:
    """Return the key of a run.

    Files count by their content and their kind, not by their place. An init or a data
    set counts by its name and all its fields, also those left to their defaults; a
    data set also by the hash its loader holds it to, and not by its folder.

    Args:
        unit: Its plain settings.
        **more: What else its numbers depend on.

    Returns:
        A SHA-256, in hexadecimal.

    Example:
        >>> target = {"data": {"target": [[1.0]]}, "seed": 0}
        >>> key_of(target) == key_of({"seed": 0, "data": {"target": [[1.0]]}})
        True
    """
    counted = {**unit, **more, "format": FORMAT}
    for table, key in FILES:
        named = unit.get(table, {}).get(key)
        if isinstance(named, str):
            place = Path(named)
            content = [place.suffix.lower(), content_of(place)]
            counted[table] = {**counted[table], key: content}
    if "init" in unit:
        name = unit["init"]["name"]
        counted["init"] = {**_defaults("inits", name), **counted["init"]}
    if "name" in unit.get("data", {}):
        counted["data"] = _pinned(unit["data"])
    return digest_of(counted)


def contents(named: Any) -> dict[str, str]:
    """Return the content of every file that keys, or values of a sweep, name.

    Args:
        named: Keys and values of any depth; a path is a text under one of the keys of
            `FILES` or in a list there.

    Returns:
        Hashes by path; empty text where there is no such file.
    """
    found: dict[str, str] = {}
    for path in sorted(paths_in(named)):
        place = Path(path)
        found[path] = content_of(place) if place.exists() else ""
    return found


def paths_in(named: Any, at: tuple[str, ...] = ()) -> set[str]:
    """Return the paths of files that keys, or values of a sweep, name.

    Args:
        named: Keys and values of any depth.
        at: The keys that lead to it.

    Returns:
        The paths.
    """
    if isinstance(named, str):
        return {named} if at[-2:] in FILES else set()
    if isinstance(named, list | tuple):
        return {path for each in named for path in paths_in(each, at)}
    if isinstance(named, dict):
        inner = [
            paths_in(value, (*at, *str(key).split("."))) for key, value in named.items()
        ]
        return {path for each in inner for path in each}
    return set()


def content_of(place: Path) -> str:
    """Return the SHA-256 of a file, or of a folder's files and their names.

    Args:
        place: The file or folder. What was read once is not read again while its size
            and its time of change stay.

    Returns:
        The hash.

    Raises:
        DataError: If it is not there or cannot be read.
    """
    try:
        if place.is_dir():
            files = sorted(each for each in place.rglob("*") if each.is_file())
            named = [(each.relative_to(place).as_posix(), each) for each in files]
            return digest_of([[name, content_of(each)] for name, each in named])
        stat = place.stat()
        return _content(str(place.resolve()), stat.st_size, stat.st_mtime_ns)
    except OSError as error:
        raise DataError(
            f"{place} cannot be read: {error.strerror or error}; check the path."
        ) from error


@lru_cache(maxsize=4096)
def _content(path: str, size: int, changed: int) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _pinned(data: dict[str, Any]) -> dict[str, Any]:
    """Return the table of a data set with its hash on record for its folder."""
    full = {**_defaults("datasets", data["name"]), **data}
    kept = {key: value for key, value in full.items() if key != "data_dir"}
    pin = _pin(data["name"])
    if pin is None and "data_dir" in data:
        pin = content_of(Path(os.path.expanduser(data["data_dir"])))
    return {**kept, "sha256": pin}


@lru_cache(maxsize=256)
def _defaults(label: str, name: str) -> dict[str, Any]:
    """Return the plain defaults of an entry's fields."""
    fields = dataclasses.fields(shelf_of(label).entry(name))  # type: ignore[arg-type]
    plain = (int, float, str, bool, type(None))
    return {each.name: each.default for each in fields if type(each.default) in plain}


@lru_cache(maxsize=256)
def _pin(name: str) -> str | None:
    entry: Any = shelf_of("datasets").entry(name)
    return entry.sha256
