"""The gas sensors' files: archive, parser, folders, fetching."""

import hashlib
import zipfile

import numpy as np
import pytest

from thalweg._core.errors import DataError, UnknownName
from thalweg.problem.datasets import _batches, gas_sensor, shelf
from thalweg.problem.datasets._load import load


def load_table(name, **fields):
    return shelf.make(name, **fields).load()


def batch(seed, classes=(1, 2, 1)):
    rng = np.random.default_rng(seed)
    lines = []
    for gas in classes:
        cells = [f"{gas};{rng.integers(1, 600)}.000000"]
        cells += [f"{k}:{value:.6f}" for k, value in enumerate(rng.normal(size=128), 1)]
        lines.append(" ".join(cells) + "\r\n")
    return "".join(lines).encode()


@pytest.fixture
def archive(tmp_path, monkeypatch):
    monkeypatch.delenv("THALWEG_DATA_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    files = {f"batch{k}.dat": batch(k) for k in range(1, 11)}
    for name, content in files.items():
        digest = hashlib.sha256(content).hexdigest()
        monkeypatch.setitem(_batches.HASHES, name, digest)

    def pack(path=tmp_path / "made.zip", **changed):
        with zipfile.ZipFile(path, "w") as made:
            for name, content in {**files, **changed}.items():
                if content is not None:
                    made.writestr(f"Dataset/{name}", content)
        return path

    return pack


def test_gas_archive_is_read(archive, tmp_path):
    folder = shelf.make("gas_sensor").fetch(tmp_path / "data", archive())
    table = load_table("gas_sensor", data_dir=folder)
    assert table.inputs.shape == (20, 128)
    line = batch(1).decode().splitlines()[0].split()
    assert table.labels[0, 0] == float(line[0].partition(";")[2])
    assert table.inputs[0, 127] == float(line[128].partition(":")[2])
    assert table.feature_names[8] == "2: steady change"
    assert "packed otherwise" in table.note
    assert "differ from those on record" in table.note


def test_gas_of_another_class(archive, tmp_path):
    shelf.make("gas_sensor").fetch(tmp_path, archive())
    table = load_table("gas_sensor", gas="ethylene", data_dir=tmp_path)
    assert table.inputs.shape == (10, 128)
    assert table.label_names == ("ethylene (ppm)",)


def test_gas_class_without_samples(archive, tmp_path):
    shelf.make("gas_sensor").fetch(tmp_path, archive())
    with pytest.raises(DataError, match="no line holds gas 6"):
        load_table("gas_sensor", gas="toluene", data_dir=tmp_path)


def test_gas_unpacked_folder_is_read(archive, tmp_path):
    with zipfile.ZipFile(archive()) as made:
        for member in made.infolist():
            member.filename = member.filename.removeprefix("Dataset/")
            made.extract(member, tmp_path / "gas_sensor")
    assert load_table("gas_sensor", data_dir=tmp_path).inputs.shape == (20, 128)


def test_gas_tampered_batch_is_refused(archive, tmp_path):
    made = archive(**{"batch3.dat": batch(99)})
    with pytest.raises(DataError, match=r"batch3\.dat in .* hash differs"):
        shelf.make("gas_sensor").fetch(tmp_path / "data", made)
    assert list((tmp_path / "data").iterdir()) == []


def test_gas_missing_batch_is_refused(archive, tmp_path):
    with pytest.raises(DataError, match=r"holds no batch10\.dat"):
        shelf.make("gas_sensor").fetch(tmp_path, archive(**{"batch10.dat": None}))


def test_gas_archive_that_is_none(archive, tmp_path):
    broken = tmp_path / "broken.zip"
    broken.write_bytes(b"not an archive")
    with pytest.raises(DataError, match="cannot be read"):
        shelf.make("gas_sensor").fetch(tmp_path, broken)


def test_gas_archive_that_is_not_there(archive, tmp_path):
    with pytest.raises(DataError, match="there is no file"):
        shelf.make("gas_sensor").fetch(tmp_path, tmp_path / "none.zip")


@pytest.mark.parametrize(
    "line",
    [
        b"1;10.0 1:2.0 2:3.0",
        b"1;10.0 " + b" ".join(b"%d:1" % k for k in range(2, 130)),
        b"1;ten " + b" ".join(b"%d:1" % k for k in range(1, 129)),
        b"1;10.0 " + b" ".join(b"%d:one" % k for k in range(1, 129)),
    ],
)
def test_gas_line_of_another_form(line):
    with pytest.raises(DataError, match=r"b\.dat, line 2 is not"):
        _batches.parse({"b.dat": batch(0, (2,)) + line}, 1)


def test_gas_is_fetched_from_its_address(archive, tmp_path, monkeypatch):
    monkeypatch.setattr(gas_sensor.GasSensor, "address", archive().as_uri())
    folder = shelf.make("gas_sensor").fetch()
    assert folder == tmp_path / "cache" / "thalweg"
    assert [file.name for file in folder.iterdir()] == [gas_sensor.ARCHIVE]
    assert load("gas_sensor", center=True).samples == 20


def test_gas_address_that_does_not_answer(archive, tmp_path, monkeypatch):
    nowhere = (tmp_path / "nowhere.zip").as_uri()
    monkeypatch.setattr(gas_sensor.GasSensor, "address", nowhere)
    with pytest.raises(DataError, match="pass the file as archive"):
        shelf.make("gas_sensor").fetch(tmp_path / "data")
    assert list((tmp_path / "data").iterdir()) == []


def test_gas_without_files_says_how_to_fetch(archive, tmp_path):
    with pytest.raises(DataError, match="thalweg data fetch gas_sensor") as caught:
        load("gas_sensor", data_dir=tmp_path / "mine")
    assert str(tmp_path / "mine") in str(caught.value)
    assert str(tmp_path / "cache" / "thalweg") in str(caught.value)
    assert "gas_ethanol.npz" in str(caught.value)


def test_folders_are_searched_in_order(archive, tmp_path, monkeypatch):
    monkeypatch.setenv("THALWEG_DATA_DIR", str(tmp_path / "environment"))
    shelf.make("gas_sensor").fetch(None, archive())
    assert (tmp_path / "environment" / gas_sensor.ARCHIVE).is_file()
    assert load("gas_sensor").samples == 20


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"gas": "ethanole"}, "mean 'ethanol'"),
        ({"concentration": "log"}, "mean 'log1p'"),
    ],
)
def test_gas_words(fields, message):
    with pytest.raises(UnknownName, match=message):
        load_table("gas_sensor", **fields)


def test_gas_terms_name_licence_and_both_papers():
    terms = shelf.make("gas_sensor").terms()
    assert "CC BY 4.0" in terms
    assert "research only" in terms
    assert "Vergara" in terms
    assert "Rodriguez-Lujan" in terms
