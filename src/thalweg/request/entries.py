"""Names and fields of shelf entries, checked before anything is made of them."""

import dataclasses
from pathlib import Path
from types import NoneType
from typing import Any, get_args

from thalweg._core.errors import ThalwegError, unknown
from thalweg._core.shelf import Shelf
from thalweg.request.faults import Fault, no_such_key, shown

PLAIN = {int, float, str, bool, NoneType, Path}


def shelf_of(label: str) -> Shelf:
    """Return one of the four shelves a settings file names entries of."""
    from importlib import import_module

    package = {"datasets": "problem.datasets"}.get(label, label)
    return import_module(f"thalweg.{package}").shelf


def checked_name(label: str, name: Any) -> tuple[str, str]:
    """Return a name as the shelf spells it, and what is wrong with it.

    Args:
        label: The shelf.
        name: What came.

    Returns:
        The name, and a sentence; empty if there is such an entry.
    """
    shelf = shelf_of(label)
    if not isinstance(name, str):
        return "", f"{shown(name)} came; it must be a name."
    spelled = {_plain(known): known for known in shelf}
    if _plain(name) in spelled:
        return spelled[_plain(name)], ""
    return name, str(unknown(name, shelf.names(), f"the shelf {label}"))


def named(label: str, value: Any) -> Any:
    """Return a name or a table as a table whose name is spelled as on the shelf."""
    if isinstance(value, str):
        value = {"name": value}
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        return value
    name, wrong = checked_name(label, value["name"])
    return value if wrong else {**_in_kind(label, name, value), "name": name}


def _in_kind(label: str, name: str, fields: dict[str, Any]) -> dict[str, Any]:
    """Return fields with whole numbers made floats where the entry wants floats."""
    entry: Any = shelf_of(label).entry(name)
    floats = {
        field.name
        for field in dataclasses.fields(entry)
        if float in {field.type, *get_args(field.type)}
    }
    return {
        key: float(value) if key in floats and type(value) is int else value
        for key, value in fields.items()
    }


def field_faults(
    label: str, name: str, fields: dict[str, Any], filled: tuple[str, ...] = ()
) -> list[Fault]:
    """Return what is wrong with the fields of an entry.

    Args:
        label: The shelf.
        name: The entry.
        fields: Values for its fields.
        filled: Fields that are filled in later if they are missing.

    Returns:
        The faults; where there is none the entry can be made.
    """
    wrong = checked_name(label, name)[1]
    if wrong:
        return [((), wrong, name)]
    entry: Any = shelf_of(label).entry(name)
    known = {field.name: field for field in dataclasses.fields(entry) if field.init}
    faults: list[Fault] = []
    for key, value in fields.items():
        if key not in known:
            faults.append(((key,), no_such_key(key, [*known, *_common(label)]), value))
        elif not _fits(value, known[key].type):
            kinds = _kinds(known[key].type)
            faults.append(((key,), f"{shown(value)} came; it must be {kinds}.", value))
    faults += [
        ((key,), f"is missing; '{name}' needs it.", None)
        for key, field in known.items()
        if key not in fields and key not in filled and _required(field)
    ]
    complete = {key for key, field in known.items() if _required(field)} <= {*fields}
    return faults or (_made(entry, fields) if complete else [])


def _made(entry: Any, fields: dict[str, Any]) -> list[Fault]:
    """Return what the entry itself says against its fields."""
    try:
        entry(**fields)
    except ThalwegError as error:
        return [((), str(error), fields)]
    return []


def _required(field: Any) -> bool:
    missing = dataclasses.MISSING
    return field.default is missing and field.default_factory is missing


def _common(label: str) -> tuple[str, ...]:
    """Return the keys of the table besides the entry's own fields."""
    if label != "datasets":
        return ("name",)
    return ("name", "center", "whiten", "labels", "scale", "bias", "data_dir")


def _fits(value: Any, hint: Any) -> bool:
    kinds = {*get_args(hint)} or {hint}
    if not kinds <= PLAIN:
        return True
    if isinstance(value, bool):
        return bool in kinds
    if isinstance(value, int):
        return bool({int, float} & kinds)
    if isinstance(value, str):
        return bool({str, Path} & kinds)
    return type(value) in kinds


def _kinds(hint: Any) -> str:
    words = {int: "a whole number", float: "a number", bool: "true or false"}
    kinds = [kind for kind in get_args(hint) or (hint,) if kind is not NoneType]
    return " or ".join(dict.fromkeys(words.get(kind, "text") for kind in kinds))


def _plain(name: str) -> str:
    return name.replace("-", "_").lower()
