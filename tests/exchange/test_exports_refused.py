"""Exports that the disk or the memory does not take: one line and a code, nothing left."""

from __future__ import annotations

import errno
import os
import sqlite3
import subprocess
import sys

import pytest
from bounded import largest_file

from lttune.__main__ import main
from lttune.errors import ResourceError, StorageError
from lttune.exchange.studies import Folder, optuna_database, write_optuna

COMMAND = "from lttune.__main__ import main; import sys; sys.exit(main(sys.argv[1:]))"


@pytest.mark.parametrize("size", [0, 4_096, 100_000])
def test_a_database_that_may_not_grow_is_one_line(study, tmp_path, capsys, size):
    out = tmp_path / "new" / "o.db"
    with largest_file(size):
        code = main(["export", str(study), "--optuna", "--out", str(out)])
    told = capsys.readouterr().err
    assert (code, told.count("\n")) == (StorageError.exit_code, 1)
    assert told.startswith(f"lttune: error: {out} cannot be written: File too large; a file may ")
    assert "(`ulimit -f unlimited`) and run the same command again" in told
    assert list(out.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (sqlite3.SQLITE_FULL, os.strerror(errno.ENOSPC)),
        (sqlite3.SQLITE_IOERR | 3 << 8, "SQLite says so"),
        (sqlite3.SQLITE_READONLY, os.strerror(errno.EROFS)),
        (sqlite3.SQLITE_CANTOPEN, "SQLite says so"),
    ],
)
def test_what_sqlite_says_of_a_disk_is_found_behind_other_errors(
    study, tmp_path, monkeypatch, code, told
):
    def failing(folder, chosen, storage):
        said = sqlite3.OperationalError("SQLite says so")
        said.sqlite_errorcode = code
        raise RuntimeError("something about SQL") from said

    monkeypatch.setattr(optuna_database, "_write", failing)
    out = tmp_path / "o.db"
    with pytest.raises(StorageError) as raised:
        write_optuna(Folder.read(study), out)
    assert str(raised.value).startswith(f"{out} cannot be written: {told}")
    assert not out.exists()


def test_an_error_of_ours_stays_one(study, tmp_path, monkeypatch):
    def failing(folder, chosen, storage):
        raise AssertionError("a bug")

    monkeypatch.setattr(optuna_database, "_write", failing)
    with pytest.raises(AssertionError, match="a bug"):
        write_optuna(Folder.read(study), tmp_path / "o.db")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited otherwise elsewhere")
@pytest.mark.parametrize(
    "words", [["doctor"], ["export", "--level", "0", "--out", "x.safetensors"]]
)
def test_a_process_that_gets_little_memory_says_so(study, tmp_path, words):
    limited = f"import resource; resource.setrlimit(resource.RLIMIT_AS, ({10**9}, {10**9}))"
    ended = subprocess.run(
        [sys.executable, "-c", f"{limited}; {COMMAND}", words[0], str(study), *words[1:]],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == ResourceError.exit_code, ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stderr.startswith("lttune: error: memory was refused: ")
    assert ended.stderr.endswith(
        "; a process may have 1.0 GB here: raise that limit (`ulimit -v unlimited`) and run the "
        "same command again\n"
    )
    assert not list(tmp_path.glob("*.safetensors"))
