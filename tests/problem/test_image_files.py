"""The image sets' files: IDX and NPZ, their hashes, fetching."""

import gzip
import hashlib
import importlib
import urllib.request
from dataclasses import replace

import numpy as np
import pytest
import sklearn.datasets

from thalweg._core.errors import DataError, DomainError, UnknownName
from thalweg.problem.datasets import _images, mnist, shelf
from thalweg.problem.datasets._idx import read_idx
from thalweg.problem.datasets._load import load


def load_table(name, **fields):
    return shelf.make(name, **fields).load()


def idx(array):
    sizes = b"".join(int(size).to_bytes(4, "big") for size in array.shape)
    return bytes((0, 0, 8, array.ndim)) + sizes + array.tobytes()


@pytest.fixture
def images(tmp_path, monkeypatch):
    monkeypatch.delenv("THALWEG_DATA_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    arrays = {
        "x_train": rng.integers(0, 256, (30, 4, 4), dtype=np.uint8),
        "y_train": np.arange(30, dtype=np.uint8) % 10,
        "x_test": rng.integers(0, 256, (10, 4, 4), dtype=np.uint8),
        "y_test": np.arange(10, dtype=np.uint8),
    }
    for key, array in arrays.items():
        digest = hashlib.sha256(array.tobytes()).hexdigest()
        monkeypatch.setitem(mnist.MNIST.hashes, key, digest)
    return arrays


def lay(arrays, folder, packed=True):
    folder.mkdir(parents=True, exist_ok=True)
    for key, stem in _images.STEMS.items():
        content = idx(arrays[key])
        path = folder / (f"{stem}.gz" if packed else stem)
        path.write_bytes(gzip.compress(content) if packed else content)
    return folder


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("below", [".", "mnist", "MNIST/raw"])
def test_images_are_read_from_idx_files(images, tmp_path, packed, below):
    lay(images, tmp_path / below, packed)
    table = load_table("mnist", data_dir=tmp_path, coding="number")
    np.testing.assert_array_equal(table.inputs, images["x_train"].reshape(30, 16) / 255)
    np.testing.assert_array_equal(table.labels[:, 0], images["y_train"])
    assert table.feature_names[5] == "pixel 1,1"


@pytest.mark.parametrize("flat", [True, False])
def test_images_are_read_from_an_archive(images, tmp_path, flat):
    arrays = dict(images)
    if flat:
        arrays["x_test"] = arrays["x_test"].reshape(10, 16)
    np.savez(tmp_path / "mnist.npz", **arrays)
    table = load_table("mnist", data_dir=tmp_path, part="test", limit=7)
    assert table.inputs.shape == (7, 16)
    assert table.labels.shape == (7, 9)
    assert table.feature_names[-1] == "pixel 3,3"


def test_files_of_another_set_are_passed_over(images, tmp_path):
    other = dict(images, x_train=images["x_train"][::-1])
    lay(other, tmp_path / "mnist")
    lay(images, tmp_path)
    table = load_table("mnist", data_dir=tmp_path)
    np.testing.assert_array_equal(table.inputs, images["x_train"].reshape(30, 16) / 255)


def test_altered_images_are_refused(images, tmp_path):
    other = dict(images, x_train=images["x_train"][::-1])
    lay(other, tmp_path)
    with pytest.raises(DataError, match="is not that of mnist: its hash differs"):
        load_table("mnist", data_dir=tmp_path)


def test_altered_archive_is_refused(images, tmp_path):
    np.savez(tmp_path / "mnist.npz", **dict(images, y_train=images["y_train"][::-1]))
    with pytest.raises(DataError, match=r"y_train .* hash differs"):
        load_table("mnist", data_dir=tmp_path)


def test_archive_with_other_keys_is_refused(images, tmp_path):
    np.savez(tmp_path / "mnist.npz", images=images["x_train"])
    with pytest.raises(DataError, match="Keras's keys: x_train"):
        load_table("mnist", data_dir=tmp_path)


def test_images_are_fetched_from_the_second_mirror(images, tmp_path, monkeypatch):
    lay(images, tmp_path / "mirror")
    mirrors = [(tmp_path / name).as_uri() + "/" for name in ("none", "mirror")]
    monkeypatch.setattr(mnist, "MNIST", replace(mnist.MNIST, mirrors=tuple(mirrors)))
    folder = shelf.make("mnist").fetch(tmp_path / "data")
    assert len(list(folder.iterdir())) == 4
    table = load_table("mnist", data_dir=tmp_path / "data")
    assert table.inputs.shape == (30, 16)


@pytest.mark.parametrize("as_folder", [True, False])
def test_images_are_fetched_from_a_local_copy(images, tmp_path, as_folder):
    copy = lay(images, tmp_path / "copy")
    if not as_folder:
        copy = tmp_path / "keras.npz"
        np.savez(copy, **images)
    shelf.make("mnist").fetch(tmp_path / "data", copy)
    table = load_table("mnist", data_dir=tmp_path / "data", part="test")
    assert table.inputs.shape == (10, 16)


@pytest.fixture
def offline(monkeypatch):
    def refuse(*_, **__):
        raise OSError("no network in tests")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    return monkeypatch


def test_images_are_fetched_from_openml_last(images, tmp_path, offline):
    class Answer:
        data = np.concatenate([images["x_train"], images["x_test"]]).reshape(40, 16)
        target = np.concatenate([images["y_train"], images["y_test"]]).astype(str)

    offline.setattr(_images, "TRAINING", 30)
    offline.setattr(sklearn.datasets, "fetch_openml", lambda *_, **__: Answer)
    shelf.make("mnist").fetch(tmp_path)
    assert load_table("mnist", data_dir=tmp_path).inputs.shape == (30, 16)


def test_images_that_cannot_be_fetched_say_why(images, tmp_path, offline):
    def refuse(*_, **__):
        raise OSError("nor here")

    offline.setattr(sklearn.datasets, "fetch_openml", refuse)
    with pytest.raises(DataError, match=r"could not be downloaded .*no network"):
        shelf.make("mnist").fetch(tmp_path)


@pytest.mark.parametrize("limit", [0, 31])
def test_limit_has_its_range(images, tmp_path, limit):
    lay(images, tmp_path)
    with pytest.raises(DomainError, match="the train part holds 30 images"):
        load_table("mnist", data_dir=tmp_path, limit=limit)


def test_parts_have_names():
    with pytest.raises(UnknownName, match="mean 'test'"):
        load_table("mnist", part="tests")


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_images_without_files_say_how_to_fetch(images, tmp_path, name, monkeypatch):
    module = importlib.import_module(f"thalweg.problem.datasets.{name}")
    spec = "MNIST" if name == "mnist" else "FASHION"
    monkeypatch.setattr(module, spec, replace(getattr(module, spec), places=()))
    with pytest.raises(DataError, match=f"thalweg data fetch {name}"):
        load(name, data_dir=tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a", b"", "does not begin like an IDX"),
        ("a", b"\0\0\x0d\1\0\0\0\1\0\0\0\0", "does not begin like an IDX"),
        ("a", b"\0\0\x08\1\0\0\0\5abc", r"holds 3 bytes but announces 5"),
        ("a.gz", b"not packed", "cannot be read"),
        (
            "a.gz",
            gzip.compress(b"\0\0\x08\1\0\0\0\5abcde", mtime=0)[:-9],
            "cannot be read",
        ),
    ],
)
def test_each_fault_of_an_idx_file_has_its_sentence(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_idx(tmp_path / name)
