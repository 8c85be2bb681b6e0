"""1,797 handwritten digits of 8 x 8 pixels: a well-conditioned problem."""

from dataclasses import dataclass
from typing import ClassVar

from sklearn.datasets import load_digits

from thalweg._core.source import Source
from thalweg.problem.coding import code
from thalweg.problem.datasets._base import AbstractDataset, Table


@dataclass(frozen=True)
class Digits(AbstractDataset):
    """Handwritten digits, 8 x 8 pixels from 0 to 16.

    Attributes:
        coding: How the ten classes become labels. `one-hot` labels of centred inputs
            have a target of rank nine: the rows of the target add up to zero. Its
            smallest singular value, and with it any deficiency margin, is then zero.
            `contrasts` are nine orthonormal combinations of the same labels, with
            the same non-zero singular values and without the zero. `number` is the
            digit itself.
    """

    coding: str = "contrasts"

    source: ClassVar[Source] = Source(
        "alpaydin1998",
        "E. Alpaydin, C. Kaynak",
        "Optical Recognition of Handwritten Digits",
        "UCI Machine Learning Repository",
        1998,
        "doi:10.24432/C50P49",
        beyond=True,
    )
    licence: ClassVar[str] = "CC BY 4.0 (UCI); comes with scikit-learn"
    samples: ClassVar[int] = 1797
    features: ClassVar[int] = 64
    outputs: ClassVar[int] = 9
    sha256: ClassVar[str | None] = (
        "c590a2722d98ddd070fbeec3e1aa1a77893446d81229be43882b5223352b1fcd"
    )
    offline: ClassVar[bool] = True
    address: ClassVar[str] = "https://archive.ics.uci.edu/dataset/80"

    def load(self) -> Table:
        """Return the pixels, row by row, and the coded digits."""
        data = load_digits()
        names = tuple(str(digit) for digit in range(10))
        labels, label_names = code(data.target, names, self.coding)
        return Table(
            data.data,
            labels,
            tuple(data.feature_names),
            label_names,
            f"digits coded as {self.coding}, as they come with scikit-learn",
        )
