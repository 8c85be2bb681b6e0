"""Data sets: the printed numbers, the parsers, the folders, the fetching."""

import gzip
import hashlib
import os
import re
import urllib.request
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets

from thalweg._core.errors import DataError, DomainError, UnknownName
from thalweg.problem.coding import code
from thalweg.problem.datasets import _batches, _images, gas_sensor, mnist, shelf
from thalweg.problem.datasets._idx import read_idx
from thalweg.problem.datasets._load import load
from thalweg.problem.moments import Moments

REAL = os.environ.get("THALWEG_DATA_DIR", "")


def needs(file):
    """Return marks of a test on real files: skipped, with a reason, without them."""
    there = bool(REAL) and (Path(REAL) / file).is_file()
    skip = pytest.mark.skipif(not there, reason=f"no {file} in THALWEG_DATA_DIR")
    return lambda test: pytest.mark.data(skip(test))


def half_a_unit(text):
    mantissa, _, exponent = text.partition("e")
    return 0.5001 * 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))


def prints_as(value, text):
    """Return whether a number prints as `text`, to half a unit of its last digit."""
    return abs(float(value) - float(text)) <= half_a_unit(text)


def singular_values(moments):
    return np.linalg.svd(np.asarray(moments.target), compute_uv=False)


def norm(moments):
    return np.linalg.norm(np.asarray(moments.target))


# -- printed numbers of the sets that come with scikit-learn


@pytest.mark.parametrize(
    ("name", "fields", "samples", "rank", "printed"),
    [
        ("diabetes", {}, 442, 10, "55.4093"),
        ("diabetes", {"labels": "standard"}, 442, 10, "0.719547"),
        ("breast_cancer", {}, 569, 30, "0.425453"),
        ("breast_cancer", {"labels": "standard"}, 569, 30, "0.879957"),
        ("digits", {"coding": "number"}, 1797, 61, "2.2158"),
        ("digits", {"coding": "number", "labels": "standard"}, 1797, 61, "0.773538"),
        ("linnerud", {}, 20, 3, "12.8139"),
        ("linnerud", {"labels": "standard"}, 20, 3, "0.943734"),
        ("digits", {"coding": "one-hot"}, 1797, 61, "0.769387"),
        ("digits", {}, 1797, 61, "0.769387"),
        ("wine", {}, 178, 13, "0.747235"),
        ("wine", {"coding": "one-hot"}, 178, 13, "0.747235"),
    ],
)
def test_norms_of_whitened_targets(name, fields, samples, rank, printed):
    moments = load(name, **fields)
    assert (moments.samples, moments.rank) == (samples, rank)
    assert prints_as(norm(moments), printed)


NINE = "0.2979 0.2873 0.2855 0.2753 0.2607 0.2521 0.2311 0.2087 0.1871"


@pytest.mark.parametrize(
    ("name", "fields", "printed"),
    [
        ("linnerud", {}, "12.789 0.7434 0.2939"),
        ("linnerud", {"labels": "standard"}, "0.93706 0.09491 0.05953"),
        ("digits", {}, NINE),
        ("wine", {}, "0.5465 0.5096"),
    ],
)
def test_singular_values_of_whitened_targets(name, fields, printed):
    found = singular_values(load(name, **fields))
    expected = printed.split()
    assert len(found) == len(expected)
    assert all(map(prints_as, found, expected))


@pytest.mark.parametrize(
    ("name", "printed"),
    [("linnerud", "0.0229"), ("digits", "0.243"), ("wine", "0.682")],
)
def test_smallest_singular_values_against_the_norm(name, printed):
    moments = load(name)
    assert prints_as(singular_values(moments)[-1] / norm(moments), printed)


@pytest.mark.parametrize(("name", "outputs"), [("digits", 10), ("wine", 3)])
@pytest.mark.parametrize("center", [True, "inputs"])
def test_one_hot_labels_have_no_deficiency_margin(name, outputs, center):
    values = singular_values(load(name, coding="one-hot", center=center))
    assert len(values) == outputs
    assert values[-1] < 1e-15
    contrasts = singular_values(load(name))
    np.testing.assert_allclose(values[:-1], contrasts, rtol=1e-12)


def test_digits_with_bias_have_full_rank():
    values = singular_values(load("digits", coding="one-hot", bias=True))
    assert prints_as(values[0], "0.3163")
    # "then the nine above": exact for equally frequent classes. Here frequencies
    # differ by up to 2.5 % from each other, so the bias column is not quite
    # orthogonal to the contrasts and the nine move by up to 4e-5.
    np.testing.assert_allclose(values[1:], singular_values(load("digits")), atol=5e-5)


@pytest.mark.parametrize(
    ("coding", "printed"),
    [("one-hot", "0.5686 0.2720"), ("contrasts", "0.5686 0.2720")],
)
def test_iris(coding, printed):
    iris = sklearn.datasets.load_iris()
    labels, _ = code(iris.target, tuple(iris.target_names), coding)
    moments = Moments.from_data(iris.data, labels, center=True, whiten=True)
    assert prints_as(norm(moments), "0.630317")
    assert all(map(prints_as, singular_values(moments), printed.split()))


def test_iris_smallest_singular_value_against_the_norm():
    iris = sklearn.datasets.load_iris()
    labels, _ = code(iris.target, tuple(iris.target_names), "contrasts")
    moments = Moments.from_data(iris.data, labels, center=True, whiten=True)
    assert prints_as(singular_values(moments)[-1] / norm(moments), "0.432")


def test_wine_as_its_own_label():
    inputs = load_table("wine").inputs
    moments = Moments.from_data(
        inputs, inputs, center=True, whiten=True, rescale="standard"
    )
    values = singular_values(moments)
    assert prints_as(norm(moments), "3.60555")
    assert prints_as(values[0], "2.169")
    correlations = np.linalg.eigvalsh(np.corrcoef(inputs.T))[::-1]
    np.testing.assert_allclose(values, np.sqrt(correlations), rtol=1e-12)


def load_table(name, **fields):
    return shelf.make(name, **fields).load()


@pytest.mark.parametrize("name", ["diabetes", "digits", "wine", "breast_cancer"])
def test_whitening_is_exact(name):
    table = load_table(name)
    moments = load(name)
    z = np.asarray(moments.to_coordinates(table.inputs))
    assert np.linalg.norm(z.T @ z / len(z) - np.eye(moments.rank)) <= 1e-12


def test_digits_have_three_constant_pixels():
    record = load("digits").preparation
    assert len(record.constant) == 3
    assert "pixel_0_0" in "\n".join(record.lines())


# -- the synthetic target


def test_unit_phi_has_norm_one_and_says_what_it_is():
    moments = load("unit_phi", width=16, seed=3)
    assert moments.target.shape == (1, 16)
    np.testing.assert_allclose(norm(moments), 1.0, rtol=1e-15)
    assert "synthetic" in moments.preparation.lines()[-1]


def test_unit_phi_depends_on_the_seed_alone():
    one, same, other = (load("unit_phi", seed=seed).target for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_the_table_of_unit_phi_has_its_moments():
    dataset = shelf.make("unit_phi", width=8)
    table = dataset.load()
    np.testing.assert_allclose(table.inputs.mean(axis=0), 0.0, atol=1e-14)
    np.testing.assert_allclose(table.inputs.T @ table.inputs / 9, np.eye(8), atol=1e-14)
    np.testing.assert_allclose(
        table.labels.T @ table.inputs / 9, dataset.moments().target, atol=1e-14
    )


def test_a_bias_on_unit_phi_has_nothing_to_learn():
    moments = load("unit_phi", width=4, bias=True)
    assert moments.target.shape == (1, 5)
    assert float(moments.target[0, -1]) == 0.0


def test_unit_phi_needs_an_input():
    with pytest.raises(DomainError, match="at least 1"):
        load("unit_phi", width=0)


# -- gas sensors: the printed numbers


@needs("gas_ethanol.npz")
@pytest.mark.parametrize(
    ("options", "printed_norm", "explained", "printed_constant"),
    [
        ({"center": "inputs"}, "82.17622839", None, "6981.88"),
        ({}, "82.17622839", "0.900016", "375.098"),
        ({"labels": "standard"}, "0.948691", "0.900016", "0.0499922"),
        ({"concentration": "log1p"}, "1.0111161", "0.943627", "0.0305382"),
        (
            {"concentration": "log1p", "labels": "standard"},
            "0.971405",
            "0.943627",
            "0.0281866",
        ),
        ({"labels": "unit"}, "1.0000000", "0.900016", None),
        ({"center": False}, "140.676", None, None),
    ],
)
def test_gas_targets(options, printed_norm, explained, printed_constant):
    moments = load("gas_sensor", **options)
    assert moments.rank == 128
    assert prints_as(norm(moments), printed_norm)
    if explained:
        share = 1 - 2 * float(moments.constant) / float(moments.yy[0, 0])
        assert prints_as(share, explained)
    if printed_constant:
        assert prints_as(moments.constant, printed_constant)


@needs("gas_ethanol.npz")
def test_gas_labels_not_centred_are_explained_by_a_third():
    moments = load("gas_sensor", center="inputs")
    assert prints_as(norm(moments) ** 2 / float(moments.yy[0, 0]), "0.326")


@needs("gas_ethanol.npz")
def test_gas_centred_labels_on_uncentred_inputs():
    table = load_table("gas_sensor")
    labels = table.labels - table.labels.mean()
    assert prints_as(
        norm(Moments.from_data(table.inputs, labels, whiten=True)), "81.9584"
    )


@needs("gas_ethanol.npz")
def test_gas_facts():
    table = load_table("gas_sensor")
    ppm = table.labels[:, 0]
    assert (ppm.min(), ppm.max()) == (2.5, 600)
    assert prints_as(ppm.mean(), "114.9502924")
    assert prints_as(ppm.std(), "86.6206016")
    assert prints_as(np.log1p(ppm).mean(), "4.356462811")
    assert prints_as(np.log1p(ppm).std(), "1.040880531")
    assert prints_as(table.inputs.min(), "-4839.4463")
    assert prints_as(table.inputs.max(), "231364.166")
    assert len(np.unique(np.hstack([table.inputs, table.labels]), axis=0)) == 2565


@needs("gas_ethanol.npz")
def test_gas_singular_values_are_kept_over_seven_orders():
    moments = load("gas_sensor", whiten=False)
    values = np.linalg.svd(np.asarray(moments.inputs_factor), compute_uv=False)
    assert prints_as(values[0] * np.sqrt(2565) / 1e6, "3.725")
    assert prints_as(values[-1] * np.sqrt(2565), "0.3079")
    assert prints_as((values[0] / values[-1]) ** 2 / 1e14, "1.46")
    smallest = moments.preparation.smallest_kept
    assert prints_as(smallest**-2 / 1e9, "5.0")


@needs("gas_ethanol.npz")
def test_gas_whitening():
    table = load_table("gas_sensor")
    moments = load("gas_sensor")
    z = np.asarray(moments.to_coordinates(table.inputs))
    # The coordinates inside are orthonormal to 2e-14. The affine map to them is
    # applied in other order, which costs eps times the condition number 7e4.
    assert np.linalg.norm(z.T @ z / len(z) - np.eye(128)) <= 128 * 2.2e-16 * 7.1e4
    labels = table.labels - table.labels.mean()
    inner = labels.T @ z / len(z)
    np.testing.assert_allclose(inner, moments.target, atol=1e-9 * norm(moments))


@needs("gas_ethanol.npz")
def test_gas_stored_in_single_precision_keeps_its_rank():
    table = load_table("gas_sensor")
    moments = Moments.from_data(
        table.inputs.astype(np.float32), table.labels, center=True, whiten=True
    )
    assert moments.rank == 128
    assert abs(norm(moments) / 82.17622839 - 1) < 1e-5


@needs("gas_ethanol.npz")
def test_gas_from_second_moments():
    data = load("gas_sensor", whiten=False)
    moments = Moments.from_moments(data.xx, data.yx, data.yy)
    assert moments.rank == 128
    share = 1 - 2 * float(moments.constant) / float(moments.yy[0, 0])
    assert prints_as(share, "0.900016")


@needs("gas_ethanol.npz")
def test_gas_digest_forgets_the_order_of_samples():
    dataset = shelf.make("gas_sensor")
    table = dataset.load()
    order = np.random.default_rng(0).permutation(2565)
    shuffled = replace(table, inputs=table.inputs[order], labels=table.labels[order])
    assert dataset.digest(shuffled) == dataset.sha256


@needs("gas_ethanol.npz")
def test_gas_altered_file_is_refused(tmp_path):
    with np.load(Path(REAL) / "gas_ethanol.npz") as archive:
        arrays = dict(archive)
    arrays["X_micro"][7, 7] += 1
    np.savez(tmp_path / "gas_ethanol.npz", **arrays)
    with pytest.raises(DataError, match="its hash differs"):
        load("gas_sensor", data_dir=tmp_path)


@needs("gas_ethanol.npz")
def test_gas_saved_anew_is_accepted(tmp_path):
    with np.load(Path(REAL) / "gas_ethanol.npz") as archive:
        np.savez(tmp_path / "gas_ethanol.npz", **dict(archive))
    assert load_table("gas_sensor", data_dir=tmp_path).inputs.shape == (2565, 128)


# -- gas sensors: a made-up archive of the same form


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


# -- images


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
    module = __import__(f"thalweg.problem.datasets.{name}", fromlist=["x"])
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
        ("a.gz", gzip.compress(b"\0\0\x08\1\0\0\0\5abcde")[:-9], "cannot be read"),
    ],
)
def test_each_fault_of_an_idx_file_has_its_sentence(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_idx(tmp_path / name)


# -- MNIST: the printed numbers


@needs("mnist.npz")
def test_mnist_first_5000():
    moments = load("mnist", limit=5000, coding="one-hot")
    values = singular_values(moments)
    assert moments.rank == 653
    assert prints_as(norm(moments), "0.764026")
    assert prints_as(values[0], "0.2964")
    assert prints_as(values[8], "0.2005")
    assert values[9] < 1e-15
    assert prints_as(values[8] / norm(moments), "0.262")


@pytest.fixture(scope="module")
def whole_mnist():
    return load_table("mnist", coding="one-hot")


@needs("mnist.npz")
def test_mnist(whole_mnist):
    moments = Moments.from_data(
        whole_mnist.inputs, whole_mnist.labels, center=True, whiten=True
    )
    printed = "0.2866 0.2826 0.2710 0.2503 0.2484 0.2284 0.2098 0.1855 0.1710"
    values = singular_values(moments)
    assert (moments.rank, moments.samples) == (712, 60000)
    assert prints_as(norm(moments), "0.720897")
    assert all(map(prints_as, values, printed.split()))
    assert values[9] < 1e-15
    assert prints_as(values[8] / norm(moments), "0.237")


@needs("mnist.npz")
def test_mnist_in_fifty_principal_components(whole_mnist):
    centred = whole_mnist.inputs - whole_mnist.inputs.mean(axis=0)
    sizes, axes = np.linalg.eigh(centred.T @ centred / len(centred))
    assert prints_as(sizes[-1], "5.1")
    assert prints_as(sizes[-712] * 1e10, "8")
    moments = Moments.from_data(
        centred @ axes[:, -50:], whole_mnist.labels, center=True, whiten=True
    )
    values = singular_values(moments)
    assert moments.rank == 50
    assert prints_as(norm(moments), "0.679787")
    assert prints_as(values[0], "0.2814")
    assert prints_as(values[8], "0.1435")
    assert prints_as(values[8] / norm(moments), "0.211")


# -- the door


def test_names_are_suggested():
    with pytest.raises(UnknownName, match=re.escape("Did you mean 'diabetes'?")):
        load("diabetis")


def test_fields_are_suggested():
    with pytest.raises(UnknownName, match="'coding'"):
        load("digits", codings="one-hot")


def test_a_data_folder_does_not_disturb_sets_without_files(tmp_path):
    assert load("diabetes", data_dir=tmp_path).rank == 10


def test_a_set_without_files_has_nothing_to_fetch(tmp_path):
    with pytest.raises(DataError, match="needs no files"):
        shelf.make("diabetes").fetch(tmp_path)
