"""Files that carry their own digest: what changed since they were written is never read."""

import contextlib
import errno
import json
import os

import pytest
from changed_bytes import one_bit_changed
from hypothesis import assume, given
from hypothesis import strategies as st

from lttune.errors import DamagedError, RefusedError, StorageError
from lttune.store import sealed
from lttune.store.sealed import BLANK, FILES_SCHEMA, read_object, seal, verify, write_object

VALUES = {"trials": [{"number": 0, "objective": 0.1 + 0.2}], "name": "smoke", "none": None}


def test_an_object_comes_back_and_the_file_says_its_version(tmp_path):
    path = tmp_path / "x.json"
    write_object(path, VALUES)
    assert read_object(path) == VALUES
    written = json.loads(path.read_text())
    assert written.pop("schema") == FILES_SCHEMA
    assert written.pop("seal").startswith("lttune-sha256:")
    assert written == VALUES


def test_equal_values_give_equal_bytes(tmp_path):
    for name in ("a", "b"):
        write_object(tmp_path / name, VALUES)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_no_bit_of_a_file_can_change(tmp_path):
    path = tmp_path / "x.json"
    write_object(path, {"a": [1, 2.5, "x"]})
    whole = path.read_bytes()
    for _, data in one_bit_changed(whole):
        path.write_bytes(data)
        with pytest.raises((DamagedError, RefusedError)):
            read_object(path)


@pytest.mark.parametrize("cut", [0, 1, -1, -3, -20, -90])
def test_a_file_that_was_cut_or_grew_is_damaged(tmp_path, cut):
    path = tmp_path / "x.json"
    write_object(path, VALUES)
    whole = path.read_bytes()
    for data in (whole[:cut], whole + b"\n", b" " + whole):
        path.write_bytes(data)
        with pytest.raises(DamagedError, match=r"x\.json is damaged"):
            read_object(path)


@given(before=st.binary(max_size=200), after=st.binary(max_size=200), place=st.floats(0, 1))
def test_the_digest_covers_what_is_before_and_behind_it(tmp_path_factory, before, after, place):
    assume(b"lttune-sha256" not in before + after)
    path = tmp_path_factory.getbasetemp() / "x"
    data = seal(before + BLANK.encode() + after)
    assert len(data) == len(before) + len(BLANK) + len(after)
    assert verify(path, data)
    changed = bytearray(data)
    changed[min(int(place * len(data)), len(data) - 1)] ^= 1
    with contextlib.suppress(DamagedError):
        assert not verify(path, bytes(changed))  # The mark itself changed: it carries none.


def test_a_file_from_before_there_were_seals_is_read(tmp_path):
    path = tmp_path / "x.json"
    path.write_text(json.dumps(VALUES))
    assert read_object(path) == VALUES


def test_a_file_of_a_newer_version_is_refused_with_what_to_do(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    with monkeypatch.context() as newer:
        newer.setattr(sealed, "FILES_SCHEMA", FILES_SCHEMA + 1)
        write_object(path, VALUES)
    told = f"its schema is {FILES_SCHEMA + 1}, this one reads up to {FILES_SCHEMA}"
    with pytest.raises(RefusedError, match=told) as error:
        read_object(path)
    assert error.value.exit_code == 3


@pytest.mark.parametrize("name", ["schema", "seal"])
def test_what_must_be_sealed_and_is_not_is_damaged(tmp_path, name):
    path = tmp_path / "x.json"
    write_object(path, VALUES)
    values = json.loads(path.read_text())
    del values[name]
    path.write_text(json.dumps(values))
    with pytest.raises(DamagedError, match="is damaged: "):
        read_object(path)


def test_what_cannot_be_read_is_not_damaged(tmp_path, monkeypatch):
    def failing(path):
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    path = tmp_path / "x.json"
    write_object(path, VALUES)
    monkeypatch.setattr(sealed, "read_whole", failing)
    with pytest.raises(StorageError, match=r"x\.json cannot be read: Stale file handle") as error:
        read_object(path)
    assert not isinstance(error.value, DamagedError)


def test_a_file_that_is_not_there_is_told_apart(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "x.json", tmp_path / "file" / "x.json"):
        with pytest.raises(FileNotFoundError):
            read_object(path)
