"""Runs the tests of a table of promises and prints it: faults, inputs or rules.

    python tests/faults/print_promises.py faults [REPORT]

With a report that ``pytest --junitxml=REPORT -o junit_family=xunit1`` wrote, it only prints.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

TESTS = Path(__file__).parents[1]


def main(name: str, report: str | None = None) -> int:
    """Returns 0 if every row that has tests passed."""
    table = yaml.safe_load((TESTS / "faults" / "promised.yaml").read_text())[name]
    asked = sorted({test for row in table.values() for test in row.get("tests", ())})
    results = tested(asked) if report is None else outcomes(Path(report))
    bad = 0
    for row, facts in table.items():
        counts = Counter[str]()
        for test in facts.get("tests", ()):
            counts += results.get(test, Counter(absent=1))
        failed = counts["failed"] + counts["absent"]
        unseen = not counts["passed"]
        bad += failed or unseen
        told = facts.get("missing") or f"{counts['passed']} passed, {counts['skipped']} skipped"
        state = "FAILED" if failed else "SKIPPED" if unseen else "ok"
        state = "MISSING" if "missing" in facts else state
        note = f" ({facts['note']})" if "note" in facts else ""
        print(f"{row}  {state:8} {facts['what']}: {told}{note}")
    return 1 if bad else 0


def tested(asked: Sequence[str]) -> dict[str, Counter[Any]]:
    """Runs tests, and files of tests; returns ``outcomes``."""
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "junit.xml"
        command = [sys.executable, "-m", "pytest", "-n", "3", "--dist", "loadfile"]
        command += [f"--junitxml={report}", "-o", "junit_family=xunit1"]
        subprocess.run(
            [*command, *(f"tests/{test}" for test in asked)], cwd=TESTS.parent, check=False
        )
        return outcomes(report)


def outcomes(report: Path) -> dict[str, Counter[Any]]:
    """Returns test, or file of tests, -> how many of its cases ended how."""
    found: dict[str, Counter[Any]] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        kinds = {"failure": "failed", "error": "failed", "skipped": "skipped"}
        state = next((kinds[child.tag] for child in case if child.tag in kinds), "passed")
        file = str(case.get("file")).removeprefix("tests/")
        function = str(case.get("name")).partition("[")[0]
        # A test's class stands behind its module, which is called as its file is.
        group = str(case.get("classname")).rpartition(f"{Path(file).stem}.")[2]
        own = f"{group}::{function}" if group[:1].isupper() else function
        for name in (file, f"{file}::{own}"):
            found.setdefault(name, Counter())[state] += 1
    return found


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
