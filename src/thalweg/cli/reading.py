"""A settings file and options, read together; every fault at once."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from thalweg._core.errors import ConfigError
from thalweg.cli.options import Moving, Posing, merged
from thalweg.request.checking import in_one, looked_at
from thalweg.request.faults import sentences
from thalweg.request.settings import Settings
from thalweg.request.toml import read_toml


@dataclass(frozen=True)
class Reading:
    """Checked settings.

    Attributes:
        settings: The settings, defaults filled in.
        given: The keys that the file or an option gave.
    """

    settings: Settings
    given: frozenset[str]


def read(
    file: Path | None,
    posing: Posing,
    moving: Moving | None = None,
    *,
    runs: bool = True,
) -> Reading:
    """Read a settings file and put options over it.

    Args:
        file: A TOML file, or `None`.
        posing: Options that say what is learned.
        moving: Options that say how to move.
        runs: Whether it is for a run; a certificate needs no horizon.

    Returns:
        The settings.

    Raises:
        ConfigError: If the file cannot be read, or anything in it or the options
            is not as it must be; every fault is told.
    """
    raw = {} if file is None else read_toml(file)
    raw = merged(raw, posing, *([] if moving is None else [moving]))
    settings, told = looked_at(raw, runs=runs)
    if settings is None:
        raise ConfigError(in_one(told, "" if file is None else str(file)))
    return Reading(settings, frozenset(raw))


def read_resumed(file: Path | None, posing: Posing, moving: Moving) -> Reading:
    """Read the options that may come with `--resume`.

    Args:
        file: A settings file; there must be none.
        posing: Options that say what is learned; there must be none.
        moving: Options that say how to move.

    Returns:
        Settings of which only iterations, page and figures mean anything.

    Raises:
        ConfigError: If another option came, or one is not as it must be.
    """
    raw = merged({} if file is None else {"FILE": str(file)}, posing, moving)
    others = [key for key in raw if key not in ("iterations", "page", "figures")]
    if others:
        raise ConfigError(
            f"{', '.join(others)} came with --resume; a run goes on as it began, only "
            "iterations, page and figures may change."
        )
    try:
        settings = Settings.model_validate(raw)
    except ValidationError as error:
        told = sentences(error, Settings.model_fields)
        raise ConfigError(" ".join(told)) from error
    return Reading(settings, frozenset(raw))
