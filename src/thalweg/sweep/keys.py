"""What a run is known by: a hash of everything that decides its numbers."""

from pathlib import Path
from typing import Any

FORMAT = 1
"""Raised when the same settings begin to mean other numbers."""


def key_of(unit: dict[str, Any]) -> str:
    """Return the key of a run from its plain settings (files by their content)."""
    raise NotImplementedError


def content_of(place: Path) -> str:
    """Return the SHA-256 of a file, or of a folder's files and their names."""
    raise NotImplementedError
