"""178 wines of three growers: a small problem of three classes."""

from dataclasses import dataclass
from typing import ClassVar

from sklearn.datasets import load_wine

from thalweg._core.source import Source
from thalweg.problem.coding import code
from thalweg.problem.datasets._base import AbstractDataset, Table


@dataclass(frozen=True)
class Wine(AbstractDataset):
    """The grower of a wine, from 13 chemical measurements.

    Attributes:
        coding: How the three classes become labels: two orthonormal `contrasts`,
            `one-hot` (whose target has a zero singular value, see `digits`), or the
            class `number`.
    """

    coding: str = "contrasts"

    source: ClassVar[Source] = Source(
        "aeberhard1992",
        "S. Aeberhard, M. Forina",
        "Wine",
        "UCI Machine Learning Repository",
        1992,
        "doi:10.24432/C5PC7J",
        beyond=True,
    )
    licence: ClassVar[str] = "CC BY 4.0 (UCI); comes with scikit-learn"
    samples: ClassVar[int] = 178
    features: ClassVar[int] = 13
    outputs: ClassVar[int] = 2
    sha256: ClassVar[str | None] = (
        "912ad008aedc8dc242f4faab6c65722821912390fe2930142951424ee91aac61"
    )
    offline: ClassVar[bool] = True
    address: ClassVar[str] = "https://archive.ics.uci.edu/dataset/109"

    def load(self) -> Table:
        """Return the measurements and the coded growers."""
        data = load_wine()
        names = tuple(str(name) for name in data.target_names)
        labels, label_names = code(data.target, names, self.coding)
        return Table(
            data.data,
            labels,
            tuple(data.feature_names),
            label_names,
            f"wine coded as {self.coding}, as it comes with scikit-learn",
        )
