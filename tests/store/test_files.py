"""Files are whole or absent, also where writing them fails or somebody reads meanwhile."""

import errno
import os

import pytest

from lttune.errors import StorageError
from lttune.store.files import (
    kept_aside,
    read_whole,
    require_inside,
    subfolder,
    write_atomically,
    write_once,
)
from lttune.store.plain_json import read_json, write_json


def write_half(path):
    with write_atomically(path) as temporary:
        temporary.write_text("half of")
        raise OSError("the disk is full")


def test_a_file_that_cannot_be_written_stays_what_it_was_and_leaves_nothing(tmp_path):
    path = tmp_path / "values.json"
    write_json(path, {"old": 1})
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"new": float("nan")})
    with pytest.raises(StorageError, match=r"values\.json cannot be written: the disk is full"):
        write_half(path)
    assert read_json(path) == {"old": 1}
    assert list(tmp_path.iterdir()) == [path]


def write_late(path, meanwhile=None):
    with write_once(path) as temporary:
        temporary.write_text("late" if meanwhile else "first")
        if meanwhile:
            meanwhile()


@pytest.mark.parametrize("has_links", [True, False])
def test_of_two_writers_at_once_the_first_stays(tmp_path, monkeypatch, has_links):
    def refuse(*_):
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    if not has_links:
        monkeypatch.setattr("pathlib.Path.hardlink_to", refuse)
    path = tmp_path / "once"
    with pytest.raises(FileExistsError):
        write_late(path, meanwhile=lambda: write_late(path))
    assert path.read_text() == "first"
    link = tmp_path / "link"
    link.symlink_to("nothing")
    with pytest.raises(FileExistsError):
        write_late(link)
    assert sorted(tmp_path.iterdir()) == [link, path]


def test_a_name_that_was_taken_in_vain_is_free_again(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    path = tmp_path / "once"
    with monkeypatch.context() as at:
        at.setattr("pathlib.Path.hardlink_to", refuse)
        at.setattr("pathlib.Path.replace", refuse)
        with pytest.raises(StorageError, match="once cannot be written: Input/output error"):
            write_late(path)
    assert list(tmp_path.iterdir()) == []
    write_late(path)
    assert path.read_text() == "first"


@pytest.mark.parametrize(("site", "kept"), [("written", []), ("named", ["old"])])
def test_what_is_replaced_is_kept_and_nothing_else(tmp_path, monkeypatch, site, kept):
    path = tmp_path / f"table-{site}"
    path.write_text("old")
    monkeypatch.setenv("LTTUNE_FAULT", f"{path.name}.{site}:1:full")
    with pytest.raises(StorageError), kept_aside(path), write_atomically(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == ("new" if kept else "old")
    others = [one for one in tmp_path.iterdir() if one != path]
    assert [one.read_text() for one in others] == kept


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


def test_a_full_disk_is_told_with_what_is_free_and_what_to_do(tmp_path, monkeypatch):
    def full(path):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("lttune.store.files.flush", full)
    told = r"x\.json cannot be written: No space left on device; [\d,.]+ ..? and [\d,]+ files are "
    with pytest.raises(StorageError, match=told) as error:
        write_json(tmp_path / "x.json", 1)
    assert "make room and run the same command again" in str(error.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.timeout(20)
def test_a_pipe_or_a_folder_is_no_file_and_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="Neither a file nor a folder"):
        read_whole(tmp_path / "pipe")
    with pytest.raises(IsADirectoryError):
        read_whole(tmp_path)


def test_a_link_out_of_a_folder_is_refused_and_one_inside_is_not(tmp_path):
    root, outside = tmp_path / "root", tmp_path / "outside"
    for folder in (root / "real", outside):
        folder.mkdir(parents=True)
    (root / "inside").symlink_to(root / "real")
    (root / "away").symlink_to(outside)
    assert subfolder(root, "inside") == root / "inside"
    assert subfolder(root, "new").is_dir()
    for path in (root / "away", root / "away/x", root / "../outside", outside):
        with pytest.raises(StorageError, match=r"must lie in .*root, but leads to .*outside"):
            require_inside(path, root)
    with pytest.raises(StorageError, match="must lie in"):
        subfolder(root, "away")
    assert list(outside.iterdir()) == []


def test_a_folder_that_is_reached_by_a_link_itself_is_its_own(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert subfolder(tmp_path / "link", "new").is_dir()
