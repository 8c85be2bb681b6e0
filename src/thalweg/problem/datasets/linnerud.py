"""Exercise and physiology of 20 men: a badly conditioned problem of three outputs."""

from dataclasses import dataclass
from typing import ClassVar

from sklearn.datasets import load_linnerud

from thalweg._core.source import Source
from thalweg.problem.datasets._base import AbstractDataset, Table


@dataclass(frozen=True)
class Linnerud(AbstractDataset):
    """Weight, waist and pulse of 20 men, from three exercises."""

    source: ClassVar[Source] = Source(
        "tenenhaus1998",
        "M. Tenenhaus",
        "La régression PLS: théorie et pratique",
        "Technip, Paris",
        1998,
        beyond=True,
    )
    licence: ClassVar[str] = "published in the book; comes with scikit-learn"
    samples: ClassVar[int] = 20
    features: ClassVar[int] = 3
    outputs: ClassVar[int] = 3
    sha256: ClassVar[str | None] = (
        "dec49aa570947517ae982c01158cac15f179c7a491eac8dce74999e71714d10f"
    )
    offline: ClassVar[bool] = True
    address: ClassVar[str] = "https://scikit-learn.org/stable/datasets/toy_dataset.html"

    def load(self) -> Table:
        """Return exercises as features, physiology as labels."""
        data = load_linnerud()
        return Table(
            data.data,
            data.target,
            tuple(data.feature_names),
            tuple(data.target_names),
            "linnerud, as it comes with scikit-learn",
        )
