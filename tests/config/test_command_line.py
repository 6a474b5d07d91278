"""Flags that cannot be understood are refused in one line."""

import os
import subprocess
import sys

import pytest

CODE = "from lttune.__main__ import main; import sys; sys.exit(main(sys.argv[1:]))"


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["export", "results/x", "--levl", "1"],
            "Unrecognized options: --levl, 1; did you mean --level?",
        ),
        (
            ["export", "results/x", "--trial", "one"],
            "Error parsing --trial: invalid literal for int() with base 10: 'one'",
        ),
        (
            ["masks", "results/x:0/0/1"],
            "TICKETS must be at least two, got 'results/x:0/0/1'",
        ),
    ],
)
def test_the_box_becomes_a_line(arguments, message, encoding):
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    command = [sys.executable, "-c", CODE, *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert ended.returncode == 2
    assert ended.stdout == ""
    help_is = f"see lttune {arguments[0]} --help"
    assert ended.stderr == f"lttune: error: {message}; {help_is}\n"


@pytest.mark.slow
def test_help_is_left_alone():
    command = [sys.executable, "-c", CODE, "masks", "--help"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0
    assert "usage: lttune masks" in ended.stdout
