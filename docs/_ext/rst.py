"""The few forms of reStructuredText that the generated pages are made of."""

import dataclasses
import inspect
import re

from mathml import with_math


def title(text):
    """Return the title of a page."""
    return f"{text}\n{'=' * len(text)}\n"


def heading(text):
    """Return the heading of a section."""
    return f"{text}\n{'-' * len(text)}\n"


def card(*rows):
    """Return pairs of a name and a text as a table."""
    return _rows(rows, ":class: card")


def table(heads, rows):
    """Return rows of cells below a row of headings."""
    return _rows([heads, *rows], ":header-rows: 1")


def _rows(rows, option):
    lines = [".. list-table::", f"   {option}", ""]
    for row in rows:
        for place, cell in enumerate(row):
            mark = "* - " if place == 0 else "  - "
            lines.append(f"   {mark}" + "\n       ".join(str(cell).split("\n")))
    return "\n".join([*lines, ""])


def picture(file, alt):
    """Return an image of the generated figures."""
    return f".. image:: {file}\n   :class: picture\n   :alt: {alt}\n"


def described(entry):
    """Return summary, statement and parameters of a class, from its docstring."""
    summary, body, meanings = _parsed(inspect.getdoc(entry) or "")
    rows = []
    for field in dataclasses.fields(entry) if dataclasses.is_dataclass(entry) else ():
        needed = field.default is dataclasses.MISSING
        default = "needed" if needed else f"``{field.default!r}``"
        meaning = with_math(meanings.get(field.name, ""))
        rows.append((f"``{field.name}``", default, meaning))
    parameters = table(("parameter", "default", "meaning"), rows) if rows else ""
    return "\n".join([with_math(summary), "", with_math(body), "", parameters])


def _parsed(text):
    """Return the summary, the paragraphs and the attributes of a docstring."""
    summary, _, rest = text.partition("\n")
    parts = re.split(r"^(Attributes|Example|Source):\n", rest, flags=re.MULTILINE)
    meanings = {}
    for name, section in zip(parts[1::2], parts[2::2], strict=True):
        if name == "Attributes":
            lines = inspect.cleandoc("\n" + section).strip()
            for found in re.split(r"\n(?=\w)", lines):
                field, _, meaning = found.partition(":")
                meanings[field.strip()] = " ".join(meaning.split())
    return summary, parts[0].strip(), meanings


def cited(source):
    """Return a source in one line, with a link where it has one."""
    if source is None:
        return "none stated"
    link = source.link
    if link.startswith("arXiv:"):
        link = f"https://arxiv.org/abs/{link[6:]}"
    elif link.startswith("doi:"):
        link = f"https://doi.org/{link[4:]}"
    line = re.sub(r"^(\w)\.", r"\1\.", source.line())  # else "A." begins a list
    return f"{line}. `{source.link} <{link}>`__" if link else f"{line}."


def address(text):
    """Return an address as a link, and anything else as it is."""
    return f"`{text} <{text}>`__" if text.startswith("http") else text
