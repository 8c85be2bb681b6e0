"""Laws of the shelf of data sets: card, table, checksum, moments, terms."""

import dataclasses
import os

import numpy as np
import pytest

from thalweg._core.errors import DataError
from thalweg._core.source import Source
from thalweg.problem.datasets import shelf
from thalweg.problem.datasets._base import AbstractDataset

pytestmark = pytest.mark.parametrize("name", shelf.names())


def table_of(name):
    dataset = shelf.make(name)
    try:
        return dataset.load()
    except DataError:
        if dataset.offline:
            raise
        pytest.skip(f"no files of {name} in THALWEG_DATA_DIR")


def test_the_card_is_complete(name):
    entry = shelf.entry(name)
    assert issubclass(entry, AbstractDataset)
    assert isinstance(entry.source, Source)
    assert entry.licence
    assert entry.address
    assert min(entry.samples, entry.features, entry.outputs) >= 1
    assert entry.sha256 is None or len(entry.sha256) == 64
    assert isinstance(entry.offline, bool)
    assert shelf.cards[name].summary


def test_it_is_frozen_and_has_defaults(name):
    dataset = shelf.make(name)
    assert dataset == shelf.make(name)
    field = next(iter(dataclasses.fields(dataset)), None)
    if field is not None:
        with pytest.raises(dataclasses.FrozenInstanceError, match=field.name):
            setattr(dataset, field.name, None)


def test_the_table_has_the_shape_on_the_card(name):
    table, entry = table_of(name), shelf.entry(name)
    assert table.inputs.shape == (entry.samples, entry.features)
    assert table.labels.shape == (entry.samples, entry.outputs)
    assert table.inputs.dtype == table.labels.dtype == np.float64
    assert np.isfinite(table.inputs).all()
    assert np.isfinite(table.labels).all()
    assert len(set(table.feature_names)) == entry.features
    assert len(set(table.label_names)) == entry.outputs
    assert name in table.note


def test_the_content_has_the_hash_on_the_card(name):
    dataset = shelf.make(name)
    table = table_of(name)
    if dataset.sha256 is not None:
        assert dataset.digest(table) == dataset.sha256


def test_moments_are_white_unless_told(name):
    if not shelf.entry(name).offline:
        pytest.skip("large; tested with its printed numbers")
    moments = shelf.make(name).moments()
    np.testing.assert_array_equal(moments.inputs_factor, np.eye(moments.rank))
    assert moments.outputs_width == shelf.entry(name).outputs
    assert np.linalg.norm(np.asarray(moments.target)) > 0
    assert any(name in line for line in moments.preparation.lines())


def test_terms_name_licence_and_citation(name):
    dataset = shelf.make(name)
    terms = dataset.terms()
    assert dataset.licence in terms
    assert dataset.source.title in terms
    assert dataset.address in terms


def test_without_files_it_loads_or_says_how_to_fetch(name, tmp_path, monkeypatch):
    monkeypatch.delenv("THALWEG_DATA_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if shelf.entry(name).offline:
        assert shelf.make(name).load().note
        return
    if name == "fashion_mnist" and os.path.isdir("/usr/share/datasets/fashion-mnist"):
        pytest.skip("its files are installed here")
    with pytest.raises(DataError, match=f"thalweg data fetch {name}"):
        shelf.make(name).load()
