"""Where a statement comes from: the paper, the place in it, its BibTeX."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Source:
    """A publication, and a place in it.

    Attributes:
        key: Short key, author and year: `arora2019`.
        authors: Authors as printed.
        title: Title as printed.
        where: Journal, proceedings or course.
        year: Year of publication.
        link: DOI, arXiv number or address; may be empty.
        place: Theorem, section or figure; empty for the whole.
        beyond: Whether it lies outside the documents Thalweg started from.
    """

    key: str
    authors: str
    title: str
    where: str
    year: int
    link: str = ""
    place: str = ""
    beyond: bool = False

    def at(self, place: str) -> "Source":
        """Return the same publication, pointing at `place`."""
        return replace(self, place=place)

    def line(self) -> str:
        """Return one line for people: authors (year), title, place."""
        place = f", {self.place}" if self.place else ""
        return f"{self.authors} ({self.year}), {self.title}, {self.where}{place}"

    def bibtex(self) -> str:
        """Return the BibTeX entry.

        Example:
            >>> print(Source("a2019", "A. Author", "Title", "ICLR", 2019).bibtex())
            @misc{a2019,
              author = {A. Author},
              title = {Title},
              howpublished = {ICLR},
              year = {2019},
            }
        """
        rows = [
            ("author", self.authors.replace(", ", " and ")),
            ("title", self.title),
            ("howpublished", self.where),
            ("year", str(self.year)),
            ("note", self.link),
        ]
        body = "".join(f"  {name} = {{{text}}},\n" for name, text in rows if text)
        return f"@misc{{{self.key},\n{body}}}"


def bibliography(sources: "list[Source]") -> str:
    """Return the BibTeX of `sources`, each publication once, sorted by key."""
    once = {source.key: source for source in sources}
    return "\n\n".join(once[key].bibtex() for key in sorted(once))
