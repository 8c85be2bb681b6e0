"""569 tumours, malignant or benign: a scalar problem with 30 correlated features."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from sklearn.datasets import load_breast_cancer

from thalweg._core.source import Source
from thalweg.problem.datasets._base import AbstractDataset, Table


@dataclass(frozen=True)
class BreastCancer(AbstractDataset):
    """Whether a tumour is benign (1) or malignant (0), from 30 measurements."""

    source: ClassVar[Source] = Source(
        "wolberg1993",
        "W. Wolberg, O. Mangasarian, N. Street, W. Street",
        "Breast Cancer Wisconsin (Diagnostic)",
        "UCI Machine Learning Repository",
        1993,
        "doi:10.24432/C5DW2B",
        beyond=True,
    )
    licence: ClassVar[str] = "CC BY 4.0 (UCI); comes with scikit-learn"
    samples: ClassVar[int] = 569
    features: ClassVar[int] = 30
    outputs: ClassVar[int] = 1
    sha256: ClassVar[str | None] = (
        "7d3238278503de29fd5220486475389342a6a9695d0c9eaa7ef15498dcd68eda"
    )
    offline: ClassVar[bool] = True
    address: ClassVar[str] = "https://archive.ics.uci.edu/dataset/17"

    def load(self) -> Table:
        """Return the measurements and one number a tumour."""
        data = load_breast_cancer()
        return Table(
            data.data,
            data.target[:, None].astype(np.float64),
            tuple(str(name) for name in data.feature_names),
            ("benign",),
            "breast_cancer, as it comes with scikit-learn",
        )
