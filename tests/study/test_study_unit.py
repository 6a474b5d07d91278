"""A study's folder is one unit: parts that are missing, of others, or elsewhere are told."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
from pathlib import Path

import digits_study
import pytest

from lttune.errors import StorageError
from lttune.records import schema
from lttune.store.disk import Room
from lttune.store.locks import NOTE, no_driver, only_driver
from lttune.store.plain_json import write_json
from lttune.store.sealed import FILES_SCHEMA, read_object, write_object
from lttune.store.workplace import workplace
from lttune.study import conductor
from lttune.study.main import main
from lttune.study.phases import room

NEEDS = (
    "lttune: error: out/cells needs about {} for this study's networks, and {}, or give another "
    "--out\n"
)
NOTHING = {"exit_code": 0, "report": Path(), "tracking": "", "not_tracked": ""}


@pytest.fixture
def start(cwd, capsys, monkeypatch):
    """Starts a study that trains nothing; returns its exit code and what was printed."""
    monkeypatch.setattr(conductor.Conductor, "run", lambda self: conductor.Outcome(**NOTHING))

    def run(*arguments: str) -> tuple[int, str]:
        code = main(digits_study.STUDY, digits_study.report, "", ["--out", "out", *arguments])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return run


@pytest.fixture
def folder(start, cwd):
    """A study that was started once."""
    assert start()[0] == 0
    return cwd / "out" / "digits"


@pytest.mark.parametrize("part", ["trials.json", "records.parquet", "layers.parquet"])
def test_parts_without_their_sheet_are_not_taken_for_another_studys(start, folder, part):
    study_id = read_object(folder / "study.json")["study_id"]
    if part == "trials.json":
        write_object(folder / part, {"study_id": study_id, "planned": {}, "trials": []})
    else:
        schema.write(folder / part, [], study_id=study_id)
    (folder / "study.json").unlink()
    code, text = start("--lottery.train.lr", "0.5")
    assert code == 3
    assert text.startswith("lttune: error: out/digits holds ")
    assert part in text.partition(" but no study.json")[0]
    assert not (folder / "study.json").exists()


def test_trials_of_another_study_are_refused(start, folder):
    write_object(folder / "trials.json", {"study_id": "a" * 64, "planned": {}, "trials": []})
    before = (folder / "study.json").read_bytes()
    code, text = start()
    assert (code, text.count("\n")) == (74, 1)
    assert "out/digits/trials.json is of another study than the study.json beside it" in text
    assert (folder / "study.json").read_bytes() == before


def test_a_study_keeps_its_id_and_one_of_an_older_version_gets_none(start, folder):
    first = read_object(folder / "study.json")
    assert len(first["study_id"]) == 64
    assert start("--trials", "9")[0] == 0
    assert read_object(folder / "study.json")["study_id"] == first["study_id"]
    for name in ("study.json", "trials.json"):
        older = {n: v for n, v in read_object(folder / name).items() if n != "study_id"}
        write_json(folder / name, older)
    for path in folder.glob("*.parquet"):
        path.unlink()
    assert start()[0] == 0
    assert "study_id" not in read_object(folder / "study.json")


@pytest.mark.parametrize(
    ("without", "told"),
    [
        (("schema", "seal"), "study.json is damaged: it lacks its checksum or its schema"),
        (("schema", "seal", "study_id"), "trials.json is of another study"),
    ],
)
def test_a_sheet_that_lost_its_seal_is_not_that_of_an_older_version(start, folder, without, told):
    path = folder / "study.json"
    values = {n: v for n, v in json.loads(path.read_text()).items() if n not in without}
    values["lottery"]["train"]["lr"] = 0.5
    path.write_text(json.dumps(values))
    before = path.read_bytes()
    code, text = start("--lottery.train.lr", "0.5")
    assert (code, text.count("\n")) == (74, 1)
    assert told in text
    assert path.read_bytes() == before


def test_networks_of_another_schema_of_the_store_are_not_mixed_in(start, folder, monkeypatch):
    monkeypatch.setattr("lttune.store.store.SCHEMA", 2)
    code, text = start()
    assert code == 3
    assert "(store_schema: 1 -> 2)" in text


def test_a_sheet_of_a_newer_lttune_is_refused(start, folder, monkeypatch):
    with monkeypatch.context() as newer:
        newer.setattr("lttune.store.sealed.FILES_SCHEMA", FILES_SCHEMA + 1)
        write_object(folder / "study.json", read_object(folder / "study.json"))
    code, text = start()
    assert code == 3
    assert f"study.json was written by a newer lttune: its schema is {FILES_SCHEMA + 1}" in text


def test_a_damaged_table_is_made_anew_and_said(start, folder):
    (folder / "records.parquet").write_bytes(b"oh no")
    code, text = start()
    assert code == 0
    told = "records.parquet was damaged: it is made anew, and kept as out/digits/records.parquet."
    assert told in text
    (folder / "records.parquet").write_bytes(b"nor that")
    code, text = start()
    assert (code, told in text) == (0, True)
    # What was kept before stays.
    assert (folder / "records.parquet.damaged").read_bytes() == b"oh no"
    assert (folder / "records.parquet.damaged-2").read_bytes() == b"nor that"


def test_a_start_that_is_refused_leaves_a_damaged_table(start, folder, monkeypatch):
    (folder / "records.parquet").write_bytes(b"oh no")

    def no_room(*args):
        raise StorageError("no room")

    monkeypatch.setattr(conductor, "require_room", no_room)
    code, text = start()
    assert (code, text.count("\n")) == (74, 1)
    assert (folder / "records.parquet").read_bytes() == b"oh no"
    assert not list(folder.glob("*.damaged*"))


@pytest.mark.parametrize("name", ["figures", "failures", "ray"])
def test_a_folder_of_a_study_that_links_away_is_not_written_to(start, folder, cwd, name):
    (cwd / "elsewhere").mkdir()
    (folder / name).symlink_to(cwd / "elsewhere")
    code, text = start()
    assert (code, text.count("\n")) == (74, 1)
    assert f"out/digits/{name} must lie in out/digits, but leads to" in text
    assert list((cwd / "elsewhere").iterdir()) == []


def test_the_study_file_beside_a_study_may_be_no_link_to_overwrite(start, folder, cwd):
    copy = folder / digits_study.STUDY.file.name
    mine = cwd / "mine.py"
    mine.write_text("mine")
    copy.unlink()
    copy.symlink_to(mine)
    assert start()[0] == 0
    assert mine.read_text() == "mine"
    assert copy.read_bytes() == digits_study.STUDY.file.read_bytes()


def test_a_second_driver_is_told_who_the_first_is(start, folder):
    with only_driver(folder):
        who = read_object(folder / NOTE)
        code, text = start()
    assert code == 75
    told = f"out/digits: process {who['pid']} on {who['host']}, since {who['since']}\n"
    assert text == f"lttune: error: another driver is running the study {told}"
    assert not (folder / NOTE).exists()
    assert start()[0] == 0


def test_a_study_that_another_driver_begins_meanwhile_is_not_mixed_with_ones_own(
    start, folder, monkeypatch
):
    path = folder / "study.json"
    ours = path.read_bytes()
    path.unlink()
    (folder / "trials.json").unlink()
    assert start("--lottery.train.lr", "0.5")[0] == 0
    others = path.read_bytes()
    path.write_bytes(ours)

    @contextlib.contextmanager
    def late(*folders):
        with workplace(*folders):
            path.write_bytes(others)
            yield

    monkeypatch.setattr(conductor, "workplace", late)
    code, text = start()
    assert (code, text.count("\n")) == (3, 1)
    assert "exists with another configuration (lottery.train.lr: 0.5 -> 0.01)" in text
    assert path.read_bytes() == others


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.ENOLCK, "No locks available"), "No locks available"),
        (NotImplementedError("the file system has no flock"), "the file system has no flock"),
    ],
)
def test_a_file_system_without_locks_is_one_line(start, folder, monkeypatch, error, told):
    def failing(lock, timeout):
        raise error

    monkeypatch.setattr("lttune.store.locks.FileLock.acquire", failing)
    code, text = start()
    assert (code, text.count("\n")) == (74, 1)
    assert f"out/digits/lock cannot be locked: {told}; out must be a folder" in text


def test_where_the_system_has_no_locks_no_file_takes_their_place(start, folder, monkeypatch):
    def flock(*_):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    (folder / "lock").unlink(missing_ok=True)
    monkeypatch.setattr("fcntl.flock", flock)
    code, text = start()
    assert (code, text.count("\n")) == (74, 1)
    assert "out/digits/lock cannot be locked: Function not implemented; out must be" in text
    # Who only reads goes on.
    with no_driver(folder):
        pass


def test_a_lock_that_links_away_is_one_line_and_writes_nothing(start, folder, cwd):
    mine = cwd / "mine"
    mine.write_text("mine")
    (folder / "lock").unlink(missing_ok=True)
    (folder / "lock").symlink_to(mine)
    code, text = start()
    assert (code, text.count("\n")) == (74, 1)
    assert "out/digits/lock cannot be locked: " in text
    assert mine.read_text() == "mine"


def test_a_disk_with_too_little_room_is_told_before_anything_is_trained(start, folder, monkeypatch):
    before = (folder / "study.json").read_bytes()
    monkeypatch.setattr(room, "free_room", lambda path: Room(size=10_000, files=None))
    code, text = start()
    assert (code, text.count("\n")) == (74, 1)
    assert re.fullmatch(NEEDS.format("[\\d.]+ kB", "10.0 kB are free: make room"), text)
    assert (folder / "study.json").read_bytes() == before


def test_a_disk_with_too_few_files_left_is_told_likewise(start, folder, monkeypatch):
    before = (folder / "study.json").read_bytes()
    monkeypatch.setattr(room, "free_room", lambda path: Room(size=10**12, files=10))
    code, text = start()
    assert (code, text.count("\n")) == (74, 1)
    left = "10 more can be made: remove some"
    assert re.fullmatch(NEEDS.format("[\\d,]+ files", left), text)
    assert (folder / "study.json").read_bytes() == before
    monkeypatch.setattr(room, "free_room", lambda path: Room(size=10**12, files=None))
    assert start()[0] == 0
