"""70,000 handwritten digits of 28 x 28 pixels."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from thalweg._core.source import Source
from thalweg.problem.datasets._base import AbstractDataset, Table
from thalweg.problem.datasets._images import ImageSet, digest, table

MNIST = ImageSet(
    name="mnist",
    subfolders=("mnist", "MNIST/raw", "."),
    places=(),
    hashes={
        "x_train": "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
        "y_train": "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
        "x_test": "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
        "y_test": "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
    },
    mirrors=(
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
    ),
    openml="mnist_784",
    classes=tuple(str(digit) for digit in range(10)),
)


@dataclass(frozen=True)
class Mnist(AbstractDataset):
    """Handwritten digits, 28 x 28 pixels from 0 to 1.

    Reads the four IDX files, packed or not, or Keras's `mnist.npz`.

    Attributes:
        coding: How the ten classes become labels: nine orthonormal `contrasts`,
            `one-hot` (whose target has a zero singular value, see `digits`), or the
            digit as a `number`.
        part: `train` (60,000 images) or `test` (10,000).
        limit: How many of the first images; all by default.
        data_dir: Folder to search first.
    """

    coding: str = "contrasts"
    part: str = "train"
    limit: int | None = None
    data_dir: str | Path | None = None

    source: ClassVar[Source] = Source(
        "lecun1998",
        "Y. LeCun, L. Bottou, Y. Bengio, P. Haffner",
        "Gradient-based learning applied to document recognition",
        "Proceedings of the IEEE 86(11)",
        1998,
        "doi:10.1109/5.726791",
        beyond=True,
    )
    licence: ClassVar[str] = "CC BY-SA 3.0 (Y. LeCun, C. Cortes)"
    samples: ClassVar[int] = 60000
    features: ClassVar[int] = 784
    outputs: ClassVar[int] = 9
    sha256: ClassVar[str | None] = MNIST.hashes["x_train"]
    offline: ClassVar[bool] = False
    address: ClassVar[str] = MNIST.mirrors[0]

    def load(self) -> Table:
        """Return the images, row by row, and the coded digits."""
        return table(MNIST, self.part, self.limit, self.coding, self.data_dir)

    def digest(self, table: Table) -> str:
        """Return the SHA-256 of the pixels as bytes."""
        return digest(table)

    def fetch(
        self, folder: str | Path | None = None, archive: str | Path | None = None
    ) -> Path:
        """Bring the four IDX files, checked by their hashes.

        Args:
            folder: Data folder; by default the first that is searched.
            archive: An NPZ file with Keras's keys, or a folder with the IDX files.

        Returns:
            The folder they lie in.
        """
        return MNIST.fetch(folder or self.data_dir, archive)
