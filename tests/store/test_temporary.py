"""What killed processes left is removed, and nothing that a living one writes or others have."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lttune.exchange.studies.folder import new_folder
from lttune.store.plain_json import read_json, write_json
from lttune.store.temporary import (
    DRAFTS,
    UNKNOWN_OWNER_S,
    remove_abandoned,
    temporary_beside,
)

ROOT = Path(__file__).parents[2]
WRITING = """
import sys
from pathlib import Path
from lttune.store.files import write_atomically
with write_atomically(Path(sys.argv[1])) as temporary:
    temporary.write_text("half of")
    print(temporary.name, flush=True)
    sys.stdin.read()
"""


class Writer:
    """Another process, in the middle of writing a file."""

    def __init__(self, path: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", WRITING, path],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout
        self.temporary = path.with_name(self.process.stdout.readline().strip())

    def kill(self) -> Path:
        """Ends it as a power cut would; returns what it was writing."""
        self.process.kill()
        self.process.communicate()
        return self.temporary


@pytest.fixture
def writer(tmp_path) -> Iterator[Writer]:
    writer = Writer(tmp_path / "values.json")
    yield writer
    writer.kill()


def test_only_what_nobody_writes_any_more_is_removed(writer, tmp_path):
    mine = temporary_beside(tmp_path / "other.json")
    mine.touch()
    remove_abandoned(tmp_path)
    assert set(tmp_path.iterdir()) == {writer.temporary, mine}
    writer.kill()
    remove_abandoned(tmp_path, "other.json")
    assert set(tmp_path.iterdir()) == {writer.temporary, mine}
    remove_abandoned(tmp_path)
    assert set(tmp_path.iterdir()) == {mine}


def test_who_writes_the_same_path_removes_what_was_left(writer, tmp_path):
    other = tmp_path / writer.kill().name.replace(".values.json.", ".others.json.")
    other.touch()
    write_json(tmp_path / "values.json", 1)
    assert {path.name for path in tmp_path.iterdir()} == {"values.json", other.name}
    assert read_json(tmp_path / "values.json") == 1


def test_who_writes_the_same_folder_removes_what_was_left(writer, tmp_path):
    left = tmp_path / writer.kill().name.replace(".values.json.", ".study.")
    (left / "within").mkdir(parents=True)
    with new_folder(tmp_path / "study") as draft:
        assert not left.exists()
        (draft / "trials.csv").touch()
    assert not draft.exists()
    assert list((tmp_path / "study").iterdir()) == [tmp_path / "study" / "trials.csv"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell when one began")
def test_a_later_process_of_the_same_number_is_another(tmp_path):
    mine = temporary_beside(tmp_path / "x")
    machine, pid, began, number = mine.name.removesuffix(".tmp").rpartition(".")[2].split("-")
    assert int(pid) == os.getpid()
    earlier = tmp_path / f".x.{machine}-{pid}-{int(began) - 1}-{number}.tmp"
    for path in (mine, earlier):
        path.touch()
    remove_abandoned(tmp_path)
    assert list(tmp_path.iterdir()) == [mine]


@pytest.mark.parametrize(
    "name",
    [
        ".x.json.01234567-1-2-3.tmp",
        ".x.json.89abcdef.tmp",
        ".x.json.89abcdef.draft-wal",
        f"{DRAFTS}/{'0af9' * 8}",
    ],
)
def test_what_has_no_owner_here_is_removed_when_it_is_old(name, tmp_path):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.touch()
    remove_abandoned(path.parent)
    assert path.exists()
    long_ago = time.time() - UNKNOWN_OWNER_S - 60
    os.utime(path, (long_ago, long_ago))
    remove_abandoned(path.parent)
    assert not path.exists()


@pytest.mark.parametrize("off_s", [-7200, 7200])
def test_a_clock_that_is_wrong_here_makes_nothing_old_or_new(off_s, tmp_path, monkeypatch):
    living, left = (tmp_path / f".{one}.01234567-1-2-3.tmp" for one in ("living", "left"))
    for path in (living, left):
        path.touch()
    now = time.time()
    os.utime(left, (now - UNKNOWN_OWNER_S - 60,) * 2)
    monkeypatch.setattr(time, "time", lambda: now + off_s)
    remove_abandoned(tmp_path)
    assert list(tmp_path.iterdir()) == [living]


def test_where_nothing_can_be_made_what_a_process_of_here_left_goes_still(
    writer, tmp_path, monkeypatch
):
    def full(path, **_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    left, old = writer.kill(), tmp_path / ".old.01234567-1-2-3.tmp"
    old.touch()
    os.utime(old, (0, 0))
    monkeypatch.setattr(Path, "touch", full)
    remove_abandoned(tmp_path)
    assert (left.exists(), old.exists()) == (False, True)


def test_nothing_else_is_touched(writer, tmp_path):
    left = writer.kill()
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "folder"
    folder.mkdir()
    left = left.rename(folder / left.name)
    kept = ["x.tmp", ".hidden", "0af9" * 8, ".x.0123456.tmp", left.name.removeprefix("."), "lock"]
    for name in kept:
        (folder / name).touch()
        os.utime(folder / name, (0, 0))
    # A folder that is a link to somewhere else is not looked into.
    elsewhere.symlink_to(folder, target_is_directory=True)
    remove_abandoned(elsewhere)
    assert left.exists()
    # A link in the place of a temporary folder goes; what it leads to stays.
    left.unlink()
    left.symlink_to(tmp_path)
    remove_abandoned(folder)
    assert {path.name for path in folder.iterdir()} == set(kept)
    assert not left.is_symlink()
    assert elsewhere.exists()
