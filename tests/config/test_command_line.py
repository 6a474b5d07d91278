"""Flags that cannot be understood are refused in one line."""

import os
import subprocess
import sys

import pytest

from lttune.__main__ import main

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
            ["export", "results/x", "--level", "1", "--trial", "one"],
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


SEVERAL = {
    "export results/x --levl 1 --trial one --replicate 1": [
        "Unrecognized options: --levl, 1",
        "Error parsing --trial:",
    ],
    "export x --level 1 --form compct": ["torch-prune; got 'compct'; did you mean 'compact'?"],
    "export --trial one results/x --level 1": ["Error parsing --trial:"],
    "export results/x --level one": ["Error parsing --level:"],
    "export results/x --level one --csv --out x.csv": ["Error parsing --level:"],
    "masks --combine onion a b --out u.pt": ["--combine must be one of ", "--out must be a .safet"],
    "masks a --out u.pt": [
        "TICKETS must be at least two, got 'a'",
        "--combine and --out must be given together, got 'u.pt'",
        "--out must be a .safetensors file, got 'u.pt'",
    ],
    "transfer x --replicates 0 --lr -1 --steps 0 --start x.pt --levels one": [
        "Error parsing --levels:",
        "--lr must be a finite number > 0, got -1.0",
        "--steps must be a whole number >= 1, got 0",
        "--replicates must be a whole number >= 1, got 0",
        "--start must be given with --mask, got 'x.pt'",
    ],
    "transfer x --batch-size 0 --data nowhere": [
        "--data must be one of ",
        "--batch-size must be a whole number >= 1, got 0",
    ],
    "transfer x --replicates 1000001": ["--replicates must be at most 1000 (each trains all net"],
    "data ./own --size 0": [
        "--size must be a whole number >= 1, got 0",
    ],
    "data ./own --size 99999 --save x.png": [
        "--size must be at most 2048 (larger pictures fill the memory), got 99999",
        "--save must be the path of an .npz file, got 'x.png'",
    ],
    "data ./own --size 8 --save": ["--save"],
    "claims power --sd -1 --n 1": [
        "--sd must be a number > 0, got -1.0",
        "--n must be a whole number >= 2, got 1",
    ],
    "claims check --n many": ["Error parsing --n:"],
}


@pytest.mark.parametrize("arguments", SEVERAL)
def test_each_mistake_is_a_line(capsys, arguments):
    with pytest.raises(SystemExit) as end:
        main(arguments.split())
    assert end.value.code == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == len(SEVERAL[arguments])
    for line, expected in zip(said, SEVERAL[arguments], strict=True):
        assert line.startswith("lttune: error: ")
        assert expected in line
    assert said[-1].endswith(f"; see lttune {arguments.split()[0]} --help")


def test_help_is_asked_for_all_the_same(capsys):
    with pytest.raises(SystemExit) as end:
        main(["data", "x", "--size", "0", "--help"])
    assert end.value.code == 0
    assert "usage: lttune data" in capsys.readouterr().out
