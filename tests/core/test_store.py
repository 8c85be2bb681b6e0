"""Results on disk are whole, unchanged, or refused in one sentence."""

import json
import os

import numpy as np
import pytest

from thalweg._core import store
from thalweg._core.errors import StoreError
from tolerances import is_a_sentence, same_arrays

ARRAYS = {
    "matrix": np.arange(6.0).reshape(2, 3),
    "empty": np.zeros((0, 3)),
    "scalar": np.asarray(2.5),
    "counts": np.arange(4),
    "odd": np.array([np.nan, -0.0, np.inf, 5e-324]),
    "turned": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
}


def saved(folder):
    return store.save(folder, "path", {"note": "made up"}, ARRAYS)


def arrays_of(folder):
    """The one file of arrays in a saved result."""
    (place,) = folder.glob("arrays*.npz")
    return place


def test_arrays_come_back_bit_for_bit(tmp_path):
    card, arrays = store.load(saved(tmp_path / "run"), "path")
    assert card["note"] == "made up"
    assert set(arrays) == set(ARRAYS)
    for name, array in ARRAYS.items():
        same_arrays(arrays[name], np.ascontiguousarray(array).reshape(array.shape))


def test_the_card_tells_format_kind_and_hash(tmp_path):
    saved(tmp_path / "run")
    card = json.loads((tmp_path / "run" / "card.json").read_text(encoding="utf-8"))
    assert card["kind"] == "path"
    assert card["sha256"] == store.content_hash(ARRAYS)
    assert isinstance(card["format"], int)


def test_the_hash_depends_on_neither_order_nor_layout():
    turned = {name: np.asfortranarray(ARRAYS[name]) for name in reversed(ARRAYS)}
    assert store.content_hash(turned) == store.content_hash(ARRAYS)


@pytest.mark.parametrize(
    "change",
    [
        {"matrix": np.nextafter(ARRAYS["matrix"], 9)},
        {"matrix": ARRAYS["matrix"].reshape(3, 2)},
        {"matrix": ARRAYS["matrix"].astype(np.float32)},
        {"matrix": ARRAYS["matrix"].astype(int)},
        {"odd": np.array([np.nan, 0.0, np.inf, 5e-324])},
        {"more": np.zeros(1)},
    ],
)
def test_the_hash_notices_any_change(change):
    assert store.content_hash({**ARRAYS, **change}) != store.content_hash(ARRAYS)


@pytest.mark.parametrize("second", [ARRAYS, {"other": np.ones(3)}], ids=["same", "new"])
def test_nothing_is_left_of_an_earlier_result(tmp_path, second):
    saved(tmp_path / "run")
    store.save(tmp_path / "run", "path", {}, second)
    assert [place.name for place in tmp_path.iterdir()] == ["run"]
    left = set((tmp_path / "run").iterdir())
    assert left == {tmp_path / "run" / "card.json", arrays_of(tmp_path / "run")}
    assert set(store.load(tmp_path / "run", "path")[1]) == set(second)


def test_folders_above_are_made(tmp_path):
    saved(tmp_path / "a" / "b" / "run")
    assert store.load(tmp_path / "a" / "b" / "run", "path")


def test_a_failure_while_writing_keeps_the_earlier_result(tmp_path, monkeypatch):
    saved(tmp_path / "run")

    def fail(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store.np, "savez", fail)
    with pytest.raises(
        StoreError, match="could not be written: No space left"
    ) as caught:
        store.save(tmp_path / "run", "path", {}, {"other": np.zeros(1)})
    assert is_a_sentence(caught.value)
    monkeypatch.undo()
    assert set(store.load(tmp_path / "run", "path")[1]) == set(ARRAYS)
    assert [place.name for place in tmp_path.iterdir()] == ["run"]


def test_a_card_that_json_cannot_hold_leaves_nothing_behind(tmp_path):
    with pytest.raises((ValueError, TypeError)):
        store.save(tmp_path / "run", "path", {"note": float("nan")}, ARRAYS)
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_way_is_refused(tmp_path):
    (tmp_path / "run").write_text("mine", encoding="utf-8")
    with pytest.raises(StoreError, match="is not a saved result"):
        saved(tmp_path / "run")
    assert (tmp_path / "run").read_text(encoding="utf-8") == "mine"


@pytest.mark.skipif(
    getattr(os, "geteuid", int)() == 0, reason="root may write anywhere"
)
def test_a_place_that_cannot_be_written_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match="could not be written"):
        saved(tmp_path / "run")


def test_a_later_format_is_refused(tmp_path):
    saved(tmp_path / "run")
    place = tmp_path / "run" / "card.json"
    card = json.loads(place.read_text(encoding="utf-8"))
    place.write_text(json.dumps({**card, "format": 99}), encoding="utf-8")
    with pytest.raises(StoreError, match="has format 99; this version reads"):
        store.load(tmp_path / "run", "path")


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"format": 1}', "null", "\x00"])
def test_a_card_that_is_none_is_refused(tmp_path, text):
    saved(tmp_path / "run")
    (tmp_path / "run" / "card.json").write_text(text, encoding="utf-8")
    with pytest.raises(StoreError, match="run again") as caught:
        store.load(tmp_path / "run", "path")
    assert is_a_sentence(caught.value)


def damaged(whole, place, bit):
    return whole[:place] + bytes([whole[place] ^ (1 << bit)]) + whole[place + 1 :]


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_no_flipped_bit_of_the_arrays_is_read_as_another_number(tmp_path):
    # Every third byte of the archive, one bit of each: the load is refused in one
    # sentence, or the bit was padding and every array is as it was.
    saved(tmp_path / "run")
    (place,) = (tmp_path / "run").glob("arrays-*.npz")
    whole, wrong = place.read_bytes(), []
    for index in range(0, len(whole), 3):
        place.write_bytes(damaged(whole, index, index % 8))
        try:
            _, arrays = store.load(tmp_path / "run", "path")
        except StoreError:
            continue
        except Exception as error:
            wrong.append((index, type(error).__name__, str(error)[:60]))
        else:
            for name, array in ARRAYS.items():
                same_arrays(
                    arrays[name], np.ascontiguousarray(array).reshape(array.shape)
                )
    assert wrong == []


def test_a_damaged_archive_leaves_no_file_open(tmp_path, recwarn):
    saved(tmp_path / "run")
    (place,) = (tmp_path / "run").glob("arrays-*.npz")
    place.write_bytes(place.read_bytes()[:100])
    with pytest.raises(StoreError):
        store.load(tmp_path / "run", "path")
    import gc  # noqa: PLC0415

    gc.collect()
    assert [str(warning.message) for warning in recwarn] == []
