"""70,000 images of clothes: a stand-in for MNIST under a free licence."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from thalweg._core.source import Source
from thalweg.problem.datasets._base import AbstractDataset, Table
from thalweg.problem.datasets._images import ImageSet, digest, table

FASHION = ImageSet(
    name="fashion_mnist",
    subfolders=("fashion_mnist", "fashion-mnist", "FashionMNIST/raw", "."),
    places=(Path("/usr/share/datasets/fashion-mnist"),),
    hashes={
        "x_train": "2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012",
        "y_train": "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7",
        "x_test": "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a",
        "y_test": "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9",
    },
    mirrors=(
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    ),
    openml="Fashion-MNIST",
    classes=(
        "T-shirt",
        "trouser",
        "pullover",
        "dress",
        "coat",
        "sandal",
        "shirt",
        "sneaker",
        "bag",
        "ankle boot",
    ),
)


@dataclass(frozen=True)
class FashionMnist(AbstractDataset):
    """Pictures of clothes, 28 x 28 pixels from 0 to 1.

    Reads the four IDX files, packed or not, or Keras's keys in `fashion_mnist.npz`;
    Debian's package `dataset-fashion-mnist` is found where it puts them.

    Attributes:
        coding: How the ten classes become labels: nine orthonormal `contrasts`,
            `one-hot` (whose target has a zero singular value, see `digits`), or the
            class as a `number`.
        part: `train` (60,000 images) or `test` (10,000).
        limit: How many of the first images; all by default.
        data_dir: Folder to search first.
    """

    coding: str = "contrasts"
    part: str = "train"
    limit: int | None = None
    data_dir: str | Path | None = None

    source: ClassVar[Source] = Source(
        "xiao2017",
        "H. Xiao, K. Rasul, R. Vollgraf",
        "Fashion-MNIST: a novel image dataset for benchmarking machine learning "
        "algorithms",
        "arXiv",
        2017,
        "arXiv:1708.07747",
        beyond=True,
    )
    licence: ClassVar[str] = "MIT (Zalando SE)"
    samples: ClassVar[int] = 60000
    features: ClassVar[int] = 784
    outputs: ClassVar[int] = 9
    sha256: ClassVar[str | None] = FASHION.hashes["x_train"]
    offline: ClassVar[bool] = False
    address: ClassVar[str] = FASHION.mirrors[0]

    def load(self) -> Table:
        """Return the images, row by row, and the coded classes."""
        return table(FASHION, self.part, self.limit, self.coding, self.data_dir)

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
        return FASHION.fetch(folder or self.data_dir, archive)
