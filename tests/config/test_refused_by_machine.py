"""Errors of memory and of disks, in whatever a library wraps them: one line and a code."""

from __future__ import annotations

import errno
import resource

import numpy as np
import pytest

from lttune.config.command_line import exit_code_after
from lttune.errors import REFUSING, ResourceError, StorageError
from lttune.store.regular import is_of_content


def raising(error: Exception, behind: Exception | None = None):
    def run() -> int:
        raise error from behind

    return run


MEMORY = [
    MemoryError(),
    MemoryError("3 bytes"),
    np._core._exceptions._ArrayMemoryError((3,), np.dtype(float)),
    OSError(errno.ENOMEM, "Cannot allocate memory"),
    ImportError("libtorch.so: failed to map segment from shared object"),
    ImportError("libx.so: cannot allocate memory in static TLS block"),
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
    RuntimeError("can't start new thread"),
]


@pytest.mark.parametrize("error", MEMORY, ids=repr)
@pytest.mark.parametrize("is_wrapped", [False, True])
def test_memory_that_is_refused_is_one_line(error, is_wrapped, capsys):
    outer = raising(KeyError("a library's"), error) if is_wrapped else raising(error)
    assert exit_code_after(outer, []) == ResourceError.exit_code == 5
    told = capsys.readouterr().err
    assert told.startswith("lttune: error: memory was refused: ")
    assert told.endswith("and run the same command again\n")
    assert told.count("\n") == 1
    assert not is_of_content(error)


def test_a_limit_of_memory_is_named(capsys, monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda which: (1_500_000_000, -1))
    assert exit_code_after(raising(MemoryError()), []) == 5
    assert "a process may have 1.5 GB here: raise that limit" in capsys.readouterr().err


@pytest.mark.parametrize("number", REFUSING)
def test_a_disk_behind_a_librarys_error_is_one_line(number, capsys):
    behind = OSError(number, "it says why", "x.db")
    assert exit_code_after(raising(RuntimeError("SQL"), behind), []) == StorageError.exit_code
    told = capsys.readouterr().err
    assert told == f"lttune: error: [Errno {number}] it says why: 'x.db'\n"


@pytest.mark.parametrize(
    "behind", [None, FileNotFoundError(errno.ENOENT, "No such file"), ImportError("no module x")]
)
def test_a_mistake_of_ours_stays_a_traceback(behind):
    with pytest.raises(RuntimeError, match="a bug"):
        exit_code_after(raising(RuntimeError("a bug"), behind), [])
