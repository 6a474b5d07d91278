"""A report that is killed anywhere leaves whole files, and says the same when it is made again."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
from forked import forked
from sample_study import write_study

from analysis.report import made
from lttune.__main__ import main

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

POINTS = ["report.html.written", "accuracy.svg.flushed", "answer.txt.named"]
LOCK = ["claims.lock.json.written"]
if os.environ.get("LTTUNE_ALL_FAULTS"):
    STEPS = ("written", "flushed", "named")
    FILES = ("report.html", "answer.txt", "accuracy.svg", "accuracy.csv")
    POINTS = [f"{name}.{step}" for name in FILES for step in STEPS]
    LOCK = [f"claims.lock.json.{step}" for step in STEPS]


def killed(site: str, *words: str) -> None:
    """Runs a command that is killed at a failpoint."""
    process = forked(command, f"{site}:1:kill", words)
    process.join()
    assert process.exitcode == -signal.SIGKILL


def command(fault: str, words: tuple[str, ...]) -> None:
    os.environ["LTTUNE_FAULT"] = fault
    sys.exit(main([*words]))


def files(folder: Path) -> dict[str, bytes]:
    """Returns the files of a report; the note of what it was made from names its folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in (made.MADE_FROM, made.LOCK)
    }


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    whole = write_study(tmp_path_factory.mktemp("whole") / "s")
    assert main(["report", str(whole)]) == 0
    return files(whole)


@pytest.mark.parametrize("site", POINTS)
def test_a_report_that_was_killed_is_made_again(site, expected, tmp_path):
    broken = write_study(tmp_path / "s")
    killed(site, "report", str(broken))
    left = {name: data for name, data in files(broken).items() if not name.endswith(".tmp")}
    assert left.items() <= expected.items()
    assert main(["report", str(broken)]) == 0
    assert files(broken) == expected


@pytest.mark.parametrize("site", LOCK)
def test_a_lock_of_claims_that_was_killed_is_whole_or_absent(site, tmp_path):
    out = tmp_path / "claims.lock.json"
    killed(site, "claims", "lock", "--out", str(out))
    assert out.exists() is site.endswith(".named")
    out.unlink(missing_ok=True)
    assert main(["claims", "lock", "--out", str(out)]) == 0
    assert [path.name for path in tmp_path.iterdir()] == [out.name]
