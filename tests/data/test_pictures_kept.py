"""Pictures that a study keeps carry their checksum, as all files of a study that are read again."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest
from bounded import bounded

from lttune.data import load, own
from lttune.data.dataset import Dataset
from lttune.data.files import npz
from lttune.data.made import KEPT, PICTURES, keep_made, not_kept, use_kept
from lttune.errors import DamagedError, DataError, LttuneError, RefusedError
from lttune.records.own import known_part, parts
from lttune.store.sealed import BLANK, FILES_SCHEMA, seal

NAME = "./mine.py:pictures"
X = np.arange(9 * 4 * 4, dtype=np.uint8).reshape(9, 4, 4)
Y = np.arange(9, dtype=np.int64) % 2
ARRAYS = {"train_x": X, "train_y": Y, "test_x": X[:4], "test_y": Y[:4]}


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """The file of a study, which who reads the study knows."""
    monkeypatch.setattr(parts, "KNOWN_PARTS", {})
    keep_made(tmp_path, {NAME: own.from_arrays(NAME, ARRAYS, "function")})
    use_kept({"own": [{"field": PICTURES, "name": NAME, "source": "0" * 64}]}, tmp_path)
    (path,) = (tmp_path / KEPT).iterdir()
    return path


def taken():
    return known_part(PICTURES, NAME).called()


def same(found) -> bool:
    return all(np.array_equal(found[name], array) for name, array in ARRAYS.items())


def commented(path, comment: bytes, **changes) -> None:
    np.savez(path, **ARRAYS | changes)
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = comment
    data = path.read_bytes()
    path.write_bytes(seal(data) if BLANK.encode() in comment else data)


def test_kept_pictures_come_back_and_numpy_reads_them(kept):
    assert same(taken())
    with np.load(kept) as found:
        assert same(found)
    before = kept.read_bytes()
    npz.write_sealed(kept, taken())
    assert kept.read_bytes() == before


def test_a_pixel_that_was_changed_by_whoever_wrote_a_whole_archive_is_damage(kept):
    with zipfile.ZipFile(kept) as archive:
        comment = archive.comment
    commented(kept, comment, test_x=X[1:5])
    with pytest.raises(DamagedError, match="its checksum is not that of its bytes"):
        taken()
    commented(kept, b"")
    assert same(taken())  # As a version before they had a checksum wrote it.


def test_they_are_kept_and_read_without_a_second_copy_in_memory(tmp_path):
    large = ARRAYS | {"train_x": np.zeros((3000, 128, 128), np.uint8)}
    size = large["train_x"].nbytes
    with bounded(most=size // 2):  # NumPy packs 16 MiB at once.
        npz.write_sealed(tmp_path / "large.npz", large)
    with bounded(most=6 * size // 5):
        found = npz.read_sealed(tmp_path / "large.npz")
    assert np.array_equal(found["train_x"], large["train_x"])


def test_no_bit_of_them_can_change(kept):
    whole = kept.read_bytes()
    for place in [*range(0, len(whole), 5), *range(len(whole) - 130, len(whole))]:
        data = bytearray(whole)
        data[place] ^= 1 << place % 8
        kept.write_bytes(data)
        try:
            found = taken()
        except (DamagedError, RefusedError, DataError):
            continue
        assert same(found), place
    kept.write_bytes(whole[:-70])
    with pytest.raises(LttuneError):
        taken()


def of(**changes) -> dict[str, Dataset]:
    return {NAME: own.from_arrays(NAME, ARRAYS | changes, "function")}


def test_those_that_are_kept_are_not_kept_again_and_all_others_are(kept, tmp_path):
    assert not_kept(tmp_path, of() | {"digits": load("digits")}) == {}
    for changes in (
        {"test_x": X[1:5]},
        {"test_y": 1 - Y[:4]},
        {"train_x": X[:8], "train_y": Y[:8]},
    ):
        assert [*not_kept(tmp_path, of(**changes))] == [NAME]
    whole = kept.read_bytes()
    for place in (200, len(whole) - 40):
        kept.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert [*not_kept(tmp_path, of())] == [NAME]
    commented(kept, b"")
    assert [*not_kept(tmp_path, of())] == [NAME]  # It has no checksum.
    kept.unlink()
    assert [*not_kept(tmp_path, of())] == [NAME]


def test_those_of_a_newer_lttune_are_refused(kept):
    commented(kept, f"lttune-schema:{FILES_SCHEMA + 1} {BLANK}".encode())
    with pytest.raises(RefusedError, match="was written by a newer lttune"):
        taken()
