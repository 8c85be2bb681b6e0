"""The gallery: every published figure as it was last reproduced at full scale."""

import re
from pathlib import Path

from mathml import with_math
from rst import cited, described, heading, table, title

from thalweg._core.store import CARD
from thalweg.experiments import shelf
from thalweg.experiments._reproduce import Reproduction


def gallery(folder):
    """Return a page a paper, and one that lists them.

    Args:
        folder: Where reproductions lie, a folder a name.
    """
    papers = {}
    for name in shelf:
        papers.setdefault(name.partition(".")[0], []).append(name)
    pages = {f"gallery-{p}": _page(p, names, folder) for p, names in papers.items()}
    listed = [f"   gallery-{paper}" for paper in papers]
    pages["gallery"] = "\n".join(
        [
            title("Gallery"),
            "Every figure here is made by one command, which measures it anew, prints "
            "the claim of its source beside what was found, draws it, and saves table "
            "and picture. What the source says and what we found are kept apart: a "
            "finding that does not hold is told as such. ``thalweg reproduce --all "
            "--scale tiny`` goes through all of them in a few minutes.\n",
            ".. toctree::\n   :maxdepth: 1\n",
            *listed,
            "",
        ]
    )
    return pages


def _page(paper, names, folder):
    parts = [title(_headed(paper, names))]
    for name in names:
        entry = shelf.entry(name)
        parts += [heading(entry.title), described(entry), f"{_plain(entry.claim)}\n"]
        parts += _shown(name, entry, Path(folder) / name)
        parts.append(f"Source: {cited(entry.source)}.\n")
    return "\n".join(parts)


def _headed(paper, names):
    """Return authors and year of a page's paper, or its own words if it has several."""
    sources = {shelf.entry(name).source.at("") for name in names}
    if len(sources) == 1:
        source = sources.pop()
        return f"{source.authors} ({source.year})"
    words = paper.replace("_", " ")
    return words[:1].upper() + words[1:]


def _shown(name, entry, place):
    command = f"``thalweg reproduce {name}``"
    if not (place / CARD).is_file():
        return [f"{command} (about {entry.seconds['paper']:.0f} seconds).\n"]
    found = Reproduction.load(place)
    rows = [
        (
            _plain(one.claim) + (f" ({_plain(one.note)})" if one.note else ""),
            _number(one.stated),
            _number(one.ours),
            "yes" if one.holds else "no",
        )
        for one in found.findings
    ]
    alone = f"{command}: {found.seconds:.0f} seconds on two cores."
    return [
        f".. image:: /gallery/{name}/figure.svg\n   :alt: {entry.title}\n",
        table(("claim", "stated", "ours", "holds"), rows),
        f"{alone}\n",
    ]


def _number(value):
    if value is None:
        return "none"
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return _plain(text)


def _plain(text):
    """Return a sentence whose formulas alone are markup."""
    parts = re.split(r"(\$[^$]+\$)", text)
    marks = re.compile(r"([*_|`\\])")
    kept = [p if p.startswith("$") else marks.sub(r"\\\1", p) for p in parts]
    return with_math("".join(kept))
