"""The ten text files of the gas sensors: reading and checking them."""

import hashlib
import re
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from thalweg._core.errors import DataError

HASHES = {
    "batch1.dat": "6b62f3e71b90f95dd9c2157fa91ffce32571faa7f474dd52f29a4ae769144625",
    "batch2.dat": "4ea9490068457badf9efd0c22f359fbfce12c208cdd440526b97ac91d31b9002",
    "batch3.dat": "aabf06bf8b8200740156235dc59458e06d99aa8faba4d6764a22c6b6c2674ff4",
    "batch4.dat": "ffc87c5146001bbe8ce90c4b2f7dad5b390ca3079f51b559032df53ffe5ff0af",
    "batch5.dat": "dcad4939c300a6c7d9f41b9470a9253eecc0ebc5c2c4e940d8ae20b8fc4240d0",
    "batch6.dat": "297d3a8b594dee4e2f4d7d2c4f5c485939fa708c10b5a11ed5cce95e05049afb",
    "batch7.dat": "eb5801d38a59beaae4a2412195d8ded790175ed1611159e083649ee9fe03d150",
    "batch8.dat": "58146b3e2dd68b125b2d5432cdd4968ec1fff47464ceb04282382181932d49be",
    "batch9.dat": "51f368ae8dee5d285be7f2029770e10eb12f342578830bc40ea852db19d19c9b",
    "batch10.dat": "b8309e8ff205b9d0350761989809f31f8feaefb8582aecb05f1d0f694b91184e",
}
"""SHA-256 of the published files."""

FEATURES = 128


def read_batches(path: Path) -> dict[str, bytes]:
    """Return the published files in an archive or a folder, checked by their hashes.

    Args:
        path: The zip file of the repository, or a folder it was unpacked to.

    Returns:
        The content of each file by name, in the order of collection.

    Raises:
        DataError: If it is no such archive, or a file is missing or altered.
    """
    try:
        found = _folder(path) if path.is_dir() else _archive(path)
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}; fetch it again.") from error
    for name, wanted in HASHES.items():
        if name not in found:
            raise DataError(
                f"{path} holds no {name}; all {len(HASHES)} files of the data set are "
                "needed, fetch it again."
            )
        if hashlib.sha256(found[name]).hexdigest() != wanted:
            raise DataError(
                f"{name} in {path} is not the published file: its hash differs; fetch "
                "it again."
            )
    return {name: found[name] for name in HASHES}


def _archive(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if _base(name) in HASHES]
        return {_base(name): archive.read(name) for name in names}


def _folder(path: Path) -> dict[str, bytes]:
    return {
        file.name: file.read_bytes()
        for file in path.glob("batch*.dat")
        if file.name in HASHES
    }


def _base(name: str) -> str:
    return name.rpartition("/")[2]


def parse(files: Mapping[str, bytes], gas: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the samples of one gas.

    A line is `class;concentration 1:value 2:value ... 128:value`.

    Args:
        files: Content of the files by name.
        gas: Number of the class, from 1 to 6.

    Returns:
        The features, `"sample feature"`, and the concentrations, `"sample"`.

    Raises:
        DataError: If a line of that gas is not of this form, or there is none.
    """
    wanted = f"{gas};".encode()
    rows, parts = [], []
    for name, content in files.items():
        for number, line in enumerate(content.splitlines(), 1):
            if not line.startswith(wanted):
                continue
            row = _line(line.decode("ascii", "replace"))
            if row is None:
                raise DataError(
                    f"{name}, line {number} is not 'class;concentration' followed by "
                    f"{FEATURES} values 'position:value'."
                )
            parts.append(row[0])
            rows.append(row[1:])
    if not rows:
        raise DataError(f"no line holds gas {gas}; classes run from 1 to 6.")
    return np.array(rows), np.array(parts)


def _line(line: str) -> list[float] | None:
    head, *pairs = line.split()
    matches = [re.fullmatch(r"(\d+):(\S+)", pair) for pair in pairs]
    positions = [int(match[1]) for match in matches if match]
    if positions != list(range(1, FEATURES + 1)) or len(pairs) != FEATURES:
        return None
    try:
        concentration = float(head.partition(";")[2])
        return [concentration, *(float(match[2]) for match in matches if match)]
    except ValueError:
        return None


def digest(features: np.ndarray, concentrations: np.ndarray) -> str:
    """Return a SHA-256 that depends on no container and no order of samples.

    Rows are sorted by concentration, then by features, and written with six
    decimals, which is what the published text has.

    Args:
        features: Of shape `"sample feature"`.
        concentrations: In ppm, `"sample"`.

    Returns:
        The hash.
    """
    millionths = np.rint(features * 1e6).astype(np.int64)
    order = np.lexsort([*millionths.T[::-1], concentrations])
    hashed = hashlib.sha256()
    for sample in order:
        cells = [f"{concentrations[sample]:.6f}"]
        cells += [f"{value / 1e6:.6f}" for value in millionths[sample].tolist()]
        hashed.update((",".join(cells) + "\n").encode())
    return hashed.hexdigest()
