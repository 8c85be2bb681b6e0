"""`thalweg list`: every shelf and what stands on it."""

from importlib import import_module
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

import thalweg
from thalweg._core.errors import UnknownName, unknown
from thalweg._core.shelf import Shelf
from thalweg.cli import telling


def shelves() -> dict[str, Shelf]:
    """Return every shelf of the package by its label, sorted; JAX is not imported."""
    root = Path(thalweg.__file__).parent
    found = []
    for file in root.rglob("__init__.py"):
        if "\nshelf = Shelf(" in file.read_text(encoding="utf-8"):
            parts = file.parent.relative_to(root.parent).parts
            found.append(import_module(".".join(parts)).shelf)
    return {shelf.label: shelf for shelf in sorted(found, key=lambda one: one.label)}


def show_list(
    shelf: str | None = None,
    /,
    *,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """List every shelf and what stands on it.

    Args:
        shelf: Only this shelf, such as `measures`.
        json: Print one JSON object: `{"shelves": {label: [{"name", "summary"}]}}`.

    Returns:
        The exit code.

    Raises:
        UnknownName: If there is no such shelf.
    """
    found = shelves()
    if shelf is not None:
        if shelf not in found:
            missing: UnknownName = unknown(shelf, found, "the list of shelves")
            raise missing
        found = {shelf: found[shelf]}
    if json:
        telling.say_json(
            {"shelves": {name: _cards(one) for name, one in found.items()}}
        )
        return 0
    for name, one in found.items():
        cards = _cards(one)
        width = max((len(card["name"]) for card in cards), default=0)
        telling.say(name)
        for card in cards:
            telling.say(f"  {card['name']:<{width}}  {card['summary']}")
    return 0


def _cards(shelf: Shelf) -> list[dict[str, str]]:
    return [
        {"name": card.name, "summary": card.summary.replace("`", "").replace("$", "")}
        for card in shelf.cards.values()
    ]
