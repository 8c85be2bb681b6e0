"""Disease progression of 442 diabetes patients: a real scalar problem."""

from dataclasses import dataclass
from typing import ClassVar

from sklearn.datasets import load_diabetes

from thalweg._core.source import Source
from thalweg.problem.datasets._base import AbstractDataset, Table


@dataclass(frozen=True)
class Diabetes(AbstractDataset):
    """Progression of diabetes in a year, from ten baseline variables."""

    source: ClassVar[Source] = Source(
        "efron2004",
        "B. Efron, T. Hastie, I. Johnstone, R. Tibshirani",
        "Least angle regression",
        "Annals of Statistics 32(2)",
        2004,
        "doi:10.1214/009053604000000067",
        beyond=True,
    )
    licence: ClassVar[str] = "published with the paper; comes with scikit-learn"
    samples: ClassVar[int] = 442
    features: ClassVar[int] = 10
    outputs: ClassVar[int] = 1
    sha256: ClassVar[str | None] = (
        "6ef542b5280bd19d90cca7628fc66d8d2c78ae3d405215125a55c7591bc703f8"
    )
    offline: ClassVar[bool] = True
    address: ClassVar[str] = "https://www4.stat.ncsu.edu/~boos/var.select/diabetes.html"

    def load(self) -> Table:
        """Return the variables in their own units."""
        data = load_diabetes(scaled=False)
        return Table(
            data.data,
            data.target[:, None],
            tuple(data.feature_names),
            ("progression",),
            "diabetes, as it comes with scikit-learn",
        )
