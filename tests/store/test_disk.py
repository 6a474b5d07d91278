"""What is free on a disk, and what to do at each error of one that takes nothing more."""

import errno
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from lttune.errors import StorageError
from lttune.store import disk
from lttune.store.disk import Room, free_room, mend_of, roomy, sized
from lttune.store.files import refused_write, write_errors

FAR = Path("some") / "folder" / "x.json"


def filesystem(**fields):
    there = {"f_bavail": 10, "f_frsize": 4096, "f_favail": 7, "f_files": 100}
    return SimpleNamespace(**{**there, **fields})


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1_000, "1.0 kB"),
        (51_234, "51.2 kB"),
        (2_500_000, "2.5 MB"),
        (3e9, "3.0 GB"),
        (4_321e12, "4,321.0 TB"),
    ],
)
def test_bytes_are_told_in_a_unit_that_suits_them(count, text):
    assert sized(count) == text


def test_room_is_that_of_the_disk_where_something_will_be(tmp_path, monkeypatch):
    asked = []

    def statvfs(path):
        asked.append(path)
        return filesystem()

    monkeypatch.setattr(disk.os, "statvfs", statvfs)
    found = free_room(tmp_path / FAR)
    assert found == Room(size=40_960, files=7)
    assert asked == [tmp_path]
    assert roomy(found) == "41.0 kB and 7 files"


def test_a_file_system_that_counts_no_files_has_room_for_any_number(tmp_path, monkeypatch):
    monkeypatch.setattr(disk.os, "statvfs", lambda path: filesystem(f_files=0, f_favail=0))
    found = free_room(tmp_path)
    assert found.files is None
    assert roomy(found) == "41.0 kB"


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (errno.ENOSPC, "are free there; make room and run the same command again"),
        (errno.EDQUOT, "your quota there is used up: remove your files, or have it raised, "),
        (errno.EFBIG, "its file system takes no file of that size: write to another one "),
        (errno.EROFS, "have that disk mounted for writing, or write to another one, "),
    ],
)
def test_each_error_of_a_disk_has_its_own_mend(number, told, tmp_path, monkeypatch):
    resource = pytest.importorskip("resource")
    endless = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    monkeypatch.setattr(resource, "getrlimit", lambda which: endless)
    error = OSError(number, os.strerror(number))
    assert told in mend_of(error, tmp_path / FAR)
    assert mend_of(error, tmp_path).endswith("and run the same command again")
    with pytest.raises(StorageError, match=os.strerror(number)) as raised, write_errors(tmp_path):
        raise error
    assert str(raised.value).endswith("and run the same command again")


def test_other_errors_say_all_themselves(tmp_path):
    assert mend_of(OSError(errno.EACCES, "Permission denied"), tmp_path) == ""


LIMITED = """
import resource, sys
from pathlib import Path
from lttune.store.plain_json import write_json
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))
try:
    write_json(Path(sys.argv[1]), ["x" * 100_000])
except Exception as error:
    print(error)
"""


def test_a_limit_of_the_size_of_files_is_to_be_raised(tmp_path):
    path = tmp_path / "x.json"
    command = [sys.executable, "-c", LIMITED, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == (
        f"{path} cannot be written: File too large; a file may have 10.0 kB here: raise that "
        "limit (`ulimit -f unlimited`) and run the same command again\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_refusal_is_found_behind_what_libraries_make_of_it(tmp_path):
    path = tmp_path / "x"
    try:
        try:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        except OSError as error:
            raise RuntimeError("cannot go on") from error
    except RuntimeError as error:
        found = refused_write(error)
    assert str(found).startswith(f"{path} cannot be written: No space left on device; ")
    assert refused_write(RuntimeError("a bug")) is None
    assert refused_write(OSError(errno.EACCES, "Permission denied")) is None


def test_what_we_said_of_a_refusal_is_said_again():
    with pytest.raises(StorageError) as raised, write_errors(Path("mine")):
        raise OSError(errno.EDQUOT, "Disk quota exceeded")
    assert refused_write(raised.value) is raised.value
