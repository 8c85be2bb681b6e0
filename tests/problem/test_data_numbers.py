"""Data sets: their printed numbers, and the synthetic target."""

import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets

from thalweg._core.errors import DataError, DomainError, UnknownName
from thalweg.problem.coding import code
from thalweg.problem.datasets import shelf
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


def load_table(name, **fields):
    return shelf.make(name, **fields).load()


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
