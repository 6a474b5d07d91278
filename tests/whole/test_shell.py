"""What shellcheck says of the shell that users get: nothing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WHERE = ("studies/cluster/*.sbatch", "studies/cluster/*.sh", "findings/*.sh", ".ci/run")
SCRIPTS = sorted(path for pattern in WHERE for path in ROOT.glob(pattern))
SHELLCHECK = shutil.which("shellcheck", path=Path(sys.executable).parent) or shutil.which(
    "shellcheck"
)

pytestmark = pytest.mark.skipif(
    SHELLCHECK is None, reason="shellcheck is missing: pip install -e '.[test]' brings it"
)


def found_in(paths: Iterable[Path]) -> str:
    """Returns what shellcheck finds; "" is nothing."""
    # The environment that a script activates is that of whoever runs it.
    command = [str(SHELLCHECK), "--norc", "--format=gcc", "--exclude=SC1091", *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


def test_shellcheck_finds_nothing():
    assert {path.suffix for path in SCRIPTS} == {".sbatch", ".sh", ""}
    assert found_in(SCRIPTS) == ""


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("python study.py --out $out", "SC2086"),
        ('cd "$out"; python study.py', "SC2164"),
        ("start=(ray start); $start", "SC2128"),
        ("if [ $nodes -gt 1 ]; then", "SC1073"),
    ],
)
def test_a_script_with_a_mistake_is_refused(line, rule, tmp_path):
    """All but the last run, and pass the tests that run them, where no name has a space."""
    (script := tmp_path / "planted.sbatch").write_text(f"#!/bin/bash\nout=$1 nodes=$2\n{line}\n")
    assert f"[{rule}]" in found_in([script])
