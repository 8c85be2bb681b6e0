"""Gas sensors and concentrations: the real data of Arora et al. (2019)."""

import shutil
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from thalweg._core.errors import DataError, unknown
from thalweg._core.source import Source
from thalweg.problem.datasets._base import AbstractDataset, Table
from thalweg.problem.datasets._batches import digest, parse, read_batches
from thalweg.problem.datasets._files import (
    bring,
    download,
    find,
    folders,
    missing,
    sha256,
)

GASES = ("ethanol", "ethylene", "ammonia", "acetaldehyde", "acetone", "toluene")
UNITS = ("ppm", "log1p")
LOCAL = "gas_ethanol.npz"
ARCHIVE = "gas+sensor+array+drift+dataset+at+different+concentrations.zip"
PLACES = (ARCHIVE, ARCHIVE.replace("+", "_"), "gas_sensor.zip", "gas_sensor")
ARCHIVE_HASH = "98fe3a30981a222dd4518fbcc3dddd45d5c0ce9b03ef6dc6fe5cf7a04cfbff5e"
LOCAL_HASH = "e136a737fbf2550aedd86a614f49dcb96534e55f15e41ab9f6e0e732916fa078"
ETHANOL_DIGEST = "99d41cebf844a1875144ab455834dad9f76e6c5f406dcabc4a8194889bcddc1c"
MEASURED = (
    "steady change",
    "steady change, normalised",
    "rise 0.001",
    "rise 0.01",
    "rise 0.1",
    "decay 0.001",
    "decay 0.01",
    "decay 0.1",
)
"""What each of the 16 sensors gives: the numbers are smoothing factors."""


@dataclass(frozen=True)
class GasSensor(AbstractDataset):
    """Concentration of a gas from 128 features of 16 drifting sensors.

    Reads the archive of the UCI repository (its ten text files are checked by their
    hashes), a folder `gas_sensor` it was unpacked to, or, for ethanol alone,
    `gas_ethanol.npz`.

    Attributes:
        gas: One of ethanol (which the paper uses), ethylene, ammonia, acetaldehyde,
            acetone, toluene.
        concentration: `ppm`, or `log1p` for log(1 + ppm). The paper does not say
            which; scaled to a target of unit norm, both give white problems of one
            law (see `unit_phi`).
        data_dir: Folder to search first.
    """

    gas: str = "ethanol"
    concentration: str = "ppm"
    data_dir: str | Path | None = None

    source: ClassVar[Source] = Source(
        "vergara2012",
        "A. Vergara, S. Vembu, T. Ayhan, M. Ryan, M. Homer, R. Huerta",
        "Chemical gas sensor drift compensation using classifier ensembles",
        "Sensors and Actuators B 166-167",
        2012,
        "doi:10.1016/j.snb.2012.01.074",
        beyond=True,
    )
    licence: ClassVar[str] = (
        "stated as CC BY 4.0 and, by its authors, as for research only; cite both "
        "papers and do not pass the files on"
    )
    samples: ClassVar[int] = 2565
    features: ClassVar[int] = 128
    outputs: ClassVar[int] = 1
    sha256: ClassVar[str | None] = ETHANOL_DIGEST
    offline: ClassVar[bool] = False
    address: ClassVar[str] = f"https://archive.ics.uci.edu/static/public/270/{ARCHIVE}"

    def load(self) -> Table:
        """Return the samples of one gas, features as published."""
        _check_word(self.gas, GASES, "the list of gases")
        _check_word(self.concentration, UNITS, "the list of concentrations")
        features, ppm, note = self._samples()
        labels = ppm if self.concentration == "ppm" else np.log1p(ppm)
        names = tuple(
            f"{sensor}: {what}" for sensor in range(1, 17) for what in MEASURED
        )
        label = f"{self.gas} ({'log(1 + ppm)' if labels is not ppm else 'ppm'})"
        return Table(features, labels[:, None], names, (label,), note)

    def digest(self, table: Table) -> str:
        """Return a SHA-256 that depends on no container and no order of samples."""
        labels = table.labels[:, 0]
        return digest(
            table.inputs, labels if self.concentration == "ppm" else np.expm1(labels)
        )

    def citations(self) -> tuple[Source, ...]:
        """Return the two papers its authors ask to be cited."""
        return (
            self.source,
            Source(
                "rodriguez2014",
                "I. Rodriguez-Lujan, J. Fonollosa, A. Vergara, M. Homer, R. Huerta",
                "On the calibration of sensor arrays for pattern recognition using "
                "the minimal number of experiments",
                "Chemometrics and Intelligent Laboratory Systems 130",
                2014,
                "doi:10.1016/j.chemolab.2013.10.012",
                beyond=True,
            ),
        )

    def fetch(
        self, folder: str | Path | None = None, archive: str | Path | None = None
    ) -> Path:
        """Bring the archive, its ten files checked by their hashes.

        Args:
            folder: Data folder; by default the first that is searched.
            archive: A local copy of the archive, taken instead of downloading.

        Returns:
            The folder it lies in.

        Raises:
            DataError: If there is no such archive, or it is not the published one.
        """
        target = Path(folder) if folder else folders(self.data_dir)[0]
        if archive is None:
            download([self.address], target / ARCHIVE, read_batches)
            return target
        local = Path(archive)
        if not local.is_file():
            raise DataError(f"there is no file {local}; check the path.")
        bring(lambda to: shutil.copyfile(local, to), target / ARCHIVE, read_batches)
        return target

    def _samples(self) -> tuple[np.ndarray, np.ndarray, str]:
        places = folders(self.data_dir)
        path = find(PLACES, places)
        if path is not None:
            features, ppm = parse(read_batches(path), GASES.index(self.gas) + 1)
            return features, ppm, self._note(path, features, ppm)
        local = find((LOCAL,), places)
        if local is not None and self.gas == "ethanol":
            return *_from_npz(local), f"gas_sensor, ethanol, from {local.name}"
        raise missing("gas_sensor", (ARCHIVE, LOCAL + " (ethanol only)"), places)

    def _note(self, path: Path, features: np.ndarray, ppm: np.ndarray) -> str:
        note = f"gas_sensor, {self.gas}, from {path.name}"
        if path.is_file() and sha256(path) != ARCHIVE_HASH:
            note += "; the archive is packed otherwise than the one on record, its "
            note += "files are the published ones"
        if self.gas == "ethanol" and digest(features, ppm) != ETHANOL_DIGEST:
            note += "; its ethanol rows differ from those on record"
        return note


def _from_npz(path: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        with open(path, "rb") as stream:
            archive = np.load(stream, allow_pickle=False)
            features, ppm = archive["X_micro"] / 1e6, archive["ppm"]
    except (KeyError, IndexError) as error:
        raise DataError(f"{path} must hold the arrays X_micro and ppm.") from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}; bring it again.") from error
    shaped = features.ndim == 2 and ppm.shape == (len(features),)
    if sha256(path) != LOCAL_HASH and (
        not shaped or digest(features, ppm) != ETHANOL_DIGEST
    ):
        raise DataError(
            f"{path} is not the ethanol data on record: its hash differs; bring it "
            "again."
        )
    return features, ppm


def _check_word(word: str, words: tuple[str, ...], what: str) -> None:
    if word not in words:
        raise unknown(word, words, what)
