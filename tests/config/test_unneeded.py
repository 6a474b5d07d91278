"""Output that cannot be written stops nobody who does not need it."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lttune.config.output.unneeded import unneeded_output


def closed_pipe() -> int:
    reading, writing = os.pipe()
    os.close(reading)
    return writing


def closed_terminal() -> int:
    screen, terminal = pty.openpty()
    os.close(screen)
    return terminal


def full_disk() -> int:
    return os.open("/dev/full", os.O_WRONLY)


def write_until_it_fails(number: int) -> None:
    # A process that another thread just starts has the other end of a pipe too, until it runs.
    for _ in range(200):
        os.write(number, b"it fails")
        time.sleep(0.01)


@pytest.mark.parametrize("lost", [closed_pipe, closed_terminal, full_disk])
def test_what_cannot_be_written_is_dropped_without_a_word(lost: Callable[[], int], monkeypatch):
    out, err = os.fdopen(lost(), "w"), os.fdopen(lost(), "w")
    with pytest.raises(OSError, match="Errno"):
        write_until_it_fails(out.fileno())
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    with unneeded_output():
        for _ in range(3):
            print("more than a buffer takes" * 1000)
            print("and at once", file=sys.stderr, flush=True)
    assert (sys.stdout, sys.stderr) == (out, err)
    # The interpreter does so at its end.
    out.close()
    err.close()


def test_what_can_be_written_is_written(capsys):
    with unneeded_output():
        print("out")
        print("err", file=sys.stderr)
    assert capsys.readouterr() == ("out\n", "err\n")


def test_a_character_that_the_encoding_lacks_is_a_question_mark(monkeypatch):
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="iso8859-9"))
    with unneeded_output():
        print("ışık ┃ 1")
    assert written.getvalue().decode("iso8859-9") == "ışık ? 1\n"


CLOSED = """
import os, sys
from lttune.config.output.unneeded import open_descriptors, unneeded_output
open_descriptors()
with open(sys.argv[1], "w") as file, unneeded_output():
    print("to nobody", flush=True)
    print("to nobody", file=sys.stderr)
    os.write(1, b"what a library prints")
    os.write(2, b"what a library prints")
    file.write(str(file.fileno()))
"""


def close_all() -> None:
    for number in range(3):
        os.close(number)


def test_no_file_gets_the_number_of_an_output_that_was_closed(tmp_path):
    file = tmp_path / "file"
    root = Path(__file__).parents[2]
    code = subprocess.call([sys.executable, "-c", CLOSED, file], cwd=root, preexec_fn=close_all)
    assert code == 0
    assert int(file.read_text()) > 2
