"""What every data set offers: its card, its table, its moments, its terms."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from thalweg._core.errors import DataError
from thalweg._core.source import Source
from thalweg._core.store import content_hash
from thalweg.problem.moments import Moments
from thalweg.problem.tables import Table

__all__ = ["AbstractDataset", "Table"]


class AbstractDataset(ABC):
    """A data set; the sizes on the card are those of its default fields.

    Attributes:
        source: The publication to cite.
        licence: Its licence, in words.
        samples: Number of samples.
        features: Number of features.
        outputs: Number of labels a sample has.
        sha256: Hash of its content, as `digest` computes it; `None` if it is drawn.
        offline: Whether it comes with the packages Thalweg needs anyway.
        address: Where it is published.
    """

    source: ClassVar[Source]
    licence: ClassVar[str]
    samples: ClassVar[int]
    features: ClassVar[int]
    outputs: ClassVar[int]
    sha256: ClassVar[str | None]
    offline: ClassVar[bool]
    address: ClassVar[str]

    @abstractmethod
    def load(self) -> Table:
        """Return the samples, features and labels as published."""

    def moments(
        self,
        *,
        center: bool | str = True,
        whiten: bool = True,
        labels: str = "raw",
        scale: str = "mean",
        bias: bool = False,
    ) -> Moments:
        """Return the moments of the samples.

        Args:
            center: Subtract the means of both (`True`), of the inputs only
                (`"inputs"`), or nothing.
            whiten: Change to coordinates of identity second moment.
            labels: Leave them (`raw`), give each unit variance (`standard`), or
                give the target unit norm (`unit`).
            scale: Divide by the number of samples (`mean`) or not (`sum`).
            bias: Append a constant coordinate; labels then keep their means.

        Returns:
            The moments.
        """
        table = self.load()
        return Moments.from_data(
            table.inputs,
            table.labels,
            center=center,
            whiten=whiten,
            rescale=labels,
            scale=scale,
            bias=bias,
            feature_names=table.feature_names,
            label_names=table.label_names,
            note=table.note,
        )

    def digest(self, table: Table) -> str:
        """Return the SHA-256 of a table's numbers."""
        return content_hash({"inputs": table.inputs, "labels": table.labels})

    def citations(self) -> tuple[Source, ...]:
        """Return the publications to cite."""
        return (self.source,)

    def terms(self) -> str:
        """Return licence, citations and address, to be read before fetching."""
        cited = "\n".join(f"cite: {source.line()}" for source in self.citations())
        return f"licence: {self.licence}\n{cited}\nfrom: {self.address}"

    def fetch(
        self, folder: str | Path | None = None, archive: str | Path | None = None
    ) -> Path:
        """Bring the files to a folder where `load` finds them.

        Args:
            folder: Where to; the first folder that is searched by default.
            archive: A local copy to take instead of downloading.

        Raises:
            DataError: If there is nothing to fetch, or it did not arrive whole.
        """
        raise DataError(
            f"{type(self).__name__} needs no files; load it as it is."
            if self.offline
            else f"{type(self).__name__} cannot be fetched; see {self.address}."
        )
