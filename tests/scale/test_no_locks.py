"""A file system that really lacks locks: what it can do and cannot, what lttune does there."""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import digits_study
import pytest
from no_locks import lacking, without_locks

from lttune.__main__ import main as command
from lttune.store.cells import Cell
from lttune.store.store import Store
from lttune.study.main import main
from lttune.study.tracking.database import lack_of_locks
from lttune.study.tracking.tracker import Tracker

KEEPER = Path(__file__).parents[2] / "studies" / "cluster" / "keep_workers.py"

pytestmark = pytest.mark.skipif(bool(lacking()), reason=lacking())


@pytest.fixture(params=[errno.ENOLCK, errno.ENOSYS], ids=["ENOLCK", "ENOSYS"])
def place(request, tmp_path) -> Iterator[Path]:
    """A folder of such a file system."""
    folder, place = tmp_path / "folder", tmp_path / "place"
    folder.mkdir()
    place.mkdir()
    with without_locks(folder, place, error=request.param):
        yield place
    assert not place.is_mount()


def test_no_lock_of_either_kind_is_given(place):
    for take in (fcntl.flock, fcntl.lockf):
        with (place / "lock").open("w") as file, pytest.raises(OSError) as raised:  # noqa: PT011
            take(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert raised.value.errno in (errno.ENOLCK, errno.ENOSYS)


def test_sqlite_cannot_be_used(place):
    database = sqlite3.connect(place / "a.db", timeout=0)
    with pytest.raises(sqlite3.OperationalError) as raised:
        database.execute("CREATE TABLE one (two)")
    database.close()
    # Of a missing lock it says, by the system's error, that another one has it.
    assert raised.value.sqlite_errorname in ("SQLITE_IOERR_LOCK", "SQLITE_BUSY")


def test_all_else_is_a_file_systems(place):
    (place / "folder" / "in it").mkdir(parents=True)
    data = os.urandom(1_000_000)
    one = place / "folder" / "one"
    with one.open("wb") as file:
        file.write(data)
        os.fsync(file.fileno())
    with one.open("ab") as file:
        file.write(b"more")
    two, three = place / "two", place / "three"
    one.rename(two)
    three.hardlink_to(two)
    os.utime(two, (5, 7))
    assert three.read_bytes() == data + b"more"
    assert (three.stat().st_mtime, three.stat().st_nlink) == (7, 2)
    os.truncate(two, 3)
    two.chmod(0o600)
    assert (three.read_bytes(), three.stat().st_mode & 0o777) == (data[:3], 0o600)
    opened = os.open(place / "folder", os.O_RDONLY)
    os.fsync(opened)
    os.close(opened)
    with pytest.raises(OSError, match="not empty"):
        (place / "folder").rmdir()
    (place / "other").mkdir()
    with pytest.raises(OSError, match="not empty"):
        (place / "other").rename(place / "folder")
    (place / "folder" / "in it").rmdir()
    (place / "other").rename(place / "folder")  # An empty folder gives way.
    two.unlink()
    assert sorted(path.name for path in place.iterdir()) == ["folder", "three"]


def test_a_study_whose_folder_would_be_there_is_one_line(place, capsys):
    code = main(digits_study.STUDY, digits_study.report, "", ["--out", str(place)])
    text = "".join(capsys.readouterr())
    assert (code, text.count("\n")) == (74, 1)
    assert f"{place}/digits/lock cannot be locked: " in text
    assert "give --out on a disk of this machine, and what all nodes see as --store" in text


def test_mlflows_database_there_is_told_with_what_to_give(place):
    uri = f"sqlite:///{place}/new/mlflow.db"
    assert lack_of_locks(place.parent / "mlflow.db") == ""
    tracker = Tracker(uri, "digits")
    said = (
        f"the disk of {place} has no locks, which SQLite needs: give --tracking-uri sqlite:///FILE "
    )
    assert tracker.ask().startswith(said)
    tracker.finish("FINISHED")
    began = time.monotonic()
    assert f"1 of 1 entries are missing in MLflow at {uri}: {said}" in tracker.close(20)
    assert time.monotonic() - began < 20
    assert list(place.iterdir()) == []


def test_doctor_finds_that_mlflows_database_cannot_be_there(place, capsys):
    assert command(["doctor", "--tracking-uri", f"sqlite:///{place}/mlflow.db"]) == 74
    # Of a Ray that somebody runs on this machine there is another line.
    faults = [one for one in capsys.readouterr().out.splitlines() if one.startswith("FAULT")]
    (line,) = [one for one in faults if "MLflow" in one]
    assert f"the disk of {place} has no locks, which SQLite needs: give --tracking-uri" in line
    assert list(place.iterdir()) == []


def test_of_two_who_need_one_network_at_a_time_the_second_takes_what_the_first_stored(place):
    inputs, cell, computed = [{"seed": 1}], Cell(record={"measures": {}, "history": []}), []

    def slow(todo: list[int]) -> list[Cell]:
        computed.append("slow")
        Store(place).obtain(inputs, quick)  # Nothing keeps another one out.
        return [cell]

    def quick(todo: list[int]) -> list[Cell]:
        computed.append("quick")
        return [cell]

    (mine,) = Store(place).obtain(inputs, slow)
    (found,) = Store(place).obtain(inputs, quick)
    assert (computed, mine.reused, found.reused) == (["slow", "quick"], False, True)
    assert found.cell == mine.cell
    assert not [*(place / "drafts").iterdir()]


def test_the_keeper_of_workers_says_that_its_folder_has_no_locks(place):
    done = subprocess.run(
        [sys.executable, str(KEEPER), "--autoscaling-config=none"],
        env={**os.environ, "HOME": str(place)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "lttune-workers/lock cannot be locked: " in done.stderr
    assert "~/lttune-workers must be on a disk with locks" in done.stderr
