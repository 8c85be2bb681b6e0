"""Settings files: read as TOML, their paths taken from the file's own folder."""

import tomllib
from pathlib import Path
from typing import Any

from thalweg._core.errors import ConfigError

DATA_SUFFIXES = (".csv", ".parquet", ".npz")

NAMING_FILES = (
    ("data", "file"),
    ("data", "moments"),
    ("data", "data_dir"),
    ("init", "weights"),
)
"""Keys whose values are files or folders."""


def read_toml(file: Path) -> dict[str, Any]:
    """Return what a settings file holds, files it names taken from its own folder.

    Args:
        file: The file.

    Returns:
        Its keys.

    Raises:
        ConfigError: If it cannot be read or is not TOML.
    """
    if file.suffix.lower() in DATA_SUFFIXES and file.is_file():
        raise ConfigError(
            f"{file} holds data, not settings; write --file {file} --targets COLUMN."
        )
    try:
        text = file.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file} is not text in UTF-8; pass a TOML file.") from error
    except IsADirectoryError as error:
        raise ConfigError(f"{file} is a folder; pass a TOML file.") from error
    except OSError as error:
        raise ConfigError(_unreadable(file, error)) from error
    try:
        return _rooted(tomllib.loads(text), file.parent)
    except tomllib.TOMLDecodeError as error:
        message = str(error)[:1].lower() + str(error)[1:]
        raise ConfigError(f"{file} is not TOML: {message}.") from error


def _unreadable(file: Path, error: OSError) -> str:
    from thalweg.problem.datasets import shelf

    if str(file) in shelf:
        return f"there is no file {file}; for the data set write --data {file}."
    if isinstance(error, FileNotFoundError):
        return f"there is no file {file}; check the path."
    return f"{file} cannot be read: {error.strerror or error}."


def _rooted(raw: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return the keys with files to read taken from the settings file's folder."""
    for table, key in NAMING_FILES:
        below = raw.get(table)
        if isinstance(below, dict) and isinstance(below.get(key), str):
            path = folder / Path(below[key]).expanduser()
            raw = {**raw, table: {**raw[table], key: str(path)}}
    return raw
