"""A settings file and options, read together; every fault at once."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from thalweg._core.errors import ConfigError
from thalweg.cli.faults import sentences
from thalweg.cli.options import FLOWING, FLOWLESS, Moving, Posing, merged
from thalweg.cli.posing import unfitting_theorems
from thalweg.cli.settings import Settings

DESCENT = {
    "step_size": "auto",
    "iterations": 10_000,
    "momentum": 0.0,
    "gradient_tolerance": 0.0,
}
LEAP = {**DESCENT, "iterations": 10**9, "tolerance": 1e-9}
FLOW = {"solver": "dopri8", "rtol": 1e-10, "atol": 1e-12, "gradient_tolerance": 1e-9}
DATA_SUFFIXES = (".csv", ".parquet", ".npz")
LINEAR = {"hidden": [32, 32], "init": "balanced"}


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
    raw = {} if file is None else _rooted(_read_toml(file), file.parent)
    raw = merged(raw, posing, *([] if moving is None else [moving]))
    told = [f"{path}: {text}" for path, text in _conflicts(raw, runs)]
    try:
        settings = Settings.model_validate(_completed(raw))
    except ValidationError as error:
        told = [*sentences(error, Settings.model_fields), *told]
    else:
        told += [
            f"theorems: {name} is about a random {init} start; take init = "
            f"'{init}' with a std above 0."
            for name, init in unfitting_theorems(settings)
        ]
    if told:
        place = "" if file is None else f"{file}: "
        if len(told) == 1:
            raise ConfigError(place + told[0])
        lines = "".join(f"\n  {line}" for line in told)
        raise ConfigError(f"{place}{len(told)} faults:{lines}")
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


def _read_toml(file: Path) -> dict[str, Any]:
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
        return tomllib.loads(text)
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
    for table, key in (("data", "file"), ("data", "data_dir"), ("init", "weights")):
        below = raw.get(table)
        if isinstance(below, dict) and isinstance(below.get(key), str):
            path = folder / Path(below[key]).expanduser()
            raw = {**raw, table: {**raw[table], key: str(path)}}
    return raw


def _completed(raw: dict[str, Any]) -> dict[str, Any]:
    """Return the keys with the defaults of this kind of problem and motion."""
    plain = LEAP if raw.get("leap") is True else DESCENT
    full = {**(FLOW if raw.get("flow") is True else plain), **raw}
    if "playground" not in raw:
        full = {**LINEAR, **full}
    elif not {"start", "init"} & raw.keys():
        depth = raw["playground"]
        if isinstance(depth, int) and 1 <= depth <= 10**6:
            full["start"] = [0.5] * depth
    if "every" not in raw:
        full = {"records": 200, **full}
    return full


def _conflicts(raw: dict[str, Any], runs: bool) -> list[tuple[str, str]]:
    """Return the keys that do not go together."""
    return [*_problem_conflicts(raw), *_motion_conflicts(raw, runs)]


def _problem_conflicts(raw: dict[str, Any]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    if "playground" in raw:
        found += [
            (key, "came with playground, which has none; leave one of them out.")
            for key in ("data", "hidden")
            if key in raw
        ]
    elif "data" not in raw:
        found.append(
            (
                "data",
                "is missing; name a data set (as --data diabetes), a file, a target, "
                "or take the playground.",
            )
        )
    start, depth = raw.get("start"), raw.get("playground")
    if start is not None and depth is None:
        found.append(("start", "belongs to the playground; other nets have an init."))
    elif isinstance(start, list) and isinstance(depth, int) and len(start) != depth:
        found.append(
            ("start", f"holds {len(start)} numbers; the playground needs {depth}.")
        )
    if start is not None and "init" in raw:
        found.append(("start", "came with init; leave one of them out."))
    return found


def _motion_conflicts(raw: dict[str, Any], runs: bool) -> list[tuple[str, str]]:
    found = []
    if raw.get("flow") is True:
        found += [
            (key, "belongs to a descent, and flow is true; leave one of them out.")
            for key in FLOWLESS
            if raw.get(key) not in (None, False)
        ]
        if "horizon" not in raw and runs:
            found.append(("horizon", "is missing; a flow needs a time to reach."))
        if isinstance(raw.get("records"), int) and raw["records"] < 3:
            found.append(("records", "must be at least 3 for a flow."))
    else:
        found += [
            (key, "belongs to a flow; set flow = true, or leave it out.")
            for key in FLOWING
            if key in raw
        ]
        if "optimizer" in raw:
            found += [
                (key, "came with optimizer; leave one of them out.")
                for key in ("leap", "momentum", "gradient_tolerance")
                if raw.get(key) not in (None, False)
            ]
        if "tolerance" in raw and raw.get("leap") is not True:
            found.append(("tolerance", "belongs to leaps; set leap = true as well."))
    if "records" in raw and "every" in raw:
        found.append(("records", "came with every; leave one of them out."))
    return found
