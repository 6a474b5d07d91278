"""Files are whole or absent, also where writing them fails or somebody reads meanwhile."""

import pytest

from lttune.store.files import read_json, write_atomically, write_json


def write_half(path):
    with write_atomically(path) as temporary:
        temporary.write_text("half of")
        raise OSError("the disk is full")


def test_a_file_that_cannot_be_written_stays_what_it_was_and_leaves_nothing(tmp_path):
    path = tmp_path / "values.json"
    write_json(path, {"old": 1})
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"new": float("nan")})
    with pytest.raises(OSError, match="the disk is full"):
        write_half(path)
    assert read_json(path) == {"old": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_who_reads_while_a_file_is_replaced_reads_the_old_one_whole(tmp_path):
    path = tmp_path / "values.json"
    write_json(path, ["old"] * 100_000)
    with path.open() as reading:
        first = reading.read(10)
        write_json(path, ["new"])
        assert (first + reading.read()).count("old") == 100_000
    assert read_json(path) == ["new"]


def test_what_was_written_is_flushed_before_it_has_its_name(tmp_path, monkeypatch):
    path, seen = tmp_path / "new" / "values.json", []
    monkeypatch.setattr("lttune.store.files.flush", lambda at: seen.append((at, path.exists())))
    write_json(path, 1)
    (written, named), after = seen
    assert written.parent == path.parent
    assert (written != path, named) == (True, False)
    assert after == (path.parent, True)
