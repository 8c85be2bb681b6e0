"""A folder read as a catalogue: adding a file is adding the entry.

The listing reads the files as text, so it neither imports them nor JAX. An
entry is a public top-level class of a public module that names the shelf's base
class as its base.
"""

import ast
import dataclasses
import importlib
import importlib.util
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from thalweg._core.errors import DomainError, unknown


@dataclass(frozen=True)
class Card:
    """What a listing shows of an entry, read from its text alone."""

    name: str
    module: str
    class_name: str
    summary: str


@dataclass(frozen=True)
class Shelf:
    """The entries of one package.

    Attributes:
        package: Dotted name of the folder, as `thalweg.measures`.
        base: Name of the class that every entry subclasses.
        by_paper: Whether names are `file.Class` (a file holds several entries of
            one paper, a folder of files those of a long one) rather than the class
            name in lower case.
    """

    package: str
    base: str
    by_paper: bool = False

    @property
    def label(self) -> str:
        """Return the folder's own name."""
        return self.package.rpartition(".")[2]

    @cached_property
    def cards(self) -> dict[str, Card]:
        """Return every entry's card by name, sorted."""
        spec = importlib.util.find_spec(self.package)
        folders = (spec.submodule_search_locations or []) if spec else []
        found = {
            card.name: card
            for folder in folders
            for file in self._files(Path(folder))
            for card in self._read(file, Path(folder))
        }
        return dict(sorted(found.items()))

    def names(self) -> list[str]:
        """Return the names on the shelf, sorted."""
        return list(self.cards)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self.cards)

    def __contains__(self, name: object) -> bool:
        """Return whether `name` stands here."""
        return isinstance(name, str) and _plain(name) in map(_plain, self.cards)

    def entry(self, name: str) -> type:
        """Return the class behind a name.

        Args:
            name: A name on the shelf; `-` and `_`, upper and lower case are alike.

        Returns:
            The class, imported now.

        Raises:
            UnknownName: If there is none, with the nearest name.
        """  # noqa: DOC501
        by_plain = {_plain(known): card for known, card in self.cards.items()}
        card = by_plain.get(_plain(name))
        if card is None:
            raise unknown(name, self.cards, f"the shelf {self.label}")
        module = importlib.import_module(card.module)
        return getattr(module, card.class_name)

    def fields(self, name: str) -> list[str]:
        """Return the names of the fields of an entry.

        Args:
            name: A name on the shelf.

        Returns:
            What `make` takes for it.

        Raises:
            UnknownName: If there is no such entry.
        """
        entry = self.entry(name)
        return [field.name for field in dataclasses.fields(entry) if field.init]

    def make(self, name: str, **fields: Any) -> Any:
        """Return the entry `name` with its fields set.

        Args:
            name: A name on the shelf.
            **fields: Values for the entry's fields.

        Returns:
            The frozen object.

        Raises:
            UnknownName: If the name, or one of the fields, is not known.
            DomainError: If a field that has no default is missing.
        """  # noqa: DOC501
        entry = self.entry(name)
        known = self.fields(name)
        for field in fields:
            if field not in known:
                raise unknown(field, known, f"'{name}', which has other fields")
        missing = [
            field.name
            for field in dataclasses.fields(entry)
            if field.init
            and field.name not in fields
            and field.default is dataclasses.MISSING
            and field.default_factory is dataclasses.MISSING
        ]
        if missing:
            raise DomainError(
                f"'{name}' needs {' and '.join(missing)}; its fields are "
                f"{', '.join(known)}."
            )
        return entry(**fields)

    def _files(self, folder: Path) -> list[Path]:
        below = [*folder.glob("[!_]*/[!_]*.py")] if self.by_paper else []
        return sorted([*folder.glob("[!_]*.py"), *below])

    def _read(self, file: Path, folder: Path) -> Iterator[Card]:
        place = file.relative_to(folder).with_suffix("").parts
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if not isinstance(node, ast.ClassDef) or node.name.startswith("_"):
                continue
            bases = {ast.unparse(base).rpartition(".")[2] for base in node.bases}
            if self.base not in bases:
                continue
            name = f"{place[0]}.{node.name}" if self.by_paper else _snake(node.name)
            text = ast.get_docstring(node) or ""
            summary = text.partition("\n")[0]
            yield Card(name, ".".join((self.package, *place)), node.name, summary)


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _plain(name: str) -> str:
    return name.replace("-", "_").lower()
