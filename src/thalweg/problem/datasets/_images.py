"""Images of ten classes in MNIST's files: finding, checking, fetching them."""

import hashlib
import math
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from thalweg._core.errors import DataError, DomainError, unknown
from thalweg.problem.coding import code
from thalweg.problem.datasets._files import bring, download, find, folders, missing
from thalweg.problem.datasets._idx import read_idx
from thalweg.problem.tables import Table

STEMS = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}
"""The four IDX files by the keys of the NPZ file."""

PARTS = ("train", "test")

TRAINING = 60000
"""How many images of OpenML's single table are for training."""


@dataclass(frozen=True)
class ImageSet:
    """The files of one set of images.

    Attributes:
        name: Of the set, and of its NPZ file.
        subfolders: Where files may lie below a data folder; fetched into the first.
        places: Folders outside the data folders that are searched too.
        hashes: SHA-256 of the unpacked bytes, without header, by NPZ key.
        mirrors: Addresses that end before the file name.
        openml: Name on OpenML, asked when no mirror answers.
        classes: Names of the ten classes.
    """

    name: str
    subfolders: tuple[str, ...]
    places: tuple[Path, ...]
    hashes: dict[str, str]
    mirrors: tuple[str, ...]
    openml: str
    classes: tuple[str, ...]

    @property
    def archive(self) -> str:
        """Return the name of the NPZ file that holds all four arrays."""
        return f"{self.name}.npz"

    def check(self, key: str, array: np.ndarray, path: Path) -> np.ndarray:
        """Return an array if it is the published one.

        Args:
            key: Which of the four.
            array: What was read.
            path: From where, for the message.

        Returns:
            The array; images as squares, should they have come as rows.

        Raises:
            DataError: If its bytes are others.
        """
        array = np.ascontiguousarray(array)
        if hashlib.sha256(array.tobytes()).hexdigest() != self.hashes[key]:
            raise DataError(
                f"{key} in {path} is not that of {self.name}: its hash differs, so it "
                "is damaged or of another set. Bring the right one by "
                f"`thalweg data fetch {self.name}`."
            )
        if key.startswith("x") and array.ndim == 2:
            side = math.isqrt(array.shape[1])
            array = array.reshape(-1, side, side)
        return array

    def read(self, part: str, data_dir: str | Path | None) -> tuple[np.ndarray, Path]:
        """Return the images of a part and the file they come from."""
        return self._array(f"x_{part}", data_dir)

    def read_classes(self, part: str, data_dir: str | Path | None) -> np.ndarray:
        """Return the class numbers of a part."""
        return self._array(f"y_{part}", data_dir)[0]

    def _array(self, key: str, data_dir: str | Path | None) -> tuple[np.ndarray, Path]:
        stem = STEMS[key]
        names = (f"{stem}.gz", stem, stem.replace("-idx", ".idx"), self.archive)
        places = [
            place / below for place in folders(data_dir) for below in self.subfolders
        ]
        places += self.places
        damage = None
        for path in (place / name for place in places for name in names):
            if not path.is_file():
                continue
            try:
                array = (
                    _from_npz(path, key) if path.suffix == ".npz" else read_idx(path)
                )
                return self.check(key, array, path), path
            except DataError as error:
                damage = damage or error
        raise damage or missing(self.name, (self.archive, f"{stem}[.gz]"), places)

    def fetch(self, folder: str | Path | None, archive: str | Path | None) -> Path:
        """Bring the files, from a local copy, the mirrors or OpenML.

        Args:
            folder: Data folder to put them in, below the set's own name.
            archive: An NPZ file, or a folder with the four IDX files, to copy.

        Returns:
            The folder they lie in.

        Raises:
            DataError: If they cannot be had, or are not the published ones.
        """
        target = (Path(folder) if folder else folders(None)[0]) / self.subfolders[0]
        if archive is not None:
            return self._copy(Path(archive), target)
        try:
            for key, stem in STEMS.items():
                name = f"{stem}.gz"
                addresses = [f"{mirror}{name}" for mirror in self.mirrors]
                download(addresses, target / name, self._checker(key))
        except DataError as error:
            self._from_openml(target, error)
        return target

    def _checker(self, key: str) -> Callable[[Path], np.ndarray]:
        return lambda path: self.check(key, read_idx(path), path)

    def _copy(self, archive: Path, target: Path) -> Path:
        if not archive.exists():
            raise DataError(f"there is no file {archive}; check the path.")
        for key in STEMS:
            if archive.is_dir():
                path = find((f"{STEMS[key]}.gz", STEMS[key]), [archive])
                if path is None:
                    raise missing(self.name, (STEMS[key],), [archive])
                array = read_idx(path)
            else:
                path, array = archive, _from_npz(archive, key)
            _write_idx(self.check(key, array, path), target / STEMS[key])
        return target

    def _from_openml(self, target: Path, reason: DataError) -> None:
        from sklearn.datasets import fetch_openml  # noqa: PLC0415 (goes online)

        try:
            data = fetch_openml(self.openml, version=1, as_frame=False, parser="auto")
        except (OSError, ValueError) as error:
            raise reason from error
        images = np.asarray(data.data).astype(np.uint8)
        classes = np.asarray(data.target).astype(np.uint8)
        for key in STEMS:
            array = images if key.startswith("x") else classes
            array = array[:TRAINING] if key.endswith("train") else array[TRAINING:]
            array = self.check(key, array, Path(self.openml))
            _write_idx(array, target / STEMS[key])


def table(
    images: ImageSet,
    part: str,
    limit: int | None,
    coding: str,
    data_dir: str | Path | None,
) -> Table:
    """Return images as a table, pixels from 0 to 1.

    Args:
        images: The set.
        part: `train` or `test`.
        limit: How many of the first images; `None` for all.
        coding: How classes become labels, see `coding.code`.
        data_dir: Folder to search first.

    Returns:
        The table.

    Raises:
        DomainError: If `limit` is not between 1 and the number of images.
    """
    _check_part(part)
    pixels, path = images.read(part, data_dir)
    classes = images.read_classes(part, data_dir)
    samples = len(pixels) if limit is None else limit
    if not 1 <= samples <= len(pixels):
        raise DomainError(
            f"limit is {limit}; the {part} part holds {len(pixels)} images."
        )
    rows, columns = pixels.shape[1:]
    labels, label_names = code(classes[:samples], images.classes, coding)
    return Table(
        pixels[:samples].reshape(samples, -1) / 255.0,
        labels,
        tuple(f"pixel {row},{column}" for row, column in np.ndindex(rows, columns)),
        label_names,
        f"{images.name} {part}, {samples} images coded as {coding}, from {path.name}",
    )


def digest(samples: Table) -> str:
    """Return the SHA-256 of the pixels as bytes."""
    pixels = np.rint(samples.inputs * 255).astype(np.uint8)
    return hashlib.sha256(pixels.tobytes()).hexdigest()


def _check_part(part: str) -> None:
    if part not in PARTS:
        raise unknown(part, PARTS, "the list of parts")


def _from_npz(path: Path, key: str) -> np.ndarray:
    try:
        with open(path, "rb") as stream:
            archive = np.load(stream, allow_pickle=False)
            return archive[key]
    except (KeyError, IndexError) as error:
        raise DataError(
            f"{path} holds no array '{key}'; it must have Keras's keys: "
            f"{', '.join(STEMS)}."
        ) from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}; fetch it again.") from error


def _write_idx(array: np.ndarray, target: Path) -> None:
    sizes = np.asarray(array.shape, dtype=">u4").tobytes()
    header = bytes((0, 0, 8, array.ndim)) + sizes
    content = header + np.ascontiguousarray(array, dtype=np.uint8).tobytes()
    bring(lambda path: path.write_bytes(content), target, lambda path: None)
